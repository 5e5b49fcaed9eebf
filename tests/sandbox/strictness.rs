//! What a client may not do: each breach is answered, recorded, and does not lead the dialogue astray.

use posthouse::sandbox::{Extension, Offer, Rule, Sandbox, Settings};

use crate::client::Client;
use crate::{broken, open_sandbox};

#[tokio::test]
async fn a_message_arrives_octet_for_octet() {
    let sandbox = open_sandbox(Offer::like_microsoft()).await;
    let mut client = Client::greeted(&sandbox).await;
    client.say("MAIL FROM:<> SIZE=40 BODY=8BITMIME RET=HDRS").await;
    client.say("RCPT TO:<b@x.example> NOTIFY=NEVER").await;
    client.say("RCPT TO:<Postmaster>").await;
    client.say("DATA").await;
    client.send("Subject: ü\r\n\r\n..\r\n...x\r\n\0\r\n.\r\n").await;
    assert!(client.reply().await.starts_with("250 2.0.0 "));
    assert!(client.say("QUIT").await.starts_with("221 "));

    let delivery = &sandbox.mailbox().wait_for(1).await[0];
    assert_eq!(delivery.bytes, "Subject: ü\r\n\r\n.\r\n..x\r\n\0\r\n".as_bytes());
    assert_eq!(delivery.reverse_path, "");
    assert_eq!(delivery.mail_parameters, ["SIZE=40", "BODY=8BITMIME", "RET=HDRS"]);
    assert_eq!(delivery.addresses(), ["b@x.example", "Postmaster"]);
    assert_eq!(delivery.recipients[0].parameters, ["NOTIFY=NEVER"]);
    assert_eq!((delivery.id, delivery.connection, delivery.helo_name.as_str()), (1, 1, "client.example"));
    assert_eq!(delivery.login, None);
    assert_eq!(sandbox.violations(), []);
}

#[tokio::test]
async fn a_bare_line_feed_or_carriage_return_in_a_command_is_seen() {
    let sandbox = open_sandbox(Offer::like_gmail()).await;
    let mut client = Client::greeted(&sandbox).await;
    client.send("NOOP\n").await;
    assert!(client.reply().await.starts_with("500 "));
    client.send("NOOP\rRSET\r\n").await;
    assert!(client.reply().await.starts_with("500 "));
    assert!(client.reply().await.starts_with("250 "), "the RSET behind it is a line of its own");
    assert_eq!(broken(&sandbox), [Rule::LineEnding, Rule::LineEnding]);
}

#[tokio::test]
async fn a_bare_line_feed_in_a_body_is_refused_after_the_true_end() {
    let sandbox = open_sandbox(Offer::like_gmail()).await;
    let mut client = Client::greeted(&sandbox).await;
    let smuggled = "a\n.\nMAIL FROM:<evil@x.example>\r\n\r\n.\r\n";
    assert!(client.mail(smuggled).await.starts_with("550 5.6.11 "));
    assert!(client.mail("a\rb\r\n.\r\n").await.starts_with("550 5.6.11 "));
    assert_eq!(broken(&sandbox), [Rule::LineEnding, Rule::LineEnding]);
    assert_eq!((sandbox.mailbox().count(), sandbox.counters().transactions), (0, 2));
}

#[tokio::test]
async fn a_dot_that_was_not_doubled_is_seen() {
    let sandbox = open_sandbox(Offer::like_gmail()).await;
    let mut client = Client::greeted(&sandbox).await;
    assert!(client.mail(".x\r\n.\r\n").await.starts_with("250 "));
    assert_eq!(sandbox.mailbox().deliveries()[0].bytes, b"x\r\n", "RFC 5321 §4.5.2: the dot goes all the same");
    assert_eq!(broken(&sandbox), [Rule::DotStuffing]);
}

