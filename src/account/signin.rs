//! How to sign in: which mechanism, or none, or why not. Pure.
//!
//! Keeps promise 3. No credential goes in clear, except to this machine itself or where the account says
//! `allow_plaintext_credentials`, which never covers a token. A token is never sent by a mechanism made for
//! passwords. No second mechanism is tried: what [`choose`] says is all there is to this attempt.

use std::time::Instant;

use super::{Mechanism, Settings};
use crate::diagnosis::{Failure, SignIn};
use crate::secret::Secret;
use crate::smtp::client::Login;
use crate::smtp::sasl::Mechanism as Sasl;

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

/// Which of the tokens of one account this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Generation {
    /// The keeper counts them.
    pub(super) number: u64,
    /// When it ends, if its issuer said.
    pub(super) ends_at: Option<Instant>,
}

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

/// Picks the way to sign in; `None` means: do not.
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
) -> Result<Option<Login>, Failure> {
    let mut ways = ways(settings, credential);
    match settings.mechanism {
        Mechanism::None => return Ok(None),
        // Where TLS hides the password, a server that need not know it in clear is the better one.
        Mechanism::Auto if channel == Channel::Tls => ways.retain(|way| way.mechanism() != Sasl::CramMd5),
        Mechanism::Auto => {}
        Mechanism::Only(only) => ways.retain(|way| way.mechanism() == only),
    }
    match (credential, settings.mechanism) {
        (Credential::None, _) => return Ok(None),
        (Credential::Token { .. }, Mechanism::Only(only)) if !only.takes_token() => {
            let wanted = format!("XOAUTH2 or OAUTHBEARER, because a token is never sent by {only}");
            return Err(no_mechanism(offered, &wanted));
        }
        (Credential::Password { .. }, Mechanism::Only(only)) if only.takes_token() => {
            return Err(no_mechanism(offered, &format!("`oauth = {{ … }}`, because {only} takes no password")));
        }
        _ => {}
    }
    if !may_send(credential, channel, settings.allow_plaintext_credentials) {
        return Err(Failure::WouldSendInClear { host: settings.host.clone() });
    }
    let wanted = list(ways.iter().map(|way| way.mechanism().name()), " or ");
    let is_offered = |way: &Login| offered.iter().any(|name| name.eq_ignore_ascii_case(way.mechanism().name()));
    match ways.into_iter().find(is_offered) {
        Some(way) => Ok(Some(way)),
        None => Err(no_mechanism(offered, &wanted)),
    }
}

/// Like the account's credential, to choose with; it holds nothing and opens nothing.
#[must_use]
pub fn stand_in(settings: &Settings) -> Credential {
    let username = settings.login_name().unwrap_or_default().to_owned();
    let nothing = Secret::new(String::new());
    match settings.context().sign_in {
        SignIn::None => Credential::None,
        SignIn::Password => Credential::Password { username, password: nothing },
        SignIn::Token => {
            Credential::Token { username, token: nothing, generation: Generation { number: 0, ends_at: None } }
        }
    }
}

