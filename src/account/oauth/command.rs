//! Tokens from an external program: it prints a raw token, or JSON with `access_token` and perhaps `expires_in`.
//!
//! Guarantees what [`crate::account`] guarantees of every program it runs: no shell, a deadline, and nothing it
//! printed in any error.

use super::super::program::{self, CommandLine};
use super::token::{Answer, Token};
use crate::diagnosis::TokenFailure;

/// Runs the program once.
pub(in crate::account) async fn token(command: &CommandLine) -> Result<Token, TokenFailure> {
    let failure = |detail: String| TokenFailure::Command { program: command.name().to_owned(), detail };
    let printed = program::output(command).await.map_err(|error| failure(error.to_string()))?;
    understand(printed.trim())
        .ok_or_else(|| failure("what it printed is neither a token nor JSON with an `access_token`".to_owned()))
}

fn understand(printed: &str) -> Option<Token> {
    let answer = if printed.starts_with('{') {
        serde_json::from_str(printed).ok()?
    } else {
        let access_token = oauth2::AccessToken::new(printed.to_owned());
        Answer::of(access_token)
    };
    answer.into_token()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn printed(script: &str) -> Result<(String, Option<u64>), String> {
        let command = CommandLine::new(["/bin/sh", "-c", script].map(str::to_owned).to_vec());
        match token(&command).await {
            Ok(token) => Ok((token.access_token.expose().to_owned(), token.life.map(|life| life.as_secs()))),
            Err(TokenFailure::Command { program, detail }) => Err(format!("{program}: {detail}")),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_raw_token_and_json_are_both_understood() {
        assert_eq!(printed("echo ey.x").await.unwrap(), ("ey.x".into(), None));
        let json = r#"echo '{"access_token": "ey.x", "expires_in": 120}'"#;
        assert_eq!(printed(json).await.unwrap(), ("ey.x".into(), Some(120)));
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
