//! The harness's own books: which mails there are, and what each device was told about its own.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

use crate::chance::Chance;

/// The provider refuses every address that begins so.
pub const REFUSED: &str = "refused-";

/// One mail.
#[derive(Debug, Clone)]
pub struct Mail {
    pub number: u64,
    pub recipients: Vec<To>,
    /// Octets of its text, about.
    pub size: u64,
}

/// A recipient, by how the provider treats it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum To {
    /// Taken.
    Plain(char),
    /// Refused for ever.
    Refused,
    /// Refused once, then taken.
    Later,
    /// Taken after a while.
    Slow,
}

impl To {
    pub fn address(self, number: u64) -> String {
        match self {
            Self::Plain(name) => format!("{name}-{number}@away.example"),
            Self::Refused => format!("{REFUSED}{number}@away.example"),
            Self::Later => format!("later-{number}@away.example"),
            Self::Slow => format!("slow-{number}@away.example"),
        }
    }
}

impl Mail {
    /// Its own, so that a notice says which mail it is about.
    pub fn sender(&self) -> String {
        format!("mail-{}@sandbox.example", self.number)
    }

    /// Header and body, without the terminating line. No line begins with a dot.
    pub fn text(&self) -> String {
        let Self { number, size, .. } = self;
        let mut text = format!(
            "Message-ID: <mail-{number}@load.test>\r\nFrom: <{}>\r\nTo: load:;\r\nSubject: load\r\n\r\n",
            self.sender()
        );
        let mut line = 0;
        while (text.len() as u64) < *size {
            write!(text, "mail {number} line {line}: the quick brown fox jumps over the lazy dog\r\n")
                .expect("a String");
            line += 1;
        }
        text
    }
}

/// What the device heard at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Nothing, not even a refusal.
    None,
    /// 2xx to the end of data.
    Accepted(String),
    /// Anything else, there or before.
    Refused(String),
}

/// All mails.
#[derive(Debug, Default)]
pub struct Ledger {
    mails: Mutex<BTreeMap<u64, (Mail, Answer)>>,
}

impl Ledger {
    /// The next mail: sizes on both sides of what is kept in memory, one to three recipients.
    pub fn new_mail(&self, chance: &mut Chance) -> Mail {
        let size = match chance.below(100) {
            0..70 => 500 + chance.below(8_000),
            70..90 => 50_000 + chance.below(40_000),
            _ => 100_000 + chance.below(200_000),
        };
        let mut recipients = vec![match chance.below(100) {
            0..70 => To::Plain('a'),
            70..80 => To::Refused,
            80..85 => To::Later,
            _ => To::Slow,
        }];
        recipients.extend(['b', 'c'].into_iter().take(usize::try_from(chance.below(3)).expect("small")).map(To::Plain));
        let mut mails = self.mails.lock().unwrap_or_else(PoisonError::into_inner);
        let number = mails.len() as u64;
        let mail = Mail { number, recipients, size };
        mails.insert(number, (mail.clone(), Answer::None));
        mail
    }

    /// One that was made elsewhere.
    pub fn add(&self, mail: Mail) {
        self.mails.lock().unwrap_or_else(PoisonError::into_inner).insert(mail.number, (mail, Answer::None));
    }

    pub fn answered(&self, number: u64, answer: Answer) {
        if let Some((_, heard)) = self.mails.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&number) {
            *heard = answer;
        }
    }

    /// A copy of the books.
    pub fn mails(&self) -> BTreeMap<u64, (Mail, Answer)> {
        self.mails.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn mail(&self, number: u64) -> Option<Mail> {
        self.mails.lock().unwrap_or_else(PoisonError::into_inner).get(&number).map(|(mail, _)| mail.clone())
    }
}