#[tokio::test]
async fn eight_bit_octets_and_long_lines_are_seen() {
    let sandbox = open_sandbox(Offer::like_gmail()).await;
    let mut client = Client::greeted(&sandbox).await;
    assert!(client.mail("ü\r\n.\r\n").await.starts_with("250 "));
    assert!(client.mail(&format!("{}\r\n.\r\n", "x".repeat(999))).await.starts_with("250 "));
    assert_eq!(broken(&sandbox), [Rule::EightBit, Rule::TextLine]);
}

const GROUP: &str = "MAIL FROM:<a@x.example>\r\nRCPT TO:<b@x.example>\r\nDATA\r\n";

#[tokio::test]
async fn sending_ahead_is_fine_where_it_was_offered() {
    let sandbox = open_sandbox(Offer::like_gmail()).await;
    let mut client = Client::greeted(&sandbox).await;
    client.send(GROUP).await;
    for expected in ["250 ", "250 ", "354 "] {
        assert!(client.reply().await.starts_with(expected));
    }
    // The next envelope may ride behind a body (RFC 2920 §3.1).
    client.send(format!("one\r\n.\r\n{GROUP}")).await;
    for expected in ["250 2.0.0", "250 ", "250 ", "354 "] {
        assert!(client.reply().await.starts_with(expected));
    }
    client.send("two\r\n.\r\n").await;
    client.reply().await;
    let bodies: Vec<_> = sandbox.mailbox().deliveries().iter().map(|d| d.bytes.clone()).collect();
    assert_eq!(bodies, [b"one\r\n", b"two\r\n"]);
    assert_eq!(sandbox.violations(), []);
}

#[tokio::test]
async fn sending_ahead_is_a_breach_where_it_was_not_offered() {
    let sandbox = open_sandbox(Offer::like_gmail().without(&Extension::Pipelining)).await;
    let mut client = Client::greeted(&sandbox).await;
    client.send(GROUP).await;
    client.reply().await;
    client.reply().await;
    client.reply().await;
    assert_eq!(broken(&sandbox), [Rule::Pipelining, Rule::Pipelining]);
    client.send("x\r\n.\r\nQUIT\r\n").await;
    client.reply().await;
    client.reply().await;
    assert_eq!(broken(&sandbox).len(), 3, "behind a body too");
}

#[tokio::test]
async fn some_commands_end_a_group_even_where_sending_ahead_was_offered() {
    let sandbox = open_sandbox(Offer::like_gmail()).await;
    for line in ["EHLO client.example", "NOOP", "VRFY x", "AUTH LOGIN"] {
        let before = sandbox.violations().len();
        let mut client = Client::greeted(&sandbox).await;
        client.send(format!("{line}\r\nRSET\r\n")).await;
        client.reply().await;
        assert_eq!(broken(&sandbox)[before..][..1], [Rule::Pipelining], "{line}");
    }
    let before = sandbox.violations().len();
    let mut client = Client::greeted(&sandbox).await;
    client.send(format!("{GROUP}x\r\n.\r\n")).await;
    while !client.reply().await.starts_with("250 2.0.0") {}
    assert_eq!(broken(&sandbox)[before..], [Rule::Pipelining], "a body sent with DATA");
}

#[tokio::test]
async fn a_client_that_sent_ahead_cannot_know_of_the_refusal() {
    let settings = Settings { recipients_per_message: 0, require_auth: false, ..Settings::new().unwrap() };
    let sandbox = Sandbox::start(settings).await.unwrap();
    let mut client = Client::greeted(&sandbox).await;
    client.send(GROUP).await;
    for expected in ["250 ", "452 4.5.3 ", "554 5.5.1 "] {
        assert!(client.reply().await.starts_with(expected), "{expected}");
    }
    client.say("RSET").await;
    client.send(GROUP.replace("<a@x.example>", "<a@x.example> SIZE=99999999999")).await;
    for expected in ["552 5.3.4 ", "503 ", "503 "] {
        assert!(client.reply().await.starts_with(expected), "{expected}");
    }
    assert_eq!(sandbox.violations(), []);
}

