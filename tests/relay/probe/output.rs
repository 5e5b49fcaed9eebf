//! How it is told: live, as JSON, by exit codes, and to somebody who has left.

use std::process::Stdio;

use posthouse::sandbox::fault::{Fault, Gate, Stage, Times};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};

use super::stand::{IMPLICIT, RECIPIENT, Ran, Stand};

/// Two accounts; the second one has no credential the provider knows.
fn two() -> String {
    format!(
        "default_account = \"office\"\n{IMPLICIT}{}",
        IMPLICIT.replace("office", "warehouse").replace("{password}", "mistyped")
    )
}

#[tokio::test]
async fn which_account_must_be_clear() {
    let stand = Stand::new(&two()).await;
    stand.says(&[], 64, &["which account? There are office, warehouse", "--all"]).await;
    stand.says(&["ofice"], 64, &["no account `ofice`", "do you mean `office`?"]).await;
    stand.says(&["printer"], 64, &["no account `printer`", "there are: office, warehouse"]).await;
    assert_eq!(stand.sandbox.counters().connections, 0);
    stand.says(&["warehouse"], 77, &["Account warehouse: ", "FAILED  AUTH"]).await;
}

#[tokio::test]
async fn all_accounts_are_tried_and_the_first_failure_is_the_exit_code() {
    let stand = Stand::new(&two()).await;
    let ran = stand.says(&["--all"], 77, &["Account office can be used.", "Account warehouse does not work"]).await;
    assert!(ran.printed.find("Account office:") < ran.printed.find("Account warehouse:"), "in the file's order");
}

#[tokio::test]
async fn wrong_arguments_try_nothing() {
    let stand = Stand::new(IMPLICIT).await;
    stand.says(&["--to", "root"], 64, &["a whole address is needed"]).await;
    stand.says(&["--to", "a b@example.com"], 64, &["cannot stand in an address"]).await;
    stand.says(&["--timeout", "0"], 64, &["a number of seconds from 1 to 600"]).await;
    stand.says(&["--from", "a@example.com"], 64, &["--to"]).await;
    stand.says(&["--all", "office"], 64, &["cannot be used with"]).await;
    assert_eq!(stand.sandbox.counters().connections, 0);
}

#[tokio::test]
async fn a_configuration_that_cannot_be_used_is_the_reports_business() {
    let stand = Stand::new(&IMPLICIT.replace("port = ", "prot = ")).await;
    let ran = stand.says(&[], 78, &["prot"]).await;
    assert_eq!(ran.printed, "");
}

/// A listener and a spool that a running relay has taken are none of its business.
#[tokio::test]
async fn it_works_beside_a_running_relay() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listener = format!("[[listeners]]\nname = \"local\"\nbind = [\"{}\"]\n", taken.local_addr().unwrap());
    let stand = Stand::new(&format!("{listener}{IMPLICIT}")).await;
    stand.says(&["--to", RECIPIENT], 0, &["Account office works"]).await;
    assert!(!stand.directory.path().join("spool").exists(), "it leaves nothing behind");
}

#[tokio::test]
async fn each_step_is_shown_while_the_next_is_under_way() {
    let stand = Stand::new(IMPLICIT).await;
    let gate = Gate::new();
    stand.sandbox.faults().plan(Stage::Auth, Fault::Wait(gate.clone()), Times::Once);
    let mut child = stand.command(&[]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let reading = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.contains("EHLO") {
                // The provider says nothing more before this was seen.
                gate.open();
            }
            if line.contains("ok      AUTH") {
                return;
            }
        }
        panic!("no sign-in");
    };
    tokio::time::timeout(std::time::Duration::from_mins(1), reading).await.expect("EHLO was not shown in time");
    assert!(child.wait().await.unwrap().success());
}

#[tokio::test]
async fn an_output_that_cannot_be_written_is_said() {
    let stand = Stand::new(IMPLICIT).await;
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let ended = stand.command(&[]).stdout(writer).stderr(Stdio::null()).status().await.unwrap();
    assert_eq!(ended.code(), Some(74));
}

