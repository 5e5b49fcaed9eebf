//! Dial, TLS, EHLO, AUTH: from nothing to a ready [`Line`].
//!
//! Guarantees that a credential is fetched before a connection is opened, that a token which ends on the way is
//! replaced before it is sent, that a refused one is renewed and tried once more and never again, and that a failure
//! says at which stage it stood.

mod look;
mod terms;

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use super::line::Line;
use super::progress::Progress;
use super::step::Fact;
use crate::account::health::Stage;
use crate::account::keeper::{AfterRefusal, Keeper};
use crate::account::origin::Origin;
use crate::account::signin::{self, Channel, Credential};
use crate::account::{Encryption, Settings};
use crate::diagnosis::{Failure, TlsProblem, TokenFailure};
use crate::journal::{self, Journal};
use crate::net::link::{Link, LinkError};
use crate::net::ours::Bound;
use crate::net::stream::Stream;
use crate::net::trust::{ClientTls, Verified};
use crate::net::{dial, proxy, tls};
use crate::smtp::Conversation;
use crate::smtp::client::{Client, Event, Fault, Login, Timeouts};
use crate::smtp::trace::{Side, Trace};
use crate::words::Phase;

/// One account, ready to connect.
#[derive(Debug)]
pub struct Upstream {
    /// The account.
    pub settings: Settings,
    keeper: Keeper,
    tls: ClientTls,
    /// Our own listeners, known once they are bound; a connection to one of them is a loop.
    ours: Arc<OnceLock<Bound>>,
    hostname: String,
    timeouts: Timeouts,
    /// STARTTLS was offered before: from then on its absence is a downgrade (promise 3).
    starttls_seen: AtomicBool,
    journal: Journal,
}

enum Next {
    Again,
    Upgrade,
    Done,
}

/// How far to go.
enum Goal<'a> {
    /// To the end of AUTH.
    SignIn(&'a mut Credential),
    /// To where the mechanism is chosen; this is like the account's credential, and opens nothing.
    Look(Credential),
}

impl Goal<'_> {
    fn credential(&self) -> &Credential {
        match self {
            Self::SignIn(credential) => credential,
            Self::Look(like) => like,
        }
    }
}

/// Why there is no line.
#[derive(Debug)]
pub struct ConnectError {
    /// What failed.
    pub failure: Failure,
    /// Where, as far as a hold of the account cares.
    pub stage: Stage,
}

impl Upstream {
    /// Puts together what a connection needs. `hostname` is ours; it goes into EHLO only if it is a full name.
    #[must_use]
    pub fn new(
        settings: Settings,
        keeper: Keeper,
        tls: ClientTls,
        ours: Arc<OnceLock<Bound>>,
        hostname: String,
        timeouts: Timeouts,
        journal: Journal,
    ) -> Self {
        Self { settings, keeper, tls, ours, hostname, timeouts, starttls_seen: AtomicBool::new(false), journal }
    }

    /// Who has its credential.
    #[must_use]
    pub fn keeper(&self) -> &Keeper {
        &self.keeper
    }

    /// Where its transcripts go.
    pub(super) fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Connects and signs in. `progress` shows all the while how far it has come.
    ///
    /// # Errors
    /// With the first failure that another try would only repeat.
    pub async fn connect(&self, progress: &Progress) -> Result<Line, ConnectError> {
        let mut renewed = false;
        loop {
            progress.set(Phase::Credential);
            let mut credential =
                self.credential(progress).await.map_err(|failure| ConnectError { failure, stage: Stage::SignIn })?;
            let failure = match self.converse(Goal::SignIn(&mut credential), progress).await {
                Ok(line) => {
                    self.keeper.accepted(&credential);
                    return Ok(line);
                }
                Err(failure) => failure,
            };
            let refused = matches!(&failure, Failure::Reply { phase: Phase::Auth, reply } if reply.is_permanent());
            let after = refused.then(|| self.keeper.refused(&credential));
            if matches!(after, Some(AfterRefusal::Again | AfterRefusal::TooLate)) && !renewed {
                progress.again(&failure);
                renewed = true;
                continue;
            }
            if after == Some(AfterRefusal::TooLate) {
                let failure = Failure::Token(TokenFailure::EndedOnTheWay);
                return Err(ConnectError { failure, stage: Stage::SignIn });
            }
            let stage = Stage::of(&failure, &credential);
            return Err(ConnectError { failure, stage });
        }
    }

