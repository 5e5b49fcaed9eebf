//! A bounded shelf for what was handed out: found by the secret that leads there, which is itself not kept.
//!
//! It knows the SHA-256 of each secret. When it is full, the oldest things fall off.

use std::collections::VecDeque;

use crate::secret::Secret;

const ROOM: usize = 10_000;

/// Things that a secret leads to; the secrets themselves are not kept.
#[derive(Debug)]
pub(super) struct Shelf<T>(VecDeque<(String, T)>);

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T> Shelf<T> {
    pub(super) fn put(&mut self, secret: &Secret, thing: T) {
        if self.0.len() == ROOM {
            self.0.pop_front();
        }
        self.0.push_back((secret.fingerprint(), thing));
    }

    pub(super) fn get(&mut self, secret: &Secret) -> Option<&mut T> {
        let wanted = secret.fingerprint();
        self.0.iter_mut().rev().find(|(own, _)| *own == wanted).map(|(_, thing)| thing)
    }

    pub(super) fn take(&mut self, secret: &Secret) -> Option<T> {
        let wanted = secret.fingerprint();
        let at = self.0.iter().position(|(own, _)| *own == wanted)?;
        self.0.remove(at).map(|(_, thing)| thing)
    }

    pub(super) fn all(&mut self) -> impl Iterator<Item = &mut T> {
        self.0.iter_mut().map(|(_, thing)| thing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_falls_off_a_full_shelf() {
        let secret = |n: usize| Secret::new(n.to_string());
        let mut shelf = Shelf::default();
        for n in 0..=ROOM {
            shelf.put(&secret(n), n);
        }
        assert_eq!(shelf.get(&secret(0)), None);
        assert_eq!(shelf.take(&secret(1)), Some(1));
        assert_eq!((shelf.take(&secret(1)), shelf.get(&secret(ROOM))), (None, Some(&mut ROOM.clone())));
    }
}
