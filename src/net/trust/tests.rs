//! Every way to verify, against every way a certificate can be wrong, in real handshakes; and files that change.
//!
//! Certificates are made in the test. What a handshake proves whatever an account says, that the server holds its key,
//! has a test of its own.

use std::fmt::Write;
use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::pki_types::CertificateDer;
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, SupportedProtocolVersion, version};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::net::tls::tests::{Authority, HOST, LIMIT, certificate_for, handshake, pem_file, private};
use crate::net::tls::{HandshakeError, accept, connect, problem, server_config};

/// A server with one certificate.
struct Server {
    certificate: CertificateDer<'static>,
    tls: Arc<ServerConfig>,
}

impl Server {
    fn new(make: impl FnOnce(&KeyPair) -> rcgen::Certificate) -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = make(&key).der().clone();
        let tls = server_config(vec![certificate.clone()], private(&key)).unwrap();
        Self { certificate, tls }
    }

    fn signed_by(authority: &Authority, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut params = certificate_for(&[name]);
        change(&mut params);
        Self::new(|key| params.signed_by(key, &authority.issuer).unwrap())
    }

    fn key_pin(&self) -> Pin {
        Pin::of_key(&self.certificate).unwrap()
    }
}

fn settings(verify: Verify, authority: &Authority, pins: &[Pin]) -> Settings {
    Settings { verify, pins: pins.to_vec(), ..Settings::only(authority.file.path()) }
}

async fn outcome(settings: &Settings, server: &Server) -> Result<Verified, HandshakeError> {
    let terms = Terms::new(settings).unwrap();
    handshake(&terms, HOST, Arc::clone(&server.tls)).await.0.map(|facts| facts.verified)
}

