//! All accounts: a line for each, and under them what a person must do.
//!
//! Says everything in words, nothing by colour.

use jiff::Timestamp;

use super::super::table;
use super::super::words::{away, plain};
use super::state::State;
use super::{Seen, page};
use crate::account::status::{SignIn, Status};
use crate::app::accounts::Account;

const HEADING: [&str; 6] = ["ACCOUNT", "STATE", "MAILBOX", "CREDENTIAL", "TOKEN ENDS", "NEXT RENEWAL"];

/// `width`: columns of the terminal, if it is one.
pub(super) fn text(seen: &Seen, width: Option<u16>, now: Timestamp) -> String {
    let mut text = table::text(HEADING, seen.accounts.iter().map(|account| row(account, now)), width);
    for account in &seen.accounts {
        for trouble in page::troubles(account, now) {
            text.push('\n');
            text.push_str(&page::paragraph(&format!("{}: {}", account.status.account, trouble.title), &trouble));
        }
    }
    format!("{text}\n{}", page::origin(seen, now))
}

fn row(account: &Account, now: Timestamp) -> [String; 6] {
    let Status { account: name, mailbox, credential, sign_in, token, hold, .. } = &account.status;
    let state = match (State::of(account), hold) {
        (State::Held, Some(hold)) => format!("held, tried again {}", away(hold.until, now)),
        (state, _) => state.word().to_owned(),
    };
    let nothing = || "-".to_owned();
    let token_ends = token.as_ref().and_then(|token| token.ends).map_or_else(nothing, |ends| away(ends, now));
    let next = match sign_in {
        SignIn::Missing { .. } => None,
        _ => token.as_ref().and_then(|token| token.next_renewal),
    };
    // A time that has passed waits for the first mail.
    let next =
        next.map_or_else(nothing, |next| if next > now { away(next, now) } else { "with the next mail".to_owned() });
    let mailbox = mailbox.as_deref().map_or_else(nothing, plain);
    [plain(name), state, mailbox, plain(credential), token_ends, next]
}
