//! The value of a structured field in tokens: words, quoted strings, comments, angle brackets (RFC 5322 §3.2, §3.4).
//!
//! Guarantees for any text that the tokens put together are that text. A quote or a comment that is not closed is part of
//! a word, so that one stray character does not swallow an address. No text is looked through more than a few times,
//! whatever it is.

/// An address of RFC 5321 §4.1.3, without its brackets, octets.
const LONGEST_LITERAL: usize = 60;

/// One token, as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token<'a> {
    /// Blanks and tabs.
    Blank(&'a str),
    /// What holds none of the others.
    Word(&'a str),
    /// `"…"`
    Quoted(&'a str),
    /// `(…)`, with what is nested in it.
    Comment(&'a str),
    /// `<…>`; up to the end of the text if it is not closed.
    Angle(&'a str),
    /// `,`, `;` or `:`
    Special(&'a str),
}

impl<'a> Token<'a> {
    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &'a str {
        match self {
            Self::Blank(text)
            | Self::Word(text)
            | Self::Quoted(text)
            | Self::Comment(text)
            | Self::Angle(text)
            | Self::Special(text) => text,
        }
    }
}

/// The tokens of a value on one line.
pub fn tokens(value: &str) -> impl Iterator<Item = Token<'_>> {
    let mut reader = Reader { rest: value, quotes: true, comments: true };
    std::iter::from_fn(move || reader.next())
}

/// What stands in a quoted string or a comment, its escapes resolved (RFC 5322 §3.2.4).
#[must_use]
pub fn unquoted(text: &str) -> String {
    let inner = text.get(1..text.len().saturating_sub(1)).unwrap_or_default();
    let (mut plain, mut escaped) = (String::with_capacity(inner.len()), false);
    for c in inner.chars() {
        if c == '\\' && !escaped {
            escaped = true;
        } else {
            plain.push(c);
            escaped = false;
        }
    }
    plain
}

struct Reader<'a> {
    rest: &'a str,
    /// No quote was seen yet that is not closed; behind such a one there is none to look for.
    quotes: bool,
    /// The same for comments.
    comments: bool,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Option<Token<'a>> {
        let text = self.rest;
        let first = text.chars().next()?;
        let closed = match first {
            '"' if self.quotes => {
                let end = end_of_quoted(text);
                self.quotes = end.is_some();
                end
            }
            '(' if self.comments => {
                let end = end_of_comment(text);
                self.comments = end.is_some();
                end
            }
            _ => None,
        };
        let (kind, end): (fn(&'a str) -> Token<'a>, usize) = match (first, closed) {
            ('"', Some(end)) => (Token::Quoted, end),
            ('(', Some(end)) => (Token::Comment, end),
            ('<', _) => (Token::Angle, end_of_angle(text)),
            (',' | ';' | ':', _) => (Token::Special, 1),
            (' ' | '\t', _) => (Token::Blank, text.len() - text.trim_start_matches([' ', '\t']).len()),
            _ => (Token::Word, end_of_word(text, first)),
        };
        let (token, rest) = text.split_at(end);
        self.rest = rest;
        Some(kind(token))
    }
}

/// Behind the closing quote.
fn end_of_quoted(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (i, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(i + 1),
            _ => {}
        }
    }
    None
}

/// Behind the parenthesis that closes the first one.
fn end_of_comment(text: &str) -> Option<usize> {
    let (mut depth, mut escaped) = (0_usize, false);
    for (i, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '(' => depth += 1,
            ')' if depth == 1 => return Some(i + 1),
            ')' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// Behind the bracket that closes, or the end.
fn end_of_angle(text: &str) -> usize {
    let (mut at, mut quotes) = (1, true);
    while let Some(c) = text[at..].chars().next() {
        at += match c {
            '>' => return at + 1,
            '"' if quotes => end_of_quoted(&text[at..]).unwrap_or_else(|| {
                quotes = false;
                1
            }),
            _ => c.len_utf8(),
        };
    }
    text.len()
}

/// Before the next token of another kind. Its own first character belongs to it, whatever that is.
fn end_of_word(text: &str, first: char) -> usize {
    let mut at = first.len_utf8();
    while let Some(c) = text[at..].chars().next() {
        match c {
            ' ' | '\t' | '"' | '(' | '<' | ',' | ';' | ':' => break,
            '[' => at += literal(&text[at..]),
            _ => at += c.len_utf8(),
        }
    }
    at
}

/// The colons of `[IPv6:…]` are its own (RFC 5321 §4.1.3); its bracket alone if it is no such thing.
fn literal(text: &str) -> usize {
    let plain = |c: &u8| c.is_ascii_alphanumeric() || matches!(c, b':' | b'.' | b'-');
    let inner = text.bytes().skip(1).take(LONGEST_LITERAL).take_while(plain).count();
    if text[1 + inner..].starts_with(']') { inner + 2 } else { 1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_field_of_addresses_falls_into_its_tokens() {
        let seen: Vec<Token<'_>> = tokens(r#""a \"b\"" (c (d)) x@[IPv6:fe80::1]:<e,f>;"#).collect();
        assert_eq!(
            seen,
            [
                Token::Quoted(r#""a \"b\"""#),
                Token::Blank(" "),
                Token::Comment("(c (d))"),
                Token::Blank(" "),
                Token::Word("x@[IPv6:fe80::1]"),
                Token::Special(":"),
                Token::Angle("<e,f>"),
                Token::Special(";"),
            ]
        );
        assert_eq!(unquoted(r#""a \"b\" \\""#), r#"a "b" \"#);
    }

    #[test]
    fn what_is_not_closed_swallows_nothing() {
        let seen: Vec<Token<'_>> = tokens(r#""Scan (2 <a@b>"#).collect();
        assert_eq!(
            seen,
            [Token::Word("\"Scan"), Token::Blank(" "), Token::Word("(2"), Token::Blank(" "), Token::Angle("<a@b>")]
        );
        assert_eq!(tokens("<a@b").collect::<Vec<_>>(), [Token::Angle("<a@b")]);
    }

    #[test]
    fn a_long_text_of_things_that_are_not_closed_is_read_at_once() {
        for piece in ["\"\\", "(", "[", "<\"\\", "(\\", "[a:"] {
            let text = piece.repeat(500_000);
            // With a look to the end for each it would take minutes.
            assert_eq!(tokens(&text).map(|token| token.as_str().len()).sum::<usize>(), text.len());
        }
    }

    proptest! {
        #[test]
        fn tokens_put_together_are_the_text(text in "(\\PC|[\"\\\\()<>,;: \\[\\]]){0,80}") {
            let together: String = tokens(&text).map(|token| token.as_str()).collect();
            prop_assert_eq!(together, text);
        }
    }
}
