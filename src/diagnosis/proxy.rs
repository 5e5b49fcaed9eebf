//! The way through somebody else's proxy: not reached, not let in, or not carried on.
//!
//! A proxy that is away, refuses the target or talks nonsense is the network's: another try may find it well. A login
//! it wants or refuses is the configuration's, so that the account is held and the proxy not hammered with a password
//! that is wrong. Every cure names the key or the variable the proxy was set by.

use std::fmt;

use super::Diagnosis;
use crate::words::Cause;

/// A connection that was to go through a proxy and did not come about. Holds no secret: text the proxy said has been
/// through `redact`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyFailure {
    /// The proxy, as in `socks5://proxy.example.com:1080`, without its login.
    pub proxy: String,
    /// Who says that it is to be used.
    pub origin: ProxyOrigin,
    /// Where it was to lead, as in `smtp.example.com:587`.
    pub target: String,
    /// What went wrong.
    pub problem: ProxyProblem,
}

/// What says that a proxy is to be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProxyOrigin {
    /// `proxy` of the account.
    Account,
    /// An environment variable of this name.
    Variable(String),
}

/// What went wrong at a proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProxyProblem {
    /// Its name has no address.
    Dns { detail: String },
    /// No address of it could be connected to.
    Unreachable { detail: String },
    /// It is one of our own listeners.
    SelfLoop,
    /// It did not finish within this time.
    TimedOut { seconds: u64 },
    /// It hung up before it had answered.
    Cut { detail: String },
    /// It wants a login and has been given none.
    LoginWanted,
    /// It refuses the login.
    LoginRefused { detail: String },
    /// Its rules forbid the target.
    Forbidden { detail: String },
    /// It could not reach the target.
    Target { detail: String },
    /// What it says is not what a proxy of its kind says.
    Odd { detail: String },
}

const LATER: &str = "Nothing to do if it passes: it is tried again later.";

pub(super) fn judge(failure: &ProxyFailure) -> Diagnosis {
    let ProxyFailure { proxy, origin, target, problem } = failure;
    match problem {
        ProxyProblem::Dns { detail } => Diagnosis::new(
            "proxy_dns_failed",
            Cause::Network,
            format!("The name of the proxy {proxy} has no address: {detail}"),
            format!("Check the host in {origin}. Nothing is sent past the proxy."),
        ),
        ProxyProblem::Unreachable { detail } => Diagnosis::new(
            "proxy_unreachable",
            Cause::Network,
            format!("The proxy {proxy} cannot be reached: {detail}"),
            format!("Check host and port in {origin}, and that the proxy runs. Nothing is sent past it."),
        ),
        ProxyProblem::SelfLoop => Diagnosis::new(
            "proxy_self_loop",
            Cause::Config,
            format!("The proxy {proxy} is one of our own listeners."),
            format!("Correct host and port in {origin}."),
        ),
        ProxyProblem::TimedOut { seconds } => Diagnosis::new(
            "proxy_timeout",
            Cause::Network,
            format!("The proxy {proxy} brought no connection to {target} within {seconds} s."),
            format!("If it stays, check host and port in {origin}, and whether the proxy can reach {target}."),
        ),
        ProxyProblem::Cut { detail } => Diagnosis::new(
            "proxy_cut",
            Cause::Network,
            format!("The proxy {proxy} broke off before {target} was reached: {detail}"),
            format!(
                "If it stays, check in {origin} that this is a proxy of that kind, and that it lets this machine in."
            ),
        ),
        ProxyProblem::LoginWanted => Diagnosis::new(
            "proxy_login_wanted",
            Cause::Config,
            format!("The proxy {proxy} wants a login, and there is none for it."),
            login_cure(origin, "Add"),
        ),
        ProxyProblem::LoginRefused { detail } => Diagnosis::new(
            "proxy_login_refused",
            Cause::Config,
            format!("The proxy {proxy} refuses the login: {detail}"),
            login_cure(origin, "Correct"),
        ),
        ProxyProblem::Forbidden { detail } => Diagnosis::new(
            "proxy_forbids",
            Cause::Network,
            format!("The proxy {proxy} does not allow connections to {target}: {detail}"),
            format!("Let its administrator allow {target}; many proxies allow port 443 only. It is set by {origin}."),
        ),
        ProxyProblem::Target { detail } => Diagnosis::new(
            "proxy_cannot_connect",
            Cause::Network,
            format!("The proxy {proxy} could not reach {target}: {detail}"),
            format!(
                "{LATER} If it stays, check `host` and `port` of this account, and whether the proxy set by {origin} can reach {target}."
            ),
        ),
        ProxyProblem::Odd { detail } => Diagnosis::new(
            "not_a_proxy",
            Cause::Network,
            format!("What answers at {proxy} is not such a proxy: {detail}"),
            format!("Check the kind of proxy (socks5:// or http://), host and port in {origin}."),
        ),
    }
}

