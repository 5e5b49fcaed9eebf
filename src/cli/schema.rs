//! `posthouse schema`: the JSON Schema of the configuration file on standard output.
//!
//! The same for every machine; reads no configuration.

use std::io::Write;
use std::process::ExitCode;

use super::EX_IOERR;
use crate::config;

/// Prints it.
#[must_use]
pub fn run() -> ExitCode {
    let text = format!("{:#}\n", config::schema());
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(EX_IOERR),
    }
}
