//! What a person would recognise a message by: its subject, its date, its Message-ID.
//!
//! Read from any octets; what cannot be read shows nothing. What comes back is one line without control characters each,
//! cut where it is long, so that nothing in it can begin a line of its own.

use super::block::Block;
use super::parser;

/// Characters of a subject that are shown at most.
const LONGEST: usize = 200;

/// What a header shows at a glance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Glance {
    /// `Subject:`, decoded.
    pub subject: Option<String>,
    /// `Date:`, as it was written.
    pub date: Option<String>,
    /// `Message-ID:` without its angle brackets; only one that can stand in a field again (RFC 5322 §3.6.4).
    pub message_id: Option<String>,
}

/// Looks at a header block, which may be cut off anywhere.
#[must_use]
pub fn glance(block: &[u8]) -> Glance {
    let block = Block::read(block);
    let text = |name| block.first(name).map(|field| parser::text(field.value));
    Glance {
        subject: text("Subject").and_then(|subject| shown(&subject, LONGEST)),
        date: text("Date").and_then(|date| shown(&date, 60)),
        message_id: block.first("Message-ID").and_then(|field| parser::message_id(field.value)),
    }
}

/// One line of at most so many characters; nothing if nothing is to be seen.
fn shown(text: &str, longest: usize) -> Option<String> {
    let line = one_line(text, longest);
    (!line.is_empty()).then_some(line)
}

/// The text on one line without control characters, cut behind `longest` characters.
#[must_use]
pub fn one_line(text: &str, longest: usize) -> String {
    let mut line = String::new();
    // Control characters, and the two that end a line in Unicode (UAX #14).
    for word in text.split(|c: char| c.is_control() || c.is_whitespace() || matches!(c, '\u{2028}' | '\u{2029}')) {
        if !word.is_empty() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    if let Some((cut, _)) = line.char_indices().nth(longest) {
        line.truncate(cut);
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_person_recognises_the_mail() {
        let seen = glance(
            b"Received: x\r\nSubject: =?UTF-8?B?QsO8cm8=?= on\r\n fire\r\nDate:  Sun, 22 Nov 2026\r\n\t09:05:00 +0100 \r\nMessage-ID: <1@nas>\r\n\r\n",
        );
        assert_eq!(seen.subject.as_deref(), Some("Büro on fire"));
        assert_eq!(seen.date.as_deref(), Some("Sun, 22 Nov 2026 09:05:00 +0100"));
        assert_eq!(seen.message_id.as_deref(), Some("1@nas"));
        assert_eq!(glance(b"\r\n"), Glance::default());
    }

    #[test]
    fn what_would_break_a_line_is_not_shown() {
        // An encoded word may hold line endings.
        let subject = glance(b"Subject: =?UTF-8?Q?a=0D=0ABcc:_x@y=E2=80=A8z?=\r\n\r\n").subject;
        assert_eq!(subject.as_deref(), Some("a Bcc: x@y z"));
        assert_eq!(glance(b"Message-ID: <a b@c>\r\n\r\n").message_id, None);
        assert_eq!(one_line(&"x".repeat(300), 200).chars().count(), 201);
    }

    proptest! {
        #[test]
        fn any_octets_show_single_lines(block in proptest::collection::vec(any::<u8>(), 0..300)) {
            let block = [b"Subject: ".as_slice(), &block, b"\r\n\r\n"].concat();
            let seen = glance(&block);
            for text in [seen.subject, seen.date, seen.message_id].into_iter().flatten() {
                prop_assert!(!text.contains(char::is_control), "{text:?}");
            }
        }
    }
}
