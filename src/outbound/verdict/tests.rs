//! The table of policy held against every reply that was ever seen, in every phase in which it can come, and against
//! every phase for those that were not seen.
//!
//! `tests/replies.txt` says the cause of each line; here is what must follow from it. A line can come wherever a server
//! may put off saying what it thinks, because what it is taken for must not depend on that: `phases` has it in detail.

use super::*;
use crate::diagnosis::seen::{Seen, context, phase, reply, seen, token_failure};
use crate::diagnosis::{Context, diagnose};
use crate::words::Phase;

/// What the table says.
fn follows(cause: &str) -> &'static str {
    match cause {
        "account" | "quota" | "config" => "hold",
        "throttle" | "network" => "later",
        "message" => "never",
        other => panic!("a reply cannot be {other}"),
    }
}

fn name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Delivered(_) => "delivered",
        Outcome::Never(..) => "never",
        Outcome::Later(..) => "later",
        Outcome::Hold(_) => "hold",
        Outcome::HoldMessage(_) => "hold the message",
        Outcome::Uncertain(_) => "uncertain",
    }
}

fn outcome(phase: Phase, reply: Reply, context: Context<'_>) -> Outcome {
    let failure = Failure::Reply { phase, reply };
    let diagnosis = diagnose(&failure, context);
    match (phase, &failure) {
        (Phase::Recipient, Failure::Reply { reply, .. }) => {
            of_recipient(Refusal::try_from(reply.clone()).expect("a refusal"), diagnosis)
        }
        _ => of_failure(&failure, diagnosis),
    }
}

fn unknown(phase: Phase, code: u16) -> &'static str {
    name(&outcome(phase, Reply::bare(code, "said so"), Context::default()))
}

/// The phases in which a line can come. One of a token endpoint comes before any connection, and is judged by itself.
///
/// - About whoever connects: from the greeting on, and up to RCPT, to which servers put off what they have against a
///   client.
/// - To a credential: in each step of AUTH, which is one phase, and nowhere else.
/// - About sender, recipients, limits and content: from MAIL to the dot, and in the midst of a body. The reverse-path may
///   be judged behind the forward-paths (RFC 5321 §3.3), the size at once or after the last octet (RFC 1870 §6), a limit
///   whenever it is reached.
fn phases(seen: &Seen) -> Vec<Phase> {
    use Phase::{Body, Data, Dot, Greeting, Hello, Mail, Recipient, StartTls};
    match phase(seen) {
        Greeting => vec![Greeting, Hello, StartTls, Mail, Recipient],
        Phase::Auth => vec![Phase::Auth],
        Mail | Recipient | Data | Dot => vec![Mail, Recipient, Data, Body, Dot],
        other => panic!("no line is listed for {other}"),
    }
}

/// The same words about somebody else: then the reply is unknown, and judged by phase and digit.
fn is_about_another(seen: &Seen, phase: Phase) -> bool {
    // At RCPT a daily limit without a word of who sends may be the recipient's own, and holds the account of nobody.
    seen.code == "daily_limit" && phase == Phase::Recipient
}

#[test]
fn every_reply_seen_in_the_field_ends_as_the_table_has_it_whenever_it_comes() {
    let lines: Vec<Seen> = seen().into_iter().filter(|seen| seen.phase != "token").collect();
    assert!(lines.len() > 100, "{}", lines.len());
    for seen in lines {
        for phase in phases(&seen) {
            let outcome = outcome(phase, reply(&seen), context(&seen));
            let by_digit = if seen.said().number < 500 { "later" } else { "never" };
            let due = if is_about_another(&seen, phase) { by_digit } else { follows(seen.cause) };
            assert_eq!(name(&outcome), due, "{phase}: {seen:?}");
            if let Outcome::Never(refusal, _) = &outcome {
                assert!(refusal.reply().is_permanent(), "the device must not try again: {phase}: {seen:?}");
            }
        }
    }
}

