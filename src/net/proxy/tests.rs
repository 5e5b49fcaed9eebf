//! Proxies that do what they should, and those that do not: real sockets, every octet scripted.
//!
//! Guarantees that the target goes out as a name, that the greeting behind the proxy's answer is neither lost nor
//! taken for a part of it, and that every other end is said in words and within the time.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;

const HOST: &str = "smtp.example.com";
const PASSWORD: &str = "open-sesame";
const GREETING: &[u8] = b"220 smtp.example.com ESMTP\r\n";

/// One step of a scripted proxy.
enum Step {
    /// It must hear exactly this.
    Hear(Vec<u8>),
    /// It hears a header block, whatever is in it.
    HearHead,
    /// It says this.
    Say(Vec<u8>),
    /// It says this until nobody listens any more.
    SayForEver(&'static [u8]),
    /// It says nothing, and does not hang up.
    Wait,
}

use Step::{Hear, HearHead, Say, SayForEver, Wait};

/// A proxy for one connection; the task gives back the header block it heard, if any.
async fn proxy(protocol: Protocol, script: Vec<Step>) -> (Proxy, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let task = tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        for step in script {
            match step {
                Hear(expected) => {
                    let mut octets = vec![0; expected.len()];
                    tcp.read_exact(&mut octets).await.unwrap();
                    assert_eq!(octets, expected);
                }
                HearHead => {
                    while !head.ends_with(b"\r\n\r\n") {
                        head.push(tcp.read_u8().await.unwrap());
                    }
                }
                Say(octets) => tcp.write_all(&octets).await.unwrap(),
                SayForEver(octets) => while tcp.write_all(octets).await.is_ok() {},
                Wait => std::future::pending().await,
            }
        }
        String::from_utf8(head).unwrap()
    });
    let origin = ProxyOrigin::Account;
    (Proxy { protocol, host: "127.0.0.1".into(), port, login: None, origin }, task)
}

fn with_login(proxy: Proxy) -> Proxy {
    let login = Login { username: "me".into(), password: Secret::new(PASSWORD.into()) };
    Proxy { login: Some(login), ..proxy }
}

async fn go(proxy: &Proxy) -> Result<TcpStream, ProxyFailure> {
    connect(proxy, HOST, 587, &Bound::default(), Duration::from_secs(20), &|_| ()).await
}

async fn problem(proxy: &Proxy) -> ProxyProblem {
    go(proxy).await.unwrap_err().problem
}

fn detail(problem: &ProxyProblem) -> &str {
    match problem {
        ProxyProblem::Cut { detail }
        | ProxyProblem::LoginRefused { detail }
        | ProxyProblem::Forbidden { detail }
        | ProxyProblem::Target { detail }
        | ProxyProblem::Odd { detail } => detail,
        other => panic!("{other:?}"),
    }
}

async fn assert_greeted(mut tcp: TcpStream) {
    let mut heard = vec![0; GREETING.len()];
    tcp.read_exact(&mut heard).await.unwrap();
    assert_eq!(heard, GREETING);
}

/// CONNECT to `smtp.example.com:587`, with the name as a name (ATYP 3).
fn socks_request() -> Step {
    Hear([&[5, 1, 0, 3, 16][..], HOST.as_bytes(), &587_u16.to_be_bytes()].concat())
}

/// A reply with this code, bound to 0.0.0.0:0.
fn socks_reply(code: u8) -> Vec<u8> {
    vec![5, code, 0, 1, 0, 0, 0, 0, 0, 0]
}

/// A SOCKS5 proxy that wants no login and answers the request so.
async fn socks(answer: Step) -> Proxy {
    proxy(Protocol::Socks5, vec![Hear(vec![5, 1, 0]), Say(vec![5, 0]), socks_request(), answer]).await.0
}

/// An HTTP proxy that answers the first request so.
pub(crate) async fn http(answer: &[u8]) -> Proxy {
    proxy(Protocol::HttpConnect, vec![HearHead, Say(answer.to_vec())]).await.0
}

#[tokio::test]
async fn socks5_gets_the_name_and_the_greeting_behind_its_answer_is_the_servers() {
    let answer = [socks_reply(0), GREETING.to_vec()].concat();
    assert_greeted(go(&socks(Say(answer)).await).await.unwrap()).await;
    // The bound address as a name: of any length.
    let named = [&[5, 0, 0, 3, 255][..], &[b'x'; 255], &[0, 25], GREETING].concat();
    assert_greeted(go(&socks(Say(named)).await).await.unwrap()).await;
}

