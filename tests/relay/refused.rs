//! Tried and refused before anything was sent: STARTTLS, credentials, token endpoints, configurations.
//!
//! Each row: what the device hears, that nothing left, and a log line with the cause and the cure.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use posthouse::account::oauth::{Endpoints, Grant};
use posthouse::account::{self, Encryption, Source};
use posthouse::app::StartError;
use posthouse::inbound::settings::DeviceAuth;
use posthouse::sandbox::fault::{Fault, Stage, Times, TokenFault};
use posthouse::sandbox::{Certificate, Sandbox};
use posthouse::secret::Secret;

use crate::scene::{Log, Scene, client_credentials, provider};

fn starttls(account: &mut account::Settings, sandbox: &Sandbox) {
    account.encryption = Encryption::StartTls;
    account.port = sandbox.starttls().port();
}

/// A port nobody listens on.
pub fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// One mail that must fail: the device hears this beginning, the log has these words in one line, nothing was sent.
async fn fails(scene: &Scene, log: &Log, heard: &str, words: &[&str]) {
    let said = scene.device().await.mail().await;
    assert!(said.starts_with(heard), "{said}");
    log.assert_line(&[&["attempt failed"], words].concat());
    log.assert_line(&["not delivered", &said]);
    scene.assert_nothing_arrived();
}

#[tokio::test]
async fn starttls_not_offered() {
    let log = Log::capture();
    let scene = Scene::account(|account, sandbox| {
        account.encryption = Encryption::StartTls;
        account.port = sandbox.plain().port();
    })
    .await;
    let cure = "Set `encryption = \"implicit\"`";
    fails(&scene, &log, "451 4.7.0 ", &["does not offer STARTTLS", "cause=config", cure]).await;
    assert_eq!(scene.sandbox.counters().auth_attempts, 0);
}

#[tokio::test]
async fn starttls_refused() {
    let log = Log::capture();
    let scene = Scene::account(starttls).await;
    scene.sandbox.faults().plan(Stage::StartTls, Fault::reply(454, "4.7.0 TLS not available"), Times::Once);
    let cause = ["TLS not available", "cause=network", "tried again later"];
    fails(&scene, &log, "451 4.4.0 ", &cause).await;
    assert_eq!(scene.sandbox.counters().auth_attempts, 0);
    assert!(scene.device().await.mail().await.starts_with("250 "), "the network's faults hold nothing");
}

#[tokio::test]
async fn starttls_followed_by_injected_octets() {
    let log = Log::capture();
    let scene = Scene::account(starttls).await;
    scene.sandbox.faults().plan(Stage::StartTls, Fault::Inject(b"250 forged\r\n".to_vec()), Times::Once);
    fails(&scene, &log, "451 4.7.0 ", &["forging replies", "cause=config", "look for what stands between"]).await;
    assert_eq!(scene.sandbox.counters().auth_attempts, 0);
}

#[tokio::test]
async fn a_wrong_password() {
    let log = Log::capture();
    let scene =
        Scene::account(|account, _| account.credential = Source::Password(Secret::new("mistyped".into()))).await;
    fails(&scene, &log, "451 4.7.0 Not sent, the account cannot be used", &["535", "cause=account", "app password"])
        .await;
    assert!(!log.text().contains("mistyped"), "promise 4");
}

#[tokio::test]
async fn a_token_endpoint_that_is_not_there() {
    let log = Log::capture();
    let scene = Scene::account(|account, sandbox| {
        client_credentials(account, sandbox);
        if let Source::OAuth(grant) = &mut account.credential
            && let Grant::ClientCredentials { application } = &mut **grant
        {
            let nobody = format!("https://127.0.0.1:{}/token", free_port());
            application.endpoints = Endpoints::token_only(nobody.parse().unwrap());
        }
    })
    .await;
    let words = ["token endpoint", "cannot be reached", "cause=network", "whether this machine reaches it"];
    fails(&scene, &log, "451 4.4.0 ", &words).await;
    assert_eq!(scene.sandbox.counters().connections, 0, "without a credential nobody is called");
}

/// One fault of the token endpoint; the next mail goes through, because it is the network's fault.
async fn token_fault(fault: TokenFault, words: &[&str]) {
    let log = Log::capture();
    let scene = Scene::account(client_credentials).await;
    scene.sandbox.faults().plan_token(fault, Times::Once);
    fails(&scene, &log, "451 4.4.0 ", words).await;
    assert_eq!(scene.sandbox.counters().connections, 0);
    assert!(scene.device().await.mail().await.starts_with("250 "));
}

#[tokio::test]
async fn a_token_endpoint_that_answers_500() {
    let fault = TokenFault::Http { status: 500, body: "<html>oops</html>".into() };
    token_fault(fault, &["web page (HTTP 500)", "cause=network", "tried again later"]).await;
}

