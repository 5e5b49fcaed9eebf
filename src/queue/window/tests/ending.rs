//! The relay ends while the store is at work: on mail that is being kept, and on outcomes that are being recorded.
//!
//! Commits are held back, the relay is told to end, couriers and devices are cut off. Then either the commit is made or
//! the process dies before it, and another queue looks at what is there. What was said to the device must be true then.

use super::*;
use crate::queue::store::{Filter, Page, Waiting as Row};
use crate::queue::{Kind, Known};

/// Why a mail is to be stored.
#[derive(Debug, Clone, Copy)]
enum Because {
    TheWindowIsOver,
    TheAccountIsClosed,
}

impl House {
    /// A commit is under way, and the device has not heard anything.
    async fn is_storing(&self, mail: &mut Waiting, commit: usize) {
        tokio::select! {
            biased;
            said = mail.hears() => panic!("{said} while it is being stored"),
            () = self.store.asked_for(commit) => {}
        }
    }

    /// The same while the relay ends.
    async fn ends_and_goes_on_storing(&self, mail: &mut Waiting) {
        self.queue.end_windows();
        tokio::select! {
            biased;
            said = mail.hears() => panic!("{said} while it is being stored"),
            () = settled_down() => {}
        }
    }

    /// The relay after this one, started over what this one has stored by now.
    async fn restarted(&self) -> Self {
        let next = Self::on(Arc::new(self.store.found_next()));
        next.queue.start(Known::default());
        tokio::time::sleep(Duration::from_millis(100)).await;
        next
    }

    fn rows(&self) -> Vec<Row> {
        self.store.list(&Filter::default(), Page { after: None, limit: usize::MAX }).unwrap()
    }

    /// Whether the queue has something more to write.
    async fn is_at_work(&self) -> bool {
        tokio::time::timeout(Duration::from_millis(100), self.queue.finished()).await.is_err()
    }

    /// A mail that was stored while a courier had it, whose dot was permitted; the next commit is held back.
    async fn sending(&self, recipients: &str) -> (Waiting, Lease) {
        let mut mail = self.offer(recipients);
        let lease = self.claim("office").await;
        assert_eq!(mail.hears().await, mail.queued());
        assert!(permit(&lease).await);
        self.store.hold();
        (mail, lease)
    }
}

fn is_notice(kind: Kind) -> bool {
    matches!(kind, Kind::Notice { .. })
}

/// Of all that is there: how many are notices, and what of the others is still owed.
fn found(house: &House) -> (usize, Vec<String>) {
    let (notices, mails): (Vec<_>, Vec<_>) = house.rows().into_iter().partition(|row| is_notice(row.kind));
    (notices.len(), states(&mails.into_iter().map(|row| row.parcel).collect::<Vec<_>>()))
}

