//! `posthouse queue` without a relay: the program takes the files for itself, and lets go of them.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use posthouse::disk::Ownership;
use posthouse::ids::{MessageId, SessionId};
use posthouse::mail::address::Address;
use posthouse::mail::envelope::{Recipient, ReversePath, Sender};
use posthouse::queue::body::Body;
use posthouse::queue::parcel::{Owed, Parcel, ParcelId, Standing, State};
use posthouse::queue::store::{Change, Store};
use posthouse::queue::{Kind, Message, Route};
use posthouse::store::sqlite::Sqlite;
use serde_json::Value;
use tokio::process::Command;

use crate::device::{RECIPIENT, SAMPLE, SENDER};

const PATIENCE: Duration = Duration::from_mins(1);

/// A storage directory, and a configuration that names it.
struct House(tempfile::TempDir);

impl House {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let text = "[accounts.office]\nhost = \"127.0.0.1\"\naddress = \"a@example.com\"\nmechanism = \"none\"\n\
             [storage]\ndirectory = \"storage\"\n[delivery]\nqueue = true\n";
        std::fs::write(home.path().join("posthouse.toml"), text).unwrap();
        Self(home)
    }

    fn own(&self) -> Ownership {
        Ownership::take(&self.0.path().join("storage")).unwrap()
    }

    /// A message to this recipient, which is next tried in an hour.
    async fn queued(&self, recipient: &str) -> MessageId {
        let id = MessageId::new();
        let address = |text: &str| Address::parse(text.as_bytes()).unwrap();
        let sender = Sender {
            reverse_path: ReversePath::Mailbox(address(SENDER)),
            declared_size: None,
            smtputf8: false,
            ret: None,
            envid: None,
        };
        let message = Message {
            id,
            session: SessionId::new(),
            device: "local/loopback".into(),
            kind: Kind::Mail,
            sender,
            body: Body::from_memory(SAMPLE.to_vec()),
            eight_bit: false,
            eight_bit_header: false,
            arrived: Timestamp::now(),
        };
        let parcel = Parcel {
            id: ParcelId { message: id, number: 0 },
            route: Route::only("office".into()),
            recipients: vec![Owed { recipient: Recipient::plain(address(recipient)), state: State::NEW }],
            standing: Standing::Due { at: Timestamp::now() + Duration::from_hours(1) },
            attempts: 0,
            tries: Vec::new(),
            held_s: 0,
            lacking: None,
        };
        let owner = self.own();
        let store = Sqlite::open(&owner).unwrap();
        store.commit(vec![Change::Store(Arc::new(message), vec![parcel])]).await.unwrap();
        id
    }

    /// What the program ended with and printed.
    async fn queue(&self, arguments: &[&str]) -> (i32, String, String) {
        self.run(&[&["queue"], arguments].concat()).await
    }

    async fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_posthouse"));
        command.args(arguments).current_dir(self.0.path());
        command.env_clear().env("HOME", self.0.path()).stdin(Stdio::null()).kill_on_drop(true);
        let ran = tokio::time::timeout(PATIENCE, command.output()).await.unwrap().unwrap();
        let text = |octets: Vec<u8>| String::from_utf8(octets).unwrap();
        (ran.status.code().unwrap(), text(ran.stdout), text(ran.stderr))
    }

    async fn json(&self, arguments: &[&str]) -> Value {
        let (code, out, err) = self.queue(&[arguments, &["--json"]].concat()).await;
        assert_eq!(code, 0, "{err}");
        serde_json::from_str(&out).unwrap()
    }
}

/// The last digits, as people write them.
fn short(id: MessageId) -> String {
    id.to_string()[22..].to_owned()
}

#[tokio::test]
async fn where_nothing_was_ever_queued_nothing_is_made() {
    let house = House::new();
    let (code, out, err) = house.queue(&[]).await;
    assert_eq!(code, 0, "{err}");
    assert!(out.starts_with("The queue is empty.\n") && out.contains("no relay is running"), "{out}");
    assert!(!house.0.path().join("storage").exists());
}

