//! `posthouse logout`: ends a sign-in, at the provider first and then here.
//!
//! The refresh token is given back where the provider has an endpoint for that (RFC 7009). If the provider cannot be
//! told, the sign-in stays, because what is forgotten here can never be given back; `--force` forgets it all the same.
//! A running relay hears of it at once. Says what is left for a person to do. Prints no secret.

use std::process::ExitCode;

use serde_json::json;

use super::sysexits::{EX_CONFIG, EX_TEMPFAIL, EX_USAGE};
use super::{at_work, fail, print};
use crate::account::Settings;
use crate::account::oauth::Grant;
use crate::account::oauth::revocation::{self, Revoked};
use crate::account::vault::{Expected, Lease, Record, Stored, VaultError};
use crate::app::control::{self, Told};
use crate::app::{self, Common};
use crate::config::{Config, Sources};
use crate::diagnosis::diagnose;
use crate::ids::AccountName;
use crate::journal::Journal;
use crate::smtp::client::Timeouts;

pub(super) const AFTER_HELP: &str = "Exit codes:
  0   signed out, or nobody was signed in
  64  wrong arguments, or no such account
  74  the output could not be written
  75  nothing was changed: the provider could not be told, or the sign-in is being renewed; try again, or use --force
  78  the configuration, or the vault, cannot be used

With --json one object is printed: `account`, `removed`, `provider` (revoked, no_endpoint, not_told, other_application,
failed; null if nothing was kept), `relay` (running, not_running, not_heard) and `to_do`, a list of sentences.";

/// Flags of `posthouse logout`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The account to sign out; also one that is no longer in the configuration.
    #[arg(value_name = "ACCOUNT")]
    account: String,
    /// Forget the sign-in here even if the provider cannot be told.
    #[arg(long, conflicts_with = "keep_at_provider")]
    force: bool,
    /// Do not tell the provider: the refresh token is used elsewhere as well, or ends by itself.
    #[arg(long)]
    keep_at_provider: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What became of a sign-in at the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
enum AtProvider {
    /// It takes the refresh token no more.
    Revoked,
    /// It has no endpoint for that.
    NoEndpoint,
    /// There was nothing to give back, or it was not to be told.
    NotTold,
    /// The sign-in is not of the application in the configuration, so nobody is known to be told.
    OtherApplication,
    /// It could not be told; why.
    Failed(String),
}

impl AtProvider {
    /// For programs; never changes.
    fn code(&self) -> &'static str {
        match self {
            Self::Revoked => "revoked",
            Self::NoEndpoint => "no_endpoint",
            Self::NotTold => "not_told",
            Self::OtherApplication => "other_application",
            Self::Failed(_) => "failed",
        }
    }
}

/// How it ended.
struct Ended {
    account: AccountName,
    /// What was kept, if anything was.
    removed: Option<AtProvider>,
    relay: Option<Told>,
    to_do: Vec<String>,
}

/// An exit code, and why nothing was changed.
type Unchanged = (u8, String);

pub(super) fn run(args: &Args, sources: &Sources) -> ExitCode {
    let (config, runtime) = match at_work(sources) {
        Ok(both) => both,
        Err(code) => return code,
    };
    let ended = runtime.block_on(logout(args, &config));
    // A name lookup that hangs must not keep the process.
    runtime.shutdown_background();
    match ended {
        Ok(ended) if args.json => print(&format!("{:#}\n", ended.json()), 0),
        Ok(ended) => print(&ended.text(), 0),
        Err((code, why)) => fail(code, why),
    }
}

