//! What a certificate says of itself, for people: who, by whom, for which names, how long, and its pins.
//!
//! Reads what anybody may have sent: garbage is nothing rather than a panic, texts are cut and made printable, lists
//! are bounded. Proves nothing: whether a certificate is believed is for [`crate::net::trust`] to say.

use std::fmt;
use std::net::IpAddr;

use jiff::Timestamp;
use rustls::pki_types::{CertificateDer, ServerName};
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use crate::net::trust::Pin;
use crate::x509::{distinguished, moment, printable};

/// Names that are kept.
const NAMES: usize = 20;
/// Certificates of one chain that are looked at.
const CHAIN: usize = 10;

/// What one certificate says. All texts are printable and short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFacts {
    /// As RFC 4514 writes names: `CN=smtp.example.com,O=Example`. Often empty.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// DNS names and addresses it is for, at most 20 of them.
    pub names: Vec<String>,
    /// Valid from.
    pub not_before: Timestamp,
    /// Valid until.
    pub not_after: Timestamp,
    /// SHA-256 of the whole certificate: [`Pin::Certificate`].
    pub fingerprint: Pin,
    /// SHA-256 of its key: [`Pin::Key`].
    pub key: Pin,
}

impl CertificateFacts {
    /// Nothing for what is no certificate.
    #[must_use]
    pub fn of(der: &[u8]) -> Option<Self> {
        let certificate = Certificate::from_der(der).ok()?;
        let tbs = &certificate.tbs_certificate;
        let whole = CertificateDer::from(der);
        Some(Self {
            subject: distinguished(&tbs.subject),
            issuer: distinguished(&tbs.issuer),
            names: alternatives(&certificate).filter_map(|name| shown(&name)).take(NAMES).collect(),
            not_before: moment(tbs.validity.not_before),
            not_after: moment(tbs.validity.not_after),
            fingerprint: Pin::of_certificate(&whole),
            key: Pin::of_key(&whole)?,
        })
    }

    /// The certificates of a chain that can be read, leaf first.
    #[must_use]
    pub fn of_chain(chain: &[CertificateDer<'_>]) -> Vec<Self> {
        chain.iter().take(CHAIN).filter_map(|der| Self::of(der)).collect()
    }
}

/// One line: `CN=smtp.example.com, issued by CN=Example CA, valid until 2027-01-31`.
impl fmt::Display for CertificateFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subject = match (self.subject.as_str(), self.names.first()) {
            ("", Some(name)) => name,
            ("", None) => "without a name",
            (subject, _) => subject,
        };
        let until = self.not_after.strftime("%Y-%m-%d");
        if self.subject == self.issuer {
            write!(f, "{subject}, issued by itself, valid until {until}")
        } else {
            write!(f, "{subject}, issued by {}, valid until {until}", self.issuer)
        }
    }
}

/// One name that the certificate is for, whichever.
pub(in crate::net) fn any_name(der: &[u8]) -> Option<ServerName<'static>> {
    let certificate = Certificate::from_der(der).ok()?;
    alternatives(&certificate).find_map(|name| {
        let text = plain(&name)?;
        // A wildcard stands for any one label (RFC 9525 §6.3).
        let text = text.strip_prefix("*.").map_or_else(|| text.clone(), |rest| format!("posthouse.{rest}"));
        ServerName::try_from(text).ok()
    })
}

fn alternatives(certificate: &Certificate) -> impl Iterator<Item = GeneralName> {
    // Broken twice over is the same as none: the verifier refuses such a certificate.
    let found = certificate.tbs_certificate.get::<SubjectAltName>().ok().flatten();
    found.into_iter().flat_map(|(_, names)| names.0)
}

fn plain(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(name) => Some(name.as_str().to_owned()),
        GeneralName::IpAddress(octets) => address(octets.as_bytes()).map(|address| address.to_string()),
        _ => None,
    }
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(octets).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from)).ok()
}

