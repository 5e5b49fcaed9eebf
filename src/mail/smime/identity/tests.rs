//! Tests of identities: each kind of file gives the same one, and each useless file its own error.
//!
//! The certificates are made anew at each run.

use proptest::prelude::*;

use super::*;
use crate::mail::smime::samples::{self, Cipher, KINDS, Kind, PASSWORD, SCANNER};

fn subjects(identity: &Identity) -> Vec<&str> {
    identity.chain().map(|link| link.facts.subject.as_str()).collect()
}

const WHOLE: [&str; 3] = ["CN=Scanner", "CN=Example Mail CA", "CN=Example Root"];

#[test]
fn pem_and_both_encryptions_of_pkcs12_give_the_same_identity() {
    for kind in KINDS {
        let sample = samples::sample(kind);
        let files = [
            sample.pem().into_bytes(),
            sample.pkcs12(Cipher::Aes),
            sample.pkcs12(Cipher::TripleDes),
            sample.pkcs12(Cipher::Rc2),
        ];
        for (index, octets) in files.iter().enumerate() {
            let identity = samples::read(octets).unwrap_or_else(|error| panic!("{kind:?} {index}: {error}"));
            assert_eq!(subjects(&identity), WHOLE, "{kind:?} {index}");
            assert_eq!(identity.facts().addresses, [SCANNER.parse_address()]);
            assert_eq!(identity.remarks(), []);
        }
    }
}

trait Parsed {
    fn parse_address(&self) -> crate::mail::address::Address;
}

impl Parsed for str {
    fn parse_address(&self) -> crate::mail::address::Address {
        crate::mail::address::Address::parse(self.as_bytes()).unwrap()
    }
}

#[test]
fn a_key_may_have_a_file_of_its_own() {
    let sample = samples::sample(Kind::P256);
    let (certificate, key) = (sample.chain[0].pem(), sample.key.serialize_pem());
    let of = |path, text| Material { path: Path::new(path), octets: str::as_bytes(text) };
    let identity = Identity::read(of("cert.pem", &certificate), Some(of("key.pem", &key)), None).unwrap();
    assert_eq!(identity.kind(), "EC P-256");
    let said = Identity::read(of("cert.pem", &certificate), None, None).unwrap_err().to_string();
    assert!(said.starts_with("cert.pem holds no private key"), "{said}");
}

#[test]
fn each_useless_file_has_its_own_error() {
    let (sample, other) = (samples::sample(Kind::P256), samples::sample(Kind::P256));
    let p12 = sample.pkcs12(Cipher::Aes);
    let material = |octets| Material { path: Path::new("scanner.p12"), octets };
    let wrong = Secret::new("not it".to_owned());
    let read = |octets, password| Identity::read(material(octets), None, password).unwrap_err();
    assert!(matches!(read(&p12, Some(&wrong)), IdentityError::WrongPassword { .. }));
    assert!(matches!(read(&p12, None), IdentityError::NoPassword { .. }));
    assert!(matches!(read(b"hello", None), IdentityError::NotPkcs12 { .. }));
    assert!(matches!(read(&p12[..p12.len() / 2], Some(&wrong)), IdentityError::NotPkcs12 { .. }));
    let certificates: String = sample.chain.iter().map(rcgen::Certificate::pem).collect();
    let strange = certificates.clone() + &other.key.serialize_pem();
    assert!(matches!(read(strange.as_bytes(), None), IdentityError::NotAPair { .. }));
    let apart = Identity::read(material(&p12), Some(material(certificates.as_bytes())), None).unwrap_err();
    assert!(matches!(apart, IdentityError::KeyApart { .. }));
    let ed25519 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let text = certificates.clone() + &ed25519.serialize_pem();
    assert!(matches!(read(text.as_bytes(), None), IdentityError::Kind { .. }));
    let encrypted =
        certificates.clone() + "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let said = read(encrypted.as_bytes(), None).to_string();
    assert!(said.contains("openssl pkey -in scanner.p12"), "{said}");
}