async fn logout(args: &Args, config: &Config) -> Result<Ended, Unchanged> {
    let account: AccountName = args.account.as_str().into();
    let common = Common::new(config, Journal::default(), Timeouts::default());
    let settings = config.accounts.iter().find(|settings| settings.name == account);
    let stored = match hold_on_to(&account, &common, args.force) {
        Ok(Some(stored)) => Some(stored),
        Ok(None) => return nothing_kept(account, settings),
        // Of tokens that cannot be read nobody can be told, but they can be forgotten.
        Err((EX_CONFIG, _)) if args.force || args.keep_at_provider => None,
        Err(unchanged) => return Err(unchanged),
    };
    let provider = match (&stored, settings) {
        _ if args.keep_at_provider => AtProvider::NotTold,
        (Some(Stored { record, .. }), Some(settings)) => tell_provider(record, settings, &common).await?,
        (Some(_), None) => AtProvider::OtherApplication,
        (None, _) => AtProvider::Failed("the tokens cannot be read".into()),
    };
    if let (AtProvider::Failed(why), false) = (&provider, args.force) {
        let _ = common.vault.give_back(&account, &common.holder, None);
        let text = format!(
            "the provider could not be told, so the sign-in of account {account} was left as it is; {why} Try again \
             later, or forget it here all the same with --force"
        );
        return Err((EX_TEMPFAIL, text));
    }
    forget(&account, stored.as_ref().filter(|_| !args.force), &common)?;
    let relay = control::tell_signed_out(&config.storage, &account).await;
    let to_do = to_do(&account, settings, stored.as_ref(), &provider, &relay);
    Ok(Ended { account, removed: Some(provider), relay: Some(relay), to_do })
}

/// What is kept, with nobody renewing it meanwhile: a token that is rotated away under our hands would stay good.
fn hold_on_to(account: &AccountName, common: &Common, force: bool) -> Result<Option<Stored>, Unchanged> {
    let unusable = |error: VaultError| unusable(&error);
    match common.vault.lease(account, &common.holder, common.clock.now()).map_err(unusable)? {
        Lease::Yours(stored) => Ok(Some(*stored)),
        Lease::Nothing => Ok(None),
        Lease::Taken { .. } if force => common.vault.get(account).map_err(unusable),
        Lease::Taken { .. } => Err((
            EX_TEMPFAIL,
            format!("the sign-in of account {account} is being renewed just now; try again in a minute"),
        )),
    }
}

/// Forgets what was kept when we looked. What somebody has signed in to meanwhile is not what was meant; with --force
/// everything is.
fn forget(account: &AccountName, seen: Option<&Stored>, common: &Common) -> Result<(), Unchanged> {
    let expected = seen.map_or(Expected::Any, |stored| Expected::Version(stored.version));
    match common.vault.remove(account, expected) {
        Ok(false) if common.vault.get(account).is_ok_and(|kept| kept.is_some()) => Err((
            EX_TEMPFAIL,
            format!("somebody has just signed account {account} in anew, and that sign-in was left as it is"),
        )),
        Ok(_) => Ok(()),
        Err(error) => Err(unusable(&error)),
    }
}

fn unusable(error: &VaultError) -> Unchanged {
    let text = format!("{error} (--force forgets the sign-in without reading it, and the provider is not told)");
    (EX_CONFIG, text)
}

/// Nobody was signed in; that is no mistake, where there is such an account.
fn nothing_kept(account: AccountName, settings: Option<&Settings>) -> Result<Ended, Unchanged> {
    let Some(settings) = settings else {
        let text = format!(
            "there is no account `{}` in the configuration, and no sign-in of one is kept",
            account.as_str().escape_default()
        );
        return Err((EX_USAGE, text));
    };
    let note = match &settings.credential {
        credential if credential.is_kept() => None,
        _ => Some(format!(
            "Its credential stands in the configuration; to end its use, take `[accounts.{account}]` out."
        )),
    };
    Ok(Ended { account, removed: None, relay: None, to_do: note.into_iter().collect() })
}

