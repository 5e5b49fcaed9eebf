//! The account of the demo: at the practice provider as itself, or as it plays a provider that is known.
//!
//! With `--provider` the account says that name and where the practice provider really is, and everything else is as in
//! anybody's configuration. The secrets are the practice provider's own, made for this one run.

use std::io;
use std::path::Path;
use std::time::Duration;

use super::{Args, SignIn};
use crate::account::provider::{Grant, PasswordKind, Preset, Username};
use crate::config::presets;
use crate::sandbox::{Sandbox, Settings};

/// Who the sample is from, and so whose the account is: providers insist on that.
const ADDRESS: &str = "scanner@example.com";

/// The provider that is to be played.
///
/// # Errors
/// When nobody knows it.
pub(super) fn played(args: &Args) -> io::Result<Option<Preset>> {
    let Some(name) = &args.provider else { return Ok(None) };
    let known = presets::builtin();
    if let Some(preset) = known.find(name) {
        return Ok(Some(preset.clone()));
    }
    let near = presets::nearest(name, &known).join(" or ");
    let near = if near.is_empty() { String::new() } else { format!(" did you mean {near}?") };
    Err(wrong_flag(format!("there is no provider of this name;{near} `posthouse providers` lists them")))
}

fn wrong_flag(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

/// How the practice provider is set up.
///
/// # Errors
/// When the system has no random numbers.
pub(super) fn settings(played: Option<&Preset>) -> io::Result<Settings> {
    played.map_or_else(Settings::new, |preset| Settings::like(preset, ADDRESS))
}

/// `[accounts.sandbox]` with all its lines but `ca_file`.
///
/// # Errors
/// When the provider does not take what is asked for, or a token cannot be written down.
pub(super) fn section(args: &Args, played: Option<&Preset>, sandbox: &Sandbox, directory: &Path) -> io::Result<String> {
    let settings = sandbox.settings();
    refuse_a_person(args)?;
    let Some(preset) = played else {
        let credential = match args.sign_in {
            None | Some(SignIn::Oauth) => client_credentials(args, sandbox),
            Some(SignIn::Password) => password(args, sandbox),
            Some(SignIn::Browser) => by_person("authorization_code", args, sandbox),
            Some(SignIn::Device) => by_person("device_code", args, sandbox),
        };
        let lines = format!("encryption = \"implicit\"\naddress = \"{}\"\n{credential}", settings.username);
        return Ok(at(sandbox.implicit(), &lines));
    };
    let by_password = match args.sign_in {
        None => !matches!(preset.password, PasswordKind::Ending | PasswordKind::Ended),
        Some(sign_in) => sign_in == SignIn::Password,
    };
    if by_password && preset.password == PasswordKind::Ended {
        return Err(wrong_flag(format!("no password is taken by {}", preset.title)));
    }
    let credential = if by_password { password(args, sandbox) } else { token(args, preset, sandbox, directory)? };
    let username = match preset.username {
        Username::Own => format!("username = \"{}\"\n", settings.username),
        _ => String::new(),
    };
    let port = if preset.implicit.is_empty() { sandbox.starttls() } else { sandbox.implicit() };
    Ok(at(port, &format!("provider = \"{}\"\naddress = \"{ADDRESS}\"\n{username}{credential}", preset.id)))
}

/// Where a person is asked for and cannot come.
fn refuse_a_person(args: &Args) -> io::Result<()> {
    if !args.sign_in.is_some_and(SignIn::needs_person) {
        return Ok(());
    }
    if args.send {
        return Err(wrong_flag("somebody has to sign in first, and --send does not wait; leave it out".into()));
    }
    if args.provider.is_some() {
        return Err(wrong_flag("the sign-in by a person is the practice provider's own; leave --provider out".into()));
    }
    Ok(())
}

fn at(provider: std::net::SocketAddr, lines: &str) -> String {
    format!("[accounts.sandbox]\nhost = \"{}\"\nport = {}\n{lines}\n", provider.ip(), provider.port())
}

fn password(args: &Args, sandbox: &Sandbox) -> String {
    format!("password = \"{}{}\"", sandbox.settings().password.expose(), spoilt(args))
}

fn client_credentials(args: &Args, sandbox: &Sandbox) -> String {
    let settings = sandbox.settings();
    format!(
        "oauth = {{ grant = \"client_credentials\", token_endpoint = \"{}\", client_id = \"{}\", client_secret = \"{}{}\" }}",
        sandbox.token_endpoint(),
        settings.client_id,
        settings.client_secret.expose(),
        spoilt(args)
    )
}

/// The practice provider's document says where its pages are.
fn by_person(grant: &str, args: &Args, sandbox: &Sandbox) -> String {
    let settings = sandbox.settings();
    format!(
        "oauth = {{ grant = \"{grant}\", discovery = \"{}\", client_id = \"{}\", client_secret = \"{}{}\", \
         scope = \"smtp.send offline_access\" }}",
        sandbox.discovery(),
        settings.client_id,
        settings.client_secret.expose(),
        spoilt(args)
    )
}

/// By the grant that a provider takes and the practice provider knows; else from a program that prints a token.
fn token(args: &Args, preset: &Preset, sandbox: &Sandbox, directory: &Path) -> io::Result<String> {
    let none = || wrong_flag(format!("OAuth is not known to be taken by {}", preset.title));
    if preset.oauth.as_ref().ok_or_else(none)?.grants.contains(&Grant::ClientCredentials) {
        return Ok(client_credentials(args, sandbox));
    }
    let token = sandbox.issue_token(&sandbox.settings().username, Duration::from_hours(1))?;
    let file = directory.join("token");
    std::fs::write(&file, format!("{}{}", token.expose(), spoilt(args)))?;
    Ok(format!("oauth = {{ grant = \"command\", command = [\"cat\", {:?}] }}", file.display().to_string()))
}

fn spoilt(args: &Args) -> &'static str {
    if args.wrong_secret { "-but-wrong" } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(provider: &str, sign_in: Option<SignIn>) -> Args {
        Args { listen: None, send: true, sign_in, provider: Some(provider.into()), wrong_secret: false }
    }

    #[tokio::test]
    async fn what_cannot_be_played_is_the_fault_of_a_flag() {
        let unknown = played(&args("gogle", None)).unwrap_err();
        assert_eq!(unknown.kind(), io::ErrorKind::InvalidInput);
        for (provider, sign_in, said) in [
            ("outlook.com", SignIn::Password, "no password is taken by Outlook.com"),
            ("gmx", SignIn::Oauth, "OAuth is not known to be taken by GMX"),
        ] {
            let args = args(provider, Some(sign_in));
            let preset = played(&args).unwrap();
            let sandbox = Sandbox::start(settings(preset.as_ref()).unwrap()).await.unwrap();
            let directory = tempfile::tempdir().unwrap();
            let refused = section(&args, preset.as_ref(), &sandbox, directory.path()).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
            assert!(refused.to_string().starts_with(said), "{refused}");
        }
    }

    #[test]
    fn a_person_signs_in_to_the_practice_provider_itself_and_takes_time() {
        let refused = |provider: Option<&str>, send| {
            let provider = provider.map(str::to_owned);
            let args = Args { send, provider, ..args("", Some(SignIn::Browser)) };
            refuse_a_person(&args).map_err(|error| error.to_string())
        };
        assert_eq!(refused(None, false), Ok(()));
        assert!(refused(None, true).unwrap_err().contains("--send"));
        assert!(refused(Some("gmail"), false).unwrap_err().contains("--provider"));
    }

    #[tokio::test]
    async fn a_provider_whose_passwords_are_ending_is_signed_in_to_with_a_token() {
        let args = args("microsoft365", None);
        let preset = played(&args).unwrap();
        let sandbox = Sandbox::start(settings(preset.as_ref()).unwrap()).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let section = section(&args, preset.as_ref(), &sandbox, directory.path()).unwrap();
        assert!(section.contains("grant = \"client_credentials\"") && !section.contains("password"), "{section}");
    }
}
