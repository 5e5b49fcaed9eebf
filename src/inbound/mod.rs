//! The front door: listeners, sessions, and what a device may do.
//!
//! One task per listener accepts, one per connection speaks. Guarantees promise 8 (only guarded addresses are bound,
//! only allowed sources are spoken to), the caps of promise 10, and that a body is answered 250 only with the queue's
//! proof. Knows nothing of providers.

pub mod door;
pub mod limits;
mod message;
pub mod policy;
pub mod redirect;
mod session;
pub mod settings;