#[tokio::test]
async fn socks5_login_is_said_only_to_a_proxy_that_asks_for_it() {
    let login = [&[1, 2][..], b"me", &[11], PASSWORD.as_bytes()].concat();
    let script = |status: u8| {
        let answers = vec![Hear(vec![5, 2, 0, 2]), Say(vec![5, 2]), Hear(login.clone()), Say(vec![1, status])];
        answers.into_iter().chain([socks_request(), Say([socks_reply(0), GREETING.to_vec()].concat())]).collect()
    };
    let (asked, _) = proxy(Protocol::Socks5, script(0)).await;
    assert_greeted(go(&with_login(asked)).await.unwrap()).await;

    let (refusing, _) = proxy(Protocol::Socks5, script(1)).await;
    let refused = problem(&with_login(refusing)).await;
    assert!(matches!(refused, ProxyProblem::LoginRefused { .. }), "{refused:?}");

    let unasked = vec![Hear(vec![5, 2, 0, 2]), Say(vec![5, 0]), socks_request(), Say(socks_reply(0))];
    let (open, _) = proxy(Protocol::Socks5, unasked).await;
    go(&with_login(open)).await.unwrap();
}

#[tokio::test]
async fn socks5_that_wants_a_login_we_have_not_says_so() {
    for method in [0xff, 2] {
        let (strict, _) = proxy(Protocol::Socks5, vec![Hear(vec![5, 1, 0]), Say(vec![5, method]), Wait]).await;
        assert_eq!(problem(&strict).await, ProxyProblem::LoginWanted, "{method}");
    }
    let (kerberos, _) = proxy(Protocol::Socks5, vec![Hear(vec![5, 2, 0, 2]), Say(vec![5, 0xff]), Wait]).await;
    let refused = problem(&with_login(kerberos)).await;
    assert!(detail(&refused).contains("no login with user name"), "{refused:?}");
}

#[tokio::test]
async fn every_refusal_of_socks5_has_its_words() {
    for (code, words) in [
        (1, "general failure"),
        (2, "its rules forbid it"),
        (3, "network does not lead there"),
        (4, "cannot reach that host"),
        (5, "refuses the connection"),
        (6, "TTL expired"),
        (7, "no outgoing connections"),
        (8, "this kind of address"),
        (9, "against RFC 1928"),
    ] {
        let refused = problem(&socks(Say(socks_reply(code))).await).await;
        assert!(detail(&refused).contains(words), "{code}: {refused:?}");
        assert_eq!(matches!(refused, ProxyProblem::Forbidden { .. }), code == 2, "{refused:?}");
        assert_eq!(matches!(refused, ProxyProblem::Odd { .. }), [7, 9].contains(&code), "{refused:?}");
    }
}

#[tokio::test]
async fn what_does_not_speak_socks5_is_named_as_such() {
    for answer in [b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), GREETING.to_vec(), vec![4, 90]] {
        let (other, _) = proxy(Protocol::Socks5, vec![Say(answer), Wait]).await;
        let odd = problem(&other).await;
        assert!(detail(&odd).contains("does not speak SOCKS version 5"), "{odd:?}");
    }
    let odd = problem(&socks(Say(vec![5, 0, 0, 9, 0, 0, 0, 0, 0, 0])).await).await;
    assert!(matches!(odd, ProxyProblem::Odd { .. }), "an address of no known kind: {odd:?}");
}

#[tokio::test]
async fn a_proxy_that_hangs_up_early_is_cut() {
    for cut in [vec![], vec![5], vec![5, 0, 0, 1, 127]] {
        let cut = problem(&socks(Say(cut)).await).await;
        assert!(matches!(cut, ProxyProblem::Cut { .. }), "{cut:?}");
    }
    for cut in [&b""[..], b"HTTP/1.1 200 OK\r\nVia: x"] {
        let cut = problem(&http(cut).await).await;
        assert!(matches!(cut, ProxyProblem::Cut { .. }), "{cut:?}");
    }
}

#[tokio::test]
async fn http_connect_names_the_target_and_leaves_the_greeting_in_place() {
    for head in [
        "HTTP/1.1 200 Connection established\r\n\r\n",
        "HTTP/1.0 200 OK\nProxy-agent: tinyproxy/1.11.1\n\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 Fine\r\nContent-Length: 28\r\nTransfer-Encoding: chunked\r\n\r\n",
        &format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(3000)),
    ] {
        let script = vec![HearHead, Say([head.as_bytes(), GREETING].concat())];
        let (good, asked) = proxy(Protocol::HttpConnect, script).await;
        assert_greeted(go(&good).await.unwrap()).await;
        let asked = asked.await.unwrap();
        assert!(
            asked.starts_with("CONNECT smtp.example.com:587 HTTP/1.1\r\nHost: smtp.example.com:587\r\n"),
            "{asked}"
        );
        assert!(!asked.contains("Proxy-Authorization"), "{asked}");
    }
}

#[tokio::test]
async fn http_connect_logs_in_with_basic() {
    let script = vec![HearHead, Say(b"HTTP/1.1 200 OK\r\n\r\n".to_vec())];
    let (good, asked) = proxy(Protocol::HttpConnect, script).await;
    go(&with_login(good)).await.unwrap();
    // printf me:open-sesame | base64
    let asked = asked.await.unwrap();
    assert!(asked.contains("\r\nProxy-Authorization: Basic bWU6b3Blbi1zZXNhbWU=\r\n"), "{asked}");
}

