//! How much there is, counted along with each commit, so that whoever keeps to a limit need not ask the disk.
//!
//! Counted before the caller hears of his commit: who stores a message finds it counted. Grows with the number of
//! devices that have something stored.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::ids::DeviceName;
use crate::queue::store::{Load, Stock};

/// A message that came or went.
#[derive(Debug)]
pub(super) enum Moved {
    /// Of this device, so many octets.
    In(DeviceName, u64),
    /// Likewise.
    Out(DeviceName, u64),
}

/// Messages and octets.
#[derive(Debug)]
pub(super) struct Tally(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    all: (u64, u64),
    by_device: HashMap<DeviceName, (u64, u64)>,
}

impl Tally {
    /// What is there at the beginning.
    pub(super) fn new(stock: Stock) -> Self {
        let add = |sum: (u64, u64), one: &(u64, u64)| (sum.0 + one.0, sum.1 + one.1);
        let all = stock.by_device.values().fold((0, 0), add);
        Self(Mutex::new(Counts { all, by_device: stock.by_device }))
    }

    /// A commit is durable.
    pub(super) fn count(&self, moved: Vec<Moved>) {
        // A panic in between would only be a count that is a little wrong.
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for moved in moved {
            counts.count(moved);
        }
    }

    pub(super) fn load(&self, device: &DeviceName) -> Load {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Load { all: counts.all, of_device: counts.by_device.get(device).copied().unwrap_or_default() }
    }
}

impl Counts {
    fn count(&mut self, moved: Moved) {
        let step = |sum: &mut (u64, u64), octets: u64| *sum = (sum.0 + 1, sum.1 + octets);
        let back = |sum: &mut (u64, u64), octets: u64| *sum = (sum.0.saturating_sub(1), sum.1.saturating_sub(octets));
        match moved {
            Moved::In(device, octets) => {
                step(&mut self.all, octets);
                step(self.by_device.entry(device).or_default(), octets);
            }
            Moved::Out(device, octets) => {
                back(&mut self.all, octets);
                let of_device = self.by_device.entry(device.clone()).or_default();
                back(of_device, octets);
                if of_device.0 == 0 {
                    self.by_device.remove(&device);
                }
            }
        }
    }
}
