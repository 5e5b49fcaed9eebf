//! The certificate authority of the sandbox, and one certificate for every way a certificate can be wrong; for a
//! client, the one that is asked for and a stranger's.
//!
//! All keys are made at start and live in memory only. Each kind has its own TLS configuration with its own session
//! cache, so a session begun under one certificate cannot be resumed under another: a change is seen at once.

use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{ToSpan, Zoned, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};

use crate::secret::Secret;

/// Which certificate a port presents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certificate {
    /// Valid for `localhost`, `127.0.0.1`, `::1` and the addresses bound.
    Good,
    /// Its time is over.
    Expired,
    /// Its time has not come.
    NotYetValid,
    /// For `mail.elsewhere.example` only.
    WrongHost,
    /// Signed by itself.
    SelfSigned,
    /// Signed by an authority nobody knows.
    UnknownAuthority,
}

impl Certificate {
    const ALL: [Self; 6] =
        [Self::Good, Self::Expired, Self::NotYetValid, Self::WrongHost, Self::SelfSigned, Self::UnknownAuthority];
}

/// A client's certificate and its key, in PEM form.
#[derive(Debug, Clone)]
pub struct ClientIdentity {
    /// For `client_certificate`.
    pub certificate: String,
    /// For `client_key`.
    pub key: Secret,
}

/// The authority and what it signed.
#[derive(Debug)]
pub(super) struct Authority {
    pem: String,
    client: ClientIdentity,
    strange_client: ClientIdentity,
    smtp: Shelf,
    token: Shelf,
}

/// What a port can present, and what it presents now.
#[derive(Debug)]
struct Shelf {
    good: Arc<ServerConfig>,
    others: Vec<(Certificate, Arc<ServerConfig>)>,
    presented: Mutex<Certificate>,
}

/// A server's certificate and its key.
type Pair = (CertificateDer<'static>, PrivateKeyDer<'static>);

impl Authority {
    /// Makes every key and certificate; `addresses` are added to the names of the good one. With `asks` the SMTP ports
    /// require a client certificate of this authority; the token endpoint never does.
    pub(super) fn new(addresses: &[IpAddr], asks: bool) -> io::Result<Self> {
        let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(String::from).to_vec();
        for address in addresses.iter().map(ToString::to_string) {
            if !names.contains(&address) {
                names.push(address);
            }
        }
        let (issuer, certificate) = authority("Posthouse sandbox authority")?;
        let (stranger, _) = authority("Somebody else's authority")?;
        let make = |kind| server(kind, &names, if kind == Certificate::UnknownAuthority { &stranger } else { &issuer });
        let good = make(Certificate::Good)?;
        let others = Certificate::ALL.into_iter().filter(|kind| *kind != Certificate::Good);
        let others: Vec<(Certificate, Pair)> = others.map(|kind| Ok((kind, make(kind)?))).collect::<io::Result<_>>()?;
        let clients = if asks { Some(clients_of(&certificate)?) } else { None };
        Ok(Self {
            pem: certificate.pem(),
            client: client(&issuer)?,
            strange_client: client(&stranger)?,
            smtp: Shelf::new(&good, &others, clients.as_ref())?,
            token: Shelf::new(&good, &others, None)?,
        })
    }

    pub(super) fn pem(&self) -> &str {
        &self.pem
    }

    pub(super) fn client(&self) -> &ClientIdentity {
        &self.client
    }

    pub(super) fn strange_client(&self) -> &ClientIdentity {
        &self.strange_client
    }

    pub(super) fn present_smtp(&self, kind: Certificate) {
        self.smtp.present(kind);
    }

    pub(super) fn present_token(&self, kind: Certificate) {
        self.token.present(kind);
    }

    pub(super) fn smtp(&self) -> Arc<ServerConfig> {
        self.smtp.presented()
    }

    pub(super) fn token(&self) -> Arc<ServerConfig> {
        self.token.presented()
    }
}

