//! The value of a structured field in tokens: words, quoted strings, comments, angle brackets (RFC 5322 §3.2, §3.4).
//!
//! Guarantees for any text that the tokens put together are that text. A quote or a comment that is not closed is part of
//! a word, so that one stray character does not swallow an address.

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
    let mut rest = value;
    std::iter::from_fn(move || {
        let (token, after) = next(rest)?;
        rest = after;
        Some(token)
    })
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

fn next(text: &str) -> Option<(Token<'_>, &str)> {
    let first = text.chars().next()?;
    let cut = |end: usize| text.split_at(end);
    let closed = match first {
        '"' => end_of_quoted(text).map(|end| (Token::Quoted(cut(end).0), end)),
        '(' => end_of_comment(text).map(|end| (Token::Comment(cut(end).0), end)),
        '<' => Some((Token::Angle(cut(end_of_angle(text)).0), end_of_angle(text))),
        ',' | ';' | ':' => Some((Token::Special(cut(1).0), 1)),
        ' ' | '\t' => {
            let end = text.len() - text.trim_start_matches([' ', '\t']).len();
            Some((Token::Blank(cut(end).0), end))
        }
        _ => None,
    };
    let (token, end) = closed.unwrap_or_else(|| {
        let end = end_of_word(text, first);
        (Token::Word(cut(end).0), end)
    });
    Some((token, cut(end).1))
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
    let mut at = 1;
    while let Some(c) = text[at..].chars().next() {
        at += match c {
            '>' => return at + 1,
            '"' => end_of_quoted(&text[at..]).unwrap_or(1),
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
            // The colons of `[IPv6:…]` are its own.
            '[' => at += text[at..].find([']', ' ', ',']).filter(|&end| text[at + end..].starts_with(']')).unwrap_or(1),
            _ => at += c.len_utf8(),
        }
    }
    at
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

    proptest! {
        #[test]
        fn tokens_put_together_are_the_text(text in "(\\PC|[\"\\\\()<>,;: \\[\\]]){0,80}") {
            let together: String = tokens(&text).map(|token| token.as_str()).collect();
            prop_assert_eq!(together, text);
        }
    }
}
