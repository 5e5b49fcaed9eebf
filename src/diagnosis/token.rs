//! Token endpoints and the programs that stand in for them.
//!
//! A refusal in the words of RFC 6749 §5.2 is judged by its error name; Microsoft's AADSTS numbers and Google's texts,
//! which stand in the description, say more and are looked at first. An endpoint that is away or answers oddly is the
//! network's: it must not hold the account. An error name nobody knows counts as odd.

use super::{Diagnosis, TokenFailure, tls};
use crate::words::Cause;

/// A known text in a description, and what it means.
struct Row {
    /// Found in the description as it stands; for AADSTS numbers with the `:` that ends them.
    text: &'static str,
    cause: Cause,
    sentence: &'static str,
    cure: &'static str,
}

const DESCRIPTIONS: &[Row] = &[
    Row {
        text: "AADSTS7000215:",
        cause: Cause::Account,
        sentence: "Microsoft does not know this client secret.",
        cure: "Make a new secret in Entra and put its *value*, not its id, into `oauth.client_secret_file` of this account.",
    },
    Row {
        text: "AADSTS7000222:",
        cause: Cause::Account,
        sentence: "The client secret has expired.",
        cure: "Make a new secret in Entra (Certificates & secrets) and put its value into `oauth.client_secret_file` of this account.",
    },
    Row {
        text: "AADSTS700016:",
        cause: Cause::Account,
        sentence: "Microsoft does not know this application in this tenant.",
        cure: "Check `oauth.client_id` of this account, and that the tenant in `oauth.token_endpoint` is your own, not `common`.",
    },
    Row {
        text: "AADSTS90002:",
        cause: Cause::Account,
        sentence: "Microsoft does not know this tenant.",
        cure: "Put your tenant's id or domain into `oauth.token_endpoint` of this account.",
    },
    Row {
        text: "AADSTS700025:",
        cause: Cause::Config,
        sentence: "The application is registered as a public client, which has no secret.",
        cure: "Register it as a confidential client in Entra (Authentication), or use a grant without `oauth.client_secret`.",
    },
    Row {
        text: "AADSTS65001:",
        cause: Cause::Account,
        sentence: "Nobody has consented to what the application asks for.",
        cure: "An administrator grants consent in Entra (App registrations, API permissions).",
    },
    Row {
        text: "AADSTS53003:",
        cause: Cause::Account,
        sentence: "A Conditional Access policy refuses the token.",
        cure: "Look at the failed sign-in in Entra (Sign-in logs) and exclude this application from the policy named there.",
    },
    Row {
        text: "AADSTS70011:",
        cause: Cause::Config,
        sentence: "The scope is not valid.",
        cure: "For client credentials set `oauth.scope = \"https://outlook.office365.com/.default\"` of this account.",
    },
    Row {
        text: "AADSTS1002012:",
        cause: Cause::Config,
        sentence: "With client credentials Microsoft wants a scope that ends in /.default.",
        cure: "Set `oauth.scope = \"https://outlook.office365.com/.default\"` of this account.",
    },
    Row {
        text: "AADSTS500011:",
        cause: Cause::Config,
        sentence: "The scope names a resource Microsoft does not know.",
        cure: "Set `oauth.scope = \"https://outlook.office365.com/.default\"` of this account.",
    },
    Row {
        text: "AADSTS54005:",
        cause: Cause::Throttle,
        sentence: "The same grant was redeemed twice at once.",
        cure: "Nothing to do: it is tried again later; another program may be using the same grant.",
    },
    Row {
        text: "Token has been expired or revoked",
        cause: Cause::Account,
        sentence: "Google has ended this grant; with a consent screen in Testing this happens every seven days.",
        cure: "Publish the consent screen in the Google Cloud console, then make a new token.",
    },
];

pub(super) fn judge(failure: &TokenFailure) -> Diagnosis {
    match failure {
        TokenFailure::Unreachable { endpoint, detail } => Diagnosis::new(
            "token_endpoint_unreachable",
            Cause::Network,
            format!("The token endpoint {endpoint} cannot be reached: {detail}"),
            "Check `oauth.token_endpoint` of this account and whether a firewall lets this machine out to it.",
        ),
        TokenFailure::Refused { endpoint, error, description } => refused(endpoint, error, description),
        TokenFailure::Odd { endpoint, status, detail } => Diagnosis::new(
            "token_answer_odd",
            Cause::Network,
            format!("The token endpoint {endpoint} gave an odd answer (HTTP {status}): {detail}"),
            odd_cure(*status),
        ),
        TokenFailure::Tls { endpoint, problem } => tls::judge(tls::Peer::Endpoint(&authority(endpoint)), problem),
        TokenFailure::Command { program, detail } => Diagnosis::new(
            "token_command_failed",
            Cause::Account,
            format!("The program `{program}`, which should print a token, failed: {detail}"),
            "Run the program by hand as the user Posthouse runs as; it must print a token, or JSON with `access_token`, and exit with 0.",
        ),
    }
}

fn refused(endpoint: &str, error: &str, description: &str) -> Diagnosis {
    if let Some(row) = DESCRIPTIONS.iter().find(|row| description.contains(row.text)) {
        return Diagnosis::new(
            "token_known",
            row.cause,
            format!("{} ({error}: {description})", row.sentence),
            row.cure,
        );
    }
    let (cause, cure) = by_error(error);
    let described = if description.is_empty() { String::new() } else { format!(": {description}") };
    Diagnosis::new("token_refused", cause, format!("The token endpoint {endpoint} refused: {error}{described}"), cure)
}

