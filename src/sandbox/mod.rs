//! The sandbox: a practice provider inside the program, with real sockets, real TLS, real OAuth and real SMTP.
//!
//! It speaks on loopback only, its certificate authority lives in memory, its mail goes into a mailbox one can look
//! into, and it misbehaves on demand ([`fault`]). It is stricter than real providers: whatever a client may not do is
//! refused and recorded ([`Sandbox::violations`]). Its dialogue shares no code with the relay's own, so each is a check
//! on the other. Not for production: nothing is stored, and everything ends when the [`Sandbox`] is dropped.

mod authority;
mod body;
mod credentials;
mod echo;
pub mod fault;
mod grammar;
mod login;
mod mailbox;
mod manners;
mod oauth;
mod offer;
mod parameters;
mod record;
mod response;
mod sender;
mod session;
mod smtp;
mod transaction;
mod wire;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

pub use authority::{Certificate, ClientIdentity};
pub use echo::Echo;
pub use mailbox::{Delivery, Login, Mailbox, Protection, Recipient};
pub use manners::{Doors, Manners, Passwords, Refusal, Senders};
pub use oauth::{Consent, ELSEWHERE, OAuth, RefreshTokens, SignedIn, TokenCall};
pub use offer::{Extension, Mechanism, Offer};
pub use record::{Counters, Rule, Said, Violation};
pub use smtp::CONNECTIONS;

use crate::secret::Secret;
use fault::Faults;
use session::Door;

/// How the practice provider is set up.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where each port is bound; loopback only. Port 0 picks a free one, which is the default.
    pub ports: Ports,
    /// The only user.
    pub username: String,
    /// Its password. Default: random.
    pub password: Secret,
    /// The OAuth client that proves itself.
    pub client_id: String,
    /// Its secret. Default: random.
    pub client_secret: Secret,
    /// The rest of the authorization server.
    pub oauth: OAuth,
    /// What EHLO shows; the mechanisms only where a credential may be sent. Default: like Gmail.
    pub offer: Offer,
    /// Whether MAIL needs a sign-in. Default: yes.
    pub require_auth: bool,
    /// Whether the SMTP ports require a client certificate inside TLS. Default: no.
    pub require_client_certificate: bool,
    /// How long a token is good. Default: one hour.
    pub token_lifetime: Duration,
    /// Length of a token, 16 to 8192 octets. Default: 1200, about that of Microsoft's, too long for an AUTH line.
    pub token_octets: usize,
    /// Octets of the largest message taken, whatever SIZE says. Default: 50 MiB.
    pub max_message_size: u64,
    /// Recipients of one message. Default: 100, as Gmail.
    pub recipients_per_message: usize,
    /// Recipients of all messages together, after which [`Manners::quota`] is said. Default: as many as come.
    pub recipients_per_day: Option<u64>,
    /// Under which name it speaks, whom it lets send and how it refuses. Default: its own.
    pub manners: Manners,
    /// Silence before a connection is ended with `421`. Default: 300 s (RFC 5321 §4.5.3.2.7).
    pub idle: Duration,
}

/// Where the sandbox listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    /// SMTP, TLS from the first octet.
    pub implicit: SocketAddr,
    /// SMTP, STARTTLS before anything else.
    pub starttls: SocketAddr,
    /// SMTP in clear, sign-in too.
    pub plain: SocketAddr,
    /// The authorization server, the token endpoint with it.
    pub token: SocketAddr,
}

impl Default for Ports {
    fn default() -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        Self { implicit: any, starttls: any, plain: any, token: any }
    }
}

impl Settings {
    /// The defaults with secrets made for this one sandbox.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            ports: Ports::default(),
            username: "scanner@sandbox.example".into(),
            password: credentials::random(20)?,
            client_id: "posthouse".into(),
            client_secret: credentials::random(40)?,
            oauth: OAuth::default(),
            offer: Offer::like_gmail(),
            require_auth: true,
            require_client_certificate: false,
            token_lifetime: Duration::from_hours(1),
            token_octets: 1200,
            max_message_size: 50 * 1024 * 1024,
            recipients_per_message: 100,
            recipients_per_day: None,
            manners: Manners::default(),
            idle: Duration::from_mins(5),
        })
    }
}

