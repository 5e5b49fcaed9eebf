//! Known replies that any server may give. They stand behind those of the providers.
//!
//! Mostly enhanced codes of RFC 4954 §6 and words that several servers share.

use super::{ANY, LATER, Row, SEND_AS_ADDRESS, WAIT_A_DAY};
use crate::smtp::reply::Enhanced;
use crate::words::{Cause, Phase};

/// Some servers look at our certificate when TLS is done, and say what they think of it in SMTP.
const SHOW_A_CERTIFICATE: &str = "Set `client_certificate` and `client_key` of this account to the files the server's owner issued for this relay; where they are set, their issuer must be known to the server.";

const CONFIGURED_MECHANISM: &str =
    "Set `mechanism = \"auto\"` for this account, so that one of the offered mechanisms is used.";

pub(super) const ROWS: &[Row] = &[
    Row {
        code: "client_certificate_wanted",
        words: &["no client certificate presented"],
        cause: Cause::Config,
        sentence: "The server requires a client certificate and saw none.",
        cure: SHOW_A_CERTIFICATE,
        ..ANY
    },
    Row {
        code: "client_certificate_not_trusted",
        words: &["client certificate not trusted"],
        cause: Cause::Config,
        sentence: "The server does not accept our client certificate.",
        cure: SHOW_A_CERTIFICATE,
        ..ANY
    },
    Row {
        code: "client_certificate_not_valid",
        words: &["client didn't present valid ssl certificate"],
        cause: Cause::Config,
        sentence: "The server requires a client certificate that it accepts.",
        cure: SHOW_A_CERTIFICATE,
        ..ANY
    },
    Row {
        code: "starttls_wanted",
        replies: &[530],
        words: &["starttls"],
        cause: Cause::Config,
        sentence: "The server wants an encrypted connection first.",
        cure: "Set `encryption = \"starttls\"` for this account.",
        ..ANY
    },
    Row {
        code: "encryption_wanted",
        replies: &[523, 538],
        phases: &[Phase::Auth],
        cause: Cause::Config,
        sentence: "The server takes this kind of sign-in only over an encrypted connection.",
        cure: "Set `encryption = \"implicit\"` with port 465, or `encryption = \"starttls\"` with port 587, for this account.",
        ..ANY
    },
    Row {
        code: "sign_in_wanted",
        replies: &[530],
        words: &["authentication required"],
        cause: Cause::Config,
        sentence: "The server wants a sign-in and this account has none.",
        cure: "Give this account a password or `oauth = { … }`, and do not set `mechanism = \"none\"`.",
        ..ANY
    },
    Row {
        code: "mechanism_unknown",
        replies: &[504],
        phases: &[Phase::Auth],
        cause: Cause::Config,
        sentence: "The server does not know the mechanism that was tried.",
        cure: CONFIGURED_MECHANISM,
        ..ANY
    },
    Row {
        code: "mechanism_too_weak",
        replies: &[534],
        phases: &[Phase::Auth],
        cause: Cause::Config,
        sentence: "The server finds the mechanism that was tried too weak for this user.",
        cure: CONFIGURED_MECHANISM,
        ..ANY
    },
    Row {
        code: "sign_in_not_offered",
        replies: &[502, 503],
        phases: &[Phase::Auth],
        cause: Cause::Config,
        sentence: "The server takes no sign-in here.",
        cure: "Use the port for submission: `port = 465` with `encryption = \"implicit\"`, or `port = 587` with `encryption = \"starttls\"`; a server inside the house that takes mail without a sign-in wants `mechanism = \"none\"`.",
        ..ANY
    },
    Row {
        code: "password_transition",
        replies: &[432],
        enhanced: Some(Enhanced(4, 7, 12)),
        cause: Cause::Account,
        sentence: "The server must first learn the password anew, in a sign-in by another way.",
        cure: "Sign in to the account once by browser, or set `mechanism = \"plain\"` for this account.",
        ..ANY
    },
    Row {
        code: "sign_in_refused_softly",
        phases: &[Phase::Auth],
        replies: &[435],
        enhanced: Some(Enhanced(4, 7, 8)),
        cause: Cause::Account,
        sentence: "The server refused the sign-in; it calls this temporary, but it will not pass by itself.",
        cure: "Check `username` and the password or token of this account.",
        ..ANY
    },
    Row {
        code: "sign_in_line_too_long",
        replies: &[500],
        enhanced: Some(Enhanced(5, 5, 6)),
        cause: Cause::Config,
        sentence: "The server could not take the sign-in: it was too long for it.",
        cure: "Check that `username` of this account is the mailbox, not a service account or an application id.",
        ..ANY
    },
    Row {
        code: "line_too_long",
        // Later it is a line of one mail.
        phases: &[Phase::Auth],
        replies: &[500, 555],
        words: &["line too long"],
        cause: Cause::Config,
        sentence: "The server could not take a line that was sent; in a sign-in this is the token.",
        cure: "Check that `username` of this account is the mailbox, not a service account or an application id.",
        ..ANY
    },
    Row {
        code: "daily_limit",
        // At RCPT it may be the recipient's own limit, which holds nobody.
        phases: &[Phase::Mail, Phase::Data, Phase::Body, Phase::Dot],
        words: &["daily", "limit", "exceeded"],
        cause: Cause::Quota,
        sentence: "This account has reached its daily sending limit.",
        cure: WAIT_A_DAY,
        ..ANY
    },
    Row {
        code: "daily_sending_limit",
        phases: &[Phase::Recipient],
        words: &["daily", "send", "limit", "exceeded"],
        cause: Cause::Quota,
        sentence: "This account has reached its daily sending limit.",
        cure: WAIT_A_DAY,
        ..ANY
    },
    Row {
        code: "greylisted",
        replies: &[421, 450, 451],
        words: &["greylist"],
        cause: Cause::Throttle,
        sentence: "The server lets mail of those it does not know wait for a while (greylisting).",
        cure: LATER,
        ..ANY
    },
    Row {
        code: "sender_rejected",
        // Postfix says so in reply to RCPT.
        phases: &[Phase::Mail, Phase::Recipient, Phase::Data, Phase::Body, Phase::Dot],
        replies: &[550, 553, 554],
        words: &["sender address rejected"],
        cause: Cause::Message,
        sentence: "The server does not take mail from this sender.",
        cure: SEND_AS_ADDRESS,
        ..ANY
    },
    Row {
        code: "message_exceeds_provider_limit",
        replies: &[552],
        enhanced: Some(Enhanced(5, 3, 4)),
        cause: Cause::Message,
        sentence: "The message is larger than the provider takes.",
        cure: "Let the device send less: lower resolution, fewer pages, or a link instead of the file.",
        ..ANY
    },
];
