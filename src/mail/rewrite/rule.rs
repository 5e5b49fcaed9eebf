//! What an administrator may ask to be done to a header: fields added, set or removed, and the subject.
//!
//! A rule that exists can be applied: names are names, and values are one line without control characters, so that a rule
//! cannot bring in a second field. Fields that carry the message, or that other settings own, cannot be named.

/// Characters of a value, at most.
pub const LONGEST_VALUE: usize = 900;

/// Characters of a name, at most.
pub const LONGEST_NAME: usize = 70;

/// Why a rule is not possible. Values are not repeated: they may be anything.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    #[error("`{0}` is not the name of a header field: letters, digits and hyphens, at most 70 characters")]
    NotAName(String),
    #[error("the field {0} cannot be changed by a rule: {1}")]
    Reserved(String, &'static str),
    #[error("the value holds a line ending or a control character")]
    Control,
    #[error("the value is empty; to take the field out, remove it")]
    Empty,
    #[error("the value has {0} characters, and at most 900 fit")]
    TooLong(usize),
    #[error("the value of {0} must be ASCII; write names beyond it as encoded words")]
    NotAscii(String),
}

/// What is done with a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Act {
    /// Added; one that a mail may have only once is added only where there is none.
    Add(String),
    /// Whatever there is of this name becomes this one.
    Set(String),
    /// All of this name are taken out.
    Remove,
}

/// A rule about the fields of one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderRule {
    pub(super) name: String,
    pub(super) act: Act,
}

impl HeaderRule {
    /// The field is added. One that a mail may have only once (RFC 5322 §3.6) is added only where there is none.
    pub fn add(name: &str, value: &str) -> Result<Self, RuleError> {
        Ok(Self { name: field_name(name)?, act: Act::Add(field_value(name, value)?) })
    }

    /// Whatever there is of this name becomes this one field.
    pub fn set(name: &str, value: &str) -> Result<Self, RuleError> {
        Ok(Self { name: field_name(name)?, act: Act::Set(field_value(name, value)?) })
    }

    /// Which fields.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `add`, `set` or `remove`.
    #[must_use]
    pub fn verb(&self) -> &'static str {
        match self.act {
            Act::Add(_) => "add",
            Act::Set(_) => "set",
            Act::Remove => "remove",
        }
    }

    /// All fields of this name are taken out.
    pub fn remove(name: &str) -> Result<Self, RuleError> {
        Ok(Self { name: field_name(name)?, act: Act::Remove })
    }
}

/// What is done to `Subject`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubjectRule {
    /// This stands before it, once.
    Prefix(Line),
    /// This stands in its place.
    Replace(Line),
}

/// Text on one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line(String);

impl Line {
    /// Reads a line as people write it.
    pub fn parse(text: &str) -> Result<Self, RuleError> {
        let text = text.trim_matches(' ');
        if text.is_empty() {
            return Err(RuleError::Empty);
        }
        // The last two end a line as well (Unicode, UAX #14).
        if text.contains(|c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')) {
            return Err(RuleError::Control);
        }
        let length = text.chars().count();
        if length > LONGEST_VALUE { Err(RuleError::TooLong(length)) } else { Ok(Self(text.to_owned())) }
    }

    /// As it was written, without blanks around it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// RFC 5322 §3.6.8, but only what every server takes.
fn field_name(name: &str) -> Result<String, RuleError> {
    let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_');
    if !(1..=LONGEST_NAME).contains(&name.len()) || !name.bytes().all(plain) {
        let shown: String = name.chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect();
        return Err(RuleError::NotAName(shown));
    }
    match reserved(&name.to_ascii_lowercase()) {
        Some(why) => Err(RuleError::Reserved(name.to_owned(), why)),
        None => Ok(name.to_owned()),
    }
}

/// Who owns the field instead.
fn reserved(name: &str) -> Option<&'static str> {
    match name {
        "from" | "sender" => Some("the sender policy decides about it"),
        "received" | "return-path" => Some("servers write it, and loops are found by it"),
        "date" | "message-id" => Some("every attempt must send the same"),
        "bcc" => Some("it is always taken out"),
        "mime-version" => Some("the body is read by it"),
        "dkim-signature" => Some("it is a signature"),
        name if name.starts_with("content-") => Some("the body is read by it"),
        name if name.starts_with("resent-") => Some("it tells of an earlier sending"),
        name if name.starts_with("arc-") => Some("it is a signature"),
        _ => None,
    }
}

fn field_value(name: &str, value: &str) -> Result<String, RuleError> {
    let value = Line::parse(value)?.0;
    if !value.is_ascii() && is_structured(name) { Err(RuleError::NotAscii(name.to_owned())) } else { Ok(value) }
}

/// Fields in which an encoded word may not stand just anywhere.
pub(super) fn is_structured(name: &str) -> bool {
    let known =
        ["To", "Cc", "Reply-To", "In-Reply-To", "References", "Disposition-Notification-To", "Return-Receipt-To"];
    known.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Fields that a mail has at most once, among those that a rule can name (RFC 5322 §3.6).
pub(super) fn is_single(name: &str) -> bool {
    ["To", "Cc", "Reply-To", "In-Reply-To", "References", "Subject"]
        .iter()
        .any(|known| known.eq_ignore_ascii_case(name))
}
