//! Where the sandbox may listen, how much it takes on, and that nothing of it is left when it is dropped.

use std::net::SocketAddr;
use std::time::Duration;

use posthouse::sandbox::fault::{Fault, Stage, Times, TokenFault};
use posthouse::sandbox::{CONNECTIONS, Offer, Ports, Sandbox, Settings};

use crate::client::{Client, trust};
use crate::{open_sandbox, sandbox};

#[tokio::test]
async fn it_listens_on_loopback_only() {
    for open in ["0.0.0.0:0", "192.0.2.1:0", "[::]:0", "[::ffff:10.0.0.1]:0"] {
        let ports = Ports { token: open.parse().unwrap(), ..Ports::default() };
        let refused = Sandbox::start(Settings { ports, ..Settings::new().unwrap() }).await.unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::InvalidInput, "{open}");
    }
    let ports = Ports { implicit: "127.0.0.2:0".parse().unwrap(), ..Ports::default() };
    let sandbox = Sandbox::start(Settings { ports, ..Settings::new().unwrap() }).await.unwrap();
    assert!(Client::tls(sandbox.implicit(), trust(&sandbox), "127.0.0.2").await.is_ok(), "and is certified for it");
}

#[tokio::test]
async fn one_connection_too_many_hears_421() {
    let sandbox = sandbox().await;
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut client = Client::clear(sandbox.plain()).await;
        assert!(client.reply().await.starts_with("220 "));
        clients.push(client);
    }
    let mut late = Client::clear(sandbox.plain()).await;
    assert!(late.reply().await.starts_with("421 4.3.2 "));
    assert_eq!(late.rest().await, b"");
    let mut leaving = clients.remove(0);
    leaving.say("QUIT").await;
    leaving.rest().await;
    drop(leaving);
    // The place becomes free when the session's task has ended, a moment after the client is gone.
    loop {
        let mut next = Client::clear(sandbox.plain()).await;
        if next.reply().await.starts_with("220 ") {
            break;
        }
    }
}

#[tokio::test]
async fn dropping_it_ends_every_connection() {
    let sandbox = sandbox().await;
    let token: SocketAddr = sandbox.token_endpoint()["https://".len()..].split('/').next().unwrap().parse().unwrap();
    let mut idle = Client::greeted(&sandbox).await;
    let mut silent = Client::greeted(&sandbox).await;
    sandbox.faults().plan(Stage::Quit, Fault::Silence, Times::Always);
    silent.send("QUIT\r\n").await;
    sandbox.faults().plan_token(TokenFault::Silence, Times::Always);
    let mut asking = Client::tls(token, trust(&sandbox), "127.0.0.1").await.unwrap();
    asking.send("POST /token HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").await;
    let ports = [sandbox.plain(), sandbox.implicit(), sandbox.starttls(), token];
    drop(sandbox);
    assert_eq!(idle.rest().await, b"");
    assert_eq!(silent.rest().await, b"");
    assert_eq!(asking.rest().await, b"");
    for port in ports {
        assert!(tokio::net::TcpStream::connect(port).await.is_err(), "{port} is still open");
    }
}

#[tokio::test]
async fn a_silent_client_is_told_and_let_go() {
    let settings = Settings { idle: Duration::from_millis(20), ..Settings::new().unwrap() };
    let sandbox = Sandbox::start(settings).await.unwrap();
    let mut client = Client::clear(sandbox.plain()).await;
    client.reply().await;
    assert_eq!(client.rest().await, b"421 4.4.2 Idle for too long\r\n");
}

#[tokio::test]
async fn the_transcript_tells_the_story_without_the_secrets() {
    let sandbox = open_sandbox(Offer::bare()).await;
    let mut client = Client::greeted(&sandbox).await;
    client.say("MY PASSWORD IS hunter2").await;
    client.mail("Subject: private\r\n.\r\n").await;
    client.say("QUIT").await;
    let told: Vec<String> = sandbox.transcript().iter().map(ToString::to_string).collect();
    let expected = [
        "1 -- connected, in clear",
        "1 S: 220 sandbox.example ESMTP practice provider",
        "1 C: EHLO client.example",
        "1 S: 250 sandbox.example greets client.example",
        "1 C: not understood, 22 octets",
        "1 -- breach: Syntax: unknown command",
        "1 S: 500 Unknown command",
        "1 C: MAIL FROM:<a@x.example>",
        "1 S: 250 Ok",
        "1 C: RCPT TO:<b@x.example>",
        "1 S: 250 Ok",
        "1 C: DATA",
        "1 S: 354 End data with <CR><LF>.<CR><LF>",
        "1 -- a body of 18 octets",
        "1 S: 250 Ok: taken as 1",
        "1 C: QUIT",
        "1 S: 221 Bye",
    ];
    assert_eq!(told[..expected.len()], expected);
}
