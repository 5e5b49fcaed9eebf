//! Commands, read as strictly as the standards allow a server to be.
//!
//! Written on its own, not shared with the relay's own reader: that one forgives old devices, this one forgives
//! nothing, and each is a check on the other. Says only whether a line is well formed; whether the command may stand
//! where it stands is the session's business.

use std::net::{Ipv4Addr, Ipv6Addr};

/// RFC 5321 §4.5.3.1.4, with the CRLF.
const COMMAND: usize = 512;

/// The longest command line there can be, with every extension that lengthens one.
pub(super) const LONGEST: usize = COMMAND + 26 + 10 + 17 + 500 + 120;

/// A well-formed command.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command {
    Ehlo(String),
    Helo(String),
    StartTls,
    /// Mechanism and initial response, both as given.
    Auth(String, Option<String>),
    Mail(Path),
    Rcpt(Path),
    Data,
    Rset,
    Noop,
    Vrfy,
    Quit,
    /// EXPN and HELP: known, not implemented (RFC 5321 §4.2.4).
    Known,
}

/// The argument of MAIL or RCPT.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Path {
    /// Without its brackets; empty for the null reverse-path.
    pub address: String,
    /// Keyword (upper case) and value.
    pub parameters: Vec<(String, Option<String>)>,
}

/// Why a line is not a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Malformed {
    /// The first word is none we know.
    Unknown,
    /// What follows it is wrong; says what.
    Argument(&'static str),
    /// Too long for this command.
    TooLong,
}

/// Reads one line without its CRLF.
pub(super) fn parse(line: &[u8]) -> Result<Command, Malformed> {
    let text = std::str::from_utf8(line).map_err(|_| Malformed::Argument("not UTF-8"))?;
    let (verb, argument) = text.split_once(' ').map_or((text, None), |(verb, rest)| (verb, Some(rest)));
    let verb = verb.to_ascii_uppercase();
    if line.len() + 2 > longest(&verb) {
        return Err(Malformed::TooLong);
    }
    if text.chars().any(char::is_control) {
        return Err(Malformed::Argument("control character"));
    }
    match verb.as_str() {
        "EHLO" => Ok(Command::Ehlo(client_name(argument)?)),
        "HELO" => Ok(Command::Helo(client_name(argument)?)),
        "MAIL" => Ok(Command::Mail(path(argument, "FROM:", Forward::No)?)),
        "RCPT" => Ok(Command::Rcpt(path(argument, "TO:", Forward::Yes)?)),
        "AUTH" => auth(argument),
        "STARTTLS" => alone(argument, Command::StartTls),
        "DATA" => alone(argument, Command::Data),
        "RSET" => alone(argument, Command::Rset),
        "QUIT" => alone(argument, Command::Quit),
        "NOOP" => Ok(Command::Noop),
        "VRFY" if argument.is_some_and(|a| !a.is_empty()) => Ok(Command::Vrfy),
        "VRFY" => Err(Malformed::Argument("VRFY needs an argument")),
        "EXPN" | "HELP" => Ok(Command::Known),
        _ => Err(Malformed::Unknown),
    }
}

/// The limit of a command with what extensions add to it.
fn longest(verb: &str) -> usize {
    match verb {
        // SIZE (RFC 1870 §3), SMTPUTF8 (RFC 6531 §3.1), BODY (RFC 6152 §2), AUTH (RFC 4954 §3), and what RET and
        // ENVID of RFC 3461 §4 can hold at most.
        "MAIL" => LONGEST,
        // NOTIFY and ORCPT of RFC 3461 §4, and SMTPUTF8.
        "RCPT" => COMMAND + 10 + 30 + 507,
        _ => COMMAND,
    }
}

fn alone(argument: Option<&str>, command: Command) -> Result<Command, Malformed> {
    argument.map_or(Ok(command), |_| Err(Malformed::Argument("no argument is allowed")))
}

/// RFC 5321 §4.1.1.1: a domain or an address literal.
fn client_name(argument: Option<&str>) -> Result<String, Malformed> {
    let name = argument.unwrap_or_default();
    if domain(name) { Ok(name.into()) } else { Err(Malformed::Argument("a domain or an address literal is needed")) }
}

/// RFC 4954 §4
fn auth(argument: Option<&str>) -> Result<Command, Malformed> {
    let mut words = argument.unwrap_or_default().split(' ');
    let mechanism = words.next().unwrap_or_default();
    let named = (1..=20).contains(&mechanism.len())
        && mechanism.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    let initial = words.next();
    if !named || initial == Some("") || words.next().is_some() {
        return Err(Malformed::Argument("AUTH needs a mechanism and at most one response"));
    }
    Ok(Command::Auth(mechanism.into(), initial.map(String::from)))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Forward {
    Yes,
    No,
}

fn path(argument: Option<&str>, label: &str, forward: Forward) -> Result<Path, Malformed> {
    let argument = argument.unwrap_or_default();
    let (given, rest) = argument.split_at_checked(label.len()).unwrap_or_default();
    if !given.eq_ignore_ascii_case(label) {
        return Err(Malformed::Argument("FROM: or TO: is missing"));
    }
    let rest = rest.strip_prefix('<').ok_or(Malformed::Argument("the path does not begin with <"))?;
    let end = closing_bracket(rest).ok_or(Malformed::Argument("the path does not end with >"))?;
    let (address, parameters) = (&rest[..end], &rest[end + 1..]);
    let allowed = match forward {
        Forward::No => address.is_empty() || mailbox(address),
        // RFC 5321 §4.1.1.3: the only address without a domain.
        Forward::Yes => address.eq_ignore_ascii_case("postmaster") || mailbox(address),
    };
    if !allowed {
        return Err(Malformed::Argument("the path is not a mailbox"));
    }
    Ok(Path { address: address.into(), parameters: self::parameters(parameters)? })
}

/// The `>` that is not inside a quoted local part.
fn closing_bracket(text: &str) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (i, b) in text.bytes().enumerate() {
        match b {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'>' if !quoted => return Some(i),
            _ => {}
        }
    }
    None
}

