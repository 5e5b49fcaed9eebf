//! The loopback listener a browser comes back to (RFC 8252 §7.3): it takes one answer and closes.
//!
//! Binds loopback only, and only while a sign-in is under way; with `localhost` both addresses on one port, so that
//! nobody else can sit on the other. What is not the answer (a favicon, another `state`, other methods, garbage, peers
//! that say nothing) is refused with a page and ends nothing. Connections at once, their header and their time are
//! bounded; whoever calls sets the overall deadline. No page shows anything that came with the request.

mod page;

use std::convert::Infallible;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use page::Page;

use super::Redirect;
use super::authorization_code::{Redirected, Request};
use crate::net::guard::{Auth, Guarded, Passwords, Rules};
use crate::net::listen::{self, BindError};

/// Connections at once; a browser opens one or two, some of them only in case it needs them.
const CONNECTIONS: usize = 32;
/// In octets; the address of an answer takes some 4,000 of them, cookies for `localhost` the rest.
const LONGEST_HEADER: usize = 32 * 1024;
/// How long a peer may take to say what it wants.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a browser may take to fetch its page.
const GOODBYE: Duration = Duration::from_secs(2);
/// How often a free port is looked for that is free on both addresses.
const TRIES: usize = 16;

/// Why there is no listener; the text says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "cannot listen on {address} for the browser to come back: {reason}; stop what uses it, write another port into `oauth.redirect_uri` (and register it with the provider), or use --paste"
)]
pub struct CannotListen {
    address: SocketAddr,
    reason: String,
}

/// Waits for the browser.
#[derive(Debug)]
pub struct Listener {
    sockets: Vec<listen::Listener>,
    redirect: String,
    path: String,
    patience: Duration,
}

/// The answer, and the browser that waits for a page.
#[derive(Debug)]
pub struct Arrival {
    /// What it brought.
    pub answer: Redirected,
    /// To be told how it went on.
    pub browser: Browser,
}

/// A browser that waits for a page.
#[derive(Debug)]
pub struct Browser {
    page: oneshot::Sender<Page>,
    gone: CancellationToken,
    /// The connections; they end with it.
    _connections: JoinSet<()>,
}

/// A request as far as it matters: which address, who wants the page, and whether they are gone.
struct Visit {
    is_get: bool,
    path: String,
    query: String,
    page: oneshot::Sender<Page>,
    gone: CancellationToken,
}

impl Listener {
    /// Binds what the redirect names; nothing when the browser is sent elsewhere. Must be called inside the runtime.
    ///
    /// # Errors
    /// When the port is taken, on either address.
    pub fn bind(redirect: &Redirect) -> Result<Option<Self>, CannotListen> {
        let Redirect::Loopback { origin, port, path } = redirect else { return Ok(None) };
        let sockets = match origin.strip_prefix("http://").unwrap_or(origin) {
            "[::1]" => vec![open(SocketAddr::from((Ipv6Addr::LOCALHOST, port.unwrap_or(0))))?],
            "localhost" => both(*port)?,
            _ => vec![open(SocketAddr::from((Ipv4Addr::LOCALHOST, port.unwrap_or(0))))?],
        };
        let bound = sockets.first().map_or(0, |socket| socket.address().port());
        let redirect = format!("{origin}:{bound}{path}");
        let path = oauth2::url::Url::parse(&redirect).map_or_else(|_| "/".to_owned(), |url| url.path().to_owned());
        Ok(Some(Self { sockets, redirect, path, patience: PATIENCE }))
    }

    /// The address for the browser, exactly as it must be asked for.
    #[must_use]
    pub fn redirect(&self) -> &str {
        &self.redirect
    }

    /// The port in use.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.sockets.first().map_or(0, |socket| socket.address().port())
    }

    /// Waits for the answer to this request. Dropped, it closes all connections.
    pub async fn answer(&self, request: &Request) -> Arrival {
        let (door, mut visits) = mpsc::channel(CONNECTIONS);
        let mut connections = JoinSet::new();
        loop {
            let has_room = connections.len() < CONNECTIONS;
            let visit = tokio::select! {
                tcp = self.accept(), if has_room => {
                    connections.spawn(serve(tcp, door.clone(), self.patience));
                    continue;
                }
                _ = connections.join_next(), if !connections.is_empty() => continue,
                // The door is held open above.
                Some(visit) = visits.recv() => visit,
            };
            match self.judge(&visit, request) {
                Ok(answer) => {
                    let browser = Browser { page: visit.page, gone: visit.gone, _connections: connections };
                    return Arrival { answer, browser };
                }
                // Whoever hung up does without it.
                Err(page) => drop(visit.page.send(page)),
            }
        }
    }

    fn judge(&self, visit: &Visit, request: &Request) -> Result<Redirected, Page> {
        if visit.path != self.path {
            return Err(Page::refused(StatusCode::NOT_FOUND, "There is nothing here."));
        }
        if !visit.is_get {
            return Err(Page::refused(
                StatusCode::METHOD_NOT_ALLOWED,
                "Only a browser that was sent here has business here.",
            ));
        }
        request.hear(&visit.query).map_err(|reason| {
            Page::refused(StatusCode::BAD_REQUEST, format!("This is not the answer the sign-in waits for: {reason}."))
        })
    }

    async fn accept(&self) -> TcpStream {
        match self.sockets.as_slice() {
            [one, other] => tokio::select! {
                (tcp, _) = one.accept() => tcp,
                (tcp, _) = other.accept() => tcp,
            },
            [one] => one.accept().await.0,
            _ => std::future::pending().await,
        }
    }
}

