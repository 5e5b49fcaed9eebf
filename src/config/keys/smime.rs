//! The keys of `[accounts.NAME.smime]`.
//!
//! Holds names, kinds and purposes. What fits together stands in `check::smime`.

use super::{Key, Kind, Shape, key, list, value};

/// `accounts.smime.form`
pub(in crate::config) const FORM: &[&str] = &["clear", "opaque"];
/// `accounts.smime.over_limit`
pub(in crate::config) const OVER_LIMIT: &[&str] = &["clear", "hold"];
/// `accounts.smime.without`
pub(in crate::config) const WITHOUT: &[&str] = &["hold", "send_unsigned"];

const IDENTITY: Key =
    value("identity", Kind::Path).about("A PKCS#12 file, or a PEM file with certificate, chain and key");
const KEY: Key = value("key", Kind::Path).about("The private key, a PEM file, where it is not in the same one");
const PASSWORD: Key = value("password", Kind::Secret).about("The password of the PKCS#12 file");
const PASSWORD_FILE: Key = value("password_file", Kind::Hidden).about("A file with that password on one line");
const SENDERS: Key =
    list("senders", Kind::Pattern).about("Senders it signs for, beside the addresses in its certificate");

pub(super) const SMIME: &[Key] = &[
    IDENTITY,
    KEY,
    PASSWORD,
    PASSWORD_FILE,
    SENDERS,
    value("form", Kind::Word(FORM)).about("The signature beside the mail, or the mail inside the signature"),
    value("opaque_limit", Kind::Size).about("The largest mail that is signed opaque, 64KiB to 4GiB"),
    value("over_limit", Kind::Word(OVER_LIMIT)).about("What becomes of larger ones: signed clear, or held"),
    value("without", Kind::Word(WITHOUT)).about("What becomes of mail that no identity may sign"),
    key("identities", Shape::Each(&[IDENTITY, KEY, PASSWORD, PASSWORD_FILE, SENDERS]))
        .about("More identities; the sender decides which one signs"),
];
