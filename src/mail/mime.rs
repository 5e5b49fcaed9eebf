//! The body of a message: what it is made of, found while it passes by and never rebuilt.
//!
//! [`scan`] finds the parts by their boundaries at the beginnings of lines, and their headers alone are interpreted;
//! [`facts`] are what the log tells of a message, [`part`] is where everything stands, [`seven_bit`] encodes what a
//! provider without 8BITMIME would not take. Memory is bounded whatever is sent, and nothing fails on odd octets.

mod counter;
pub mod facts;
mod head;
pub mod part;
pub mod scan;
pub mod seven_bit;
pub mod signature;
