//! One message on its way in: its body is gathered, stamped, offered, and the device hears the one answer.
//!
//! Guarantees that a body is always read to its true end before it is answered, and that what was repaired or added is
//! told. Where nothing is kept a device that hangs
//! up takes its message with it as long as that is possible, unless it had sent everything ahead (a script); where there
//! is a queue the message goes on without it.

use std::sync::Arc;
use std::time::Instant;

use super::session::{Dialogue, Session, no_route};
use crate::diagnosis::Diagnosis;
use crate::ids::MessageId;
use crate::journal::{Event as Happened, MessageLine};
use crate::mail::envelope::Envelope;
use crate::mail::header::Header;
use crate::mail::mime::facts::Facts;
use crate::mail::repair::{self, Repaired};
use crate::mail::stamp::{self, Protocol, Trace};
use crate::net::link::{End, Link};
use crate::queue::body::{Body, BodyError, Draft, Known, Unstamped};
use crate::queue::{Answer, Kind, Message, Offer, Offered, Route};
use crate::smtp::body::{Endings, Summary};
use crate::smtp::reply::{Refusal, Reply};
use crate::smtp::server::{EndOfData, Ending, Event, Hello};

/// `Received:` fields that mean a loop (RFC 5321 §6.3).
const LOOP_LIMIT: usize = 50;

/// A message before it has an owner.
struct Arrived {
    id: MessageId,
    envelope: Arc<Envelope>,
    hello: Hello,
    /// What stands in front of the stamp; mostly nothing.
    fields: String,
    /// When its body had ended.
    since: Instant,
}

