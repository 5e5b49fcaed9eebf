//! `[accounts.NAME.smime]`: with which identities an account signs, and how.
//!
//! The first identity may stand in the section itself, more of them in a list below it. Guarantees at least one, with
//! one password at most. Reads no file: those it names are looked at afterwards.

use std::path::Path;

use super::Aside;
use crate::account::smime::{Form, IdentityFile, OPAQUE_LIMIT, OverLimit, Passphrase, Settings, Without};
use crate::config::files::NamedFile;
use crate::config::finding::Complaint;
use crate::config::section::Section;
use crate::config::tree::Origin;
use crate::config::values;
use crate::mail::address::Address;

/// What one identity takes, in whichever section.
const IDENTITY: [&str; 5] = ["identity", "key", "password", "password_file", "senders"];

/// Nothing where the account does not sign. `address`: who most of its mail is from.
pub(super) fn read(
    account: &Section<'_>,
    address: Option<Address>,
    directory: &Path,
    aside: &mut Aside,
) -> Option<Settings> {
    let section = account.section("smime")?;
    let without = match section.word("without") {
        Some("send_unsigned") => Without::SendUnsigned,
        _ => Without::Hold,
    };
    let own = IDENTITY.iter().any(|key| section.has(key)).then(|| identity(&section, without, directory, aside));
    let more = section.each("identities");
    let more = more.iter().map(|section| identity(section, without, directory, aside));
    let found: Vec<Option<IdentityFile>> = own.into_iter().chain(more).collect();
    if found.is_empty() {
        let complaint = Complaint::new("there is no identity to sign with");
        section.error_here(complaint.hint("write identity = \"certs/scanner.p12\", and password_file = \"…\""));
    }
    let identities: Vec<IdentityFile> = found.into_iter().flatten().collect();
    if let Some(sender) = address {
        aside.name(account, "smime", NamedFile::Signers { identities: identities.clone(), sender });
    }
    let form = if section.word("form") == Some("opaque") { Form::Opaque } else { Form::Clear };
    Some(Settings {
        identities,
        form,
        opaque_limit: opaque_limit(&section, form),
        over_limit: over_limit(&section, form),
        without,
    })
}

/// Nothing where there is no file to read it from, which is noted.
fn identity(section: &Section<'_>, without: Without, directory: &Path, aside: &mut Aside) -> Option<IdentityFile> {
    let passphrase = passphrase(section, directory, aside);
    let senders = section.list("senders", values::pattern).unwrap_or_default();
    let key = section.path("key", directory);
    if !section.has("identity") {
        let complaint = Complaint::new("an identity needs its file");
        section.error_here(complaint.hint("write identity = \"certs/scanner.p12\""));
    }
    let file = IdentityFile {
        identity: section.path("identity", directory)?,
        key,
        passphrase,
        senders: senders.into_iter().map(|(pattern, _)| pattern).collect(),
    };
    aside.name(section, "identity", NamedFile::Signer { file: file.clone(), without });
    Some(file)
}

fn passphrase(section: &Section<'_>, directory: &Path, aside: &mut Aside) -> Passphrase {
    if section.has("password") && section.has("password_file") {
        let complaint = Complaint::new("`password` and `password_file` are both given; a file has one password");
        section.error("password", complaint.hint("keep one of them, better password_file"));
    }
    if section.has("password") {
        aside.holds_secret |= matches!(section.origin_of("password"), Origin::File(_));
        return section.get("password", values::secret).map_or(Passphrase::None, Passphrase::Given);
    }
    let Some(path) = section.path("password_file", directory) else { return Passphrase::None };
    aside.name(section, "password_file", NamedFile::Secret(path.clone()));
    Passphrase::File(path)
}

fn opaque_limit(section: &Section<'_>, form: Form) -> u64 {
    let Some(limit) = section.get("opaque_limit", values::size) else { return OPAQUE_LIMIT };
    if !(64 << 10..=4 << 30).contains(&limit) {
        let complaint = Complaint::new("expected a size from 64KiB to 4GiB");
        section.error("opaque_limit", complaint.hint("write opaque_limit = \"16MiB\", or leave it out"));
    }
    for_opaque_only(section, "opaque_limit", form);
    limit
}

fn over_limit(section: &Section<'_>, form: Form) -> OverLimit {
    let Some(word) = section.word("over_limit") else { return OverLimit::Clear };
    for_opaque_only(section, "over_limit", form);
    if word == "hold" { OverLimit::Hold } else { OverLimit::Clear }
}

fn for_opaque_only(section: &Section<'_>, key: &str, form: Form) {
    if form == Form::Clear {
        let complaint = Complaint::new("mail signed clear has no limit, so this means nothing");
        section.warning(key, complaint.hint("leave it out, or write form = \"opaque\""));
    }
}
