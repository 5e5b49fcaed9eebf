//! `posthouse check --route`: which account a mail goes through, and why not another.
//!
//! Plays the envelope through the listener's own policy, recipient by recipient, as a session does: what it says is
//! what a device would hear. Limits on how much a device may send are shown, not counted.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr};

use serde_json::json;

use super::question::Answer;
use crate::account::book::{Condition, Reason, Route, Rule};
use crate::app;
use crate::config::Config;
use crate::ids::{AccountName, DeviceName, ListenerName};
use crate::inbound::limits::Unit;
use crate::inbound::policy::{Caller, Company, Policy};
use crate::inbound::settings::{DeviceAuth, ListenerSettings};
use crate::mail::address::Address;
use crate::mail::envelope::{Envelope, Recipient, ReversePath, Sender};
use crate::queue;
use crate::smtp::reply::Refusal;

/// The mail in question.
#[derive(Debug)]
pub(super) struct Asked {
    from: ReversePath,
    to: Vec<Address>,
    source: IpAddr,
    device: Option<String>,
    listener: Option<String>,
}

impl Asked {
    /// Reads `from=… to=… source=… device=… listener=…`.
    pub(super) fn parse(words: &[String]) -> Result<Self, String> {
        let mut from = None;
        let source = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let mut asked = Self { from: ReversePath::Null, to: Vec::new(), source, device: None, listener: None };
        for word in words {
            let (key, value) = word.split_once('=').ok_or_else(|| format!("expected KEY=VALUE, not `{word}`"))?;
            let address = |text: &str| Address::parse(text.as_bytes()).map_err(|error| format!("{key}: {error}"));
            match key {
                "from" if matches!(value, "" | "<>") => from = Some(ReversePath::Null),
                "from" => from = Some(ReversePath::Mailbox(address(value)?)),
                "to" => asked.to.push(address(value)?),
                "source" => asked.source = value.parse().map_err(|_| "source: expected an IP address".to_owned())?,
                "device" => asked.device = Some(value.to_owned()),
                "listener" => asked.listener = Some(value.to_owned()),
                _ => return Err(format!("unknown key `{key}`; the keys are from, to, source, device and listener")),
            }
        }
        asked.from = from.ok_or("from=ADDRESS is missing; from=<> is mail without a sender")?;
        if asked.to.is_empty() { Err("to=ADDRESS is missing".into()) } else { Ok(asked) }
    }
}

/// Everything that was found out.
struct Explanation<'a> {
    listener: &'a ListenerSettings,
    caller: Caller,
    /// Why nothing comes so far as to name a sender.
    barred: Option<String>,
    sender: Result<String, Refusal>,
    recipients: Vec<Explained>,
    limits: Vec<String>,
}

/// One recipient.
struct Explained {
    written: Address,
    tried: Vec<(usize, Rule, Option<Condition>)>,
    found: Result<(Address, Route), Refusal>,
    /// Mail is kept, so that the further accounts of a route have their turn.
    kept: bool,
}

/// Explains the choice.
pub(super) fn answer(config: &Config, asked: &Asked) -> Answer {
    let explained = listener(config, asked).and_then(|listener| explain(config, listener, asked));
    match explained {
        Ok(explanation) => {
            let good = explanation.barred.is_none()
                && explanation.sender.is_ok()
                && explanation.recipients.iter().all(|recipient| recipient.found.is_ok());
            Answer { good, text: explanation.text(), json: explanation.json(good) }
        }
        Err(error) => Answer { good: false, json: json!({ "ok": false, "error": error }), text: format!("{error}\n") },
    }
}

/// The one that was named, else the first that talks to this source, else the first.
fn listener<'a>(config: &'a Config, asked: &Asked) -> Result<&'a ListenerSettings, String> {
    let all = &config.listeners;
    let found = match &asked.listener {
        Some(name) => all.iter().find(|listener| listener.name.as_str() == name),
        None => all.iter().find(|listener| connects(listener, asked.source).is_ok()).or(all.first()),
    };
    let names = || all.iter().map(|listener| listener.name.as_str()).collect::<Vec<_>>().join(", ");
    found.ok_or_else(|| format!("there is no such listener; configured listeners: {}", names()))
}

