//! Devices that sign in, and listeners that speak TLS.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use md5::Md5;
use posthouse::config::Config;
use posthouse::inbound::settings::{DeviceAuth, DeviceSettings, Limits, ListenerTls};
use posthouse::sandbox::Sandbox;
use posthouse::secret::Secret;

use crate::device::{Device, RECIPIENT, SAMPLE, SENDER};
use crate::scene::{Log, Scene, add_account, provider};
use crate::stamp::{self, Stamp};

/// AUTH PLAIN with this name and password.
pub fn plain(name: &str, password: &str) -> String {
    format!("AUTH PLAIN {}", STANDARD.encode(format!("\0{name}\0{password}")))
}

/// A listener with this kind of AUTH, and one known device.
async fn listener(auth: DeviceAuth) -> Scene {
    Scene::with(provider(), |config, _| {
        config.listeners[0].auth = auth;
        config.devices = vec![fax()];
    })
    .await
}

pub fn fax() -> DeviceSettings {
    DeviceSettings {
        name: "fax".into(),
        password: Secret::new("right".into()),
        account: None,
        senders: vec!["*".into()],
        recipients: vec!["*".into()],
        limits: Limits::default(),
    }
}

#[tokio::test]
async fn none_offers_nothing() {
    let scene = listener(DeviceAuth::None).await;
    let mut device = Device::connect(scene.address()).await;
    assert!(device.reply().await.starts_with("220 "));
    assert!(!device.say("EHLO device.example").await.contains("AUTH"));
    assert!(device.say(&plain("fax", "right")).await.starts_with("502 "));
    assert!(device.mail().await.starts_with("250 "));
}

#[tokio::test]
async fn accept_any_takes_any_login_and_forgets_it() {
    let log = Log::capture();
    let scene = listener(DeviceAuth::AcceptAny).await;
    let mut device = scene.device().await;
    assert!(device.say(&plain("whoever", "whatever")).await.starts_with("235 "));
    assert!(device.mail().await.starts_with("250 "));
    assert!(scene.device().await.mail().await.starts_with("250 "), "and none is needed");
    assert!(!log.text().contains("whoever") && !log.text().contains("whatever"), "{}", log.text());
}

/// What a device may send where its login is not looked at: none of it could be read as a credential.
#[tokio::test]
async fn accept_any_takes_what_cannot_be_read() {
    let scene = listener(DeviceAuth::AcceptAny).await;
    let base64 = |octets: &[u8]| STANDARD.encode(octets);
    let ways: &[&[String]] = &[
        &[format!("AUTH PLAIN {}", base64(b"\0fax\0"))],
        &[format!("AUTH PLAIN {}", base64(b"boss\0fax\0secret"))],
        &[format!("AUTH PLAIN {}", base64(b"\0f\xfcx\0geh\xfc\xfcr"))],
        &[format!("AUTH PLAIN {}", base64(b"fax secret"))],
        &["AUTH PLAIN =".into()],
        &["AUTH PLAIN".into(), "secret".into()],
        &["AUTH LOGIN".into(), base64(b"f\xfcx"), base64(b"geh\xfc\xfcr")],
        &["AUTH LOGIN fax".into(), "secret".into()],
        &["AUTH LOGIN".into(), String::new(), String::new()],
        &["AUTH CRAM-MD5".into(), base64(b"fax b913a602c7eda7a495b4e6e7334d3890")],
        &["AUTH CRAM-MD5".into(), "b913a602c7eda7a495b4e6e7334d3890".into()],
        &["AUTH CRAM-MD5 ZmF4".into()],
    ];
    for lines in ways {
        let mut device = scene.device().await;
        let mut heard = String::new();
        for line in *lines {
            assert!(heard.is_empty() || heard.starts_with("334 "), "{lines:?}: {heard}");
            heard = device.say(line).await;
        }
        assert_eq!(heard, "235 2.7.0 Signed in", "{lines:?}");
        assert!(device.mail().await.starts_with("250 "), "{lines:?}");
    }
}

