//! How the accounts stand, as commands and programs are told: the sign-in, and what a person must do by when.
//!
//! Travels as JSON over `control.sock` and out of `posthouse accounts --json`: a field once there keeps its name and its
//! meaning. Holds no secret.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::account::status::Status;
use crate::account::warning::Warning;

/// One account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// How its sign-in stands.
    #[serde(flatten)]
    pub status: Status,
    /// What will end it, the most urgent first.
    pub warnings: Vec<Advice>,
}

/// One thing that will go wrong, or has: a [`Warning`] as it travels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advice {
    /// The same for the same kind of warning for ever.
    pub code: String,
    /// What will happen, and when.
    pub sentence: String,
    /// What to do.
    pub cure: String,
    /// By when; nothing if it has happened.
    pub due: Option<Timestamp>,
}

impl From<Warning> for Advice {
    fn from(Warning { code, sentence, cure, due }: Warning) -> Self {
        Self { code: code.to_owned(), sentence, cure, due }
    }
}
