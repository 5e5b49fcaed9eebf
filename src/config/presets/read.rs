//! One `[providers.NAME]`: from keys to a [`Preset`].
//!
//! Each mistake is noted and the reading continued, as in all sections. Guarantees that a preset without a finding has
//! a server, a port for it, and well-formed endpoints and replies.

use std::collections::BTreeMap;

use crate::account::provider::oauth::Pkce;
use crate::account::provider::{Grant, Limits, OAuth, PasswordKind, Preset, RefusedAt, Replies, SenderRule, Username};
use crate::config::check;
use crate::config::finding::Complaint;
use crate::config::keys::providers as words;
use crate::config::section::Section;
use crate::config::tree::{Origin, Value};
use crate::config::values;
use crate::smtp::reply::{Enhanced, Reply};

/// Reads one.
pub(super) fn preset(id: &str, section: &Section<'_>) -> Preset {
    let text = |key| section.get(key, values::free_text);
    let list = |key| texts(section, key);
    let preset = Preset {
        id: id.to_owned(),
        title: text("title").unwrap_or_else(|| id.to_owned()),
        domains: domains(section),
        host: section.get("host", host).unwrap_or_default(),
        regions: regions(section),
        implicit: ports(section, "implicit"),
        starttls: ports(section, "starttls"),
        mechanisms: names(section, "mechanisms"),
        password_mechanism: section.get("password_mechanism", mechanism),
        extensions: list("extensions"),
        username: text("username").map_or(Username::Address, username),
        password: section.get("password_kind", password_kind).unwrap_or(PasswordKind::Mailbox),
        password_help: text("password_help"),
        password_spaces: section.get("password_spaces", values::flag).unwrap_or(false),
        oauth: section.section("oauth").and_then(|section| oauth(&section)),
        sender: section.get("sender", sender).unwrap_or(SenderRule::Unknown),
        limits: section.section("limits").as_ref().map(limits).unwrap_or_default(),
        replies: section.section("replies").as_ref().map(replies).unwrap_or_default(),
        notes: list("notes"),
        source: list("source"),
        verified: section.get("verified", values::flag).unwrap_or(true),
    };
    if !section.has("host") {
        let complaint = Complaint::new("a provider needs a host");
        section.error_here(complaint.hint("write host = \"smtp.example.com\""));
    }
    if !section.has("implicit") && !section.has("starttls") {
        let complaint = Complaint::new("a provider needs a port");
        section.error_here(complaint.hint("write implicit = [465], or starttls = [587], or both"));
    }
    preset
}

/// A name in the key of a finding: only if it looks like one.
fn shown(name: &str) -> &str {
    if values::looks_like_name(name) { name } else { "NAME" }
}

/// Where a key of a provider stands; nowhere if the user did not write it.
pub(super) fn place(root: &Section<'_>, id: &str, key: &str) -> Origin {
    let sections = root.named("providers");
    let section = sections.iter().find(|(name, _)| name == id).map(|(_, section)| section);
    section.filter(|section| section.has(key)).map_or(Origin::Nowhere, |section| section.origin_of(key))
}

fn texts(section: &Section<'_>, key: &str) -> Vec<String> {
    let list = section.list(key, values::free_text).unwrap_or_default();
    list.into_iter().map(|(text, _)| text).collect()
}

fn domains(section: &Section<'_>) -> Vec<String> {
    let list = section.list("domains", values::domain).unwrap_or_default();
    list.into_iter().map(|(domain, _)| domain.to_ascii_lowercase()).collect()
}

fn ports(section: &Section<'_>, key: &str) -> Vec<u16> {
    let number = |value: &Value| {
        let hint = format!("write {key} = [{}]", if key == "implicit" { 465 } else { 587 });
        values::number(value, 1..=65535).map_err(|complaint| complaint.hint(hint))
    };
    let list = section.list(key, number).unwrap_or_default();
    list.into_iter().filter_map(|(port, _)| u16::try_from(port).ok()).collect()
}