fn word(outcome: Result<Verified, HandshakeError>) -> &'static str {
    match outcome.map_err(|failed| failed.problem) {
        Ok(Verified::Nothing) => "taken",
        Ok(_) => "ok",
        Err(TlsProblem::Expired) => "expired",
        Err(TlsProblem::WrongName { .. }) => "name",
        Err(TlsProblem::UnknownIssuer { .. }) => "issuer",
        Err(TlsProblem::WrongPin { .. }) => "pin",
        Err(TlsProblem::BadCertificate { .. }) => "bad",
        Err(other) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn each_way_to_verify_looks_at_what_it_says_and_at_nothing_else() {
    let authority = Authority::new();
    let expired = |params: &mut CertificateParams| params.not_after = date_time_ymd(2020, 1, 1);
    let servers = [
        ("good", Server::signed_by(&authority, HOST, |_| {})),
        ("other name", Server::signed_by(&authority, "mail.example.net", |_| {})),
        ("expired", Server::signed_by(&authority, HOST, expired)),
        ("self-signed", Server::new(|key| certificate_for(&[HOST]).self_signed(key).unwrap())),
        ("stranger's", Server::signed_by(&Authority::named("A stranger"), HOST, |_| {})),
    ];
    let mut table = String::from("\n");
    for (name, server) in &servers {
        let other = Pin::Key([7; 32]);
        let (key, certificate) = (server.key_pin(), Pin::of_certificate(&server.certificate));
        write!(table, "{name:12}").unwrap();
        for (verify, pins) in [
            (Verify::Full, &[][..]),
            (Verify::Full, &[other, key]),
            (Verify::Full, &[other]),
            (Verify::Chain, &[]),
            (Verify::Chain, &[certificate]),
            (Verify::Chain, &[other]),
            (Verify::Pin, &[key]),
            (Verify::Pin, &[other, certificate]),
            (Verify::Pin, &[other]),
            (Verify::None, &[]),
            (Verify::None, &[other]),
        ] {
            write!(table, " {:8}", word(outcome(&settings(verify, &authority, pins), server).await)).unwrap();
        }
        table = format!("{}\n", table.trim_end());
    }
    let expected = "
#            full                       chain                      pin                        none
#            –        right    wrong    –        right    wrong    key      second   wrong    –        wrong
good         ok       ok       pin      ok       ok       pin      ok       ok       pin      taken    pin
other name   name     name     name     ok       ok       pin      ok       ok       pin      taken    pin
expired      expired  expired  expired  expired  expired  expired  ok       ok       pin      taken    pin
self-signed  issuer   issuer   issuer   issuer   issuer   issuer   ok       ok       pin      taken    pin
stranger's   issuer   issuer   issuer   issuer   issuer   issuer   ok       ok       pin      taken    pin
";
    let expected: String = expected.split_inclusive('\n').filter(|line| !line.starts_with('#')).collect();
    assert_eq!(table, expected);
}

#[tokio::test]
async fn another_key_than_the_pinned_one_is_shown_with_its_pin_to_be_copied() {
    let authority = Authority::new();
    let server = Server::signed_by(&authority, HOST, |_| {});
    for verify in [Verify::Full, Verify::Chain, Verify::Pin] {
        let failed = outcome(&settings(verify, &authority, &[Pin::Key([7; 32])]), &server).await.unwrap_err();
        let TlsProblem::WrongPin { pin: Some(pin) } = failed.problem else { panic!("{failed:?}") };
        assert_eq!(pin.parse(), Ok(server.key_pin()));
        assert!(word(outcome(&settings(verify, &authority, &[pin.parse().unwrap()]), &server).await) == "ok");
    }
}

#[tokio::test]
async fn what_was_presented_is_there_although_it_was_refused() {
    let server = Server::signed_by(&Authority::named("A stranger"), HOST, |_| {});
    let failed = outcome(&settings(Verify::Full, &Authority::new(), &[]), &server).await.unwrap_err();
    let [leaf] = &failed.presented[..] else { panic!("{failed:?}") };
    assert_eq!((leaf.key, &leaf.names[..]), (server.key_pin(), &[HOST.to_owned()][..]));
    assert!(leaf.issuer.contains("A stranger"), "{leaf}");
    assert_eq!(failed.problem, TlsProblem::UnknownIssuer { pin: Some(server.key_pin().to_string()) });
}

#[tokio::test]
async fn a_pin_is_asked_for_where_nothing_else_counts() {
    let error = Terms::new(&Settings { verify: Verify::Pin, ..Settings::default() }).unwrap_err();
    assert!(matches!(error, TrustError::NoPins), "{error:?}");
}

/// Shows this certificate and signs with whatever key it has.
#[derive(Debug)]
struct Impostor(Arc<CertifiedKey>);

impl ResolvesServerCert for Impostor {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

#[tokio::test]
async fn a_certificate_without_its_key_is_refused_however_little_is_verified() {
    let authority = Authority::new();
    let genuine = Server::signed_by(&authority, HOST, |_| {});
    let own_key = provider().key_provider.load_private_key(private(&KeyPair::generate().unwrap())).unwrap();
    let shown = Impostor(Arc::new(CertifiedKey::new(vec![genuine.certificate.clone()], own_key)));
    let shown: Arc<dyn ResolvesServerCert> = Arc::new(shown);
    for version in [&version::TLS12, &version::TLS13] {
        let tls = ServerConfig::builder_with_provider(provider()).with_protocol_versions(&[version]).unwrap();
        let tls = Arc::new(tls.with_no_client_auth().with_cert_resolver(Arc::clone(&shown)));
        let impostor = Server { certificate: genuine.certificate.clone(), tls };
        for (verify, pins) in [(Verify::Full, vec![]), (Verify::Pin, vec![genuine.key_pin()]), (Verify::None, vec![])] {
            let failed = outcome(&settings(verify, &authority, &pins), &impostor).await.unwrap_err();
            let TlsProblem::BadCertificate { detail } = failed.problem else { panic!("{verify:?}: {failed:?}") };
            assert!(detail.contains("does not hold the key"), "{verify:?}: {detail}");
        }
    }
}

/// A server that requires a client certificate of this authority.
pub(in crate::net) fn strict(authority: &Authority, version: &'static SupportedProtocolVersion) -> Arc<ServerConfig> {
    let mut clients = RootCertStore::empty();
    clients.add(authority.issuer.der().clone()).unwrap();
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(clients), provider()).build().unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = certificate_for(&[HOST]).signed_by(&key, &authority.issuer).unwrap();
    let tls = ServerConfig::builder_with_provider(provider()).with_protocol_versions(&[version]).unwrap();
    let tls = tls.with_client_cert_verifier(clients);
    Arc::new(tls.with_single_cert(vec![certificate.der().clone()], private(&key)).unwrap())
}

/// What a client finds, in the handshake or at its first read after it.
async fn meet(terms: &Terms, server: Arc<ServerConfig>) -> Result<Shown, TlsProblem> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tcp = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let serving = async { accept(server, listener.accept().await.unwrap().0, LIMIT).await.map(drop) };
    let calling = async {
        let mut stream = connect(terms, HOST, tcp, LIMIT).await.map_err(|failed| failed.problem)?;
        let shown = stream.tls_facts().unwrap().shown;
        match stream.read_u8().await {
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => Err(problem::of(&error, shown)),
            _ => Ok(shown),
        }
    };
    tokio::join!(calling, serving).0
}

