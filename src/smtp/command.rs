//! Commands of a device, read as liberally as devices need (RFC 5321 §4.1.1).
//!
//! Verbs and keywords in any case, addresses with or without brackets, white space where it does not belong, unknown
//! parameters ignored: each such liberty is named as a [`Quirk`]. Guarantees that what comes out is well formed: an
//! [`Address`] can be written into a strict command line. Knows no order of commands; that is the server's.

use crate::mail::address::Address;
use crate::mail::envelope::{Notify, Recipient, Return, ReversePath, Sender};

use super::quirk::{Quirk, Quirks};
use super::reply::Refusal;

/// One command line, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    Ehlo(String),
    Helo(String),
    Mail(Sender),
    Rcpt(Recipient),
    Data,
    Rset,
    Noop,
    Quit,
    Vrfy,
    Help,
    StartTls,
    /// The argument is credential material from here on; it is not even known where the mechanism ends.
    Auth(AuthArgument),
    /// A command of SMTP that is not offered here.
    NotOffered,
}

/// What followed AUTH. `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct AuthArgument(pub(super) Vec<u8>);

impl std::fmt::Debug for AuthArgument {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[hidden]")
    }
}

/// Why a line is no command we can follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrong {
    /// It does not begin with a known verb; it may be anything, a credential included.
    Unknown,
    /// A known verb with an argument that cannot be read.
    Argument(Refusal),
}

/// The verbs, so that a transcript can tell a command from something that must not be written down (promise 4).
const VERBS: [&str; 21] = [
    "EHLO", "HELO", "MAIL", "RCPT", "DATA", "RSET", "NOOP", "QUIT", "VRFY", "HELP", "STARTTLS", "AUTH", "EXPN", "ETRN",
    "ATRN", "TURN", "BDAT", "SEND", "SOML", "SAML", "BURL",
];

/// The verb a line begins with, if it is one of SMTP's.
#[must_use]
pub fn verb(line: &[u8]) -> Option<&'static str> {
    let end = line.iter().position(|&c| matches!(c, b' ' | b'\t' | b':')).unwrap_or(line.len());
    VERBS.into_iter().find(|verb| line[..end].eq_ignore_ascii_case(verb.as_bytes()))
}

/// Reads one line without its ending.
///
/// # Errors
/// When it is no command, or one whose argument cannot be read.
pub fn parse(line: &[u8], quirks: &mut Quirks) -> Result<Command, Wrong> {
    let Some(verb) = verb(line) else { return Err(Wrong::Unknown) };
    let argument = line[verb.len()..].trim_ascii();
    Ok(match verb {
        "EHLO" => Command::Ehlo(hello_name(argument, quirks)),
        "HELO" => Command::Helo(hello_name(argument, quirks)),
        "MAIL" => Command::Mail(mail(argument, quirks)?),
        "RCPT" => Command::Rcpt(rcpt(argument, quirks)?),
        "AUTH" => Command::Auth(AuthArgument(argument.to_vec())),
        "NOOP" => Command::Noop,
        "VRFY" => Command::Vrfy,
        "HELP" => Command::Help,
        "DATA" | "RSET" | "QUIT" | "STARTTLS" => {
            if !argument.is_empty() {
                // RFC 3207 §4: 501 for parameters of STARTTLS. For the others an argument is meaningless and harmless.
                if verb == "STARTTLS" {
                    return Err(syntax("STARTTLS takes no argument"));
                }
                quirks.add(Quirk::NeedlessArgument);
            }
            match verb {
                "DATA" => Command::Data,
                "RSET" => Command::Rset,
                "QUIT" => Command::Quit,
                _ => Command::StartTls,
            }
        }
        _ => Command::NotOffered,
    })
}

/// Never validated, never passed on; kept for `Received:` and the log only.
fn hello_name(argument: &[u8], quirks: &mut Quirks) -> String {
    if argument.is_empty() {
        quirks.add(Quirk::EmptyHello);
    } else if !is_domain_or_literal(argument) {
        quirks.add(Quirk::OddHelloName);
    }
    let text = String::from_utf8_lossy(argument);
    text.chars().filter(|c| !c.is_control()).take(255).collect()
}

