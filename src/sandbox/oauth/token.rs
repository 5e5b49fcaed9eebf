//! The token endpoint (RFC 6749 §3.2): every grant there is.
//!
//! What it hands out really signs the user in at the SMTP ports, until it ends or is revoked. Each call is on record
//! with the refresh token it presented; a breach of the RFCs is, too.

use std::io;
use std::sync::Arc;

use axum::extract::{ConnectInfo, State};
use axum::http::header::HeaderMap;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::super::Shared;
use super::super::credentials::random;
use super::super::echo::Received;
use super::super::fault::Asked;
use super::super::record::{Rule, count};
use super::answer::{Refusal, Tokens};
use super::assertion;
use super::client::{Claim, Client};
use super::connection::Cut;
use super::form::{Fields, Parsed, is_scope};
use super::ledger::{Again, Breach, Grant, Judged};
use super::refused;
use super::setup::RefreshTokens;
use super::spoil::{Sent, answered};
use crate::secret::Secret;
use crate::smtp::trace::Side;

/// RFC 8628 §3.4
const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// RFC 7523 §2.1
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// Longest refresh token, device code and authorization code made here.
const SECRET: usize = 64;

/// Every grant, as the discovery document lists them.
pub(super) const GRANTS: [&str; 6] =
    ["authorization_code", "refresh_token", "client_credentials", "password", DEVICE_CODE, JWT_BEARER];

pub(super) async fn token(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    headers: HeaderMap,
    form: Parsed,
) -> Response {
    count(&shared.record.counting.token_calls);
    let fields = Fields::of(form);
    let grant = fields.as_ref().ok().and_then(|fields| fields.text("grant_type")).unwrap_or_default().to_owned();
    let presented = fields.as_ref().ok().and_then(|fields| fields.secret("refresh_token")).map(Secret::fingerprint);
    let ongoing = shared.oauth.calls.begin(&grant, presented);
    let read = fields.and_then(|fields| Ok((Claim::read(&headers, &fields)?, fields)));
    let sent = sent(&read);
    let carry_out = || match read.and_then(|(claim, fields)| issue(&shared, &claim, &fields)) {
        Ok(tokens) => {
            ongoing.granted();
            tokens.into_response()
        }
        Err(refusal) => refused(&shared, refusal),
    };
    let answer = answered(&shared, &Asked::Grant(grant), &cut, sent, carry_out).await;
    shared.record.say(0, Side::Server, &format!("token endpoint: {}", answer.status()));
    ongoing.answered(answer.status().as_u16());
    answer
}

/// What a fault may repeat of a request.
fn sent(read: &Result<(Claim, Fields), Refusal>) -> Sent {
    let Ok((claim, fields)) = read else { return Sent::default() };
    let names = ["refresh_token", "code", "device_code", "assertion", "password"];
    let grant = names.iter().find_map(|name| fields.secret(name));
    Sent {
        client: claim.received().cloned(),
        grant: grant.map(|secret| Received { secret: secret.clone(), as_sent: secret.clone() }),
    }
}

fn issue(shared: &Shared, claim: &Claim, fields: &Fields) -> Result<Tokens, Refusal> {
    let grant = fields.text("grant_type").ok_or(Refusal::Missing("grant_type"))?;
    let scope = fields.text("scope");
    if scope.is_some_and(|scope| !is_scope(scope)) {
        return Err(Refusal::InvalidScope);
    }
    if grant == JWT_BEARER {
        // The assertion says who asks; there need be no client (RFC 7521 §4.1).
        let scope = assertion::of_service_account(shared, fields.needed("assertion")?)?;
        return tokens(shared, None, Some(scope));
    }
    let client = claim.prove(shared)?;
    match grant {
        "authorization_code" => tokens(shared, Some(by_code(shared, &client, fields)?), None),
        "refresh_token" => by_refresh_token(shared, &client, fields),
        DEVICE_CODE => tokens(shared, Some(by_device_code(shared, &client, fields)?), None),
        "client_credentials" if client.is_public => {
            Err(Refusal::UnauthorizedClient("only a client that proves itself may act for itself"))
        }
        "client_credentials" => tokens(shared, None, scope.map(str::to_owned)),
        "password" => {
            let (username, password) = (fields.needed("username")?, fields.needed("password")?);
            if !shared.credentials.user_fits(username, password) {
                return Err(Refusal::InvalidGrant("wrong user name or password"));
            }
            let family = shared.oauth.ledger().family();
            tokens(shared, Some(Grant { family, client: client.id, scope: scope.map(str::to_owned) }), None)
        }
        _ => Err(Refusal::UnsupportedGrantType),
    }
}

/// What a sign-in brought.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// Good for [`super::super::Settings::token_lifetime`].
    pub access_token: Secret,
    /// Nothing with [`RefreshTokens::Never`].
    pub refresh_token: Option<Secret>,
}

