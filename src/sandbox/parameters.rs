//! Parameters of MAIL and RCPT: whether each was offered and is well formed.
//!
//! One table. A parameter nobody knows and one that belongs to an extension not offered are the same offence
//! (RFC 5321 §4.1.1.11: `555`).

use super::grammar::Path;
use super::offer::{Extension, Mechanism, Offer};

/// What is wrong with a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrong {
    /// `555`
    NotOffered,
    /// `501`
    Malformed,
}

/// What MAIL announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Announced {
    /// `SIZE=`
    pub size: Option<u64>,
    /// `BODY=8BITMIME`
    pub eight_bit: bool,
    /// `SMTPUTF8`
    pub utf8: bool,
}

/// Reads the parameters of MAIL.
pub(super) fn of_mail(path: &Path, offer: &Offer) -> Result<Announced, Wrong> {
    let mut announced = Announced::default();
    for (keyword, value) in &path.parameters {
        let value = value.as_deref();
        let (offered, well_formed) = match keyword.as_str() {
            "SIZE" => {
                announced.size = value.and_then(size);
                (offer.has_size(), announced.size.is_some())
            }
            "BODY" => {
                let value = value.unwrap_or_default().to_ascii_uppercase();
                announced.eight_bit = value == "8BITMIME";
                (offer.has(&Extension::EightBitMime), announced.eight_bit || value == "7BIT")
            }
            "SMTPUTF8" => {
                announced.utf8 = true;
                (offer.has(&Extension::SmtpUtf8), value.is_none())
            }
            "AUTH" => (Mechanism::ALL.iter().any(|m| offer.offers(*m)), value.is_some_and(|v| v == "<>" || xtext(v))),
            "RET" => {
                let fits = value.is_some_and(|v| v.eq_ignore_ascii_case("FULL") || v.eq_ignore_ascii_case("HDRS"));
                (offer.has(&Extension::Dsn), fits)
            }
            // RFC 3461 §4.4: at most 100 characters.
            "ENVID" => (offer.has(&Extension::Dsn), value.is_some_and(|v| v.len() <= 100 && xtext(v))),
            _ => (false, true),
        };
        judge(offered, well_formed)?;
    }
    Ok(announced)
}

/// Checks the parameters of RCPT.
pub(super) fn of_rcpt(path: &Path, offer: &Offer) -> Result<(), Wrong> {
    for (keyword, value) in &path.parameters {
        let value = value.as_deref().unwrap_or_default();
        let well_formed = match keyword.as_str() {
            "NOTIFY" => notify(value),
            // RFC 3461 §4.2: address type, semicolon, xtext.
            "ORCPT" => {
                value.len() <= 500 && value.split_once(';').is_some_and(|(kind, a)| !kind.is_empty() && xtext(a))
            }
            _ => return Err(Wrong::NotOffered),
        };
        judge(offer.has(&Extension::Dsn), well_formed)?;
    }
    Ok(())
}

fn judge(offered: bool, well_formed: bool) -> Result<(), Wrong> {
    match (offered, well_formed) {
        (false, _) => Err(Wrong::NotOffered),
        (true, false) => Err(Wrong::Malformed),
        (true, true) => Ok(()),
    }
}

/// RFC 1870 §3: 1 to 20 digits. What does not fit a `u64` is larger than anything.
fn size(text: &str) -> Option<u64> {
    let digits = (1..=20).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

/// RFC 3461 §4.1: NEVER stands alone, the others at most once each.
fn notify(text: &str) -> bool {
    let text = text.to_ascii_uppercase();
    let words: Vec<&str> = text.split(',').collect();
    let known = |word: &&str| ["SUCCESS", "FAILURE", "DELAY"].contains(word);
    let once = words.iter().all(|word| words.iter().filter(|w| w == &word).count() == 1);
    text == "NEVER" || (once && words.iter().all(known))
}

/// RFC 3461 §4: printable ASCII without `+` and `=`; any octet as `+` and two upper-case hexadecimal digits.
fn xtext(text: &str) -> bool {
    let hex = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(&b));
    let mut octets = text.bytes();
    while let Some(octet) = octets.next() {
        let fits = if octet == b'+' {
            hex(octets.next()) && hex(octets.next())
        } else {
            octet.is_ascii_graphic() && octet != b'='
        };
        if !fits {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::grammar::{Command, parse};

    fn mail(line: &str, offer: &Offer) -> Result<Announced, Wrong> {
        match parse(format!("MAIL FROM:<a@b.example> {line}").as_bytes()) {
            Ok(Command::Mail(path)) => of_mail(&path, offer),
            other => panic!("{other:?}"),
        }
    }

    fn rcpt(line: &str, offer: &Offer) -> Result<(), Wrong> {
        match parse(format!("RCPT TO:<a@b.example> {line}").as_bytes()) {
            Ok(Command::Rcpt(path)) => of_rcpt(&path, offer),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_was_offered_may_be_used() {
        let offer = Offer::like_microsoft();
        let announced = mail("SIZE=12 BODY=8bitmime SMTPUTF8 RET=HDRS ENVID=a+2Bb AUTH=<>", &offer).unwrap();
        assert_eq!(announced, Announced { size: Some(12), eight_bit: true, utf8: true });
        assert_eq!(rcpt("NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a+40b.example", &offer), Ok(()));
        assert_eq!(mail("SIZE=99999999999999999999", &offer).unwrap().size, Some(u64::MAX));
    }

    #[test]
    fn what_was_not_offered_may_not() {
        for line in ["SIZE=1", "BODY=7BIT", "SMTPUTF8", "RET=FULL", "ENVID=x", "AUTH=<>", "X-OTHER"] {
            assert_eq!(mail(line, &Offer::bare()), Err(Wrong::NotOffered), "{line}");
        }
        assert_eq!(rcpt("NOTIFY=NEVER", &Offer::like_gmail()), Err(Wrong::NotOffered));
    }

    #[test]
    fn malformed_values_are_seen() {
        let offer = Offer::like_microsoft();
        for line in ["SIZE=1k", "SIZE", "BODY=BINARYMIME", "SMTPUTF8=1", "RET=ALL", "ENVID=a+2b"] {
            assert_eq!(mail(line, &offer), Err(Wrong::Malformed), "{line}");
        }
        for line in ["NOTIFY=NEVER,DELAY", "NOTIFY=DELAY,DELAY", "ORCPT=a@b.example", "NOTIFY"] {
            assert_eq!(rcpt(line, &offer), Err(Wrong::Malformed), "{line}");
        }
    }
}
