//! What becomes of a parcel after an attempt: finished, tried again and when, held, or given up. Pure.
//!
//! Time and chance are arguments. Guarantees that a recipient that was delivered or refused for good is never asked for
//! again; that an uncertain attempt is repeated through its own account alone; that a hold of the account costs neither
//! an attempt nor lifetime; that what is still open is given up only after an attempt, when `max_queue_lifetime` is
//! over. What a failure means was decided before (`outbound::verdict`).

mod hands;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

pub use hands::{Refused, give_up_held, hold, look_again, release, retry, set_aside};

use super::parcel::{HeldBy, Lacking, Owed, Parcel, Said, Standing, State, TRIES_KEPT, Try, Why};
use super::settings::{Keeping, Uncertain};
use super::{Outcome, Route};
use crate::diagnosis::Diagnosis;
use crate::ids::AccountName;
use crate::smtp::reply::{Enhanced, Refusal, Reply};
use crate::words::Cause;

/// When and under which rules an attempt ended.
#[derive(Debug, Clone, Copy)]
pub struct Moment<'a> {
    /// Now.
    pub now: Timestamp,
    /// When the message came.
    pub arrived: Timestamp,
    /// The rules.
    pub keeping: &'a Keeping,
    /// Chance, from -1 to 1: how far the wait is from the configured one, in fifths of it.
    pub spread: f64,
    /// The account the attempt went through.
    pub account: &'a AccountName,
}

/// A parcel after an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// How it stands.
    pub parcel: Parcel,
    /// Which of its recipients, counted from 0, were delivered or given up just now.
    pub finished: Vec<usize>,
    /// Nothing is left to do with it or to keep of it.
    pub is_finished: bool,
}

/// After a hold of the account. Soon enough for the next account of the route, and no busy loop should the lane of this
/// one still be open.
const AFTER_HOLD: Duration = Duration::from_secs(1);

/// The longest text of a reply that is kept, in characters.
const REPLY_KEPT: usize = 1000;

/// An attempt ended so: one outcome for each recipient that was open, in their order.
#[must_use]
pub fn settle(mut parcel: Parcel, outcomes: &[Outcome], tried: Option<Try>, moment: &Moment<'_>) -> Settled {
    let dsn = tried.as_ref().is_some_and(|tried| tried.dsn);
    remember(&mut parcel, tried);
    let open: Vec<usize> = (0..parcel.recipients.len()).filter(|&i| parcel.recipients[i].state.is_open()).collect();
    debug_assert_eq!(open.len(), outcomes.len(), "one outcome for each open recipient");
    for (&index, outcome) in open.iter().zip(outcomes) {
        parcel.recipients[index].state = state(outcome, moment.now, dsn);
    }
    if parcel.recipients.iter().any(is_open) {
        next(&mut parcel, outcomes, moment);
    }
    let finished = open.into_iter().filter(|&i| !parcel.recipients[i].state.is_open()).collect();
    let is_finished = close_if_done(&mut parcel, moment.now, moment.keeping);
    Settled { parcel, finished, is_finished }
}

fn is_open(owed: &Owed) -> bool {
    owed.state.is_open()
}

/// With no recipient open it is finished, unless somebody may still want to look at what failed.
fn close_if_done(parcel: &mut Parcel, now: Timestamp, keeping: &Keeping) -> bool {
    if parcel.recipients.iter().any(is_open) {
        return false;
    }
    let failed = parcel.recipients.iter().any(|owed| matches!(owed.state, State::Never { .. }));
    if failed && !keeping.keep_failed.is_zero() {
        parcel.standing = Standing::Failed { since: now };
        return false;
    }
    true
}

/// A look that finds what the last attempt found takes its place: else the looks would drive out all that was tried.
fn remember(parcel: &mut Parcel, tried: Option<Try>) {
    let why = |tried: &Try| tried.why.clone();
    let same = tried.as_ref().and_then(why).is_some_and(|now| parcel.tries.last().and_then(why) == Some(now));
    if parcel.lacking.is_some() && same {
        parcel.tries.pop();
    }
    parcel.tries.extend(tried);
    let surplus = parcel.tries.len().saturating_sub(TRIES_KEPT);
    parcel.tries.drain(..surplus);
}

fn state(outcome: &Outcome, at: Timestamp, dsn: bool) -> State {
    let said = |reply: Option<&Refusal>, why: &Diagnosis| Said {
        reply: reply.map(|refusal| text(refusal.reply())),
        why: why.into(),
    };
    match outcome {
        Outcome::Delivered(reply) => State::Delivered { at, reply: text(reply), dsn },
        Outcome::Never(reply, why) => State::Never { at, said: said(Some(reply), why) },
        Outcome::Later(reply, why) => State::Open { last: Some(said(reply.as_ref(), why)) },
        Outcome::Hold(why) | Outcome::HoldMessage(why) | Outcome::Uncertain(why) => {
            State::Open { last: Some(said(None, why)) }
        }
    }
}

