//! `[accounts.NAME]`: where to connect, how to sign in, and what must not go together there (promise 3).
//!
//! Guarantees one credential at most per account, and none that could never be sent. Reads no file.

use super::{Aside, Surroundings, content, names, oauth, provider, proxy, scopes, sender, smime, trust};
use crate::account::{CommandLine, Encryption, Mechanism, Pipelining, Settings, Source};
use crate::config::files::NamedFile;
use crate::config::finding::Complaint;
use crate::config::keys;
use crate::config::section::{self, Section};
use crate::config::tree::{Origin, Value};
use crate::config::values;
use crate::mail::sender::Allowance;
use crate::smtp::sasl::Mechanism as Sasl;

/// An account and where its parts stand.
pub(super) struct Account {
    pub(super) settings: Settings,
    pub(super) host: Origin,
    pub(super) renamed: Origin,
    pub(super) key: String,
}

const CONNECTIONS: u32 = 2;
const RECIPIENTS: u32 = 100;

/// Reads all accounts.
pub(super) fn read(root: &Section<'_>, surroundings: &Surroundings<'_>, aside: &mut Aside) -> Vec<Account> {
    let accounts = root.named("accounts");
    accounts.iter().map(|(name, section)| read_one(name, section, surroundings, aside)).collect()
}

fn read_one(name: &str, section: &Section<'_>, surroundings: &Surroundings<'_>, aside: &mut Aside) -> Account {
    let directory = surroundings.directory;
    let preset = provider::of(section, surroundings.presets);
    let encryption = section.get("encryption", encryption);
    let username = section.get("username", values::free_text);
    let mailbox = section.get("address", values::address);
    let address = mailbox.as_ref().map(|address| address.as_str().to_owned());
    let sender = sender::read(section);
    let around = oauth::Around {
        directory,
        known: preset.and_then(|preset| preset.oauth.as_ref()),
        username: username.clone().or_else(|| address.clone()),
    };
    let credential = credential(section, &around, aside);
    let host = host(section);
    let limits = section.section("limits");
    let limit = |key, default| limits.as_ref().and_then(|limits| limits.number(key)).unwrap_or(default) as usize;
    let encrypted = encryption.unwrap_or(Encryption::Implicit);
    let settings = Settings {
        name: name.into(),
        renamed_from: names::former(section),
        password_spaces: provider::password_spaces(preset, &host, surroundings.presets),
        proxies: proxy::read(section, &host, &credential, surroundings, aside),
        host,
        port: port(section, encrypted),
        encryption: encrypted,
        provider: preset.map(|preset| preset.id.clone()),
        trust: trust::read(section, encrypted, directory, aside),
        helo_name: section.get("helo_name", values::helo_name),
        username,
        address,
        smime: smime::read(section, sender.address.clone().or(mailbox), directory, aside),
        sender,
        fixups: content::fixups(section),
        received: content::received(section),
        header_charset: section.get("header_charset", content::charset).unwrap_or_default(),
        headers: content::headers(section),
        subject: content::subject(section),
        mechanism: mechanism(section),
        credential,
        allow_plaintext_credentials: section.get("allow_plaintext_credentials", values::flag).unwrap_or(false),
        connections: limit("connections", CONNECTIONS),
        recipients_per_message: limit("recipients_per_message", RECIPIENTS),
        messages_per_minute: limits.as_ref().and_then(|limits| limits.number("messages_per_minute")),
        recipients_per_day: limits.as_ref().and_then(|limits| limits.number("recipients_per_day")),
        null_sender: limits.as_ref().and_then(|limits| limits.get("null_sender", values::flag)).unwrap_or(true),
        pipelining: pipelining(section),
        may_send_as: section
            .list("may_send_as", values::pattern)
            .map_or_else(Vec::new, |list| list.into_iter().map(|(pattern, _)| pattern).collect()),
        allowance: preset.map_or(Allowance::default(), |preset| preset.sender.allowance()),
        size: limits.as_ref().and_then(provider::size),
    };
    sign_in(section, &settings);
    scopes::check(section, &settings);
    let said = match preset {
        Some(preset) => provider::fits(section, preset, &settings),
        None => provider::needless(section),
    };
    if !said {
        encryption_and_port(section, &settings);
    }
    if encryption.is_some() || !section.has("encryption") {
        in_clear(section, &settings);
    }
    Account {
        settings,
        host: section.origin_of("host"),
        renamed: section.origin_of("renamed_from"),
        key: section.key("host"),
    }
}

