//! MAIL, RCPT and DATA: the envelope, question by question.
//!
//! A transaction exists from an accepted MAIL to DATA, RSET or EHLO. Limits: SIZE as declared, the number of
//! recipients. Whether a sender or recipient may be is asked; the question owns the transaction meanwhile.

use std::time::Instant;

use super::receiving::Receiving;
use super::{Auth, Event, Expected, Hello, Progress, Server, Stage};
use crate::mail::envelope::{Envelope, Recipient, Sender};
use crate::smtp::quirk::Quirk;
use crate::smtp::reply::{Refusal, Reply};

/// From MAIL on.
#[derive(Debug)]
pub(super) struct Transaction {
    pub(super) hello: Hello,
    pub(super) envelope: Envelope,
}

/// `MAIL FROM`: may this sender send? The owner may complete the address before it answers.
#[derive(Debug)]
#[must_use = "the device waits for an answer"]
pub struct SenderQuestion {
    /// The reverse-path and its parameters.
    pub sender: Sender,
    hello: Hello,
}

/// `RCPT TO`: may this recipient receive? The owner may complete or redirect the address before it answers.
#[derive(Debug)]
#[must_use = "the device waits for an answer"]
pub struct RecipientQuestion {
    /// The forward-path and its parameters.
    pub recipient: Recipient,
    transaction: Box<Transaction>,
}

impl RecipientQuestion {
    /// The sender and the recipients accepted so far.
    #[must_use]
    pub fn envelope(&self) -> &Envelope {
        &self.transaction.envelope
    }
}

impl<A> Server<A> {
    pub(super) fn mail(&mut self, sender: Sender, now: Instant) -> Progress {
        if let Some(reply) = self.why_no_mail() {
            self.bad(&reply, now);
            return Progress::Again;
        }
        // RFC 1870 §6.1. Nothing is wrong with the command, so it does not count as a bad one.
        let limit = self.settings.max_size;
        if matches!(self.stage, Stage::Ready(_)) && sender.declared_size.is_some_and(|size| size > limit) {
            self.quirk(Quirk::DeclaredTooBig);
            self.good(&self.too_big(), now);
            return Progress::Again;
        }
        match std::mem::replace(&mut self.stage, Stage::Asked) {
            Stage::Ready(hello) => Progress::Event(Event::Sender(SenderQuestion { sender, hello })),
            other => {
                self.stage = other;
                self.quirk(Quirk::NoHello);
                self.bad(&Reply::new(503, 5, 1, "Say EHLO or HELO first"), now);
                Progress::Again
            }
        }
    }

    fn why_no_mail(&mut self) -> Option<Reply> {
        if matches!(self.stage, Stage::Mail(_)) {
            return Some(Reply::new(503, 5, 1, "A message has been begun already; RSET ends it"));
        }
        if self.settings.auth == Auth::Required && !self.signed_in {
            let text = if self.may_auth() || !self.settings.starttls {
                "Authentication required"
            } else {
                "Must issue a STARTTLS command first"
            };
            self.quirk(Quirk::LoginMissing);
            return Some(Reply::new(530, 7, 0, text));
        }
        None
    }

    pub(super) fn too_big(&self) -> Reply {
        Reply::new(552, 3, 4, format!("The message is too big, the limit is {} octets", self.settings.max_size))
    }

    /// The owner's answer to [`Event::Sender`].
    pub fn answer_sender(&mut self, question: SenderQuestion, answer: Result<(), Refusal>, now: Instant) {
        let SenderQuestion { sender, hello } = question;
        match answer {
            Ok(()) => {
                let envelope = Envelope { sender, recipients: Vec::new() };
                self.stage = Stage::Mail(Box::new(Transaction { hello, envelope }));
                self.good(&Reply::new(250, 1, 0, "Ok"), now);
            }
            Err(refusal) => {
                self.stage = Stage::Ready(hello);
                self.good(refusal.reply(), now);
            }
        }
    }

    pub(super) fn rcpt(&mut self, recipient: Recipient, now: Instant) -> Progress {
        match std::mem::replace(&mut self.stage, Stage::Asked) {
            Stage::Mail(transaction) if transaction.envelope.recipients.len() >= self.settings.max_recipients => {
                self.stage = Stage::Mail(transaction);
                // RFC 5321 §4.5.3.1.10: 452, so that the client sends the rest in another transaction.
                self.good(&Reply::new(452, 5, 3, "Too many recipients"), now);
                Progress::Again
            }
            Stage::Mail(transaction) => Progress::Event(Event::Recipient(RecipientQuestion { recipient, transaction })),
            other => {
                self.stage = other;
                self.bad(&Reply::new(503, 5, 1, "MAIL FROM comes first"), now);
                Progress::Again
            }
        }
    }

    /// The owner's answer to [`Event::Recipient`].
    pub fn answer_recipient(&mut self, question: RecipientQuestion, answer: Result<(), Refusal>, now: Instant) {
        let RecipientQuestion { recipient, mut transaction } = question;
        match answer {
            Ok(()) => {
                transaction.envelope.recipients.push(recipient);
                self.good(&Reply::new(250, 1, 5, "Ok"), now);
            }
            Err(refusal) => self.good(refusal.reply(), now),
        }
        self.stage = Stage::Mail(transaction);
    }

    pub(super) fn data(&mut self, now: Instant) -> Progress {
        match std::mem::replace(&mut self.stage, Stage::Fresh) {
            Stage::Mail(transaction) if !transaction.envelope.recipients.is_empty() => {
                self.good(&Reply::bare(354, "End data with <CRLF>.<CRLF>"), now);
                let Transaction { hello, envelope } = *transaction;
                let receiving = Receiving::new(hello.clone(), !self.strict, self.settings.max_size, now);
                self.stage = Stage::Body(Box::new(receiving));
                let ahead = self.lines.take_rest();
                if !ahead.is_empty() {
                    self.quirk(Quirk::BodyBeforeGoAhead);
                    self.receive_body(&ahead, now);
                }
                Progress::Event(Event::Message(Box::new(envelope), hello))
            }
            other => {
                let text = if matches!(other, Stage::Mail(_)) {
                    "No valid recipients"
                } else {
                    "MAIL FROM and RCPT TO come first"
                };
                self.stage = other;
                self.expected = Expected::PerhapsBody;
                self.bad(&Reply::new(503, 5, 1, text), now);
                Progress::Again
            }
        }
    }
}
