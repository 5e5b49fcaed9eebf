//! `posthouse test`: one account tried out, step by step, in front of somebody who watches.
//!
//! Goes the courier's way through [`Upstream::connect`] and the same client dialogue; only the observer is its own.
//! Looks at no hold and changes none: it works beside a running relay. Without a mail it stops after AUTH and says
//! QUIT. A mail that was taken is a real one: it lies in the recipient's mailbox.

use std::sync::Arc;
use std::time::Instant;

use super::connect::{ConnectError, Upstream};
use super::line::Line;
use super::progress::Progress;
use crate::diagnosis::Failure;
use crate::mail::address::Address;
use crate::mail::envelope::{Envelope, Recipient, ReversePath, Sender};
use crate::smtp::client::{Event, Order, Refused};
use crate::smtp::reply::Refusal;
use crate::words::Phase;

/// A mail to send.
#[derive(Debug, Clone)]
pub struct Mail {
    /// In the envelope.
    pub from: Address,
    /// In the envelope; one is enough to see whether mail goes out.
    pub to: Address,
    /// The whole message, with CRLF line endings.
    pub octets: Vec<u8>,
}

/// Tries the account, and with a mail whether it delivers. What happens is told to `progress`, the end included.
///
/// # Errors
/// With the failure that ended it, which has been told as well.
pub async fn probe(upstream: &Upstream, mail: Option<&Mail>, progress: Progress) -> Result<(), Failure> {
    let result = attempt(upstream, mail, &progress).await;
    progress.end(result.as_ref().map(|_| ()));
    // From here on nothing is of interest (promise 6), but a server should not be left standing.
    drop(progress);
    if let Some(line) = result? {
        line.close().await;
    }
    Ok(())
}

/// The line, if there is still someone at its other end to say goodbye to.
async fn attempt(upstream: &Upstream, mail: Option<&Mail>, progress: &Progress) -> Result<Option<Line>, Failure> {
    let mut line = upstream.connect(progress).await.map_err(|ConnectError { failure, .. }| failure)?;
    let Some(mail) = mail else { return Ok(Some(line)) };
    let sent = send(mail, &mut line, progress).await;
    line.write_down(upstream.journal());
    sent.map(|()| Some(line))
}

async fn send(mail: &Mail, line: &mut Line, progress: &Progress) -> Result<(), Failure> {
    progress.set(Phase::Mail);
    line.begin();
    line.client().transfer(mail.order(), Instant::now()).map_err(Failure::CannotCarry)?;
    loop {
        progress.follow(line.client());
        match line.next().await? {
            Event::Heard { phase, reply } => progress.hear(phase, reply),
            Event::Go => {
                let now = Instant::now();
                line.client().body(&mail.octets, now);
                line.client().finish(now);
            }
            Event::Finished(reply) if reply.is_positive() => return Ok(()),
            Event::Finished(reply) => return Err(Failure::Reply { phase: Phase::Dot, reply }),
            Event::Refused(why) => return Err(refused(why)),
            _ => {}
        }
    }
}

impl Mail {
    fn order(&self) -> Order {
        let is_ascii = self.octets.is_ascii();
        let sender = Sender {
            reverse_path: ReversePath::Mailbox(self.from.clone()),
            declared_size: None,
            // The only thing in it that may not be ASCII are the addresses in its header.
            smtputf8: !is_ascii,
            ret: None,
            envid: None,
        };
        Order {
            envelope: Arc::new(Envelope { sender, recipients: vec![Recipient::plain(self.to.clone())] }),
            size: self.octets.len() as u64,
            eight_bit: !is_ascii,
            utf8_header: !is_ascii,
            all_or_nothing: true,
        }
    }
}

fn refused(why: Refused) -> Failure {
    let (phase, reply) = match why {
        Refused::Mail(refusal) => (Phase::Mail, Some(refusal)),
        // There is only one.
        Refused::Recipients(replies) => (Phase::Recipient, replies.into_iter().next().map(|(_, refusal)| refusal)),
        Refused::Data(refusal) => (Phase::Data, Some(refusal)),
    };
    match reply.map(Refusal::into_reply) {
        Some(reply) => Failure::Reply { phase, reply },
        None => Failure::Closed { phase },
    }
}
