//! How the accounts stand, as commands and programs are told: the sign-in, and what a person must do by when.
//!
//! Travels as JSON over `control.sock` and out of `posthouse accounts --json`: a field once there keeps its name and
//! its meaning. Holds no secret.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Common, StartError, tools};
use crate::account::keeper::Keeper;
use crate::account::status::{SignIn, Status};
use crate::account::vault::Facts;
use crate::account::warning::{Known, Warning, signers, warnings};
use crate::account::{Settings, oauth, smime};
use crate::config::Config;
use crate::ids::AccountName;
use crate::journal::Journal;
use crate::outbound::Desks;
use crate::smtp::client::Timeouts;

/// One account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// How its sign-in stands.
    #[serde(flatten)]
    pub status: Status,
    /// What will end it, the most urgent first.
    pub warnings: Vec<Warning>,
}

impl Account {
    /// With everything there is to warn of. `facts`: what is kept of its sign-in.
    fn new(settings: &Settings, status: Status, facts: Option<&Facts>, now: Timestamp) -> Self {
        let is_renewable = matches!(status.sign_in, SignIn::Kept { is_renewable: true, .. });
        // Of a sign-in that is not ours there is nothing to warn; that it is not ours is said anyway.
        let facts = facts.filter(|_| matches!(status.sign_in, SignIn::Kept { .. }));
        let certificate_ends = settings.credential.grant().and_then(oauth::client_certificate_ends);
        let mut warnings = warnings(Known { settings, facts, is_renewable, certificate_ends }, now);
        let certificates = settings.smime.as_ref().map(smime::Settings::certificates).unwrap_or_default();
        warnings.extend(signers(&settings.name, &certificates, now));
        warnings.sort_by_key(|warning| warning.due);
        Self { status, warnings }
    }
}

/// What configuration and vault say, where no relay answers. Calls nobody; blocks on the disk for a moment.
///
/// # Errors
/// When an account cannot be used at all.
pub async fn of_files(config: &Config) -> Result<Vec<Account>, StartError> {
    let common = Common::new(config, Journal::default(), Timeouts::default());
    let kept = kept(&common).await;
    let mut accounts = Vec::new();
    for settings in &config.accounts {
        let keeper = Keeper::new(settings, tools(settings, &common)?)?;
        let facts = kept.get(&settings.name);
        accounts.push(Account::new(settings, keeper.status().await, facts, common.clock.now()));
    }
    Ok(accounts)
}

/// How they stand in the relay that asks.
pub(super) async fn of_relay(accounts: &[Settings], common: &Common, desks: &Desks) -> Vec<Account> {
    let kept = kept(common).await;
    let mut stands: HashMap<String, Status> =
        desks.status().await.into_iter().map(|status| (status.account.clone(), status)).collect();
    let now = common.clock.now();
    let told = |settings: &Settings| {
        let status = stands.remove(settings.name.as_str())?;
        Some(Account::new(settings, status, kept.get(&settings.name), now))
    };
    accounts.iter().filter_map(told).collect()
}

/// What may be read of all sign-ins. Of a vault that cannot be read each account says so itself.
async fn kept(common: &Common) -> HashMap<AccountName, Facts> {
    let vault = Arc::clone(&common.vault);
    let listed = tokio::task::spawn_blocking(move || vault.list()).await;
    listed.ok().and_then(Result::ok).unwrap_or_default().into_iter().collect()
}
