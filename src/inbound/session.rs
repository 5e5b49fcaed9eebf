//! One connection of a device: the dialogue's questions, answered.
//!
//! A loop with one match. Everything large lives behind a `Box` only while it is needed, so that an idle session is
//! small. Guarantees that whatever way a session ends, its place is given back and its transcript is written down.

use std::fmt::Display;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;

use super::door::{Door, Tls};
use super::limits::{Scope, Unit};
use super::policy::{Caller, Company};
use crate::diagnosis::Diagnosis;
use crate::ids::DeviceName;
use crate::journal::Event as Happened;
use crate::journal::live::Seat;
use crate::mail::envelope::ReversePath;
use crate::net::link::{End, Link};
use crate::net::stream::Stream;
use crate::net::tls;
use crate::queue::{Accepted, Route};
use crate::smtp::Conversation;
use crate::smtp::reply::Refusal;
use crate::smtp::server::{Ending, Event, LoginQuestion, RecipientQuestion, Security, SenderQuestion, Server};

/// The dialogue as the relay uses it: only the queue can make the proof it needs.
pub(super) type Dialogue = Server<Accepted>;

/// A device that reads nothing is given up.
const PATIENCE: Duration = Duration::from_mins(5);
/// For a device to take our last words.
const FAREWELL: Duration = Duration::from_secs(5);
/// For a handshake with a device.
const HANDSHAKE: Duration = Duration::from_secs(30);

/// What a session knows.
pub(super) struct Session<'a> {
    pub(super) door: Arc<Door>,
    pub(super) seat: &'a Seat<'a>,
    pub(super) device: DeviceName,
    pub(super) caller: Caller,
    /// By itself: an idle session is small.
    pub(super) mail: Box<Mail>,
    pub(super) messages: u32,
    /// The relay asked it to end, and the dialogue knows.
    dismissed: bool,
}

/// What belongs to the mail at hand.
#[derive(Default)]
pub(super) struct Mail {
    /// Of each recipient so far.
    pub(super) routes: Vec<Route>,
    /// What came while the answer was written.
    early: Option<Box<Result<Event, End>>>,
}

impl<'a> Session<'a> {
    pub(super) fn new(door: Arc<Door>, seat: &'a Seat<'a>, device: DeviceName, peer: IpAddr) -> Self {
        let caller = Caller { source: peer, login: None };
        Self { door, seat, device, caller, mail: Box::default(), messages: 0, dismissed: false }
    }

    /// Speaks until the end.
    pub(super) async fn run(mut self, socket: TcpStream) {
        self.door.journal.record(Happened::Opened);
        let secure = matches!(self.door.tls, Tls::Implicit(_));
        let stream = match &self.door.tls {
            Tls::Implicit(files) => {
                let config = files.current(Instant::now());
                match self.unless_dismissed(Box::pin(tls::accept(config, socket, HANDSHAKE))).await {
                    Some(result) => result,
                    None => return,
                }
            }
            _ => Ok(Stream::Plain(socket)),
        };
        let stream = match stream {
            Ok(stream) => stream,
            Err(problem) => {
                self.door.journal.record(Happened::DeviceTlsFailed { device: &self.device, problem: &problem });
                return;
            }
        };
        let nonce = match nonce() {
            Ok(nonce) => nonce,
            Err(error) => return self.door.journal.record(Happened::Broken { detail: &error.to_string() }),
        };
        let security =
            Security { tls: secure, auth_in_clear: self.door.policy.auth_in_clear(self.caller.source), nonce };
        let recording = self.door.journal.wants_transcripts();
        let dialogue = Dialogue::new(Arc::clone(&self.door.dialogue), security, recording, Instant::now());
        // Boxed: it would stand in the future once for each function it passes through.
        let mut link = Box::new(Link::new(stream, dialogue, PATIENCE));
        // A peer that talks first is found out before it is greeted; nobody is kept waiting for that.
        link.receive_now();
        let ending = self.speak(link).await;
        self.door.journal.record(Happened::Closed { ending, messages: self.messages });
    }

