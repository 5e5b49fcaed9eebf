//! Known replies of mailbox providers other than Google and Microsoft.
//!
//! The texts are those seen in the field. Most sign-in rows go by who speaks: nearly all of these providers answer a
//! wrong app password with words that anybody could say. Enhanced codes are not looked at: Apple's and Yandex's vary.

use super::{ANY, LATER, Row, SEND_AS_ADDRESS, Speaker, WAIT_A_DAY};
use crate::diagnosis::SignIn;
use crate::words::{Cause, Phase};

/// What one provider means by any refusal of a password.
const fn password(speaker: Speaker, code: &'static str, sentence: &'static str, cure: &'static str) -> Row {
    Row {
        code,
        speaker: Some(speaker),
        sign_in: Some(SignIn::Password),
        phases: &[Phase::Auth],
        replies: &[535],
        cause: Cause::Account,
        sentence,
        cure,
        ..ANY
    }
}

pub(super) const ROWS: &[Row] = &[
    // Apple.
    Row {
        code: "icloud_sender_not_yours",
        replies: &[550],
        words: &["not one of your addresses"],
        cause: Cause::Message,
        sentence: "iCloud takes mail only from the account's own addresses.",
        cure: SEND_AS_ADDRESS,
        ..ANY
    },
    Row {
        code: "icloud_daily_limit",
        replies: &[450, 451, 452, 550],
        words: &["exceeded your daily sending limit"],
        cause: Cause::Quota,
        sentence: "This account has reached its daily sending limit.",
        cure: WAIT_A_DAY,
        ..ANY
    },
    password(
        Speaker::Apple,
        "icloud_password_refused",
        "iCloud refused the user name or the password; it takes only app-specific passwords from programs.",
        "Make an app-specific password at https://account.apple.com (Sign-In and Security) and put it into `password_file` of this account; if it stays refused, set `username` to the part before the @.",
    ),
    // Fastmail.
    Row {
        code: "fastmail_sender_not_yours",
        replies: &[551],
        words: &["not authorised to send from"],
        cause: Cause::Message,
        sentence: "Fastmail takes mail only from the account's configured identities.",
        cure: "Let the device send as `address` of this account, or add the sender as an identity (Fastmail, Settings, My email addresses).",
        ..ANY
    },
    password(
        Speaker::Fastmail,
        "fastmail_password_refused",
        "Fastmail refused the user name or the password; it takes only app passwords from programs.",
        "Make an app password for SMTP (Fastmail, Settings, Privacy & Security) and put it into `password_file` of this account; the Basic plan has none.",
    ),
    // Yandex, Mail.ru.
    Row {
        code: "yandex_sender_not_yours",
        replies: &[553],
        words: &["not owned by auth user"],
        cause: Cause::Message,
        sentence: "The provider takes mail only from the address that signed in; not even notices without a sender.",
        cure: SEND_AS_ADDRESS,
        ..ANY
    },
    Row {
        code: "yandex_tls_wanted",
        replies: &[530],
        words: &["without ssl/tls"],
        cause: Cause::Config,
        sentence: "The server wants an encrypted connection first.",
        cure: "Set `encryption = \"implicit\"` with port 465, or `encryption = \"starttls\"` with port 587, for this account.",
        ..ANY
    },
    Row {
        code: "yandex_no_access_for_programs",
        replies: &[535],
        words: &["does not have access rights to this service"],
        cause: Cause::Account,
        sentence: "The account's own password was used, or mail programs are switched off for this account.",
        cure: "Allow mail programs in the mailbox settings (Yandex Mail, Settings, Email clients), make an app password at https://id.yandex.com/security/app-passwords and put it into `password_file` of this account.",
        ..ANY
    },
    Row {
        code: "yandex_password_malformed",
        replies: &[535],
        words: &["authentication failed: invalid format"],
        cause: Cause::Account,
        sentence: "The password that was sent is empty or garbled.",
        cure: "Look into `password_file` of this account, or what `password_command` prints: it must be the app password and nothing else.",
        ..ANY
    },
    password(
        Speaker::Yandex,
        "yandex_password_refused",
        "Yandex refused the user name or the password; it takes only app passwords from programs.",
        "Make an app password at https://id.yandex.com/security/app-passwords and put it into `password_file` of this account; mail programs must be allowed in the mailbox settings.",
    ),
    Row {
        code: "mailru_app_password_wanted",
        replies: &[535],
        words: &["application password is required"],
        cause: Cause::Account,
        sentence: "The provider does not take the account's own password from programs.",
        cure: "Make an app password at https://account.mail.ru (Security, Passwords for external applications) and put it into `password_file` of this account.",
        ..ANY
    },
    password(
        Speaker::MailRu,
        "mailru_password_refused",
        "Mail.ru refused the user name or the password; it takes only app passwords from programs.",
        "Make an app password at https://account.mail.ru (Security, Passwords for external applications) and put it into `password_file` of this account.",
    ),
    // Yahoo, AOL, AT&T; Comcast.
    Row {
        code: "yahoo_too_many_bad_attempts",
        replies: &[535],
        words: &["too many bad auth attempts"],
        cause: Cause::Account,
        sentence: "The provider has seen too many failed sign-ins; usually the account's own password was used.",
        cure: "Make an app password in the account's security settings (Yahoo: https://login.yahoo.com/account/security) and put it into `password_file` of this account.",
        ..ANY
    },
    password(
        Speaker::Yahoo,
        "yahoo_password_refused",
        "Yahoo, AOL and AT&T take only app passwords from programs, and this one was refused.",
        "Make an app password in the account's security settings (Yahoo: https://login.yahoo.com/account/security; AT&T calls it a secure mail key) and put it into `password_file` of this account; where none is offered any more, only OAuth with a client of your own is left.",
    ),
    Row {
        code: "yahoo_sender_not_yours",
        speaker: Some(Speaker::Yahoo),
        phases: &[Phase::Mail, Phase::Dot],
        replies: &[550, 553],
        words: &["mailbox unavailable"],
        cause: Cause::Message,
        sentence: "The provider takes mail only from the account's own address.",
        cure: SEND_AS_ADDRESS,
        ..ANY
    },
    password(
        Speaker::Comcast,
        "comcast_password_refused",
        "Comcast refused the user name or the password, or programs of others are switched off for this account.",
        "Allow third-party access in the Xfinity mail settings (Security) and check `username`, the full address, and the password; accounts that moved to Yahoo Mail follow Yahoo's rules.",
    ),
    // Zoho.
    Row {
        code: "zoho_unusual_activity",
        replies: &[550],
        words: &["unusual sending activity"],
        cause: Cause::Quota,
        sentence: "Zoho has blocked sending for a while because of unusual activity.",
        cure: "Unblock the account at https://mail.zoho.com/UnblockMe; look in the log for a device that sends too much.",
        ..ANY
    },
    Row {
        code: "zoho_sender_not_yours",
        replies: &[553],
        words: &["relaying disallowed as"],
        cause: Cause::Message,
        sentence: "Zoho takes mail only from the account's own address and its aliases.",
        cure: SEND_AS_ADDRESS,
        ..ANY
    },
    password(
        Speaker::Zoho,
        "zoho_password_refused",
        "Zoho refused the user name or the password; a host of another data centre says the same.",
        "Set `host` of this account to that of your data centre (smtp.zoho.eu, smtp.zoho.in and so on; smtppro.zoho.… for a paid organisation), and use an app-specific password from https://accounts.zoho.com (Security) where two-factor sign-in is on.",
    ),
    // GMX, WEB.DE, IONOS.
    password(
        Speaker::Gmx,
        "gmx_password_refused",
        "GMX and WEB.DE refused the user name or the password, or programs are switched off for this mailbox.",
        "Switch on POP3/IMAP access in the webmail's settings; with two-factor sign-in use an app-specific password. The login is the full address at GMX and the part before the @ at WEB.DE.",
    ),
    Row {
        code: "gmx_sender_not_yours",
        replies: &[550, 554],
        words: &["sender address is not allowed"],
        cause: Cause::Message,
        sentence: "The provider takes mail only from the mailbox's own addresses.",
        cure: SEND_AS_ADDRESS,
        ..ANY
    },
    Row {
        code: "ionos_hourly_limit",
        replies: &[450],
        words: &["mail send limit exceeded"],
        cause: Cause::Throttle,
        sentence: "This mailbox has reached its hourly limit.",
        cure: LATER,
        ..ANY
    },
    password(
        Speaker::Ionos,
        "ionos_password_refused",
        "IONOS refused the user name or the password; it wants those of the mailbox, not those of the customer account.",
        "`username` of this account is the mailbox's full address; put the mailbox's own password into `password_file`.",
    ),
    // QQ, NetEase, AliYun.
    Row {
        code: "qq_authorization_code_wanted",
        replies: &[535],
        words: &["authorization code"],
        cause: Cause::Account,
        sentence: "The provider wants its authorization code instead of the password.",
        cure: "Make an authorization code in the mailbox settings and put it into `password_file` of this account.",
        ..ANY
    },
    password(
        Speaker::Qq,
        "qq_password_refused",
        "QQ refused the user name or the password; it takes only authorization codes from programs.",
        "Make an authorization code at https://mail.qq.com (Settings, Account) and put it into `password_file` of this account.",
    ),
    password(
        Speaker::NetEase,
        "netease_password_refused",
        "NetEase refused the user name or the password; it takes only authorization codes from programs.",
        "Switch on SMTP in the mailbox settings, make an authorization code there and put it into `password_file` of this account.",
    ),
    Row {
        code: "netease_no_permission",
        replies: &[550],
        words: &["user has no permission"],
        cause: Cause::Account,
        sentence: "SMTP is switched off for this mailbox, or the provider has banned it.",
        cure: "Switch on SMTP in the mailbox settings by browser; make an authorization code there and put it into `password_file` of this account.",
        ..ANY
    },
    Row {
        code: "netease_taken_for_spam",
        replies: &[554],
        words: &["dt:spm"],
        cause: Cause::Message,
        sentence: "NetEase takes this message for spam.",
        cure: "Let the device send another subject and text, and a sender name; test messages that are nearly empty look like spam.",
        ..ANY
    },
    Row {
        code: "aliyun_client_password_wanted",
        replies: &[526],
        words: &["authentication failure"],
        cause: Cause::Account,
        sentence: "AliYun refused the password; it wants a password made for mail programs.",
        cure: "Make a client password in the mailbox's security settings and put it into `password_file` of this account.",
        ..ANY
    },
];
