//! Chance, so that many relays do not ask at once. Nothing secret is made of it.
//!
//! Without randomness in the system things are merely less spread; nothing fails.

use std::time::Duration;

/// Any number.
#[must_use]
pub fn chance() -> u8 {
    let mut octet = [0];
    let _ = getrandom::fill(&mut octet);
    octet[0]
}

/// Somewhere between nothing and all of it.
#[must_use]
pub fn by_chance(most: Duration) -> Duration {
    most / 255 * u32::from(chance())
}

/// The wait, up to a fifth shorter or longer.
#[must_use]
pub fn spread(wait: Duration, chance: u8) -> Duration {
    wait * 4 / 5 + wait * 2 / 5 * u32::from(chance) / 255
}
