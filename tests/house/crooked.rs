//! Crooked houses: each breaks one rule, and exactly that is reported. One straight house comes close to all of them.
//!
//! Guards `tests/house.rs` against rules that never fire and against rules that fire on words in comments.

use super::{File, complaints};

/// A file with a proper head.
fn file(path: &str, body: &str) -> File {
    File {
        path: path.into(),
        text: format!("//! What it does.\n//! What it guarantees.\n//! What it does not.\n{body}\n"),
    }
}

/// Asserts one complaint, about the fourth line of this file, for this reason.
#[track_caller]
fn one(path: &str, body: &str, reason: &str) {
    let found = complaints(&[file(path, body)]);
    assert_eq!(found.len(), 1, "{body}: {found:#?}");
    assert!(found[0].starts_with(&format!("src/{path}:4: ")), "{}", found[0]);
    assert!(found[0].contains(reason), "{} should say: {reason}", found[0]);
}

#[test]
fn a_room_that_names_a_room_to_its_right_is_reported_however_it_says_it() {
    for body in [
        "use crate::inbound::policy::Caps;",
        "pub use crate::inbound;",
        "use crate::{ids, mail::address, inbound::{policy as p}};",
        "use super::super::inbound::Caps;",
        "use super::{super::inbound::Caps, reply};",
        "fn f() -> u8 { crate::inbound::COUNT }",
        "fn f(x: &dyn for<'a> Fn(&'a crate::inbound::Caps)) {}",
        "fn f() { println!(\"{}\", crate::inbound::COUNT); }",
        "macro_rules! m { () => { $crate::inbound::f() } }",
        "struct S { caps: Vec<crate::inbound::Caps> }",
        "impl S { fn f() -> S { S { a: 1, ..crate::inbound::base() } } }",
        "mod inner { use super::super::super::inbound::Caps; }",
        "#[cfg(test)] mod tests { use crate::inbound::Caps; }",
        "const X: u8 = <crate::inbound::Caps as Default>::X;",
        "#[derive(crate::inbound::Derive)] struct S;",
        "struct S(pub (crate::inbound::Caps, u8));",
    ] {
        one("smtp/client/mod.rs", body, "to its right, `inbound`");
    }
    one("ids.rs", "use super::queue::Lease;", "`ids` names a room to its right, `queue`");
    one("mail/mod.rs", "use super::smtp::reply;", "to its right, `smtp`");
    one("config/mod.rs", "type A = crate::app::App;", "to its right, `app`");
}

#[test]
fn rooms_of_one_floor_do_not_name_each_other() {
    for room in ["inbound", "outbound", "alert", "sandbox", "store"] {
        one("console/mod.rs", &format!("use crate::{room}::X;"), &format!("`console` and `{room}` stand on one floor"));
    }
    one("ids.rs", "use crate::words::Cause;", "one floor");
}

#[test]
fn the_crate_as_a_whole_is_not_named() {
    for body in ["use crate as house;", "use crate::*;", "use crate::{self as house};", "use super::*;"] {
        one("disk.rs", body, "names the whole crate");
    }
    for body in ["pub use inbound::policy::Caps;", "pub use crate::ids::*;", "pub use self::ids::SessionId;"] {
        one("lib.rs", body, "re-exports nothing");
    }
    one("disk.rs", "use crate::cellar::Wine;", "no room called `cellar`");
    assert!(complaints(&[file("cellar.rs", "")])[0].contains("no room called `cellar`"));
}

#[test]
fn heads_and_lengths_are_counted() {
    let bare = |path: &str, text: String| complaints(&[File { path: path.into(), text }]);
    assert!(bare("mail/mod.rs", "//! One line.\nfn f() {}\n".into())[0].contains("has 1 lines of `//!`"));
    assert!(bare("mail/mod.rs", "//! A\n".repeat(9))[0].contains("has 9 lines of `//!`"));
    assert!(bare("mail/mod.rs", "fn f() {}\n//! A\n//! B\n//! C\n".into())[0].contains("has 0 lines"));
    assert!(bare("lib.rs", "//! A\n".repeat(60)).is_empty());
    assert!(bare("mail/mod.rs", format!("//! A\n//! B\n//! C\n{}", "\n".repeat(397))).is_empty());
    assert!(bare("mail/mod.rs", format!("//! A\n//! B\n//! C\n{}", "\n".repeat(398)))[0].contains("has 401 lines"));
    assert!(bare("mail/mod.rs", "//! A\n//! B\n//! C\nfn f( {}\n".into())[0].contains("is not Rust"));
}

#[test]
fn platform_code_stands_in_its_files() {
    for body in [
        "#[cfg(unix)] fn f() {}",
        "#[cfg(not(any(windows, test)))] fn f() {}",
        "#[cfg_attr(target_os = \"linux\", allow(dead_code))] fn f() {}",
        "fn f() -> bool { cfg!(target_family = \"unix\") }",
        "use std::{io, os::unix::fs::PermissionsExt};",
        "use std::os::linux::net::SocketAddrExt;",
        "use tokio::net::UnixListener;",
        "fn f() -> i32 { libc::getuid() }",
    ] {
        one("net/tls.rs", body, "platform code");
        for right in ["disk.rs", "net/listen.rs", "net/listen/guard.rs", "net/control.rs", "app/mod.rs"] {
            assert_eq!(complaints(&[file(right, body)]), Vec::<String>::new(), "{right}");
        }
        assert!(!complaints(&[file("net/listener.rs", body)]).is_empty(), "a longer name is another file");
    }
}

