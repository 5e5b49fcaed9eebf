//! What every vault must do, whatever it keeps its records in.
//!
//! Each story gets a new vault as two processes see it. Not here: what survives a crash, and what a stolen vault shows.

use std::sync::Arc;

use super::super::*;

/// One vault, as two processes see it.
pub(crate) type Views = [Arc<dyn Vault>; 2];

/// Tells every story about a new vault.
pub(crate) fn all(fresh: &dyn Fn() -> Views) {
    let stories: [fn(Views); 11] = [
        nothing_is_kept_at_first,
        what_one_puts_the_other_gets,
        a_change_of_something_else_than_was_read_is_not_made,
        a_new_sign_in_replaces_whatever_there_is,
        a_version_is_never_given_twice,
        one_holds_the_lease_of_an_account,
        a_lease_ends_with_its_time,
        a_put_ends_the_lease_of_who_puts_and_nobody_elses,
        who_gives_back_keeps_the_version_and_says_how_it_ended,
        leases_of_dead_owners_are_buried,
        what_is_removed_is_gone_and_the_others_stay,
    ];
    for story in stories {
        story(fresh());
    }
}

/// A record with these tokens.
pub(crate) fn record(refresh: &str, access: &str) -> Record {
    let time = |second| Timestamp::from_second(second).unwrap();
    Record {
        refresh_token: Some(Secret::new(refresh.into())),
        access_token: Some(Secret::new(access.into())),
        facts: Facts {
            grant: "device_code".into(),
            client_id: "app".into(),
            endpoint: "https://login.example.com/token".into(),
            username: "scanner@example.com".into(),
            scope: Some("smtp offline_access".into()),
            signed_in: time(1_000),
            renewed: time(2_000),
            access_ends: Some(time(5_600)),
            refresh_ends: None,
            brought: None,
            last_reply: None,
        },
    }
}

/// What is kept, as the tokens and the facts.
pub(crate) fn kept(vault: &dyn Vault, account: &str) -> Option<(Option<String>, Option<String>, Facts)> {
    let Record { refresh_token, access_token, facts } = vault.get(&account.into()).unwrap()?.record;
    let text = |secret: Option<Secret>| secret.map(|secret| secret.expose().to_owned());
    Some((text(refresh_token), text(access_token), facts))
}

/// Puts what must go in, and tells its version.
pub(crate) fn put(vault: &dyn Vault, account: &str, record: &Record, expected: Expected, holder: &Holder) -> u64 {
    match vault.put(&account.into(), record, expected, holder).unwrap() {
        Written::Done(version) => version,
        Written::Changed => panic!("somebody was faster"),
    }
}

fn refresh_token(vault: &dyn Vault, account: &str) -> String {
    kept(vault, account).unwrap().0.unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + second).unwrap()
}

/// The version whoever may renew is told, or until when somebody else does.
fn ask(vault: &dyn Vault, holder: &Holder, second: i64) -> Result<u64, Timestamp> {
    match vault.lease(&"a".into(), holder, at(second)).unwrap() {
        Lease::Yours(stored) => Ok(stored.version),
        Lease::Taken { until } => Err(until),
        Lease::Nothing => panic!("nothing is kept"),
    }
}

fn nothing_is_kept_at_first([vault, _]: Views) {
    let (account, holder) = ("a".into(), Holder::new(true));
    assert!(vault.get(&account).unwrap().is_none() && vault.list().unwrap().is_empty());
    assert!(matches!(vault.lease(&account, &holder, at(0)).unwrap(), Lease::Nothing));
    assert!(!vault.remove(&account, Expected::Any).unwrap());
    vault.give_back(&account, &holder, None).unwrap();
    vault.bury(&holder).unwrap();
    let late = vault.put(&account, &record("r", "a"), Expected::Version(1), &holder).unwrap();
    assert!(matches!(late, Written::Changed), "what was removed meanwhile does not come back: {late:?}");
    assert!(vault.list().unwrap().is_empty());
    put(&*vault, "a", &record("r", "a"), Expected::Version(0), &holder);
}

