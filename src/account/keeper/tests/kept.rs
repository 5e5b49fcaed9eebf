//! A sign-in that is kept: used, renewed, refused, replaced, and the clocks and disks that fail meanwhile.
//!
//! The provider is the strictest there is; see [`super::provider`].

use super::provider::{Instead, Office, Provider, at, cause};
use super::*;
use crate::account::vault::Lease;

fn kept(failure: &Failure) -> &KeptFailure {
    match failure {
        Failure::Kept(kept) => kept,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn without_a_sign_in_nobody_is_asked_and_a_person_must_act() {
    let office = Office { provider: Provider::open(3600).await, vault: Arc::default(), clock: Clock::set(at(0)) };
    let failure = office.keeper().credential().await.unwrap_err();
    assert!(matches!(kept(&failure), KeptFailure::NotSignedIn { account } if account.as_str() == "office"));
    assert_eq!((cause(&failure), office.provider.calls()), (Cause::Account, 0));
}

#[tokio::test]
async fn a_sign_in_of_another_application_or_provider_is_not_used_and_not_lost() {
    let office = Office::signed_in(Provider::open(3600).await);
    for (client_id, address) in [("another", None), ("app", Some("http://127.0.0.1:9/token"))] {
        let mut grant = office.provider.grant();
        if let Grant::AuthorizationCode { application, .. } = &mut grant {
            application.client_id = client_id.into();
            if let Some(address) = address {
                application.endpoints = Endpoints::token_only(address.parse().unwrap());
            }
        }
        let failure = office.keeper_with(grant, office.vault.clone()).credential().await.unwrap_err();
        assert!(matches!(kept(&failure), KeptFailure::OtherApplication { .. }), "{failure:?}");
    }
    assert_eq!((office.provider.calls(), office.refresh_token().as_str()), (0, "refresh-0"));
}

#[tokio::test]
async fn a_restart_costs_no_call_while_the_kept_token_is_good() {
    let office = Office::signed_in(Provider::open(3600).await);
    assert_eq!(secret(&ask(&office.keeper()).await), "access-1");
    office.clock.advance(49 * 60);
    assert_eq!(secret(&ask(&office.keeper()).await), "access-1");
    assert_eq!(office.provider.calls(), 1);
    office.clock.advance(60);
    assert_eq!(secret(&ask(&office.keeper()).await), "access-2", "ten minutes before its end it is renewed");
}

#[tokio::test]
async fn what_is_renewed_lies_in_the_vault_with_all_that_was_said() {
    let office = Office::signed_in(Provider::open(3600).await);
    ask(&office.keeper()).await;
    let record = office.record();
    assert_eq!(record.refresh_token.unwrap().expose(), "refresh-1");
    assert_eq!(record.access_token.unwrap().expose(), "access-1");
    let facts = record.facts;
    assert_eq!((facts.signed_in, facts.renewed, facts.access_ends), (at(0), at(3600), Some(at(7200))));
    assert_eq!(facts.last_reply.unwrap().code, None);
}

#[tokio::test]
async fn without_a_refresh_token_the_sign_in_ends_with_the_access_token() {
    let office = Office::signed_in(Provider::open(3600).await);
    let record = Record { refresh_token: None, ..office.provider.signed_in(3600, office.clock.now()) };
    let _ = office.vault.put(&"office".into(), &record, Expected::Any, &Holder::new(false)).unwrap();
    assert_eq!(secret(&ask(&office.keeper()).await), "access-0");
    office.clock.advance(3600);
    let failure = office.keeper().credential().await.unwrap_err();
    assert!(matches!(kept(&failure), KeptFailure::NotRenewable { .. }));
    assert_eq!((cause(&failure), office.provider.calls()), (Cause::Account, 0));
}

#[tokio::test]
async fn a_brought_token_is_used_once_and_another_one_replaces_what_came_of_it() {
    let office = Office { provider: Provider::open(3600).await, vault: Arc::default(), clock: Clock::set(at(0)) };
    let brought = |text: &str| {
        let application = office.provider.grant().application().unwrap().clone();
        Grant::RefreshToken { application, token: Given::Here(Secret::new(text.into())) }
    };
    let keeper = |text: &str| office.keeper_with(brought(text), office.vault.clone());
    assert_eq!(secret(&ask(&keeper("refresh-0")).await), "access-1");
    office.clock.advance(3600);
    assert_eq!(secret(&ask(&keeper("refresh-0")).await), "access-2", "renewed with what came of it");
    assert_eq!(secret(&ask(&keeper("refresh-2")).await), "access-3", "a new one is taken at once");
    assert!(office.provider.none_came_twice());
}

#[tokio::test]
async fn a_file_with_a_brought_token_may_be_deleted_once_it_was_used() {
    let office = Office { provider: Provider::open(3600).await, vault: Arc::default(), clock: Clock::set(at(0)) };
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "refresh-0\n").unwrap();
    let application = office.provider.grant().application().unwrap().clone();
    let grant = Grant::RefreshToken { application, token: Given::File(file.path().into()) };
    let keeper = || office.keeper_with(grant.clone(), office.vault.clone());
    assert_eq!(secret(&ask(&keeper()).await), "access-1");
    file.close().unwrap();
    office.clock.advance(3600);
    assert_eq!(secret(&ask(&keeper()).await), "access-2");
}

#[tokio::test]
async fn a_caller_that_is_gone_does_not_cut_the_call() {
    let office = Office::signed_in(Provider::closed(3600).await);
    let keeper = office.keeper();
    let asking = tokio::spawn({
        let keeper = keeper.clone();
        async move { keeper.credential().await }
    });
    office.provider.called(1).await;
    asking.abort();
    assert!(asking.await.unwrap_err().is_cancelled());
    drop(keeper);
    office.provider.let_answer();
    while office.refresh_token() != "refresh-1" {
        tokio::task::yield_now().await;
    }
    assert_eq!(secret(&ask(&office.keeper()).await), "access-1");
}

#[tokio::test]
async fn whoever_ends_the_process_can_wait_for_the_calls_under_way() {
    let office = Office::signed_in(Provider::closed(3600).await);
    let renewals = TaskTracker::new();
    let tools =
        Tools { vault: office.vault.clone(), clock: office.clock.clone(), renewals: renewals.clone(), ..tools() };
    let keeper = Arc::new(Keeper::new(&with(Source::from(office.provider.grant())), tools).unwrap());
    tokio::spawn(async move { keeper.credential().await });
    office.provider.called(1).await;
    renewals.close();
    assert_eq!(renewals.len(), 1);
    office.provider.let_answer();
    renewals.wait().await;
    assert_eq!(office.refresh_token(), "refresh-1");
}

#[tokio::test]
async fn a_sign_in_made_during_a_call_wins_and_its_token_is_used() {
    for instead in [None, Some((400, &[][..], r#"{"error":"invalid_grant"}"#))] {
        let office = Office::signed_in(Provider::closed(3600).await);
        office.provider.will_answer(instead);
        let keeper = office.keeper();
        let asking = tokio::spawn(async move { keeper.credential().await });
        office.provider.called(1).await;
        office.sign_in(3600);
        office.provider.let_answer();
        assert_eq!(secret(&asking.await.unwrap().unwrap()), "access-0", "{instead:?}");
        assert_eq!(office.refresh_token(), "refresh-0", "what the old call brought is dropped");
        assert_eq!(office.provider.calls(), 1);
        let lease = office.vault.lease(&"office".into(), &Holder::new(false), office.clock.now()).unwrap();
        assert!(matches!(lease, Lease::Yours(_)), "nobody waits for a call that is over: {lease:?}");
    }
}

#[tokio::test]
async fn a_refused_token_is_not_taken_from_the_vault_again() {
    let office = Office::signed_in(Provider::open(3600).await);
    let keeper = office.keeper();
    let first = ask(&keeper).await;
    assert_eq!(keeper.refused(&first), AfterRefusal::Again);
    let second = ask(&keeper).await;
    assert_eq!(secret(&second), "access-2");
    assert_eq!(keeper.refused(&second), AfterRefusal::Final);
    assert_eq!(office.provider.calls(), 2, "one renewal, and never again for the same refusal");
}

#[tokio::test]
async fn after_a_refusal_what_another_process_renewed_is_tried_first() {
    let office = Office::signed_in(Provider::open(3600).await);
    let (ours, theirs) = (office.keeper(), office.keeper());
    let first = ask(&ours).await;
    let same = ask(&theirs).await;
    assert_eq!(theirs.refused(&same), AfterRefusal::Again);
    ask(&theirs).await;
    assert_eq!(ours.refused(&first), AfterRefusal::Again);
    assert_eq!(secret(&ask(&ours).await), "access-2");
    assert_eq!(office.provider.calls(), 2);
}

#[tokio::test]
async fn a_sign_in_that_is_dead_holds_the_account_and_keeps_its_tokens() {
    let office = Office::signed_in(Provider::open(3600).await);
    for (error, code, whose) in [
        (r#"{"error":"invalid_grant"}"#, "oauth_invalid_grant", Cause::Account),
        (r#"{"error":"invalid_client"}"#, "oauth_invalid_client", Cause::Account),
        (r#"{"error":"invalid_scope"}"#, "oauth_invalid_scope", Cause::Config),
    ] {
        office.provider.will_answer(Some((400, &[], error)));
        let failure = office.keeper().credential().await.unwrap_err();
        assert_eq!(cause(&failure), whose, "{error}");
        assert_eq!(office.refresh_token(), "refresh-0");
        let reply = office.record().facts.last_reply.unwrap();
        assert_eq!((reply.code.as_deref(), reply.at), (Some(code), office.clock.now()));
    }
}

/// Answers that say nothing about the sign-in.
const ODD: &[Instead] = &[
    (429, &[("retry-after", "20")], "slow down"),
    (429, &[], r#"{"error":"invalid_grant"}"#),
    (500, &[], "oops"),
    (503, &[], r#"{"error":"temporarily_unavailable"}"#),
    (200, &[], "<html><title>Welcome to the hotel</title></html>"),
    (302, &[("location", "http://127.0.0.1:9/portal")], ""),
    (200, &[], r#"{"access_token":"half of"#),
    (200, &[], r#"{"hello":"world"}"#),
    (200, &[], r#"{"error":"server_error"}"#),
];

#[tokio::test]
async fn an_endpoint_that_is_odd_costs_no_sign_in() {
    for &odd in ODD {
        let office = Office::signed_in(Provider::open(3600).await);
        office.provider.will_answer(Some(odd));
        let keeper = office.keeper();
        let failure = keeper.credential().await.unwrap_err();
        assert!(matches!(cause(&failure), Cause::Network | Cause::Throttle), "{odd:?}: {failure:?}");
        assert_eq!(office.refresh_token(), "refresh-0", "{odd:?}");
        assert!(office.record().facts.last_reply.unwrap().code.is_some());
        office.provider.will_answer(None);
        office.pass(20).await;
        assert_eq!(secret(&ask(&keeper).await), "access-2", "{odd:?}");
    }
}

#[tokio::test]
async fn an_endpoint_that_is_away_is_left_alone_however_many_ask() {
    let office = Office::signed_in(Provider::open(3600).await);
    office.provider.will_answer(Some((503, &[], "oops")));
    let keeper = office.keeper();
    for _ in 0..60 {
        let mut crowd = JoinSet::new();
        for _ in 0..50 {
            let keeper = keeper.clone();
            crowd.spawn(async move { keeper.credential().await.is_err() });
        }
        office.pass(1).await;
        while !crowd.is_empty() {
            // Who waits for a pause to end sees it end.
            tokio::time::pause();
            assert!(crowd.join_next().await.unwrap().unwrap());
            tokio::time::resume();
        }
    }
    let calls = office.provider.calls();
    assert!((4..=12).contains(&calls), "three thousand asked in a minute and more, and the endpoint heard {calls}");
    assert_eq!(office.provider.most_under_way(), 1);
}

#[tokio::test]
async fn the_pause_an_endpoint_asks_for_is_kept() {
    let office = Office::signed_in(Provider::open(3600).await);
    office.provider.will_answer(Some((429, &[("retry-after", "120")], "slow down")));
    let keeper = office.keeper();
    assert!(keeper.credential().await.is_err());
    office.provider.will_answer(None);
    for _ in 0..11 {
        assert_eq!(cause(&keeper.credential().await.unwrap_err()), Cause::Throttle);
        office.pass(10).await;
    }
    assert_eq!(office.provider.calls(), 1);
    office.pass(10).await;
    assert_eq!(secret(&ask(&keeper).await), "access-2");
}

#[tokio::test]
async fn a_record_from_the_future_costs_one_renewal() {
    let office = Office::signed_in(Provider::open(3600).await);
    office.sign_in(3600);
    office.clock.advance(-86_400);
    assert_eq!(secret(&ask(&office.keeper()).await), "access-1");
    assert_eq!(secret(&ask(&office.keeper()).await), "access-1", "and from then on its age is known");
}

#[tokio::test]
async fn a_wall_clock_that_jumps_does_not_touch_a_token_in_use() {
    let office = Office::signed_in(Provider::open(3600).await);
    let keeper = office.keeper();
    ask(&keeper).await;
    for jump in [86_400 * 365, -86_400 * 730] {
        office.clock.advance(jump);
        assert_eq!(secret(&ask(&keeper).await), "access-1");
    }
    assert_eq!(office.provider.calls(), 1);
}

#[tokio::test]
async fn tokens_of_two_seconds_are_renewed_once_in_three_quarters_of_their_life() {
    const STEP: Duration = Duration::from_millis(100);
    let office = Office::signed_in(Provider::open(2).await);
    let keeper = office.keeper();
    for _ in 0..300 {
        let mut crowd = JoinSet::new();
        for _ in 0..50 {
            let keeper = keeper.clone();
            crowd.spawn(async move { (keeper.credential().await.unwrap(), keeper.token_life().unwrap()) });
        }
        for (_, left) in crowd.join_all().await {
            assert!(left >= Duration::from_millis(400), "nobody gets one that is about to end: {left:?}");
        }
        tokio::time::pause();
        tokio::time::advance(STEP).await;
        tokio::time::resume();
    }
    let calls = office.provider.calls();
    assert!((19..=23).contains(&calls), "{calls} in thirty seconds and a little");
    assert!(office.provider.none_came_twice());
    assert_eq!(office.provider.most_under_way(), 1);
}
