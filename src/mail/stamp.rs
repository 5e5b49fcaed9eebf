//! The fields the relay puts on top of a message: `Received`, and `Date` and `Message-ID` where they are missing or cannot be
//! read (RFC 6409 §8.2, §8.3).
//!
//! Made once, at intake, so that every attempt sends the same octets. Existing fields are never touched (RFC 5321 §4.4): one
//! that cannot be read stays below, until the account it goes through takes it out ([`Fixups::duplicates`]). What a device called itself is written only if it can stand in a header.
//!
//! [`Fixups::duplicates`]: super::rewrite::Fixups::duplicates

use std::fmt::Write;
use std::net::IpAddr;

use jiff::Zoned;

use super::address::Address;
use super::header::Header;
use crate::ids::MessageId;

/// What `Received` tells.
#[derive(Debug, Clone, Copy)]
pub struct Trace<'a> {
    /// What the device called itself.
    pub hello: &'a str,
    /// Where it connected from.
    pub peer: IpAddr,
    /// Our own name.
    pub hostname: &'a str,
    /// How it came.
    pub protocol: Protocol,
    /// The only recipient; with several, none is named (RFC 5321 §7.2).
    pub recipient: Option<&'a str>,
}

/// The `with` keyword (RFC 3848, RFC 6531 §4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is one letter of the keyword, independent of the others")]
pub struct Protocol {
    /// EHLO rather than HELO.
    pub esmtp: bool,
    /// Under TLS.
    pub tls: bool,
    /// Signed in.
    pub auth: bool,
    /// With SMTPUTF8.
    pub utf8: bool,
}

impl Protocol {
    fn keyword(self) -> String {
        if !self.esmtp {
            return "SMTP".into();
        }
        let base = if self.utf8 { "UTF8SMTP" } else { "ESMTP" };
        format!("{base}{}{}", if self.tls { "S" } else { "" }, if self.auth { "A" } else { "" })
    }
}

/// Fields that are added, or that may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fields {
    /// `Date`
    pub date: bool,
    /// `Message-ID`
    pub message_id: bool,
}

impl Fields {
    /// Those of them that this header lacks.
    #[must_use]
    pub fn missing_in(self, header: &Header) -> Self {
        Self { date: self.date && !header.has_date, message_id: self.message_id && !header.has_message_id }
    }
}

/// The octets to put before the message, with these fields; whether they are missing was looked at.
#[must_use]
pub fn stamp(trace: Trace<'_>, id: MessageId, header: &Header, fields: Fields, now: &Zoned) -> String {
    let date = date(now);
    let mut out = received(trace, id, &date);
    if fields.date {
        out.extend(["Date: ", &date, "\r\n"]);
    }
    if fields.message_id {
        out.extend(["Message-ID: <", &id.to_string(), "@", trace.hostname, ">\r\n"]);
    }
    if !header.begins_with_field {
        // The message has no header: its first line must not become one.
        out.push_str("\r\n");
    }
    out
}

/// So many recipients are named, so that no envelope makes the header too large.
const MOST_NAMED: usize = 100;

/// Whom a message was written to, for one that goes to somebody else: a field each, as other mail servers write it too.
/// Letters beyond ASCII stand as RFC 6533 §3 writes them, so that the field asks nothing of the provider.
#[must_use]
pub fn original_to<'a>(recipients: impl ExactSizeIterator<Item = &'a Address>) -> String {
    let mut fields = String::new();
    let others = recipients.len().saturating_sub(MOST_NAMED);
    for address in recipients.take(MOST_NAMED) {
        fields.push_str("X-Original-To: ");
        for c in address.as_str().chars() {
            // Writing to a String cannot fail.
            let _ = if c.is_ascii() { write!(fields, "{c}") } else { write!(fields, "\\x{{{:X}}}", u32::from(c)) };
        }
        fields.push_str("\r\n");
    }
    if others > 0 {
        let _ = write!(fields, "X-Original-To: (and {others} more)\r\n");
    }
    fields
}

