//! Faults on demand: where the provider misbehaves, how, and how often.
//!
//! A fault is planned for a [`Stage`] and taken by the first session that comes to it. Some faults replace the answer
//! (the command is then not carried out), some only change the way the usual answer goes out. Plans made first are
//! used first. Whether a plan makes sense for what a client does is the test's business: an unused one stays.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::echo::Echo;
use crate::mail::pattern::Pattern;

/// Where in the dialogue, from the provider's side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// A TLS handshake of an SMTP port, implicit or after STARTTLS. A reply planned here goes out in clear instead.
    TlsHandshake,
    /// The `220`. After a refusal every command but QUIT is answered 503 (RFC 5321 §3.1).
    Greeting,
    /// The answer to EHLO.
    Ehlo,
    /// The `220` to STARTTLS.
    StartTls,
    /// The verdict on a credential that was received.
    Auth,
    /// A `334` that asks for a credential.
    AuthChallenge,
    /// The answer to MAIL.
    Mail,
    /// The answer to any RCPT.
    Rcpt,
    /// The answer to a RCPT whose address fits.
    RcptTo(Pattern),
    /// The `354`.
    Data,
    /// In the midst of a body, once this many octets of it arrived. Another one further on may strike the same body.
    Body(u64),
    /// The answer to the end of data. A replaced answer means the message is not taken.
    Dot,
    /// The answer to QUIT.
    Quit,
}

/// How the provider misbehaves.
#[derive(Debug, Clone)]
pub enum Fault {
    /// This reply instead; `\n` separates the lines of a longer one.
    Reply { code: u16, text: String },
    /// This reply instead, then an orderly end: what a provider does after `421`.
    ReplyThenClose { code: u16, text: String },
    /// The connection is cut instead, without a farewell.
    Close,
    /// The command is carried out (a message is taken) and the connection cut instead of the answer.
    CarryOutThenClose,
    /// The usual answer, then an orderly end: nobody uses this connection again.
    AnswerThenClose,
    /// These octets instead of an answer.
    Garbage(Vec<u8>),
    /// No answer, ever; what else arrives is read and forgotten until the client hangs up.
    Silence,
    /// The usual answer, but only once the gate was opened. The command is carried out then, not before.
    Wait(Gate),
    /// The usual answer with these octets behind it in the same write; behind the `220` to STARTTLS: an injection.
    Inject(Vec<u8>),
    /// The usual answer octet by octet.
    SplitReply,
    /// A refusal that repeats the credential received last on this connection.
    EchoSecret(Echo),
    /// How a token is refused: a `334` with this challenge, in base64 and as it stands, the line by which the client
    /// takes note of it, then this reply. For [`Stage::Auth`]; elsewhere it is the reply alone.
    RefuseToken { challenge: String, code: u16, text: String },
}

impl Fault {
    /// A reply instead of the usual one.
    #[must_use]
    pub fn reply(code: u16, text: &str) -> Self {
        Self::Reply { code, text: text.into() }
    }

    /// A reply instead of the usual one, and the end of the connection.
    #[must_use]
    pub fn reply_then_close(code: u16, text: &str) -> Self {
        Self::ReplyThenClose { code, text: text.into() }
    }
}

/// What the authorization server was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// A token, by whatever grant.
    Token,
    /// A token by this grant, as `grant_type` says it.
    Grant(String),
    /// A device code (RFC 8628 §3.1).
    DeviceAuthorization,
    /// To take a token back (RFC 7009).
    Revocation,
    /// The discovery document.
    Discovery,
}

/// How the authorization server misbehaves, the token endpoint above all.
#[derive(Debug, Clone)]
pub enum TokenFault {
    /// This status and body instead.
    Http { status: u16, body: String },
    /// The same with a header field, by name and value: `Retry-After`, `Location`.
    HttpWith { status: u16, field: (String, String), body: String },
    /// Status 200 and something that is cut-off JSON.
    BadJson,
    /// The connection is cut instead of an answer.
    Close,
    /// These octets instead of HTTP, then the end.
    Garbage(Vec<u8>),
    /// No answer, ever.
    Silence,
    /// The usual answer once the gate was opened.
    Wait(Gate),
    /// What was asked for is done, a token issued, and the connection cut instead of the answer.
    CarryOutThenClose,
    /// Status 400 and an `error_description` that repeats what the client proved itself with.
    EchoSecret(Echo),
    /// The same with what it asked with: the refresh token, code, device code, assertion or password.
    EchoGrant(Echo),
}

/// How often a plan is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// The next time.
    Once,
    /// The next so many times.
    Count(u32),
    /// Until [`Faults::clear`].
    Always,
}

/// Holds an answer back until a test opens it; once open it stays open. Clones are the same gate.
#[derive(Debug, Clone)]
pub struct Gate(Arc<GateState>);

#[derive(Debug)]
struct GateState {
    open: watch::Sender<bool>,
    reached: watch::Sender<usize>,
}

impl Gate {
    /// A closed gate.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "a gate is made, never defaulted")]
    pub fn new() -> Self {
        Self(Arc::new(GateState { open: watch::Sender::new(false), reached: watch::Sender::new(0) }))
    }

    /// Lets everyone through.
    pub fn open(&self) {
        self.0.open.send_replace(true);
    }

