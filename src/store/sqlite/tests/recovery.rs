//! Every state a crash can leave on the disk in the middle of a commit or a settle, and files that are not as they
//! should be: made by hand, opened, looked at.
//!
//! Guarantees nothing about what a file system does with what was not synced; only that each of these states is met.

use std::fs;

use super::*;
use crate::queue::parcel::HeldBy;
use crate::queue::store::{Filter, StandingKind, Unreadable};

/// A directory with two large messages in it, as a crash leaves it.
fn crashed() -> (Home, [MessageId; 2]) {
    let home = Home::new();
    let store = home.open();
    let ids = [(); 2].map(|()| {
        let (id, change) = home.mail(LARGE);
        made(store.commit(vec![change])).unwrap();
        id
    });
    (home.crashed(), ids)
}

fn is_there(store: &Sqlite, id: MessageId) -> bool {
    store.message(id).unwrap().is_some()
}

#[test]
fn died_while_a_body_was_written_or_synced() {
    let (home, ids) = crashed();
    fs::write(home.path().join("spool/incoming/.tmpAbc"), "half of it").unwrap();
    let store = home.open();
    assert!(home.names("spool/incoming").is_empty());
    assert!(ids.iter().all(|id| is_there(&store, *id)));
}

#[test]
fn died_between_renaming_a_body_and_its_commit_or_between_the_end_and_its_unlink() {
    let (home, ids) = crashed();
    let orphan = MessageId::new().to_string();
    fs::write(home.path().join("spool").join(&orphan), "a body nobody was promised").unwrap();
    fs::write(home.path().join("spool/README"), "somebody else's").unwrap();
    let store = home.open();
    let mut names = home.names("spool");
    names.sort();
    assert_eq!(names, [ids[0].to_string(), ids[1].to_string(), "README".to_owned()]);
    assert!(ids.iter().all(|id| is_there(&store, *id)));
}

#[test]
fn died_in_the_middle_of_writing_the_log() {
    let home = Home::new();
    let store = home.open();
    let log = |home: &Home| home.path().join("queue.db-wal");
    let (kept, change) = home.mail(LARGE);
    made(store.commit(vec![change])).unwrap();
    let promised = fs::metadata(log(&home)).unwrap().len();
    let (torn, change) = home.mail(LARGE);
    made(store.commit(vec![change])).unwrap();
    let all = fs::metadata(log(&home)).unwrap().len();
    for length in [promised, promised + 1, promised + 8192, all - 8192, all - 1, all] {
        let after = home.crashed();
        fs::File::options().write(true).open(log(&after)).unwrap().set_len(length).unwrap();
        let store = after.open();
        assert!(is_there(&store, kept), "{length} of {all}");
        assert_eq!(is_there(&store, torn), length == all, "a commit is there or not");
        assert_eq!(after.names("spool").len(), if length == all { 2 } else { 1 });
        made(store.commit(vec![after.mail(10).1])).unwrap();
    }
    let after = home.crashed();
    let mut octets = fs::read(log(&after)).unwrap();
    let middle = usize::try_from(promised).unwrap() + 4000;
    octets[middle] ^= 0x55;
    fs::write(log(&after), octets).unwrap();
    assert!(!is_there(&after.open(), torn), "what was written wrongly is not believed");
}

#[test]
fn died_while_the_database_was_made() {
    let home = Home::new();
    fs::write(home.path().join("queue.db"), "").unwrap();
    drop(home.open());
    let home = Home::new();
    fs::write(home.path().join("queue.db"), "").unwrap();
    drop(schema::connect(&home.path().join("queue.db")).unwrap());
    assert!(fs::metadata(home.path().join("queue.db")).unwrap().len() > 0, "its first page is there, and no table");
    made(home.open().commit(vec![home.mail(10).1])).unwrap();
    assert_eq!(home.open().stock().unwrap().by_device.len(), 1);
}

