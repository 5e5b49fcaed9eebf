//! Signing in: what is right is let in, and everything else is really refused.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use md5::Md5;
use posthouse::sandbox::{Extension, Login, Mechanism, Offer, Protection, Rule, Sandbox, Settings};

use crate::client::{Client, trust};
use crate::{broken, sandbox};

const HOUR: Duration = Duration::from_hours(1);

fn plain(sandbox: &Sandbox) -> String {
    let settings = sandbox.settings();
    STANDARD.encode(format!("\0{}\0{}", settings.username, settings.password.expose()))
}

fn xoauth2(user: &str, token: &str) -> String {
    STANDARD.encode(format!("user={user}\x01auth=Bearer {token}\x01\x01"))
}

/// AUTH XOAUTH2 in two steps; the reply to the response.
async fn try_token(client: &mut Client, user: &str, token: &str) -> String {
    assert_eq!(client.say("AUTH XOAUTH2").await, "334 ", "an empty challenge keeps its space");
    client.say(&xoauth2(user, token)).await
}

#[tokio::test]
async fn a_password_signs_in_by_plain_in_one_step_in_two_and_by_login() {
    let sandbox = sandbox().await;
    let mut client = Client::greeted(&sandbox).await;
    assert!(client.say(&format!("AUTH PLAIN {}", plain(&sandbox))).await.starts_with("235 2.7.0 "));

    let mut client = Client::greeted(&sandbox).await;
    assert_eq!(client.say("AUTH PLAIN").await, "334 ");
    assert!(client.say(&plain(&sandbox)).await.starts_with("235 "));

    let mut client = Client::greeted(&sandbox).await;
    assert_eq!(client.say("AUTH LOGIN").await, "334 VXNlcm5hbWU6");
    assert_eq!(client.say(&STANDARD.encode(&sandbox.settings().username)).await, "334 UGFzc3dvcmQ6");
    assert!(client.say(&STANDARD.encode(sandbox.settings().password.expose())).await.starts_with("235 "));
    assert!(client.mail(".\r\n").await.starts_with("250 2.0.0 "));

    let username = sandbox.settings().username.clone();
    let delivery = &sandbox.mailbox().deliveries()[0];
    assert_eq!(delivery.login, Some(Login { username, mechanism: Mechanism::Login }));
    assert_eq!(delivery.protection, Protection::Clear);
    assert_eq!((sandbox.counters().auth_attempts, sandbox.counters().auth_successes), (3, 3));
    assert_eq!(sandbox.violations(), []);
}

/// AUTH CRAM-MD5 with this password; the reply to the answer.
async fn answer(client: &mut Client, user: &str, password: &str) -> String {
    let challenge = client.say("AUTH CRAM-MD5").await;
    let challenge = STANDARD.decode(challenge.strip_prefix("334 ").expect("a challenge")).unwrap();
    assert!(challenge.starts_with(b"<") && challenge.ends_with(b"@sandbox.example>"), "{}", challenge.escape_ascii());
    let mut mac = Hmac::<Md5>::new_from_slice(password.as_bytes()).unwrap();
    mac.update(&challenge);
    let digest = u128::from_be_bytes(mac.finalize().into_bytes().into());
    client.say(&STANDARD.encode(format!("{user} {digest:032x}"))).await
}

#[tokio::test]
async fn a_password_answers_a_challenge() {
    let offer = Offer::bare().with(Extension::Auth(vec![Mechanism::CramMd5])).with(Extension::EnhancedStatusCodes);
    let sandbox = Sandbox::start(Settings { offer, ..Settings::new().unwrap() }).await.unwrap();
    let (user, password) = (&sandbox.settings().username, sandbox.settings().password.expose());
    let mut client = Client::greeted(&sandbox).await;
    assert!(answer(&mut client, user, "wrong").await.starts_with("535-5.7.8 "));
    assert!(answer(&mut client, "other@sandbox.example", password).await.starts_with("535-5.7.8 "));
    let first = client.say("AUTH CRAM-MD5").await;
    assert!(client.say("*").await.starts_with("501 "));
    assert_ne!(client.say("AUTH CRAM-MD5").await, first, "no challenge comes twice");
    assert!(client.say("*").await.starts_with("501 "));
    assert_eq!(sandbox.violations(), []);
    let early = STANDARD.encode(format!("{user} {}", "0".repeat(32)));
    assert!(client.say(&format!("AUTH CRAM-MD5 {early}")).await.starts_with("501 "), "the server speaks first");
    client.say("AUTH CRAM-MD5").await;
    assert!(client.say(&STANDARD.encode(format!("{user} {}", "A".repeat(32)))).await.starts_with("501 "), "capitals");
    assert_eq!(broken(&sandbox), [Rule::Syntax, Rule::Syntax]);
    assert!(answer(&mut client, user, password).await.starts_with("235 "));
    client.mail(".\r\n").await;
    let login = sandbox.mailbox().deliveries()[0].login.clone();
    assert_eq!(login, Some(Login { username: user.clone(), mechanism: Mechanism::CramMd5 }));
}