fn shown(name: &GeneralName) -> Option<String> {
    plain(name).map(|name| printable(&name))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};

    use super::*;
    use crate::x509::LENGTH;

    fn made(change: impl FnOnce(&mut CertificateParams)) -> CertificateDer<'static> {
        let mut params = CertificateParams::new(["smtp.example.com".into(), "192.0.2.1".into(), "::1".into()]).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 2), date_time_ymd(2030, 3, 4));
        change(&mut params);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    #[test]
    fn a_certificate_tells_who_it_is_and_how_long() {
        let der = made(|params| {
            params.distinguished_name.push(DnType::CommonName, "Posthaus Zürich");
            params.distinguished_name.push(DnType::OrganizationName, "Example, Inc.");
        });
        let facts = CertificateFacts::of(&der).unwrap();
        assert_eq!(facts.subject, "O=Example\\, Inc.,CN=Posthaus Zürich");
        assert_eq!(facts.names, ["smtp.example.com", "192.0.2.1", "::1"]);
        assert_eq!(facts.not_before.to_string(), "2020-01-02T00:00:00Z");
        assert_eq!(facts.to_string(), format!("{}, issued by itself, valid until 2030-03-04", facts.subject));
        assert_eq!((facts.fingerprint, facts.key), (Pin::of_certificate(&der), Pin::of_key(&der).unwrap()));
        assert_eq!(CertificateFacts::of_chain(&[der.clone(), CertificateDer::from_slice(b"no"), der]).len(), 2);
    }

    /// Devices that make their own certificate like to do so; their pin must be told all the same.
    #[test]
    fn a_certificate_without_an_end_is_one_like_any_other() {
        let facts = CertificateFacts::of(&made(|params| params.not_after = date_time_ymd(9999, 12, 31))).unwrap();
        assert_eq!(facts.not_after, Timestamp::MAX);
        assert!(facts.to_string().ends_with("valid until 9999-12-30"), "{facts}");
    }

    #[test]
    fn texts_of_strangers_are_short_and_printable() {
        let der = made(|params| {
            params.distinguished_name.push(DnType::CommonName, format!("a\u{202e}b\u{1b}[31m{}", "x".repeat(500)));
        });
        let subject = CertificateFacts::of(&der).unwrap().subject;
        assert!(subject.starts_with("CN=a?b"), "{subject}");
        assert_eq!(subject.chars().count(), LENGTH);
        assert!(subject.chars().all(|c| !c.is_control()), "{subject}");
    }

    #[test]
    fn without_a_subject_the_first_name_stands_for_it() {
        let facts = CertificateFacts::of(&made(|_| {})).unwrap();
        assert!(facts.to_string().starts_with("smtp.example.com, issued by"), "{facts}");
    }

    #[test]
    fn any_name_will_do_where_none_is_asked_for() {
        let name = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|&name| name.into()).collect();
            any_name(&made(|params| {
                params.subject_alt_names = CertificateParams::new(names).unwrap().subject_alt_names;
            }))
        };
        assert_eq!(name(&["a.example"]), Some("a.example".try_into().unwrap()));
        assert_eq!(name(&["*.example.com"]), Some("posthouse.example.com".try_into().unwrap()));
        assert_eq!(name(&["192.0.2.1"]), Some("192.0.2.1".try_into().unwrap()));
        assert_eq!(name(&[]), None);
    }

    proptest! {
        #[test]
        fn garbage_is_nothing_and_never_a_panic(
            octets in prop::collection::vec(any::<u8>(), 0..200),
            at in any::<prop::sample::Index>(),
            cut in any::<prop::sample::Index>(),
        ) {
            prop_assert_eq!(CertificateFacts::of(&octets), None);
            // A real one with some octets overwritten, and cut short.
            let mut der = DER.with(|der| der.as_ref().to_vec());
            let at = at.index(der.len());
            for (old, new) in der[at..].iter_mut().zip(&octets) {
                *old = *new;
            }
            let _ = CertificateFacts::of(&der).map(|facts| facts.to_string());
            let _ = any_name(&der);
            der.truncate(cut.index(der.len()));
            prop_assert_eq!(CertificateFacts::of(&der), None);
        }
    }

    thread_local! {
        static DER: CertificateDer<'static> = made(|params| params.distinguished_name.push(DnType::CommonName, "x"));
    }
}
