//! What an account asks of its provider that the provider does not do, and what only a provider gives a meaning.
//!
//! What is known of a provider from its own pages is an error to contradict; what is known from few or old sources, a
//! risk. Says nothing about ports and encryption where the account names its own host. Reads no file.

use crate::account::provider::{Grant, OAuth, PasswordKind, Preset, Presets, Username};
use crate::account::{Encryption, Mechanism, PasswordSpaces, Settings};
use crate::config::finding::Complaint;
use crate::config::section::Section;
use crate::config::tree::Value;
use crate::config::values;

const PASSWORDS: [&str; 3] = ["password", "password_file", "password_command"];

/// The provider of an account. An unknown one was told when accounts were filled.
pub(super) fn of<'a>(section: &Section<'_>, presets: &'a Presets) -> Option<&'a Preset> {
    let find = |value: &Value| match value {
        Value::Text(name) => Ok(presets.find(name)),
        _ => Ok(None),
    };
    section.get("provider", find).flatten()
}

/// `limits.size`: not below what every server must take (RFC 5321 §4.5.3.1.7).
pub(super) fn size(limits: &Section<'_>) -> Option<u64> {
    let size = limits.get("size", values::size)?;
    if size < 64 << 10 {
        let complaint =
            Complaint::new("expected at least \"64KiB\", which every mail server takes (RFC 5321 §4.5.3.1.7)")
                .hint("write size = \"25MiB\", or leave it out");
        limits.error("size", complaint);
    }
    Some(size)
}

/// Whether spaces in the password are for display; of an account that names a provider's host itself, too.
pub(super) fn password_spaces(preset: Option<&Preset>, host: &str, presets: &Presets) -> PasswordSpaces {
    match preset.or_else(|| presets.of_host(host)) {
        Some(preset) if preset.password_spaces => PasswordSpaces::Displayed,
        _ => PasswordSpaces::Kept,
    }
}

/// What stands in an account without a provider although only one gives it a meaning. Says nothing about ports.
pub(super) fn needless(section: &Section<'_>) -> bool {
    if section.has("provider") {
        // An unknown one, which is told.
        return false;
    }
    if section.has("region") {
        let complaint = Complaint::new("`region` picks one of a provider's servers, and this account has no provider");
        section.error("region", complaint.hint("write provider = \"…\", or leave region out: `host` says it all"));
    }
    if let Some(oauth) = section.section("oauth").filter(|oauth| oauth.has("tenant")) {
        let complaint =
            Complaint::new("`tenant` goes into a provider's token endpoint, and this account has no provider");
        let hint = "write provider = \"microsoft365\", or the whole token_endpoint and no tenant";
        oauth.error("tenant", complaint.hint(hint));
    }
    false
}

/// Compares an account with its provider; true if something was said about port and encryption.
pub(super) fn fits(section: &Section<'_>, preset: &Preset, settings: &Settings) -> bool {
    passwords(section, preset);
    grants(section, preset);
    mechanism(section, preset, settings.mechanism);
    limits(section, preset, settings);
    !section.wrote("host") && door(section, preset, settings)
}

/// An error where the facts are known well, a warning where they are not.
fn note(section: &Section<'_>, preset: &Preset, key: &str, complaint: Complaint) {
    if preset.verified { section.error(key, complaint) } else { section.warning(key, complaint) }
}

fn passwords(section: &Section<'_>, preset: &Preset) {
    let given = PASSWORDS.into_iter().find(|key| section.has(key));
    let help = preset.password_help.clone().unwrap_or_default();
    if let Some(key) = given.filter(|_| preset.password == PasswordKind::Ended) {
        let complaint = Complaint::new(format!("no password is taken by {}", preset.title));
        note(section, preset, key, complaint.hint(help.clone()));
    }
    if let Some(key) = given.filter(|_| preset.password == PasswordKind::Ending) {
        let complaint = Complaint::new(format!("{} is about to take no passwords any more", preset.title));
        section.warning(key, complaint.hint(help.clone()));
    }
    if given.is_some() && preset.username == Username::Own && !section.has("username") {
        let complaint = Complaint::new(format!(
            "the login name at {} is one that is handed out there, not the address",
            preset.title
        ));
        section.error_here(complaint.hint(format!("write username = \"…\"; {help}")));
    }
}