/// A moment as it stands in `Date` (RFC 5322 §3.3).
#[must_use]
pub fn date(now: &Zoned) -> String {
    // The formatter fails only for years beyond four digits.
    jiff::fmt::rfc2822::to_string(now).unwrap_or_else(|_| "Thu, 1 Jan 1970 00:00:00 +0000".into())
}

fn received(trace: Trace<'_>, id: MessageId, date: &str) -> String {
    let literal = match trace.peer {
        IpAddr::V4(ip) => format!("[{ip}]"),
        IpAddr::V6(ip) => format!("[IPv6:{ip}]"),
    };
    let name = if is_name(trace.hello) { trace.hello } else { literal.as_str() };
    let recipient = trace.recipient.filter(|r| r.is_ascii() || trace.protocol.utf8);
    let recipient = recipient.map(|r| format!("\r\n\tfor <{r}>")).unwrap_or_default();
    format!(
        "Received: from {name} ({literal})\r\n\tby {} (Posthouse) with {} id {id}{recipient};\r\n\t{date}\r\n",
        trace.hostname,
        trace.protocol.keyword()
    )
}

fn is_name(hello: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '[' | ']' | ':');
    (1..=255).contains(&hello.len()) && hello.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::header;

    fn stamped(hello: &str, recipient: Option<&str>, block: &[u8]) -> String {
        let protocol = Protocol { esmtp: true, tls: true, auth: false, utf8: false };
        let peer = "127.0.0.1".parse().unwrap();
        let now = "2026-11-22T09:05:00+01:00[Europe/Berlin]".parse().unwrap();
        let trace = Trace { hello, peer, hostname: "relay.test", protocol, recipient };
        let (header, all) = (header::read(block), Fields { date: true, message_id: true });
        stamp(trace, MessageId::new(), &header, all.missing_in(&header), &now)
    }

    #[test]
    fn received_says_from_where_how_and_when() {
        let text = stamped("scanner", Some("a@b"), b"Date: 22 Nov 26 9:05\r\nMessage-ID: <y>\r\n\r\n");
        assert!(
            text.starts_with("Received: from scanner ([127.0.0.1])\r\n\tby relay.test (Posthouse) with ESMTPS id "),
            "{text}"
        );
        assert!(text.ends_with("\r\n\tfor <a@b>;\r\n\tSun, 22 Nov 2026 09:05:00 +0100\r\n"), "{text}");
    }

    #[test]
    fn missing_fields_are_added_and_a_missing_header_is_begun() {
        let text = stamped("x", None, b"Subject: x\r\n\r\n");
        assert!(
            text.contains("\r\nDate: Sun, 22 Nov 2026 09:05:00 +0100\r\nMessage-ID: <")
                && text.ends_with("@relay.test>\r\n"),
            "{text}"
        );
        assert!(!text.contains("for <"));
        assert_eq!(
            stamped("x", None, b"Date: now\r\nMessage-ID: 7\r\n\r\n").matches("\r\n").count(),
            text.matches("\r\n").count()
        );
        assert!(stamped("x", None, b"the body at once\r\n").ends_with("\r\n\r\n"));
    }

    #[test]
    fn whom_it_was_written_to_is_named_in_ascii_and_not_without_end() {
        let addresses =
            |texts: &[&str]| texts.iter().map(|t| Address::parse(t.as_bytes()).unwrap()).collect::<Vec<_>>();
        let two = addresses(&["a@b", "j\u{f6}rg@x.example"]);
        assert_eq!(original_to(two.iter()), "X-Original-To: a@b\r\nX-Original-To: j\\x{F6}rg@x.example\r\n");
        let many = addresses(&["a@b"; 102]);
        let fields = original_to(many.iter());
        assert_eq!(fields.lines().count(), 101);
        assert!(fields.ends_with("X-Original-To: a@b\r\nX-Original-To: (and 2 more)\r\n"), "{fields}");
    }

    #[test]
    fn a_name_that_could_break_the_field_is_left_out() {
        for odd in ["", "Php Storm", "a\r\nX: y", "a)b", "é"] {
            assert!(
                stamped(odd, None, b"A: b\r\n\r\n").starts_with("Received: from [127.0.0.1] ([127.0.0.1])"),
                "{odd}"
            );
        }
    }
}
