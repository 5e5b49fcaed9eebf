//! The redirected address as people paste it: whole, in part, in quotes, torn by a terminal.
//!
//! A code alone is not taken: nothing in it says that it belongs to this sign-in, so anybody could talk somebody into
//! pasting a code of theirs. Any text whatsoever gets an answer that says what to paste instead, and never itself.

use super::{NotTheAnswer, Redirected, Request};

/// Longest text that is looked at, in octets; addresses with a code are of 200 to 4,000.
const LONGEST: usize = 32 * 1024;

/// Why a pasted text is no answer; says what to paste.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    #[error("that is empty; paste the whole address the browser ended up at, from http to its end")]
    Empty,
    #[error("that is far too long to be the address the browser ended up at")]
    TooLong,
    #[error(
        "that is the address to open, not the one the browser ends up at; sign in there first, then paste what stands in the address bar"
    )]
    TheRequest,
    #[error(
        "that address has no code in it: the sign-in is not finished there; go on until the browser shows the page it was sent back to (it may say that it cannot be reached), then paste its address"
    )]
    NotFinished,
    #[error(
        "that looks like the code alone; paste the whole address it stands in, because `state` in it is checked too"
    )]
    CodeAlone,
    #[error("that is not an address; paste the whole address the browser ended up at, from http to its end")]
    NoAddress,
    #[error(
        "that address cannot be used: {0}; copy it once more, whole, from the browser that opened the address above"
    )]
    Not(NotTheAnswer),
}

impl Request {
    /// Judges a text that a person pasted.
    ///
    /// # Errors
    /// When it is not the answer to this request.
    pub fn hear_pasted(&self, text: &str) -> Result<Redirected, Unusable> {
        if text.len() > LONGEST {
            return Err(Unusable::TooLong);
        }
        let text = straight(text);
        if text.is_empty() {
            return Err(Unusable::Empty);
        }
        let query =
            query(&text).ok_or_else(|| if text.contains("://") { Unusable::NotFinished } else { alone(&text) })?;
        self.hear(query).map_err(|reason| match reason {
            NotTheAnswer::Nothing if query.contains("response_type=") => Unusable::TheRequest,
            NotTheAnswer::Nothing if text.contains("://") => Unusable::NotFinished,
            NotTheAnswer::Nothing => Unusable::NoAddress,
            reason => Unusable::Not(reason),
        })
    }
}

/// Without the line breaks of terminals, the quotes of shells and the brackets of mail programs; none of them can
/// stand in an address (RFC 3986 §2, appendix C).
fn straight(text: &str) -> String {
    let around = |c: char| matches!(c, '"' | '\'' | '`' | '<' | '>' | '“' | '”' | '‘' | '’' | '«' | '»');
    let whole: String = text.chars().filter(|c| !c.is_whitespace() && !c.is_control() && *c != '\u{feff}').collect();
    // As copied out of a page's source.
    whole.trim_matches(around).replace("&amp;", "&")
}

/// What stands behind `?`, or behind `#` where a server answers there, or a query that was pasted without its address.
fn query(text: &str) -> Option<&str> {
    let (before, fragment) = text.split_once('#').unwrap_or((text, ""));
    match before.split_once('?') {
        Some((_, query)) if !query.is_empty() => Some(query),
        _ if fragment.contains('=') => Some(fragment),
        _ if before.contains('=') && !before.contains("://") => Some(before.trim_start_matches('&')),
        _ => None,
    }
}

/// A text without any structure: most likely what somebody took for the code.
fn alone(text: &str) -> Unusable {
    if text.len() >= 6 && text.chars().all(|c| c.is_ascii_graphic()) {
        Unusable::CodeAlone
    } else {
        Unusable::NoAddress
    }
}
