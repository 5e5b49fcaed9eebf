//! Token endpoints and the programs that stand in for them.
//!
//! A refusal is judged by Microsoft's AADSTS number, if there is one, then by the table of known refusals, in which the
//! error names of RFC 6749 §5.2 stand last. An endpoint that is away or answers oddly is the network's: it must not
//! hold the account. An error name nobody knows counts as odd. Repeats what was said, which holds no secret by then.

use super::known::{entra, tokens};
use super::{Context, Diagnosis, DiscoveryProblem, TokenFailure, lifts, tls};
use crate::words::Cause;

const LATER: &str = "Nothing to do if it passes: it is tried again later.";
const SOMETHING_ELSE_ANSWERS: &str = "Check `oauth.token_endpoint` of this account; if it is right, something between here and the provider answers instead: sign in to the network's own page (hotel, guest WLAN), or name the proxy in `proxy` of this account.";

pub(super) fn judge(failure: &TokenFailure, context: Context<'_>) -> Diagnosis {
    match failure {
        TokenFailure::Unreachable { endpoint, detail } => Diagnosis::new(
            "token_endpoint_unreachable",
            Cause::Network,
            format!("The token endpoint {endpoint} cannot be reached: {detail}"),
            "Check whether this machine reaches it: its name service, a firewall, `proxy` of this account; and `oauth.token_endpoint` and `oauth.tenant`, if you wrote them.",
        ),
        TokenFailure::Refused { endpoint, error, description } => refused(endpoint, error, description, context),
        TokenFailure::OtherIssuer { endpoint, expected, said } => other_issuer(endpoint, expected, said.as_deref()),
        TokenFailure::Odd { endpoint, status, detail, retry_after } => {
            odd(endpoint, *status, detail).lifting(retry_after.map(lifts::bounded))
        }
        TokenFailure::Page { endpoint, status, title } => page(endpoint, *status, title),
        TokenFailure::Proxy(failure) => super::proxy::judge(failure),
        TokenFailure::Tls { endpoint, problem } => tls::judge(tls::Peer::Endpoint(&authority(endpoint)), problem),
        TokenFailure::Command { program, detail } => Diagnosis::new(
            "token_command_failed",
            Cause::Account,
            format!("The program `{program}`, which should print a token, failed: {detail}"),
            "Run the program by hand as the user Posthouse runs as; it must print a token, or JSON with `access_token`, and exit with 0.",
        ),
        TokenFailure::OwnFile { detail } => Diagnosis::new(
            "token_own_file_unusable",
            Cause::Config,
            format!("What proves this account to the token endpoint cannot be used: {detail}."),
            "Put the right file where `oauth.client_certificate`, `oauth.client_key` or `oauth.key_file` of this account points, readable to the user Posthouse runs as; it is read anew at the next try.",
        ),
        TokenFailure::CertificateEnded { file, ended } => Diagnosis::new(
            "client_certificate_ended",
            Cause::Account,
            format!(
                "The client certificate in {file} ended on {}; the token endpoint was not asked.",
                ended.strftime("%Y-%m-%d")
            ),
            "Make a new key and certificate, register the certificate at the provider, and put both where `oauth.client_certificate` and `oauth.client_key` of this account point. If the date is to come, set this machine's clock.",
        ),
        TokenFailure::EndedOnTheWay => Diagnosis::new(
            "token_ended_on_the_way",
            Cause::Network,
            "The tokens ended before the mail server had looked at them.",
            "Nothing to do if it passes: it is tried again later. If it does not, the provider gives tokens of too short a life for the time its mail server takes: have it made longer.",
        ),
        TokenFailure::Discovery { document, problem } => discovery(document, problem),
    }
}

