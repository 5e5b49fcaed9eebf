//! stand-in
use crate::secret::Secret;
use base64::Engine;
pub fn decode_base64(octets: &[u8]) -> Option<Vec<u8>> {
    if octets == b"=" {
        return Some(Vec::new());
    }
    base64::engine::general_purpose::STANDARD.decode(octets).ok()
}
pub fn plain_credentials(octets: &[u8]) -> Option<(String, Secret)> {
    let mut p = octets.split(|&c| c == 0);
    let (_, u, s) = (p.next()?, p.next()?, p.next()?);
    Some((String::from_utf8(u.to_vec()).ok()?, Secret::new(String::from_utf8(s.to_vec()).ok()?)))
}