    async fn speak(&mut self, mut link: Box<Link<Dialogue>>) -> Ending {
        let mut ending = Ending::HungUp;
        loop {
            let event = match self.next(&mut link).await {
                Ok(event) => event,
                Err(End::Closed) => return ending,
                Err(End::Broken(error)) => {
                    self.door.journal.record(Happened::Broken { detail: &error.to_string() });
                    return Ending::HungUp;
                }
            };
            match event {
                Event::Login(question) => self.login(&mut link, question),
                Event::Sender(question) => self.sender(&mut link, question),
                Event::Recipient(question) => self.recipient(&mut link, question),
                Event::Message(envelope, hello) => {
                    self.messages += 1;
                    // How the link ended, if it did, it says again in the next round.
                    if let Ok(Some(why)) = Box::pin(self.message(&mut link, *envelope, hello)).await {
                        ending = why;
                    }
                }
                Event::Upgrade => match Box::pin(self.upgrade(link)).await {
                    Some(upgraded) => link = upgraded,
                    None => return Ending::HungUp,
                },
                Event::Ended(why) => ending = why,
                other => self.note(&other),
            }
        }
    }

    /// The next event. A request to end reaches the dialogue here: between commands, or in a
    /// body, but never while an answer is owed.
    pub(super) async fn next(&mut self, link: &mut Link<Dialogue>) -> Result<Event, End> {
        self.write_down(link);
        self.seat.set_idle(link.conversation().is_idle());
        if let Some(early) = self.mail.early.take() {
            return *early;
        }
        if !self.dismissed {
            tokio::select! {
                biased;
                event = link.next() => return event,
                () = self.seat.dismissed() => self.dismissed = true,
            }
            link.conversation_mut().dismiss("The relay ends this session, try again later", Instant::now());
        }
        // A device that does not take these words must not keep its place.
        tokio::time::timeout(FAREWELL, link.next()).await.unwrap_or(Err(End::Closed))
    }

    /// Writes the answer as far as the device takes it at once: one that does not read must not keep a courier waiting.
    pub(super) async fn write_now(&mut self, link: &mut Link<Dialogue>) {
        let mut next = std::pin::pin!(link.next());
        let first = std::future::poll_fn(|context| Poll::Ready(next.as_mut().poll(context))).await;
        if let Poll::Ready(event) = first {
            self.mail.early = Some(Box::new(event));
        }
    }

