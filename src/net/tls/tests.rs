//! Handshakes between our own two sides, and with servers that are wrong in one way each.
//!
//! Certificates are made in the test; nothing depends on the machine's own roots but the one test that says so.

use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::net::stream::TlsFacts;
use crate::net::trust::Settings;

pub(in crate::net) const LIMIT: Duration = Duration::from_secs(10);
pub(in crate::net) const HOST: &str = "smtp.example.com";

/// A certificate authority whose own certificate lies in a file.
pub(in crate::net) struct Authority {
    pub(in crate::net) issuer: CertifiedIssuer<'static, KeyPair>,
    pub(in crate::net) file: tempfile::NamedTempFile,
}

impl Authority {
    pub(in crate::net) fn new() -> Self {
        Self::named("Authority of a test")
    }

    pub(in crate::net) fn named(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let file = pem_file(&issuer.pem());
        Self { issuer, file }
    }

    pub(in crate::net) fn server(
        &self,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> Arc<ServerConfig> {
        let mut params = certificate_for(names);
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        server_config(vec![certificate.der().clone()], private(&key)).unwrap()
    }

    pub(in crate::net) fn trusted(&self) -> Terms {
        terms(&Settings::only(self.file.path()))
    }
}

pub(in crate::net) fn terms(settings: &Settings) -> Terms {
    Terms::new(settings).unwrap()
}

pub(in crate::net) fn certificate_for(names: &[&str]) -> CertificateParams {
    CertificateParams::new(names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>()).unwrap()
}

pub(in crate::net) fn private(key: &KeyPair) -> PrivateKeyDer<'static> {
    PrivateKeyDer::try_from(key.serialize_der()).unwrap()
}

pub(in crate::net) fn pem_file(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

/// A self-signed certificate, the server that shows it, and a file to trust it by.
fn self_signed(is_ca: IsCa) -> (Arc<ServerConfig>, tempfile::NamedTempFile) {
    let mut params = certificate_for(&[HOST]);
    params.is_ca = is_ca;
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let file = pem_file(&certificate.pem());
    (server_config(vec![certificate.der().clone()], private(&key)).unwrap(), file)
}

/// Both ends of a connection that has become an encrypted one: the client's, the server's.
pub(in crate::net) async fn upgrade(client: TcpStream, server: TcpStream) -> (Stream, Stream) {
    let authority = Authority::new();
    let (trusted, answers) = (authority.trusted(), authority.server(&[HOST], |_| {}));
    let both = tokio::try_join!(connect(&trusted, HOST, client, LIMIT), async {
        Ok(accept(answers, server, LIMIT).await.unwrap())
    })
    .unwrap();
    assert!(both.0.tls_facts().is_some() && both.1.tls_facts().is_some());
    both
}

/// Connects a client to a server that greets with `220` after the handshake; gives both views.
pub(in crate::net) async fn handshake(
    client: &Terms,
    host: &str,
    server: Arc<ServerConfig>,
) -> (Result<TlsFacts, HandshakeError>, Result<(), TlsProblem>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = async {
        let mut stream = accept(server, listener.accept().await.unwrap().0, LIMIT).await?;
        let _ = stream.write_all(b"220 ready\r\n").await;
        let _ = stream.shutdown().await;
        Ok(())
    };
    let calling = async {
        let tcp = TcpStream::connect(address).await.unwrap();
        let mut stream = connect(client, host, tcp, LIMIT).await?;
        let mut greeting = String::new();
        stream.read_to_string(&mut greeting).await.unwrap();
        assert_eq!(greeting, "220 ready\r\n");
        Ok(stream.tls_facts().unwrap())
    };
    tokio::join!(calling, serving)
}

async fn problem(client: &Terms, host: &str, server: Arc<ServerConfig>) -> TlsProblem {
    handshake(client, host, server).await.0.unwrap_err().problem
}

/// What a client finds at a server that writes these octets, keeps the connection or closes it.
async fn problem_with(octets: &'static [u8], keep: bool) -> TlsProblem {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tcp = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    let serving = async {
        server.write_all(octets).await.unwrap();
        server.read_u8().await.unwrap();
        if keep { std::future::pending().await } else { drop(server) }
    };
    let config = Authority::new().trusted();
    let calling = connect(&config, HOST, tcp, LIMIT);
    tokio::select! {
        result = calling => result.unwrap_err().problem,
        () = async { serving.await; std::future::pending().await } => unreachable!(),
    }
}