#[tokio::test]
async fn a_token_signs_in_by_oauthbearer_and_its_error_wants_one_control_a() {
    let sandbox = sandbox().await;
    let user = sandbox.settings().username.clone();
    let good = sandbox.issue_token(&user, HOUR).unwrap();
    let response = |token: &str| {
        STANDARD.encode(format!("n,a={user},\x01host=localhost\x01port=587\x01auth=Bearer {token}\x01\x01"))
    };
    let mut client = Client::greeted(&sandbox).await;
    for due in ["AQ==", ""] {
        let challenge = client.say(&format!("AUTH OAUTHBEARER {}", response("made-up"))).await;
        let json = STANDARD.decode(challenge.strip_prefix("334 ").expect("the reason")).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!((json["status"].as_str(), json["schemes"].as_str()), (Some("invalid_token"), Some("bearer")));
        assert!(client.say(due).await.starts_with("535-5.7.8 "));
        assert_eq!(broken(&sandbox), if due.is_empty() { vec![Rule::Syntax] } else { vec![] });
    }
    assert_eq!(client.say("AUTH OAUTHBEARER").await, "334 ");
    assert!(client.say(&response(good.expose())).await.starts_with("235 "));
    client.mail(".\r\n").await;
    let login = sandbox.mailbox().deliveries()[0].login.clone();
    assert_eq!(login, Some(Login { username: user.clone(), mechanism: Mechanism::OAuthBearer }));
}

#[tokio::test]
async fn a_wrong_password_is_refused_and_the_session_goes_on() {
    let sandbox = sandbox().await;
    let mut client = Client::greeted(&sandbox).await;
    let username = &sandbox.settings().username;
    for wrong in [format!("\0{username}\0wrong"), format!("\0other\0{}", sandbox.settings().password.expose())] {
        let reply = client.say(&format!("AUTH PLAIN {}", STANDARD.encode(wrong))).await;
        let lines: Vec<&str> = reply.lines().collect();
        assert!(lines[0].starts_with("535-5.7.8 ") && lines[1].starts_with("535 5.7.8 "), "{reply}");
    }
    assert!(client.say("MAIL FROM:<a@x.example>").await.starts_with("530 5.7.0 "));
    assert!(client.say(&format!("AUTH PLAIN {}", plain(&sandbox))).await.starts_with("235 "));
    assert!(client.mail(".\r\n").await.starts_with("250 "));
    assert_eq!(sandbox.violations(), []);
}

#[tokio::test]
async fn a_token_signs_in_only_its_user_and_only_until_it_ends() {
    let sandbox = sandbox().await;
    let user = sandbox.settings().username.clone();
    let good = sandbox.issue_token(&user, HOUR).unwrap();
    let ended = sandbox.issue_token(&user, Duration::ZERO).unwrap();
    let of_other = sandbox.issue_token("other@sandbox.example", HOUR).unwrap();
    let cases = [
        (user.as_str(), ended.expose(), "ended"),
        (user.as_str(), of_other.expose(), "of another user"),
        ("other@sandbox.example", of_other.expose(), "of a user who has no mailbox here"),
        ("other@sandbox.example", good.expose(), "used for another user"),
        (user.as_str(), "made-up", "never issued"),
        (user.as_str(), sandbox.settings().password.expose(), "a password"),
    ];
    let mut client = Client::greeted(&sandbox).await;
    for (name, token, what) in cases {
        let challenge = try_token(&mut client, name, token).await;
        let json = STANDARD.decode(challenge.strip_prefix("334 ").expect(what)).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!((json["status"].as_str(), json["schemes"].as_str()), (Some("400"), Some("Bearer")));
        assert!(client.say("").await.starts_with("535-5.7.8 "), "{what}");
    }
    assert!(try_token(&mut client, &user, good.expose()).await.starts_with("235 "));
    assert_eq!(sandbox.violations(), []);

    sandbox.revoke_tokens();
    let mut client = Client::greeted(&sandbox).await;
    assert!(try_token(&mut client, &user, good.expose()).await.starts_with("334 "), "revoked");
}

#[tokio::test]
async fn the_error_of_xoauth2_wants_an_empty_line() {
    let sandbox = sandbox().await;
    let mut client = Client::greeted(&sandbox).await;
    try_token(&mut client, "a@x.example", "t").await;
    assert!(client.say("AQ==").await.starts_with("535"));
    assert_eq!(broken(&sandbox), [Rule::Syntax]);
}

