//! Chance, so that many relays do not ask at once. Nothing secret is made of it.
//!
//! Without randomness in the system things are merely less spread; nothing fails.

use std::time::Duration;

/// Any number.
pub(super) fn chance() -> u8 {
    let mut octet = [0];
    let _ = getrandom::fill(&mut octet);
    octet[0]
}

/// Somewhere between nothing and all of it.
#[must_use]
pub fn by_chance(most: Duration) -> Duration {
    most / 255 * u32::from(chance())
}
