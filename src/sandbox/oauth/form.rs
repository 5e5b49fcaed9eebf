//! The parameters of a request, from a form or a query.
//!
//! Every value may be a secret and is kept as one; [`Fields::text`] is for those that are not, and for checks that
//! look at a secret's own words. Guarantees that a name stands there once (RFC 6749 §3.1, §3.2).

use axum::extract::Form;
use axum::extract::rejection::FormRejection;

use super::answer::Refusal;
use crate::secret::Secret;

/// What axum made of a request.
pub(super) type Parsed = Result<Form<Vec<(String, String)>>, FormRejection>;

/// The parameters of one request.
#[derive(Debug)]
pub(super) struct Fields(Vec<(String, Secret)>);

impl Fields {
    pub(super) fn of(form: Parsed) -> Result<Self, Refusal> {
        let Form(pairs) = form.map_err(|_| Refusal::InvalidRequest("this is not a form"))?;
        for (i, (name, _)) in pairs.iter().enumerate() {
            if pairs[..i].iter().any(|(earlier, _)| earlier == name) {
                return Err(Refusal::InvalidRequest("a parameter is given twice"));
            }
        }
        Ok(Self(pairs.into_iter().map(|(name, value)| (name, Secret::new(value))).collect()))
    }

    /// A parameter without a value counts as not sent (RFC 6749 §3.1).
    pub(super) fn secret(&self, name: &str) -> Option<&Secret> {
        self.0.iter().find(|(own, value)| own == name && value.octets() > 0).map(|(_, value)| value)
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.secret(name).map(Secret::expose)
    }

    /// One that must be there.
    pub(super) fn needed(&self, name: &'static str) -> Result<&Secret, Refusal> {
        self.secret(name).ok_or(Refusal::Missing(name))
    }
}

/// Whether this is a list of scopes (RFC 6749 §3.3): visible ASCII without quote and backslash, one space between two.
pub(super) fn is_scope(text: &str) -> bool {
    let is_token = |token: &str| {
        !token.is_empty() && token.bytes().all(|octet| octet.is_ascii_graphic() && octet != b'"' && octet != b'\\')
    };
    text.split(' ').all(is_token)
}

/// Whether every scope asked for was granted (RFC 6749 §6). Nothing granted by name means anything may be asked.
pub(super) fn is_within(asked: &str, granted: Option<&str>) -> bool {
    granted.is_none_or(|granted| asked.split(' ').all(|scope| granted.split(' ').any(|own| own == scope)))
}
