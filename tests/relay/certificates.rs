//! A certificate that is wrong in any way: no credential leaves, nothing is sent, and the log says what to do.

use posthouse::account::Encryption;
use posthouse::sandbox::Certificate;

use crate::scene::{Log, Scene};

const HELD: &str = "451 4.7.0 Not sent, the account cannot be used: ";

/// Tries a mail over implicit TLS and one over STARTTLS; the sentence goes to device and log, the cure to the log.
async fn refused(certificate: Certificate, sentence: &str, cure: &[&str]) {
    for encryption in [Encryption::Implicit, Encryption::StartTls] {
        let log = Log::capture();
        let scene = Scene::account(|account, sandbox| {
            account.encryption = encryption;
            if encryption == Encryption::StartTls {
                account.port = sandbox.starttls().port();
            }
        })
        .await;
        scene.sandbox.present(certificate);
        let mut device = scene.device().await;

        assert_eq!(device.mail().await, format!("{HELD}{sentence}"), "{encryption:?}");
        log.assert_line(&["attempt failed", sentence, "cause=config"]);
        log.assert_line(&[&["attempt failed", "cure="], cure].concat());
        log.assert_line(&["account held", "next_try_s=3600"]);

        let at_once = format!("451 4.7.0 The account cannot be used, try again later: {sentence}");
        assert_eq!(device.mail().await, at_once, "{encryption:?}");
        let counters = scene.sandbox.counters();
        assert_eq!((counters.connections, counters.auth_attempts), (1, 0), "held: the second mail tries nothing");
        scene.assert_nothing_arrived();
    }
}

#[tokio::test]
async fn expired() {
    let sentence = "The certificate of 127.0.0.1 has expired.";
    refused(Certificate::Expired, sentence, &["Its owner must renew it", "clock"]).await;
}

#[tokio::test]
async fn not_yet_valid() {
    let sentence = "The certificate of 127.0.0.1 is not valid yet; usually this machine's clock is wrong.";
    refused(Certificate::NotYetValid, sentence, &["timedatectl"]).await;
}

#[tokio::test]
async fn for_another_host() {
    let sentence = "The certificate of 127.0.0.1 is for another name (mail.elsewhere.example).";
    refused(Certificate::WrongHost, sentence, &["Set `host` of this account to a name in the certificate"]).await;
}

#[tokio::test]
async fn signed_by_itself() {
    let sentence = "The certificate of 127.0.0.1 is signed by nobody this account trusts.";
    refused(
        Certificate::SelfSigned,
        sentence,
        &["set `ca_file` of this account", "`verify = \"pin\"` and `pins = [\"sha256/", "openssl s_client"],
    )
    .await;
}

#[tokio::test]
async fn signed_by_an_unknown_authority() {
    let sentence = "The certificate of 127.0.0.1 is signed by nobody this account trusts.";
    refused(Certificate::UnknownAuthority, sentence, &["set `ca_file` of this account"]).await;
}
