//! Stand-in: finds the watched secrets as they are, and makes text fit for a log.

use crate::secret::Secret;

/// Knows the secrets a stage has sent.
#[derive(Default)]
pub struct Redactor {
    watched: Vec<Secret>,
}

impl Redactor {
    /// Knows nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Looks for this secret from now on.
    pub fn watch(&mut self, secret: &Secret) {
        if secret.expose().len() >= 6 {
            self.watched.push(secret.clone());
        }
    }

    /// The text without any watched secret.
    #[must_use]
    pub fn clean(&self, octets: &[u8]) -> String {
        let mut text = String::from_utf8_lossy(octets).into_owned();
        for secret in &self.watched {
            text = text.replace(secret.expose(), "[secret]");
        }
        text
    }
}
