//! One provider in full: for people, with the lines to paste; and as JSON.
//!
//! Says what is known and leaves out what is not. Pure.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::account::Encryption;
use crate::account::provider::oauth::Pkce;
use crate::account::provider::{Grant, Limits, OAuth, PasswordKind, Preset, SenderRule, Username};

/// As it stands behind `encryption = …`.
pub(super) fn encryption(encryption: Encryption) -> &'static str {
    if encryption == Encryption::Implicit { "implicit" } else { "starttls" }
}

/// What kind of password it is.
pub(super) fn password(kind: PasswordKind) -> &'static str {
    match kind {
        PasswordKind::Mailbox => "mailbox password",
        PasswordKind::App => "app password",
        PasswordKind::Token => "token",
        PasswordKind::Smtp => "SMTP credentials",
        PasswordKind::Ending => "mailbox password for now",
        PasswordKind::Ended => "none any more",
    }
}

/// For people.
pub(super) fn text(preset: &Preset) -> String {
    let mut page = Page(format!("{}: {}\n\n", preset.id, preset.title));
    page.row("server", &[servers(preset)]);
    page.row("ports", &[ports(preset)]);
    if !preset.domains.is_empty() {
        page.row(
            "addresses",
            &[format!("@{}; with one of these `provider` can be left out", preset.domains.join(", @"))],
        );
    }
    page.row("user name", &[username(preset).to_owned()]);
    let help = preset.password_help.as_ref().map(|help| format!(": {help}")).unwrap_or_default();
    page.row("password", &[format!("{}{help}", password(preset.password))]);
    if let Some(oauth) = &preset.oauth {
        page.row("OAuth 2.0", &oauth_lines(oauth));
    }
    if !preset.mechanisms.is_empty() {
        page.row("mechanisms", &[preset.mechanisms.join(", ")]);
    }
    page.row("senders", sender(preset.sender).as_slice());
    page.row("limits", &limits(preset.limits));
    page.row("good to know", &preset.notes);
    page.row("source", &preset.source);
    if !preset.verified {
        page.row("", &["few or old sources; contradict it where you know better".to_owned()]);
    }
    let others = match others(preset).join("\n") {
        none if none.is_empty() => none,
        lines => format!("\nOr in place of the last line:\n\n{lines}\n"),
    };
    format!("{}\nTo paste, with your own address:\n\n{}{others}", page.0, configuration(preset))
}

struct Page(String);

impl Page {
    /// The name before the first line, the others below it; without lines nothing.
    fn row(&mut self, name: &str, lines: &[String]) {
        for (at, line) in lines.iter().enumerate() {
            let name = if at == 0 { name } else { "" };
            // Writing to a String cannot fail.
            let _ = writeln!(self.0, "  {name:12}  {line}");
        }
    }
}

fn servers(preset: &Preset) -> String {
    let regions: Vec<String> = preset.regions.iter().map(|(region, host)| format!("{region}: {host}")).collect();
    match (preset.host.contains("{region}"), regions.is_empty()) {
        (true, true) => format!("{}, by `region`", preset.host),
        (_, true) => preset.host.clone(),
        (_, false) => format!("{}; by `region`: {}", preset.host, regions.join(", ")),
    }
}

fn ports(preset: &Preset) -> String {
    let list = |ports: &[u16]| ports.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let kinds = [(&preset.implicit, "TLS from the first octet"), (&preset.starttls, "STARTTLS")];
    let kinds = kinds.iter().filter(|(ports, _)| !ports.is_empty());
    kinds.map(|(ports, what)| format!("{} ({what})", list(ports))).collect::<Vec<_>>().join("; ")
}

fn username(preset: &Preset) -> &str {
    match &preset.username {
        Username::Address => "the whole address",
        Username::LocalPart => "what stands before the @",
        Username::Word(word) => word,
        Username::Own => "handed out by the provider",
    }
}

fn oauth_lines(oauth: &OAuth) -> Vec<String> {
    let mut grants: Vec<&str> = oauth.grants.iter().map(|grant| grant.name()).collect();
    grants.push("command (a program of yours that prints a token)");
    let mut lines = vec![format!("grants: {}", grants.join(", "))];
    lines.extend(oauth.refused.iter().map(|(grant, why)| format!("not {grant}: {why}")));
    lines.push(format!("scope: {}", oauth.scope));
    lines.extend(oauth.scopes.iter().map(|(grant, scope)| format!("scope with {grant}: {scope}")));
    if let Some(redirect) = &oauth.redirect_uri {
        lines.push(format!("redirect address: {redirect}"));
    }
    if oauth.pkce == Pkce::Required {
        lines.push("PKCE is a must, and there is no client secret".to_owned());
    }
    lines.extend(oauth.registration.clone());
    lines
}

fn sender(rule: SenderRule) -> Option<String> {
    let said = match rule {
        SenderRule::Account => "the account's own address only",
        SenderRule::Alias => "the account's own address and its aliases",
        SenderRule::Rewritten => "any, but one that is not the account's own is replaced without a word",
        SenderRule::Verified => "addresses and domains verified with the provider",
        SenderRule::Unknown => return None,
    };
    Some(said.to_owned())
}

fn limits(limits: Limits) -> Vec<String> {
    let said = |number: Option<u64>, what: &str| number.map(|number| format!("{number} {what}"));
    let list = [
        said(limits.connections.map(u64::from), "connections at once"),
        said(limits.recipients_per_message.map(u64::from), "recipients in one mail"),
        said(limits.messages_per_minute.map(u64::from), "mails a minute"),
        said(limits.recipients_per_day.map(u64::from), "recipients a day"),
        said(limits.size, "octets in one mail"),
    ];
    let list: Vec<String> = list.into_iter().flatten().collect();
    if list.is_empty() { list } else { vec![list.join(", ")] }
}

