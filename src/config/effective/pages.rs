//! From the settings to the lines of [`Effective`]: one page per section, keys in the order of their table.
//!
//! Shows no secret: of those only that there is one. A test holds the pages against the table of keys, so that a new
//! key is not forgotten here.

use std::path::Path;

use super::super::{Config, Loaded};
use super::page::Page;
use super::{Effective, Origins, content, oauth, providers, signing, words};
use crate::account::book::Rule;
use crate::account::oauth::Grant;
use crate::account::{self, CommandLine, Encryption, Source};
use crate::diagnosis::ProxyOrigin;
use crate::inbound::settings::{DeviceSettings, Limits, ListenerSettings, ListenerTls};
use crate::mail::address::Address;
use crate::mail::display_name::DisplayName;
use crate::net::proxy::Proxies;
use crate::net::trust::{Anchors, Verify};
use crate::queue;
use crate::store::file::KeySource;

pub(super) const HIDDEN: &str = "<hidden>";

impl Effective {
    /// What holds after `loaded` was taken over; `machine` is what the operating system calls this machine.
    #[must_use]
    pub fn new(loaded: &Loaded, machine: &str) -> Self {
        let Loaded { config, presets, origins, origin, .. } = loaded;
        let mut pages = vec![top(config, origins, machine)];
        pages.push(aliases(config, origins));
        pages.extend(config.accounts.iter().flat_map(|settings| account(settings, origins)));
        pages.extend(providers::pages(presets, origins));
        let listeners = config.listeners.iter().enumerate();
        pages.extend(listeners.map(|(i, settings)| listener(settings, i, origins)));
        pages.extend(config.devices.iter().map(|settings| device(settings, origins)));
        pages.extend(config.routes.iter().enumerate().map(|(i, rule)| route(rule, i, origins)));
        pages.extend([
            fixups(config, origins),
            delivery(config, origins),
            notices(config, origins),
            sessions(config, origins),
        ]);
        pages.extend([storage(config, origins), log(config, origins)]);
        let written = pages.into_iter().map(|page| page.section).filter(|section| !section.lines.is_empty());
        Self { file: origin.clone(), sections: written.collect() }
    }
}

fn top<'a>(config: &Config, origins: &'a Origins, machine: &str) -> Page<'a> {
    let mut page = Page::new("", "", origins);
    match &config.hostname {
        Some(name) => page.put("hostname", name.as_str()),
        None => page.unwritten("hostname", machine, "this machine's name"),
    }
    page.put_some("default_domain", config.default_domain.as_deref());
    match (&config.default_account, &config.accounts[..]) {
        (Some(name), _) => page.put("default_account", name.as_str()),
        (None, [only]) => page.unwritten("default_account", only.name.as_str(), "the only account"),
        (None, _) => {}
    }
    page
}

fn aliases<'a>(config: &Config, origins: &'a Origins) -> Page<'a> {
    let mut page = Page::new("[aliases]", "aliases", origins);
    for (name, address) in &config.aliases {
        page.put(name, address.as_str());
    }
    page
}

fn account<'a>(settings: &account::Settings, origins: &'a Origins) -> Vec<Page<'a>> {
    let path = format!("accounts.{}", settings.name);
    let header = format!("accounts.{}", words::key(settings.name.as_str()));
    let mut page = Page::new(&format!("[{header}]"), &path, origins);
    page.put_list("renamed_from", &settings.renamed_from);
    page.put_some("provider", settings.provider.as_deref());
    page.put_template("region");
    page.put("host", settings.host.as_str());
    page.derived("port", i64::from(settings.port), "from encryption");
    page.put("encryption", words::encryption(settings.encryption));
    trust(&mut page, settings);
    proxy(&mut page, &settings.proxies);
    page.put_some("helo_name", settings.helo_name.as_deref());
    username(&mut page, settings);
    page.put_some("address", settings.address.as_deref());
    page.put("mechanism", words::mechanism(settings.mechanism));
    let grant = credential(&mut page, &settings.credential);
    page.put("allow_plaintext_credentials", settings.allow_plaintext_credentials);
    page.put("pipelining", words::pipelining(settings.pipelining));
    page.put_list("may_send_as", &settings.may_send_as);
    page.put("received", words::received(settings.received));
    page.put("header_charset", settings.header_charset.name());

    let mut limits = Page::new(&format!("[{header}.limits]"), &format!("{path}.limits"), origins);
    limits.put("connections", words::whole(settings.connections));
    limits.put("recipients_per_message", words::whole(settings.recipients_per_message));
    limits.put_some("messages_per_minute", settings.messages_per_minute.map(words::whole));
    limits.put_some("recipients_per_day", settings.recipients_per_day.map(words::whole));
    limits.put_some("size", settings.size.map(words::size));
    limits.put("null_sender", settings.null_sender);

    let mut pages = vec![page, limits];
    let mut sender = Page::new(&format!("[{header}.sender]"), &format!("{path}.sender"), origins);
    sender.put("policy", words::sender_policy(settings.sender.policy));
    sender.put_some("name", settings.sender.name.as_ref().map(DisplayName::as_str));
    sender.put_some("address", settings.sender.address.as_ref().map(Address::as_str));
    pages.push(sender);
    content::fill(&mut pages, settings, &header, &path, origins);
    if let Some(smime) = &settings.smime {
        pages.extend(signing::pages(smime, &header, &path, origins));
    }
    if let Some(grant) = grant {
        let mut page = Page::new(&format!("[{header}.oauth]"), &format!("{path}.oauth"), origins);
        oauth::fill(&mut page, grant);
        pages.push(page);
    }
    pages
}