    async fn credential(&self, progress: &Progress) -> Result<Credential, Failure> {
        progress.see(|| Fact::Credential(Origin::of(&self.settings.credential)));
        let credential = self.fetch().await.inspect_err(|_| self.show_presented(progress))?;
        if let Some(life) = self.keeper.token_life() {
            progress.see(|| Fact::TokenLife(life));
        }
        Ok(credential)
    }

    async fn fetch(&self) -> Result<Credential, Failure> {
        let limit = self.timeouts.credential;
        let late = |_| Failure::TimedOut { phase: Phase::Credential, seconds: limit.as_secs() };
        tokio::time::timeout(limit, self.keeper.credential()).await.map_err(late)?
    }

    /// A token may end while we dial and shake hands; the server listens now, and gets one that is good.
    async fn freshen(&self, credential: &mut Credential) -> Result<(), Failure> {
        if !self.keeper.is_fresh(credential) {
            *credential = self.fetch().await?;
        }
        Ok(())
    }

    /// What a token endpoint presented in a handshake that failed.
    fn show_presented(&self, progress: &Progress) {
        let presented = self.keeper.presented();
        if !presented.is_empty() {
            progress.see(|| Fact::Presented(presented));
        }
    }

    /// From the dial to the end of AUTH, or as far as a look goes.
    async fn converse(&self, mut goal: Goal<'_>, progress: &Progress) -> Result<Line, Failure> {
        progress.set(Phase::Connect);
        let began = Instant::now();
        let Settings { host, port, .. } = &self.settings;
        let tcp = self.dial(progress).await?;
        let mut trace = Trace::new(began, self.journal.wants_transcripts());
        let peer = tcp.peer_addr().map(|address| address.to_string()).unwrap_or_default();
        let way = match &self.settings.proxies.smtp {
            None => format!("connected to {host} at {peer}"),
            Some(proxy) => format!("connected to {host} port {port} through {proxy} at {peer}"),
        };
        trace.say(Side::Note, &way, Instant::now());
        let stream = match self.settings.encryption {
            Encryption::Implicit => self.secure(tcp, &mut trace, progress).await,
            _ => Ok(Stream::Plain(tcp)),
        };
        self.journal.transcript(&trace.take());
        let stream = stream?;
        let settings = Arc::new(self.dialogue(&stream, goal.credential()));
        let mut client = Client::new(settings, trace, Instant::now());
        if progress.is_watched() {
            client.narrate();
        }
        let link = Link::new(stream, client, self.timeouts.block);
        Ok(Line::new(self.greet(link, &mut goal, progress).await?))
    }

    async fn dial(&self, progress: &Progress) -> Result<tokio::net::TcpStream, Failure> {
        let Settings { host, port, proxies, .. } = &self.settings;
        let nothing = Bound::new([]);
        let ours = self.ours.get().unwrap_or(&nothing);
        let (limit, seen) = (self.timeouts.connect, |seen| progress.dial(seen));
        Ok(match &proxies.smtp {
            None => dial::dial(host, *port, ours, limit, &seen).await?,
            Some(proxy) => proxy::connect(proxy, host, *port, ours, limit, &seen).await?,
        })
    }

    async fn secure(
        &self,
        tcp: tokio::net::TcpStream,
        trace: &mut Trace,
        progress: &Progress,
    ) -> Result<Stream, Failure> {
        progress.set(Phase::Tls);
        let host = &self.settings.host;
        let terms = self.tls.current(Instant::now());
        let result = tls::connect(&terms, host, tcp, self.timeouts.handshake).await;
        let chain = match &result {
            Ok(stream) => {
                let facts = stream.tls_facts();
                if let Some(facts) = &facts {
                    progress.see(|| Fact::Tls(facts.clone()));
                    trace.say(Side::Note, &format!("{facts}, {}", facts.verified.for_host(host)), Instant::now());
                }
                if terms.verified == Verified::Nothing {
                    self.journal.record(journal::Event::Unverified { host });
                }
                facts.map(|facts| facts.chain).unwrap_or_default()
            }
            Err(failed) => {
                progress.see(|| Fact::Presented(failed.presented.clone()));
                failed.presented.clone()
            }
        };
        for certificate in &chain {
            trace.say(Side::Note, &format!("certificate of {certificate}"), Instant::now());
        }
        result.map_err(|failed| self.tls_failure(failed.problem))
    }

    fn tls_failure(&self, problem: TlsProblem) -> Failure {
        let Settings { host, port, encryption, .. } = &self.settings;
        let starttls = *encryption != Encryption::Implicit;
        Failure::Tls { host: host.clone(), port: *port, starttls, problem }
    }