fn discovery(document: &str, problem: &DiscoveryProblem) -> Diagnosis {
    let what = format!("The document {document}, which names the token endpoint,");
    match problem {
        DiscoveryProblem::Unreachable { detail } => Diagnosis::new(
            "discovery_unreachable",
            Cause::Network,
            format!("{what} cannot be reached: {detail}"),
            "Check `oauth.discovery` of this account and whether a firewall lets this machine out to it.",
        ),
        DiscoveryProblem::Odd { status, retry_after } => {
            let sentence = format!("{what} was not given out (HTTP {status}).");
            let said = match status {
                429 => Diagnosis::new("discovery_throttled", Cause::Throttle, sentence, LATER),
                500..=599 => Diagnosis::new("discovery_broken", Cause::Network, sentence, LATER),
                _ => Diagnosis::new(
                    "discovery_not_there",
                    Cause::Network,
                    sentence,
                    "Check `oauth.discovery` of this account: it is the whole address of the document, which often ends in `/.well-known/openid-configuration`; redirects are not followed.",
                ),
            };
            said.lifting(retry_after.map(lifts::bounded))
        }
        DiscoveryProblem::Unfit { detail } => Diagnosis::new(
            "discovery_unfit",
            Cause::Config,
            format!("{what} cannot be used: {detail}"),
            "Check `oauth.discovery` of this account: the address must be that of the document of the very server the account signs in at. Or leave it out and write the addresses down as `oauth.token_endpoint` and `oauth.authorization_endpoint`, or name the `provider`.",
        ),
    }
}

fn refused(endpoint: &str, error: &str, description: &str, context: Context<'_>) -> Diagnosis {
    let said = said(error, description);
    if let Some(row) = entra::find(description) {
        return Diagnosis::new(row.code, row.cause, format!("{} ({said})", row.sentence), row.cure);
    }
    let authority = authority(endpoint);
    let host = authority.rsplit_once(':').map_or(&*authority, |(host, _)| host);
    let row = tokens::find(error, description, Context { host, ..context });
    let (code, cause) = row.map_or(("token_error_unknown", Cause::Network), |row| (row.code, row.cause));
    if let Some(number) = entra::number(description) {
        let sentence = format!("Microsoft gives no token: {said}");
        let cure =
            format!("Microsoft says what this number means at https://login.microsoftonline.com/error?code={number}.");
        return Diagnosis::new(code, cause, sentence, cure);
    }
    match row {
        Some(row) => Diagnosis::new(code, cause, format!("{} ({said})", row.sentence), row.cure),
        None => Diagnosis::new(code, cause, format!("The token endpoint {endpoint} refused: {said}"), LATER),
    }
}

/// The mix-up attack of RFC 9700 §4.4, or an issuer that was written down wrongly.
fn other_issuer(endpoint: &str, expected: &str, said: Option<&str>) -> Diagnosis {
    let said = said.map_or_else(|| "no issuer".to_owned(), |said| format!("the issuer {said}"));
    Diagnosis::new(
        "sign_in_of_another_issuer",
        Cause::Config,
        format!(
            "The answer to the sign-in at {endpoint} names {said}, and {expected} was expected; its code was not used."
        ),
        "If the provider's documentation names that issuer, write it into `oauth.issuer` of this account; if not, another server has put itself in between: check `oauth.authorization_endpoint`, and do not sign in before it is explained.",
    )
}

/// What the endpoint said, without the identifiers that Microsoft puts behind it; the log has them all.
fn said(error: &str, description: &str) -> String {
    let description = description.split(" Trace ID:").next().unwrap_or(description);
    if description.is_empty() { error.to_owned() } else { format!("{error}: {description}") }
}

fn odd(endpoint: &str, status: u16, detail: &str) -> Diagnosis {
    let sentence = format!("The token endpoint {endpoint} gave an odd answer (HTTP {status}): {detail}");
    match status {
        300..=399 => Diagnosis::new(
            "token_endpoint_redirects",
            Cause::Network,
            sentence,
            "Redirects are not followed: set `oauth.token_endpoint` of this account to the address it leads to, or look for a captive portal.",
        ),
        404 | 405 | 410 => Diagnosis::new(
            "token_endpoint_not_there",
            Cause::Network,
            sentence,
            "Check the path in `oauth.token_endpoint` of this account: the server is there and knows no token endpoint under that name.",
        ),
        407 => Diagnosis::new(
            "token_proxy_sign_in",
            Cause::Network,
            sentence,
            "A proxy wants a sign-in: put user and password into `proxy` of this account.",
        ),
        429 => Diagnosis::new("token_endpoint_throttles", Cause::Throttle, sentence, LATER),
        500..=599 => Diagnosis::new("token_endpoint_broken", Cause::Network, sentence, LATER),
        _ => Diagnosis::new("token_answer_odd", Cause::Network, sentence, SOMETHING_ELSE_ANSWERS),
    }
}

