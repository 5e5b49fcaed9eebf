//! Every way to a provider × every way to sign in × one recipient, many, and one of several refused.
//!
//! A row is one relay and one provider: four mails over one connection, each looked at from both ends.

use std::time::Duration;

use posthouse::account::oauth::Grant;
use posthouse::account::{self, Encryption, Mechanism, Source};
use posthouse::sandbox::fault::{Fault, Stage, Times};
use posthouse::sandbox::{self, Delivery, Protection, Sandbox, Settings};
use posthouse::smtp::sasl;

use crate::device::{Device, RECIPIENT, SAMPLE, SENDER};
use crate::scene::{Scene, client_credentials, provider};
use crate::stamp;

/// How the account signs in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SignIn {
    Plain,
    Login,
    /// XOAUTH2 with a token from the token endpoint.
    ClientCredentials,
    /// XOAUTH2 with a token a program prints.
    Command,
    None,
}

macro_rules! matrix {
    ($($name:ident: $encryption:ident, $port:ident, $sign_in:ident => $protection:ident, $mechanism:expr;)*) => {
        $(#[tokio::test]
        async fn $name() {
            use sandbox::Mechanism::{Login, Plain, XOAuth2};
            // Not every row names every mechanism.
            let _ = (Login, Plain, XOAuth2);
            row(Encryption::$encryption, Sandbox::$port, SignIn::$sign_in, Protection::$protection, $mechanism).await;
        })*
    };
}

matrix! {
    // test                             the account says                             the provider sees
    implicit_plain:                     Implicit, implicit, Plain                 => Implicit, Some(Plain);
    implicit_login:                     Implicit, implicit, Login                 => Implicit, Some(Login);
    implicit_client_credentials:        Implicit, implicit, ClientCredentials     => Implicit, Some(XOAuth2);
    implicit_token_command:             Implicit, implicit, Command               => Implicit, Some(XOAuth2);
    implicit_none:                      Implicit, implicit, None                  => Implicit, None;
    starttls_plain:                     StartTls, starttls, Plain                 => StartTls, Some(Plain);
    starttls_login:                     StartTls, starttls, Login                 => StartTls, Some(Login);
    starttls_client_credentials:        StartTls, starttls, ClientCredentials     => StartTls, Some(XOAuth2);
    starttls_token_command:             StartTls, starttls, Command               => StartTls, Some(XOAuth2);
    starttls_none:                      StartTls, starttls, None                  => StartTls, None;
    starttls_auto_where_offered:        StartTlsAuto, starttls, Plain             => StartTls, Some(Plain);
    starttls_auto_on_loopback_in_clear: StartTlsAuto, plain, Plain                => Clear, Some(Plain);
    no_encryption_on_loopback:          None, plain, Plain                        => Clear, Some(Plain);
}

async fn row(
    encryption: Encryption,
    port: fn(&Sandbox) -> std::net::SocketAddr,
    sign_in: SignIn,
    protection: Protection,
    mechanism: Option<sandbox::Mechanism>,
) {
    let provider = Settings { require_auth: sign_in != SignIn::None, ..provider() };
    let scene = Scene::with(provider, |config, sandbox| {
        let account = &mut config.accounts[0];
        (account.encryption, account.port) = (encryption, port(sandbox).port());
        sign_in.set(account, sandbox, &config.storage.directory);
    })
    .await;
    let mut device = scene.device().await;

    one_recipient(&scene, &mut device).await;
    many_recipients(&scene, &mut device).await;
    one_of_several_refused(&scene, &mut device).await;
    assert!(device.mail().await.starts_with("250 2.0.0 Ok: taken as 3"), "after a refusal mail goes on");

    for delivery in scene.sandbox.mailbox().deliveries() {
        let login = mechanism.map(|mechanism| sandbox::Login { username: SENDER.into(), mechanism });
        assert_eq!((&delivery.login, delivery.protection), (&login, protection));
        assert_eq!((delivery.connection, delivery.helo_name.as_str()), (1, "relay.test"), "one connection for all");
    }
    let counters = scene.sandbox.counters();
    assert_eq!((counters.connections, counters.auth_attempts), (1, u64::from(mechanism.is_some())));
    scene.assert_no_breach();
}

async fn one_recipient(scene: &Scene, device: &mut Device) {
    assert_eq!(device.mail().await, "250 2.0.0 Ok: taken as 1", "the provider's own text");
    let delivery = last(scene);
    assert_eq!((delivery.reverse_path.as_str(), delivery.addresses()), (SENDER, vec![RECIPIENT]));
    stamp::assert_exact(&delivery, SAMPLE, stamp::plain(RECIPIENT));
}

async fn many_recipients(scene: &Scene, device: &mut Device) {
    let recipients: Vec<String> = (0..30).map(|n| format!("r{n}@example.com")).collect();
    let recipients: Vec<&str> = recipients.iter().map(String::as_str).collect();
    assert_eq!(device.mail_to(&recipients, SAMPLE).await, "250 2.0.0 Ok: taken as 2");
    let delivery = last(scene);
    assert_eq!(delivery.addresses(), recipients);
    stamp::assert_exact(&delivery, SAMPLE, stamp::to_several());
}

async fn one_of_several_refused(scene: &Scene, device: &mut Device) {
    let refusal = Fault::reply(550, "5.1.1 Never heard of him");
    scene.sandbox.faults().plan(Stage::RcptTo("gone@*".into()), refusal, Times::Once);
    let heard = device.mail_to(&["first@example.com", "gone@example.com", "last@example.com"], SAMPLE).await;
    assert_eq!(heard, "550 5.1.1 gone@example.com: Never heard of him (sent to nobody)");
    assert_eq!(scene.sandbox.mailbox().count(), 2, "nobody got it");
}

fn last(scene: &Scene) -> std::sync::Arc<Delivery> {
    scene.sandbox.mailbox().deliveries().pop().expect("something arrived")
}

impl SignIn {
    fn set(self, account: &mut account::Settings, sandbox: &Sandbox, directory: &std::path::Path) {
        let provider = sandbox.settings();
        match self {
            Self::Plain => account.mechanism = Mechanism::Only(sasl::Mechanism::Plain),
            Self::Login => account.mechanism = Mechanism::Only(sasl::Mechanism::Login),
            Self::None => account.credential = Source::None,
            Self::ClientCredentials => client_credentials(account, sandbox),
            Self::Command => {
                let token = sandbox.issue_token(&provider.username, Duration::from_hours(1)).unwrap();
                std::fs::create_dir_all(directory).unwrap();
                let file = directory.join("token");
                std::fs::write(&file, token.expose()).unwrap();
                let command = vec!["cat".into(), file.display().to_string()];
                account.credential =
                    Source::from(Grant::Command { command: posthouse::account::CommandLine::new(command) });
            }
        }
    }
}
