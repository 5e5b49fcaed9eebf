//! Replies: first the table of known ones, then the rule for the rest.
//!
//! The rule: before AUTH a refusal is the network's; at AUTH 4yz is a throttle and 5yz the account's; after that 4yz is
//! a throttle and 5yz the message's. So only replies to AUTH and rows of the table can hold an account. 421 is the
//! network's wherever no row says better: the server is closing, which says nothing about us (RFC 5321 §3.8).

use super::echo::own_words;
use super::{Context, Diagnosis, SignIn, known, lifts, sender};
use crate::smtp::reply::Reply;
use crate::words::{Cause, Phase};

pub(super) fn judge(phase: Phase, reply: &Reply, context: Context<'_>) -> Diagnosis {
    let judged = match known::find(phase, reply, context) {
        Some(row) => match token_reason(context, reply) {
            Some(reason) => {
                Diagnosis::new(row.code, row.cause, format!("{} The server adds: {reason}.", row.sentence), row.cure)
            }
            None => Diagnosis::new(row.code, row.cause, row.sentence, row.cure),
        },
        None => by_phase(phase, reply, context),
    };
    match judged.cause {
        Cause::Quota | Cause::Throttle => judged.lifting(lifts::told(&own_words(&reply.text))),
        _ => judged,
    }
}

/// What the server said about a token in the challenge before the reply; the dialogue puts it behind the text.
fn token_reason<'a>(context: Context<'_>, reply: &'a Reply) -> Option<&'a str> {
    let (_, reason) = reply.text.strip_suffix(')')?.rsplit_once('(')?;
    (context.sign_in == SignIn::Token && reason.contains("status ")).then_some(reason)
}

fn by_phase(phase: Phase, reply: &Reply, context: Context<'_>) -> Diagnosis {
    match cause_by_phase(phase, reply) {
        Cause::Network => Diagnosis::new(
            "not_served",
            Cause::Network,
            format!("The server does not serve us now; to {phase} it said: {reply}"),
            "Nothing to do if it passes: it is tried again later. If it stays, check `host` and `port` of this account, and whether the server accepts this machine's address.",
        ),
        Cause::Account => sign_in_refused(reply, context.sign_in),
        Cause::Message => {
            let means_sender = phase == Phase::Mail && sender::REPLIES.contains(&reply.code);
            let code = if means_sender { sender::UNKNOWN } else { "refused" };
            Diagnosis::new(code, Cause::Message, refused(phase, reply), message_cure(phase))
        }
        _ => Diagnosis::new(
            "refused_for_now",
            Cause::Throttle,
            format!("The server refused {phase} for now: {reply}"),
            "Nothing to do: it is tried again later.",
        ),
    }
}

fn sign_in_refused(reply: &Reply, sign_in: SignIn) -> Diagnosis {
    let (code, sentence, cure) = match sign_in {
        SignIn::Password => (
            "password_refused",
            format!("The server refused the user name or the password: {reply}"),
            "Check `username` and the password of this account; where the provider offers app passwords, the account's own password is refused, and where it offers only OAuth, every password.",
        ),
        SignIn::Token => (
            "token_refused",
            format!("The server refused the token: {reply}"),
            "`username` of this account must be the mailbox the token was made for, and `oauth.scope` must allow SMTP.",
        ),
        SignIn::None => (
            "sign_in_refused",
            format!("The server refused the sign-in: {reply}"),
            "Check `username` and the credential of this account.",
        ),
    };
    Diagnosis::new(code, Cause::Account, sentence, cure)
}

fn cause_by_phase(phase: Phase, reply: &Reply) -> Cause {
    if reply.code == 421 {
        return Cause::Network;
    }
    // A code outside 400–599 is no refusal we understand; after AUTH it must not bounce mail, so it counts as 4yz.
    match phase {
        Phase::Credential
        | Phase::Connect
        | Phase::Tls
        | Phase::Greeting
        | Phase::Hello
        | Phase::StartTls
        | Phase::Quit => Cause::Network,
        Phase::Auth if reply.is_permanent() => Cause::Account,
        Phase::Mail | Phase::Recipient | Phase::Data | Phase::Body | Phase::Dot if reply.is_permanent() => {
            Cause::Message
        }
        Phase::Auth | Phase::Mail | Phase::Recipient | Phase::Data | Phase::Body | Phase::Dot => Cause::Throttle,
    }
}

fn refused(phase: Phase, reply: &Reply) -> String {
    match phase {
        Phase::Mail => format!("The server refused the sender: {reply}"),
        Phase::Recipient => format!("The server refused the recipient: {reply}"),
        _ => format!("The server refused the message: {reply}"),
    }
}

