//! What is shown of accounts, held against files that are read by people.
//!
//! Each file in `tests/accounts/` begins with what it is expected to show, written before it was made;
//! `UPDATE_EXPECTED=1 cargo test --lib cli::accounts` writes the rest anew, then to be read by you.

use serde_json::Value;

use super::*;
use crate::account::health::EndsBy;
use crate::account::status::{BreakerStatus, BudgetStatus, HoldStatus, SignIn, Status, ThrottleStatus, TokenStatus};
use crate::account::vault::Reply;
use crate::account::warning::Warning;
use crate::cli::golden::{at, files, now, relay, tells};
use crate::words::Cause;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

fn password() -> Account {
    let status = Status {
        account: "fax".into(),
        mailbox: Some("fax@example.com".into()),
        credential: "password".into(),
        sign_in: SignIn::NotNeeded,
        token: None,
        last_reply: None,
        is_renewing: false,
        hold: None,
        budget: None,
        breaker: None,
        throttle: None,
    };
    Account { status, warnings: Vec::new() }
}

fn signed_in() -> Account {
    let status = Status {
        account: "office".into(),
        mailbox: Some("scanner@example.com".into()),
        credential: "authorization_code".into(),
        sign_in: SignIn::Kept {
            since: at(-30 * DAY),
            scope: Some("https://outlook.office.com/SMTP.Send offline_access".into()),
            renewed: at(-12 * MINUTE),
            refresh_ends: None,
            is_renewable: true,
        },
        token: Some(TokenStatus {
            issued: Some(at(-12 * MINUTE)),
            ends: Some(at(48 * MINUTE)),
            next_renewal: Some(at(38 * MINUTE)),
        }),
        last_reply: Some(Reply { at: at(-12 * MINUTE), code: None, text: "a new token".into() }),
        is_renewing: false,
        hold: None,
        budget: None,
        breaker: None,
        throttle: None,
    };
    Account { status, warnings: Vec::new() }
}

fn held() -> Account {
    let mut account = signed_in();
    account.status.last_reply = Some(Reply {
        at: at(-2 * MINUTE),
        code: Some("invalid_grant".into()),
        text: "The provider no longer takes the sign-in.\r\n\u{1b}[2Jclear".into(),
    });
    account.status.token = None;
    account.status.hold = Some(HoldStatus {
        since: at(-2 * MINUTE),
        until: at(3 * MINUTE),
        ends_by: Some(EndsBy::Probe),
        code: "invalid_grant".into(),
        cause: Cause::Account,
        text: "The provider no longer takes the sign-in.".into(),
        cure: "Run `posthouse login office`.".into(),
    });
    account
}

fn nobody() -> Account {
    let mut account = signed_in();
    account.status.account = "backup".into();
    (account.status.token, account.status.last_reply) = (None, None);
    account.status.sign_in = SignIn::Missing {
        code: "not_signed_in".into(),
        text: "Nobody has signed account backup in yet.".into(),
        cure: "Run `posthouse login backup`; a running relay takes the sign-in up at once.".into(),
    };
    account
}

/// A relay was asked for mail meanwhile.
fn nobody_held() -> Account {
    let mut account = nobody();
    let (since, until) = (at(-MINUTE), at(4 * MINUTE));
    account.status.hold = Some(HoldStatus {
        since,
        until,
        ends_by: Some(EndsBy::Probe),
        code: "not_signed_in".into(),
        cause: Cause::Account,
        text: "Nobody has signed account backup in yet.".into(),
        cure: "Run `posthouse login backup`; a running relay takes the sign-in up at once.".into(),
    });
    account
}

fn in_testing() -> Account {
    let mut account = signed_in();
    account.status.account = "gmail".into();
    account.warnings = vec![Warning {
        code: "google_testing".into(),
        sentence: "The sign-in of account gmail ends on 2026-11-25, in 3 days: the application's consent screen is in \
                   Testing."
            .into(),
        cure: "Publish the application, and only then `posthouse login gmail`.".into(),
        due: Some(at(3 * DAY)),
    }];
    account
}