#[test]
fn secrets_are_opened_by_few() {
    for body in [
        "fn f(s: &Secret) { log(s.expose()) }",
        "fn f(s: &Secret) { s\n.expose (); }",
        "fn f(s: Option<&Secret>) { s.map(Secret::expose); }",
        "use secrecy::ExposeSecret;",
    ] {
        let found = complaints(&[file("journal/mod.rs", body)]);
        assert!(found.len() == 1 && found[0].contains("opens a secret"), "{body}: {found:?}");
        assert!(complaints(&[file("account/oauth/exchange.rs", body)]).is_empty());
    }
}

#[test]
fn the_environment_has_its_readers() {
    for body in ["use std::env;", "fn f() { std::env::var(\"X\"); }", "use std::{env::var, io};"] {
        one("net/trust.rs", body, "reads the environment");
        assert!(complaints(&[file("app/machine.rs", body)]).is_empty());
        assert!(complaints(&[file("cli/init.rs", body)]).is_empty());
    }
}

#[test]
fn unfinished_work_is_reported_in_tests_too() {
    for name in ["todo", "unimplemented", "dbg"] {
        one("net/dial.rs", &format!("fn f() {{ {name}!() }}"), "unfinished work");
        one("net/dial.rs", &format!("#[cfg(test)] mod tests {{ fn f() {{ std::{name}!(1) }} }}"), "unfinished work");
    }
    one("net/dial.rs", "#[macro_export] macro_rules! m { () => {} }", "past the order");
}

#[test]
fn some_crates_are_named_in_one_place() {
    one("net/tls.rs", "use rustls_pemfile::certs;", "named only in `pem`");
    one("cli/check.rs", "fn f() { toml::from_str(\"\"); }", "named only in `config`");
    assert!(
        complaints(&[file("pem.rs", "use rustls_pemfile::certs;"), file("config/file.rs", "use toml::Value;")])
            .is_empty()
    );
}

#[test]
fn pure_rooms_touch_nothing() {
    for body in [
        "fn f() -> Instant { Instant::now() }",
        "fn f() { std::time::SystemTime::now(); }",
        "fn f() { x.map_or_else(Instant::now, g); }",
        "fn f() { jiff::Timestamp::now(); }",
        "fn f() { uuid::Uuid::now_v7(); }",
        "use std::fs::File;",
        "use std::{fs, io};",
        "use std::net::{IpAddr, TcpStream};",
        "use tokio::net::TcpStream;",
        "fn f(i: Instant) { i.elapsed(); }",
    ] {
        for pure in ["mail/stamp.rs", "smtp/server/mod.rs", "diagnosis/mod.rs", "account/book.rs", "queue/schedule.rs"]
        {
            let found = complaints(&[file(pure, body)]);
            assert!(
                found.len() == 1 && found[0].contains("no socket") | found[0].contains("reads the clock"),
                "{found:?}"
            );
        }
        assert!(complaints(&[file("account/keeper.rs", body)]).is_empty(), "{body}");
    }
}

#[test]
fn a_file_of_tests_is_known_by_the_file_that_includes_it() {
    let tests = "fn f() { let now = std::time::Instant::now(); }";
    let parent = |body| file("smtp/server/mod.rs", body);
    assert!(complaints(&[parent("#[cfg(test)]\nmod tests;"), file("smtp/server/tests.rs", tests)]).is_empty());
    for not in ["mod tests;", "#[cfg(test)] use a::b;\nmod tests;", "#[cfg(test)] fn g() {}\nmod tests;"] {
        assert_eq!(complaints(&[parent(not), file("smtp/server/tests.rs", tests)]).len(), 1, "{not}");
    }
}

#[test]
fn a_straight_house_passes() {
    let server = r##"
// use crate::inbound::Caps; todo!() Instant::now()
/* std::fs::read(crate::app::X) */
/// See `crate::inbound`; reads std::env::var.
use crate::{ids::{MessageId, SessionId}, mail::{self, address::*}, redact as cleaner};
use std::{fmt::{self, Write as _}, net::{IpAddr, SocketAddr}, time::{Duration, Instant}};
use super::reply::{Reply, Refusal};
pub(crate) struct S(pub(super) u8, pub(in crate::smtp) u8);
fn f(&self, now: Instant, todo: u8) -> bool {
    let text = "crate::inbound::policy todo!() std::fs"; let raw = r#"dbg!("x")"#; let c = '"';
    let inbound = Inbound::new(); let expose = inbound.exposed(); let fs = self.fs; let unix = 0..todo;
    todo != 1 && expose && inbound::<u8>(now) || self::helper::run(text, raw, c, fs)
}
mod inner { use super::super::reply::Reply; use self::super::super::body; }
macro_rules! own { ($name:ident) => { $crate::smtp::$name } }
#[cfg(test)]
#[allow(clippy::pedantic)]
mod tests {
    use super::*;
    use std::fs;
    #[cfg(unix)]
    fn g(s: Secret) { s.expose(); std::env::var("X"); std::time::Instant::now(); fs::read("x"); }
}
"##;
    let main = File { path: "main.rs".into(), text: "//! The program.\nfn main() { posthouse::cli::run() }\n".into() };
    let lib = file("lib.rs", "pub mod ids;\npub mod mail;\npub mod smtp;");
    assert_eq!(complaints(&[lib, main, file("smtp/server/mod.rs", server)]), Vec::<String>::new());
}