fn objects(ran: &Ran) -> Vec<Value> {
    ran.printed.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

/// The fields of an object, in the order of the alphabet.
fn fields(object: &Value) -> String {
    object.as_object().unwrap().keys().map(String::as_str).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn json_has_one_object_a_step_and_a_summary() {
    let stand = Stand::new(IMPLICIT).await;
    let ran = stand.says(&["--json", "--to", RECIPIENT], 0, &[]).await;
    let objects = objects(&ran);
    let steps: Vec<(&str, String)> =
        objects.iter().filter_map(|object| Some((object["step"].as_str()?, fields(object)))).collect();
    let always = ["account", "detail", "outcome", "step", "took_ms", "type"];
    let with = |more: &[&str]| {
        let mut all = [&always[..], more].concat();
        all.sort_unstable();
        all.join(" ")
    };
    assert_eq!(
        steps,
        [
            ("credential", with(&["credential"])),
            ("dns", with(&["addresses"])),
            ("tcp", with(&["peer"])),
            ("tls", with(&["tls", "chain"])),
            ("greeting", with(&["replies"])),
            ("ehlo", with(&["replies"])),
            ("auth", with(&["mechanism", "offered", "replies"])),
            ("mail", with(&["replies"])),
            ("rcpt", with(&["replies"])),
            ("data", with(&["replies"])),
            ("delivery", with(&["replies"])),
        ]
    );
    assert_eq!(objects[3]["tls"]["verified"], "full");
    assert_eq!(fields(&objects[3]["chain"][0]), "fingerprint issuer key names not_after not_before subject");
    assert_eq!(objects[6]["mechanism"], "PLAIN");
    let reply = serde_json::json!([{ "code": 250, "enhanced": "2.0.0", "text": "Ok: taken as 1" }]);
    assert_eq!(objects[10]["replies"], reply);
    let mut summary = objects[11].clone();
    assert!(summary["took_ms"].take().is_u64());
    let expected = serde_json::json!({
        "type": "summary", "account": "office", "outcome": "ok", "took_ms": null, "signed_in": true, "delivered": true,
        "failed_step": null, "code": null, "cause": null, "not_tried": [], "exit_code": 0,
    });
    assert_eq!(summary, expected);
}

#[tokio::test]
async fn json_tells_a_failure_with_its_cause_and_cure() {
    let stand = Stand::new(&IMPLICIT.replace("{password}", "mistyped")).await;
    let objects = objects(&stand.says(&["--json"], 77, &[]).await);
    let [.., step, summary] = &objects[..] else { panic!("{objects:#?}") };
    assert_eq!((&step["step"], &step["outcome"]), (&"auth".into(), &"failed".into()));
    let failure = &step["failure"];
    assert_eq!(fields(failure), "cause code cure reply said sentence");
    assert_eq!((&failure["cause"], &failure["reply"]["code"]), (&"account".into(), &535.into()));
    assert!(failure["cure"].as_str().unwrap().ends_with('.'), "{failure}");
    assert_eq!(summary["outcome"], "failed");
    assert_eq!((&summary["signed_in"], &summary["exit_code"]), (&false.into(), &77.into()));
    assert_eq!(summary["not_tried"], serde_json::json!(["mail", "rcpt", "data", "delivery"]));
    assert_eq!((&summary["failed_step"], &summary["code"]), (&"auth".into(), &failure["code"]));
}

#[tokio::test]
async fn json_tells_why_an_account_was_not_even_tried() {
    let nameless = IMPLICIT.replace("address = \"scanner@sandbox.example\"", "username = \"scanner\"");
    let two = format!("{nameless}{}", IMPLICIT.replace("office", "warehouse"));
    let stand = Stand::new(&format!("default_account = \"office\"\n{two}")).await;
    let objects = objects(&stand.says(&["--all", "--json", "--to", RECIPIENT], 64, &[]).await);
    let reason = "account office has no address to send from; give one with --from, or set its `address`";
    let expected = serde_json::json!({
        "type": "summary", "account": "office", "outcome": "failed", "took_ms": 0, "signed_in": false,
        "delivered": false, "failed_step": null, "code": null, "cause": null, "reason": reason, "exit_code": 64,
        "not_tried": ["credential", "dns", "tcp", "tls", "greeting", "ehlo", "auth", "mail", "rcpt", "data", "delivery"],
    });
    assert_eq!(objects[0], expected);
    let last = objects.last().unwrap();
    assert_eq!((&last["account"], &last["outcome"]), (&"warehouse".into(), &"ok".into()), "the others are tried");
}