fn names(section: &Section<'_>, key: &str) -> Vec<String> {
    let list = section.list(key, mechanism_name).unwrap_or_default();
    list.into_iter().map(|(name, _)| name).collect()
}

/// RFC 4422 §3.1
fn mechanism_name(value: &Value) -> Result<String, Complaint> {
    let name = values::free_text(value)?.to_ascii_uppercase();
    let fits = name.len() <= 20 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if fits {
        Ok(name)
    } else {
        Err(Complaint::new("expected the name of a SASL mechanism")
            .hint("write them as they stand in EHLO: [\"PLAIN\", \"LOGIN\"]"))
    }
}

/// A host in which one label, or a part of one, may be the region's.
fn host(value: &Value) -> Result<String, Complaint> {
    let Value::Text(text) = value else { return values::host(value) };
    let filled = Value::Text(text.replace("{region}", "region").into());
    values::host(&filled).map(|_| text.trim().to_owned())
}

fn regions(section: &Section<'_>) -> BTreeMap<String, String> {
    let mut regions = BTreeMap::new();
    for (name, node) in section.entries("regions") {
        match values::host(&node.value) {
            Ok(host) => drop(regions.insert(name.to_ascii_lowercase(), host)),
            Err(complaint) => {
                section.error_at(&node.origin, &section.key(&format!("regions.{}", shown(name))), complaint);
            }
        }
    }
    regions
}

fn username(text: String) -> Username {
    match text.as_str() {
        "{address}" => Username::Address,
        "{local_part}" => Username::LocalPart,
        "{own}" => Username::Own,
        _ => Username::Word(text),
    }
}

fn mechanism(value: &Value) -> Result<String, Complaint> {
    values::word(value, words::PASSWORD_MECHANISM).map(str::to_ascii_uppercase)
}

fn password_kind(value: &Value) -> Result<PasswordKind, Complaint> {
    Ok(match values::word(value, words::PASSWORD_KIND)? {
        "app" => PasswordKind::App,
        "token" => PasswordKind::Token,
        "smtp" => PasswordKind::Smtp,
        "ending" => PasswordKind::Ending,
        "ended" => PasswordKind::Ended,
        _ => PasswordKind::Mailbox,
    })
}

fn sender(value: &Value) -> Result<SenderRule, Complaint> {
    Ok(match values::word(value, words::SENDER)? {
        "account" => SenderRule::Account,
        "alias" => SenderRule::Alias,
        "rewritten" => SenderRule::Rewritten,
        "verified" => SenderRule::Verified,
        _ => SenderRule::Unknown,
    })
}

fn limits(section: &Section<'_>) -> Limits {
    let count = |key| section.number(key);
    Limits {
        connections: count("connections"),
        recipients_per_message: count("recipients_per_message"),
        messages_per_minute: count("messages_per_minute"),
        recipients_per_day: count("recipients_per_day"),
        size: section.get("size", values::size),
        null_sender: section.get("null_sender", values::flag),
    }
}

fn oauth(section: &Section<'_>) -> Option<OAuth> {
    for key in ["token_endpoint", "scope"].into_iter().filter(|key| !section.has(key)) {
        section.error_here(Complaint::new(format!("OAuth needs `{key}`")));
    }
    let endpoint = |key| section.get(key, endpoint);
    let pkce = match section.get("pkce", |value| values::word(value, words::PKCE)) {
        Some("required") => Pkce::Required,
        _ => Pkce::Supported,
    };
    let grants = section.list("grants", |value| values::free_text(value).and_then(|name| grant(&name)));
    let oauth = OAuth {
        authorization_endpoint: endpoint("authorization_endpoint"),
        token_endpoint: endpoint("token_endpoint").unwrap_or_default(),
        device_authorization_endpoint: endpoint("device_authorization_endpoint"),
        revocation_endpoint: endpoint("revocation_endpoint"),
        issuer: endpoint("issuer"),
        always_names_issuer: section.get("always_names_issuer", values::flag).unwrap_or(false),
        redirect_uri: section.get("redirect_uri", check::redirect).map(|redirect| redirect.to_string()),
        scope: section.get("scope", values::free_text).unwrap_or_default(),
        scopes: by_grant(section, "scopes"),
        parameters: texts(section, "parameters"),
        pkce,
        wants_secret: section.get("wants_secret", values::flag).unwrap_or(false),
        unused_refresh_token_life: section.get("unused_refresh_token_life", values::duration),
        grants: grants.unwrap_or_default().into_iter().map(|(grant, _)| grant).collect(),
        refused: by_grant(section, "refused"),
        registration: section.get("registration", values::free_text),
    };
    (section.has("token_endpoint") && section.has("scope")).then_some(oauth)
}

