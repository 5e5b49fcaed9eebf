//! Raw text beyond ASCII in the header of a message, encoded where the account wants that and no signature covers it.
//!
//! How a field is written then, [`crate::mail::header::eight_bit`] knows. What cannot be written otherwise stays: such a
//! message asks SMTPUTF8 of the provider.

use super::Page;
use crate::mail::change::Rule;
use crate::mail::header::eight_bit::encoded;
use crate::mail::header::parser::Charset;
use crate::mail::header::splice::Splice;

/// So many names of fields are told.
const MOST_TOLD: usize = 20;

pub(super) fn encode(page: &mut Page<'_>, charset: &Charset) -> Option<Vec<u8>> {
    let mut splice = Splice::new(page.block);
    let (mut done, mut covered): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    for field in page.block.fields() {
        let Some(written) = encoded(&field, charset) else { continue };
        let names = if page.protection.covers(field.name) {
            &mut covered
        } else {
            splice.replace(&field, &written);
            &mut done
        };
        if names.len() < MOST_TOLD && !names.contains(&field.name) {
            names.push(field.name);
        }
    }
    if !done.is_empty() {
        page.tell(Rule::EncodedWords, format!("in {}", done.join(", ")));
    }
    for name in covered {
        page.tell_covered(name, Rule::EncodedWords);
    }
    splice.finish()
}
