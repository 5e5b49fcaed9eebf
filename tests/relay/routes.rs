//! Two providers, two accounts: mail comes out where the routes say.

use posthouse::account::book::Rule;
use posthouse::config::Config;
use posthouse::inbound::settings::{DeviceAuth, DeviceSettings};
use posthouse::sandbox::Sandbox;

use crate::device::{Device, RECIPIENT, SAMPLE, SENDER};
use crate::login::{fax, plain};
use crate::scene::{Log, Scene, add_account, provider};

/// The account `office` is the default one; mail that the route fits goes through `backup`.
struct Fork {
    scene: Scene,
    backup: Sandbox,
}

impl Fork {
    async fn with(route: Rule, change: impl FnOnce(&mut Config)) -> Self {
        let backup = Sandbox::start(provider()).await.unwrap();
        let scene = Scene::with(provider(), |config, _| {
            config.default_account = Some("office".into());
            add_account(config, "backup", &backup);
            config.routes = vec![Rule { accounts: vec!["backup".into()], ..route }];
            change(config);
        })
        .await;
        Self { scene, backup }
    }

    /// How many mails came out at the office and at the backup.
    fn arrived(&self) -> (u64, u64) {
        self.scene.assert_no_breach();
        assert_eq!(self.backup.violations(), []);
        (self.scene.sandbox.mailbox().count(), self.backup.mailbox().count())
    }
}

async fn taken(device: &mut Device) {
    let heard = device.mail().await;
    assert!(heard.starts_with("250 "), "{heard}");
}

#[tokio::test]
async fn by_sender() {
    let log = Log::capture();
    let route = Rule { sender: vec!["fax@*".into()], ..Rule::default() };
    let fork = Fork::with(route, |_| {}).await;
    let mut device = fork.scene.device().await;
    assert!(device.say("MAIL FROM:<fax@sandbox.example>").await.starts_with("250 "));
    assert!(device.say(&format!("RCPT TO:<{RECIPIENT}>")).await.starts_with("250 "));
    device.data(SAMPLE).await;
    assert!(device.reply().await.starts_with("250 "));
    assert_eq!(fork.arrived(), (0, 1));
    log.assert_line(&["delivered", "account=\"backup\"", "from=fax@sandbox.example"]);
    taken(&mut device).await;
    assert_eq!(fork.arrived(), (1, 1), "the next mail of the session is another's");
}

#[tokio::test]
async fn by_recipient_as_redirected() {
    let route = Rule { recipient: vec!["*@far.example".into()], ..Rule::default() };
    let alias = |config: &mut Config| {
        let far = posthouse::mail::address::Address::parse(b"boss@far.example").unwrap();
        config.aliases.insert("boss".into(), far);
    };
    let fork = Fork::with(route, alias).await;
    let mut device = fork.scene.device().await;
    assert!(device.mail_to(&["Boss"], SAMPLE).await.starts_with("250 "));
    taken(&mut device).await;
    assert_eq!(fork.arrived(), (1, 1));
    assert_eq!(fork.backup.mailbox().deliveries()[0].addresses(), ["boss@far.example"]);
}

#[tokio::test]
async fn recipients_of_two_accounts_are_two_transactions() {
    let log = Log::capture();
    let route = Rule { recipient: vec!["*@far.example".into()], ..Rule::default() };
    let fork = Fork::with(route, |_| {}).await;
    let mut device = fork.scene.device().await;
    device.envelope(&["a@far.example"]).await;
    let heard = device.say("RCPT TO:<a@near.example>").await;
    let said =
        "452 4.5.3 This recipient goes through another account and needs a mail of its own, send it again for it";
    assert_eq!(heard, said);
    assert!(device.say("RCPT TO:<b@far.example>").await.starts_with("250 "), "the first one has decided");
    device.data(SAMPLE).await;
    assert!(device.reply().await.starts_with("250 "));
    assert_eq!(fork.arrived(), (0, 1));
    assert_eq!(fork.backup.mailbox().deliveries()[0].addresses(), ["a@far.example", "b@far.example"]);
    log.assert_line(&["WARN", "recipient refused", "a@near.example", "452 4.5.3"]);
    assert!(device.mail_to(&["a@near.example"], SAMPLE).await.starts_with("250 "), "as RFC 5321 asks of it");
    assert_eq!(fork.arrived(), (1, 1));
}

