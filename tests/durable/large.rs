//! What a large mail costs: however its header is changed, its body encoded and signed, it is never in memory.
//!
//! The relay is a process of its own, and the system says how much of it was resident at most: after a small mail of the
//! same kind, so that only the size differs, and after one of 50 MiB. Guarantees nothing about time, and nothing about the
//! disk, where such a mail lies.

use std::fmt::Write as _;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use posthouse::sandbox::{Delivery, Extension, Offer, Sandbox, Settings};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SanType};

use crate::device::{Device, RECIPIENT};
use crate::relay::{Relay, Site};

const MIB: u64 = 1 << 20;

/// What a mail may have the relay need beyond what it needs for a small one, octets.
const ALLOWED: u64 = 16 * MIB;

const SMALL: usize = 100 << 10;
const LARGE: usize = 50 << 20;

/// Larger than the mail, whatever it is encoded to.
const ROOM: u64 = 200 * MIB;

/// The program is not optimized here, and the machine may be busy.
const IN_TIME: Duration = Duration::from_mins(5);

/// The account's own address, and who the device says it is: nobody on the internet.
const OWN: &str = "scanner@sandbox.example";
const STRANGER: &str = "copier@printers.local";

const BOUNDARY: &str = "=_parts_of_the_device";

/// What the mails hold.
#[derive(Debug, Clone, Copy)]
enum Content {
    /// A page as base64, as scanners send it: 7-bit as it is.
    Scan,
    /// Reports in UTF-8, which must be encoded before they are signed.
    Reports,
}

impl Content {
    /// A mail of this size, within a line or two.
    fn mail(self, size: usize) -> Vec<u8> {
        let mut mail = format!(
            "From: Copier <{STRANGER}>\r\nTo: {RECIPIENT}\r\nSubject: {size}\r\nMessage-ID: <{size}@printers.local>\r\n\
             MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"{BOUNDARY}\"\r\n\r\n"
        );
        match self {
            Self::Scan => {
                part(&mut mail, "text/plain; charset=us-ascii", "7bit", "A page.\r\n", 1);
                part(&mut mail, "application/pdf; name=\"scan.pdf\"", "base64", &Self::pdf_lines(), size);
            }
            Self::Reports => {
                for tenth in 1..=10 {
                    part(&mut mail, "text/plain; charset=utf-8", "8bit", Self::REPORT, size / 10 * tenth);
                }
            }
        }
        write!(mail, "--{BOUNDARY}--\r\n").expect("a String");
        mail.into_bytes()
    }

    const REPORT: &str = "Zähler 7: 1.204 Seiten, Füllstand 38 %, nächste Wartung = März\r\n";

    /// 57 octets are a line of 76 (RFC 2045 §6.8).
    fn pdf_lines() -> String {
        (0..=255_u8).fold(String::new(), |lines, octet| lines + &STANDARD.encode([octet; 57]) + "\r\n")
    }

    /// A line as it must arrive.
    fn sign_of_life(self) -> &'static str {
        match self {
            Self::Scan => "\r\nCQkJCQkJCQkJCQkJCQkJ",
            Self::Reports => "\r\nZ=C3=A4hler 7: 1.204 Seiten, F=C3=BCllstand",
        }
    }
}

/// A part of these lines again and again, until the mail has this size.
fn part(mail: &mut String, kind: &str, encoding: &str, lines: &str, size: usize) {
    let header = format!("--{BOUNDARY}\r\nContent-Type: {kind}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n");
    mail.push_str(&header);
    mail.push_str(lines);
    while mail.len() < size {
        mail.push_str(lines);
    }
}

/// What the account does with its mail.
#[derive(Debug, Clone, Copy)]
enum Way {
    Clear,
    Opaque,
    Unsigned,
}

impl Way {
    fn account(self) -> String {
        let sender = |policy| format!("[accounts.office.sender]\npolicy = \"{policy}\"\n");
        let smime = |form| format!("[accounts.office.smime]\nidentity = \"signer.pem\"\nform = \"{form}\"\n");
        match self {
            Self::Clear => sender("force") + &smime("clear"),
            Self::Opaque => sender("force") + &smime("opaque") + "opaque_limit = \"200MiB\"\n",
            Self::Unsigned => sender("fix"),
        }
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::Clear => "multipart/signed;",
            Self::Opaque => "application/pkcs7-mime;",
            Self::Unsigned => "multipart/mixed;",
        }
    }
}

/// A certificate for the account's address, by itself, and its key.
fn identity() -> String {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.subject_alt_names = vec![SanType::Rfc822Name(OWN.try_into().unwrap())];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::EmailProtection];
    params.self_signed(&key).unwrap().pem() + &key.serialize_pem()
}

