//! What an attempt brought: one outcome per recipient, and how it reads later.
//!
//! Guarantees that what the provider said of one recipient stays that recipient's, whatever becomes of the others: who
//! was refused is refused, though the rest was delivered or the connection fell. Pure but for what it is given.

use jiff::Timestamp;

use super::verdict;
use crate::diagnosis::{Context, Diagnosis, Failure, diagnose};
use crate::ids::{AccountName, AttemptId};
use crate::queue::Outcome;
use crate::queue::parcel::{Try, Why};
use crate::smtp::reply::{Refusal, Reply};
use crate::words::Phase;

/// One outcome per recipient, and what went wrong, if anything.
pub(super) struct Findings {
    pub outcomes: Vec<Outcome>,
    /// What ended it, or the first refusal where it was delivered to others.
    pub failure: Option<(Failure, Diagnosis)>,
    /// The reply to the dot, if it was positive.
    taken: Option<Reply>,
}

impl Findings {
    /// The provider took it for everyone who is not among the refused.
    pub fn taken(recipients: usize, refused: Vec<(usize, Refusal)>, reply: Reply, context: Context<'_>) -> Self {
        let all = vec![Outcome::Delivered(reply.clone()); recipients];
        let (outcomes, failure) = but(all, refused, context);
        Self { outcomes, failure, taken: Some(reply) }
    }

    /// It ended so for everyone who is not among the refused.
    pub fn failed(recipients: usize, refused: Vec<(usize, Refusal)>, failure: Failure, context: Context<'_>) -> Self {
        let diagnosis = diagnose(&failure, context);
        let all = vec![verdict::of_failure(&failure, diagnosis.clone()); recipients];
        let (outcomes, _) = but(all, refused, context);
        Self { outcomes, failure: Some((failure, diagnosis)), taken: None }
    }

    /// It ended because these were refused: all of them, or in all or nothing at least one.
    pub fn refused(recipients: usize, refused: Vec<(usize, Refusal)>, context: Context<'_>) -> Self {
        let (outcomes, failure) = but(vec![verdict::of_spared(); recipients], refused, context);
        Self { outcomes, failure, taken: None }
    }

    /// The sender that was refused can be replaced, so it was not the last word.
    pub fn sender_may_change(&mut self) {
        for outcome in &mut self.outcomes {
            if let Outcome::Never(_, diagnosis) = outcome
                && diagnosis.refuses_sender()
            {
                *outcome = verdict::of_foreign_sender(diagnosis.clone());
            }
        }
        if let Some((_, diagnosis)) = &mut self.failure {
            *diagnosis = verdict::with_own_sender(diagnosis.clone());
        }
    }

    /// In which phase a sender was refused, if one was.
    pub fn sender_refused(&self) -> Option<Phase> {
        if let Some((failure, diagnosis)) = &self.failure
            && diagnosis.refuses_sender()
        {
            return Some(failure.phase());
        }
        let refused = |outcome: &Outcome| matches!(outcome, Outcome::Never(_, diagnosis) if diagnosis.refuses_sender());
        self.outcomes.iter().any(refused).then_some(Phase::Recipient)
    }

    /// How the attempt reads later; `dsn`: whether the provider took over to report on it.
    pub fn tried(&self, id: AttemptId, account: AccountName, at: Timestamp, dsn: bool) -> Try {
        let ended = match (&self.taken, &self.failure) {
            (Some(reply), _) => reply.to_string(),
            (None, Some((failure, _))) => failure.to_string(),
            (None, None) => String::new(),
        };
        let why = self.failure.as_ref().map(|(_, diagnosis)| Why::from(diagnosis));
        Try { id, account, at, ended: ended.replace('\n', " "), why, dsn }
    }
}

/// The same outcomes, but these recipients were refused; and the first of those refusals.
fn but(
    mut outcomes: Vec<Outcome>,
    refused: Vec<(usize, Refusal)>,
    context: Context<'_>,
) -> (Vec<Outcome>, Option<(Failure, Diagnosis)>) {
    let mut first = None;
    for (index, refusal) in refused {
        let failure = Failure::Reply { phase: Phase::Recipient, reply: refusal.reply().clone() };
        let diagnosis = diagnose(&failure, context);
        if let Some(outcome) = outcomes.get_mut(index) {
            *outcome = verdict::of_recipient(refusal, diagnosis.clone());
        }
        first.get_or_insert((failure, diagnosis));
    }
    (outcomes, first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Cause;

    fn refused() -> Vec<(usize, Refusal)> {
        vec![(0, Refusal::new(550, 1, 1, "No such user")), (2, Refusal::new(450, 2, 1, "Greylisted"))]
    }

    /// `D`elivered, `N`ever, `L`ater, `H`old, `U`ncertain.
    fn letters(findings: &Findings) -> String {
        let letter = |outcome: &Outcome| match outcome {
            Outcome::Delivered(_) => 'D',
            Outcome::Never(..) => 'N',
            Outcome::Later(..) => 'L',
            Outcome::Hold(_) | Outcome::HoldMessage(_) => 'H',
            Outcome::Uncertain(_) => 'U',
        };
        findings.outcomes.iter().map(letter).collect()
    }

    fn failed(failure: Failure) -> Findings {
        Findings::failed(4, refused(), failure, Context::default())
    }

    #[test]
    fn what_was_said_of_one_recipient_stays_his_however_it_ends_for_the_others() {
        let taken = Findings::taken(4, refused(), Reply::new(250, 0, 0, "queued"), Context::default());
        assert_eq!(letters(&taken), "NDLD");
        let reply = |phase, code| Failure::Reply { phase, reply: Reply::new(code, 0, 0, "no") };
        assert_eq!(letters(&failed(reply(Phase::Data, 554))), "NNLN");
        assert_eq!(letters(&failed(reply(Phase::Dot, 451))), "NLLL");
        assert_eq!(letters(&failed(Failure::Closed { phase: Phase::Body })), "NLLL");
        assert_eq!(letters(&failed(Failure::Closed { phase: Phase::Dot })), "NULU");
        assert_eq!(letters(&Findings::refused(4, refused(), Context::default())), "NLLL");
    }

    #[test]
    fn an_attempt_reads_in_one_line_with_its_reason() {
        let tried =
            |findings: Findings| findings.tried(AttemptId::new(), "office".into(), Timestamp::UNIX_EPOCH, false);
        let taken = tried(Findings::taken(1, vec![], Reply::new(250, 0, 0, "a\nb"), Context::default()));
        assert_eq!((taken.ended.as_str(), taken.why), ("250 2.0.0 a b", None));
        let cut = tried(failed(Failure::Closed { phase: Phase::Dot }));
        assert_eq!(cut.ended, "end of data: connection closed");
        assert_eq!(cut.why.map(|why| why.cause), Some(Cause::Uncertain));
    }
}