    /// From the greeting to the end of AUTH.
    async fn greet(
        &self,
        mut link: Link<Client>,
        goal: &mut Goal<'_>,
        progress: &Progress,
    ) -> Result<Link<Client>, Failure> {
        loop {
            progress.follow(link.conversation());
            let step = self.step(&mut link, goal, progress).await;
            let trace = link.conversation_mut().trace().take();
            match step {
                Ok(Next::Again) => self.journal.transcript(&trace),
                Ok(Next::Upgrade) => link = self.upgrade(link, trace, progress).await?,
                Ok(Next::Done) => {
                    self.journal.transcript(&trace);
                    return Ok(link);
                }
                Err(failure) => {
                    // Whatever else there is to say, QUIT perhaps, is not worth waiting for.
                    self.journal.transcript(&trace);
                    return Err(failure);
                }
            }
        }
    }

    async fn step(&self, link: &mut Link<Client>, goal: &mut Goal<'_>, progress: &Progress) -> Result<Next, Failure> {
        let phase = link.conversation().phase();
        let event = link.next().await;
        if let Some(LinkError::Tls { problem }) = link.fault()
            && problem.is_of_our_certificate()
        {
            return Err(self.tls_failure(problem.clone()));
        }
        match event {
            // Octets that are here before the handshake are not the server's: the dialogue must see them, and fails.
            Ok(Event::Upgrade) if !link.receive_now() => Ok(Next::Upgrade),
            Ok(Event::Ready) => {
                let Goal::SignIn(credential) = goal else {
                    return self.login(link, goal.credential(), progress).map(|_| Next::Done);
                };
                self.freshen(credential).await?;
                Ok(match self.login(link, credential, progress)? {
                    Some(login) => {
                        link.conversation_mut().login(&login, Instant::now());
                        Next::Again
                    }
                    None => Next::Done,
                })
            }
            Ok(Event::LoggedIn) => Ok(Next::Done),
            Ok(Event::Failed(fault)) => {
                if matches!(fault, Fault::StartTlsRefused { .. } | Fault::StartTlsInjected { .. }) {
                    self.saw_starttls();
                }
                Err(failure(link, fault))
            }
            Ok(Event::Heard { phase, reply }) => {
                progress.hear(phase, reply);
                self.look_for_starttls(link, phase, progress);
                Ok(Next::Again)
            }
            Ok(_) => Ok(Next::Again),
            Err(end) => Err(Failure::Io { phase, detail: end.to_string() }),
        }
    }

    /// Where TLS would be taken if it were offered, that it is not must not go unseen.
    fn look_for_starttls(&self, link: &Link<Client>, phase: Phase, progress: &Progress) {
        let wanted = phase == Phase::Hello && self.settings.encryption == Encryption::StartTlsAuto;
        if wanted && link.conversation().phase() == Phase::Auth && self.channel(link.stream()) != Channel::Tls {
            progress.see(|| Fact::StaysClear(self.channel(link.stream())));
        }
    }

    async fn upgrade(
        &self,
        link: Link<Client>,
        mut trace: Trace,
        progress: &Progress,
    ) -> Result<Link<Client>, Failure> {
        let (stream, mut client) = link.into_parts();
        let phase = Phase::Tls;
        let tcp = stream.into_plain().ok_or(Failure::Closed { phase })?;
        let secured = self.secure(tcp, &mut trace, progress).await;
        self.journal.transcript(&trace);
        self.saw_starttls();
        client.secured(Instant::now());
        Ok(Link::new(secured?, client, self.timeouts.block))
    }

    /// The login for this server, or none at all (promise 3).
    fn login(
        &self,
        link: &Link<Client>,
        credential: &Credential,
        progress: &Progress,
    ) -> Result<Option<Login>, Failure> {
        progress.set(Phase::Auth);
        let offered: Vec<String> =
            link.conversation().offered().map(|o| o.auth.iter().map(ToString::to_string).collect()).unwrap_or_default();
        let login = signin::choose(&self.settings, credential, &offered, self.channel(link.stream()))?;
        progress.see(|| match &login {
            Some(login) => Fact::Mechanism { chosen: login.mechanism().name(), offered },
            None => Fact::NoSignIn,
        });
        Ok(login)
    }
}

/// A fault of the dialogue; a connection that broke says more than the dialogue knows.
pub(super) fn failure(link: &Link<Client>, fault: Fault) -> Failure {
    match (link.fault(), fault) {
        (Some(error), Fault::Closed { phase }) => Failure::Io { phase, detail: error.to_string() },
        (_, fault) => fault.into(),
    }
}

#[cfg(test)]
mod tests;
