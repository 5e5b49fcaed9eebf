//! What the device hears, made from the outcomes of all recipients.
//!
//! The only place where an [`Accepted`] is made. Texts name what happened and are short; the detail is the journal's.
//! Which row of the table applies is decided by the windows (`proxy`, `window`); this file has the words.

use std::collections::HashMap;

use super::Outcome;
use crate::diagnosis::Diagnosis;
use crate::ids::MessageId;
use crate::mail::address::Address;
use crate::smtp::reply::{Enhanced, Refusal, Reply};
use crate::words::Cause;

/// The proof that every recipient of a message was taken by the provider, or that the store has what is still owed.
/// Made by the queue alone.
#[derive(Debug)]
pub struct Accepted {
    reply: Reply,
    queued: bool,
}

impl Accepted {
    /// The provider's reply to the end of data.
    #[must_use]
    pub fn reply(&self) -> &Reply {
        &self.reply
    }

    /// Whether it lies in the queue, rather than with the provider.
    #[must_use]
    pub fn is_queued(&self) -> bool {
        self.queued
    }
}

/// The one answer to the end of data.
#[derive(Debug)]
pub enum Answer {
    /// 250.
    Accepted(Accepted),
    /// Nothing went out, or, with [`Cause::Uncertain`], nobody knows. The diagnosis is for the journal.
    Refused(Refusal, Option<Diagnosis>),
}

/// How many recipients stand how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub delivered: usize,
    pub never: usize,
    pub uncertain: usize,
    /// *Later*, *hold*, or nothing yet.
    pub open: usize,
}

impl Tally {
    pub fn of<'a>(outcomes: impl Iterator<Item = Option<&'a Outcome>>) -> Self {
        let mut tally = Self::default();
        for outcome in outcomes {
            *match outcome {
                Some(Outcome::Delivered(_)) => &mut tally.delivered,
                Some(Outcome::Never(..)) => &mut tally.never,
                Some(Outcome::Uncertain(_)) => &mut tally.uncertain,
                _ => &mut tally.open,
            } += 1;
        }
        tally
    }

    pub fn all(&self) -> usize {
        self.delivered + self.never + self.uncertain + self.open
    }
}

/// A recipient and its outcome, if there is one.
pub(super) type Heard<'a> = (&'a Address, Option<&'a Outcome>);

impl Answer {
    /// What the device hears.
    #[must_use]
    pub fn reply(&self) -> &Reply {
        match self {
            Self::Accepted(accepted) => accepted.reply(),
            Self::Refused(refusal, _) => refusal.reply(),
        }
    }

    /// The provider has it for all.
    pub(super) fn delivered<'a>(mut heard: impl Iterator<Item = Heard<'a>>) -> Self {
        let reply = heard.find_map(|(_, outcome)| match outcome {
            Some(Outcome::Delivered(reply)) => Some(reply.clone()),
            _ => None,
        });
        match reply {
            Some(reply) => Self::Accepted(Accepted { reply, queued: false }),
            None => Self::failed(),
        }
    }

    /// The provider has it for some; the others will never get it, and whoever is to be told of that will be.
    pub(super) fn partly_delivered<'a>(heard: impl Iterator<Item = Heard<'a>>) -> Self {
        let (mut refused, mut why) = (Vec::new(), None);
        for (address, outcome) in heard {
            if let Some(Outcome::Never(reply, _)) = outcome {
                refused.push(address.as_str());
                why.get_or_insert(&reply.reply().text);
            }
        }
        let text = format!("Ok, but not for {}: {}", some_of(&refused), why.map_or("refused", AsRef::as_ref));
        Self::Accepted(Accepted { reply: Reply::new(250, 0, 0, text), queued: false })
    }

    /// Nobody will ever get it.
    pub(super) fn never(heard: &[Heard<'_>]) -> Self {
        let (recipients, outcomes): (Vec<_>, Vec<_>) =
            heard.iter().filter_map(|(address, outcome)| Some(((*address).clone(), (*outcome)?.clone()))).unzip();
        refused(&outcomes, &recipients).unwrap_or_else(Self::failed)
    }

    /// It lies in the store.
    pub(super) fn queued(id: MessageId) -> Self {
        let reply = Reply::new(250, 0, 0, format!("Ok: queued as {id}"));
        Self::Accepted(Accepted { reply, queued: true })
    }

    /// It cannot be stored, and nothing of it can go out.
    pub(super) fn not_stored() -> Self {
        let diagnosis = Diagnosis::new(
            "not_stored",
            Cause::Throttle,
            "the provider did not take the message in time, and it could not be stored",
            "free some space in storage.directory, or look after its disk; the device sends again by itself",
        );
        Self::Refused(Refusal::new(452, 3, 1, "The message cannot be stored, try again later"), Some(diagnosis))
    }

    /// Some have it, and what is left of it cannot be stored.
    pub(super) fn partly_delivered_and_lost() -> Self {
        let diagnosis = Diagnosis::new(
            "partly_delivered",
            Cause::Uncertain,
            "some recipients have the message, and it could not be stored for the others",
            "when the device sends it again, those who have it get it twice; free some space in storage.directory, or look after its disk",
        );
        let text = "Delivered to some recipients only, the rest cannot be stored, try again later";
        Self::Refused(Refusal::new(451, 3, 0, text), Some(diagnosis))
    }

    pub(super) fn all_or_nothing(outcomes: &[Outcome], recipients: &[Address]) -> Self {
        if let Some(diagnosis) = outcomes.iter().find_map(uncertain) {
            return Self::uncertain(Some(diagnosis.clone()));
        }
        if let Some(accepted) = accepted(outcomes) {
            return Self::Accepted(accepted);
        }
        // Some taken and some not cannot be with one dot after every RCPT was accepted; it would be a fault of ours.
        if outcomes.iter().any(|o| matches!(o, Outcome::Delivered(_))) {
            return Self::uncertain(None);
        }
        refused(outcomes, recipients).unwrap_or_else(Self::failed)
    }

    /// The window is over and the attempt was cancelled before the dot.
    pub(super) fn too_late() -> Self {
        let diagnosis = Diagnosis::new(
            "window_over",
            Cause::Network,
            "the provider did not take the message in the time a device waits",
            "the warning of the attempt beside this one says where it stands; for a provider that is only slow raise delivery.wait",
        );
        Self::Refused(Refusal::new(451, 4, 1, "The provider did not answer in time, try again later"), Some(diagnosis))
    }

    /// The device hung up and the attempt was cancelled before the dot. Nobody hears this; the journal keeps it.
    #[must_use]
    pub fn hung_up() -> Self {
        let diagnosis = Diagnosis::new(
            "device_hung_up",
            Cause::Message,
            "the device hung up before the provider had taken the message, so it was not sent",
            "if the device gives up too early, raise its SMTP time-out; one minute is common",
        );
        Self::Refused(Refusal::new(451, 4, 2, "The device hung up"), Some(diagnosis))
    }

    /// The relay ends, and the attempt was cancelled before the dot.
    #[must_use]
    pub fn shutting_down() -> Self {
        Self::Refused(Refusal::new(451, 3, 2, "The relay is shutting down, try again later"), None)
    }

    /// The dot was sent and nobody knows what became of it.
    pub(super) fn uncertain(diagnosis: Option<Diagnosis>) -> Self {
        let diagnosis = diagnosis.unwrap_or_else(|| {
            Diagnosis::new(
                "uncertain",
                Cause::Uncertain,
                "the attempt ended after the whole message was sent and before the provider answered",
                "look into the provider's sent mail before sending it again by hand",
            )
        });
        let text = "The provider did not confirm the message, it may have arrived";
        Self::Refused(Refusal::new(451, 4, 2, text), Some(diagnosis))
    }

    /// The courier failed inside.
    pub(super) fn failed() -> Self {
        Self::Refused(Refusal::new(451, 3, 0, "Internal error, nothing was sent, try again later"), None)
    }
}

