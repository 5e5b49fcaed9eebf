//! What the value of a field says: the one place that asks `mail-parser`.
//!
//! Guarantees an answer for any octets. A parser that stumbles is the same as a value that says nothing; it never loses
//! a mail. `mail-parser` sees values alone, on one line and in short pieces, which keeps its known faults out: it loses
//! parameters that follow a fold, cuts a part at a boundary in the middle of a line, and takes time that grows with the
//! square of what looks like encoded words. Raw octets beyond ASCII are read as UTF-8 if they are that, else as windows-1252.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use mail_parser::HeaderValue;
use mail_parser::decoders::charsets::map::charset_decoder;
use mail_parser::parsers::MessageStream;

use super::block::unfold;

/// So much of a `Content-` field is looked at, octets.
const LONGEST_CONTENT: usize = 16 * 1024;

/// Longer text is decoded in pieces of about so many octets.
const PIECE: usize = 2 * 1024;

/// A `Content-Type` or a `Content-Disposition`, for instance `text/plain; charset=utf-8`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Content {
    /// `text`, or `attachment`, in lower case.
    pub kind: String,
    /// `plain`, in lower case; empty where there is none.
    pub subtype: String,
    /// Names in lower case; values decoded, those in several pieces (RFC 2231) put together.
    pub parameters: Vec<(String, String)>,
}

impl Content {
    /// Whether it is this type.
    #[must_use]
    pub fn is(&self, kind: &str, subtype: &str) -> bool {
        self.kind == kind && self.subtype == subtype
    }

    /// The value of a parameter, whose name is given in lower case.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// A character set that raw text in a header may be in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charset(Box<str>);

impl Charset {
    /// A name as in MIME, in any case; `None` if it is not known.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        charset_decoder(name.as_bytes()).map(|_| Self(name.into()))
    }

    /// As it was given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }
}

impl Default for Charset {
    fn default() -> Self {
        Self("windows-1252".into())
    }
}

/// The octets as text: UTF-8 if they are that, else in this character set.
#[must_use]
pub fn utf8<'a>(octets: &'a [u8], otherwise: &Charset) -> Cow<'a, str> {
    if let Ok(text) = std::str::from_utf8(octets) {
        return Cow::Borrowed(text);
    }
    let decoded = charset_decoder(otherwise.0.as_bytes()).and_then(|decode| guarded(|| decode(octets)));
    decoded.map_or_else(|| String::from_utf8_lossy(octets), Cow::Owned)
}

/// The text of an unstructured field or of a phrase, its encoded words decoded (RFC 2047).
#[must_use]
pub fn text(value: &[u8]) -> String {
    let one_line = unfold(value);
    let all = utf8(&one_line, &Charset::default());
    let (mut text, mut at) = (String::new(), 0);
    while at < all.len() {
        let (before, rest) = all.split_at(at);
        let piece = &rest[..end_of_piece(rest)];
        // A blank between two encoded words is not shown (RFC 2047 §6.2).
        let in_a_row = before.ends_with("?=") && piece.starts_with(" =?");
        if !text.is_empty() && piece.starts_with(' ') && !in_a_row {
            text.push(' ');
        }
        if let HeaderValue::Text(decoded) = ask(piece.as_bytes(), |stream| stream.parse_unstructured().into_owned()) {
            text.push_str(&decoded);
        }
        at += piece.len();
    }
    text
}

/// Before a blank, if there is one.
fn end_of_piece(text: &str) -> usize {
    let end = text.floor_char_boundary(PIECE);
    if end == text.len() { end } else { text[..end].rfind(' ').filter(|&blank| blank > 0).unwrap_or(end) }
}

/// What a `Content-Type` or `Content-Disposition` says, if it names a type.
#[must_use]
pub fn content(value: &[u8]) -> Option<Content> {
    // Many small parameters would take long.
    let value = value.get(..LONGEST_CONTENT).unwrap_or(value);
    let HeaderValue::ContentType(read) = ask(value, |stream| stream.parse_content_type().into_owned()) else {
        return None;
    };
    let parameters = read.attributes.unwrap_or_default().into_iter();
    Some(Content {
        kind: read.c_type.trim().to_ascii_lowercase(),
        subtype: read.c_subtype.unwrap_or_default().trim().to_ascii_lowercase(),
        parameters: parameters.map(|p| (p.name.to_ascii_lowercase(), p.value.into_owned())).collect(),
    })
}

/// The one word of a `Content-Transfer-Encoding`, in lower case.
#[must_use]
pub fn keyword(value: &[u8]) -> String {
    content(value).map(|content| content.kind).unwrap_or_default()
}

