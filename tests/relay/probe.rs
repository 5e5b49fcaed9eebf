//! `posthouse test`, run as a program against the practice provider: every step that can fail, and what is said then.
//!
//! Each story has its exit code, and most the whole of what is printed. Nothing leaves this machine.

mod mail;
mod output;
pub mod stand;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use posthouse::sandbox::fault::{Fault, Stage, Times, TokenFault};
use posthouse::sandbox::{Certificate, Extension};

use crate::proxy::Proxy;
use crate::scene::provider_without;
use stand::{IMPLICIT, Stand};

fn starttls(mode: &str, port: &str) -> String {
    IMPLICIT.replace("port = {implicit}", &format!("port = {{{port}}}\nencryption = \"{mode}\""))
}

const TOKEN: &str = "oauth = { grant = \"client_credentials\", client_id = \"posthouse\", client_secret = \"{secret}\", \
    token_endpoint = \"{token}\" }";

fn oauth() -> String {
    IMPLICIT.replace("password = \"{password}\"", TOKEN)
}

#[tokio::test]
async fn a_sign_in_is_shown_step_by_step_and_ends_politely() {
    let stand = Stand::new(IMPLICIT).await;
    stand.tells("signed_in", 0, &stand.test(&[]).await);
    assert_eq!(stand.sandbox.mailbox().count(), 0, "nothing is sent that was not asked for");
    assert!(stand.sandbox.transcript().iter().any(|said| said.to_string().contains("QUIT")));
    assert_eq!(stand.sandbox.violations(), []);
}

#[tokio::test]
async fn starttls_greets_twice() {
    let stand = Stand::new(&starttls("starttls", "starttls")).await;
    stand.tells("starttls", 0, &stand.test(&[]).await);
}

#[tokio::test]
async fn where_starttls_would_be_taken_its_absence_is_said() {
    let stand = Stand::new(&starttls("starttls_auto", "plain")).await;
    stand.tells("starttls_auto_not_offered", 0, &stand.test(&[]).await);
}

/// Containers often lack them.
#[tokio::test]
async fn a_machine_without_roots_is_trouble_for_those_who_ask_them_and_check_says_it_first() {
    let system_roots = IMPLICIT.replace("ca_file = \"ca.pem\"\n", "");
    let stand = Stand::new(&system_roots).await;
    let nothing = tempfile::NamedTempFile::new().unwrap();
    let without_roots = |verb: &[&str]| {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_posthouse"));
        command.args(verb).current_dir(stand.directory.path()).env_clear().kill_on_drop(true);
        command.env("SSL_CERT_FILE", nothing.path()).env("SSL_CERT_DIR", stand.directory.path().join("none"));
        async move {
            let output = command.output().await.unwrap();
            let said = [output.stdout, output.stderr].concat();
            (output.status.code().unwrap(), String::from_utf8(said).unwrap())
        }
    };
    for verb in [&["check"][..], &["test"], &["serve"]] {
        let (code, said) = without_roots(verb).await;
        assert!(code == 78 && said.contains("install the package `ca-certificates`"), "{verb:?} {code}: {said}");
    }
    stand.configure(&system_roots.replace("port = {implicit}", "port = {plain}\nencryption = \"none\""));
    for verb in [&["check"][..], &["test"]] {
        let (code, said) = without_roots(verb).await;
        assert_eq!(code, 0, "{verb:?} shows nobody a certificate: {said}");
    }
}

#[tokio::test]
async fn starttls_that_is_not_offered_ends_it() {
    let stand = Stand::new(&starttls("starttls", "plain")).await;
    stand.tells("starttls_not_offered", 78, &stand.test(&[]).await);
    assert_eq!(stand.sandbox.counters().auth_attempts, 0);
}

#[tokio::test]
async fn a_name_without_an_address() {
    let stand = Stand::new(&IMPLICIT.replace("127.0.0.1", "smtp.provider.invalid")).await;
    let words =
        ["FAILED  DNS", "name lookup of smtp.provider.invalid", "Cause:          network", "Not tried: TCP, TLS"];
    stand.says(&[], 68, &words).await;
}

#[tokio::test]
async fn a_port_nobody_listens_at() {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port().to_string();
    let stand = Stand::new(&IMPLICIT.replace("{implicit}", &free)).await;
    stand.says(&[], 69, &["ok      DNS", "FAILED  TCP", "refused", "Check `host` and `port`"]).await;
}

/// The account of the defaults behind this proxy.
fn behind(proxy: &Proxy, scheme: &str) -> String {
    format!("{IMPLICIT}proxy = \"{scheme}://{}\"\n", proxy.address())
}

/// What it tells, with the proxy's port made equal.
fn tells_behind(stand: &Stand, proxy: SocketAddr, story: &str, code: i32, ran: &stand::Ran) {
    let printed = ran.printed.replace(&proxy.port().to_string(), "PROXYPORT");
    stand.tells(story, code, &stand::Ran { printed, complained: ran.complained.clone(), code: ran.code });
}