/// What all connections share.
#[derive(Debug)]
struct Shared {
    settings: Settings,
    credentials: credentials::Credentials,
    authority: authority::Authority,
    oauth: oauth::Server,
    faults: Faults,
    mailbox: Mailbox,
    record: record::Record,
    slots: Arc<Semaphore>,
}

/// A running practice provider. Dropping it ends every connection.
#[derive(Debug)]
pub struct Sandbox {
    shared: Arc<Shared>,
    bound: Ports,
    /// Held for what its drop does: each task owns its connections.
    _tasks: JoinSet<()>,
    /// Held so that nobody else takes the ports of doors that are closed.
    _closed: Vec<TcpSocket>,
}

/// A port of the sandbox.
enum Port {
    /// It takes connections.
    Open(TcpListener),
    /// It is ours, and refuses them.
    Closed(TcpSocket),
}

impl Port {
    async fn bind(address: SocketAddr, open: bool) -> io::Result<Self> {
        if open {
            return Ok(Self::Open(TcpListener::bind(address).await?));
        }
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.bind(address)?;
        Ok(Self::Closed(socket))
    }

    fn address(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Open(listener) => listener.local_addr(),
            Self::Closed(socket) => socket.local_addr(),
        }
    }
}

impl Sandbox {
    /// Binds the ports and begins to serve.
    ///
    /// # Errors
    /// When an address is not loopback (nothing is bound then), cannot be bound, or keys cannot be made.
    pub async fn start(settings: Settings) -> io::Result<Self> {
        let wanted = settings.ports;
        let all = [wanted.implicit, wanted.starttls, wanted.plain, wanted.token];
        if let Some(open) = all.iter().find(|address| !address.ip().to_canonical().is_loopback()) {
            let why = format!("the sandbox listens on loopback addresses only, not on {open}");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        let bind = async |address, door| Port::bind(address, settings.manners.doors.has(door)).await;
        let implicit = bind(wanted.implicit, Door::Implicit).await?;
        let starttls = bind(wanted.starttls, Door::StartTls).await?;
        let plain = bind(wanted.plain, Door::Plain).await?;
        let token = TcpListener::bind(wanted.token).await?;
        let bound = Ports {
            implicit: implicit.address()?,
            starttls: starttls.address()?,
            plain: plain.address()?,
            token: token.local_addr()?,
        };
        let authority = authority::Authority::new(&all.map(|at| at.ip()), settings.require_client_certificate)?;
        let certificate = settings.oauth.client_certificate.as_deref();
        let shared = Arc::new(Shared {
            credentials: credentials::Credentials::new(&settings),
            oauth: oauth::Server::new(bound.token, certificate.unwrap_or(&authority.client().certificate))?,
            authority,
            faults: Faults::default(),
            mailbox: Mailbox::new(),
            record: record::Record::default(),
            slots: Arc::new(Semaphore::new(CONNECTIONS)),
            settings,
        });
        let mut tasks = JoinSet::new();
        let mut closed = Vec::new();
        for (port, door) in [(implicit, Door::Implicit), (starttls, Door::StartTls), (plain, Door::Plain)] {
            match port {
                Port::Open(listener) => drop(tasks.spawn(smtp::serve(listener, door, Arc::clone(&shared)))),
                Port::Closed(socket) => closed.push(socket),
            }
        }
        tasks.spawn(oauth::serve(token, Arc::clone(&shared)));
        Ok(Self { shared, bound, _tasks: tasks, _closed: closed })
    }

    /// The settings it was started with; the secrets of the user and the client are here.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    /// The SMTP port with TLS from the first octet.
    #[must_use]
    pub fn implicit(&self) -> SocketAddr {
        self.bound.implicit
    }

    /// The SMTP port that wants STARTTLS.
    #[must_use]
    pub fn starttls(&self) -> SocketAddr {
        self.bound.starttls
    }

    /// The SMTP port in clear.
    #[must_use]
    pub fn plain(&self) -> SocketAddr {
        self.bound.plain
    }

    /// The address of the token endpoint. The host is the literal address: it stands in the certificate.
    #[must_use]
    pub fn token_endpoint(&self) -> String {
        self.shared.oauth.token_endpoint()
    }

    /// The certificate of the sandbox's authority in PEM form, for `ca_file`.
    #[must_use]
    pub fn authority_pem(&self) -> &str {
        self.shared.authority.pem()
    }

    /// The client certificate that is asked for with `require_client_certificate`; an assertion signed with its key
    /// proves the OAuth client, unless another certificate is registered.
    #[must_use]
    pub fn client_identity(&self) -> &ClientIdentity {
        self.shared.authority.client()
    }

    /// One that is not taken: somebody else's authority signed it.
    #[must_use]
    pub fn strange_client_identity(&self) -> &ClientIdentity {
        self.shared.authority.strange_client()
    }

    /// What the SMTP ports present from the next handshake on.
    pub fn present(&self, certificate: Certificate) {
        self.shared.authority.present_smtp(certificate);
    }

    /// What the token endpoint presents from the next handshake on.
    pub fn present_at_token_endpoint(&self, certificate: Certificate) {
        self.shared.authority.present_token(certificate);
    }

    /// A token without the token endpoint, for any user; only one for the user of the settings signs in.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn issue_token(&self, user: &str, lifetime: Duration) -> io::Result<Secret> {
        self.shared.credentials.issue(user, lifetime, None)
    }

