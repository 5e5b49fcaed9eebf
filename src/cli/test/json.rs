//! The steps as JSON, one object a line, written as they end.
//!
//! The fields are documented in the command's help and are stable: more may come, none change their meaning. A field
//! stands there only where there is something to say; `failure` only in a step that failed.

use std::io::{self, Write};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::super::attempt::{failure, reply};
use super::{Summary, said};
use crate::account::Settings;
use crate::net::tls::certificate::CertificateFacts;
use crate::net::trust::Verified;
use crate::upstream::step::{End, Fact, Kind, Step};

/// A step as programs know it.
fn name(kind: Kind) -> String {
    said::name(kind).to_ascii_lowercase()
}

/// One step that is over.
pub(super) fn step(out: &mut impl Write, account: &Settings, step: &Step) -> io::Result<()> {
    let (outcome, failed) = match &step.end {
        End::Done => ("ok", None),
        End::Again(failure) => ("again", Some(failure)),
        End::Failed(failure) => ("failed", Some(failure)),
    };
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| object.insert(key.to_owned(), value);
    put("type", "step".into());
    put("account", account.name.as_str().into());
    put("step", name(step.kind).into());
    put("outcome", outcome.into());
    put("took_ms", millis(step.took));
    put("detail", said::lines(account, step).into());
    for fact in &step.facts {
        add(&mut object, fact);
    }
    // Where a proxy is on the way its name is looked up and its port connected to, not the provider's.
    if let (Kind::Dns | Kind::Tcp, Some(proxy)) = (step.kind, &account.proxies.smtp) {
        object.insert("proxy".into(), proxy.to_string().into());
    }
    if let Some(failed) = failed {
        object.insert("failure".into(), failure(failed, account));
    }
    writeln!(out, "{}", Value::Object(object))?;
    out.flush()
}

fn add(object: &mut Map<String, Value>, fact: &Fact) {
    match fact {
        Fact::Credential(origin) => {
            object.insert("credential".into(), json!({ "source": origin.kind, "place": origin.place }));
        }
        Fact::TokenLife(life) => {
            object.insert("token_life_s".into(), life.as_secs().into());
        }
        Fact::Addresses(addresses) => {
            let addresses: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
            object.insert("addresses".into(), addresses.into());
        }
        Fact::AddressFailed(address, error) => {
            push(object, "addresses_failed", json!({ "address": address.ip().to_string(), "error": error }));
        }
        Fact::Connected(peer) => {
            object.insert("peer".into(), peer.to_string().into());
        }
        Fact::Through { proxy, target } => {
            object.insert("proxy".into(), proxy.as_str().into());
            object.insert("target".into(), target.as_str().into());
        }
        Fact::Tls(facts) => {
            let tls = json!({
                "version": facts.version,
                "cipher": facts.cipher,
                "resumed": facts.resumed,
                "verified": verified(facts.verified),
            });
            object.insert("tls".into(), tls);
            object.insert("chain".into(), facts.chain.iter().map(certificate).collect());
        }
        Fact::Presented(chain) => {
            object.insert("chain".into(), chain.iter().map(certificate).collect());
        }
        Fact::Reply(said) => push(object, "replies", reply(said)),
        Fact::StaysClear(_) => {
            object.insert("starttls_offered".into(), false.into());
        }
        Fact::Mechanism { chosen, offered } => {
            object.insert("mechanism".into(), (*chosen).into());
            object.insert("offered".into(), offered.clone().into());
        }
        Fact::NoSignIn => {
            object.insert("mechanism".into(), Value::Null);
        }
    }
}

/// By what the server's certificate was believed.
fn verified(verified: Verified) -> &'static str {
    match verified {
        Verified::Full => "full",
        Verified::FullAndPin => "full+pin",
        Verified::Chain => "chain",
        Verified::ChainAndPin => "chain+pin",
        Verified::Pin => "pin",
        Verified::Nothing | Verified::NotAsked => "none",
    }
}

fn certificate(facts: &CertificateFacts) -> Value {
    json!({
        "subject": facts.subject,
        "issuer": facts.issuer,
        "names": facts.names,
        "not_before": facts.not_before.to_string(),
        "not_after": facts.not_after.to_string(),
        "key": facts.key.to_string(),
        "fingerprint": facts.fingerprint.to_string(),
    })
}

/// Adds to a list that is there once there is something in it.
fn push(object: &mut Map<String, Value>, key: &str, value: Value) {
    if let Value::Array(list) = object.entry(key).or_insert_with(|| Value::Array(Vec::new())) {
        list.push(value);
    }
}

/// How it ended.
pub(super) fn summary(out: &mut impl Write, account: &Settings, mail: bool, summary: &Summary) -> io::Result<()> {
    let failed = summary.failed.as_ref();
    let not_tried: Vec<String> = summary.not_tried(account).into_iter().map(name).collect();
    let object = json!({
        "type": "summary",
        "account": account.name.as_str(),
        "outcome": if failed.is_some() { "failed" } else { "ok" },
        "took_ms": millis(summary.took),
        "signed_in": summary.signed_in(),
        "delivered": mail && failed.is_none(),
        "failed_step": failed.map(|(step, ..)| name(step.kind)),
        "cause": failed.map(|(_, diagnosis, _)| diagnosis.cause.name()),
        "code": failed.map(|(_, diagnosis, _)| diagnosis.code),
        "not_tried": not_tried,
        "exit_code": summary.exit_code(),
    });
    writeln!(out, "{object}")?;
    out.flush()
}

/// How it ended before it had begun: nothing was tried, and this is why.
pub(super) fn not_begun(out: &mut impl Write, account: &Settings, why: &str, exit_code: u8) -> io::Result<()> {
    let nothing = Summary { took: Duration::ZERO, tried: Vec::new(), failed: None };
    let not_tried: Vec<String> = nothing.not_tried(account).into_iter().map(name).collect();
    let object = json!({
        "type": "summary",
        "account": account.name.as_str(),
        "outcome": "failed",
        "took_ms": 0,
        "signed_in": false,
        "delivered": false,
        "failed_step": null,
        "cause": null,
        "code": null,
        "reason": why,
        "not_tried": not_tried,
        "exit_code": exit_code,
    });
    writeln!(out, "{object}")?;
    out.flush()
}

fn millis(took: Duration) -> Value {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX).into()
}
