//! The token endpoint: RFC 6749 §4.4 (client credentials) over the sandbox's own TLS.
//!
//! The client may prove itself by HTTP Basic or in the body, not by both (§2.3). A token it gets really signs the
//! user in at the SMTP ports, until it ends. Each connection is carried by a task of ours, which hands axum the far
//! end of a pipe: so a connection can be cut or spoilt at any moment, and all of them end with the sandbox.

use std::sync::Arc;

use axum::Json;
use axum::extract::connect_info::Connected;
use axum::extract::rejection::FormRejection;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Form, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::serve::IncomingStream;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use serde_json::json;
use tokio::io::{AsyncWriteExt, DuplexStream, copy_bidirectional, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::Shared;
use super::echo::Received;
use super::fault::TokenFault;
use super::record::count;
use super::smtp::{CONNECTIONS, accept};
use crate::secret::Secret;
use crate::smtp::trace::Side;

/// Longest request body read.
const BODY: usize = 64 * 1024;
/// Where tokens are had.
pub(super) const PATH: &str = "/token";

/// Serves the token endpoint for as long as the task lives.
pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let (pipes, door) = mpsc::channel(1);
    let routes = axum::Router::new()
        .route(PATH, axum::routing::post(token))
        .layer(DefaultBodyLimit::max(BODY))
        .with_state(Arc::clone(&shared))
        .into_make_service_with_connect_info::<Cut>();
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    let mut carriers = JoinSet::new();
    let accepting = async {
        loop {
            let tcp = tokio::select! {
                tcp = accept(&listener) => tcp,
                // Only to let go of what has ended.
                Some(_) = carriers.join_next() => continue,
            };
            if let Ok(slot) = Arc::clone(&slots).try_acquire_owned() {
                carriers.spawn(carry(tcp, Arc::clone(&shared), pipes.clone(), slot));
            }
        }
    };
    tokio::select! {
        () = accepting => {}
        // axum never returns from serving (its own words), so neither do we.
        _ = axum::serve(Door(door), routes) => {}
    }
}

/// Where axum takes its connections from.
struct Door(mpsc::Receiver<(DuplexStream, Cut)>);

impl axum::serve::Listener for Door {
    type Io = DuplexStream;
    type Addr = Cut;

    async fn accept(&mut self) -> (DuplexStream, Cut) {
        match self.0.recv().await {
            Some(pipe) => pipe,
            // The accepting side is gone, and this side ends with it at the next await.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> std::io::Result<Cut> {
        Err(std::io::ErrorKind::Unsupported.into())
    }
}

/// Ends a connection after these octets, whatever HTTP has to say.
#[derive(Debug, Clone)]
struct Cut(mpsc::Sender<Vec<u8>>);

impl Connected<IncomingStream<'_, Door>> for Cut {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        stream.remote_addr().clone()
    }
}

async fn carry(
    tcp: TcpStream,
    shared: Arc<Shared>,
    pipes: mpsc::Sender<(DuplexStream, Cut)>,
    _slot: OwnedSemaphorePermit,
) {
    let accepted = TlsAcceptor::from(shared.authority.token()).accept(tcp);
    let mut tls = match tokio::time::timeout(shared.settings.idle, accepted).await {
        Ok(Ok(tls)) => tls,
        Ok(Err(error)) => return shared.record.say(0, Side::Note, &format!("token endpoint: TLS failed: {error}")),
        Err(_) => return,
    };
    let (mut ours, theirs) = duplex(BODY);
    let (cut, mut cutting) = mpsc::channel(1);
    if pipes.send((theirs, Cut(cut))).await.is_err() {
        return;
    }
    // However a connection ends, there is nobody left to tell.
    tokio::select! {
        _ = copy_bidirectional(&mut tls, &mut ours) => {}
        Some(octets) = cutting.recv() => {
            let _ = tls.write_all(&octets).await;
            if !octets.is_empty() {
                let _ = tls.shutdown().await;
            }
        }
    }
}

/// What a client asked for, and as whom.
struct Request {
    grant: String,
    scope: Option<String>,
    client_id: String,
    received: Received,
}

/// RFC 6749 §5.2
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    InvalidRequest(&'static str),
    InvalidClient,
    UnsupportedGrantType,
    Broken,
}

async fn token(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    headers: HeaderMap,
    form: Result<Form<Vec<(String, String)>>, FormRejection>,
) -> Response {
    count(&shared.record.counting.token_calls);
    let request = match form {
        Ok(Form(fields)) => read(&headers, &fields),
        Err(_) => Err(Refusal::InvalidRequest("the body is not a form")),
    };
    if let Some(fault) = shared.faults.take_token() {
        shared.record.say(0, Side::Note, "token endpoint: fault");
        if let Some(answer) = spoilt(fault, cut, request.as_ref().ok().map(|r| &r.received)).await {
            return answer;
        }
    }
    let answer = match request.and_then(|request| issue(&shared, &request)) {
        Ok(answer) => answer,
        Err(refusal) => refusal.into_response(),
    };
    shared.record.say(0, Side::Server, &format!("token endpoint: {}", answer.status()));
    answer
}

