//! The one line of a message: who, to whom, about what, size, account, reply, time.
//!
//! Guarantees the same fields whether it was delivered, kept or refused. What its header says stands beside the
//! envelope, because people know a mail by it; what is masked is left out, and addresses are cut. The body is never in it.

use std::time::Duration;

use super::event::{millis, named};
use super::masks::Masks;
use crate::diagnosis::Diagnosis;
use crate::ids::{AccountName, DeviceName, MessageId};
use crate::mail::envelope::Envelope;
use crate::mail::mime::facts::{Attachment, Facts};
use crate::smtp::reply::Reply;
use crate::words::Cause;

/// What it tells.
#[derive(Debug)]
pub struct MessageLine<'a> {
    pub message: MessageId,
    pub device: &'a DeviceName,
    pub envelope: &'a Envelope,
    /// What the message says of itself, if it came whole.
    pub facts: Option<&'a Facts>,
    /// Octets, our stamp included.
    pub size: u64,
    pub account: Option<&'a AccountName>,
    /// What the device heard.
    pub reply: &'a Reply,
    /// That it is kept, rather than with the provider.
    pub queued: bool,
    /// From the end of data to that answer.
    pub took: Duration,
    /// Why it was refused, where that is known.
    pub diagnosis: Option<&'a Diagnosis>,
}

/// What a message says of itself, as far as it may be shown.
#[derive(Debug, Default, PartialEq, Eq)]
struct Shown<'a> {
    from: Option<&'a str>,
    to: Option<&'a str>,
    subject: Option<&'a str>,
    message_id: Option<&'a str>,
    attachments: Option<String>,
}

impl<'a> Shown<'a> {
    fn of(facts: &'a Facts, masks: Masks) -> Self {
        let person = |text: &'a Option<String>| text.as_deref().filter(|_| !masks.addresses);
        Self {
            from: person(&facts.from),
            to: person(&facts.to),
            subject: facts.subject.as_deref().filter(|_| !masks.subjects),
            message_id: facts.message_id.as_deref(),
            attachments: attachments(facts, masks),
        }
    }
}

fn attachments(facts: &Facts, masks: Masks) -> Option<String> {
    let one = |attachment: &Attachment| {
        let Attachment { media_type, size, .. } = attachment;
        if masks.attachments { format!("{media_type}, {size} octets") } else { attachment.to_string() }
    };
    let mut text = facts.attachments.iter().map(one).collect::<Vec<_>>().join("; ");
    if facts.more > 0 {
        text.extend(["; and ", &facts.more.to_string(), " more"]);
    }
    (!text.is_empty()).then_some(text)
}

/// The line with the fields that all of them have, and these.
macro_rules! line {
    ($level:ident, $self:ident, $masks:ident, $($rest:tt)*) => {{
        let Shown { from: header_from, to: header_to, subject, message_id: mail_message_id, attachments } =
            $self.facts.map(|facts| Shown::of(facts, $masks)).unwrap_or_default();
        let (from, to) = ($self.envelope.sender.reverse_path.to_string(), $self.recipients());
        tracing::$level!(
            message_id = %$self.message, device = %$self.device, from = %$masks.text(&from), to = %$masks.text(&to),
            header_from, header_to, subject, mail_message_id, attachments,
            size = $self.size, account = $self.account.map_or("-", AccountName::as_str),
            reply = %$masks.text(&$self.reply.to_string()), took_ms = millis($self.took), $($rest)*
        );
    }};
}

impl MessageLine<'_> {
    fn recipients(&self) -> String {
        named(self.envelope.recipients.iter().map(|recipient| &recipient.address))
    }

    pub(super) fn log(&self, masks: Masks) {
        if self.queued {
            line!(info, self, masks, "queued");
        } else if self.reply.is_positive() {
            line!(info, self, masks, "delivered");
        } else if let Some(Diagnosis { code, cause, sentence, cure, .. }) = self.diagnosis {
            let what = if *cause == Cause::Uncertain { "uncertain" } else { "not delivered" };
            let (sentence, cure) = (masks.text(sentence), masks.text(cure));
            line!(warn, self, masks, code, %cause, %cure, "{what}: {sentence}");
        } else {
            line!(warn, self, masks, "not delivered");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_masked_is_left_out_and_the_rest_stays() {
        let scan = Attachment { name: Some("payroll.pdf".into()), media_type: "application/pdf".into(), size: 3 };
        let facts = Facts {
            from: Some("Jane <jane@example.com>".into()),
            to: Some("boss@example.com".into()),
            subject: Some("payroll".into()),
            message_id: Some("1@copier".into()),
            attachments: vec![scan],
            more: 2,
        };
        let whole = Shown::of(&facts, Masks::default());
        assert_eq!((whole.from, whole.subject), (Some("Jane <jane@example.com>"), Some("payroll")));
        assert_eq!(whole.attachments.as_deref(), Some("payroll.pdf (application/pdf, 3 octets); and 2 more"));
        let masked = Shown::of(&facts, Masks { addresses: true, subjects: true, attachments: true });
        let attachments = Some("application/pdf, 3 octets; and 2 more".to_owned());
        assert_eq!(masked, Shown { message_id: Some("1@copier"), attachments, ..Shown::default() });
        assert_eq!(Shown::of(&Facts::default(), Masks::default()), Shown::default());
    }
}
