//! How a record comes about: out of a sign-in, and out of the record before it by a renewal. Pure.
//!
//! One place for all who write one, so that the keeper knows again what a login has left. Times are what the clock
//! said before the provider was asked: what it gave cannot have begun to age earlier.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{Facts, Record, Reply};
use crate::account::oauth::{Application, Grant, Token};
use crate::secret::Secret;

impl Record {
    /// What a person's sign-in brought.
    #[must_use]
    pub fn signed_in(grant: &Grant, application: &Application, username: &str, token: Token, asked: Timestamp) -> Self {
        Self::nothing(grant, application, username, asked).renewed(token, asked)
    }

    /// A refresh token that was had elsewhere. `fingerprint` is its SHA-256 in hexadecimal.
    #[must_use]
    pub fn brought(
        grant: &Grant,
        application: &Application,
        username: &str,
        (refresh_token, fingerprint): (Secret, String),
        now: Timestamp,
    ) -> Self {
        let mut record = Self::nothing(grant, application, username, now);
        record.refresh_token = Some(refresh_token);
        record.facts.brought = Some(fingerprint);
        record
    }

    fn nothing(grant: &Grant, application: &Application, username: &str, now: Timestamp) -> Self {
        let facts = Facts {
            grant: grant.name().to_owned(),
            client_id: application.client_id.clone(),
            endpoint: application.endpoints.address().as_str().to_owned(),
            username: username.to_owned(),
            scope: None,
            signed_in: now,
            renewed: now,
            access_ends: None,
            refresh_ends: None,
            brought: None,
            last_reply: None,
        };
        Self { refresh_token: None, access_token: None, facts }
    }

    /// The same sign-in with what a renewal brought. A provider that sends no new refresh token goes on taking the
    /// old one (RFC 6749 §6), and one that sends no scope has granted the same (§5.1).
    #[must_use]
    pub fn renewed(&self, token: Token, asked: Timestamp) -> Self {
        let Token { access_token, life, refresh_token, refresh_life, scope } = token;
        let rotated = refresh_token.is_some();
        let told = refresh_life.map(|life| after(asked, life));
        let facts = Facts {
            scope: scope.or_else(|| self.facts.scope.clone()),
            renewed: asked,
            access_ends: life.map(|life| after(asked, life)),
            refresh_ends: told.or(if rotated { None } else { self.facts.refresh_ends }),
            last_reply: Some(Reply::token(asked)),
            ..self.facts.clone()
        };
        Self {
            refresh_token: refresh_token.or_else(|| self.refresh_token.clone()),
            access_token: Some(access_token),
            facts,
        }
    }
}

impl Facts {
    /// Whether the tokens are this application's, so that it may use them.
    #[must_use]
    pub fn are_of(&self, application: &Application) -> bool {
        self.client_id == application.client_id && self.endpoint == application.endpoints.address().as_str()
    }
}

/// No provider means a life that ends the calendar; should one say so, its end is the end of time.
fn after(asked: Timestamp, life: Duration) -> Timestamp {
    SignedDuration::try_from(life).ok().and_then(|life| asked.checked_add(life).ok()).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::keeper::tests::sign_in_by_browser;

    fn token(refresh: Option<&str>, life: Option<u64>) -> Token {
        Token {
            access_token: Secret::new("access".into()),
            life: Some(Duration::from_hours(1)),
            refresh_token: refresh.map(|text| Secret::new(text.into())),
            refresh_life: life.map(Duration::from_secs),
            scope: None,
        }
    }

    fn hours(hours: i64) -> Timestamp {
        Timestamp::from_second(hours * 3600).unwrap()
    }

    #[test]
    fn a_renewal_without_a_refresh_token_keeps_the_old_one_and_what_was_said_of_it() {
        let grant = sign_in_by_browser("http://127.0.0.1:1/token");
        let application = grant.application().unwrap();
        let first = Token { scope: Some("mail offline".into()), ..token(Some("first"), Some(7200)) };
        let record = Record::signed_in(&grant, application, "me", first, hours(1));
        assert_eq!((record.facts.signed_in, record.facts.access_ends), (hours(1), Some(hours(2))));
        let kept = record.renewed(token(None, None), hours(2));
        assert_eq!(kept.refresh_token.as_ref().unwrap().expose(), "first");
        assert_eq!((kept.facts.refresh_ends, kept.facts.renewed), (Some(hours(3)), hours(2)));
        assert_eq!(kept.facts.scope.as_deref(), Some("mail offline"));
        let rotated = kept.renewed(token(Some("second"), None), hours(2));
        assert_eq!(rotated.refresh_token.as_ref().unwrap().expose(), "second");
        assert_eq!(rotated.facts.refresh_ends, None, "nothing was said of the new one");
        assert_eq!(rotated.facts.signed_in, hours(1), "a renewal is no sign-in");
    }

    #[test]
    fn tokens_of_another_application_or_endpoint_are_not_taken_for_ours() {
        let grant = sign_in_by_browser("http://127.0.0.1:1/token");
        let application = grant.application().unwrap();
        let facts = Record::signed_in(&grant, application, "me", token(None, None), hours(1)).facts;
        assert!(facts.are_of(application));
        let other = Application { client_id: "another".into(), ..application.clone() };
        assert!(!facts.are_of(&other));
        assert!(!facts.are_of(sign_in_by_browser("http://127.0.0.1:1/other").application().unwrap()));
    }

    #[test]
    fn a_life_beyond_the_calendar_ends_with_it() {
        assert_eq!(after(hours(1), Duration::MAX), Timestamp::MAX);
    }
}
