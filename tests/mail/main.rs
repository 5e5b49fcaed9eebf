//! Mail as devices send it: what they hear, what the journal tells, and what the provider gets.
//!
//! Each `tests/mail/*/*.mail` is one session of a device, with the sentence of what should come of it written before it
//! was first played. It goes through a whole relay to the practice provider; beside it, in `*.expected`, stands all that
//! was seen (written anew by `UPDATE_EXPECTED=1 cargo test --test mail`, then to be read by you, against its sentence).
//! How a file is written, `script.rs` says; how what was seen is shown, `golden.rs`.

mod coverage;
mod device;
mod golden;
#[path = "../support/octets.rs"]
mod octets;
mod script;
mod stage;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use script::Script;
use stage::Seen;

/// How many mails there are at least.
const MAILS: usize = 100;

/// One file.
struct Mail {
    /// `topic/name`
    name: String,
    path: PathBuf,
    script: Script,
}

/// All files, in the order of their names.
fn corpus() -> Vec<Mail> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mail");
    let inside = |folder: &Path| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let topics = inside(&root).filter(|path| path.is_dir());
    let mut paths: Vec<PathBuf> = topics.flat_map(|topic| inside(&topic).collect::<Vec<_>>()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "mail"));
    paths.sort();
    let read = |path: PathBuf| {
        let name = path.strip_prefix(&root).unwrap().with_extension("").display().to_string();
        let script =
            Script::parse(&std::fs::read_to_string(&path).unwrap()).unwrap_or_else(|why| panic!("{name}: {why}"));
        Mail { name, path, script }
    };
    paths.into_iter().map(read).collect()
}

/// Plays all of them: those that want the same relay share one, and the relays run side by side.
fn play(corpus: &[Mail]) -> BTreeMap<&str, Seen> {
    let mut stages: BTreeMap<_, Vec<(&str, &Script)>> = BTreeMap::new();
    for Mail { name, script, .. } in corpus {
        stages.entry(&script.stage).or_default().push((name, script));
    }
    std::thread::scope(|scope| {
        let threads: Vec<_> = stages.values().map(|mails| scope.spawn(move || stage::play(mails))).collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap_or_else(|why| std::panic::resume_unwind(why)))
            .collect()
    })
}

#[test]
fn every_mail_goes_through_as_the_file_beside_it_shows() {
    let corpus = corpus();
    let seen = play(&corpus);
    let mut faults = Vec::new();
    for Mail { name, path, script } in &corpus {
        let shown = golden::show(&seen[name.as_str()]);
        let beside = path.with_extension("expected");
        if std::env::var_os("UPDATE_EXPECTED").is_some() {
            std::fs::write(&beside, &shown).unwrap();
        }
        if let Some(fault) = script.fault(&shown) {
            faults.push(format!("=== {name}: {fault}\nexpected: {}\n{shown}", script.expect));
        } else if shown != std::fs::read_to_string(&beside).unwrap_or_default() {
            faults.push(format!("=== {name} is not as {} shows\n{shown}", beside.display()));
        }
    }
    assert!(faults.is_empty(), "{} mails:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn every_oddity_has_a_mail_and_every_mail_shows_one() {
    let corpus = corpus();
    let shown: Vec<_> = corpus.iter().map(|mail| (mail.name.as_str(), mail.script.covers.as_slice())).collect();
    let faults = coverage::check(&shown);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(corpus.len() >= MAILS, "only {} mails were found", corpus.len());
}

#[test]
fn a_file_that_cannot_be_followed_is_not_played() {
    let head = "# A scanner sends a page.\n# covers: x\n# expect: it arrives.\n# shows: RCPT\n---\n";
    let mail = format!("{head}EHLO a\nDATA\n\n.\nQUIT\n");
    assert!(Script::parse(&mail).is_ok());
    for (mail, fault) in [
        (mail.replace("# A scanner sends a page.\n", ""), "one sentence"),
        (mail.replace("# expect: it arrives.\n", ""), "# expect:"),
        (mail.replace("# shows: RCPT\n", ""), "# shows:"),
        (mail.replace("# covers: x\n", ""), "# covers:"),
        (mail.replace("---\n", ""), "---"),
        (mail.replace("---\n", "colour: red\n---\n"), "no option is called colour"),
        (mail.replace("---\n", "provider: drinks tea\n---\n"), "drinks tea"),
        (mail.replace("EHLO a", "EHLO \u{e4}"), "line 6"),
        (mail.replace("EHLO a", "EHLO a "), "line 6"),
        (mail.replace("EHLO a", "EHLO \\q"), "line 6"),
        (mail.replace("\n.\n", "\n"), "no line of a single dot"),
    ] {
        let why = Script::parse(&mail).map(|_| ()).expect_err(fault);
        assert!(why.contains(fault), "{why:?} instead of {fault:?}");
    }
}

#[test]
fn a_crooked_list_is_noticed() {
    let (first, last) = (coverage::COVERED[0].0, coverage::COVERED.last().unwrap().0);
    let all: Vec<String> = coverage::COVERED.iter().map(|(row, _)| (*row).to_owned()).collect();
    assert_eq!(coverage::check(&[("a/b", &all)]), [""; 0]);
    let faults = coverage::check(&[("a/b", &all[1..]), ("a/c", &["unheard".to_owned()])]);
    assert_eq!(faults.len(), 2, "{faults:?}");
    assert!(faults[0].contains(first) && faults[1].contains("a/c") && faults[1].contains("unheard"), "{faults:?}");
    assert!(!faults.iter().any(|fault| fault.contains(last)), "{faults:?}");
}
