//! What was changed in a message, for the log and for people: which rule did it, and to what.
//!
//! Guarantees that whoever changes a message can say so in one line. The rule's word never changes; the detail may name
//! addresses and is left out where those are masked. Does not change anything itself.

use std::fmt;

use super::header::glance::one_line;

/// Characters of a detail at most.
const LONGEST: usize = 600;

/// A documented rule that changes messages, or says what it could not do without breaking something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rule {
    /// `Date` was missing.
    Date,
    /// `Message-ID` was missing.
    MessageId,
    /// A bare LF or CR became CRLF.
    LineEndings,
    /// NUL octets were taken out.
    Nul,
    /// A line was longer than 998 octets (RFC 5322 §2.1.1).
    LongLines,
    /// The sender of the envelope.
    EnvelopeSender,
    /// The address in `From`.
    From,
    /// The name in `From`.
    SenderName,
    /// `From` could not be read by everybody.
    BrokenFrom,
    /// `Sender` named somebody the account may not be.
    Sender,
    /// The original sender is now in `Reply-To`.
    ReplyTo,
    /// The original sender is now in `X-Original-From`.
    OriginalFrom,
    /// There was nobody in `To`, `Cc` or `Bcc`.
    Undisclosed,
    /// `Bcc` was taken out.
    Bcc,
    /// `Return-Path` was taken out.
    ReturnPath,
    /// A field that may stand once stood there several times.
    Duplicates,
    /// The header had no end, or a line in it that is no field.
    EndOfHeader,
    /// `MIME-Version` was missing.
    MimeVersion,
    /// `received = "minimal"`
    Received,
    /// Raw 8-bit text in the header became encoded words.
    EncodedWords,
    /// 8-bit text in the body was encoded for a provider that does not take it.
    EightBitBody,
    /// A header rule of the account: added, set or removed.
    Header,
    /// The subject rule of the account.
    Subject,
    /// It was signed (S/MIME).
    Signed,
    /// It should have been signed and was not.
    NotSigned,
    /// A signature that the message carried may not verify any more, or a rule was not applied to keep it whole.
    Signature,
}

impl Rule {
    /// For the log and for programs; never changes.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Date => "date",
            Self::MessageId => "message_id",
            Self::LineEndings => "line_endings",
            Self::Nul => "nul",
            Self::LongLines => "long_lines",
            Self::EnvelopeSender => "envelope_sender",
            Self::From => "from",
            Self::SenderName => "sender_name",
            Self::BrokenFrom => "broken_from",
            Self::Sender => "sender",
            Self::ReplyTo => "reply_to",
            Self::OriginalFrom => "original_from",
            Self::Undisclosed => "undisclosed",
            Self::Bcc => "bcc",
            Self::ReturnPath => "return_path",
            Self::Duplicates => "duplicates",
            Self::EndOfHeader => "end_of_header",
            Self::MimeVersion => "mime_version",
            Self::Received => "received",
            Self::EncodedWords => "encoded_words",
            Self::EightBitBody => "eight_bit_body",
            Self::Header => "header",
            Self::Subject => "subject",
            Self::Signed => "signed",
            Self::NotSigned => "not_signed",
            Self::Signature => "signature",
        }
    }
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Which rule.
    pub rule: Rule,
    /// What it did, on one line.
    pub detail: String,
}

impl Change {
    /// This rule did this.
    #[must_use]
    pub fn new(rule: Rule, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        // A detail may repeat what a device wrote, which may be a header of 1 MiB.
        let detail = if detail.len() > LONGEST { one_line(&detail, LONGEST) } else { detail };
        Self { rule, detail }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule.word(), self.detail)
    }
}
