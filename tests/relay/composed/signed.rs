//! Mail that an account signs (S/MIME): who signs, what becomes of mail that nobody may sign, and what is never signed.
//!
//! Whether other programs believe the signatures is asked of them, in the tests with real programs; here they are taken
//! for what they are by their form.

use std::path::Path;

use posthouse::account::smime::{self, Form, IdentityFile, OverLimit, Passphrase, Without};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair, SanType};

use super::*;

/// A certificate for this address and its key, in one file.
fn identity(directory: &Path, address: &str) -> IdentityFile {
    let key = KeyPair::generate().unwrap();
    let mut parameters = CertificateParams::default();
    parameters.subject_alt_names = vec![SanType::Rfc822Name(address.try_into().unwrap())];
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::EmailProtection];
    let certificate = parameters.self_signed(&key).unwrap();
    let path = directory.join(format!("{address}.pem"));
    std::fs::write(&path, format!("{}{}", certificate.pem(), key.serialize_pem())).unwrap();
    IdentityFile { identity: path, key: None, passphrase: Passphrase::None, senders: Vec::new() }
}

fn signing(config: &mut Config, address: &str) -> smime::Settings {
    let identities = vec![identity(config.storage.directory.parent().unwrap(), address)];
    let (form, over_limit, without) = (Form::Clear, OverLimit::Clear, Without::Hold);
    smime::Settings { identities, form, opaque_limit: smime::OPAQUE_LIMIT, over_limit, without }
}

#[tokio::test]
async fn a_mail_of_somebody_with_an_identity_is_signed() {
    for (form, kind) in [(Form::Clear, "multipart/signed;"), (Form::Opaque, "application/pkcs7-mime;")] {
        let log = Log::capture();
        let scene = Scene::with(provider(), |config, _| {
            let smime = smime::Settings { form, ..signing(config, SENDER) };
            config.accounts[0].smime = Some(smime);
        })
        .await;
        assert!(scene.device().await.mail_to(&[RECIPIENT], LATIN).await.starts_with("250"));
        let arrived = delivery(&scene, 1).await;
        let text =
            String::from_utf8(arrived.bytes.clone()).expect("what is signed is ASCII, whatever the provider takes");
        assert!(text.contains(&format!("\r\nContent-Type: {kind}")), "{text}");
        log.assert_line(&["changed for the provider", "eight_bit_body: ", "signed: ", "EC P-256"]);
    }
}

#[tokio::test]
async fn a_mail_with_the_raw_name_of_an_attachment_is_signed_with_the_name_in_ascii() {
    let scene = Scene::with(provider(), |config, _| config.accounts[0].smime = Some(signing(config, SENDER))).await;
    assert!(scene.device().await.mail_to(&[RECIPIENT], NAMED).await.starts_with("250"));
    let arrived = delivery(&scene, 1).await;
    let text = String::from_utf8(arrived.bytes.clone()).expect("what is signed is ASCII");
    assert!(text.contains("\r\nContent-Type: multipart/signed;") && text.contains(NAMED_IN_ASCII), "{text}");
}

#[tokio::test]
async fn a_signature_around_the_body_breaks_that_of_dkim_and_that_is_said() {
    let log = Log::capture();
    let scene = Scene::with(provider(), |config, _| config.accounts[0].smime = Some(signing(config, SENDER))).await;
    let signed = [b"DKIM-Signature: v=1; d=sandbox.example; s=a; bh=x; b=y\r\n".as_slice(), SAMPLE].concat();
    assert!(scene.device().await.mail_to(&[RECIPIENT], &signed).await.starts_with("250"));
    assert!(delivery(&scene, 1).await.text().contains("Content-Type: multipart/signed;"));
    log.assert_line(&["changed for the provider", "signed: clear", "signature: ", "DKIM", "does not verify any more"]);
}

