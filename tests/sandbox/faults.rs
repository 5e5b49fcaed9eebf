//! Faults: each does what it says, where it was planned, as often as it was planned.

use posthouse::sandbox::fault::{Fault, Gate, Stage, Times};
use posthouse::sandbox::{Echo, Extension, Mechanism, Offer, Sandbox};

use crate::client::{Client, trust};
use crate::{open_sandbox, sandbox};

async fn with(stage: Stage, fault: Fault) -> Sandbox {
    let sandbox = open_sandbox(Offer::like_gmail()).await;
    sandbox.faults().plan(stage, fault, Times::Once);
    sandbox
}

/// Walks through a whole session on the clear port, AUTH left out, and says at which command a reply of this code came.
async fn where_refused(sandbox: &Sandbox, code: &str) -> Vec<&'static str> {
    let mut client = Client::clear(sandbox.plain()).await;
    let mut refused = Vec::new();
    if client.reply().await.starts_with(code) {
        refused.push("greeting");
    }
    for (name, line) in [
        ("EHLO", "EHLO client.example"),
        ("AUTH", "AUTH PLAIN AGEAYg=="),
        ("MAIL", "MAIL FROM:<a@x.example>"),
        ("RCPT b", "RCPT TO:<b@x.example>"),
        ("RCPT c", "RCPT TO:<c@x.example>"),
        ("DATA", "DATA"),
        ("dot", "x\r\n."),
        ("QUIT", "QUIT"),
    ] {
        if client.say(line).await.starts_with(code) {
            refused.push(name);
        }
    }
    refused
}

#[tokio::test]
async fn a_reply_is_replaced_at_each_stage_and_nowhere_else() {
    for (stage, at) in [
        (Stage::Auth, "AUTH"),
        (Stage::RcptTo("C@*.example".into()), "RCPT c"),
        (Stage::Rcpt, "RCPT b"),
        (Stage::Dot, "dot"),
        (Stage::Quit, "QUIT"),
    ] {
        let sandbox = with(stage, Fault::reply(499, "4.9.9 odd")).await;
        assert_eq!(where_refused(&sandbox, "499").await, [at]);
        assert_eq!(sandbox.mailbox().count(), u64::from(at != "dot"), "{at}: a refused message is not taken");
        assert_eq!(where_refused(&sandbox, "499").await, [""; 0], "only once");
    }
}

#[tokio::test]
async fn a_refused_command_is_not_carried_out() {
    let sandbox = with(Stage::Greeting, Fault::reply(554, "no\nservice")).await;
    let mut client = Client::clear(sandbox.plain()).await;
    assert_eq!(client.reply().await, "554-no\n554 service");
    assert!(client.say("EHLO client.example").await.starts_with("503 "));
    assert!(client.say("QUIT").await.starts_with("221 "));

    let sandbox = with(Stage::Ehlo, Fault::reply(502, "what?")).await;
    let mut client = Client::clear(sandbox.plain()).await;
    client.reply().await;
    assert_eq!(client.say("EHLO client.example").await, "502 what?");
    assert!(client.say("MAIL FROM:<a@x.example>").await.starts_with("503 "));

    let sandbox = with(Stage::Mail, Fault::reply(451, "later")).await;
    let mut client = Client::greeted(&sandbox).await;
    assert_eq!(client.say("MAIL FROM:<a@x.example>").await, "451 later");
    assert!(client.say("RCPT TO:<b@x.example>").await.starts_with("503 "));

    let sandbox = with(Stage::Data, Fault::reply(451, "later")).await;
    let mut client = Client::greeted(&sandbox).await;
    client.say("MAIL FROM:<a@x.example>").await;
    client.say("RCPT TO:<b@x.example>").await;
    assert_eq!(client.say("DATA").await, "451 later");
    assert!(client.say("RSET").await.starts_with("250 "), "still a command, not a body");
}

#[tokio::test]
async fn starttls_can_be_refused_and_injected_into() {
    let sandbox = with(Stage::StartTls, Fault::reply(454, "4.7.0 TLS not available")).await;
    let mut client = Client::clear(sandbox.starttls()).await;
    client.reply().await;
    client.say("EHLO client.example").await;
    assert_eq!(client.say("STARTTLS").await, "454 4.7.0 TLS not available");

    sandbox.faults().plan(Stage::StartTls, Fault::Inject(b"250 injected\r\n".into()), Times::Once);
    client.send("STARTTLS\r\n").await;
    let read = String::from_utf8(client.one_read().await).unwrap();
    assert!(read.starts_with("220 ") && read.ends_with("\r\n250 injected\r\n"), "in one read: {read:?}");
}

