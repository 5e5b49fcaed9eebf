//! The one kind of HTTP client token calls use: short questions, short answers, no surprises.
//!
//! Speaks HTTPS, and plain HTTP only to this machine itself; follows no redirect, uses no proxy of the environment,
//! gives up after [`DEADLINE`] and after [`LONGEST_ANSWER`]. Errors name neither queries nor anything that was sent.
//! Does not judge statuses: whoever asks knows what an answer means. [`HttpClient::exchange`] has the shape the
//! `oauth2` crate calls for: `&|request| client.exchange(request)` is its HTTP client.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use oauth2::{HttpRequest, HttpResponse};
use reqwest::Url;
use reqwest::redirect::Policy;

use super::tls::problem;
use crate::diagnosis::TlsProblem;

/// From the first name lookup to the last octet of the answer.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// In octets. Tokens are a few KiB, error pages a few more.
pub const LONGEST_ANSWER: usize = 64 * 1024;

/// An address secrets may be sent to: `https://…`, or `http://…` to loopback.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint(Url);

/// Why a text is not an endpoint. The text itself is not repeated: it may hold a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    #[error("this is not an address like https://login.example.com/token")]
    NotAUrl,
    #[error("the address must begin with https:// (http:// is for this machine itself only)")]
    NotHttps,
    #[error("user name and password do not belong into an address; there are keys of their own for them")]
    Credentials,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    #[error("the HTTP client cannot be made: {detail}")]
    Setup { detail: String },
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    #[error("the TLS handshake failed")]
    Tls(TlsProblem),
    #[error("no whole answer within {seconds} s")]
    TimedOut { seconds: u64 },
    #[error("the answer is longer than {limit} octets")]
    TooLong { limit: usize },
    #[error("{detail}")]
    Unreachable { detail: String },
}

/// Asks and listens. Cheap to clone: clones share the trust they were made with.
#[derive(Debug, Clone)]
pub struct HttpClient {
    client: reqwest::Client,
    deadline: Duration,
}

impl HttpClient {
    /// A client that trusts whom `tls` trusts.
    pub fn new(tls: &rustls::ClientConfig) -> Result<Self, HttpError> {
        Self::with_deadline(tls, DEADLINE)
    }

    fn with_deadline(tls: &rustls::ClientConfig, deadline: Duration) -> Result<Self, HttpError> {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls.clone())
            .redirect(Policy::none())
            .no_proxy()
            .timeout(deadline)
            // Token calls are an hour apart: a kept connection would only be found dead.
            .pool_max_idle_per_host(0)
            .user_agent(concat!("posthouse/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| HttpError::Setup { detail: deepest(&error) })?;
        Ok(Self { client, deadline })
    }

    /// One request, one answer, whatever its status.
    pub async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        // Proven here as well, so that no caller can forget it.
        let _: Endpoint = request.uri().to_string().parse()?;
        let request = reqwest::Request::try_from(request).map_err(|error| self.why(&error))?;
        let mut answer = self.client.execute(request).await.map_err(|error| self.why(&error))?;
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(|error| self.why(&error))? {
            if body.len() + piece.len() > LONGEST_ANSWER {
                return Err(HttpError::TooLong { limit: LONGEST_ANSWER });
            }
            body.extend_from_slice(&piece);
        }
        let mut response = HttpResponse::new(body);
        *response.status_mut() = answer.status();
        *response.headers_mut() = std::mem::take(answer.headers_mut());
        Ok(response)
    }

    fn why(&self, error: &reqwest::Error) -> HttpError {
        if let Some(error) = find_tls(error) {
            return HttpError::Tls(problem::of_rustls(error));
        }
        if error.is_timeout() {
            return HttpError::TimedOut { seconds: self.deadline.as_secs() };
        }
        HttpError::Unreachable { detail: deepest(error) }
    }
}

impl Endpoint {
    /// The whole address, query included.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The host, an IPv6 address in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        // Both schemes it may have want a host.
        self.0.host_str().unwrap_or_default()
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let url = Url::parse(text).map_err(|_| EndpointError::NotAUrl)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(EndpointError::Credentials);
        }
        match url.scheme() {
            "https" => Ok(Self(url)),
            "http" if url.host_str().is_some_and(is_loopback) => Ok(Self(url)),
            _ => Err(EndpointError::NotHttps),
        }
    }
}

/// Without the query, in which some services carry secrets.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.0.scheme(), self.0.host_str().unwrap_or_default())?;
        if let Some(port) = self.0.port() {
            write!(f, ":{port}")?;
        }
        f.write_str(self.0.path())
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn is_loopback(host: &str) -> bool {
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || literal.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

/// The last error of the chain says what happened; the ones above only where, and the first repeats the address.
fn deepest(error: &(dyn std::error::Error + 'static)) -> String {
    let mut last = error;
    while let Some(next) = last.source() {
        last = next;
    }
    // `reqwest::Error` itself prints the whole address: never show it.
    if last.is::<reqwest::Error>() { "the request failed".into() } else { last.to_string() }
}

/// rustls reports through `std::io::Error`, whose `source` skips the error it carries.
fn find_tls<'e>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<rustls::Error>() {
            return Some(found);
        }
        let carried = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = match carried {
            Some(carried) => Some(carried as &'e (dyn std::error::Error + 'static)),
            None => error.source(),
        };
    }
    None
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;

    use axum::Router;
    use axum::response::Redirect;
    use axum::routing::{get, post};
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    use super::*;

    fn trusting(roots: rustls::RootCertStore) -> rustls::ClientConfig {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth()
    }

    /// A client that trusts no certificate: for endpoints in clear on this machine.
    pub(crate) fn client() -> HttpClient {
        HttpClient::new(&trusting(rustls::RootCertStore::empty())).unwrap()
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
        let client = HttpClient::with_deadline(&config, Duration::from_millis(50)).unwrap();
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

    #[tokio::test]
    async fn certificates_are_checked_and_their_fault_is_named() {
        let (port, certificate) = serve_tls("localhost").await;
        let address = format!("https://localhost:{port}/token");
        let error = client().exchange(ask(&address)).await.unwrap_err();
        assert_eq!(error, HttpError::Tls(TlsProblem::UnknownIssuer { pin: None }));

        let mut roots = rustls::RootCertStore::empty();
        roots.add(certificate).unwrap();
        let trusting = HttpClient::new(&trusting(roots)).unwrap();
        assert_eq!(trusting.exchange(ask(&address)).await.unwrap().body(), b"hello");
        let error = trusting.exchange(ask(&format!("https://127.0.0.1:{port}/token"))).await.unwrap_err();
        let presented = vec!["localhost".to_owned()];
        assert_eq!(error, HttpError::Tls(TlsProblem::WrongName { presented }));
    }

    #[tokio::test]
    async fn a_port_that_does_not_speak_tls_is_named_as_such() {
        let address = serve(Router::new()).await.replace("http://", "https://");
        let error = client().exchange(ask(&address)).await.unwrap_err();
        assert_eq!(error, HttpError::Tls(TlsProblem::NotTls));
    }
}
