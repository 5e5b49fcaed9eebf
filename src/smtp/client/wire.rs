//! What every stage of the client dialogue needs: lines going out, events coming up, the clock, the transcript.
//!
//! Outputs keep their order; lines composed without an event between them leave in one piece. A fault takes back
//! whatever has not been handed out yet, so that nothing is sent on a connection that is given up. Secrets sent here
//! are watched for in everything that comes back, for as long as the connection lives.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::reading::{Incoming, without_enhanced};
use super::{Event, Fault, Settings, Stage};
use crate::redact::Redactor;
use crate::secret::Secret;
use crate::smtp::Output;
use crate::smtp::reply::Reply;
use crate::smtp::trace::{Side, Trace};
use crate::words::Phase;

/// Octets of a reply's text that are kept. A hundred recipients may have a reply each.
const TEXT_LIMIT: usize = 2000;
/// Octets shown of something that is no reply.
const GARBAGE_LIMIT: usize = 100;
/// For stages in which the owner decides how long.
const LONG: Duration = Duration::from_hours(24);

enum Pending {
    Octets(Vec<u8>),
    Event(Event),
}

pub(super) struct Wire {
    pub settings: Arc<Settings>,
    pub trace: Trace,
    /// Whether every reply is raised.
    pub narrates: bool,
    redactor: Redactor,
    pending: VecDeque<Pending>,
    deadline: Instant,
    patience: Duration,
}

impl Wire {
    pub fn new(settings: Arc<Settings>, trace: Trace, now: Instant) -> Self {
        let patience = settings.timeouts.greeting;
        let (redactor, pending) = (Redactor::new(), VecDeque::new());
        Self { settings, trace, narrates: false, redactor, pending, deadline: now + patience, patience }
    }

    /// From now on the other side has this long.
    pub fn allow(&mut self, patience: Duration, now: Instant) {
        self.patience = patience;
        self.deadline = now + patience;
    }

    /// From now on it is the owner who is waited for.
    pub fn rest(&mut self, now: Instant) {
        self.allow(LONG, now);
    }

    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    pub fn patience(&self) -> Duration {
        self.patience
    }

    /// Sends a line.
    pub fn say(&mut self, line: &str, now: Instant) {
        self.trace.say(Side::Client, line, now);
        self.put(line);
    }

    /// Sends a line that is written down later.
    pub fn put(&mut self, line: &str) {
        let out = self.out();
        out.extend_from_slice(line.as_bytes());
        out.extend_from_slice(b"\r\n");
    }

    /// Sends `open` and right behind it a secret, which the transcript does not show.
    pub fn say_secret(&mut self, open: &str, secret: &Secret, now: Instant) {
        self.redactor.watch(secret);
        self.trace.say(Side::Client, &format!("{open}[hidden]"), now);
        let out = self.out();
        out.extend_from_slice(open.as_bytes());
        out.extend_from_slice(secret.expose().as_bytes());
        out.extend_from_slice(b"\r\n");
    }

    /// Looks for a secret that goes out inside another one.
    pub fn watch(&mut self, secret: &Secret) {
        self.redactor.watch(secret);
    }

    /// The octets that go out next.
    pub fn out(&mut self) -> &mut Vec<u8> {
        if !matches!(self.pending.back(), Some(Pending::Octets(_))) {
            self.pending.push_back(Pending::Octets(Vec::new()));
        }
        match self.pending.back_mut() {
            Some(Pending::Octets(octets)) => octets,
            _ => unreachable!("the line above put it there"),
        }
    }

    /// Tells the owner something.
    pub fn raise(&mut self, event: Event) {
        self.pending.push_back(Pending::Event(event));
    }

    /// Whether something is to be told to the owner.
    pub fn has_news(&self) -> bool {
        self.pending.iter().any(|pending| matches!(pending, Pending::Event(_)))
    }

    /// Octets of memory held by what waits to be handed out, leaving aside what hangs below events.
    #[cfg(test)]
    pub fn held(&self) -> usize {
        let octets = self.pending.iter().map(|pending| match pending {
            Pending::Octets(octets) => octets.capacity(),
            Pending::Event(_) => 0,
        });
        self.pending.capacity() * size_of::<Pending>() + octets.sum::<usize>()
    }