/// All that a credential can be used for, the best first. A token is in none that is made for passwords.
fn ways(settings: &Settings, credential: &Credential) -> Vec<Login> {
    match credential.clone() {
        Credential::None => Vec::new(),
        Credential::Password { username: user, password } => vec![
            Login::CramMd5 { user: user.clone(), password: password.clone() },
            Login::Plain { user: user.clone(), password: password.clone() },
            Login::Login { user, password },
        ],
        Credential::Token { username: user, token, .. } => {
            let (host, port) = (settings.host.clone(), settings.port);
            vec![
                Login::XOAuth2 { user: user.clone(), token: token.clone() },
                Login::OAuthBearer { user, token, host, port },
            ]
        }
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
        Credential::Token {
            username: "u".into(),
            token: Secret::new("ey".into()),
            generation: Generation { number: 1, ends_at: None },
        }
    }

    /// What `choose` says, in few words.
    fn said(mechanism: Mechanism, credential: &Credential, offered: &str, channel: Channel, allow: bool) -> String {
        let mut settings = settings();
        settings.mechanism = mechanism;
        settings.allow_plaintext_credentials = allow;
        let offered: Vec<String> = offered.split_whitespace().map(str::to_owned).collect();
        match choose(&settings, credential, &offered, channel) {
            Ok(None) => "no sign-in".into(),
            Ok(Some(login)) => login.mechanism().name().into(),
            Err(Failure::WouldSendInClear { .. }) => "clear".into(),
            Err(Failure::NoMechanism { .. }) => "no mechanism".into(),
            Err(other) => panic!("{other:?}"),
        }
    }

    const ALL: &str = "LOGIN PLAIN XOAUTH2 PLAIN-CLIENTTOKEN OAUTHBEARER XOAUTH CRAM-MD5";

    #[test]
    fn over_tls_auto_takes_the_best_that_is_offered() {
        let (p, t) = (password(), token());
        for (credential, offered, expected) in [
            (&p, ALL, "PLAIN"),
            (&p, "plain", "PLAIN"),
            (&p, "LOGIN XOAUTH2 CRAM-MD5", "LOGIN"),
            (&p, "XOAUTH2 OAUTHBEARER CRAM-MD5", "no mechanism"),
            (&p, "PLAIN-CLIENTTOKEN", "no mechanism"),
            (&p, "", "no mechanism"),
            (&t, ALL, "XOAUTH2"),
            (&t, "xoauth2", "XOAUTH2"),
            (&t, "PLAIN OauthBearer", "OAUTHBEARER"),
            (&t, "PLAIN LOGIN CRAM-MD5", "no mechanism"),
            (&t, "", "no mechanism"),
            (&none(), ALL, "no sign-in"),
        ] {
            let got = said(Mechanism::Auto, credential, offered, Channel::Tls, false);
            assert_eq!(got, expected, "{credential:?}, offered: {offered}");
        }
    }

    #[test]
    fn without_tls_auto_takes_the_mechanism_that_keeps_the_password() {
        for (offered, expected) in [
            (ALL, "CRAM-MD5"),
            ("LOGIN cram-md5", "CRAM-MD5"),
            ("LOGIN PLAIN", "PLAIN"),
            ("LOGIN", "LOGIN"),
            ("XOAUTH2", "no mechanism"),
        ] {
            for (channel, allow) in [(Channel::ClearLoopback, false), (Channel::ClearNetwork, true)] {
                assert_eq!(said(Mechanism::Auto, &password(), offered, channel, allow), expected, "{offered}");
            }
        }
    }

    #[test]
    fn a_named_mechanism_is_taken_or_none() {
        use Sasl::{CramMd5, Login, OAuthBearer, Plain, XOAuth2};
        for only in [Plain, Login, CramMd5, XOAuth2, OAuthBearer] {
            let others = ALL.replace(&format!("{only} "), "").replace(" CRAM-MD5", "");
            let others = if only == CramMd5 { others.as_str() } else { &format!("{others} CRAM-MD5") };
            for (credential, takes) in [(password(), !only.takes_token()), (token(), only.takes_token())] {
                for channel in [Channel::Tls, Channel::ClearLoopback] {
                    let said = |offered| said(Mechanism::Only(only), &credential, offered, channel, false);
                    assert_eq!(said(ALL), if takes { only.name() } else { "no mechanism" }, "{credential:?}");
                    assert_eq!(said(others), "no mechanism", "{credential:?}, {only} is not in {others}");
                }
            }
            assert_eq!(said(Mechanism::Only(only), &none(), ALL, Channel::Tls, false), "no sign-in");
        }
        for credential in [password(), token()] {
            assert_eq!(said(Mechanism::None, &credential, ALL, Channel::Tls, false), "no sign-in");
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
        let got = said(Mechanism::Only(Sasl::CramMd5), &password(), "CRAM-MD5", ClearNetwork, false);
        assert_eq!(got, "clear", "from the answer a weak password can be guessed");
        let got = said(Mechanism::None, &password(), offered, ClearNetwork, false);
        assert_eq!(got, "no sign-in", "what is not sent needs no protection");
    }

    #[test]
    fn a_failure_names_what_was_offered_and_what_was_wanted() {
        let failed = |mechanism, credential: &Credential, offered: &[&str]| {
            let settings = Settings { mechanism, ..settings() };
            let offered: Vec<String> = offered.iter().map(|&name| name.to_owned()).collect();
            match choose(&settings, credential, &offered, Channel::Tls) {
                Err(Failure::NoMechanism { offered, wanted }) => format!("{offered}; {wanted}"),
                other => panic!("{other:?}"),
            }
        };
        let (auto, xoauth2) = (Mechanism::Auto, Mechanism::Only(Sasl::XOAuth2));
        assert_eq!(failed(auto, &token(), &["LOGIN", "CRAM-MD5"]), "LOGIN, CRAM-MD5; XOAUTH2 or OAUTHBEARER");
        assert_eq!(failed(auto, &password(), &[]), "none; PLAIN or LOGIN");
        assert_eq!(failed(xoauth2, &token(), &["OAUTHBEARER"]), "OAUTHBEARER; XOAUTH2");
        let crossed = failed(Mechanism::Only(Sasl::CramMd5), &token(), &["CRAM-MD5"]);
        assert_eq!(crossed, "CRAM-MD5; XOAUTH2 or OAUTHBEARER, because a token is never sent by CRAM-MD5");
        let crossed = failed(xoauth2, &password(), &["XOAUTH2"]);
        assert_eq!(crossed, "XOAUTH2; `oauth = { … }`, because XOAUTH2 takes no password");
    }
}
