//! `posthouse schema`: the JSON Schema of the configuration file on standard output.
//!
//! The same for every machine; reads no configuration.

use std::process::ExitCode;

use crate::config;

/// Prints it.
#[must_use]
pub fn run() -> ExitCode {
    super::print(&format!("{:#}\n", config::schema()), 0)
}
