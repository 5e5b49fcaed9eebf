//! Devices that sign in, that mix things up, and that send a secret where none belongs.
//!
//! In each story the relay really took the secret in (the reply proves it), and nothing of it comes out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::detector::Canary;
use crate::ears::Ears;
use crate::stage::{Device, Relay, account, planted, provider, quoted};

async fn relay(ears: &Ears, listener: &str) -> (posthouse::sandbox::Sandbox, Relay) {
    let sandbox = provider().await;
    let account = format!("{}password = {}\n", account(&sandbox), quoted(&planted::password().secret));
    let relay = Relay::start(ears, &sandbox, &account, listener);
    (sandbox, relay)
}

fn all() -> [Canary; 3] {
    [planted::password(), planted::device(), planted::stray()]
}

fn plain(user: &str, password: &str) -> String {
    STANDARD.encode(format!("\0{user}\0{password}"))
}

/// The ways to say one login: the lines, one after the other.
fn ways(user: &str, password: &str) -> Vec<Vec<String>> {
    let (user64, password64) = (STANDARD.encode(user), STANDARD.encode(password));
    vec![
        vec![format!("AUTH PLAIN {}", plain(user, password))],
        vec!["AUTH PLAIN".into(), plain(user, password)],
        vec!["auth login".into(), user64.clone(), password64.clone()],
        vec![format!("AUTH LOGIN {user64}"), password64],
    ]
}

/// What the last of these lines is answered.
async fn sign_in(relay: &Relay, ears: &Ears, lines: &[String]) -> String {
    let mut device = Device::greeted(relay.address, ears).await;
    let mut reply = String::new();
    for line in lines {
        reply = device.say(line).await;
    }
    // Some go on as if nothing had happened, with the password bare and in base64.
    for again in [planted::stray().secret, STANDARD.encode(planted::stray().secret)] {
        assert!(device.say(&again).await.starts_with("500"));
    }
    device.say("QUIT").await;
    reply
}

#[tokio::test]
async fn a_login_is_nowhere_written_down_whether_right_wrong_or_mixed_up() {
    let (ears, _listening) = Ears::open();
    let (_sandbox, relay) = relay(&ears, "auth = \"required\"").await;
    let (right, stray) = (planted::device().secret, planted::stray().secret);
    let mixed_up = format!("{stray}@example.com");
    let stories = [
        ("right", "fax", right.as_str(), "235"),
        ("wrong password", "fax", &stray, "535"),
        ("unknown login", "nobody", &stray, "535"),
        ("the password in the field of the user", &stray, "fax", "535"),
        ("the device's password in the field of the user", &right, &right, "535"),
        ("an address made of it", &mixed_up, "x", "535"),
    ];
    let mut at_once = Vec::new();
    for (story, user, password, expected) in stories {
        for lines in ways(user, password) {
            let (relay, ears) = (&relay, &ears);
            at_once.push(async move {
                let reply = sign_in(relay, ears, &lines).await;
                assert!(reply.starts_with(expected), "{story}: {lines:?} was answered {reply}");
            });
        }
    }
    // Refusals are answered late: all sessions side by side.
    join(at_once).await;
    relay.end().await;
    assert!(ears.log().contains("AUTH PLAIN [hidden]"), "transcripts were written");
    assert!(ears.log().contains("sign-in refused"), "refusals were logged");
    ears.are_clean_of("logins", &all());
}

