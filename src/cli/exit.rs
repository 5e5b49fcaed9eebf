//! The exit codes of `posthouse test` and `posthouse login`: one for each cause a script may want to tell apart.
//!
//! A name without an address and a port nobody answers at are told apart from other troubles of the network, because
//! they are usually mistakes and do not pass by themselves.

use super::sysexits::{EX_CONFIG, EX_DATAERR, EX_NOHOST, EX_NOPERM, EX_TEMPFAIL, EX_UNAVAILABLE};
use crate::diagnosis::{Failure, ProxyFailure, ProxyProblem};
use crate::words::Cause;

/// The code of a failure that was judged to have this cause.
pub(super) fn code(failure: &Failure, cause: Cause) -> u8 {
    match cause {
        Cause::Network => of_network(failure),
        Cause::Throttle | Cause::Quota | Cause::Uncertain => EX_TEMPFAIL,
        Cause::Account => EX_NOPERM,
        Cause::Message => EX_DATAERR,
        Cause::Config => EX_CONFIG,
    }
}

/// The same for a proxy as for the provider itself.
fn of_network(failure: &Failure) -> u8 {
    use ProxyProblem::{Dns, Unreachable};
    match failure {
        Failure::Dns { .. } | Failure::Proxy(ProxyFailure { problem: Dns { .. }, .. }) => EX_NOHOST,
        Failure::Connect { .. } | Failure::Proxy(ProxyFailure { problem: Unreachable { .. }, .. }) => EX_UNAVAILABLE,
        _ => EX_TEMPFAIL,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::{ConnectProblem, DnsProblem};
    use crate::words::Phase;

    #[test]
    fn every_cause_has_its_code_and_two_kinds_of_silence_their_own() {
        let closed = Failure::Closed { phase: Phase::Mail };
        for (cause, expected) in [
            (Cause::Account, 77),
            (Cause::Quota, 75),
            (Cause::Throttle, 75),
            (Cause::Message, 65),
            (Cause::Config, 78),
            (Cause::Network, 75),
            (Cause::Uncertain, 75),
        ] {
            assert_eq!(code(&closed, cause), expected, "{cause}");
        }
        let (host, detail) = (String::from("h"), String::from("d"));
        assert_eq!(
            code(
                &Failure::Dns { host: host.clone(), problem: DnsProblem::Other, detail: detail.clone() },
                Cause::Network
            ),
            68
        );
        assert_eq!(
            code(&Failure::Connect { host, port: 465, problem: ConnectProblem::Other, detail }, Cause::Network),
            69
        );
    }
}