/// A sign-in with the public client.
pub(in super::super) fn sign_in(shared: &Shared, scope: &str) -> io::Result<SignedIn> {
    let family = shared.oauth.ledger().family();
    let client = shared.settings.oauth.public_client_id.clone();
    let issued = tokens(shared, Some(Grant { family, client, scope: Some(scope.into()) }), None);
    let Tokens { access, refresh, .. } = issued.map_err(|refusal| io::Error::other(refusal.description()))?;
    Ok(SignedIn { access_token: access, refresh_token: refresh })
}

fn by_code(shared: &Shared, client: &Client, fields: &Fields) -> Result<Grant, Refusal> {
    let (code, redirect) = (fields.needed("code")?, fields.needed("redirect_uri")?);
    let verifier = fields.needed("code_verifier")?;
    let fits = |challenge: &str| is_verifier(verifier) && challenge_of(verifier) == challenge;
    let mut ledger = shared.oauth.ledger();
    let judged = ledger.take_code(code, &client.id, redirect.expose(), fits, Instant::now());
    drop(ledger);
    settled(shared, judged)
}

fn by_device_code(shared: &Shared, client: &Client, fields: &Fields) -> Result<Grant, Refusal> {
    let device_code = fields.needed("device_code")?;
    let judged = shared.oauth.ledger().poll(device_code, &client.id, Instant::now());
    settled(shared, judged)
}

fn by_refresh_token(shared: &Shared, client: &Client, fields: &Fields) -> Result<Tokens, Refusal> {
    let policy = shared.settings.oauth.refresh_tokens;
    let (token, scope) = (fields.needed("refresh_token")?, fields.text("scope"));
    let judged = shared.oauth.ledger().use_refresh(token, &client.id, scope, policy, Instant::now());
    let grant = settled(shared, judged)?;
    count(&shared.record.counting.tokens_renewed);
    let narrowed = scope.map(str::to_owned).or_else(|| grant.scope.clone());
    if policy == RefreshTokens::Kept {
        let access = access(shared, Some(&grant))?;
        return Ok(Tokens {
            access,
            life: shared.settings.token_lifetime,
            refresh: None,
            refresh_life: None,
            scope: narrowed,
        });
    }
    Ok(Tokens { scope: narrowed, ..tokens(shared, Some(grant), None)? })
}

/// Revokes and puts on record what the ledger found wrong.
fn settled(shared: &Shared, judged: Judged<Grant>) -> Result<Grant, Refusal> {
    judged.map_err(|(refusal, breach)| {
        if let Some(Breach { family, what }) = breach {
            shared.oauth.revoke(shared, family);
            let (rule, detail) = match what {
                Again::Code => (Rule::CodeReuse, "an authorization code was presented twice"),
                Again::RefreshToken => (Rule::RefreshTokenReuse, "a refresh token was presented twice"),
            };
            shared.record.breach(0, rule, detail);
        }
        refusal
    })
}

fn access(shared: &Shared, grant: Option<&Grant>) -> Result<Secret, Refusal> {
    let life = shared.settings.token_lifetime;
    let family = grant.map(|grant| grant.family);
    let access = shared.credentials.issue(&shared.credentials.username, life, family).map_err(|_| Refusal::Broken)?;
    count(&shared.record.counting.tokens_issued);
    Ok(access)
}

/// An access token of the user, and for a sign-in what it is renewed with.
fn tokens(shared: &Shared, grant: Option<Grant>, scope: Option<String>) -> Result<Tokens, Refusal> {
    let setup = &shared.settings.oauth;
    let access = access(shared, grant.as_ref())?;
    let scope = scope.or_else(|| grant.as_ref().and_then(|grant| grant.scope.clone()));
    let refresh = match grant {
        Some(grant) if setup.refresh_tokens != RefreshTokens::Never => {
            let token = random(SECRET).map_err(|_| Refusal::Broken)?;
            let ends = setup.refresh_token_lifetime.map(|life| Instant::now() + life);
            shared.oauth.ledger().put_refresh(&token, grant, ends);
            Some(token)
        }
        _ => None,
    };
    let life = shared.settings.token_lifetime;
    Ok(Tokens { access, life, refresh, refresh_life: setup.refresh_token_lifetime, scope })
}

/// RFC 7636 §4.1
fn is_verifier(verifier: &Secret) -> bool {
    let unreserved = |octet: u8| octet.is_ascii_alphanumeric() || b"-._~".contains(&octet);
    (43..=128).contains(&verifier.octets()) && verifier.expose().bytes().all(unreserved)
}

/// RFC 7636 §4.2
fn challenge_of(verifier: &Secret) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.expose()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7636 §B
    #[test]
    fn the_challenge_is_the_standards_example() {
        let verifier = Secret::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".into());
        assert!(is_verifier(&verifier));
        assert_eq!(challenge_of(&verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        for bad in ["short", &"x".repeat(129), &"ä".repeat(30), &" ".repeat(50)] {
            assert!(!is_verifier(&Secret::new(bad.into())), "{bad}");
        }
    }
}
