//! `posthouse vault status`: where vault and key are, what is kept of whom, and whether all of it opens.
//!
//! Nothing is made or changed. A table for people, one object for programs; problems stand in full below the table,
//! each with what to do.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::super::table;
use super::super::words::{at, plain};
use super::{exit_code, fail, print};
use crate::config::Config;
use crate::store::file::{FileVault, KeySource, KeyState, Survey, Surveyed};

pub(super) fn run(vault: &FileVault, config: &Config, as_json: bool) -> ExitCode {
    match vault.survey() {
        Ok(survey) => {
            let text = if as_json { json(vault, config, &survey) } else { text(vault, config, &survey) };
            print(&text, code(&survey))
        }
        Err(error) if as_json => {
            let object = json!({ "ok": false, "vault": place(vault), "problem": error.to_string() });
            print(&format!("{object:#}\n"), exit_code(&error))
        }
        Err(error) => fail(exit_code(&error), error),
    }
}

/// The key's trouble before that of an account, which mostly comes of it.
fn code(survey: &Survey) -> u8 {
    let of_key = match &survey.keys {
        KeyState::Unusable(error) => Some(error),
        KeyState::Ready(_) | KeyState::NotMade => None,
    };
    let first = of_key.or_else(|| survey.accounts.iter().find_map(|account| account.problem.as_ref()));
    first.map_or(0, exit_code)
}

fn place(vault: &FileVault) -> String {
    vault.path().display().to_string()
}

/// Where the key comes from, and the name of that for programs.
fn source(vault: &FileVault) -> (&'static str, String) {
    match vault.key() {
        KeySource::Given(_) => ("given", "storage.key".into()),
        KeySource::File(path) => ("file", path.display().to_string()),
        KeySource::Made(path) => ("made", path.display().to_string()),
    }
}

pub(super) fn text(vault: &FileVault, config: &Config, survey: &Survey) -> String {
    let keys = match &survey.keys {
        KeyState::Ready(keys) if keys.len() == 1 => format!("key {}", keys[0]),
        KeyState::Ready(keys) => {
            let others: Vec<String> = keys[1..].iter().map(ToString::to_string).collect();
            format!("key {} seals, {} only opens", keys[0], others.join(" and "))
        }
        KeyState::NotMade => "made when the first sign-in is kept".into(),
        KeyState::Unusable(_) => "cannot be used".into(),
    };
    let mut text = format!("Vault  {}\nKey    {}: {keys}\n", place(vault), source(vault).1);
    if survey.accounts.is_empty() {
        text += "\nNothing is kept.\n";
    } else {
        text += "\n";
        text += &table::text(HEADING, survey.accounts.iter().map(row), None);
    }
    for problem in problems(survey) {
        text.extend(["\nProblem: ", &problem, ".\n"]);
    }
    let strangers = survey.accounts.iter().filter(|kept| !is_configured(config, kept)).map(|kept| &kept.account);
    text.extend(strangers.map(|account| {
        format!("\nNote: account {account} is not in the configuration; to forget it: `posthouse logout {account}`\n")
    }));
    text
}

const HEADING: [&str; 6] = ["ACCOUNT", "MAILBOX", "GRANT", "SIGNED IN", "RENEWED", "OPENS"];

fn row(kept: &Surveyed) -> [String; 6] {
    let facts = &kept.facts;
    let opens = if kept.problem.is_some() { "no" } else { "yes" };
    [
        kept.account.to_string(),
        plain(&facts.username),
        plain(&facts.grant),
        at(facts.signed_in),
        at(facts.renewed),
        opens.to_owned(),
    ]
}

/// Each once: what is wrong with the key is wrong with all it sealed.
fn problems(survey: &Survey) -> Vec<String> {
    let of_key = match &survey.keys {
        KeyState::Unusable(error) => Some(error.to_string()),
        KeyState::Ready(_) | KeyState::NotMade => None,
    };
    let of_accounts = survey.accounts.iter().filter_map(|account| account.problem.as_ref().map(ToString::to_string));
    let mut all: Vec<String> = Vec::new();
    for problem in of_key.into_iter().chain(of_accounts) {
        if !all.contains(&problem) {
            all.push(problem);
        }
    }
    all
}

fn is_configured(config: &Config, kept: &Surveyed) -> bool {
    config.accounts.iter().any(|account| account.name == kept.account)
}

pub(super) fn json(vault: &FileVault, config: &Config, survey: &Survey) -> String {
    let (source, place_of_key) = source(vault);
    let ids: Vec<String> = match &survey.keys {
        KeyState::Ready(keys) => keys.iter().map(ToString::to_string).collect(),
        KeyState::NotMade | KeyState::Unusable(_) => Vec::new(),
    };
    let accounts: Vec<Value> = survey
        .accounts
        .iter()
        .map(|account| {
            json!({
                "account": account.account.as_str(),
                "configured": is_configured(config, account),
                "mailbox": account.facts.username,
                "grant": account.facts.grant,
                "signed_in": account.facts.signed_in,
                "renewed": account.facts.renewed,
                "sealed_with": account.sealed_with.iter().map(ToString::to_string).collect::<Vec<_>>(),
                "opens": account.problem.is_none(),
            })
        })
        .collect();
    let object = json!({
        "ok": code(survey) == 0,
        "vault": place(vault),
        "key": { "source": source, "place": place_of_key, "ids": ids },
        "accounts": accounts,
        "problems": problems(survey),
    });
    format!("{object:#}\n")
}
