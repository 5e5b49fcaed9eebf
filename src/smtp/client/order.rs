//! One message as the client is asked to carry it, and the command lines that say so to a server.
//!
//! Every parameter is derived anew from what this server offers; nothing a device wrote is passed on unless the
//! server offers the extension. What a server cannot carry is known before MAIL. Lines cannot be broken out of: an
//! [`Address`](crate::mail::address::Address) cannot hold a line ending, and other foreign words are checked here.

use std::fmt::Write as _;
use std::sync::Arc;

use crate::mail::envelope::{Envelope, Notify, Recipient, Return, ReversePath};
use crate::smtp::extension::{Extensions, SizeOffer};

/// One transaction.
#[derive(Debug, Clone)]
pub struct Order {
    /// Sender and the recipients of this transaction; events count them from 0 in this order.
    pub envelope: Arc<Envelope>,
    /// Octets of the content with CRLF line endings, before dot-stuffing (RFC 1870 §5).
    pub size: u64,
    /// Whether an octet above 127 stands in the content.
    pub eight_bit: bool,
    /// Whether one stands in the header; with the device's SMTPUTF8 this is an internationalised message (RFC 6531).
    pub utf8_header: bool,
    /// DATA only if every recipient was accepted.
    pub all_or_nothing: bool,
}

/// Why a server cannot carry a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CannotCarry {
    /// Larger than its SIZE (RFC 1870).
    #[error("the message has {size} octets and the server takes {limit}")]
    TooBig { size: u64, limit: u64 },
    /// 8-bit octets in the body and no 8BITMIME (RFC 6152).
    #[error("the message holds 8-bit octets and the server does not offer 8BITMIME")]
    EightBit,
    /// Needs SMTPUTF8 (RFC 6531 §3.5).
    #[error("the message is internationalised and the server does not offer SMTPUTF8")]
    Utf8,
}

impl Order {
    /// Whether a server with this offer can carry it.
    pub(super) fn check(&self, offered: &Extensions) -> Result<(), CannotCarry> {
        match offered.size {
            SizeOffer::Limit(limit) if self.size > limit => Err(CannotCarry::TooBig { size: self.size, limit }),
            _ if self.needs_smtputf8() && !offered.smtputf8 => Err(CannotCarry::Utf8),
            _ if self.eight_bit && !offered.eight_bit_mime => Err(CannotCarry::EightBit),
            _ => Ok(()),
        }
    }

    /// `MAIL FROM:<…>` with the parameters this server understands.
    pub(super) fn mail_line(&self, offered: &Extensions) -> String {
        let sender = &self.envelope.sender;
        let mut line = match &sender.reverse_path {
            ReversePath::Null => "MAIL FROM:<>".to_owned(),
            ReversePath::Mailbox(address) => format!("MAIL FROM:<{address}>"),
        };
        if offered.size != SizeOffer::Absent {
            let _ = write!(line, " SIZE={}", self.size);
        }
        if self.eight_bit {
            line.push_str(" BODY=8BITMIME");
        }
        if self.needs_smtputf8() {
            line.push_str(" SMTPUTF8");
        }
        if offered.dsn {
            // RFC 3461 §5.2.1: only what the sender gave.
            match sender.ret {
                Some(Return::Full) => line.push_str(" RET=FULL"),
                Some(Return::Headers) => line.push_str(" RET=HDRS"),
                None => {}
            }
            push_word(&mut line, "ENVID", sender.envid.as_deref());
        }
        line
    }

    fn needs_smtputf8(&self) -> bool {
        self.envelope.is_internationalized() || (self.utf8_header && self.envelope.sender.smtputf8)
    }
}