fn uncertain(outcome: &Outcome) -> Option<&Diagnosis> {
    match outcome {
        Outcome::Uncertain(diagnosis) => Some(diagnosis),
        _ => None,
    }
}

fn accepted(outcomes: &[Outcome]) -> Option<Accepted> {
    let mut reply = None;
    for outcome in outcomes {
        let Outcome::Delivered(theirs) = outcome else { return None };
        reply = Some(theirs.clone());
    }
    reply.map(|reply| Accepted { reply, queued: false })
}

/// The reply most recipients were refused with, naming them; else why the whole message waits.
fn refused(outcomes: &[Outcome], recipients: &[Address]) -> Option<Answer> {
    let replies: Vec<(&Refusal, &Diagnosis, &Address)> = outcomes
        .iter()
        .zip(recipients)
        .filter_map(|(outcome, address)| match outcome {
            Outcome::Never(reply, diagnosis) | Outcome::Later(Some(reply), diagnosis) => {
                Some((reply, diagnosis, address))
            }
            _ => None,
        })
        .collect();
    let permanent = replies.iter().any(|(reply, ..)| reply.reply().is_permanent());
    let candidates = replies.iter().filter(|(reply, ..)| reply.reply().is_permanent() == permanent);
    let mut counts: HashMap<u16, usize> = HashMap::new();
    for (reply, ..) in candidates.clone() {
        *counts.entry(reply.reply().code).or_default() += 1;
    }
    let most = candidates.max_by_key(|(reply, ..)| counts[&reply.reply().code]);
    if let Some(&(reply, diagnosis, _)) = most {
        let refused: Vec<&str> = replies
            .iter()
            .filter(|(other, ..)| other.reply().code == reply.reply().code)
            .map(|(.., address)| address.as_str())
            .collect();
        return Some(Answer::Refused(naming(reply, &refused, recipients.len()), Some(diagnosis.clone())));
    }
    outcomes.iter().find_map(|outcome| match outcome {
        Outcome::Hold(diagnosis) => Some(Answer::Refused(
            Refusal::new(451, 7, 0, format!("Not sent, the account cannot be used: {}", diagnosis.sentence)),
            Some(diagnosis.clone()),
        )),
        Outcome::HoldMessage(diagnosis) => Some(Answer::Refused(
            Refusal::new(451, 7, 0, format!("Not sent: {}", diagnosis.sentence)),
            Some(diagnosis.clone()),
        )),
        Outcome::Later(None, diagnosis) => Some(Answer::Refused(
            Refusal::new(451, 4, 0, format!("Not sent, try again later: {}", diagnosis.sentence)),
            Some(diagnosis.clone()),
        )),
        _ => None,
    })
}

/// The provider's reply, with the recipients it concerns when that is not all of them.
fn naming(reply: &Refusal, refused: &[&str], all: usize) -> Refusal {
    let reply = reply.reply();
    let Enhanced(_, subject, detail) = reply.enhanced.unwrap_or(Enhanced(5, 0, 0));
    if refused.len() == all {
        return Refusal::new(reply.code, subject, detail, reply.text.clone());
    }
    let names = some_of(refused);
    Refusal::new(reply.code, subject, detail, format!("{names}: {} (sent to nobody)", reply.text))
}

/// At most three by name.
fn some_of(addresses: &[&str]) -> String {
    let mut names = addresses.iter().take(3).copied().collect::<Vec<_>>().join(", ");
    if addresses.len() > 3 {
        names.extend([" and ", &(addresses.len() - 3).to_string(), " more"]);
    }
    names
}
