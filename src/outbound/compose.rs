//! A message as this account may send it, made anew for each attempt from the same stored octets.
//!
//! Guarantees that what differs from the stored message is told, and nothing else differs: the header is edited by
//! offsets, the body goes out as it lies there, is encoded where the provider takes no 8-bit text, and signed where the
//! account signs. A large body is never in memory. What may change is the account's, how it changes is `mail`'s.

mod signing;

use std::io;
use std::sync::Arc;

use crate::account::Settings;
use crate::account::senders::Remembered;
use crate::account::smime::Signing;
use crate::diagnosis::Unsendable;
use crate::mail::address::Address;
use crate::mail::change::{Change, Rule};
use crate::mail::envelope::{Envelope, ReversePath};
use crate::mail::header;
use crate::mail::header::block::Block;
use crate::mail::header::mailbox;
use crate::mail::mime::scan::Scanner;
use crate::mail::mime::seven_bit::{NotSafe, SevenBit, label, seven_bit};
use crate::mail::mime::signature::Signature;
use crate::mail::pieces::{self, Cursor, Piece};
use crate::mail::rewrite::{self, Rewritten, Rules};
use crate::mail::sender::Policy;
use crate::net::clock::Moment;
use crate::queue::body::Body;
use crate::queue::{Kind, Lease, Message};
use crate::smtp::client::Order;
use crate::smtp::extension::Extensions;
use crate::words::Phase;
use signing::Signer;

/// Octets of a body that are looked at in one go.
const BLOCK: usize = 64 * 1024;

/// Octets of a message that are looked at without another thread: a few milliseconds at most.
const QUICK: u64 = 1024 * 1024;

/// What an account makes of messages.
#[derive(Debug)]
pub(super) struct Composer {
    rules: Rules,
    signing: Option<Signing>,
}

/// A message, ready to be carried.
#[derive(Debug)]
pub(super) struct Composed {
    /// What the client is asked to carry.
    pub order: Order,
    /// The octets.
    pub pieces: Vec<Piece>,
    /// What differs from the stored message.
    pub changes: Vec<Change>,
    /// Senders that could be replaced if the provider refuses them.
    pub foreign: Foreign,
}

/// Senders that are not the account's own, where the policy is to fix what the provider refuses.
#[derive(Debug, Clone, Default)]
pub(super) struct Foreign {
    envelope: Option<ReversePath>,
    author: Option<Address>,
}

/// What is to be composed, and for whom.
#[derive(Debug)]
pub(super) struct Work {
    message: Arc<Message>,
    envelope: Arc<Envelope>,
    all_or_nothing: bool,
    /// What the server offers.
    offered: Extensions,
    /// Senders it refused before.
    refused: Remembered,
    now: Moment,
}

impl Work {
    /// The message of a lease.
    pub fn new(lease: &Lease, offered: Option<&Extensions>, refused: Remembered, now: Moment) -> Self {
        Self {
            message: Arc::clone(lease.message()),
            envelope: Arc::clone(lease.envelope()),
            all_or_nothing: lease.is_all_or_nothing(),
            offered: offered.cloned().unwrap_or_default(),
            refused,
            now,
        }
    }
}

/// Why a message cannot be made.
#[derive(Debug)]
pub(super) enum CannotCompose {
    /// The stored octets cannot be read.
    Read(io::Error),
    /// It can never go out through this account like this.
    Unsendable(Unsendable),
}

impl From<Unsendable> for CannotCompose {
    fn from(why: Unsendable) -> Self {
        Self::Unsendable(why)
    }
}

impl From<io::Error> for CannotCompose {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}

/// A message that is being made.
#[derive(Debug)]
struct Draft {
    /// The header block, with its empty line.
    head: Vec<u8>,
    body: Vec<Piece>,
    /// An octet above 127 is in the body.
    eight_bit: bool,
    changes: Vec<Change>,
}

impl Composer {
    /// As the account is configured; with what it signs, if it does.
    pub fn new(settings: &Settings, signing: Option<Signing>) -> Self {
        Self { rules: settings.rules(), signing }
    }

    /// Whether it is done at once: no large body is read for it.
    pub fn is_quick(&self, work: &Work) -> bool {
        let Work { message, offered, .. } = work;
        let is_read = message.eight_bit && (message.eight_bit_header || !offered.eight_bit_mime);
        message.body.size() <= QUICK || !(is_read || self.signing.is_some())
    }

