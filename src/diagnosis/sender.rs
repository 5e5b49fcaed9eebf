//! Whether a refusal means the sender: then the same mail may pass with another one.
//!
//! Says yes for the known replies that say so, and for any permanent refusal of MAIL that says nothing else: there is
//! not much besides the sender that a server could mean there. Decides nothing about the mail.

use super::{Diagnosis, Failure};
use crate::words::Phase;

/// The rows of the table of known replies that mean the sender.
const CODES: &[&str] = &[
    "microsoft_send_as_denied",
    "microsoft_no_send_as_permission",
    "icloud_sender_not_yours",
    "fastmail_sender_not_yours",
    "yandex_sender_not_yours",
    "yahoo_sender_not_yours",
    "zoho_sender_not_yours",
    "gmx_sender_not_yours",
    "ses_address_not_verified",
    "sendgrid_sender_not_verified",
    "sendgrid_sender_identity",
];

/// Of an unknown refusal of MAIL: the codes RFC 5321 §4.3.2 has for the sender, not those for size or syntax.
const MAIL: &[u16] = &[550, 551, 553, 554];

/// Whether this failure, so judged, means the sender of the message.
#[must_use]
pub fn refuses_sender(failure: &Failure, diagnosis: &Diagnosis) -> bool {
    let at_mail = match failure {
        Failure::Reply { phase: Phase::Mail, reply } => MAIL.contains(&reply.code),
        _ => false,
    };
    CODES.contains(&diagnosis.code) || at_mail && diagnosis.code == "refused"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::{Context, diagnose, known};
    use crate::smtp::reply::Reply;

    #[test]
    fn each_code_is_one_of_the_table_and_every_sender_of_the_table_is_here() {
        for code in CODES {
            assert!(known::rows().any(|row| row.code == *code), "{code} is no row");
        }
        for row in known::rows().filter(|row| row.code.contains("_sender_")) {
            let spam = row.code == "google_unauthenticated_sender" || row.code == "microsoft_bad_outbound_sender";
            assert!(spam || CODES.contains(&row.code), "{} means the sender", row.code);
        }
    }

    #[test]
    fn an_unknown_refusal_means_the_sender_only_at_mail_and_only_when_nothing_else_can_be_meant() {
        let means_sender = |phase, code, text: &'static str| {
            let failure = Failure::Reply { phase, reply: Reply::bare(code, text) };
            refuses_sender(&failure, &diagnose(&failure, Context::default()))
        };
        assert!(means_sender(Phase::Mail, 550, "5.7.1 Sender not allowed here"));
        assert!(means_sender(Phase::Mail, 553, "no"));
        assert!(!means_sender(Phase::Mail, 552, "too big"));
        assert!(!means_sender(Phase::Mail, 451, "later"));
        assert!(!means_sender(Phase::Recipient, 550, "no such user"));
        assert!(!means_sender(Phase::Dot, 554, "content refused"));
        assert!(means_sender(Phase::Dot, 554, "5.2.252 SendAsDenied; a not allowed to send as b"));
    }
}
