//! The way to the provider: names, connections, cuts, time-outs, and answers that are not SMTP.
//!
//! One line decides promise 1's hardest case: whatever breaks from the first octet of the terminating dot on is
//! *uncertain*, because the provider may have the message. Everything else here is tried again later, except a host
//! that leads back to ourselves.

use super::Diagnosis;
use crate::words::{Cause, Phase};

const LATER: &str = "Nothing to do if it passes: it is tried again later.";

pub(super) fn closed(phase: Phase) -> Diagnosis {
    match phase {
        Phase::Dot => uncertain("The connection ended"),
        Phase::Greeting => Diagnosis::new(
            "closed_at_greeting",
            Cause::Network,
            "The server closed the connection without a greeting.",
            "Check `port` and `encryption` of this account (465 is implicit, 587 is STARTTLS), and whether the server accepts this machine's address.",
        ),
        _ => Diagnosis::new(
            "connection_closed",
            Cause::Network,
            format!("The server closed the connection at {phase}."),
            LATER,
        ),
    }
}

pub(super) fn timed_out(phase: Phase, seconds: u64) -> Diagnosis {
    match phase {
        Phase::Dot => uncertain("No reply came in time"),
        Phase::Credential => Diagnosis::new(
            "credential_timeout",
            Cause::Network,
            format!("There was no credential within {seconds} s."),
            "Check that the token endpoint can be reached from this machine, or that the command that prints the credential ends by itself.",
        ),
        Phase::Connect => Diagnosis::new(
            "connect_timeout",
            Cause::Network,
            format!("No connection within {seconds} s."),
            "Check `host` and `port` of this account, and whether a firewall lets this machine out to that port.",
        ),
        Phase::Greeting => Diagnosis::new(
            "greeting_timeout",
            Cause::Network,
            format!("The server did not greet within {seconds} s."),
            "Check `port` and `encryption` of this account: a server of implicit TLS waits in silence for TLS.",
        ),
        _ => Diagnosis::new(
            "reply_timeout",
            Cause::Network,
            format!("The server did not answer {phase} within {seconds} s."),
            LATER,
        ),
    }
}

pub(super) fn broken(phase: Phase, detail: &str) -> Diagnosis {
    match phase {
        Phase::Dot => uncertain("The connection broke"),
        _ => Diagnosis::new(
            "connection_broken",
            Cause::Network,
            format!("The connection broke at {phase}: {detail}"),
            LATER,
        ),
    }
}

pub(super) fn garbage(phase: Phase, text: &str) -> Diagnosis {
    match phase {
        Phase::Dot => uncertain("Something that is not SMTP came"),
        Phase::Greeting => Diagnosis::new(
            "not_smtp",
            Cause::Network,
            format!("What answers is not an SMTP server: `{text}`"),
            "Check `host`, `port` and `encryption` of this account; a proxy or firewall may be answering instead.",
        ),
        _ => Diagnosis::new(
            "reply_not_smtp",
            Cause::Network,
            format!("The server's answer at {phase} is not SMTP: `{text}`"),
            "If it stays, something between here and the provider changes the connection, often a firewall's SMTP inspection.",
        ),
    }
}

pub(super) fn dns(host: &str, detail: &str) -> Diagnosis {
    Diagnosis::new(
        "dns_failed",
        Cause::Network,
        format!("The name {host} has no address: {detail}"),
        format!("Check `host` of this account and this machine's DNS: `getent hosts {host}` must print an address."),
    )
}

pub(super) fn connect(host: &str, port: u16, detail: &str) -> Diagnosis {
    Diagnosis::new(
        "connect_failed",
        Cause::Network,
        format!("No connection to {host}:{port}: {detail}"),
        "Check `host` and `port` of this account, and whether a firewall lets this machine out to that port; many networks block port 25.",
    )
}

pub(super) fn self_loop(host: &str, port: u16) -> Diagnosis {
    Diagnosis::new(
        "self_loop",
        Cause::Config,
        format!("{host}:{port} is one of our own listeners: mail would go round in a circle."),
        "Set `host` and `port` of this account to the provider's.",
    )
}

fn uncertain(what: &str) -> Diagnosis {
    Diagnosis::new(
        "uncertain",
        Cause::Uncertain,
        format!("{what} after the whole message was sent: the provider may have it or not."),
        "Look into the provider's sent mail before sending it again by hand.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE_THE_DOT: [Phase; 9] = [
        Phase::Connect,
        Phase::Greeting,
        Phase::Hello,
        Phase::StartTls,
        Phase::Auth,
        Phase::Mail,
        Phase::Recipient,
        Phase::Data,
        Phase::Body,
    ];

    #[test]
    fn before_the_dot_every_break_is_the_networks() {
        for phase in BEFORE_THE_DOT {
            let all = [closed(phase), timed_out(phase, 30), broken(phase, "reset"), garbage(phase, "HTTP/1.1")];
            for said in all {
                assert_eq!(said.cause, Cause::Network, "{phase}: {}", said.sentence);
            }
        }
    }

    #[test]
    fn from_the_dot_on_every_break_is_uncertain() {
        let dot = Phase::Dot;
        for said in [closed(dot), timed_out(dot, 600), broken(dot, "reset"), garbage(dot, "HTTP/1.1")] {
            assert_eq!(said.cause, Cause::Uncertain, "{}", said.sentence);
        }
    }

    #[test]
    fn names_and_ports_that_lead_nowhere_are_the_networks_and_are_named() {
        let said = dns("smtp.exmaple.com", "no such name");
        assert_eq!(said.cause, Cause::Network);
        assert!(said.cure.contains("getent hosts smtp.exmaple.com"));
        let said = connect("smtp.example.com", 587, "connection refused");
        assert_eq!(said.cause, Cause::Network);
        assert_eq!(said.sentence, "No connection to smtp.example.com:587: connection refused");
    }

    #[test]
    fn a_circle_does_not_heal_by_trying() {
        assert_eq!(self_loop("127.0.0.1", 25).cause, Cause::Config);
    }

    #[test]
    fn silence_instead_of_a_greeting_points_at_the_encryption() {
        assert!(timed_out(Phase::Greeting, 300).cure.contains("`encryption`"));
        assert!(closed(Phase::Greeting).cure.contains("`encryption`"));
    }
}
