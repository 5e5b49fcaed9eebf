//! Octets as the tests write them in text files: the grammar of `tests/dialogues/` and `tests/mail/`.
//!
//! `\r \n \t \0 \\ \{ \xNN` are octets, `{x*600}` is `x` six hundred times; everything else stands for itself. Line
//! endings are the reader's affair.

/// Text with escapes and repetitions, as octets.
pub fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let mut octets = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '\\' => {
                let (octet, length) = escaped(rest)?;
                octets.push(octet);
                rest = &rest[length..];
            }
            '{' => {
                let (inside, after) = rest.split_once('}').ok_or("{ without }")?;
                let (what, times) = inside.rsplit_once('*').ok_or("expected {text*times}")?;
                let times = times.parse().map_err(|_| "expected {text*times}")?;
                octets.extend(unescape(what)?.repeat(times));
                rest = after;
            }
            _ => octets.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Ok(octets)
}

fn escaped(rest: &str) -> Result<(u8, usize), String> {
    Ok(match rest.as_bytes().first() {
        Some(b'r') => (b'\r', 1),
        Some(b'n') => (b'\n', 1),
        Some(b't') => (b'\t', 1),
        Some(b'0') => (0, 1),
        Some(&c @ (b'\\' | b'{')) => (c, 1),
        Some(b'x') => {
            let digits = rest.get(1..3).ok_or("\\x needs two digits")?;
            (u8::from_str_radix(digits, 16).map_err(|_| "\\x needs two digits")?, 3)
        }
        _ => return Err("unknown escape".into()),
    })
}
