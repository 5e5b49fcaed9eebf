//! Warnings by the calendar: every one on the day before it is due to be said, on that day, and when it is too late.
//!
//! The clock is an argument; nothing here waits.

use jiff::civil::Date;

use super::*;
use crate::account::Source;
use crate::account::oauth::{ClientAuthentication, Given, Redirect};
use crate::account::tests::{self, settings};
use crate::account::vault::Reply;
use crate::secret::Secret;

fn at(text: &str) -> Timestamp {
    let text = if text.contains('T') { text.to_owned() } else { format!("{text}T12:00:00") };
    format!("{text}Z").parse().unwrap()
}

fn application() -> Application {
    tests::application(&facts().endpoint)
}

fn by_browser(application: Application) -> Settings {
    let redirect = Redirect::Elsewhere("https://example.com/".into());
    let grant = Grant::AuthorizationCode { application, redirect, parameters: Vec::new() };
    Settings { credential: Source::from(grant), ..settings() }
}

/// Signed in on the first of November.
fn facts() -> Facts {
    Facts {
        grant: "authorization_code".into(),
        client_id: "app".into(),
        endpoint: "https://login.example.com/token".into(),
        username: "scanner@example.com".into(),
        scope: None,
        signed_in: at("2026-11-01"),
        renewed: at("2026-11-01"),
        access_ends: Some(at("2026-11-01T13:00:00")),
        refresh_ends: None,
        brought: None,
        last_reply: None,
    }
}

/// The code and the sentence of what is said on a day.
fn said(settings: &Settings, facts: Option<&Facts>, now: &str) -> Vec<(Cow<'static, str>, String)> {
    let known = Known { settings, facts, is_renewable: true, certificate_ends: None };
    let all = warnings(known, at(now));
    assert!(all.iter().all(|warning| warning.cure.ends_with('.')), "{all:?}");
    all.into_iter().map(|warning| (warning.code, warning.sentence)).collect()
}

fn codes(settings: &Settings, facts: Option<&Facts>, now: &str) -> Vec<Cow<'static, str>> {
    said(settings, facts, now).into_iter().map(|(code, _)| code).collect()
}

#[test]
fn a_client_secret_is_warned_of_thirty_days_ahead_and_when_it_is_too_late() {
    let day: Date = "2027-01-31".parse().unwrap();
    let secret = Given::Here(Secret::new("x".into()));
    let proof = ClientProof::Secret { secret, sent: ClientAuthentication::Body, expires: Some(day) };
    let grant = Grant::ClientCredentials { application: Application { proof, ..application() } };
    let settings = Settings { credential: Source::from(grant), ..settings() };
    assert_eq!(said(&settings, None, "2026-12-31"), []);
    let sentence = "The client secret of account office ends on 2027-01-31, in 29 days.".to_owned();
    assert_eq!(said(&settings, None, "2027-01-01"), [("client_secret_ends".into(), sentence)]);
    let sentence = "The client secret of account office has ended on 2027-01-31.".to_owned();
    assert_eq!(said(&settings, None, "2027-01-31"), [("client_secret_ends".into(), sentence)]);
}

#[test]
fn a_client_certificate_is_warned_of_thirty_days_ahead() {
    let settings = by_browser(application());
    let ends = Some(at("2026-12-31"));
    let on =
        |now| warnings(Known { settings: &settings, facts: None, is_renewable: true, certificate_ends: ends }, at(now));
    assert_eq!(on("2026-11-30"), []);
    assert_eq!(on("2026-12-01")[0].code, "client_certificate_ends");
    assert_eq!(
        on("2026-12-30")[0].sentence,
        "The client certificate of account office ends on 2026-12-31, in 24 hours."
    );
}

#[test]
fn a_token_of_an_application_in_testing_is_known_from_its_first_day() {
    let settings = by_browser(application());
    let google = Facts {
        endpoint: "https://oauth2.googleapis.com/token".into(),
        refresh_ends: Some(at("2026-11-08T11:59:59")),
        ..facts()
    };
    let now = "2026-11-01T12:00:10";
    let [(code, sentence)] = &said(&settings, Some(&google), now)[..] else { panic!() };
    assert_eq!(code, "google_testing");
    assert_eq!(
        sentence,
        "The sign-in of account office ends on 2026-11-08, in 6 days: the application's consent screen is in Testing."
    );
    let elsewhere = Facts { endpoint: facts().endpoint, ..google.clone() };
    assert_eq!(codes(&settings, Some(&elsewhere), now), [""; 0], "another provider's week is its own business");
    let for_long = Facts { refresh_ends: Some(at("2027-05-01")), ..google };
    assert_eq!(codes(&settings, Some(&for_long), now), [""; 0]);
}

#[test]
fn a_sign_in_that_ended_after_seven_days_is_recognised_afterwards() {
    let settings = Settings { provider: Some("gmail".into()), ..by_browser(application()) };
    let ended = |code: &str, on: &str| {
        let last_reply = Some(Reply { at: at(on), code: Some(code.into()), text: "…".into() });
        codes(&settings, Some(&Facts { last_reply, ..facts() }), on)
    };
    assert_eq!(ended("google_grant_ended", "2026-11-08"), ["google_testing_ended"]);
    assert_eq!(ended("google_grant_refused", "2026-11-08T20:00:00"), ["google_testing_ended"]);
    assert_eq!(ended("google_grant_ended", "2026-11-05"), [""; 0], "somebody took the consent back");
    assert_eq!(ended("google_grant_ended", "2026-11-20"), [""; 0]);
    assert_eq!(ended("token_endpoint_unreachable", "2026-11-08"), [""; 0]);
}

