//! TLS: what a failed handshake means, with the provider or with a token endpoint.
//!
//! A refused certificate, or a side that cannot agree, is the configuration's: it will not heal by trying. Only a cut
//! handshake, and an alert that says the other side is broken, belong to the network.

use super::{Diagnosis, TlsProblem};
use crate::words::Cause;

/// Whose handshake failed.
#[derive(Clone, Copy)]
pub(super) enum Peer<'a> {
    /// The SMTP server, and how it was spoken to.
    Provider { host: &'a str, port: u16, starttls: bool },
    /// The token endpoint, by `host:port`.
    Endpoint(&'a str),
}

impl Peer<'_> {
    fn name(&self) -> &str {
        match self {
            Self::Provider { host: name, .. } | Self::Endpoint(name) => name,
        }
    }

    /// How to see the certificate with one's own eyes.
    fn look(self) -> String {
        match self {
            Self::Provider { host, port, starttls } => {
                let starttls = if starttls { "-starttls smtp " } else { "" };
                format!("`openssl s_client {starttls}-connect {host}:{port}` shows the certificate.")
            }
            Self::Endpoint(authority) => format!("`openssl s_client -connect {authority}` shows the certificate."),
        }
    }

    /// The key that names the peer.
    fn key(self) -> &'static str {
        match self {
            Self::Provider { .. } => "`host`",
            Self::Endpoint(_) => "`oauth.token_endpoint`",
        }
    }

    /// What an account may leave out towards its SMTP server; a token endpoint is always verified in full.
    fn or_ignore_the_name(self) -> &'static str {
        match self {
            Self::Provider { .. } => ", or, if the name never matches, set `verify = \"chain\"`",
            Self::Endpoint(_) => "",
        }
    }

    /// Trust in one key instead of an authority.
    fn or_pin(self, pin: Option<&str>) -> String {
        match (self, pin) {
            (Self::Provider { .. }, Some(pin)) => {
                format!(
                    ", or trust this very key, once its owner confirms it: `verify = \"pin\"` and `pins = [\"{pin}\"]`"
                )
            }
            _ => String::new(),
        }
    }

    fn or_pin_it(self) -> &'static str {
        match self {
            Self::Provider { .. } => {
                "; if it is the right one all the same, pin its key: `verify = \"pin\"`, `pins = [\"sha256/…\"]`"
            }
            Self::Endpoint(_) => "",
        }
    }

    fn not_tls_cure(self) -> &'static str {
        match self {
            Self::Provider { .. } => {
                "Set `encryption = \"starttls\"` with port 587, or `encryption = \"implicit\"` with port 465, for this account."
            }
            Self::Endpoint(_) => "Check the port in `oauth.token_endpoint` of this account.",
        }
    }
}

pub(super) fn judge(peer: Peer<'_>, problem: &TlsProblem) -> Diagnosis {
    let (server, look, key) = (peer.name(), peer.look(), peer.key());
    match problem {
        TlsProblem::Expired => config(
            "certificate_expired",
            format!("The certificate of {server} has expired."),
            format!("Its owner must renew it; check this machine's clock as well. {look}"),
        ),
        TlsProblem::NotYetValid => config(
            "certificate_not_yet_valid",
            format!("The certificate of {server} is not valid yet; usually this machine's clock is wrong."),
            format!("Set the clock (`timedatectl`). {look}"),
        ),
        TlsProblem::WrongName { presented } => config(
            "certificate_wrong_name",
            format!("The certificate of {server} is for another name{}.", names(presented)),
            format!("Set {key} of this account to a name in the certificate{}. {look}", peer.or_ignore_the_name()),
        ),
        TlsProblem::UnknownIssuer { pin } => config(
            "certificate_unknown_issuer",
            format!("The certificate of {server} is signed by nobody this account trusts."),
            format!(
                "With a private CA set `ca_file` of this account{}; else something may be reading along. {look}",
                peer.or_pin(pin.as_deref())
            ),
        ),
        TlsProblem::WrongPin { pin } => config(
            "certificate_wrong_pin",
            format!(
                "{server} shows another key than the pinned ones{}.",
                pin.as_ref().map(|pin| format!(": {pin}")).unwrap_or_default()
            ),
            format!(
                "If its owner changed the key, and confirms this one, write it into `pins` of this account; else something may be reading along. {look}"
            ),
        ),
        TlsProblem::ClientCertificateRequired => config(
            "client_certificate_required",
            format!("{server} requires a client certificate and none is configured."),
            "Set `client_certificate` and `client_key` of this account to the files its owner issued for this relay.",
        ),
        TlsProblem::ClientCertificateRefused { detail } => config(
            "client_certificate_refused",
            format!("{server} does not accept our client certificate: {detail}"),
            "Check `client_certificate` of this account: `openssl x509 -in FILE -noout -subject -issuer -dates` shows it; its issuer must be known to the server, and its intermediate certificates must stand in the same file.",
        ),
        TlsProblem::Revoked => config(
            "certificate_revoked",
            format!("The certificate of {server} has been revoked by its issuer."),
            format!("Its owner must replace it. {look}"),
        ),
        TlsProblem::BadCertificate { detail } => config(
            "certificate_unacceptable",
            format!("The certificate of {server} cannot be accepted: {detail}"),
            format!("Its owner must replace it{}. {look}", peer.or_pin_it()),
        ),
        TlsProblem::NotTls => config("not_tls", format!("{server} does not speak TLS here."), peer.not_tls_cure()),
        TlsProblem::Alert { detail } if detail.to_ascii_lowercase().contains("internal") => Diagnosis::new(
            "tls_broken_off",
            Cause::Network,
            format!("{server} broke off the TLS handshake with a fault of its own: {detail}"),
            "Nothing to do if it passes: it is tried again later.",
        ),
        TlsProblem::Alert { detail } => config(
            "tls_refused",
            format!("{server} and Posthouse could not agree on TLS: {detail}"),
            format!("The server must speak TLS 1.2 or newer. {look}"),
        ),
        TlsProblem::Cut { detail } => Diagnosis::new(
            "tls_cut",
            Cause::Network,
            format!("The TLS handshake with {server} was cut: {detail}"),
            format!("Nothing to do if it passes; if it stays, look for a firewall that intercepts TLS. {look}"),
        ),
        TlsProblem::OwnFile { detail } => config(
            "own_tls_file",
            format!("A certificate or key file of ours is useless: {detail}"),
            "Correct the file named here: `ca_file`, `client_certificate` or `client_key` of this account.",
        ),
    }
}

