//! How to sign in: which mechanism, or none, or why not. Pure.
//!
//! Keeps promise 3. No credential goes in clear, except to this machine itself or where the account says
//! `allow_plaintext_credentials`, which never covers a token. A token is never sent by a mechanism made for
//! passwords. No second mechanism is tried: what [`choose`] says is all there is to this attempt.

use super::{Mechanism, Settings};
use crate::diagnosis::Failure;
use crate::secret::Secret;

/// What proves who we are. Made by the keeper, used by the login stage of the client dialogue, kept by nobody.
#[derive(Debug, Clone)]
pub enum Credential {
    /// The account does not sign in.
    None,
    /// A password or an app password.
    Password { username: String, password: Secret },
    /// An OAuth access token.
    Token { username: String, token: Secret, generation: Generation },
}

/// Which of the tokens of one account this is; the keeper counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Generation(pub(super) u64);

/// What lies between us and the server once the dialogue has come to AUTH.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// TLS, with a peer verified the way the account says.
    Tls,
    /// Clear text that does not leave this machine.
    ClearLoopback,
    /// Clear text over a network.
    ClearNetwork,
}

/// A SASL mechanism to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sasl {
    /// Google's and Microsoft's.
    XOAuth2,
    /// RFC 4616
    Plain,
    /// draft-murchison-sasl-login
    Login,
}

impl Sasl {
    /// As it stands in EHLO and AUTH.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::XOAuth2 => "XOAUTH2",
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
        }
    }
}

/// Picks the mechanism; `None` means: do not sign in.
///
/// `offered` is the list of the AUTH line of EHLO, in any case.
///
/// # Errors
/// [`Failure::WouldSendInClear`] and [`Failure::NoMechanism`], both judged as the configuration's.
pub fn choose(
    settings: &Settings,
    credential: &Credential,
    offered: &[String],
    channel: Channel,
) -> Result<Option<Sasl>, Failure> {
    let wanted: &[Sasl] = match (credential, settings.mechanism) {
        (Credential::None, _) | (_, Mechanism::None) => return Ok(None),
        (Credential::Token { .. }, Mechanism::Auto | Mechanism::XOAuth2) => &[Sasl::XOAuth2],
        (Credential::Password { .. }, Mechanism::Auto) => &[Sasl::Plain, Sasl::Login],
        (Credential::Password { .. }, Mechanism::Plain) => &[Sasl::Plain],
        (Credential::Password { .. }, Mechanism::Login) => &[Sasl::Login],
        (Credential::Token { .. }, Mechanism::Plain | Mechanism::Login) => {
            return Err(no_mechanism(offered, "XOAUTH2, because a token is never sent by PLAIN or LOGIN"));
        }
        (Credential::Password { .. }, Mechanism::XOAuth2) => {
            return Err(no_mechanism(offered, "`oauth = { … }`, because XOAUTH2 takes no password"));
        }
    };
    if !may_send(credential, channel, settings.allow_plaintext_credentials) {
        return Err(Failure::WouldSendInClear { host: settings.host.clone() });
    }
    let is_offered = |sasl: &&Sasl| offered.iter().any(|name| name.eq_ignore_ascii_case(sasl.name()));
    match wanted.iter().find(is_offered) {
        Some(sasl) => Ok(Some(*sasl)),
        None => Err(no_mechanism(offered, &list(wanted.iter().map(|sasl| sasl.name()), " or "))),
    }
}

fn may_send(credential: &Credential, channel: Channel, allow_plaintext: bool) -> bool {
    match channel {
        Channel::Tls | Channel::ClearLoopback => true,
        Channel::ClearNetwork => allow_plaintext && matches!(credential, Credential::Password { .. }),
    }
}

fn no_mechanism(offered: &[String], wanted: &str) -> Failure {
    let offered = match offered {
        [] => "none".to_owned(),
        some => list(some.iter().map(String::as_str), ", "),
    };
    Failure::NoMechanism { offered, wanted: wanted.to_owned() }
}

fn list<'a>(names: impl Iterator<Item = &'a str>, between: &str) -> String {
    names.collect::<Vec<_>>().join(between)
}

#[cfg(test)]
mod tests {
    use super::super::tests::settings;
    use super::*;

    fn none() -> Credential {
        Credential::None
    }

    fn password() -> Credential {
        Credential::Password { username: "u".into(), password: Secret::new("hunter2".into()) }
    }

    fn token() -> Credential {
        Credential::Token { username: "u".into(), token: Secret::new("ey".into()), generation: Generation(1) }
    }

