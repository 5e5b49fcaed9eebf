//! The files a configuration names: read, and looked at.
//!
//! Certificates and keys must be readable, fit each other and be free of a passphrase; password files must be there;
//! files with secrets should not be open to everyone. What is inside a password file is never repeated; its path only
//! where it can be no password, which people write where the path belongs (promise 4).

mod signers;

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use super::finding::{Complaint, Findings};
use super::tree::Origin;
use crate::account::oauth::{ServiceAccount, check_identity, service_account};
use crate::account::smime::{IdentityFile, Without};
use crate::diagnosis::TokenFailure;
use crate::disk;
use crate::mail::address::Address;
use crate::net::tls::certificate::CertificateFacts;
use crate::net::trust::{self, Identity};
use crate::pem;
use crate::secret::Secret;
use crate::store::file::check_key;

/// A configuration file is a few kilobytes; a device file or a log would be read without end.
const LARGEST_SOURCE: u64 = 1 << 20;
/// A password or client secret with its line ending.
const LARGEST_SECRET: u64 = 64 << 10;

/// How long before its end a certificate of ours is warned about.
const WARNED_AHEAD: SignedDuration = SignedDuration::from_hours(30 * 24);

/// A file the configuration names, to be looked at.
pub(super) struct Named {
    pub(super) origin: Origin,
    pub(super) key: String,
    pub(super) file: NamedFile,
}

/// What the file is to be.
pub(super) enum NamedFile {
    /// A certificate of ours and its chain.
    Certificates(PathBuf),
    /// Trust anchors.
    Anchors(PathBuf),
    /// A key for signing in to a provider, and the certificate it must belong to.
    Identity(Identity),
    /// A listener's private key, and the certificate it must belong to.
    Key { key: PathBuf, certificate: PathBuf },
    /// A certificate that is registered with an application.
    Registered(PathBuf),
    /// The key of such a certificate.
    Proof { certificate: PathBuf, key: PathBuf },
    /// One line with a secret.
    Secret(PathBuf),
    /// The JSON of a service account.
    ServiceAccount(ServiceAccount),
    /// The key of the vault, or several, one a line.
    VaultKey(PathBuf),
    /// With what mail is signed, and what becomes of mail that nobody may sign.
    Signer { file: IdentityFile, without: Without },
    /// All that an account signs with, and who most of its mail is from.
    Signers { identities: Vec<IdentityFile>, sender: Address },
}

impl NamedFile {
    /// What others must not read.
    fn private(&self) -> Option<&Path> {
        match self {
            Self::Secret(path)
            | Self::ServiceAccount(ServiceAccount { key_file: path, .. })
            | Self::VaultKey(path)
            | Self::Key { key: path, .. }
            | Self::Proof { key: path, .. }
            | Self::Identity(Identity { key: path, .. }) => Some(path),
            Self::Signer { file, .. } => Some(file.key_file()),
            Self::Certificates(_) | Self::Registered(_) | Self::Anchors(_) | Self::Signers { .. } => None,
        }
    }

    /// Whose end would be our own fault.
    fn own_certificate(&self) -> Option<&Path> {
        match self {
            Self::Certificates(path) => Some(path),
            // Those of an application are warned of with everything else that ends of a sign-in.
            Self::Key { .. }
            | Self::Identity(_)
            | Self::Anchors(_)
            | Self::Registered(_)
            | Self::Proof { .. }
            | Self::Secret(_)
            | Self::VaultKey(_)
            | Self::Signer { .. }
            | Self::Signers { .. }
            | Self::ServiceAccount(_) => None,
        }
    }
}

/// Reads the configuration file.
pub(super) fn read_source(path: &Path) -> Result<Zeroizing<String>, Complaint> {
    let bytes = open_at_most(path, LARGEST_SOURCE).map_err(|why| unreadable_source(path, &why))?;
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(error) => Err(not_utf8(path, &bytes, error.valid_up_to())),
    }
}

