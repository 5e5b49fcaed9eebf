//! What Posthouse itself refuses to do, and what fails on its own side of the line.
//!
//! The refusals keep promise 3 (no credential without the protection the account asks for), so they are the
//! configuration's; a message the server cannot carry is the message's own.

use super::{CannotCarry, Diagnosis};
use crate::words::Cause;

/// Why a message cannot be made into what an account may send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unsendable {
    /// The provider takes no 8-bit text, and this cannot be encoded without breaking something.
    EightBit { why: String },
    /// It is to be signed, and cannot be.
    NotSigned { why: String },
    /// It is to be signed opaque, and its entity has more octets than the account wants signed so.
    TooLargeToSign { octets: u64, limit: u64 },
}

pub(super) fn starttls_not_offered(host: &str) -> Diagnosis {
    Diagnosis::new(
        "starttls_not_offered",
        Cause::Config,
        format!("{host} does not offer STARTTLS, so nothing was sent: going on would be in clear."),
        "Set `encryption = \"implicit\"` with port 465 for this account; if STARTTLS was there before, something between here and the provider removes it.",
    )
}

pub(super) fn starttls_injected(host: &str) -> Diagnosis {
    Diagnosis::new(
        "starttls_injected",
        Cause::Config,
        format!("Octets came in clear after {host} had agreed to STARTTLS: someone may be forging replies."),
        "Set `encryption = \"implicit\"` with port 465 for this account, and look for what stands between here and the provider.",
    )
}

pub(super) fn would_send_in_clear(host: &str) -> Diagnosis {
    Diagnosis::new(
        "would_send_in_clear",
        Cause::Config,
        format!("The connection to {host} is not encrypted, so the credential was not sent."),
        "Set `encryption = \"implicit\"` or `\"starttls\"` for this account. `allow_plaintext_credentials = true` sends a password in clear all the same; a token never.",
    )
}

pub(super) fn no_mechanism(offered: &str, wanted: &str) -> Diagnosis {
    Diagnosis::new(
        "no_mechanism",
        Cause::Config,
        format!("No way to sign in: the server offers {offered}; this account needs {wanted}."),
        "Set `mechanism = \"auto\"`, and a credential the server can take: a password for PLAIN and LOGIN, `oauth = { … }` for XOAUTH2 and OAUTHBEARER. CRAM-MD5 inside TLS is taken only with `mechanism = \"cram_md5\"`. With no mechanism offered, check `port` and `encryption` of this account.",
    )
}

pub(super) fn cannot_carry(why: CannotCarry) -> Diagnosis {
    match why {
        CannotCarry::TooBig { size, limit } => Diagnosis::new(
            "message_too_big",
            Cause::Message,
            format!("The message has {size} octets and the provider takes at most {limit}."),
            "Let the device send less: lower resolution, fewer pages, or a link instead of the file.",
        ),
        CannotCarry::EightBit => Diagnosis::new(
            "message_8bit",
            Cause::Message,
            "The message holds 8-bit text and the provider does not take that.",
            "Let the device encode its mail as quoted-printable or base64.",
        ),
        CannotCarry::Utf8 => Diagnosis::new(
            "address_not_ascii",
            Cause::Message,
            "An address is not plain ASCII and the provider does not take that.",
            "Use addresses in plain ASCII.",
        ),
    }
}

pub(super) fn unsendable(why: &Unsendable) -> Diagnosis {
    match why {
        Unsendable::EightBit { why } => Diagnosis::new(
            "message_8bit_not_encodable",
            Cause::Message,
            format!("The message holds 8-bit text, the provider does not take that, and it cannot be encoded: {why}."),
            "Let the device encode its mail as quoted-printable or base64, or send it through an account whose provider takes 8-bit text.",
        ),
        Unsendable::NotSigned { why } => Diagnosis::new(
            "message_not_signed",
            Cause::Config,
            format!("The message is to be signed (S/MIME) and cannot be: {why}."),
            "Give this account an identity for that sender (`posthouse check --certificates` shows what there is), or renew its file: mail that waits for one is tried again once an hour, and at once after `posthouse queue release`. With `smime.without = \"send_unsigned\"` such mail goes out unsigned.",
        ),
        Unsendable::TooLargeToSign { octets, limit } => Diagnosis::new(
            "message_too_large_to_sign",
            Cause::Config,
            format!(
                "The message is to be signed opaque (S/MIME) and is larger than smime.opaque_limit: {octets} octets instead of at most {limit}."
            ),
            "Raise `smime.opaque_limit` of this account, or write `smime.over_limit = \"clear\"` to have larger mail signed beside it; then `posthouse queue release`.",
        ),
    }
}

pub(super) fn password(detail: &str) -> Diagnosis {
    Diagnosis::new(
        "password_unavailable",
        Cause::Account,
        format!("The password of this account cannot be had: {detail}"),
        "Correct the file or program named here (`password_file`, `password_command` or `oauth.client_secret_file` of this account); it must work for the user Posthouse runs as.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_promise_3_forbids_is_the_configurations_and_names_the_key() {
        for said in [starttls_not_offered("h"), starttls_injected("h"), would_send_in_clear("h")] {
            assert_eq!(said.cause, Cause::Config, "{}", said.sentence);
            assert!(said.cure.contains("`encryption = \"implicit\"`"), "{}", said.cure);
        }
    }

    #[test]
    fn a_missing_mechanism_names_what_was_offered_and_what_is_needed() {
        let said = no_mechanism("LOGIN, XOAUTH2", "PLAIN");
        assert_eq!(said.cause, Cause::Config);
        assert!(said.sentence.contains("offers LOGIN, XOAUTH2; this account needs PLAIN"));
    }

    #[test]
    fn what_cannot_be_carried_is_the_messages_fault_alone() {
        let too_big = CannotCarry::TooBig { size: 40, limit: 30 };
        for why in [too_big, CannotCarry::EightBit, CannotCarry::Utf8] {
            assert_eq!(cannot_carry(why).cause, Cause::Message, "{why:?}");
        }
        assert!(cannot_carry(too_big).sentence.contains("40 octets and the provider takes at most 30"));
    }

    #[test]
    fn a_password_that_cannot_be_read_holds_the_account() {
        assert_eq!(password("no such file").cause, Cause::Account);
    }
}