    /// What `choose` says, in few words.
    fn said(mechanism: Mechanism, credential: &Credential, offered: &str, channel: Channel, allow: bool) -> String {
        let mut settings = settings();
        settings.mechanism = mechanism;
        settings.allow_plaintext_credentials = allow;
        let offered: Vec<String> = offered.split_whitespace().map(str::to_owned).collect();
        match choose(&settings, credential, &offered, channel) {
            Ok(None) => "no sign-in".into(),
            Ok(Some(sasl)) => sasl.name().into(),
            Err(Failure::WouldSendInClear { .. }) => "clear".into(),
            Err(Failure::NoMechanism { .. }) => "no mechanism".into(),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn over_tls_the_mechanism_follows_credential_configuration_and_offer() {
        use Mechanism::{Auto, Login, None as Never, Plain, XOAuth2};
        let (p, t) = (password(), token());
        for (mechanism, credential, offered, expected) in [
            (Auto, &p, "PLAIN LOGIN XOAUTH2", "PLAIN"),
            (Auto, &p, "LOGIN PLAIN", "PLAIN"),
            (Auto, &p, "plain", "PLAIN"),
            (Auto, &p, "LOGIN XOAUTH2", "LOGIN"),
            (Auto, &p, "XOAUTH2 CRAM-MD5", "no mechanism"),
            (Auto, &p, "PLAIN-CLIENTTOKEN", "no mechanism"),
            (Auto, &p, "", "no mechanism"),
            (Auto, &t, "PLAIN LOGIN XOAUTH2", "XOAUTH2"),
            (Auto, &t, "xoauth2", "XOAUTH2"),
            (Auto, &t, "PLAIN LOGIN", "no mechanism"),
            (Auto, &t, "", "no mechanism"),
            (XOAuth2, &t, "LOGIN XOAUTH2", "XOAUTH2"),
            (XOAuth2, &t, "LOGIN", "no mechanism"),
            (XOAuth2, &p, "PLAIN LOGIN XOAUTH2", "no mechanism"),
            (Plain, &p, "PLAIN LOGIN", "PLAIN"),
            (Plain, &p, "LOGIN", "no mechanism"),
            (Plain, &t, "PLAIN XOAUTH2", "no mechanism"),
            (Login, &p, "PLAIN LOGIN", "LOGIN"),
            (Login, &p, "PLAIN", "no mechanism"),
            (Login, &t, "LOGIN XOAUTH2", "no mechanism"),
            (Never, &p, "PLAIN", "no sign-in"),
            (Never, &t, "XOAUTH2", "no sign-in"),
            (Auto, &none(), "PLAIN", "no sign-in"),
            (Plain, &none(), "PLAIN", "no sign-in"),
        ] {
            let got = said(mechanism, credential, offered, Channel::Tls, false);
            assert_eq!(got, expected, "{mechanism:?}, {credential:?}, offered: {offered}");
        }
    }

    #[test]
    fn in_clear_a_credential_stays_on_this_machine_unless_the_account_says_otherwise() {
        use Channel::{ClearLoopback, ClearNetwork};
        let offered = "PLAIN XOAUTH2";
        for (credential, channel, allow, expected) in [
            (password(), ClearLoopback, false, "PLAIN"),
            (password(), ClearNetwork, false, "clear"),
            (password(), ClearNetwork, true, "PLAIN"),
            (token(), ClearLoopback, false, "XOAUTH2"),
            (token(), ClearNetwork, false, "clear"),
            (token(), ClearNetwork, true, "clear"),
            (none(), ClearNetwork, false, "no sign-in"),
        ] {
            let got = said(Mechanism::Auto, &credential, offered, channel, allow);
            assert_eq!(got, expected, "{credential:?} over {channel:?}, allowed: {allow}");
        }
        let got = said(Mechanism::None, &password(), offered, ClearNetwork, false);
        assert_eq!(got, "no sign-in", "what is not sent needs no protection");
    }

    #[test]
    fn a_failure_names_what_was_offered_and_what_was_wanted() {
        let offered = ["LOGIN".to_owned(), "CRAM-MD5".to_owned()];
        let failed = choose(&settings(), &token(), &offered, Channel::Tls).unwrap_err();
        let expected = Failure::NoMechanism { offered: "LOGIN, CRAM-MD5".into(), wanted: "XOAUTH2".into() };
        assert_eq!(failed, expected);
        let failed = choose(&settings(), &password(), &[], Channel::Tls).unwrap_err();
        assert_eq!(failed, Failure::NoMechanism { offered: "none".into(), wanted: "PLAIN or LOGIN".into() });
    }
}
