//! What the sandbox says it can do: the lines behind its EHLO, and the mechanisms it really speaks.
//!
//! Every extension offered here is honoured by the session, and one that is not offered is refused when it is used,
//! so a client that ignores the EHLO list is found out. [`Extension::Other`] is only shown: for practising with
//! keywords nobody has heard of. STARTTLS is not in the list: the port decides it.

/// A SASL mechanism the sandbox can check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// RFC 4616
    Plain,
    /// draft-murchison-sasl-login
    Login,
    /// RFC 2195
    CramMd5,
    /// Google's and Microsoft's; needs a token of the sandbox's token endpoint.
    XOAuth2,
    /// RFC 7628; needs the same.
    OAuthBearer,
}

impl Mechanism {
    /// Every mechanism: first those Gmail lists, in its order.
    pub const ALL: [Self; 5] = [Self::Login, Self::Plain, Self::XOAuth2, Self::OAuthBearer, Self::CramMd5];

    /// The name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
            Self::CramMd5 => "CRAM-MD5",
            Self::XOAuth2 => "XOAUTH2",
            Self::OAuthBearer => "OAUTHBEARER",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|m| m.name().eq_ignore_ascii_case(name))
    }
}

/// One line behind EHLO.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Extension {
    /// RFC 2920
    Pipelining,
    /// RFC 1870: the largest message in octets; `None` shows the bare keyword and leaves the limit unknown.
    Size(Option<u64>),
    /// RFC 6152
    EightBitMime,
    /// RFC 6531
    SmtpUtf8,
    /// RFC 3461
    Dsn,
    /// RFC 2034; without it the sandbox's own replies carry no enhanced codes.
    EnhancedStatusCodes,
    /// RFC 4954: `AUTH PLAIN LOGIN`
    Auth(Vec<Mechanism>),
    /// `AUTH=PLAIN LOGIN`, the form of the drafts before RFC 2554 that some servers still show beside the other.
    AuthEquals(Vec<Mechanism>),
    /// Shown as it stands, and nothing more.
    Other(String),
}

impl Extension {
    pub(super) fn line(&self) -> String {
        let names = |list: &[Mechanism]| list.iter().map(|m| m.name()).collect::<Vec<_>>().join(" ");
        match self {
            Self::Pipelining => "PIPELINING".into(),
            Self::Size(Some(octets)) => format!("SIZE {octets}"),
            Self::Size(None) => "SIZE".into(),
            Self::EightBitMime => "8BITMIME".into(),
            Self::SmtpUtf8 => "SMTPUTF8".into(),
            Self::Dsn => "DSN".into(),
            Self::EnhancedStatusCodes => "ENHANCEDSTATUSCODES".into(),
            Self::Auth(list) => format!("AUTH {}", names(list)),
            Self::AuthEquals(list) => format!("AUTH={}", names(list)),
            Self::Other(line) => line.clone(),
        }
    }
}

/// The extensions offered, in the order they are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer(pub Vec<Extension>);

impl Offer {
    /// As `smtp.gmail.com` after TLS, without what the sandbox cannot do (CHUNKING, further mechanisms).
    #[must_use]
    pub fn like_gmail() -> Self {
        Self(vec![
            Extension::Size(Some(35_882_577)),
            Extension::EightBitMime,
            Extension::Auth(vec![Mechanism::Login, Mechanism::Plain, Mechanism::XOAuth2, Mechanism::OAuthBearer]),
            Extension::EnhancedStatusCodes,
            Extension::Pipelining,
            Extension::SmtpUtf8,
        ])
    }

    /// As `smtp.office365.com` after TLS, without CHUNKING and BINARYMIME. PLAIN is missing there too.
    #[must_use]
    pub fn like_microsoft() -> Self {
        Self(vec![
            Extension::Size(Some(157_286_400)),
            Extension::Pipelining,
            Extension::Dsn,
            Extension::EnhancedStatusCodes,
            Extension::Auth(vec![Mechanism::Login, Mechanism::XOAuth2]),
            Extension::EightBitMime,
            Extension::SmtpUtf8,
        ])
    }

    /// Nothing but EHLO itself.
    #[must_use]
    pub fn bare() -> Self {
        Self(Vec::new())
    }

    /// The same and one more.
    #[must_use]
    pub fn with(mut self, extension: Extension) -> Self {
        self.0.push(extension);
        self
    }

    /// The same without every line of this kind, whatever its arguments.
    #[must_use]
    pub fn without(mut self, kind: &Extension) -> Self {
        self.0.retain(|e| std::mem::discriminant(e) != std::mem::discriminant(kind));
        self
    }

    pub(super) fn has(&self, extension: &Extension) -> bool {
        self.0.contains(extension)
    }

    /// Whether `SIZE` is there, with or without a number.
    pub(super) fn has_size(&self) -> bool {
        self.0.iter().any(|e| matches!(e, Extension::Size(_)))
    }

    /// The limit told to clients; RFC 1870 §4: zero means no fixed limit.
    pub(super) fn size_limit(&self) -> Option<u64> {
        self.0.iter().find_map(|e| match e {
            Extension::Size(Some(octets)) if *octets > 0 => Some(*octets),
            _ => None,
        })
    }

    pub(super) fn offers(&self, mechanism: Mechanism) -> bool {
        self.0.iter().any(|e| match e {
            Extension::Auth(list) | Extension::AuthEquals(list) => list.contains(&mechanism),
            _ => false,
        })
    }

    /// The lines as shown; mechanisms only where a credential may be sent.
    pub(super) fn lines(&self, sign_in: bool) -> impl Iterator<Item = String> {
        self.0
            .iter()
            .filter(move |e| sign_in || !matches!(e, Extension::Auth(_) | Extension::AuthEquals(_)))
            .map(Extension::line)
    }
}
