//! The certificate authority of the sandbox, and one certificate for every way a certificate can be wrong.
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
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

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

/// The authority and what it signed.
#[derive(Debug)]
pub(super) struct Authority {
    pem: String,
    good: Arc<ServerConfig>,
    others: Vec<(Certificate, Arc<ServerConfig>)>,
    smtp: Mutex<Certificate>,
    token: Mutex<Certificate>,
}

impl Authority {
    /// Makes every key and certificate; `addresses` are added to the names of the good one.
    pub(super) fn new(addresses: &[IpAddr]) -> io::Result<Self> {
        let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(String::from).to_vec();
        for address in addresses.iter().map(ToString::to_string) {
            if !names.contains(&address) {
                names.push(address);
            }
        }
        let (issuer, pem) = authority("Posthouse sandbox authority")?;
        let (stranger, _) = authority("Somebody else's authority")?;
        let make = |kind| server(kind, &names, if kind == Certificate::UnknownAuthority { &stranger } else { &issuer });
        let others = Certificate::ALL.into_iter().filter(|kind| *kind != Certificate::Good);
        Ok(Self {
            pem,
            good: make(Certificate::Good)?,
            others: others.map(|kind| Ok((kind, make(kind)?))).collect::<io::Result<_>>()?,
            smtp: Mutex::new(Certificate::Good),
            token: Mutex::new(Certificate::Good),
        })
    }

    pub(super) fn pem(&self) -> &str {
        &self.pem
    }

    pub(super) fn present_smtp(&self, kind: Certificate) {
        *self.smtp.lock().unwrap_or_else(PoisonError::into_inner) = kind;
    }

    pub(super) fn present_token(&self, kind: Certificate) {
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = kind;
    }

    pub(super) fn smtp(&self) -> Arc<ServerConfig> {
        self.config(*self.smtp.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn token(&self) -> Arc<ServerConfig> {
        self.config(*self.token.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn config(&self, kind: Certificate) -> Arc<ServerConfig> {
        let other = self.others.iter().find(|(k, _)| *k == kind);
        Arc::clone(other.map_or(&self.good, |(_, config)| config))
    }
}

fn authority(name: &str) -> io::Result<(Issuer<'static, KeyPair>, String)> {
    let mut params = params(name, &[], Validity::Now)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate().map_err(io::Error::other)?;
    let pem = params.self_signed(&key).map_err(io::Error::other)?.pem();
    Ok((Issuer::new(params, key), pem))
}

fn server(kind: Certificate, names: &[String], issuer: &Issuer<'_, KeyPair>) -> io::Result<Arc<ServerConfig>> {
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
    tls(vec![certificate.der().clone()], key)
}

fn tls(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> io::Result<Arc<ServerConfig>> {
    // The defaults of rustls: TLS 1.2 and 1.3, and a cache of 256 sessions to resume.
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(io::Error::other)?;
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