fn what_one_puts_the_other_gets([one, other]: Views) {
    let holder = Holder::new(false);
    let mut record = record("refresh", "access");
    put(&*one, "a", &record, Expected::Any, &holder);
    let tokens = (Some("refresh".into()), Some("access".into()));
    assert_eq!(kept(&*other, "a"), Some((tokens.0, tokens.1, record.facts.clone())));
    record.access_token = None;
    record.facts.refresh_ends = Some(at(7));
    put(&*other, "b", &record, Expected::Any, &holder);
    assert_eq!(kept(&*one, "b"), Some((Some("refresh".into()), None, record.facts.clone())));
    let names: Vec<String> = one.list().unwrap().iter().map(|(name, _)| name.to_string()).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(one.list().unwrap()[1].1, record.facts);
}

fn a_change_of_something_else_than_was_read_is_not_made([one, other]: Views) {
    let holder = Holder::new(false);
    let first = put(&*one, "a", &record("first", "x"), Expected::Any, &holder);
    let second = put(&*other, "a", &record("second", "x"), Expected::Version(first), &holder);
    assert!(second > first);
    let late = one.put(&"a".into(), &record("late", "x"), Expected::Version(first), &holder).unwrap();
    assert!(matches!(late, Written::Changed), "{late:?}");
    let now = other.get(&"a".into()).unwrap().unwrap();
    assert_eq!((now.version, now.record.refresh_token.unwrap().expose()), (second, "second"));
}

fn a_new_sign_in_replaces_whatever_there_is([one, other]: Views) {
    let holder = Holder::new(false);
    let first = put(&*one, "a", &record("first", "x"), Expected::Any, &holder);
    let second = put(&*other, "a", &record("second", "x"), Expected::Any, &holder);
    assert!(second > first && refresh_token(&*one, "a") == "second");
}

/// Who still remembers a version from before a removal must not overwrite the sign-in after it.
fn a_version_is_never_given_twice([one, other]: Views) {
    let holder = Holder::new(false);
    let before = put(&*one, "a", &record("before", "x"), Expected::Any, &holder);
    other.remove(&"a".into(), Expected::Any).unwrap();
    let after = put(&*other, "a", &record("after", "x"), Expected::Any, &holder);
    assert!(after > before, "{after} after {before}");
    let late = one.put(&"a".into(), &record("late", "x"), Expected::Version(before), &holder).unwrap();
    assert!(matches!(late, Written::Changed), "{late:?}");
}

fn one_holds_the_lease_of_an_account([one, other]: Views) {
    let (mine, theirs) = (Holder::new(true), Holder::new(false));
    let version = put(&*one, "a", &record("r", "x"), Expected::Any, &mine);
    put(&*one, "b", &record("r", "x"), Expected::Any, &mine);
    assert_eq!(ask(&*one, &mine, 0), Ok(version));
    assert_eq!(ask(&*other, &theirs, 1), Err(at(90)));
    assert_eq!(ask(&*one, &mine, 2), Ok(version), "who has it may ask again");
    assert_eq!(ask(&*other, &theirs, 3), Err(at(92)));
    assert!(matches!(other.lease(&"b".into(), &theirs, at(3)).unwrap(), Lease::Yours(_)), "another account's is free");
    assert_eq!(one.get(&"a".into()).unwrap().unwrap().version, version, "a lease is no change");
}

fn a_lease_ends_with_its_time([one, other]: Views) {
    let (mine, theirs) = (Holder::new(true), Holder::new(false));
    let version = put(&*one, "a", &record("r", "x"), Expected::Any, &mine);
    ask(&*one, &mine, 0).unwrap();
    assert!(ask(&*other, &theirs, 89).is_err());
    assert_eq!(ask(&*other, &theirs, 90), Ok(version));
    assert_eq!(ask(&*one, &mine, 91), Err(at(180)));
    // The clock was set back: a lease that would last longer than any is over.
    assert_eq!(ask(&*one, &mine, -1_000), Ok(version));
}