/// Why the configuration file cannot be read, and what to do about it.
fn unreadable_source(path: &Path, why: &io::Error) -> Complaint {
    let shown = path.display();
    match why.kind() {
        io::ErrorKind::IsADirectory => Complaint::new(format!("{shown} is a directory, and a file is wanted"))
            .hint(format!("name the file in it: {}", path.join("posthouse.toml").display())),
        io::ErrorKind::PermissionDenied => {
            let user = disk::our_user().unwrap_or_else(|| "USER".into());
            Complaint::new(format!("user {user} may not read {shown}"))
                .hint(format!("run as the user the file is for, or `chown {user} {shown}`"))
        }
        _ => Complaint::new(format!("cannot read {shown}: {why}")),
    }
}

fn not_utf8(path: &Path, bytes: &[u8], valid: usize) -> Complaint {
    let shown = path.display();
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        let complaint = Complaint::new(format!("{shown} is UTF-16, as Windows programs write it, and UTF-8 is wanted"));
        return complaint.hint(format!("save it as UTF-8, or `iconv -f UTF-16 -t UTF-8 {shown}`"));
    }
    let line = bytes[..valid].split(|octet| *octet == b'\n').count();
    Complaint::new(format!("{shown} is not UTF-8 in line {line}"))
        .hint(format!("save it as UTF-8; if it comes from an old Windows program, `iconv -f CP1252 -t UTF-8 {shown}`"))
}

/// Reads one line with a secret; one final line ending is cut off. `directory` is where relative paths count from.
pub(super) fn read_secret(path: &Path, directory: &Path) -> Result<Secret, Complaint> {
    let bytes = open_at_most(path, LARGEST_SECRET).map_err(|why| unreadable_secret(path, directory, &why))?;
    let named = name_of(path, directory);
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| Complaint::new(format!("{named} is not UTF-8")).hint("save it as plain text in UTF-8"))?;
    let line = text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
    match line {
        "" => Err(Complaint::new(format!("{named} is empty")).hint("write the secret into it, on one line")),
        line if line.contains(['\r', '\n', '\0']) => Err(Complaint::new(format!("{named} holds more than one line"))
            .hint("leave the secret alone in it, on one line")),
        line => Ok(Secret::new(line.to_owned())),
    }
}

fn vault_key(path: &Path, directory: &Path) -> Result<(), Complaint> {
    let bytes = open_at_most(path, LARGEST_SECRET).map_err(|why| unreadable_secret(path, directory, &why))?;
    let key = Secret::new(String::from_utf8_lossy(&bytes).into_owned());
    check_key(&key).map_err(|error| {
        let named = name_of(path, directory);
        Complaint::new(format!("{named} cannot be the key of the vault: {error}")).hint(HOW_TO_MAKE_A_KEY)
    })
}

/// Where a key of the vault is wrong.
pub(super) const HOW_TO_MAKE_A_KEY: &str =
    "put back the key it was; or, if nobody has signed in yet, what `openssl rand -base64 32` prints";

const NOT_THE_SECRET: &str =
    "write the path of a file here; the secret itself belongs in the key of the same name without `_file`";

/// Why the file of a secret cannot be read, and what to do about it.
fn unreadable_secret(path: &Path, directory: &Path, why: &io::Error) -> Complaint {
    let complaint = Complaint::new(format!("{} cannot be read: {why}", name_of(path, directory)));
    if !is_surely_a_path(path, directory) {
        return complaint.hint(NOT_THE_SECRET);
    }
    match why.kind() {
        io::ErrorKind::PermissionDenied => {
            let us = disk::our_user();
            let who = us.as_ref().map_or("its user".into(), |user| format!("user {user}"));
            let owner = us.unwrap_or_else(|| "USER".into());
            complaint.hint(format!(
                "Posthouse runs as {who} here, who may not read it; if that is the right one: `chown {owner} {0} && chmod 600 {0}`",
                path.display()
            ))
        }
        io::ErrorKind::NotFound if path.starts_with(directory) && !directory.as_os_str().is_empty() => complaint.hint(
            format!("looked in {}; relative paths count from the configuration file's directory", directory.display()),
        ),
        io::ErrorKind::NotFound => complaint.hint("make the file, or correct its path"),
        _ => complaint,
    }
}

