//! The tables held against everything that was ever seen: `tests/replies.txt`.
//!
//! Each line must find its row, each row must be shown by a line, and no row may speak for another's provider.

use std::collections::BTreeSet;
use std::time::Duration;

use super::known::{self, Row, entra, tokens};
use super::{Context, Diagnosis, Failure, SignIn, TokenFailure, diagnose};
use crate::smtp::reply::{Enhanced, Reply};
use crate::smtp::sasl::response;
use crate::words::Phase;

#[path = "../../tests/support/replies.rs"]
mod replies;

pub(crate) use replies::{Seen, seen};

pub(crate) fn phase(seen: &Seen) -> Phase {
    match seen.phase {
        "greeting" => Phase::Greeting,
        "auth" => Phase::Auth,
        "mail" => Phase::Mail,
        "rcpt" => Phase::Recipient,
        "data" => Phase::Data,
        "dot" => Phase::Dot,
        other => panic!("no such phase: {other}"),
    }
}

pub(crate) fn context(seen: &Seen) -> Context<'static> {
    let sign_in = match seen.sign_in {
        "password" => SignIn::Password,
        "token" | "bearer" => SignIn::Token,
        "none" => SignIn::None,
        other => panic!("no such sign-in: {other}"),
    };
    Context { provider: seen.provider, host: "127.0.0.1", sign_in, account: Some("office") }
}

/// As the client dialogue reads it; the dialogue puts the reason of a refused token behind the text.
pub(crate) fn reply(seen: &Seen) -> Reply {
    let said = seen.said();
    let code = said.text.iter().find_map(|line| enhanced(line.split(' ').next()?));
    let text = |line: &&'static str| match line.split_once(' ') {
        Some((first, rest)) if code.is_some() && enhanced(first).is_some() => rest,
        _ => line,
    };
    let mut text = said.text.iter().map(text).collect::<Vec<_>>().join("\n");
    if let Some(reason) = said.challenge.map(|challenge| response::token_refused(challenge.as_bytes()).unwrap()) {
        text = format!("{text} ({reason})");
    }
    Reply { code: said.number, enhanced: code, text: text.into() }
}

fn enhanced(text: &str) -> Option<Enhanced> {
    let mut parts = text.split('.').map(|part| part.parse::<u16>().ok());
    let (class, subject, detail) = (parts.next()??, parts.next()??, parts.next()??);
    Some(Enhanced(u8::try_from(class).ok()?, subject, detail))
}

/// An OAuth error in the words of RFC 6749; `None` for everything that is odd.
fn refusal(seen: &Seen) -> Option<TokenFailure> {
    let answer = seen.answer();
    let json: serde_json::Value = serde_json::from_str(answer.body).ok()?;
    let field = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
    // What a server in trouble says, and redirects, are no refusal, whatever stands in them.
    (answer.status < 429 && answer.header.is_none()).then(|| TokenFailure::Refused {
        endpoint: "https://127.0.0.1/token".into(),
        error: field("error"),
        description: field("error_description"),
    })
}

/// As the exchange reads it: everything that is no OAuth error is odd, or a page for people.
pub(crate) fn token_failure(seen: &Seen) -> TokenFailure {
    refusal(seen).unwrap_or_else(|| {
        let (answer, endpoint) = (seen.answer(), "https://127.0.0.1/token".to_owned());
        let status = answer.status;
        if answer.body.starts_with("<html>") {
            return TokenFailure::Page { endpoint, status, title: String::new() };
        }
        let retry_after = answer.header.filter(|(name, _)| *name == "Retry-After");
        let retry_after = retry_after.map(|(_, seconds)| Duration::from_secs(seconds.parse().expect(seconds)));
        TokenFailure::Odd { endpoint, status, detail: answer.body.to_owned(), retry_after }
    })
}

fn smtp() -> impl Iterator<Item = Seen> {
    seen().into_iter().filter(|seen| seen.phase != "token")
}

fn refusals() -> impl Iterator<Item = (Seen, TokenFailure)> {
    let tokens = seen().into_iter().filter(|seen| seen.phase == "token");
    tokens.filter_map(|seen| refusal(&seen).map(|failure| (seen, failure)))
}

#[track_caller]
fn is_told(seen: &Seen, judged: &Diagnosis) {
    assert_eq!((judged.code, judged.cause.name()), (seen.code, seen.cause), "{seen:?}");
    assert!(judged.sentence.contains(seen.sentence), "`{}` is not in: {}", seen.sentence, judged.sentence);
    assert!(judged.cure.contains(seen.cure), "`{}` is not in: {}", seen.cure, judged.cure);
}

#[test]
fn every_reply_seen_in_the_field_finds_its_row_and_tells_its_cure() {
    for seen in smtp() {
        let failure = Failure::Reply { phase: phase(&seen), reply: reply(&seen) };
        is_told(&seen, &diagnose(&failure, context(&seen)));
    }
}

