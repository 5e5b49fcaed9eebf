//! Tokens from an external program: it prints a raw token, or JSON with a token and perhaps when it ends.
//!
//! JSON is understood as the field's tools write it: `access_token` or az's `accessToken`; its end as seconds from now,
//! as seconds since the epoch, or as RFC 3339 with its zone. A token that has ended already is refused. Guarantees what
//! [`crate::account`] guarantees of every program it runs: no shell, a deadline, and nothing it printed in any error.

use std::time::Duration;

use jiff::Timestamp;
use oauth2::AccessToken;
use serde::Deserialize;
use serde_json::Value;

use super::super::program::{self, CommandLine};
use super::token::{Answer, Token};
use crate::diagnosis::TokenFailure;
use crate::net::clock::Clock;

/// Runs the program once.
pub(in crate::account) async fn token(command: &CommandLine, clock: &Clock) -> Result<Token, TokenFailure> {
    let failure = |detail: String| TokenFailure::Command { program: command.name().to_owned(), detail };
    let printed = program::output(command).await.map_err(|error| failure(error.to_string()))?;
    let token = understand(printed.trim(), clock.now())
        .ok_or_else(|| failure("what it printed is neither a token nor JSON with an `access_token`".to_owned()))?;
    if token.life == Some(Duration::ZERO) {
        return Err(failure("the token it printed has ended already; let it renew its token first".to_owned()));
    }
    Ok(token)
}

/// What says when a token ends. Which of them a program writes says nothing about how: each is read in every form.
#[derive(Deserialize)]
struct Ends {
    /// az since 2.54; Entra's first endpoint.
    expires_on: Option<Value>,
    expires_at: Option<Value>,
    /// Programs in Go.
    expiry: Option<Value>,
    /// gcloud.
    token_expiry: Option<Value>,
    /// az; without a zone, as it prints it, it says nothing.
    #[serde(rename = "expiresOn")]
    az_expires_on: Option<Value>,
    /// Node.
    expiry_date: Option<Value>,
}

fn understand(printed: &str, now: Timestamp) -> Option<Token> {
    if !printed.starts_with('{') {
        return Answer::of(AccessToken::new(printed.to_owned())).into_token();
    }
    let mut token = answer(printed)?.into_token()?;
    let ends = serde_json::from_str::<Ends>(printed).ok().and_then(|ends| ends.moment());
    // A moment holds when the program has kept the token for a while; a span need not.
    if let Some(ends) = ends {
        token.life = Some(Duration::try_from(ends.duration_since(now)).unwrap_or(Duration::ZERO));
    }
    Some(token)
}

fn answer(printed: &str) -> Option<Answer> {
    #[derive(Deserialize)]
    struct Az {
        #[serde(rename = "accessToken")]
        access_token: AccessToken,
    }
    let az = || serde_json::from_str::<Az>(printed).ok().map(|az| Answer::of(az.access_token));
    serde_json::from_str(printed).ok().or_else(az)
}

impl Ends {
    fn moment(&self) -> Option<Timestamp> {
        let written = [
            &self.expires_on,
            &self.expires_at,
            &self.expiry,
            &self.token_expiry,
            &self.az_expires_on,
            &self.expiry_date,
        ];
        written.into_iter().flatten().find_map(moment)
    }
}

/// Seconds since the epoch as a number or a string, or RFC 3339; whatever else stands there counts as not said.
fn moment(written: &Value) -> Option<Timestamp> {
    /// As seconds this would be the year 5138.
    const MILLISECONDS: i64 = 100_000_000_000;
    let number = match written {
        #[expect(clippy::cast_possible_truncation, reason = "parts of a second do not matter, and a cast saturates")]
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().map(|number| number as i64)),
        Value::String(text) => match text.trim().parse() {
            Ok(number) => Some(number),
            // Go's time that was never set stands for a token without an end.
            Err(_) => return text.trim().parse().ok().filter(|moment| *moment > Timestamp::UNIX_EPOCH),
        },
        _ => None,
    };
    match number? {
        ..=0 => None,
        number if number >= MILLISECONDS => Timestamp::from_millisecond(number).ok(),
        number => Timestamp::from_second(number).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-22T08:00:00Z";

    async fn printed(script: &str) -> Result<(String, Option<u64>), String> {
        let command = CommandLine::new(["/bin/sh", "-c", script].map(str::to_owned).to_vec());
        match token(&command, &Clock::set(NOW.parse().unwrap())).await {
            Ok(token) => Ok((token.access_token.expose().to_owned(), token.life.map(|life| life.as_secs()))),
            Err(TokenFailure::Command { program, detail }) => Err(format!("{program}: {detail}")),
            Err(other) => panic!("{other:?}"),
        }
    }

    async fn json(more: &str) -> Result<(String, Option<u64>), String> {
        printed(&format!(r#"echo '{{"access_token": "ey.x", {more}}}'"#)).await
    }

    #[tokio::test]
    async fn a_raw_token_and_json_are_both_understood() {
        assert_eq!(printed("echo ey.x").await.unwrap(), ("ey.x".into(), None));
        assert_eq!(json(r#""expires_in": 120"#).await.unwrap(), ("ey.x".into(), Some(120)));
        let az = r#"echo '{"accessToken":"ey.x","expiresOn":"2026-11-22 10:00:00.000000","expires_on":1795338000}'"#;
        assert_eq!(printed(az).await.unwrap(), ("ey.x".into(), Some(3600)));
    }

    #[tokio::test]
    async fn the_end_is_understood_as_the_tools_write_it() {
        for written in [
            r#""expires_on": "1795338000""#,
            r#""expires_at": 1795338000.25"#,
            r#""expiry": "2026-11-22T10:00:00.123456+01:00""#,
            r#""token_expiry": "2026-11-22T09:00:00Z""#,
            r#""expiry_date": 1795338000000"#,
            r#""expires_in": 7200, "expiry": "2026-11-22T09:00:00Z""#,
        ] {
            assert_eq!(json(written).await.unwrap().1, Some(3600), "{written}");
        }
        for nothing in [
            r#""expiry": "0001-01-01T00:00:00Z""#,
            r#""expiresOn": "2026-11-22 09:00:00.000000""#,
            r#""expires_at": null"#,
            r#""expires_on": "soon""#,
            r#""expires_at": 1e300"#,
        ] {
            assert_eq!(json(nothing).await.unwrap().1, None, "{nothing}");
        }
    }

    #[tokio::test]
    async fn a_token_that_has_ended_is_not_used() {
        let said = "/bin/sh: the token it printed has ended already; let it renew its token first";
        for ended in [r#""expires_in": 0"#, r#""expires_on": 1"#, r#""expiry": "2026-11-22T08:00:00Z""#] {
            assert_eq!(json(ended).await.unwrap_err(), said, "{ended}");
        }
    }

    #[tokio::test]
    async fn what_is_no_token_is_not_repeated() {
        let said = "/bin/sh: what it printed is neither a token nor JSON with an `access_token`";
        for script in ["echo hunter2 hunter3", "printf 'hunter2\nhunter3'", r#"echo '{"token":"hunter2"}'"#, "echo"] {
            assert_eq!(printed(script).await.unwrap_err(), said, "{script}");
        }
        assert_eq!(printed("echo hunter2; exit 1").await.unwrap_err(), "/bin/sh: it ended with exit status: 1");
    }
}
