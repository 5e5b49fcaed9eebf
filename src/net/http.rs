//! The one kind of HTTP client token calls use: short questions, short answers, no surprises.
//!
//! Connects as SMTP does, straight or through the account's proxy, and lets hyper speak HTTP/1.1 on it. HTTPS only, and
//! plain HTTP to this machine itself, never through a proxy; follows no redirect, looks at no environment, gives up
//! after [`DEADLINE`] and after [`LONGEST_ANSWER`]. Errors name neither queries nor anything that was sent. Does not
//! judge statuses: whoever asks knows what an answer means.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST, HeaderValue, USER_AGENT};
use hyper::http::uri::InvalidUri;
use hyper_util::rt::TokioIo;
use oauth2::url::{Position, Url};
use oauth2::{HttpRequest, HttpResponse};

use super::dial;
use super::ours::Bound;
use super::proxy::{self, Proxy};
use super::stream::Stream;
use super::tls::{self, HandshakeError, problem};
use super::trust::Terms;
use crate::diagnosis::ProxyFailure;

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
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    #[error("{0}")]
    Proxy(ProxyFailure),
    /// With what the server presented.
    #[error("the TLS handshake failed")]
    Tls(HandshakeError),
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
    tls: Terms,
    proxy: Option<Proxy>,
    deadline: Duration,
}

impl HttpClient {
    /// A client that holds endpoints to `tls`, and reaches other machines through this proxy if there is one.
    #[must_use]
    pub fn new(tls: Terms, proxy: Option<Proxy>) -> Self {
        Self { tls, proxy, deadline: DEADLINE }
    }

    /// One request, one answer, whatever its status.
    pub async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        // Proven here as well, so that no caller can forget it.
        let endpoint: Endpoint = request.uri().to_string().parse()?;
        // On the heap: what a handshake and an exchange hold is large.
        let exchange = Box::pin(async { converse(self.connect(&endpoint).await?, &endpoint, request).await });
        let late = |_| HttpError::TimedOut { seconds: self.deadline.as_secs() };
        tokio::time::timeout(self.deadline, exchange).await.map_err(late)?
    }

    async fn connect(&self, endpoint: &Endpoint) -> Result<Stream, HttpError> {
        let host = endpoint.host().trim_start_matches('[').trim_end_matches(']');
        let port = endpoint.0.port_or_known_default().unwrap_or(443);
        // Only a server that speaks SMTP can be one of our own listeners, and this one is asked in HTTP.
        let ours = Bound::default();
        let straight = || async {
            let away = |error: dial::DialError| HttpError::Unreachable { detail: error.to_string() };
            dial::dial(host, port, &ours, self.deadline, &|_| ()).await.map_err(away)
        };
        if !endpoint.is_https() {
            // In clear only to this machine; through a proxy that would be another one.
            return Ok(Stream::Plain(straight().await?));
        }
        let tcp = match &self.proxy {
            None => straight().await?,
            Some(proxy) => {
                proxy::connect(proxy, host, port, &ours, self.deadline, &|_| ()).await.map_err(HttpError::Proxy)?
            }
        };
        tls::connect(&self.tls, host, tcp, self.deadline).await.map_err(HttpError::Tls)
    }
}

/// HTTP/1.1 on a connection that is used once: token calls are an hour apart, and a kept one would only be found dead.
async fn converse(stream: Stream, endpoint: &Endpoint, request: HttpRequest) -> Result<HttpResponse, HttpError> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| why(&error))?;
    let exchange = async {
        let answer = sender.send_request(on_the_wire(endpoint, request)?).await.map_err(|error| why(&error))?;
        let (head, body) = answer.into_parts();
        Ok(HttpResponse::from_parts(head, whole(body).await?))
    };
    let (mut exchange, connection) = (std::pin::pin!(exchange), std::pin::pin!(connection));
    tokio::select! {
        // The request is there before the connection first looks for an answer.
        biased;
        answer = &mut exchange => answer,
        // Why it ended, the exchange hears as well.
        _ = connection => exchange.await,
    }
}

/// The request in the form of RFC 9112 §3.2.1, with the fields every request has.
fn on_the_wire(endpoint: &Endpoint, request: HttpRequest) -> Result<Request<Full<Bytes>>, HttpError> {
    let odd = |error: &dyn std::error::Error| HttpError::Unreachable { detail: format!("no such request: {error}") };
    let (mut head, body) = request.into_parts();
    let authority = match endpoint.0.port() {
        Some(port) => format!("{}:{port}", endpoint.host()),
        None => endpoint.host().to_owned(),
    };
    head.headers.insert(HOST, HeaderValue::try_from(authority).map_err(|error| odd(&error))?);
    head.headers.insert(USER_AGENT, HeaderValue::from_static(concat!("posthouse/", env!("CARGO_PKG_VERSION"))));
    head.headers.insert(CONNECTION, HeaderValue::from_static("close"));
    // Without the part behind #, which is not sent.
    let way = &endpoint.0[Position::BeforePath..Position::AfterQuery];
    head.uri = way.parse().map_err(|error: InvalidUri| odd(&error))?;
    Ok(Request::from_parts(head, Full::from(body)))
}

async fn whole(mut body: Incoming) -> Result<Vec<u8>, HttpError> {
    let mut octets = Vec::new();
    while let Some(frame) = body.frame().await {
        // What is no data are trailers.
        let Ok(piece) = frame.map_err(|error| why(&error))?.into_data() else { continue };
        if octets.len() + piece.len() > LONGEST_ANSWER {
            return Err(HttpError::TooLong { limit: LONGEST_ANSWER });
        }
        octets.extend_from_slice(&piece);
    }
    Ok(octets)
}

fn why(error: &hyper::Error) -> HttpError {
    // A server may refuse our part of the handshake only once it is over for us.
    find_tls(error).map_or_else(
        || HttpError::Unreachable { detail: deepest(error) },
        |error| HttpError::Tls(HandshakeError { problem: problem::of_rustls(error), presented: Vec::new() }),
    )
}

impl Endpoint {
    /// The whole address, query included.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Whether it is asked over TLS; what is not lies on this machine itself.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
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

/// The last error of the chain says what happened; the ones above only where.
fn deepest(error: &(dyn std::error::Error + 'static)) -> String {
    let mut last = error;
    while let Some(next) = last.source() {
        last = next;
    }
    last.to_string()
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
pub(crate) mod tests;
