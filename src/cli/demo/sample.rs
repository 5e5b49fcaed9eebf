//! The sample message of `posthouse demo --send`: sent over a real connection, both transcripts shown.
//!
//! The device's side is played by the same client dialogue the relay uses towards providers; the provider's side is
//! what the sandbox saw. Bounded: a relay that does not answer ends the demo with an error.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;

use crate::mail::address::Address;
use crate::mail::envelope::{Envelope, Recipient, ReversePath, Sender};
use crate::net::link::Link;
use crate::net::stream::Stream;
use crate::sandbox::Sandbox;
use crate::smtp::Conversation;
use crate::smtp::client::{Client, Event, Order, Settings, StartTls, Timeouts};
use crate::smtp::trace::{Side, Trace};

/// The relay answers within its own `delivery.wait`; a little more is enough.
const PATIENCE: Duration = Duration::from_secs(30);

const MESSAGE: &[u8] = b"From: Scanner <scanner@example.com>\r\nTo: you@example.com\r\nSubject: Sample scan\r\n\r\n\
    This mail was handed to Posthouse in plain SMTP\r\nand left it over TLS, signed in.\r\n.\r\nEven this lone dot above arrived.\r\n";

/// Sends it and shows what happened; true if it arrived whole.
pub(super) async fn send(relay: SocketAddr, sandbox: &Sandbox) -> io::Result<bool> {
    let (trace, reply) = tokio::time::timeout(PATIENCE, speak(relay)).await.map_err(io::Error::other)??;
    let mut out = io::stdout();
    writeln!(out, "The device and Posthouse (plain SMTP on {relay}):\n")?;
    for line in trace.lines() {
        writeln!(out, "  {:>5} ms  {} {}", line.at.as_millis(), arrow(line.side), line.text)?;
    }
    writeln!(out, "\nPosthouse and the practice provider (TLS, as the provider saw it):\n")?;
    for said in sandbox.transcript() {
        writeln!(out, "            {said}")?;
    }
    let deliveries = sandbox.mailbox().deliveries();
    let arrived = deliveries.iter().any(|delivery| delivery.bytes.ends_with(MESSAGE));
    match deliveries.first() {
        Some(delivery) if arrived => {
            writeln!(out, "\nWhat arrived, byte for byte, with the trace on top:\n")?;
            writeln!(out, "{}", printable(&delivery.text()))?;
            writeln!(out, "Delivered: {reply}")?;
        }
        _ => writeln!(out, "\nNOT delivered: {reply}\nThe warnings above say why.")?,
    }
    out.flush()?;
    Ok(arrived)
}

async fn speak(relay: SocketAddr) -> io::Result<(Trace, String)> {
    let settings = Settings {
        host: relay.to_string(),
        helo_name: "[127.0.0.1]".into(),
        starttls: StartTls::Never,
        needs_login: false,
        pipelining: true,
        timeouts: Timeouts::default(),
    };
    let now = Instant::now();
    let stream = Stream::Plain(TcpStream::connect(relay).await?);
    let mut link = Link::new(stream, Client::new(Arc::new(settings), Trace::new(now, true), now), PATIENCE);
    let mut reply = String::from("the connection ended early");
    while let Ok(event) = link.next().await {
        let now = Instant::now();
        let client = link.conversation_mut();
        match event {
            Event::Ready => client.transfer(order()?, now).map_err(io::Error::other)?,
            Event::Go => {
                client.body(MESSAGE, now);
                client.finish(now);
            }
            Event::Finished(answer) => {
                reply = answer.to_string();
                client.quit(now);
            }
            Event::Refused(refused) => {
                reply = format!("{refused:?}");
                client.quit(now);
            }
            Event::Failed(fault) => reply = fault.to_string(),
            _ => {}
        }
    }
    Ok((link.conversation_mut().trace().take(), reply))
}

fn order() -> io::Result<Order> {
    let address = |text: &str| Address::parse(text.as_bytes()).map_err(io::Error::other);
    let reverse_path = ReversePath::Mailbox(address("scanner@example.com")?);
    let sender = Sender { reverse_path, declared_size: None, smtputf8: false, ret: None, envid: None };
    let recipients = vec![Recipient::plain(address("you@example.com")?)];
    Ok(Order {
        envelope: Arc::new(Envelope { sender, recipients }),
        size: MESSAGE.len() as u64,
        eight_bit: false,
        utf8_header: false,
        all_or_nothing: true,
    })
}

fn arrow(side: Side) -> &'static str {
    match side {
        Side::Client => "C:",
        Side::Server => "S:",
        Side::Note => "--",
    }
}

/// Text from outside, safe for a terminal.
pub(super) fn printable(text: &str) -> String {
    let safe = |c: char| if c.is_control() && c != '\n' && c != '\t' { '?' } else { c };
    text.replace("\r\n", "\n").chars().map(safe).collect()
}
