//! Replies: a code, an enhanced status code, some text. Written towards devices, read from providers.
//!
//! A [`Refusal`] is a reply proven to be negative (4yz or 5yz), so nothing can be accepted by mistake. Text that came
//! from outside has been through [`crate::redact`] before it becomes a `Reply`; [`Reply::for_device`] makes it fit for
//! an old device: one line of printable ASCII, at most 200 octets, enhanced code of the same class.

use std::borrow::Cow;
use std::fmt;

/// An enhanced status code (RFC 3463): class, subject, detail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Enhanced(pub u8, pub u16, pub u16);

impl fmt::Display for Enhanced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// One reply; several lines are separated by `\n` in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// 200–599.
    pub code: u16,
    /// Absent in the greeting, in replies to HELO and EHLO, in 3yz, and wherever a provider sent none.
    pub enhanced: Option<Enhanced>,
    /// Without codes and line endings; may be empty.
    pub text: Cow<'static, str>,
}

impl Reply {
    /// A reply of ours with an enhanced code, whose class is the code's first digit.
    #[must_use]
    pub fn new(code: u16, subject: u16, detail: u16, text: impl Into<Cow<'static, str>>) -> Self {
        let class = u8::try_from(code / 100).unwrap_or(5);
        Self { code, enhanced: Some(Enhanced(class, subject, detail)), text: text.into() }
    }

    /// A reply that carries no enhanced code (RFC 2034 §4).
    #[must_use]
    pub fn bare(code: u16, text: impl Into<Cow<'static, str>>) -> Self {
        Self { code, enhanced: None, text: text.into() }
    }

    /// 2yz.
    #[must_use]
    pub fn is_positive(&self) -> bool {
        self.code / 100 == 2
    }

    /// 4yz.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.code / 100 == 4
    }

    /// 5yz.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        self.code / 100 == 5
    }

    /// Appends the reply as it goes over the wire; the enhanced code stands on each line (RFC 2034 §4).
    pub fn write(&self, out: &mut Vec<u8>) {
        let code = self.code.to_string();
        let enhanced = self.enhanced.map(|enhanced| format!("{enhanced} ")).unwrap_or_default();
        // Enough for a reply of one line; the others grow.
        out.reserve(code.len() + 1 + enhanced.len() + self.text.len() + 2);
        let mut lines = self.text.split('\n').peekable();
        while let Some(line) = lines.next() {
            out.extend_from_slice(code.as_bytes());
            out.push(if lines.peek().is_some() { b'-' } else { b' ' });
            out.extend_from_slice(enhanced.as_bytes());
            out.extend_from_slice(line.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
    }

    /// The same reply as a device may hear it: one line, printable ASCII, at most 200 octets in all, and an enhanced
    /// code whose class is the code's.
    #[must_use]
    pub fn for_device(&self) -> Self {
        let class = u8::try_from(self.code / 100).unwrap_or(5);
        let enhanced = match self.enhanced {
            Some(Enhanced(theirs, subject, detail)) if theirs == class => Enhanced(class, subject, detail),
            _ => Enhanced(class, 0, 0),
        };
        let mut text: String = self
            .text
            .chars()
            .map(|c| if c == '\n' { ' ' } else { c })
            .map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '?' })
            .collect();
        let head = 4 + enhanced.to_string().len() + 1;
        text.truncate(200 - head);
        Self { code: self.code, enhanced: Some(enhanced), text: text.into() }
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some(enhanced) = self.enhanced {
            write!(f, " {enhanced}")?;
        }
        if !self.text.is_empty() {
            write!(f, " {}", self.text.replace('\n', " "))?;
        }
        Ok(())
    }
}

/// A reply that is certainly negative.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal(Reply);

impl Refusal {
    /// A refusal of ours.
    ///
    /// `code` outside 400–599 is read as 554: a refusal can never become an acceptance.
    #[must_use]
    pub fn new(code: u16, subject: u16, detail: u16, text: impl Into<Cow<'static, str>>) -> Self {
        let code = if (400..600).contains(&code) { code } else { 554 };
        Self(Reply::new(code, subject, detail, text))
    }

    /// The reply inside.
    #[must_use]
    pub fn reply(&self) -> &Reply {
        &self.0
    }

    /// The reply inside.
    #[must_use]
    pub fn into_reply(self) -> Reply {
        self.0
    }
}

impl TryFrom<Reply> for Refusal {
    type Error = Reply;

    fn try_from(reply: Reply) -> Result<Self, Reply> {
        if reply.is_transient() || reply.is_permanent() { Ok(Self(reply)) } else { Err(reply) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_lines_repeat_code_and_enhanced_code() {
        let mut out = Vec::new();
        Reply::new(250, 0, 0, "one\ntwo").write(&mut out);
        assert_eq!(out, b"250-2.0.0 one\r\n250 2.0.0 two\r\n");
    }

    #[test]
    fn a_device_hears_one_short_ascii_line_of_the_same_class() {
        let theirs =
            Reply { code: 550, enhanced: Some(Enhanced(4, 7, 1)), text: format!("né\n{}", "x".repeat(400)).into() };
        let mut out = Vec::new();
        theirs.for_device().write(&mut out);
        assert!(out.starts_with(b"550 5.0.0 n? xxx"));
        assert_eq!(out.len(), 202, "200 octets and the line ending");
    }

    #[test]
    fn a_refusal_is_never_positive() {
        assert_eq!(Refusal::new(250, 0, 0, "no").reply().code, 554);
        assert!(Refusal::try_from(Reply::bare(250, "")).is_err());
        assert!(Refusal::try_from(Reply::bare(354, "")).is_err());
    }
}