#[tokio::test]
async fn a_proxy_has_a_step_of_its_own() {
    let proxy = Proxy::open().await;
    let address = proxy.address();
    let stand = Stand::new(&behind(&proxy, "socks5")).await;
    tells_behind(&stand, address, "proxy", 0, &stand.test(&[]).await);
    assert_eq!(proxy.asked(), [stand.sandbox.implicit().to_string()]);
    let shown = format!("\"peer\":\"{address}\",\"proxy\":\"socks5://{address}\"");
    stand.says(&["--json"], 0, &[&shown]).await;
    drop(proxy);
    tells_behind(&stand, address, "proxy_dead", 69, &stand.test(&[]).await);
    stand.says(&[], 69, &["Not tried: proxy, TLS", "Nothing is sent past it."]).await;
}

#[tokio::test]
async fn a_proxy_that_lets_nobody_in() {
    let proxy = Proxy::guarded().await;
    let stand = Stand::new(&behind(&proxy, "http")).await;
    tells_behind(&stand, proxy.address(), "proxy_login", 78, &stand.test(&[]).await);
}

#[tokio::test]
async fn a_proxy_that_cannot_reach_the_provider() {
    let proxy = Proxy::open().await;
    let stand = Stand::new(&behind(&proxy, "socks5").replace("{implicit}", "1")).await;
    tells_behind(&stand, proxy.address(), "proxy_cannot_reach", 75, &stand.test(&[]).await);
}

#[tokio::test]
async fn a_proxy_whose_name_has_no_address() {
    let stand = Stand::new(&format!("{IMPLICIT}proxy = \"socks5://proxy.example.invalid:1080\"\n")).await;
    stand.says(&[], 68, &["FAILED  DNS", "proxy.example.invalid", "Not tried: TCP, proxy, TLS"]).await;
}

#[tokio::test]
async fn an_account_that_leads_back_to_us() {
    // As the relay would have it: a listener at the very port, though nobody but the provider listens there now.
    let listener = "[[listeners]]\nname = \"local\"\nbind = [\"127.0.0.1:{implicit}\"]\n";
    // An old spelling of 127.0.0.1: a name to us, but an address to the system's resolver.
    let account = IMPLICIT.replace("127.0.0.1", "0x7f.0x1");
    let stand = Stand::new(&format!("{listener}{account}")).await;
    stand.says(&[], 78, &["FAILED  TCP", "one of our own listeners"]).await;
}

/// A certificate that is wrong; the chain is shown all the same, and no credential leaves.
async fn certificate(certificate: Certificate, story: &str) {
    let stand = Stand::new(IMPLICIT).await;
    stand.sandbox.present(certificate);
    stand.tells(story, 78, &stand.test(&[]).await);
    assert_eq!(stand.sandbox.counters().auth_attempts, 0);
}

#[tokio::test]
async fn a_certificate_that_has_expired() {
    certificate(Certificate::Expired, "certificate_expired").await;
}

