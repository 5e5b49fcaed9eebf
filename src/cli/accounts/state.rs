//! How an account stands in one word, and whether a person must do something.
//!
//! The words for people may become better ones; those for programs never change. Pure.

use crate::account::status::{HoldStatus, SignIn};
use crate::app::accounts::Account;
use crate::words::Cause;

/// In one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// It can sign in, as far as is known.
    Well,
    /// It signs in without anything that is kept, or not at all.
    NotNeeded,
    /// The running relay does not use it for now.
    Held,
    /// Its provider does not answer; it is tried on schedule.
    NotReached,
    /// Nobody has signed it in.
    NotSignedIn,
    /// There is a sign-in that cannot be used, or a vault that cannot be read.
    Unusable,
}

impl State {
    pub(super) fn of(account: &Account) -> Self {
        match &account.status.sign_in {
            SignIn::Missing { code, .. } if code == "not_signed_in" => Self::NotSignedIn,
            SignIn::Missing { .. } => Self::Unusable,
            _ if account.status.hold.is_some() => Self::Held,
            _ if account.status.breaker.is_some() => Self::NotReached,
            SignIn::NotNeeded => Self::NotNeeded,
            SignIn::Kept { .. } | SignIn::Brought => Self::Well,
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::NotNeeded => "needs no sign-in",
            Self::Held => "held",
            Self::NotReached => "provider not reached",
            Self::NotSignedIn => "not signed in",
            Self::Unusable => "sign-in unusable",
        }
    }

    /// For programs.
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::NotNeeded => "not_needed",
            Self::Held => "held",
            Self::NotReached => "not_reached",
            Self::NotSignedIn => "not_signed_in",
            Self::Unusable => "unusable",
        }
    }
}

/// Whether a person must do something, now or by a day that is near.
pub(super) fn needs_person(account: &Account) -> bool {
    let is_calm = match State::of(account) {
        State::Well | State::NotNeeded | State::NotReached => true,
        State::Held => account.status.hold.as_ref().is_some_and(ends_by_itself),
        State::NotSignedIn | State::Unusable => false,
    };
    !is_calm || !account.warnings.is_empty()
}

/// Whether time mends it, a used-up quota above all.
fn ends_by_itself(hold: &HoldStatus) -> bool {
    !matches!(hold.cause, Cause::Account | Cause::Config)
}
