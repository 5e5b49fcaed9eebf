//! Which fields of a header a signature covers, and which signatures a change has broken.
//!
//! DKIM covers the fields its `h=` names, those that are not there too (RFC 6376 §5.4.2). S/MIME and PGP cover the body;
//! its `Content-` fields say how to read it and stay (RFC 8551 §3.5, RFC 3156).

use std::collections::{BTreeMap, BTreeSet};

use crate::mail::change::{Change, Rule};
use crate::mail::header::block::Block;
use crate::mail::header::parser;

/// What may not be changed without being told.
#[derive(Debug, Default)]
pub struct Protection {
    /// Named by DKIM signatures, in lower case.
    names: BTreeSet<String>,
    /// The body is signed or encrypted as a whole.
    body: bool,
}

impl Protection {
    /// What is covered in this block.
    pub fn of(block: &Block<'_>) -> Self {
        let names = block.named("DKIM-Signature").flat_map(|field| signed_names(&field.unfolded())).collect();
        let content = block.first("Content-Type").and_then(|field| parser::content(field.value));
        let body = content.is_some_and(|content| {
            content.is("multipart", "signed")
                || content.is("multipart", "encrypted")
                || content.is("application", "pkcs7-mime")
                || content.is("application", "x-pkcs7-mime")
        });
        Self { names, body }
    }

    /// Whether fields of this name are covered.
    pub fn covers(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        self.names.contains(&name) || self.body && (name == "mime-version" || name.starts_with("content-"))
    }

    /// The DKIM signatures that no longer fit, if a field they cover is another one now.
    pub fn broken(&self, before: &Block<'_>, after: &Block<'_>) -> Option<Change> {
        let (before, after) = (self.covered(before), self.covered(after));
        let names = self.names.iter().filter(|name| before.get(*name) != after.get(*name));
        let names: Vec<&str> = names.take(20).map(String::as_str).collect();
        let detail = || format!("the DKIM signature of the mail no longer verifies, it covers {}", names.join(", "));
        (!names.is_empty()).then(|| Change::new(Rule::Signature, detail()))
    }

    /// The covered fields, by name.
    fn covered<'a>(&self, block: &Block<'a>) -> BTreeMap<String, Vec<&'a [u8]>> {
        let mut covered: BTreeMap<String, Vec<&[u8]>> = BTreeMap::new();
        for field in block.fields() {
            let name = field.name.to_ascii_lowercase();
            if self.names.contains(&name) {
                covered.entry(name).or_default().push(&block.octets()[field.whole]);
            }
        }
        covered
    }
}

/// The names in `h=` (RFC 6376 §3.5).
fn signed_names(signature: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(signature);
    let tags = text.split(';').filter_map(|tag| tag.split_once('='));
    let lists = tags.filter(|(tag, _)| tag.trim() == "h").map(|(_, names)| names);
    lists.flat_map(|names| names.split(':')).map(|name| name.trim().to_ascii_lowercase()).collect()
}
