//! What of an account says how its mail may be changed: `[accounts.NAME.fixups]`, `[accounts.NAME.headers]`, `received`,
//! `header_charset`.
//!
//! Guarantees that a rule that cannot be applied, or could bring in a second field, is refused with the reason. Repeats no
//! value.

use crate::config::finding::Complaint;
use crate::config::section::Section;
use crate::config::tree::Value;
use crate::config::values;
use crate::mail::header::parser::Charset;
use crate::mail::rewrite::rule::{HeaderRule, Line, RuleError, SubjectRule};
use crate::mail::rewrite::{Fixups, Received};

/// `[accounts.NAME.fixups]`; all are done by default.
pub(super) fn fixups(account: &Section<'_>) -> Fixups {
    let Some(section) = account.section("fixups") else { return Fixups::default() };
    let flag = |key| section.get(key, values::flag).unwrap_or(true);
    Fixups {
        broken_from: flag("broken_from"),
        undisclosed: flag("undisclosed"),
        bcc: flag("bcc"),
        return_path: flag("return_path"),
        duplicates: flag("duplicates"),
        mime_version: flag("mime_version"),
        encoded_words: flag("encoded_words"),
        eight_bit_body: flag("eight_bit_body"),
    }
}

/// `received`
pub(super) fn received(account: &Section<'_>) -> Received {
    match account.word("received") {
        Some("minimal") => Received::Minimal,
        _ => Received::Full,
    }
}

/// `header_charset`
pub(super) fn charset(value: &Value) -> Result<Charset, Complaint> {
    let name = values::text(value, "a character set such as \"windows-1252\"")?;
    if ["utf-8", "utf8"].iter().any(|utf8| name.trim().eq_ignore_ascii_case(utf8)) {
        return Err(Complaint::new("UTF-8 is tried first anyway; this is what other text is in")
            .hint("leave the key out, or write what older devices use, such as \"windows-1252\""));
    }
    Charset::parse(name.trim()).ok_or_else(|| {
        Complaint::new("this character set is not known")
            .hint("write a name as in MIME, such as \"windows-1252\", \"iso-8859-2\" or \"shift_jis\"")
    })
}

/// `[accounts.NAME.headers]`: what is removed, set and added, in this order.
pub(super) fn headers(account: &Section<'_>) -> Vec<HeaderRule> {
    let Some(section) = account.section("headers") else { return Vec::new() };
    let rules = |key: &str, read: &dyn Fn(&Value) -> Result<HeaderRule, Complaint>| {
        let list = section.list(key, read).unwrap_or_default();
        list.into_iter().map(|(rule, _)| rule).collect::<Vec<_>>()
    };
    let mut all = rules("remove", &|value| {
        let name = values::text(value, "the name of a field such as \"X-Mailer\"")?;
        HeaderRule::remove(name.trim()).map_err(|error| complaint(&error))
    });
    all.extend(rules("set", &|value| field(value, HeaderRule::set)));
    all.extend(rules("add", &|value| field(value, HeaderRule::add)));
    all
}

/// `headers.subject` and `headers.subject_prefix`, of which one may be given.
pub(super) fn subject(account: &Section<'_>) -> Option<SubjectRule> {
    let section = account.section("headers")?;
    let line = |value: &Value| Line::parse(values::text(value, "text on one line")?).map_err(|error| complaint(&error));
    if section.has("subject") && section.has("subject_prefix") {
        let both = Complaint::new("`subject` and `subject_prefix` are both given");
        section
            .error("subject_prefix", both.hint("keep one: the whole subject, or what stands before the device's own"));
    }
    let prefix = section.get("subject_prefix", line).map(SubjectRule::Prefix);
    section.get("subject", line).map(SubjectRule::Replace).or(prefix)
}

/// `Name: value`
fn field(value: &Value, rule: fn(&str, &str) -> Result<HeaderRule, RuleError>) -> Result<HeaderRule, Complaint> {
    let text = values::text(value, "a field such as \"Organization: Example Ltd\"")?;
    let (name, value) = text.split_once(':').ok_or_else(|| {
        Complaint::new("there is no colon between a name and a value")
            .hint("write a field such as \"Organization: Example Ltd\"")
    })?;
    rule(name.trim(), value.trim()).map_err(|error| complaint(&error))
}

fn complaint(error: &RuleError) -> Complaint {
    let hint = match error {
        RuleError::NotAName(_) => "write a name such as \"X-Mailer\" or \"Organization\"",
        RuleError::Reserved(..) => "leave it out",
        RuleError::Control => "write it in one line; what follows would become another field of the header",
        RuleError::Empty => "write a value, or the name under `remove`",
        RuleError::TooLong(_) => "shorten it",
        RuleError::NotAscii(_) => "write it in ASCII, or as an encoded word such as \"=?utf-8?Q?B=C3=BCro?=\"",
    };
    Complaint::new(error.to_string()).hint(hint)
}
