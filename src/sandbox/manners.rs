//! How the practice provider behaves: in plain manners of its own, or dressed as a provider that is known.
//!
//! Says under which name it speaks, which doors are open, whom it lets send and how it refuses. Dressed as a
//! [`Preset`] it offers that provider's extensions and mechanisms, keeps its rules, and says its words as far as they
//! were seen; what nobody has seen it says in its own. It stays as strict as ever about what clients may not do.

use std::io;

use super::Settings;
use super::offer::{Extension, Mechanism, Offer};
use super::session::Door;
use crate::account::provider::{PasswordKind, Preset, RefusedAt, Replies, SenderRule};
use crate::smtp::reply::Reply;

/// How it behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manners {
    /// What it calls itself.
    pub name: String,
    /// What stands behind the name in the `220`.
    pub greeting: String,
    /// What every reply ends in.
    pub signature: Option<String>,
    /// Which of its ports take connections.
    pub doors: Doors,
    /// Whether a password can be right at all.
    pub passwords: Passwords,
    /// Whom it lets send.
    pub senders: Senders,
    /// To a wrong password.
    pub wrong_password: Refusal,
    /// To a wrong token.
    pub wrong_token: Refusal,
    /// To one recipient too many.
    pub too_many_recipients: Refusal,
    /// To a message that would go beyond [`Settings::recipients_per_day`].
    pub quota: Refusal,
}

/// Which ports take connections. The others are bound and refuse them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doors {
    /// All three.
    All,
    /// TLS from the first octet, and STARTTLS.
    Both,
    /// TLS from the first octet.
    Implicit,
    /// STARTTLS.
    StartTls,
}

impl Doors {
    pub(super) fn has(self, door: Door) -> bool {
        match (self, door) {
            (Self::All, _) => true,
            (Self::Both, door) => door != Door::Plain,
            (Self::Implicit, door) => door == Door::Implicit,
            (Self::StartTls, door) => door == Door::StartTls,
        }
    }
}

/// What becomes of passwords.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passwords {
    /// The right one signs in.
    Taken,
    /// None does any more.
    Ended,
}

/// Whom it lets send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Senders {
    /// Everyone.
    Anyone,
    /// These addresses. At MAIL the reverse-path counts, at the end of data the `From` field too. The null
    /// reverse-path belongs to everyone, where it is taken at all.
    Only { addresses: Vec<String>, null_sender: bool, at: RefusedAt, refusal: Refusal },
    /// Everyone, but a `From` field without this address is replaced by one with it, without a word.
    Rewritten { to: String },
}

/// A refusal in somebody's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// 400–599
    pub code: u16,
    /// Shown only where enhanced codes are offered; in the words of a real provider it stands in the lines instead.
    pub enhanced: String,
    /// At least one.
    pub lines: Vec<String>,
}

impl Refusal {
    /// In the practice provider's own words; `\n` separates the lines.
    fn new(code: u16, enhanced: &str, text: &str) -> Self {
        Self { code, enhanced: enhanced.to_owned(), lines: text.split('\n').map(str::to_owned).collect() }
    }

    fn or(seen: Option<&Reply>, own: Self) -> Self {
        let Some(Reply { code, enhanced, text }) = seen else { return own };
        let line = |line: &str| enhanced.map_or_else(|| line.to_owned(), |enhanced| format!("{enhanced} {line}"));
        Self { code: *code, enhanced: String::new(), lines: text.split('\n').map(line).collect() }
    }
}

const NAME: &str = "sandbox.example";
const NOT_ACCEPTED: &str = "Username and Password not accepted. For more information, go to\n\
    https://sandbox.example/sign-in";
/// What a user is called where the provider hands out names.
const OWN_NAME: &str = "practice-login";

impl Default for Manners {
    fn default() -> Self {
        Self {
            name: NAME.into(),
            greeting: "ESMTP practice provider".into(),
            signature: None,
            doors: Doors::All,
            passwords: Passwords::Taken,
            senders: Senders::Anyone,
            wrong_password: Refusal::new(535, "5.7.8", NOT_ACCEPTED),
            wrong_token: Refusal::new(535, "5.7.8", NOT_ACCEPTED),
            too_many_recipients: Refusal::new(452, "4.5.3", "Too many recipients"),
            quota: Refusal::new(452, "4.2.2", "The recipients of this day are used up"),
        }
    }
}

