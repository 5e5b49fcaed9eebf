//! The commands' end: one question to the relay that owns a storage directory.
//!
//! Tells apart that no relay runs, that this user may not ask it, and that it does not answer. Looks whose socket it
//! is before it says anything.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST, SERVER};
use hyper::http::request::Builder;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

use super::{Answer, AskError, LONGEST_ANSWER, LONGEST_CONNECTION, PATIENCE, socket};

/// Asks the relay that owns this directory, with nothing in the request but its path.
///
/// # Errors
/// When nobody answers, or nobody who may be asked.
pub async fn ask(directory: &Path, method: Method, path: &str) -> Result<Answer, AskError> {
    exchange(directory, PATIENCE, Request::builder().method(method).uri(path), Vec::new()).await
}

/// Tells the relay that owns this directory something, as JSON. What is to be done may take it as long as a connection
/// may last.
///
/// # Errors
/// When nobody answers, or nobody who may be asked.
pub async fn tell(directory: &Path, path: &str, json: Vec<u8>) -> Result<Answer, AskError> {
    let request = Request::builder().method(Method::POST).uri(path).header(CONTENT_TYPE, "application/json");
    exchange(directory, LONGEST_CONNECTION, request, json).await
}

async fn exchange(directory: &Path, patience: Duration, request: Builder, body: Vec<u8>) -> Result<Answer, AskError> {
    let socket = socket(directory);
    let asked = async {
        let stream = UnixStream::connect(&socket).await.map_err(|error| match error.kind() {
            // No socket, or one that a dead relay left behind.
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                AskError::NotRunning { directory: directory.into() }
            }
            io::ErrorKind::PermissionDenied => AskError::NotAllowed { path: socket.clone() },
            _ => silent(&socket, &error),
        })?;
        let relay = stream.peer_cred().map_err(|error| silent(&socket, &error))?.uid();
        let us = rustix::process::geteuid().as_raw();
        if !may_be_asked(relay, us, fs::metadata(directory).ok().map(|facts| facts.uid())) {
            return Err(AskError::Stranger { path: socket.clone(), uid: relay });
        }
        converse(stream, request, body).await.map_err(|error| silent(&socket, &error))
    };
    let late = |_| silent(&socket, &format!("nothing came within {} s", patience.as_secs()));
    tokio::time::timeout(patience, asked).await.map_err(late)?
}

/// Whose relay may be asked: our own, root's, and that of the directory's owner, who can put there what they like.
pub(super) fn may_be_asked(relay: u32, us: u32, owner_of_directory: Option<u32>) -> bool {
    relay == 0 || relay == us || owner_of_directory == Some(relay)
}

fn silent(socket: &Path, detail: &impl ToString) -> AskError {
    AskError::Silent { path: socket.into(), detail: detail.to_string() }
}

type Trouble = Box<dyn std::error::Error + Send + Sync>;

async fn converse(stream: UnixStream, request: Builder, body: Vec<u8>) -> Result<Answer, Trouble> {
    let request = request.header(HOST, "posthouse").body(Full::new(Bytes::from(body)))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let exchange = async {
        let (head, body) = sender.send_request(request).await?.into_parts();
        let body = Limited::new(body, LONGEST_ANSWER).collect().await?.to_bytes().to_vec();
        let server = head.headers.get(SERVER).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        Ok(Answer { status: head.status, server, body })
    };
    let (mut exchange, connection) = (std::pin::pin!(exchange), std::pin::pin!(connection));
    tokio::select! {
        biased;
        answer = &mut exchange => answer,
        // Why it ended, the exchange hears as well.
        _ = connection => exchange.await,
    }
}