    /// A handshake owes nothing: whoever is asked to end in the midst of it ends.
    async fn unless_dismissed<T>(&self, handshake: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            result = handshake => Some(result),
            () = self.seat.dismissed() => None,
        }
    }

    /// Events that only the log cares about.
    pub(super) fn note(&mut self, event: &Event) {
        match event {
            Event::Quirk(quirk) => self.door.journal.record(Happened::Quirk { device: &self.device, quirk: *quirk }),
            Event::Intruder(intruder) => self.door.journal.record(Happened::Intruder { intruder: *intruder }),
            _ => {}
        }
    }

    /// Puts what was said so far into the journal.
    pub(super) fn write_down(&mut self, link: &mut Link<Dialogue>) {
        let trace = link.conversation_mut().trace();
        if !trace.is_empty() {
            self.door.journal.transcript(&trace.take());
        }
    }

    fn login(&mut self, link: &mut Link<Dialogue>, question: LoginQuestion) {
        let answer = match self.door.policy.login(&question.username, &question.proof) {
            Ok(device) => {
                self.door.journal.record(Happened::DeviceLogin { name: Some(&device), accepted: true });
                self.device = device.clone();
                self.caller.login = Some(device);
                Ok(())
            }
            Err(refused) => {
                self.door.journal.record(Happened::DeviceLogin { name: refused.known.as_ref(), accepted: false });
                Err(refused.refusal)
            }
        };
        link.conversation_mut().answer_login(question, answer, Instant::now());
    }

    fn sender(&mut self, link: &mut Link<Dialogue>, mut question: SenderQuestion) {
        self.mail.routes.clear();
        let answer = self.door.policy.sender(&self.caller, &mut question.sender);
        let answer = answer.and_then(|()| self.can_go_out(&question.sender.reverse_path));
        self.note_refusal("sender", &question.sender.reverse_path, &answer);
        // What is missing is said by the queue, once.
        let size = question.sender.declared_size.unwrap_or(0);
        let answer = answer.and_then(|()| self.door.queue.room(size, &self.device));
        let answer = answer.and_then(|()| self.within_limits(Unit::Message));
        link.conversation_mut().answer_sender(question, answer, Instant::now());
    }

    fn recipient(&mut self, link: &mut Link<Dialogue>, mut question: RecipientQuestion) {
        let address = &question.recipient.address;
        let company = if self.door.queue.is_durable() {
            Company::Free
        } else {
            Company::Together(self.mail.routes.first().map(Route::first))
        };
        let answer = self.door.policy.recipient(&self.caller, question.envelope(), company, address);
        self.note_refusal("recipient", &question.recipient.address, &answer);
        let answer = answer.and_then(|(address, route)| {
            let route = Route::new(Arc::clone(route.accounts())).ok_or_else(no_route)?;
            self.within_limits(Unit::Recipient)?;
            question.recipient.address = address;
            self.mail.routes.push(route);
            Ok(())
        });
        link.conversation_mut().answer_recipient(question, answer, Instant::now());
    }

    /// Where nothing is kept, mail that cannot go out just now is refused before the device sends it.
    fn can_go_out(&self, sender: &ReversePath) -> Result<(), Refusal> {
        if self.door.queue.is_durable() {
            return Ok(());
        }
        let mut why = None;
        for route in self.door.policy.routes(&self.caller, sender) {
            match Route::new(Arc::clone(route.accounts())).map(|route| self.door.queue.closed(&route)) {
                Some(Some(closed)) => why = Some(closed),
                _ => return Ok(()),
            }
        }
        let because = |why: Diagnosis| format!("The account cannot be used, try again later: {}", why.sentence);
        why.map_or(Ok(()), |why| Err(Refusal::new(451, 7, 0, because(why))))
    }

    /// Counts one more of what the device sends. That a limit is reached is said once, not for every mail.
    fn within_limits(&self, unit: Unit) -> Result<(), Refusal> {
        let claims = self.door.policy.claims(&self.caller, unit);
        self.door.meters.take(&self.device, unit, &claims, Instant::now()).map_err(|over| {
            if over.is_news {
                let listener = self.door.policy.listener();
                let of_login = over.claim.scope == Scope::Login;
                let limit = over.unit.key();
                self.door.journal.record(Happened::LimitReached {
                    device: &self.device,
                    listener: Some(listener).filter(|_| !of_login),
                    limit,
                    most: over.claim.most,
                    lifts_in: over.lifts_in,
                });
            }
            over.refusal()
        })
    }

    fn note_refusal<T>(&self, what: &'static str, address: impl Display, answer: &Result<T, Refusal>) {
        if let Err(refusal) = answer {
            let address = address.to_string();
            self.door.journal.record(Happened::EnvelopeRefused { what, address, reply: refusal.reply() });
        }
    }

    async fn upgrade(&mut self, mut link: Box<Link<Dialogue>>) -> Option<Box<Link<Dialogue>>> {
        self.write_down(&mut link);
        let Tls::StartTls(files) = &self.door.tls else { return None };
        let config = files.current(Instant::now());
        let (stream, mut dialogue) = link.into_parts();
        match self.unless_dismissed(tls::accept(config, stream.into_plain()?, HANDSHAKE)).await? {
            Ok(stream) => {
                dialogue.secured(Instant::now());
                self.device = self.door.policy.device_of(self.caller.source);
                self.caller.login = None;
                Some(Box::new(Link::new(stream, dialogue, PATIENCE)))
            }
            Err(problem) => {
                self.door.journal.record(Happened::DeviceTlsFailed { device: &self.device, problem: &problem });
                None
            }
        }
    }
}

/// A fault of ours: the book makes no route without an account.
pub(super) fn no_route() -> Refusal {
    Refusal::new(451, 3, 0, "Internal error, try again later")
}

/// What no other connection has and nobody can guess.
fn nonce() -> Result<u128, getrandom::Error> {
    let mut octets = [0; 16];
    getrandom::fill(&mut octets)?;
    Ok(u128::from_ne_bytes(octets))
}
