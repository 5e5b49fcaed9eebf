//! What a certificate says about whoever signs mail with it: who, by whom, how long, for what, for which addresses.
//!
//! Texts are printable and short whatever was written into the certificate; garbage is nothing rather than a panic.
//! Proves nothing.

use std::fmt;

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::der::oid::db::rfc3280::EMAIL_ADDRESS;
use x509_cert::der::oid::db::rfc5280::{ANY_EXTENDED_KEY_USAGE, ID_KP_EMAIL_PROTECTION};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAltName};

use crate::mail::address::Address;
use crate::x509::{distinguished, moment};

/// Addresses that are kept.
const ADDRESSES: usize = 100;

/// What one certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// As RFC 4514 writes names. May be empty.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// Valid from.
    pub not_before: Timestamp,
    /// Valid until.
    pub not_after: Timestamp,
    /// SHA-256 of the whole certificate as people compare it: `AB:CD:…`.
    pub fingerprint: String,
    /// What it may be used for.
    pub purpose: Purpose,
    /// The mail addresses it names, at most 100.
    pub addresses: Vec<Address>,
}

/// What a certificate may be used for, as far as that matters to mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To sign mail: `emailProtection` (RFC 5280 §4.2.1.12).
    Mail,
    /// Anything: `anyExtendedKeyUsage`.
    Anything,
    /// It does not say, so nothing is forbidden (RFC 8550 §4.4.4).
    Unsaid,
    /// To sign other certificates: an authority's.
    Authority,
    /// Other things, such as TLS.
    OtherThings,
    /// Not to make signatures: neither `digitalSignature` nor `nonRepudiation` (RFC 8550 §4.4.2).
    NoSignatures,
}

impl Purpose {
    /// Whether recipients have to take a signature under a mail.
    #[must_use]
    pub fn may_sign_mail(self) -> bool {
        matches!(self, Self::Mail | Self::Anything | Self::Unsaid)
    }

    fn of(certificate: &Certificate) -> Self {
        let tbs = &certificate.tbs_certificate;
        let (constraints, usage, extended) =
            (tbs.get::<BasicConstraints>(), tbs.get::<KeyUsage>(), tbs.get::<ExtendedKeyUsage>());
        // One that somebody made for himself is its own authority, and OpenSSL writes that into it unasked: what it says
        // of mail counts. An authority that may only sign certificates is none the less one.
        let for_mail = matches!(&extended, Ok(Some((_, uses))) if uses.0.contains(&ID_KP_EMAIL_PROTECTION));
        let signs_mail = for_mail && !matches!(&usage, Ok(Some((_, usage))) if !signs(*usage));
        if !signs_mail && matches!(&constraints, Ok(Some((_, constraints))) if constraints.ca) {
            return Self::Authority;
        }
        match usage {
            Ok(None) => {}
            Ok(Some((_, usage))) if signs(usage) => {}
            // What cannot be read allows nothing.
            Ok(Some(_)) | Err(_) => return Self::NoSignatures,
        }
        match extended {
            Ok(None) => Self::Unsaid,
            Ok(Some((_, ExtendedKeyUsage(uses)))) if uses.contains(&ID_KP_EMAIL_PROTECTION) => Self::Mail,
            Ok(Some((_, ExtendedKeyUsage(uses)))) if uses.contains(&ANY_EXTENDED_KEY_USAGE) => Self::Anything,
            Ok(Some(_)) | Err(_) => Self::OtherThings,
        }
    }
}

fn signs(usage: KeyUsage) -> bool {
    usage.digital_signature() || usage.non_repudiation()
}

/// `for signing mail`
impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mail => "for mail (emailProtection)",
            Self::Anything => "for anything (anyExtendedKeyUsage)",
            Self::Unsaid => "does not say what it is for, so mail is allowed",
            Self::Authority => "an authority's, for signing certificates",
            Self::OtherThings => "for other things than mail",
            Self::NoSignatures => "not for signatures",
        })
    }
}

impl Facts {
    /// Nothing for what is no certificate.
    #[must_use]
    pub fn of(der: &[u8]) -> Option<Self> {
        Certificate::from_der(der).ok().map(|certificate| Self::of_parsed(&certificate, der))
    }

    pub(super) fn of_parsed(certificate: &Certificate, der: &[u8]) -> Self {
        let tbs = &certificate.tbs_certificate;
        Self {
            subject: distinguished(&tbs.subject),
            issuer: distinguished(&tbs.issuer),
            not_before: moment(tbs.validity.not_before),
            not_after: moment(tbs.validity.not_after),
            fingerprint: fingerprint(der),
            purpose: Purpose::of(certificate),
            addresses: addresses(certificate),
        }
    }

    /// Whether it names this address. Letters count in any case, before the `@` too: no provider tells them apart, and
    /// who typed the certificate's request did not think of it.
    #[must_use]
    pub fn names(&self, address: &Address) -> bool {
        self.addresses.iter().any(|own| own.as_str().eq_ignore_ascii_case(address.as_str()))
    }
}

fn fingerprint(der: &[u8]) -> String {
    let octets: Vec<String> = Sha256::digest(der).iter().map(|octet| format!("{octet:02X}")).collect();
    octets.join(":")
}

/// RFC 8550 §3: in the alternative names; in the subject for older certificates.
fn addresses(certificate: &Certificate) -> Vec<Address> {
    let tbs = &certificate.tbs_certificate;
    let alternatives = tbs.get::<SubjectAltName>().ok().flatten().map(|(_, names)| names.0).unwrap_or_default();
    let alternatives = alternatives.iter().filter_map(|name| match name {
        GeneralName::Rfc822Name(text) => Some(text.as_bytes()),
        _ => None,
    });
    let subject = tbs.subject.0.iter().flat_map(|part| part.0.iter());
    let subject = subject.filter(|attribute| attribute.oid == EMAIL_ADDRESS).map(|attribute| attribute.value.value());
    let mut found: Vec<Address> = Vec::new();
    for address in alternatives.chain(subject).filter_map(|text| Address::parse(text).ok()).take(ADDRESSES) {
        if !found.iter().any(|own| own.as_str().eq_ignore_ascii_case(address.as_str())) {
            found.push(address);
        }
    }
    found
}

#[cfg(test)]
mod tests;
