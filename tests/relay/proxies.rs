//! Mail through a proxy, and what happens when the proxy does not play along: nothing ever goes past it.

use posthouse::account::{self, Encryption, Source};
use posthouse::net::proxy::Protocol;
use posthouse::sandbox::Sandbox;

use crate::proxy::{PASSWORD, Proxy};
use crate::scene::{Log, Scene, client_credentials, provider};

const BOTH: [Protocol; 2] = [Protocol::Socks5, Protocol::HttpConnect];

/// One mail through this proxy.
async fn scene(proxy: &Proxy, protocol: Protocol, password: Option<&str>) -> Scene {
    Scene::account(|account, _| account.proxies.smtp = Some(proxy.settings(protocol, password))).await
}

#[tokio::test]
async fn mail_passes_either_kind_of_proxy_with_and_without_a_login() {
    for protocol in BOTH {
        for (proxy, password) in [(Proxy::open().await, None), (Proxy::guarded().await, Some(PASSWORD))] {
            let scene = scene(&proxy, protocol, password).await;
            assert!(scene.device().await.mail().await.starts_with("250 "), "{protocol:?} {password:?}");
            assert_eq!(proxy.asked(), [scene.sandbox.implicit().to_string()]);
            assert_eq!(scene.sandbox.mailbox().count(), 1);
            scene.assert_no_breach();
        }
    }
}

/// No sign-in, in clear: what is left is the way there.
fn bare(account: &mut account::Settings, sandbox: &Sandbox, host: &str) {
    account.host = host.into();
    account.port = sandbox.plain().port();
    account.encryption = Encryption::None;
    account.credential = Source::None;
}

#[tokio::test]
async fn the_proxy_looks_the_name_up_and_nobody_else() {
    for protocol in BOTH {
        let proxy = Proxy::open().await;
        let open = posthouse::sandbox::Settings { require_auth: false, ..provider() };
        let scene = Scene::with(open, |config, sandbox| {
            // RFC 6761 §6.4: no resolver has an address for this one, but the proxy has.
            bare(&mut config.accounts[0], sandbox, "provider.invalid");
            config.accounts[0].proxies.smtp = Some(proxy.settings(protocol, None));
        })
        .await;
        assert!(scene.device().await.mail().await.starts_with("250 "), "{protocol:?}");
        assert_eq!(proxy.asked(), [format!("provider.invalid:{}", scene.sandbox.plain().port())]);
    }
}

#[tokio::test]
async fn a_dead_proxy_is_the_networks_and_nothing_goes_past_it() {
    for protocol in BOTH {
        let log = Log::capture();
        let proxy = Proxy::open().await;
        let scene = scene(&proxy, protocol, None).await;
        drop(proxy);
        let mut device = scene.device().await;
        for _ in 0..2 {
            let heard = device.mail().await;
            assert!(heard.starts_with("451 4.4.0 ") && heard.contains("The proxy "), "{heard}");
        }
        log.assert_line(&["attempt failed", "cause=network", "cannot be reached", "`proxy` of this account"]);
        assert_eq!(scene.sandbox.counters().connections, 0);
        scene.assert_nothing_arrived();
    }
}

#[tokio::test]
async fn a_wrong_login_at_the_proxy_holds_the_account_and_is_tried_once() {
    for protocol in BOTH {
        for password in [None, Some("mistyped-word")] {
            let log = Log::capture();
            let proxy = Proxy::guarded().await;
            let scene = scene(&proxy, protocol, password).await;
            let mut device = scene.device().await;
            for _ in 0..3 {
                let heard = device.mail().await;
                assert!(heard.starts_with("451 4.7.0 "), "{heard}");
            }
            log.assert_line(&["account held", "cause=config", "next_try_s=3600", "`proxy_password_file`"]);
            assert_eq!(log.count(&["attempt failed"]), 1, "{}", log.text());
            assert!(!log.text().contains("mistyped-word"));
            assert_eq!((proxy.asked().len(), scene.sandbox.counters().connections), (0, 0));
        }
    }
}

#[tokio::test]
async fn a_proxy_that_cannot_reach_the_provider_is_not_blamed_for_it() {
    for (protocol, words) in
        [(Protocol::Socks5, "refuses the connection"), (Protocol::HttpConnect, "HTTP 502 Bad Gateway")]
    {
        let log = Log::capture();
        let proxy = Proxy::open().await;
        let scene = Scene::account(|account, _| {
            account.proxies.smtp = Some(proxy.settings(protocol, None));
            // Nobody listens on the lowest port.
            account.port = 1;
        })
        .await;
        assert!(scene.device().await.mail().await.starts_with("451 4.4.0 "));
        log.assert_line(&["attempt failed", "cause=network", "could not reach 127.0.0.1:1", words]);
        assert_eq!(proxy.asked(), ["127.0.0.1:1"]);
        assert_eq!(scene.sandbox.counters().connections, 0);
    }
}

