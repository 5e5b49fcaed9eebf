//! Mail to others than the device wrote: everything to one address for trials (`delivery.redirect_to`), and a copy of
//! everything to an archive (`delivery.archive_to`).
//!
//! Guarantees that redirected mail has no other recipient, that whom it was written to stands in its header, and that
//! no copy decides what a device hears: a copy is made only of mail that is answered 250, and one that cannot be kept
//! is the journal's affair. While mail is redirected there are no copies.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::session::Session;
use crate::ids::MessageId;
use crate::journal::Event as Happened;
use crate::mail::address::Address;
use crate::mail::envelope::{Envelope, Notify, Recipient, Sender};
use crate::mail::stamp;
use crate::queue::{Answer, Kind, Message, Offered, Route};
use crate::smtp::reply::Refusal;

/// Who else gets mail, or who gets it instead.
#[derive(Debug, Clone, Default)]
pub struct Elsewhere {
    /// `delivery.redirect_to`
    pub redirect_to: Option<Address>,
    /// `delivery.archive_to`
    pub archive_to: Option<Address>,
}

/// How long a device is kept waiting for its copy to be durable; afterwards it goes on by itself.
const PATIENCE: Duration = Duration::from_secs(2);

impl Session<'_> {
    /// The envelope a message goes out with, and the fields that belong on top of it.
    pub(super) fn redirect(&mut self, id: MessageId, envelope: Envelope) -> (Envelope, String) {
        let Some(to) = self.door.elsewhere.redirect_to.clone() else { return (envelope, String::new()) };
        self.door.journal.record(Happened::Redirected { message: id, to: &to, envelope: &envelope });
        let fields = stamp::original_to(envelope.recipients.iter().map(|recipient| &recipient.address));
        (Envelope { recipients: vec![Recipient::plain(to)], ..envelope }, fields)
    }

    /// The copy of a message for the archive, if there is one.
    pub(super) fn copy_of(&self, offered: &Offered) -> Option<Offered> {
        let Offered { message, envelope, routes } = offered;
        let to = self.door.elsewhere.archive_to.as_ref().filter(|_| self.door.elsewhere.redirect_to.is_none())?;
        let route = self.door.policy.route(&self.caller, &message.sender.reverse_path, to);
        let route = route.and_then(|route| Route::new(Arc::clone(route.accounts())));
        let fields = stamp::original_to(envelope.recipients.iter().map(|recipient| &recipient.address));
        let sender = Sender { declared_size: None, ret: None, envid: None, ..message.sender.clone() };
        // Whoever the copy reaches or does not reach, whoever sent the mail is not to hear of it (RFC 3461 §4.1).
        let recipient = Recipient { notify: Some(Notify::Never), ..Recipient::plain(to.clone()) };
        let copy = Message {
            id: MessageId::new(),
            session: message.session,
            device: message.device.clone(),
            kind: Kind::Copy { of: message.id },
            sender: sender.clone(),
            body: message.body.under(fields),
            eight_bit: message.eight_bit,
            eight_bit_header: message.eight_bit_header,
            arrived: message.arrived,
        };
        let envelope = Arc::new(Envelope { sender, recipients: vec![recipient] });
        Some(Offered { message: copy, envelope, routes: vec![route.or_else(|| routes.first().cloned())?] })
    }

    /// Has the copy of a message that is about to be answered 250 kept and sent. Returns when it is durable, or when
    /// that takes too long for a device.
    pub(super) async fn archive(&self, copy: Option<Offered>) {
        let Some(copy) = copy else { return };
        let Kind::Copy { of } = copy.message.kind else { return };
        let (queue, journal) = (Arc::clone(&self.door.queue), self.door.journal.clone());
        // By itself: the device's answer and its end do not touch it.
        let keeping = tokio::spawn(async move {
            let answer = match queue.offer(copy, Duration::ZERO, Instant::now()) {
                Ok(mut offer) => offer.answer().await,
                Err(_) => Answer::Refused(Refusal::new(451, 3, 5, "The account of the copy is gone"), None),
            };
            if let Answer::Refused(refusal, _) = answer {
                journal.record(Happened::NotArchived { message: of, reply: refusal.reply() });
            }
        });
        let _ = tokio::time::timeout(PATIENCE, keeping).await;
    }
}
