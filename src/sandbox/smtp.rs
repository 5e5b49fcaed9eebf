//! The three SMTP ports: accepts connections, makes TLS of them where it belongs, and runs their sessions.
//!
//! At most [`CONNECTIONS`] at once over all ports; one more hears `421` and is closed. A session lives in the task of
//! its port and ends with it.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::Shared;
use super::fault::{Fault, Stage};
use super::mailbox::Protection;
use super::record::count;
use super::session::{Door, Session};
use super::wire::{End, Io, Wire};
use crate::smtp::trace::Side;

/// Connections at once, all SMTP ports together.
pub const CONNECTIONS: usize = 200;

/// Serves one port for as long as the task lives.
pub(super) async fn serve(listener: TcpListener, door: Door, shared: Arc<Shared>) {
    let mut sessions = JoinSet::new();
    loop {
        let tcp = tokio::select! {
            accepted = accept(&listener) => accepted,
            // Only to let go of what has ended.
            Some(_) = sessions.join_next() => continue,
        };
        if let Ok(slot) = Arc::clone(&shared.slots).try_acquire_owned() {
            sessions.spawn(one(tcp, door, Arc::clone(&shared), slot));
        } else {
            turn_away(tcp).await;
        }
    }
}

/// Nothing was written on this socket yet, so its buffer takes the line at once; if not, the client does without.
async fn turn_away(mut tcp: TcpStream) {
    let _ = tokio::time::timeout(Duration::from_secs(1), tcp.write_all(b"421 4.3.2 Too many connections\r\n")).await;
}

/// The next connection. Errors here are shortages of the machine; they pass, or the test fails of them.
pub(super) async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((tcp, _)) => {
                // Without it a reply in pieces would wait for the client's acknowledgement. Failing is only slower.
                let _ = tcp.set_nodelay(true);
                return tcp;
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn one(tcp: TcpStream, door: Door, shared: Arc<Shared>, _slot: OwnedSemaphorePermit) {
    let number = count(&shared.record.counting.connections);
    shared.record.say(number, Side::Note, &format!("connected, {}", door.words()));
    let (io, protection) = if door == Door::Implicit {
        let Some(tls) = handshake(tcp, &shared, number).await else { return };
        (Io::Tls(Box::new(tls)), Protection::Implicit)
    } else {
        (Io::Clear(tcp), Protection::Clear)
    };
    let wire = Wire::new(io, shared.settings.idle);
    let mut session = Session::new(Arc::clone(&shared), number, wire, door, protection);
    let mut end = match session.greet().await {
        Ok(()) => talk(&mut session).await,
        Err(end) => end,
    };
    if end == End::StartTls {
        let Some(tcp) = session.wire.into_clear() else { return };
        let Some(tls) = handshake(tcp, &shared, number).await else { return };
        let wire = Wire::new(Io::Tls(Box::new(tls)), shared.settings.idle);
        // A new session: whatever was said in clear is forgotten (RFC 3207 §4.2).
        session = Session::new(Arc::clone(&shared), number, wire, door, Protection::StartTls);
        end = talk(&mut session).await;
    }
    shared.record.say(number, Side::Note, &format!("ended: {end:?}"));
    session.wire.close(end).await;
}

async fn talk(session: &mut Session) -> End {
    let Err(end) = session.converse().await;
    if end == End::Idle {
        // RFC 5321 §3.8; whether it can still be written decides the close that follows.
        session.wire.put(b"421 4.4.2 Idle for too long\r\n");
    }
    end
}

/// Makes TLS of a connection, or does what the plan says; `None` when there is no TLS in the end.
async fn handshake(tcp: TcpStream, shared: &Shared, number: u64) -> Option<TlsStream<TcpStream>> {
    let counting = &shared.record.counting;
    match shared.faults.take(&Stage::TlsHandshake) {
        None => {}
        Some(Fault::Wait(gate)) => gate.pass().await,
        Some(fault) => {
            count(&counting.handshakes_failed);
            spoil(fault, Wire::new(Io::Clear(tcp), shared.settings.idle)).await;
            return None;
        }
    }
    let accepted = TlsAcceptor::from(shared.authority.smtp()).accept(tcp);
    let (text, counter, stream) = match tokio::time::timeout(shared.settings.idle, accepted).await {
        Ok(Ok(stream)) => match stream.get_ref().1.handshake_kind() {
            Some(rustls::HandshakeKind::Resumed) => ("TLS, resumed".into(), &counting.handshakes_resumed, Some(stream)),
            _ => ("TLS".into(), &counting.handshakes_full, Some(stream)),
        },
        Ok(Err(error)) => (format!("TLS failed: {error}"), &counting.handshakes_failed, None),
        Err(_) => ("TLS failed: the client was silent".into(), &counting.handshakes_failed, None),
    };
    count(counter);
    shared.record.say(number, Side::Note, &text);
    stream
}

/// Something else than a handshake.
async fn spoil(fault: Fault, mut wire: Wire) {
    let end = match fault {
        Fault::Reply { code, text } | Fault::ReplyThenClose { code, text } => {
            wire.put(format!("{code} {text}\r\n").as_bytes());
            End::Farewell
        }
        Fault::Garbage(octets) | Fault::Inject(octets) => {
            wire.put(&octets);
            End::Farewell
        }
        Fault::Silence => wire.outlast().await,
        _ => End::Cut,
    };
    wire.close(end).await;
}