#[tokio::test]
async fn optional_takes_known_logins_and_none() {
    let log = Log::capture();
    let scene = listener(DeviceAuth::Optional).await;
    assert!(scene.device().await.mail().await.starts_with("250 "));
    let mut device = scene.device().await;
    assert!(device.say(&plain("fax", "right")).await.starts_with("235 "));
    assert!(device.mail().await.starts_with("250 "));
    log.wait_for_line(&["delivered", "device=fax"]).await;
    let delivery = scene.sandbox.mailbox().deliveries().pop().unwrap();
    stamp::assert_exact(&delivery, SAMPLE, Stamp { with: "ESMTPA", ..stamp::plain(RECIPIENT) });
}

#[tokio::test]
async fn required_takes_no_mail_without_a_login() {
    let scene = listener(DeviceAuth::Required).await;
    let mut device = scene.device().await;
    assert!(device.say(&format!("MAIL FROM:<{SENDER}>")).await.starts_with("530 5.7.0 "));
    assert_eq!(device.say("AUTH LOGIN").await, "334 VXNlcm5hbWU6");
    assert_eq!(device.say(&STANDARD.encode("fax")).await, "334 UGFzc3dvcmQ6");
    assert!(device.say(&STANDARD.encode("right")).await.starts_with("235 "));
    assert!(device.mail().await.starts_with("250 "));
}

/// The answer to a challenge, in base64 as both go over the wire (RFC 2195 §2).
fn answer(name: &str, password: &str, challenge: &str) -> String {
    let challenge = STANDARD.decode(challenge.strip_prefix("334 ").expect("a challenge")).unwrap();
    let mut mac = Hmac::<Md5>::new_from_slice(password.as_bytes()).unwrap();
    mac.update(&challenge);
    let digest = u128::from_be_bytes(mac.finalize().into_bytes().into());
    STANDARD.encode(format!("{name} {digest:032x}"))
}