#[tokio::test]
async fn a_server_that_requires_a_client_certificate_gets_ours_or_says_so() {
    let (authority, stranger) = (Authority::new(), Authority::named("A stranger"));
    for version in [&version::TLS12, &version::TLS13] {
        let server = strict(&authority, version);
        let none = Terms::new(&Settings::only(authority.file.path())).unwrap();
        assert_eq!(meet(&none, Arc::clone(&server)).await, Err(TlsProblem::ClientCertificateRequired), "{version:?}");
        let shows = |by: &Authority| {
            let key = KeyPair::generate().unwrap();
            let certificate = certificate_for(&["relay.example.com"]).signed_by(&key, &by.issuer).unwrap();
            let files = (pem_file(&certificate.pem()), pem_file(&key.serialize_pem()));
            let identity = Identity { certificate: files.0.path().into(), key: files.1.path().into() };
            Terms::new(&Settings { identity: Some(identity), ..Settings::only(authority.file.path()) }).unwrap()
        };
        assert_eq!(meet(&shows(&authority), Arc::clone(&server)).await, Ok(Shown::Certificate), "{version:?}");
        let refused = meet(&shows(&stranger), server).await.unwrap_err();
        assert!(matches!(refused, TlsProblem::ClientCertificateRefused { .. }), "{version:?}: {refused:?}");
    }
}

fn write(path: &Path, text: &str, age: u64) {
    std::fs::write(path, text).unwrap();
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + age);
    std::fs::File::options().append(true).open(path).unwrap().set_modified(time).unwrap();
}

#[tokio::test]
async fn a_replaced_ca_file_is_taken_up_within_a_minute_and_a_broken_one_is_not() {
    let (old, new) = (Authority::new(), Authority::named("The new one"));
    let server = Server::signed_by(&new, HOST, |_| {});
    let (file, now) = (pem_file(&old.issuer.pem()), Instant::now());
    let client = ClientTls::load(&Settings::only(file.path()), now).unwrap();
    let at = async |minutes: u32| {
        let terms = client.current(now + INTERVAL * minutes);
        word(handshake(&terms, HOST, Arc::clone(&server.tls)).await.0.map(|facts| facts.verified))
    };
    assert_eq!(at(0).await, "issuer");
    write(file.path(), &new.issuer.pem(), 1);
    assert_eq!(at(0).await, "issuer", "the file is not looked at for each connection");
    assert_eq!(at(1).await, "ok");
    write(file.path(), "-----BEGIN CERT", 2);
    assert_eq!(at(2).await, "ok", "the old one stays in use");
    write(file.path(), &old.issuer.pem(), 3);
    assert_eq!(at(3).await, "issuer", "no session of the old trust is resumed");
}