/// A provider that takes large mail, and no 8-bit text.
async fn provider() -> Sandbox {
    let offer = Offer::like_gmail().without(&Extension::Size(None)).without(&Extension::EightBitMime);
    let offer = offer.with(Extension::Size(Some(ROOM)));
    let settings = Settings { offer, max_message_size: ROOM, ..Settings::new().unwrap() };
    Sandbox::start(settings).await.unwrap()
}

async fn delivered(site: &Site, sandbox: &Sandbox, mail: &[u8]) -> Vec<u8> {
    let number = sandbox.mailbox().count() + 1;
    let mut device = Device::greeted(site.address()).await;
    assert!(device.say(&format!("MAIL FROM:<{STRANGER}>")).await.starts_with("250"));
    assert!(device.say(&format!("RCPT TO:<{RECIPIENT}>")).await.starts_with("250"));
    device.data(mail).await;
    let reply = device.reply().await;
    assert!(reply.starts_with("250 "), "{reply}");
    let arriving = sandbox.mailbox().wait_for(number);
    let arrived = tokio::time::timeout(IN_TIME, arriving).await.unwrap_or_else(|_| panic!("it never arrives: {reply}"));
    let delivery: &Delivery = arrived.last().unwrap();
    assert_eq!(delivery.reverse_path, OWN);
    delivery.bytes.clone()
}

/// What must have become of it: all of it, from the account, in the form that was asked for.
fn assert_arrived(arrived: &[u8], sent: &[u8], way: Way, content: Content) {
    let end = memchr::memmem::find(arrived, b"\r\n\r\n").unwrap() + 4;
    let (header, body) = (String::from_utf8_lossy(&arrived[..end]), &arrived[end..]);
    assert!(header.contains(&format!("\r\nContent-Type: {}", way.content_type())), "{header}");
    assert!(header.contains(&format!("<{OWN}>")) && header.contains("\r\nX-Original-From: "), "{header}");
    assert!(arrived.is_ascii() && arrived.len() > sent.len(), "{} octets arrive", arrived.len());
    let decoded;
    let entity = if let Way::Opaque = way {
        let lines: Vec<u8> = body.iter().copied().filter(|octet| !b"\r\n".contains(octet)).collect();
        decoded = STANDARD.decode(lines).unwrap();
        &decoded
    } else {
        body
    };
    assert!(memchr::memmem::find(entity, content.sign_of_life().as_bytes()).is_some(), "its text is not there");
    let last = format!("\r\n--{BOUNDARY}--\r\n");
    assert!(memchr::memmem::rfind(entity, last.as_bytes()).is_some(), "its end is not there");
}

/// How much of it was resident at most since [`forget_peak`], octets.
fn peak(relay: &Relay) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", relay.id().unwrap())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the kernel counts it");
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1024
}

/// From here on the peak is what is resident now (`proc(5)`).
fn forget_peak(relay: &Relay) {
    std::fs::write(format!("/proc/{}/clear_refs", relay.id().unwrap()), "5").unwrap();
}

async fn assert_costs_little(way: Way, content: Content) {
    let sandbox = provider().await;
    let site = Site::new(&sandbox, &way.account());
    std::fs::write(site.directory().join("signer.pem"), identity()).unwrap();
    let mut relay = site.start(&[], &[("POSTHOUSE__LISTENERS__0__MAX_MESSAGE_SIZE", "80MiB".to_owned())]);
    assert!(relay.listens().await);
    let (small, large) = (content.mail(SMALL), content.mail(LARGE));
    assert_arrived(&delivered(&site, &sandbox, &small).await, &small, way, content);
    forget_peak(&relay);
    let before = peak(&relay);
    assert_arrived(&delivered(&site, &sandbox, &large).await, &large, way, content);
    let more = peak(&relay) - before;
    println!(
        "{way:?}, {content:?}: a mail of {} KiB takes {} KiB more than the {} KiB there were",
        large.len() / 1024,
        more / 1024,
        before / 1024
    );
    assert!(more < ALLOWED, "{way:?}, {content:?}: {} KiB more", more / 1024);
    assert!(relay.terminate().await.0.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_of_fifty_mebibytes_is_signed_clear_with_little_memory() {
    assert_costs_little(Way::Clear, Content::Scan).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_of_fifty_mebibytes_are_encoded_and_signed_clear_with_little_memory() {
    assert_costs_little(Way::Clear, Content::Reports).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_of_fifty_mebibytes_is_signed_opaque_with_little_memory() {
    assert_costs_little(Way::Opaque, Content::Scan).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_of_fifty_mebibytes_are_encoded_and_signed_opaque_with_little_memory() {
    assert_costs_little(Way::Opaque, Content::Reports).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_of_fifty_mebibytes_goes_unsigned_with_little_memory() {
    assert_costs_little(Way::Unsigned, Content::Scan).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_of_fifty_mebibytes_are_encoded_and_go_unsigned_with_little_memory() {
    assert_costs_little(Way::Unsigned, Content::Reports).await;
}