/// Slowed down, its recipients of the day used up, and its provider away: all at once.
fn slow() -> Account {
    let mut account = signed_in();
    account.status.budget = Some(BudgetStatus { limit: 2_000, used: 1_990, left: 10, waits_until: Some(at(3 * HOUR)) });
    account.status.breaker = Some(BreakerStatus {
        since: at(-10 * MINUTE),
        until: at(2 * MINUTE),
        code: "connection_refused".into(),
        text: "Nobody answers at smtp.example.com port 465.".into(),
        cure: "Check `host` and `port` of this account.".into(),
    });
    account.status.throttle = Some(ThrottleStatus {
        since: Some(at(-5 * MINUTE)),
        connections: 1,
        connections_allowed: 3,
        messages_per_minute: Some(15),
        paused_until: Some(at(MINUTE)),
    });
    account
}

#[test]
fn all_accounts_have_their_line_and_those_in_trouble_their_paragraph() {
    let seen = Seen { source: relay(), accounts: vec![signed_in(), held(), nobody(), in_testing(), password()] };
    tells("accounts/all", &table::text(&seen, None, now()));
    tells("accounts/all_narrow", &table::text(&seen, Some(60), now()));
    let widest = table::text(&seen, Some(60), now()).lines().take(12).map(|line| line.chars().count()).max();
    assert!(widest <= Some(60), "{widest:?}");
}

#[test]
fn one_account_is_shown_in_full() {
    let page = |account, source| page::text(&account, &Seen { source, accounts: Vec::new() }, now());
    tells("accounts/signed_in", &page(signed_in(), relay()));
    tells("accounts/held", &page(held(), relay()));
    tells("accounts/slow", &page(slow(), relay()));
    tells("accounts/not_signed_in", &page(nobody(), files()));
    tells("accounts/not_signed_in_held", &page(nobody_held(), relay()));
    tells("accounts/in_testing", &page(in_testing(), relay()));
    tells("accounts/password", &page(password(), files()));
    let mut short = signed_in();
    short.status.is_renewing = true;
    short.status.sign_in =
        SignIn::Kept { since: at(-HOUR), scope: None, renewed: at(-HOUR), refresh_ends: None, is_renewable: false };
    short.status.token = Some(TokenStatus { issued: None, ends: Some(at(-MINUTE)), next_renewal: Some(at(-MINUTE)) });
    tells("accounts/ended", &page(short, relay()));
}

#[test]
fn programs_read_the_same_under_names_that_stay() {
    let seen = Seen { source: relay(), accounts: vec![held(), nobody(), in_testing(), slow()] };
    tells("accounts/all_json", &format!("{:#}\n", json::value(&seen)));
    let alone = json::value(&Seen { source: files(), accounts: vec![password()] });
    assert_eq!((&alone["relay"], &alone["accounts"][0]["state"]), (&Value::Null, &Value::from("not_needed")));
    assert_eq!(alone["why_without_relay"], "no relay is running on /var/lib/posthouse");
}

#[test]
fn a_person_is_needed_wherever_mail_stands_still_or_soon_will() {
    let needed = [signed_in(), password(), held(), nobody(), in_testing()].map(|account| state::needs_person(&account));
    assert_eq!(needed, [false, false, true, true, true]);
    let mut damaged = nobody();
    damaged.status.sign_in =
        SignIn::Missing { code: "vault_unusable".into(), text: String::new(), cure: String::new() };
    assert_eq!(state::State::of(&damaged).code(), "unusable");
    let mut used_up = held();
    used_up.status.hold = used_up.status.hold.map(|hold| HoldStatus { cause: Cause::Quota, ..hold });
    assert_eq!((state::State::of(&used_up).code(), state::needs_person(&used_up)), ("held", false));
    used_up.warnings = in_testing().warnings;
    assert!(state::needs_person(&used_up));
}

#[test]
fn a_name_that_is_not_there_is_told_with_those_that_are() {
    let seen = Seen { source: relay(), accounts: vec![signed_in(), password()] };
    let (code, why) = only(seen, "ofice\u{1b}").err().unwrap();
    assert_eq!(code, EX_USAGE);
    assert_eq!(why, "there is no account `ofice\\u{1b}`; the running relay has office, fax");
}
