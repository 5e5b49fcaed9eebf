//! `verify`, `ca_file`, `roots`, `pins`, `client_certificate` and `client_key` of an account: whom it believes, and
//! what it shows of itself.
//!
//! Words that other programs use for the same are understood. Finds what contradicts itself, and says what it means to
//! verify nothing (promise 3). Reads no file: those it names are looked at afterwards.

use std::path::Path;

use super::Aside;
use crate::account::Encryption;
use crate::config::files::{Named, NamedFile};
use crate::config::finding::Complaint;
use crate::config::section::Section;
use crate::config::tree::Value;
use crate::net::trust::{Anchors, Identity, MOST_PINS, Pin, PinError, Settings, Verify};

/// Reads them all. `encryption` is what the account was understood to ask for.
pub(super) fn read(section: &Section<'_>, encryption: Encryption, directory: &Path, aside: &mut Aside) -> Settings {
    let verify = verify(section);
    let pins = pins(section);
    let readable = pins.is_some();
    let settings = Settings {
        verify: verify.unwrap_or(Verify::Full),
        anchors: anchors(section, directory, aside),
        pins: pins.unwrap_or_default(),
        identity: identity(section, directory, aside),
    };
    if encryption == Encryption::None {
        without_tls(section);
    } else if readable {
        together(section, &settings);
    }
    settings
}

fn verify(section: &Section<'_>) -> Option<Verify> {
    Some(match section.word("verify")? {
        "chain" => Verify::Chain,
        "pin" => Verify::Pin,
        "none" => Verify::None,
        _ => Verify::Full,
    })
}

fn anchors(section: &Section<'_>, directory: &Path, aside: &mut Aside) -> Anchors {
    let roots = section.word("roots");
    let Some(path) = section.path("ca_file", directory) else {
        return if roots == Some("bundled") { Anchors::Bundled } else { Anchors::System };
    };
    if section.has("roots") {
        let complaint = Complaint::new("`ca_file` takes the place of the roots, so only one of the two can be meant");
        section
            .error("roots", complaint.hint("leave out `roots`, or `ca_file` if the server has a public certificate"));
    }
    name(section, "ca_file", NamedFile::Anchors(path.clone()), aside);
    Anchors::File(path)
}

/// Nothing if one of them cannot be read.
fn pins(section: &Section<'_>) -> Option<Vec<Pin>> {
    if !section.has("pins") {
        return Some(Vec::new());
    }
    let pins = section.list("pins", pin)?;
    if pins.len() > MOST_PINS {
        let complaint = Complaint::new(format!("there are {} pins; {MOST_PINS} are the most", pins.len()));
        section.error("pins", complaint.hint("keep the key in use and the one that follows it"));
    }
    Some(pins.into_iter().map(|(pin, _)| pin).collect())
}

fn pin(value: &Value) -> Result<Pin, Complaint> {
    let Value::Text(text) = value else {
        return Err(Complaint::new("expected a pin in quotes").hint(FORM));
    };
    text.parse().map_err(|error: PinError| Complaint::new(error.to_string()).hint(FORM))
}

const FORM: &str = "write pins = [\"sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\"], or \"certificate/E3:B0:…\" \
    with 32 pairs of digits; certs/README.md says how to get them";

fn identity(section: &Section<'_>, directory: &Path, aside: &mut Aside) -> Option<Identity> {
    let certificate = section.path("client_certificate", directory);
    let key = section.path("client_key", directory);
    for (given, missing) in [("client_certificate", "client_key"), ("client_key", "client_certificate")] {
        if section.has(given) && !section.has(missing) {
            let complaint = Complaint::new(format!("`{given}` is given without `{missing}`"));
            section.error(given, complaint.hint(format!("write {missing} = \"…\", the path of a PEM file")));
        }
    }
    if let Some(path) = &certificate {
        name(section, "client_certificate", NamedFile::Certificates(path.clone()), aside);
    }
    let identity = Identity { certificate: certificate?, key: key? };
    name(section, "client_key", NamedFile::Identity(identity.clone()), aside);
    Some(identity)
}

fn name(section: &Section<'_>, key: &str, file: NamedFile, aside: &mut Aside) {
    aside.named_files.push(Named { origin: section.origin_of(key), key: section.key(key), file });
}

/// Without TLS nobody shows a certificate. A `ca_file` may be for the token endpoint.
fn without_tls(section: &Section<'_>) {
    for key in ["verify", "pins", "client_certificate"].into_iter().filter(|key| section.has(key)) {
        let complaint = Complaint::new("encryption = \"none\": no certificate is shown, so there is nothing to verify");
        section.error(key, complaint.hint("encrypt: encryption = \"starttls\" or \"implicit\"; or leave this out"));
    }
}

/// What `verify` says, against what else is given.
fn together(section: &Section<'_>, settings: &Settings) {
    match settings.verify {
        Verify::Pin if settings.pins.is_empty() => {
            let complaint =
                Complaint::new("verify = \"pin\" believes one of `pins` and nothing else, and there is none");
            section.error("verify", complaint.hint(FORM));
        }
        Verify::None if section.has("pins") => {
            let complaint = Complaint::new("verify = \"none\" believes whatever is shown, but `pins` are given");
            section.error("verify", complaint.hint("write verify = \"pin\": that key, whoever signed it"));
        }
        Verify::None => {
            let credential = if section.has("oauth") {
                "the token, which opens the mailbox to others as well"
            } else {
                "the password"
            };
            let risk = format!(
                "the server's certificate is not verified: whoever stands between can pose as the server, read the mail and take {credential}"
            );
            section.warning("verify", Complaint::new(risk).hint(
                "write verify = \"pin\" with the server's key in `pins`, which works with any certificate; `posthouse test` shows the key",
            ));
        }
        Verify::Full | Verify::Chain | Verify::Pin => {}
    }
    // A token endpoint is verified in full all the same, and needs its anchors.
    let asked = matches!(settings.verify, Verify::Full | Verify::Chain) || section.has("oauth");
    for key in ["ca_file", "roots"].into_iter().filter(|key| !asked && section.has(key)) {
        let complaint = Complaint::new("with this `verify` nobody asks who signed the certificate");
        section.warning(key, complaint.hint("leave it out, or write verify = \"full\" or \"chain\""));
    }
}