#[tokio::test]
async fn commands_sent_ahead_of_starttls_are_never_obeyed() {
    let sandbox = open_sandbox(Offer::like_gmail()).await;
    let mut client = Client::clear(sandbox.starttls()).await;
    client.reply().await;
    client.say("EHLO client.example").await;
    client.send("STARTTLS\r\nMAIL FROM:<evil@x.example>\r\n").await;
    assert!(client.reply().await.starts_with("220 "));
    let mut client = client.upgrade(&sandbox).await;
    assert!(client.say("NOOP").await.starts_with("250 "));
    assert_eq!(broken(&sandbox), [Rule::Pipelining]);
    assert_eq!(sandbox.counters().transactions, 0);
}

#[tokio::test]
async fn the_order_of_commands_is_insisted_on() {
    let sandbox = open_sandbox(Offer::like_gmail()).await;
    let mut client = Client::clear(sandbox.plain()).await;
    client.reply().await;
    for early in ["MAIL FROM:<a@x.example>", "RCPT TO:<b@x.example>", "DATA", "AUTH LOGIN"] {
        assert!(client.say(early).await.starts_with("503 "), "{early}");
    }
    assert_eq!(broken(&sandbox), [Rule::Order; 4]);
    assert!(client.say("HELO client.example").await.starts_with("250 "));
    assert!(client.say("AUTH LOGIN").await.starts_with("503 "), "HELO offers nothing");
    client.say("MAIL FROM:<a@x.example>").await;
    assert!(client.say("MAIL FROM:<a@x.example>").await.starts_with("503 "), "not inside a transaction");
    assert!(client.say("DATA").await.starts_with("503 "), "not without a recipient");
}

#[tokio::test]
async fn long_and_odd_lines_are_refused_and_do_not_get_in_the_way() {
    let sandbox = open_sandbox(Offer::like_gmail()).await;
    let mut client = Client::greeted(&sandbox).await;
    assert!(client.say(&format!("NOOP {}", "x".repeat(505))).await.starts_with("250 "), "512 octets");
    assert!(client.say(&format!("NOOP {}", "x".repeat(506))).await.starts_with("500 "), "513 octets");
    assert!(client.say(&"x".repeat(1_000_000)).await.starts_with("500 "));
    assert!(client.say("FROBNICATE").await.starts_with("500 "));
    assert!(client.say("MAIL FROM: <a@x.example>").await.starts_with("501 "));
    assert!(client.say("MAIL FROM:<ü@x.example>").await.starts_with("553 5.6.7 "));
    assert!(client.say("MAIL FROM:<a@x.example> RET=FULL").await.starts_with("555 "), "DSN is not offered");
    let rules = [Rule::LineLength, Rule::LineLength, Rule::Syntax, Rule::Syntax, Rule::Syntax, Rule::NotOffered];
    assert_eq!(broken(&sandbox), rules);
    assert!(client.mail(".\r\n").await.starts_with("250 "));
}

#[tokio::test]
async fn a_message_over_the_limit_is_read_to_its_true_end() {
    let offer = Offer::like_gmail().without(&Extension::Size(None)).with(Extension::Size(Some(100)));
    let sandbox = open_sandbox(offer).await;
    let mut client = Client::greeted(&sandbox).await;
    assert!(client.say("MAIL FROM:<a@x.example> SIZE=101").await.starts_with("552 5.3.4 "));
    let big = format!("{}QUIT\r\n.\r\n", "0123456789\r\n".repeat(9));
    assert!(client.mail(&big).await.starts_with("552 5.3.4 "), "114 octets");
    assert!(client.mail("x\r\n.\r\n").await.starts_with("250 "), "the session is still in step");
    assert_eq!(sandbox.mailbox().count(), 1);
}

#[tokio::test]
async fn enhanced_codes_are_on_each_line_or_on_none() {
    let sandbox = open_sandbox(Offer::bare()).await;
    let mut client = Client::greeted(&sandbox).await;
    assert_eq!(client.say("RSET").await, "250 Forgotten");
    assert_eq!(client.say("EHLO client.example").await, "250 sandbox.example greets client.example");
}
