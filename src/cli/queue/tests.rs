//! What is shown of the queue, held against files that are read by people.
//!
//! Each file in `tests/queue/` begins with what it is expected to show, written before it was made;
//! `UPDATE_EXPECTED=1 cargo test --lib cli::queue` writes the rest anew, then to be read by you.

use clap::Parser;
use jiff::Timestamp;

use super::{Args, json, list, show, words};
use crate::account::health::EndsBy;
use crate::account::status::HoldStatus;
use crate::app::queue::{Holds, Page, Row, Shown};
use crate::cli::golden::{at, files, now, relay, tells};
use crate::ids::MessageId;
use crate::mail::address::Address;
use crate::mail::envelope::{Recipient, ReversePath, Sender};
use crate::queue::acts::Acted;
use crate::queue::parcel::{HeldBy, Owed, Parcel, ParcelId, Said, Standing, State, Try, Why};
use crate::queue::store::Waiting;
use crate::queue::{Kind, Route};
use crate::words::Cause;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Always the same; ten digits of its end tell it apart.
fn id(number: u8) -> MessageId {
    format!("019aa0b0c1d270008000{:012x}", 0x9f3a_21c0_b000_u64 + u64::from(number)).parse().unwrap()
}

fn address(text: &str) -> Address {
    Address::parse(text.as_bytes()).unwrap()
}

fn why(code: &str, cause: Cause, sentence: &str, cure: &str) -> Why {
    Why { code: code.into(), cause, sentence: sentence.into(), cure: cure.into() }
}

fn greylisted() -> Said {
    let why = why("greylisted", Cause::Throttle, "The provider asks to wait.", "Nothing; it is tried again.");
    Said { reply: Some("450 4.2.0 Greylisted,\r\n\u{1b}[2Jcome back later".into()), why }
}

fn owed(to: &str, state: State) -> Owed {
    Owed { recipient: Recipient::plain(address(to)), state }
}

fn parcel(number: u8, part: u16, recipients: Vec<Owed>, standing: Standing) -> Parcel {
    let route = Route::try_from(String::from("office,backup")).unwrap();
    let id = ParcelId { message: id(number), number: part };
    Parcel { id, route, recipients, standing, attempts: 0, tries: Vec::new(), held_s: 0, lacking: None }
}

fn held(by: HeldBy, until: Option<Timestamp>) -> Standing {
    let why = why("held", Cause::Message, "Somebody wrote: ask the boss first.", "Release or remove it.");
    Standing::Held { since: at(-2 * HOUR), until, by, why }
}

fn row(parcel: Parcel, kind: Kind, size: u64, age: i64) -> Row {
    let reverse_path = match kind {
        Kind::Notice { .. } => ReversePath::Null,
        _ => ReversePath::Mailbox(address("scanner@example.com")),
    };
    Row::from(Waiting { parcel, device: "local/loopback".into(), kind, reverse_path, size, arrived: at(-age) })
}

fn open(to: &str) -> Vec<Owed> {
    vec![owed(to, State::NEW)]
}

fn holds() -> Holds {
    let hold = HoldStatus {
        since: at(-10 * MINUTE),
        until: at(20 * MINUTE),
        ends_by: Some(EndsBy::Probe),
        code: "invalid_grant".into(),
        cause: Cause::Account,
        text: "The provider no longer takes the sign-in.".into(),
        cure: "Run `posthouse login office`.".into(),
    };
    Holds::from([("office".into(), hold)])
}

fn page() -> Page {
    let only_office = |mut parcel: Parcel| {
        parcel.route = Route::only("office".into());
        parcel
    };
    let said = vec![owed("boss@example.net", State::Open { last: Some(greylisted()) })];
    let three = ["a@example.net", "b@example.net", "c@example.net"].map(|to| owed(to, State::NEW)).into();
    let never = State::Never { at: at(-HOUR), said: greylisted() };
    let rows = vec![
        row(parcel(1, 0, said, Standing::Due { at: at(5 * MINUTE) }), Kind::Mail, 12_345, 2 * HOUR),
        row(
            only_office(parcel(2, 0, open("x@example.net"), Standing::Due { at: at(0) })),
            Kind::Mail,
            900,
            20 * MINUTE,
        ),
        row(parcel(3, 0, open("y@example.net"), held(HeldBy::Person, None)), Kind::Mail, 3 << 20, 3 * DAY),
        row(parcel(4, 0, open("z@example.net"), held(HeldBy::Uncertain, Some(at(DAY)))), Kind::Mail, 77 << 20, HOUR),
        row(parcel(5, 1, three, Standing::Due { at: at(0) }), Kind::Copy { of: id(4) }, 100_000, 5),
        row(
            parcel(6, 0, vec![owed("scanner@example.com", never)], Standing::Failed { since: at(-HOUR) }),
            Kind::Notice { of: id(3) },
            2_000,
            DAY,
        ),
    ];
    Page { rows, matching: 120, holds: holds() }
}

fn shown(parcels: Vec<Parcel>, kind: Kind) -> Shown {
    let reverse_path = ReversePath::Mailbox(address("scanner@example.com"));
    Shown {
        id: parcels[0].id.message,
        session: "019aa0b0c1d27000800000000000abcd".parse().unwrap(),
        kind,
        device: "local/loopback".into(),
        sender: Sender {
            reverse_path,
            declared_size: None,
            smtputf8: false,
            ret: None,
            envid: Some("QQ314159".into()),
        },
        size: 12_345,
        arrived: at(-2 * HOUR),
        header: "Received: from scanner ([127.0.0.1])\r\n\tby relay.test\r\nSubject: Scan\u{1b}[2J\r\n".into(),
        parcels,
        holds: holds(),
    }
}

