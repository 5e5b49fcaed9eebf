//! With `--to`: MAIL, RCPT, DATA and the reply to the dot, each taken and refused.

use posthouse::sandbox::fault::{Fault, Stage, Times};

use super::stand::{IMPLICIT, RECIPIENT, Stand};

#[tokio::test]
async fn a_mail_goes_out_and_every_step_is_shown() {
    let stand = Stand::new(IMPLICIT).await;
    stand.tells("delivered", 0, &stand.test(&["office", "--to", RECIPIENT]).await);
    let delivery = stand.sandbox.mailbox().deliveries().pop().unwrap();
    assert_eq!((delivery.reverse_path.as_str(), delivery.addresses()), ("scanner@sandbox.example", vec![RECIPIENT]));
    let text = delivery.text();
    for line in ["\r\nSubject: Posthouse test\r\n", "\r\nRelay:    relay.test\r\n", "\r\nAccount:  office\r\n"] {
        assert!(text.contains(line), "{text}");
    }
    assert_eq!(stand.sandbox.violations(), []);
}

#[tokio::test]
async fn another_sender_can_be_tried() {
    let stand = Stand::new(IMPLICIT).await;
    let ran = stand.test(&["--to", RECIPIENT, "--from", "boss@sandbox.example"]).await;
    assert_eq!(ran.code, 0, "{}", ran.printed);
    let delivery = stand.sandbox.mailbox().deliveries().pop().unwrap();
    assert_eq!(delivery.reverse_path, "boss@sandbox.example");
    assert!(delivery.text().contains("From: boss@sandbox.example\r\n"), "{}", delivery.text());
}

#[tokio::test]
async fn it_comes_from_the_sender_of_the_account() {
    let sender = "sender = { name = \"Scanner, Büro 2\", address = \"boss@sandbox.example\" }\n";
    let stand = Stand::new(&format!("{IMPLICIT}{sender}")).await;
    stand.says(&["--to", RECIPIENT], 0, &[]).await;
    stand.says(&["--to", RECIPIENT, "--from", "scanner@sandbox.example"], 0, &[]).await;
    let deliveries = stand.sandbox.mailbox().deliveries();
    // printf 'Scanner, Büro 2' | base64
    let named = "From: =?UTF-8?B?U2Nhbm5lciwgQsO8cm8gMg==?= <boss@sandbox.example>\r\n";
    assert_eq!(deliveries[0].reverse_path, "boss@sandbox.example");
    assert!(deliveries[0].text().contains(named), "{}", deliveries[0].text());
    assert!(deliveries[1].text().contains("From: scanner@sandbox.example\r\n"), "{}", deliveries[1].text());
    assert_eq!(stand.sandbox.violations(), []);
}

#[tokio::test]
async fn an_account_without_an_address_needs_one_to_send_from() {
    let account = IMPLICIT.replace("address = \"scanner@sandbox.example\"", "username = \"scanner\"");
    let stand = Stand::new(&account).await;
    stand.says(&["--to", RECIPIENT], 64, &["has no address to send from", "--from"]).await;
    assert_eq!(stand.sandbox.counters().connections, 0);
}

/// A provider that does this at this stage.
async fn with(stage: Stage, fault: Fault) -> Stand {
    let stand = Stand::new(IMPLICIT).await;
    stand.sandbox.faults().plan(stage, fault, Times::Once);
    stand
}

#[tokio::test]
async fn a_refused_sender() {
    let stand = with(Stage::Mail, Fault::reply(553, "5.7.1 Sender is not yours")).await;
    stand.tells("sender_refused", 65, &stand.test(&["--to", RECIPIENT]).await);
}

#[tokio::test]
async fn a_refused_recipient() {
    let stand = with(Stage::Rcpt, Fault::reply(550, "5.1.1 Never heard of him")).await;
    stand.tells("recipient_refused", 65, &stand.test(&["--to", RECIPIENT]).await);
    assert_eq!(stand.sandbox.mailbox().count(), 0);
    assert_eq!(stand.sandbox.violations(), []);
}

#[tokio::test]
async fn data_refused_although_the_recipient_was_taken() {
    let stand = with(Stage::Data, Fault::reply(451, "4.3.0 Not now")).await;
    stand.says(&["--to", RECIPIENT], 75, &["ok      RCPT", "FAILED  DATA", "451 4.3.0 Not now"]).await;
}

#[tokio::test]
async fn a_mail_that_is_put_off() {
    let stand = with(Stage::Dot, Fault::reply(451, "4.3.0 Come back later")).await;
    stand.tells("put_off", 75, &stand.test(&["--to", RECIPIENT]).await);
}

#[tokio::test]
async fn a_mail_that_is_refused() {
    let stand = with(Stage::Dot, Fault::reply(554, "5.6.0 Not this")).await;
    stand.says(&["--to", RECIPIENT], 65, &["FAILED  delivery", "554 5.6.0 Not this", "Cause:          message"]).await;
}

#[tokio::test]
async fn a_mail_nobody_knows_about() {
    let stand = with(Stage::Dot, Fault::CarryOutThenClose).await;
    stand.says(&["--to", RECIPIENT], 75, &["FAILED  delivery", "Cause:          uncertain"]).await;
    assert_eq!(stand.sandbox.mailbox().count(), 1, "it was taken, and only the provider knows");
}
