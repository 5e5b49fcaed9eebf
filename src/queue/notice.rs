//! Whether somebody is to be told that a mail failed, who that is, and through which account it goes. Pure; the only
//! thing it reads is the beginning of the mail.
//!
//! Guarantees that a notice never causes one, that none goes through an account whose provider refuses `MAIL FROM:<>`,
//! and none to a sender that is a fiction: strangers are not written to. Whoever asked not to be told is not told. Where
//! somebody should be and nobody can, there is an alert for the log.

mod carrier;

use std::sync::Arc;

use jiff::Zoned;

use super::body::Body;
use super::parcel::{Owed, Parcel, ParcelId, Standing, State};
use super::{AccountFacts, Kind, Message, Notices, NoticesTo, Route};
use crate::ids::{AccountName, MessageId};
use crate::mail::address::Address;
use crate::mail::envelope::{Notify, Recipient, Return, ReversePath, Sender};
use crate::mail::header;
use crate::mail::notice::{self, Action, Fate, HEADER_LIMIT, Original, Reader, WHOLE_LIMIT};

/// What the decision needs to know.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// `[notices]`
    pub notices: &'a Notices,
    /// All accounts, in the order of the configuration.
    pub accounts: &'a [AccountFacts],
    /// This machine's name.
    pub hostname: &'a str,
    /// The notice's own id, if there will be one.
    pub id: MessageId,
    /// The time.
    pub now: &'a Zoned,
    /// The mail lies in the queue after this, failed or still owed to others, so the notice says how to look at it.
    pub kept: bool,
}

impl<'a> Terms<'a> {
    fn account(&self, name: &AccountName) -> Option<&'a AccountFacts> {
        self.accounts.iter().find(|account| account.name == *name)
    }
}

/// A recipient that has just ended, and how it got there.
#[derive(Debug, Clone, Copy)]
pub struct Ended<'a> {
    owed: &'a Owed,
    route: &'a Route,
    by: Option<&'a AccountName>,
}

impl<'a> Ended<'a> {
    /// This recipient of this parcel, in which the attempt that ended it is noted already.
    #[must_use]
    pub fn new(parcel: &'a Parcel, owed: &'a Owed) -> Self {
        Self { owed, route: &parcel.route, by: parcel.tries.last().map(|tried| &tried.account) }
    }
}

/// What is to be done.
#[derive(Debug, Default)]
pub struct Told {
    /// A message to be stored in the commit that ends those recipients.
    pub notice: Option<(Arc<Message>, Vec<Parcel>)>,
    /// Somebody should be told and nobody can: for the log, as an error.
    pub alert: Option<String>,
}

impl Told {
    fn alert(text: String) -> Self {
        Self { notice: None, alert: Some(text) }
    }
}

/// Who is told of these recipients of the message; one notice at most.
#[must_use]
pub fn of(message: &Message, ended: &[Ended<'_>], terms: &Terms<'_>) -> Told {
    // NOTIFY=NEVER of a notice or a copy keeps providers silent; the administrator hears of it all the same.
    let is_own = message.kind != Kind::Mail;
    let is_failure = |owed: &Owed| is_failure_to_tell(owed) || is_own && matches!(owed.state, State::Never { .. });
    let failed: Vec<Ended<'_>> = ended.iter().filter(|ended| is_failure(ended.owed)).copied().collect();
    if let Kind::Notice { of } = message.kind {
        return if failed.is_empty() { Told::default() } else { Told::alert(undelivered(of, &failed)) };
    }
    let addressee = match addressee(message, ended, terms) {
        Ok(addressee) => addressee,
        Err(_) if failed.is_empty() => return Told::default(),
        Err(Untold::Wanted) => return Told::default(),
        Err(Untold::NoReader(why)) => return Told::alert(unheard(message, &failed, why)),
    };
    // Reports of success are for whoever asked for them, and for nobody in their place.
    let is_told = |owed: &Owed| is_failure(owed) || (addressee.is_sender && is_relay_to_tell(owed));
    let told: Vec<Ended<'_>> = ended.iter().filter(|ended| is_told(ended.owed)).copied().collect();
    if told.is_empty() {
        return Told::default();
    }
    match carrier::route(&told, terms) {
        Some(route) => Told { notice: Some(write(message, &told, addressee, route, terms)), alert: None },
        None if failed.is_empty() => Told::default(),
        None => Told::alert(unheard(message, &failed, NO_CARRIER)),
    }
}

/// RFC 3461 §4.1: without NOTIFY a failure is told.
fn is_failure_to_tell(owed: &Owed) -> bool {
    let wanted = match owed.recipient.notify {
        None => true,
        Some(Notify::Never) => false,
        Some(Notify::On { failure, .. }) => failure,
    };
    wanted && matches!(owed.state, State::Never { .. })
}

/// RFC 3461 §5.2.2: who asked to hear of success, and will not hear it from the next server.
fn is_relay_to_tell(owed: &Owed) -> bool {
    matches!(owed.recipient.notify, Some(Notify::On { success: true, .. }))
        && matches!(owed.state, State::Delivered { dsn: false, .. })
}

/// Who hears it.
#[derive(Debug, Clone, Copy)]
struct Addressee<'a> {
    address: &'a Address,
    is_sender: bool,
}

