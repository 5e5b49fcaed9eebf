//! Failure reports: the provider refuses a mail and repeats the credential in every disguise; the sender gets a report.
//!
//! The practice provider's mailbox shows the report as it left the relay, with the provider's own words in it. That they
//! are there, cleaned, proves that the echo was on its way into it.

use std::time::Duration;

use posthouse::sandbox::Echo;
use posthouse::sandbox::fault::{Fault, Stage, Times};
use tokio::time::timeout;

use crate::ears::Ears;
use crate::stage::{Relay, account, planted, provider, quoted};

#[tokio::test]
async fn a_report_repeats_no_credential() {
    let (ears, _listening) = Ears::open();
    let sandbox = provider().await;
    let password = quoted(&planted::password().secret);
    let account = format!(
        "{}password = {password}\n[delivery]\nqueue = true\nwait = 0\n[notices]\nadmin = \"it@example.org\"\n",
        account(&sandbox)
    );
    let relay = Relay::start(&ears, &sandbox, &account, "");
    let mut reports = 0;
    for stage in [Stage::Rcpt, Stage::Dot] {
        for echo in Echo::ALL {
            sandbox.faults().plan(stage.clone(), Fault::EchoSecret(echo), Times::Once);
            let heard = relay.mail(&ears).await;
            assert!(heard.starts_with("250"), "{stage:?}, {echo:?}: {heard}");
            reports += 1;
            let arrived = timeout(Duration::from_secs(20), sandbox.mailbox().wait_for(reports)).await;
            let arrived = arrived.unwrap_or_else(|_| panic!("{stage:?}, {echo:?}: no report: {}", ears.log()));
            let report = arrived.last().unwrap().text().into_owned();
            assert!(
                report.contains("multipart/report") && report.contains("[secret]"),
                "{stage:?}, {echo:?}: {report}"
            );
            ears.hear(&report);
        }
    }
    relay.end().await;
    ears.are_clean_of("reports", &[planted::password(), planted::client_secret(), planted::device()]);
}