fn trust(page: &mut Page<'_>, settings: &account::Settings) {
    let trust = &settings.trust;
    let encrypted = settings.encryption != Encryption::None;
    // Written out where they mean nothing, these would be a contradiction.
    if encrypted {
        page.put("verify", words::verify(trust.verify));
    }
    let asked = encrypted && matches!(trust.verify, Verify::Full | Verify::Chain);
    match &trust.anchors {
        Anchors::System if !asked && settings.credential.grant().is_none() => {}
        Anchors::System => page.put("roots", "system"),
        Anchors::Bundled => page.put("roots", "bundled"),
        Anchors::File(file) => page.put("ca_file", words::path(file)),
    }
    page.put_list("pins", &trust.pins);
    if let Some(identity) = &trust.identity {
        page.put("client_certificate", words::path(&identity.certificate));
        page.put("client_key", words::path(&identity.key));
    }
}

fn proxy(page: &mut Page<'_>, proxies: &Proxies) {
    let password_file = page.secret_file("proxy_password_file");
    match (&proxies.smtp, &proxies.http) {
        (Some(proxy), _) if proxy.origin == ProxyOrigin::Account => {
            match &proxy.login {
                None => page.put("proxy", proxy.to_string()),
                Some(_) => page.hidden("proxy", proxy.to_string().replacen("://", &format!("://{HIDDEN}@"), 1)),
            }
            match (password_file, &proxy.login) {
                (Some(file), _) => page.put("proxy_password_file", file),
                (None, Some(_)) => page.hidden("proxy_password", HIDDEN),
                (None, None) => {}
            }
        }
        (None, None) if page.is_written("proxy") => page.put("proxy", "none"),
        (smtp, http) => {
            for (proxy, what) in [(smtp, "mail"), (http, "tokens")] {
                if let Some(proxy) = proxy {
                    page.unwritten("proxy", proxy.to_string(), &format!("{}, for {what}", proxy.origin));
                }
            }
        }
    }
}

fn username(page: &mut Page<'_>, settings: &account::Settings) {
    match (&settings.username, &settings.address) {
        (Some(name), _) if words::looks_like_identity(name) => page.put("username", name.as_str()),
        (Some(_), _) => page.hidden("username", HIDDEN),
        (None, Some(address)) if !matches!(settings.credential, Source::None) => {
            page.unwritten("username", address.as_str(), "from address");
        }
        (None, _) => {}
    }
}

/// Shows where the credential comes from; OAuth has a page of its own.
fn credential<'s>(page: &mut Page<'_>, source: &'s Source) -> Option<&'s Grant> {
    match source {
        Source::None => {}
        Source::Password(_) => page.hidden("password", HIDDEN),
        Source::PasswordFile(path) => page.put("password_file", words::path(path)),
        Source::PasswordCommand(command) => page.hidden("password_command", program(command)),
        Source::OAuth(grant) => return Some(grant),
    }
    None
}

/// The program; its arguments can be secrets.
pub(super) fn program(command: &CommandLine) -> toml::Value {
    words::list(&[command.name(), HIDDEN])
}

fn listener<'a>(settings: &ListenerSettings, index: usize, origins: &'a Origins) -> Page<'a> {
    let mut page = Page::new("[[listeners]]", &format!("listeners[{index}]"), origins);
    page.put("name", settings.name.as_str());
    page.put("bind", words::list(&settings.bind));
    match &settings.tls {
        ListenerTls::None => page.put("tls", "none"),
        ListenerTls::StartTls { certificate, key } => identity(&mut page, "starttls", certificate, key),
        ListenerTls::Implicit { certificate, key } => identity(&mut page, "implicit", certificate, key),
    }
    page.put("auth", words::device_auth(settings.auth));
    page.put("auth_in_clear", settings.auth_in_clear);
    page.put("allow", words::list(&settings.allow));
    page.put("line_endings", words::line_endings(settings.line_endings));
    page.put("max_message_size", words::size(settings.max_message_size));
    page.put("max_recipients", words::whole(settings.max_recipients));
    page.put("senders", words::list(&settings.senders));
    page.put("recipients", words::list(&settings.recipients));
    limits(&mut page, settings.limits);
    page
}

fn limits(page: &mut Page<'_>, limits: Limits) {
    page.put_some("messages_per_hour", limits.messages_per_hour.map(i64::from));
    page.put_some("recipients_per_day", limits.recipients_per_day.map(i64::from));
}