#[test]
fn a_message_without_its_body_is_held_said_and_never_guessed() {
    for damage in ["missing", "short"] {
        let (home, [damaged, whole]) = crashed();
        let path = home.path().join("spool").join(damaged.to_string());
        let octets = fs::read(&path).unwrap();
        match damage {
            "missing" => fs::remove_file(&path).unwrap(),
            _ => fs::write(&path, &octets[..octets.len() - 1]).unwrap(),
        }
        for _ in 0..2 {
            let store = home.open();
            assert!(is_there(&store, whole));
            let why = store.message(damaged).unwrap_err().to_string();
            assert!(why.contains(&damaged.to_string()), "{why}");
            let held = Filter { standing: Some(StandingKind::Held), ..Filter::default() };
            let listed = store.list(&held, Page { after: None, limit: 9 }).unwrap();
            let [waiting] = listed.as_slice() else { panic!("{listed:?}") };
            assert_eq!(waiting.parcel.id.message, damaged);
            let Standing::Held { by: HeldBy::Damaged, until: None, why, .. } = &waiting.parcel.standing else {
                panic!("{waiting:?}")
            };
            assert!(why.sentence.contains("damaged") && why.cure.contains("backup"), "{why:?}");
            assert_eq!(path.exists(), damage == "short", "its file stays for whoever wants to look at it");
        }
        // A person puts it back and releases it.
        fs::write(&path, &octets).unwrap();
        let store = home.open();
        made(store.commit(vec![Change::Update(sample::parcel(damaged, 0, "office", sample::due(1)))])).unwrap();
        assert!(is_there(&store, damaged));
    }
}

#[cfg(unix)]
#[test]
fn a_body_that_cannot_be_opened_just_now_is_not_taken_for_a_damaged_one() {
    let (home, [stuck, whole]) = crashed();
    let path = home.path().join("spool").join(stuck.to_string());
    let aside = home.path().join("aside");
    fs::rename(&path, &aside).unwrap();
    // Any error that says nothing of the file: a name that leads to itself.
    std::os::unix::fs::symlink(&path, &path).unwrap();
    let store = home.open();
    assert!(is_there(&store, whole));
    let problem = store.message(stuck).unwrap_err();
    assert!(matches!(problem, Unreadable::Passing { .. }), "{problem:?}");
    let held = Filter { standing: Some(StandingKind::Held), ..Filter::default() };
    assert_eq!(store.list(&held, Page { after: None, limit: 9 }).unwrap(), []);
    fs::remove_file(&path).unwrap();
    let problem = store.message(stuck).unwrap_err();
    assert!(matches!(problem, Unreadable::Damaged { .. }), "{problem:?}");
    fs::rename(&aside, &path).unwrap();
    assert!(is_there(&store, stuck));
}

#[test]
fn a_record_that_cannot_be_read_is_held_and_stops_nobody() {
    for (column, standing) in [("parcel", sample::due(1)), ("message", sample::due(1)), ("parcel", sample::sending())] {
        let home = Home::new();
        let store = home.open();
        let [(bad, one), (good, other)] = [home.mail(10), home.mail(10)];
        made(store.commit(vec![one, other])).unwrap();
        let is_sending = standing != sample::due(1);
        let both = [bad, good].map(|id| Change::Update(sample::parcel(id, 0, "office", standing.clone())));
        made(store.commit(both.into())).unwrap();
        let spoiled = rusqlite::Connection::open(home.path().join("queue.db")).unwrap();
        let key = if column == "parcel" { "message" } else { "id" };
        let sql = format!("UPDATE {column} SET content = '{{' || content WHERE {key} = ?1");
        assert_eq!(spoiled.execute(&sql, [bad.as_bytes()]).unwrap(), 1);
        drop(spoiled);
        let (routes, but) = ([sample::route("office")], std::collections::HashSet::new());
        let ask = Due { routes: &routes, now: sample::at(9), but: &but, per_device: 9, limit: 9 };
        let ready = || if is_sending { store.unfinished().unwrap() } else { store.due(&ask).unwrap() };
        for _ in 0..2 {
            assert_eq!(ready().iter().map(|waiting| waiting.parcel.id.message).collect::<Vec<_>>(), [good]);
            rests(&store);
        }
        let held = Filter { standing: Some(StandingKind::Held), to: Some("office@".to_owned()), ..Filter::default() };
        let listed = store.list(&held, Page { after: None, limit: 9 }).unwrap();
        let [waiting] = listed.as_slice() else { panic!("{listed:?}") };
        assert_eq!(waiting.parcel.id.message, bad, "its row says so by now");
        assert_eq!(waiting.reverse_path.to_string().to_lowercase(), "scanner@example.com");
        let Standing::Held { by: HeldBy::Damaged, why, .. } = &waiting.parcel.standing else { panic!("{waiting:?}") };
        assert!(why.sentence.contains("cannot be read"), "{why:?}");
        if column == "parcel" {
            let looks = rusqlite::Connection::open(home.path().join("queue.db")).unwrap();
            let sql = "SELECT content FROM damaged WHERE message = ?1";
            let beside: String = looks.query_row(sql, [bad.as_bytes()], |row| row.get(0)).unwrap();
            assert!(beside.starts_with("{{"), "what stood there is kept: {beside}");
        }
        made(store.commit(vec![finish(bad)])).unwrap();
        assert!(store.parcels(bad).unwrap().is_empty(), "a person may remove it");
    }
}

