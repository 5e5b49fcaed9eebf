//! What will stop an account from signing in, said while there is time to do something. Pure.
//!
//! Judges what is known of a sign-in against the time it is given: tokens of an application in Testing, refresh tokens
//! that end or that nobody uses, client secrets and certificates, those that sign mail among them. A warning names the
//! account, what will happen, by when, and what to do. [`Reminder`] keeps the log from repeating itself. Sees nothing a
//! provider does without telling.

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::Settings;
use super::oauth::{Application, ClientProof, Grant};
use super::vault::Facts;
use crate::ids::AccountName;
use crate::mail::smime;

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Secrets and certificates need somebody else's help, often.
const SECRET_AHEAD: SignedDuration = SignedDuration::from_hours(30 * 24);

/// A sign-in can be made anew in a minute, by whoever reads this.
const SIGN_IN_AHEAD: SignedDuration = SignedDuration::from_hours(14 * 24);

/// Google ends the grants of an application whose consent screen is in Testing after this.
const TESTING: SignedDuration = SignedDuration::from_hours(7 * 24);

/// One thing that will go wrong, or has.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Warning {
    /// The same for the same kind of warning for ever, for programs.
    pub code: Cow<'static, str>,
    /// What will happen, and when.
    pub sentence: String,
    /// What to do.
    pub cure: String,
    /// By when; nothing if it has happened.
    pub due: Option<Timestamp>,
}

/// What is known of an account.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// Its configuration.
    pub settings: &'a Settings,
    /// What is kept of its sign-in.
    pub facts: Option<&'a Facts>,
    /// Whether a refresh token is kept.
    pub is_renewable: bool,
    /// When its client certificate ends, as far as that could be read.
    pub certificate_ends: Option<Timestamp>,
}

/// Everything there is to warn of, the most urgent first.
#[must_use]
pub fn warnings(known: Known<'_>, now: Timestamp) -> Vec<Warning> {
    let Some(grant) = known.settings.credential.grant() else { return Vec::new() };
    let mut found = Vec::new();
    if let Some(application) = grant.application() {
        found.extend(secret(known, application, now));
    }
    found.extend(certificate(known, now));
    if let Some(facts) = known.facts.filter(|_| grant.is_kept()) {
        found.extend(sign_in(known, grant, facts, now));
    }
    found.sort_by_key(|warning| warning.due);
    found
}

fn secret(known: Known<'_>, application: &Application, now: Timestamp) -> Option<Warning> {
    let ClientProof::Secret { expires: Some(day), .. } = &application.proof else { return None };
    // The day is the provider's; in UTC its first moment is never too late by more than a time zone.
    let ends = day.to_zoned(TimeZone::UTC).ok()?.timestamp();
    let account = &known.settings.name;
    let cure = "Make a new secret at the provider, put it in the place of the old one, and correct \
                `oauth.client_secret_expires`; both secrets work until the old one ends."
        .to_owned();
    ending(ends, SECRET_AHEAD, now, |when| Warning {
        code: "client_secret_ends".into(),
        sentence: format!("The client secret of account {account} {when}."),
        cure,
        due: Some(ends),
    })
}

fn certificate(known: Known<'_>, now: Timestamp) -> Option<Warning> {
    let (ends, account) = (known.certificate_ends?, &known.settings.name);
    ending(ends, SECRET_AHEAD, now, |when| Warning {
        code: "client_certificate_ends".into(),
        sentence: format!("The client certificate of account {account} {when}."),
        cure: "Make a new one, register it at the provider, then put certificate and key in the place of the old ones."
            .to_owned(),
        due: Some(ends),
    })
}

/// What there is to warn of identities that sign the account's mail, from what their certificates say; the most urgent
/// first. Nothing is said of one whose addresses another one names that ends later.
#[must_use]
pub fn signers(account: &AccountName, certificates: &[smime::facts::Facts], now: Timestamp) -> Vec<Warning> {
    let is_replaced = |facts: &smime::facts::Facts| {
        let takes_over = |other: &smime::facts::Facts| {
            other.not_after > facts.not_after && facts.addresses.iter().all(|address| other.names(address))
        };
        !facts.addresses.is_empty() && certificates.iter().any(takes_over)
    };
    let warning = |facts: &smime::facts::Facts| {
        ending(facts.not_after, SECRET_AHEAD, now, |when| Warning {
            code: "smime_certificate_ends".into(),
            sentence: format!("The certificate of {}, which signs mail of account {account}, {when}.", facts.subject),
            cure: "Put the renewed file in its place, or beside it under `smime.identities`; no restart is needed."
                .to_owned(),
            due: Some(facts.not_after),
        })
    };
    let mut found: Vec<Warning> = certificates.iter().filter(|facts| !is_replaced(facts)).filter_map(warning).collect();
    found.sort_by_key(|warning| warning.due);
    found
}

fn sign_in(known: Known<'_>, grant: &Grant, facts: &Facts, now: Timestamp) -> Option<Warning> {
    let account = &known.settings.name;
    let again = if grant.needs_sign_in() {
        format!("`posthouse login {account}`")
    } else {
        "bring a new one in `oauth.refresh_token`".to_owned()
    };
    if let Some(warning) = testing(known, facts, now) {
        return Some(warning);
    }
    if !known.is_renewable {
        let ends = facts.access_ends.unwrap_or(facts.renewed);
        return Some(Warning {
            code: "sign_in_not_renewable".into(),
            sentence: format!(
                "The provider gave account {account} no refresh token: it {}.",
                when(ends, now, "must sign in again", "had to sign in again")
            ),
            cure: format!(
                "Ask for one: `offline_access` in `oauth.scope` (Microsoft), \"access_type=offline\" in \
                 `oauth.parameters` (Google); then {again}."
            ),
            due: Some(ends),
        });
    }
    told_end(known, facts, &again, now).or_else(|| unused(known, grant, facts, &again, now))
}