#[tokio::test]
async fn a_certificate_of_the_trusted_authority_for_this_host_is_accepted() {
    let authority = Authority::new();
    let facts = handshake(&authority.trusted(), HOST, authority.server(&[HOST], |_| {})).await.0.unwrap();
    assert_eq!((facts.version, facts.resumed), ("TLS 1.3", false));
    assert!(facts.cipher.starts_with("TLS13_"), "{facts}");
    let wildcard = authority.server(&["*.example.com"], |_| {});
    assert!(handshake(&authority.trusted(), HOST, wildcard).await.0.is_ok());
}

#[tokio::test]
async fn a_second_connection_resumes_the_first() {
    let authority = Authority::new();
    let (client, server) = (authority.trusted(), authority.server(&[HOST], |_| {}));
    assert!(!handshake(&client, HOST, Arc::clone(&server)).await.0.unwrap().resumed);
    assert!(handshake(&client, HOST, server).await.0.unwrap().resumed);
}

#[tokio::test]
async fn times_and_names_are_checked() {
    let authority = Authority::new();
    let client = authority.trusted();
    let expired = authority.server(&[HOST], |params| {
        params.not_before = date_time_ymd(2019, 1, 1);
        params.not_after = date_time_ymd(2020, 1, 1);
    });
    assert_eq!(problem(&client, HOST, expired).await, TlsProblem::Expired);
    let early = authority.server(&[HOST], |params| params.not_before = date_time_ymd(4000, 1, 1));
    assert_eq!(problem(&client, HOST, early).await, TlsProblem::NotYetValid);
    let other = authority.server(&["mail.example.net", "192.0.2.1"], |_| {});
    let presented = vec!["mail.example.net".to_owned(), "192.0.2.1".to_owned()];
    assert_eq!(problem(&client, HOST, other).await, TlsProblem::WrongName { presented });
    let one_label_only = authority.server(&["*.com"], |_| {});
    assert!(matches!(problem(&client, HOST, one_label_only).await, TlsProblem::WrongName { .. }));
}

#[tokio::test]
async fn an_address_is_looked_for_among_the_addresses_of_the_certificate() {
    let authority = Authority::new();
    let right = authority.server(&["127.0.0.1", "::1"], |_| {});
    for host in ["127.0.0.1", "::1"] {
        assert!(handshake(&authority.trusted(), host, Arc::clone(&right)).await.0.is_ok(), "{host}");
    }
    let presented = vec!["127.0.0.1".to_owned(), "::1".to_owned()];
    assert_eq!(problem(&authority.trusted(), "127.0.0.2", right).await, TlsProblem::WrongName { presented });
}

#[tokio::test]
async fn strangers_are_refused_and_told_what_the_client_saw() {
    // One of another name, and one that took the trusted one's name.
    for name in ["Authority of somebody else", "Authority of a test"] {
        let stranger = Authority::named(name).server(&[HOST], |_| {});
        let (client, server) = handshake(&Authority::new().trusted(), HOST, stranger).await;
        assert!(matches!(client.unwrap_err().problem, TlsProblem::UnknownIssuer { pin: Some(_) }), "{name}");
        let TlsProblem::Alert { detail } = server.unwrap_err() else { panic!("the client sends an alert") };
        assert!(detail.starts_with("received fatal alert"), "{detail}");
    }
}

