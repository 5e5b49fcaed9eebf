//! What a person does to a parcel: hold, release, try now; and what ends a hold by itself. Pure.
//!
//! Guarantees that time in a hold does not count towards `max_queue_lifetime`, whatever ended it, and that a parcel
//! whose dot may be on its way is not touched. Writes nothing down: the caller journals what was done and why.

use jiff::Timestamp;

use super::{after, close_if_done, give_up, held_by, in_words, is_open};
use crate::queue::parcel::{HeldBy, Lacking, Parcel, Said, Standing, State, Why};
use crate::queue::schedule::Settled;
use crate::queue::settings::Keeping;
use crate::words::Cause;

/// Why a parcel is left as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// An attempt has it.
    #[error("is being sent right now")]
    BeingSent,
    /// It failed for good; nothing of it is waiting.
    #[error("has failed for good; `retry` tries it again, `remove` takes it out")]
    Failed,
    /// Only what is held can be released.
    #[error("is not held")]
    NotHeld,
    /// It must be released first.
    #[error("is held; `release` ends the hold and sends it")]
    Held,
}

/// Holds it until a person releases it, or `hold_for` is over.
pub fn hold(mut parcel: Parcel, reason: &str, now: Timestamp, keeping: &Keeping) -> Result<Parcel, Refused> {
    let since = match parcel.standing {
        Standing::Due { .. } => now,
        // From now on it waits for a person, whatever it waited for; the time it was held before still counts.
        Standing::Held { since, .. } => since,
        Standing::Sending { .. } => return Err(Refused::BeingSent),
        Standing::Failed { .. } => return Err(Refused::Failed),
    };
    let why = Why {
        code: "held_by_person".into(),
        cause: Cause::Message,
        sentence: if reason.is_empty() { "held by hand".into() } else { format!("held by hand: {reason}") },
        cure: "posthouse queue release".into(),
    };
    parcel.standing =
        Standing::Held { since, until: keeping.hold_for.map(|kept| after(now, kept)), by: HeldBy::Person, why };
    parcel.lacking = None;
    Ok(parcel)
}

/// Ends its hold, whoever made it: due at once.
pub fn release(mut parcel: Parcel, now: Timestamp) -> Result<Parcel, Refused> {
    match parcel.standing {
        Standing::Held { since, .. } => {
            parcel.held_s = parcel.held_s.saturating_add(seconds(since, now));
            parcel.standing = Standing::Due { at: now };
            Ok(parcel)
        }
        Standing::Sending { .. } => Err(Refused::BeingSent),
        Standing::Due { .. } | Standing::Failed { .. } => Err(Refused::NotHeld),
    }
}

/// What lacked something is due at once, to see whether it still does; nothing where it is held for another reason.
#[must_use]
pub fn look_again(parcel: Parcel, now: Timestamp) -> Option<Parcel> {
    let Standing::Held { since, by: HeldBy::Message, .. } = parcel.standing else { return None };
    let lacking = Some(Lacking { since, held_s: parcel.held_s });
    release(parcel, now).ok().map(|parcel| Parcel { lacking, ..parcel })
}

/// Due now. What has failed starts anew: recipients that were given up are open again, with a lifetime that begins now.
pub fn retry(mut parcel: Parcel, arrived: Timestamp, now: Timestamp) -> Result<Parcel, Refused> {
    match parcel.standing {
        Standing::Due { .. } => {}
        Standing::Held { .. } => return Err(Refused::Held),
        Standing::Sending { .. } => return Err(Refused::BeingSent),
        Standing::Failed { .. } => {
            for owed in &mut parcel.recipients {
                if let State::Never { said, .. } = &owed.state {
                    owed.state = State::Open { last: Some(said.clone()) };
                }
            }
            parcel.attempts = 0;
            parcel.held_s = seconds(arrived, now);
        }
    }
    parcel.standing = Standing::Due { at: now };
    Ok(parcel)
}

/// `hold_for` is over: what is open of it is given up.
#[must_use]
pub fn give_up_held(mut parcel: Parcel, now: Timestamp, keeping: &Keeping) -> Settled {
    let open: Vec<usize> = (0..parcel.recipients.len()).filter(|&i| is_open(&parcel.recipients[i])).collect();
    let held = match &parcel.standing {
        Standing::Held { why, .. } => Some(why.clone()),
        _ => None,
    };
    give_up(&mut parcel, now, |last| {
        let why = held.as_ref().or(last.map(|said| &said.why));
        let kept = keeping.hold_for.map_or_else(|| "the time held mail is kept".to_owned(), in_words);
        let because = why.map(|why| format!(": {}", why.sentence)).unwrap_or_default();
        Said {
            reply: Some(format!("451 4.4.7 Held for {kept}{because}")),
            why: Why {
                code: "hold_over".into(),
                cause: why.map_or(Cause::Account, |why| why.cause),
                sentence: format!("it was held for {kept}, and nobody released it{because}"),
                cure: why.map_or_else(String::new, |why| why.cure.clone()),
            },
        }
    });
    let is_finished = close_if_done(&mut parcel, now, keeping);
    Settled { parcel, finished: open, is_finished }
}

/// It cannot go out for a reason of its own, and waits for a person.
#[must_use]
pub fn set_aside(mut parcel: Parcel, by: HeldBy, why: Why, now: Timestamp, keeping: &Keeping) -> Parcel {
    parcel.standing = held_by(by, why, now, keeping);
    parcel
}

fn seconds(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.duration_since(from).as_secs()).unwrap_or(0)
}
