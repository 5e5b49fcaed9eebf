//! What becomes of a parcel that nobody is owed any more: it goes, or it is kept for the administrator. Pure.
//!
//! Kept is what failed, with its recipients and what was said against them, so that `posthouse queue show` still tells of
//! it and `posthouse queue retry` and `export` still have the mail. Guarantees that nothing kept is tried by itself, and
//! that a notice, whose failure is told by the log, is not kept.

use std::time::Duration;

use jiff::Timestamp;

use super::Kind;
use super::parcel::{Parcel, Standing, State};
use super::store::Change;

/// The parcel has ended; `keep` is `delivery.keep_failed`.
#[must_use]
pub fn end(parcel: Parcel, kind: Kind, keep: Duration, now: Timestamp) -> Change {
    if is_kept(&parcel, kind, keep) {
        return Change::Update(Parcel { standing: Standing::Failed { since: now }, ..parcel });
    }
    Change::Finish(parcel.id)
}

/// Whether it will be kept.
#[must_use]
pub fn is_kept(parcel: &Parcel, kind: Kind, keep: Duration) -> bool {
    let failed = parcel.recipients.iter().any(|owed| matches!(owed.state, State::Never { .. }));
    let open = parcel.recipients.iter().any(|owed| owed.state.is_open());
    failed && !open && !keep.is_zero() && !matches!(kind, Kind::Notice { .. })
}

/// Whether it was kept long enough.
#[must_use]
pub fn is_over(since: Timestamp, keep: Duration, now: Timestamp) -> bool {
    now.duration_since(since) >= jiff::SignedDuration::try_from(keep).unwrap_or(jiff::SignedDuration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::MessageId;
    use crate::mail::address::Address;
    use crate::mail::envelope::Recipient;
    use crate::queue::Route;
    use crate::queue::parcel::{Owed, ParcelId, Said, Why};
    use crate::words::Cause;

    const MONTH: Duration = Duration::from_hours(30 * 24);
    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn parcel(states: &[State]) -> Parcel {
        let recipient = || Recipient::plain(Address::parse(b"boss@partner.example").unwrap());
        Parcel {
            id: ParcelId { message: MessageId::new(), number: 0 },
            route: Route::only("office".into()),
            recipients: states.iter().map(|state| Owed { recipient: recipient(), state: state.clone() }).collect(),
            standing: Standing::Due { at: NOW },
            attempts: 1,
            tries: Vec::new(),
            held_s: 0,
        }
    }

    fn never() -> State {
        let why = Why { code: "x".into(), cause: Cause::Message, sentence: "no".into(), cure: "mend".into() };
        State::Never { at: NOW, said: Said { reply: None, why } }
    }

    fn delivered() -> State {
        State::Delivered { at: NOW, reply: "250 Ok".into(), dsn: false }
    }

    #[test]
    fn what_failed_is_kept_with_all_that_is_known_of_it() {
        let failed = parcel(&[delivered(), never()]);
        let Change::Update(kept) = end(failed.clone(), Kind::Mail, MONTH, NOW) else { panic!("it is gone") };
        assert_eq!(kept, Parcel { standing: Standing::Failed { since: NOW }, ..failed });
    }

    #[test]
    fn what_arrived_goes_and_so_does_everything_that_is_not_to_be_kept() {
        let gone = |parcel, kind, keep| matches!(end(parcel, kind, keep, NOW), Change::Finish(_));
        assert!(gone(parcel(&[delivered(), delivered()]), Kind::Mail, MONTH));
        assert!(gone(parcel(&[never()]), Kind::Mail, Duration::ZERO));
        assert!(gone(parcel(&[never()]), Kind::Notice { of: MessageId::new() }, MONTH));
        assert!(!gone(parcel(&[never()]), Kind::Copy { of: MessageId::new() }, MONTH));
    }

    #[test]
    fn it_is_kept_as_long_as_is_said() {
        let after = |days: i64| NOW + jiff::SignedDuration::from_hours(24 * days);
        assert!(!is_over(NOW, MONTH, after(29)));
        assert!(is_over(NOW, MONTH, after(30)));
        assert!(!is_over(after(1), MONTH, NOW), "a clock that was set back loses nothing");
    }
}
