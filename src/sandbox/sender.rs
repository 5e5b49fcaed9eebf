//! Whose a message is: the reverse-path and the `From` field, held against the addresses that may send here.
//!
//! Reads no more of a header than it must: an address is in a field when its octets are, in whatever case. That is less
//! than a real provider does, and enough to be refused by one. Changes a message only where the provider would.

use super::manners::{Refusal, Senders};
use crate::account::provider::RefusedAt;

/// The refusal of a reverse-path at MAIL.
pub(super) fn at_mail<'a>(senders: &'a Senders, reverse_path: &str) -> Option<&'a Refusal> {
    match senders {
        Senders::Only { at: RefusedAt::Mail, refusal, .. } if !owns(senders, reverse_path) => Some(refusal),
        _ => None,
    }
}

/// The refusal of a message at its end.
pub(super) fn at_end<'a>(senders: &'a Senders, reverse_path: &str, message: &[u8]) -> Option<&'a Refusal> {
    let Senders::Only { addresses, at: RefusedAt::End, refusal, .. } = senders else { return None };
    let foreign =
        from_field(message).is_some_and(|field| !addresses.iter().any(|own| holds(&message[field.clone()], own)));
    (foreign || !owns(senders, reverse_path)).then_some(refusal)
}

/// The message as it is delivered: with its sender replaced, where that is what the provider does.
pub(super) fn delivered(senders: &Senders, message: Vec<u8>) -> Vec<u8> {
    let Senders::Rewritten { to } = senders else { return message };
    let Some(field) = from_field(&message).filter(|field| !holds(&message[field.clone()], to)) else { return message };
    let mut rewritten = message[..field.start].to_vec();
    rewritten.extend_from_slice(format!("From: {to}\r\nX-Original-").as_bytes());
    rewritten.extend_from_slice(&message[field.start..]);
    rewritten
}

fn owns(senders: &Senders, reverse_path: &str) -> bool {
    let Senders::Only { addresses, null_sender, .. } = senders else { return true };
    if reverse_path.is_empty() {
        *null_sender
    } else {
        addresses.iter().any(|own| own.eq_ignore_ascii_case(reverse_path))
    }
}

fn holds(field: &[u8], address: &str) -> bool {
    field.windows(address.len()).any(|part| part.eq_ignore_ascii_case(address.as_bytes()))
}

/// Where the first `From` field stands, with its continuation lines and line endings.
fn from_field(message: &[u8]) -> Option<std::ops::Range<usize>> {
    let mut start = None;
    let mut at = 0;
    for line in message.split_inclusive(|octet| *octet == b'\n') {
        let continued = line.starts_with(b" ") || line.starts_with(b"\t");
        match start {
            Some(start) if !continued => return Some(start..at),
            None if line == b"\r\n" => return None,
            None if line.get(..5).is_some_and(|name| name.eq_ignore_ascii_case(b"from:")) => start = Some(at),
            _ => {}
        }
        at += line.len();
    }
    start.map(|start| start..at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(at: RefusedAt) -> Senders {
        let refusal = Refusal { code: 550, enhanced: String::new(), lines: vec!["no".into()] };
        Senders::Only { addresses: vec!["a@x.example".into()], null_sender: true, at, refusal }
    }

    const OWN: &[u8] = b"To: b@y.example\r\nFrom: A\r\n <A@X.example>\r\nSubject: s\r\n\r\nFrom: z@z.example\r\n";
    const FOREIGN: &[u8] = b"from: z@z.example\r\nReply-To: a@x.example\r\n\r\na@x.example\r\n";

    #[test]
    fn a_reverse_path_is_looked_at_where_the_provider_does() {
        assert!(at_mail(&only(RefusedAt::Mail), "z@z.example").is_some());
        for (senders, path) in [
            (only(RefusedAt::Mail), "A@x.example"),
            (only(RefusedAt::Mail), ""),
            (only(RefusedAt::End), "z@z.example"),
            (Senders::Anyone, "z@z.example"),
        ] {
            assert!(at_mail(&senders, path).is_none(), "{path}");
        }
        let Senders::Only { addresses, at, refusal, .. } = only(RefusedAt::Mail) else { panic!() };
        let no_notices = Senders::Only { addresses, null_sender: false, at, refusal };
        assert!(at_mail(&no_notices, "").is_some() && at_mail(&no_notices, "a@x.example").is_none());
    }

    #[test]
    fn at_the_end_the_from_field_counts_too_and_nothing_else_does() {
        let refused = |path, message| at_end(&only(RefusedAt::End), path, message).is_some();
        assert!(!refused("a@x.example", OWN));
        assert!(refused("z@z.example", OWN));
        assert!(refused("a@x.example", FOREIGN));
        assert!(!refused("a@x.example", b"Subject: nobody's\r\n\r\nFrom: z@z.example\r\n"));
    }

    #[test]
    fn a_foreign_from_is_replaced_and_kept_aside() {
        let to_own = Senders::Rewritten { to: "a@x.example".into() };
        assert_eq!(delivered(&to_own, OWN.to_vec()), OWN);
        let rewritten =
            b"From: a@x.example\r\nX-Original-from: z@z.example\r\nReply-To: a@x.example\r\n\r\na@x.example\r\n";
        assert_eq!(delivered(&to_own, FOREIGN.to_vec()), rewritten);
    }
}
