//! Messages and parcels to fill a store with, for tests of stores.
//!
//! Plain and complete: every field holds something that would be missed. Times are given in seconds since 1970.

use std::path::Path;

use jiff::Timestamp;

use crate::ids::{AttemptId, MessageId, SessionId};
use crate::mail::address::Address;
use crate::mail::envelope::{Notify, Recipient, Return, ReversePath, Sender};
use crate::mail::repair;
use crate::queue::body::{Body, Draft};
use crate::queue::parcel::{HeldBy, Owed, Parcel, ParcelId, Said, Standing, State, Why};
use crate::queue::{Kind, Message, Route};
use crate::words::Cause;

/// So many seconds after 1970.
#[must_use]
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

/// A route of these accounts, with commas between them.
#[must_use]
pub fn route(accounts: &str) -> Route {
    Route::try_from(accounts.to_owned()).unwrap()
}

fn address(text: &str) -> Address {
    Address::parse(text.as_bytes()).unwrap()
}

/// A body with so many octets behind its header; spooled in the storage directory if it is large.
#[must_use]
pub fn body(storage: &Path, size: usize) -> Body {
    // As they are: it is not the repair that is looked at with it.
    let as_it_is = repair::Settings { nul: false, long_lines: false };
    let draft = Draft::new(storage, as_it_is).write(b"Subject: a scan\r\n\r\n".to_vec()).unwrap();
    let octets: Vec<u8> = (0..size).map(|i| u8::try_from(i % 251).unwrap()).collect();
    let draft = octets.chunks(32 * 1024).try_fold(draft, |draft, chunk| draft.write(chunk.to_vec())).unwrap();
    draft.finish().unwrap().1.stamp("Received: by relay\r\n".to_owned())
}

/// All octets of a body.
#[must_use]
pub fn octets(body: &Body) -> Vec<u8> {
    let mut octets = Vec::new();
    body.read_at(0, usize::MAX, &mut octets).unwrap();
    octets
}

/// A message of this device.
#[must_use]
pub fn message(device: &str, body: Body) -> Message {
    let sender = Sender {
        reverse_path: ReversePath::Mailbox(address("Scanner@Example.com")),
        declared_size: Some(7),
        smtputf8: true,
        ret: Some(Return::Headers),
        envid: Some("QQ314159".into()),
    };
    Message {
        id: MessageId::new(),
        session: SessionId::new(),
        device: device.into(),
        kind: Kind::Copy { of: MessageId::new() },
        sender,
        body,
        eight_bit: true,
        eight_bit_header: false,
        arrived: at(1_000),
    }
}

/// A parcel of a message, for one recipient.
#[must_use]
pub fn parcel(message: MessageId, number: u16, accounts: &str, standing: Standing) -> Parcel {
    let recipient = Recipient {
        address: address("Office@example.com"),
        notify: Some(Notify::On { success: true, failure: true, delay: false }),
        orcpt: Some("rfc822;Office@example.com".into()),
    };
    let said = Said { reply: Some("451 4.2.0 Greylisted".to_owned()), why: why() };
    Parcel {
        id: ParcelId { message, number },
        route: route(accounts),
        recipients: vec![Owed { recipient, state: State::Open { last: Some(said) } }],
        standing,
        attempts: 3,
        tries: Vec::new(),
        held_s: 5,
        lacking: None,
    }
}

/// A reason.
#[must_use]
pub fn why() -> Why {
    Why {
        code: "greylisted".to_owned(),
        cause: Cause::Throttle,
        sentence: "come back later".to_owned(),
        cure: "wait".to_owned(),
    }
}

/// It goes out then.
#[must_use]
pub fn due(seconds: i64) -> Standing {
    Standing::Due { at: at(seconds) }
}

/// An attempt has it in its hand.
#[must_use]
pub fn sending() -> Standing {
    Standing::Sending { account: "office".into(), attempt: AttemptId::new(), since: at(1) }
}

/// A person holds it, perhaps until then.
#[must_use]
pub fn held(until: Option<i64>) -> Standing {
    Standing::Held { since: at(1), until: until.map(at), by: HeldBy::Person, why: why() }
}