#[tokio::test]
async fn a_token_endpoint_that_answers_half_of_its_json() {
    token_fault(TokenFault::BadJson, &["odd answer (HTTP 200)", "cause=network", "Check `oauth.token_endpoint`"]).await;
}

#[tokio::test]
async fn a_token_endpoint_with_a_wrong_certificate() {
    let log = Log::capture();
    let scene = Scene::account(client_credentials).await;
    scene.sandbox.present_at_token_endpoint(Certificate::Expired);
    fails(&scene, &log, "451 4.7.0 ", &["has expired", "cause=config", "openssl s_client -connect 127.0.0.1:"]).await;
    assert_eq!(scene.sandbox.counters().token_calls, 0, "the client secret was not sent");
}

#[tokio::test]
async fn an_account_that_is_the_relay_itself_is_refused_at_start() {
    let port = free_port();
    let started = Scene::try_with(provider(), |config, _| {
        config.listeners[0].bind = vec![SocketAddr::from((Ipv4Addr::LOCALHOST, port))];
        config.accounts[0].host = "localhost".into();
        config.accounts[0].port = port;
    })
    .await;
    let Err((error, _)) = started else { panic!("it started") };
    assert!(matches!(error, StartError::SelfLoop { .. }), "{error}");
    let said = error.to_string();
    assert!(said.contains("round in a circle") && said.contains("set the provider's own host and port"), "{said}");
}

#[tokio::test]
async fn a_loop_that_only_the_connection_shows_is_refused_there() {
    let log = Log::capture();
    let port = free_port();
    let scene = Scene::with(provider(), |config, _| {
        config.listeners[0].bind = vec![SocketAddr::from((Ipv4Addr::LOCALHOST, port))];
        // An old spelling of 127.0.0.1: not an address to us, but to the system's resolver.
        config.accounts[0].host = "127.1".into();
        config.accounts[0].port = port;
    })
    .await;
    let words = ["one of our own listeners", "cause=config", "Set `host` and `port` of this account"];
    fails(&scene, &log, "451 4.7.0 ", &words).await;
}

/// A listener that would be open to anyone; what the refusal must say.
async fn would_be_open(allow: &[&str], auth: DeviceAuth, words: &[&str]) {
    let started = Scene::try_with(provider(), |config, _| {
        let listener = &mut config.listeners[0];
        listener.bind = vec!["0.0.0.0:0".parse().unwrap()];
        listener.allow = allow.iter().map(|network| network.parse().unwrap()).collect();
        listener.auth = auth;
    })
    .await;
    let Err((error, _)) = started else { panic!("{allow:?} with {auth:?} started") };
    let said = error.to_string();
    assert!(words.iter().all(|word| said.contains(word)), "{said}");
}

#[tokio::test]
async fn listeners_that_would_be_open_do_not_start() {
    let required = "auth = \"required\"";
    would_be_open(&["0.0.0.0/0"], DeviceAuth::None, &["listener local", "0.0.0.0/0", required]).await;
    would_be_open(&["10.0.0.0/8", "8.0.0.0/8"], DeviceAuth::None, &["8.0.0.0/8", required]).await;
    would_be_open(&["198.51.0.0/16"], DeviceAuth::None, &["198.51.0.0/16", "/24"]).await;
    would_be_open(&[], DeviceAuth::None, &["`allow` is empty", required]).await;
    would_be_open(&["0.0.0.0/0"], DeviceAuth::AcceptAny, &["too wide"]).await;
    would_be_open(&["0.0.0.0/0"], DeviceAuth::Optional, &["too wide"]).await;
    would_be_open(&["0.0.0.0/0"], DeviceAuth::Required, &["passwords in clear", "tls = \"starttls\""]).await;
}

#[tokio::test]
async fn a_web_page_cannot_post_mail() {
    let smuggled =
        "EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\nSubject: x\r\n\r\nx\r\n.\r\nQUIT\r\n";
    for before in ["POST / HTTP/1.1\r\nHost: localhost:25\r\n\r\n", "Content-Type: text/plain\r\n\r\n", "Host: a\r\n"] {
        let log = Log::capture();
        let scene = Scene::start().await;
        let mut page = crate::device::Device::connect(scene.address()).await;
        page.send(format!("{before}{smuggled}")).await;
        let mut heard = Vec::new();
        while let Some(reply) = page.try_reply().await {
            heard.push(reply);
        }
        let last = heard.pop().expect("one line");
        assert!(
            last.starts_with("554 5.5.1 ") && heard.iter().all(|line| line.starts_with("220 ")),
            "{heard:?} {last}"
        );
        log.assert_line(&["not SMTP", "protocol="]);
        scene.assert_nothing_arrived();
    }
}
