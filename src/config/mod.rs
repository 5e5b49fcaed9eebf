//! The only room that knows TOML: from a file, the environment and flags to every room's settings.
//!
//! [`load`] finds the file, reads it (`tree`), lays variables and flags over it (`layers`), notes what no key is
//! (`section`), turns the rest into settings and notes every contradiction (`check`), and looks at the files it names
//! (`files`). All mistakes come back at once in a [`Report`], none of which shows a secret (`mask`). What is merely
//! risky comes back beside the settings. Nothing here reads the process's environment or opens a connection.

mod check;
mod effective;
mod ends;
mod files;
mod finding;
mod keys;
mod layers;
mod mask;
mod paths;
pub mod presets;
pub mod report;
mod schema;
mod section;
mod syntax;
mod tree;
mod values;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use crate::account;
use crate::account::book::Rule;
use crate::account::provider::Presets;
use crate::ids::AccountName;
use crate::inbound::settings::{Caps, DeviceSettings, Fixups, ListenerSettings};
use crate::journal::log;
use crate::mail::address::Address;
use crate::queue;
use crate::store;

pub use effective::{Effective, Origins};
pub use finding::{Finding, Masked, Place, Severity};
pub use keys::{all as all_keys, with_later as all_keys_and_later};
pub use report::Report;
pub use schema::schema;

use finding::{Complaint, Findings};
use section::Section;
use tree::{Origin, Table};

/// Everything the administrator decided, checked, with defaults filled in.
#[derive(Debug, Clone)]
pub struct Config {
    /// `hostname`: this machine's name towards devices; `None`: ask the operating system.
    pub hostname: Option<String>,
    /// `default_domain`: completes addresses without one.
    pub default_domain: Option<String>,
    /// `default_account`: takes mail that no device's `account` claims; `None` only where no mail needs it, or where
    /// there is but one account.
    pub default_account: Option<AccountName>,
    /// `[aliases]`: recipients by what a device writes, in small letters, applied once.
    pub aliases: BTreeMap<String, Address>,
    /// `[[listeners]]`, at least one.
    pub listeners: Vec<ListenerSettings>,
    /// `[[routes]]`, in their order.
    pub routes: Vec<Rule>,
    /// `[devices]`
    pub devices: Vec<DeviceSettings>,
    /// `[accounts]`, at least one.
    pub accounts: Vec<account::Settings>,
    /// `[sessions]`
    pub caps: Caps,
    /// `[delivery]`
    pub delivery: Delivery,
    /// `[delivery]` and `[notices]`, as far as they are about the queue.
    pub queue: queue::Settings,
    /// `[storage]`
    pub storage: store::file::Settings,
    /// `[fixups]`
    pub fixups: Fixups,
    /// `[log]`
    pub log: log::Settings,
}

/// `[delivery]`, but for what is about the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// `shutdown_grace`: how long a stopping relay lets started mail go on; at most 5 min, default 8 s.
    pub shutdown_grace: Duration,
    /// `redirect_to`: everything goes there, and to nobody else.
    pub redirect_to: Option<Address>,
    /// `archive_to`: gets a copy of everything.
    pub archive_to: Option<Address>,
}

/// Where configuration may come from. `Debug` shows names, never values.
#[derive(Clone, Default)]
pub struct Sources {
    /// `--config`; without it `$POSTHOUSE_CONFIG` and the usual places are tried.
    pub path: Option<PathBuf>,
    /// The process's environment.
    pub environment: BTreeMap<String, String>,
    /// Keys set by flags; they win over everything.
    pub overrides: Vec<Override>,
}

/// One key set by a flag. `Debug` leaves the value out.
#[derive(Clone)]
pub struct Override {
    /// How the user wrote it, for reports: `--listen`.
    pub flag: String,
    /// The key it sets: `listeners.0.bind`.
    pub key: String,
    /// Its value, as in an environment variable.
    pub value: String,
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&String> = self.environment.keys().collect();
        let mut shown = f.debug_struct("Sources");
        shown.field("path", &self.path).field("environment", &names).field("overrides", &self.overrides).finish()
    }
}

impl fmt::Debug for Override {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Override").field("flag", &self.flag).field("key", &self.key).finish_non_exhaustive()
    }
}