#[tokio::test]
async fn mail_that_nobody_may_sign_waits_for_an_identity() {
    let log = Log::capture();
    let scene = Scene::with(provider(), |config, _| {
        keeping(config);
        config.accounts[0].smime = Some(signing(config, "somebody@else.example"));
    })
    .await;
    let heard = scene.device().await.mail().await;
    assert!(heard.starts_with("250 2.0.0 Ok: queued"), "{heard}");
    log.assert_line(&["attempt failed", "no S/MIME identity of the account is for the sender", "check --certificates"]);
    let status = crate::control::run(crate::control::posthouse(&scene, &["accounts", "office"])).await.1;
    assert!(!status.contains("held"), "the others may go on: {status}");

    let (_directory, given) = {
        let directory = tempfile::tempdir().unwrap();
        let given = identity(directory.path(), SENDER);
        (directory, given)
    };
    let scene = scene.restarted(|account| account.smime.as_mut().unwrap().identities.push(given)).await;
    assert!(delivery(&scene, 1).await.text().contains("Content-Type: multipart/signed;"));
}

#[tokio::test]
async fn mail_that_nobody_may_sign_goes_out_unsigned_where_that_is_wanted_and_that_is_said() {
    let log = Log::capture();
    let scene = Scene::with(provider(), |config, _| {
        let smime = smime::Settings { without: Without::SendUnsigned, ..signing(config, "somebody@else.example") };
        config.accounts[0].smime = Some(smime);
    })
    .await;
    assert!(scene.device().await.mail().await.starts_with("250"));
    assert!(delivery(&scene, 1).await.bytes.ends_with(SAMPLE));
    log.assert_line(&["changed for the provider", "not_signed: no S/MIME identity"]);
    assert!(scene.device().await.mail_to(&[RECIPIENT], LATIN).await.starts_with("250"));
    assert!(delivery(&scene, 2).await.bytes.ends_with(LATIN), "it was encoded for a signature that does not come");
}

/// An account that signs opaque, and nothing of more than ten octets.
async fn narrow(over_limit: OverLimit, without: Without) -> Scene {
    Scene::with(provider(), |config, _| {
        keeping(config);
        let signing = signing(config, SENDER);
        let smime = smime::Settings { form: Form::Opaque, opaque_limit: 10, over_limit, without, ..signing };
        config.accounts[0].smime = Some(smime);
    })
    .await
}

#[tokio::test]
async fn a_mail_too_large_to_be_signed_opaque_is_signed_clear() {
    let scene = narrow(OverLimit::Clear, Without::Hold).await;
    assert!(scene.device().await.mail().await.starts_with("250"));
    assert!(delivery(&scene, 1).await.text().contains("Content-Type: multipart/signed;"));
}

#[tokio::test]
async fn a_mail_too_large_to_be_signed_opaque_waits_for_a_person_whatever_becomes_of_mail_without_an_identity() {
    for without in [Without::SendUnsigned, Without::Hold] {
        let log = Log::capture();
        let scene = narrow(OverLimit::Hold, without).await;
        let heard = scene.device().await.mail().await;
        assert!(scene.sandbox.mailbox().deliveries().is_empty(), "{:#?}", scene.sandbox.mailbox().deliveries());
        assert!(heard.starts_with("250 2.0.0 Ok: queued"), "{without:?}: {heard}");
        log.assert_line(&["attempt failed", "larger than smime.opaque_limit", "smime.over_limit = \"clear\""]);
    }
}

#[tokio::test]
async fn a_mail_whose_eight_bit_text_somebody_else_has_signed_waits_or_goes_out_as_it_is() {
    let forwarded = String::from_utf8_lossy(LATIN).replace(
        "--b\r\nContent-Type: text/plain; charset=iso-8859-1\r\n",
        "--b\r\nContent-Type: multipart/signed; protocol=\"application/pgp-signature\"; boundary=s\r\n\r\n--s\r\n\
         Content-Type: text/plain; charset=utf-8\r\n",
    );
    let forwarded = forwarded.replace("\r\n--b--", "\r\n--s--\r\n--b--");
    for without in [Without::Hold, Without::SendUnsigned] {
        let log = Log::capture();
        let scene = Scene::with(provider(), |config, _| {
            keeping(config);
            config.accounts[0].smime = Some(smime::Settings { without, ..signing(config, SENDER) });
        })
        .await;
        let heard = scene.device().await.mail_to(&[RECIPIENT], forwarded.as_bytes()).await;
        if without == Without::Hold {
            assert!(heard.starts_with("250 2.0.0 Ok: queued"), "{heard}");
            log.assert_line(&["attempt failed", "it holds 8-bit text that cannot be encoded: "]);
        } else {
            assert!(delivery(&scene, 1).await.bytes.ends_with(forwarded.as_bytes()));
            log.assert_line(&["changed for the provider", "not_signed: it holds 8-bit text that cannot be encoded: "]);
        }
    }
}