fn explain<'a>(config: &Config, listener: &'a ListenerSettings, asked: &Asked) -> Result<Explanation<'a>, String> {
    let policy = app::policy(config, listener).map_err(|error| error.to_string())?;
    let login = asked.device.as_deref().map(|name| login(config, name)).transpose()?;
    let caller = Caller { source: asked.source.to_canonical(), login };
    let barred = connects(listener, asked.source).and_then(|()| signs_in(listener, &caller)).err();
    let mut sender =
        Sender { reverse_path: asked.from.clone(), declared_size: None, smtputf8: false, ret: None, envid: None };
    let said = policy.sender(&caller, &mut sender).map(|()| sender.reverse_path.to_string());
    let mut envelope = Envelope { sender, recipients: Vec::new() };
    let kept = matches!(config.queue, queue::Settings::Durable(_));
    let recipients =
        if said.is_ok() { recipients(&policy, kept, &caller, &mut envelope, &asked.to) } else { Vec::new() };
    let limits = limits(&policy, &caller);
    Ok(Explanation { listener, caller, barred, sender: said, recipients, limits })
}

fn login(config: &Config, name: &str) -> Result<DeviceName, String> {
    let found = config.devices.iter().find(|device| device.name.as_str().eq_ignore_ascii_case(name));
    let names = || config.devices.iter().map(|device| device.name.as_str()).collect::<Vec<_>>().join(", ");
    found.map(|device| device.name.clone()).ok_or_else(|| match config.devices.as_slice() {
        [] => "there are no [devices], so nobody signs in; leave device= out".to_owned(),
        _ => format!("there is no such device; configured devices: {}", names()),
    })
}

/// Whether the door opens for this source.
fn connects(listener: &ListenerSettings, source: IpAddr) -> Result<(), String> {
    for &address in &listener.bind {
        let guarded = app::guard(listener, address).map_err(|refused| refused.to_string())?;
        if guarded.allows(source) {
            return Ok(());
        }
    }
    Err(format!("{} is not in `allow` of listener {}", source.to_canonical(), listener.name))
}

fn signs_in(listener: &ListenerSettings, caller: &Caller) -> Result<(), String> {
    let name = &listener.name;
    match (listener.auth, &caller.login) {
        (DeviceAuth::Required, None) => Err(format!("listener {name} takes no mail without a login; add device=NAME")),
        (DeviceAuth::None, Some(_)) => Err(format!("listener {name} has auth = \"none\", so nobody signs in there")),
        (DeviceAuth::AcceptAny, Some(_)) => {
            Err(format!("listener {name} has auth = \"accept_any\" and forgets logins; leave device= out"))
        }
        _ => Ok(()),
    }
}

fn recipients(policy: &Policy, kept: bool, caller: &Caller, envelope: &mut Envelope, to: &[Address]) -> Vec<Explained> {
    let mut first: Option<AccountName> = None;
    let mut explained = Vec::new();
    for written in to {
        let tried = policy.explain(caller, &envelope.sender.reverse_path, written);
        let company = if kept { Company::Free } else { Company::Together(first.as_ref()) };
        let found = policy.recipient(caller, envelope, company, written);
        if let Ok((address, route)) = &found {
            envelope.recipients.push(Recipient::plain(address.clone()));
            first.get_or_insert_with(|| route.account().clone());
        }
        explained.push(Explained { written: written.clone(), tried, found, kept });
    }
    explained
}

fn limits(policy: &Policy, caller: &Caller) -> Vec<String> {
    let of = |unit: Unit| {
        let strictest = policy.claims(caller, unit).into_iter().map(|claim| claim.most).min();
        strictest.map(|most| format!("{} = {most}", unit.key()))
    };
    [Unit::Message, Unit::Recipient].into_iter().filter_map(of).collect()
}