#[tokio::test]
async fn the_connection_is_cut_or_closed_with_a_word() {
    let sandbox = with(Stage::Mail, Fault::Close).await;
    let mut client = Client::greeted(&sandbox).await;
    client.send("MAIL FROM:<a@x.example>\r\n").await;
    assert_eq!(client.rest().await, b"");

    sandbox.faults().plan(Stage::Mail, Fault::reply_then_close(421, "4.7.0 too much"), Times::Once);
    let mut client = Client::greeted(&sandbox).await;
    assert_eq!(client.say("MAIL FROM:<a@x.example>").await, "421 4.7.0 too much");
    assert_eq!(client.rest().await, b"");
    for _ in 0..3 {
        client.try_send("RCPT TO:<b@x.example>\r\n").await.expect("a client that still writes is not cut off");
    }
}

#[tokio::test]
async fn a_connection_ends_behind_an_answer() {
    let sandbox = with(Stage::Dot, Fault::AnswerThenClose).await;
    let mut client = Client::greeted(&sandbox).await;
    assert!(client.mail("x\r\n.\r\n").await.starts_with("250 "));
    assert_eq!(client.rest().await, b"");
    assert_eq!(sandbox.mailbox().count(), 1);
}

#[tokio::test]
async fn a_message_can_be_taken_or_lost_when_the_answer_never_comes() {
    for (fault, taken) in [(Fault::Close, 0), (Fault::CarryOutThenClose, 1)] {
        let sandbox = with(Stage::Dot, fault).await;
        let mut client = Client::greeted(&sandbox).await;
        client.say("MAIL FROM:<a@x.example>").await;
        client.say("RCPT TO:<b@x.example>").await;
        client.say("DATA").await;
        client.send("x\r\n.\r\n").await;
        assert_eq!(client.rest().await, b"");
        assert_eq!(sandbox.mailbox().count(), taken);
    }
}

#[tokio::test]
async fn garbage_comes_as_it_is() {
    let sandbox = with(Stage::Greeting, Fault::Garbage(b"\x00\xffHTTP/1.1 400\n".into())).await;
    let mut client = Client::clear(sandbox.plain()).await;
    assert_eq!(client.one_read().await, b"\x00\xffHTTP/1.1 400\n");
}

#[tokio::test]
async fn silence_lasts_until_the_client_hangs_up() {
    let sandbox = with(Stage::Mail, Fault::Silence).await;
    let mut silent = Client::greeted(&sandbox).await;
    silent.send("MAIL FROM:<a@x.example>\r\nNOOP\r\n").await;
    // The fault was for one connection: had the first not taken it, this one would be silent.
    let mut other = Client::greeted(&sandbox).await;
    assert!(other.mail("x\r\n.\r\n").await.starts_with("250 "));
    drop(sandbox);
    assert_eq!(silent.rest().await, b"", "not an octet until the end");
}

#[tokio::test]
async fn a_gate_holds_the_answer_until_it_is_opened() {
    let gate = Gate::new();
    let sandbox = with(Stage::Dot, Fault::Wait(gate.clone())).await;
    let mut client = Client::greeted(&sandbox).await;
    let waiting = tokio::spawn(async move { client.mail("x\r\n.\r\n").await });
    gate.reached(1).await;
    assert_eq!(sandbox.mailbox().count(), 0, "not carried out yet");
    assert!(!waiting.is_finished());
    gate.open();
    assert!(waiting.await.unwrap().starts_with("250 "));
    assert_eq!(sandbox.mailbox().count(), 1);
}

#[tokio::test]
async fn a_body_fault_strikes_in_the_midst_of_the_body() {
    let sandbox = with(Stage::Body(5), Fault::reply_then_close(421, "enough")).await;
    let mut client = Client::greeted(&sandbox).await;
    client.say("MAIL FROM:<a@x.example>").await;
    client.say("RCPT TO:<b@x.example>").await;
    client.say("DATA").await;
    client.send("1234").await;
    client.send("5678").await;
    assert_eq!(client.rest().await, b"421 enough\r\n");

    // A gate in the body: the sandbox stops reading, then the rest is taken as if nothing had been.
    let gate = Gate::new();
    sandbox.faults().plan(Stage::Body(0), Fault::Wait(gate.clone()), Times::Once);
    let mut client = Client::greeted(&sandbox).await;
    let waiting = tokio::spawn(async move { client.mail("x\r\n.\r\n").await });
    gate.reached(1).await;
    gate.open();
    assert!(waiting.await.unwrap().starts_with("250 "));
}

#[tokio::test]
async fn a_reply_can_come_octet_by_octet() {
    let sandbox = with(Stage::Ehlo, Fault::SplitReply).await;
    let mut client = Client::clear(sandbox.plain()).await;
    client.reply().await;
    client.send("EHLO client.example\r\n").await;
    let first = client.one_read().await;
    assert!(first.len() < 20, "a reply of many lines came in a single read: {}", first.len());
    assert_eq!(first[0], b'2');
}

