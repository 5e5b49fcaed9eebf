//! The administrator's own rules, applied to a header.
//!
//! A field that a signature covers is left as it is, and that is told.

use super::Page;
use super::rule::{Act, HeaderRule, SubjectRule, is_single, is_structured};
use crate::mail::change::Rule;
use crate::mail::header::block::Field;
use crate::mail::header::parser::{self, Charset, utf8};
use crate::mail::header::splice::{Place, Splice};
use crate::mail::header::written::Written;

pub(super) fn header(page: &mut Page<'_>, rule: &HeaderRule) -> Option<Vec<u8>> {
    let name = rule.name.as_str();
    let present: Vec<Field<'_>> = page.block.named(name).collect();
    let written =
        |value: &str| if is_structured(name) { Written::structured(name, value) } else { Written::text(name, value) };
    let mut splice = Splice::new(page.block);
    let done = match &rule.act {
        Act::Add(_) if is_single(name) && !present.is_empty() => return None,
        Act::Remove if present.is_empty() => return None,
        Act::Add(value) => {
            splice.insert(Place::End, &written(value));
            "was added"
        }
        Act::Set(value) => {
            match present.first() {
                Some(first) => splice.replace(first, &written(value)),
                None => splice.insert(Place::End, &written(value)),
            }
            present.iter().skip(1).for_each(|further| splice.remove(further.whole.clone()));
            "was set"
        }
        Act::Remove => {
            present.iter().for_each(|field| splice.remove(field.whole.clone()));
            "was taken out"
        }
    };
    if !page.may_change(name, Rule::Header) {
        return None;
    }
    page.tell(Rule::Header, format!("{name} {done}"));
    splice.finish()
}

pub(super) fn subject(page: &mut Page<'_>, rule: &SubjectRule) -> Option<Vec<u8>> {
    let present = page.block.first("Subject");
    let (value, done) = match (rule, &present) {
        (SubjectRule::Replace(line), _) => (line.as_str().to_owned(), "was replaced"),
        (SubjectRule::Prefix(line), None) => (line.as_str().to_owned(), "was added"),
        (SubjectRule::Prefix(line), Some(field)) => {
            if parser::text(field.value).starts_with(line.as_str()) {
                return None;
            }
            let value = field.unfolded();
            (format!("{} {}", line.as_str(), utf8(&value, &Charset::default())), "got its prefix")
        }
    };
    if !page.may_change("Subject", Rule::Subject) {
        return None;
    }
    let mut splice = Splice::new(page.block);
    let written = Written::text("Subject", &value);
    match &present {
        Some(field) => splice.replace(field, &written),
        None => splice.insert(Place::End, &written),
    }
    page.tell(Rule::Subject, done);
    splice.finish()
}
