//! Tests of the room beside this file.
//!
//! Later.
