//! Conversations as tests: files a postmaster can read, played against both sides of SMTP.

pub mod client;
pub mod coverage;
#[path = "../octets.rs"]
pub mod octets;
pub mod replay;
pub mod script;
pub mod server;