fn attempt(minutes: i64, account: &str, ended: &str, why: Option<Why>) -> Try {
    let id = format!("019aa0b0c1d27000800000000000{minutes:04x}").parse().unwrap();
    Try { id, account: account.into(), at: at(-minutes * MINUTE), ended: ended.into(), why, dsn: false }
}

fn tried() -> Parcel {
    let gone = Said {
        reply: Some("550 5.1.1 No such user".into()),
        why: why("no_such_user", Cause::Message, "There is no such mailbox.", "Correct the address."),
    };
    let recipients = vec![
        owed("a@example.net", State::Open { last: Some(greylisted()) }),
        owed("b@example.net", State::Delivered { at: at(-20 * MINUTE), reply: "250 2.0.0 Ok".into(), dsn: false }),
        owed("c@example.net", State::Never { at: at(-20 * MINUTE), said: gone }),
    ];
    let away =
        why("connect", Cause::Network, "Nobody answered at smtp.example.net port 465.", "Wait, or see to the line.");
    let tries =
        vec![attempt(80, "office", "connection timed out", Some(away)), attempt(20, "backup", "250 2.0.0 Ok", None)];
    Parcel { attempts: 2, tries, ..parcel(1, 0, recipients, Standing::Due { at: at(5 * MINUTE) }) }
}

#[test]
fn each_part_of_a_message_has_its_line() {
    tells("queue/list", &list::text(&page(), false, &relay(), None, now()));
    let narrow = list::text(&page(), false, &relay(), Some(80), now());
    tells("queue/list_narrow", &narrow);
    let lines = narrow.lines().take_while(|line| !line.is_empty());
    assert!(lines.map(|line| line.chars().count()).max() <= Some(80));
    let nothing = Page { rows: Vec::new(), matching: 0, holds: Holds::new() };
    tells("queue/list_empty", &list::text(&nothing, false, &relay(), None, now()));
    tells("queue/list_nothing_like_it", &list::text(&nothing, true, &files(), None, now()));
}

#[test]
fn a_message_is_shown_with_what_happens_next() {
    tells("queue/show", &show::text(&shown(vec![tried()], Kind::Mail), &relay(), now()));
    let office = Parcel {
        route: Route::only("office".into()),
        ..parcel(2, 1, open("b@example.net"), Standing::Due { at: at(0) })
    };
    let parts = vec![parcel(2, 0, open("a@example.net"), held(HeldBy::Person, None)), office];
    tells("queue/show_parts", &show::text(&shown(parts, Kind::Mail), &files(), now()));
    let failed = Parcel { standing: Standing::Failed { since: at(-HOUR) }, attempts: 30, ..tried() };
    tells("queue/show_failed", &show::text(&shown(vec![failed], Kind::Notice { of: id(3) }), &relay(), now()));
}

#[test]
fn programs_read_the_same_under_names_that_stay() {
    tells("queue/list_json", &format!("{:#}\n", json::page(&page(), &relay())));
    tells("queue/show_json", &format!("{:#}\n", json::shown(&shown(vec![tried()], Kind::Mail), &files())));
    let ids = |numbers: &[(u8, u16)]| numbers.iter().map(|&(n, number)| ParcelId { message: id(n), number }).collect();
    let changed = ids(&[(1, 0), (1, 1), (2, 0)]);
    let acted = Acted { changed, under_way: ids(&[(3, 0)]), without_account: ids(&[(4, 0)]) };
    let told = json::acted(&acted, &files());
    assert_eq!(told["changed"], serde_json::json!([id(1), id(2)]), "a message once, whatever parts it has");
    assert_eq!(told["without_account"], serde_json::json!([id(4)]));
    assert_eq!((&told["under_way"], &told["relay"]), (&serde_json::json!([id(3)]), &serde_json::Value::Null));
}

#[test]
fn a_hold_of_one_account_bars_only_what_has_no_other() {
    let both = Route::try_from(String::from("office,backup")).unwrap();
    assert!(words::barred(&both, &holds()).is_none());
    assert!(words::barred(&Route::only("office".into()), &holds()).is_some());
    let mut all = holds();
    all.extend(holds().into_values().map(|hold| ("backup".into(), hold)));
    assert_eq!(words::barred(&both, &all).map(|hold| hold.code.as_str()), Some("invalid_grant"));
}

#[test]
fn sizes_are_said_in_the_unit_people_would_take() {
    for (octets, said) in [
        (0, "0 octets"),
        (1023, "1023 octets"),
        (1024, "1.0 KiB"),
        (12_345, "12 KiB"),
        (10 << 20, "10 MiB"),
        (3 << 29, "1.5 GiB"),
        (u64::MAX, "17179869183 GiB"),
    ] {
        assert_eq!(words::size(octets), said);
    }
}

#[test]
fn flags_of_the_list_need_no_verb_and_one_state_is_asked_for_at_a_time() {
    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }
    let parse = |words: &str| Line::try_parse_from(std::iter::once("queue").chain(words.split_whitespace()));
    for good in [
        "",
        "--held --account office",
        "list --since 3d --limit 5 --json",
        "show ab12 --json",
        "retry --all",
        "retry ab12 cd34",
        "hold ab12 --reason boss",
        "remove --device fax --reason runaway --yes",
        "export ab12 -o x.eml",
    ] {
        assert!(parse(good).is_ok(), "{good}: {}", parse(good).unwrap_err());
    }
    for bad in ["--held --failed", "show", "hold ab12", "remove ab12", "--held show ab12"] {
        assert!(parse(bad).is_err(), "{bad}");
    }
}
