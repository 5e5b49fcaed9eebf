//! The relay's end: a socket of its own user, and one connection for each question.
//!
//! The socket appears under its name with its final mode, in the place of what a dead relay left, and goes with the
//! [`Door`]. A peer that stalls, talks nonsense or comes in numbers costs a seat for a while and nothing else.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::{DoorError, LONGEST_CONNECTION, LONGEST_REQUEST, socket};
use crate::disk::Ownership;

/// Connections at once; whoever comes next waits in the kernel's queue.
const SEATS: usize = 16;

/// From the first octet to the end of the header.
const HEADER_TIME: Duration = Duration::from_secs(5);

/// Pause when the machine is short of something.
const SHORTAGE_PAUSE: Duration = Duration::from_millis(100);

/// The relay's end, open until it is dropped.
#[derive(Debug)]
pub struct Door {
    /// Goes first, so that nobody finds a socket behind which nobody is.
    socket: SocketFile,
    ending: CancellationToken,
    serving: AbortOnDropHandle<()>,
}

#[derive(Debug)]
struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Should it stay, the next owner replaces it.
        let _ = fs::remove_file(&self.0);
    }
}

impl Door {
    /// Opens the socket in the owner's directory. Must be called inside the runtime, and dropped before the owner.
    ///
    /// # Errors
    /// When there can be no socket.
    pub fn open(owner: &Ownership, routes: Router) -> Result<Self, DoorError> {
        let path = socket(owner.directory());
        if std::os::unix::net::SocketAddr::from_pathname(&path).is_err() {
            return Err(DoorError::PathTooLong { path });
        }
        let listener = bind(&path).map_err(|source| DoorError::Other { path: path.clone(), source })?;
        let routes = routes.layer(DefaultBodyLimit::max(LONGEST_REQUEST));
        let ending = CancellationToken::new();
        let serving = tokio::spawn(serve(listener, routes, ending.clone()));
        Ok(Self { socket: SocketFile(path), ending, serving: AbortOnDropHandle::new(serving) })
    }

    /// Closes it. Resolves when nothing behind it is in use any more; a drop alone leaves that for a moment later.
    pub async fn close(self) {
        drop(self.socket);
        self.ending.cancel();
        // One that panicked has said so.
        let _ = self.serving.await;
    }
}

fn bind(path: &Path) -> io::Result<UnixListener> {
    // Under another name first: no moment in which it is there and open to others, none in which it is gone.
    let unready = path.with_file_name("control.new");
    match fs::remove_file(&unready) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&unready)?;
    fs::set_permissions(&unready, Permissions::from_mode(0o600))?;
    fs::rename(&unready, path)?;
    Ok(listener)
}

async fn serve(listener: UnixListener, routes: Router, ending: CancellationToken) {
    let mut connections = JoinSet::new();
    let _ = ending.run_until_cancelled(accept(listener, routes, &mut connections)).await;
    connections.shutdown().await;
}

async fn accept(listener: UnixListener, routes: Router, connections: &mut JoinSet<()>) {
    let us = rustix::process::geteuid().as_raw();
    let seats = Arc::new(Semaphore::new(SEATS));
    let mut complained = false;
    loop {
        while connections.try_join_next().is_some() {}
        // Nobody closes it.
        let Ok(seat) = Arc::clone(&seats).acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::debug!(%error, "cannot accept a connection on the control socket; trying again");
                tokio::time::sleep(SHORTAGE_PAUSE).await;
                continue;
            }
        };
        match stream.peer_cred().map(|peer| peer.uid()) {
            Ok(peer) if may_ask(peer, us) => {}
            peer => {
                if !complained {
                    let peer = peer.map_or_else(|error| error.to_string(), |uid| uid.to_string());
                    tracing::warn!(user = peer, "another user knocked at the control socket and was not let in");
                    complained = true;
                }
                continue;
            }
        }
        let routes = routes.clone();
        connections.spawn(async move {
            answer(stream, routes).await;
            drop(seat);
        });
    }
}

/// Who may ask: whoever may do all this to the relay anyway.
pub(super) fn may_ask(peer: u32, us: u32) -> bool {
    peer == us || peer == 0
}

/// One question, one answer; whatever goes wrong, the peer hears or sees it.
async fn answer(stream: UnixStream, routes: Router) {
    let mut http = http1::Builder::new();
    http.keep_alive(false).timer(TokioTimer::new()).header_read_timeout(HEADER_TIME).max_buf_size(LONGEST_REQUEST);
    let conversation = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes));
    if let Ok(Err(error)) = tokio::time::timeout(LONGEST_CONNECTION, conversation).await {
        tracing::debug!(%error, "a conversation on the control socket broke");
    }
}
