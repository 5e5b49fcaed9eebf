//! A service account (RFC 7523 §2.1): a key that may act for mailboxes, in the JSON file the provider gave out.
//!
//! The file is read anew for each call, off the threads that serve the sessions, and no further than 64 KiB. Files of
//! other kinds, which look much the same, are refused by the name of their kind. Nothing of the key is ever shown.

use std::io::Read;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

use super::assertion::{Signer, Statement, off_the_threads, own_file};
use super::exchange::Call;
use super::{Means, NoToken, ServiceAccount, Token};
use crate::diagnosis::{Failure, TokenFailure};
use crate::net::http::Endpoint;

/// In octets; such files have about two thousand.
const LONGEST_FILE: u64 = 64 * 1024;

/// Asks once.
pub(in crate::account) async fn token(account: &ServiceAccount, means: Means<'_>) -> Result<Token, NoToken> {
    let owned = account.clone();
    let (signer, endpoint) = off_the_threads(move || prepare(&owned)).await.map_err(Failure::Token)?;
    let mut call = Call::new(&endpoint, means);
    call.sign(signer)?;
    let answer = call.send(call.form(std::iter::empty())?).await;
    call.conclude(answer)
}

/// Whether the key file can be used. Blocks on the disk.
///
/// # Errors
/// [`TokenFailure::OwnFile`] when it cannot be read or is not what a provider gives out.
pub fn check(account: &ServiceAccount) -> Result<(), TokenFailure> {
    prepare(account).map(drop)
}

/// The file as it is now, for [`crate::net::http::Endpoint`] to be asked.
fn prepare(account: &ServiceAccount) -> Result<(Signer, Endpoint), TokenFailure> {
    let file = &account.key_file;
    let key = KeyFile::read(file)?;
    let endpoint = match &account.token_endpoint {
        Some(endpoint) => endpoint.clone(),
        None => key
            .token_uri
            .parse()
            .map_err(|error| own_file(format!("`token_uri` in {} is no endpoint: {error}", file.display())))?,
    };
    let statement = Statement {
        issuer: key.client_email,
        subject: account.subject.clone(),
        // Google compares with what stands in the file it gave out.
        audience: if account.token_endpoint.is_some() { endpoint.as_str().to_owned() } else { key.token_uri },
        scope: Some(account.scope.clone()),
    };
    let signer = Signer::of_key(key.private_key.as_bytes(), file, key.private_key_id, statement)?;
    Ok((signer, endpoint))
}

/// What a key file says.
struct KeyFile {
    client_email: String,
    private_key: Zeroizing<String>,
    private_key_id: Option<String>,
    token_uri: String,
}

/// As it stands there; everything else in it is ignored.
#[derive(Deserialize)]
struct Written {
    r#type: Option<Value>,
    client_email: Option<String>,
    private_key: Option<String>,
    private_key_id: Option<String>,
    token_uri: Option<String>,
}

impl KeyFile {
    fn read(file: &Path) -> Result<Self, TokenFailure> {
        let shown = file.display();
        let text = read_limited(file).map_err(|error| own_file(format!("cannot read {shown}: {error}")))?;
        // What serde says of a fault may repeat a piece of the file.
        let written: Written = serde_json::from_slice(&text).map_err(|error| {
            own_file(format!(
                "{shown} is no JSON key file (line {}); give the file the provider gave out",
                error.line()
            ))
        })?;
        match written.r#type.as_ref().and_then(Value::as_str) {
            Some("service_account") => {}
            kind => return Err(own_file(format!("{shown} {}", another_kind(kind)))),
        }
        let missing =
            |name: &str| own_file(format!("{shown} has no `{name}`; give the whole file the provider gave out"));
        Ok(Self {
            client_email: written.client_email.ok_or_else(|| missing("client_email"))?,
            private_key: written.private_key.map(Zeroizing::new).ok_or_else(|| missing("private_key"))?,
            private_key_id: written.private_key_id,
            token_uri: written.token_uri.ok_or_else(|| missing("token_uri"))?,
        })
    }
}

/// What a file of another kind is, in words that follow its name.
fn another_kind(kind: Option<&str>) -> &'static str {
    match kind {
        Some("authorized_user") => {
            "is the sign-in of a person (`authorized_user`), which cannot act for a mailbox; make a key of a service \
             account, or sign the mailbox in with `grant = \"authorization_code\"`"
        }
        Some("external_account" | "external_account_authorized_user") => {
            "stands for an identity kept elsewhere (`external_account`) and holds no key; make a key of a service \
             account, or let a program print tokens with `grant = \"command\"`"
        }
        Some("impersonated_service_account") => {
            "borrows another account's rights (`impersonated_service_account`) and holds no key; make a key of the \
             service account itself"
        }
        Some(_) => "is of a kind that is not known here; expected `\"type\": \"service_account\"`",
        None => "does not say what it is; expected a key file with `\"type\": \"service_account\"`",
    }
}

fn read_limited(file: &Path) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let room = usize::try_from(LONGEST_FILE).unwrap_or(usize::MAX).saturating_add(1);
    let mut text = Zeroizing::new(Vec::with_capacity(room));
    std::fs::File::open(file)?.take(LONGEST_FILE + 1).read_to_end(&mut text)?;
    if text.len() as u64 > LONGEST_FILE {
        return Err(std::io::Error::other(format!("it is longer than {LONGEST_FILE} octets")));
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
