//! Storage, behind the ports of the rooms that need it.
//!
//! [`mod@file`] holds what must survive a restart and is small: one file, replaced as a whole. Nothing here knows what
//! the records mean.

pub mod file;
