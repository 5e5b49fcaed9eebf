//! How many recipients an account may still send to: `limits.recipients_per_day`, in any 24 hours. Pure.
//!
//! What went out counts in spans of ten minutes, and each span as long as its last moment does, so that the limit holds
//! in every 24 hours and not only from midnight to midnight. Nothing is used before it is reserved: a block is written
//! ahead, and may be used only within the span it was written for. After a crash the whole block counts as used.
//! Spans are measured with the steady clock; the wall clock counts only from one run to the next, where one that was
//! set back counts as standing still. That it was set forward while nothing ran cannot be told from time going by.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::net::clock::Moment;

/// What counts together, and how long a block may be used.
const SPAN: Duration = Duration::from_mins(10);
/// How long it counts after that.
const DAY: Duration = Duration::from_hours(24);
/// How far the two clocks may drift apart before what is written is out of date.
const DRIFT: Duration = Duration::from_secs(2);

/// The budget of one account.
#[derive(Debug)]
pub struct Budget {
    limit: u32,
    /// Oldest first.
    spans: VecDeque<Span>,
    block: Option<Block>,
    /// What is being written ahead; it may not be used yet.
    ahead: Option<Block>,
    written: Moment,
}

/// What was used within ten minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    /// From then on it does not count any more: a day after its end.
    counts_until: Instant,
    used: u32,
}

/// What is reserved and not used yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Block {
    /// The span it belongs to.
    counts_until: Instant,
    left: u32,
}

/// The budget as it lies on the disk: what was used, and what is reserved, which counts as used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// When.
    at: Timestamp,
    /// For so many seconds from then on, so many count.
    spans: Vec<(u64, u32)>,
}

/// What asking for some recipients led to.
#[derive(Debug, PartialEq, Eq)]
pub enum Asked {
    /// They may go.
    Granted(Taken),
    /// Not so many are reserved: [`Budget::write_ahead`] first, and another try.
    NotReserved,
    /// Too many went already: the next try makes sense then.
    UsedUp(Instant),
}

/// Recipients that may go out.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "what does not go out is given back"]
pub struct Taken {
    counts_until: Instant,
    count: u32,
}

impl Budget {
    /// With what is known of the last run. At most `limit` recipients in any 24 hours.
    #[must_use]
    pub fn new(limit: u32, written: Option<&Written>, now: Moment) -> Self {
        let spans = written.map(|written| written.spans(now)).unwrap_or_default();
        Self { limit, spans, block: None, ahead: None, written: now }
    }

    /// Asks for so many. More than the limit allows at all have leave once nothing else went out for a day: a mail is
    /// split where it would be larger, so only one stored under a larger limit can be.
    pub fn take(&mut self, count: u32, now: Moment) -> Asked {
        self.forget(now.steady);
        let used = self.used(now.steady);
        if used > 0 && used.saturating_add(count) > self.limit {
            return Asked::UsedUp(self.fits_at(count, now.steady));
        }
        let counts_until = self.counts_until(now.steady);
        let block = self.block.filter(|block| block.counts_until == counts_until);
        let left = block.map_or(0, |block| block.left);
        let Some(left) = left.checked_sub(count) else { return Asked::NotReserved };
        self.block = Some(Block { counts_until, left });
        self.add(counts_until, count);
        Asked::Granted(Taken { counts_until, count })
    }

    /// What is to be durable before so many can be taken; then [`Self::reserved`]. Nothing where so many are reserved.
    pub fn write_ahead(&mut self, count: u32, now: Moment) -> Option<Written> {
        self.forget(now.steady);
        let counts_until = self.counts_until(now.steady);
        let left = self.block.filter(|block| block.counts_until == counts_until).map_or(0, |block| block.left);
        let needed = count.checked_sub(left).filter(|needed| *needed > 0)?;
        // One in a hundred: what a crash may cost. At least what is asked for, at most what is left.
        let most = self.limit.saturating_sub(self.used(now.steady)).saturating_sub(left);
        let left = (self.limit / 100).clamp(1, 100).min(most).max(needed);
        self.ahead = Some(Block { counts_until, left });
        Some(self.write(now))
    }

    /// What was written ahead lies on the disk.
    pub fn reserved(&mut self) {
        let Some(ahead) = self.ahead.take() else { return };
        let block = self.block.filter(|block| block.counts_until == ahead.counts_until);
        self.block = Some(Block { left: ahead.left + block.map_or(0, |block| block.left), ..ahead });
    }