fn by_grant(section: &Section<'_>, key: &str) -> BTreeMap<Grant, String> {
    let mut found = BTreeMap::new();
    for (name, node) in section.entries(key) {
        match grant(name).and_then(|grant| Ok((grant, values::free_text(&node.value)?))) {
            Ok((grant, text)) => drop(found.insert(grant, text)),
            Err(complaint) => {
                section.error_at(&node.origin, &section.key(&format!("{key}.{}", shown(name))), complaint);
            }
        }
    }
    found
}

fn grant(name: &str) -> Result<Grant, Complaint> {
    let names = || Grant::ALL.map(|grant| format!("\"{grant}\"")).join(", ");
    let complaint = || Complaint::new("there is no grant of this name").hint(format!("there is {}", names()));
    Grant::named(name).ok_or_else(complaint)
}

/// HTTPS, with a gap for the tenant at most.
fn endpoint(value: &Value) -> Result<String, Complaint> {
    let text = values::free_text(value)?;
    let url = oauth2::url::Url::parse(&text.replace("{tenant}", "tenant"));
    let fits = url.is_ok_and(|url| url.scheme() == "https" && url.host().is_some() && url.fragment().is_none());
    if fits {
        Ok(text)
    } else {
        Err(Complaint::new("expected an address that begins with https://")
            .hint("write \"https://login.example.com/…\""))
    }
}

fn replies(section: &Section<'_>) -> Replies {
    let text = |key| section.get(key, values::free_text);
    let said = |key| section.get(key, reply);
    let refused_at = match section.get("refused_at", |value| values::word(value, words::REFUSED_AT)) {
        Some("end") => RefusedAt::End,
        _ => RefusedAt::Mail,
    };
    Replies {
        greeting: text("greeting"),
        signature: text("signature"),
        wrong_password: said("wrong_password"),
        wrong_token: said("wrong_token"),
        foreign_sender: said("foreign_sender").map(|reply| (refused_at, reply)),
        too_many_recipients: said("too_many_recipients"),
        quota: said("quota"),
    }
}

/// `550 5.7.1 No`; further lines behind `\n`, without the codes.
fn reply(value: &Value) -> Result<Reply, Complaint> {
    let expected = || {
        let complaint = Complaint::new("expected a refusal as a server says it");
        complaint.hint("write \"550 5.7.1 Not you\": a code from 400 to 599, then the text")
    };
    let Value::Text(text) = value else { return Err(expected()) };
    let (code, rest) = text.split_once(' ').unwrap_or((text, ""));
    let code = code.parse().ok().filter(|code| (400..600).contains(code) && rest.len() <= 1000).ok_or_else(expected)?;
    let bare = |c: char| c != '\n' && c.is_control();
    if rest.contains(bare) {
        return Err(expected());
    }
    let (first, behind) = rest.split_once(' ').unwrap_or((rest, ""));
    Ok(match enhanced(first) {
        Some(enhanced) => Reply { code, enhanced: Some(enhanced), text: behind.to_owned().into() },
        None => Reply { code, enhanced: None, text: rest.to_owned().into() },
    })
}

fn enhanced(text: &str) -> Option<Enhanced> {
    let mut parts = text.split('.');
    let (class, subject, detail) = (parts.next()?, parts.next()?, parts.next()?);
    let rest = parts.next();
    rest.is_none().then_some(Enhanced(class.parse().ok()?, subject.parse().ok()?, detail.parse().ok()?))
}