    /// What goes out.
    pub fn compose(&self, work: &Work) -> Result<Composed, CannotCompose> {
        let Work { message, envelope, offered, refused, .. } = work;
        let is_strict = self.signing.is_some() || message.eight_bit && !offered.eight_bit_mime;
        let Header { block, end, closed } = read_header(&message.body, is_strict)?;
        let given = self.given(message, &envelope.sender.reverse_path, refused);
        let Rewritten { block: rewritten, reverse_path, mut changes, .. } =
            rewrite::rewrite(&block, &given, &self.rules, &refused.addresses);
        if given != envelope.sender.reverse_path {
            changes.push(Change::new(Rule::EnvelopeSender, format!("<> became {given}, the provider wants a sender")));
        }
        if closed {
            let detail = "an empty line was put before the first line that is no field";
            changes.push(Change::new(Rule::EndOfHeader, detail));
        }
        let mut draft = Draft {
            eight_bit: has_eight_bit_body(message, &block, end)?,
            body: vec![Piece::Stored(end..message.body.size())],
            head: rewritten.unwrap_or_else(|| block.clone()),
            changes,
        };
        let signing = self.signing.as_ref().filter(|_| !matches!(message.kind, Kind::Notice { .. }));
        let held = signing.map(|signing| signing.current(work.now.steady));
        let mut signer = match signing.zip(held.as_deref()) {
            Some((signing, held)) => Signer::choose(&mut draft, signing.settings(), held, work.now.wall)?,
            None => None,
        };
        // Of what is signed as well: a signature over 8-bit text would not outlive the way (RFC 8551 §3.1.3).
        let for_provider = !offered.eight_bit_mime && self.rules.fixups.eight_bit_body;
        if draft.eight_bit
            && (for_provider || signer.is_some())
            && let Err(why) = self.seven_bit(message, &block, end, &mut draft)?
        {
            if for_provider {
                return Err(Unsendable::EightBit { why: why.to_string() }.into());
            }
            if let Some(signer) = signer.take() {
                signer.cannot(&mut draft, &why)?;
            }
        }
        if let Some(signer) = signer {
            signer.sign(&mut draft, message)?;
        } else if draft.eight_bit && self.rules.fixups.mime_version && message.body.size() <= QUICK {
            self.label(message, &block, &mut draft)?;
        }
        self.finish(work, draft, reverse_path)
    }

    /// The reverse-path as it is to be judged: a provider that has refused `<>` wants a sender, but a notice has none.
    fn given(&self, message: &Message, reverse_path: &ReversePath, refused: &Remembered) -> ReversePath {
        let policy = self.rules.sender.as_ref().filter(|policy| policy.policy != Policy::Keep);
        match (reverse_path, policy) {
            (ReversePath::Null, Some(policy)) if refused.null && !matches!(message.kind, Kind::Notice { .. }) => {
                ReversePath::Mailbox(policy.address.clone())
            }
            _ => reverse_path.clone(),
        }
    }

    /// The body without 8-bit text, which nothing else about it changes.
    fn seven_bit(
        &self,
        message: &Message,
        block: &[u8],
        end: u64,
        draft: &mut Draft,
    ) -> io::Result<Result<(), NotSafe>> {
        let mut scanner = Scanner::with_structure(block);
        each_piece(&draft.body, message, |octets| scanner.push(octets))?;
        let (_, structure, signature) = scanner.finish();
        let structure = structure.expect("the scanner was asked for it");
        let SevenBit { body, fields, changes } = match seven_bit(&structure, &self.rules.charset) {
            Ok(seven_bit) => seven_bit,
            Err(why) => return Ok(Err(why)),
        };
        if let Some(head) = fields.apply(&draft.head) {
            draft.head = head;
        }
        // Its offsets count from the block that was read, whose empty line may be ours.
        draft.body = pieces::moved_up(body, (block.len() as u64).saturating_sub(end));
        draft.eight_bit = false;
        draft.changes.extend(changes);
        if signature == Some(Signature::Dkim) {
            let detail = "the body was encoded, so a DKIM signature over it does not verify any more";
            draft.changes.push(Change::new(Rule::Signature, detail));
        }
        Ok(Ok(()))
    }

    /// An 8-bit text that says nothing of itself says what it is.
    fn label(&self, message: &Message, block: &[u8], draft: &mut Draft) -> io::Result<()> {
        if Block::read(&draft.head).first("Content-Type").is_some() {
            return Ok(());
        }
        let mut scanner = Scanner::with_structure(block);
        each_piece(&draft.body, message, |octets| scanner.push(octets))?;
        let fields = scanner.finish().1.and_then(|structure| label(&structure, &self.rules.charset));
        if let Some(head) = fields.as_ref().and_then(|fields| fields.apply(&draft.head)) {
            draft.head = head;
            let said = fields.and_then(|fields| fields.content_type).unwrap_or_default();
            draft
                .changes
                .push(Change::new(Rule::MimeVersion, format!("8-bit text that says nothing of itself is {said}")));
        }
        Ok(())
    }