/// The address for a browser whose answer will be pasted, because nobody listens there. A port that nobody is likely
/// to use: the code in the address is nobody else's business.
#[must_use]
pub fn unheard(redirect: &Redirect) -> String {
    match redirect {
        Redirect::Elsewhere(address) => address.clone(),
        Redirect::Loopback { origin, port: Some(port), path } => format!("{origin}:{port}{path}"),
        Redirect::Loopback { origin, port: None, path } => {
            let mut chance = [0; 2];
            // Without randomness it is merely always the same.
            let _ = getrandom::fill(&mut chance);
            // The range nobody may register (RFC 6335 §6).
            format!("{origin}:{}{path}", 49_152 + u16::from_le_bytes(chance) % 16_384)
        }
    }
}

impl Browser {
    /// Shows how it went, and waits until the browser has it, or does not fetch it.
    pub async fn show(self, page: Page) {
        if self.page.send(page).is_ok() {
            let _ = tokio::time::timeout(GOODBYE, self.gone.cancelled()).await;
        }
    }
}

/// One connection, one request.
async fn serve(tcp: TcpStream, door: mpsc::Sender<Visit>, patience: Duration) {
    let gone = CancellationToken::new();
    let _says_goodbye = gone.clone().drop_guard();
    let answer = service_fn(|asked: hyper::Request<Incoming>| {
        let (door, gone) = (door.clone(), gone.clone());
        async move {
            let (page, shown) = oneshot::channel();
            let visit = Visit {
                is_get: asked.method() == Method::GET,
                path: asked.uri().path().to_owned(),
                query: asked.uri().query().unwrap_or_default().to_owned(),
                page,
                gone,
            };
            let page = match door.send(visit).await {
                Ok(()) => shown.await.ok(),
                Err(_) => None,
            };
            // Given up without a word: the program was told to end.
            let page = page.unwrap_or_else(|| Page::refused(StatusCode::GONE, "The sign-in has ended."));
            Ok::<_, Infallible>(page.into_response())
        }
    });
    // What is no HTTP hyper answers itself; nobody is interested in why.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience)
        .max_buf_size(LONGEST_HEADER)
        .keep_alive(false)
        .serve_connection(TokioIo::new(tcp), answer)
        .await;
}

fn open(address: SocketAddr) -> Result<listen::Listener, CannotListen> {
    try_open(address).map_err(|error| cannot(address, &error))
}

fn try_open(address: SocketAddr) -> Result<listen::Listener, BindError> {
    let rules = Rules { allow: &[], auth: Auth::None, passwords: Passwords::InsideTls };
    // The guard lets loopback pass whatever the rules are.
    let guarded = Guarded::admit(address, &rules).map_err(|_| BindError::NotAvailable { address })?;
    listen::bind(&guarded)
}

fn cannot(address: SocketAddr, error: &BindError) -> CannotListen {
    let reason = match error {
        BindError::InUse { .. } => "the port is in use".to_owned(),
        BindError::Permission { .. } => "this is not permitted to the user Posthouse runs as".to_owned(),
        BindError::NotAvailable { .. } => "this machine has no such address".to_owned(),
        BindError::Other { source, .. } => source.to_string(),
    };
    CannotListen { address, reason }
}

/// Both addresses `localhost` stands for. Without IPv6 on this machine IPv4 is all there is.
fn both(port: Option<u16>) -> Result<Vec<listen::Listener>, CannotListen> {
    let mut last = None;
    for _ in 0..TRIES {
        let first = open(SocketAddr::from((Ipv4Addr::LOCALHOST, port.unwrap_or(0))))?;
        let address = SocketAddr::from((Ipv6Addr::LOCALHOST, first.address().port()));
        match try_open(address) {
            Ok(second) => return Ok(vec![first, second]),
            Err(BindError::NotAvailable { .. }) => return Ok(vec![first]),
            Err(error) => last = Some(cannot(address, &error)),
        }
        if port.is_some() {
            break;
        }
    }
    let address = SocketAddr::from((Ipv6Addr::LOCALHOST, port.unwrap_or(0)));
    Err(last.unwrap_or_else(|| CannotListen { address, reason: "no free port".to_owned() }))
}

#[cfg(test)]
mod tests;