fn identity(page: &mut Page<'_>, tls: &str, certificate: &Path, key: &Path) {
    page.put("tls", tls);
    page.put("certificate", words::path(certificate));
    page.put("key", words::path(key));
}

fn device<'a>(settings: &DeviceSettings, origins: &'a Origins) -> Page<'a> {
    let path = format!("devices.{}", settings.name);
    let mut page = Page::new(&format!("[devices.{}]", words::key(settings.name.as_str())), &path, origins);
    match page.secret_file("password_file") {
        Some(file) => page.put("password_file", file),
        None => page.hidden("password", HIDDEN),
    }
    page.put_some("account", settings.account.as_ref().map(crate::ids::AccountName::as_str));
    page.put("senders", words::list(&settings.senders));
    page.put("recipients", words::list(&settings.recipients));
    limits(&mut page, settings.limits);
    page
}

fn route<'a>(rule: &Rule, index: usize, origins: &'a Origins) -> Page<'a> {
    let mut page = Page::new("[[routes]]", &format!("routes[{index}]"), origins);
    page.put_list("sender", &rule.sender);
    page.put_list("recipient", &rule.recipient);
    page.put_list("device", &rule.device);
    page.put_list("source", &rule.source);
    page.put_list("listener", &rule.listener);
    page.put_list("accounts", &rule.accounts);
    page
}

fn delivery<'a>(config: &Config, origins: &'a Origins) -> Page<'a> {
    let mut page = Page::new("[delivery]", "delivery", origins);
    page.put("queue", matches!(config.queue, queue::Settings::Durable(_)));
    page.put("wait", words::duration(config.queue.wait()));
    if let queue::Settings::Durable(keeping) = &config.queue {
        page.put("max_queue_lifetime", words::duration(keeping.max_queue_lifetime));
        page.put("retry", keeping.retry.iter().map(|wait| words::duration(*wait)).collect::<Vec<_>>());
        page.put("uncertain", words::uncertain(keeping.uncertain));
        page.put("uncertain_delay", words::duration(keeping.uncertain_delay));
        page.put_some("hold_for", keeping.hold_for.map(words::duration));
        page.put("keep_failed", words::duration(keeping.keep_failed));
    }
    page.put_some("redirect_to", config.delivery.redirect_to.as_ref().map(Address::as_str));
    page.put_some("archive_to", config.delivery.archive_to.as_ref().map(Address::as_str));
    page.put("shutdown_grace", words::duration(config.delivery.shutdown_grace));
    page
}

fn fixups<'a>(config: &Config, origins: &'a Origins) -> Page<'a> {
    let mut page = Page::new("[fixups]", "fixups", origins);
    page.put("date", config.fixups.fields.date);
    page.put("message_id", config.fixups.fields.message_id);
    page.put("nul", config.fixups.octets.nul);
    page.put("long_lines", config.fixups.octets.long_lines);
    page
}

fn notices<'a>(config: &Config, origins: &'a Origins) -> Page<'a> {
    let mut page = Page::new("[notices]", "notices", origins);
    if let queue::Settings::Durable(keeping) = &config.queue {
        page.put("to", words::notices_to(keeping.notices.to));
        page.put_some("admin", keeping.notices.admin.as_ref().map(Address::as_str));
    }
    page
}

fn sessions<'a>(config: &Config, origins: &'a Origins) -> Page<'a> {
    let mut page = Page::new("[sessions]", "sessions", origins);
    page.put("max", words::whole(config.caps.sessions));
    let per_device = words::whole(config.caps.sessions_per_device);
    if config.caps.sessions_per_device == config.caps.sessions {
        page.derived("per_device", per_device, "from max");
    } else {
        page.put("per_device", per_device);
    }
    page.put("idle", words::duration(config.caps.idle));
    page.put("minimum_rate", words::whole(config.caps.minimum_rate));
    page
}

fn storage<'a>(config: &Config, origins: &'a Origins) -> Page<'a> {
    let mut page = Page::new("[storage]", "storage", origins);
    page.derived("directory", words::path(&config.storage.directory), "the usual place for this user");
    match &config.storage.key {
        KeySource::Given(_) => page.hidden("key", HIDDEN),
        KeySource::File(path) if page.is_written("key_file") => page.put("key_file", words::path(path)),
        KeySource::File(path) => page.unwritten("key_file", words::path(path), "a credential of systemd"),
        KeySource::Made(path) => page.unwritten("key_file", words::path(path), "made when it is first needed"),
    }
    if let queue::Settings::Durable(keeping) = &config.queue {
        page.put("max_messages", words::whole(keeping.max_messages));
        page.put("max_size", words::size(keeping.max_size));
    }
    page
}

fn log<'a>(config: &Config, origins: &'a Origins) -> Page<'a> {
    let mut page = Page::new("[log]", "log", origins);
    page.put("level", config.log.level.as_str().to_ascii_lowercase());
    page.put("format", words::log_format(config.log.format));
    page.put_list("mask", &words::masks(config.log.masks));
    page
}
