//! The liberties devices take and the mistakes they make, each with its sentence for the log.
//!
//! What is tolerated and what is refused is decided where a line is read; this file only names it, so that an
//! administrator can see what a device does wrong without reading a transcript. No quirk is ever passed on to the
//! provider. Refusals that depend on the listener's rules for senders and recipients are events of their own.

/// One liberty that was tolerated, or one kind of mistake that was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Quirk {
    EmptyHello,
    OddHelloName,
    HeloOnly,
    NoBrackets,
    SpaceAfterColon,
    UnknownParameter,
    NeedlessArgument,
    InlineUserName,
    LowerCaseMechanism,
    CredentialOutOfPlace,
    AuthInClear,
    AuthNotOffered,
    TalksBeforeGreeting,
    LfCommands,
    LfBody,
    BareLfInBody,
    BareCrInBody,
    Telnet,
    BodyBeforeGoAhead,
    OctetsAfterStartTls,
    NoQuit,
    StartTlsNotOffered,
    NoHello,
    UnknownMechanism,
    LoginMissing,
    LoginNeedsTls,
    DeclaredTooBig,
    Malformed,
    UnknownCommand,
    BodyAfterRefusedData,
    LfRefused,
    BareEndingsRefused,
}

impl Quirk {
    /// All of them, in the order of their bits.
    pub const ALL: [Self; 32] = [
        Self::EmptyHello,
        Self::OddHelloName,
        Self::HeloOnly,
        Self::NoBrackets,
        Self::SpaceAfterColon,
        Self::UnknownParameter,
        Self::NeedlessArgument,
        Self::InlineUserName,
        Self::LowerCaseMechanism,
        Self::CredentialOutOfPlace,
        Self::AuthInClear,
        Self::AuthNotOffered,
        Self::TalksBeforeGreeting,
        Self::LfCommands,
        Self::LfBody,
        Self::BareLfInBody,
        Self::BareCrInBody,
        Self::Telnet,
        Self::BodyBeforeGoAhead,
        Self::OctetsAfterStartTls,
        Self::NoQuit,
        Self::StartTlsNotOffered,
        Self::NoHello,
        Self::UnknownMechanism,
        Self::LoginMissing,
        Self::LoginNeedsTls,
        Self::DeclaredTooBig,
        Self::Malformed,
        Self::UnknownCommand,
        Self::BodyAfterRefusedData,
        Self::LfRefused,
        Self::BareEndingsRefused,
    ];

    /// Whether the device was refused for it, rather than served all the same.
    #[must_use]
    pub fn is_refused(self) -> bool {
        self == Self::AuthNotOffered || self as u8 >= Self::StartTlsNotOffered as u8
    }

    /// What the device does, as a sentence for the log.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::EmptyHello => "it gives no name in HELO or EHLO",
            Self::OddHelloName => "its name in HELO or EHLO is not a full domain name or an address literal",
            Self::HeloOnly => "it says HELO, not EHLO, and so uses no extension",
            Self::NoBrackets => "it writes addresses without angle brackets",
            Self::SpaceAfterColon => "it writes white space after MAIL FROM: or RCPT TO:",
            Self::UnknownParameter => "it sends parameters that were not offered; they are ignored",
            Self::NeedlessArgument => "it gives an argument to a command that takes none",
            Self::InlineUserName => "it sends the user name together with AUTH LOGIN",
            Self::LowerCaseMechanism => "it writes the AUTH mechanism in lower case",
            Self::CredentialOutOfPlace => {
                "it sends what looks like a credential outside AUTH; the line is not recorded"
            }
            Self::AuthInClear => "it signs in without TLS",
            Self::AuthNotOffered => {
                "it tries AUTH though it is not offered; if it insists, set auth = \"accept_any\" on this listener"
            }
            Self::TalksBeforeGreeting => "it talks before the greeting",
            Self::LfCommands => "it ends command lines with a bare LF",
            Self::LfBody => "it sends bodies with bare LF line endings, ended by LF.LF",
            Self::BareLfInBody => "it sends stray bare LFs in bodies; they are made CRLF",
            Self::BareCrInBody => "it sends stray bare CRs in bodies; they are made CRLF",
            Self::Telnet => "it sends CR NUL, as telnet does",
            Self::BodyBeforeGoAhead => "it sends the body before it was told to go ahead",
            Self::OctetsAfterStartTls => "it sent octets behind STARTTLS before the handshake; they were thrown away",
            Self::NoQuit => "it hangs up without QUIT",
            Self::StartTlsNotOffered => {
                "it asks for STARTTLS; set tls = \"starttls\" with a certificate on this listener, or switch encryption off in the device"
            }
            Self::NoHello => "it sends MAIL or AUTH before EHLO or HELO; after STARTTLS that must be said again",
            Self::UnknownMechanism => {
                "it signs in with a mechanism that is not offered; choose PLAIN, LOGIN or CRAM-MD5 in the device"
            }
            Self::LoginMissing => {
                "it sends mail without signing in; give it a login of [devices], or set auth = \"optional\" on this listener"
            }
            Self::LoginNeedsTls => {
                "it signs in without TLS; switch STARTTLS on in the device, or set auth_in_clear = true on this listener"
            }
            Self::DeclaredTooBig => "it announces a mail larger than `max_message_size` of this listener",
            Self::Malformed => {
                "it sends an address or a parameter that cannot be read; [log] level = \"debug\" shows the line"
            }
            Self::UnknownCommand => "it sends lines that are no command of SMTP",
            Self::LfRefused => {
                "it ends command lines with a bare LF; set line_endings = \"auto\" on this listener to take them"
            }
            Self::BareEndingsRefused => {
                "it sends bare LFs or CRs in bodies; set line_endings = \"auto\" on this listener to have them made CRLF"
            }
            Self::BodyAfterRefusedData => {
                "it sends a message body although DATA was refused; see what was refused before, the sender or the recipients perhaps"
            }
        }
    }
}

/// A set of quirks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Quirks(u32);

impl Quirks {
    /// Adds one.
    pub fn add(&mut self, quirk: Quirk) {
        self.0 |= 1 << quirk as u8;
    }

    /// Whether it holds this one.
    #[must_use]
    pub fn contains(self, quirk: Quirk) -> bool {
        self.0 & (1 << quirk as u8) != 0
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Adds all of `others` and returns those that are new.
    #[must_use]
    pub fn merge(&mut self, others: Self) -> Self {
        let new = Self(others.0 & !self.0);
        self.0 |= others.0;
        new
    }

    /// Takes one out.
    pub fn remove(&mut self, quirk: Quirk) {
        self.0 &= !(1 << quirk as u8);
    }

    /// Both together.
    #[must_use]
    pub fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Those in it.
    pub fn iter(self) -> impl Iterator<Item = Quirk> {
        Quirk::ALL.into_iter().filter(move |&q| self.contains(q))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_quirk_has_its_own_bit_and_sentence() {
        let mut seen = Quirks::default();
        for (i, quirk) in Quirk::ALL.into_iter().enumerate() {
            assert_eq!(quirk as usize, i);
            let mut one = Quirks::default();
            one.add(quirk);
            assert_eq!(seen.merge(one).iter().collect::<Vec<_>>(), [quirk]);
            assert!(seen.merge(one).is_empty(), "the second time it is not new");
        }
        let sentences: std::collections::HashSet<_> = Quirk::ALL.map(Quirk::sentence).into();
        assert_eq!(sentences.len(), Quirk::ALL.len());
    }
}
