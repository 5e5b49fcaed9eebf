//! The process dies: killed at a hundred random moments while it keeps one sign-in after the other.
//!
//! The vault always opens, and holds what was kept last or, if that was under way, what was being kept. What a loss of
//! power does to octets that were not synced cannot be played so; that nothing gets its name before it is synced is
//! held by type in `disk::replace`, and seen from outside here where `strace` is at hand.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::*;

const ROOT: &str = "POSTHOUSE_TEST_CRASH_ROOT";
const ROUNDS: &str = "POSTHOUSE_TEST_CRASH_ROUNDS";

/// This test binary once more, as the process below.
fn keeper(root: &Path, rounds: u64, runner: &[&str]) -> Command {
    let myself = std::env::current_exe().unwrap();
    let mut words: Vec<&std::ffi::OsStr> = runner.iter().map(std::ffi::OsStr::new).collect();
    words.push(myself.as_os_str());
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).args(["--exact", "store::file::tests::crash::the_process_that_is_killed"]);
    command.args(["--ignored", "--nocapture"]).env(ROOT, root).env(ROUNDS, rounds.to_string());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

#[test]
#[ignore = "is no test: the others of this file run it in a process of its own"]
fn the_process_that_is_killed() {
    let vault = vault(std::env::var_os(ROOT).unwrap().as_ref());
    let rounds: u64 = std::env::var(ROUNDS).unwrap().parse().unwrap();
    let first = number(&vault).map_or(0, |number| number + 1);
    for number in first..first + rounds {
        keep(&vault, "a", &format!("token-{number}"));
        println!("\nkept {number}");
    }
}

fn vault(root: &Path) -> FileVault {
    let key = KeySource::Made(root.join("config/vault.key"));
    FileVault::new(Settings { directory: root.join("data"), key })
}

/// The number of the token that is kept. Everything must open.
fn number(vault: &FileVault) -> Option<u64> {
    kept(vault, "a").map(|kept| kept.0.unwrap().strip_prefix("token-").unwrap().parse().unwrap())
}

/// Kills the process at a moment nobody knows: before it says anything, or after a few things it said.
fn kill_some_time(mut child: Child) -> Option<u64> {
    let mut chance = [0; 3];
    getrandom::fill(&mut chance).unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut last = None;
    let mut listen = |count: usize| {
        let numbers = said.by_ref().filter_map(|line| line.strip_prefix("kept ")?.parse().ok());
        numbers.take(count).for_each(|number| last = Some(number));
    };
    listen(usize::from(chance[0] % 4));
    std::thread::sleep(Duration::from_micros(u64::from(u16::from_be_bytes([chance[1], chance[2]])) / 8));
    child.kill().unwrap();
    child.wait().unwrap();
    listen(usize::MAX);
    last
}

#[test]
fn killed_at_any_moment_the_vault_holds_what_was_kept_last() {
    let mut seen = 0;
    for _ in 0..10 {
        // A new vault each time, so that some are killed over the first record and the key.
        let root = tempfile::tempdir().unwrap();
        let mut last = None;
        for _ in 0..10 {
            let said = kill_some_time(keeper(root.path(), u64::MAX / 2, &[]).spawn().unwrap());
            last = last.max(said);
            let now = number(&vault(root.path()));
            let next = last.map_or(0, |last: u64| last + 1);
            assert!(now == last || now == Some(next), "{now:?} is kept, {last:?} was said to be");
            last = now;
        }
        seen += last.unwrap_or(0);
        keep(&vault(root.path()), "a", "token-1");
        let left: Vec<_> =
            std::fs::read_dir(root.path().join("data")).unwrap().map(|f| f.unwrap().file_name()).collect();
        assert_eq!(left.len(), 2, "drafts of the dead are swept away: {left:?}");
    }
    assert!(seen > 10, "hardly anything was kept: {seen}");
}

/// What lies there when the first record was being kept, and what when another was.
#[test]
fn what_the_dead_left_behind_is_no_hindrance() {
    let place = Place::new();
    let leave = |path: &Path, octets: &[u8]| {
        disk::private_directory(path.parent().unwrap(), Owner::of(path)).unwrap();
        std::fs::write(path, octets).unwrap();
    };
    let (data, key) = (place.settings().directory, place.key());
    leave(&data.join("vault.lock"), b"");
    leave(&key.with_file_name(".vault.key.Qw3rTy.new"), b"# The key of");
    assert!(place.vault().survey().unwrap().accounts.is_empty(), "the key was not made");
    keep(&place.vault(), "a", "made");
    let made = std::fs::read(&key).unwrap();
    std::fs::remove_file(place.vault().path()).unwrap();
    leave(&data.join(".vault.json.Qw3rTy.new"), b"{\"format\": 1, \"last_ver");
    keep(&place.vault(), "a", "first");
    assert_eq!(std::fs::read(&key).unwrap(), made, "a key that was made before its vault is used");
    let whole = place.bytes();
    for torn in [&b""[..], &whole[..100], &whole] {
        let draft = data.join(".vault.json.Qw3rTy.new");
        leave(&draft, torn);
        assert_eq!(token(&place.vault(), "a"), "first");
        keep(&place.vault(), "b", "next");
        assert_eq!((token(&place.vault(), "a"), token(&place.vault(), "b")), ("first".into(), "next".into()));
        assert!(!draft.exists());
    }
}

#[test]
fn nothing_gets_its_name_before_it_is_synced_nor_counts_before_its_name_is() {
    let works = Command::new("strace").args(["-o", "/dev/null", "true"]).stderr(Stdio::null()).status();
    if !works.is_ok_and(|status| status.success()) {
        eprintln!("not shown: there is no strace here, or it may not trace");
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let trace = root.path().join("trace");
    let calls = "trace=fsync,fdatasync,rename,renameat,renameat2,write";
    let flags = ["strace", "-f", "-y", "-s", "512", "-e", calls, "-o", trace.to_str().unwrap()];
    let ended = keeper(root.path(), 2, &flags).output().unwrap();
    assert!(ended.status.success(), "{ended:?}");
    let text = std::fs::read_to_string(&trace).unwrap();
    let story: Vec<String> = text.lines().filter_map(|line| event(line, root.path())).collect();
    let key = ["write key draft", "sync key draft", "name key", "sync config"];
    let vault = ["write vault draft", "sync vault draft", "name vault", "sync data", "kept"];
    let expected = [&["sync", "sync"][..], &key, &vault, &vault].concat();
    assert_eq!(story, expected, "{text}");
}

/// What one line of a trace means for us.
fn event(line: &str, root: &Path) -> Option<String> {
    let line = line.replace(&root.display().to_string(), "");
    let call = line.split_once(' ')?.1.trim_start();
    let draft = |line: &str| {
        let name = ["key", "vault"]
            .into_iter()
            .find(|name| line.contains(if *name == "key" { "/config/.vault.key." } else { "/data/.vault.json." }))?;
        Some(format!("{name} draft"))
    };
    let name = call.split('(').next()?;
    match name {
        "write" if call.contains("kept ") => Some("kept".into()),
        "write" => Some(format!("write {}", draft(call)?)),
        "fsync" | "fdatasync" => {
            let directory = || Some(call.split(['<', '>']).nth(1)?.trim_start_matches('/').to_owned());
            Some(format!("sync {}", draft(call).or_else(directory)?).trim_end().to_owned())
        }
        _ if call.contains("\"/config/vault.key\"") => Some("name key".into()),
        _ if call.contains("\"/data/vault.json\"") => Some("name vault".into()),
        _ => None,
    }
}