#[tokio::test]
async fn a_refused_recipient_decides_nothing() {
    let route = Rule { recipient: vec!["*@far.example".into()], ..Rule::default() };
    let fork = Fork::with(route, |config| config.listeners[0].recipients = vec!["a@*".into()]).await;
    let mut device = fork.scene.device().await;
    device.envelope(&[]).await;
    assert!(device.say("RCPT TO:<b@far.example>").await.starts_with("550 "));
    assert!(device.say("RCPT TO:<a@near.example>").await.starts_with("250 "));
    assert!(device.say("RSET").await.starts_with("250 "));
    assert!(device.mail_to(&["a@far.example"], SAMPLE).await.starts_with("250 "), "nor does one before RSET");
    assert_eq!(fork.arrived(), (0, 1));
}

#[tokio::test]
async fn by_device_which_is_who_signed_in() {
    let route = Rule { device: vec!["fax*".into()], ..Rule::default() };
    let fork = Fork::with(route, |config| {
        config.listeners[0].auth = DeviceAuth::Optional;
        let scanner = DeviceSettings { name: "scanner".into(), account: Some("backup".into()), ..fax() };
        config.devices = vec![DeviceSettings { account: Some("office".into()), ..fax() }, scanner];
    })
    .await;
    let mut device = fork.scene.device().await;
    taken(&mut device).await;
    assert_eq!(fork.arrived(), (1, 0));
    assert!(device.say(&plain("FAX", "right")).await.starts_with("235 "));
    taken(&mut device).await;
    assert_eq!(fork.arrived(), (1, 1), "a route decides before the device's own account");
    let mut scanner = fork.scene.device().await;
    assert!(scanner.say(&plain("scanner", "right")).await.starts_with("235 "));
    taken(&mut scanner).await;
    assert_eq!(fork.arrived(), (1, 2), "which decides before the default one");
}

#[tokio::test]
async fn by_source() {
    let route = Rule { source: vec!["::ffff:127.0.0.2/128".parse().unwrap()], ..Rule::default() };
    let fork = Fork::with(route, |_| {}).await;
    for source in ["127.0.0.2", "127.0.0.3"] {
        let mut device = Device::connect_from(source.parse().unwrap(), fork.scene.address()).await;
        device.begin().await;
        taken(&mut device).await;
    }
    assert_eq!(fork.arrived(), (1, 1));
}

#[tokio::test]
async fn by_listener() {
    let route = Rule { listener: vec!["far".into()], ..Rule::default() };
    let fork = Fork::with(route, |config| {
        let mut far = config.listeners[0].clone();
        far.name = "far".into();
        config.listeners.push(far);
    })
    .await;
    taken(&mut Device::greeted(fork.scene.relay.listening()[1].1).await).await;
    assert_eq!(fork.arrived(), (0, 1));
    taken(&mut fork.scene.device().await).await;
    assert_eq!(fork.arrived(), (1, 1));
}

#[tokio::test]
async fn mail_that_nothing_claims_is_refused_at_mail_or_recipient_by_recipient() {
    let route = Rule { recipient: vec!["*@far.example".into()], sender: vec![SENDER.into()], ..Rule::default() };
    let fork = Fork::with(route, |config| config.default_account = None).await;
    let mut device = fork.scene.device().await;
    let heard = device.say("MAIL FROM:<other@sandbox.example>").await;
    assert!(heard.starts_with("451 4.3.5 several accounts"), "{heard}");
    device.envelope(&["a@far.example"]).await;
    assert!(device.say("RCPT TO:<a@near.example>").await.starts_with("451 4.3.5 "));
    device.data(SAMPLE).await;
    assert!(device.reply().await.starts_with("250 "));
    assert_eq!(fork.arrived(), (0, 1));
}

#[tokio::test]
async fn a_renamed_account_is_still_found() {
    let fork = Fork::with(Rule { sender: vec!["*".into()], ..Rule::default() }, |config| {
        let renamed = config.accounts.last_mut().unwrap();
        renamed.name = "spare".into();
        renamed.renamed_from = vec!["backup".into()];
    })
    .await;
    taken(&mut fork.scene.device().await).await;
    assert_eq!(fork.arrived(), (0, 1));
}