#[tokio::test]
async fn a_certificate_of_another_name() {
    certificate(Certificate::WrongHost, "certificate_wrong_name").await;
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority() {
    let stand = Stand::new(IMPLICIT).await;
    stand.sandbox.present(Certificate::UnknownAuthority);
    stand
        .says(&[], 78, &["FAILED  TLS", "certificate: CN=", "signed by nobody this account trusts", "`ca_file`"])
        .await;
}

/// With TLS 1.3 the server says so only when the handshake is over for us; it is a failure of TLS all the same.
#[tokio::test]
async fn a_client_certificate_that_is_wanted_and_missing_or_refused() {
    let provider = posthouse::sandbox::Settings { require_client_certificate: true, ..crate::scene::provider() };
    for (port, lines) in [("implicit", IMPLICIT.to_owned()), ("starttls", starttls("starttls", "starttls"))] {
        let stand = Stand::with(provider.clone(), &lines).await;
        let ran = stand.says(&[], 78, &["FAILED  TLS", "requires a client certificate and none is configured"]).await;
        assert!(!ran.printed.contains("ok      AUTH"), "{}", ran.printed);

        let identity = stand.sandbox.strange_client_identity();
        std::fs::write(stand.directory.path().join("client.pem"), &identity.certificate).unwrap();
        std::fs::write(stand.directory.path().join("client.key"), identity.key.expose()).unwrap();
        let shown = "client_certificate = \"client.pem\"\nclient_key = \"client.key\"\n";
        stand.configure(&format!("{lines}{shown}"));
        if port == "implicit" {
            stand.tells("client_certificate_refused", 78, &stand.test(&[]).await);
        }
        stand.says(&[], 78, &["FAILED  TLS", "the client certificate was refused", "`client_certificate`"]).await;
        assert_eq!(stand.sandbox.counters().auth_attempts, 0);
    }
}

#[tokio::test]
async fn an_account_that_verifies_nothing_is_told_the_pin() {
    let stand = Stand::new(&IMPLICIT.replace("ca_file = \"ca.pem\"", "verify = \"none\"")).await;
    let words =
        ["certificate not verified (verify = \"none\")", "its key as a pin: sha256/", "RISK: accounts.office.verify"];
    stand.says(&[], 0, &words).await;
}

#[tokio::test]
async fn a_port_that_does_not_speak_tls() {
    let stand = Stand::new(&IMPLICIT.replace("{implicit}", "{plain}")).await;
    stand.tells("not_tls", 78, &stand.test(&[]).await);
}

#[tokio::test]
async fn a_server_that_is_silent_is_waited_for_as_long_as_was_said() {
    let stand = Stand::new(IMPLICIT).await;
    stand.sandbox.faults().plan(Stage::Greeting, Fault::Silence, Times::Once);
    stand.tells("silent_greeting", 75, &stand.test(&["--timeout", "1"]).await);
}

#[tokio::test]
async fn a_refused_password() {
    let stand = Stand::new(&IMPLICIT.replace("{password}", "mistyped")).await;
    stand.tells("wrong_password", 77, &stand.test(&["--to", stand::RECIPIENT]).await);
}

#[tokio::test]
async fn a_server_without_our_mechanism() {
    let provider = provider_without(&Extension::Auth(Vec::new()));
    let stand = Stand::with(provider, IMPLICIT).await;
    stand.says(&[], 78, &["FAILED  AUTH", "AUTH offers none", "Cause:          config"]).await;
}

#[tokio::test]
async fn a_mechanism_that_was_written_down_is_told_as_such() {
    let stand = Stand::new(&format!("{IMPLICIT}mechanism = \"login\"\n")).await;
    stand.says(&[], 0, &["LOGIN, because `mechanism` says so; offered: LOGIN PLAIN XOAUTH2"]).await;
}

#[tokio::test]
async fn an_account_without_a_credential() {
    let provider = posthouse::sandbox::Settings { require_auth: false, ..crate::scene::provider() };
    let stand = Stand::with(provider, &IMPLICIT.replace("password = \"{password}\"\n", "")).await;
    let words = ["none: the account does not sign in", "ok      AUTH", "not needed: the account has no credential"];
    stand.says(&[], 0, &words).await;
}

#[tokio::test]
async fn a_token_is_fetched_and_its_life_is_told() {
    let stand = Stand::new(&oauth()).await;
    stand.tells("token", 0, &stand.test(&[]).await);
}

#[tokio::test]
async fn a_refused_token_is_renewed_once_in_front_of_us() {
    let stand = Stand::new(&oauth()).await;
    stand.sandbox.faults().plan(Stage::Auth, Fault::reply(535, "5.7.8 Token is stale"), Times::Once);
    stand.tells("token_again", 0, &stand.test(&[]).await);
}

#[tokio::test]
async fn a_wrong_client_secret() {
    let stand = Stand::new(&oauth().replace("{secret}", "mistyped")).await;
    stand.tells("wrong_client_secret", 77, &stand.test(&[]).await);
    assert_eq!(stand.sandbox.counters().connections, 0, "without a credential nobody is called");
}

#[tokio::test]
async fn a_token_endpoint_that_is_broken_dead_or_silent() {
    let stand = Stand::new(&oauth()).await;
    let broken = TokenFault::Http { status: 500, body: "<html>oops</html>".into() };
    stand.sandbox.faults().plan_token(broken, Times::Once);
    stand.says(&[], 75, &["FAILED  credential", "HTTP 500", "Cause:          network"]).await;
    stand.sandbox.faults().plan_token(TokenFault::Silence, Times::Once);
    stand.says(&["--timeout", "1s"], 75, &["FAILED  credential", "There was no credential within 1 s"]).await;
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    stand.configure(&oauth().replace("{token}", &format!("https://{free}/token")));
    stand.says(&[], 75, &["FAILED  credential", "cannot be reached", "whether this machine reaches it"]).await;
}

#[tokio::test]
async fn a_token_endpoint_whose_certificate_is_wrong_shows_it() {
    let stand = Stand::new(&oauth()).await;
    stand.sandbox.present_at_token_endpoint(Certificate::Expired);
    stand.tells("token_certificate_expired", 78, &stand.test(&[]).await);
    stand.sandbox.present_at_token_endpoint(Certificate::UnknownAuthority);
    stand.says(&["--json"], 78, &["\"step\":\"credential\"", "\"chain\":[{", "\"fingerprint\":"]).await;
    assert_eq!(stand.sandbox.counters().token_calls, 0);
}

#[tokio::test]
async fn a_password_file_and_a_program() {
    let file = IMPLICIT.replace("password = \"{password}\"", "password_file = \"secret\"");
    let stand = Stand::new("[accounts.office]\nhost = \"127.0.0.1\"\n").await;
    std::fs::write(stand.directory.path().join("secret"), stand.sandbox.settings().password.expose()).unwrap();
    stand.configure(&file);
    stand.says(&[], 0, &["ok      credential", "password from secret\n"]).await;
    stand.configure(&IMPLICIT.replace("password = \"{password}\"", "password_command = [\"/bin/false\", \"x\"]"));
    stand.says(&[], 77, &["FAILED  credential", "password printed by /bin/false", "What to do:"]).await;
}
