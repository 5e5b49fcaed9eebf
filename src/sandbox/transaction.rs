//! MAIL to the end of data at the practice provider.
//!
//! A message is in the mailbox before its `250` is written, and only then. Whatever is wrong with a body is answered
//! after its true end, so that no part of it is ever taken for a command.

use std::sync::Arc;

use jiff::Timestamp;

use super::Settings;
use super::body::{Body, Complete};
use super::fault::Stage;
use super::grammar::Path;
use super::mailbox::{Delivery, Protection, Recipient};
use super::manners::Refusal;
use super::offer::Extension;
use super::parameters::{self, Announced, Wrong};
use super::record::{Rule, count};
use super::sender;
use super::session::{Door, Manner, Reply, Session, Standing};
use super::wire::End;

/// How far the envelope is.
pub(super) enum Envelope {
    /// No MAIL yet.
    None,
    /// MAIL was refused. A client that sent ahead cannot know: its RCPT and DATA are no breach (RFC 2920 §3.1).
    Refused,
    /// MAIL was accepted.
    Open(Transaction),
}

/// An accepted MAIL and what followed.
pub(super) struct Transaction {
    path: Path,
    announced: Announced,
    recipients: Vec<Recipient>,
    /// RCPT commands seen, refused ones too.
    attempted: usize,
}

impl Session {
    pub(super) async fn mail(&mut self, path: Path) -> Result<(), End> {
        if matches!(self.standing, Standing::Fresh | Standing::Refused) {
            return self.out_of_order("EHLO first").await;
        }
        if matches!(self.envelope, Envelope::Open(_)) {
            return self.out_of_order("MAIL inside a transaction").await;
        }
        self.envelope = Envelope::Refused;
        if self.door == Door::StartTls && self.protection == Protection::Clear {
            return self.answer(530, "5.7.0", "Must issue a STARTTLS command first").await;
        }
        if self.shared.settings.require_auth && self.login.is_none() {
            return self.answer(530, "5.7.0", "Authentication required").await;
        }
        let announced = match parameters::of_mail(&path, &self.shared.settings.offer) {
            Ok(announced) => announced,
            Err(wrong) => return self.wrong_parameter(wrong).await,
        };
        if !path.address.is_ascii() && !announced.utf8 {
            return self.not_announced_utf8().await;
        }
        if announced.size.is_some_and(|size| size > self.size_limit()) {
            return self.answer(552, "5.3.4", "Message size exceeds the fixed limit").await;
        }
        let shared = Arc::clone(&self.shared);
        if let Some(refusal) = sender::at_mail(&shared.settings.manners.senders, &path.address) {
            return self.refuse(refusal, Manner::Whole).await;
        }
        let Some(manner) = self.fault(&Stage::Mail).await? else { return Ok(()) };
        count(&self.shared.record.counting.transactions);
        self.envelope = Envelope::Open(Transaction { path, announced, recipients: Vec::new(), attempted: 0 });
        self.say(&Reply { code: 250, enhanced: "2.1.0", lines: &["Ok"] }, manner).await
    }

    pub(super) async fn rcpt(&mut self, path: Path) -> Result<(), End> {
        let most = self.shared.settings.recipients_per_message;
        let pipelining = self.pipelining();
        let (utf8, full) = match &mut self.envelope {
            Envelope::Open(transaction) => {
                transaction.attempted += 1;
                (transaction.announced.utf8, transaction.recipients.len() >= most)
            }
            Envelope::Refused if pipelining => return self.answer(503, "5.5.1", "MAIL was refused").await,
            Envelope::None | Envelope::Refused => return self.out_of_order("MAIL first").await,
        };
        if let Err(wrong) = parameters::of_rcpt(&path, &self.shared.settings.offer) {
            return self.wrong_parameter(wrong).await;
        }
        if !path.address.is_ascii() && !utf8 {
            return self.not_announced_utf8().await;
        }
        if full {
            let shared = Arc::clone(&self.shared);
            return self.refuse(&shared.settings.manners.too_many_recipients, Manner::Whole).await;
        }
        let fault = self.shared.faults.take_rcpt(&path.address);
        let Some(manner) = self.act(fault).await? else { return Ok(()) };
        if let Envelope::Open(transaction) = &mut self.envelope {
            let parameters = as_given(&path);
            transaction.recipients.push(Recipient { address: path.address, parameters });
        }
        self.say(&Reply { code: 250, enhanced: "2.1.5", lines: &["Ok"] }, manner).await
    }

    pub(super) async fn data(&mut self) -> Result<(), End> {
        match &self.envelope {
            Envelope::Open(transaction) if !transaction.recipients.is_empty() => {}
            Envelope::Open(transaction) if transaction.attempted > 0 && self.pipelining() => {
                return self.answer(554, "5.5.1", "No valid recipients").await;
            }
            Envelope::Refused if self.pipelining() => return self.answer(503, "5.5.1", "MAIL was refused").await,
            _ => return self.out_of_order("RCPT first").await,
        }
        let Some(manner) = self.fault(&Stage::Data).await? else { return Ok(()) };
        self.say(&Reply { code: 354, enhanced: "", lines: &["End data with <CR><LF>.<CR><LF>"] }, manner).await?;
        let body = self.body().await?;
        self.watch_sent_ahead();
        if self.wire.has_more() {
            count(&self.shared.record.counting.sent_ahead);
        }
        // The transaction ends here whatever the answer will be (RFC 5321 §4.1.1.4).
        let Envelope::Open(transaction) = std::mem::replace(&mut self.envelope, Envelope::None) else { return Ok(()) };
        match body {
            Some(body) => self.end_of_data(transaction, body).await,
            None => Ok(()),
        }
    }

