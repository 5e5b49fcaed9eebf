//! A reply without the addresses it repeats.
//!
//! Devices choose whom they write to, and servers say it again: `<daily-limit-exceeded@example.com>: unknown user` must
//! not be taken for a limit that is exceeded, or one device could have the account of all others held. Only what a
//! server says of its own is compared with the tables. Text that is no address with an `@` is left as it is.

/// The text in small letters and on one line; of each address only the `@` is left.
pub(super) fn own_words(text: &str) -> String {
    let text = text.to_ascii_lowercase().replace('\n', " ");
    let mut own = String::with_capacity(text.len());
    let mut done = 0;
    for (at, _) in text.match_indices('@') {
        // An `@` in the domain of the one before was left out with it.
        let Some(before) = text.get(done..at) else { continue };
        own.push_str(&before[..before.len() - local_part(before)]);
        own.push('@');
        done = at + 1 + domain(&text[at + 1..]);
    }
    own.push_str(&text[done..]);
    own
}

/// Octets of the local part that ends here (RFC 5321 §4.1.2): atoms and dots, or a quoted text.
fn local_part(before: &str) -> usize {
    let Some(quoted) = before.strip_suffix('"') else {
        return before.len() - before.rfind(ends_address).map_or(0, |end| end + width(&before[end..]));
    };
    let is_escaped = |quote: usize| quoted[..quote].bytes().rev().take_while(|octet| *octet == b'\\').count() % 2 == 1;
    let open = quoted.rmatch_indices('"').map(|(quote, _)| quote).find(|quote| !is_escaped(*quote));
    before.len() - open.unwrap_or(quoted.len())
}

/// Octets of the domain or address literal that begins here.
fn domain(behind: &str) -> usize {
    let literal = behind.starts_with('[').then(|| behind.find(']')).flatten().map(|end| end + 1);
    literal.unwrap_or_else(|| behind.find(ends_address).unwrap_or(behind.len()))
}

fn ends_address(c: char) -> bool {
    c.is_whitespace() || "<>()[],;:\"\\".contains(c)
}

fn width(text: &str) -> usize {
    text.chars().next().map_or(0, char::len_utf8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_left_out_however_it_is_written() {
        for (said, own) in [
            ("<Daily.Limit@example.com>: no such user", "<@>: no such user"),
            ("no user daily-limit@example.com here", "no user @ here"),
            ("no user daily'limit@[192.0.2.1] here", "no user @ here"),
            (r#"<"daily \" limit"@example.com>: unknown"#, "<@>: unknown"),
            (r#"who is "daily limit\\"@example.com?"#, "who is @"),
            ("from a@b.example to\nc@d.example: no", "from @ to @: no"),
            ("a@b@c and a limit", "@ and a limit"),
            ("grüße@bücher.example\u{a0}exceeded", "@\u{a0}exceeded"),
            ("\"@", "@"),
            ("@", "@"),
            ("", ""),
        ] {
            assert_eq!(own_words(said), own, "{said}");
        }
    }
}
