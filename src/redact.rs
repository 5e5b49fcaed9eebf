//! Takes secrets out of text that came from outside, before it becomes a reply, a log line or a transcript.
//!
//! A [`Redactor`] is told which secrets were sent; [`Redactor::clean`] makes printable text of octets and puts a
//! placeholder where one of them stands. Secrets under six octets are not looked for: they would be found everywhere.

use crate::secret::Secret;

const SHORTEST: usize = 6;

/// The secrets that one stage has sent.
#[derive(Debug, Default)]
pub struct Redactor(Vec<Secret>);

impl Redactor {
    /// Watches for nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Watches for this secret from now on.
    pub fn watch(&mut self, secret: &Secret) {
        if secret.expose().len() >= SHORTEST {
            self.0.push(secret.clone());
        }
    }

    /// The octets as printable text without the secrets.
    #[must_use]
    pub fn clean(&self, octets: &[u8]) -> String {
        let mut text = String::from_utf8_lossy(octets).into_owned();
        for secret in &self.0 {
            text = text.replace(secret.expose(), "[hidden]");
        }
        text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
    }
}