/// The first identifier in a `Message-ID` without its angle brackets; only one that can stand in a field again (RFC 5322
/// §3.6.4).
#[must_use]
pub fn message_id(value: &[u8]) -> Option<String> {
    let id = match ask(value, |stream| stream.parse_id().into_owned()) {
        HeaderValue::Text(id) => id.into_owned(),
        HeaderValue::TextList(ids) => ids.into_iter().next()?.into_owned(),
        _ => return None,
    };
    let fits = id.len() <= 250 && id.contains('@') && id.bytes().all(is_of_an_id);
    fits.then_some(id)
}

fn is_of_an_id(octet: u8) -> bool {
    octet.is_ascii_graphic() && !matches!(octet, b'<' | b'>' | b'(' | b')' | b'"' | b'\\')
}

/// Asks about a value on one line, as the parser expects it: a blank before, a line ending behind it.
fn ask(value: &[u8], question: impl FnOnce(&mut MessageStream<'_>) -> HeaderValue<'static>) -> HeaderValue<'static> {
    let one_line = unfold(value);
    let line = format!(" {}\n", utf8(&one_line, &Charset::default()));
    guarded(|| question(&mut MessageStream::new(line.as_bytes()))).unwrap_or_default()
}

/// A parser that panics has nothing to say.
fn guarded<T>(question: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(question)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_parameter_behind_a_fold_is_not_lost() {
        for folded in [
            "multipart/mixed; boundary=\r\n \"a b\"",
            "multipart/mixed;\r\n\tboundary\r\n =\"a b\"",
            "Multipart/Mixed\r\n ; BOUNDARY=\"a\r\n b\"",
        ] {
            let content = content(folded.as_bytes()).unwrap();
            assert!(content.is("multipart", "mixed"), "{folded:?}");
            assert_eq!(content.parameter("boundary"), Some("a b"), "{folded:?}");
        }
    }

    #[test]
    fn a_name_in_several_pieces_is_put_together() {
        let content = content(b" attachment; filename*0*=UTF-8''B%C3%BCro%20;\r\n filename*1=2.pdf; x=y").unwrap();
        assert_eq!((content.kind.as_str(), content.subtype.as_str()), ("attachment", ""));
        assert_eq!(content.parameter("filename"), Some("B\u{fc}ro 2.pdf"));
        assert_eq!(content.parameter("x"), Some("y"));
    }

    #[test]
    fn raw_text_is_read_as_what_it_is() {
        assert_eq!(text("B\u{fc}ro".as_bytes()), "B\u{fc}ro");
        assert_eq!(text(b"B\xFCro \x8010"), "B\u{fc}ro \u{20ac}10");
        assert_eq!(text(b"=?ISO-8859-1?Q?B=FCro?=\r\n =?UTF-8?B?IDI=?= on fire"), "B\u{fc}ro 2 on fire");
        assert_eq!(text(b""), "");
        assert_eq!(utf8(b"\xC1", &Charset::parse("KOI8-R").unwrap()), "\u{430}");
        assert_eq!(Charset::parse("klingon"), None);
    }

    #[test]
    fn long_text_is_decoded_without_end_and_at_once() {
        let word = "=?UTF-8?Q?B=C3=BCro?= and more ";
        assert_eq!(text(word.repeat(1000).as_bytes()), "B\u{fc}ro and more ".repeat(1000).trim_end());
        assert_eq!(text("\u{fc}".repeat(5000).as_bytes()), "\u{fc}".repeat(5000));
        // With a look to the end for each of them it would take minutes.
        let odd = "=?ab?q?x".repeat(10_000);
        assert_eq!(text(odd.as_bytes()).len(), odd.len());
        assert!(
            content(format!("text/plain; x=\"{odd}\"").as_bytes()).is_some_and(|content| content.is("text", "plain"))
        );
    }

    #[test]
    fn a_parser_that_stumbles_says_nothing() {
        assert_eq!(guarded(|| -> usize { panic!("a fault of the parser") }), None);
        assert_eq!(guarded(|| 1), Some(1));
    }

    #[test]
    fn an_encoding_is_one_word_and_an_id_can_stand_again() {
        assert_eq!(keyword(b" Base64 "), "base64");
        assert_eq!(keyword(b"\t8BIT; x=y"), "8bit");
        assert_eq!(message_id(b" <1@nas>\r\n"), Some("1@nas".into()));
        assert_eq!(message_id(b"<a b@c>"), None);
        assert_eq!(message_id(b"<nothing>"), None);
    }

    proptest! {
        #[test]
        fn any_octets_are_answered(
            value in proptest::collection::vec(prop_oneof![any::<u8>(), proptest::sample::select(b"=?*\"';/\r\n\\()<>".as_slice())], 0..120)
        ) {
            let (_, _, _, _) = (text(&value), content(&value), keyword(&value), message_id(&value));
            for name in ["windows-1252", "utf-7", "utf-16", "shift_jis", "iso-2022-jp", "gb18030"] {
                let _ = utf8(&value, &Charset::parse(name).unwrap());
            }
        }
    }
}