#[test]
fn a_damaged_message_that_was_being_sent_may_have_arrived_and_that_is_said() {
    let home = Home::new();
    let store = home.open();
    let (id, change) = home.mail(LARGE);
    made(store.commit(vec![change])).unwrap();
    made(store.commit(vec![Change::Update(sample::parcel(id, 0, "backup,office", sample::sending()))])).unwrap();
    let home = home.crashed();
    fs::remove_file(home.path().join("spool").join(id.to_string())).unwrap();
    let [parcel] = home.open().parcels(id).unwrap().try_into().unwrap();
    let Standing::Held { by: HeldBy::Damaged, why, .. } = &parcel.standing else { panic!("{parcel:?}") };
    assert!(why.sentence.contains("may have arrived"), "{why:?}");
    assert_eq!(parcel.route, sample::route("office"), "never through another account");
}

/// What is said when the directory is opened; nothing of it was changed.
fn refused(home: &Home) -> String {
    let files = || -> Vec<(String, Vec<u8>)> {
        let mut names = home.names("");
        names.retain(|name| name.starts_with("queue.db") && !name.ends_with("shm"));
        names.sort();
        names.into_iter().map(|name| (name.clone(), fs::read(home.path().join(name)).unwrap())).collect()
    };
    let before = files();
    let said = home.try_open().unwrap_err().to_string();
    assert!(files() == before, "it is left as it is: {said}");
    said
}

#[test]
fn a_database_that_is_damaged_is_refused_and_left_as_it_is() {
    let (home, _) = crashed();
    drop(home.open());
    let database = home.path().join("queue.db");
    let whole = fs::read(&database).unwrap();
    let mut garbled = whole.clone();
    garbled[..100].fill(0x55);
    // Its first page is well; no table can be found.
    let mut rootless = whole.clone();
    rootless[8192..].fill(0x55);
    for octets in [&whole[..whole.len() - 8192], &whole[..5000], &garbled, &rootless] {
        fs::write(&database, octets).unwrap();
        let said = refused(&home);
        assert!(said.contains("queue.db is damaged") && said.contains("safe place"), "{said}");
        assert_eq!(home.names("spool").len(), 2, "nothing is removed");
    }
}

#[test]
fn a_log_without_its_database_is_refused() {
    let (home, _) = crashed();
    fs::remove_file(home.path().join("queue.db")).unwrap();
    let said = refused(&home);
    assert!(said.contains("missing or empty") && said.contains("queue.db-wal"), "{said}");
}

#[test]
fn bodies_whose_database_was_taken_away_are_put_aside() {
    let (home, ids) = crashed();
    for name in home.names("").iter().filter(|name| name.starts_with("queue.db")) {
        fs::remove_file(home.path().join(name)).unwrap();
    }
    let store = home.open();
    assert!(home.names("spool").is_empty());
    let aside = fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let aside: Vec<String> = aside.filter(|name| name.starts_with("spool.without-queue-")).collect();
    assert_eq!(home.names(&aside[0]).len(), ids.len());
    made(store.commit(vec![home.mail(LARGE).1])).unwrap();
}

#[test]
fn a_newer_database_and_one_of_somebody_else_are_refused() {
    let home = Home::new();
    drop(home.open());
    let connection = schema::connect(&home.path().join("queue.db")).unwrap();
    connection.pragma_update(None, "user_version", 2).unwrap();
    drop(connection);
    let said = refused(&home);
    assert!(said.contains("newer Posthouse") && said.contains("format is 2, this one knows 1"), "{said}");
    let home = Home::new();
    let connection = rusqlite::Connection::open(home.path().join("queue.db")).unwrap();
    connection.execute_batch("CREATE TABLE theirs (x)").unwrap();
    drop(connection);
    let said = refused(&home);
    assert!(said.contains("is no queue of Posthouse"), "{said}");
}

#[cfg(unix)]
#[test]
fn nobody_else_can_read_what_is_kept() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new();
    let store = home.open();
    made(store.commit(vec![home.mail(LARGE).1])).unwrap();
    let mode = |name: &str| fs::metadata(home.path().join(name)).unwrap().permissions().mode() & 0o777;
    for name in ["queue.db", "queue.db-wal", "queue.db-shm", &format!("spool/{}", home.names("spool")[0])] {
        assert_eq!(mode(name), 0o600, "{name}");
    }
    assert_eq!((mode("spool"), mode("spool/incoming")), (0o700, 0o700));
}