fn text(reply: &Reply) -> String {
    let mut text = reply.to_string();
    if let Some((end, _)) = text.char_indices().nth(REPLY_KEPT) {
        text.truncate(end);
    }
    text
}

/// What happens with the recipients that are still open; the gravest outcome decides for all of them.
fn next(parcel: &mut Parcel, outcomes: &[Outcome], moment: &Moment<'_>) {
    let any = |is: fn(&Outcome) -> bool| outcomes.iter().any(is);
    if any(|outcome| matches!(outcome, Outcome::Uncertain(_))) {
        return uncertain(parcel, moment, moment.now);
    }
    let held = outcomes.iter().find_map(|outcome| match outcome {
        Outcome::HoldMessage(why) => Some(why.into()),
        _ => None,
    });
    if let Some(why) = held {
        // After a look it is the same hold still, and `hold_for` counts from its beginning.
        let since = parcel.lacking.take().map_or(moment.now, |Lacking { since, held_s }| {
            parcel.held_s = held_s;
            since
        });
        parcel.standing = held_by(HeldBy::Message, why, since, moment.keeping);
        return;
    }
    if any(|outcome| matches!(outcome, Outcome::Hold(_))) {
        // The account is at fault, its lane is closed: no attempt, no lifetime.
        parcel.standing = Standing::Due { at: after(moment.now, AFTER_HOLD) };
        return;
    }
    if any(|outcome| matches!(outcome, Outcome::Delivered(_))) && any(is_too_many) {
        // The provider took as many as it takes at once (RFC 5321 §4.5.3.1.10): progress, and no reason to wait.
        parcel.standing = Standing::Due { at: moment.now };
        return;
    }
    again(parcel, moment, moment.now, Duration::ZERO);
}

/// 452 4.5.3, and 552 which RFC 5321 §4.5.3.1.10 wants read as 452.
fn is_too_many(outcome: &Outcome) -> bool {
    let Outcome::Later(Some(refusal), _) = outcome else { return false };
    match refusal.reply().enhanced {
        Some(Enhanced(_, subject, detail)) => (subject, detail) == (5, 3),
        None => matches!(refusal.reply().code, 452 | 552),
    }
}

/// Nobody knows whether it arrived: never through another account, and not soon. `since`: when the dot was written, or
/// the attempt ended.
fn uncertain(parcel: &mut Parcel, moment: &Moment<'_>, since: Timestamp) {
    parcel.route = Route::only(moment.account.clone());
    match moment.keeping.uncertain {
        Uncertain::Retry => again(parcel, moment, since, moment.keeping.uncertain_delay),
        Uncertain::Hold => {
            parcel.attempts = parcel.attempts.saturating_add(1);
            let why = parcel.recipients.iter().find_map(last).map_or_else(|| lost().why, |said| said.why.clone());
            parcel.standing = held_by(HeldBy::Uncertain, why, moment.now, moment.keeping);
        }
    }
}

fn last(owed: &Owed) -> Option<&Said> {
    match &owed.state {
        State::Open { last } => last.as_ref(),
        _ => None,
    }
}

/// The next attempt by schedule, at least so long after `since`; or the end, if the time is over.
fn again(parcel: &mut Parcel, moment: &Moment<'_>, since: Timestamp, least: Duration) {
    parcel.attempts = parcel.attempts.saturating_add(1);
    // It had all it needs.
    parcel.lacking = None;
    let end = expires(parcel, moment.arrived, moment.keeping);
    if moment.now >= end {
        return give_up(parcel, moment.now, |last| expired(last, moment.keeping.max_queue_lifetime));
    }
    // The last attempt is made when its time ends, not up to a whole wait later.
    let at = after(since, wait(parcel.attempts, moment)).min(end);
    parcel.standing = Standing::Due { at: at.max(after(since, least)).max(moment.now) };
}

/// Whether its time is over. It is given up after one more attempt.
#[must_use]
pub fn is_expired(parcel: &Parcel, arrived: Timestamp, now: Timestamp, keeping: &Keeping) -> bool {
    now >= expires(parcel, arrived, keeping)
}

/// When `max_queue_lifetime` is over, times in hold not counted.
fn expires(parcel: &Parcel, arrived: Timestamp, keeping: &Keeping) -> Timestamp {
    after(arrived, keeping.max_queue_lifetime.saturating_add(Duration::from_secs(parcel.held_s)))
}

/// The wait after so many attempts, a fifth shorter to a fifth longer.
fn wait(attempts: u32, moment: &Moment<'_>) -> Duration {
    let retry = &moment.keeping.retry;
    let index = usize::try_from(attempts).unwrap_or(usize::MAX).saturating_sub(1);
    let wait = retry.get(index).or(retry.last()).copied().unwrap_or(Duration::from_mins(1));
    let spread = if moment.spread.is_finite() { moment.spread.clamp(-1.0, 1.0) } else { 0.0 };
    Duration::try_from_secs_f64(wait.as_secs_f64() * (1.0 + spread / 5.0)).unwrap_or(wait)
}

