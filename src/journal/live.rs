//! The sessions now open: the only such table. Caps and dismissal are decided here because only here all are known.
//!
//! Guarantees that no more sessions stay than the caps allow, however many come at the same moment, and that room is
//! made by dismissing the oldest session that is idle before MAIL, never one that carries mail (promise 10). Who was
//! dismissed stands in the table, and counts, until it has gone.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use dashmap::DashMap;
use tokio::sync::Notify;

use crate::ids::{DeviceName, ListenerName, SessionId};

/// What is known of an open session.
#[derive(Debug, Clone)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Where it came in.
    pub listener: ListenerName,
    /// Whose it is, as known when it opened (by source).
    pub device: DeviceName,
    /// Its peer.
    pub peer: IpAddr,
    /// Since when.
    pub opened: Instant,
    signal: Arc<Signal>,
}

#[derive(Debug)]
struct Signal {
    /// Before MAIL, so that it may be dismissed.
    idle: AtomicBool,
    dismissed: AtomicBool,
    bell: Notify,
}

/// The table.
#[derive(Debug, Default)]
pub struct Live {
    sessions: DashMap<SessionId, Session>,
    devices: DashMap<DeviceName, usize>,
    /// Held from counting to taking the place, so that nobody takes the same one; leaving only makes more room.
    admission: Mutex<()>,
    /// Everyone is asked to end, whoever comes late as well.
    ending: AtomicBool,
}

/// A place in the table; dropping it gives the place back.
#[derive(Debug)]
pub struct Seat<'a> {
    table: &'a Live,
    session: Session,
}

/// Why nobody more is admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// All places are taken by sessions that carry mail.
    All,
    /// This device's places are.
    Device,
}

impl Live {
    /// Admits a session, making room if need be.
    ///
    /// # Errors
    /// When there is no room and none can be made.
    pub fn admit(
        &self,
        listener: &ListenerName,
        device: &DeviceName,
        peer: IpAddr,
        caps: (usize, usize),
        now: Instant,
    ) -> Result<Seat<'_>, Full> {
        let (most, most_of_device) = caps;
        let _one_at_a_time = self.admission.lock().unwrap_or_else(PoisonError::into_inner);
        let of_device = self.devices.get(device).map_or(0, |count| *count);
        let mut room = self.sessions.len() < most;
        if of_device >= most_of_device {
            // Whoever fills its own share makes room from its own.
            room = self.dismiss_oldest(|s| s.device == *device);
            if !room {
                return Err(Full::Device);
            }
        }
        if !room && !self.dismiss_oldest(|_| true) {
            return Err(Full::All);
        }
        let signal = Signal { idle: AtomicBool::new(true), dismissed: AtomicBool::new(false), bell: Notify::new() };
        let (listener, device) = (listener.clone(), device.clone());
        let session = Session { id: SessionId::new(), listener, device, peer, opened: now, signal: Arc::new(signal) };
        *self.devices.entry(session.device.clone()).or_default() += 1;
        self.sessions.insert(session.id, session.clone());
        // After the insertion: `dismiss_all` either finds the session in the table or is seen here.
        if self.ending.load(Ordering::SeqCst) {
            session.signal.dismiss();
        }
        Ok(Seat { table: self, session })
    }

    /// How many are open.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// Asks every session to end as soon as it owes nothing, now and from now on.
    pub fn dismiss_all(&self) {
        self.ending.store(true, Ordering::SeqCst);
        self.sessions.iter().for_each(|session| session.signal.dismiss());
    }

    /// The one chosen frees its place when its task has ended; it is not chosen twice.
    fn dismiss_oldest(&self, which: impl Fn(&Session) -> bool) -> bool {
        let candidate = |s: &Session| which(s) && s.signal.idle.load(Ordering::Acquire) && !s.signal.is_dismissed();
        let oldest = self.sessions.iter().filter(|s| candidate(s)).min_by_key(|s| s.opened).map(|s| s.clone());
        oldest.inspect(|session| session.signal.dismiss()).is_some()
    }
}

impl Signal {
    fn dismiss(&self) {
        self.dismissed.store(true, Ordering::Release);
        self.bell.notify_one();
    }

    fn is_dismissed(&self) -> bool {
        self.dismissed.load(Ordering::Acquire)
    }
}

impl Seat<'_> {
    /// The session that sits here.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Says whether the session may be dismissed to make room.
    pub fn set_idle(&self, idle: bool) {
        self.session.signal.idle.store(idle, Ordering::Release);
    }

    /// Resolves when the session is asked to end; again and again, until it does.
    pub async fn dismissed(&self) {
        while !self.session.signal.is_dismissed() {
            self.session.signal.bell.notified().await;
        }
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.table.sessions.remove(&self.session.id);
        self.table.devices.remove_if_mut(&self.session.device, |_, count| {
            *count -= 1;
            *count == 0
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admit<'a>(live: &'a Live, device: &str) -> Result<Seat<'a>, Full> {
        live.admit(&"local".into(), &device.into(), "127.0.0.1".parse().unwrap(), (3, 2), Instant::now())
    }

    #[tokio::test]
    async fn the_oldest_idle_session_of_the_device_makes_room() {
        let live = Live::default();
        let first = admit(&live, "fax").unwrap();
        let second = admit(&live, "fax").unwrap();
        let honest = admit(&live, "scanner").unwrap();
        first.set_idle(false);
        let third = admit(&live, "fax").unwrap();
        second.dismissed().await;
        assert!(!honest.session.signal.is_dismissed(), "another device does not pay for it");
        assert!(!first.session.signal.is_dismissed(), "it carries mail");
        drop((first, second, honest, third));
        assert!(live.is_empty() && live.devices.is_empty());
    }

    /// What one has counted, another must not change before the first has taken its place.
    #[test]
    fn the_caps_hold_when_many_come_at_the_same_moment() {
        const DEVICES: [&str; 3] = ["fax", "scanner", "nas"];
        for _ in 0..500 {
            let (live, start) = (Live::default(), std::sync::Barrier::new(3 * DEVICES.len()));
            let come = |device| {
                start.wait();
                admit(&live, device)
            };
            let seats: Vec<Seat> = std::thread::scope(|scope| {
                let devices = [DEVICES; 3].into_iter().flatten();
                let callers: Vec<_> = devices.map(|device| scope.spawn(|| come(device))).collect();
                callers.into_iter().filter_map(|caller| caller.join().unwrap().ok()).collect()
            });
            let staying = seats.iter().map(Seat::session).filter(|session| !session.signal.is_dismissed());
            let staying: Vec<&str> = staying.map(|session| session.device.as_str()).collect();
            assert!((1..=3).contains(&staying.len()), "{staying:?} of {} that were admitted", seats.len());
            for device in DEVICES {
                assert!(staying.iter().filter(|&&one| one == device).count() <= 2, "{staying:?}");
            }
        }
    }

    #[tokio::test]
    async fn who_comes_after_everybody_was_dismissed_is_dismissed_at_once() {
        let live = Live::default();
        live.dismiss_all();
        admit(&live, "late").unwrap().dismissed().await;
    }

    #[test]
    fn sessions_that_carry_mail_are_never_dismissed() {
        let live = Live::default();
        let (a, b) = (admit(&live, "fax").unwrap(), admit(&live, "fax").unwrap());
        a.set_idle(false);
        b.set_idle(false);
        assert_eq!(admit(&live, "fax").unwrap_err(), Full::Device);
        assert!(admit(&live, "scanner").is_ok(), "another device is not concerned");
    }
}
