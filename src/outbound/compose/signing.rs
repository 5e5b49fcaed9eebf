//! Signing what goes out (S/MIME): the entity is digested once from the pieces, and sent as the same pieces again.
//!
//! Guarantees that a message is signed by an identity of its author or not at all, that it is not signed twice, and that
//! it is never in memory for that. Who may sign, and the forms, are `mail::smime`'s; what becomes of a message that nobody
//! may sign is the account's (`smime.without`).

use std::io;

use super::{Draft, each_piece};
use crate::account::smime::{Form, OverLimit, Signing, Without};
use crate::mail::change::{Change, Rule};
use crate::mail::header::block::Block;
use crate::mail::header::{mailbox, parser};
use crate::mail::mime::signature::Signature;
use crate::mail::smime::choose::{Choice, choose};
use crate::mail::smime::identity::Identity;
use crate::mail::smime::key::Digested;
use crate::mail::smime::wrap::Entity;
use crate::net::clock::Moment;
use crate::queue::Message;

/// What became of it.
pub(super) enum Outcome {
    /// The draft is signed, or goes out without.
    Goes,
    /// It must not go out like this.
    Held(String),
}

/// Signs a draft that holds no 8-bit text; `eight_bit`: why it still does.
pub(super) fn sign(
    draft: &mut Draft,
    message: &Message,
    signing: &Signing,
    eight_bit: Option<String>,
    now: Moment,
) -> io::Result<Outcome> {
    if let Some(kind) = signature(&draft.head) {
        let detail = format!("it carries a signature of its own ({kind}), and no second one is put around that");
        draft.changes.push(Change::new(Rule::NotSigned, detail));
        return Ok(Outcome::Goes);
    }
    let held = signing.current(now.steady);
    let why = match (choose(&held, mailbox::author(&draft.head).as_ref(), now.wall), eight_bit) {
        (Choice::Nobody(why), _) => why.to_string(),
        (Choice::Sign(_), Some(why)) => format!("it holds 8-bit text that cannot be encoded: {why}"),
        (Choice::Sign(identity), None) => match signed(draft, message, signing, identity, now)? {
            Ok(()) => return Ok(Outcome::Goes),
            Err(why) => why,
        },
    };
    match signing.settings().without {
        Without::Hold => Ok(Outcome::Held(why)),
        Without::SendUnsigned => {
            draft.changes.push(Change::new(Rule::NotSigned, why));
            Ok(Outcome::Goes)
        }
    }
}

/// A signature that is around the whole message already.
fn signature(head: &[u8]) -> Option<Signature> {
    Signature::of_part(&parser::content(&Block::read(head).first("Content-Type")?.unfolded())?)
}

/// Signs with this identity, or says why that cannot be.
fn signed(
    draft: &mut Draft,
    message: &Message,
    signing: &Signing,
    identity: &Identity,
    now: Moment,
) -> io::Result<Result<(), String>> {
    let settings = signing.settings();
    let entity = Entity::new(&draft.head, std::mem::take(&mut draft.body));
    let mut digester = identity.digester();
    let pieces: Vec<_> = entity.signed().collect();
    each_piece(&pieces, message, |octets| digester.update(octets))?;
    let digested = digester.finish();
    let form = match (settings.form, settings.over_limit) {
        (Form::Opaque, OverLimit::Hold) if digested.octets > settings.opaque_limit => {
            let Digested { octets, .. } = digested;
            return Ok(Err(format!("it has {octets} octets, and smime.opaque_limit is {}", settings.opaque_limit)));
        }
        (Form::Opaque, OverLimit::Clear) if digested.octets > settings.opaque_limit => Form::Clear,
        (form, _) => form,
    };
    let signed = match form {
        Form::Clear => entity.clear(identity, &digested, now.wall),
        Form::Opaque => entity.opaque(identity, &digested, now.wall),
    };
    let signed = match signed {
        Ok(signed) => signed,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let form = if form == Form::Clear { "clear" } else { "opaque" };
    let detail = format!("{form}, by {} ({})", identity.facts().subject, identity.kind());
    draft.changes.push(Change::new(Rule::Signed, detail));
    if Block::read(&draft.head).first("DKIM-Signature").is_some() {
        let detail = "the body is in a signed part now, so the DKIM signature does not verify any more";
        draft.changes.push(Change::new(Rule::Signature, detail));
    }
    draft.head = signed.block;
    draft.head.extend_from_slice(b"\r\n");
    draft.body = signed.body;
    Ok(Ok(()))
}
