//! What is wrong or risky about the identities an account signs its mail with.
//!
//! Wrong is a file that cannot be used; risky, what recipients will not believe, what ends soon, and a sender for whom
//! nobody signs. A file that cannot be used is noted once. Reads the files; the time is an argument.

use jiff::Timestamp;

use super::{NamedFile, WARNED_AHEAD};
use crate::account::smime::{IdentityFile, SmimeError, Without};
use crate::config::finding::Complaint;
use crate::disk;
use crate::mail::address::Address;
use crate::mail::pattern;
use crate::mail::smime::chain::Remark;
use crate::mail::smime::choose::{Unfit, unfit};
use crate::mail::smime::identity::{Identity, IdentityError};
use crate::pem::PemError;

const WHICH: &str =
    "export certificate, chain and private key together as PKCS#12 (.p12, .pfx); certs/README.md says how";
const WHOLE: &str =
    "put every certificate up to the root into the file, then this is not said; a root in it is not sent";
const RENEW: &str =
    "put the renewed one in its place, or beside it under `identities`; it is taken up without a restart";

/// Whether the file can be used.
pub(super) fn usable(file: &IdentityFile) -> Result<(), Complaint> {
    match file.read() {
        // A password that cannot be read is noted at its own place, and may stand where its file should.
        Ok(_) | Err(SmimeError::Password { .. }) => Ok(()),
        Err(error) => Err(complaint(&error)),
    }
}

fn complaint(error: &SmimeError) -> Complaint {
    let text = Complaint::new(error.to_string());
    match error {
        SmimeError::Identity(IdentityError::Pem(PemError::Read { path, source }))
            if source.kind() == std::io::ErrorKind::PermissionDenied =>
        {
            let user = disk::our_user().unwrap_or_else(|| "USER".into());
            text.hint(format!(
                "Posthouse runs as user {user} here, who may not read it; if that is the right one: `chown {user} {0} && chmod 600 {0}`",
                path.display()
            ))
        }
        SmimeError::Identity(IdentityError::NoPassword { .. }) => {
            text.hint("write the password into a file, and password_file = \"…\" beside `identity`")
        }
        SmimeError::Identity(IdentityError::WrongPassword { .. }) => {
            text.hint("write the password it was exported with; if nobody knows it any more, export it anew")
        }
        SmimeError::Identity(IdentityError::Pem(PemError::Read { source, .. }))
            if source.kind() == std::io::ErrorKind::NotFound =>
        {
            text.hint("correct the path, which counts from the configuration file's directory; or put the file there")
        }
        SmimeError::Identity(_) | SmimeError::TooLarge { .. } | SmimeError::Password { .. } => text.hint(WHICH),
    }
}

/// What is risky about it, of a file that can be used.
pub(super) fn risks(file: &NamedFile, now: Timestamp) -> Vec<Complaint> {
    match file {
        NamedFile::Signer { file, without } => {
            file.read().map(|identity| of_one(&identity, *without, now)).unwrap_or_default()
        }
        NamedFile::Signers { identities, sender } => nobody_for(identities, sender).into_iter().collect(),
        _ => Vec::new(),
    }
}

fn of_one(identity: &Identity, without: Without, now: Timestamp) -> Vec<Complaint> {
    let facts = identity.facts();
    let mail = match without {
        Without::Hold => "is held",
        Without::SendUnsigned => "goes out unsigned",
    };
    let useless = |unfit: Unfit| {
        Complaint::new(format!(
            "the certificate of {} {unfit}; mail that no other identity signs {mail}",
            facts.subject
        ))
    };
    let ends = facts.not_after.strftime("%Y-%m-%d");
    let mut risks = Vec::new();
    match unfit(facts, now) {
        Some(unfit @ Unfit::Ended { .. }) => risks.push(useless(unfit).hint(RENEW)),
        Some(unfit) => risks.push(useless(unfit).hint(WHICH)),
        None if now.duration_until(facts.not_after) < WARNED_AHEAD => {
            risks.push(Complaint::new(format!("the certificate of {} ends on {ends}", facts.subject)).hint(RENEW));
        }
        None => {}
    }
    let broken = identity.remarks().iter().filter(|remark| matches!(remark, Remark::NoIssuer { .. }));
    risks.extend(broken.map(|remark| Complaint::new(remark.to_string()).hint(WHOLE)));
    risks
}

/// Nothing if one of them cannot be read, which has its own finding.
fn nobody_for(identities: &[IdentityFile], sender: &Address) -> Option<Complaint> {
    let read: Vec<Identity> = identities.iter().map(|file| file.read().ok()).collect::<Option<_>>()?;
    let signs = |(file, identity): (&IdentityFile, &Identity)| {
        identity.facts().names(sender) || pattern::any_matches(&file.senders, sender.as_str())
    };
    if read.is_empty() || identities.iter().zip(&read).any(signs) {
        return None;
    }
    let complaint = Complaint::new(format!("no identity is for the sender {sender}, the address of this account"));
    Some(complaint.hint(
        "name the file with the certificate for that address; or, if recipients do not mind, write it under `senders`",
    ))
}

#[cfg(test)]
mod tests;
