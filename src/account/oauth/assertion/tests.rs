//! Assertions read back as a server reads them, with keys of every kind and form.
//!
//! Also lends the tests of the grants a certificate and its key.

use std::path::PathBuf;
use std::sync::OnceLock;

use aws_lc_rs::encoding::{AsDer, EcPrivateKeyRfc5915Der};
use aws_lc_rs::signature::EcdsaKeyPair;
use base64::prelude::BASE64_STANDARD;
use jsonwebtoken::{DecodingKey, Validation};
use rcgen::{
    CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::super::server::part;
use super::*;

const NOW: &str = "2026-11-22T08:00:00Z";
const AUDIENCE: &str = "https://login.example.com/token";

/// A certificate in PEM, and its key in PEM.
pub struct Pair {
    pub certificate: String,
    pub key: String,
}

/// One whose certificate ends in 2030.
pub fn pair(kind: &'static rcgen::SignatureAlgorithm) -> Pair {
    let key = KeyPair::generate_for(kind).unwrap();
    let mut params = CertificateParams::new(["posthouse.example.com".to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2030, 3, 4);
    Pair { certificate: params.self_signed(&key).unwrap().pem(), key: key.serialize_pem() }
}

/// Made once: primes are hard to find.
pub fn rsa_pair() -> &'static Pair {
    static PAIR: OnceLock<Pair> = OnceLock::new();
    PAIR.get_or_init(|| pair(&PKCS_RSA_SHA256))
}

/// Certificate and key in files.
pub struct Files {
    pub certificate: PathBuf,
    pub key: PathBuf,
    _directory: TempDir,
}

pub fn files(certificate: &str, key: &str) -> Files {
    let directory = tempfile::tempdir().unwrap();
    let (certificate_file, key_file) = (directory.path().join("client.crt"), directory.path().join("client.key"));
    std::fs::write(&certificate_file, certificate).unwrap();
    std::fs::write(&key_file, key).unwrap();
    Files { certificate: certificate_file, key: key_file, _directory: directory }
}

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

async fn signer(files: &Files) -> Result<Signer, TokenFailure> {
    Signer::of_client((&files.certificate, &files.key), "the app", AUDIENCE.into(), now()).await
}

/// What is said of these files, with their names in capitals.
async fn fault(files: &Files) -> String {
    match signer(files).await.err().expect("a fault") {
        TokenFailure::OwnFile { detail } => detail
            .replace(files.certificate.to_str().unwrap(), "CERTIFICATE")
            .replace(files.key.to_str().unwrap(), "KEY"),
        other => panic!("{other:?}"),
    }
}

/// Proves the signature with the certificate, as a server does.
fn verified(assertion: &str, certificate: &str) -> Value {
    let der = rustls::pki_types::pem::PemObject::from_pem_slice(certificate.as_bytes()).unwrap();
    let public = public_key(&der).unwrap();
    let algorithm = jsonwebtoken::decode_header(assertion).unwrap().alg;
    let key = match algorithm {
        Algorithm::ES256 => DecodingKey::from_ec_der(&public),
        _ => DecodingKey::from_rsa_der(&public),
    };
    let mut validation = Validation::new(algorithm);
    validation.set_audience(&[AUDIENCE]);
    // It was made at a time of the test's own.
    validation.validate_exp = false;
    jsonwebtoken::decode::<Value>(assertion, &key, &validation).unwrap().claims
}

#[tokio::test]
async fn a_client_says_who_it_is_to_one_endpoint_for_ten_minutes() {
    let pair = rsa_pair();
    let signer = signer(&files(&pair.certificate, &pair.key)).await.unwrap();
    let (one, other) = (signer.sign(now()).unwrap(), signer.sign(now()).unwrap());
    let mut claims = verified(one.expose(), &pair.certificate);
    assert_ne!(claims["jti"], part(other.expose(), 1)["jti"], "good for one use");
    claims.as_object_mut().unwrap().remove("jti");
    // 08:00:00 less the minute by which clocks may differ.
    let made = 1_795_334_340;
    let expected = json!({
        "iss": "the app", "sub": "the app", "aud": AUDIENCE, "iat": made, "nbf": made, "exp": made + 600,
    });
    assert_eq!(claims, expected);
}

#[tokio::test]
async fn the_header_names_the_certificate_as_microsoft_wants_it() {
    let pair = rsa_pair();
    let signer = signer(&files(&pair.certificate, &pair.key)).await.unwrap();
    let header = part(signer.sign(now()).unwrap().expose(), 0);
    let inside = pair.certificate.lines().filter(|line| !line.starts_with('-')).collect::<String>();
    let thumbprint = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(BASE64_STANDARD.decode(inside).unwrap()));
    assert_eq!(header, json!({ "typ": "JWT", "alg": "PS256", "x5t#S256": thumbprint }));
}