    /// So many of what was taken did not go out.
    pub fn give_back(&mut self, taken: &Taken, count: u32) {
        let count = count.min(taken.count);
        if let Some(span) = self.spans.iter_mut().find(|span| span.counts_until == taken.counts_until) {
            span.used = span.used.saturating_sub(count);
        }
        // It is still reserved, as long as its block may be used.
        if let Some(block) = self.block.as_mut().filter(|block| block.counts_until == taken.counts_until) {
            block.left += count;
        }
    }

    /// So many have gone out in the last 24 hours.
    #[must_use]
    pub fn used(&self, now: Instant) -> u32 {
        let counts = self.spans.iter().filter(|span| span.counts_until > now);
        counts.fold(0, |sum, span| sum.saturating_add(span.used))
    }

    /// The most in any 24 hours.
    #[must_use]
    pub fn limit(&self) -> u32 {
        self.limit
    }

    /// Whether the wall clock was moved since it was last written: then the next run would misread it.
    #[must_use]
    pub fn is_out_of_date(&self, now: Moment) -> bool {
        self.written.wall_at(now.steady).duration_until(now.wall).unsigned_abs() > DRIFT
    }

    /// As it is to lie on the disk from now on; what is reserved stays so.
    pub fn write(&mut self, now: Moment) -> Written {
        self.forget(now.steady);
        self.written = now;
        let counts_until = self.counts_until(now.steady);
        // What is left of a block whose time is over can never be used.
        let blocks = [self.block, self.ahead].into_iter().flatten().filter(|block| block.counts_until == counts_until);
        let reserved = blocks.map(|block| Span { counts_until, used: block.left });
        let spans = self.spans.iter().copied().chain(reserved).filter(|span| span.used > 0).map(|span| {
            let left = span.counts_until.saturating_duration_since(now.steady);
            // Rounded up: it counts rather too long.
            (left.as_secs() + 1, span.used)
        });
        Written { at: now.wall, spans: spans.collect() }
    }

    /// As it is to lie on the disk when this run ends: nothing is reserved any more.
    pub fn close(&mut self, now: Moment) -> Written {
        (self.block, self.ahead) = (None, None);
        self.write(now)
    }

    /// What no longer counts is forgotten.
    fn forget(&mut self, now: Instant) {
        self.spans.retain(|span| span.counts_until > now);
    }

    /// The span that `now` lies in, by when it counts until. Spans lie where the first of this run put them.
    fn counts_until(&self, now: Instant) -> Instant {
        match self.spans.back() {
            Some(last) if now + DAY < last.counts_until => last.counts_until,
            _ => [self.block, self.ahead]
                .into_iter()
                .flatten()
                .map(|block| block.counts_until)
                .find(|counts_until| now + DAY < *counts_until)
                .unwrap_or(now + SPAN + DAY),
        }
    }

    fn add(&mut self, counts_until: Instant, count: u32) {
        match self.spans.back_mut().filter(|last| last.counts_until == counts_until) {
            Some(last) => last.used += count,
            None => self.spans.push_back(Span { counts_until, used: count }),
        }
    }

    /// When so many fit again.
    fn fits_at(&self, count: u32, now: Instant) -> Instant {
        let mut left = self.used(now);
        let room = self.limit.saturating_sub(count);
        let freed = self.spans.iter().find(|span| {
            left = left.saturating_sub(span.used);
            left <= room
        });
        // Something was used, or it would have fitted: there is a last span.
        freed.or(self.spans.back()).map_or(now, |span| span.counts_until)
    }
}

impl Written {
    fn spans(&self, now: Moment) -> VecDeque<Span> {
        let gone = Duration::try_from(self.at.duration_until(now.wall)).unwrap_or_default();
        let longest = DAY + SPAN + Duration::from_secs(1);
        let mut spans: Vec<Span> = self
            .spans
            .iter()
            .map(|&(left, used)| (Duration::from_secs(left).min(longest).saturating_sub(gone), used))
            .filter(|(left, _)| !left.is_zero())
            .map(|(left, used)| Span { counts_until: now.steady + left, used })
            .collect();
        spans.sort_by_key(|span| span.counts_until);
        spans.into()
    }
}

#[cfg(test)]
mod tests;
