//! Signing what goes out (S/MIME): the entity is digested once from the pieces, and sent as the same pieces again.
//!
//! Guarantees that a message is signed by an identity of its author or not at all, that it is not signed twice, and that
//! it is never in memory for that. Who may sign, and the forms, are `mail::smime`'s; what becomes of a message that nobody
//! may sign is the account's (`smime.without`).

use std::io;

use jiff::Timestamp;

use super::{CannotCompose, Draft, each_piece};
use crate::account::smime::{Form, OverLimit, Settings, Without};
use crate::diagnosis::Unsendable;
use crate::mail::change::{Change, Rule};
use crate::mail::header::block::Block;
use crate::mail::header::{mailbox, parser};
use crate::mail::mime::seven_bit::NotSafe;
use crate::mail::mime::signature::Signature;
use crate::mail::smime::choose::{Choice, Held, choose};
use crate::mail::smime::identity::Identity;
use crate::mail::smime::key::Digested;
use crate::mail::smime::wrap::Entity;
use crate::queue::Message;

/// Who signs a draft, and how.
pub(super) struct Signer<'a> {
    settings: &'a Settings,
    identity: &'a Identity,
    at: Timestamp,
}

impl<'a> Signer<'a> {
    /// Whoever may sign for the draft's author; nobody, where it goes out as it is, which is noted.
    pub(super) fn choose(
        draft: &mut Draft,
        settings: &'a Settings,
        held: &'a [Held<Identity>],
        at: Timestamp,
    ) -> Result<Option<Self>, Unsendable> {
        // Not held, whatever `smime.without` says: somebody has protected it, and no identity would ever end the hold.
        if let Some(detail) = already(&draft.head) {
            draft.changes.push(Change::new(Rule::NotSigned, detail));
            return Ok(None);
        }
        match choose(held, mailbox::author(&draft.head).as_ref(), at) {
            Choice::Sign(identity) => Ok(Some(Self { settings, identity, at })),
            Choice::Nobody(why) => without(draft, settings, why.to_string()).map(|()| None),
        }
    }

    /// What becomes of a draft whose 8-bit text stays.
    pub(super) fn cannot(self, draft: &mut Draft, why: &NotSafe) -> Result<(), Unsendable> {
        without(draft, self.settings, format!("it holds 8-bit text that cannot be encoded: {why}"))
    }

    /// Signs a draft that holds no 8-bit text.
    pub(super) fn sign(self, draft: &mut Draft, message: &Message) -> Result<(), CannotCompose> {
        let Self { settings, identity, at } = self;
        // Its own copy of the pieces: the draft stays whole where it is not signed in the end.
        let entity = Entity::new(&draft.head, draft.body.clone());
        let digested = digest(&entity, identity, message)?;
        let (signed, form) = match form(settings, digested.octets)? {
            Form::Clear => (entity.clear(identity, &digested, at), "clear"),
            Form::Opaque => (entity.opaque(identity, &digested, at), "opaque"),
        };
        let signed = match signed {
            Ok(signed) => signed,
            Err(error) => return Ok(without(draft, settings, error.to_string())?),
        };
        let detail = format!("{form}, by {} ({})", identity.facts().subject, identity.kind());
        draft.changes.push(Change::new(Rule::Signed, detail));
        if Block::read(&draft.head).first("DKIM-Signature").is_some() {
            let detail = "the body is in a signed part now, so the DKIM signature does not verify any more";
            draft.changes.push(Change::new(Rule::Signature, detail));
        }
        draft.head = signed.block;
        draft.head.extend_from_slice(b"\r\n");
        draft.body = signed.body;
        Ok(())
    }
}

/// The first of two readings of the entity; the second one sends it.
fn digest(entity: &Entity, identity: &Identity, message: &Message) -> io::Result<Digested> {
    let (mut digester, pieces) = (identity.digester(), entity.signed().collect::<Vec<_>>());
    each_piece(&pieces, message, |octets| digester.update(octets))?;
    Ok(digester.finish())
}

/// The form for an entity of so many octets.
fn form(settings: &Settings, octets: u64) -> Result<Form, Unsendable> {
    let limit = settings.opaque_limit;
    match (settings.form, settings.over_limit) {
        (Form::Opaque, OverLimit::Hold) if octets > limit => Err(Unsendable::TooLargeToSign { octets, limit }),
        (Form::Opaque, OverLimit::Clear) if octets > limit => Ok(Form::Clear),
        (form, _) => Ok(form),
    }
}

/// What becomes of a draft that nobody signs.
fn without(draft: &mut Draft, settings: &Settings, why: String) -> Result<(), Unsendable> {
    match settings.without {
        Without::Hold => Err(Unsendable::NotSigned { why }),
        Without::SendUnsigned => {
            draft.changes.push(Change::new(Rule::NotSigned, why));
            Ok(())
        }
    }
}

/// What is around the whole message already, which is not signed then.
fn already(head: &[u8]) -> Option<String> {
    let content = parser::content(&Block::read(head).first("Content-Type")?.unfolded())?;
    let kind = Signature::of_part(&content)?;
    // RFC 8551 §3.2.2; RFC 5083 has authEnveloped-data.
    let holds = content.parameter("smime-type").unwrap_or_default();
    let is_encrypted = ["enveloped-data", "authEnveloped-data"].iter().any(|kind| holds.eq_ignore_ascii_case(kind));
    Some(if is_encrypted {
        format!("it is encrypted ({kind}), and what cannot be read is not signed")
    } else {
        format!("it carries a signature of its own ({kind}), and no second one is put around that")
    })
}

#[cfg(test)]
mod tests {
    use super::already;

    #[test]
    fn what_is_encrypted_is_not_called_signed() {
        let said = |kind: &str| already(format!("Content-Type: {kind}\r\n").as_bytes());
        for kind in ["enveloped-data", "authEnveloped-data", "\"Enveloped-Data\""] {
            let said = said(&format!("application/pkcs7-mime; name=smime.p7m; smime-type={kind}")).unwrap();
            assert!(said.starts_with("it is encrypted (S/MIME)"), "{said}");
        }
        for kind in ["application/pkcs7-mime; smime-type=signed-data", "multipart/signed; boundary=b"] {
            let said = said(kind).unwrap();
            assert!(said.starts_with("it carries a signature of its own (S/MIME)"), "{said}");
        }
        assert_eq!(said("text/plain; smime-type=enveloped-data"), None);
    }
}