#[tokio::test]
async fn what_waits_is_listed_shown_and_filtered() {
    let house = House::new();
    let (first, second) = (house.queued(RECIPIENT).await, house.queued("boss@example.net").await);
    let (_, out, _) = house.queue(&[]).await;
    assert!(out.contains(&short(first)) && out.contains("boss@example.net") && out.contains("2 of 2 shown."), "{out}");
    let listed = house.json(&["list", "--to", "BOSS@", "--due"]).await;
    assert_eq!((&listed["matching"], &listed["parts"][0]["id"]), (&1.into(), &second.to_string().into()));
    assert_eq!(listed["relay"], Value::Null);
    let one = house.json(&["list", "--limit", "1"]).await;
    assert_eq!((&one["shown"], &one["matching"]), (&1.into(), &2.into()));
    let (_, out, _) = house.queue(&["show", &short(first)]).await;
    assert!(out.contains(RECIPIENT) && out.contains("Subject: Scan") && !out.contains("A page."), "{out}");
    let (code, _, err) = house.queue(&["show", "0000feedbeef"]).await;
    assert!(code == 64 && err.contains("no message 0000feedbeef"), "{code} {err}");
}

#[tokio::test]
async fn a_hold_stays_until_it_is_released_and_a_removal_wants_a_yes() {
    let house = House::new();
    let id = house.queued(RECIPIENT).await;
    let state = async || house.json(&["show", &short(id)]).await["parts"][0].clone();
    let (code, out, err) = house.queue(&["hold", &short(id), "--reason", "ask the boss"]).await;
    assert_eq!((code, out.contains("1 message.")), (0, true), "{out}{err}");
    let held = state().await;
    assert_eq!((&held["state"], &held["held"]["by"]), (&"held".into(), &"person".into()));
    assert!(held["held"]["why"]["sentence"].as_str().unwrap().contains("ask the boss"), "{held}");
    house.queue(&["release", "--all"]).await;
    let released = state().await;
    let next: Timestamp = released["next_attempt"].as_str().unwrap().parse().unwrap();
    assert!(released["state"] == "due" && next <= Timestamp::now(), "{released}");
    let (code, _, err) = house.queue(&["remove", &short(id), "--reason", "a mistake"]).await;
    assert!(code == 64 && err.contains("--yes"), "{code} {err}");
    let (code, ..) = house.queue(&["remove", &short(id), "--reason", "a mistake", "--yes"]).await;
    assert_eq!((code, house.json(&[]).await["matching"].clone()), (0, 0.into()));
}

#[tokio::test]
async fn an_export_is_the_mail_octet_for_octet_and_writes_over_nothing() {
    let house = House::new();
    let id = house.queued(RECIPIENT).await;
    let (_, out, _) = house.queue(&["export", &short(id)]).await;
    assert_eq!(out.as_bytes(), SAMPLE);
    let (code, ..) = house.queue(&["export", &short(id), "--output", "scan.eml"]).await;
    assert_eq!((code, std::fs::read(house.0.path().join("scan.eml")).unwrap()), (0, SAMPLE.to_vec()));
    let (code, _, err) = house.queue(&["export", &short(id), "--output", "scan.eml"]).await;
    assert!(code == 73 && err.contains("is there already"), "{code} {err}");
}

#[tokio::test]
async fn the_check_says_where_the_queue_lies() {
    let house = House::new();
    let (_, out, err) = house.run(&["check"]).await;
    let said = format!("{out}{err}");
    assert!(said.contains("the queue lies in storage and takes up to 100000 messages"), "{said}");
}

#[tokio::test]
async fn files_that_somebody_has_are_not_touched() {
    let house = House::new();
    house.queued(RECIPIENT).await;
    let _owner = house.own();
    let (code, _, err) = house.queue(&["retry", "--all"]).await;
    assert!(code == 75 && err.contains(&format!("process id {}", std::process::id())), "{code} {err}");
}

#[tokio::test]
async fn what_is_not_said_clearly_is_not_done() {
    let house = House::new();
    house.queued(RECIPIENT).await;
    for (arguments, said) in [
        (&["retry"][..], "which messages?"),
        (&["release", "abcd1234", "--all"], "not both"),
        (&["list", "--since", "yesterday"], "--since: expected a time"),
        (&["show", "xyz"], "an id has 32 digits"),
        (&["hold", "--all", "--reason", ""], "--reason wants a few words"),
    ] {
        let (code, _, err) = house.queue(arguments).await;
        assert!(code == 64 && err.contains(said), "{arguments:?}: {code} {err}");
    }
}