fn grants(section: &Section<'_>, preset: &Preset) {
    if !section.has("oauth") {
        return;
    }
    let Some(known) = &preset.oauth else {
        let complaint = Complaint::new(format!("OAuth is not known to be taken by {}", preset.title));
        let help = preset.password_help.as_ref().map(|help| format!(": {help}")).unwrap_or_default();
        section.warning("oauth", complaint.hint(format!("write password_file = \"…\" instead{help}")));
        return;
    };
    let Some(oauth) = section.section("oauth") else { return };
    let as_grant = |value: &Value| match value {
        Value::Text(text) => Ok(Grant::named(text.trim())),
        // What is no text at all is told where the grant is read.
        _ => Ok(None),
    };
    if let Some((grant, why)) =
        oauth.get("grant", as_grant).flatten().and_then(|grant| Some((grant, known.refusal(grant)?)))
    {
        let can = known.grants.iter().map(|grant| format!("\"{grant}\", "));
        let can: String = can.collect();
        let complaint = Complaint::new(format!("{grant} does not work with {}: {why}", preset.title));
        note(
            &oauth,
            preset,
            "grant",
            complaint.hint(format!("what works there: {can}\"command\" (a program that prints an access token)")),
        );
    }
    secret(&oauth, preset, known);
    if oauth.has("tenant") && !known.wants_tenant() {
        let complaint = Complaint::new(format!("there are no tenants at {}", preset.title));
        oauth.error("tenant", complaint.hint("leave it out"));
    }
}

/// What is registered at some providers has a secret in any case, and is refused without it.
fn secret(oauth: &Section<'_>, preset: &Preset, known: &OAuth) {
    let word = oauth
        .get("grant", |value| Ok(if let Value::Text(text) = value { text.trim().to_owned() } else { String::new() }));
    let Some(grant) = word.and_then(|word| Grant::named(&word)) else { return };
    let asked = matches!(grant, Grant::AuthorizationCode | Grant::DeviceCode | Grant::RefreshToken);
    let proven = ["client_secret", "client_secret_file", "client_certificate"].iter().any(|key| oauth.has(key));
    let elsewhere = oauth.wrote("token_endpoint") || oauth.has("discovery");
    if known.wants_secret && asked && !proven && !elsewhere && known.refusal(grant).is_none() {
        let complaint = Complaint::new(format!(
            "an application at {} has a secret, which must be sent, and here is none",
            preset.title
        ));
        oauth.warning("grant", complaint.hint("write client_secret_file = \"…\": it stands beside the client id"));
    }
}

fn mechanism(section: &Section<'_>, preset: &Preset, mechanism: Mechanism) {
    let name = match mechanism {
        Mechanism::Only(only) if section.wrote("mechanism") => only.name(),
        _ => return,
    };
    if preset.offers(name) == Some(false) {
        let known = preset.mechanisms.join(", ");
        let complaint = Complaint::new(format!("{name} is not offered by {}; there is {known}", preset.title));
        note(section, preset, "mechanism", complaint.hint("leave the key out: `auto` takes what is offered"));
    }
}

fn limits(section: &Section<'_>, preset: &Preset, settings: &Settings) {
    let Some(limits) = section.section("limits") else { return };
    let beyond = |key: &str, asked: u64, known: Option<u64>, what: &str| {
        if let Some(known) = known.filter(|known| limits.wrote(key) && asked > *known) {
            let complaint = Complaint::new(format!("{}: {known} {what} at most", preset.title));
            limits.warning(key, complaint.hint("more is refused there; leave the key out for what is known to work"));
        }
    };
    let known = preset.limits;
    beyond("connections", settings.connections as u64, known.connections.map(u64::from), "connections at once");
    let recipients = settings.recipients_per_message as u64;
    beyond("recipients_per_message", recipients, known.recipients_per_message.map(u64::from), "recipients in one mail");
    beyond("size", settings.size.unwrap_or_default(), known.size, "octets in one mail");
}

/// Ports the provider does not have.
fn door(section: &Section<'_>, preset: &Preset, settings: &Settings) -> bool {
    let ports: Vec<String> = preset.implicit.iter().chain(&preset.starttls).map(ToString::to_string).collect();
    let (port, encryption) = preset.door();
    let word = if encryption == Encryption::Implicit { "implicit" } else { "starttls" };
    let hint = format!("leave out port and encryption: they become {port} and \"{word}\"");
    if section.wrote("port") && preset.encryption(settings.port).is_none() {
        let complaint = Complaint::new(format!(
            "there is no port {} at {}; there is {}",
            settings.port,
            preset.title,
            ports.join(", ")
        ));
        note(section, preset, "port", complaint.hint(hint));
        return true;
    }
    let speaks = match settings.encryption {
        Encryption::Implicit => "TLS from the first octet",
        Encryption::StartTls | Encryption::StartTlsAuto => "STARTTLS",
        // Not to encrypt at all has findings of its own.
        Encryption::None => return false,
    };
    if section.wrote("encryption") && preset.port(settings.encryption).is_none() {
        let complaint = Complaint::new(format!("there is no port with {speaks} at {}", preset.title));
        note(section, preset, "encryption", complaint.hint(hint));
        return true;
    }
    false
}