/// RFC 6585 §6 gives captive portals a status of their own; most use 200 or a redirect.
fn page(endpoint: &str, status: u16, title: &str) -> Diagnosis {
    let titled = if title.is_empty() { String::new() } else { format!(", titled `{title}`") };
    let sentence = format!("Instead of a token {endpoint} answered with a web page (HTTP {status}{titled}).");
    match status {
        500..=510 | 512..=599 => Diagnosis::new("token_gateway_broken", Cause::Network, sentence, LATER),
        _ => Diagnosis::new("token_captive_portal", Cause::Network, sentence, SOMETHING_ELSE_ANSWERS),
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
    use std::time::Duration;

    use super::super::TlsProblem;
    use super::*;

    const ENDPOINT: &str = "https://login.example.com/token";

    fn refusal(error: &str, description: &str) -> Diagnosis {
        let endpoint = ENDPOINT.into();
        judge(
            &TokenFailure::Refused { endpoint, error: error.into(), description: description.into() },
            Context::default(),
        )
    }

    #[test]
    fn what_microsoft_says_stands_behind_the_sentence_without_its_identifiers() {
        let said =
            refusal("invalid_client", "AADSTS7000222: The secret is expired. Trace ID: 0815 Correlation ID: 4711");
        assert_eq!(
            said.sentence,
            "The client secret has expired. (invalid_client: AADSTS7000222: The secret is expired.)"
        );
    }

    #[test]
    fn a_number_nobody_has_written_down_leads_to_microsofts_own_page() {
        for (error, cause) in [("invalid_client", Cause::Account), ("server_error", Cause::Network)] {
            let said = refusal(error, "AADSTS123456: Something new.");
            assert_eq!(said.cause, cause);
            assert_eq!(
                said.cure,
                "Microsoft says what this number means at https://login.microsoftonline.com/error?code=123456."
            );
        }
    }

    #[test]
    fn googles_endpoint_is_known_by_its_name() {
        let endpoint = "https://oauth2.googleapis.com/token".to_owned();
        let (error, description) = ("invalid_grant".to_owned(), "Bad Request".to_owned());
        let failure = TokenFailure::Refused { endpoint, error, description };
        assert_eq!(judge(&failure, Context::default()).code, "google_grant_refused");
        assert_eq!(refusal("invalid_grant", "Bad Request").code, "oauth_invalid_grant");
    }

    #[test]
    fn a_time_to_come_back_is_kept_within_a_minute_and_a_day() {
        for (told, kept) in [(Some(120), Some(120)), (Some(0), Some(60)), (Some(u64::MAX), Some(86_400)), (None, None)]
        {
            let retry_after = told.map(Duration::from_secs);
            let failure =
                TokenFailure::Odd { endpoint: ENDPOINT.into(), status: 429, detail: String::new(), retry_after };
            let said = judge(&failure, Context::default());
            assert_eq!((said.cause, said.lifts_after), (Cause::Throttle, kept.map(Duration::from_secs)));
        }
    }

    #[test]
    fn a_web_page_is_a_portal_unless_a_gateway_says_that_it_is_broken() {
        let (portal, gateway) = ("token_captive_portal", "token_gateway_broken");
        for (status, code) in [(200, portal), (302, portal), (511, portal), (502, gateway)] {
            let failure = TokenFailure::Page { endpoint: ENDPOINT.into(), status, title: "Welcome".into() };
            let said = judge(&failure, Context::default());
            assert_eq!((said.code, said.cause), (code, Cause::Network), "{status}");
            assert!(said.sentence.contains("titled `Welcome`"));
        }
    }

    #[test]
    fn an_endpoint_that_is_away_or_odd_does_not_hold_the_account() {
        for error in ["temporarily_unavailable", "server_error", "no_such_error_in_any_rfc"] {
            assert_eq!(refusal(error, "").cause, Cause::Network, "{error}");
        }
        let endpoint = || ENDPOINT.to_owned();
        let away = TokenFailure::Unreachable { endpoint: endpoint(), detail: "refused".into() };
        assert_eq!(judge(&away, Context::default()).cause, Cause::Network);
        let odd = TokenFailure::Odd { endpoint: endpoint(), status: 302, detail: "empty".into(), retry_after: None };
        assert_eq!(judge(&odd, Context::default()).cause, Cause::Network);
        assert!(judge(&odd, Context::default()).cure.contains("Redirects are not followed"));
    }

    #[test]
    fn a_refused_certificate_says_how_to_look_at_the_endpoint() {
        for (endpoint, shown) in [
            (ENDPOINT, "-connect login.example.com:443`"),
            ("https://login.example.com:8443/x", "-connect login.example.com:8443`"),
            ("https://[::1]/x", "-connect [::1]:443`"),
        ] {
            let failure = TokenFailure::Tls { endpoint: endpoint.into(), problem: TlsProblem::Expired };
            let said = judge(&failure, Context::default());
            assert_eq!(said.cause, Cause::Config);
            assert!(said.cure.contains(shown), "{}", said.cure);
        }
    }

    #[test]
    fn a_program_without_a_token_holds_the_account() {
        let failure = TokenFailure::Command { program: "get-token".into(), detail: "exit status 3".into() };
        let said = judge(&failure, Context::default());
        assert_eq!(said.cause, Cause::Account);
        assert!(said.sentence.contains("`get-token`") && said.sentence.contains("exit status 3"));
    }

    #[test]
    fn a_useless_file_of_ours_names_the_keys_that_lead_to_it() {
        let detail = "the private key in /etc/x.key is encrypted".to_owned();
        let said = judge(&TokenFailure::OwnFile { detail }, Context::default());
        assert_eq!((said.code, said.cause), ("token_own_file_unusable", Cause::Config));
        assert!(said.sentence.contains("/etc/x.key"), "{}", said.sentence);
        for key in ["oauth.client_certificate", "oauth.client_key", "oauth.key_file"] {
            assert!(said.cure.contains(key), "{}", said.cure);
        }
    }

    #[test]
    fn a_certificate_that_has_ended_says_when_and_holds_the_account() {
        let (file, ended) = ("/etc/x.crt".to_owned(), "2026-11-20T12:00:00Z".parse().unwrap());
        let said = judge(&TokenFailure::CertificateEnded { file, ended }, Context::default());
        assert_eq!((said.code, said.cause), ("client_certificate_ended", Cause::Account));
        assert!(said.sentence.contains("/etc/x.crt ended on 2026-11-20;"), "{}", said.sentence);
    }

    #[test]
    fn a_server_of_documents_says_when_to_come_back_as_well() {
        let problem = DiscoveryProblem::Odd { status: 429, retry_after: Some(Duration::from_mins(10)) };
        let said = judge(&TokenFailure::Discovery { document: ENDPOINT.into(), problem }, Context::default());
        assert_eq!((said.cause, said.lifts_after), (Cause::Throttle, Some(Duration::from_mins(10))));
        let detail = "it names no `token_endpoint`".to_owned();
        let problem = DiscoveryProblem::Unfit { detail };
        let said = judge(&TokenFailure::Discovery { document: ENDPOINT.into(), problem }, Context::default());
        assert_eq!((said.code, said.cause), ("discovery_unfit", Cause::Config));
        assert!(said.sentence.contains("names no `token_endpoint`"), "{}", said.sentence);
        assert!(said.cure.contains("`oauth.discovery`"), "{}", said.cure);
    }
}