/// `RCPT TO:<…>` with the parameters this server understands.
pub(super) fn rcpt_line(recipient: &Recipient, offered: &Extensions) -> String {
    let mut line = format!("RCPT TO:<{}>", recipient.address);
    if !offered.dsn {
        return line;
    }
    match recipient.notify {
        None => {}
        Some(Notify::Never) => line.push_str(" NOTIFY=NEVER"),
        Some(Notify::On { success, failure, delay }) => {
            let chosen = [(success, "SUCCESS"), (failure, "FAILURE"), (delay, "DELAY")];
            let words: Vec<&str> = chosen.iter().filter(|(on, _)| *on).map(|(_, word)| *word).collect();
            push_word(&mut line, "NOTIFY", Some(&words.join(",")));
        }
    }
    push_word(&mut line, "ORCPT", recipient.orcpt.as_deref());
    line
}

/// Adds ` KEY=word`, unless the word could be more than one word.
fn push_word(line: &mut String, key: &str, word: Option<&str>) {
    if let Some(word) = word.filter(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_graphic())) {
        let _ = write!(line, " {key}={word}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::address::Address;
    use crate::mail::envelope::Sender;

    #[test]
    fn each_wish_for_reports_is_passed_on_as_it_was_given_and_only_where_it_is_understood() {
        let (offered, plain) = (Extensions { dsn: true, ..Extensions::default() }, Extensions::default());
        let mail = |ret, envid: Option<&str>, offered: &Extensions| {
            let (reverse_path, envid) = (ReversePath::Null, envid.map(Into::into));
            let sender = Sender { reverse_path, declared_size: None, smtputf8: false, ret, envid };
            let envelope = Arc::new(Envelope { sender, recipients: vec![] });
            let order = Order { envelope, size: 1, eight_bit: false, utf8_header: false, all_or_nothing: true };
            order.mail_line(offered)
        };
        assert_eq!(mail(Some(Return::Full), Some("scan+2B7"), &offered), "MAIL FROM:<> RET=FULL ENVID=scan+2B7");
        assert_eq!(mail(Some(Return::Headers), None, &offered), "MAIL FROM:<> RET=HDRS");
        assert_eq!(mail(None, None, &offered), "MAIL FROM:<>");
        assert_eq!(mail(Some(Return::Full), Some("scan"), &plain), "MAIL FROM:<>");
        let rcpt = |notify, orcpt: Option<&str>, offered: &Extensions| {
            let address = Address::parse(b"a@example.net").unwrap();
            rcpt_line(&Recipient { address, notify, orcpt: orcpt.map(Into::into) }, offered)
        };
        let on = |success, failure, delay| Some(Notify::On { success, failure, delay });
        for (notify, words) in [
            (Some(Notify::Never), "NEVER"),
            (on(true, false, false), "SUCCESS"),
            (on(false, true, false), "FAILURE"),
            (on(false, false, true), "DELAY"),
            (on(true, true, true), "SUCCESS,FAILURE,DELAY"),
        ] {
            let line = format!("RCPT TO:<a@example.net> NOTIFY={words} ORCPT=rfc822;b@example.net");
            assert_eq!(rcpt(notify, Some("rfc822;b@example.net"), &offered), line);
            assert_eq!(rcpt(notify, Some("rfc822;b@example.net"), &plain), "RCPT TO:<a@example.net>");
        }
        assert_eq!(rcpt(None, None, &offered), "RCPT TO:<a@example.net>");
    }

    #[test]
    fn a_foreign_word_cannot_become_a_second_command() {
        let sender = Sender {
            reverse_path: ReversePath::Null,
            declared_size: None,
            smtputf8: false,
            ret: None,
            envid: Some("x\r\nRCPT TO:<victim@example.net>".into()),
        };
        let mut recipient = Recipient::plain(Address::parse(b"a@example.net").unwrap());
        recipient.orcpt = Some("rfc822;a b".into());
        let envelope = Arc::new(Envelope { sender, recipients: vec![] });
        let order = Order { envelope, size: 1, eight_bit: false, utf8_header: false, all_or_nothing: true };
        let offered = Extensions { dsn: true, ..Extensions::default() };
        assert_eq!(order.mail_line(&offered), "MAIL FROM:<>");
        assert_eq!(rcpt_line(&recipient, &offered), "RCPT TO:<a@example.net>");
    }
}
