//! HTTP CONNECT (RFC 9110 §9.3.6): one request, one header block in answer, then the line belongs to the target.
//!
//! The grammar of the answer is `httparse`'s; the reading is ours, because a mail server speaks first: whatever stands
//! behind the header block is the server's greeting and stays in the socket. Guarantees that at most [`LONGEST_HEAD`]
//! octets are read, and that no text of the proxy is repeated with our password in it.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use httparse::{EMPTY_HEADER, Response, Status};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use zeroize::Zeroizing;

use super::Login;
use crate::diagnosis::ProxyProblem;
use crate::redact::Redactor;

/// In octets. An answer to CONNECT has a handful of fields.
pub(super) const LONGEST_HEAD: usize = 16 * 1024;
/// More fields than any proxy has a use for.
const MOST_FIELDS: usize = 100;
/// Octets of a reason phrase that are repeated.
const LONGEST_REASON: usize = 100;

/// The status line of the answer.
struct Answer {
    status: u16,
    reason: String,
}

/// Asks the proxy at the other end to connect to this `host:port`.
pub(super) async fn ask(tcp: &mut TcpStream, login: Option<&Login>, target: &str) -> Result<(), ProxyProblem> {
    let request = request(login, target);
    tcp.write_all(request.as_bytes()).await.map_err(|error| cut(&error))?;
    let mut budget = LONGEST_HEAD;
    loop {
        let answer = answer(tcp, &mut budget).await?;
        match answer.status {
            // RFC 9110 §15.2: any number of these may come before the answer.
            100..=199 => {}
            200..=299 => return Ok(()),
            _ => return Err(refusal(&answer, login)),
        }
    }
}

/// `target` is a name or an address by the check of the configuration, so it can hold neither space nor line ending.
fn request(login: Option<&Login>, target: &str) -> Zeroizing<String> {
    let agent = concat!("posthouse/", env!("CARGO_PKG_VERSION"));
    let mut request = Zeroizing::new(format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nUser-Agent: {agent}\r\n"));
    if let Some(Login { username, password }) = login {
        // RFC 7617 §2
        let credentials = Zeroizing::new(format!("{username}:{}", password.expose()));
        let encoded = Zeroizing::new(STANDARD.encode(credentials.as_bytes()));
        request.extend(["Proxy-Authorization: Basic ", encoded.as_str(), "\r\n"]);
    }
    request.push_str("\r\n");
    request
}

/// Reads one header block and not an octet more. `budget` is what may still be read.
async fn answer(tcp: &mut TcpStream, budget: &mut usize) -> Result<Answer, ProxyProblem> {
    let mut head = Vec::new();
    loop {
        let mut piece = [0; 1024];
        let count = tcp.peek(&mut piece).await.map_err(|error| cut(&error))?;
        if count == 0 {
            return Err(ProxyProblem::Cut { detail: "it closed the connection before it had answered CONNECT".into() });
        }
        let before = head.len();
        head.extend_from_slice(&piece[..count]);
        let parsed = parse(&head)?;
        // Without these octets it was not whole, so it ends within them.
        let taken = parsed.as_ref().map_or(count, |(_, length)| length.saturating_sub(before));
        tcp.read_exact(&mut piece[..taken]).await.map_err(|error| cut(&error))?;
        *budget = budget.checked_sub(taken).ok_or_else(|| odd("its answer to CONNECT does not end"))?;
        if let Some((answer, _)) = parsed {
            return Ok(answer);
        }
    }
}

/// The answer and the length of its header block; nothing as long as that is not whole.
fn parse(head: &[u8]) -> Result<Option<(Answer, usize)>, ProxyProblem> {
    let mut fields = [EMPTY_HEADER; MOST_FIELDS];
    let mut response = Response::new(&mut fields);
    let length = match response.parse(head) {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) => return Ok(None),
        Err(_) => return Err(odd("its answer to CONNECT is not HTTP")),
    };
    // A whole answer has a status.
    let status = response.code.unwrap_or_default();
    let reason = response.reason.unwrap_or_default().to_owned();
    Ok(Some((Answer { status, reason }, length)))
}

fn refusal(answer: &Answer, login: Option<&Login>) -> ProxyProblem {
    let detail = in_words(answer, login);
    match (answer.status, login) {
        // tinyproxy answers a wrong login with 401, as if it were the server.
        (401 | 407, None) => ProxyProblem::LoginWanted,
        (401 | 407, Some(_)) => ProxyProblem::LoginRefused { detail },
        (403 | 405, _) => ProxyProblem::Forbidden { detail },
        (404 | 500..=599, _) => ProxyProblem::Target { detail },
        _ => ProxyProblem::Odd { detail },
    }
}

/// `HTTP 502 Bad Gateway`: short, printable, without our secret.
fn in_words(answer: &Answer, login: Option<&Login>) -> String {
    let mut redactor = Redactor::new();
    if let Some(login) = login {
        redactor.watch(&login.password);
    }
    let clean = redactor.clean(answer.reason.as_bytes());
    let reason: String = clean.chars().take(LONGEST_REASON).collect();
    format!("HTTP {} {reason}", answer.status).trim_end().to_owned()
}

fn odd(why: &str) -> ProxyProblem {
    ProxyProblem::Odd { detail: why.into() }
}

fn cut(error: &io::Error) -> ProxyProblem {
    ProxyProblem::Cut { detail: error.to_string() }
}
