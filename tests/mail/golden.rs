//! What was seen of a mail, as a page to be read: what the device heard, what the journal told, what the provider got.
//!
//! Octets are shown as `script.rs` reads them, so that nothing is hidden. Ids, times, the provider's numbers and the exact
//! size are replaced by words, after they were found to be what they should be; everything else stands as it was.

use std::fmt::Write;

use posthouse::sandbox::Delivery;
use serde_json::Value;

use crate::device::Said;
use crate::stage::Seen;

/// Fields of the log that are different each time, or the same in all mails.
const LEFT_OUT: [&str; 8] = ["timestamp", "level", "message", "span", "message_id", "took_ms", "size", "account"];

/// So many of the same octet are counted.
const RUN: usize = 20;

/// The page.
pub fn show(seen: &Seen) -> String {
    let mut page = "the device heard\n".to_owned();
    seen.said.iter().for_each(|said| page.push_str(&heard(said)));
    page.push_str("\nthe journal told\n");
    seen.journal.iter().filter(|line| is_told(line)).for_each(|line| page.push_str(&told(line)));
    for delivery in &seen.deliveries {
        page.push_str("\nthe provider got\n");
        page.push_str(&got(delivery));
    }
    if seen.deliveries.is_empty() {
        page.push_str("\nthe provider got nothing\n");
    }
    for violation in &seen.violations {
        writeln!(page, "\nthe provider complains of {:?}", violation.rule).unwrap();
    }
    in_words(page, seen).replace("C: \n", "C:\n")
}

fn heard(said: &Said) -> String {
    match said {
        Said::Device(line) => lines(line).iter().fold(String::new(), |text, line| text + "C: " + line + "\n"),
        Said::Body => "C: (the message)\n".into(),
        Said::Relay(lines) => format!("S: {}\n", one_line(lines)),
        Said::Closed => "(the relay closes)\n".into(),
        Said::HungUp => "(the device hangs up)\n".into(),
    }
}

/// A reply on one line: the code stands before its first line, and what is behind it after the others.
fn one_line(lines: &[String]) -> String {
    let more = lines.iter().skip(1).map(|line| line.get(4..).unwrap_or_default());
    more.fold(lines[0].clone(), |text, line| text + " / " + line)
}

/// Told at the usual level, or what was added to a message.
fn is_told(line: &Value) -> bool {
    line["level"] != "DEBUG" || line["message"] == "fields added"
}

fn told(line: &Value) -> String {
    let mut text =
        format!("{} {}\n", line["level"].as_str().unwrap().to_lowercase(), line["message"].as_str().unwrap());
    for (name, value) in line.as_object().unwrap() {
        // On loopback a device is called after its listener.
        let nameless = name == "device" && value.as_str().is_some_and(|device| device.ends_with("/loopback"));
        if !nameless && !LEFT_OUT.contains(&name.as_str()) {
            writeln!(text, "     {name}: {}", value.as_str().map_or_else(|| value.to_string(), str::to_owned)).unwrap();
        }
    }
    text
}

fn got(delivery: &Delivery) -> String {
    let shown = |address: &str| escaped(address.as_bytes());
    let mut text = format!("EHLO {}\nMAIL FROM:<{}>", delivery.helo_name, shown(&delivery.reverse_path));
    for parameter in &delivery.mail_parameters {
        let exact = *parameter == format!("SIZE={}", delivery.bytes.len());
        text.extend([" ", if exact { "SIZE=(exact)" } else { parameter }]);
    }
    for recipient in &delivery.recipients {
        let parameters = recipient.parameters.iter().fold(String::new(), |text, one| text + " " + one);
        write!(text, "\nRCPT TO:<{}>{parameters}", shown(&recipient.address)).unwrap();
    }
    lines(&delivery.bytes).iter().fold(text + "\n", |text, line| text + "|" + line + "\n")
}

/// Ids, times and numbers by what they are.
fn in_words(mut page: String, seen: &Seen) -> String {
    let ids: Vec<&str> = seen.journal.iter().filter_map(|line| line["message_id"].as_str()).collect();
    for id in ids {
        page = page.replace(id, "(id)");
    }
    for delivery in &seen.deliveries {
        page = page.replace(&date_of_the_stamp(delivery), "(now)");
    }
    let mut parts = page.split("taken as ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |page, part| page + "taken as (number)" + part.trim_start_matches(|c: char| c.is_ascii_digit()))
}

/// The moment in the relay's own `Received`, which is the first field.
fn date_of_the_stamp(delivery: &Delivery) -> String {
    let text = delivery.text();
    let stamp = text.split("\r\n").take_while(|line| !line.is_empty());
    let date = stamp.skip_while(|line| !line.starts_with("Received:")).find_map(|line| {
        let date = line.rsplit(';').next().unwrap_or_default().trim();
        jiff::fmt::rfc2822::parse(date).ok().map(|_| date.to_owned())
    });
    date.unwrap_or_else(|| panic!("no stamp of the relay in {text}"))
}

/// Octets as lines of a mail file.
pub fn lines(octets: &[u8]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest = octets;
    while !rest.is_empty() {
        let end = rest.iter().position(|octet| matches!(octet, b'\r' | b'\n')).unwrap_or(rest.len());
        let (ending, shown) = match &rest[end..] {
            [b'\r', b'\n', ..] => (2, ""),
            [b'\n', ..] => (1, "\\n"),
            [b'\r', ..] => (1, "\\r"),
            _ => (0, "\\+"),
        };
        lines.push(escaped(&rest[..end]) + shown);
        rest = &rest[end + ending..];
    }
    lines
}

/// One line, without its ending.
fn escaped(line: &[u8]) -> String {
    let mut text = String::new();
    for run in line.chunk_by(|a, b| a == b) {
        let one = match run[0] {
            b'\t' => "\\t".into(),
            0 => "\\0".into(),
            octet @ (b'\\' | b'{') => format!("\\{}", char::from(octet)),
            octet @ b' '..=b'~' => char::from(octet).to_string(),
            octet => format!("\\x{octet:02X}"),
        };
        match run.len() {
            RUN.. if run[0] != b'}' => write!(text, "{{{one}*{}}}", run.len()).unwrap(),
            times => text.push_str(&one.repeat(times)),
        }
    }
    // A blank at the end would not be seen.
    match text.strip_suffix(' ') {
        Some(text) => format!("{text}\\x20"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_shown_can_be_read_back(octets in "([an+\\\\{}*\r\n\t \0\u{e4}.]|b{18,22}|\\\\[nr+](\r\n)?|\r\n| \r\n){0,40}") {
            let read = lines(octets.as_bytes()).iter().flat_map(|line| script::sent(0, line).unwrap()).collect::<Vec<_>>();
            prop_assert_eq!(read, octets.as_bytes());
        }
    }

    #[test]
    fn octets_are_shown_as_they_are_written() {
        assert_eq!(
            lines(b"a \tb \r\n\xe4\0\\{\r\n\r\nxxxxxxxxxxxxxxxxxxxxxx"),
            ["a \\tb\\x20", "\\xE4\\0\\\\\\{", "", "{x*22}\\+"]
        );
    }
}
