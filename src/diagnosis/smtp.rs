//! Replies: first the table of known ones, then the rule for the rest.
//!
//! The rule: before AUTH a refusal is the network's; at AUTH 4yz is a throttle and 5yz the account's; after that 4yz is
//! a throttle and 5yz the message's. So only replies to AUTH and rows of the table can hold an account. 421 is the
//! network's wherever no row says better: the server is closing, which says nothing about us (RFC 5321 §3.8).

use super::{Context, Diagnosis, known};
use crate::smtp::reply::Reply;
use crate::words::{Cause, Phase};

pub(super) fn judge(phase: Phase, reply: &Reply, context: Context<'_>) -> Diagnosis {
    if let Some(row) = known::find(reply) {
        return Diagnosis::new(row.code, row.cause, row.sentence, row.cure);
    }
    match cause_by_phase(phase, reply) {
        Cause::Network => Diagnosis::new(
            "not_served",
            Cause::Network,
            format!("The server does not serve us now; to {phase} it said: {reply}"),
            "Nothing to do if it passes: it is tried again later. If it stays, check `host` and `port` of this account, and whether the server accepts this machine's address.",
        ),
        Cause::Account => Diagnosis::new(
            "sign_in_refused",
            Cause::Account,
            format!("The server refused the sign-in: {reply}"),
            "Check `username` and the credential of this account: with a password, whether the provider wants an app password or OAuth instead; with `oauth`, whether the token is for this user and allows SMTP.",
        ),
        Cause::Message => Diagnosis::new("refused", Cause::Message, refused(phase, reply), message_cure(phase)),
        _ => Diagnosis::new(
            "refused_for_now",
            Cause::Throttle,
            format!("The server refused {phase} for now: {reply}"),
            "Nothing to do: it is tried again later.",
        ),
    }
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
        Phase::Mail => "Let the device send as `address` of this account, or allow the sender at the provider.",
        Phase::Recipient => "Check the recipient's address in the device.",
        _ => "Read the server's words: usually the size, an attachment or the sender in the header is not allowed.",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::known;
    use super::*;
    use crate::smtp::reply::Enhanced;

    /// One line of `known/seen.txt`: a reply as it was seen, the row it must find, and the cause.
    struct Seen {
        row: &'static str,
        cause: &'static str,
        reply: Reply,
    }

    fn seen() -> Vec<Seen> {
        let lines = include_str!("known/seen.txt").lines().filter(|line| !line.starts_with('#'));
        lines
            .map(|line| {
                let [row, cause, reply] = line.splitn(3, " | ").collect::<Vec<_>>().try_into().expect(line);
                let (code, rest) = reply.split_once(' ').expect(line);
                let (enhanced, text) = match rest.split_once(' ') {
                    Some((first, text)) if enhanced(first).is_some() => (enhanced(first), text),
                    _ => (None, rest),
                };
                let text = text.replace("\\n", "\n").into();
                Seen { row, cause, reply: Reply { code: code.parse().expect(line), enhanced, text } }
            })
            .collect()
    }

    fn enhanced(text: &str) -> Option<Enhanced> {
        let mut parts = text.split('.').map(|part| part.parse::<u16>().ok());
        let (class, subject, detail) = (parts.next()??, parts.next()??, parts.next()??);
        Some(Enhanced(u8::try_from(class).ok()?, subject, detail))
    }

    fn reply(code: u16, text: &'static str) -> Reply {
        Reply::bare(code, text)
    }

    #[test]
    fn every_reply_seen_in_the_field_finds_its_row() {
        for Seen { row, cause, reply } in seen() {
            let found = known::find(&reply).unwrap_or_else(|| panic!("no row knows: {reply}"));
            assert_eq!(found.code, row, "{reply}");
            let judged = judge(Phase::Dot, &reply, Context::default());
            assert_eq!((judged.cause.to_string().as_str(), &*judged.cure), (cause, found.cure), "{reply}");
        }
    }

    #[test]
    fn every_row_has_a_name_of_its_own_and_a_reply_that_shows_it() {
        let shown: BTreeSet<_> = seen().iter().map(|seen| seen.row).collect();
        let mut names = BTreeSet::new();
        for row in known::rows() {
            assert!(names.insert(row.code), "{} stands twice", row.code);
            assert!(shown.contains(row.code), "no reply shows the row {}", row.code);
            assert!(row.words.iter().all(|w| *w == w.to_ascii_lowercase()), "{}: words are lower case", row.code);
            assert!(row.sentence.ends_with('.') && row.cure.ends_with('.'), "{}: whole sentences", row.code);
        }
    }

    #[test]
    fn a_row_overrules_digit_and_phase() {
        let closed = reply(430, "STOREDRV; MapiExceptionLogonFailed");
        assert_eq!(judge(Phase::Dot, &closed, Context::default()).cause, Cause::Account, "a 4yz that never heals");
        let limit = Reply::new(550, 4, 5, "Daily user sending limit exceeded");
        assert_eq!(judge(Phase::Mail, &limit, Context::default()).cause, Cause::Quota, "a 5yz that heals by itself");
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
}