fn host(section: &Section<'_>) -> String {
    // A provider brings its host; one that is unknown is noted at that key.
    if !section.has("host") && !section.has("provider") {
        let complaint = Complaint::new("an account needs a host");
        section.error_here(complaint.hint(
            "write provider = \"…\" (`posthouse providers` lists them), or host = \"…\" as your provider gives it for SMTP",
        ));
    }
    section.get("host", values::host).unwrap_or_default()
}

fn port(section: &Section<'_>, encryption: Encryption) -> u16 {
    let written = section.number_or("port", values::no_port);
    let default = if encryption == Encryption::Implicit { 465 } else { 587 };
    written.and_then(|port| u16::try_from(port).ok()).unwrap_or(default)
}

/// What mail programs call the two kinds of TLS is understood as well.
pub(in crate::config) fn encryption(value: &Value) -> Result<Encryption, Complaint> {
    let word = match section::alias("encryption", value) {
        Some(word) => word,
        None => values::word(value, keys::ENCRYPTION)?,
    };
    Ok(match word {
        "starttls" => Encryption::StartTls,
        "starttls_auto" => Encryption::StartTlsAuto,
        "none" => Encryption::None,
        _ => Encryption::Implicit,
    })
}

fn pipelining(section: &Section<'_>) -> Pipelining {
    match section.word("pipelining") {
        Some("off") => Pipelining::Off,
        Some("messages") => Pipelining::Messages,
        _ => Pipelining::default(),
    }
}

fn mechanism(section: &Section<'_>) -> Mechanism {
    match section.word("mechanism") {
        Some("xoauth2") => Mechanism::Only(Sasl::XOAuth2),
        Some("oauthbearer") => Mechanism::Only(Sasl::OAuthBearer),
        Some("plain") => Mechanism::Only(Sasl::Plain),
        Some("login") => Mechanism::Only(Sasl::Login),
        Some("cram_md5") => Mechanism::Only(Sasl::CramMd5),
        Some("none") => Mechanism::None,
        _ => Mechanism::Auto,
    }
}

const CREDENTIALS: [&str; 4] = ["password", "password_file", "password_command", "oauth"];

fn credential(section: &Section<'_>, around: &oauth::Around<'_>, aside: &mut Aside) -> Source {
    let written: Vec<&str> = CREDENTIALS.into_iter().filter(|key| section.has(key)).collect();
    if let [first, second, ..] = written[..] {
        let complaint =
            Complaint::new(format!("`{first}` and `{second}` are both given; an account signs in with one"));
        section.error(second, complaint.hint("keep one of password, password_file, password_command and oauth"));
    }
    // All of them are read, so that the mistakes inside each come to light.
    let mut source = Source::None;
    if section.has("password") {
        aside.holds_secret |= matches!(section.origin_of("password"), Origin::File(_));
        source = section.get("password", values::secret).map_or(source, Source::Password);
    }
    if let Some(path) = section.path("password_file", around.directory) {
        aside.name(section, "password_file", NamedFile::Secret(path.clone()));
        source = Source::PasswordFile(path);
    }
    if let Some(command) = command(section, "password_command") {
        source = Source::PasswordCommand(command);
    }
    if let Some(grant) = section.section("oauth").and_then(|oauth| oauth::grant(&oauth, around, aside)) {
        source = Source::from(grant);
    }
    source
}

/// A program and its arguments.
pub(super) fn command(section: &Section<'_>, key: &str) -> Option<CommandLine> {
    let words: Vec<String> = section.list(key, values::free_text)?.into_iter().map(|(word, _)| word).collect();
    let program = words.first().map_or("", String::as_str);
    let complaint = if program.is_empty() {
        Complaint::new("the command is empty")
    } else if words.len() == 1 && program.contains(' ') {
        Complaint::new("no shell splits a command into words")
    } else {
        return Some(CommandLine::new(words));
    };
    section.error(key, complaint.hint(format!("write {key} = [\"/usr/bin/program\", \"argument\"]")));
    Some(CommandLine::new(words))
}

