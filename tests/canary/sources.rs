//! Where credentials come from: files and programs that fail with the secret in their hands.
//!
//! The output, the error output, the arguments and the exit status of programs may hold it, and even the place where
//! the program's name should stand. Each story ends with a device that hears 451 and a held account.

use posthouse::sandbox::fault::{Fault, Stage, Times};

use crate::ears::Ears;
use crate::stage::{Relay, account, planted, provider, quoted};

fn list(words: &[&str]) -> String {
    format!("[{}]", words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(", "))
}

/// A shell that is given the secret as `$1`.
fn shell(script: &str, secret: &str) -> String {
    list(&["/bin/sh", "-c", script, "sh", secret])
}

async fn fails(ears: &Ears, credential: &str) {
    let sandbox = provider().await;
    let relay = Relay::start(ears, &sandbox, &format!("{}{credential}\n", account(&sandbox)), "");
    let reply = relay.mail(ears).await;
    assert!(reply.starts_with("451"), "{credential}: {reply}");
    ears.hear(format!("{:?}", relay.app));
    relay.end().await;
}

#[tokio::test]
async fn programs_that_fail_with_a_secret_in_their_hands_are_not_repeated() {
    let (ears, _listening) = Ears::open();
    let stray = planted::stray().secret;
    for script in [
        "echo \"$1\"; echo \"$1\" >&2; exit 3",
        "echo \"$1\" >&2; exit 1",
        "printf '%s\\377' \"$1\"",
        "printf '%s\\0' \"$1\"",
        "yes \"$1\"",
        "kill -9 $$",
        // It succeeds, and the server refuses what it printed.
        "echo \"$1\"",
    ] {
        let command = shell(script, &stray);
        fails(&ears, &format!("password_command = {command}")).await;
        fails(&ears, &format!("oauth = {{ grant = \"command\", command = {command} }}")).await;
    }
    for script in ["echo \"$1 $1\"", "printf '{\"token\":\"%s\"}' \"$1\"", "printf '{\"access_token\":\"%s' \"$1\""] {
        fails(&ears, &format!("oauth = {{ grant = \"command\", command = {} }}", shell(script, &stray))).await;
    }
    assert!(ears.log().contains("exit status: 3"), "what can be said is said");
    ears.are_clean_of("programs", &[planted::stray()]);
}

#[tokio::test]
async fn a_program_that_cannot_be_run_takes_its_arguments_with_it() {
    let (ears, _listening) = Ears::open();
    let stray = planted::stray().secret;
    for command in [
        list(&["/no/such/program", "-p", &stray]),
        // The password itself, where the program belongs.
        list(&[&stray]),
        quoted(&stray),
        list(&[&planted::password().secret, "--password", &stray]),
    ] {
        fails(&ears, &format!("password_command = {command}")).await;
        fails(&ears, &format!("oauth = {{ grant = \"command\", command = {command} }}")).await;
    }
    assert!(ears.log().contains("/no/such/program"), "a path is named");
    ears.are_clean_of("programs", &[planted::stray(), planted::password()]);
}

#[tokio::test]
async fn files_that_cannot_be_used_are_not_repeated() {
    let (ears, _listening) = Ears::open();
    let stray = planted::stray().secret;
    let sandbox = provider().await;
    for (what, octets) in [
        ("two lines", format!("{stray}\n{stray}\n").into_bytes()),
        ("not UTF-8", [stray.as_bytes(), b"\xff"].concat()),
        ("a NUL", format!("{stray}\0").into_bytes()),
        ("too long", stray.repeat(1000).into_bytes()),
        ("the wrong one", stray.clone().into_bytes()),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("secret");
        std::fs::write(&file, "right at the start").unwrap();
        let named = quoted(file.to_str().unwrap());
        let endpoint = sandbox.token_endpoint();
        for credential in [
            format!("password_file = {named}"),
            format!(
                "oauth = {{ grant = \"client_credentials\", token_endpoint = \"{endpoint}\", client_id = \"posthouse\", \
                 client_secret_file = {named} }}"
            ),
        ] {
            std::fs::write(&file, "right at the start").unwrap();
            let relay = Relay::start(&ears, &sandbox, &format!("{}{credential}\n", account(&sandbox)), "");
            std::fs::write(&file, &octets).unwrap();
            let reply = relay.mail(&ears).await;
            assert!(reply.starts_with("451"), "{what}: {reply}");
            ears.hear(format!("{:?}", relay.app));
            relay.end().await;
        }
    }
    ears.are_clean_of("files", &[planted::stray()]);
}

#[tokio::test]
async fn a_file_that_is_gone_is_named_and_nothing_else() {
    let (ears, _listening) = Ears::open();
    let sandbox = provider().await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("secret");
    std::fs::write(&file, planted::password().secret).unwrap();
    let credential = format!("password_file = {}\n", quoted(file.to_str().unwrap()));
    let relay = Relay::start(&ears, &sandbox, &format!("{}{credential}", account(&sandbox)), "");
    assert!(relay.mail(&ears).await.starts_with("250"));
    std::fs::remove_file(&file).unwrap();
    // The provider lets the warm line go, and the next sign-in needs the file.
    sandbox.faults().plan(Stage::Mail, Fault::reply_then_close(421, "4.7.0 Bye"), Times::Once);
    assert!(relay.mail(&ears).await.starts_with("451"));
    relay.end().await;
    assert!(ears.log().contains(file.to_str().unwrap()));
    ears.are_clean_of("gone", &[planted::password()]);
}