/// A configuration that can be used.
#[derive(Debug)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// What is risky about them.
    pub warnings: Vec<Finding>,
    /// What was guessed, one sentence each.
    pub notes: Vec<String>,
    /// The providers there are, those of the user among them.
    pub presets: Presets,
    /// The file they came from; `None` if there was none and variables or flags said everything.
    pub origin: Option<PathBuf>,
    /// Where each key was written.
    pub origins: Origins,
}

/// Finds, reads and checks the configuration.
///
/// # Errors
/// When anything is wrong with it; the report holds everything that is, and the warnings too.
pub fn load(sources: &Sources) -> Result<Loaded, Report> {
    let file = match paths::find(sources, Path::exists) {
        Ok(Some(path)) => Some(File::read(path)?),
        Ok(None) => None,
        Err(complaint) => return Err(alone(complaint)),
    };
    let (mut table, findings, path) = match file {
        Some(File { path, table, masked }) => (table, Findings::new(Some(masked)), Some(path)),
        None => (Table::default(), Findings::new(None), None),
    };
    let says_nothing = table.0.is_empty();
    section::survey(&table, keys::ROOT, "", &findings);
    layers::environment(&mut table, &sources.environment, &findings);
    layers::flags(&mut table, &sources.overrides, &findings);

    let presets = presets::gather(&table, &findings);
    let notes = presets::fill::fill(&mut table, &presets, &findings);

    let directory = path.as_deref().and_then(Path::parent).unwrap_or(Path::new(""));
    let surroundings = check::Surroundings {
        directory,
        presets: &presets,
        storage: paths::storage(&sources.environment),
        vault_key: paths::vault_key(&sources.environment),
        proxies: check::Environment::new(&sources.environment),
        read_secret: &|path| files::read_secret(path, directory),
    };
    let checked = check::check(&Section::root(&table, &findings), &surroundings);
    ends::look(&table, &checked.config.accounts, Timestamp::now(), &findings);
    files::look(&checked.named_files, path.as_deref(), checked.holds_secret, &findings);

    let origins = Origins::new(&table, &findings, &checked.named_files);
    let mut findings = findings.into_sorted();
    match &path {
        None => add_to_what_is_missing(&mut findings, &paths::looked_for()),
        Some(path) if says_nothing => {
            let nothing = format!("{} holds no key, only remarks or nothing at all", path.display());
            add_to_what_is_missing(&mut findings, &nothing);
        }
        Some(_) => {}
    }
    if findings.iter().any(|finding| finding.severity == Severity::Error) {
        return Err(Report { findings });
    }
    Ok(Loaded { config: checked.config, warnings: findings, notes, presets, origin: path, origins })
}

/// What is missing is most likely missing because the file was not found, or holds nothing.
fn add_to_what_is_missing(findings: &mut [Finding], why: &str) {
    let missing = |finding: &&mut Finding| finding.severity == Severity::Error && finding.place == Place::Nowhere;
    if let Some(finding) = findings.iter_mut().find(missing) {
        finding.message = format!("{}; {why}", finding.message);
    }
}

/// The file, read.
struct File {
    path: PathBuf,
    table: Table,
    masked: Masked,
}

impl File {
    fn read(path: PathBuf) -> Result<Self, Report> {
        let source = files::read_source(&path).map_err(alone)?;
        let name = path.display().to_string();
        match tree::parse(&source) {
            Ok(table) => {
                let masked = Masked { name, text: mask::mask(&source, Some(&table)) };
                Ok(Self { path, table, masked })
            }
            Err(errors) => {
                let findings = Findings::new(Some(Masked { name, text: mask::mask(&source, None) }));
                for error in syntax::one_a_line(&source, errors) {
                    let complaint = syntax::explain(&source, &error);
                    findings.error(&Origin::File(syntax::mark(&source, &error)), "", complaint);
                }
                Err(Report { findings: findings.into_sorted() })
            }
        }
    }
}

/// A report of one error about the whole.
fn alone(complaint: Complaint) -> Report {
    let findings = Findings::new(None);
    findings.error(&Origin::Nowhere, "", complaint);
    Report { findings: findings.into_sorted() }
}