    /// Returns once so many arrived at the gate since it was made.
    pub async fn reached(&self, arrivals: usize) {
        // An error means the sender is gone, but we hold it ourselves.
        let _ = self.0.reached.subscribe().wait_for(|n| *n >= arrivals).await;
    }

    pub(super) async fn pass(&self) {
        self.0.reached.send_modify(|n| *n += 1);
        let _ = self.0.open.subscribe().wait_for(|open| *open).await;
    }
}

/// What is planned. Shared by all connections.
#[derive(Debug, Default)]
pub struct Faults {
    smtp: Mutex<VecDeque<Plan<Stage, Fault>>>,
    oauth: Mutex<VecDeque<Plan<Asked, TokenFault>>>,
}

#[derive(Debug)]
struct Plan<S, F> {
    stage: S,
    fault: F,
    times: Times,
}

impl Faults {
    /// Plans a fault of the SMTP side.
    pub fn plan(&self, stage: Stage, fault: Fault, times: Times) {
        lock(&self.smtp).push_back(Plan { stage, fault, times });
    }

    /// Plans a fault of the token endpoint, whatever the grant.
    pub fn plan_token(&self, fault: TokenFault, times: Times) {
        self.plan_oauth(Asked::Token, fault, times);
    }

    /// Plans a fault of the token endpoint for one grant, named as `grant_type` does.
    pub fn plan_grant(&self, grant: &str, fault: TokenFault, times: Times) {
        self.plan_oauth(Asked::Grant(grant.into()), fault, times);
    }

    /// Plans a fault of the authorization server.
    pub fn plan_oauth(&self, asked: Asked, fault: TokenFault, times: Times) {
        lock(&self.oauth).push_back(Plan { stage: asked, fault, times });
    }

    /// Forgets every plan; sessions in the midst of a fault stay in it.
    pub fn clear(&self) {
        lock(&self.smtp).clear();
        lock(&self.oauth).clear();
    }

    pub(super) fn take(&self, stage: &Stage) -> Option<Fault> {
        take(&mut lock(&self.smtp), |planned| planned == stage)
    }

    pub(super) fn take_rcpt(&self, address: &str) -> Option<Fault> {
        take(&mut lock(&self.smtp), |planned| match planned {
            Stage::Rcpt => true,
            Stage::RcptTo(pattern) => pattern.matches(address),
            _ => false,
        })
    }

    /// `from`: what is planned before this octet strikes this body no more.
    pub(super) fn take_body(&self, from: u64, received: u64) -> Option<Fault> {
        let reached = from..=received;
        take(&mut lock(&self.smtp), |planned| matches!(planned, Stage::Body(after) if reached.contains(after)))
    }

    pub(super) fn take_oauth(&self, asked: &Asked) -> Option<TokenFault> {
        let is_token = matches!(asked, Asked::Grant(_));
        take(&mut lock(&self.oauth), |planned| planned == asked || is_token && *planned == Asked::Token)
    }
}

fn take<S, F: Clone>(plans: &mut VecDeque<Plan<S, F>>, fits: impl Fn(&S) -> bool) -> Option<F> {
    let at = plans.iter().position(|p| fits(&p.stage) && p.times != Times::Count(0))?;
    let plan = &mut plans[at];
    let fault = plan.fault.clone();
    match plan.times {
        Times::Always => {}
        Times::Count(n) if n > 1 => plan.times = Times::Count(n - 1),
        Times::Once | Times::Count(_) => drop(plans.remove(at)),
    }
    Some(fault)
}

/// A panic while the lock was held left nothing half done: every change is a single call.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_are_used_in_order_and_as_often_as_told() {
        let faults = Faults::default();
        faults.plan(Stage::Mail, Fault::reply(451, "first"), Times::Count(2));
        faults.plan(Stage::Mail, Fault::Silence, Times::Once);
        faults.plan(Stage::Quit, Fault::Close, Times::Always);
        let mut seen = Vec::new();
        while let Some(fault) = faults.take(&Stage::Mail) {
            seen.push(matches!(fault, Fault::Silence));
        }
        assert_eq!(seen, [false, false, true]);
        assert!(faults.take(&Stage::Quit).is_some() && faults.take(&Stage::Quit).is_some());
        faults.clear();
        assert!(faults.take(&Stage::Quit).is_none());
    }

    #[test]
    fn a_recipient_is_picked_by_pattern() {
        let faults = Faults::default();
        faults.plan(Stage::RcptTo("*@x.example".into()), Fault::Silence, Times::Always);
        assert!(faults.take_rcpt("bob@y.example").is_none());
        assert!(faults.take_rcpt("bob@X.example").is_some());
    }

    #[test]
    fn a_body_fault_waits_for_its_octet_and_strikes_a_body_once() {
        let faults = Faults::default();
        faults.plan(Stage::Body(10), Fault::Close, Times::Once);
        assert!(faults.take_body(0, 9).is_none());
        assert!(faults.take_body(0, 11).is_some());
        faults.plan(Stage::Body(1), Fault::SplitReply, Times::Always);
        faults.plan(Stage::Body(20), Fault::Close, Times::Once);
        assert!(matches!(faults.take_body(0, 11), Some(Fault::SplitReply)));
        assert!(faults.take_body(12, 19).is_none());
        assert!(matches!(faults.take_body(12, 20), Some(Fault::Close)));
    }
}
