//! Several processes at one vault: of all of them one renews, and the others use what it stored.
//!
//! Each keeper here has a holder of its own, which is what makes it another process to the vault.

use super::provider::{Documents, Office, Provider, cause};
use super::*;
use crate::account::vault::{LEASE, Lease};

#[tokio::test]
async fn two_processes_never_call_at_once_and_one_renewal_serves_both() {
    let office = Office::signed_in(Provider::closed(3600).await);
    let mut crowd = JoinSet::new();
    for keeper in [office.keeper(), office.keeper()] {
        for _ in 0..20 {
            let keeper = keeper.clone();
            crowd.spawn(async move { keeper.credential().await });
        }
    }
    office.provider.called(1).await;
    // The other process looks again and again, and goes on waiting.
    let waits = async {
        tokio::time::pause();
        tokio::time::sleep(Duration::from_secs(10)).await;
        tokio::time::resume();
    };
    waits.await;
    assert_eq!(office.provider.calls(), 1);
    office.provider.let_answer();
    for credential in crowd.join_all().await {
        assert_eq!(secret(&credential.unwrap()), "access-1");
    }
    assert_eq!((office.provider.calls(), office.provider.most_under_way()), (1, 1));
}

#[tokio::test]
async fn when_the_renewal_of_another_process_fails_we_try_ourselves() {
    let office = Office::signed_in(Provider::closed(3600).await);
    office.provider.will_answer(Some((503, &[], "oops")));
    let (theirs, ours) = (office.keeper(), office.keeper());
    let theirs = tokio::spawn(async move { theirs.credential().await });
    office.provider.called(1).await;
    let ours = tokio::spawn(async move { ours.credential().await });
    office.provider.will_answer(None);
    office.provider.let_answer();
    assert_eq!(cause(&theirs.await.unwrap().unwrap_err()), Cause::Network);
    office.provider.let_answer();
    assert_eq!(secret(&ours.await.unwrap().unwrap()), "access-2");
    assert_eq!(office.provider.most_under_way(), 1);
}

/// Somebody takes the lease and is never heard of again.
fn dies_in_a_renewal(office: &Office, holder: &Holder) {
    let lease = office.vault.lease(&"office".into(), holder, office.clock.now()).unwrap();
    assert!(matches!(lease, Lease::Yours(_)));
}

/// Asks, with a clock that runs as fast as everybody sleeps, and says how long that took.
async fn waited(keeper: &Arc<Keeper>, office: &Office, wall: i64) -> Duration {
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    let asking = tokio::spawn({
        let keeper = keeper.clone();
        async move { keeper.credential().await }
    });
    while !asking.is_finished() {
        tokio::time::sleep(Duration::from_secs(1)).await;
        office.clock.advance(wall);
        if office.provider.calls() > 0 {
            break;
        }
    }
    let waited = began.elapsed();
    tokio::time::resume();
    assert_eq!(secret(&asking.await.unwrap().unwrap()), "access-1");
    waited
}

#[tokio::test]
async fn the_lease_of_a_process_that_died_ends_by_itself() {
    let office = Office::signed_in(Provider::open(3600).await);
    dies_in_a_renewal(&office, &Holder::new(false));
    let waited = waited(&office.keeper(), &office, 1).await;
    assert!(waited.abs_diff(LEASE) <= Duration::from_secs(5), "{waited:?}");
}

#[tokio::test]
async fn a_lease_ends_even_if_the_wall_clock_goes_backwards() {
    let office = Office::signed_in(Provider::open(3600).await);
    dies_in_a_renewal(&office, &Holder::new(false));
    let waited = waited(&office.keeper(), &office, -1).await;
    assert!(waited >= LEASE && waited <= LEASE + Duration::from_secs(5), "{waited:?}");
}

/// The sign-in was made for the endpoint as this grant names it.
fn signed_in_with(office: &Office, grant: &Grant) {
    let mut record = office.record();
    record.facts.endpoint = grant.application().unwrap().endpoints.address().as_str().to_owned();
    let _ = office.vault.put(&"office".into(), &record, Expected::Any, &Holder::new(false)).unwrap();
}

/// The lease is for the call alone: with a slow search for the endpoint before it, it might end during the call.
#[tokio::test]
async fn whom_to_ask_is_found_out_before_the_lease_is_taken() {
    let office = Office::signed_in(Provider::open(3600).await);
    let documents = Documents::of(&office.provider).await;
    let grant = office.provider.grant_by(&documents);
    signed_in_with(&office, &grant);
    let keeper = office.keeper_with(grant, office.vault.clone());
    let asking = tokio::spawn(async move { keeper.credential().await });
    documents.asked().await;
    let other = Holder::new(false);
    assert!(matches!(office.vault.lease(&"office".into(), &other, office.clock.now()), Ok(Lease::Yours(_))));
    office.vault.give_back(&"office".into(), &other, None).unwrap();
    documents.let_answer(None);
    assert_eq!(secret(&asking.await.unwrap().unwrap()), "access-1");
}

#[tokio::test]
async fn a_server_of_documents_that_asks_for_a_pause_has_it_too() {
    let office = Office::signed_in(Provider::open(3600).await);
    let documents = Documents::of(&office.provider).await;
    let grant = office.provider.grant_by(&documents);
    signed_in_with(&office, &grant);
    let keeper = office.keeper_with(grant, office.vault.clone());
    documents.let_answer(Some((429, &[("retry-after", "120")], "slow down")));
    assert_eq!(cause(&keeper.credential().await.unwrap_err()), Cause::Throttle);
    let said = keeper.status().await.last_reply.unwrap();
    assert_eq!(said.code.as_deref(), Some("discovery_throttled"), "of the last call, not of the last renewal");
    office.pass(110).await;
    assert_eq!(cause(&keeper.credential().await.unwrap_err()), Cause::Throttle);
    assert_eq!(documents.times_asked(), 1);
    office.pass(10).await;
    documents.let_answer(None);
    assert_eq!(secret(&ask(&keeper).await), "access-1");
}

#[tokio::test]
async fn nobody_waits_for_ever_for_the_renewals_of_others() {
    let office = Office::signed_in(Provider::open(3600).await);
    tokio::time::pause();
    let keeper = office.keeper();
    let asking = tokio::spawn(async move { keeper.credential().await });
    let began = tokio::time::Instant::now();
    while !asking.is_finished() {
        // Always another one, and none of them brings anything.
        office.clock.advance(100);
        dies_in_a_renewal(&office, &Holder::new(false));
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(began.elapsed() < LEASE * 3);
    }
    let failure = asking.await.unwrap().unwrap_err();
    assert!(matches!(failure, Failure::Kept(KeptFailure::Busy { .. })), "{failure:?}");
    assert_eq!(cause(&failure), Cause::Network);
}

#[tokio::test]
async fn the_next_owner_does_not_wait_for_the_dead_one() {
    let office = Office::signed_in(Provider::open(3600).await);
    dies_in_a_renewal(&office, &Holder::new(true));
    office.vault.bury(&Holder::new(true)).unwrap();
    assert_eq!(secret(&ask(&office.keeper()).await), "access-1");
}