/// A whole account, with what only the administrator knows made up.
pub(super) fn configuration(preset: &Preset) -> String {
    let address = format!("scanner@{}", preset.domains.first().map_or("example.com", String::as_str));
    let mut lines = vec![("provider", format!("{:?}", preset.id))];
    if preset.host.contains("{region}") {
        lines.push(("region", "\"eu-west-1\"".to_owned()));
    }
    lines.push(("address", format!("{address:?}")));
    if preset.username == Username::Own {
        lines.push(("username", "\"the-login-name-you-were-given\"".to_owned()));
    }
    match preset.password {
        _ if first_grant(preset) == Some(Grant::ClientCredentials) => {
            lines.push(("oauth", grant(preset, Grant::ClientCredentials)));
        }
        PasswordKind::Ended => {
            let best = first_grant(preset).unwrap_or(Grant::AuthorizationCode);
            lines.push(("oauth", grant(preset, best)));
        }
        _ => lines.push(("password_file", "\"office.password\"".to_owned())),
    }
    let width = lines.iter().map(|(key, _)| key.len()).max().unwrap_or_default();
    let lines = lines.into_iter().map(|(key, value)| format!("{key:width$} = {value}\n"));
    format!("[accounts.office]\n{}", lines.collect::<String>())
}

/// The grant to begin with: one that needs no person, else a browser.
fn first_grant(preset: &Preset) -> Option<Grant> {
    let grants = &preset.oauth.as_ref()?.grants;
    let best = [Grant::ClientCredentials, Grant::AuthorizationCode].into_iter().find(|grant| grants.contains(grant));
    best.or(grants.first().copied())
}

/// The other ways to sign in, each as the line that takes the place of the last one.
pub(super) fn others(preset: &Preset) -> Vec<String> {
    let Some(oauth) = &preset.oauth else { return Vec::new() };
    let shown = configuration(preset);
    let lines =
        Grant::ALL.into_iter().filter(|grant| oauth.takes(*grant)).map(|of| format!("oauth = {}", grant(preset, of)));
    lines.filter(|line| !shown.contains(line.trim_start_matches("oauth = "))).collect()
}

const SECRET: &str = ", client_secret_file = \"office.secret\"";

/// What to write for a grant, with what only the administrator knows made up.
fn grant(preset: &Preset, grant: Grant) -> String {
    let wants = preset.oauth.as_ref().is_some_and(OAuth::wants_tenant) && grant != Grant::ServiceAccount;
    let tenant = if wants { ", tenant = \"example.onmicrosoft.com\"" } else { "" };
    let id = "client_id = \"your-application\"";
    let secret = if preset.oauth.as_ref().is_some_and(|oauth| oauth.wants_secret) { SECRET } else { "" };
    let rest = match grant {
        Grant::AuthorizationCode | Grant::DeviceCode => format!("{id}{secret}"),
        Grant::ClientCredentials => format!("{id}{SECRET}"),
        Grant::ServiceAccount => "key_file = \"office.json\"".to_owned(),
        Grant::RefreshToken => format!("{id}{secret}, refresh_token_file = \"office.token\""),
        Grant::Password => format!("{id}{secret}, password_file = \"office.password\""),
    };
    format!("{{ grant = \"{grant}\"{tenant}, {rest} }}")
}

/// For programs: the keys of `[providers.NAME]`; what is not known is `null`.
pub(super) fn json(preset: &Preset) -> Value {
    let (port, kind) = preset.door();
    let Limits { connections, recipients_per_message, messages_per_minute, recipients_per_day, size, null_sender } =
        preset.limits;
    json!({
        "name": preset.id,
        "title": preset.title,
        "domains": preset.domains,
        "host": preset.host,
        "regions": preset.regions,
        "port": port,
        "encryption": encryption(kind),
        "implicit": preset.implicit,
        "starttls": preset.starttls,
        "mechanisms": preset.mechanisms,
        "username": username(preset),
        "password": password(preset.password),
        "password_help": preset.password_help,
        "oauth": preset.oauth.as_ref().map(oauth_json),
        "sender": sender(preset.sender),
        "limits": {
            "connections": connections,
            "recipients_per_message": recipients_per_message,
            "messages_per_minute": messages_per_minute,
            "recipients_per_day": recipients_per_day,
            "size": size,
            "null_sender": null_sender,
        },
        "notes": preset.notes,
        "source": preset.source,
        "verified": preset.verified,
    })
}

fn oauth_json(oauth: &OAuth) -> Value {
    let by_grant = |map: &std::collections::BTreeMap<Grant, String>| {
        map.iter().map(|(grant, text)| (grant.name().to_owned(), Value::from(text.as_str()))).collect::<Value>()
    };
    json!({
        "authorization_endpoint": oauth.authorization_endpoint,
        "token_endpoint": oauth.token_endpoint,
        "device_authorization_endpoint": oauth.device_authorization_endpoint,
        "revocation_endpoint": oauth.revocation_endpoint,
        "issuer": oauth.issuer,
        "always_names_issuer": oauth.always_names_issuer,
        "redirect_uri": oauth.redirect_uri,
        "scope": oauth.scope,
        "scopes": by_grant(&oauth.scopes),
        "parameters": oauth.parameters,
        "pkce_required": oauth.pkce == Pkce::Required,
        "wants_secret": oauth.wants_secret,
        "unused_refresh_token_seconds": oauth.unused_refresh_token_life.map(|life| life.as_secs()),
        "grants": oauth.grants.iter().map(|grant| grant.name()).collect::<Vec<_>>(),
        "refused": by_grant(&oauth.refused),
        "registration": oauth.registration,
    })
}

#[cfg(test)]
mod tests;
