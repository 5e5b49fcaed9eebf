//! What is kept of a sign-in, against a token endpoint that answers once and a vault in memory.
//!
//! A sign-in that comes to nothing leaves what was kept before.

use jiff::Timestamp;

use super::*;
use crate::account::Source;
use crate::account::keeper::tests::crash::Full;
use crate::account::keeper::tests::tools;
use crate::account::oauth::authorization_code::Redirected;
use crate::account::oauth::authorization_code::tests::{application, asked};
use crate::account::oauth::server::{endpoint, json};
use crate::account::oauth::{ClientProof, Endpoints, Given};
use crate::account::tests::settings;
use crate::account::vault::Stored;
use crate::net::clock::Clock;
use crate::secret::Secret;

const TOKEN: &str =
    r#"{"access_token":"ey.x","expires_in":3600,"refresh_token":"r.1","scope":"https://mail.example.com/"}"#;

fn now() -> Timestamp {
    Timestamp::from_second(1_000_000).unwrap()
}

/// An account whose token endpoint answers like this, signed in before with tokens called `old`.
async fn login(answer: &str) -> Login {
    let (token, _) = endpoint([json("200 OK", answer)]).await;
    let mut application = application(ClientProof::None);
    application.endpoints = Endpoints::from(KnownEndpoints {
        token,
        authorization: Some("https://login.example.com/authorize".parse().unwrap()),
        device_authorization: None,
        revocation: None,
        issuer: None,
        always_names_issuer: false,
    });
    let redirect = Redirect::Elsewhere("https://example.com/back".into());
    let grant = Grant::AuthorizationCode { application, redirect, parameters: Vec::new() };
    let settings = Settings { credential: Source::from(grant), ..settings() };
    let login = Login::new(&settings, Tools { clock: Clock::set(now()), ..tools() }).unwrap();
    let old = Secret::new("old".into());
    let old = Record::brought(&login.grant, &login.application, "old", (old, "f".into()), now());
    let _ = login.tools.vault.put(&settings.name, &old, Expected::Any, &login.tools.holder).unwrap();
    login
}

fn kept(login: &Login) -> Stored {
    login.tools.vault.get(&login.settings.name).unwrap().unwrap()
}

async fn signed_in(login: &Login) -> Result<Kept, LoginError> {
    let request = login.request("https://example.com/back".into(), &[]).await.unwrap();
    let state = asked(&request, "state").unwrap();
    match request.hear(&format!("code=c&state={state}")).unwrap() {
        Redirected::Code(code) => login.redeem(&request, &code).await,
        Redirected::Refused(failure) => panic!("{failure:?}"),
    }
}

#[tokio::test]
async fn a_sign_in_takes_the_place_of_the_one_before() {
    let login = login(TOKEN).await;
    let told = signed_in(&login).await.unwrap();
    let Stored { record, .. } = kept(&login);
    assert_eq!(record.refresh_token.unwrap().expose(), "r.1");
    assert_eq!(record.access_token.unwrap().expose(), "ey.x");
    assert_eq!(record.facts, told.facts);
    let facts = told.facts;
    assert_eq!((facts.grant.as_str(), facts.username.as_str()), ("authorization_code", "scanner@example.com"));
    assert_eq!((facts.signed_in, facts.access_ends.unwrap().as_second()), (now(), 1_003_600));
    assert!(told.is_renewable && told.not_granted.is_empty() && told.warnings.is_empty(), "{:?}", told.warnings);
}

#[tokio::test]
async fn a_refusal_leaves_what_was_kept() {
    for json in [r#"{"error":"invalid_grant"}"#, r#"{"access_token":""}"#, "<html>"] {
        let login = login(json).await;
        let before = kept(&login).version;
        assert!(matches!(signed_in(&login).await, Err(LoginError::Failed(_))), "{json}");
        let Stored { version, record } = kept(&login);
        assert_eq!((version, record.refresh_token.unwrap().expose()), (before, "old"), "{json}");
    }
}

/// They would have signed in for nothing.
#[tokio::test]
async fn nobody_is_asked_to_sign_in_where_nothing_can_be_kept() {
    let mut login = login(TOKEN).await;
    login.tools.vault = Arc::new(Full { vault: Arc::default(), is_full: true.into() });
    let Err(LoginError::Failed(failure)) = login.request("https://example.com/back".into(), &[]).await else {
        panic!("somebody was asked")
    };
    assert!(matches!(failure, Failure::Kept(KeptFailure::Storage { .. })), "{failure:?}");
    assert!(matches!(login.invite().await, Err(LoginError::Failed(Failure::Kept(_)))));
}