    fn finish(&self, work: &Work, draft: Draft, reverse_path: ReversePath) -> Result<Composed, CannotCompose> {
        let Draft { head, body, eight_bit, changes } = draft;
        let foreign = self.foreign(&work.message, &reverse_path, &head);
        let utf8_header = !head.is_ascii();
        let pieces: Vec<Piece> = std::iter::once(Piece::Own(head)).chain(body).collect();
        let mut read = |offset, octets: &mut [u8]| work.message.body.read_exact_at(offset, octets);
        let order = Order {
            envelope: with_sender(&work.envelope, reverse_path),
            size: pieces::size(&pieces, &mut read)?,
            eight_bit: eight_bit || utf8_header,
            utf8_header,
            all_or_nothing: work.all_or_nothing,
        };
        Ok(Composed { order, pieces, changes, foreign })
    }

    /// The senders of what goes out that are not the account's own, if another may stand in for them.
    fn foreign(&self, message: &Message, reverse_path: &ReversePath, head: &[u8]) -> Foreign {
        let policy = self.rules.sender.as_ref().filter(|policy| policy.policy == Policy::Fix);
        // A notice has no sender on purpose, and never gets one.
        let Some(policy) = policy.filter(|_| !matches!(message.kind, Kind::Notice { .. })) else {
            return Foreign::default();
        };
        let envelope = match reverse_path {
            ReversePath::Mailbox(address) if policy.is_own(address) => None,
            other => Some(other.clone()),
        };
        Foreign { envelope, author: mailbox::author(head).filter(|author| !policy.is_own(author)) }
    }
}

impl Foreign {
    /// What is to be replaced where the sender was refused in this phase: before DATA the provider has seen the envelope
    /// alone; behind it the author is what most of them look at.
    pub fn refused_at(&self, phase: Phase) -> Option<ReversePath> {
        let author = || self.author.clone().map(ReversePath::Mailbox);
        match phase {
            Phase::Mail | Phase::Recipient => self.envelope.clone(),
            _ => author().or_else(|| self.envelope.clone()),
        }
    }
}

/// The header of a stored message.
struct Header {
    /// With its empty line.
    block: Vec<u8>,
    /// Where the body begins in what is stored.
    end: u64,
    /// The empty line is ours.
    closed: bool,
}

/// Reads it. Where a line that is no field comes before an empty one, servers and readers differ in where the header ends;
/// where that matters (`is_strict`), and where no empty line comes at all, it ends there for all of them.
fn read_header(body: &Body, is_strict: bool) -> io::Result<Header> {
    let mut block = read_block(body)?;
    let end = Block::read(&block).end();
    let is_whole = end == 0 || block[end..].is_empty() || block[end..] == *b"\r\n";
    if is_whole || !is_strict && block.ends_with(b"\r\n\r\n") {
        let end = block.len() as u64;
        return Ok(Header { block, end, closed: false });
    }
    block.truncate(end);
    block.extend_from_slice(b"\r\n");
    Ok(Header { block, end: end as u64, closed: true })
}

/// Up to the empty line, or to the end where none comes.
fn read_block(body: &Body) -> io::Result<Vec<u8>> {
    let (mut octets, mut limit, mut searched) = (Vec::new(), 8 * 1024, 0);
    loop {
        body.read_at(0, limit, &mut octets)?;
        if let Some(end) = header::end(&octets, searched) {
            octets.truncate(end);
            return Ok(octets);
        }
        if octets.len() < limit {
            return Ok(octets);
        }
        (searched, limit) = (octets.len(), limit * 8);
    }
}

/// Whether an octet above 127 stands behind the header.
fn has_eight_bit_body(message: &Message, block: &[u8], end: u64) -> io::Result<bool> {
    // What is stored says it of the message as a whole; only where it may be the header's the body is looked at.
    if !message.eight_bit || block.is_ascii() {
        return Ok(message.eight_bit);
    }
    let mut eight_bit = false;
    let body = [Piece::Stored(end..message.body.size())];
    each_piece(&body, message, |octets| eight_bit |= !octets.is_ascii())?;
    Ok(eight_bit)
}

/// Reads these pieces from first to last.
fn each_piece(pieces: &[Piece], message: &Message, mut look: impl FnMut(&[u8])) -> io::Result<()> {
    let (mut cursor, mut octets) = (Cursor::new(pieces), Vec::new());
    let mut read = |offset, octets: &mut [u8]| message.body.read_exact_at(offset, octets);
    loop {
        let more = cursor.fill(BLOCK, &mut octets, &mut read)?;
        look(&octets);
        if !more {
            return Ok(());
        }
    }
}

fn with_sender(envelope: &Arc<Envelope>, reverse_path: ReversePath) -> Arc<Envelope> {
    if envelope.sender.reverse_path == reverse_path {
        return Arc::clone(envelope);
    }
    let mut changed = Envelope::clone(envelope);
    changed.sender.reverse_path = reverse_path;
    Arc::new(changed)
}

#[cfg(test)]
mod tests;