    /// Reads to the true end of the body. `None` means it was answered in its midst.
    async fn body(&mut self) -> Result<Option<Complete>, End> {
        let mut body = Body::new(self.size_limit());
        let (mut received, mut from, mut answered) = (0, 0, false);
        loop {
            let fault = self.shared.faults.take_body(from, received);
            if fault.is_some() {
                from = received + 1;
                match self.act(fault).await? {
                    None => answered = true,
                    Some(Manner::With(octets)) => {
                        self.wire.put(&octets);
                        self.wire.flush().await?;
                    }
                    Some(Manner::Never) => return Err(End::Cut),
                    Some(Manner::Whole | Manner::Octets | Manner::Last) => {}
                }
            }
            let octets = self.wire.octets().await?;
            let end = body.read(&octets);
            received += end.unwrap_or(octets.len()) as u64;
            if let Some(end) = end {
                self.wire.hand_back(&octets[end..]);
                let body = body.complete();
                self.note(&format!("a body of {} octets", body.size));
                return Ok(if answered { None } else { Some(body) });
            }
        }
    }

    async fn end_of_data(&mut self, transaction: Transaction, body: Complete) -> Result<(), End> {
        self.watch_body(&body, transaction.announced);
        let Some(manner) = self.fault(&Stage::Dot).await? else { return Ok(()) };
        if body.size > self.size_limit() {
            return self.say(&Reply { code: 552, enhanced: "5.3.4", lines: &["Message too big"] }, manner).await;
        }
        if body.breaches.contains(&Rule::LineEnding) {
            let lines = ["Bare carriage returns or line feeds are not taken"];
            return self.say(&Reply { code: 550, enhanced: "5.6.11", lines: &lines }, manner).await;
        }
        let shared = Arc::clone(&self.shared);
        if let Some(refusal) = self.against_the_rules(&shared.settings, &transaction, &body.bytes) {
            return self.refuse(refusal, manner).await;
        }
        let (Standing::Helo(helo_name) | Standing::Ehlo(helo_name)) = self.standing.clone() else {
            // MAIL is refused before EHLO, and nothing takes an EHLO back while a body is read.
            return self.out_of_order("EHLO first").await;
        };
        let id = self.shared.mailbox.take(Delivery {
            id: 0,
            connection: self.number,
            mail_parameters: as_given(&transaction.path),
            reverse_path: transaction.path.address,
            recipients: transaction.recipients,
            bytes: sender::delivered(&shared.settings.manners.senders, body.bytes),
            login: self.login.clone(),
            protection: self.protection,
            helo_name,
            at: Timestamp::now(),
        });
        self.say(&Reply { code: 250, enhanced: "2.0.0", lines: &[&format!("Ok: taken as {id}")] }, manner).await
    }

    /// The refusal of a whole message by the provider's own rules.
    fn against_the_rules<'a>(
        &self,
        settings: &'a Settings,
        transaction: &Transaction,
        message: &[u8],
    ) -> Option<&'a Refusal> {
        let foreign = sender::at_end(&settings.manners.senders, &transaction.path.address, message);
        foreign.or_else(|| {
            let most = settings.recipients_per_day?;
            let earlier = self.shared.mailbox.deliveries().iter().map(|taken| taken.recipients.len()).sum::<usize>();
            let all = earlier + transaction.recipients.len();
            (all as u64 > most).then_some(&settings.manners.quota)
        })
    }

    fn watch_body(&self, body: &Complete, announced: Announced) {
        for rule in &body.breaches {
            match rule {
                Rule::EightBit if announced.eight_bit => {}
                Rule::EightBit => self.breach(*rule, "8-bit octets in a body without BODY=8BITMIME"),
                rule => self.breach(*rule, "in a body"),
            }
        }
    }

    /// What EHLO told, and never more than the sandbox is willing to keep.
    fn size_limit(&self) -> u64 {
        let settings = &self.shared.settings;
        settings.offer.size_limit().map_or(settings.max_message_size, |told| told.min(settings.max_message_size))
    }

    async fn wrong_parameter(&mut self, wrong: Wrong) -> Result<(), End> {
        match wrong {
            Wrong::NotOffered => {
                self.breach(Rule::NotOffered, "a parameter that was not offered");
                self.answer(555, "5.5.4", "Parameter not recognized").await
            }
            Wrong::Malformed => {
                self.breach(Rule::Syntax, "a parameter is malformed");
                self.answer(501, "5.5.4", "Parameter malformed").await
            }
        }
    }

    /// RFC 6531 §3.5
    async fn not_announced_utf8(&mut self) -> Result<(), End> {
        let offered = self.shared.settings.offer.has(&Extension::SmtpUtf8);
        let rule = if offered { Rule::Syntax } else { Rule::NotOffered };
        self.breach(rule, "an address beyond ASCII without SMTPUTF8");
        self.answer(553, "5.6.7", "SMTPUTF8 is needed for this address").await
    }
}

fn as_given(path: &Path) -> Vec<String> {
    let join = |(keyword, value): &(String, Option<String>)| match value {
        Some(value) => format!("{keyword}={value}"),
        None => keyword.clone(),
    };
    path.parameters.iter().map(join).collect()
}