/// Google tells of a grant's end only while the application is in Testing; without the telling it shows when one ends
/// on the day.
fn testing(known: Known<'_>, facts: &Facts, now: Timestamp) -> Option<Warning> {
    let is_google = facts.endpoint.contains("googleapis.com")
        || known.settings.provider.as_deref().is_some_and(|provider| provider.starts_with("gmail"));
    let account = &known.settings.name;
    let publish = format!(
        "Publish the application at https://console.cloud.google.com/auth/audience (`Publish app`; no review is needed \
         for an application of your own), and only then `posthouse login {account}`."
    );
    let told = facts.refresh_ends.filter(|ends| ends.duration_since(facts.signed_in) <= TESTING + DAY);
    let ended = facts.last_reply.as_ref().filter(|reply| {
        let age = reply.at.duration_since(facts.signed_in);
        let code = reply.code.as_deref().unwrap_or_default();
        code.starts_with("google_grant") && age >= TESTING - DAY / 2 && age <= TESTING + DAY
    });
    if !is_google {
        return None;
    }
    if ended.is_some() {
        return Some(Warning {
            code: "google_testing_ended".into(),
            sentence: format!(
                "The sign-in of account {account} ended after seven days: the application's consent screen is in Testing."
            ),
            cure: publish,
            due: None,
        });
    }
    told.map(|ends| Warning {
        code: "google_testing".into(),
        sentence: format!(
            "The sign-in of account {account} {}: the application's consent screen is in Testing.",
            when(ends, now, "ends", "has ended")
        ),
        cure: publish,
        due: Some(ends),
    })
}

fn told_end(known: Known<'_>, facts: &Facts, again: &str, now: Timestamp) -> Option<Warning> {
    let (ends, account) = (facts.refresh_ends?, &known.settings.name);
    let life = ends.duration_since(facts.renewed.max(facts.signed_in));
    ending(ends, SIGN_IN_AHEAD.min(life / 2), now, |when| Warning {
        code: "refresh_token_ends".into(),
        sentence: format!("The sign-in of account {account} {when}, as the provider said."),
        cure: format!("Before that: {again}."),
        due: Some(ends),
    })
}

fn unused(known: Known<'_>, grant: &Grant, facts: &Facts, again: &str, now: Timestamp) -> Option<Warning> {
    let limit = grant.application()?.unused_refresh_life.and_then(|life| SignedDuration::try_from(life).ok())?;
    let (ends, account) = (facts.renewed.checked_add(limit).ok()?, &known.settings.name);
    ending(ends, SIGN_IN_AHEAD.min(limit / 4), now, |when| Warning {
        code: "refresh_token_unused".into(),
        sentence: format!(
            "The sign-in of account {account} {when}, because nothing used it since {}.",
            day(facts.renewed)
        ),
        cure: format!(
            "Let the relay run, which uses it every day, or `posthouse test {account}` once; if it has ended: {again}."
        ),
        due: Some(ends),
    })
}

/// A warning if `ends` is less than `ahead` away, or past.
fn ending(
    ends: Timestamp,
    ahead: SignedDuration,
    now: Timestamp,
    warning: impl FnOnce(String) -> Warning,
) -> Option<Warning> {
    (ends.duration_since(now) <= ahead).then(|| warning(when(ends, now, "ends", "has ended")))
}

/// `ends on 2026-12-01, in 9 days`; `has ended on 2026-11-20`.
fn when(ends: Timestamp, now: Timestamp, will: &str, has: &str) -> String {
    let left = ends.duration_since(now);
    match left.as_hours() {
        _ if !left.is_positive() => format!("{has} on {}", day(ends)),
        0..2 => format!("{will} on {}, within two hours", day(ends)),
        hours @ 2..48 => format!("{will} on {}, in {hours} hours", day(ends)),
        hours => format!("{will} on {}, in {} days", day(ends), hours / 24),
    }
}

fn day(time: Timestamp) -> String {
    time.to_zoned(TimeZone::UTC).date().to_string()
}

/// Lets a warning through once a day.
#[derive(Debug, Default)]
pub struct Reminder {
    said: HashMap<(String, Cow<'static, str>), Timestamp>,
}

impl Reminder {
    /// Those of this account that nobody was told in the last day. Forgets those that are over, so that they are news
    /// when they come back.
    pub fn news(&mut self, account: &str, warnings: Vec<Warning>, now: Timestamp) -> Vec<Warning> {
        self.said.retain(|(name, code), _| name != account || warnings.iter().any(|warning| warning.code == *code));
        let mut is_news = |warning: &Warning| {
            let key = (account.to_owned(), warning.code.clone());
            let is_news = self.said.get(&key).is_none_or(|at| now.duration_since(*at).abs() >= DAY);
            if is_news {
                self.said.insert(key, now);
            }
            is_news
        };
        warnings.into_iter().filter(|warning| is_news(warning)).collect()
    }
}

/// How often there is something new to look for.
pub const LOOKED_FOR_EVERY: Duration = Duration::from_hours(1);

#[cfg(test)]
mod tests;