/// How a message calls the file: by its path, unless that could be a password.
fn name_of(path: &Path, directory: &Path) -> String {
    if is_surely_a_path(path, directory) { path.display().to_string() } else { "the file named here".into() }
}

/// Endings that files with secrets have and passwords have not.
const ENDINGS: [&str; 6] = ["password", "passwd", "secret", "txt", "key", "pem"];

/// Whether what was written is a path and no password: it is there, ends like such files do, or leads through a
/// directory that is there. A slash alone proves nothing, since base64 has it too.
fn is_surely_a_path(path: &Path, directory: &Path) -> bool {
    let written = path.strip_prefix(directory).unwrap_or(path);
    let ending = written.extension().and_then(std::ffi::OsStr::to_str);
    let parent = written.parent().filter(|parent| !matches!(parent.to_str(), Some("" | "/" | ".")));
    let first = parent.and_then(|parent| {
        let steps = parent.components().take(if parent.has_root() { 2 } else { 1 });
        Some(directory.join(steps.collect::<PathBuf>())).filter(|first| first.is_dir())
    });
    path.exists() || first.is_some() || ending.is_some_and(|ending| ENDINGS.contains(&ending))
}

fn open_at_most(path: &Path, limit: u64) -> io::Result<Zeroizing<Vec<u8>>> {
    let file = std::fs::File::open(path)?;
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::other(format!("it is larger than {} KiB; is it the right file?", limit / 1024)));
    }
    Ok(bytes)
}

/// Looks at all files that are named, and at the configuration file itself if secrets stand in it.
pub(super) fn look(named: &[Named], source: Option<&Path>, holds_secret: bool, findings: &Findings) {
    let directory = source.and_then(Path::parent).unwrap_or(Path::new(""));
    for Named { origin, key, file } in named {
        match (usable(file, directory), file) {
            (Ok(()), _) => {}
            // Somebody else may bring it later, and accounts without a sign-in that is kept need none: they must send.
            // What may be the key itself, or a password, must not get as far as a log.
            (Err(complaint), NamedFile::VaultKey(path)) if is_surely_a_path(path, directory) => {
                findings.warning(origin, key, complaint);
            }
            (Err(complaint), _) => findings.error(origin, key, complaint),
        }
        if let Some(complaint) = file.own_certificate().and_then(|path| ending(path, Timestamp::now())) {
            findings.warning(origin, key, complaint);
        }
        for complaint in signers::risks(file, Timestamp::now()) {
            findings.warning(origin, key, complaint);
        }
        let Some(private) = file.private() else { continue };
        if open_to_everyone(private) {
            findings.warning(
                origin,
                key,
                Complaint::new(format!("every user of this machine can read {}", private.display())).hint(CLOSE_IT),
            );
        }
    }
    if let Some(path) = source.and_then(changeable) {
        let risk = format!("every user of this machine can change {}, and so read every password", path.display());
        findings.warning(&Origin::Nowhere, "", Complaint::new(risk).hint(format!("`chmod o-w {}`", path.display())));
    }
    if let Some(path) = source.filter(|path| holds_secret && open_to_everyone(path)) {
        let risk = format!("{} holds secrets and every user of this machine can read it", path.display());
        findings.warning(&Origin::Nowhere, "", Complaint::new(risk).hint(CLOSE_IT));
    }
}

/// The configuration file or its directory, whichever everybody may change: who does sends mail where he likes.
fn changeable(source: &Path) -> Option<&Path> {
    let directory = source.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
    [source, directory].into_iter().find(|path| disk::changeable_by_everyone(path))
}

const DOWNLOAD: &str =
    "at Google: IAM & Admin, Service accounts, Keys, Add key, JSON; name the file that is downloaded as it is";
