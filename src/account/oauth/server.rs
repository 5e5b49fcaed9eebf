//! A token endpoint for the tests of the grants: it answers as it is told, and hands over what it was asked.
//!
//! Speaks HTTP in clear on loopback, one connection for each answer, and closes it afterwards.

use std::collections::BTreeMap;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::net::http::Endpoint;

/// Gives these answers, octet by octet as they are, one after another.
pub async fn endpoint(answers: impl IntoIterator<Item = String>) -> (Endpoint, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/token?tenant=x", listener.local_addr().unwrap());
    (address.parse().unwrap(), answering(listener, answers))
}

/// Gives these answers to whoever comes, and ends with what was asked.
pub fn answering(listener: TcpListener, answers: impl IntoIterator<Item = String>) -> JoinHandle<Vec<String>> {
    let answers: Vec<String> = answers.into_iter().collect();
    tokio::spawn(async move {
        let mut asked = Vec::new();
        for answer in answers {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut heard = Vec::new();
            while !is_whole(&heard) {
                assert_ne!(socket.read_buf(&mut heard).await.unwrap(), 0, "cut: {}", heard.escape_ascii());
            }
            socket.write_all(answer.as_bytes()).await.unwrap();
            asked.push(String::from_utf8(heard).unwrap());
        }
        asked
    })
}

/// An endpoint that takes connections and never says anything.
pub async fn black_hole() -> (Endpoint, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/token", listener.local_addr().unwrap());
    (address.parse().unwrap(), listener)
}

/// An endpoint at a port where nobody listens.
pub async fn nobody() -> Endpoint {
    let (endpoint, _) = black_hole().await;
    endpoint
}

/// Header and as many octets of body as it promises; a request without a promise has none.
fn is_whole(heard: &[u8]) -> bool {
    let text = String::from_utf8_lossy(heard).to_ascii_lowercase();
    let Some((header, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = header.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.is_none_or(|length| body.len() == length.parse::<usize>().unwrap())
}

/// An answer in full; `status` may be followed by further header lines.
pub fn answer(status: &str, kind: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
}

/// An answer in JSON.
pub fn json(status: &str, body: &str) -> String {
    answer(status, "application/json", body)
}

/// The fields of a form that was sent.
pub fn fields(asked: &str) -> BTreeMap<String, String> {
    let body = asked.split_once("\r\n\r\n").unwrap().1;
    oauth2::url::form_urlencoded::parse(body.as_bytes()).into_owned().collect()
}

/// Header (0) or claims (1) of a signed assertion.
pub fn part(assertion: &str, which: usize) -> serde_json::Value {
    let part = assertion.split('.').nth(which).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}
