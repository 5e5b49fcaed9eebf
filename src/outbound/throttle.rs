//! How fast an account may be used: what the configuration says, and what the provider has complained of. Pure.
//!
//! A complaint halves the connections (to one at least) and the messages a minute; each minute with a success takes one
//! step back. A time the provider tells is kept to. What went out in the last minute is counted by the second, so that
//! `limits.messages_per_minute` holds in every 60 seconds; only in memory, so after a restart the minute begins anew.
//! Only what concerns the account slows it: not greylisting, not a full mailbox ([`concerns_account`]).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::diagnosis::{Diagnosis, Failure};
use crate::words::Phase;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

/// So many halvings at most: 1/64 of the rate still moves.
const MOST_STEPS: u32 = 6;

/// Where the configuration sets no rate, at least so many messages a minute count as what was complained of: a
/// complaint in a quiet hour says nothing of the rate.
const LEAST_RATE: u32 = 60;

/// The pace of one account.
#[derive(Debug)]
pub struct Throttle {
    /// `limits.connections`
    connections: usize,
    /// `limits.messages_per_minute`
    per_minute: Option<u32>,
    slowed: Option<Slowed>,
    paused: Option<Paused>,
    sent: Sent,
}

/// What a complaint has led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slowed {
    /// Since the first complaint.
    pub since: Instant,
    /// Halvings.
    steps: u32,
    /// What is halved where the configuration sets no limit: what went out in the minute before the complaint.
    rate: u32,
    changed: Instant,
}

/// Nothing goes out for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paused {
    /// Until then.
    pub until: Instant,
    /// What the provider said.
    pub diagnosis: Diagnosis,
}

impl Throttle {
    /// With the limits of the configuration.
    #[must_use]
    pub fn new(connections: usize, per_minute: Option<u32>) -> Self {
        Self { connections: connections.max(1), per_minute, slowed: None, paused: None, sent: Sent::default() }
    }

    /// The provider complained in an attempt that began then. True if this slows the account down: those who were under
    /// way when it last did complain of the same.
    pub fn complained(&mut self, now: Instant, began: Instant, phase: Phase, diagnosis: &Diagnosis) -> bool {
        let steps = match self.slowed {
            Some(slowed) if began < slowed.changed => return false,
            Some(slowed) => (slowed.steps + 1).min(MOST_STEPS),
            None => 1,
        };
        let since = self.slowed.map_or(now, |slowed| slowed.since);
        let rate = self.slowed.map_or_else(|| self.sent.in_last_minute(now).max(LEAST_RATE), |slowed| slowed.rate);
        self.slowed = Some(Slowed { since, steps, rate, changed: now });
        // Who is refused at the sign-in and told no time would sign in again with the next mail.
        let at_sign_in = (phase <= Phase::Auth).then(|| MINUTE * 2_u32.pow(steps - 1));
        if let Some(pause) = diagnosis.lifts_after.or(at_sign_in) {
            self.paused = Some(Paused { until: now + pause, diagnosis: diagnosis.clone() });
        }
        true
    }

    /// The provider took a mail. True if the account is at its full pace again.
    pub fn succeeded(&mut self, now: Instant) -> bool {
        let Some(slowed) = &mut self.slowed else { return false };
        if now < slowed.changed + MINUTE {
            return false;
        }
        (slowed.steps, slowed.changed) = (slowed.steps - 1, now);
        let is_over = slowed.steps == 0;
        if is_over {
            self.slowed = None;
        }
        is_over
    }

    /// A person wants it tried: what the provider complained of is forgotten.
    pub fn forget(&mut self) {
        (self.slowed, self.paused) = (None, None);
    }

    /// One message is on its way.
    pub fn sent(&mut self, now: Instant) {
        self.sent.add(now);
    }

