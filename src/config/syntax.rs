//! What is wrong with a file that is no TOML, in words for people who never read its specification.
//!
//! The parser says where it stopped; what was probably meant is read off the line. Repeats nothing of the file: the
//! line itself is shown from its mask.

use std::ops::Range;

use super::finding::Complaint;
use super::tree::Syntax;

/// One mistake a line: the parser's second complaint about it only says that the first confused it.
pub(super) fn one_a_line(source: &str, errors: Vec<Syntax>) -> Vec<Syntax> {
    let mut last = None;
    let fresh = |error: &Syntax| {
        let line = line_number(source, error.span.start);
        last.replace(line) != Some(line)
    };
    errors.into_iter().filter(fresh).collect()
}

/// What to underline: at the end of a line its last character, for text that is not closed all of it.
pub(super) fn mark(source: &str, error: &Syntax) -> Range<usize> {
    let (start, line) = line_at(source, error.span.start);
    let end = start + line.trim_end().len();
    let value = line.find('=').map_or(line.len(), |at| at + 1);
    let quote = start + value + line[value..].len() - line[value..].trim_start().len();
    if is_open(line[value..].trim()) {
        quote..end
    } else if error.span.start >= end && end > start {
        source[..end].char_indices().next_back().map_or(start, |(at, _)| at)..end
    } else {
        error.span.clone()
    }
}

/// The mistake and its cure.
pub(super) fn explain(source: &str, error: &Syntax) -> Complaint {
    let (start, line) = line_at(source, error.span.start);
    let here = source.get(error.span.clone()).unwrap_or_default();
    let value = line.split_once('=').map_or("", |(_, value)| value.trim());
    let complaint = |what: &str, cure: &str| Complaint::new(format!("this is not TOML: {what}")).hint(cure);
    if error.message.starts_with("duplicate key") {
        return duplicate(source, start, line);
    }
    if is_lone_return(source, error.span.start) {
        return complaint(
            "there are line endings of an old kind, CR alone",
            "save the file with LF or CRLF line endings",
        );
    }
    if here.contains(|c: char| c.is_control()) {
        return complaint(
            "there is a control character in this line",
            "delete it; an editor shows it as a sign of its own",
        );
    }
    if line.contains(['“', '”', '„', '‘', '’', '«', '»']) {
        return complaint("there are typographic quotes in this line", "write straight ones: \" or '");
    }
    if line.trim_start().starts_with('[') && !line.contains(']') {
        return complaint("the bracket of this section is not closed", "write [section], and [[section]] for lists");
    }
    if !line.contains('=') && line.contains(':') {
        return complaint("a colon stands where = belongs", "write KEY = VALUE");
    }
    if error.message.contains("expected `=`") || (!line.contains('=') && !line.trim_start().starts_with('[')) {
        return complaint("this line is no KEY = VALUE", "put = between them, or a # before a remark");
    }
    if matches!(value, "True" | "TRUE" | "False" | "FALSE" | "yes" | "no" | "on" | "off" | "Yes" | "No") {
        return complaint("this word is no value", "write true or false, in small letters");
    }
    if value.is_empty() || value.starts_with('#') {
        return complaint("there is no value behind the =", "write one, or put a # before the line");
    }
    if is_open(value) {
        return complaint("the quotes that begin here are not closed", "put the same quotes at the end of the text");
    }
    if error.message.contains("array") {
        return complaint("the list above is not closed, or a comma is missing in it", "write [\"ONE\", \"OTHER\"]");
    }
    if error.message.contains("escape") {
        return complaint("a \\ in double quotes begins an escape", "put a text with \\ in it in single quotes: '…'");
    }
    if error.message.contains("must be quoted") {
        return complaint("text stands in quotes", "write KEY = \"TEXT\"; numbers, true and false stand without");
    }
    Complaint::new(format!("this is not TOML: {}", error.message)).hint(
        "a line is KEY = VALUE; text stands in quotes, numbers and true or false do not; lists stand in [ ], with commas",
    )
}

/// A key or a section for the second time; says where the first one is.
fn duplicate(source: &str, start: usize, line: &str) -> Complaint {
    let is_header = line.trim_start().starts_with('[');
    let name = |line: &str| {
        if line.trim_start().starts_with('[') {
            line.split('#').next().unwrap_or_default().trim().to_owned()
        } else {
            line.split('=').next().unwrap_or_default().trim().to_owned()
        }
    };
    let wanted = name(line);
    // A key counts within its own section only, so the search for one goes back as far as the header above it.
    let before: Vec<&str> = source[..start].lines().collect();
    let numbered = before.iter().enumerate().rev();
    let mut section = numbered.take_while(|(_, line)| is_header || !line.trim_start().starts_with('['));
    let first = section.find(|(_, line)| name(line) == wanted).map(|(i, _)| i + 1);
    let what = if is_header { "this section" } else { "this key" };
    let place = first.map(|line| format!(", first in line {line}")).unwrap_or_default();
    let cure = if is_header { "put the keys of both under one header" } else { "keep one of them" };
    Complaint::new(format!("{what} stands here a second time{place}")).hint(cure)
}

/// Whether the value begins with a quote that its line does not close.
fn is_open(value: &str) -> bool {
    let Some(quote) = value.chars().next().filter(|c| matches!(c, '"' | '\'')) else { return false };
    !value.starts_with("\"\"\"") && !value.starts_with("'''") && !value[1..].contains(quote)
}

fn is_lone_return(source: &str, at: usize) -> bool {
    let octets = source.as_bytes();
    let near = at.saturating_sub(1)..(at + 1).min(octets.len());
    near.into_iter().any(|i| octets[i] == b'\r' && octets.get(i + 1) != Some(&b'\n'))
}

/// The line of a place, and where it begins.
fn line_at(source: &str, at: usize) -> (usize, &str) {
    let start = source[..floor(source, at)].rfind('\n').map_or(0, |at| at + 1);
    (start, source[start..].lines().next().unwrap_or_default())
}

fn line_number(source: &str, at: usize) -> usize {
    source[..floor(source, at)].matches('\n').count()
}

/// The nearest place that is no middle of a character.
fn floor(source: &str, at: usize) -> usize {
    (0..=at.min(source.len())).rev().find(|at| source.is_char_boundary(*at)).unwrap_or(0)
}
