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
            Source::OAuth(grant) => (grant.name(), Some(of_grant(grant))),
        };
        Self { kind, place }
    }
}

fn of_grant(grant: &Grant) -> String {
    match grant {
        Grant::AuthorizationCode { application, .. }
        | Grant::DeviceCode { application }
        | Grant::ClientCredentials { application }
        | Grant::RefreshToken { application, .. }
        | Grant::Password { application, .. } => application.endpoints.address().to_string(),
        Grant::ServiceAccount(account) => account.key_file.display().to_string(),
        Grant::Command { command } => command.name().to_owned(),
    }
}
