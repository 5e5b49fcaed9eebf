//! What the transcript of an attempt says about TLS: what was agreed on, whose certificate it was, how it was verified.
//!
//! Each test holds the account against a server made for it. How certificates are judged is tested with `net::trust`.

use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::account::keeper::Tools;
use crate::account::keeper::tests::tools;
use crate::account::tests::settings;
use crate::net::http::HttpClient;
use crate::net::trust::{self, Pin, Verify};

/// A server for `smtp.example.com`, the file of its authority, and the pin of its key.
fn server() -> (Arc<ServerConfig>, tempfile::NamedTempFile, Pin) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    authority.distinguished_name.push(rcgen::DnType::CommonName, "Authority of a test");
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let mut params = CertificateParams::new(["smtp.example.com".to_owned()]).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, "Mail server");
    params.not_after = rcgen::date_time_ymd(2090, 1, 2);
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap().der().clone();
    let pin = Pin::of_key(&certificate).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), authority.pem()).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    (tls::server_config(vec![certificate], key).unwrap(), file, pin)
}

/// The notes of one handshake between such an account and this server.
async fn notes(trust: trust::Settings, server: Arc<ServerConfig>) -> Vec<String> {
    let account = Settings { trust, ..settings() };
    let now = Instant::now();
    let http = HttpClient::new(trust::http_terms(&account.trust, now).unwrap(), None);
    let keeper = Keeper::new(&account, Tools { http, ..tools() }).unwrap();
    let tls = ClientTls::load(&account.trust, now).unwrap();
    let ours = Arc::new(OnceLock::new());
    let upstream =
        Upstream::new(account, keeper, tls, ours, "relay.test".into(), Timeouts::default(), Journal::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tcp = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (mut trace, progress) = (Trace::new(now, true), Progress::new());
    let accepting =
        async { tls::accept(server, listener.accept().await.unwrap().0, Timeouts::default().handshake).await };
    let _ = tokio::join!(upstream.secure(tcp, &mut trace, &progress), accepting);
    trace.take().lines().map(|line| line.text.to_string()).collect()
}

const LEAF: &str = "certificate of CN=Mail server, issued by CN=Authority of a test, valid until 2090-01-02";

#[tokio::test]
async fn a_verified_certificate_is_named_with_issuer_end_and_how_it_was_verified() {
    let (server, file, pin) = server();
    let full = trust::Settings::only(file.path());
    let pinned = trust::Settings { pins: vec![pin], ..full.clone() };
    for (trust, how) in [
        (full.clone(), "certificate verified for smtp.example.com"),
        (pinned.clone(), "certificate verified for smtp.example.com and by its pin"),
        (
            trust::Settings { verify: Verify::Chain, ..full.clone() },
            "certificate chain verified, its name ignored (verify = \"chain\")",
        ),
        (trust::Settings { verify: Verify::Pin, ..pinned }, "certificate verified by its pin alone (verify = \"pin\")"),
        (trust::Settings { verify: Verify::None, ..full }, "certificate not verified (verify = \"none\")"),
    ] {
        let said = notes(trust, Arc::clone(&server)).await;
        assert!(said[0].starts_with("TLS 1.3 with TLS13_") && said[0].ends_with(&format!(", {how}")), "{said:?}");
        assert_eq!(said[1..], [LEAF.to_owned()]);
    }
}

#[tokio::test]
async fn a_refused_certificate_is_shown_too_and_not_as_verified() {
    let (server, ..) = server();
    let (_, another, _) = self::server();
    assert_eq!(notes(trust::Settings::only(another.path()), server).await, [LEAF.to_owned()]);
}