/// RFC 6749 §5.2, and the two names of §4.1.2.1 that say the server is away.
fn by_error(error: &str) -> (Cause, &'static str) {
    match error {
        "invalid_client" => (
            Cause::Account,
            "Check `oauth.client_id` and the client secret of this account; some servers want `oauth.client_authentication = \"basic\"`.",
        ),
        "invalid_grant" => (Cause::Account, "The grant has ended: consent again, or make a new token."),
        "unauthorized_client" | "access_denied" => {
            (Cause::Account, "Allow this grant for the application where it is registered.")
        }
        "unsupported_grant_type" => (Cause::Config, "Use another `oauth.grant` for this account."),
        "invalid_scope" => (Cause::Config, "Check `oauth.scope` of this account."),
        "invalid_request" => {
            (Cause::Config, "Check `oauth.client_id`, `oauth.scope` and `oauth.token_endpoint` of this account.")
        }
        _ => (Cause::Network, "Nothing to do if it passes: it is tried again later."),
    }
}

fn odd_cure(status: u16) -> &'static str {
    match status {
        300..=399 => {
            "Redirects are not followed: set `oauth.token_endpoint` of this account to the address it leads to, or look for a captive portal."
        }
        429 | 500..=599 => "Nothing to do if it passes: it is tried again later.",
        _ => "Check `oauth.token_endpoint` of this account; a proxy or captive portal may be answering instead.",
    }
}

/// `host:port` of an endpoint, as `openssl s_client` wants it.
fn authority(endpoint: &str) -> String {
    let after_scheme = endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest);
    let authority = after_scheme.split(['/', '?', '#']).next().unwrap_or(after_scheme);
    // A port follows the last `:`, unless that stands inside an IPv6 literal (RFC 3986 §3.2.2).
    let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| !port.contains(']'));
    if has_port { authority.to_owned() } else { format!("{authority}:443") }
}

#[cfg(test)]
mod tests {
    use super::super::TlsProblem;
    use super::*;

    const ENDPOINT: &str = "https://login.example.com/token";

    fn refusal(error: &str, description: &str) -> Diagnosis {
        let endpoint = ENDPOINT.into();
        judge(&TokenFailure::Refused { endpoint, error: error.into(), description: description.into() })
    }

    #[test]
    fn every_known_description_is_found_and_says_more_than_the_error_name() {
        for row in DESCRIPTIONS {
            let said = refusal("invalid_anything", &format!("{} and so on", row.text));
            assert_eq!((said.cause, &*said.cure), (row.cause, row.cure), "{}", row.text);
            assert!(said.sentence.starts_with(row.sentence), "{}", row.text);
        }
    }

    #[test]
    fn numbers_are_not_mistaken_for_their_beginnings() {
        assert!(refusal("x", "AADSTS700025: public").sentence.contains("public client"));
        assert!(refusal("x", "AADSTS7000215: invalid secret").sentence.contains("does not know this client secret"));
    }

    #[test]
    fn error_names_of_the_standard_are_the_accounts_or_the_configurations() {
        for (error, cause) in [
            ("invalid_client", Cause::Account),
            ("invalid_grant", Cause::Account),
            ("unauthorized_client", Cause::Account),
            ("access_denied", Cause::Account),
            ("unsupported_grant_type", Cause::Config),
            ("invalid_scope", Cause::Config),
            ("invalid_request", Cause::Config),
        ] {
            assert_eq!(refusal(error, "").cause, cause, "{error}");
        }
    }

    #[test]
    fn an_endpoint_that_is_away_or_odd_does_not_hold_the_account() {
        for error in ["temporarily_unavailable", "server_error", "no_such_error_in_any_rfc"] {
            assert_eq!(refusal(error, "").cause, Cause::Network, "{error}");
        }
        let endpoint = || ENDPOINT.to_owned();
        let away = TokenFailure::Unreachable { endpoint: endpoint(), detail: "refused".into() };
        assert_eq!(judge(&away).cause, Cause::Network);
        let odd = TokenFailure::Odd { endpoint: endpoint(), status: 302, detail: "empty".into() };
        assert_eq!(judge(&odd).cause, Cause::Network);
        assert!(judge(&odd).cure.contains("Redirects are not followed"));
    }

    #[test]
    fn a_refused_certificate_says_how_to_look_at_the_endpoint() {
        for (endpoint, shown) in [
            (ENDPOINT, "-connect login.example.com:443`"),
            ("https://login.example.com:8443/x", "-connect login.example.com:8443`"),
            ("https://[::1]/x", "-connect [::1]:443`"),
        ] {
            let failure = TokenFailure::Tls { endpoint: endpoint.into(), problem: TlsProblem::Expired };
            let said = judge(&failure);
            assert_eq!(said.cause, Cause::Config);
            assert!(said.cure.contains(shown), "{}", said.cure);
        }
    }

    #[test]
    fn a_program_without_a_token_holds_the_account() {
        let failure = TokenFailure::Command { program: "get-token".into(), detail: "exit status 3".into() };
        let said = judge(&failure);
        assert_eq!(said.cause, Cause::Account);
        assert!(said.sentence.contains("`get-token`") && said.sentence.contains("exit status 3"));
    }
}