const A_PAIR: &str =
    "name the key the registered certificate was made with: RSA or EC P-256, in PEM form, without a passphrase";
const CLOSE_IT: &str = "close it with `chmod o-rwx FILE`, and see that Posthouse's user or group may still read it";

fn usable(file: &NamedFile, directory: &Path) -> Result<(), Complaint> {
    match file {
        NamedFile::Secret(path) => read_secret(path, directory).map(drop),
        NamedFile::VaultKey(path) => vault_key(path, directory),
        NamedFile::Signer { file, .. } => signers::usable(file),
        NamedFile::Signers { .. } => Ok(()),
        NamedFile::ServiceAccount(account) => usable_for_tokens(service_account::check(account), DOWNLOAD),
        // An unusable certificate is noted at its own place.
        NamedFile::Proof { certificate, .. } if pem::certificates(certificate).is_err() => Ok(()),
        NamedFile::Proof { certificate, key } => {
            usable_for_tokens(check_identity(certificate, key, Timestamp::now()), A_PAIR)
        }
        NamedFile::Certificates(path) | NamedFile::Registered(path) => {
            pem::certificates(path).map(drop).map_err(|error| said(&error))
        }
        NamedFile::Anchors(path) => trust::check_anchors(path).map_err(|error| said(&error)),
        // An unusable certificate is noted at its own place.
        NamedFile::Identity(identity) if pem::certificates(&identity.certificate).is_err() => Ok(()),
        NamedFile::Identity(identity) => identity.load().map(drop).map_err(|error| said(&error)),
        NamedFile::Key { key, certificate } => {
            let key = pem::private_key(key).map_err(|error| said(&error))?;
            // An unusable certificate is noted at its own place.
            pem::certificates(certificate).map_or(Ok(()), |chain| belong_together(chain, key))
        }
    }
}

/// What `account::oauth` says of a file that it reads at each call.
fn usable_for_tokens(checked: Result<(), TokenFailure>, hint: &str) -> Result<(), Complaint> {
    match checked {
        // What has ended is warned of with everything else that ends of a sign-in.
        Ok(()) | Err(TokenFailure::CertificateEnded { .. }) => Ok(()),
        Err(failure) => Err(Complaint::new(failure.to_string()).hint(hint)),
    }
}

fn belong_together(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<(), Complaint> {
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    rustls::sign::CertifiedKey::from_der(chain, key, &provider).map(drop).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => Complaint::new("certificate and key do not belong together")
            .hint("the first certificate of the file must be the one made for this key"),
        other => Complaint::new(format!("certificate and key cannot be used: {other}"))
            .hint("certs/README.md says which kinds can"),
    })
}

fn said(error: &dyn std::error::Error) -> Complaint {
    Complaint::new(error.to_string())
        .hint("name a file in PEM form that Posthouse may read; certs/README.md says which and how")
}

/// A certificate whose time is over, or nearly so. One that cannot be read is noted elsewhere.
fn ending(path: &Path, now: Timestamp) -> Option<Complaint> {
    let facts = pem::certificates(path).ok().and_then(|chain| CertificateFacts::of(chain.first()?))?;
    let until = facts.not_after.strftime("%Y-%m-%d");
    if now >= facts.not_after {
        let complaint = Complaint::new(format!("the certificate in {} has expired on {until}", path.display()));
        Some(complaint.hint("replace the file by a renewed one; it is taken up without a restart"))
    } else if now.duration_until(facts.not_after) < WARNED_AHEAD {
        let complaint = Complaint::new(format!("the certificate in {} expires on {until}", path.display()));
        Some(complaint.hint("renew it in time; the new file is taken up without a restart"))
    } else {
        None
    }
}

/// Secrets that a container engine mounts are open inside the container by design, where nobody else is.
fn open_to_everyone(path: &Path) -> bool {
    !path.starts_with("/run/secrets") && disk::open_to_everyone(path)
}

#[cfg(test)]
mod tests;