#[tokio::test]
async fn a_long_token_fits_only_the_two_step_form() {
    let sandbox = sandbox().await;
    let user = sandbox.settings().username.clone();
    let token = sandbox.issue_token(&user, HOUR).unwrap();
    let mut client = Client::greeted(&sandbox).await;
    assert!(client.say(&format!("AUTH XOAUTH2 {}", xoauth2(&user, token.expose()))).await.starts_with("500 "));
    assert_eq!(broken(&sandbox), [Rule::LineLength]);
    assert!(try_token(&mut client, &user, token.expose()).await.starts_with("235 "));

    let mut client = Client::greeted(&sandbox).await;
    assert_eq!(client.say("AUTH PLAIN").await, "334 ");
    assert!(client.say(&"A".repeat(12_288 - 2)).await.starts_with("501 "), "read, and no proof of anything");
    assert_eq!(client.say("AUTH PLAIN").await, "334 ");
    assert!(client.say(&"A".repeat(12_288 - 1)).await.starts_with("500 5.5.6 "), "one octet too many");
}

#[tokio::test]
async fn an_exchange_can_be_cancelled_and_must_be_base64() {
    let sandbox = sandbox().await;
    let mut client = Client::greeted(&sandbox).await;
    client.say("AUTH LOGIN").await;
    assert!(client.say("*").await.starts_with("501 "));
    assert_eq!(sandbox.violations(), []);
    client.say("AUTH LOGIN").await;
    assert!(client.say("not base64!").await.starts_with("501 5.5.2 "));
    assert!(client.say("AUTH PLAIN AHg=").await.starts_with("501 "), "one part is not three");
    assert_eq!(broken(&sandbox), [Rule::Syntax, Rule::Syntax]);
}

#[tokio::test]
async fn only_what_is_offered_may_be_used() {
    let settings = Settings { offer: Offer::like_microsoft(), ..Settings::new().unwrap() };
    let sandbox = Sandbox::start(settings).await.unwrap();
    let mut client = Client::greeted(&sandbox).await;
    assert!(client.say(&format!("AUTH PLAIN {}", plain(&sandbox))).await.starts_with("504 5.7.4 "));
    assert!(client.say("AUTH CRAM-MD5").await.starts_with("504 "));
    assert_eq!(broken(&sandbox), [Rule::NotOffered, Rule::NotOffered]);
    assert_eq!(sandbox.counters().auth_attempts, 0);
}

#[tokio::test]
async fn starttls_comes_before_any_credential_and_forgets_what_was_said() {
    let sandbox = sandbox().await;
    let mut client = Client::clear(sandbox.starttls()).await;
    client.reply().await;
    let offered = client.say("EHLO client.example").await;
    assert!(offered.contains("250-STARTTLS") && !offered.contains("AUTH"), "{offered}");
    assert!(client.say("MAIL FROM:<a@x.example>").await.starts_with("530 5.7.0 "));
    assert!(client.say(&format!("AUTH PLAIN {}", plain(&sandbox))).await.starts_with("530 5.7.0 "));
    assert_eq!(broken(&sandbox), [Rule::NotOffered]);
    assert!(client.say("STARTTLS").await.starts_with("220 "));

    let mut client = client.upgrade(&sandbox).await;
    assert!(client.say("MAIL FROM:<a@x.example>").await.starts_with("503 "), "EHLO is forgotten");
    let offered = client.say("EHLO client.example").await;
    assert!(offered.contains("AUTH LOGIN PLAIN XOAUTH2") && !offered.contains("STARTTLS"), "{offered}");
    assert!(client.say(&format!("AUTH PLAIN {}", plain(&sandbox))).await.starts_with("235 "));
    assert!(client.say("STARTTLS").await.starts_with("503 "), "not twice");
    client.mail(".\r\n").await;
    assert_eq!(sandbox.mailbox().deliveries()[0].protection, Protection::StartTls);
}

#[tokio::test]
async fn implicit_tls_needs_nothing_else() {
    let sandbox = sandbox().await;
    let mut client = Client::tls(sandbox.implicit(), trust(&sandbox), "localhost").await.unwrap();
    client.reply().await;
    client.say("EHLO client.example").await;
    assert!(client.say(&format!("AUTH PLAIN {}", plain(&sandbox))).await.starts_with("235 "));
    client.mail(".\r\n").await;
    assert_eq!(sandbox.mailbox().deliveries()[0].protection, Protection::Implicit);
    assert_eq!(sandbox.violations(), []);
}