fn pem(label: &str, der: &[u8]) -> String {
    let body = BASE64_STANDARD.encode(der);
    let lines: Vec<&str> = body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

#[tokio::test]
async fn a_key_is_taken_in_every_form_that_openssl_writes() {
    let (rsa, ec) = (rsa_pair(), pair(&PKCS_ECDSA_P256_SHA256));
    let der = |pair: &Pair| pem::private_key_in(pair.key.as_bytes(), "x".as_ref()).unwrap();
    let (of_rsa, of_ec) = (der(rsa), der(&ec));
    let sec1 = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, of_ec.secret_der()).unwrap();
    let sec1: EcPrivateKeyRfc5915Der<'_> = sec1.private_key().as_der().unwrap();
    for (pair, key, algorithm) in [
        (rsa, rsa.key.clone(), "PS256"),
        (rsa, pem("RSA PRIVATE KEY", inside_pkcs8(of_rsa.secret_der()).unwrap()), "PS256"),
        (&ec, ec.key.clone(), "ES256"),
        (&ec, pem("EC PRIVATE KEY", sec1.as_ref()), "ES256"),
    ] {
        let signer = signer(&files(&pair.certificate, &key)).await.unwrap();
        let assertion = signer.sign(now()).unwrap();
        assert_eq!(part(assertion.expose(), 0)["alg"], algorithm, "{}", key.lines().next().unwrap());
        verified(assertion.expose(), &pair.certificate);
    }
}

#[tokio::test]
async fn in_a_chain_the_certificate_of_the_key_is_found_wherever_it_stands() {
    let (own, other) = (pair(&PKCS_ECDSA_P256_SHA256), pair(&PKCS_ECDSA_P256_SHA256));
    let chain = format!("{}{}", other.certificate, own.certificate);
    let thumbprint = async |chain: &str| {
        part(signer(&files(chain, &own.key)).await.unwrap().sign(now()).unwrap().expose(), 0)["x5t#S256"].clone()
    };
    assert_eq!(thumbprint(&chain).await, thumbprint(&own.certificate).await);
}

#[tokio::test]
async fn a_useless_file_is_named_with_what_is_wrong_with_it() {
    let (own, other) = (pair(&PKCS_ECDSA_P256_SHA256), pair(&PKCS_ECDSA_P256_SHA256));
    let said = fault(&files(&other.certificate, &own.key)).await;
    assert_eq!(said, "the private key in KEY does not belong to a certificate in CERTIFICATE; give both of one pair");
    let kind = "the private key in KEY is of a kind that cannot be used; expected RSA (2048 to 8192 bits) or EC P-256";
    for kind_of_key in [&PKCS_ED25519, &PKCS_ECDSA_P384_SHA384] {
        let odd = pair(kind_of_key);
        assert_eq!(fault(&files(&odd.certificate, &odd.key)).await, kind);
    }
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let said = fault(&files(&own.certificate, encrypted)).await;
    assert!(said.starts_with("the private key in KEY is encrypted") && said.contains("openssl pkey"), "{said}");
    assert!(fault(&files(&own.key, &own.key)).await.starts_with("CERTIFICATE holds no certificate"));
    assert!(fault(&files(&own.certificate, &own.certificate)).await.starts_with("KEY holds no private key"));
    let mut absent = files(&own.certificate, &own.key);
    std::fs::remove_file(&absent.key).unwrap();
    assert!(fault(&absent).await.starts_with("cannot read KEY: No such file"));
    absent.certificate = "/no/such/file".into();
    assert!(fault(&absent).await.starts_with("cannot read CERTIFICATE: No such file"));
}

#[tokio::test]
async fn a_certificate_that_has_ended_is_said_before_anybody_is_asked() {
    let pair = pair(&PKCS_ECDSA_P256_SHA256);
    let files = files(&pair.certificate, &pair.key);
    let ended: Timestamp = "2030-03-04T00:00:00Z".parse().unwrap();
    let at = async |now| Signer::of_client((&files.certificate, &files.key), "x", AUDIENCE.into(), now).await;
    assert!(at(ended - SignedDuration::from_secs(1)).await.is_ok());
    let file = files.certificate.display().to_string();
    assert_eq!(at(ended).await.err(), Some(TokenFailure::CertificateEnded { file, ended }));
}

#[test]
fn the_end_of_a_certificate_is_read_for_those_who_warn() {
    let pair = pair(&PKCS_ECDSA_P256_SHA256);
    let files = files(&pair.certificate, &pair.key);
    assert_eq!(certificate_ends(&files.certificate).unwrap().to_string(), "2030-03-04T00:00:00Z");
    let said = |path: &Path| match certificate_ends(path).unwrap_err() {
        TokenFailure::OwnFile { detail } => detail,
        other => panic!("{other:?}"),
    };
    assert!(said(&files.key).contains("holds no certificate"));
    std::fs::write(&files.key, pem("CERTIFICATE", b"no such thing")).unwrap();
    assert!(said(&files.key).ends_with("holds nothing that can be read as a certificate"));
}
