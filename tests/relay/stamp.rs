//! What the relay puts on top of a message, compared octet for octet; only the id and the time are taken as they are.

use posthouse::sandbox::Delivery;

use crate::device::HELLO;

/// What is expected on top.
#[derive(Clone, Copy)]
pub struct Stamp<'a> {
    /// The keyword behind `with`.
    pub with: &'a str,
    /// Named when it is the only one.
    pub recipient: Option<&'a str>,
    /// Whether Date and Message-ID were missing.
    pub dated: bool,
    /// Whether the message had no header at all.
    pub headless: bool,
}

/// The stamp of the sample mail to one recipient.
pub fn plain(recipient: &str) -> Stamp<'_> {
    Stamp { with: "ESMTP", recipient: Some(recipient), dated: false, headless: false }
}

/// The stamp of a mail to several.
pub fn to_several() -> Stamp<'static> {
    Stamp { with: "ESMTP", recipient: None, dated: false, headless: false }
}

/// Fails unless the delivery is exactly the stamp and then what was sent.
pub fn assert_exact(delivery: &Delivery, sent: &[u8], stamp: Stamp<'_>) {
    let on_top = delivery.bytes.strip_suffix(sent).expect("what was sent stands unchanged at the end");
    let on_top = std::str::from_utf8(on_top).unwrap();
    let id = between(on_top, " id ", &['\r', ';']);
    assert!(id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{id}");
    let date = between(on_top, ";\r\n\t", &['\r']);
    jiff::fmt::rfc2822::parse(date).unwrap();
    assert_eq!(on_top, expected(stamp, id, date));
}

fn expected(stamp: Stamp<'_>, id: &str, date: &str) -> String {
    let with = stamp.with;
    let recipient = stamp.recipient.map(|r| format!("\r\n\tfor <{r}>")).unwrap_or_default();
    let missing = format!("Date: {date}\r\nMessage-ID: <{id}@relay.test>\r\n");
    let mut text = format!(
        "Received: from {HELLO} ([127.0.0.1])\r\n\tby relay.test (Posthouse) with {with} id {id}{recipient};\r\n\t{date}\r\n"
    );
    if stamp.dated {
        text.push_str(&missing);
    }
    if stamp.headless {
        text.push_str("\r\n");
    }
    text
}

fn between<'a>(text: &'a str, before: &str, after: &[char]) -> &'a str {
    let (_, rest) = text.split_once(before).expect("the stamp has its usual form");
    rest.split(after).next().unwrap_or_default()
}
