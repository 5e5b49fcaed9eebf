//! What was granted: codes, device codes, and the refresh tokens of each sign-in.
//!
//! All tokens that came of one sign-in are a family and are revoked together. A code and, where they rotate, a refresh
//! token is good once; a second time costs the family (RFC 6749 §4.1.2, RFC 9700 §4.14.2) and is told to the caller as
//! a [`Breach`]. Time is an argument.

use std::time::Duration;

use tokio::time::Instant;

use super::answer::Refusal;
use super::setup::RefreshTokens;
use super::shelf::Shelf;
use crate::secret::Secret;

/// One sign-in and all that came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in super::super) struct Family(u64);

/// What was granted, to whom.
#[derive(Debug, Clone)]
pub(super) struct Grant {
    pub family: Family,
    pub client: String,
    pub scope: Option<String>,
}

/// What a client presented a second time; its family is to be revoked.
#[derive(Debug)]
pub(super) struct Breach {
    pub family: Family,
    pub what: Again,
}

/// What is good only once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    Code,
    RefreshToken,
}

/// An authorization request that a person has not answered yet, or a code that was made of it.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub client: String,
    pub redirect: String,
    pub challenge: String,
    pub scope: Option<String>,
    pub state: Option<Secret>,
}

#[derive(Debug)]
struct Code {
    asked: Asked,
    family: Family,
    ends: Instant,
    spent: bool,
}

/// A device that waits for its person.
#[derive(Debug)]
pub(super) struct Device {
    pub client: String,
    pub scope: Option<String>,
    pub user_code: String,
    pub ends: Instant,
    pub interval: Duration,
    pub polled: Option<Instant>,
    pub decision: Option<bool>,
}

#[derive(Debug)]
struct Refresh {
    grant: Grant,
    ends: Option<Instant>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Good,
    Spent,
    Revoked,
}

/// Everything.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    families: u64,
    asked: Shelf<Asked>,
    codes: Shelf<Code>,
    devices: Shelf<Device>,
    refresh: Shelf<Refresh>,
}

/// What somebody brought, judged.
pub(super) type Judged<T> = Result<T, (Refusal, Option<Breach>)>;

fn no<T>(why: &'static str) -> Judged<T> {
    Err((Refusal::InvalidGrant(why), None))
}

impl Ledger {
    pub(super) fn family(&mut self) -> Family {
        self.families += 1;
        Family(self.families)
    }

    /// Remembers a request while a page asks the person.
    pub(super) fn ask(&mut self, id: &Secret, asked: Asked) {
        self.asked.put(id, asked);
    }

    /// The request a page asked about; it can be decided once.
    pub(super) fn decided(&mut self, id: &Secret) -> Option<Asked> {
        self.asked.take(id)
    }

    pub(super) fn put_code(&mut self, code: &Secret, asked: Asked, ends: Instant) {
        let family = self.family();
        self.codes.put(code, Code { asked, family, ends, spent: false });
    }

    /// Takes a code (RFC 6749 §4.1.3). `proves` compares a verifier with the challenge.
    pub(super) fn take_code(
        &mut self,
        code: &Secret,
        client: &str,
        redirect: &str,
        proves: impl FnOnce(&str) -> bool,
        now: Instant,
    ) -> Judged<Grant> {
        let Some(kept) = self.codes.get(code) else { return no("unknown code") };
        if kept.spent {
            let breach = Breach { family: kept.family, what: Again::Code };
            return Err((Refusal::InvalidGrant("the code was used before"), Some(breach)));
        }
        // Whatever is wrong now, nobody gets a second try.
        kept.spent = true;
        if kept.asked.client != client {
            return no("the code was given to another client");
        }
        if now >= kept.ends {
            return no("the code has ended");
        }
        if kept.asked.redirect != redirect {
            return no("redirect_uri is not that of the authorization request");
        }
        // RFC 7636 §4.6
        if !proves(&kept.asked.challenge) {
            return no("code_verifier does not fit the challenge");
        }
        Ok(Grant { family: kept.family, client: client.into(), scope: kept.asked.scope.clone() })
    }

