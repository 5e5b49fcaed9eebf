//! A message parted into what stays outside and the entity that is signed, and put together again with its signature.
//!
//! The fields that say what the body is (`Content-…`) go inside, all others stay outside where they stood, octet for
//! octet (RFC 8551 §3.1). Guarantees that what is signed is exactly what [`Entity::signed`] gives, and that it comes out
//! again as that, whether beside its signature or in it. Does not make the body safe for 7-bit lines; that is the
//! caller's before it comes here. Never looks into the body.

use jiff::Timestamp;
use std::fmt::Write;

use super::identity::Identity;
use super::key::Digested;
use super::sign::{self, SignError};
use crate::mail::pieces::Piece;

/// For readers that know nothing of S/MIME (RFC 2046 §5.1.1).
const PREAMBLE: &str = "This is a signed message in the S/MIME format (RFC 8551).";

/// A message that is about to be signed.
#[derive(Debug, Clone)]
pub struct Entity {
    outside: Vec<u8>,
    has_version: bool,
    header: Vec<u8>,
    body: Vec<Piece>,
}

/// A message that was put together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// All fields, without the empty line behind them.
    pub block: Vec<u8>,
    /// The body, which ends in CRLF.
    pub body: Vec<Piece>,
}

impl Entity {
    /// From a header block in CRLF lines, with or without the empty line behind it, and a body that 7-bit lines can carry.
    #[must_use]
    pub fn new(block: &[u8], body: Vec<Piece>) -> Self {
        let (mut outside, mut header) = (Vec::with_capacity(block.len()), Vec::new());
        let (mut has_version, mut has_type, mut is_inside) = (false, false, false);
        for line in block.split_inclusive(|&octet| octet == b'\n').filter(|&line| line != b"\r\n") {
            if !line.starts_with(b" ") && !line.starts_with(b"\t") {
                let name = name(line);
                is_inside = name.len() > 8 && name[..8].eq_ignore_ascii_case(b"content-");
                has_version |= name.eq_ignore_ascii_case(b"mime-version");
                has_type |= name.eq_ignore_ascii_case(b"content-type");
            }
            let part = if is_inside { &mut header } else { &mut outside };
            part.extend_from_slice(line);
        }
        if !has_type {
            // RFC 2045 §5.2: what it is anyway; not every reader of signed mail takes an entity without a header.
            header.splice(0..0, *b"Content-Type: text/plain; charset=us-ascii\r\n");
        }
        header.extend_from_slice(b"\r\n");
        Self { outside, has_version, header, body }
    }

    /// What is signed: to be digested once from first to last, with [`Identity::digester`].
    pub fn signed(&self) -> impl Iterator<Item = Piece> {
        std::iter::once(Piece::Own(self.header.clone())).chain(self.body.iter().cloned())
    }

    /// `multipart/signed`, which everybody can read (RFC 8551 §3.5.3).
    ///
    /// # Errors
    /// [`SignError`]
    pub fn clear(self, identity: &Identity, digested: &Digested, at: Timestamp) -> Result<Signed, SignError> {
        let signature = sign::detached(identity, digested, at)?;
        let boundary = boundary(digested);
        let block = self.outer(&format!(
            "Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\";\r\n micalg={};\r\n boundary=\"{boundary}\"\r\n",
            digested.hash.micalg()
        ));
        let mut body = vec![Piece::Own(format!("{PREAMBLE}\r\n\r\n--{boundary}\r\n").into())];
        body.extend(self.signed());
        // RFC 2046 §5.1.1: the line ending before a boundary belongs to the boundary; it is not signed.
        let head = format!(
            "\r\n--{boundary}\r\n\
             Content-Type: application/pkcs7-signature; name=\"smime.p7s\"\r\n\
             Content-Transfer-Encoding: base64\r\n\
             Content-Disposition: attachment; filename=\"smime.p7s\"\r\n\
             Content-Description: S/MIME Cryptographic Signature\r\n\r\n"
        );
        body.push(Piece::Own(head.into()));
        body.push(Piece::Wrapped(vec![Piece::Own(signature)]));
        body.push(Piece::Own(format!("\r\n--{boundary}--\r\n").into()));
        Ok(Signed { block, body })
    }

    /// `application/pkcs7-mime`, which nothing on the way can change unseen, and only readers of S/MIME show
    /// (RFC 8551 §3.5.2).
    ///
    /// # Errors
    /// [`SignError`]
    pub fn opaque(self, identity: &Identity, digested: &Digested, at: Timestamp) -> Result<Signed, SignError> {
        let (before, after) = sign::opaque(identity, digested, at)?;
        let block = self.outer(
            "Content-Type: application/pkcs7-mime; smime-type=signed-data;\r\n name=\"smime.p7m\"\r\n\
             Content-Transfer-Encoding: base64\r\n\
             Content-Disposition: attachment; filename=\"smime.p7m\"\r\n",
        );
        let inside = std::iter::once(Piece::Own(before)).chain(self.signed()).chain([Piece::Own(after)]);
        Ok(Signed { block, body: vec![Piece::Wrapped(inside.collect()), Piece::Own(b"\r\n".to_vec())] })
    }

    fn outer(&self, fields: &str) -> Vec<u8> {
        let version: &[u8] = if self.has_version { b"" } else { b"MIME-Version: 1.0\r\n" };
        [&self.outside, version, fields.as_bytes()].concat()
    }
}

/// What stands before the colon of a field, without blanks (RFC 5322 §4.5.8 allows them there).
fn name(line: &[u8]) -> &[u8] {
    let end = memchr::memchr(b':', line).unwrap_or(0);
    line[..end].trim_ascii_end()
}

/// Of the digest: the same at every attempt, of the same octets, and not in what is signed, which would have to hold
/// its own digest. `=_` stands in no quoted-printable and no base64 (RFC 2045 §6.7, RFC 2046 §5.1.1).
fn boundary(digested: &Digested) -> String {
    let mut text = "=_posthouse_".to_owned();
    for octet in &digested.digest[..16.min(digested.digest.len())] {
        // Writing into a `String` does not fail.
        let _ = write!(text, "{octet:02x}");
    }
    text
}

#[cfg(test)]
mod tests;
