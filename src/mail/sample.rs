//! The mail `posthouse test` sends: small, well-formed, and saying what it is. Pure.
//!
//! Whoever finds it in a mailbox sees which relay and which account it came through, and when. It asks for no automatic
//! answer (RFC 3834) and holds nothing but ASCII, unless an address does.

use jiff::Zoned;

use super::address::Address;
use super::display_name::DisplayName;
use super::stamp;
use crate::ids::MessageId;

/// What it tells.
#[derive(Debug, Clone, Copy)]
pub struct Sample<'a> {
    /// Who sends.
    pub from: &'a Address,
    /// What the sender is called, if anything.
    pub name: Option<&'a DisplayName>,
    /// Who receives.
    pub to: &'a Address,
    /// This machine's name.
    pub relay: &'a str,
    /// The account's name.
    pub account: &'a str,
    /// Host and port of its provider.
    pub provider: &'a str,
}

/// The message, with CRLF line endings.
#[must_use]
pub fn compose(sample: Sample<'_>, id: MessageId, now: &Zoned) -> String {
    let Sample { from, name, to, relay, account, provider } = sample;
    let date = stamp::date(now);
    // RFC 5322 §3.6.4: a domain of ours makes it unique; a machine without a full name has none.
    let domain = if relay.contains('.') { relay } else { from.domain().unwrap_or(relay) };
    // RFC 5322 §3.4; folded as the name may be, the address stands on a line of its own behind a long one.
    let sender = match name.map(ToString::to_string) {
        None => from.to_string(),
        Some(name) if name.len() > 60 => format!("{name}\r\n <{from}>"),
        Some(name) => format!("{name} <{from}>"),
    };
    format!(
        "From: {sender}\r\n\
         To: <{to}>\r\n\
         Subject: Posthouse test\r\n\
         Date: {date}\r\n\
         Message-ID: <{id}@{domain}>\r\n\
         Auto-Submitted: auto-generated\r\n\
         MIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\
         \r\n\
         This is a test mail. If you can read it, the account works.\r\n\
         \r\n\
         Relay:    {relay}\r\n\
         Account:  {account}\r\n\
         Provider: {provider}\r\n\
         Sent:     {date}\r\n"
    )
}

#[cfg(test)]
mod tests {
    use super::super::header;
    use super::*;

    fn composed(relay: &str, from: &str) -> String {
        let (from, to) = (Address::parse(from.as_bytes()).unwrap(), Address::parse(b"you@example.net").unwrap());
        let sample =
            Sample { from: &from, name: None, to: &to, relay, account: "office", provider: "smtp.example.com:465" };
        compose(sample, MessageId::new(), &"2026-11-22T09:05:00+01:00[Europe/Berlin]".parse().unwrap())
    }

    #[test]
    fn it_has_all_a_provider_insists_on_and_says_where_it_came_from() {
        let text = composed("relay.example.com", "scanner@example.com");
        let read = header::read(text.split_inclusive("\r\n\r\n").next().unwrap().as_bytes());
        assert!(read.has_date && read.has_message_id && read.begins_with_field && read.from == 1, "{text}");
        for line in [
            "From: scanner@example.com\r\n",
            "To: <you@example.net>\r\n",
            "\r\nAccount:  office\r\n",
            "\r\nSent:     Sun, 22 Nov 2026 09:05:00 +0100\r\n",
        ] {
            assert!(text.contains(line), "{line:?} in {text}");
        }
        assert!(text.is_ascii() && !text.replace("\r\n", "").contains(['\r', '\n']), "{text:?}");
    }

    #[test]
    fn a_sender_with_a_name_is_written_with_it() {
        let (from, to) = (Address::parse(b"a@example.org").unwrap(), Address::parse(b"you@example.net").unwrap());
        for (name, expected) in [
            ("Scanner, 2nd floor".to_owned(), "From: \"Scanner, 2nd floor\" <a@example.org>\r\nTo: "),
            ("n".repeat(61), "n\r\n <a@example.org>\r\nTo: "),
            ("ü".repeat(40), "?=\r\n <a@example.org>\r\nTo: "),
        ] {
            let name = DisplayName::parse(&name).unwrap();
            let sample = Sample { from: &from, name: Some(&name), to: &to, relay: "nas", account: "a", provider: "p" };
            let text = compose(sample, MessageId::new(), &"2026-11-22T09:05:00+01:00[Europe/Berlin]".parse().unwrap());
            assert!(text.starts_with("From: ") && text.contains(expected), "{text}");
            assert!(text.split("\r\n").all(|line| line.len() <= 78) && text.is_ascii(), "{text}");
        }
    }

    #[test]
    fn the_message_id_is_of_a_domain_even_on_a_machine_without_one() {
        assert!(composed("relay.example.com", "a@example.org").contains("@relay.example.com>\r\n"));
        assert!(composed("nas", "a@example.org").contains("@example.org>\r\nAuto-Submitted"));
    }
}
