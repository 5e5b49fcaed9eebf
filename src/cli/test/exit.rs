//! The exit codes of `posthouse test`: sysexits, one for each cause a script may want to tell apart.
//!
//! A name without an address and a port nobody answers at are told apart from other troubles of the network, because
//! they are usually mistakes and do not pass by themselves.

use crate::diagnosis::{Failure, ProxyFailure, ProxyProblem};
use crate::words::Cause;

/// `EX_DATAERR`: the message, its sender or its recipient was refused.
const EX_DATAERR: u8 = 65;
/// `EX_NOHOST`: the host name has no address.
const EX_NOHOST: u8 = 68;
/// `EX_UNAVAILABLE`: nobody answers there.
const EX_UNAVAILABLE: u8 = 69;
/// `EX_IOERR`: the output could not be written.
pub(super) const EX_IOERR: u8 = 74;
/// `EX_TEMPFAIL`: it may work later.
pub(super) const EX_TEMPFAIL: u8 = 75;
/// `EX_NOPERM`: the account may not.
const EX_NOPERM: u8 = 77;
/// `EX_CONFIG`: the configuration does not fit.
const EX_CONFIG: u8 = 78;

/// The code of a failure that was judged to have this cause.
pub(super) fn code(failure: &Failure, cause: Cause) -> u8 {
    match (cause, failure) {
        (Cause::Network, Failure::Dns { .. }) => EX_NOHOST,
        (Cause::Network, Failure::Connect { .. }) => EX_UNAVAILABLE,
        (Cause::Network, Failure::Proxy(ProxyFailure { problem: ProxyProblem::Dns { .. }, .. })) => EX_NOHOST,
        (Cause::Network, Failure::Proxy(ProxyFailure { problem: ProxyProblem::Unreachable { .. }, .. })) => {
            EX_UNAVAILABLE
        }
        (Cause::Network | Cause::Throttle | Cause::Quota | Cause::Uncertain, _) => EX_TEMPFAIL,
        (Cause::Account, _) => EX_NOPERM,
        (Cause::Message, _) => EX_DATAERR,
        (Cause::Config, _) => EX_CONFIG,
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