fn is_domain_or_literal(name: &[u8]) -> bool {
    let literal = name.starts_with(b"[") && name.ends_with(b"]");
    let label = |l: &[u8]| {
        !l.is_empty()
            && l[0] != b'-'
            && l[l.len() - 1] != b'-'
            && l.iter().all(|c| c.is_ascii_alphanumeric() || *c == b'-')
    };
    let numeric = name.iter().all(|c| c.is_ascii_digit() || *c == b'.');
    literal || (!numeric && name.contains(&b'.') && name.split(|&c| c == b'.').all(label))
}

fn mail(argument: &[u8], quirks: &mut Quirks) -> Result<Sender, Wrong> {
    let (path, parameters) = path_and_parameters(argument, "FROM", quirks)?;
    let reverse_path = if path.is_empty() { ReversePath::Null } else { ReversePath::Mailbox(address(path, 1, 7)?) };
    let mut sender = Sender { reverse_path, declared_size: None, smtputf8: false, ret: None, envid: None };
    for (key, value) in parameters {
        match (key.to_ascii_uppercase().as_slice(), value) {
            // RFC 1870 §3: up to 20 digits. A number that does not fit is larger than any limit of ours.
            (b"SIZE", Some(v)) if digits(v) => {
                sender.declared_size =
                    Some(std::str::from_utf8(v).ok().and_then(|t| t.parse().ok()).unwrap_or(u64::MAX));
            }
            (b"SIZE", _) => return Err(syntax("SIZE takes a number of octets")),
            (b"BODY", Some(v)) if v.eq_ignore_ascii_case(b"BINARYMIME") => {
                return Err(Wrong::Argument(Refusal::new(555, 5, 4, "BODY=BINARYMIME is not offered here")));
            }
            // Whether the body is 8-bit is seen when it comes; the AUTH= of RFC 4954 §5 is accepted and not trusted.
            (b"BODY", Some(v)) if v.eq_ignore_ascii_case(b"7BIT") || v.eq_ignore_ascii_case(b"8BITMIME") => {}
            (b"AUTH", Some(_)) => {}
            (b"SMTPUTF8", None) => sender.smtputf8 = true,
            (b"RET", Some(v)) if v.eq_ignore_ascii_case(b"FULL") => sender.ret = Some(Return::Full),
            (b"RET", Some(v)) if v.eq_ignore_ascii_case(b"HDRS") => sender.ret = Some(Return::Headers),
            (b"RET", _) => return Err(syntax("RET takes FULL or HDRS")),
            (b"ENVID", Some(v)) if v.len() <= 100 && is_xtext(v) => sender.envid = text(v),
            (b"ENVID", _) => return Err(syntax("ENVID takes at most 100 octets of xtext")),
            _ => quirks.add(Quirk::UnknownParameter),
        }
    }
    Ok(sender)
}

fn rcpt(argument: &[u8], quirks: &mut Quirks) -> Result<Recipient, Wrong> {
    let (path, parameters) = path_and_parameters(argument, "TO", quirks)?;
    let mut recipient = Recipient::plain(address(path, 1, 3)?);
    for (key, value) in parameters {
        match (key.to_ascii_uppercase().as_slice(), value) {
            (b"NOTIFY", Some(v)) => {
                recipient.notify =
                    Some(notify(v).ok_or_else(|| syntax("NOTIFY takes NEVER, or a list of SUCCESS, FAILURE, DELAY"))?);
            }
            (b"ORCPT", Some(v)) if v.len() <= 500 && v.contains(&b';') && is_xtext(v) => recipient.orcpt = text(v),
            (b"NOTIFY" | b"ORCPT", _) => return Err(syntax("the DSN parameter cannot be read")),
            _ => quirks.add(Quirk::UnknownParameter),
        }
    }
    Ok(recipient)
}

type Parameter<'a> = (&'a [u8], Option<&'a [u8]>);

