//! What single values must look like: durations, sizes, socket addresses, networks, names, patterns.
//!
//! Each function reads one value and says what it expected, with what to write instead where the mistake is a common
//! one. No complaint repeats the value (promise 4). A value from a variable or a flag is always text, so numbers and
//! `true` are read from text as well. What fits together is for `check`.

mod host;
mod mail;

pub(super) use host::{domain, helo_name, host, is_domain, is_loopback, is_nearby, no_port};
pub(super) use mail::{address, is_mail_address};

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::mail::pattern::Pattern;
use crate::net::network::{Network, NetworkError};
use crate::secret::Secret;

use host::is_address;

use super::finding::Complaint;
use super::keys::nearest_word;
use super::tree::Value;

type Read<T> = Result<T, Complaint>;

pub(super) fn text<'a>(value: &'a Value, expected: &str) -> Read<&'a str> {
    match value {
        Value::Text(text) => Ok(text),
        _ => Err(Complaint::new(format!("expected {expected} in quotes")).hint("put the value in quotes: \"…\"")),
    }
}

/// One of a few words.
pub(super) fn word(value: &Value, words: &'static [&'static str]) -> Read<&'static str> {
    let complaint = || Complaint::new(format!("expected one of {}", listed(words)));
    let Value::Text(text) = value else { return Err(complaint().hint("write one of them in quotes")) };
    let lower = text.trim().to_ascii_lowercase();
    if let Some(word) = words.iter().find(|word| **word == lower) {
        return Ok(word);
    }
    Err(match nearest_word(words.iter().copied(), &lower) {
        Some(near) => complaint().hint(format!("did you mean \"{near}\"?")),
        None => complaint().hint("write one of them, or leave the key out"),
    })
}

fn listed(words: &[&str]) -> String {
    words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ")
}

/// `true` or `false`.
pub(super) fn flag(value: &Value) -> Read<bool> {
    let complaint = Complaint::new("expected true or false, without quotes");
    let text = match value {
        Value::Boolean(flag) => return Ok(*flag),
        Value::Integer(1) => return Err(complaint.hint("write true")),
        Value::Integer(0) => return Err(complaint.hint("write false")),
        Value::Text(text) => text.trim().to_ascii_lowercase(),
        _ => return Err(complaint.hint("write true or false")),
    };
    match text.as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        "yes" | "on" | "1" | "enabled" => Err(complaint.hint("write true")),
        "no" | "off" | "0" | "disabled" => Err(complaint.hint("write false")),
        _ => Err(complaint.hint("write true or false")),
    }
}

/// A whole number in a range.
pub(super) fn number(value: &Value, range: std::ops::RangeInclusive<u32>) -> Read<u32> {
    let number = match value {
        Value::Integer(number) => u32::try_from(*number).ok(),
        Value::Text(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.filter(|number| range.contains(number)).ok_or_else(|| {
        Complaint::new(format!("expected a whole number from {} to {}, without quotes", range.start(), range.end()))
    })
}

/// `15s`, `5m`, `2h`, `500ms`; a bare zero needs no unit.
pub(super) fn duration(value: &Value) -> Read<Duration> {
    let complaint = || {
        Complaint::new("expected a duration in quotes such as \"15s\", \"5m\" or \"2h\"")
            .hint("a whole number and one unit behind it")
    };
    let text = match value {
        Value::Integer(0) => return Ok(Duration::ZERO),
        Value::Integer(_) => return Err(complaint().hint("add a unit: ms, s, m, h or d")),
        Value::Text(text) => text.trim(),
        _ => return Err(complaint()),
    };
    let (number, unit) = split_unit(text).ok_or_else(complaint)?;
    let millis: u64 = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        "" if number == 0 => 1,
        "" => return Err(complaint().hint("add a unit: ms, s, m, h or d")),
        unit if unit.contains(|c: char| c.is_ascii_digit()) => {
            return Err(complaint().hint("one number and one unit: \"90m\" instead of \"1h30m\" or \"1.5h\""));
        }
        _ => return Err(complaint().hint("the units are ms, s, m, h and d")),
    };
    number.checked_mul(millis).map(Duration::from_millis).ok_or_else(complaint)
}

/// `2027-03-01`
pub(super) fn date(value: &Value) -> Read<jiff::civil::Date> {
    let complaint = || {
        Complaint::new("expected a day in quotes such as \"2027-03-01\": year, month, day")
            .hint("write the day as your provider shows it, the year first, in quotes")
    };
    let Value::Text(text) = value else { return Err(complaint()) };
    let text = text.trim();
    // The parser takes more forms than people agree on.
    let plain = text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    text.parse().ok().filter(|_| plain).ok_or_else(complaint)
}

/// Octets: `50MiB`, `64KiB`, or a plain number.
pub(super) fn size(value: &Value) -> Read<u64> {
    let complaint = || {
        Complaint::new("expected a size such as \"50MiB\", \"64KiB\" or a number of octets")
            .hint("a whole number and one unit behind it")
    };
    let text = match value {
        Value::Integer(number) => return u64::try_from(*number).map_err(|_| complaint()),
        Value::Text(text) => text.trim(),
        _ => return Err(complaint()),
    };
    let (number, unit) = split_unit(text).ok_or_else(complaint)?;
    let octets: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1000,
        "kib" | "k" => 1 << 10,
        "mb" => 1_000_000,
        "mib" | "m" => 1 << 20,
        "gb" => 1_000_000_000,
        "gib" | "g" => 1 << 30,
        _ => return Err(complaint().hint("the units are KiB, MiB and GiB (1024) and KB, MB and GB (1000)")),
    };
    number.checked_mul(octets).ok_or_else(complaint)
}