    pub(super) fn put_device(&mut self, device_code: &Secret, device: Device) {
        self.devices.put(device_code, device);
    }

    /// What the person decided about a device; false if no device waits with this code.
    pub(super) fn decide(&mut self, user_code: &str, yes: bool, now: Instant) -> bool {
        let waiting = self.devices.all().find(|d| d.user_code == user_code && d.decision.is_none() && now < d.ends);
        waiting.map(|device| device.decision = Some(yes)).is_some()
    }

    /// A device asks whether its person has decided (RFC 8628 §3.5).
    pub(super) fn poll(&mut self, device_code: &Secret, client: &str, now: Instant) -> Judged<Grant> {
        const SLOWER: Duration = Duration::from_secs(5);
        let Some(device) = self.devices.get(device_code) else { return no("unknown device code") };
        if device.client != client {
            return no("the device code was given to another client");
        }
        let refused = |refusal| Err((refusal, None));
        let last = device.polled.replace(now);
        if now >= device.ends {
            return refused(Refusal::ExpiredToken);
        }
        if last.is_some_and(|last| now - last < device.interval) {
            device.interval += SLOWER;
            return refused(Refusal::SlowDown);
        }
        match device.decision {
            None => refused(Refusal::AuthorizationPending),
            Some(false) => refused(Refusal::AccessDenied),
            Some(true) => {
                let scope = device.scope.clone();
                self.devices.take(device_code);
                Ok(Grant { family: self.family(), client: client.into(), scope })
            }
        }
    }

    pub(super) fn put_refresh(&mut self, token: &Secret, grant: Grant, ends: Option<Instant>) {
        self.refresh.put(token, Refresh { grant, ends, state: State::Good });
    }

    /// Uses a refresh token (RFC 6749 §6).
    pub(super) fn use_refresh(
        &mut self,
        token: &Secret,
        client: &str,
        asked: Option<&str>,
        policy: RefreshTokens,
        now: Instant,
    ) -> Judged<Grant> {
        let Some(kept) = self.refresh.get(token) else { return no("unknown refresh token") };
        if kept.grant.client != client {
            return no("the refresh token was given to another client");
        }
        if kept.state == State::Spent {
            let breach = Breach { family: kept.grant.family, what: Again::RefreshToken };
            return Err((Refusal::InvalidGrant("the refresh token was used before"), Some(breach)));
        }
        if kept.state == State::Revoked {
            return no("the refresh token was revoked");
        }
        if kept.ends.is_some_and(|ends| now >= ends) {
            return no("the refresh token has ended");
        }
        if asked.is_some_and(|asked| !super::form::is_within(asked, kept.grant.scope.as_deref())) {
            return Err((Refusal::InvalidScope, None));
        }
        if policy == RefreshTokens::Once {
            kept.state = State::Spent;
        }
        Ok(kept.grant.clone())
    }

    /// Revokes one refresh token's family, if this client may; the family, if the token is known.
    pub(super) fn revoke_token(&mut self, token: &Secret, client: &str) -> Result<Option<Family>, Refusal> {
        let Some(kept) = self.refresh.get(token) else { return Ok(None) };
        if kept.grant.client != client {
            // RFC 7009 §2.1
            return Err(Refusal::UnauthorizedClient("the token was given to another client"));
        }
        let family = kept.grant.family;
        self.revoke(family);
        Ok(Some(family))
    }

    /// No refresh token of this family is good any more.
    pub(super) fn revoke(&mut self, family: Family) {
        self.revoke_where(|refresh| refresh.grant.family == family);
    }

    /// None at all, and no code.
    pub(super) fn revoke_all(&mut self) {
        self.revoke_where(|_| true);
        self.codes = Shelf::default();
        self.devices = Shelf::default();
    }

    fn revoke_where(&mut self, which: impl Fn(&Refresh) -> bool) {
        // What was spent stays so: a second use of it is a breach still.
        let good = self.refresh.all().filter(|refresh| refresh.state == State::Good && which(refresh));
        good.for_each(|refresh| refresh.state = State::Revoked);
    }
}