impl Settings {
    /// Dressed as a provider, with `address` for the one account there is.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn like(preset: &Preset, address: &str) -> io::Result<Self> {
        let plain = Self::new()?;
        let limit = |number: Option<u32>, or| number.map_or(or, |number| number as usize);
        Ok(Self {
            username: preset.login_name(address).unwrap_or_else(|| OWN_NAME.to_owned()),
            offer: offer(preset),
            recipients_per_message: limit(preset.limits.recipients_per_message, plain.recipients_per_message),
            max_message_size: preset.limits.size.unwrap_or(plain.max_message_size),
            recipients_per_day: preset.limits.recipients_per_day.map(u64::from),
            manners: manners(preset, address),
            ..plain
        })
    }
}

fn offer(preset: &Preset) -> Offer {
    let own = ["SIZE", "8BITMIME", "PIPELINING", "ENHANCEDSTATUSCODES"].map(str::to_owned);
    let lines = if preset.extensions.is_empty() { &own[..] } else { &preset.extensions };
    let extension = |line: &String| match line.to_ascii_uppercase().as_str() {
        "SIZE" => Extension::Size(preset.limits.size),
        "8BITMIME" => Extension::EightBitMime,
        "PIPELINING" => Extension::Pipelining,
        "ENHANCEDSTATUSCODES" => Extension::EnhancedStatusCodes,
        "SMTPUTF8" => Extension::SmtpUtf8,
        "DSN" => Extension::Dsn,
        _ => Extension::Other(line.clone()),
    };
    let mut offer = Offer(lines.iter().map(extension).collect());
    offer.0.push(Extension::Auth(mechanisms(preset)));
    offer
}

/// Those of the provider that can be practised here; without a list those that nearly everybody has.
fn mechanisms(preset: &Preset) -> Vec<Mechanism> {
    if preset.mechanisms.is_empty() {
        let token = preset.oauth.is_some().then_some(Mechanism::XOAuth2);
        return [Mechanism::Plain, Mechanism::Login].into_iter().chain(token).collect();
    }
    preset.mechanisms.iter().filter_map(|name| Mechanism::named(name)).collect()
}

fn manners(preset: &Preset, address: &str) -> Manners {
    let Replies { greeting, signature, wrong_password, wrong_token, too_many_recipients, quota, .. } = &preset.replies;
    let own = Manners::default();
    Manners {
        // A region is part of the name of some; which one does not matter here.
        name: preset.host.replace("{region}", "eu-west-1"),
        greeting: greeting.clone().unwrap_or_else(|| "ESMTP".to_owned()),
        signature: signature.clone(),
        doors: match (preset.implicit.is_empty(), preset.starttls.is_empty()) {
            (false, false) => Doors::Both,
            (false, true) => Doors::Implicit,
            (true, _) => Doors::StartTls,
        },
        passwords: if preset.password == PasswordKind::Ended { Passwords::Ended } else { Passwords::Taken },
        senders: senders(preset, address),
        wrong_password: Refusal::or(wrong_password.as_ref(), own.wrong_password),
        wrong_token: Refusal::or(wrong_token.as_ref(), own.wrong_token),
        too_many_recipients: Refusal::or(too_many_recipients.as_ref(), own.too_many_recipients),
        quota: Refusal::or(quota.as_ref(), own.quota),
    }
}

fn senders(preset: &Preset, address: &str) -> Senders {
    match preset.sender {
        SenderRule::Unknown => Senders::Anyone,
        SenderRule::Rewritten => Senders::Rewritten { to: address.to_owned() },
        SenderRule::Account | SenderRule::Alias | SenderRule::Verified => {
            let seen = preset.replies.foreign_sender.as_ref();
            let own = Refusal::new(550, "5.7.1", "This sender is not yours");
            Senders::Only {
                addresses: vec![address.to_owned()],
                null_sender: preset.limits.null_sender.unwrap_or(true),
                at: seen.map_or(RefusedAt::Mail, |(at, _)| *at),
                refusal: Refusal::or(seen.map(|(_, reply)| reply), own),
            }
        }
    }
}