    /// How many connections may be used.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.slowed.map_or(self.connections, |slowed| (self.connections >> slowed.steps).max(1))
    }

    /// How many messages a minute may go out; nothing: as many as there are.
    #[must_use]
    pub fn per_minute(&self) -> Option<u32> {
        let Some(slowed) = self.slowed else { return self.per_minute };
        Some((self.per_minute.unwrap_or(slowed.rate) >> slowed.steps).max(1))
    }

    /// When the next message may go; nothing: now.
    #[must_use]
    pub fn wait(&self, now: Instant) -> Option<Instant> {
        self.sent.fits_at(self.per_minute()?, now)
    }

    /// Why nothing goes out, if the provider told a time.
    #[must_use]
    pub fn paused(&self, now: Instant) -> Option<&Paused> {
        self.paused.as_ref().filter(|paused| now < paused.until)
    }

    /// What complaints have led to.
    #[must_use]
    pub fn slowed(&self) -> Option<&Slowed> {
        self.slowed.as_ref()
    }

    /// What the configuration allows: connections, and messages a minute.
    #[must_use]
    pub fn configured(&self) -> (usize, Option<u32>) {
        (self.connections, self.per_minute)
    }
}

/// Whether a throttle is about the account, so that everything through it is to slow down. What a server says to RCPT
/// for now is about that recipient: greylisting, a full or busy mailbox. Only a row of the table of known replies knows
/// better, and it is the same the other way round: greylisting is about recipients wherever it is said.
#[must_use]
pub fn concerns_account(failure: &Failure, diagnosis: &Diagnosis) -> bool {
    if failure.phase() == Phase::Credential {
        // A token endpoint: whoever asks it keeps to what it says.
        return false;
    }
    match diagnosis.code {
        "greylisted" | "google_recipient_busy" => false,
        "refused_for_now" => failure.phase() != Phase::Recipient,
        _ => true,
    }
}

/// What went out in the last minute, by the second; at most 61 numbers.
#[derive(Debug, Default)]
struct Sent(VecDeque<(Instant, u32)>);

impl Sent {
    fn add(&mut self, now: Instant) {
        while self.0.front().is_some_and(|(until, _)| *until <= now) {
            self.0.pop_front();
        }
        match self.0.back_mut() {
            // Each second counts until a minute after its end.
            Some((until, count)) if now + MINUTE < *until => *count += 1,
            _ => self.0.push_back((now + MINUTE + SECOND, 1)),
        }
    }

    fn in_last_minute(&self, now: Instant) -> u32 {
        self.0.iter().filter(|(until, _)| *until > now).map(|(_, count)| count).sum()
    }

