//! What a server offers in its reply to EHLO (RFC 5321 §4.1.1.1), read liberally.
//!
//! Keywords are compared without regard to case; unknown ones and empty lines are passed over; `AUTH X Y` and the old
//! `AUTH=X Y` are one list. Memory is bounded by the reply it is read from. Says what is offered, not what to use.

use super::sasl::Mechanism;

/// SIZE (RFC 1870) in a server's offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SizeOffer {
    /// Not offered: `SIZE=` must not be sent.
    #[default]
    Absent,
    /// Offered without a limit, with 0, or with a number nobody can read.
    Unlimited,
    /// Larger messages are refused; octets.
    Limit(u64),
}

/// One server's offer. `default()` is that of a server that only knows HELO: nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is one keyword, offered or not, independent of the others")]
pub struct Extensions {
    /// STARTTLS (RFC 3207)
    pub starttls: bool,
    /// PIPELINING (RFC 2920)
    pub pipelining: bool,
    /// 8BITMIME (RFC 6152)
    pub eight_bit_mime: bool,
    /// SMTPUTF8 (RFC 6531)
    pub smtputf8: bool,
    /// DSN (RFC 3461)
    pub dsn: bool,
    /// ENHANCEDSTATUSCODES (RFC 2034)
    pub enhanced_status_codes: bool,
    /// SIZE (RFC 1870)
    pub size: SizeOffer,
    /// AUTH mechanisms in upper case, in the server's order, each once; known to us or not.
    pub auth: Vec<Box<str>>,
}

impl Extensions {
    /// Reads the text lines of a positive reply to EHLO. The first line is the server's name and greeting.
    #[must_use]
    pub fn read<'a>(lines: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut offer = Self::default();
        for line in lines.into_iter().skip(1) {
            offer.add(line);
        }
        offer
    }

    /// Whether a mechanism is offered.
    #[must_use]
    pub fn offers(&self, mechanism: Mechanism) -> bool {
        self.auth.iter().any(|name| **name == *mechanism.name())
    }

    fn add(&mut self, line: &[u8]) {
        let line = String::from_utf8_lossy(line).to_ascii_uppercase();
        // `AUTH=LOGIN` is what servers said before RFC 2554; some still say both.
        let (keyword, parameters) = line.trim().split_once([' ', '\t', '=']).unwrap_or((line.trim(), ""));
        match keyword {
            "STARTTLS" => self.starttls = true,
            "PIPELINING" => self.pipelining = true,
            "8BITMIME" => self.eight_bit_mime = true,
            "SMTPUTF8" => self.smtputf8 = true,
            "DSN" => self.dsn = true,
            "ENHANCEDSTATUSCODES" => self.enhanced_status_codes = true,
            "SIZE" => {
                self.size = match parameters.trim().parse() {
                    Ok(0) | Err(_) => SizeOffer::Unlimited,
                    Ok(limit) => SizeOffer::Limit(limit),
                }
            }
            "AUTH" => self.add_mechanisms(parameters),
            _ => {}
        }
    }

    fn add_mechanisms(&mut self, names: &str) {
        for name in names.split([' ', '\t', '=']).filter(|name| is_mechanism_name(name)) {
            if !self.auth.iter().any(|known| **known == *name) {
                self.auth.push(name.into());
            }
        }
    }
}

/// RFC 4422 §3.1: 1 to 20 of `A-Z 0-9 - _`.
fn is_mechanism_name(name: &str) -> bool {
    (1..=20).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(text: &str) -> Extensions {
        Extensions::read(text.split('\n').map(str::as_bytes))
    }

    #[test]
    fn both_spellings_of_auth_are_one_list_without_doubles() {
        let james = offer("james\nAUTH OAUTHBEARER XOAUTH2\nauth=xoauth2 Plain");
        assert_eq!(james.auth, ["OAUTHBEARER", "XOAUTH2", "PLAIN"].map(Box::from));
        assert!(james.offers(Mechanism::XOAuth2) && !james.offers(Mechanism::Login));
    }

    #[test]
    fn size_is_a_limit_only_with_a_number_above_zero() {
        for (line, expected) in [
            ("SIZE 35882577", SizeOffer::Limit(35_882_577)),
            ("size=1000", SizeOffer::Limit(1000)),
            ("SIZE", SizeOffer::Unlimited),
            ("SIZE 0", SizeOffer::Unlimited),
            ("SIZE lots", SizeOffer::Unlimited),
            ("SIZE 99999999999999999999999", SizeOffer::Unlimited),
            ("SIZES 5", SizeOffer::Absent),
        ] {
            assert_eq!(offer(&format!("mx\n{line}")).size, expected, "{line}");
        }
    }

    #[test]
    fn the_first_line_is_a_name_and_empty_lines_are_nothing() {
        assert_eq!(offer("PIPELINING"), Extensions::default());
        let smtp_sink = offer("smtp-sink\nPIPELINING\n8bitmime\nX-UNKNOWN foo\n");
        assert!(smtp_sink.pipelining && smtp_sink.eight_bit_mime && !smtp_sink.starttls);
    }
}
