//! Known replies of Gmail, Google Workspace and its relay; they end in `gsmtp`.
//!
//! The texts are those seen in the field and on Google's page of SMTP errors.

use super::{ANY, LATER, Row, Speaker, WAIT_A_DAY};
use crate::diagnosis::SignIn;
use crate::smtp::reply::Enhanced;
use crate::words::{Cause, Phase};

pub(super) const ROWS: &[Row] = &[
    // Sign-in.
    Row {
        code: "google_app_password_wanted",
        replies: &[534],
        words: &["application-specific password"],
        cause: Cause::Account,
        sentence: "Google does not take the account's own password from programs.",
        cure: "Make an app password at https://myaccount.google.com/apppasswords and put it into `password_file` of this account, or use `oauth = { … }`.",
        ..ANY
    },
    Row {
        code: "google_sign_in_by_browser",
        replies: &[534],
        enhanced: Some(Enhanced(5, 7, 14)),
        cause: Cause::Account,
        sentence: "Google wants a person to confirm this sign-in in a web browser.",
        cure: "Sign in to the account by browser from the same network as this machine, or use `oauth = { … }`.",
        ..ANY
    },
    Row {
        code: "google_auth_line_too_long",
        words: &["auth response line too long"],
        cause: Cause::Account,
        sentence: "Google could not take the sign-in; this is seen when the login name is a service account instead of a mailbox.",
        cure: "Set `username` of this account to the mailbox that the service account acts for.",
        ..ANY
    },
    Row {
        code: "google_token_refused",
        speaker: Some(Speaker::Google),
        sign_in: Some(SignIn::Token),
        phases: &[Phase::Auth],
        replies: &[535],
        cause: Cause::Account,
        sentence: "Google refused the token: it is for another mailbox, or does not allow mail.",
        cure: "`username` of this account must be the mailbox the token was made for, and its scope `https://mail.google.com/`; a service account needs domain-wide delegation for that scope (https://admin.google.com, Security, API controls).",
        ..ANY
    },
    Row {
        code: "google_password_refused",
        speaker: Some(Speaker::Google),
        replies: &[535],
        cause: Cause::Account,
        sentence: "Google refused the user name or the app password; app passwords die when the account's own password changes.",
        cure: "`username` of this account must be the full address; make a new app password at https://myaccount.google.com/apppasswords and put it into `password_file`.",
        ..ANY
    },
    Row {
        code: "google_too_many_logins",
        speaker: Some(Speaker::Google),
        replies: &[421, 454],
        words: &["too many login attempts"],
        cause: Cause::Throttle,
        sentence: "Google has counted too many sign-ins in a short time.",
        cure: "Nothing to do: it is tried again later; another program may be using the same account.",
        ..ANY
    },
    // After the sign-in.
    Row {
        code: "google_try_again_later",
        speaker: Some(Speaker::Google),
        replies: &[421],
        enhanced: Some(Enhanced(4, 7, 0)),
        cause: Cause::Throttle,
        sentence: "Google asks to come back later.",
        cure: LATER,
        ..ANY
    },
    Row {
        code: "google_relay_limit_organisation",
        replies: &[550],
        words: &["daily smtp relay limit exceeded for customer"],
        cause: Cause::Quota,
        sentence: "The whole organisation has reached Google's daily relay limit.",
        cure: WAIT_A_DAY,
        ..ANY
    },
    Row {
        code: "google_relay_limit_user",
        replies: &[550],
        words: &["daily smtp relay limit exceeded for user"],
        cause: Cause::Quota,
        sentence: "This user has reached Google's daily relay limit.",
        cure: WAIT_A_DAY,
        ..ANY
    },
    Row {
        code: "google_relay_peak",
        replies: &[450],
        words: &["peak smtp relay limit exceeded"],
        cause: Cause::Throttle,
        sentence: "The organisation sends faster than Google's relay allows.",
        cure: LATER,
        ..ANY
    },
    Row {
        code: "google_relay_unknown_address",
        replies: &[550],
        words: &["invalid credentials for relay"],
        cause: Cause::Config,
        sentence: "Google's relay knows neither this machine's public address nor this account.",
        cure: "Add the address named in the reply at https://admin.google.com (Apps, Google Workspace, Gmail, Routing, SMTP relay service), or use smtp.gmail.com with a sign-in.",
        ..ANY
    },
    Row {
        code: "google_daily_limit",
        speaker: Some(Speaker::Google),
        replies: &[550],
        enhanced: Some(Enhanced(5, 4, 5)),
        cause: Cause::Quota,
        sentence: "This account has reached Google's daily sending limit.",
        cure: WAIT_A_DAY,
        ..ANY
    },
    Row {
        code: "google_recipient_busy",
        replies: &[450],
        enhanced: Some(Enhanced(4, 2, 1)),
        words: &["too quickly"],
        cause: Cause::Throttle,
        sentence: "The recipient's mailbox gets more mail than Google lets in at once.",
        cure: LATER,
        ..ANY
    },
    Row {
        code: "google_attachment_blocked",
        speaker: Some(Speaker::Google),
        replies: &[552],
        enhanced: Some(Enhanced(5, 7, 0)),
        cause: Cause::Message,
        sentence: "Google refuses this message because of what is attached to it.",
        cure: "Let the device send another kind of file: programs, and archives that hold them or need a password, are not taken.",
        ..ANY
    },
    Row {
        code: "google_admin_rule",
        replies: &[550],
        words: &[" gcdp"],
        cause: Cause::Message,
        sentence: "A rule that an administrator of the organisation has made refuses this message.",
        cure: "An administrator looks at https://admin.google.com (Apps, Google Workspace, Gmail, Compliance and Routing).",
        ..ANY
    },
    Row {
        code: "google_unauthenticated_sender",
        speaker: Some(Speaker::Google),
        replies: &[550],
        enhanced: Some(Enhanced(5, 7, 26)),
        cause: Cause::Message,
        sentence: "The sender's domain has neither SPF nor DKIM that covers this mail, so Google does not believe the sender.",
        cure: "Let the device send as `address` of this account, or publish SPF and DKIM for the sender's domain; see https://support.google.com/mail/answer/81126.",
        ..ANY
    },
];