    /// The oldest output, if there is one.
    pub fn next(&mut self) -> Option<Output<Event>> {
        let next = self.pending.pop_front();
        if self.pending.is_empty() {
            self.pending = VecDeque::new();
        }
        next.map(|pending| match pending {
            Pending::Octets(octets) => Output::Send(octets),
            Pending::Event(event) => Output::Event(event),
        })
    }

    /// Gives the connection up at once.
    pub fn fail(&mut self, fault: Fault) -> Stage {
        // An upgrade that was not begun must not begin, and what was not sent must not be sent.
        self.pending.retain(|pending| !matches!(pending, Pending::Octets(_) | Pending::Event(Event::Upgrade)));
        self.raise(Event::Failed(fault));
        Stage::Over
    }

    /// Gives the connection up and says so to a server that is still listening (RFC 5321 §4.1.1.10).
    pub fn take_leave(&mut self, fault: Fault, now: Instant) -> Stage {
        let stage = self.quit(now);
        self.raise(Event::Failed(fault));
        stage
    }

    /// Ends without a word.
    pub fn abandon(&mut self) -> Stage {
        self.pending.retain(|pending| matches!(pending, Pending::Event(Event::Failed(_))));
        Stage::Over
    }

    /// Says QUIT.
    pub fn quit(&mut self, now: Instant) -> Stage {
        self.say("QUIT", now);
        self.allow(self.settings.timeouts.quit, now);
        Stage::Quitting
    }

    /// Gives the connection up because of something that cannot stand where it stands.
    pub fn garbage(&mut self, phase: Phase, octets: &[u8]) -> Stage {
        let text = self.redactor.clean(octets).chars().take(GARBAGE_LIMIT).collect();
        self.fail(Fault::Garbage { phase, text })
    }

    /// The same for a reply that was understood but makes no sense here.
    pub fn misplaced(&mut self, phase: Phase, incoming: &Incoming) -> Stage {
        let text = self.beginning(incoming);
        self.garbage(phase, text.as_bytes())
    }

    /// As much of a reply as is shown of something that makes no sense.
    pub fn beginning(&self, incoming: &Incoming) -> String {
        self.reply(incoming).to_string().chars().take(GARBAGE_LIMIT).collect()
    }

    /// What came, made fit to be kept and shown. All lines are cleaned together: a secret may be folded over two.
    pub fn reply(&self, incoming: &Incoming) -> Reply {
        let enhanced = incoming.enhanced();
        let lines = incoming.lines().map(|line| if enhanced.is_some() { without_enhanced(line) } else { line });
        let all = lines.collect::<Vec<_>>().join(&b'\n');
        let text = self.redactor.clean(&all).chars().take(TEXT_LIMIT).collect::<String>();
        Reply { code: incoming.code, enhanced, text: text.into() }
    }

    /// Text from outside that is not a reply's.
    pub fn clean(&self, octets: &[u8]) -> String {
        self.redactor.clean(octets)
    }

    /// Writes down a reply of the server, and raises it where that was asked for.
    pub fn heard(&mut self, phase: Phase, incoming: &Incoming, now: Instant) {
        if !self.trace.recording() && !self.narrates {
            return;
        }
        let reply = self.reply(incoming);
        self.write_down(&reply, now);
        if self.narrates {
            self.raise(Event::Heard { phase, reply });
        }
    }

    fn write_down(&mut self, Reply { code, enhanced, text }: &Reply, now: Instant) {
        let enhanced = enhanced.map(|enhanced| format!("{enhanced} ")).unwrap_or_default();
        let mut lines = text.split('\n').peekable();
        while let Some(line) = lines.next() {
            let separator = if lines.peek().is_some() { '-' } else { ' ' };
            self.trace.say(Side::Server, &format!("{code}{separator}{enhanced}{line}"), now);
        }
    }

    /// Writes down what the server said and what is no reply.
    pub fn heard_odd(&mut self, octets: &[u8], now: Instant) {
        if self.trace.recording() {
            let text = self.redactor.clean(octets);
            self.trace.say(Side::Server, &text, now);
        }
    }
}