fn read(headers: &HeaderMap, fields: &[(String, String)]) -> Result<Request, Refusal> {
    for (i, (name, _)) in fields.iter().enumerate() {
        // §3.2: parameters must not be included more than once.
        if fields[..i].iter().any(|(earlier, _)| earlier == name) {
            return Err(Refusal::InvalidRequest("a parameter is given twice"));
        }
    }
    let field = |name: &str| fields.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone());
    let grant = field("grant_type").ok_or(Refusal::InvalidRequest("grant_type is missing"))?;
    let (client_id, received) = match (headers.get(AUTHORIZATION), field("client_secret")) {
        (Some(_), Some(_)) => return Err(Refusal::InvalidRequest("two ways to prove the client")),
        (Some(header), None) => basic(header).ok_or(Refusal::InvalidClient)?,
        (None, Some(secret)) => {
            let received = Received { secret: Secret::new(secret.clone()), as_sent: Secret::new(secret) };
            (field("client_id").ok_or(Refusal::InvalidClient)?, received)
        }
        (None, None) => return Err(Refusal::InvalidClient),
    };
    Ok(Request { grant, scope: field("scope"), client_id, received })
}

/// RFC 6749 §2.3.1: both halves are form-encoded before they are joined and put into base64.
fn basic(header: &HeaderValue) -> Option<(String, Received)> {
    let as_sent = header.to_str().ok()?.strip_prefix("Basic ")?;
    let joined = String::from_utf8(STANDARD.decode(as_sent).ok()?).ok()?;
    let (id, secret) = joined.split_once(':')?;
    let decode = |text: &str| {
        let text = text.replace('+', " ");
        percent_decode_str(&text).decode_utf8().ok().map(std::borrow::Cow::into_owned)
    };
    let received = Received { secret: Secret::new(decode(secret)?), as_sent: Secret::new(as_sent.into()) };
    Some((decode(id)?, received))
}

fn issue(shared: &Shared, request: &Request) -> Result<Response, Refusal> {
    if !shared.credentials.client_fits(&request.client_id, &request.received.secret) {
        return Err(Refusal::InvalidClient);
    }
    if request.grant != "client_credentials" {
        return Err(Refusal::UnsupportedGrantType);
    }
    let lifetime = shared.settings.token_lifetime;
    let body = shared.credentials.issue_as_json(lifetime, request.scope.as_deref()).map_err(|_| Refusal::Broken)?;
    count(&shared.record.counting.tokens_issued);
    // §5.1: answers that hold a token must not be cached.
    Ok(([(CACHE_CONTROL, "no-store")], Json(body)).into_response())
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, error, description) = match self {
            Self::InvalidRequest(why) => (StatusCode::BAD_REQUEST, "invalid_request", why),
            Self::InvalidClient => (StatusCode::UNAUTHORIZED, "invalid_client", "unknown client or wrong secret"),
            Self::UnsupportedGrantType => {
                (StatusCode::BAD_REQUEST, "unsupported_grant_type", "only client_credentials is known here")
            }
            Self::Broken => (StatusCode::INTERNAL_SERVER_ERROR, "server_error", "no random numbers"),
        };
        let body = Json(json!({ "error": error, "error_description": description }));
        let mut answer = (status, [(CACHE_CONTROL, "no-store")], body).into_response();
        if self == Self::InvalidClient {
            answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"sandbox\""));
        }
        answer
    }
}

/// An answer in somebody else's words.
fn told(status: u16, body: String) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(CONTENT_TYPE, "application/json")], body).into_response()
}

/// Does what a fault says; `None` when the usual answer follows.
async fn spoilt(fault: TokenFault, cut: Cut, received: Option<&Received>) -> Option<Response> {
    let cut_with = async |octets| {
        // An error means the connection is gone already.
        let _ = cut.0.send(octets).await;
        std::future::pending().await
    };
    match fault {
        TokenFault::Http { status, body } => Some(told(status, body)),
        TokenFault::HttpWith { status, field: (name, value), body } => {
            let mut answer = told(status, body);
            // A field that cannot be said is left out: whoever planned it sees that it is missing.
            if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse()) {
                answer.headers_mut().insert(name, value);
            }
            Some(answer)
        }
        TokenFault::BadJson => {
            let cut_off = r#"{"access_token":"#;
            Some(([(CONTENT_TYPE, "application/json")], cut_off).into_response())
        }
        TokenFault::Close => cut_with(Vec::new()).await,
        TokenFault::Garbage(octets) => cut_with(octets).await,
        TokenFault::Silence => std::future::pending().await,
        TokenFault::Wait(gate) => {
            gate.pass().await;
            None
        }
        TokenFault::EchoSecret(echo) => {
            let echoed = received.map_or_else(|| "nothing received".into(), |r| r.echoed(echo));
            let body = Json(json!({ "error": "invalid_request", "error_description": format!("odd secret {echoed}") }));
            Some((StatusCode::BAD_REQUEST, body).into_response())
        }
    }
}
