//! The listener over real sockets: what ends the sign-in, what does not, and what a browser is shown.
//!
//! The stranger of these tests knows the port, and neither the state nor the code.

use std::net::IpAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::account::oauth::authorization_code::tests::{application, asked};
use crate::account::oauth::{ClientProof, KnownEndpoints};
use crate::diagnosis::TokenFailure;

fn loopback(origin: &str, port: Option<u16>, path: &str) -> Redirect {
    Redirect::Loopback { origin: origin.into(), port, path: path.into() }
}

fn bound(redirect: &Redirect) -> Listener {
    Listener::bind(redirect).unwrap().unwrap()
}

/// A listener, and the request whose answer it waits for.
fn waiting() -> (Listener, Request) {
    let listener = bound(&loopback("http://localhost", None, "/back"));
    let endpoints = KnownEndpoints {
        token: "https://login.example.com/token".parse().unwrap(),
        authorization: Some("https://login.example.com/authorize".parse().unwrap()),
        device_authorization: None,
        revocation: None,
        issuer: None,
        always_names_issuer: false,
    };
    let redirect = listener.redirect().to_owned();
    let request = Request::new(&application(ClientProof::None), &endpoints, redirect, &[], None).unwrap();
    (listener, request)
}

/// Sends these octets to a socket of the listener and hears all that comes back.
async fn exchange(address: SocketAddr, octets: Vec<u8>) -> String {
    let mut tcp = TcpStream::connect(address).await.unwrap();
    tcp.write_all(&octets).await.unwrap();
    let mut heard = Vec::new();
    // A peer that is cut hears nothing more.
    let _ = tcp.read_to_end(&mut heard).await;
    String::from_utf8(heard).unwrap()
}

fn get(target: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nCookie: a=b\r\n\r\n").into_bytes()
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

/// Listens while a stranger comes with these octets; they must not be taken for the answer.
async fn stranger(listener: &Listener, request: &Request, octets: Vec<u8>) -> String {
    tokio::select! {
        arrival = listener.answer(request) => panic!("taken for the answer: {arrival:?}"),
        heard = exchange(listener.sockets[0].address(), octets) => heard,
    }
}

#[tokio::test]
async fn the_answer_is_taken_on_both_addresses_and_the_browser_hears_what_became_of_it() {
    for socket in 0..waiting().0.sockets.len() {
        let (listener, request) = waiting();
        let answer = get(&format!("/back?code=the-code&state={}", asked(&request, "state").unwrap()));
        let address = listener.sockets[socket].address();
        let browser = tokio::spawn(exchange(address, answer));
        let Arrival { answer, browser: waits } = listener.answer(&request).await;
        assert!(matches!(answer, Redirected::Code(_)), "{answer:?}");
        waits.show(Page::done("Account <office> is signed in")).await;
        let page = browser.await.unwrap();
        assert_eq!(status(&page), "200", "{page}");
        assert!(page.contains("<h1>Account &lt;office&gt; is signed in</h1>") && page.contains("close this window"));
        assert!(!page.contains("the-code") && !page.contains(&asked(&request, "state").unwrap()), "{page}");
        let header = page.to_ascii_lowercase();
        for field in [
            "referrer-policy: no-referrer\r\n",
            "cache-control: no-store\r\n",
            "content-type: text/html; charset=utf-8\r\n",
            "content-security-policy: default-src 'none'; style-src 'unsafe-inline'\r\n",
        ] {
            assert!(header.contains(field), "{field}: {page}");
        }
        drop(listener);
        assert!(TcpStream::connect(address).await.is_err(), "the port is closed afterwards");
    }
}

fn addresses(listener: &Listener) -> Vec<IpAddr> {
    listener.sockets.iter().map(|socket| socket.address().ip()).collect()
}

#[tokio::test]
async fn a_port_of_the_configuration_is_the_one_that_is_listened_on() {
    for origin in ["http://127.0.0.1", "http://localhost"] {
        let free = bound(&loopback(origin, None, "")).port();
        let fixed = bound(&loopback(origin, Some(free), "/back"));
        assert_eq!(fixed.sockets.iter().map(|socket| socket.address().port()).max(), Some(free));
        assert_eq!((fixed.port(), fixed.redirect()), (free, &*format!("{origin}:{free}/back")));
    }
}

#[tokio::test]
async fn localhost_is_both_addresses_on_one_port_and_a_literal_is_one() {
    let listener = bound(&loopback("http://localhost", None, ""));
    let ports: Vec<u16> = listener.sockets.iter().map(|socket| socket.address().port()).collect();
    assert!(ports.iter().all(|port| *port == listener.port() && *port != 0), "{ports:?}");
    assert_eq!(listener.redirect(), format!("http://localhost:{}", listener.port()), "not a letter more");
    let has_ipv6 = std::net::TcpListener::bind("[::1]:0").is_ok();
    let both = [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)];
    let expected = if has_ipv6 { &both[..] } else { &both[..1] };
    assert_eq!(addresses(&listener), expected);
    for (origin, address) in [("http://127.0.0.1", both[0]), ("http://[::1]", both[1])] {
        if address.is_ipv4() || has_ipv6 {
            let literal = bound(&loopback(origin, None, "/x/y"));
            assert_eq!(addresses(&literal), [address]);
            assert_eq!(literal.redirect(), format!("{origin}:{}/x/y", literal.port()));
        }
    }
    assert!(Listener::bind(&Redirect::Elsewhere("https://example.com/".into())).unwrap().is_none());
}

