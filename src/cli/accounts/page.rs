//! One account in full, and the paragraphs that say what a person must do.
//!
//! What is not known is left out or said to be unknown, never guessed. Pure: the time is an argument.

use std::fmt::Write;

use jiff::Timestamp;

use super::super::words::{both, plain};
use super::state::State;
use super::{Seen, Source};
use crate::account::health::EndsBy;
use crate::account::status::{BudgetStatus, SignIn, Status, ThrottleStatus, TokenStatus};
use crate::app::accounts::Account;

/// Something that is wrong, or will be.
pub(super) struct Trouble {
    /// What it is and when.
    pub(super) title: String,
    sentence: String,
    cure: String,
}

/// What is wrong with an account, the most pressing first.
pub(super) fn troubles(account: &Account, now: Timestamp) -> Vec<Trouble> {
    let mut all = Vec::new();
    // A hold for the same reason says the same, and since when.
    let is_held_for = |code: &str| account.status.hold.as_ref().is_some_and(|hold| hold.code == code);
    if let SignIn::Missing { code, text, cure } = &account.status.sign_in
        && !is_held_for(code)
    {
        let title = State::of(account).word().to_owned();
        all.push(Trouble { title, sentence: plain(text), cure: plain(cure) });
    }
    if let Some(hold) = &account.status.hold {
        let title = format!("held since {}, {} {}", both(hold.since, now), next(hold.ends_by), both(hold.until, now));
        all.push(Trouble { title, sentence: plain(&hold.text), cure: plain(&hold.cure) });
    }
    if let Some(breaker) = &account.status.breaker {
        let (since, until) = (both(breaker.since, now), both(breaker.until, now));
        let title = format!("provider not reached since {since}, tried again {until}");
        all.push(Trouble { title, sentence: plain(&breaker.text), cure: plain(&breaker.cure) });
    }
    for warning in &account.warnings {
        let due = warning.due.map(|due| format!(", by {}", both(due, now))).unwrap_or_default();
        let title = format!("needs somebody{due}");
        all.push(Trouble { title, sentence: plain(&warning.sentence), cure: plain(&warning.cure) });
    }
    all
}

/// What happens when a hold's time has come.
fn next(ends_by: Option<EndsBy>) -> &'static str {
    match ends_by {
        Some(EndsBy::Probe) => "the sign-in is tried again",
        Some(EndsBy::Time) => "mail is tried again",
        Some(EndsBy::Change) => "the server is looked at again",
        None => "tried again",
    }
}

/// A title with what it means and what to do.
pub(super) fn paragraph(title: &str, trouble: &Trouble) -> String {
    format!("{title}\n  {}\n  What to do: {}\n", trouble.sentence, trouble.cure)
}

/// Where all this is known from.
pub(super) fn origin(seen: &Seen, now: Timestamp) -> String {
    match &seen.source {
        Source::Relay(relay) => {
            format!("As the running relay sees it: process {}, running since {}.\n", relay.pid, both(relay.since, now))
        }
        Source::Files { why } => format!(
            "From the configuration and the vault alone, without what only a relay knows, such as holds: {}.\n",
            plain(why)
        ),
    }
}

/// The whole page of one account.
pub(super) fn text(account: &Account, seen: &Seen, now: Timestamp) -> String {
    let Status { account: name, mailbox, credential, sign_in, token, last_reply, is_renewing, .. } = &account.status;
    let mut page = Page(format!("Account {}: {}\n\n", plain(name), State::of(account).word()));
    page.row("mailbox", mailbox.as_deref().unwrap_or("none: nobody signs in"));
    page.row("credential", credential);
    page.sign_in(sign_in, now);
    if let Some(token) = token {
        page.token(token, now);
    }
    if *is_renewing {
        page.row("renewal", "under way now");
    }
    pace(&mut page, &account.status, now);
    if let Some(reply) = last_reply {
        let code = reply.code.as_deref().map(|code| format!("{code}: ")).unwrap_or_default();
        page.row("last reply", &format!("{}: {code}{}", both(reply.at, now), reply.text));
    }
    for trouble in troubles(account, now) {
        page.0.push('\n');
        page.0.push_str(&paragraph(&capital(&trouble.title), &trouble));
    }
    format!("{}\n{}", page.0, origin(seen, now))
}

/// How much may go out, where that is limited.
fn pace(page: &mut Page, status: &Status, now: Timestamp) {
    if let Some(BudgetStatus { limit, used, left, waits_until }) = &status.budget {
        let waits = waits_until.map(|until| format!("; what waits goes on {}", both(until, now))).unwrap_or_default();
        page.row("recipients", &format!("{used} of {limit} in the last 24 hours, {left} left{waits}"));
    }
    if let Some(throttle) = &status.throttle {
        let ThrottleStatus { connections, connections_allowed, messages_per_minute, paused_until, since } = throttle;
        let since = since.map(|since| format!(", slowed down since {}", both(since, now))).unwrap_or_default();
        let rate = messages_per_minute.map(|rate| format!(", {rate} messages a minute")).unwrap_or_default();
        let paused = paused_until.map(|until| format!("nothing goes out before {}; ", both(until, now)));
        let paused = paused.unwrap_or_default();
        page.row("pace", &format!("{paused}{connections} of {connections_allowed} connections{rate}{since}"));
    }
}

struct Page(String);

impl Page {
    fn row(&mut self, name: &str, value: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "  {name:13}  {}", plain(value));
    }

    fn sign_in(&mut self, sign_in: &SignIn, now: Timestamp) {
        if matches!(sign_in, SignIn::Brought) {
            self.row("signed in", "with the refresh token of the configuration, which was not used yet");
        }
        let SignIn::Kept { since, scope, renewed, refresh_ends, is_renewable } = sign_in else { return };
        self.row("signed in", &both(*since, now));
        self.row("scopes", scope.as_deref().unwrap_or("as asked for; the provider did not say"));
        self.row("renewed", &both(*renewed, now));
        let refresh = match (is_renewable, refresh_ends) {
            (false, _) => "none: the sign-in ends with the access token".to_owned(),
            (true, Some(ends)) => format!("ends {}", both(*ends, now)),
            (true, None) => "no end is known".to_owned(),
        };
        self.row("refresh token", &refresh);
    }

    fn token(&mut self, token: &TokenStatus, now: Timestamp) {
        let issued = token.issued.map(|issued| format!("issued {}", both(issued, now)));
        let ends = token.ends.map_or_else(
            || "no end is known".to_owned(),
            |ends| format!("{} {}", if ends > now { "ends" } else { "ended" }, both(ends, now)),
        );
        self.row("access token", &issued.into_iter().chain([ends]).collect::<Vec<_>>().join(", "));
        if let Some(next) = token.next_renewal {
            let when = if next > now { format!("not before {}", both(next, now)) } else { "with the next mail".into() };
            self.row("next renewal", &when);
        }
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