#[tokio::test]
async fn a_self_signed_certificate_is_believed_only_from_the_ca_file() {
    let (server, file) = self_signed(IsCa::NoCa);
    let stranger = problem(&Authority::new().trusted(), HOST, Arc::clone(&server)).await;
    assert!(matches!(stranger, TlsProblem::UnknownIssuer { .. }), "{stranger:?}");
    assert!(handshake(&terms(&Settings::only(file.path())), HOST, server).await.0.is_ok());
    let (server, file) = self_signed(IsCa::Ca(rcgen::BasicConstraints::Unconstrained));
    let client = terms(&Settings::only(file.path()));
    let TlsProblem::BadCertificate { detail } = problem(&client, HOST, server).await else { panic!() };
    assert!(detail.contains("CA:FALSE"), "{detail}");
}

#[tokio::test]
async fn without_a_ca_file_the_systems_roots_decide() {
    match Terms::new(&Settings::default()) {
        Ok(client) => {
            let stranger = Authority::new().server(&[HOST], |_| {});
            assert!(matches!(problem(&client, HOST, stranger).await, TlsProblem::UnknownIssuer { .. }));
        }
        // A bare container has none.
        Err(error) => assert!(error.to_string().contains("ca-certificates"), "{error}"),
    }
}

#[tokio::test]
async fn tls_1_2_is_enough_and_less_is_not() {
    let authority = Authority::new();
    let key = KeyPair::generate().unwrap();
    let certificate = certificate_for(&[HOST]).signed_by(&key, &authority.issuer).unwrap();
    let server = ServerConfig::builder_with_provider(trust::provider())
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private(&key))
        .unwrap();
    let facts = handshake(&authority.trusted(), HOST, Arc::new(server)).await.0.unwrap();
    assert_eq!(facts.version, "TLS 1.2");
    // A server that knows TLS 1.1 only answers with this alert: fatal, protocol_version (RFC 5246 §7.2.2).
    let TlsProblem::Alert { detail } = problem_with(b"\x15\x03\x01\x00\x02\x02\x46", true).await else { panic!() };
    assert!(detail.contains("ProtocolVersion"), "{detail}");
}

#[tokio::test]
async fn a_server_that_speaks_in_clear_is_recognised() {
    for greeting in [&b"220 smtp.example.com ESMTP ready\r\n"[..], b"554 no\r\n", b"HTTP/1.1 400 Bad Request\r\n"] {
        assert_eq!(problem_with(greeting, true).await, TlsProblem::NotTls);
    }
}

#[tokio::test]
async fn a_device_that_speaks_in_clear_is_recognised() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut device = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    device.write_all(b"EHLO scanner\r\n").await.unwrap();
    let server = Authority::new().server(&[HOST], |_| {});
    let answer = accept(server, listener.accept().await.unwrap().0, LIMIT).await;
    assert_eq!(answer.unwrap_err(), TlsProblem::NotTls);
}

#[tokio::test]
async fn a_cut_handshake_says_so() {
    let TlsProblem::Cut { detail } = problem_with(b"", false).await else { panic!() };
    assert!(!detail.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_is_given_up_in_time() {
    let began = tokio::time::Instant::now();
    let TlsProblem::Cut { detail } = problem_with(b"", true).await else { panic!() };
    assert!(detail.contains("10 s"), "{detail}");
    assert!(began.elapsed() >= LIMIT);
}

#[tokio::test]
async fn a_connection_closed_without_close_notify_has_ended_and_not_broken() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tcp = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (mut stream, server) = upgrade(tcp, listener.accept().await.unwrap().0).await;
    drop(server);
    let count = std::future::poll_fn(|cx| stream.poll_read_with(cx, <[u8]>::len)).await.unwrap();
    assert_eq!(count, 0);
}

#[tokio::test]
async fn a_host_that_no_certificate_can_name_is_refused_before_anything_is_sent() {
    for host in ["", "a b", "smtp.example.com:465"] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let tcp = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let refused = connect(&Authority::new().trusted(), host, tcp, LIMIT).await.unwrap_err().problem;
        assert!(matches!(refused, TlsProblem::BadCertificate { .. }), "{host:?}: {refused:?}");
    }
}