#[tokio::test]
async fn a_device_may_answer_a_challenge_instead_of_sending_its_password() {
    let log = Log::capture();
    let scene = listener(DeviceAuth::Required).await;
    let mut device = scene.device().await;
    let challenge = device.say("AUTH CRAM-MD5").await;
    assert!(device.say(&answer("FAX", "right", &challenge)).await.starts_with("235 "));
    assert!(device.mail().await.starts_with("250 "));
    log.wait_for_line(&["delivered", "device=fax"]).await;

    let mut other = scene.device().await;
    let next = other.say("AUTH CRAM-MD5").await;
    assert_ne!(challenge, next, "each connection has its own");
    let refused = "535 5.7.8 Authentication failed";
    assert_eq!(other.say(&answer("fax", "right", &challenge)).await, refused, "overheard and sent again");
    let mut guesser = scene.device().await;
    let challenge = guesser.say("AUTH CRAM-MD5").await;
    assert_eq!(guesser.say(&answer("fax", "guess", &challenge)).await, refused);
    let challenge = guesser.say("AUTH CRAM-MD5").await;
    assert_eq!(guesser.say(&answer("fux", "right", &challenge)).await, refused, "nobody of that name");
    log.assert_line(&["WARN", "login=fax", "wrong password", "[devices.fax]"]);
    for hidden in ["guess", "fux", "right"] {
        assert!(!log.text().contains(hidden), "{hidden}: {}", log.text());
    }
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_name_sound_the_same() {
    let log = Log::capture();
    let scene = listener(DeviceAuth::Required).await;
    let wrong = scene.device().await.say(&plain("fax", "mistyped")).await;
    let unknown = scene.device().await.say(&plain("s3cret", "right")).await;
    assert_eq!(
        (wrong.as_str(), unknown.as_str()),
        ("535 5.7.8 Authentication failed", "535 5.7.8 Authentication failed")
    );
    log.assert_line(&["WARN", "login=fax", "wrong password", "[devices.fax]"]);
    for hidden in ["mistyped", "s3cret", "right"] {
        assert!(!log.text().contains(hidden), "{hidden}: {}", log.text());
    }
}

#[tokio::test]
async fn three_failed_logins_end_the_session() {
    let scene = listener(DeviceAuth::Optional).await;
    let (mut guesser, mut honest) = (scene.device().await, scene.device().await);
    let guess = async {
        let mut heard = Vec::new();
        for _ in 0..3 {
            heard.push(guesser.say(&plain("fax", "guess")).await);
        }
        heard
    };
    let (heard, other) = tokio::join!(guess, honest.mail());
    assert!(heard[..2].iter().all(|said| said.starts_with("535 ")), "{heard:?}");
    assert!(heard[2].starts_with("421 ") || heard[2].starts_with("535 "), "{heard:?}");
    assert_eq!(guesser.try_reply().await, None);
    assert!(other.starts_with("250 "));
}

#[tokio::test]
async fn a_device_s_own_account_is_used() {
    let other = Sandbox::start(provider()).await.unwrap();
    let scene = Scene::with(provider(), |config, _| {
        config.listeners[0].auth = DeviceAuth::Optional;
        config.default_account = Some("office".into());
        add_account(config, "second", &other);
        config.devices = vec![DeviceSettings { account: Some("second".into()), ..fax() }];
    })
    .await;
    assert!(scene.device().await.mail().await.starts_with("250 "));
    let mut fax = scene.device().await;
    assert!(fax.say(&plain("fax", "right")).await.starts_with("235 "));
    assert!(fax.mail().await.starts_with("250 "));
    assert_eq!((scene.sandbox.mailbox().count(), other.mailbox().count()), (1, 1));
}

/// Puts a fresh certificate for `localhost` where the listener finds it, and gives it back in PEM form.
fn certified(config: &mut Config, implicit: bool) -> String {
    let rcgen::CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(["localhost".into()]).unwrap();
    let certificate = config.storage.directory.with_file_name("listener.pem");
    let key = config.storage.directory.with_file_name("listener.key");
    std::fs::write(&certificate, cert.pem()).unwrap();
    std::fs::write(&key, signing_key.serialize_pem()).unwrap();
    config.listeners[0].tls =
        if implicit { ListenerTls::Implicit { certificate, key } } else { ListenerTls::StartTls { certificate, key } };
    cert.pem()
}

#[tokio::test]
async fn a_listener_with_implicit_tls() {
    let mut pem = String::new();
    let scene = Scene::with(provider(), |config, _| pem = certified(config, true)).await;
    let mut device = Device::connect(scene.address()).await.secured(&pem).await;
    device.begin().await;
    assert!(device.mail().await.starts_with("250 "));
    let delivery = &scene.sandbox.mailbox().deliveries()[0];
    stamp::assert_exact(delivery, SAMPLE, Stamp { with: "ESMTPS", ..stamp::plain(RECIPIENT) });
}

#[tokio::test]
async fn a_listener_with_starttls() {
    let mut pem = String::new();
    let scene = Scene::with(provider(), |config, _| pem = certified(config, false)).await;
    let mut device = scene.device().await;
    assert!(device.say("STARTTLS").await.starts_with("220 "));
    let mut device = device.secured(&pem).await;
    assert!(device.say(&format!("MAIL FROM:<{SENDER}>")).await.starts_with("503 "), "EHLO is forgotten");
    let hello = device.say("EHLO device.example").await;
    assert!(hello.starts_with("250") && !hello.contains("STARTTLS"), "{hello}");
    assert!(device.mail().await.starts_with("250 "));
    let delivery = &scene.sandbox.mailbox().deliveries()[0];
    stamp::assert_exact(delivery, SAMPLE, Stamp { with: "ESMTPS", ..stamp::plain(RECIPIENT) });
    assert!(scene.device().await.mail().await.starts_with("250 "), "in clear it works as before");
}
