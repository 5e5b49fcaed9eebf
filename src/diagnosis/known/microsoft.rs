//! Known replies of Microsoft 365 and Outlook.com.
//!
//! The texts are those seen in the field; Microsoft puts host names and time stamps behind them, which no row looks at.

use super::{ANY, LATER, Row, Speaker, WAIT_A_DAY};
use crate::diagnosis::SignIn;
use crate::smtp::reply::Enhanced;
use crate::words::{Cause, Phase};

const SEND_AS: &str = "Let the device send as `address` of this account, or grant Send As to the mailbox that signs in, not only to the application: `Add-RecipientPermission -Identity SENDER -Trustee MAILBOX -AccessRights SendAs`.";
const FEWER_CONNECTIONS: &str =
    "Lower `limits.connections` of this account; another program may be using the same mailbox.";
const RESTRICTED: &str = "Find out what was sent; then an administrator unblocks the mailbox at https://security.microsoft.com/restrictedentities.";

pub(super) const ROWS: &[Row] = &[
    // Sign-in.
    Row {
        code: "microsoft_personal_smtp_auth_disabled",
        speaker: Some(Speaker::OutlookCom),
        replies: &[535],
        words: &["smtpclientauthentication is disabled"],
        cause: Cause::Account,
        sentence: "Microsoft has switched SMTP off for this personal mailbox; this refuses OAuth as well.",
        cure: "At https://outlook.live.com (Settings, Mail, Forwarding and IMAP) let devices and apps use POP and IMAP, and confirm the account if Microsoft asks for it.",
        ..ANY
    },
    Row {
        code: "microsoft_smtp_auth_disabled",
        replies: &[535],
        words: &["smtpclientauthentication is disabled"],
        cause: Cause::Account,
        sentence: "SMTP AUTH is switched off for this mailbox or its whole organisation; this refuses OAuth as well.",
        cure: "An Exchange administrator runs `Set-CASMailbox -Identity MAILBOX -SmtpClientAuthenticationDisabled $false`, or for the whole organisation `Set-TransportConfig -SmtpClientAuthenticationDisabled $false`; see https://aka.ms/smtp_auth_disabled.",
        ..ANY
    },
    Row {
        code: "microsoft_basic_auth_disabled",
        replies: &[535, 550],
        words: &["basic authentication is"],
        cause: Cause::Account,
        sentence: "Microsoft no longer takes passwords here; app passwords are refused too.",
        cure: "Use `oauth = { … }` instead of a password for this account.",
        ..ANY
    },
    Row {
        code: "microsoft_wrong_password",
        replies: &[535],
        enhanced: Some(Enhanced(5, 7, 139)),
        words: &["credentials were incorrect"],
        cause: Cause::Account,
        sentence: "Microsoft refused the user name or the password.",
        cure: "Check `username` and the password (`password`, `password_file` or `password_command`) of this account.",
        ..ANY
    },
    Row {
        code: "microsoft_policy",
        replies: &[535],
        enhanced: Some(Enhanced(5, 7, 139)),
        words: &["did not meet the criteria"],
        cause: Cause::Account,
        sentence: "A policy of the organisation (Conditional Access or security defaults) refused this sign-in.",
        cure: "Look at the failed sign-in at https://entra.microsoft.com (Users, the mailbox, Sign-in logs): use OAuth, or exclude this mailbox from the policy named there.",
        ..ANY
    },
    Row {
        code: "microsoft_security_defaults",
        replies: &[535],
        enhanced: Some(Enhanced(5, 7, 139)),
        words: &["security defaults"],
        cause: Cause::Account,
        sentence: "The organisation's security defaults refuse this sign-in.",
        cure: "Use `oauth = { … }` for this account, or let an administrator replace security defaults by a policy that allows it (https://entra.microsoft.com, Overview, Properties).",
        ..ANY
    },
    Row {
        code: "microsoft_federation_unreachable",
        replies: &[535],
        words: &["federated sts service"],
        cause: Cause::Account,
        sentence: "Microsoft asks the organisation's own federation server (AD FS) about this password and cannot reach it.",
        cure: "Let the organisation's administrator look after that server, or use `oauth = { … }` for this account.",
        ..ANY
    },
    Row {
        code: "microsoft_federation_without_https",
        replies: &[535],
        words: &["sts url does not support https"],
        cause: Cause::Account,
        sentence: "The organisation's own federation server (AD FS) does not speak HTTPS, so Microsoft does not ask it about this password.",
        cure: "Let the organisation's administrator mend that server's address, or use `oauth = { … }` for this account.",
        ..ANY
    },
    Row {
        code: "microsoft_sign_in_refused",
        replies: &[535],
        enhanced: Some(Enhanced(5, 7, 139)),
        cause: Cause::Account,
        sentence: "Microsoft refused the sign-in to this mailbox.",
        cure: "Look at the failed sign-in at https://entra.microsoft.com (Users, the mailbox, Sign-in logs), and whether the mailbox allows Authenticated SMTP (https://admin.microsoft.com, Active users, Mail, Manage email apps).",
        ..ANY
    },
    Row {
        code: "microsoft_password_refused",
        speaker: Some(Speaker::Microsoft),
        sign_in: Some(SignIn::Password),
        phases: &[Phase::Auth],
        replies: &[535],
        cause: Cause::Account,
        sentence: "Microsoft refused the user name or the password; it takes passwords only where an administrator still allows that.",
        cure: "Use `oauth = { … }` for this account; else check `username`, the password, and that Authenticated SMTP is allowed for the mailbox (https://admin.microsoft.com, Active users, Mail, Manage email apps).",
        ..ANY
    },
    Row {
        code: "microsoft_personal_token_refused",
        speaker: Some(Speaker::OutlookCom),
        sign_in: Some(SignIn::Token),
        replies: &[535],
        enhanced: Some(Enhanced(5, 7, 3)),
        cause: Cause::Account,
        sentence: "Microsoft refused the token for this mailbox: wrong scope, or the token of another person.",
        cure: "`username` of this account must be the address that signed in, and the token's scope `https://outlook.office.com/SMTP.Send`; let devices and apps use POP and IMAP at https://outlook.live.com (Settings, Mail, Forwarding and IMAP).",
        ..ANY
    },
    Row {
        code: "microsoft_token_mailbox_mismatch",
        replies: &[535],
        enhanced: Some(Enhanced(5, 7, 3)),
        words: &["authentication unsuccessful"],
        cause: Cause::Account,
        sentence: "Microsoft refused the token for this mailbox: wrong scope, wrong `username`, or the application may not use the mailbox.",
        cure: "`username` of this account must be the mailbox; `oauth.scope` must be `https://outlook.office365.com/.default` with client credentials, else `https://outlook.office.com/SMTP.Send`; the application needs SMTP.SendAsApp with consent, `New-ServicePrincipal` with the object id shown under Enterprise applications (not App registrations), and `Add-MailboxPermission -Identity MAILBOX -User SERVICE_PRINCIPAL -AccessRights FullAccess`; SMTP AUTH must be on: `Set-CASMailbox -Identity MAILBOX -SmtpClientAuthenticationDisabled $false`.",
        ..ANY
    },
    Row {
        code: "microsoft_token_expires_soon",
        replies: &[501],
        words: &["token will expire soon"],
        cause: Cause::Account,
        sentence: "Microsoft does not take a token that ends within minutes.",
        cure: "Let the program that prints tokens (`oauth.command`) hand out only tokens that are good for ten minutes and more.",
        ..ANY
    },
    Row {
        code: "microsoft_token_unreadable",
        replies: &[501],
        words: &["xoauth2"],
        cause: Cause::Config,
        sentence: "The server could not read the XOAUTH2 sign-in.",
        cure: "Check `username` of this account for stray characters, and `host`: High Volume Email is smtp-hve.office365.com, everything else smtp.office365.com.",
        ..ANY
    },
    Row {
        code: "microsoft_invalid_arguments",
        speaker: Some(Speaker::Microsoft),
        phases: &[Phase::Auth],
        replies: &[501],
        enhanced: Some(Enhanced(5, 5, 4)),
        cause: Cause::Config,
        sentence: "Microsoft could not read the sign-in.",
        cure: "Check `username` of this account for stray characters, and set `mechanism = \"auto\"`.",
        ..ANY
    },
    Row {
        code: "microsoft_not_signed_in",
        replies: &[530],
        enhanced: Some(Enhanced(5, 7, 57)),
        cause: Cause::Config,
        sentence: "Microsoft wants a sign-in before mail and heard none.",
        cure: "Give this account `oauth = { … }` or a password, and do not set `mechanism = \"none\"`.",
        ..ANY
    },
    // After the sign-in.
    Row {
        code: "microsoft_mailbox_closed",
        replies: &[430, 554],
        words: &["mapiexceptionlogonfailed"],
        cause: Cause::Account,
        sentence: "The sign-in worked, but the application may not open this mailbox. The server calls this temporary; it is not.",
        cure: "An Exchange administrator runs `Add-MailboxPermission -Identity MAILBOX -User SERVICE_PRINCIPAL -AccessRights FullAccess`.",
        ..ANY
    },
    Row {
        code: "microsoft_send_as_denied",
        replies: &[550, 554],
        words: &["sendasdenied"],
        cause: Cause::Message,
        sentence: "The sender of this message is neither the mailbox that signed in nor one it may send as.",
        cure: SEND_AS,
        ..ANY
    },
    Row {
        code: "microsoft_no_send_as_permission",
        replies: &[550, 554],
        words: &["permissions to send as this sender"],
        cause: Cause::Message,
        sentence: "The mailbox that signed in has no permission to send as the sender of this message.",
        cure: SEND_AS,
        ..ANY
    },
    Row {
        code: "microsoft_too_many_connections",
        replies: &[421, 432],
        words: &["concurrent connection"],
        cause: Cause::Throttle,
        sentence: "This mailbox has more connections open than Microsoft allows (three).",
        cure: FEWER_CONNECTIONS,
        ..ANY
    },
    Row {
        code: "microsoft_too_many_submissions",
        replies: &[421, 432],
        words: &["sender thread limit"],
        cause: Cause::Throttle,
        sentence: "This mailbox submits more messages at once than Microsoft allows (three).",
        cure: FEWER_CONNECTIONS,
        ..ANY
    },
    Row {
        code: "microsoft_daily_recipients",
        replies: &[550, 554],
        words: &["submissionquotaexceeded"],
        cause: Cause::Quota,
        sentence: "This mailbox has reached its daily number of recipients (10,000).",
        cure: WAIT_A_DAY,
        ..ANY
    },
    Row {
        code: "microsoft_daily_limit",
        replies: &[550],
        enhanced: Some(Enhanced(5, 1, 90)),
        cause: Cause::Quota,
        sentence: "This mailbox has reached its daily number of recipients.",
        cure: WAIT_A_DAY,
        ..ANY
    },
    Row {
        code: "microsoft_external_recipients",
        replies: &[550],
        enhanced: Some(Enhanced(5, 7, 233)),
        cause: Cause::Quota,
        sentence: "The whole organisation has reached its daily number of outside recipients.",
        cure: "Nothing but waiting up to 24 hours helps; https://admin.exchange.microsoft.com (Reports, Mail flow) shows who sends how much.",
        ..ANY
    },
    Row {
        code: "microsoft_bad_outbound_sender",
        replies: &[550],
        // Others say 5.1.8 to a sender whose domain does not exist (RFC 3463 §3.2), which one device alone can be blamed for.
        enhanced: Some(Enhanced(5, 1, 8)),
        words: &["bad outbound sender"],
        cause: Cause::Account,
        sentence: "Microsoft has blocked this mailbox from sending because of spam.",
        cure: RESTRICTED,
        ..ANY
    },
    Row {
        code: "microsoft_outbound_spam",
        replies: &[550, 554],
        words: &["outboundspamexception"],
        cause: Cause::Account,
        sentence: "Microsoft takes this mailbox's mail for spam and has stopped it.",
        cure: "A personal account: sign in at https://outlook.live.com and confirm the account. An organisation's: an administrator looks at https://security.microsoft.com/restrictedentities.",
        ..ANY
    },
    Row {
        code: "microsoft_connector_relay_denied",
        replies: &[550],
        enhanced: Some(Enhanced(5, 7, 54)),
        cause: Cause::Config,
        sentence: "The connector in Exchange Online does not let this machine send to other organisations.",
        cure: "An administrator lets the connector recognise this machine by its certificate or public address (https://admin.exchange.microsoft.com, Mail flow, Connectors), or this account signs in at smtp.office365.com instead.",
        ..ANY
    },
    Row {
        code: "microsoft_server_busy",
        replies: &[421, 450, 451],
        enhanced: Some(Enhanced(4, 7, 500)),
        cause: Cause::Throttle,
        sentence: "Microsoft asks to send more slowly.",
        cure: LATER,
        ..ANY
    },
];
