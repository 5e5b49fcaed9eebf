//! Token calls against real servers: what is sent where, what comes back, and what ends a call.
//!
//! Also lends other rooms' tests a client and a server that says hello over TLS.

use std::sync::Arc;

use axum::Router;
use axum::response::Redirect;
use axum::routing::{get, post};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::diagnosis::{ProxyProblem, TlsProblem};
use crate::net::trust::Verified;

fn trusting(roots: rustls::RootCertStore) -> Terms {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Terms { config: Arc::new(config), verified: Verified::Full }
}

/// A client that trusts no certificate: for endpoints in clear on this machine.
pub(crate) fn client() -> HttpClient {
    HttpClient::new(trusting(rustls::RootCertStore::empty()), None)
}

fn ask(address: &str) -> HttpRequest {
    let mut request = HttpRequest::new(b"question".to_vec());
    *request.method_mut() = "POST".parse().unwrap();
    *request.uri_mut() = address.parse().unwrap();
    request
}

async fn serve(app: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// A server that says hello over TLS with a certificate for `name`, and the certificate.
pub(crate) async fn serve_tls(name: &str) -> (u16, rustls::pki_types::CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(tls));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            if let Ok(mut stream) = acceptor.accept(socket).await {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello").await;
                let _ = stream.shutdown().await;
            }
        }
    });
    (port, certificate)
}

#[test]
fn secrets_go_to_https_or_to_this_machine_only() {
    for good in [
        "https://login.example.com/token",
        "http://localhost:8080/token",
        "http://127.0.0.53/token",
        "http://[::1]:8080/token",
    ] {
        assert!(good.parse::<Endpoint>().is_ok(), "{good}");
    }
    let refused = |text: &str| text.parse::<Endpoint>().unwrap_err();
    assert_eq!(refused("http://login.example.com/token"), EndpointError::NotHttps);
    assert_eq!(refused("http://localhost.example.com/token"), EndpointError::NotHttps);
    assert_eq!(refused("http://192.0.2.1/token"), EndpointError::NotHttps);
    assert_eq!(refused("ftp://localhost/token"), EndpointError::NotHttps);
    assert_eq!(refused("login.example.com/token"), EndpointError::NotAUrl);
    assert_eq!(refused("https://me:secret@login.example.com/"), EndpointError::Credentials);
}

#[test]
fn an_endpoint_is_shown_without_its_query() {
    let endpoint: Endpoint = "https://login.example.com:8443/a/token?key=hunter2#x".parse().unwrap();
    assert_eq!(endpoint.to_string(), "https://login.example.com:8443/a/token");
    assert_eq!(format!("{endpoint:?}"), endpoint.to_string());
}

#[tokio::test]
async fn a_request_in_clear_to_somewhere_else_is_not_sent() {
    let error = client().exchange(ask("http://192.0.2.1/token")).await.unwrap_err();
    assert_eq!(error, HttpError::Endpoint(EndpointError::NotHttps));
}

#[tokio::test]
async fn the_answer_comes_back_with_status_header_and_body() {
    let app = Router::new().route(
        "/token",
        post(|body: String| async move { (axum::http::StatusCode::IM_A_TEAPOT, [("x-a", "b")], body) }),
    );
    let answer = client().exchange(ask(&format!("{}/token", serve(app).await))).await.unwrap();
    assert_eq!(answer.status(), 418);
    assert_eq!(answer.headers()["x-a"], "b");
    assert_eq!(answer.body(), b"question");
}

#[tokio::test]
async fn a_redirect_is_an_answer_not_a_way() {
    let app = Router::new()
        .route("/token", post(|| async { Redirect::temporary("/elsewhere") }))
        .route("/elsewhere", get(|| async { "caught" }).post(|| async { "caught" }));
    let answer = client().exchange(ask(&format!("{}/token", serve(app).await))).await.unwrap();
    assert_eq!(answer.status(), 307);
}

#[tokio::test]
async fn an_endless_answer_is_cut() {
    let app = Router::new().route("/just", post(|| async { vec![b'x'; LONGEST_ANSWER] }));
    let app = app.route("/over", post(|| async { vec![b'x'; LONGEST_ANSWER + 1] }));
    let address = serve(app).await;
    let whole = client().exchange(ask(&format!("{address}/just"))).await.unwrap();
    assert_eq!(whole.body().len(), LONGEST_ANSWER);
    let error = client().exchange(ask(&format!("{address}/over"))).await.unwrap_err();
    assert_eq!(error, HttpError::TooLong { limit: LONGEST_ANSWER });
}

