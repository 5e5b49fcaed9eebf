//! Whether a refusal means the sender: then the same mail may pass with another one.
//!
//! Says yes for the known replies that say so, and for a permanent refusal of MAIL that says nothing else: there is not
//! much besides the sender that a server could mean there. Decides nothing about the mail.

use super::Diagnosis;

/// A refusal of MAIL that no row of the table knows.
pub(super) const UNKNOWN: &str = "sender_refused";

/// What RFC 5321 §4.3.2 has for a sender; not the codes for size or syntax.
pub(super) const REPLIES: &[u16] = &[550, 551, 553, 554];

/// The codes that mean the sender.
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
    "sender_rejected",
    UNKNOWN,
];

impl Diagnosis {
    /// Whether the sender is what was refused.
    #[must_use]
    pub fn refuses_sender(&self) -> bool {
        CODES.contains(&self.code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::{Context, Failure, diagnose, known};
    use crate::smtp::reply::Reply;
    use crate::words::Phase;

    #[test]
    fn each_code_is_one_of_the_table_and_every_sender_of_the_table_is_here() {
        for code in CODES.iter().filter(|code| **code != UNKNOWN) {
            assert!(known::rows().any(|row| row.code == *code), "{code} is no row");
        }
        for row in known::rows().filter(|row| row.code.contains("sender_")) {
            let spam = row.code == "google_unauthenticated_sender" || row.code == "microsoft_bad_outbound_sender";
            assert!(spam || CODES.contains(&row.code), "{} means the sender", row.code);
        }
    }

    #[test]
    fn an_unknown_refusal_means_the_sender_only_at_mail_and_only_when_nothing_else_can_be_meant() {
        let means_sender = |phase, code, text: &'static str| {
            let failure = Failure::Reply { phase, reply: Reply::bare(code, text) };
            diagnose(&failure, Context::default()).refuses_sender()
        };
        assert!(means_sender(Phase::Mail, 550, "5.7.1 Not allowed here"));
        assert!(means_sender(Phase::Mail, 553, "no"));
        assert!(means_sender(Phase::Recipient, 553, "5.7.1 <a@b>: Sender address rejected: not owned by user c"));
        assert!(!means_sender(Phase::Mail, 552, "too big"));
        assert!(!means_sender(Phase::Mail, 451, "later"));
        assert!(!means_sender(Phase::Recipient, 550, "no such user"));
        assert!(!means_sender(Phase::Dot, 554, "content refused"));
        assert!(means_sender(Phase::Dot, 554, "5.2.252 SendAsDenied; a not allowed to send as b"));
    }
}
