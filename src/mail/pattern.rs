//! Patterns for addresses and names, as the administrator writes them: `*@example.com`, `fax*`, `*`.
//!
//! `*` stands for any octets, all else for itself, ASCII letters in any case. The one matcher of senders, recipients
//! and routes. Matching takes at most the product of both lengths and keeps nothing.

use std::fmt;

/// A text in which `*` stands for anything.
#[derive(Clone, PartialEq, Eq)]
pub struct Pattern(Box<str>);

impl Pattern {
    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it fits the whole text.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        matches(self.0.as_bytes(), text.as_bytes())
    }

    /// Whether it fits every text.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        !self.0.is_empty() && self.0.bytes().all(|octet| octet == b'*')
    }
}

impl From<&str> for Pattern {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &self.0)
    }
}

/// Whether one of them fits.
#[must_use]
pub fn any_matches(patterns: &[Pattern], text: &str) -> bool {
    patterns.iter().any(|pattern| pattern.matches(text))
}

fn matches(pattern: &[u8], text: &[u8]) -> bool {
    // Where to go on when the octets after the last `*` do not fit: one octet further.
    let (mut p, mut t, mut retry) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p + 1, t));
                p += 1;
            }
            Some(c) if c.eq_ignore_ascii_case(&text[t]) => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((after_star, from)) = retry else { return false };
                (p, t) = (after_star, from + 1);
                retry = Some((p, t));
            }
        }
    }
    pattern[p..].iter().all(|&c| c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything_and_the_rest_for_itself() {
        for (pattern, fits) in [
            ("*", &["", "a", "a@b"][..]),
            ("*@example.com", &["x@EXAMPLE.com", "@example.com"]),
            ("b*s@partner.example", &["boss@partner.example", "bs@partner.example"]),
            ("*a*b*", &["ab", "xaybz", "aab"]),
            ("<>", &["<>"]),
        ] {
            for text in fits {
                assert!(Pattern::from(pattern).matches(text), "{pattern} {text}");
            }
        }
        for (pattern, text) in [
            ("*@example.com", "x@example.com.evil"),
            ("b*s@partner.example", "bos@partner.examples"),
            ("*a*b*", "ba"),
            ("", "a"),
            ("a?c", "abc"),
        ] {
            assert!(!Pattern::from(pattern).matches(text), "{pattern} {text}");
        }
    }

    #[test]
    fn only_stars_alone_fit_everything() {
        assert!(Pattern::from("*").is_everything() && Pattern::from("**").is_everything());
        assert!(!Pattern::from("").is_everything() && !Pattern::from("*@*").is_everything());
    }
}