fn config(code: &'static str, sentence: String, cure: impl Into<std::borrow::Cow<'static, str>>) -> Diagnosis {
    Diagnosis::new(code, Cause::Config, sentence, cure)
}

fn names(presented: &[String]) -> String {
    // A certificate can hold hundreds of names; a few tell the story.
    match presented {
        [] => String::new(),
        few if few.len() <= 4 => format!(" ({})", few.join(", ")),
        many => format!(" ({} and {} more)", many[..4].join(", "), many.len() - 4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: Peer<'_> = Peer::Provider { host: "mail.example.com", port: 587, starttls: true };

    #[test]
    fn a_certificate_that_is_wrong_is_a_matter_of_configuration_and_shows_how_to_look() {
        for problem in [
            TlsProblem::Expired,
            TlsProblem::NotYetValid,
            TlsProblem::WrongName { presented: vec![] },
            TlsProblem::UnknownIssuer { pin: None },
            TlsProblem::WrongPin { pin: None },
            TlsProblem::Revoked,
            TlsProblem::BadCertificate { detail: "odd".into() },
        ] {
            let said = judge(SERVER, &problem);
            assert_eq!(said.cause, Cause::Config, "{problem:?}");
            assert!(said.cure.contains("openssl s_client -starttls smtp -connect mail.example.com:587"), "{problem:?}");
        }
    }

    #[test]
    fn only_what_may_heal_by_itself_is_the_networks() {
        let cause = |problem| judge(SERVER, &problem).cause;
        assert_eq!(cause(TlsProblem::Cut { detail: "reset".into() }), Cause::Network);
        assert_eq!(cause(TlsProblem::Alert { detail: "InternalError".into() }), Cause::Network);
        assert_eq!(cause(TlsProblem::Alert { detail: "ProtocolVersion".into() }), Cause::Config);
        assert_eq!(cause(TlsProblem::NotTls), Cause::Config);
        assert_eq!(cause(TlsProblem::OwnFile { detail: "ca.pem".into() }), Cause::Config);
    }

    #[test]
    fn of_many_names_a_few_are_shown() {
        let presented = (1..=6).map(|n| format!("{n}.example.net")).collect();
        let said = judge(SERVER, &TlsProblem::WrongName { presented });
        assert!(said.sentence.ends_with("(1.example.net, 2.example.net, 3.example.net, 4.example.net and 2 more)."));
    }

    #[test]
    fn a_token_endpoint_is_spoken_of_as_such() {
        let said = judge(Peer::Endpoint("login.example.com:443"), &TlsProblem::WrongName { presented: vec![] });
        assert!(said.cure.contains("`oauth.token_endpoint` of this account"), "{}", said.cure);
        assert!(said.cure.contains("-connect login.example.com:443`"), "{}", said.cure);
    }

    #[test]
    fn an_unknown_issuer_names_the_keys_to_set_and_the_pin_to_copy() {
        let problem = TlsProblem::UnknownIssuer { pin: Some("sha256/AbC=".into()) };
        let said = judge(SERVER, &problem);
        assert!(said.cure.contains("`ca_file` of this account"), "{}", said.cure);
        assert!(said.cure.contains("`verify = \"pin\"` and `pins = [\"sha256/AbC=\"]`"), "{}", said.cure);
        let endpoint = judge(Peer::Endpoint("login.example.com:443"), &problem);
        assert!(!endpoint.cure.contains("pin"), "pins are the SMTP server's: {}", endpoint.cure);
    }

    #[test]
    fn another_key_than_the_pinned_ones_is_shown_to_be_copied() {
        let said = judge(SERVER, &TlsProblem::WrongPin { pin: Some("sha256/AbC=".into()) });
        assert!(said.sentence.contains("another key than the pinned ones: sha256/AbC=."), "{}", said.sentence);
        assert!(said.cure.contains("`pins` of this account"), "{}", said.cure);
    }

    #[test]
    fn a_client_certificate_that_is_wanted_or_refused_names_the_keys() {
        let wanted = judge(SERVER, &TlsProblem::ClientCertificateRequired);
        assert!(wanted.cure.contains("`client_certificate` and `client_key`"), "{}", wanted.cure);
        let refused = judge(SERVER, &TlsProblem::ClientCertificateRefused { detail: "UnknownCA".into() });
        assert!(refused.sentence.contains("UnknownCA") && refused.cure.contains("`client_certificate`"), "{refused:?}");
        assert_eq!((wanted.cause, refused.cause), (Cause::Config, Cause::Config));
    }
}