#[tokio::test]
async fn the_sender_policy_comes_before_the_signature() {
    let scene = Scene::with(provider(), |config, _| {
        config.accounts[0].sender.policy = Policy::Force;
        config.accounts[0].smime = Some(signing(config, SENDER));
    })
    .await;
    assert!(foreign_mail(&scene).await.starts_with("250"));
    let arrived = delivery(&scene, 1).await;
    let text = arrived.text();
    assert!(text.contains(&format!("From: <{SENDER}>\r\n")) && text.contains("multipart/signed;"), "{text}");
}

#[tokio::test]
async fn what_is_signed_already_is_not_signed_again() {
    let log = Log::capture();
    let scene = Scene::with(provider(), |config, _| config.accounts[0].smime = Some(signing(config, SENDER))).await;
    let signed = b"From: scanner@sandbox.example\r\nTo: a@b.example\r\nMIME-Version: 1.0\r\nDate: Sun, 22 Nov 2026 09:05:00 +0100\r\n\
        Message-ID: <3@device.example>\r\nContent-Type: multipart/signed; protocol=\"application/pgp-signature\"; boundary=b\r\n\
        \r\n--b\r\n\r\ntext\r\n--b\r\nContent-Type: application/pgp-signature\r\n\r\nx\r\n--b--\r\n";
    assert!(scene.device().await.mail_to(&[RECIPIENT], signed).await.starts_with("250"));
    assert!(delivery(&scene, 1).await.bytes.ends_with(signed));
    log.assert_line(&["changed for the provider", "not_signed: it carries a signature of its own (PGP)"]);
    let encrypted = b"From: scanner@sandbox.example\r\nTo: a@b.example\r\nMIME-Version: 1.0\r\nDate: Sun, 22 Nov 2026 09:05:00 +0100\r\n\
        Message-ID: <4@device.example>\r\nContent-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m\r\n\
        Content-Transfer-Encoding: base64\r\n\r\nMIIB\r\n";
    assert!(scene.device().await.mail_to(&[RECIPIENT], encrypted).await.starts_with("250"));
    assert!(delivery(&scene, 2).await.bytes.ends_with(encrypted), "nobody could ever sign it, so it does not wait");
    log.assert_line(&["changed for the provider", "not_signed: it is encrypted (S/MIME)"]);
}

/// A certificate may name a person, and its subject is no address that could be cut.
#[tokio::test]
async fn where_addresses_are_masked_no_line_names_who_signs_or_cannot() {
    for name in [SENDER, "somebody@else.example"] {
        let log = Log::capture();
        let scene = Scene::with(provider(), |config, _| {
            keeping(config);
            config.log.masks.addresses = true;
            config.accounts[0].smime = Some(signing(config, name));
        })
        .await;
        assert!(scene.device().await.mail().await.starts_with("250"));
        log.assert_line(&[if name == SENDER { "changes=\"signed\"" } else { "attempt failed" }]);
        for hidden in [SENDER, "rcgen self signed cert"] {
            assert_eq!(log.count(&[hidden]), 0, "{hidden}: {}", log.text());
        }
    }
}

/// Without an empty line the text is not in what `multipart/signed` covers, unless it is brought there.
#[tokio::test]
async fn a_text_that_no_empty_line_divides_from_the_header_is_signed() {
    let scene = Scene::with(provider(), |config, _| config.accounts[0].smime = Some(signing(config, SENDER))).await;
    assert!(scene.device().await.mail_to(&[RECIPIENT], UNDIVIDED).await.starts_with("250"));
    let arrived = delivery(&scene, 1).await;
    let (header, body) = arrived.text().split_once("\r\n\r\n").map(|(h, b)| (h.to_owned(), b.to_owned())).unwrap();
    assert!(!header.contains("battery"), "{header}");
    let (_, entity) =
        body.split_once("\r\nContent-Transfer-Encoding: quoted-printable\r\n").expect("the entity says what it is");
    let signed = "\r\nOn battery since 10 o'clock, Gr=FC=DFe\r\nBye\r\n\r\n--=_posthouse_";
    assert!(entity.starts_with(signed), "{entity}");
}
