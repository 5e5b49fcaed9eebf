//! How much a device may send in an hour or a day: rolling windows, so that a runaway device is stopped. Pure: time is an
//! argument.
//!
//! Guarantees that no window of the limit's length ever holds more than the limit, whatever a device does in parallel;
//! that what one limit refuses counts for no other; and that memory is bounded: at most `SLOTS` and two numbers a
//! window, at most `WINDOWS` windows. Counts begun mails, delivered or not. Forgets everything at a restart.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use dashmap::DashMap;

use crate::ids::{DeviceName, ListenerName};
use crate::smtp::reply::Refusal;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
    /// A `MAIL` that was accepted, over an hour.
    Message,
    /// A `RCPT` that was accepted, over a day.
    Recipient,
}

/// Whose limit it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Each device's at this listener.
    Listener(ListenerName),
    /// This login's, wherever it connects.
    Login,
}

/// A limit that applies to a device, and of what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Whose.
    pub scope: Scope,
    /// At most this many.
    pub most: u32,
}

/// A limit is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Over {
    /// Which.
    pub claim: Claim,
    /// Of what.
    pub unit: Unit,
    /// When something fits again.
    pub lifts_in: Duration,
    /// Nobody was told in the last hour, or day.
    pub is_news: bool,
}

/// Every device's windows.
#[derive(Debug, Default)]
pub struct Meters {
    windows: DashMap<Key, Window>,
    /// When idle windows were last forgotten.
    swept: Mutex<Option<Instant>>,
}

type Key = (Scope, DeviceName, Unit);

/// Parts a window is counted in: the next thing fits when the oldest part leaves as a whole.
const SLOTS: u32 = 60;
/// Most windows at once. Beyond it newcomers share one: somebody is making devices up.
const WINDOWS: usize = 20_000;
/// Idle windows are looked for at most this often.
const SWEEP: Duration = Duration::from_mins(1);

impl Unit {
    fn period(self) -> Duration {
        match self {
            Self::Message => Duration::from_hours(1),
            Self::Recipient => Duration::from_hours(24),
        }
    }

    /// The key of the configuration that sets the limit.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Message => "messages_per_hour",
            Self::Recipient => "recipients_per_day",
        }
    }
}

impl Meters {
    /// Counts one for this device under every claim, or under none.
    ///
    /// # Errors
    /// When one of the limits is reached.
    pub fn take(&self, device: &DeviceName, unit: Unit, claims: &[Claim], now: Instant) -> Result<(), Over> {
        for (i, claim) in claims.iter().enumerate() {
            let key = self.key(device, unit, claim, now);
            let mut window = self.windows.entry(key).or_default();
            let Err(lifts_in) = window.take(claim.most, unit.period(), now) else { continue };
            let is_news = window.is_news(unit.period(), now);
            drop(window);
            for earlier in &claims[..i] {
                if let Some(mut window) = self.windows.get_mut(&self.key(device, unit, earlier, now)) {
                    window.give_back();
                }
            }
            return Err(Over { claim: claim.clone(), unit, lifts_in, is_news });
        }
        Ok(())
    }

    fn key(&self, device: &DeviceName, unit: Unit, claim: &Claim, now: Instant) -> Key {
        let key = (claim.scope.clone(), device.clone(), unit);
        if self.windows.len() < WINDOWS || self.windows.contains_key(&key) {
            return key;
        }
        self.sweep(now);
        if self.windows.len() < WINDOWS { key } else { (claim.scope.clone(), "others/all".into(), unit) }
    }

    fn sweep(&self, now: Instant) {
        let Ok(mut swept) = self.swept.try_lock() else { return };
        if swept.is_none_or(|at| now.saturating_duration_since(at) >= SWEEP) {
            *swept = Some(now);
            self.windows.retain(|(_, _, unit), window| !window.is_idle(unit.period(), now));
        }
    }
}

/// What was counted lately, oldest first.
#[derive(Debug, Default)]
struct Window {
    slots: VecDeque<Slot>,
    told: Option<Instant>,
}

#[derive(Debug)]
struct Slot {
    first: Instant,
    last: Instant,
    count: u32,
}

impl Window {
    /// Counts one, or says how long it takes until one fits.
    fn take(&mut self, most: u32, period: Duration, now: Instant) -> Result<(), Duration> {
        self.forget(period, now);
        let taken: u32 = self.slots.iter().map(|slot| slot.count).sum();
        if let Some(oldest) = self.slots.front().filter(|_| taken >= most) {
            return Err((oldest.last + period).saturating_duration_since(now));
        }
        match self.slots.back_mut() {
            Some(slot) if now.saturating_duration_since(slot.first) < period / SLOTS => {
                slot.last = slot.last.max(now);
                slot.count += 1;
            }
            _ => self.slots.push_back(Slot { first: now, last: now, count: 1 }),
        }
        Ok(())
    }

    /// Takes the latest one back.
    fn give_back(&mut self) {
        if let Some(slot) = self.slots.back_mut() {
            slot.count -= 1;
            if slot.count == 0 {
                self.slots.pop_back();
            }
        }
    }

    fn forget(&mut self, period: Duration, now: Instant) {
        while self.slots.front().is_some_and(|slot| slot.last + period <= now) {
            self.slots.pop_front();
        }
    }

    fn is_news(&mut self, period: Duration, now: Instant) -> bool {
        let news = self.told.is_none_or(|told| told + period <= now);
        if news {
            self.told = Some(now);
        }
        news
    }

    fn is_idle(&mut self, period: Duration, now: Instant) -> bool {
        self.forget(period, now);
        self.slots.is_empty()
    }
}

impl Over {
    /// What the device hears. 451 and 450 are the codes RFC 5321 §4.3.2 has for MAIL and RCPT; 452 would let it send the
    /// rest at once.
    #[must_use]
    pub fn refusal(&self) -> Refusal {
        let code = match self.unit {
            Unit::Message => 451,
            Unit::Recipient => 450,
        };
        Refusal::new(code, 7, 0, format!("{self}, try again in {}", rounded(self.lifts_in)))
    }
}

impl fmt::Display for Over {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, time) = match self.unit {
            Unit::Message => ("message", "an hour"),
            Unit::Recipient => ("recipient", "a day"),
        };
        let plural = if self.claim.most == 1 { "" } else { "s" };
        write!(f, "This device has reached its limit of {} {what}{plural} {time}", self.claim.most)
    }
}

/// In whole minutes or hours, never too short.
fn rounded(time: Duration) -> String {
    let minutes = time.as_secs().div_ceil(60).max(1);
    match minutes {
        1 => "1 minute".into(),
        2..=119 => format!("{minutes} minutes"),
        _ => format!("{} hours", minutes.div_ceil(60)),
    }
}

#[cfg(test)]
mod tests;