    /// Ends the life of every access token issued so far; refresh tokens stay good.
    pub fn revoke_tokens(&self) {
        self.shared.credentials.revoke_all();
    }

    /// A person removed the application: whatever was granted so far, refresh tokens too, is useless.
    pub fn revoke_consent(&self) {
        self.shared.oauth.revoke_all();
        self.shared.credentials.revoke_all();
    }

    /// A sign-in of the user with the public client, as if a person had come with a browser.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn sign_in(&self, scope: &str) -> io::Result<SignedIn> {
        oauth::sign_in(&self.shared, scope)
    }

    /// What the person with this user code decides (RFC 8628); false if no device waits with it.
    #[must_use = "false says that nothing was decided"]
    pub fn decide_device(&self, user_code: &str, yes: bool) -> bool {
        self.shared.oauth.decide_device(user_code, yes)
    }

    /// Who the authorization server says it is; below it lies every endpoint, and the discovery document.
    #[must_use]
    pub fn issuer(&self) -> &str {
        self.shared.oauth.issuer()
    }

    /// The address of the discovery document.
    #[must_use]
    pub fn discovery(&self) -> String {
        self.shared.oauth.discovery()
    }

    /// The key file of a service account that may act for the user, as a provider gives it out; the key is made at the
    /// first call, which takes a while. Nothing where no key can be made.
    #[must_use]
    pub fn service_account_key(&self) -> Option<Secret> {
        self.shared.oauth.key_file()
    }

    /// What the token endpoint was asked.
    #[must_use]
    pub fn token_calls(&self) -> Vec<TokenCall> {
        self.shared.oauth.calls()
    }

    /// What was taken.
    #[must_use]
    pub fn mailbox(&self) -> &Mailbox {
        &self.shared.mailbox
    }

    /// Where faults are planned.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// How often things happened.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.shared.record.counters()
    }

    /// What clients did against the standards.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        self.shared.record.violations()
    }

    /// What was said, credentials hidden. Connection 0 is the token endpoint.
    #[must_use]
    pub fn transcript(&self) -> Vec<Said> {
        self.shared.record.transcript()
    }
}
