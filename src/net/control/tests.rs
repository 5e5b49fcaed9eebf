//! The socket with strangers, the dead and the rude at it.
//!
//! Every test opens a real socket in a directory of its own; who may ask is decided by numbers alone, because a test
//! is rarely two users.

use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;

use axum::Router;
use axum::extract::Path as Part;
use axum::routing::{get, post};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::{Answer, AskError, Door, DoorError, LONGEST_ANSWER, LONGEST_REQUEST, Method, ask, client, server, socket};
use crate::disk::Ownership;

fn routes() -> Router {
    let repeat = |Part(name): Part<String>| async move { name };
    let whole = |body: String| async move { body.len().to_string() };
    let long = || async { "x".repeat(LONGEST_ANSWER + 1) };
    Router::new().route("/name/{name}", get(repeat)).route("/whole", post(whole)).route("/long", get(long))
}

fn text(answer: &Answer) -> &str {
    std::str::from_utf8(&answer.body).unwrap()
}

/// Octets as they are; what came back until the relay hung up.
async fn say(directory: &Path, octets: &[u8]) -> String {
    let mut stream = UnixStream::connect(socket(directory)).await.unwrap();
    // The relay may hang up before it has read all.
    let _ = stream.write_all(octets).await;
    let mut heard = Vec::new();
    let _ = stream.read_to_end(&mut heard).await;
    String::from_utf8_lossy(&heard).into_owned()
}

#[tokio::test]
async fn a_question_is_answered_by_the_owner_of_the_directory_only() {
    let home = tempfile::tempdir().unwrap();
    let nobody = ask(home.path(), Method::GET, "/name/a").await.unwrap_err();
    assert_eq!(nobody, AskError::NotRunning { directory: home.path().into() });
    let owner = Ownership::take(home.path()).unwrap();
    let door = Door::open(&owner, routes()).unwrap();
    let answer = ask(home.path(), Method::GET, "/name/office").await.unwrap();
    assert_eq!((answer.status.as_u16(), text(&answer)), (200, "office"));
    assert_eq!(ask(home.path(), Method::POST, "/name/office").await.unwrap().status.as_u16(), 405);
    drop(door);
    assert!(!socket(home.path()).exists(), "the socket goes with its door");
    assert_eq!(ask(home.path(), Method::GET, "/name/a").await.unwrap_err(), nobody);
}

#[tokio::test]
async fn the_socket_is_for_its_user_alone_and_takes_the_place_of_a_dead_one() {
    let home = tempfile::tempdir().unwrap();
    let path = socket(home.path());
    // What a relay leaves behind that was killed.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    drop(std::os::unix::net::UnixListener::bind(home.path().join("control.new")).unwrap());
    assert!(matches!(ask(home.path(), Method::GET, "/name/a").await, Err(AskError::NotRunning { .. })));
    let owner = Ownership::take(home.path()).unwrap();
    let _door = Door::open(&owner, routes()).unwrap();
    let facts = fs::metadata(&path).unwrap();
    assert!(facts.file_type().is_socket());
    assert_eq!(facts.permissions().mode() & 0o777, 0o600);
    assert_eq!(text(&ask(home.path(), Method::GET, "/name/b").await.unwrap()), "b");
}

#[test]
fn only_the_relays_own_user_and_root_are_heard_and_only_a_trusted_relay_is_asked() {
    assert!(server::may_ask(1000, 1000) && server::may_ask(0, 1000));
    assert!(!server::may_ask(1001, 1000) && !server::may_ask(1000, 0));
    let may_be_asked = client::may_be_asked;
    assert!(may_be_asked(1000, 1000, Some(0)) && may_be_asked(0, 1000, Some(0)), "our own relay, and root's");
    assert!(may_be_asked(1000, 0, Some(1000)), "root asks the relay of a user in that user's directory");
    assert!(!may_be_asked(1001, 1000, Some(1000)) && !may_be_asked(1001, 0, None));
}

#[tokio::test]
async fn a_path_that_is_too_long_is_said_with_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    let owner = Ownership::take(&home.path().join("d".repeat(100))).unwrap();
    let error = Door::open(&owner, routes()).unwrap_err();
    assert!(matches!(&error, DoorError::PathTooLong { .. }), "{error}");
    assert!(error.to_string().contains("`storage.directory` with a path of at most 90 octets"), "{error}");
    assert_eq!(fs::read_dir(owner.directory()).unwrap().count(), 1, "only the lock");
}

#[tokio::test]
async fn a_regular_file_in_the_sockets_place_does_not_answer() {
    let home = tempfile::tempdir().unwrap();
    fs::write(socket(home.path()), "").unwrap();
    assert!(matches!(ask(home.path(), Method::GET, "/").await, Err(AskError::NotRunning { .. })));
}

#[tokio::test]
async fn what_is_not_http_gets_400_and_what_is_too_large_gets_no_further() {
    let home = tempfile::tempdir().unwrap();
    let owner = Ownership::take(home.path()).unwrap();
    let _door = Door::open(&owner, routes()).unwrap();
    for nonsense in [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], b"EHLO scanner\r\n\r\n", &[0; 4096]] {
        assert!(say(home.path(), nonsense).await.starts_with("HTTP/1.1 400"), "{nonsense:?}");
    }
    let header = format!("GET /name/a HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "y".repeat(2 * LONGEST_REQUEST));
    let heard = say(home.path(), header.as_bytes()).await;
    assert!(heard.starts_with("HTTP/1.1 431") || heard.is_empty(), "{heard}");
    let length = LONGEST_REQUEST + 1;
    let body = format!("POST /whole HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{}", "z".repeat(length));
    assert!(say(home.path(), body.as_bytes()).await.starts_with("HTTP/1.1 413"));
    let long = ask(home.path(), Method::GET, "/long").await.unwrap_err();
    assert!(matches!(&long, AskError::Silent { detail, .. } if detail.contains("limit")), "{long}");
    assert_eq!(text(&ask(home.path(), Method::GET, "/name/still-here").await.unwrap()), "still-here");
}

#[tokio::test(start_paused = true)]
async fn peers_that_stall_lose_their_seats_and_a_relay_that_stalls_is_not_waited_for() {
    let home = tempfile::tempdir().unwrap();
    let owner = Ownership::take(home.path()).unwrap();
    let hang = get(std::future::pending::<String>);
    let door = Door::open(&owner, routes().route("/hang", hang)).unwrap();
    let began = tokio::time::Instant::now();
    let mut stalled = Vec::new();
    for _ in 0..40 {
        let mut stream = UnixStream::connect(socket(home.path())).await.unwrap();
        stream.write_all(b"GET /name/a HTTP/1.1\r\nHost:").await.unwrap();
        stalled.push(stream);
    }
    for mut stream in stalled {
        let mut heard = Vec::new();
        let _ = stream.read_to_end(&mut heard).await;
        assert!(heard.is_empty() || heard.starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&heard));
    }
    // Sixteen seats, each for the time of a header: three rounds.
    assert_eq!(began.elapsed().as_secs(), 15);
    assert_eq!(text(&ask(home.path(), Method::GET, "/name/next").await.unwrap()), "next");
    let error = ask(home.path(), Method::GET, "/hang").await.unwrap_err();
    assert!(error.to_string().contains("nothing came within 10 s"), "{error}");
    drop(door);
}
