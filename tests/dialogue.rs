//! Plays every conversation in `tests/dialogues/` against the side of SMTP it is about, whole, byte by byte and in odd
//! pieces, and holds what they show against the list in `tests/dialogues/coverage.txt`.
//!
//! The files are the documentation of both dialogues; `support/dialogue/script.rs` says how to read them.

#[path = "support/dialogue/mod.rs"]
mod dialogue;
#[path = "dialogue/end_of_data.rs"]
mod end_of_data;

use std::fs;
use std::path::Path;

use dialogue::client::ClientSide;
use dialogue::coverage::Coverage;
use dialogue::replay::play;
use dialogue::script::{Script, Side};
use dialogue::server::ServerSide;

fn dialogues() -> Vec<(String, Script)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dialogues");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "smtp"));
    files.sort();
    let read = |path: &Path| {
        Script::parse(&fs::read_to_string(path).unwrap()).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
    };
    files.iter().map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), read(path))).collect()
}

fn play_any(script: &Script) -> Result<(), String> {
    match script.side {
        Side::Client => play::<ClientSide>(script),
        Side::Server => play::<ServerSide>(script),
    }
}

#[test]
fn every_conversation_goes_as_written_however_it_is_cut() {
    let mut faults = Vec::new();
    for (name, script) in dialogues() {
        if let Err(why) = play_any(&script) {
            faults.push(format!("{name}: {why}\n   this should show: {}", script.shows));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

#[test]
fn the_conversations_show_what_the_list_demands_and_none_is_idle() {
    let list = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dialogues/coverage.txt")).unwrap();
    let shown: Vec<_> = dialogues().into_iter().map(|(name, script)| (name, script.covers)).collect();
    let faults = Coverage::parse(&list).unwrap().check(&shown);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_conversation_that_goes_otherwise_is_noticed() {
    let head = "# side: client\n# shows: a crooked conversation.\nS: 220 mx\n";
    let faults = [
        ("C: HELO relay.example.org\n", "expected said \"HELO"),
        ("", "not in the script: said \"EHLO"),
        ("C: EHLO relay.example.org\n! event ready\n", "found nothing"),
        ("C: EHLO relay.example.org\nS: 250 mx\n", "not in the script: ! event ready"),
        ("C: EHLO relay.example.org\n! wait 300s\n", "not in the script: ! event failed"),
        ("C: EHLO relay.example.org\n! trace S: 221 bye\n", "not in the transcript"),
    ];
    for (conversation, fault) in faults {
        let script = Script::parse(&format!("{head}{conversation}")).unwrap();
        let why = play::<ClientSide>(&script).unwrap_err();
        assert!(why.contains(fault), "{why}");
    }
}

#[test]
fn a_crooked_list_is_noticed() {
    let covers = |entries: &[&str]| entries.iter().map(|&entry| entry.to_owned()).collect::<Vec<_>>();
    let list = Coverage::parse("grid client: a × x y z\nclient-a/x\nleft out client-a/y: it cannot be\nextra").unwrap();
    let faults = list.check(&[
        ("one".into(), covers(&["client-a/x"])),
        ("two".into(), covers(&["client-a/x", "unheard"])),
        ("three".into(), covers(&["client-a/x"])),
    ]);
    let expected = [
        "client-a/z must be either listed",
        "no dialogue shows extra",
        "[\"two\"] shows unheard",
        "one shows nothing",
        "three shows nothing",
    ];
    assert_eq!(faults.len(), expected.len(), "{faults:?}");
    for (fault, expected) in faults.iter().zip(expected) {
        assert!(fault.contains(expected), "{fault}");
    }
}
