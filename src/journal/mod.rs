//! What happened: one typed event stream, written to the log.
//!
//! Every room calls [`Journal::record`], sideways: it never waits and never fails the mail. Events hold no secret by
//! type: replies and failures were cleaned when they became text. At `info` one line per message says who, to whom,
//! size, account, reply and time; at `debug` the transcripts of both sides follow. Text or JSON is the subscriber's
//! choice (`log`); the fields are the same.

mod event;
mod kept;
mod line;
pub mod live;
pub mod log;
mod masks;
mod pace;

use std::sync::Arc;

use dashmap::DashSet;

use crate::ids::DeviceName;
use crate::smtp::quirk::Quirk;
use crate::smtp::trace::{Side, Trace};

pub use event::{Event, Standing, Stored, named};
pub use kept::Kept;
pub use line::MessageLine;
use live::Live;
pub use masks::Masks;
pub use pace::Pace;

/// The handle every room has; clones share everything.
#[derive(Debug, Clone, Default)]
pub struct Journal {
    masks: Masks,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    live: Live,
    /// What was tolerated of whom and has been said; bounded by [`QUIRKS_REMEMBERED`].
    quirks: DashSet<(DeviceName, u8)>,
}

/// Beyond this many (device, quirk) pairs nothing new is said: someone is making devices up.
const QUIRKS_REMEMBERED: usize = 10_000;

impl Journal {
    /// The same, which leaves this out.
    #[must_use]
    pub fn masking(self, masks: Masks) -> Self {
        Self { masks, ..self }
    }

    /// Records what happened.
    #[allow(clippy::needless_pass_by_value, reason = "an event is given away; later it goes to storage as well")]
    pub fn record(&self, event: Event<'_>) {
        if let Event::Quirk { device, quirk } = &event
            && !quirk.is_refused()
            && !self.is_new(device, *quirk)
        {
            return;
        }
        event.log(self.masks);
    }

    /// The sessions now open.
    #[must_use]
    pub fn live(&self) -> &Live {
        &self.shared.live
    }

    /// Whether transcripts are worth keeping.
    #[must_use]
    pub fn wants_transcripts(&self) -> bool {
        tracing::enabled!(target: "posthouse::transcript", tracing::Level::DEBUG)
    }

    /// Writes the lines of a dialogue down: `C:` is the client, `S:` the server, `--` a remark.
    pub fn transcript(&self, trace: &Trace) {
        for line in trace.lines() {
            let arrow = match line.side {
                Side::Client => "C:",
                Side::Server => "S:",
                Side::Note => "--",
            };
            let at = line.at.as_millis();
            tracing::debug!(target: "posthouse::transcript", at_ms = u64::try_from(at).unwrap_or(u64::MAX), "{arrow} {}", self.masks.text(line.text));
        }
        if trace.dropped() > 0 {
            tracing::debug!(target: "posthouse::transcript", "-- {} more lines were not kept", trace.dropped());
        }
    }

    fn is_new(&self, device: &DeviceName, quirk: Quirk) -> bool {
        self.shared.quirks.len() < QUIRKS_REMEMBERED && self.shared.quirks.insert((device.clone(), quirk as u8))
    }
}
