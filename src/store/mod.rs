//! Storage, behind the ports of the rooms that need it.
//!
//! [`mod@file`] holds what must survive a restart and is small: one file, replaced as a whole. [`sqlite`] holds the
//! queue: a database, and large bodies in files beside it. Nothing here knows what the records mean.

pub mod file;
pub mod sqlite;
