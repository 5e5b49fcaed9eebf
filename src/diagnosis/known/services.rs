//! Known replies of services that send for programs: Amazon SES, `SendGrid`, Mailgun, Postmark, Brevo, Mailjet.
//!
//! Their credentials are none of a mailbox, so what is wrong with one differs from service to service.

use super::{ANY, LATER, Row, Speaker};
use crate::words::{Cause, Phase};

/// What one service means by any refusal of a credential; Mailjet's `435` is no more temporary than a `535`.
const fn credential(speaker: Speaker, code: &'static str, sentence: &'static str, cure: &'static str) -> Row {
    Row {
        code,
        speaker: Some(speaker),
        phases: &[Phase::Auth],
        replies: &[435, 535],
        cause: Cause::Account,
        sentence,
        cure,
        ..ANY
    }
}

pub(super) const ROWS: &[Row] = &[
    // Amazon SES.
    Row {
        code: "ses_daily_quota",
        replies: &[454],
        words: &["daily message quota exceeded"],
        cause: Cause::Quota,
        sentence: "This SES account has used up its daily quota.",
        cure: "Wait up to 24 hours, or ask AWS for a higher sending quota (Amazon SES console, Account dashboard).",
        ..ANY
    },
    Row {
        code: "ses_signing_rate",
        replies: &[454],
        words: &["smtp sending rate exceeded"],
        cause: Cause::Throttle,
        sentence: "SES counts more mail than it allows with SMTP credentials of the old kind (Signature Version 2).",
        cure: "If it stays, make new SMTP credentials (Amazon SES console, SMTP settings) and put them into `username` and `password_file` of this account.",
        ..ANY
    },
    Row {
        code: "ses_sending_rate",
        replies: &[454],
        words: &["sending rate exceeded"],
        cause: Cause::Throttle,
        sentence: "SES asks to send more slowly.",
        cure: LATER,
        ..ANY
    },
    Row {
        code: "ses_address_not_verified",
        replies: &[554],
        words: &["email address is not verified"],
        cause: Cause::Message,
        sentence: "SES takes mail only from verified addresses and, in its sandbox, only to verified ones.",
        cure: "Verify the address or its domain in this SES region (Amazon SES console, Identities), or ask AWS to leave the sandbox.",
        ..ANY
    },
    Row {
        code: "ses_access_denied",
        replies: &[554],
        words: &["ses:sendrawemail"],
        cause: Cause::Account,
        sentence: "The IAM user of these SMTP credentials may not send mail.",
        cure: "Allow `ses:SendRawEmail` to the IAM user named in the reply (IAM console, Users, Permissions).",
        ..ANY
    },
    credential(
        Speaker::Ses,
        "ses_credential_refused",
        "SES refused the SMTP credentials; they are none of AWS's access keys and belong to one region.",
        "Make SMTP credentials in the region that `host` of this account names (Amazon SES console, SMTP settings) and put them into `username` and `password_file`.",
    ),
    // SendGrid.
    Row {
        code: "sendgrid_sender_not_verified",
        replies: &[403, 550],
        words: &["not authorized to send from that email address"],
        cause: Cause::Message,
        sentence: "SendGrid takes mail only from verified senders.",
        cure: "Verify the sender or its domain at https://app.sendgrid.com/settings/sender_auth, or let the device send as `address` of this account.",
        ..ANY
    },
    Row {
        code: "sendgrid_sender_identity",
        replies: &[403, 550],
        words: &["does not match a verified sender identity"],
        cause: Cause::Message,
        sentence: "SendGrid takes mail only from verified senders, and this one is none.",
        cure: "Verify the sender or its domain at https://app.sendgrid.com/settings/sender_auth, or let the device send as `address` of this account.",
        ..ANY
    },
    Row {
        code: "sendgrid_credits_used_up",
        replies: &[451],
        words: &["maximum credits exceeded"],
        cause: Cause::Quota,
        sentence: "This SendGrid account has used up its credits.",
        cure: "Wait for the next period, or buy a larger plan at https://app.sendgrid.com/account/billing.",
        ..ANY
    },
    credential(
        Speaker::SendGrid,
        "sendgrid_key_refused",
        "SendGrid refused the API key.",
        "`username` of this account must be the word `apikey`; put an API key with Mail Send permission (https://app.sendgrid.com/settings/api_keys) into `password_file`.",
    ),
    // The others.
    credential(
        Speaker::Mailgun,
        "mailgun_credential_refused",
        "Mailgun refused the SMTP user or its password; the API key is not taken here.",
        "Take user and password from https://app.mailgun.com (Sending, Domain settings, SMTP credentials); accounts in the EU need `host = \"smtp.eu.mailgun.org\"`.",
    ),
    credential(
        Speaker::Postmark,
        "postmark_token_refused",
        "Postmark refused the token.",
        "Put the Server API token (https://account.postmarkapp.com, the server, API Tokens) into both `username` and `password` of this account, or use the access key and secret key of an SMTP token.",
    ),
    credential(
        Speaker::Brevo,
        "brevo_key_refused",
        "Brevo refused the SMTP login or the SMTP key; the API key is not taken here.",
        "Take the SMTP login and an SMTP key from https://app.brevo.com/settings/keys/smtp.",
    ),
    credential(
        Speaker::Mailjet,
        "mailjet_key_refused",
        "Mailjet refused the API key or the secret key.",
        "`username` of this account is the API key and the password the secret key; both are at https://app.mailjet.com/account/apikeys.",
    ),
];
