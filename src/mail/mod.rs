//! What a message is: addresses, the envelope, the header as bytes, the stamps and signatures we put on it, what an
//! account changes in it, what its body is made of, a sample, and the notice that something was not delivered.
//!
//! Pure: no socket, file, clock or environment. Message bytes are the device's own; whatever this room changes is a
//! documented rule and is reported to the caller by name.

pub mod address;
pub mod change;
pub mod display_name;
pub mod envelope;
pub mod header;
pub mod mime;
pub mod notice;
pub mod pattern;
pub mod pieces;
pub mod repair;
pub mod rewrite;
pub mod sample;
pub mod sender;
pub mod smime;
pub mod stamp;