impl Session<'_> {
    /// From DATA to the answer, or to the end of the session if that comes first.
    pub(super) async fn message(
        &mut self,
        link: &mut Link<Dialogue>,
        envelope: Envelope,
        hello: Hello,
    ) -> Result<Option<Ending>, End> {
        let id = MessageId::new();
        let (envelope, fields) = self.redirect(id, envelope);
        let mut arrived = Arrived { id, envelope: Arc::new(envelope), hello, fields, since: Instant::now() };
        let mut draft = Ok(Draft::new(&self.door.spool, self.door.fixups.octets));
        loop {
            match self.next(link).await? {
                Event::Body(chunk) => {
                    draft = draft.and_then(|draft| draft.write(chunk));
                }
                Event::End(question) => {
                    self.write_down(link);
                    arrived.since = Instant::now();
                    self.end(link, arrived, question, draft).await;
                    return Ok(None);
                }
                Event::Refused(refusal, summary) => {
                    arrived.since = Instant::now();
                    self.log(&arrived, None, summary.size, refusal.reply(), None, false);
                    return Ok(None);
                }
                Event::Unfinished(summary) => {
                    let endings = summary.endings.to_string();
                    self.door.journal.record(Happened::Unfinished { message: arrived.id, endings });
                    return Ok(None);
                }
                Event::Ended(why) => return Ok(Some(why)),
                other => self.note(&other),
            }
        }
    }

    async fn end(
        &mut self,
        link: &mut Link<Dialogue>,
        arrived: Arrived,
        question: EndOfData,
        draft: Result<Draft, BodyError>,
    ) {
        let (known, unstamped) = match draft.and_then(Draft::finish) {
            Ok(whole) => whole,
            Err(error) => return self.refuse(link, &arrived, question, None, &refusal_of(&error)),
        };
        let Known { header, repaired } = known;
        let facts = Some(&repaired.facts);
        let offered = match self.finish(&arrived, &header, unstamped, question.summary, link.conversation()) {
            Ok(offered) => offered,
            Err(refusal) => return self.refuse(link, &arrived, question, facts, &refusal),
        };
        self.tell_of_repairs(arrived.id, question.summary.endings, &repaired);
        let size = offered.message.body.size();
        let copy = self.copy_of(&offered);
        let Ok(mut offer) = self.door.queue.offer(offered, self.door.wait, Instant::now()) else {
            let refusal = Refusal::new(451, 3, 5, "The account of this message is gone, try again later");
            self.log(&arrived, facts, size, refusal.reply(), None, false);
            link.conversation_mut().refuse(question, &refusal, Instant::now());
            return;
        };
        let answer = self.wait_for(link, &mut offer).await;
        let now = Instant::now();
        let (reply, diagnosis, queued) = match answer {
            Answer::Accepted(proof) => {
                let (reply, queued) = (proof.reply().clone(), proof.is_queued());
                self.archive(copy).await;
                link.conversation_mut().accept(question, proof, &reply, now);
                (reply, None, queued)
            }
            Answer::Refused(refusal, diagnosis) => {
                link.conversation_mut().refuse(question, &refusal, now);
                (refusal.into_reply(), diagnosis, false)
            }
        };
        // Only then is it told that the device has its answer: by the log, and to the courier, whose next dot waits.
        self.write_now(link).await;
        self.log(&arrived, facts, size, &reply, diagnosis.as_ref(), queued);
        drop(offer.into_told());
    }

    /// The device hears that it is not taken, before anybody was offered it.
    fn refuse(
        &self,
        link: &mut Link<Dialogue>,
        arrived: &Arrived,
        question: EndOfData,
        facts: Option<&Facts>,
        refusal: &Refusal,
    ) {
        self.log(arrived, facts, question.summary.size, refusal.reply(), None, false);
        link.conversation_mut().refuse(question, refusal, Instant::now());
    }

    /// Checks what can only be seen in the whole message, and puts our stamp on it.
    fn finish(
        &self,
        arrived: &Arrived,
        header: &Header,
        unstamped: Unstamped,
        summary: Summary,
        dialogue: &Dialogue,
    ) -> Result<Offered, Refusal> {
        if header.received > LOOP_LIMIT {
            return Err(Refusal::new(
                554,
                4,
                6,
                format!("Mail loop: the message was relayed {} times", header.received),
            ));
        }
        // RFC 5322 §3.6: which of them is meant must not be guessed.
        if header.from > 1 {
            return Err(Refusal::new(554, 6, 0, "The message has several From fields"));
        }
        // Mail sent elsewhere has fewer recipients than were given, and goes the way of the first.
        let routes: Vec<_> = self.mail.routes.iter().take(arrived.envelope.recipients.len()).cloned().collect();
        if routes.len() < arrived.envelope.recipients.len() {
            return Err(no_route());
        }
        let stamp = arrived.fields.clone() + &self.stamp(arrived, header, dialogue);
        // Under SMTPUTF8 the stamp may name an address that is not ASCII.
        let eight_bit_stamp = !stamp.is_ascii();
        let body: Body = unstamped.stamp(stamp);
        let message = Message {
            id: arrived.id,
            session: self.seat.session().id,
            device: self.device.clone(),
            kind: Kind::Mail,
            sender: arrived.envelope.sender.clone(),
            body,
            eight_bit: summary.eight_bit || eight_bit_stamp,
            eight_bit_header: header.eight_bit || eight_bit_stamp,
            arrived: jiff::Timestamp::now(),
        };
        Ok(Offered { message, envelope: Arc::clone(&arrived.envelope), routes })
    }

    fn stamp(&self, arrived: &Arrived, header: &Header, dialogue: &Dialogue) -> String {
        let (envelope, hello) = (&arrived.envelope, &arrived.hello);
        let protocol = Protocol {
            esmtp: hello.esmtp,
            tls: dialogue.is_secure(),
            auth: dialogue.is_signed_in(),
            utf8: envelope.sender.smtputf8,
        };
        let recipient = match envelope.recipients.as_slice() {
            [only] => Some(only.address.as_str()),
            _ => None,
        };
        let hostname = &self.door.dialogue.hostname;
        let trace = Trace { hello: &hello.name, peer: self.caller.source, hostname, protocol, recipient };
        let missing = self.door.fixups.fields.missing_in(header);
        let fields = match (missing.date, missing.message_id) {
            (false, false) => "Received",
            (true, false) => "Received, Date",
            (false, true) => "Received, Message-ID",
            (true, true) => "Received, Date, Message-ID",
        };
        self.door.journal.record(Happened::Stamped { message: arrived.id, fields });
        stamp::stamp(trace, arrived.id, header, missing, &jiff::Zoned::now())
    }

    fn tell_of_repairs(&self, message: MessageId, endings: Endings, repaired: &Repaired) {
        let mut changes = repair::line_endings(endings.bare_lf, endings.bare_cr, repaired.signature);
        changes.extend_from_slice(&repaired.changes);
        if !changes.is_empty() {
            self.door.journal.record(Happened::Repaired { message, changes: &changes });
        }
    }

    /// Waits for the answer and watches the device meanwhile.
    async fn wait_for(&mut self, link: &mut Link<Dialogue>, offer: &mut Offer) -> Answer {
        let (mut watching, mut dismissed) = (true, false);
        loop {
            tokio::select! {
                biased;
                answer = offer.answer() => return answer,
                gone = link.gone(), if watching => {
                    watching = false;
                    // Whoever sent QUIT ahead and closed is a script that means it.
                    let script = gone.fault.is_none() && link.conversation().has_quit_ahead();
                    if !script && offer.withdraw() {
                        return Answer::hung_up();
                    }
                }
                () = self.seat.dismissed(), if !dismissed => {
                    dismissed = true;
                    if offer.withdraw() {
                        return Answer::shutting_down();
                    }
                }
            }
        }
    }

    fn log(
        &self,
        arrived: &Arrived,
        facts: Option<&Facts>,
        size: u64,
        reply: &Reply,
        diagnosis: Option<&Diagnosis>,
        queued: bool,
    ) {
        self.door.journal.record(Happened::Message(MessageLine {
            message: arrived.id,
            device: &self.device,
            envelope: &arrived.envelope,
            facts,
            size,
            account: self.mail.routes.first().map(Route::first),
            reply,
            queued,
            took: arrived.since.elapsed(),
            diagnosis,
        }));
    }
}

fn refusal_of(error: &BodyError) -> Refusal {
    match error {
        BodyError::HeaderTooLarge => Refusal::new(552, 3, 4, "The header of the message is too large"),
        BodyError::Spool { .. } => {
            tracing::error!("{error}; free some space or set storage.directory");
            Refusal::new(452, 3, 1, "No room for the message, try again later")
        }
    }
}