#[tokio::test(start_paused = true)]
async fn mail_that_is_being_stored_when_the_relay_ends_is_answered_when_it_lies_there() {
    for because in [Because::TheWindowIsOver, Because::TheAccountIsClosed] {
        let house = House::new();
        house.store.hold();
        let mut mail = house.offer("a@x");
        if matches!(because, Because::TheAccountIsClosed) {
            house.queue.close(&"office".into(), why(Cause::Account));
        }
        house.is_storing(&mut mail, 1).await;
        house.ends_and_goes_on_storing(&mut mail).await;
        house.store.release();
        assert_eq!(mail.hears().await, mail.queued(), "{because:?}");
        house.queue.finished().await;
        let next = house.restarted().await;
        assert_eq!(next.claim("office").await.message().id, mail.id, "{because:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_device_that_is_cut_off_while_its_mail_is_being_stored_has_heard_nothing_and_it_is_found_if_it_was_stored() {
    for is_made in [true, false] {
        let house = House::new();
        house.store.hold();
        let mut mail = house.offer("a@x");
        house.is_storing(&mut mail, 1).await;
        house.ends_and_goes_on_storing(&mut mail).await;
        drop(mail);
        assert!(house.is_at_work().await, "the message goes on without its device");
        if is_made {
            house.store.release();
            house.queue.finished().await;
        }
        assert_eq!(found(&house.restarted().await), (0, if is_made { vec!["a@x open".into()] } else { vec![] }));
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_goes_away_in_the_midst_of_storing_is_no_250() {
    let house = House::new();
    house.store.hold();
    let mut mail = house.offer("a@x");
    house.is_storing(&mut mail, 1).await;
    house.ends_and_goes_on_storing(&mut mail).await;
    house.store.lose_waiting();
    assert_eq!(mail.hears().await, "452 4.3.1 The message cannot be stored, try again later");
    house.queue.finished().await;
    assert_eq!(found(&house.restarted().await), (0, vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_courier_that_is_cut_off_while_its_mail_is_being_stored_leaves_it_uncertain_only_after_the_dot() {
    for dot in [true, false] {
        let house = House::new();
        let mut mail = house.offer("a@x>office,backup");
        let lease = house.claim("office").await;
        assert!(!dot || permit(&lease).await);
        house.store.hold();
        house.is_storing(&mut mail, 1).await;
        house.ends_and_goes_on_storing(&mut mail).await;
        drop(lease);
        settled_down().await;
        house.store.release();
        assert_eq!(mail.hears().await, mail.queued());
        house.queue.finished().await;
        let next = house.restarted().await;
        let parcel = &next.parcels(&mail)[0];
        assert_eq!(parcel.route.to_string(), if dot { "office" } else { "office,backup" });
        assert_eq!(next.has_work_for("office"), !dot, "what may have arrived is not sent again at once");
    }
}

#[tokio::test(start_paused = true)]
async fn a_notice_that_is_being_stored_with_the_250_is_there_once_it_is_said() {
    let house = House::new();
    house.store.hold();
    let mut mail = house.offer("a@x b@x");
    let courier = settles(house.claim("office").await, [delivered(), never(550)]);
    house.is_storing(&mut mail, 1).await;
    house.ends_and_goes_on_storing(&mut mail).await;
    assert_eq!(found(&house.restarted().await), (0, vec![]), "nobody was promised anything yet");
    house.store.release();
    assert!(mail.hears().await.starts_with("250 "));
    mail.was_told();
    courier.await.unwrap();
    house.queue.finished().await;
    let next = house.restarted().await;
    assert_eq!(found(&next), (1, vec![]));
    assert!(is_notice(next.claim("office").await.message().kind));
}

#[tokio::test(start_paused = true)]
async fn an_outcome_of_stored_mail_that_is_being_recorded_when_the_relay_ends_is_there_whole_or_not_at_all() {
    for (outcomes, notices, left) in [
        ([delivered(), delivered()], 0, vec![]),
        ([delivered(), never(550)], 1, vec![]),
        ([never(550), later()], 1, vec!["a@x never".to_owned(), "b@x open".to_owned()]),
    ] {
        for is_made in [true, false] {
            let house = House::new();
            let (_mail, lease) = house.sending("a@x b@x").await;
            let courier = settles(lease, outcomes.clone());
            house.store.asked_for(3).await;
            house.queue.end_windows();
            settled_down().await;
            assert!(!courier.is_finished(), "its next dot would be a second one in doubt");
            courier.abort();
            settled_down().await;
            if is_made {
                house.store.release();
                house.queue.finished().await;
                assert_eq!(found(&house.restarted().await), (notices, left.clone()));
            } else {
                let next = house.restarted().await;
                assert_eq!(found(&next), (0, vec!["a@x open".into(), "b@x open".into()]), "nobody knows");
                assert!(!next.has_work_for("office"), "and it is not sent again at once");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_outcome_that_came_while_its_mail_was_being_stored_is_recorded_before_the_relay_has_ended() {
    for is_made in [true, false] {
        let house = House::new();
        let mut mail = house.offer("a@x b@x");
        let lease = house.claim("office").await;
        assert!(permit(&lease).await);
        house.store.hold();
        house.is_storing(&mut mail, 1).await;
        let courier = settles(lease, [delivered(), never(550)]);
        house.ends_and_goes_on_storing(&mut mail).await;
        assert!(house.store.let_one_pass());
        assert_eq!(mail.hears().await, mail.queued());
        mail.was_told();
        courier.abort();
        house.store.asked_for(2).await;
        assert!(house.is_at_work().await, "what the provider said is still to be recorded");
        if is_made {
            house.store.release();
            house.queue.finished().await;
            assert_eq!(found(&house.restarted().await), (1, vec![]));
        } else {
            let next = house.restarted().await;
            assert_eq!(found(&next), (0, vec!["a@x open".into(), "b@x open".into()]));
            assert!(!next.has_work_for("office"), "it may have arrived");
        }
    }
}