#[test]
fn every_refusal_of_a_token_endpoint_finds_its_row_and_tells_its_cure() {
    for (seen, failure) in refusals() {
        is_told(&seen, &diagnose(&Failure::Token(failure), context(&seen)));
    }
}

#[test]
fn every_row_has_a_code_of_its_own_and_a_line_that_shows_it() {
    let shown: BTreeSet<&str> = seen().iter().map(|seen| seen.code).collect();
    let smtp = known::rows().map(|row| (row.code, row.sentence, row.cure));
    let microsoft = entra::ROWS.iter().map(|row| (row.code, row.sentence, row.cure));
    let others = tokens::ROWS.iter().map(|row| (row.code, row.sentence, row.cure));
    let mut codes = BTreeSet::new();
    for (code, sentence, cure) in smtp.chain(microsoft).chain(others) {
        assert!(codes.insert(code), "{code} stands twice");
        assert!(shown.contains(code), "no line shows the row {code}");
        assert!(code.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'), "{code}");
        assert!(sentence.ends_with('.') && cure.ends_with('.'), "{code}: whole sentences");
    }
}

#[test]
fn who_is_told_to_sign_in_anew_is_told_how() {
    let cures = entra::ROWS.iter().map(|row| row.cure).chain(tokens::ROWS.iter().map(|row| row.cure));
    let anew: Vec<&str> = cures.filter(|cure| cure.to_ascii_lowercase().contains("sign in anew")).collect();
    assert!(!anew.is_empty());
    for cure in anew {
        assert!(cure.contains("`posthouse login NAME`"), "{cure}");
    }
}

/// Only its signature is known, from Google's page of SMTP errors.
const WORDLESS: [&str; 1] = ["google_admin_rule"];

#[test]
fn a_row_that_goes_by_a_providers_words_was_shown_by_somebodys() {
    let somebodys: BTreeSet<&str> =
        seen().iter().filter(|seen| seen.words != "assumed").map(|seen| seen.code).collect();
    for row in known::rows().filter(|row| !row.words.is_empty() && family(row).is_some()) {
        assert!(somebodys.contains(row.code) || WORDLESS.contains(&row.code), "nobody ever heard {}", row.code);
    }
}

#[test]
fn words_are_searched_in_lower_case_and_so_written_in_it() {
    let smtp = known::rows().flat_map(|row| row.words);
    let words =
        smtp.chain(tokens::ROWS.iter().flat_map(|row| row.words)).chain(entra::ROWS.iter().flat_map(|r| r.words));
    for word in words {
        assert_eq!(*word, word.to_ascii_lowercase());
    }
}

#[test]
fn a_line_names_a_preset_that_exists() {
    let known = include_str!("../../config/providers.toml");
    for name in seen().iter().filter_map(|seen| seen.provider) {
        let (plain, quoted) = (format!("\n[providers.{name}]\n"), format!("\n[providers.\"{name}\"]\n"));
        assert!(known.contains(&plain) || known.contains(&quoted), "no preset is named {name}");
    }
}

/// `google` of `google_daily_limit`, when the row is one provider's.
fn family(row: &Row) -> Option<&str> {
    let is_anyones = known::anyone().any(|any| any.code == row.code);
    row.code.split('_').next().filter(|_| !is_anyones)
}

#[test]
fn no_reply_fits_a_row_of_another_provider() {
    for seen in smtp() {
        let (phase, reply) = (phase(&seen), reply(&seen));
        let families: BTreeSet<&str> = known::all(phase, &reply, context(&seen)).filter_map(family).collect();
        assert!(families.len() <= 1, "{families:?} all claim: {reply}");
    }
}

#[test]
fn of_an_unknown_provider_a_reply_that_anybody_could_give_is_nobodys_in_particular() {
    for (sign_in, code) in
        [(SignIn::Password, "password_refused"), (SignIn::Token, "token_refused"), (SignIn::None, "sign_in_refused")]
    {
        for text in
            ["Username and Password not accepted", "Authentication credentials invalid", "Authentication failed"]
        {
            let failure = Failure::Reply { phase: Phase::Auth, reply: Reply::new(535, 7, 8, text) };
            let judged = diagnose(&failure, Context { sign_in, ..Context::default() });
            assert_eq!(judged.code, code);
            for provider in ["Google", "Microsoft", "GMX", "SES"] {
                assert!(!format!("{} {}", judged.sentence, judged.cure).contains(provider), "{}", judged.sentence);
            }
        }
    }
}

#[test]
fn what_a_row_says_repeats_nothing_of_the_reply_but_the_reason_the_server_gave_for_a_token() {
    for seen in smtp().filter(|seen| seen.said().challenge.is_none()) {
        let mut reply = reply(&seen);
        if known::find(phase(&seen), &reply, context(&seen)).is_none() {
            continue;
        }
        reply.text = format!("{} hunter2", reply.text).into();
        let judged = diagnose(&Failure::Reply { phase: phase(&seen), reply }, context(&seen));
        assert_eq!(judged.code, seen.code);
        assert!(!format!("{judged:?}").contains("hunter2"), "{judged:?}");
    }
}
