//! A panic whose text holds a secret, in a task, with the product's own panic hook in place.
//!
//! Plays in a process of its own, which is this test program again: the hook and the log belong to a whole process.

use std::process::{Command, Output};

use posthouse::journal::log::{Format, Settings, install};

use crate::detector::finds;
use crate::stage::planted;

/// Tells the child that it is one, and how it is to log.
const CHILD: &str = "CANARY_PANICS";

/// Not a test of its own: what the child does.
#[test]
fn child() {
    let Ok(format) = std::env::var(CHILD) else { return };
    let format = if format == "json" { Format::Json } else { Format::Text };
    install(&Settings { level: tracing::Level::TRACE, format, ..Settings::default() });
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    let ways: [fn(String); 7] = [
        |secret| panic!("no way to sign in with {secret}"),
        |secret| std::panic::panic_any(secret),
        |secret| std::fs::read(secret).map(drop).unwrap(),
        |secret| secret.parse::<u8>().map(drop).expect(&secret),
        |secret| std::env::var_os("NO_SUCH_VARIABLE").map(drop).expect(&secret),
        |secret| assert_eq!(secret, "something else"),
        |_| panic!("a text of the source"),
    ];
    for way in ways {
        let ended = runtime.block_on(runtime.spawn(async move { way(planted::stray().secret) }));
        assert!(ended.is_err(), "it panicked");
    }
}

fn panicking(format: &str) -> Output {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "panic::child", "--nocapture"]).env(CHILD, format).env("RUST_BACKTRACE", "full");
    child.output().unwrap()
}

#[test]
fn a_panic_is_logged_with_its_place_and_without_what_it_was_about() {
    for format in ["text", "json"] {
        let Output { status, stdout, stderr } = panicking(format);
        assert!(status.success());
        let printed = [stdout, stderr].concat();
        let text = String::from_utf8_lossy(&printed);
        assert_eq!(text.matches("internal error").count(), 7, "{text}");
        assert_eq!(text.matches("panic.rs:").count(), 7, "each with its place: {text}");
        assert!(text.contains("a text of the source"), "{text}");
        let finds = finds(&[planted::stray()], &printed);
        assert!(finds.is_empty(), "{finds:#?}");
    }
}
