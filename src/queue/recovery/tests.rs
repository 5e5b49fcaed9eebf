//! What a new start makes of what an earlier run left behind.
//!
//! The runtime's clock runs ahead whenever everybody waits, so that a pause is long enough for all that is under way.

use super::*;
use crate::ids::{AttemptId, MessageId};
use crate::queue::fixture::{House, at, keeping};
use crate::queue::parcel::ParcelId;

/// An unanswered dot of an account that was written at this second.
fn sending(account: &str, since: i64) -> Standing {
    Standing::Sending { account: account.into(), attempt: AttemptId::new(), since: at(since) }
}

/// Starts over what lies there, with these accounts, and waits until all is looked after.
async fn restarted(house: House, accounts: &[&str], known: Known) -> House {
    let again = House::over(house.store, house.clock, keeping(), accounts);
    again.queue.start(known);
    tokio::time::sleep(Duration::from_secs(1)).await;
    again
}

fn route(house: &House, id: ParcelId) -> String {
    house.row(id).unwrap().route.to_string()
}

#[tokio::test(start_paused = true)]
async fn a_dot_without_an_answer_is_repeated_through_its_own_account_and_not_soon() {
    let house = House::new(keeping(), &["office", "backup"]);
    let sent = house.put_as("nas", "office,backup", sending("backup", 0)).await;
    let due = house.put("nas", "office,backup", 0).await;
    let house = restarted(house, &["office", "backup"], Known::default()).await;
    assert_eq!(house.claim("office").await.message().id, due.message, "certainly not sent: at once");
    assert!(house.claimed("backup").await.is_none());
    house.clock.advance(599);
    assert!(house.claimed("backup").await.is_none());
    house.clock.advance(800);
    assert_eq!(house.claim("backup").await.message().id, sent.message);
    assert_eq!(route(&house, sent), "backup");
}

#[tokio::test(start_paused = true)]
async fn mail_follows_its_account_to_a_new_name() {
    let house = House::new(keeping(), &["office", "backup"]);
    let id = house.put("nas", "office,backup", 0).await;
    let renamed = HashMap::from([("office".into(), "main".into())]);
    let house = restarted(house, &["main", "backup"], Known { renamed, ..Known::default() }).await;
    assert_eq!(route(&house, id), "main,backup");
    assert_eq!(house.claim("main").await.message().id, id.message);
}

#[tokio::test(start_paused = true)]
async fn mail_whose_accounts_are_gone_is_routed_anew_but_not_what_may_have_been_sent() {
    let house = House::new(keeping(), &["office"]);
    let due = house.put("nas", "office", 0).await;
    let sent = house.put_as("nas", "office", sending("office", 0)).await;
    let reroute: Reroute = Box::new(|_| Some(Route::only("other".into())));
    let house = restarted(house, &["other"], Known { reroute, ..Known::default() }).await;
    assert_eq!(house.claim("other").await.message().id, due.message);
    let standing = house.row(sent).unwrap().standing;
    assert!(matches!(standing, Standing::Held { by: HeldBy::NoAccount, .. }), "{standing:?}");
}

#[tokio::test(start_paused = true)]
async fn mail_without_an_account_is_held_until_one_is_back() {
    let house = House::new(keeping(), &["office"]);
    let id = house.put("nas", "office", 0).await;
    let house = restarted(house, &["other"], Known::default()).await;
    let Standing::Held { by: HeldBy::NoAccount, why, .. } = house.row(id).unwrap().standing else { panic!() };
    assert!(why.sentence.contains("office"), "{}", why.sentence);
    house.queue.end_windows();
    let house = restarted(house, &["office"], Known::default()).await;
    assert_eq!(house.claim("office").await.message().id, id.message);
}

/// An identity to sign it with may be there now; only a person knows whether what a person held may go.
#[tokio::test(start_paused = true)]
async fn what_lacked_something_is_tried_again_by_the_next_run_and_what_a_person_held_is_not() {
    let house = House::new(keeping(), &["office"]);
    let held = |by| {
        let why = Why { code: String::new(), cause: Cause::Config, sentence: "no".into(), cure: String::new() };
        Standing::Held { since: jiff::Timestamp::UNIX_EPOCH, until: None, by, why }
    };
    let unsigned = house.put_as("nas", "office", held(HeldBy::Message)).await;
    let by_hand = house.put_as("nas", "office", held(HeldBy::Person)).await;
    let house = restarted(house, &["office"], Known::default()).await;
    assert_eq!(house.claim("office").await.message().id, unsigned.message);
    assert!(matches!(house.row(by_hand).unwrap().standing, Standing::Held { by: HeldBy::Person, .. }));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_at_first_is_looked_at_again() {
    let house = House::new(keeping(), &["office"]);
    let (sent, id) = (house.put_as("nas", "office", sending("office", 0)).await, house.put("nas", "office", 0).await);
    for id in [sent, id] {
        house.store.trouble_with_parcels(id.message);
        let renamed = HashMap::from([("office".into(), "main".into())]);
        let again = House::over(Arc::clone(&house.store), house.clock.clone(), keeping(), &["main"]);
        again.queue.start(Known { renamed, ..Known::default() });
        tokio::time::sleep(Duration::from_millis(100)).await;
        again.store.heal(id.message);
        again.pass(60, 60).await;
        assert_eq!((route(&again, sent), route(&again, id)), ("main".into(), "main".into()));
        again.queue.end_windows();
    }
}

#[tokio::test(start_paused = true)]
async fn all_pages_are_looked_through() {
    let house = House::new(keeping(), &["office"]);
    for _ in 0..=PAGE * 2 {
        house.put("nas", "office", 0).await;
    }
    let renamed = HashMap::from([("office".into(), "main".into())]);
    let house = restarted(house, &["main"], Known { renamed, ..Known::default() }).await;
    assert!(house.rows().iter().all(|row| row.parcel.route.to_string() == "main"));
    let ids: std::collections::HashSet<MessageId> = house.rows().iter().map(|row| row.parcel.id.message).collect();
    assert_eq!(ids.len(), PAGE * 2 + 1);
}
