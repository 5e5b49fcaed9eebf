//! Notices on their way through the queue: how many there are, in which commit, and what becomes of them.
//!
//! The queue is real, its store is in memory, the clock is set; each story stores a mail and has a courier settle it.

use std::time::Duration;

use crate::disk::durable::NotStored;
use crate::ids::{MessageId, SessionId};
use crate::mail::address::Address;
use crate::mail::envelope::{Notify, Recipient, ReversePath};
use crate::queue::fixture::{self, House, at, delivered, keeping, later, why};
use crate::queue::parcel::{Owed, ParcelId, Standing, State};
use crate::queue::store::{Change, Store as _, Waiting};
use crate::queue::{Keeping, Kind, Lease, Notices, Outcome};
use crate::smtp::reply::Refusal;
use crate::words::Cause;

fn address(text: &str) -> Address {
    Address::parse(text.as_bytes()).unwrap()
}

fn never() -> Outcome {
    Outcome::Never(Refusal::new(550, 1, 1, "No such user"), why(Cause::Message))
}

/// A queue whose administrator gets what no sender can.
fn house(keep_failed: Duration) -> House {
    let notices = Notices { admin: Some(address("it@example.com")), ..Notices::default() };
    House::started(Keeping { keep_failed, notices, ..keeping() }, &["office"])
}

const MONTH: Duration = Duration::from_hours(30 * 24);

/// Stores a mail to these, and has a courier take it.
async fn taken(house: &House, recipients: &[(&str, Option<Notify>)]) -> Lease {
    let mut message = fixture::message("scanner", house.clock.now());
    message.session = SessionId::new();
    message.sender.reverse_path = ReversePath::Mailbox(address("root@nas"));
    let id = ParcelId { message: message.id, number: 0 };
    let owed = |(to, notify): &(&str, Option<Notify>)| Owed {
        recipient: Recipient { notify: *notify, ..Recipient::plain(address(to)) },
        state: State::NEW,
    };
    let mut parcel = fixture::parcel(id, "office", Standing::Due { at: at(0) });
    parcel.recipients = recipients.iter().map(owed).collect();
    let route = parcel.route.clone();
    house.store.commit(vec![Change::Store(message.into(), vec![parcel])]).await.unwrap();
    house.core().look(&route);
    house.claim("office").await
}

fn notices(house: &House) -> Vec<Waiting> {
    house.rows().into_iter().filter(|row| matches!(row.kind, Kind::Notice { .. })).collect()
}

fn text(house: &House, id: MessageId) -> String {
    let message = house.store.message(id).unwrap().unwrap();
    let mut octets = Vec::new();
    message.body.read_at(0, usize::MAX, &mut octets).unwrap();
    String::from_utf8(octets).unwrap()
}

#[tokio::test]
async fn who_fails_together_is_reported_together_and_once() {
    let house = house(Duration::ZERO);
    let lease = taken(&house, &[("a@x.example", None), ("b@x.example", None), ("c@x.example", None)]).await;
    let mail = lease.message().id;
    let before = house.store.commits();
    lease.settle(vec![never(), delivered(), never()], None).await;
    assert_eq!(house.store.commits(), before + 1, "the outcome and its notice are one commit");
    let [notice] = &notices(&house)[..] else { panic!("{:?}", notices(&house)) };
    assert_eq!((notice.kind, &notice.reverse_path), (Kind::Notice { of: mail }, &ReversePath::Null));
    let text = text(&house, notice.parcel.id.message);
    assert!(text.contains("rfc822; a@x.example") && text.contains("rfc822; c@x.example"), "{text}");
    assert!(!text.contains("b@x.example"), "{text}");
    assert!(!text.contains("queue show"), "the mail is not kept");
    assert_eq!(house.rows().len(), 1);
}

#[tokio::test]
async fn who_fails_later_is_reported_then() {
    let house = house(MONTH);
    let lease = taken(&house, &[("a@x.example", None), ("b@x.example", None)]).await;
    let mail = lease.message().id;
    lease.settle(vec![never(), later()], None).await;
    let [first] = &notices(&house)[..] else { panic!("{:?}", notices(&house)) };
    let first = first.parcel.id;
    let report = text(&house, first.message);
    assert!(report.contains(&format!("posthouse queue show {mail}")), "it still lies there: {report}");

    // The notice is taken as any mail is; then the rest of the mail fails.
    let notice = house.claim("office").await;
    assert_eq!(notice.message().id, first.message);
    notice.settle(vec![delivered()], None).await;
    house.clock.advance(120);
    let lease = house.claim("office").await;
    assert_eq!(lease.envelope().recipients[0].address, address("b@x.example"));
    lease.settle(vec![never()], None).await;
    let [second] = &notices(&house)[..] else { panic!("{:?}", notices(&house)) };
    let report = text(&house, second.parcel.id.message);
    assert!(report.contains("b@x.example") && !report.contains("a@x.example"), "{report}");
    let kept = house.row(ParcelId { message: mail, number: 0 }).unwrap();
    assert!(matches!(kept.standing, Standing::Failed { .. }), "{kept:?}");
}

#[tokio::test]
async fn a_notice_that_fails_is_the_last_word() {
    let house = house(Duration::ZERO);
    let lease = taken(&house, &[("a@x.example", None)]).await;
    lease.settle(vec![never()], None).await;
    let notice = house.claim("office").await;
    assert_eq!(notice.envelope().recipients[0].address, address("it@example.com"));
    notice.settle(vec![never()], None).await;
    assert_eq!(house.rows(), [], "no notice about a notice");
}

#[tokio::test]
async fn whoever_does_not_want_to_know_is_not_told() {
    let house = house(Duration::ZERO);
    let success = Notify::On { success: true, failure: false, delay: false };
    let lease = taken(&house, &[("a@x.example", Some(Notify::Never)), ("b@x.example", Some(success))]).await;
    lease.settle(vec![never(), never()], None).await;
    assert_eq!(house.rows(), []);
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_fails_leaves_no_notice_behind() {
    let house = house(Duration::ZERO);
    let lease = taken(&house, &[("a@x.example", None)]).await;
    house.store.fail_next(NotStored::Full { detail: "no room".into() });
    let settled = tokio::spawn(lease.settle(vec![never()], None));
    tokio::task::yield_now().await;
    assert_eq!(notices(&house).len(), 0);
    settled.await.unwrap();
    assert_eq!(notices(&house).len(), 1, "once, when there was room again");
}
