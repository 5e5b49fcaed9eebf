//! The rows of the table of answers that hold for a pure proxy, and the fight between withdrawal and the dot.
//!
//! Time stands still unless a test moves it.

use super::*;
use crate::ids::AttemptId;
use crate::mail::address::Address;
use crate::mail::envelope::{Envelope, Recipient, ReversePath, Sender};
use crate::smtp::reply::Enhanced;
use crate::words::Cause;

fn message(recipients: &[&str]) -> Offered {
    let address = |text: &&str| Recipient::plain(Address::parse(text.as_bytes()).unwrap());
    let sender =
        Sender { reverse_path: ReversePath::Null, declared_size: None, smtputf8: false, ret: None, envid: None };
    let (_, unstamped) =
        body::Draft::new(std::path::Path::new("unused"), crate::mail::repair::Settings::default()).finish().unwrap();
    let body = unstamped.stamp(String::new());
    let message = Message { body, ..fixture::message("scanner", jiff::Timestamp::UNIX_EPOCH) };
    let recipients: Vec<_> = recipients.iter().map(address).collect();
    let routes = vec![Route::only("office".into()); recipients.len()];
    Offered { message, envelope: Arc::new(Envelope { sender, recipients }), routes }
}

/// The same from this device.
fn from(device: &str) -> Offered {
    let offered = message(&["a@x"]);
    Offered { message: Message { device: device.into(), ..offered.message }, ..offered }
}

fn why(cause: Cause) -> Diagnosis {
    Diagnosis::new("test", cause, "because", "mend it")
}

fn never(code: u16) -> Outcome {
    Outcome::Never(Refusal::new(code, 1, 1, "No such user"), why(Cause::Message))
}

fn later(code: u16) -> Outcome {
    Outcome::Later(Some(Refusal::new(code, 2, 0, "Greylisted")), why(Cause::Throttle))
}

fn delivered() -> Outcome {
    Outcome::Delivered(Reply { code: 250, enhanced: Some(Enhanced(2, 6, 0)), text: "queued as 7".into() })
}

const WAIT: Duration = Duration::from_secs(15);

fn offered(recipients: &[&str]) -> (Queue, Offer) {
    let queue = Queue::proxy(["office".into()]);
    let offer = queue.offer(message(recipients), WAIT, tokio::time::Instant::now().into_std()).unwrap();
    (queue, offer)
}

/// Offers to three recipients, settles so, and says what the device hears.
async fn heard(outcomes: [Outcome; 3]) -> Result<String, String> {
    let (queue, mut offer) = offered(&["a@x", "b@x", "c@x"]);
    queue.claim(&"office".into()).await.settle(outcomes.into(), None).await;
    match offer.answer().await {
        Answer::Accepted(proof) => Ok(proof.reply().to_string()),
        Answer::Refused(refusal, _) => Err(refusal.reply().to_string()),
    }
}

