//! The connections of the authorization server: our TLS outside, a pipe to axum inside.
//!
//! Each connection is carried by a task of ours, which hands axum the far end of a pipe: so a connection can be cut or
//! spoilt at any moment, and all of them end with the sandbox. As many at once as the SMTP side takes.

use std::sync::Arc;

use axum::extract::connect_info::Connected;
use axum::serve::IncomingStream;
use tokio::io::{AsyncWriteExt, DuplexStream, copy_bidirectional, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::super::Shared;
use super::super::smtp::{CONNECTIONS, accept};
use super::BODY;
use crate::smtp::trace::Side;

/// Serves these routes for as long as the task lives.
pub(super) async fn serve(listener: TcpListener, routes: axum::Router, shared: Arc<Shared>) {
    let (pipes, door) = mpsc::channel(1);
    let routes = routes.into_make_service_with_connect_info::<Cut>();
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
pub(super) struct Cut(mpsc::Sender<Vec<u8>>);

impl Cut {
    /// Nothing more is said after these octets.
    pub(super) async fn with<T>(&self, octets: Vec<u8>) -> T {
        // An error means the connection is gone already.
        let _ = self.0.send(octets).await;
        std::future::pending().await
    }
}

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