fn login_cure(origin: &ProxyOrigin, verb: &str) -> String {
    match origin {
        ProxyOrigin::Account => {
            format!("{verb} the user name in `proxy` of this account (socks5://USER@host) and `proxy_password_file`.")
        }
        ProxyOrigin::Variable(name) => {
            format!("{verb} user name and password in the environment variable `{name}` (socks5://USER:PASSWORD@host).")
        }
    }
}

/// As it stands in a sentence: what to look at.
impl fmt::Display for ProxyOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account => f.write_str("`proxy` of this account"),
            Self::Variable(name) => write!(f, "the environment variable `{name}`"),
        }
    }
}

/// What was seen, for the log.
impl fmt::Display for ProxyFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { proxy, target, problem, .. } = self;
        write!(f, "connect to {target} through {proxy}: ")?;
        match problem {
            ProxyProblem::Dns { detail } => write!(f, "name lookup of the proxy: {detail}"),
            ProxyProblem::Unreachable { detail } => write!(f, "connect to the proxy: {detail}"),
            ProxyProblem::SelfLoop => f.write_str("the proxy is this relay"),
            ProxyProblem::TimedOut { seconds } => write!(f, "nothing for {seconds} s"),
            ProxyProblem::LoginWanted => f.write_str("login wanted"),
            ProxyProblem::LoginRefused { detail } => write!(f, "login refused: {detail}"),
            ProxyProblem::Cut { detail }
            | ProxyProblem::Forbidden { detail }
            | ProxyProblem::Target { detail }
            | ProxyProblem::Odd { detail } => f.write_str(detail),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detail() -> String {
        "so it said".into()
    }

    fn failure(origin: ProxyOrigin, problem: ProxyProblem) -> ProxyFailure {
        ProxyFailure {
            proxy: "socks5://proxy.example.com:1080".into(),
            origin,
            target: "smtp.example.com:587".into(),
            problem,
        }
    }

    #[test]
    fn only_a_login_or_a_circle_is_the_configurations_and_holds_the_account() {
        for (problem, cause) in [
            (ProxyProblem::Dns { detail: detail() }, Cause::Network),
            (ProxyProblem::Unreachable { detail: detail() }, Cause::Network),
            (ProxyProblem::SelfLoop, Cause::Config),
            (ProxyProblem::TimedOut { seconds: 30 }, Cause::Network),
            (ProxyProblem::Cut { detail: detail() }, Cause::Network),
            (ProxyProblem::LoginWanted, Cause::Config),
            (ProxyProblem::LoginRefused { detail: detail() }, Cause::Config),
            (ProxyProblem::Forbidden { detail: detail() }, Cause::Network),
            (ProxyProblem::Target { detail: detail() }, Cause::Network),
            (ProxyProblem::Odd { detail: detail() }, Cause::Network),
        ] {
            let said = judge(&failure(ProxyOrigin::Account, problem.clone()));
            assert_eq!(said.cause, cause, "{problem:?}");
            assert!(said.sentence.contains("socks5://proxy.example.com:1080"), "{}", said.sentence);
            assert!(said.cure.contains("`proxy` of this account") && said.cure.ends_with('.'), "{}", said.cure);
        }
    }

    #[test]
    fn a_proxy_of_the_environment_is_corrected_there() {
        let origin = || ProxyOrigin::Variable("all_proxy".into());
        for problem in [ProxyProblem::Unreachable { detail: detail() }, ProxyProblem::LoginWanted] {
            let said = judge(&failure(origin(), problem));
            assert!(said.cure.contains("environment variable `all_proxy`"), "{}", said.cure);
        }
    }
}