#[tokio::test]
async fn a_port_somebody_else_sits_on_is_not_shared() {
    let taken = bound(&loopback("http://127.0.0.1", None, ""));
    let same = loopback("http://localhost", Some(taken.port()), "");
    let why = Listener::bind(&same).unwrap_err().to_string();
    assert!(why.contains(&format!("127.0.0.1:{}", taken.port())) && why.contains("the port is in use"), "{why}");
    assert!(why.contains("`oauth.redirect_uri`") && why.contains("--paste"), "{why}");
    if let Ok(other) = std::net::TcpListener::bind("[::1]:0") {
        let same = loopback("http://localhost", Some(other.local_addr().unwrap().port()), "");
        let why = Listener::bind(&same).unwrap_err().to_string();
        assert!(why.contains("[::1]:"), "whoever sits on the other address would get the code: {why}");
    }
}

#[tokio::test]
async fn what_is_not_the_answer_is_refused_and_ends_nothing() {
    let (listener, request) = waiting();
    let state = asked(&request, "state").unwrap();
    let post = format!("POST /back?code=x&state={state} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").into_bytes();
    for (octets, expected) in [
        (get("/favicon.ico"), "404"),
        (get(&format!("/?code=x&state={state}")), "404"),
        (get(&format!("/back/?code=x&state={state}")), "404"),
        (get("/back"), "400"),
        (get("/back?code=x&state=guessed"), "400"),
        (get("/back?error=access_denied"), "400"),
        (get(&format!("/back?code=x&code=y&state={state}")), "400"),
        (post, "405"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello\r\n\r\n".to_vec(), "400"),
    ] {
        let heard = stranger(&listener, &request, octets.clone()).await;
        assert_eq!(status(&heard), expected, "{} {heard}", octets[..60.min(octets.len())].escape_ascii());
        assert!(!heard.contains("guessed") && !heard.contains(&state), "{heard}");
    }
    let endless = get(&format!("/back?state={state}&code={}", "x".repeat(8 * LONGEST_HEADER)));
    let heard = stranger(&listener, &request, endless).await;
    // The refusal may be lost: what was not read cuts the connection.
    assert!(["431", ""].contains(&status(&heard)), "{heard}");
    let right = get(&format!("/back?code=x&state={state}"));
    let browser = tokio::spawn(exchange(listener.sockets[0].address(), right));
    assert!(matches!(listener.answer(&request).await.answer, Redirected::Code(_)));
    assert_eq!(browser.await.unwrap(), "", "a program that ends leaves no browser waiting");
}

#[tokio::test]
async fn peers_that_say_nothing_keep_nobody_out() {
    let (mut listener, request) = waiting();
    listener.patience = Duration::from_millis(20);
    let address = listener.sockets[0].address();
    let mut silent = Vec::new();
    for _ in 0..2 * CONNECTIONS {
        let mut tcp = TcpStream::connect(address).await.unwrap();
        tcp.write_all(b"GET /back?co").await.unwrap();
        silent.push(tcp);
    }
    let right = get(&format!("/back?code=x&state={}", asked(&request, "state").unwrap()));
    let browser = tokio::spawn(exchange(address, right));
    let arrival = listener.answer(&request).await;
    assert!(matches!(arrival.answer, Redirected::Code(_)));
    arrival.browser.show(Page::failed("x")).await;
    assert!(browser.await.unwrap().contains("<h1>Not signed in</h1>"));
}

#[tokio::test]
async fn a_refusal_of_the_provider_ends_it_too() {
    let (listener, request) = waiting();
    let refusal = format!("/back?error=access_denied&state={}", asked(&request, "state").unwrap());
    let browser = tokio::spawn(exchange(listener.sockets[0].address(), get(&refusal)));
    let Arrival { answer, browser: waits } = listener.answer(&request).await;
    let Redirected::Refused(TokenFailure::Refused { error, .. }) = answer else { panic!("{answer:?}") };
    assert_eq!(error, "access_denied");
    waits.show(Page::failed("No.")).await;
    assert!(browser.await.unwrap().contains("<p>No.</p>"));
}

#[test]
fn a_pasted_answer_needs_no_port_that_is_bound() {
    assert_eq!(unheard(&Redirect::Elsewhere("https://x.example/y".into())), "https://x.example/y");
    assert_eq!(unheard(&loopback("http://localhost", Some(8400), "/z")), "http://localhost:8400/z");
    let free = unheard(&loopback("http://127.0.0.1", None, ""));
    let port: u16 = free.strip_prefix("http://127.0.0.1:").unwrap().parse().unwrap();
    assert!(port >= 49_152);
}
