//! The way to the provider: names, connections, cuts, time-outs, and answers that are not SMTP.
//!
//! One line decides promise 1's hardest case: whatever breaks from the first octet of the terminating dot on is
//! *uncertain*, because the provider may have the message. Everything else here is tried again later, except a host
//! that leads back to ourselves.

use std::io;

use super::Diagnosis;
use crate::words::{Cause, Phase};

/// Why a name led to no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DnsProblem {
    /// There is no such name.
    NoSuchName,
    /// The name is there and has no address.
    NoAddress,
    /// The name servers cannot be asked, or have no answer now.
    NoAnswer,
    /// Anything else.
    Other,
}

/// Why no connection came about; of several addresses the reason that says most, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConnectProblem {
    /// The host is there and nobody listens.
    Refused,
    /// The host answered and broke off at once.
    Reset,
    /// No answer.
    NoAnswer,
    /// This machine's own rules forbid it.
    Forbidden,
    /// There is no way to the address.
    Unreachable,
    /// Anything else.
    Other,
}

impl DnsProblem {
    /// From the resolver's text, because the system gives neither code nor kind for it. Of glibc and musl.
    #[must_use]
    pub fn of(error: &io::Error) -> Self {
        let text = error.to_string();
        let says = |words: &[&str]| words.iter().any(|words| text.contains(words));
        if says(&["Name or service not known", "Name does not resolve"]) {
            Self::NoSuchName
        } else if says(&["No address associated", "Name has no usable address"]) {
            Self::NoAddress
        } else if says(&["Temporary failure", "Try again", "Non-recoverable failure", "Unrecoverable error"]) {
            Self::NoAnswer
        } else {
            Self::Other
        }
    }
}

impl ConnectProblem {
    /// From the system's kind of error; nothing stands for an address that never answered.
    #[must_use]
    pub fn of(kind: Option<io::ErrorKind>) -> Self {
        match kind {
            None | Some(io::ErrorKind::TimedOut) => Self::NoAnswer,
            Some(io::ErrorKind::ConnectionRefused) => Self::Refused,
            Some(io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted) => Self::Reset,
            Some(io::ErrorKind::PermissionDenied) => Self::Forbidden,
            Some(
                io::ErrorKind::HostUnreachable
                | io::ErrorKind::NetworkUnreachable
                | io::ErrorKind::NetworkDown
                | io::ErrorKind::AddrNotAvailable,
            ) => Self::Unreachable,
            Some(_) => Self::Other,
        }
    }
}

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
        Phase::Greeting => Diagnosis::new(
            "broken_at_greeting",
            Cause::Network,
            format!("The connection broke before the server had greeted: {detail}"),
            "Check `port` and `encryption` of this account (465 is implicit, 587 is STARTTLS), and whether the server accepts this machine's address.",
        ),
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

pub(super) fn dns(host: &str, problem: DnsProblem, detail: &str) -> Diagnosis {
    let (code, sentence, cure) = match problem {
        DnsProblem::NoSuchName => (
            "dns_no_such_name",
            format!("There is no host named {host}."),
            format!(
                "Check the spelling of `host` of this account; if it is right, this machine cannot look up names of the internet: `getent hosts {host}` must print an address."
            ),
        ),
        DnsProblem::NoAddress => (
            "dns_no_address",
            format!("The name {host} exists and has no address."),
            "Check `host` of this account: it must be the provider's SMTP server, not the domain behind the @."
                .to_owned(),
        ),
        DnsProblem::NoAnswer => (
            "dns_no_answer",
            format!("The name servers of this machine do not answer when asked for {host}: {detail}"),
            format!(
                "Check that this machine is on the network and that /etc/resolv.conf names a server that works: `getent hosts {host}` must print an address."
            ),
        ),
        DnsProblem::Other => (
            "dns_failed",
            format!("The name {host} has no address: {detail}"),
            format!(
                "Check `host` of this account and this machine's DNS: `getent hosts {host}` must print an address."
            ),
        ),
    };
    Diagnosis::new(code, Cause::Network, sentence, cure)
}

