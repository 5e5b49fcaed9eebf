//! Who says what is shown, and the files it is held against, for the tests of commands.
//!
//! Each file in `tests/` begins with what it is expected to show, written before it was made; `UPDATE_EXPECTED=1` writes
//! the rest anew, then to be read by you.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};

use super::source::Source;
use crate::app::control::Running;

/// When all of it is shown.
pub(super) fn now() -> Timestamp {
    "2026-11-22T07:45:00Z".parse().unwrap()
}

/// So many seconds from then.
pub(super) fn at(seconds: i64) -> Timestamp {
    now() + SignedDuration::from_secs(seconds)
}

/// A relay that has run for two days.
pub(super) fn relay() -> Source {
    Source::Relay(Running { version: "0.1.0".into(), pid: 4711, since: at(-2 * 24 * 3600) })
}

/// Nothing runs.
pub(super) fn files() -> Source {
    Source::Files { why: "no relay is running on /var/lib/posthouse".into() }
}

/// Compares with the file of this story, but for its first line, which says what to expect.
pub(super) fn tells(story: &str, shown: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/{story}.txt"));
    let golden = std::fs::read_to_string(&path).unwrap();
    let (expectation, expected) = golden.split_once('\n').unwrap();
    assert!(expectation.starts_with("# expect: "), "{story} says first what it expects");
    assert!(!shown.chars().any(|c| c.is_control() && c != '\n'), "{story} moves the cursor");
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::write(&path, format!("{expectation}\n{shown}")).unwrap();
        return;
    }
    assert_eq!(shown, expected, "{story}");
}