#[tokio::test]
async fn silence_ends_at_the_deadline() {
    let app = Router::new().route("/token", post(std::future::pending::<&str>));
    let address = serve(app).await;
    let config = trusting(rustls::RootCertStore::empty());
    let client = HttpClient { deadline: Duration::from_millis(50), ..HttpClient::new(config, None) };
    let error = client.exchange(ask(&format!("{address}/token"))).await.unwrap_err();
    assert!(matches!(error, HttpError::TimedOut { .. }), "{error:?}");
}

#[tokio::test]
async fn a_closed_port_is_said_without_the_query() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let error = client().exchange(ask(&format!("http://127.0.0.1:{port}/t?key=hunter2"))).await.unwrap_err();
    assert!(matches!(error, HttpError::Unreachable { .. }), "{error:?}");
    let said = format!("{error} {error:?}");
    assert!(said.contains("refused") && !said.contains("hunter2"), "{said}");
}

fn problem_of(error: HttpError) -> TlsProblem {
    let HttpError::Tls(HandshakeError { problem, .. }) = error else { panic!("{error:?}") };
    problem
}

#[tokio::test]
async fn certificates_are_checked_and_their_fault_is_named() {
    let (port, certificate) = serve_tls("localhost").await;
    let address = format!("https://localhost:{port}/token");
    let error = client().exchange(ask(&address)).await.unwrap_err();
    assert_eq!(problem_of(error), TlsProblem::UnknownIssuer { pin: None });

    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate).unwrap();
    let trusting = HttpClient::new(trusting(roots), None);
    assert_eq!(trusting.exchange(ask(&address)).await.unwrap().body(), b"hello");
    let error = trusting.exchange(ask(&format!("https://127.0.0.1:{port}/token"))).await.unwrap_err();
    let presented = vec!["localhost".to_owned()];
    assert_eq!(problem_of(error), TlsProblem::WrongName { presented });
}

#[tokio::test]
async fn a_port_that_does_not_speak_tls_is_named_as_such() {
    let address = serve(Router::new()).await.replace("http://", "https://");
    let error = client().exchange(ask(&address)).await.unwrap_err();
    assert_eq!(problem_of(error), TlsProblem::NotTls);
}

#[tokio::test]
async fn a_request_names_its_host_and_leaves_the_fragment_at_home() {
    use axum::http::{HeaderMap, Uri};
    let say = |uri: Uri, headers: HeaderMap| async move {
        format!("{uri} {} {}", headers["host"].to_str().unwrap(), headers["connection"].to_str().unwrap())
    };
    let address = serve(Router::new().route("/token", post(say))).await;
    let answer = client().exchange(ask(&format!("{address}/token?key=a%20b"))).await.unwrap();
    let host = address.strip_prefix("http://").unwrap();
    assert_eq!(String::from_utf8_lossy(answer.body()), format!("/token?key=a%20b {host} close"));
}

#[tokio::test]
async fn a_server_that_hangs_up_in_the_middle_gave_no_answer() {
    for part in [&b""[..], b"HTTP/1.1 200 OK\r\ncontent-le", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/token", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            // The request, so that closing does not reset the connection.
            let _ = socket.read(&mut [0; 4096]).await;
            let _ = socket.write_all(part).await;
        });
        let error = client().exchange(ask(&address)).await.unwrap_err();
        assert!(matches!(error, HttpError::Unreachable { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_proxy_that_will_not_is_told_from_an_endpoint_that_is_away() {
    let proxy = proxy::tests::http(b"HTTP/1.1 407 Login\r\n\r\n").await;
    let config = trusting(rustls::RootCertStore::empty());
    let client = HttpClient::new(config, Some(proxy.clone()));
    let error = client.exchange(ask("https://login.example.invalid/token")).await.unwrap_err();
    let HttpError::Proxy(failure) = error else { panic!("{error:?}") };
    assert_eq!(failure.problem, ProxyProblem::LoginWanted);
    assert_eq!((failure.proxy, failure.target.as_str()), (proxy.to_string(), "login.example.invalid:443"));
}

#[tokio::test]
async fn what_is_asked_in_clear_does_not_go_through_a_proxy() {
    let address = serve(Router::new().route("/token", post(|| async { "here" }))).await;
    let proxy = proxy::tests::http(b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nthere").await;
    let client = HttpClient::new(trusting(rustls::RootCertStore::empty()), Some(proxy));
    assert_eq!(client.exchange(ask(&format!("{address}/token"))).await.unwrap().body(), b"here");
}
