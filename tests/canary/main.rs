//! Promise 4: no secret in any log, transcript, error, metric, panic, notice or debug print.
//!
//! Secrets are planted in every mechanism and in every wrong place, and looked for, in every dress, in all that was
//! ever printed: the log at every level and in both formats, replies, reports, debug prints, and what the program
//! itself wrote. First it is shown that a secret leaked on purpose is found (`leak`).

#[cfg(unix)]
mod control;
mod detector;
mod devices;
mod ears;
mod kept;
mod leak;
mod notices;
mod panic;
mod prints;
mod program;
mod proxies;
mod sources;
mod stage;
mod strangers;
mod token;
mod upstream;