/// `15s` as 15 and `s`.
pub(super) fn split_unit(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].parse().ok()?, text[end..].trim_start()))
}

/// An IP address and a port.
pub(super) fn socket_address(value: &Value) -> Read<SocketAddr> {
    let complaint = || {
        Complaint::new("expected an IP address and a port such as \"127.0.0.1:25\" or \"[::1]:25\"")
            .hint("write the address of this machine that devices connect to, a colon and the port")
    };
    let Value::Text(text) = value else { return Err(complaint()) };
    let text = text.trim();
    if let Ok(address) = text.parse::<SocketAddr>() {
        return match address.port() {
            0 => Err(Complaint::new("port 0 is no port").hint("the usual one for mail from devices is 25")),
            _ => Ok(SocketAddr::new(address.ip().to_canonical(), address.port())),
        };
    }
    let (host, port) = text.rsplit_once(':').unwrap_or((text, ""));
    Err(if text.parse::<IpAddr>().is_ok() {
        complaint().hint("add the port: \"127.0.0.1:25\"; an IPv6 address with a port stands in brackets: \"[::1]:25\"")
    } else if host.eq_ignore_ascii_case("localhost") {
        complaint().hint("a name is not looked up here; write \"127.0.0.1:25\" and \"[::1]:25\"")
    } else if matches!(host, "" | "*") {
        complaint().hint("to listen on every address write \"0.0.0.0:25\" and \"[::]:25\"")
    } else if text.parse::<u16>().is_ok() {
        complaint().hint("the address is missing; for programs on this machine write \"127.0.0.1:25\"")
    } else if is_address(host) && port.parse::<u16>().is_err() {
        complaint().hint("the port is a number from 1 to 65535")
    } else {
        complaint()
    })
}

/// An address or a range of addresses.
pub(super) fn network(value: &Value) -> Read<Network> {
    let text = text(value, "an address or a range such as \"192.168.1.0/24\"")?;
    text.trim().parse().map_err(|error: NetworkError| {
        Complaint::new(error.to_string()).hint("write \"192.168.1.0/24\" for a range, \"192.168.1.5\" for one address")
    })
}

/// The name of an account, a device or a listener.
pub(super) fn name(value: &Value) -> Read<String> {
    let text = text(value, "a name")?;
    if looks_like_name(text) { Ok(text.to_owned()) } else { Err(bad_name()) }
}

/// The name of a device or a listener, in which `*` stands for anything.
pub(super) fn name_pattern(value: &Value) -> Read<Pattern> {
    let text = text(value, "a name")?;
    if looks_like_name(&text.replace('*', "x")) {
        Ok(text.into())
    } else {
        Err(bad_name().hint("* stands for anything"))
    }
}

/// What a name of the administrator's choice may hold.
pub(super) fn bad_name() -> Complaint {
    Complaint::new("a name here has 1 to 64 characters, each a letter (a–z, A–Z), a digit, `-`, `_` or `.`")
        .hint("choose a short name such as office")
}