/// RFC 5321 §4.1.2, with the sizes of §4.5.3.1. No source route: a client must not send one (§3.6.1, appendix C).
fn mailbox(address: &str) -> bool {
    let Some((local, host)) = address.rsplit_once('@') else { return false };
    let local_fits = if let Some(inner) = local.strip_prefix('"') { quoted(inner) } else { dot_string(local) };
    local_fits && local.len() <= 64 && host.len() <= 255 && address.len() <= 254 && domain(host)
}

fn dot_string(text: &str) -> bool {
    text.split('.').all(|atom| !atom.is_empty() && atom.chars().all(atom_character))
}

fn atom_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || !c.is_ascii()
}

/// The rest of a quoted string, with its closing quote.
fn quoted(text: &str) -> bool {
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' if characters.next().is_none() => return false,
            '"' => return characters.next().is_none(),
            _ => {}
        }
    }
    false
}

fn domain(text: &str) -> bool {
    if let Some(literal) = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
        return literal
            .strip_prefix("IPv6:")
            .map_or_else(|| literal.parse::<Ipv4Addr>().is_ok(), |address| address.parse::<Ipv6Addr>().is_ok());
    }
    text.len() <= 255 && text.split('.').all(label)
}

fn label(text: &str) -> bool {
    let inner = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || !c.is_ascii());
    !text.is_empty() && text.len() <= 63 && inner && !text.starts_with('-') && !text.ends_with('-')
}

/// RFC 5321 §4.1.2, `Mail-parameters`: each behind exactly one space.
fn parameters(text: &str) -> Result<Vec<(String, Option<String>)>, Malformed> {
    let mut found: Vec<(String, Option<String>)> = Vec::new();
    if text.is_empty() {
        return Ok(found);
    }
    let list = text.strip_prefix(' ').ok_or(Malformed::Argument("something sticks to the path"))?;
    for parameter in list.split(' ') {
        let (keyword, value) = parameter.split_once('=').map_or((parameter, None), |(k, v)| (k, Some(v)));
        let keyword_fits = keyword.starts_with(|c: char| c.is_ascii_alphanumeric())
            && keyword.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if !keyword_fits || value.is_some_and(|v| v.is_empty() || v.contains('=')) {
            return Err(Malformed::Argument("a parameter is malformed"));
        }
        let keyword = keyword.to_ascii_uppercase();
        if found.iter().any(|(k, _)| *k == keyword) {
            return Err(Malformed::Argument("a parameter is given twice"));
        }
        found.push((keyword, value.map(String::from)));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_formed_commands_are_read() {
        assert_eq!(parse(b"ehlo [127.0.0.1]"), Ok(Command::Ehlo("[127.0.0.1]".into())));
        assert_eq!(parse(b"EHLO [IPv6:::1]"), Ok(Command::Ehlo("[IPv6:::1]".into())));
        assert_eq!(parse(b"AUTH PLAIN ="), Ok(Command::Auth("PLAIN".into(), Some("=".into()))));
        let null = Path { address: String::new(), parameters: vec![("SIZE".into(), Some("12".into()))] };
        assert_eq!(parse(b"MAIL FROM:<> size=12"), Ok(Command::Mail(null)));
        for ok in ["RCPT TO:<\"a b>\"@x.example>", "RCPT TO:<Postmaster>", "RCPT TO:<o'neil+x@[192.0.2.1]>"] {
            assert!(matches!(parse(ok.as_bytes()), Ok(Command::Rcpt(_))), "{ok}");
        }
    }

    #[test]
    fn what_old_devices_send_is_refused_here() {
        for bad in [
            "MAIL FROM: <a@b.example>",
            "MAIL FROM:a@b.example",
            "MAIL FROM:<a@b.example> ",
            "MAIL FROM:<a@b.example>SIZE=1",
            "MAIL FROM:<a@b.example>  SIZE=1",
            "MAIL FROM:<root>",
            "RCPT TO:<>",
            "RCPT TO:<@r.example:a@b.example>",
            "RCPT TO:<a b@c.example>",
            "RCPT TO:<a..b@c.example>",
            "RCPT TO:<\"a\"b\"@c.example>",
            "MAIL FROM:<a@b.example> SIZE=1 size=2",
            "EHLO",
            "EHLO my_host",
            "EHLO a..b",
            "DATA ",
            "QUIT now",
            "AUTH PLAIN  x",
            "NOOP \x07",
        ] {
            assert!(matches!(parse(bad.as_bytes()), Err(Malformed::Argument(_))), "{bad}");
        }
        assert_eq!(parse(b"EHLO\tx"), Err(Malformed::Argument("control character")));
        assert_eq!(parse(b"EHLOx"), Err(Malformed::Unknown));
        assert_eq!(parse(b""), Err(Malformed::Unknown));
    }

    #[test]
    fn each_command_has_its_own_longest_line() {
        let noop = |octets: usize| format!("NOOP {}", "x".repeat(octets - 7));
        assert_eq!(parse(noop(512).as_bytes()), Ok(Command::Noop));
        assert_eq!(parse(noop(513).as_bytes()), Err(Malformed::TooLong));
        let mail = format!("MAIL FROM:<a@b.example> AUTH={}", "x".repeat(500));
        assert!(parse(mail.as_bytes()).is_ok());
    }
}
