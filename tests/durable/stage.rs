//! What the tests of this binary share: mails that can be told apart, and a provider that is away until it is let in.

use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use posthouse::sandbox::fault::{Fault, Gate, Stage, Times};
use posthouse::sandbox::{Sandbox, Settings};

use crate::device::{Device, RECIPIENT, SENDER};
use crate::relay::{PATIENCE, Site};

/// Nobody waits for the provider: what is accepted is stored first.
pub const AT_ONCE: &str = "[delivery]\nqueue = true\nwait = \"0s\"\nretry = [\"10s\"]\nuncertain_delay = \"1s\"\n";

/// A provider that takes nothing until its gate is opened.
pub async fn provider_away() -> (Sandbox, Gate) {
    let sandbox = Sandbox::start(Settings::new().unwrap()).await.unwrap();
    let gate = Gate::new();
    sandbox.faults().plan(Stage::Greeting, Fault::Wait(gate.clone()), Times::Always);
    (sandbox, gate)
}

/// A mail of about this size, unlike every other.
pub fn body(number: usize, size: usize) -> Vec<u8> {
    let header = format!("From: <{SENDER}>\r\nTo: <{RECIPIENT}>\r\nSubject: {number}\r\n");
    let mut text = format!("{header}Message-ID: <{number}@durable.test>\r\n\r\n");
    let mut line = 0;
    while text.len() < size {
        write!(text, "mail {number} line {line}: the quick brown fox jumps over the lazy dog\r\n").expect("a String");
        line += 1;
    }
    text.into_bytes()
}

/// The name of a mail that was queued, out of the answer to its end of data.
pub fn queued(reply: &str) -> Option<&str> {
    reply.strip_prefix("250 2.0.0 Ok: queued as ")
}

/// The name the relay gave to a mail, out of its `Received` field.
pub fn relay_id(message: &[u8]) -> String {
    let text = String::from_utf8_lossy(&message[..message.len().min(2000)]);
    let behind = text.split_once(" id ").map_or("", |(_, behind)| behind);
    behind.split([';', '\r']).next().unwrap_or_default().to_owned()
}

/// What has arrived so far: the relay's name of it, its octets, and when.
pub fn arrived(sandbox: &Sandbox) -> Vec<(String, Vec<u8>, Timestamp)> {
    let all = sandbox.mailbox().deliveries();
    all.iter().map(|delivery| (relay_id(&delivery.bytes), delivery.bytes.clone(), delivery.at)).collect()
}

/// Asks until a MAIL is answered so; returns a device that has just begun this transaction, or was refused it.
pub async fn mail_is_answered(site: &Site, code: &str) -> (Device, String) {
    let asking = async {
        loop {
            let mut device = Device::greeted(site.address()).await;
            let reply = device.say(&format!("MAIL FROM:<{SENDER}>")).await;
            if reply.starts_with(code) {
                return (device, reply);
            }
            // Only the relay itself decides when it looks at its disk again.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.unwrap_or_else(|_| panic!("MAIL is never answered {code}"))
}

/// Every mail that was acknowledged has arrived, whole and once; nothing else has.
pub async fn everything_arrives(sandbox: &Sandbox, acknowledged: &[Vec<u8>]) {
    let arriving = sandbox.mailbox().wait_for(acknowledged.len() as u64);
    let arrived = tokio::time::timeout(PATIENCE, arriving).await.expect("something acknowledged was lost");
    for body in acknowledged {
        let copies = arrived.iter().filter(|delivery| delivery.bytes.ends_with(body)).count();
        assert_eq!(copies, 1, "{}", String::from_utf8_lossy(&body[..80]));
    }
    assert_eq!(arrived.len(), acknowledged.len(), "something arrived that was never acknowledged");
}