fn message_cure(phase: Phase) -> &'static str {
    match phase {
        Phase::Mail => {
            "Let the device send as `address` of this account, or let Posthouse see to it: sender = { policy = \"fix\" }; or allow the sender at the provider."
        }
        Phase::Recipient => "Check the recipient's address in the device.",
        _ => "Read the server's words: usually the size, an attachment or the sender in the header is not allowed.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(code: u16, text: &'static str) -> Reply {
        Reply::bare(code, text)
    }

    #[test]
    fn a_row_overrules_digit_and_phase() {
        let closed = reply(430, "STOREDRV; MapiExceptionLogonFailed");
        assert_eq!(judge(Phase::Dot, &closed, Context::default()).cause, Cause::Account, "a 4yz that never heals");
        let limit = Reply::new(550, 4, 5, "Daily user sending limit exceeded");
        let gmail = Context { provider: Some("gmail"), ..Context::default() };
        assert_eq!(judge(Phase::Mail, &limit, gmail).cause, Cause::Quota, "a 5yz that heals by itself");
    }

    #[test]
    fn unknown_replies_are_judged_by_phase_and_digit() {
        use Phase::{Auth, Data, Dot, Greeting, Hello, Mail, Recipient, StartTls};
        for phase in [Greeting, Hello, StartTls] {
            for code in [450, 554] {
                assert_eq!(
                    judge(phase, &reply(code, "no"), Context::default()).cause,
                    Cause::Network,
                    "{phase} {code}"
                );
            }
        }
        assert_eq!(judge(Auth, &reply(454, "no"), Context::default()).cause, Cause::Throttle);
        assert_eq!(judge(Auth, &reply(535, "no"), Context::default()).cause, Cause::Account);
        for phase in [Mail, Recipient, Data, Dot] {
            assert_eq!(judge(phase, &reply(450, "no"), Context::default()).cause, Cause::Throttle, "{phase}");
            assert_eq!(judge(phase, &reply(550, "no"), Context::default()).cause, Cause::Message, "{phase}");
        }
    }

    #[test]
    fn an_unknown_421_is_the_networks_in_every_phase() {
        for phase in [Phase::Greeting, Phase::Auth, Phase::Mail, Phase::Dot] {
            assert_eq!(judge(phase, &reply(421, "bye"), Context::default()).cause, Cause::Network, "{phase}");
        }
    }

    #[test]
    fn the_sentence_repeats_what_the_server_said() {
        let said = judge(Phase::Recipient, &Reply::new(550, 1, 1, "no such user"), Context::default());
        assert_eq!(said.sentence, "The server refused the recipient: 550 5.1.1 no such user");
    }

    /// Whoever writes to such an address must not have the account held for everybody else.
    #[test]
    fn an_address_that_is_repeated_speaks_neither_of_limits_nor_of_times() {
        for text in [
            "<daily-limit-exceeded@example.com>: User unknown",
            "no user submissionquotaexceeded@example.com",
            "<\"client certificate not trusted\"@example.com>: User unknown",
        ] {
            for phase in [Phase::Mail, Phase::Recipient, Phase::Dot] {
                let said = judge(phase, &Reply::new(550, 1, 1, text), Context::default());
                let code = if phase == Phase::Mail { "sender_refused" } else { "refused" };
                assert_eq!((said.cause, said.code), (Cause::Message, code), "{phase} {text}");
            }
        }
        let told = judge(Phase::Recipient, &reply(450, "<\"retry in 9 hours\"@example.com>: busy"), Context::default());
        assert_eq!((told.cause, told.lifts_after), (Cause::Throttle, None));
    }

    /// Postfix with `unknown_address_reject_code = 550`, and a server that cannot take a long line of a body.
    #[test]
    fn what_one_device_did_wrong_holds_the_account_of_nobody() {
        let stranger = Reply::new(550, 1, 8, "<a@nowhere.example>: Sender address rejected: Domain not found");
        let long = reply(500, "Line too long");
        let full = reply(550, "Daily receiving limit exceeded for this mailbox");
        for (phase, said) in [
            (Phase::Mail, stranger.clone()),
            (Phase::Recipient, stranger),
            (Phase::Recipient, full),
            (Phase::Dot, long),
        ] {
            assert_eq!(judge(phase, &said, Context::default()).cause, Cause::Message, "{phase} {said}");
        }
    }

    #[test]
    fn a_time_the_server_tells_goes_with_what_passes_by_time() {
        let lifts = |code, text| judge(Phase::Mail, &reply(code, text), Context::default()).lifts_after;
        let hours = |hours| Some(std::time::Duration::from_hours(hours));
        assert_eq!(lifts(550, "Daily limit exceeded, try again in 3 hours"), hours(3));
        assert_eq!(lifts(451, "Too fast, try again in 1 hour"), hours(1));
        assert_eq!(lifts(550, "Daily limit exceeded"), None);
        assert_eq!(lifts(550, "No such user, try again in 3 hours"), None, "a refusal for good has no end");
    }
}