    /// When one more fits under the limit; nothing: now.
    fn fits_at(&self, limit: u32, now: Instant) -> Option<Instant> {
        let mut left = self.in_last_minute(now);
        if left < limit {
            return None;
        }
        let counted = self.0.iter().filter(|(until, _)| *until > now);
        counted.map(|(until, count)| (*until, *count)).find_map(|(until, count)| {
            left -= count;
            (left < limit).then_some(until)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::{Context, diagnose};
    use crate::smtp::reply::Reply;
    use crate::words::Cause;

    fn busy() -> Diagnosis {
        Diagnosis::new("server_busy", Cause::Throttle, "The server is busy.", "Wait.")
    }

    /// A throttle and a clock in seconds.
    struct Story(Throttle, Instant);

    impl Story {
        fn begin(connections: usize, per_minute: Option<u32>) -> Self {
            Self(Throttle::new(connections, per_minute), Instant::now())
        }

        fn later(&mut self, seconds: u64) {
            self.1 += Duration::from_secs(seconds);
        }

        fn complains(&mut self) -> bool {
            self.later(1);
            self.0.complained(self.1, self.1, Phase::Mail, &busy())
        }

        fn pace(&self) -> (usize, Option<u32>) {
            (self.0.connections(), self.0.per_minute())
        }

        /// Messages that go out at once.
        fn burst(&mut self) -> u32 {
            let mut count = 0;
            while self.0.wait(self.1).is_none() {
                self.0.sent(self.1);
                count += 1;
            }
            count
        }
    }

    #[test]
    fn complaints_halve_connections_and_rate_and_never_stop_them() {
        let mut story = Story::begin(8, Some(30));
        let mut paces = Vec::new();
        for _ in 0..8 {
            story.complains();
            paces.push(story.pace());
        }
        let rates = [15, 7, 3, 1, 1, 1, 1, 1].map(Some);
        assert_eq!(paces, [4, 2, 1, 1, 1, 1, 1, 1].into_iter().zip(rates).collect::<Vec<_>>());
    }

    #[test]
    fn each_minute_with_a_success_takes_one_step_back() {
        let mut story = Story::begin(8, Some(32));
        story.complains();
        story.complains();
        assert_eq!(story.pace(), (2, Some(8)));
        story.later(59);
        story.0.succeeded(story.1);
        assert_eq!(story.pace(), (2, Some(8)), "not before a minute");
        story.later(1);
        assert!(!story.0.succeeded(story.1) && !story.0.succeeded(story.1));
        assert_eq!(story.pace(), (4, Some(16)), "one step, however many succeed");
        story.later(60);
        assert!(story.0.succeeded(story.1), "said once");
        assert_eq!(story.pace(), (8, Some(32)));
        story.later(3600);
        assert!(!story.0.succeeded(story.1));
    }

    #[test]
    fn who_was_under_way_complains_of_the_same() {
        let mut story = Story::begin(8, None);
        let began = story.1;
        story.later(5);
        for _ in 0..8 {
            story.0.complained(story.1, began, Phase::Dot, &busy());
        }
        assert_eq!(story.0.connections(), 4);
    }

    #[test]
    fn where_no_rate_is_set_the_one_that_was_complained_of_is_halved() {
        let mut story = Story::begin(2, None);
        for _ in 0..400 {
            story.0.sent(story.1);
        }
        story.complains();
        assert_eq!(story.0.per_minute(), Some(200));
        story.later(61);
        story.0.succeeded(story.1);
        assert_eq!(story.0.per_minute(), None, "back at as many as there are");
        story.later(3600);
        story.complains();
        assert_eq!(story.0.per_minute(), Some(30), "of a quiet hour nothing can be halved");
    }

    #[test]
    fn in_no_60_seconds_do_more_go_out_than_the_limit_allows() {
        let mut story = Story::begin(2, Some(30));
        assert_eq!(story.burst(), 30);
        let until = story.0.wait(story.1).unwrap();
        assert!(until >= story.1 + MINUTE, "{:?}", until - story.1);
        story.1 = until;
        for _ in 0..10 {
            story.0.sent(story.1);
        }
        story.later(30);
        assert_eq!(story.burst(), 20, "those half a minute ago count");
    }

    #[test]
    fn a_time_that_is_told_is_kept_to() {
        let mut story = Story::begin(2, None);
        let told = Diagnosis { lifts_after: Some(10 * MINUTE), ..busy() };
        story.0.complained(story.1, story.1, Phase::Mail, &told);
        story.later(599);
        assert_eq!(story.0.paused(story.1).map(|paused| &paused.diagnosis), Some(&told));
        story.later(1);
        assert_eq!(story.0.paused(story.1), None);
    }

    #[test]
    fn too_many_sign_ins_are_not_followed_by_another_with_the_next_mail() {
        let mut story = Story::begin(2, None);
        let mut pauses = Vec::new();
        for _ in 0..3 {
            story.0.complained(story.1, story.1, Phase::Auth, &busy());
            pauses.push(story.0.paused(story.1).unwrap().until.duration_since(story.1).as_secs());
            story.later(pauses[pauses.len() - 1]);
        }
        assert_eq!(pauses, [60, 120, 240]);
        story.0.forget();
        assert_eq!(story.pace(), (2, None), "a person says when to try");
    }

    #[test]
    fn greylisting_of_a_recipient_does_not_slow_the_account() {
        let concerns = |phase, code, text: &'static str| {
            let failure = Failure::Reply { phase, reply: Reply::bare(code, text) };
            let diagnosis = diagnose(&failure, Context { provider: Some("gmail"), ..Context::default() });
            assert_eq!(diagnosis.cause, Cause::Throttle, "{text}");
            concerns_account(&failure, &diagnosis)
        };
        assert!(!concerns(Phase::Recipient, 451, "Greylisting in action, please come back in 5 minutes"));
        assert!(!concerns(Phase::Dot, 451, "4.7.1 Greylisted"));
        assert!(!concerns(Phase::Recipient, 452, "4.2.2 Mailbox full"));
        assert!(!concerns(Phase::Recipient, 450, "The user you are trying to contact is receiving email too quickly."));
        assert!(concerns(Phase::Recipient, 450, "Peak SMTP relay limit exceeded for customer. gsmtp"));
        assert!(concerns(Phase::Mail, 451, "4.7.500 Server busy"));
        assert!(concerns(Phase::Dot, 452, "4.3.1 Insufficient system storage"));
        assert!(concerns(Phase::Auth, 454, "4.7.0 Too many login attempts, please try again later."));
    }
}