/// Why nobody hears it.
enum Untold {
    /// The administrator wants it so.
    Wanted,
    /// There is nobody, for this reason.
    NoReader(&'static str),
}

const NO_ADMIN: &str = "no administrator is named; write [notices] admin = \"you@example.com\"";
const NO_SENDER: &str = "it has no sender, and no administrator is named; write [notices] admin = \"you@example.com\"";
const FICTION: &str = "its sender is no address of the account's, and no administrator is named; write [notices] admin = \"you@example.com\", or the sender into may_send_as of the account";
const NO_CARRIER: &str =
    "every account's provider refuses reports without a sender; add an account of a provider that takes them";

fn addressee<'a>(message: &'a Message, ended: &[Ended<'_>], terms: &Terms<'a>) -> Result<Addressee<'a>, Untold> {
    let admin = terms.notices.admin.as_ref();
    let to_admin = |why| admin.map(|address| Addressee { address, is_sender: false }).ok_or(Untold::NoReader(why));
    match terms.notices.to {
        NoticesTo::Nobody => return Err(Untold::Wanted),
        NoticesTo::Admin => return to_admin(NO_ADMIN),
        NoticesTo::Sender => {}
    }
    match &message.sender.reverse_path {
        // The fate of a copy for the archive is no concern of the device.
        _ if message.kind != Kind::Mail => to_admin(NO_ADMIN),
        // RFC 3461 §6: nothing is sent to the null reverse-path. The administrator is not that path, and a report to
        // the administrator causes nothing more, so no loop can begin.
        ReversePath::Null => to_admin(NO_SENDER),
        ReversePath::Mailbox(sender) => {
            let accounts = ended.iter().flat_map(|ended| ended.route.accounts());
            if accounts.filter_map(|name| terms.account(name)).any(|account| is_real(sender, account)) {
                Ok(Addressee { address: sender, is_sender: true })
            } else {
                to_admin(FICTION)
            }
        }
    }
}

/// Whether somebody is behind a sender: its domain is the account's own, or the account may send as it. A domain without
/// a dot exists in no network but the device's.
#[must_use]
pub fn is_real(sender: &Address, account: &AccountFacts) -> bool {
    let Some(domain) = sender.domain().filter(|domain| domain.contains('.') && !domain.starts_with('[')) else {
        return false;
    };
    let own = account.address.as_ref().and_then(Address::domain);
    own.is_some_and(|own| own.eq_ignore_ascii_case(domain))
        || account.may_send_as.iter().any(|pattern| pattern.matches(sender.as_str()))
}