#[tokio::test]
async fn without_a_refresh_token_it_is_kept_and_said() {
    let told = signed_in(&login(r#"{"access_token":"ey.x","expires_in":3600}"#).await).await.unwrap();
    assert!(!told.is_renewable);
    assert_eq!(told.warnings[0].code, "sign_in_not_renewable");
    assert!(told.warnings[0].cure.contains("offline_access"), "{}", told.warnings[0].cure);
}

#[tokio::test]
async fn a_grant_of_an_application_in_testing_is_recognised_at_once() {
    let json = r#"{"access_token":"ey.x","refresh_token":"r.1","refresh_token_expires_in":604799}"#;
    let mut login = login(json).await;
    login.settings.provider = Some("gmail".into());
    let told = signed_in(&login).await.unwrap();
    assert_eq!(told.facts.refresh_ends.unwrap().as_second(), 1_604_799);
    assert!(told.warnings[0].cure.contains("Publish"), "{:?}", told.warnings);
}

#[tokio::test]
async fn a_client_certificate_that_ends_is_told_with_the_sign_in() {
    let mut login = login(TOKEN).await;
    let certificate = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bad_configs/files/expired.pem").into();
    if let Grant::AuthorizationCode { application, .. } = &mut login.grant {
        application.proof = ClientProof::Certificate { certificate, key: "unused".into() };
    }
    login.tools.clock = Clock::default();
    let told = login.keep(kept(&login).record).await.unwrap();
    assert!(told.warnings.iter().any(|warning| warning.code == "client_certificate_ends"), "{:?}", told.warnings);
}

#[tokio::test]
async fn scopes_that_were_not_granted_are_named() {
    let login = login(&TOKEN.replace("https://mail.example.com/", "openid")).await;
    assert_eq!(signed_in(&login).await.unwrap().not_granted, ["https://mail.example.com/"]);
}

#[test]
fn scopes_are_compared_as_providers_spell_them() {
    let smtp = "https://outlook.office365.com/SMTP.Send offline_access";
    for (asked, granted, missing) in [
        ("a b", None, &[][..]),
        ("a b offline_access openid", Some("b a"), &[]),
        ("a b", Some("b"), &["a"]),
        ("a b", Some("A,B"), &[]),
        (smtp, Some("https://outlook.office.com/SMTP.Send"), &[]),
        (smtp, Some("https://outlook.office.com/IMAP.AccessAsUser.All"), &["https://outlook.office365.com/SMTP.Send"]),
        ("https://mail.google.com/", Some("https://www.googleapis.com/auth/gmail.send"), &["https://mail.google.com/"]),
        ("https://mail.google.com/", Some("https://mail.google.com"), &[]),
        ("https://outlook.office365.com/.default", Some("x"), &[]),
    ] {
        assert_eq!(not_granted(Some(asked), granted), missing, "{asked} {granted:?}");
    }
}

#[test]
fn what_needs_no_person_says_so() {
    let none = |credential| Login::new(&Settings { credential, ..settings() }, tools()).unwrap_err().to_string();
    let password = none(Source::Password(Secret::new("x".into())));
    assert!(
        password.contains("does not sign in with OAuth") && password.contains("`posthouse test office`"),
        "{password}"
    );
    let own = none(Source::from(Grant::ClientCredentials { application: application(ClientProof::None) }));
    assert!(own.contains("`oauth.grant = \"client_credentials\"`") && own.contains("`posthouse test office`"), "{own}");
    let token = Given::Here(Secret::new("x".into()));
    let brought = Grant::RefreshToken { application: application(ClientProof::None), token };
    assert!(none(Source::from(brought)).contains("`oauth.grant = \"refresh_token\"`"));
    let nobody = Grant::DeviceCode { application: application(ClientProof::None) };
    let nobody = Settings { credential: Source::from(nobody), address: None, ..settings() };
    assert_eq!(
        Login::new(&nobody, tools()).unwrap_err(),
        NoLogin::NoUsername { account: nobody.name },
        "a token alone is no login"
    );
}