/// Due later than any schedule says: the wall clock was ahead when it was settled. Due then at the latest time that
/// the schedule knows; nothing if its time is a possible one.
#[must_use]
pub fn pulled_back(mut parcel: Parcel, now: Timestamp, keeping: &Keeping) -> Option<Parcel> {
    let longest = keeping.retry.iter().copied().max().unwrap_or_default().max(keeping.uncertain_delay);
    let latest = after(now, longest.saturating_add(longest / 5));
    let Standing::Due { at } = parcel.standing else { return None };
    parcel.standing = Standing::Due { at: latest };
    (at > latest).then_some(parcel)
}

/// All that is still open becomes *never*.
fn give_up(parcel: &mut Parcel, at: Timestamp, said: impl Fn(Option<&Said>) -> Said) {
    for owed in parcel.recipients.iter_mut().filter(|owed| is_open(owed)) {
        let said = said(last(owed));
        owed.state = State::Never { at, said };
    }
}

/// RFC 3463 §3.5, X.4.7: delivery time expired.
fn expired(last: Option<&Said>, lifetime: Duration) -> Said {
    let lifetime = in_words(lifetime);
    let because = last.map(|said| format!("; last: {}", said.reply.as_ref().unwrap_or(&said.why.sentence)));
    let because = because.unwrap_or_default();
    Said {
        reply: Some(format!("451 4.4.7 Not delivered within {lifetime}{because}")),
        why: Why {
            code: "expired".into(),
            cause: last.map_or(Cause::Network, |said| said.why.cause),
            sentence: format!("it was tried for {lifetime} and could not be delivered{because}"),
            cure: last.map_or_else(String::new, |said| said.why.cure.clone()),
        },
    }
}

fn held_by(by: HeldBy, why: Why, since: Timestamp, keeping: &Keeping) -> Standing {
    Standing::Held { since, until: keeping.hold_for.map(|kept| after(since, kept)), by, why }
}

/// A courier takes it now: what it waited since it was due counts as held as far as every account of its route was;
/// `usable_since`: when the last such hold had ended, or this process had begun.
#[must_use]
pub fn claimed(mut parcel: Parcel, now: Timestamp, usable_since: Timestamp) -> Parcel {
    if let Standing::Due { at } = parcel.standing {
        let held = usable_since.min(now).duration_since(at).as_secs();
        parcel.held_s = parcel.held_s.saturating_add(u64::try_from(held).unwrap_or(0));
        // Claimed again without an attempt in between, nothing is counted twice.
        parcel.standing = Standing::Due { at: at.max(usable_since.min(now)) };
    }
    parcel
}

/// What an attempt of a process that died had in its hand: one that may have been sent is uncertain, any other stands
/// as it stood.
#[must_use]
pub fn recovered(mut parcel: Parcel, arrived: Timestamp, now: Timestamp, keeping: &Keeping, spread: f64) -> Parcel {
    let Standing::Sending { account, attempt, since } = parcel.standing.clone() else { return parcel };
    let said = lost();
    let ended = said.why.sentence.clone();
    remember(
        &mut parcel,
        Some(Try { id: attempt, account: account.clone(), at: since, ended, why: Some(said.why.clone()), dsn: false }),
    );
    for owed in parcel.recipients.iter_mut().filter(|owed| is_open(owed)) {
        owed.state = State::Open { last: Some(said.clone()) };
    }
    // Its lifetime cannot end here: whoever gives it up must have tried, in this process.
    let keeping = Keeping { max_queue_lifetime: Duration::MAX, ..keeping.clone() };
    uncertain(&mut parcel, &Moment { now, arrived, keeping: &keeping, spread, account: &account }, since.min(now));
    parcel
}

/// What is said of an attempt whose process died between dot and reply.
fn lost() -> Said {
    let why = Diagnosis::new(
        "uncertain",
        Cause::Uncertain,
        "the relay ended after the whole message was sent and before the provider's answer was recorded",
        "look into the provider's sent mail before sending it again by hand",
    );
    Said { reply: None, why: (&why).into() }
}

/// The end of time where there is none that late.
pub(super) fn after(time: Timestamp, wait: Duration) -> Timestamp {
    SignedDuration::try_from(wait).ok().and_then(|wait| time.checked_add(wait).ok()).unwrap_or(Timestamp::MAX)
}

/// `5 days`, `36 hours`, `90 minutes`, `20 seconds`; whole ones only.
fn in_words(span: Duration) -> String {
    const UNITS: [(u64, &str); 3] = [(24 * 3600, "day"), (3600, "hour"), (60, "minute")];
    let seconds = span.as_secs();
    let unit = UNITS.into_iter().find(|(unit, _)| seconds >= *unit && seconds.is_multiple_of(*unit));
    let (count, name) = unit.map_or((seconds, "second"), |(unit, name)| (seconds / unit, name));
    format!("{count} {name}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests;