#[tokio::test]
async fn every_refusal_of_http_connect_is_sorted_and_repeated() {
    let refusal = async |line: &str| problem(&with_login(http(format!("{line}\r\n\r\n").as_bytes()).await)).await;
    let said = |text: &str| text.to_owned();
    let forbidden = ProxyProblem::Forbidden { detail: said("HTTP 403 Filtered") };
    assert_eq!(refusal("HTTP/1.1 403 Filtered").await, forbidden);
    for (line, detail) in [
        ("HTTP/1.1 502 Bad Gateway", "HTTP 502 Bad Gateway"),
        ("HTTP/1.1 503 Service Unavailable", "HTTP 503 Service Unavailable"),
        ("HTTP/1.1 504", "HTTP 504"),
    ] {
        assert_eq!(refusal(line).await, ProxyProblem::Target { detail: said(detail) });
    }
    for line in ["HTTP/1.1 302 Found", "HTTP/1.1 400 Bad Request", "220 smtp.example.com", "SSH-2.0-OpenSSH"] {
        let odd = refusal(line).await;
        assert!(matches!(odd, ProxyProblem::Odd { .. }), "{line}: {odd:?}");
    }
    for line in ["HTTP/1.1 407 Proxy Authentication Required", "HTTP/1.0 401 Unauthorized"] {
        let refused = refusal(line).await;
        assert!(matches!(refused, ProxyProblem::LoginRefused { .. }), "{refused:?}");
        let without = http(format!("{line}\r\n\r\n").as_bytes()).await;
        assert_eq!(problem(&without).await, ProxyProblem::LoginWanted);
    }
}

#[tokio::test]
async fn a_proxy_that_repeats_our_password_is_not_quoted() {
    let head = format!("HTTP/1.1 407 No {PASSWORD} no bWU6b3Blbi1zZXNhbWU= no\r\n\r\n");
    let failure = go(&with_login(http(head.as_bytes()).await)).await.unwrap_err();
    let detail = detail(&failure.problem);
    assert!(detail.starts_with("HTTP 407 No [secret] no "), "{detail}");
    assert!(!detail.contains("zZXNhb"), "{detail}");
    let long = http(format!("HTTP/1.1 502 {}\r\n\r\n", "x".repeat(2000)).as_bytes()).await;
    assert_eq!(super::tests::detail(&problem(&long).await).len(), "HTTP 502 ".len() + 100);
}

#[tokio::test]
async fn an_endless_header_is_cut_off() {
    for endless in [&b"x"[..], b"X: y\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"] {
        let script = vec![HearHead, Say(b"HTTP/1.1 200 OK\r\nX: ".to_vec()), SayForEver(endless)];
        let script = if endless.starts_with(b"HTTP") { vec![HearHead, SayForEver(endless)] } else { script };
        let (babbling, _) = proxy(Protocol::HttpConnect, script).await;
        let odd = problem(&babbling).await;
        assert!(matches!(odd, ProxyProblem::Odd { .. }), "{odd:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_proxy_is_given_up_after_the_whole_time() {
    for protocol in [Protocol::Socks5, Protocol::HttpConnect] {
        let (silent, _) = proxy(protocol, vec![Wait]).await;
        let began = Instant::now();
        assert_eq!(problem(&silent).await, ProxyProblem::TimedOut { seconds: 20 });
        assert_eq!(began.elapsed().as_secs(), 20);
    }
}

#[tokio::test]
async fn a_proxy_that_is_away_or_is_ourselves_is_told_from_one_that_is_there() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let origin = ProxyOrigin::Variable("ALL_PROXY".into());
    let mut away =
        Proxy { protocol: Protocol::Socks5, host: "localhost".into(), port: address.port(), login: None, origin };
    let circle = connect(&away, HOST, 587, &Bound::new([address]), Duration::from_secs(20), &|_| ()).await.unwrap_err();
    assert_eq!(circle.problem, ProxyProblem::SelfLoop);
    drop(listener);
    let failure = go(&away).await.unwrap_err();
    assert!(
        matches!(&failure.problem, ProxyProblem::Unreachable { detail } if detail.contains("refused")),
        "{failure}"
    );
    assert_eq!(failure.proxy, format!("socks5://localhost:{}", address.port()));
    assert_eq!(failure.target, "smtp.example.com:587");
    // RFC 6761 §6.4
    away.host = "proxy.invalid".into();
    assert!(matches!(problem(&away).await, ProxyProblem::Dns { .. }));
}

#[test]
fn an_address_is_shown_with_brackets_and_without_the_login() {
    let origin = ProxyOrigin::Account;
    let proxy =
        with_login(Proxy { protocol: Protocol::HttpConnect, host: "::1".into(), port: 3128, login: None, origin });
    assert_eq!(proxy.to_string(), "http://[::1]:3128");
    assert!(!format!("{proxy:?}").contains(PASSWORD));
}