#[tokio::test]
async fn the_credential_comes_back_in_every_disguise() {
    // "user NUL pass" of an AUTH PLAIN; long enough that no form of it appears by chance.
    let (secret, as_sent) = ("hunter2/hunter2", "AHVzZXIAaHVudGVyMi9odW50ZXIy");
    let sandbox = sandbox().await;
    for (echo, expected) in [
        (Echo::Raw, secret),
        (Echo::Base64 { alignment: 0 }, "aHVudGVyMi9odW50ZXIyLg=="),
        (Echo::Base64 { alignment: 1 }, "aWh1bnRlcjIvaHVudGVyMi4="),
        (Echo::Base64 { alignment: 2 }, "aWRodW50ZXIyL2h1bnRlcjIu"),
        (Echo::Percent, "hunter2%2Fhunter2"),
        (Echo::Json, r"\u0068\u0075\u006e"),
        (Echo::AsSent, as_sent),
    ] {
        sandbox.faults().plan(Stage::Auth, Fault::EchoSecret(echo), Times::Once);
        let mut client = Client::greeted(&sandbox).await;
        let reply = client.say(&format!("AUTH PLAIN {as_sent}")).await;
        assert!(reply.starts_with("535 5.7.8 ") && reply.contains(expected), "{echo:?}: {reply}");
    }
    let seen = sandbox.transcript().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    assert!(seen.contains("C: AUTH PLAIN [hidden]"), "{seen}");
    assert!(!seen.contains("unter2") && !seen.contains("AHVzZXI"), "{seen}");
}

#[tokio::test]
async fn a_challenge_can_be_replaced() {
    let offer = Offer::bare().with(Extension::AuthEquals(vec![Mechanism::Login]));
    let sandbox = open_sandbox(offer).await;
    sandbox.faults().plan(Stage::AuthChallenge, Fault::reply(454, "4.7.0 not now"), Times::Count(2));
    let mut client = Client::clear(sandbox.plain()).await;
    client.reply().await;
    assert_eq!(client.say("EHLO client.example").await.lines().last(), Some("250 AUTH=LOGIN"));
    assert_eq!(client.say("AUTH LOGIN").await, "454 4.7.0 not now");
    assert_eq!(client.say("AUTH LOGIN").await, "454 4.7.0 not now");
    assert_eq!(client.say("AUTH LOGIN").await, "334 VXNlcm5hbWU6");
}

#[tokio::test]
async fn a_token_can_be_refused_behind_any_challenge() {
    let refusal = || Fault::RefuseToken { challenge: "e30=".into(), code: 535, text: "5.7.3 no".into() };
    for (mechanism, answer, kept) in [
        ("XOAUTH2 dXNlcj11c2VyAWF1dGg9QmVhcmVyIHQBAQ==", "", true),
        ("XOAUTH2 dXNlcj11c2VyAWF1dGg9QmVhcmVyIHQBAQ==", "AQ==", false),
        ("OAUTHBEARER bixhPXVzZXIsAWF1dGg9QmVhcmVyIHQBAQ==", "AQ==", true),
        ("OAUTHBEARER bixhPXVzZXIsAWF1dGg9QmVhcmVyIHQBAQ==", "", false),
    ] {
        let sandbox = with(Stage::Auth, refusal()).await;
        let mut client = Client::greeted(&sandbox).await;
        assert_eq!(client.say(&format!("AUTH {mechanism}")).await, "334 e30=");
        assert_eq!(client.say(answer).await, "535 5.7.3 no");
        assert_eq!(sandbox.violations().is_empty(), kept, "{mechanism}: {answer}");
    }
}

#[tokio::test]
async fn a_handshake_can_be_spoilt() {
    let sandbox = sandbox().await;
    for fault in [Fault::Close, Fault::Garbage(vec![7; 50]), Fault::reply(421, "4.3.2 in clear")] {
        sandbox.faults().plan(Stage::TlsHandshake, fault, Times::Once);
        assert!(Client::tls(sandbox.implicit(), trust(&sandbox), "localhost").await.is_err());
    }
    assert_eq!(sandbox.counters().handshakes_failed, 3);
    sandbox.faults().plan(Stage::TlsHandshake, Fault::Silence, Times::Once);
    let mut silent = Client::clear(sandbox.implicit()).await;
    silent.send([0x16, 3, 1, 0, 1]).await;
    assert!(Client::tls(sandbox.implicit(), trust(&sandbox), "localhost").await.is_ok(), "another one is served");
    drop(sandbox);
    assert_eq!(silent.rest().await, b"", "and the first hears nothing until the end");

    let sandbox = crate::sandbox().await;
    let gate = Gate::new();
    sandbox.faults().plan(Stage::TlsHandshake, Fault::Wait(gate.clone()), Times::Once);
    let (address, config) = (sandbox.implicit(), trust(&sandbox));
    let waiting = tokio::spawn(async move { Client::tls(address, config, "localhost").await.is_ok() });
    gate.reached(1).await;
    assert!(!waiting.is_finished());
    gate.open();
    assert!(waiting.await.unwrap());
}
