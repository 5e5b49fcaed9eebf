//! What the machine says about itself: its name, its gateway, and the signal to end.
//!
//! Each answer may be missing; then there is a fallback, or nothing. Asks nobody on the network.

use std::net::Ipv4Addr;

use crate::config::Config;
use crate::net::gateway;

/// The network's default gateway, where the system shows it (Linux).
#[must_use]
pub fn default_gateway() -> Option<Ipv4Addr> {
    gateway::read(&std::fs::read_to_string("/proc/net/route").ok()?)
}

/// This machine's name towards devices and providers.
#[must_use]
pub fn hostname(config: &Config) -> String {
    config.hostname.clone().unwrap_or_else(machine_name)
}

/// What the operating system calls this machine; `localhost` if it says nothing.
#[must_use]
pub fn machine_name() -> String {
    let asked = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let asked = asked.or_else(|| std::env::var("COMPUTERNAME").ok()).unwrap_or_default();
    let name = asked.trim();
    if name.is_empty() { "localhost".into() } else { name.to_owned() }
}

/// The signal by which service managers and container runtimes end a process.
#[cfg(unix)]
#[must_use]
pub fn terminate_signal() -> Option<tokio::signal::unix::Signal> {
    tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).ok()
}