async fn tell_provider(record: &Record, settings: &Settings, common: &Common) -> Result<AtProvider, Unchanged> {
    let application = settings.credential.grant().and_then(Grant::application);
    let ours = application.filter(|application| record.facts.are_of(application));
    Ok(match (ours, &record.refresh_token) {
        (None, _) => AtProvider::OtherApplication,
        (Some(_), None) => AtProvider::NotTold,
        (Some(application), Some(token)) => {
            let tools = app::tools(settings, common).map_err(|error| (EX_CONFIG, error.to_string()))?;
            match revocation::revoke(application, token, &tools.http, &common.clock).await {
                Ok(Revoked::Done) => AtProvider::Revoked,
                Ok(Revoked::NoEndpoint) => AtProvider::NoEndpoint,
                Err(failure) => {
                    let why = diagnose(&failure, settings.context());
                    AtProvider::Failed(format!("{} {}", why.sentence, why.cure))
                }
            }
        }
    })
}

/// What is left for a person.
fn to_do(
    account: &AccountName,
    settings: Option<&Settings>,
    stored: Option<&Stored>,
    provider: &AtProvider,
    relay: &Told,
) -> Vec<String> {
    let mut all = Vec::new();
    let facts = stored.map(|stored| &stored.record.facts);
    let page = facts.map_or(ELSEWHERE, |facts| page_of(&facts.endpoint));
    match provider {
        AtProvider::Revoked => {}
        AtProvider::NoEndpoint => all.push(format!(
            "The provider has no way for programs to end a sign-in: the refresh token stays good there until it ends by \
             itself. To end it now: {page}."
        )),
        AtProvider::NotTold | AtProvider::OtherApplication | AtProvider::Failed(_) => {
            all.push(format!("The provider was not told; what it gave stays good until it ends. To end it now: {page}."));
        }
    }
    if let Told::NotHeard(why) = relay {
        all.push(format!("The running relay was not told: {why}. Until then it may use the token it has in memory."));
    }
    match settings.and_then(|settings| settings.credential.grant()) {
        Some(Grant::RefreshToken { .. }) => all.push(format!(
            "`oauth` of [accounts.{account}] still brings a refresh token: take it out, or the relay begins with it again."
        )),
        Some(grant) if grant.needs_sign_in() => {
            all.push(format!("Account {account} sends nothing until somebody runs `posthouse login {account}`."));
        }
        _ => {}
    }
    all
}

const ELSEWHERE: &str = "take the application's access away on the provider's page for connected applications";

/// Where a person ends it, at the providers whose pages are known.
fn page_of(endpoint: &str) -> &'static str {
    if endpoint.contains("googleapis.com") {
        "remove the application at https://myaccount.google.com/connections"
    } else if endpoint.contains("login.microsoftonline.") || endpoint.contains("login.live.com") {
        "remove the application at https://myapps.microsoft.com (work or school account) or \
         https://account.live.com/consent/Manage (personal account)"
    } else {
        ELSEWHERE
    }
}

impl Ended {
    fn text(&self) -> String {
        let account = &self.account;
        let first = match &self.removed {
            None => format!("Nothing is kept of account {account}: nobody is signed in."),
            Some(AtProvider::Revoked) => {
                format!(
                    "Account {account} is signed out: the provider has taken the sign-in back, and nothing is kept here."
                )
            }
            Some(AtProvider::Failed(why)) => {
                format!("The sign-in of account {account} is forgotten here; the provider could not be told: {why}")
            }
            Some(_) => format!("The sign-in of account {account} is forgotten here."),
        };
        let relay = match &self.relay {
            Some(Told::Running) => Some("The running relay has been told and uses it no more.".to_owned()),
            Some(Told::NotRunning | Told::NotHeard(_)) | None => None,
        };
        [first].into_iter().chain(relay).chain(self.to_do.iter().cloned()).map(|line| line + "\n").collect()
    }

    fn json(&self) -> serde_json::Value {
        json!({
            "account": self.account.as_str(),
            "removed": self.removed.is_some(),
            "provider": self.removed.as_ref().map(AtProvider::code),
            "relay": self.relay.as_ref().map(Told::code),
            "to_do": self.to_do,
        })
    }
}
