//! Signing in to a provider that repeats the credential, in every disguise, at every stage.
//!
//! Each mechanism succeeds once, is refused once, and meets each echo at AUTH, at MAIL and at the end of data. The
//! reply to the device proves that the echo was on its way to it.

use posthouse::sandbox::fault::{Fault, Stage, Times};
use posthouse::sandbox::{Echo, Extension, Mechanism, Offer, Sandbox, Settings};
use posthouse::secret::Secret;

use crate::detector::Canary;
use crate::ears::Ears;
use crate::stage::{Relay, account, planted, provider, quoted};

const HOUR: std::time::Duration = std::time::Duration::from_hours(1);

/// How the account signs in, the line that says so, and what must stay hidden.
struct Way {
    name: &'static str,
    credential: String,
    secret: Canary,
}

async fn offering(mechanism: Mechanism) -> Sandbox {
    let settings = Settings {
        password: Secret::new(planted::password().secret),
        client_secret: Secret::new(planted::client_secret().secret),
        offer: Offer::bare().with(Extension::Auth(vec![mechanism])).with(Extension::EnhancedStatusCodes),
        ..Settings::new().unwrap()
    };
    Sandbox::start(settings).await.unwrap()
}

fn by_password(name: &'static str) -> Way {
    let secret = planted::password();
    Way { name, credential: format!("password = {}\n", quoted(&secret.secret)), secret }
}

/// A token that is known to the test: a program prints it.
fn by_token(name: &'static str, sandbox: &Sandbox) -> Way {
    let token = sandbox.issue_token(&sandbox.settings().username, HOUR).unwrap();
    let (token, printed) = (token.expose().to_owned(), quoted(token.expose()));
    Way {
        name,
        credential: format!("oauth = {{ grant = \"command\", command = [\"/bin/echo\", {printed}] }}\n"),
        secret: Canary::new("the token", token),
    }
}

/// One mail through a relay of its own, because a refused sign-in holds the account.
async fn one_mail(ears: &Ears, sandbox: &Sandbox, way: &Way) -> String {
    let relay = Relay::start(ears, sandbox, &format!("{}{}", account(sandbox), way.credential), "");
    let reply = relay.mail(ears).await;
    ears.hear(format!("{:?}", relay.app));
    relay.end().await;
    reply
}

async fn every_stage(sandbox: &Sandbox, way: &Way, stages: &[Stage]) {
    let (ears, _listening) = Ears::open();
    assert!(one_mail(&ears, sandbox, way).await.starts_with("250"), "{} signs in", way.name);
    sandbox.faults().plan(Stage::Auth, Fault::reply(535, "5.7.8 No"), Times::Always);
    assert!(one_mail(&ears, sandbox, way).await.starts_with("451"), "{} is refused", way.name);
    sandbox.faults().clear();
    for stage in stages {
        for echo in Echo::ALL {
            sandbox.faults().plan(stage.clone(), Fault::EchoSecret(echo), Times::Always);
            let reply = one_mail(&ears, sandbox, way).await;
            sandbox.faults().clear();
            // A long token in escapes is longer than any line of a reply may be: then it counts as no reply at all.
            assert!(
                reply.starts_with("451") || reply.starts_with("535"),
                "{} at {stage:?}, {echo:?}: {reply}",
                way.name
            );
        }
    }
    assert!(ears.log().contains("[secret]"), "{}: the echoes came back and were cleaned", way.name);
    ears.are_clean_of(way.name, &[way.secret.clone(), planted::client_secret()]);
}

const STAGES: [Stage; 3] = [Stage::Auth, Stage::Mail, Stage::Dot];

#[tokio::test]
async fn plain_is_nowhere_repeated() {
    let sandbox = offering(Mechanism::Plain).await;
    every_stage(&sandbox, &by_password("PLAIN"), &STAGES).await;
}

#[tokio::test]
async fn login_is_nowhere_repeated() {
    let sandbox = offering(Mechanism::Login).await;
    every_stage(&sandbox, &by_password("LOGIN"), &STAGES).await;
}

/// What is repeated is the answer; the password, which it was made of, is not sent at all.
#[tokio::test]
async fn cram_md5_is_nowhere_repeated() {
    let sandbox = offering(Mechanism::CramMd5).await;
    let mut way = by_password("CRAM-MD5");
    way.credential.push_str("mechanism = \"cram_md5\"\n");
    every_stage(&sandbox, &way, &STAGES).await;
}

#[tokio::test]
async fn oauthbearer_is_nowhere_repeated() {
    let sandbox = offering(Mechanism::OAuthBearer).await;
    let way = by_token("OAUTHBEARER", &sandbox);
    every_stage(&sandbox, &way, &STAGES).await;
}

#[tokio::test]
async fn xoauth2_is_nowhere_repeated() {
    let sandbox = provider().await;
    let way = by_token("XOAUTH2", &sandbox);
    every_stage(&sandbox, &way, &STAGES).await;
}

/// A short token goes on the AUTH line itself.
#[tokio::test]
async fn a_short_token_is_nowhere_repeated() {
    let settings = Settings { token_octets: 64, ..Settings::new().unwrap() };
    let sandbox = Sandbox::start(settings).await.unwrap();
    let way = by_token("XOAUTH2 on the AUTH line", &sandbox);
    every_stage(&sandbox, &way, &STAGES).await;
}

/// It answers in several lines, in rubbish, and in what a proxy would say: none of that is a reply to be trusted.
#[tokio::test]
async fn odd_answers_that_repeat_a_credential_are_cleaned_too() {
    let (ears, _listening) = Ears::open();
    let sandbox = provider().await;
    let way = by_password("odd");
    let secret = &way.secret.secret;
    let base64 = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("\0u\0{secret}"));
    let mut replies = 0;
    for stage in [Stage::Auth, Stage::Mail, Stage::Rcpt, Stage::Data, Stage::Dot, Stage::Quit] {
        for fault in [
            Fault::reply(550, &format!("5.7.1 you said\n{secret}\nwhich is {base64}\nno")),
            Fault::reply_then_close(421, &format!("4.7.0 {secret}")),
            Fault::Garbage(format!("you said {secret}\r\n").into_bytes()),
            Fault::Garbage(format!("{{\"heard\": {}}}\r\n", quoted(secret)).into_bytes()),
            Fault::Inject(format!("250 {secret} as well\r\n").into_bytes()),
        ] {
            sandbox.faults().plan(stage.clone(), fault, Times::Always);
            replies += usize::from(!one_mail(&ears, &sandbox, &way).await.is_empty());
            sandbox.faults().clear();
        }
    }
    assert_eq!(replies, 6 * 5);
    assert!(ears.log().contains("[secret]"));
    ears.are_clean_of("odd answers", &[way.secret]);
}