#[test]
fn every_answer_of_a_token_endpoint_ends_as_the_table_has_it() {
    let lines: Vec<Seen> = seen().into_iter().filter(|seen| seen.phase == "token").collect();
    assert!(lines.len() > 70, "{}", lines.len());
    for seen in lines {
        let failure = Failure::Token(token_failure(&seen));
        assert_eq!(failure.phase(), Phase::Credential);
        let outcome = of_failure(&failure, diagnose(&failure, context(&seen)));
        assert_eq!(name(&outcome), follows(seen.cause), "{seen:?}");
        assert_ne!(name(&outcome), "never", "a sign-in failure never bounces mail: {seen:?}");
    }
}

#[test]
fn a_sign_in_failure_never_bounces_mail() {
    for phase in [Phase::Greeting, Phase::Hello, Phase::StartTls, Phase::Auth] {
        for code in [421, 454, 500, 504, 530, 535, 550, 554] {
            assert_ne!(unknown(phase, code), "never", "{phase} {code}");
        }
    }
}

#[test]
fn what_is_not_known_is_judged_by_phase_and_digit() {
    for phase in [Phase::Greeting, Phase::Hello, Phase::StartTls] {
        assert_eq!((unknown(phase, 451), unknown(phase, 554)), ("later", "later"), "{phase}");
    }
    assert_eq!((unknown(Phase::Auth, 454), unknown(Phase::Auth, 535)), ("later", "hold"));
    for phase in [Phase::Mail, Phase::Recipient, Phase::Data, Phase::Dot] {
        assert_eq!((unknown(phase, 451), unknown(phase, 554)), ("later", "never"), "{phase}");
        assert_eq!(unknown(phase, 421), "later", "{phase}");
    }
}

#[test]
fn a_recipient_is_judged_by_the_cause_and_not_by_the_digit() {
    let of = |code, cause| {
        let refusal = Refusal::new(code, 1, 1, "said so");
        of_recipient(refusal, Diagnosis::new("test", cause, "No.", "Help."))
    };
    let Outcome::Never(refusal, _) = of(450, Cause::Message) else { panic!("a known reply that never heals") };
    assert_eq!(refusal.reply().code, 554);
    assert_eq!(name(&of(550, Cause::Throttle)), "later", "a known reply that heals by itself");
    assert_eq!(name(&of(550, Cause::Quota)), "hold");
    assert_eq!(name(&of(550, Cause::Network)), "later");
}

#[test]
fn only_from_the_dot_on_is_silence_uncertain() {
    let ends = |failure: &Failure| name(&of_failure(failure, diagnose(failure, Context::default())));
    let silence = |phase| {
        let text = || "?".to_owned();
        [
            Failure::Closed { phase },
            Failure::TimedOut { phase, seconds: 300 },
            Failure::Garbage { phase, text: text() },
            Failure::Io { phase, detail: text() },
        ]
    };
    for phase in [
        Phase::Connect,
        Phase::Greeting,
        Phase::Hello,
        Phase::StartTls,
        Phase::Auth,
        Phase::Mail,
        Phase::Recipient,
        Phase::Data,
        Phase::Body,
    ] {
        for failure in silence(phase) {
            assert_eq!(ends(&failure), "later", "{failure:?}");
        }
    }
    for failure in silence(Phase::Dot) {
        assert_eq!(ends(&failure), "uncertain", "{failure:?}");
    }
}

#[test]
fn what_this_provider_cannot_carry_is_never_and_says_so_with_its_own_code() {
    let code =
        |why| match of_failure(&Failure::CannotCarry(why), diagnose(&Failure::CannotCarry(why), Context::default())) {
            Outcome::Never(refusal, _) => refusal.reply().code,
            other => panic!("{other:?}"),
        };
    let too_big = CannotCarry::TooBig { size: 2_000, limit: 1_000 };
    assert_eq!([too_big, CannotCarry::EightBit, CannotCarry::Utf8].map(code), [552, 554, 550]);
}
