//! Signed assertions (RFC 7521, RFC 7523): of the client with its certificate, of the service account with its key.
//!
//! Verified by hand on top of aws-lc-rs, so that whoever signs with a library is checked by other code. An assertion
//! names who it is for, ends within an hour, and is good once where it must carry a `jti`.

use std::time::Duration;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, UnparsedPublicKey,
    VerificationAlgorithm,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;

use super::super::Shared;
use super::super::record::Rule;
use super::answer::Refusal;
use super::form::is_scope;
use super::registered::EMAIL;
use crate::secret::Secret;

/// How far two clocks may differ.
const SKEW: i64 = 60;
/// Longest life of an assertion, by Google's rule.
const LONGEST: Duration = Duration::from_hours(1);

/// A key that signs assertions, as it is registered.
#[derive(Debug)]
pub(super) struct Registered {
    /// The key as it stands in a certificate: a point, or RFC 8017 §A.1.1.
    pub key: Vec<u8>,
    pub is_rsa: bool,
    /// The SHA-256 of the certificate, where there is one, as `x5t#S256` has it.
    pub thumbprint: Option<String>,
    /// `kid`, where there is one.
    pub key_id: Option<String>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    #[serde(rename = "x5t#S256")]
    thumbprint: Option<String>,
    crit: Option<Value>,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Value,
    exp: i64,
    iat: Option<i64>,
    nbf: Option<i64>,
    jti: Option<String>,
    scope: Option<String>,
}

/// Proves the client by its certificate (RFC 7523 §3).
pub(super) fn of_client(shared: &Shared, assertion: &Secret) -> Result<(), Refusal> {
    let claims = verify(shared, assertion, &shared.oauth.client_key).map_err(Refusal::InvalidClient)?;
    let id = &shared.credentials.client_id;
    if claims.iss != *id || claims.sub != *id {
        return Err(Refusal::InvalidClient("iss and sub must be the client"));
    }
    let Some(jti) = claims.jti else { return Err(Refusal::InvalidClient("jti is missing")) };
    if !shared.oauth.first_time(&jti) {
        shared.record.breach(0, Rule::OAuth, "an assertion was used twice");
        return Err(Refusal::InvalidClient("the assertion was used before"));
    }
    Ok(())
}

/// The scope that a service account asked for in the name of the user (RFC 7523 §2.1, with Google's claims).
pub(super) fn of_service_account(shared: &Shared, assertion: &Secret) -> Result<String, Refusal> {
    let account = shared.oauth.service_account().ok_or(Refusal::Broken)?;
    let claims = verify(shared, assertion, account.registered()).map_err(Refusal::InvalidGrant)?;
    if claims.iss != EMAIL {
        return Err(Refusal::InvalidGrant("iss is not the service account"));
    }
    if claims.sub != shared.settings.username {
        // As Google answers where domain-wide delegation is missing.
        return Err(Refusal::UnauthorizedClient("the service account may not act for this mailbox"));
    }
    claims.scope.filter(|scope| is_scope(scope)).ok_or(Refusal::InvalidScope)
}

fn verify(shared: &Shared, assertion: &Secret, registered: &Registered) -> Result<Claims, &'static str> {
    let (signed, signature) = assertion.expose().rsplit_once('.').ok_or("this is not a signed JWT")?;
    let (header, claims) = signed.split_once('.').ok_or("this is not a signed JWT")?;
    let header: Header = read(header).ok_or("the header of the assertion cannot be read")?;
    if header.crit.is_some() {
        return Err("nothing that is critical is understood here");
    }
    let algorithm = algorithm(&header.alg, registered.is_rsa).ok_or("alg does not fit the registered key")?;
    if registered.thumbprint.is_some() && header.thumbprint != registered.thumbprint {
        return Err("x5t#S256 is not that of the registered certificate");
    }
    if header.kid.is_some() && registered.key_id.is_some() && header.kid != registered.key_id {
        return Err("kid is not that of the registered key");
    }
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| "the signature is not base64url")?;
    let key = UnparsedPublicKey::new(algorithm, &registered.key);
    key.verify(signed.as_bytes(), &signature).map_err(|_| "the signature is wrong")?;
    let claims: Claims = read(claims).ok_or("the claims of the assertion cannot be read")?;
    in_time(&claims, shared.settings.oauth.clock.now().as_second())?;
    let is_us = |audience: &Value| audience.as_str().is_some_and(|text| shared.oauth.is_us(text));
    match &claims.aud {
        Value::Array(several) if several.iter().any(is_us) => Ok(claims),
        one if is_us(one) => Ok(claims),
        _ => Err("aud is not this token endpoint"),
    }
}

fn in_time(claims: &Claims, now: i64) -> Result<(), &'static str> {
    let longest = i64::try_from(LONGEST.as_secs()).unwrap_or(i64::MAX);
    let begins = claims.iat.or(claims.nbf).unwrap_or(now);
    if claims.exp <= now.saturating_sub(SKEW) {
        return Err("the assertion has ended");
    }
    if claims.exp.saturating_sub(begins) > longest {
        return Err("the assertion lives longer than an hour");
    }
    if [claims.iat, claims.nbf].into_iter().flatten().any(|begins| begins > now.saturating_add(SKEW)) {
        return Err("the assertion is from the future");
    }
    Ok(())
}

/// RFC 7518 §3.1
fn algorithm(name: &str, is_rsa: bool) -> Option<&'static dyn VerificationAlgorithm> {
    match (name, is_rsa) {
        ("RS256", true) => Some(&RSA_PKCS1_2048_8192_SHA256),
        ("PS256", true) => Some(&RSA_PSS_2048_8192_SHA256),
        ("ES256", false) => Some(&ECDSA_P256_SHA256_FIXED),
        _ => None,
    }
}

fn read<T: for<'de> Deserialize<'de>>(part: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}