#[tokio::test(start_paused = true)]
async fn accepted_means_every_recipient_was_taken() {
    assert_eq!(heard([delivered(), delivered(), delivered()]).await, Ok("250 2.6.0 queued as 7".into()));
    assert!(heard([delivered(), delivered(), never(550)]).await.is_err());
    assert!(heard([delivered(), delivered(), later(450)]).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_refused_recipient_is_named_and_nobody_got_it() {
    let spared = || Outcome::Later(None, why(Cause::Message));
    assert_eq!(
        heard([spared(), never(550), spared()]).await,
        Err("550 5.1.1 b@x: No such user (sent to nobody)".into())
    );
    assert_eq!(heard([never(550), never(550), never(550)]).await, Err("550 5.1.1 No such user".into()));
    assert_eq!(
        heard([never(553), never(550), never(550)]).await,
        Err("550 5.1.1 b@x, c@x: No such user (sent to nobody)".into())
    );
    assert_eq!(heard([later(450), spared(), spared()]).await, Err("450 4.2.0 a@x: Greylisted (sent to nobody)".into()));
    let permanent_first = heard([later(450), later(450), never(550)]).await;
    assert_eq!(permanent_first, Err("550 5.1.1 c@x: No such user (sent to nobody)".into()));
}

#[tokio::test(start_paused = true)]
async fn later_hold_and_uncertain_are_451() {
    let all = |outcome: Outcome| heard([outcome.clone(), outcome.clone(), outcome]);
    assert_eq!(
        all(Outcome::Later(None, why(Cause::Network))).await,
        Err("451 4.4.0 Not sent, try again later: because".into())
    );
    let held = all(Outcome::Hold(why(Cause::Account))).await;
    assert_eq!(held, Err("451 4.7.0 Not sent, the account cannot be used: because".into()));
    let uncertain = all(Outcome::Uncertain(why(Cause::Uncertain))).await;
    assert_eq!(uncertain, Err("451 4.4.2 The provider did not confirm the message, it may have arrived".into()));
}

#[tokio::test(start_paused = true)]
async fn mail_whose_account_closes_hears_whether_it_is_held_or_out_of_reach() {
    let held = "451 4.7.0 Not sent, the account cannot be used: because";
    let away = "451 4.4.0 Not sent, try again later: because";
    for (cause, heard) in [(Cause::Account, held), (Cause::Quota, held), (Cause::Config, held), (Cause::Network, away)]
    {
        let (queue, mut offer) = offered(&["a@x"]);
        queue.close(&"office".into(), why(cause));
        let Answer::Refused(refusal, _) = offer.answer().await else { panic!("nobody took it") };
        assert_eq!(refusal.reply().to_string(), heard, "{cause:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn when_the_window_ends_before_the_dot_nothing_can_go_out() {
    let (queue, mut offer) = offered(&["a@x"]);
    let lease = queue.claim(&"office".into()).await;
    let Answer::Refused(refusal, _) = offer.answer().await else { panic!("accepted without the provider") };
    assert_eq!(refusal.reply().code, 451);
    assert!(lease.permit_dot(AttemptId::new()).await.is_none(), "the dot must not be written any more");
    lease.withdrawn().await;
}

#[tokio::test(start_paused = true)]
async fn when_the_window_ends_after_the_dot_only_the_provider_answers() {
    let (queue, mut offer) = offered(&["a@x"]);
    let lease = queue.claim(&"office".into()).await;
    let permit = lease.permit_dot(AttemptId::new()).await;
    assert!(permit.is_some() && !offer.withdraw());
    let (answer, ()) = tokio::join!(offer.answer(), async {
        tokio::time::sleep(WAIT * 20).await;
        lease.settle(vec![delivered()], None).await;
    });
    assert!(matches!(answer, Answer::Accepted(_)));
}

#[tokio::test(start_paused = true)]
async fn a_courier_that_dies_is_uncertain_only_after_the_dot() {
    for (dot, code) in [(false, "451 4.3.0"), (true, "451 4.4.2")] {
        let (queue, mut offer) = offered(&["a@x"]);
        let lease = queue.claim(&"office".into()).await;
        let _permit = if dot { lease.permit_dot(AttemptId::new()).await } else { None };
        drop(lease);
        let Answer::Refused(refusal, _) = offer.answer().await else { panic!() };
        assert!(refusal.reply().to_string().starts_with(code), "{refusal:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_nobody_wants_any_more_is_not_claimed() {
    let queue = Queue::proxy(["office".into()]);
    let now = Instant::now();
    drop(queue.offer(message(&["gone@x"]), WAIT, now).unwrap());
    let _waiting = queue.offer(message(&["here@x"]), WAIT, now).unwrap();
    let lease = queue.claim(&"office".into()).await;
    assert_eq!(lease.envelope().recipients[0].address.as_str(), "here@x");
    let elsewhere = Offered { routes: vec![Route::only("other".into())], ..message(&["a@x"]) };
    assert!(queue.offer(elsewhere, WAIT, now).is_err());
}

#[tokio::test(start_paused = true)]
async fn devices_take_turns() {
    let queue = Queue::proxy(["office".into()]);
    let now = Instant::now();
    let order = ["nas", "nas", "nas", "fax", "nas", "scanner"];
    let _offers: Vec<Offer> = order.map(|device| queue.offer(from(device), WAIT, now).unwrap()).into();
    let mut claimed = Vec::new();
    for _ in order {
        claimed.push(queue.claim(&"office".into()).await.message().device.to_string());
    }
    assert_eq!(claimed, ["nas", "fax", "scanner", "nas", "nas", "nas"], "one device cannot starve another");
}

#[tokio::test(start_paused = true)]
async fn what_nobody_wants_does_not_pile_up_while_all_couriers_are_stuck() {
    let queue = Queue::proxy(["office".into()]);
    for _ in 0..1000 {
        drop(queue.offer(message(&["gone@x"]), WAIT, Instant::now()).unwrap());
    }
    assert_eq!(queue.lanes().get(&"office".into()).unwrap().len(), 1, "only the last one, until the next comes");
}

#[tokio::test(start_paused = true)]
async fn the_courier_that_came_last_gets_the_message() {
    let queue = Queue::proxy(["office".into()]);
    let (account, other) = ("office".into(), "office".into());
    let (mut cold, mut warm) = (Box::pin(queue.claim(&account)), Box::pin(queue.claim(&other)));
    tokio::select! {
        biased;
        _ = &mut cold => panic!(),
        _ = &mut warm => panic!(),
        () = std::future::ready(()) => {}
    }
    let _offer = queue.offer(message(&["a@x"]), WAIT, Instant::now()).unwrap();
    warm.await;
}
