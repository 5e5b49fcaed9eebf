//! What becomes of a parcel after an attempt, in its plainest form.
//!
//! Guarantees only that nothing is lost and nobody is forgotten; the schedule proper takes its place.

use jiff::{SignedDuration, Timestamp};

use super::parcel::{Parcel, Said, Standing, State, TRIES_KEPT, Try, Why};
use super::{Keeping, Outcome, Route};
use crate::ids::AccountName;
use crate::smtp::reply::Refusal;

pub struct Moment<'a> {
    pub now: Timestamp,
    #[allow(dead_code)]
    pub arrived: Timestamp,
    pub keeping: &'a Keeping,
    pub account: &'a AccountName,
    pub spread: f64,
}

pub struct Settled {
    pub parcel: Parcel,
    pub finished: Vec<usize>,
    pub is_finished: bool,
}

pub fn settle(mut parcel: Parcel, outcomes: &[Outcome], tried: Option<Try>, moment: &Moment<'_>) -> Settled {
    let now = moment.now;
    let mut uncertain = false;
    let before: Vec<usize> = (0..parcel.recipients.len()).filter(|&i| parcel.recipients[i].state.is_open()).collect();
    let open = parcel.recipients.iter_mut().filter(|owed| owed.state.is_open());
    for (owed, outcome) in open.zip(outcomes) {
        let said =
            |reply: Option<&Refusal>, why| Said { reply: reply.map(|r| r.reply().to_string()), why: Why::from(why) };
        owed.state = match outcome {
            Outcome::Delivered(reply) => State::Delivered {
                at: now,
                reply: reply.to_string(),
                dsn: tried.as_ref().is_some_and(|tried| tried.dsn),
            },
            Outcome::Never(reply, why) => State::Never { at: now, said: said(Some(reply), why) },
            Outcome::Later(reply, why) => State::Open { last: Some(said(reply.as_ref(), why)) },
            Outcome::Hold(why) => State::Open { last: Some(said(None, why)) },
            Outcome::Uncertain(why) => {
                uncertain = true;
                State::Open { last: Some(said(None, why)) }
            }
        };
    }
    let held = outcomes.iter().any(|outcome| matches!(outcome, Outcome::Hold(_)));
    let step = usize::try_from(parcel.attempts).unwrap_or(usize::MAX);
    let retry = &moment.keeping.retry;
    let mut wait = retry.get(step).or(retry.last()).copied().unwrap_or_default().mul_f64(1.0 + 0.2 * moment.spread);
    if held {
        wait = std::time::Duration::ZERO;
    }
    if uncertain {
        wait = moment.keeping.uncertain_delay;
        parcel.route = Route::only(moment.account.clone());
    }
    if let Some(tried) = tried {
        parcel.attempts += 1;
        parcel.tries.push(tried);
        let over = parcel.tries.len().saturating_sub(TRIES_KEPT);
        parcel.tries.drain(..over);
    }
    let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
    parcel.standing = Standing::Due { at: now.checked_add(wait).unwrap_or(Timestamp::MAX) };
    let is_finished = !parcel.recipients.iter().any(|owed| owed.state.is_open());
    let finished = before.into_iter().filter(|&i| !parcel.recipients[i].state.is_open()).collect();
    Settled { parcel, finished, is_finished }
}

pub mod notice {
    use std::collections::HashMap;
    use std::sync::Arc;

    use jiff::Zoned;

    use super::super::parcel::{Owed, Parcel, State};
    use super::super::{AccountFacts, Message, Notices};
    use crate::ids::{AccountName, MessageId};

    #[allow(dead_code)]
    pub struct Terms<'a> {
        pub notices: &'a Notices,
        pub accounts: &'a HashMap<AccountName, AccountFacts>,
        pub hostname: &'a str,
        pub id: MessageId,
        pub now: &'a Zoned,
        pub kept: bool,
    }

    pub struct Told {
        pub notice: Option<(Arc<Message>, Vec<Parcel>)>,
        pub alert: Option<String>,
    }

    pub struct Ended<'a>(&'a Owed);

    impl<'a> Ended<'a> {
        pub fn new(_parcel: &'a Parcel, owed: &'a Owed) -> Self {
            Self(owed)
        }
    }

    pub fn of(_message: &Message, ended: &[Ended<'_>], _terms: &Terms<'_>) -> Told {
        let never = ended.iter().filter(|ended| matches!(ended.0.state, State::Never { .. })).count();
        let alert = (never > 0).then(|| format!("{never} recipients will never get this message"));
        Told { notice: None, alert }
    }
}
