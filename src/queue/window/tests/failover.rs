//! The next account of a route gets its turn inside the window, and recipients go in parcels.
//!
//! What may have arrived goes to no other account; what is only slowed down does not, either. Nothing of this is
//! written to disk.

use super::*;

#[tokio::test(start_paused = true)]
async fn the_next_open_account_has_its_turn_at_once() {
    for outcome in [unreachable(), hold()] {
        let house = House::new();
        let began = now();
        let mut mail = house.offer("a@x>office,backup");
        settles(house.claim("office").await, [outcome]).await.unwrap();
        let courier = settles(house.claim("backup").await, [delivered()]);
        assert_eq!(mail.hears().await, "250 2.6.0 taken as 7");
        mail.was_told();
        courier.await.unwrap();
        assert_eq!((now(), house.store.commits()), (began, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn what_may_have_arrived_or_is_only_slowed_down_goes_to_no_other_account() {
    for outcome in [uncertain(), later()] {
        let house = House::new();
        let (mut mail, began) = (house.offer("a@x>office,backup"), now());
        settles(house.claim("office").await, [outcome]);
        assert_eq!(mail.hears().await, mail.queued());
        assert_eq!(now(), began, "it waited for nobody");
        assert!(!house.has_work_for("backup"));
    }
}

#[tokio::test(start_paused = true)]
async fn an_uncertain_parcel_keeps_to_its_account() {
    let house = House::new();
    let mut mail = house.offer("a@x>office,backup");
    settles(house.claim("office").await, [uncertain()]);
    mail.hears().await;
    assert_eq!(house.parcels(&mail)[0].route.to_string(), "office");
}

#[tokio::test(start_paused = true)]
async fn only_those_who_did_not_get_it_go_on_to_the_next_account() {
    let house = House::new();
    let mut mail = house.offer("a@x>office,backup b@x>office,backup c@x>office,backup");
    let first = settles(house.claim("office").await, [delivered(), unreachable(), never(550)]);
    let lease = house.claim("backup").await;
    let to: Vec<_> = lease.envelope().recipients.iter().map(|recipient| recipient.address.to_string()).collect();
    assert_eq!(to, ["b@x"]);
    let second = settles(lease, [later()]);
    assert_eq!(mail.hears().await, mail.queued());
    first.await.unwrap();
    second.await.unwrap();
    assert_eq!(house.states(&mail), ["b@x open"]);
    assert_eq!(house.store.messages(), 2, "and the notice about c@x");
}

#[tokio::test(start_paused = true)]
async fn when_the_last_account_fails_the_message_is_stored() {
    let house = House::new();
    let began = now();
    let mut mail = house.offer("a@x>office,backup");
    settles(house.claim("office").await, [unreachable()]).await.unwrap();
    settles(house.claim("backup").await, [unreachable()]).await.unwrap();
    assert_eq!(mail.hears().await, mail.queued());
    assert_eq!(now(), began);
    assert_eq!(house.parcels(&mail)[0].route.to_string(), "office,backup", "both have their turn again");
}

#[tokio::test(start_paused = true)]
async fn a_closed_account_is_passed_over_from_the_beginning() {
    let house = House::new();
    house.queue.close(&"office".into(), why(Cause::Network));
    let mut mail = house.offer("a@x>office,backup");
    settles(house.claim("backup").await, [delivered()]);
    assert_eq!(mail.hears().await, "250 2.6.0 taken as 7");
}

#[tokio::test(start_paused = true)]
async fn more_recipients_than_one_transaction_takes_go_in_two_parcels() {
    let house = House::new();
    let mut mail = house.offer("a@x b@x c@x d@x");
    assert_eq!(mail.hears().await, mail.queued());
    let sizes: Vec<_> = house.parcels(&mail).iter().map(|parcel| parcel.recipients.len()).collect();
    assert_eq!(sizes, [3, 1]);
}

#[tokio::test(start_paused = true)]
async fn recipients_go_in_parcels_by_route_and_by_what_one_transaction_takes() {
    let house = House::new();
    let mut mail = house.offer("a@x b@x>backup c@x d@x e@x f@x");
    assert_eq!(mail.hears().await, mail.queued());
    let parcels = house.parcels(&mail);
    let shown: Vec<_> = parcels.iter().map(|p| format!("{} {:?}", p.route, states(std::slice::from_ref(p)))).collect();
    assert_eq!(
        shown,
        [
            r#"office ["a@x open", "c@x open", "d@x open"]"#,
            r#"office ["e@x open", "f@x open"]"#,
            r#"backup ["b@x open"]"#
        ]
    );
    assert_eq!(parcels.iter().map(|parcel| parcel.id.number).collect::<Vec<_>>(), [0, 1, 2]);
}
