//! The program: exit code, nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    posthouse::cli::run()
}