impl Shelf {
    fn new(
        good: &Pair,
        others: &[(Certificate, Pair)],
        clients: Option<&Arc<dyn ClientCertVerifier>>,
    ) -> io::Result<Self> {
        let others = others.iter().map(|(kind, pair)| Ok((*kind, tls(pair, clients)?)));
        Ok(Self {
            good: tls(good, clients)?,
            others: others.collect::<io::Result<_>>()?,
            presented: Mutex::new(Certificate::Good),
        })
    }

    fn present(&self, kind: Certificate) {
        *self.presented.lock().unwrap_or_else(PoisonError::into_inner) = kind;
    }

    fn presented(&self) -> Arc<ServerConfig> {
        let kind = *self.presented.lock().unwrap_or_else(PoisonError::into_inner);
        let other = self.others.iter().find(|(other, _)| *other == kind);
        Arc::clone(other.map_or(&self.good, |(_, config)| config))
    }
}

fn authority(name: &str) -> io::Result<(Issuer<'static, KeyPair>, rcgen::Certificate)> {
    let mut params = params(name, &[], Validity::Now)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate().map_err(io::Error::other)?;
    let certificate = params.self_signed(&key).map_err(io::Error::other)?;
    Ok((Issuer::new(params, key), certificate))
}

fn server(kind: Certificate, names: &[String], issuer: &Issuer<'_, KeyPair>) -> io::Result<Pair> {
    let elsewhere = ["mail.elsewhere.example".to_string()];
    let (names, validity) = match kind {
        Certificate::Expired => (names, Validity::Past),
        Certificate::NotYetValid => (names, Validity::Future),
        Certificate::WrongHost => (&elsewhere[..], Validity::Now),
        Certificate::Good | Certificate::SelfSigned | Certificate::UnknownAuthority => (names, Validity::Now),
    };
    let mut params = params("Posthouse sandbox", names, validity)?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate().map_err(io::Error::other)?;
    let certificate = if kind == Certificate::SelfSigned {
        params.self_signed(&key)
    } else {
        params.use_authority_key_identifier_extension = true;
        params.signed_by(&key, issuer)
    }
    .map_err(io::Error::other)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    Ok((certificate.der().clone(), key))
}

fn client(issuer: &Issuer<'_, KeyPair>) -> io::Result<ClientIdentity> {
    let mut params = params("Posthouse sandbox client", &[], Validity::Now)?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate().map_err(io::Error::other)?;
    let certificate = params.signed_by(&key, issuer).map_err(io::Error::other)?.pem();
    Ok(ClientIdentity { certificate, key: Secret::new(key.serialize_pem()) })
}

fn clients_of(authority: &rcgen::Certificate) -> io::Result<Arc<dyn ClientCertVerifier>> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).map_err(io::Error::other)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().map_err(io::Error::other)
}

fn tls((certificate, key): &Pair, clients: Option<&Arc<dyn ClientCertVerifier>>) -> io::Result<Arc<ServerConfig>> {
    // The defaults of rustls: TLS 1.2 and 1.3, and a cache of 256 sessions to resume.
    let builder = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    let builder = match clients {
        Some(clients) => builder.with_client_cert_verifier(Arc::clone(clients)),
        None => builder.with_no_client_auth(),
    };
    let config = builder.with_single_cert(vec![certificate.clone()], key.clone_key()).map_err(io::Error::other)?;
    Ok(Arc::new(config))
}

#[derive(Clone, Copy)]
enum Validity {
    Past,
    Now,
    Future,
}

fn params(name: &str, names: &[String], validity: Validity) -> io::Result<CertificateParams> {
    let mut params = CertificateParams::new(names.to_vec()).map_err(io::Error::other)?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    // Days, not hours: a clock a little off must not decide. Some platforms refuse server certificates above 398 days.
    let (from, to) = match validity {
        Validity::Past => (-30, -2),
        Validity::Now => (-2, 360),
        Validity::Future => (30, 360),
    };
    let day = |days: i32| {
        let date = Zoned::now().with_time_zone(TimeZone::UTC).saturating_add(days.days()).date();
        // The month and day of a civil date are 1..=12 and 1..=31: the signs are never negative.
        rcgen::date_time_ymd(date.year().into(), date.month().unsigned_abs(), date.day().unsigned_abs())
    };
    (params.not_before, params.not_after) = (day(from), day(to));
    Ok(params)
}