/// `FROM:<a@b> KEY=VALUE KEY`, with every liberty devices take.
fn path_and_parameters<'a>(
    argument: &'a [u8],
    keyword: &str,
    quirks: &mut Quirks,
) -> Result<(&'a [u8], impl Iterator<Item = Parameter<'a>> + use<'a>), Wrong> {
    let rest = argument
        .split_at_checked(keyword.len())
        .filter(|(word, _)| word.eq_ignore_ascii_case(keyword.as_bytes()))
        .map(|(_, rest)| rest.trim_ascii_start())
        .and_then(|rest| rest.strip_prefix(b":"))
        .ok_or_else(|| syntax("expected MAIL FROM:<address> or RCPT TO:<address>"))?;
    if rest.first().is_some_and(|c| matches!(c, b' ' | b'\t')) {
        quirks.add(Quirk::SpaceAfterColon);
    }
    let rest = rest.trim_ascii_start();
    let (path, rest) = if rest.starts_with(b"<") {
        let end = end_of_path(rest).ok_or_else(|| syntax("the address has no closing >"))?;
        (rest[1..end].trim_ascii(), &rest[end + 1..])
    } else {
        if rest.is_empty() {
            return Err(syntax("the address is missing"));
        }
        quirks.add(Quirk::NoBrackets);
        let end = rest.iter().position(|&c| matches!(c, b' ' | b'\t')).unwrap_or(rest.len());
        rest.split_at(end)
    };
    Ok((without_source_route(path), parameters(rest)))
}

fn parameters(rest: &[u8]) -> impl Iterator<Item = Parameter<'_>> {
    rest.split(|&c| matches!(c, b' ' | b'\t')).filter(|p| !p.is_empty()).map(|parameter| {
        match parameter.iter().position(|&c| c == b'=') {
            Some(i) => (&parameter[..i], Some(&parameter[i + 1..])),
            None => (parameter, None),
        }
    })
}

/// The `>` that ends a path, not one inside a quoted local part.
fn end_of_path(path: &[u8]) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    path.iter().position(|&c| {
        match c {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ => {}
        }
        c == b'>' && !quoted
    })
}

/// RFC 5321 §4.1.1.3, App. C: a source route is accepted and ignored.
fn without_source_route(path: &[u8]) -> &[u8] {
    match path.iter().position(|&c| c == b':') {
        Some(i) if path.starts_with(b"@") => &path[i + 1..],
        _ => path,
    }
}

/// Too long is 501 as well (RFC 5321 §4.5.3.1.10).
fn address(path: &[u8], subject: u16, detail: u16) -> Result<Address, Wrong> {
    Address::parse(path).map_err(|e| Wrong::Argument(Refusal::new(501, subject, detail, e.to_string())))
}

fn notify(value: &[u8]) -> Option<Notify> {
    if value.eq_ignore_ascii_case(b"NEVER") {
        return Some(Notify::Never);
    }
    let (mut success, mut failure, mut delay) = (false, false, false);
    for word in value.split(|&c| c == b',') {
        match word.to_ascii_uppercase().as_slice() {
            b"SUCCESS" => success = true,
            b"FAILURE" => failure = true,
            b"DELAY" => delay = true,
            _ => return None,
        }
    }
    Some(Notify::On { success, failure, delay })
}

fn syntax(text: &'static str) -> Wrong {
    Wrong::Argument(Refusal::new(501, 5, 4, text))
}

fn digits(value: &[u8]) -> bool {
    (1..=20).contains(&value.len()) && value.iter().all(u8::is_ascii_digit)
}

/// RFC 3461 §4: printable ASCII but for `+` and `=`, and `+` with two hexadecimal digits.
fn is_xtext(value: &[u8]) -> bool {
    let plain = value.iter().all(|&c| c.is_ascii_graphic() && c != b'=');
    let escapes = value.split(|&c| c == b'+').skip(1).all(|e| e.len() >= 2 && e[..2].iter().all(u8::is_ascii_hexdigit));
    plain && escapes && !value.is_empty()
}

