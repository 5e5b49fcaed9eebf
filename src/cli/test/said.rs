//! What was seen in a step, as lines for people; the JSON output has them too, beside the facts.
//!
//! Every line is printable: what a server said went through the redactor, which leaves no control characters in it.

use std::net::SocketAddr;
use std::time::Duration;

use jiff::Timestamp;

use crate::account::origin::Origin;
use crate::account::signin::Channel;
use crate::account::{Mechanism, Settings};
use crate::net::stream::TlsFacts;
use crate::net::tls::certificate::CertificateFacts;
use crate::net::trust::Verified;
use crate::smtp::reply::Reply;
use crate::upstream::step::{End, Fact, Kind, Step};

/// A step as it is called in SMTP.
pub(super) fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Credential => "credential",
        Kind::Dns => "DNS",
        Kind::Tcp => "TCP",
        Kind::Proxy => "proxy",
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
pub(super) fn lines(account: &Settings, step: &Step) -> Vec<String> {
    step.facts.iter().flat_map(|fact| of_fact(account, step, fact)).collect()
}

fn of_fact(account: &Settings, step: &Step, fact: &Fact) -> Vec<String> {
    let line = match fact {
        Fact::Tls(facts) => return handshake(&account.host, facts),
        Fact::Presented(chain) => return chain.iter().map(certificate).collect(),
        Fact::Credential(origin) => credential(origin),
        Fact::TokenLife(life) => format!("good for {}", duration(*life)),
        Fact::Addresses(addresses) => found(account, addresses),
        Fact::AddressFailed(address, error) => format!("{} failed: {error}", address.ip()),
        Fact::Connected(peer) => connected(account, *peer),
        Fact::Through { proxy, target } if step.end == End::Done => format!("{proxy} leads to {target}"),
        Fact::Through { proxy, target } => format!("{proxy} was asked for {target}"),
        Fact::Reply(reply) if step.kind == Kind::Hello && reply.is_positive() => offer(reply),
        Fact::Reply(reply) => reply.to_string(),
        Fact::StaysClear(channel) => stays_clear(*channel).into(),
        Fact::Mechanism { chosen, offered } => mechanism(account, chosen, offered),
        Fact::NoSignIn => "not needed: the account has no credential".into(),
    };
    vec![line]
}

fn handshake(host: &str, facts: &TlsFacts) -> Vec<String> {
    let mut lines = vec![format!("{facts}; {}", facts.verified.for_host(host))];
    lines.extend(facts.chain.iter().map(certificate));
    let less = !matches!(facts.verified, Verified::Full | Verified::FullAndPin);
    // Whoever trusts it by less than its name and chain can trust it by its key.
    lines.extend(facts.chain.first().filter(|_| less).map(|leaf| format!("its key as a pin: {}", leaf.key)));
    lines
}

/// Who, for what, by whom, how long.
fn certificate(certificate: &CertificateFacts) -> String {
    let CertificateFacts { subject, issuer, names, not_before, not_after, .. } = certificate;
    let day = |moment: &Timestamp| moment.strftime("%Y-%m-%d").to_string();
    let who = if subject.is_empty() { "without a subject" } else { subject };
    let names = if names.is_empty() { String::new() } else { format!(" for {}", names.join(", ")) };
    let issuer = if issuer == subject { "itself" } else { issuer };
    let left = left(not_after.duration_since(Timestamp::now()).as_hours());
    format!("certificate: {who}{names}; issued by {issuer}; valid {} to {} ({left})", day(not_before), day(not_after))
}

fn left(hours: i64) -> String {
    match hours / 24 {
        days if hours < 0 => format!("over for {} days", -days),
        days => format!("{days} days left"),
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

/// Which, and why this one.
fn mechanism(account: &Settings, chosen: &str, offered: &[String]) -> String {
    let offered = offered.join(" ");
    match account.mechanism {
        Mechanism::Only(_) => format!("{chosen}, because `mechanism` says so; offered: {offered}"),
        Mechanism::Auto | Mechanism::None => format!("{chosen}, the first choice for this credential of {offered}"),
    }
}

/// What a name led to. Behind a proxy it is the proxy's name: the provider's is looked up there.
fn found(account: &Settings, addresses: &[SocketAddr]) -> String {
    let addresses = addresses.iter().map(|address| address.ip().to_string()).collect::<Vec<_>>().join(", ");
    match &account.proxies.smtp {
        Some(proxy) => format!("{addresses}, for the proxy {}", proxy.host),
        None => addresses,
    }
}

fn connected(account: &Settings, peer: SocketAddr) -> String {
    let whom = if account.proxies.smtp.is_some() { "the proxy at " } else { "" };
    format!("connected to {whom}{} port {}", peer.ip().to_canonical(), peer.port())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::trust::{Pin, Shown};

    fn leaf() -> CertificateFacts {
        CertificateFacts {
            subject: "CN=smtp.example.com".into(),
            issuer: "CN=Example CA".into(),
            names: vec!["smtp.example.com".into(), "mx.example.com".into()],
            not_before: Timestamp::now() - Duration::from_hours(30 * 24),
            not_after: Timestamp::now() + Duration::from_hours(9 * 24 + 5),
            fingerprint: Pin::Certificate([1; 32]),
            key: Pin::Key([2; 32]),
        }
    }

    #[test]
    fn a_certificate_is_told_with_the_days_it_has_left() {
        let line = certificate(&leaf());
        assert!(
            line.starts_with(
                "certificate: CN=smtp.example.com for smtp.example.com, mx.example.com; issued by CN=Example CA; valid "
            ),
            "{line}"
        );
        assert!(line.ends_with(" (9 days left)"), "{line}");
        let over = CertificateFacts { not_after: Timestamp::now() - Duration::from_hours(50), ..leaf() };
        assert!(certificate(&over).ends_with(" (over for 2 days)"), "{}", certificate(&over));
    }

    #[test]
    fn what_is_believed_for_less_than_its_name_and_chain_is_told_with_its_pin() {
        let told = |verified| {
            let (version, cipher) = ("TLS 1.3", "X");
            let chain = vec![leaf()];
            handshake("h", &TlsFacts { version, cipher, resumed: false, chain, verified, shown: Shown::NotAsked }).len()
        };
        assert_eq!((told(Verified::Full), told(Verified::FullAndPin)), (2, 2));
        assert_eq!((told(Verified::Nothing), told(Verified::Chain), told(Verified::Pin)), (3, 3, 3));
    }

    #[test]
    fn lives_are_told_in_minutes_once_there_are_two() {
        for (millis, expected) in [(59_400, "59 s"), (119_000, "119 s"), (3_599_700, "60 min"), (120_000, "2 min")] {
            assert_eq!(duration(Duration::from_millis(millis)), expected);
        }
    }
}