fn write(
    message: &Message,
    told: &[Ended<'_>],
    to: Addressee<'_>,
    route: Route,
    terms: &Terms<'_>,
) -> (Arc<Message>, Vec<Parcel>) {
    let (from, name) = carrier::sender(&route, terms);
    let whole = to.is_sender && message.sender.ret == Some(Return::Full) && told.iter().any(has_failed);
    let beginning = beginning(&message.body, whole);
    let is_all = message.body.size() == beginning.len() as u64;
    let original = if whole && is_all { Original::Whole(&beginning) } else { Original::Start(&beginning) };
    let fates: Vec<Fate<'_>> = told.iter().filter_map(|ended| fate(ended, terms)).collect();
    let composed = notice::Notice {
        id: terms.id,
        from: &from,
        name: &name,
        to: to.address,
        reader: if to.is_sender { Reader::Sender } else { Reader::Admin { device: message.device.as_str() } },
        hostname: terms.hostname,
        now: terms.now,
        mail: notice::Mail {
            id: message.id,
            reverse_path: &message.sender.reverse_path,
            envid: message.sender.envid.as_deref(),
            arrived: message.arrived,
            original,
            kept: terms.kept && told.iter().any(has_failed),
        },
        fates: &fates,
    }
    .compose();
    let utf8 = composed.is_internationalized;
    let now = terms.now.timestamp();
    let notice = Message {
        id: terms.id,
        session: message.session,
        device: message.device.clone(),
        kind: Kind::Notice { of: message.id },
        sender: Sender { reverse_path: ReversePath::Null, declared_size: None, smtputf8: utf8, ret: None, envid: None },
        body: Body::from_memory(composed.octets),
        eight_bit: utf8,
        eight_bit_header: utf8,
        arrived: now,
    };
    // RFC 3461 §6.1: a report asks for no report.
    let recipient = Recipient { address: to.address.clone(), notify: Some(Notify::Never), orcpt: None };
    let parcel = Parcel {
        id: ParcelId { message: terms.id, number: 0 },
        route,
        recipients: vec![Owed { recipient, state: State::NEW }],
        standing: Standing::Due { at: now },
        attempts: 0,
        tries: Vec::new(),
        held_s: 0,
        lacking: None,
    };
    (Arc::new(notice), vec![parcel])
}

fn has_failed(ended: &Ended<'_>) -> bool {
    matches!(ended.owed.state, State::Never { .. })
}

fn fate<'a>(ended: &Ended<'a>, terms: &Terms<'a>) -> Option<Fate<'a>> {
    let (action, at, reply) = match &ended.owed.state {
        State::Never { at, said } => {
            let action = Action::Failed { sentence: &said.why.sentence, cure: &said.why.cure };
            (action, *at, said.reply.as_deref())
        }
        State::Delivered { at, reply, .. } => (Action::Relayed, *at, Some(reply.as_str())),
        State::Open { .. } => return None,
    };
    let server = ended.by.and_then(|name| terms.account(name)).map(|account| account.host.as_str());
    Some(Fate { recipient: &ended.owed.recipient, action, at, server, reply })
}

/// As much of the mail as a notice may need. One that cannot be read is reported without it.
fn beginning(body: &Body, whole: bool) -> Vec<u8> {
    let mut octets = Vec::new();
    let limit = if whole && body.size() <= WHOLE_LIMIT as u64 { WHOLE_LIMIT } else { HEADER_LIMIT };
    body.read_at(0, limit, &mut octets).map(|()| octets).unwrap_or_default()
}

/// A notice that nobody gets.
fn undelivered(of: MessageId, failed: &[Ended<'_>]) -> String {
    format!("the notice that {of} was not delivered could not be delivered itself, {}", reasons(failed))
}

fn unheard(message: &Message, failed: &[Ended<'_>], why: &str) -> String {
    let from = &message.sender.reverse_path;
    format!("a mail from {from} was not delivered, {}; nobody was told: {why}", reasons(failed))
}

/// `to a@b and 3 more: sentence`
fn reasons(failed: &[Ended<'_>]) -> String {
    let Some(first) = failed.first() else { return String::new() };
    let State::Never { said, .. } = &first.owed.state else { return String::new() };
    let more = match failed.len() - 1 {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let sentence = header::glance::one_line(&said.why.sentence, 500);
    format!("to {}{more}: {sentence}", first.owed.recipient.address)
}

#[cfg(test)]
mod tests;
