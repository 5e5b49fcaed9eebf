//! The queue for programs: names that never change, whatever the queue calls things inside.
//!
//! Holds everything the pages for people show. Times are RFC 3339 in UTC; what is not known is `null`.

use serde_json::{Value, json};

use super::words::barred;
use crate::app::queue::{Holds, Page, Row, Shown};
use crate::cli::source::Source;
use crate::queue::Kind;
use crate::queue::acts::Acted;
use crate::queue::parcel::{HeldBy, Owed, Parcel, ParcelId, Said, Standing, State, Try, Why};

/// Who told it, and what.
fn told(source: &Source, fields: Value) -> Value {
    let (relay, why) = match source {
        Source::Relay(relay) => (json!(relay), Value::Null),
        Source::Files { why } => (Value::Null, json!(why)),
    };
    let mut value = json!({ "relay": relay, "why_without_relay": why });
    if let (Value::Object(value), Value::Object(fields)) = (&mut value, fields) {
        value.extend(fields);
    }
    value
}

pub(super) fn page(page: &Page, source: &Source) -> Value {
    let parts: Vec<Value> = page.rows.iter().map(|line| row(line, &page.holds)).collect();
    told(source, json!({ "shown": parts.len(), "matching": page.matching, "parts": parts }))
}

fn row(row: &Row, holds: &Holds) -> Value {
    let Row { id, device, from, to, recipients, open, size, arrived, route, standing, attempts, last, .. } = row;
    let (kind, of) = kind(row.kind);
    json!({
        "id": id.message, "part": id.number, "kind": kind, "of": of, "device": device, "from": from, "to": to,
        "recipients": recipients, "open": open, "size": size, "arrived": arrived, "route": route.accounts(),
        "state": state(standing), "next_attempt": next_attempt(standing), "held": held(standing),
        "account_hold": barred(route, holds), "attempts": attempts, "last": last.as_ref().map(said),
    })
}

pub(super) fn shown(message: &Shown, source: &Source) -> Value {
    let Shown { id, session, device, sender, size, arrived, header, parcels, holds, .. } = message;
    let (kind, of) = kind(message.kind);
    let fields = json!({
        "id": id, "session": session, "kind": kind, "of": of, "device": device, "from": sender.reverse_path,
        "ret": sender.ret, "envid": sender.envid, "smtputf8": sender.smtputf8, "size": size, "arrived": arrived,
        "header": header, "parts": parcels.iter().map(|parcel| part(parcel, holds)).collect::<Vec<_>>(),
    });
    told(source, fields)
}

fn part(parcel: &Parcel, holds: &Holds) -> Value {
    let Parcel { id, route, recipients, standing, attempts, tries, .. } = parcel;
    json!({
        "part": id.number, "route": route.accounts(), "state": state(standing),
        "next_attempt": next_attempt(standing), "held": held(standing), "account_hold": barred(route, holds),
        "attempts": attempts, "recipients": recipients.iter().map(recipient).collect::<Vec<_>>(),
        "tries": tries.iter().map(attempt).collect::<Vec<_>>(),
    })
}

fn recipient(owed: &Owed) -> Value {
    let Owed { recipient, state } = owed;
    let (state, at, reply, said) = match state {
        State::Open { last } => ("open", None, last.as_ref().and_then(|said| said.reply.as_ref()), last.as_ref()),
        State::Delivered { at, reply, .. } => ("delivered", Some(at), Some(reply), None),
        State::Never { at, said } => ("never", Some(at), said.reply.as_ref(), Some(said)),
    };
    json!({
        "address": recipient.address, "state": state, "at": at, "reply": reply,
        "why": said.map(|said| why(&said.why)), "notify": recipient.notify, "orcpt": recipient.orcpt,
    })
}

fn attempt(attempt: &Try) -> Value {
    let Try { id, account, at, ended, why: because, .. } = attempt;
    json!({ "id": id, "account": account, "at": at, "ended": ended, "why": because.as_ref().map(why) })
}

pub(super) fn acted(acted: &Acted, source: &Source) -> Value {
    let ids = |ids: &[ParcelId]| {
        let mut ids: Vec<_> = ids.iter().map(|id| id.message).collect();
        ids.dedup();
        ids
    };
    told(
        source,
        json!({
            "changed": ids(&acted.changed),
            "under_way": ids(&acted.under_way),
            "without_account": ids(&acted.without_account),
        }),
    )
}

fn kind(kind: Kind) -> (&'static str, Value) {
    let of = match kind {
        Kind::Mail => Value::Null,
        Kind::Notice { of } | Kind::Copy { of } => json!(of),
    };
    (kind.word(), of)
}

fn state(standing: &Standing) -> &'static str {
    match standing {
        Standing::Due { .. } => "due",
        Standing::Sending { .. } => "sending",
        Standing::Held { .. } => "held",
        Standing::Failed { .. } => "failed",
    }
}

fn next_attempt(standing: &Standing) -> Value {
    match standing {
        Standing::Due { at } => json!(at),
        _ => Value::Null,
    }
}

fn held(standing: &Standing) -> Value {
    let Standing::Held { since, until, by, why: because } = standing else { return Value::Null };
    let by = match by {
        HeldBy::Person => "person",
        HeldBy::Uncertain => "uncertain",
        HeldBy::NoAccount => "no_account",
        HeldBy::Message => "message",
        HeldBy::Damaged => "damaged",
    };
    json!({ "since": since, "until": until, "by": by, "why": why(because) })
}

fn said(said: &Said) -> Value {
    json!({ "reply": said.reply, "why": why(&said.why) })
}

fn why(why: &Why) -> Value {
    json!({ "code": why.code, "cause": why.cause, "sentence": why.sentence, "cure": why.cure })
}