impl Explanation<'_> {
    fn text(&self) -> String {
        let mut text = format!("From {}", self.caller.source);
        if let Some(login) = &self.caller.login {
            let _ = write!(text, ", signed in as {login},");
        }
        let _ = writeln!(text, " to listener {}", self.listener.name);
        if let Some(why) = &self.barred {
            let _ = writeln!(text, "  refused: {why}");
        }
        match &self.sender {
            Ok(sender) => writeln!(text, "  sender {sender}: let through"),
            Err(refusal) => writeln!(text, "  sender refused: {}", refusal.reply()),
        }
        .unwrap_or_default();
        for recipient in &self.recipients {
            recipient.write(&self.caller, &mut text);
        }
        if !self.limits.is_empty() {
            let _ = writeln!(text, "  limits of this device: {}", self.limits.join(", "));
        }
        text
    }

    fn json(&self, good: bool) -> serde_json::Value {
        let refusal = |refusal: &Refusal| refusal.reply().to_string();
        let recipients: Vec<_> = self.recipients.iter().map(|recipient| recipient.json(&self.caller)).collect();
        json!({
            "ok": good,
            "listener": ListenerName::as_str(&self.listener.name),
            "source": self.caller.source.to_string(),
            "device": self.caller.login.as_ref().map(DeviceName::as_str),
            "barred": self.barred,
            "sender": self.sender.as_ref().ok(),
            "sender_refused": self.sender.as_ref().err().map(refusal),
            "recipients": recipients,
            "limits": self.limits,
        })
    }
}

impl Explained {
    fn write(&self, caller: &Caller, text: &mut String) {
        let _ = match &self.found {
            Ok((address, _)) if *address != self.written => {
                writeln!(text, "  recipient {}, which becomes {address}", self.written)
            }
            _ => writeln!(text, "  recipient {}", self.written),
        };
        for (index, rule, why_not) in &self.tried {
            let _ = match why_not {
                None => writeln!(text, "    routes[{index}] fits"),
                Some(condition) => writeln!(text, "    routes[{index}] does not: {}", mismatch(rule, *condition)),
            };
        }
        let _ = match &self.found {
            Ok((_, route)) => {
                writeln!(text, "    goes through {}, by {}", accounts(route, self.kept), reason(route, caller))
            }
            Err(refusal) => writeln!(text, "    refused: {}", refusal.reply()),
        };
    }

    fn json(&self, caller: &Caller) -> serde_json::Value {
        let tried = |(index, rule, why_not): &(usize, Rule, Option<Condition>)| json!({ "route": index, "fits": why_not.is_none(), "why_not": why_not.map(|c| mismatch(rule, c)) });
        let found = self.found.as_ref().ok();
        json!({
            "recipient": self.written.as_str(),
            "becomes": found.map(|(address, _)| address.as_str()),
            "tried": self.tried.iter().map(tried).collect::<Vec<_>>(),
            "account": found.map(|(_, route)| route.account().as_str()),
            "fallbacks": found.map(|(_, route)| route.fallbacks().iter().map(AccountName::as_str).collect::<Vec<_>>()),
            "decided_by": found.map(|(_, route)| reason(route, caller)),
            "refused": self.found.as_ref().err().map(|refusal| refusal.reply().to_string()),
        })
    }
}

fn mismatch(rule: &Rule, condition: Condition) -> String {
    format!("`{condition}` wants {}", rule.wanted(condition))
}

fn accounts(route: &Route, kept: bool) -> String {
    let mut text = format!("account {}", route.account());
    for fallback in route.fallbacks() {
        let _ = write!(text, ", else {fallback}");
    }
    if !kept && !route.fallbacks().is_empty() {
        text.push_str(" (with delivery.queue = false the first one only)");
    }
    text
}

fn reason(route: &Route, caller: &Caller) -> String {
    match (route.by, &caller.login) {
        (Reason::Rule(index), _) => format!("routes[{index}]"),
        (Reason::Device, Some(login)) => format!("`account` of [devices.{login}], since no route fits"),
        (Reason::Device | Reason::Default, _) => "default_account, since no route and no device decides".into(),
        (Reason::Only, _) => "being the only account there is".into(),
    }
}