#[tokio::test]
async fn behind_a_proxy_127_0_0_1_is_not_this_machine_and_no_password_goes_there_in_clear() {
    for protocol in BOTH {
        let log = Log::capture();
        let proxy = Proxy::open().await;
        let scene = Scene::account(|account, sandbox| {
            account.port = sandbox.plain().port();
            account.encryption = Encryption::None;
            account.proxies.smtp = Some(proxy.settings(protocol, None));
        })
        .await;
        assert!(scene.device().await.mail().await.starts_with("451 4.7.0 "));
        log.assert_line(&["account held", "cause=config"]);
        let counters = scene.sandbox.counters();
        assert_eq!((counters.connections, counters.auth_attempts), (1, 0));
    }
}

#[tokio::test]
async fn the_relay_itself_behind_a_local_proxy_is_still_a_circle() {
    let proxy = Proxy::open().await;
    let port = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let circle = async |change: fn(&mut posthouse::net::proxy::Proxy)| {
        Scene::try_with(provider(), |config, _| {
            config.listeners[0].bind = vec![([127, 0, 0, 1], port).into()];
            config.accounts[0].port = port;
            let mut through = proxy.settings(Protocol::Socks5, None);
            change(&mut through);
            config.accounts[0].proxies.smtp = Some(through);
        })
        .await
    };
    let refused = circle(|_| {}).await.err().expect("it started").0;
    assert!(matches!(refused, posthouse::app::StartError::SelfLoop { .. }), "{refused}");
    // RFC 5737: somewhere else, and 127.0.0.1 is another machine there.
    assert!(circle(|through| through.host = "192.0.2.1".into()).await.is_ok());
}

/// Tokens from the sandbox, through this proxy; mail through it as well.
async fn with_tokens(proxy: &Proxy, protocol: Protocol, password: Option<&str>) -> Scene {
    Scene::account(|account, sandbox| {
        client_credentials(account, sandbox);
        account.proxies.http = Some(proxy.settings(protocol, password));
        account.proxies.smtp = Some(proxy.settings(protocol, password));
    })
    .await
}

#[tokio::test]
async fn tokens_are_fetched_through_either_kind_of_proxy() {
    for protocol in BOTH {
        for (proxy, password) in [(Proxy::open().await, None), (Proxy::guarded().await, Some(PASSWORD))] {
            let scene = with_tokens(&proxy, protocol, password).await;
            assert!(scene.device().await.mail().await.starts_with("250 "), "{protocol:?} {password:?}");
            let endpoint = scene.sandbox.token_endpoint();
            let [token, mail] = &proxy.asked()[..] else { panic!("{:?}", proxy.asked()) };
            assert!(endpoint.starts_with(&format!("https://{token}/")), "{token}");
            assert_eq!(*mail, scene.sandbox.implicit().to_string());
            assert_eq!(scene.sandbox.counters().token_calls, 1);
            scene.assert_no_breach();
        }
    }
}

#[tokio::test]
async fn which_way_an_account_takes_is_said_at_start_without_the_password() {
    let log = Log::capture();
    let proxy = Proxy::guarded().await;
    let shown = proxy.settings(Protocol::HttpConnect, None).to_string();
    let _scene = with_tokens(&proxy, Protocol::HttpConnect, Some(PASSWORD)).await;
    for what in ["mail goes", "tokens are fetched"] {
        log.assert_line(&[what, "through the proxy set by `proxy` of this account", "account=office", &shown]);
    }
    assert!(!log.text().contains(PASSWORD), "{}", log.text());
    let log = Log::capture();
    let _straight = Scene::start().await;
    assert_eq!(log.count(&["proxy"]), 0);
}

#[tokio::test]
async fn a_token_is_not_fetched_past_a_dead_proxy() {
    for protocol in BOTH {
        let log = Log::capture();
        let proxy = Proxy::open().await;
        let scene = with_tokens(&proxy, protocol, None).await;
        drop(proxy);
        let heard = scene.device().await.mail().await;
        assert!(heard.starts_with("451 4.4.0 ") && heard.contains("The proxy "), "{heard}");
        log.assert_line(&["attempt failed", "cause=network", "cannot be reached", "`proxy` of this account"]);
        let counters = scene.sandbox.counters();
        assert_eq!((counters.token_calls, counters.connections), (0, 0));
    }
}

#[tokio::test]
async fn a_wrong_login_at_the_proxy_holds_the_account_before_any_token_is_asked_for() {
    for protocol in BOTH {
        let log = Log::capture();
        let proxy = Proxy::guarded().await;
        let scene = with_tokens(&proxy, protocol, Some("mistyped-word")).await;
        let mut device = scene.device().await;
        for _ in 0..2 {
            assert!(device.mail().await.starts_with("451 4.7.0 "));
        }
        log.assert_line(&["account held", "cause=config", "`proxy_password_file`"]);
        assert_eq!(log.count(&["attempt failed"]), 1, "{}", log.text());
        assert_eq!((proxy.asked().len(), scene.sandbox.counters().token_calls), (0, 0));
    }
}
