//! S/MIME signatures (RFC 8551): who signs, what exactly is signed, and how the signed message is put together.
//!
//! In the order of use: [`identity`] reads a certificate and its key; [`choose`] finds the one for a sender; [`wrap`]
//! parts a message into what stays outside and the entity that is signed, which the caller runs once through a
//! [`key::Digester`]; [`sign`] makes the signature of that digest; [`wrap`] puts the pieces together. No message is
//! ever in memory for that. Guarantees that what goes out is, octet for octet, what was digested, if the caller streams
//! the same pieces twice. Encrypts nothing, and trusts nobody: whether a chain is believed is for the recipient.

pub mod chain;
pub mod choose;
pub mod facts;
pub mod identity;
pub mod key;
mod pkcs12;
pub mod sign;
pub mod wrap;

#[cfg(test)]
pub(crate) mod samples;
