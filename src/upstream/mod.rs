//! A signed-in line to the provider: made when needed, kept while it is of use.
//!
//! [`Upstream`] is one account, ready to connect; [`Line`] is one connection with its dialogue, signed in and ready for
//! a transaction; [`probe`] tries one out for somebody who watches. Guarantees promise 3: no credential leaves before
//! TLS was verified the way the account says.

mod connect;
mod line;
pub mod probe;
mod progress;
pub mod step;

pub use connect::{ConnectError, Upstream};
pub use line::Line;
pub use progress::Progress;
