//! A diagnosis of the run before this one.
//!
//! Codes are words of the program's own; those read back from the disk become so too, each once, and live as long as
//! the process: a few dozen octets for each account, at the start. What they say is what was written.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use super::Diagnosis;
use crate::words::Cause;

static CODES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

impl Diagnosis {
    /// As it was written down.
    #[must_use]
    pub fn recalled(code: &str, cause: Cause, sentence: String, cure: String) -> Self {
        Self::new(own(code), cause, sentence, cure)
    }
}

fn own(code: &str) -> &'static str {
    // Whole codes go in or nothing does.
    let mut codes = CODES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = codes.get(code) {
        return known;
    }
    let code: &'static str = Box::leak(code.into());
    codes.insert(code);
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_becomes_the_programs_own_once() {
        let recalled = || Diagnosis::recalled("invalid_grant", Cause::Account, "No.".into(), "Help.".into());
        assert_eq!(recalled(), Diagnosis::new("invalid_grant", Cause::Account, "No.", "Help."));
        assert!(std::ptr::eq(recalled().code, recalled().code));
    }
}
