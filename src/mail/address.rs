//! Mail addresses as they stand in an envelope, read liberally and kept so that they can be written strictly.
//!
//! An [`Address`] holds no white space outside a quoted local part, no control character, no angle bracket, and is at
//! most 254 octets long: it can be put into a command line as it is (no injection is possible by type). It may lack a
//! domain (`root`, `postmaster`) and may hold UTF-8 (RFC 6531). Whether it exists is nobody's business here.

use std::fmt;
use std::sync::Arc;

/// Why a text is not an address. The text itself is not repeated: it may be anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    #[error("the address is empty")]
    Empty,
    /// RFC 5321 §4.5.3.1.1
    #[error("the local part is longer than 64 octets")]
    LocalPartTooLong,
    /// RFC 5321 §4.5.3.1.2
    #[error("the domain is longer than 255 octets")]
    DomainTooLong,
    /// RFC 5321 §4.5.3.1.3
    #[error("the address is longer than 254 octets")]
    TooLong,
    #[error("the address holds a character that cannot stand in an address")]
    Character,
    #[error("the address is not valid UTF-8")]
    NotUtf8,
    #[error("the local part is missing")]
    NoLocalPart,
    #[error("the domain is missing after the @")]
    NoDomain,
}

/// `local@domain`, or `local` alone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Address(Arc<str>);

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.as_str().to_owned()
    }
}

impl TryFrom<String> for Address {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, AddressError> {
        Self::parse(text.as_bytes())
    }
}

impl Address {
    /// Reads an address without its angle brackets. A source route (`@a,@b:c@d`) must have been cut off already.
    ///
    /// # Errors
    /// When the text cannot stand in an envelope.
    pub fn parse(text: &[u8]) -> Result<Self, AddressError> {
        let text = std::str::from_utf8(text).map_err(|_| AddressError::NotUtf8)?;
        if text.is_empty() {
            return Err(AddressError::Empty);
        }
        let at = last_unquoted_at(text)?;
        let (local, domain) = at.map_or((text, None), |i| (&text[..i], Some(&text[i + 1..])));
        if local.is_empty() {
            return Err(AddressError::NoLocalPart);
        }
        if local.len() > 64 {
            return Err(AddressError::LocalPartTooLong);
        }
        match domain {
            Some("") => return Err(AddressError::NoDomain),
            Some(d) if d.len() > 255 => return Err(AddressError::DomainTooLong),
            Some(d) if d.contains('"') => return Err(AddressError::Character),
            _ => {}
        }
        // 256 octets for the path (§4.5.3.1.3) less its two angle brackets.
        if text.len() > 254 {
            return Err(AddressError::TooLong);
        }
        Ok(Self(text.into()))
    }

    /// The whole address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands before the last unquoted `@`.
    #[must_use]
    pub fn local_part(&self) -> &str {
        self.split().0
    }

    /// What stands after it, if there is one.
    #[must_use]
    pub fn domain(&self) -> Option<&str> {
        self.split().1
    }

    /// Whether it needs SMTPUTF8 (RFC 6531).
    #[must_use]
    pub fn is_internationalized(&self) -> bool {
        !self.0.is_ascii()
    }

    fn split(&self) -> (&str, Option<&str>) {
        match last_unquoted_at(&self.0) {
            Ok(Some(i)) => (&self.0[..i], Some(&self.0[i + 1..])),
            _ => (&self.0, None),
        }
    }
}

/// Finds the `@` between local part and domain, and refuses what may not stand where it stands.
fn last_unquoted_at(text: &str) -> Result<Option<usize>, AddressError> {
    let (mut quoted, mut escaped, mut at) = (false, false, None);
    for (i, c) in text.char_indices() {
        if c.is_control() {
            return Err(AddressError::Character);
        }
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '@' if !quoted => at = Some(i),
            ' ' | '<' | '>' | ',' | ';' | '\\' if !quoted => return Err(AddressError::Character),
            _ => {}
        }
    }
    if quoted { Err(AddressError::Character) } else { Ok(at) }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_the_field_are_read() {
        for ok in
            ["a@b", "root", "postmaster", "\"odd name\"@x.example", "a@[192.0.2.1]", "müller@exämple.de", "a\"@\"b@c"]
        {
            assert_eq!(Address::parse(ok.as_bytes()).unwrap().as_str(), ok);
        }
        let quoted = Address::parse(b"\"a@b\"@c").unwrap();
        assert_eq!((quoted.local_part(), quoted.domain()), ("\"a@b\"", Some("c")));
    }

    #[test]
    fn nothing_that_could_end_a_command_line_gets_through() {
        for bad in ["a@b\r\nRCPT TO:<x@y>", "a b@c", "a@b>", "<a@b", "a@b\0", "\"a@b", "\"a\r\n\"@b"] {
            assert!(Address::parse(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn sizes_follow_rfc_5321() {
        let local = "l".repeat(65);
        assert_eq!(Address::parse(format!("{local}@b").as_bytes()), Err(AddressError::LocalPartTooLong));
        assert!(Address::parse(format!("{}@b", "l".repeat(64)).as_bytes()).is_ok());
        assert_eq!(Address::parse(format!("a@{}", "d".repeat(256)).as_bytes()), Err(AddressError::DomainTooLong));
        assert_eq!(Address::parse(format!("a@{}", "d".repeat(253)).as_bytes()), Err(AddressError::TooLong));
        assert!(Address::parse(format!("a@{}", "d".repeat(252)).as_bytes()).is_ok());
    }
}