#[test]
fn a_useless_ca_file_is_an_error_that_names_it() {
    let file = pem_file("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
    for said in [
        Terms::new(&Settings::only(file.path())).unwrap_err().to_string(),
        http_terms(&Settings::only(file.path()), Instant::now()).unwrap_err().to_string(),
    ] {
        assert!(said.starts_with("certificate 1 in ") && said.contains(file.path().to_str().unwrap()), "{said}");
    }
    let missing = Path::new("/nowhere/ca.pem");
    let TlsProblem::OwnFile { detail } = Terms::new(&Settings::only(missing)).unwrap_err().into() else { panic!() };
    assert!(detail.contains("/nowhere/ca.pem"), "{detail}");
}

/// As [`outcome`], by what token calls are held to.
async fn at_token_endpoint(settings: &Settings, read: Instant, server: Arc<ServerConfig>) -> Result<(), TlsProblem> {
    let terms = http_terms(settings, read).unwrap();
    handshake(&terms, HOST, server).await.0.map(drop).map_err(|failed| failed.problem)
}

#[tokio::test]
async fn a_token_endpoint_is_held_to_everything_whatever_an_account_leaves_out() {
    let authority = Authority::new();
    let good = Server::signed_by(&authority, HOST, |_| {});
    let elsewhere = Server::signed_by(&authority, "mail.example.net", |_| {});
    let stranger = Server::signed_by(&Authority::named("A stranger"), HOST, |_| {});
    let wrong = [Pin::Key([7; 32])];
    for (verify, pins) in
        [(Verify::Full, &wrong[..]), (Verify::Chain, &wrong), (Verify::Pin, &wrong), (Verify::None, &[])]
    {
        let settings = settings(verify, &authority, pins);
        let meet = |server: &Server| at_token_endpoint(&settings, Instant::now(), Arc::clone(&server.tls));
        assert_eq!(meet(&good).await, Ok(()), "{verify:?}: pins are the mail server's");
        assert!(matches!(meet(&elsewhere).await, Err(TlsProblem::WrongName { .. })), "{verify:?}");
        assert!(matches!(meet(&stranger).await, Err(TlsProblem::UnknownIssuer { .. })), "{verify:?}");
    }
}

#[tokio::test]
async fn a_token_endpoint_never_sees_the_client_certificate() {
    let authority = Authority::new();
    let key = KeyPair::generate().unwrap();
    let certificate = certificate_for(&["relay.example.com"]).signed_by(&key, &authority.issuer).unwrap();
    let files = (pem_file(&certificate.pem()), pem_file(&key.serialize_pem()));
    let identity = Identity { certificate: files.0.path().into(), key: files.1.path().into() };
    let settings = Settings { identity: Some(identity), ..Settings::only(authority.file.path()) };
    let terms = http_terms(&settings, Instant::now()).unwrap();
    let refused = meet(&terms, strict(&authority, &version::TLS13)).await.unwrap_err();
    let TlsProblem::Alert { detail } = refused else { panic!("{refused:?}") };
    assert!(detail.contains("CertificateRequired"), "{detail}");
}

#[tokio::test]
async fn a_replaced_ca_file_counts_for_token_calls_too() {
    let (old, new) = (Authority::new(), Authority::named("The new one"));
    let server = Server::signed_by(&new, HOST, |_| {});
    let file = pem_file(&old.issuer.pem());
    // Read long enough ago to be looked at again by the first call.
    let read = Instant::now().checked_sub(INTERVAL).expect("this machine has run for a minute");
    let settings = Settings::only(file.path());
    let terms = http_terms(&settings, read).unwrap();
    write(file.path(), &new.issuer.pem(), 1);
    assert!(handshake(&terms, HOST, server.tls).await.0.is_ok());
}

/// What such a verifier says to a server.
async fn verdict(check: Check, server: &Server) -> Result<(), TlsProblem> {
    let verifier = Arc::new(Verifier::new(check, Vec::new()));
    let config = builder().unwrap().dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    let terms = Terms { config: Arc::new(config), verified: Verified::Chain };
    handshake(&terms, HOST, Arc::clone(&server.tls)).await.0.map(drop).map_err(|failed| failed.problem)
}

#[tokio::test]
async fn the_system_is_asked_about_the_chain_alone_too() {
    let authority = Authority::new();
    let anchored = || Anchored::System(system(&[authority.issuer.der().clone()]).unwrap());
    for name in ["mail.example.net", "*.example.net", "192.0.2.1"] {
        let other = Server::signed_by(&authority, name, |_| {});
        assert_eq!(verdict(Check::Chain(anchored()), &other).await, Ok(()), "{name}");
        let full = verdict(Check::ChainAndName(anchored()), &other).await;
        assert!(matches!(full, Err(TlsProblem::WrongName { .. })), "{name}: {full:?}");
    }
    let expired =
        Server::signed_by(&authority, "mail.example.net", |params| params.not_after = date_time_ymd(2020, 1, 1));
    assert_eq!(verdict(Check::Chain(anchored()), &expired).await, Err(TlsProblem::Expired));
    let stranger = Server::signed_by(&Authority::named("A stranger"), "mail.example.net", |_| {});
    assert!(matches!(verdict(Check::Chain(anchored()), &stranger).await, Err(TlsProblem::UnknownIssuer { .. })));
}

#[tokio::test]
async fn bundled_roots_need_no_system_and_trust_no_stranger() {
    let terms = Terms::new(&Settings { anchors: Anchors::Bundled, ..Settings::default() }).unwrap();
    let stranger = Server::signed_by(&Authority::new(), HOST, |_| {});
    let failed = handshake(&terms, HOST, stranger.tls).await.0.unwrap_err();
    assert!(matches!(failed.problem, TlsProblem::UnknownIssuer { .. }), "{failed:?}");
    assert!(bundled().len() > 100, "Mozilla trusts more than {}", bundled().len());
}

#[tokio::test]
async fn where_the_system_trusts_nobody_a_token_call_says_what_to_install() {
    let nobody = Anchored::Nobody(Arc::new(TrustError::System { detail: "none found".into() }));
    let refused = verdict(Check::ChainAndName(nobody), &Server::signed_by(&Authority::new(), HOST, |_| {})).await;
    let Err(TlsProblem::OwnFile { detail }) = refused else { panic!("{refused:?}") };
    assert!(detail.contains("`ca-certificates`"), "{detail}");
}
