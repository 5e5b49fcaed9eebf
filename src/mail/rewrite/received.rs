//! `received = "minimal"`: what `Received` fields say about the own network does not travel.
//!
//! Of each field only the moment stays, of the relay's own also the protocol and the identifier by which the log is
//! searched. No field is added or removed, and their order stays: loops are found by their number (RFC 5321 §6.3).

use super::Page;
use crate::mail::change::Rule;
use crate::mail::header::block::Field;
use crate::mail::header::splice::Splice;
use crate::mail::header::token::{Token, tokens};
use crate::mail::header::written::Written;

/// A moment is not longer (RFC 5322 §3.3), with a comment that names its zone.
const LONGEST_DATE: usize = 60;

pub(super) fn reduce(page: &mut Page<'_>) -> Option<Vec<u8>> {
    let fields: Vec<Field<'_>> = page.block.named("Received").collect();
    // Whatever signature covers it: the administrator wants the own network out of sight.
    if fields.is_empty() {
        return None;
    }
    let mut splice = Splice::new(page.block);
    let mut reduced = 0_usize;
    for field in fields {
        let value = field.unfolded();
        let value = String::from_utf8_lossy(&value);
        let minimal = minimal(&value);
        if minimal != value {
            splice.replace(&field, &Written::structured("Received", &minimal));
            reduced += 1;
        }
    }
    if reduced > 0 {
        page.tell(Rule::Received, format!("names and addresses were taken out of {reduced} fields"));
    }
    splice.finish()
}

/// The value that tells nothing of the own network. Every `Received` has a `by` (RFC 5321 §4.4).
fn minimal(value: &str) -> String {
    let words: Vec<Token<'_>> = tokens(value).filter(|token| !matches!(token, Token::Blank(_))).collect();
    let own = words.windows(5).find_map(|window| match window {
        [
            Token::Comment("(Posthouse)"),
            Token::Word("with"),
            Token::Word(protocol),
            Token::Word("id"),
            Token::Word(id),
        ] => Some(format!(" (Posthouse) with {protocol} id {id}")),
        _ => None,
    });
    let date = value.rsplit_once(';').map(|(_, date)| date.trim()).filter(|date| is_date(date)).unwrap_or_default();
    format!("by localhost{}; {date}", own.unwrap_or_default()).trim_end().to_owned()
}

/// Whether it may be a moment, and can be nothing that names a machine.
fn is_date(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, ' ' | ',' | ':' | '+' | '-' | '(' | ')');
    text.len() <= LONGEST_DATE && text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(plain)
}
