//! Several processes at one vault: of all of them one renews, and the others use what it stored.
//!
//! Each keeper here has a holder of its own, which is what makes it another process to the vault.

use super::provider::{Office, Provider, cause};
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
