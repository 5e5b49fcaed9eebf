//! The front door.
pub mod policy;