fn text(value: &[u8]) -> Option<Box<str>> {
    std::str::from_utf8(value).ok().map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(line: &str) -> (Result<Command, Wrong>, Quirks) {
        let mut quirks = Quirks::default();
        (parse(line.as_bytes(), &mut quirks), quirks)
    }

    fn path(line: &str) -> String {
        match read(line).0 {
            Ok(Command::Mail(sender)) => sender.reverse_path.to_string(),
            Ok(Command::Rcpt(recipient)) => recipient.address.to_string(),
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn addresses_come_out_the_same_however_they_were_written() {
        for line in [
            "MAIL FROM:<a@b>",
            "mail from: <a@b>",
            "MAIL FROM:a@b",
            "MAIL FROM: a@b SIZE=3",
            "MAIL\tFROM :<a@b>",
            "MAIL FROM:< a@b >",
            "MAIL FROM:<@x,@y:a@b>",
        ] {
            assert_eq!(path(line), "a@b", "{line}");
        }
        assert_eq!(path("MAIL FROM:<>"), "<>");
        assert_eq!(path("RCPT TO:<\"odd > one\"@b>"), "\"odd > one\"@b");
    }

    #[test]
    fn liberties_are_named() {
        assert!(read("MAIL FROM:a@b").1.contains(Quirk::NoBrackets));
        assert!(read("MAIL FROM: <a@b>").1.contains(Quirk::SpaceAfterColon));
        assert!(read("MAIL FROM:<a@b> SIZE=1 X=Y").1.contains(Quirk::UnknownParameter));
        assert!(read("HELO").1.contains(Quirk::EmptyHello));
        for name in ["_", "7kO2OrE", "172.16.0.35", "MAIL", "PhpStorm 9.0.3"] {
            assert!(read(&format!("EHLO {name}")).1.contains(Quirk::OddHelloName), "{name}");
        }
        for fine in ["EHLO scanner.example.com", "EHLO [192.0.2.1]", "MAIL FROM:<a@b> SIZE=10 BODY=8BITMIME AUTH=<>"] {
            assert!(read(fine).1.is_empty(), "{fine}");
        }
    }

    #[test]
    fn parameters_are_read_or_refused_with_501() {
        let Ok(Command::Mail(sender)) =
            read("MAIL FROM:<a@b> SIZE=99999999999999999999 RET=HDRS ENVID=x+20y SMTPUTF8").0
        else {
            panic!()
        };
        assert_eq!((sender.declared_size, sender.ret, sender.smtputf8), (Some(u64::MAX), Some(Return::Headers), true));
        for bad in [
            "MAIL FROM:<a@b> SIZE=x",
            "MAIL FROM:<a@b> RET=ALL",
            "RCPT TO:<a@b> NOTIFY=SOMETIMES",
            "RCPT TO:<a@b> NOTIFY=NEVER,DELAY",
            "RCPT TO:<a@b> ORCPT=a=b",
            "MAIL FROM:<a@b",
            "MAIL a@b",
            "RCPT TO:",
            "RCPT TO:<>",
            "STARTTLS now",
        ] {
            let (Err(Wrong::Argument(refusal)), _) = read(bad) else { panic!("{bad}") };
            assert_eq!(refusal.reply().code, 501, "{bad}");
        }
    }

    #[test]
    fn a_line_that_is_no_command_is_unknown_and_debug_never_shows_auth() {
        assert_eq!(read("ZTQ5ZjM5").0, Err(Wrong::Unknown));
        assert!(!format!("{:?}", read("AUTH PLAIN AGEAaHVudGVyMg==").0).contains("AGEA"));
    }

    proptest! {
        #[test]
        fn no_octets_break_it(line in proptest::collection::vec(any::<u8>(), 0..80), verb in prop_oneof![Just("MAIL FROM:"), Just("RCPT TO:"), Just("EHLO "), Just("")]) {
            let line = [verb.as_bytes(), &line].concat();
            if let Ok(Command::Rcpt(recipient)) = parse(&line, &mut Quirks::default()) {
                prop_assert!(!recipient.address.as_str().contains(['\r', '\n', '<', '>']) || recipient.address.as_str().starts_with('"'));
            }
        }
    }
}