#[test]
fn an_end_the_provider_told_is_warned_of_two_weeks_ahead_or_at_half_a_short_life() {
    let settings = by_browser(application());
    let long = Facts { refresh_ends: Some(at("2027-01-30")), ..facts() };
    assert_eq!(codes(&settings, Some(&long), "2027-01-15"), [""; 0]);
    assert_eq!(codes(&settings, Some(&long), "2027-01-16"), ["refresh_token_ends"]);
    let short = Facts { refresh_ends: Some(at("2026-11-05")), ..facts() };
    assert_eq!(codes(&settings, Some(&short), "2026-11-02"), [""; 0]);
    assert_eq!(codes(&settings, Some(&short), "2026-11-03"), ["refresh_token_ends"]);
    let renewed = Facts { renewed: at("2026-11-04"), refresh_ends: Some(at("2026-11-08")), ..facts() };
    assert_eq!(codes(&settings, Some(&renewed), "2026-11-05"), [""; 0], "each renewal brings a new life");
}

#[test]
fn a_refresh_token_nobody_uses_is_warned_of_before_its_limit() {
    let unused_refresh_life = Some(Duration::from_hours(90 * 24));
    let settings = by_browser(Application { unused_refresh_life, ..application() });
    assert_eq!(codes(&settings, Some(&facts()), "2027-01-15"), [""; 0]);
    let [(code, sentence)] = &said(&settings, Some(&facts()), "2027-01-16")[..] else { panic!() };
    assert_eq!(code, "refresh_token_unused");
    assert!(
        sentence.ends_with("ends on 2027-01-30, in 14 days, because nothing used it since 2026-11-01."),
        "{sentence}"
    );
    let used = Facts { renewed: at("2027-01-15"), ..facts() };
    assert_eq!(codes(&settings, Some(&used), "2027-01-16"), [""; 0]);
    assert_eq!(codes(&by_browser(application()), Some(&facts()), "2030-01-01"), [""; 0], "no limit is known");
}

#[test]
fn a_sign_in_without_a_refresh_token_is_warned_of_at_once() {
    let settings = by_browser(application());
    let known = Known { settings: &settings, facts: Some(&facts()), is_renewable: false, certificate_ends: None };
    let all = warnings(known, at("2026-11-01T12:10:00"));
    assert_eq!(all[0].code, "sign_in_not_renewable");
    assert!(all[0].sentence.ends_with("it must sign in again on 2026-11-01, within two hours."), "{all:?}");
    assert!(all[0].cure.contains("offline_access") && all[0].cure.contains("posthouse login office"), "{all:?}");
}

#[test]
fn what_is_due_first_stands_first() {
    let proof = ClientProof::Secret {
        secret: Given::Here(Secret::new("x".into())),
        sent: ClientAuthentication::Body,
        expires: Some("2026-11-20".parse().unwrap()),
    };
    let settings = by_browser(Application { proof, ..application() });
    let facts = Facts { refresh_ends: Some(at("2026-11-10")), ..facts() };
    assert_eq!(codes(&settings, Some(&facts), "2026-11-08"), ["refresh_token_ends", "client_secret_ends"]);
}

#[test]
fn the_log_hears_of_each_once_a_day() {
    let warning =
        |code: &'static str| Warning { code: code.into(), sentence: String::new(), cure: String::new(), due: None };
    let mut reminder = Reminder::default();
    let mut news = |account, code: &'static str, now| reminder.news(account, vec![warning(code)], at(now)).len();
    assert_eq!(news("office", "a", "2026-11-01"), 1);
    assert_eq!(news("office", "a", "2026-11-02T11:59:59"), 0);
    assert_eq!(news("lab", "a", "2026-11-02T11:59:59"), 1, "each account for itself");
    assert_eq!(news("office", "a", "2026-11-02"), 1, "a day later");
    assert_eq!(news("office", "b", "2026-11-02"), 1);
    assert_eq!(news("office", "a", "2026-11-02"), 1, "it was over in between");
}

#[test]
fn a_certificate_that_signs_mail_is_warned_of_thirty_days_ahead_unless_another_takes_over() {
    use crate::mail::smime::samples::{self, Kind, SCANNER};
    let ends = |year, whose: &str| {
        let whose = rcgen::SanType::Rfc822Name(whose.try_into().unwrap());
        let change = move |params: &mut rcgen::CertificateParams| {
            params.not_after = rcgen::date_time_ymd(year, 1, 31);
            params.subject_alt_names = vec![whose];
        };
        samples::altered(Kind::P256, change).identity().facts().clone()
    };
    let on = |day: &str, certificates: &[smime::facts::Facts]| {
        let all = signers(&"office".into(), certificates, at(&format!("{day}T00:00:00")));
        all.into_iter().map(|warning| (warning.code, warning.sentence)).collect::<Vec<_>>()
    };
    let certificates = [ends(2040, "fax@example.com"), ends(2030, SCANNER)];
    assert_eq!(on("2029-12-31", &certificates), []);
    let (code, sentence) = on("2030-01-01", &certificates).remove(0);
    assert_eq!(code, "smime_certificate_ends");
    let expected = "The certificate of CN=Scanner, which signs mail of account office, ends on";
    assert!(sentence.starts_with(expected), "{sentence}");
    assert!(on("2030-02-01", &certificates)[0].1.contains("has ended on 2030-01-31"));
    assert_eq!(on("2030-02-01", &[ends(2030, SCANNER), ends(2031, SCANNER)]), []);
}