/// `*`, `*@example.com`, `scanner@*`: a mail address in which `*` stands for anything.
pub(super) fn pattern(value: &Value) -> Read<Pattern> {
    let complaint = || {
        Complaint::new("expected a pattern such as \"*@example.com\" or \"*\"")
            .hint("write a mail address in which * stands for anything")
    };
    let Value::Text(text) = value else { return Err(complaint()) };
    let text = text.trim();
    let fits = !text.is_empty() && text.len() <= 254 && !text.contains(|c: char| c.is_whitespace() || c.is_control());
    if !fits || text.matches('@').count() > 1 {
        return Err(complaint());
    }
    if text.starts_with('@') {
        return Err(complaint().hint("put a * before the @ to mean everybody of that domain"));
    }
    Ok(text.into())
}

/// The path of a file or a directory.
pub(super) fn path(value: &Value) -> Read<PathBuf> {
    let text = text(value, "the path of a file")?;
    if text.is_empty() || text.contains(['\n', '\0']) || text.starts_with('{') || text.contains("-----BEGIN") {
        let complaint = Complaint::new("expected the path of a file, not what stands in it");
        return Err(complaint.hint("write a path such as \"/etc/posthouse/relay.pem\""));
    }
    if text.starts_with('~') || text.contains('$') {
        let complaint = Complaint::new("`~` and `$` have no meaning in a path here: no shell reads it");
        return Err(complaint.hint("write the whole path, beginning with /"));
    }
    if text.to_ascii_lowercase().starts_with("file:") {
        return Err(Complaint::new("expected a path, not an address").hint("leave `file:` out"));
    }
    Ok(PathBuf::from(text))
}

/// A password or another secret.
pub(super) fn secret(value: &Value) -> Read<Secret> {
    match value {
        Value::Text(text) if text.is_empty() => {
            Err(Complaint::new("the secret is empty")
                .hint("fill it in; a file with the secret on one line is safer still"))
        }
        Value::Text(text) if text.contains(['\r', '\n', '\0']) => {
            Err(Complaint::new("a secret is one line of text; there is a line ending or NUL in this one")
                .hint("write it in one line, between one pair of quotes"))
        }
        Value::Text(text) => Ok(Secret::new(text.to_string())),
        _ => Err(Complaint::new("expected text in quotes").hint("put it in quotes; digits need them as well")),
    }
}

/// Free text that is not empty.
pub(super) fn free_text(value: &Value) -> Read<String> {
    match text(value, "text")? {
        "" => Err(Complaint::new("the text is empty").hint("leave the key out or fill it in")),
        text if text.contains(char::is_control) => {
            Err(Complaint::new("expected text on one line").hint("take the line ending out of it"))
        }
        text => Ok(text.to_owned()),
    }
}

/// Whether a text can be a name of the administrator's choice.
pub(super) fn looks_like_name(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

/// Whether an unknown key reads like a key, so that it may be said again.
pub(super) fn looks_like_key(text: &str) -> bool {
    text.len() <= 32
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> Value {
        Value::Text(text.to_owned().into())
    }

    #[test]
    fn durations_and_sizes_take_the_units_of_the_field() {
        for (text, millis) in [("15s", 15_000), ("500ms", 500), ("5m", 300_000), ("2 h", 7_200_000), ("0", 0)] {
            assert_eq!(duration(&written(text)), Ok(Duration::from_millis(millis)), "{text}");
        }
        for bad in ["", "s", "15", "-1s", "1.5h", "15 sec", "99999999999999999999s", "18446744073709551615d"] {
            assert!(duration(&written(bad)).is_err(), "{bad}");
        }
        for (text, octets) in [("50MiB", 52_428_800), ("64k", 65_536), ("10 MB", 10_000_000), ("1234", 1234)] {
            assert_eq!(size(&written(text)), Ok(octets), "{text}");
        }
        assert_eq!(size(&Value::Integer(65_536)), Ok(65_536));
        for bad in ["", "MiB", "1e6", "18446744073709551615GiB"] {
            assert!(size(&written(bad)).is_err(), "{bad}");
        }
        assert!(size(&Value::Integer(-1)).is_err());
    }
}