fn a_put_ends_the_lease_of_who_puts_and_nobody_elses([one, other]: Views) {
    let (mine, theirs) = (Holder::new(true), Holder::new(false));
    let version = put(&*one, "a", &record("r", "x"), Expected::Any, &mine);
    ask(&*one, &mine, 0).unwrap();
    let version = put(&*one, "a", &record("r2", "x"), Expected::Version(version), &mine);
    assert_eq!(ask(&*other, &theirs, 1), Ok(version), "who renewed is done");
    put(&*one, "a", &record("r3", "x"), Expected::Any, &mine);
    assert_eq!(ask(&*one, &mine, 2), Err(at(91)), "somebody else's sign-in does not end it");
}

fn who_gives_back_keeps_the_version_and_says_how_it_ended([one, other]: Views) {
    let (mine, theirs) = (Holder::new(true), Holder::new(false));
    let reply = |text: &str| Reply { at: at(5), code: Some("token.network".into()), text: text.into() };
    let last = |vault: &dyn Vault| kept(vault, "a").unwrap().2.last_reply.map(|reply| reply.text);
    let version = put(&*one, "a", &record("r", "x"), Expected::Any, &mine);
    ask(&*one, &mine, 0).unwrap();
    other.give_back(&"a".into(), &theirs, Some(&reply("not theirs"))).unwrap();
    assert_eq!((ask(&*other, &theirs, 1), last(&*one)), (Err(at(90)), None), "only who has it gives it back");
    one.give_back(&"a".into(), &mine, Some(&reply("away"))).unwrap();
    assert_eq!(last(&*other).as_deref(), Some("away"));
    assert_eq!(refresh_token(&*other, "a"), "r");
    assert_eq!(ask(&*other, &theirs, 2), Ok(version));
    other.give_back(&"a".into(), &theirs, None).unwrap();
    assert_eq!(last(&*one).as_deref(), Some("away"), "what is not said changes nothing");
    assert_eq!(ask(&*one, &mine, 3), Ok(version));
}

fn leases_of_dead_owners_are_buried([one, other]: Views) {
    let (dead, new, beside) = (Holder::new(true), Holder::new(true), Holder::new(false));
    let version = put(&*one, "a", &record("r", "x"), Expected::Any, &dead);
    ask(&*one, &dead, 0).unwrap();
    assert!(ask(&*other, &new, 1).is_err());
    other.bury(&dead).unwrap();
    assert!(ask(&*other, &new, 1).is_err(), "an owner does not bury itself");
    other.bury(&new).unwrap();
    assert_eq!(ask(&*other, &new, 1), Ok(version));
    other.give_back(&"a".into(), &new, None).unwrap();
    ask(&*one, &beside, 2).unwrap();
    other.bury(&new).unwrap();
    assert!(ask(&*other, &new, 3).is_err(), "who is no owner may be alive");
}

fn what_is_removed_is_gone_and_the_others_stay([one, other]: Views) {
    let holder = Holder::new(false);
    let before = put(&*one, "a", &record("ra", "x"), Expected::Any, &holder);
    let version = put(&*one, "a", &record("ra", "x"), Expected::Any, &holder);
    put(&*one, "b", &record("rb", "x"), Expected::Any, &holder);
    assert!(!other.remove(&"a".into(), Expected::Version(before)).unwrap(), "a newer one stays");
    assert!(other.remove(&"a".into(), Expected::Version(version)).unwrap());
    assert!(!other.remove(&"a".into(), Expected::Any).unwrap());
    assert!(one.get(&"a".into()).unwrap().is_none());
    assert_eq!(refresh_token(&*one, "b"), "rb");
}
