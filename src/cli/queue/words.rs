//! How a part of a message stands, in words for people.
//!
//! Says what will happen and what ends a hold; the words may become better. Pure: the time is an argument.

use jiff::Timestamp;

use super::super::words::{away, both, plain};
use crate::account::status::HoldStatus;
use crate::app::queue::Holds;
use crate::ids::MessageId;
use crate::queue::Route;
use crate::queue::parcel::{HeldBy, Said, Standing, State};
use crate::words::Cause;

/// So many digits at the end of an id tell messages apart.
const DIGITS: usize = 10;

/// The end of an id.
pub(super) fn short(id: MessageId) -> String {
    let id = id.to_string();
    id[id.len().saturating_sub(DIGITS)..].to_owned()
}

/// What keeps the first account, if none of the route can be used.
pub(super) fn barred<'a>(route: &Route, holds: &'a Holds) -> Option<&'a HoldStatus> {
    let mut of_route = route.accounts().iter().map(|account| holds.get(account));
    let first = of_route.next()??;
    of_route.all(|hold| hold.is_some()).then_some(first)
}

/// `accounts office and backup`, in their order.
fn accounts(route: &Route) -> String {
    let names: Vec<String> = route.accounts().iter().map(ToString::to_string).collect();
    match &names[..] {
        [only] => format!("account {only}"),
        names => format!("accounts {}", names.join(", then ")),
    }
}

/// What keeps an account from taking anything.
pub(super) fn in_word(hold: &HoldStatus) -> &'static str {
    if hold.cause == Cause::Network { "not reached" } else { "held" }
}

/// In a few words.
pub(super) fn state(standing: &Standing, route: &Route, holds: &Holds, now: Timestamp) -> String {
    match standing {
        Standing::Due { at } => match barred(route, holds) {
            Some(hold) => format!("waits for {}, {}", accounts(route), in_word(hold)),
            None if *at <= now => "goes out now".into(),
            None => format!("next attempt {}", away(*at, now)),
        },
        Standing::Sending { .. } => "is being sent".into(),
        Standing::Held { until: Some(until), by, .. } => format!("held {}, ends {}", reason(*by), away(*until, now)),
        Standing::Held { until: None, by, .. } => format!("held {}", reason(*by)),
        Standing::Failed { since } => format!("failed {}", away(*since, now)),
    }
}

fn reason(by: HeldBy) -> &'static str {
    match by {
        HeldBy::Person => "by a person",
        HeldBy::Uncertain => "as it may have arrived",
        HeldBy::NoAccount => "as it has no account",
        HeldBy::Message => "as something is missing",
        HeldBy::Damaged => "as its body is damaged",
    }
}

/// What happens next and when, and what ends a hold: whole sentences.
pub(super) fn next(standing: &Standing, route: &Route, holds: &Holds, now: Timestamp) -> Vec<String> {
    match standing {
        Standing::Due { at } => match barred(route, holds) {
            Some(hold) => vec![
                format!("Waits for {}, {} since {}.", accounts(route), in_word(hold), both(hold.since, now)),
                format!("Why: {}", plain(&hold.text)),
                format!("What to do: {}", plain(&hold.cure)),
                format!("It is tried again {}; once that works, this goes out.", both(hold.until, now)),
            ],
            None if *at <= now => {
                vec![format!("Goes out as soon as a connection is free, through {}.", accounts(route))]
            }
            None => vec![format!("Next attempt {}, through {}.", both(*at, now), accounts(route))],
        },
        Standing::Sending { account, since, .. } => {
            vec![format!("Is being sent through {account} since {}.", both(*since, now))]
        }
        Standing::Held { since, until, by, why } => {
            let end =
                until.map_or_else(|| ends(*by).to_owned(), |until| format!("{}, or {}", ends(*by), both(until, now)));
            vec![
                format!("Held {} since {}.", reason(*by), both(*since, now)),
                format!("Why: {}", plain(&why.sentence)),
                format!("What to do: {}", plain(&why.cure)),
                format!("The hold ends with {end}."),
            ]
        }
        Standing::Failed { since } => vec![
            format!("Failed {}. It is kept for you; the log says who was told.", both(*since, now)),
            "To save it: `posthouse queue export`; to be rid of it: `posthouse queue remove`.".into(),
        ],
    }
}

/// What ends a hold.
fn ends(by: HeldBy) -> &'static str {
    match by {
        HeldBy::Person | HeldBy::Uncertain => "`posthouse queue release`",
        HeldBy::Damaged => "`posthouse queue remove`",
        HeldBy::NoAccount => "an account for it in the configuration, or `posthouse queue release`",
        HeldBy::Message => {
            "an attempt that finds what is missing, made once an hour and at each start, or `posthouse queue release`"
        }
    }
}

/// A reply and what it means, on one line; the one that says more if there is only room for one.
pub(super) fn last(said: Option<&Said>) -> String {
    match said {
        None => "-".into(),
        Some(Said { reply: Some(reply), .. }) => plain(reply),
        Some(Said { reply: None, why }) => plain(&why.sentence),
    }
}

/// How a recipient stands.
pub(super) fn recipient(state: &State, now: Timestamp) -> String {
    match state {
        State::Open { last: None } => "waiting".into(),
        State::Open { last: said } => format!("waiting; {}", last(said.as_ref())),
        State::Delivered { at, reply, .. } => format!("delivered {}: {}", away(*at, now), plain(reply)),
        State::Never { at, said } => format!("failed {}: {}", away(*at, now), last(Some(said))),
    }
}

/// `12 KiB`
pub(super) fn size(octets: u64) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.into_iter().find(|(unit, _)| octets >= *unit) {
        // One digit behind the point where there is only one before it.
        Some((unit, name)) if octets < 10 * unit => {
            let tenths = octets * 10 / unit;
            format!("{}.{} {name}", tenths / 10, tenths % 10)
        }
        Some((unit, name)) => format!("{} {name}", octets / unit),
        None => format!("{octets} octets"),
    }
}
