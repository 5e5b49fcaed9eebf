//! What was seen in a step, as lines for people; the JSON output has them too, beside the facts.
//!
//! Every line is printable: what a server said went through the redactor, which leaves no control characters in it.

use std::net::SocketAddr;
use std::time::Duration;

use crate::account::origin::Origin;
use crate::account::signin::Channel;
use crate::smtp::reply::Reply;
use crate::upstream::step::{Fact, Kind, Step};

/// A step as it is called in SMTP.
pub(super) fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Credential => "credential",
        Kind::Dns => "DNS",
        Kind::Tcp => "TCP",
        Kind::Tls => "TLS",
        Kind::Greeting => "greeting",
        Kind::Hello => "EHLO",
        Kind::StartTls => "STARTTLS",
        Kind::Auth => "AUTH",
        Kind::Mail => "MAIL",
        Kind::Recipient => "RCPT",
        Kind::Data => "DATA",
        Kind::Delivery => "delivery",
    }
}

/// What was seen, one line each.
pub(super) fn lines(step: &Step) -> Vec<String> {
    step.facts.iter().map(|fact| line(step.kind, fact)).collect()
}

fn line(kind: Kind, fact: &Fact) -> String {
    match fact {
        Fact::Credential(origin) => credential(origin),
        Fact::TokenLife(life) => format!("good for {}", duration(*life)),
        Fact::Addresses(addresses) => addresses.iter().map(|a| a.ip().to_string()).collect::<Vec<_>>().join(", "),
        Fact::AddressFailed(address, error) => format!("{} failed: {error}", address.ip()),
        Fact::Connected(peer) => connected(*peer),
        Fact::Tls(facts) => facts.to_string(),
        Fact::Reply(reply) if kind == Kind::Hello && reply.is_positive() => offer(reply),
        Fact::Reply(reply) => reply.to_string(),
        Fact::StaysClear(channel) => stays_clear(*channel).into(),
        Fact::Mechanism { chosen, offered } => format!("{chosen}, offered: {}", offered.join(" ")),
        Fact::NoSignIn => "not needed: the account has no credential".into(),
    }
}

fn credential(Origin { kind, place }: &Origin) -> String {
    let place = place.as_deref().unwrap_or_default();
    match *kind {
        "none" => "none: the account does not sign in".into(),
        "password" => "password from the configuration".into(),
        "password_file" => format!("password from {place}"),
        "password_command" => format!("password printed by {place}"),
        "command" => format!("token printed by {place}"),
        grant => format!("token from {place} ({grant})"),
    }
}

fn connected(peer: SocketAddr) -> String {
    format!("connected to {} port {}", peer.ip().to_canonical(), peer.port())
}

/// The reply to EHLO: a name, then what is offered. A server that only knows HELO says nothing but its name.
fn offer(reply: &Reply) -> String {
    let mut lines = reply.text.split('\n');
    let name = lines.next().unwrap_or_default();
    let offered = lines.filter(|line| !line.is_empty()).collect::<Vec<_>>();
    let offered = if offered.is_empty() { "nothing".to_owned() } else { offered.join(", ") };
    format!("{} {name}; offers {offered}", reply.code)
}

fn stays_clear(channel: Channel) -> &'static str {
    match channel {
        Channel::ClearLoopback => "STARTTLS is not offered: the connection stays in clear, inside this machine",
        Channel::Tls | Channel::ClearNetwork => {
            "STARTTLS is not offered: the connection stays in clear, and no credential is sent unless the account allows it"
        }
    }
}

fn duration(life: Duration) -> String {
    // A token is never known to the millisecond.
    let seconds = (life.as_millis() + 500) / 1000;
    if seconds < 120 { format!("{seconds} s") } else { format!("{} min", (seconds + 30) / 60) }
}