#[test]
fn a_store_with_two_keys_is_not_guessed_at() {
    use p12_keystore::{Certificate as Stored, KeyStore, KeyStoreEntry, PrivateKeyChain};
    let mut store = KeyStore::new();
    for (name, id) in [("one", 1), ("two", 2)] {
        let sample = samples::sample(Kind::P256);
        let chain = [Stored::from_der(sample.chain[0].der()).unwrap()];
        let chain = PrivateKeyChain::new(sample.key.serialized_der(), [id], chain);
        store.add_entry(name, KeyStoreEntry::PrivateKeyChain(chain));
    }
    let octets = store.writer(PASSWORD).encryption_iterations(1000).mac_iterations(1000).write().unwrap();
    assert!(matches!(samples::read(&octets), Err(IdentityError::SeveralKeys { .. })));
}

#[test]
fn the_chain_is_in_order_whatever_the_file_says_and_what_is_odd_is_told() {
    let (sample, other) = (samples::sample(Kind::P256), samples::sample(Kind::P256));
    let of = |certificates: &[&rcgen::Certificate]| {
        let text: String = certificates.iter().map(|one| one.pem()).collect();
        samples::read((text + &sample.key.serialize_pem()).as_bytes()).unwrap()
    };
    let [leaf, middle, root] = &sample.chain[..] else { panic!() };
    let identity = of(&[root, middle, leaf]);
    assert_eq!((subjects(&identity), identity.remarks()), (WHOLE.to_vec(), &[Remark::Order][..]));
    // The one above may be left out if there is another between.
    let identity = of(&[leaf, middle]);
    assert_eq!((subjects(&identity), identity.remarks()), (WHOLE[..2].to_vec(), &[][..]));
    let identity = of(&[leaf]);
    assert_eq!(identity.remarks(), [Remark::NoIssuer { issuer: "CN=Example Mail CA".into() }]);
    // Of the same name, and with another key: not who signed it.
    let identity = of(&[leaf, &other.chain[1]]);
    let stray = Remark::Stray { subject: "CN=Example Mail CA".into() };
    assert_eq!(identity.remarks(), [Remark::NoIssuer { issuer: "CN=Example Mail CA".into() }, stray]);
}

#[test]
fn of_a_key_s_two_certificates_the_one_that_ends_last_counts() {
    let ends = |year| move |params: &mut rcgen::CertificateParams| params.not_after = rcgen::date_time_ymd(year, 1, 1);
    let sample = samples::altered(Kind::P256, ends(2030));
    let mut params = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
    ends(2040)(&mut params);
    let renewed = params.self_signed(&sample.key).unwrap();
    for (one, two) in [(&sample.chain[0], &renewed), (&renewed, &sample.chain[0])] {
        let text = one.pem() + &two.pem() + &sample.key.serialize_pem();
        let identity = samples::read(text.as_bytes()).unwrap();
        assert_eq!(identity.facts().not_after.to_string(), "2040-01-01T00:00:00Z");
    }
}

#[test]
fn nothing_of_the_key_is_printed() {
    let sample = samples::sample(Kind::Rsa);
    let text = format!("{:?}", sample.identity());
    assert!(text.contains("CN=Scanner") && text.contains("RSA, 2048 bits"), "{text}");
    assert!(text.len() < 1500, "{text}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_damaged_file_is_an_error_and_never_a_panic(at in any::<prop::sample::Index>(), octet in any::<u8>()) {
        let mut octets = P12.with(Clone::clone);
        let at = at.index(octets.len());
        prop_assume!(octets[at] != octet);
        octets[at] = octet;
        // What is not under the file's own checksum may change and still be read.
        let _ = samples::read(&octets);
    }
}

thread_local! {
    static P12: Vec<u8> = samples::sample(Kind::P256).pkcs12(Cipher::TripleDes);
}