pub(super) fn connect(host: &str, port: u16, problem: ConnectProblem, detail: &str) -> Diagnosis {
    let (code, sentence, cure) = match problem {
        ConnectProblem::Refused => (
            "connect_refused",
            "is refused",
            "Check `host` and `port` of this account (465 or 587 at nearly every provider): the host is there, but nobody listens, or a firewall refuses.",
        ),
        ConnectProblem::Reset => (
            "connect_reset",
            "is broken off at once",
            "Check `host` and `port` of this account; if they are right, a firewall on the way or the provider turns this machine away.",
        ),
        ConnectProblem::NoAnswer => (
            "connect_no_answer",
            "gets no answer",
            "Let the firewall and the internet provider allow this machine out to that port: many networks block 25, some 465 and 587. Check `host` and `port` of this account as well.",
        ),
        ConnectProblem::Forbidden => (
            "connect_forbidden",
            "is forbidden by this machine itself",
            "Allow it in this machine's own firewall (`nft list ruleset`), or in the rules of the container or service Posthouse runs in.",
        ),
        ConnectProblem::Unreachable => (
            "connect_unreachable",
            "finds no way there",
            "Check this machine's network: `ip route` must show a default route, and a cable or WLAN must be connected.",
        ),
        ConnectProblem::Other => (
            "connect_failed",
            "fails",
            "Check `host` and `port` of this account, and whether a firewall lets this machine out to that port; many networks block port 25.",
        ),
    };
    Diagnosis::new(code, Cause::Network, format!("A connection to {host} port {port} {sentence}: {detail}"), cure)
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
    fn a_name_without_an_address_is_told_apart_from_name_servers_that_are_away() {
        for (said, code, cure) in [
            ("Name or service not known", "dns_no_such_name", "getent hosts smtp.exmaple.com"),
            ("Name does not resolve", "dns_no_such_name", "spelling"),
            ("No address associated with hostname", "dns_no_address", "not the domain behind the @"),
            ("Temporary failure in name resolution", "dns_no_answer", "/etc/resolv.conf"),
            ("System error", "dns_failed", "getent hosts smtp.exmaple.com"),
        ] {
            let error = io::Error::other(format!("failed to lookup address information: {said}"));
            let judged = dns("smtp.exmaple.com", DnsProblem::of(&error), &error.to_string());
            assert_eq!((judged.code, judged.cause), (code, Cause::Network));
            assert!(judged.sentence.contains("smtp.exmaple.com") && judged.cure.contains(cure), "{judged:?}");
        }
    }

    #[test]
    fn each_way_of_not_connecting_has_its_own_cure() {
        use io::ErrorKind;
        for (kind, code, cure) in [
            (Some(ErrorKind::ConnectionRefused), "connect_refused", "`port`"),
            (Some(ErrorKind::ConnectionReset), "connect_reset", "turns this machine away"),
            (Some(ErrorKind::TimedOut), "connect_no_answer", "firewall"),
            (None, "connect_no_answer", "many networks block 25"),
            (Some(ErrorKind::PermissionDenied), "connect_forbidden", "nft list ruleset"),
            (Some(ErrorKind::HostUnreachable), "connect_unreachable", "ip route"),
            (Some(ErrorKind::NetworkUnreachable), "connect_unreachable", "ip route"),
            (Some(ErrorKind::Other), "connect_failed", "`host`"),
        ] {
            let judged = connect("smtp.example.com", 587, ConnectProblem::of(kind), "the system's words");
            assert_eq!((judged.code, judged.cause), (code, Cause::Network));
            assert!(judged.sentence.starts_with("A connection to smtp.example.com port 587 "), "{}", judged.sentence);
            assert!(judged.sentence.ends_with(": the system's words") && judged.cure.contains(cure), "{judged:?}");
        }
    }

    #[test]
    fn a_circle_does_not_heal_by_trying() {
        assert_eq!(self_loop("127.0.0.1", 25).cause, Cause::Config);
    }

    #[test]
    fn silence_instead_of_a_greeting_points_at_the_encryption() {
        assert!(timed_out(Phase::Greeting, 300).cure.contains("`encryption`"));
        assert!(closed(Phase::Greeting).cure.contains("`encryption`"));
        assert!(broken(Phase::Greeting, "reset").cure.contains("`encryption`"));
    }
}