/// Runs all of these on this thread until each is done.
async fn join<F: Future<Output = ()>>(futures: Vec<F>) {
    let mut futures: Vec<_> = futures.into_iter().map(Box::pin).collect();
    std::future::poll_fn(|context| {
        futures.retain_mut(|future| future.as_mut().poll(context).is_pending());
        if futures.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}

#[tokio::test]
async fn a_listener_that_accepts_any_login_forgets_it() {
    let (ears, _listening) = Ears::open();
    let (sandbox, relay) = relay(&ears, "auth = \"accept_any\"").await;
    let stray = planted::stray().secret;
    for lines in ways(&stray, &stray) {
        let mut device = Device::greeted(relay.address, &ears).await;
        for line in &lines {
            device.say(line).await;
        }
        assert!(device.mail().await.starts_with("250"));
        device.say("QUIT").await;
    }
    relay.end().await;
    for delivery in sandbox.mailbox().deliveries() {
        ears.hear(&delivery.bytes);
    }
    assert!(ears.log().contains("delivered"));
    ears.are_clean_of("accept_any", &all());
}

/// Lines that hold the secret where no secret belongs, `{S}` as it is and `{B}` in base64, and how they are answered.
const OUT_OF_PLACE: &[(&str, &str)] = &[
    // HP printers send the user name outside AUTH.
    ("{B}", "500"),
    ("{S}", "500"),
    ("{S} {B}", "500"),
    ("PASS {S}", "500"),
    ("password={S}", "500"),
    ("AUTH {S}", "504"),
    ("AUTH {B}", "504"),
    ("AUTH CRAM-MD5 {B}", "501"),
    ("AUTH NEW-MECHANISM {B}", "504"),
    ("AUTH=PLAIN {B}", "500"),
    ("AUTH  {B}  PLAIN", "504"),
    ("AUTH PLAIN {S}", "501"),
    ("AUTH PLAIN {B}", "501"),
    ("AUTH LOGIN {S}", "501"),
    ("QUIT {S}", "221"),
    ("QUIT:{S}", "221"),
    ("NOOP {S}", "250"),
    ("RSET {B}", "250"),
    ("HELP {S}", "214"),
    ("VRFY {S}", "252"),
    ("DATA {S}", "503"),
    ("STARTTLS {S}", "501"),
    ("EXPN {B}", "502"),
    ("ETRN {S}", "502"),
    ("TURN {S}", "502"),
    ("BURL {S}", "502"),
    ("SAML {S}", "502"),
    // They end the session: browsers, proxies.
    ("Authorization: Basic {B}", "554"),
    ("GET /?password={S} HTTP/1.1", "554"),
    ("PROXY {S}", "554"),
];

#[tokio::test]
async fn a_secret_in_the_wrong_line_is_not_written_down() {
    let (ears, _listening) = Ears::open();
    let (_sandbox, relay) = relay(&ears, "auth = \"optional\"").await;
    let stray = planted::stray().secret;
    for (line, expected) in OUT_OF_PLACE {
        let line = line.replace("{S}", &stray).replace("{B}", &STANDARD.encode(&stray));
        let mut device = Device::greeted(relay.address, &ears).await;
        let reply = device.say(&line).await;
        assert!(reply.starts_with(expected), "{line} was answered {reply}");
        let mut hasty = Device::connect(relay.address, &ears).await;
        assert!(!hasty.say(&line).await.is_empty(), "{line} instead of EHLO");
        let mut busy = Device::greeted(relay.address, &ears).await;
        busy.say("MAIL FROM:<a@example.com>").await;
        assert!(!busy.say(&line).await.is_empty(), "{line} inside a message");
    }
    relay.end().await;
    assert!(ears.log().contains("octets"), "transcripts were written");
    ears.are_clean_of("lines", &all());
}

#[tokio::test]
async fn an_exchange_that_goes_wrong_hides_its_lines_all_the_same() {
    let (ears, _listening) = Ears::open();
    let (_sandbox, relay) = relay(&ears, "auth = \"optional\"").await;
    let stray = planted::stray().secret;
    let base64 = STANDARD.encode(&stray);
    let long = base64.repeat(300);
    assert!(long.len() > 12_288);
    let stories: &[(&[&str], &str)] = &[
        (&["AUTH LOGIN", &base64, "*"], "501"),
        (&["AUTH LOGIN", &stray], "501"),
        (&["AUTH PLAIN", &stray], "501"),
        (&["AUTH PLAIN", &base64], "501"),
        (&["AUTH PLAIN", &format!("QUIT {stray}")], "501"),
        (&["AUTH CRAM-MD5", &base64], "501"),
        (&["AUTH CRAM-MD5", &stray], "501"),
        (&["AUTH LOGIN", &long], "500"),
        (&["AUTH PLAIN", &long], "500"),
        (&[&format!("AUTH PLAIN {}", "QUJD".repeat(1000)), &base64], "500"),
        (&[&format!("QUIT {}", stray.repeat(100))], "500"),
        (&[&stray.repeat(100)], "500"),
    ];
    for (lines, expected) in stories {
        let mut device = Device::greeted(relay.address, &ears).await;
        let mut reply = String::new();
        for line in *lines {
            reply = device.say(line).await;
        }
        assert!(reply.starts_with(expected), "{lines:?} was answered {reply}");
        // And once more where the exchange has just ended.
        assert!(device.say(&base64).await.starts_with("500"));
    }
    ears.hear(format!("{:?}", relay.app));
    relay.end().await;
    assert!(ears.log().contains("[hidden]"), "transcripts were written");
    ears.are_clean_of("exchanges", &all());
}

#[tokio::test]
async fn a_device_that_hangs_up_or_is_sent_away_in_an_exchange_leaves_nothing() {
    let (ears, _listening) = Ears::open();
    let (_sandbox, relay) = relay(&ears, "auth = \"optional\"").await;
    let base64 = STANDARD.encode(planted::stray().secret);
    let mut gone = Device::greeted(relay.address, &ears).await;
    gone.say("AUTH LOGIN").await;
    gone.say(&base64).await;
    drop(gone);
    let mut left = Device::greeted(relay.address, &ears).await;
    assert!(left.say(&format!("AUTH LOGIN {base64}")).await.starts_with("334"));
    ears.hear(format!("{:?}", relay.app));
    relay.end().await;
    assert!(left.reply().await.starts_with("421"));
    ears.are_clean_of("ends", &all());
}
