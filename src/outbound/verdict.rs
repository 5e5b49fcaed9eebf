//! What becomes of the mail: the single page of policy, from a cause to an outcome. Pure.
//!
//! `diagnosis` says what a failure means, this file what follows. Guarantees that a sign-in failure never becomes
//! *never* (promise 5), and that only a failure from the first octet of the dot on becomes *uncertain*.

use crate::diagnosis::{CannotCarry, Diagnosis, Failure};
use crate::queue::Outcome;
use crate::smtp::reply::{Refusal, Reply};
use crate::words::Cause;

/// The outcome of a failure, for every recipient it concerns:
///
/// | cause | outcome | what else follows |
/// |---|---|---|
/// | account | hold | the account is held; a sign-in that works ends it, or a delivery where AUTH says nothing |
/// | quota | hold | the account is held for as long as the provider says, else for an hour, doubled to a day |
/// | throttle | later | fewer connections and messages a minute where it concerns the account (`throttle`) |
/// | message | never | – |
/// | config | hold | the account is held until server and configuration fit; of what only the message lacks, the message |
/// | network | later | the third in a row opens the account's breaker |
/// | uncertain | uncertain | – |
#[must_use]
pub fn of_failure(failure: &Failure, diagnosis: Diagnosis) -> Outcome {
    let refusal = match failure {
        Failure::Reply { reply, .. } => Refusal::try_from(reply.clone()).ok(),
        Failure::CannotCarry(why) => Some(cannot_carry(*why)),
        Failure::Unsendable(_) => Some(Refusal::new(554, 6, 3, diagnosis.sentence.clone())),
        _ => None,
    };
    match (diagnosis.cause, refusal) {
        // What only this message lacks is no reason to hold the others.
        (Cause::Config, _) if matches!(failure, Failure::Unsendable(_)) => Outcome::HoldMessage(diagnosis),
        (Cause::Account | Cause::Quota | Cause::Config, _) => Outcome::Hold(diagnosis),
        (Cause::Uncertain, _) => Outcome::Uncertain(diagnosis),
        (Cause::Throttle | Cause::Network, _) => Outcome::Later(None, diagnosis),
        (Cause::Message, Some(refusal)) => Outcome::Never(permanent(refusal), diagnosis),
        (Cause::Message, None) => Outcome::Never(Refusal::new(554, 6, 0, diagnosis.sentence.clone()), diagnosis),
    }
}

/// The outcome for one recipient that RCPT refused, in a transaction that goes on or ends because of it.
#[must_use]
pub fn of_recipient(refusal: Refusal, diagnosis: Diagnosis) -> Outcome {
    match diagnosis.cause {
        Cause::Account | Cause::Quota | Cause::Config => Outcome::Hold(diagnosis),
        Cause::Message => Outcome::Never(permanent(refusal), diagnosis),
        // Nothing is uncertain before the dot.
        Cause::Throttle | Cause::Network | Cause::Uncertain => Outcome::Later(Some(refusal), diagnosis),
    }
}

/// The outcome for a recipient that was accepted in a transaction another recipient ended.
#[must_use]
pub fn of_spared() -> Outcome {
    let diagnosis = Diagnosis::new(
        "another_recipient_refused",
        Cause::Message,
        "another recipient of this message was refused, so it was sent to nobody",
        "correct or remove the refused recipient and send again",
    );
    Outcome::Later(None, diagnosis)
}

/// The outcome of a refusal that means a sender as the device wrote it, where the account's policy is to fix what the
/// provider refuses: it goes out again with a sender the account may use.
#[must_use]
pub fn of_foreign_sender(diagnosis: Diagnosis) -> Outcome {
    Outcome::Later(None, with_own_sender(diagnosis))
}

/// What a person is told of such a refusal.
#[must_use]
pub fn with_own_sender(diagnosis: Diagnosis) -> Diagnosis {
    let cure = "Nothing to do: it goes out again from the account's own address, answers still go to the original, and further mail of this sender is sent so at once. Where the provider shall take the sender as it is, allow it there and in `may_send_as`, then `posthouse accounts NAME --release`.";
    Diagnosis { cure: cure.into(), ..diagnosis }
}

/// A known reply may be permanent although its code says 4yz; the device must not try again then.
fn permanent(refusal: Refusal) -> Refusal {
    let Reply { code, enhanced, text } = refusal.into_reply();
    let (subject, detail) = enhanced.map_or((0, 0), |e| (e.1, e.2));
    Refusal::new(if code < 500 { 554 } else { code }, subject, detail, text)
}

/// RFC 1870 §6.1, RFC 6152 §3, RFC 6531 §3.5.
fn cannot_carry(why: CannotCarry) -> Refusal {
    match why {
        CannotCarry::TooBig { limit, .. } => {
            Refusal::new(552, 3, 4, format!("The message is too big for the provider, its limit is {limit} octets"))
        }
        CannotCarry::EightBit => Refusal::new(554, 6, 3, "The provider takes no 8-bit messages"),
        CannotCarry::Utf8 => Refusal::new(550, 6, 7, "The provider takes no internationalised addresses"),
    }
}

#[cfg(test)]
mod tests;
