//! Whether the next envelope may leave behind the dot (RFC 2920 §3.1), by what the provider has shown.
//!
//! A server that takes so many messages a connection ends it at the envelope that is one too many; a proxy then may lose
//! the reply to the dot in front of it, and that mail is uncertain for nothing. Guarantees that no envelope rides before
//! one has been taken on its own where another message went before, nor where a line once ended. Touches no socket and
//! no clock.

use std::time::{Duration, Instant};

/// How long nothing rides after a server lost or misunderstood an envelope, or was slow with the reply before it.
const PAUSE: Duration = Duration::from_mins(10);

/// What is known of a provider that offers PIPELINING. Places on a line are counted from 1.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    bears: Bears,
    paused_until: Option<Instant>,
}

#[derive(Debug, Default)]
enum Bears {
    /// No line has carried a second message yet.
    #[default]
    Unknown,
    /// More than one message on a line, and no end of it was seen.
    Any,
    /// A line ended behind this place.
    UpTo(u32),
}

impl Ahead {
    /// Whether an envelope may ride at this place of a line.
    pub fn may_ride(&self, place: u32, now: Instant) -> bool {
        let is_paused = self.paused_until.is_some_and(|until| now < until);
        !is_paused
            && match self.bears {
                Bears::Unknown => false,
                Bears::Any => true,
                Bears::UpTo(last) => place <= last,
            }
    }

    /// The provider took the envelope at this place.
    pub fn taken(&mut self, place: u32) {
        match self.bears {
            Bears::Unknown if place > 1 => self.bears = Bears::Any,
            // It had only been idle for too long then.
            Bears::UpTo(last) if place > last => self.bears = Bears::UpTo(place),
            _ => {}
        }
    }

    /// The line ended when the envelope at this place had been said.
    pub fn ended_at(&mut self, place: u32) {
        self.bears = Bears::UpTo(place.saturating_sub(1));
    }

    /// An envelope that rode was lost, or waited for too long.
    pub fn pause(&mut self, now: Instant) {
        self.paused_until = Some(now + PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_rides_until_a_second_message_was_taken_on_its_own() {
        let (mut ahead, now) = (Ahead::default(), Instant::now());
        ahead.taken(1);
        assert!(!ahead.may_ride(2, now));
        ahead.taken(2);
        assert!(ahead.may_ride(2, now) && ahead.may_ride(100, now));
    }

    #[test]
    fn nothing_rides_where_a_line_ended_until_one_was_taken_there_on_its_own() {
        let (mut ahead, now) = (Ahead::default(), Instant::now());
        ahead.taken(2);
        ahead.ended_at(11);
        assert!(ahead.may_ride(10, now) && !ahead.may_ride(11, now));
        ahead.taken(2);
        assert!(!ahead.may_ride(11, now));
        ahead.taken(11);
        assert!(ahead.may_ride(11, now) && !ahead.may_ride(12, now));
    }

    #[test]
    fn a_pause_ends() {
        let (mut ahead, now) = (Ahead::default(), Instant::now());
        ahead.taken(2);
        ahead.pause(now);
        assert!(!ahead.may_ride(2, now + PAUSE / 2));
        assert!(ahead.may_ride(2, now + PAUSE));
    }
}
