//! Where an account's credential comes from, in words that hold no secret. Pure.
//!
//! For whoever shows an account: a file by its path, a program by its name, a token endpoint without its query. Looks
//! at nothing: whether a credential can be had is for the keeper to find out.

use super::Source;
use super::oauth::Grant;

/// Where a credential comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Which way: the key of the configuration, or the grant for OAuth. Stable: programs read it.
    pub kind: &'static str,
    /// The file, program or address, where there is one.
    pub place: Option<String>,
}

impl Origin {
    /// That of this account's credential.
    #[must_use]
    pub fn of(source: &Source) -> Self {
        let (kind, place) = match source {
            Source::None => ("none", None),
            Source::Password(_) => ("password", None),
            Source::PasswordFile(path) => ("password_file", Some(path.display().to_string())),
            Source::PasswordCommand(command) => ("password_command", Some(command.name().to_owned())),
            Source::OAuth(Grant::Command { command }) => ("command", Some(command.name().to_owned())),
            Source::OAuth(Grant::ServiceAccount(account)) => {
                ("service_account", Some(account.key_file.display().to_string()))
            }
            Source::OAuth(grant) => {
                let endpoint = grant.application().map(|application| application.endpoints.address().to_string());
                (grant.name(), endpoint)
            }
        };
        Self { kind, place }
    }
}
