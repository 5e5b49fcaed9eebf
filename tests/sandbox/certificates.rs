//! Certificates: each kind fails the verification of rustls in its own way, and a change is seen at once.

use posthouse::sandbox::{Certificate, Sandbox};
use rustls::{CertificateError, Error};

use crate::client::{Client, trust};
use crate::sandbox;

/// Why a handshake with a fresh client fails; `None` when it does not.
async fn refusal(sandbox: &Sandbox, name: &str) -> Option<CertificateError> {
    let error = Client::tls(sandbox.implicit(), trust(sandbox), name).await.err()?;
    match error.get_ref().and_then(|e| e.downcast_ref::<Error>()) {
        Some(Error::InvalidCertificate(why)) => Some(why.clone()),
        other => panic!("another failure: {other:?}"),
    }
}

#[tokio::test]
async fn the_good_certificate_is_good_for_the_names_of_loopback() {
    let sandbox = sandbox().await;
    for name in ["localhost", "127.0.0.1", "::1"] {
        assert_eq!(refusal(&sandbox, name).await, None, "{name}");
    }
    let refused = refusal(&sandbox, "smtp.example.com").await;
    assert!(matches!(refused, Some(CertificateError::NotValidForNameContext { .. })), "{refused:?}");
}

#[tokio::test]
async fn each_bad_certificate_is_bad_in_its_own_way() {
    let sandbox = sandbox().await;
    let mut seen = Vec::new();
    for kind in [
        Certificate::Expired,
        Certificate::NotYetValid,
        Certificate::WrongHost,
        Certificate::SelfSigned,
        Certificate::UnknownAuthority,
    ] {
        sandbox.present(kind);
        let refused = refusal(&sandbox, "localhost").await.expect("it must be refused");
        seen.push(match refused {
            CertificateError::ExpiredContext { .. } => "expired",
            CertificateError::NotValidYetContext { .. } => "not yet valid",
            CertificateError::NotValidForNameContext { .. } => "name",
            CertificateError::UnknownIssuer => "issuer",
            other => panic!("{kind:?}: {other:?}"),
        });
    }
    assert_eq!(seen, ["expired", "not yet valid", "name", "issuer", "issuer"]);
    sandbox.present(Certificate::Good);
    assert_eq!(refusal(&sandbox, "localhost").await, None);
}

#[tokio::test]
async fn sessions_are_resumed_but_never_under_another_certificate() {
    let sandbox = sandbox().await;
    let config = trust(&sandbox);
    for _ in 0..2 {
        let mut client = Client::tls(sandbox.implicit(), config.clone(), "localhost").await.unwrap();
        // The greeting comes behind the session tickets: once it is here, so are they.
        client.reply().await;
    }
    let counters = sandbox.counters();
    assert_eq!((counters.handshakes_full, counters.handshakes_resumed), (1, 1));
    sandbox.present(Certificate::Expired);
    assert!(Client::tls(sandbox.implicit(), config, "localhost").await.is_err());
}