/// Mechanism, credential and login name must fit each other.
fn sign_in(section: &Section<'_>, settings: &Settings) {
    let given = CREDENTIALS.into_iter().find(|key| section.has(key));
    let by_oauth = section.has("oauth");
    let complaint = match (settings.mechanism, given) {
        (Mechanism::None, Some(given)) => Some(
            Complaint::new(format!("mechanism = \"none\" never signs in, but `{given}` is given"))
                .hint("leave out one of the two"),
        ),
        (Mechanism::Only(only), _) if by_oauth && !only.takes_token() => Some(
            Complaint::new("OAuth never falls back to a password mechanism")
                .hint("write mechanism = \"xoauth2\" or \"oauthbearer\", or leave the key out"),
        ),
        (Mechanism::Only(only), None) if !only.takes_token() => Some(
            Complaint::new("this mechanism needs a password and none is given")
                .hint("write password_file = \"…\", or mechanism = \"none\" for a server that wants no sign-in"),
        ),
        (Mechanism::Only(only), _) if !by_oauth && only.takes_token() => Some(
            Complaint::new("this mechanism needs OAuth and there is no `oauth` in this account")
                .hint("write oauth = { grant = \"authorization_code\", … }, or leave `mechanism` out"),
        ),
        _ => None,
    };
    if let Some(complaint) = complaint {
        section.error("mechanism", complaint);
    }
    // A misspelt `pasword` is told already, and a relay in one's own network often wants no sign-in.
    let forgotten = given.is_none() && settings.mechanism == Mechanism::Auto && !section.has_strangers(keys::ACCOUNT);
    if forgotten && !section.has("mechanism") && section.has("host") && !values::is_nearby(&settings.host) {
        section.warning_here(
            Complaint::new("no password or oauth: mail is sent without signing in")
                .hint("write password_file = \"…\"; if it is meant, write mechanism = \"none\""),
        );
    }
    if given.is_some() && !section.has("username") && !section.has("address") {
        let complaint = Complaint::new("there is a credential but no login name");
        section
            .error_here(complaint.hint("write address = \"scanner@example.com\", and username = \"…\" if it differs"));
    }
}

/// Promise 3: what would go in clear, and who said it may.
fn in_clear(section: &Section<'_>, settings: &Settings) {
    let credential = CREDENTIALS.into_iter().any(|key| section.has(key));
    let by_oauth = section.has("oauth");
    // Behind a proxy 127.0.0.1 is whatever the proxy takes it for.
    let local = values::is_loopback(&settings.host) && settings.proxies.smtp.is_none();
    let allowed = settings.allow_plaintext_credentials;
    if allowed && by_oauth {
        let complaint = Complaint::new("tokens never go in clear text, so this cannot be allowed for OAuth");
        section.error(
            "allow_plaintext_credentials",
            complaint.hint("leave it out and encrypt: encryption = \"starttls\""),
        );
    } else if allowed && !credential {
        let complaint = Complaint::new("there is no credential in this account that could go in clear text");
        section.error("allow_plaintext_credentials", complaint.hint("leave it out"));
    } else if allowed {
        let risk = "the password may go out in clear text: everybody on the way can read it";
        let cure = "leave it out, and encrypt as soon as the server can: encryption = \"starttls\"";
        section.warning("allow_plaintext_credentials", Complaint::new(risk).hint(cure));
    }
    match settings.encryption {
        Encryption::None if local => {}
        Encryption::None if credential && (by_oauth || !allowed) => {
            let what = if by_oauth { "the token" } else { "the password" };
            let complaint =
                Complaint::new(format!("{what} would go in clear text, so this account could never sign in"));
            section.error("encryption", complaint.hint(
                "write encryption = \"implicit\" (port 465) or \"starttls\" (port 587), whichever the provider offers",
            ));
        }
        Encryption::None => {
            let complaint = Complaint::new("all mail of this account goes out in clear text");
            section.warning("encryption", complaint.hint("write encryption = \"starttls\" if the server offers it"));
        }
        Encryption::StartTlsAuto if !local => {
            let risk = "whoever sits on the way can switch the encryption off and read the mail";
            section.warning(
                "encryption",
                Complaint::new(risk).hint("write encryption = \"starttls\" if the server offers it"),
            );
        }
        _ => {}
    }
}

/// The usual mix-up of the two ports.
fn encryption_and_port(section: &Section<'_>, settings: &Settings) {
    let (risk, hint) = match (settings.port, settings.encryption) {
        (465, Encryption::StartTls | Encryption::StartTlsAuto | Encryption::None) => (
            "port 465 usually speaks TLS from the first octet, and this account expects a greeting in clear text there",
            "write encryption = \"implicit\", or port = 587",
        ),
        (587 | 25, Encryption::Implicit) => (
            "this port usually begins in clear text, and this account expects TLS from the first octet there",
            "write encryption = \"starttls\", or port = 465",
        ),
        _ => return,
    };
    section.warning("port", Complaint::new(risk).hint(hint));
}
