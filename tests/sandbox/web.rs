//! A naive HTTP client for the authorization server: one request a connection, redirects are looked at, not followed.
//!
//! And what an application does with it: sign in as a person would let it, ask for tokens.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use posthouse::sandbox::{Consent, OAuth, Sandbox, Settings};
use sha2::{Digest as _, Sha256};

use crate::client::{Client, trust};

/// RFC 7636 §B
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// Where the application listens; registered without the port.
pub const REDIRECT: &str = "http://127.0.0.1:49152";
/// What the application asks for.
pub const SCOPE: &str = "mail offline_access";

/// One answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// A text in the JSON object; empty where there is none.
    pub fn text(&self, name: &str) -> String {
        self.json()[name].as_str().unwrap_or_default().into()
    }

    /// Status and `error`.
    pub fn refusal(&self) -> (u16, String) {
        (self.status, self.text("error"))
    }

    /// A field of the header.
    pub fn field(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines.filter(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
    }

    /// Where the browser is sent, without and with its parameters.
    pub fn back(&self) -> (&str, Vec<(String, String)>) {
        let (address, query) = self.field("location").expect("a redirect").split_once('?').expect("parameters");
        (address, query.split('&').map(pair).collect())
    }

    /// A parameter of where the browser is sent.
    pub fn parameter(&self, name: &str) -> Option<String> {
        self.back().1.into_iter().find(|(own, _)| own == name).map(|(_, value)| value)
    }

    /// A hidden field of a page.
    pub fn hidden(&self, name: &str) -> &str {
        let at = format!("name=\"{name}\" value=\"");
        let rest = self.body.split_once(at.as_str()).expect("a form").1;
        rest.split_once('"').expect("the end of the value").0
    }
}

fn pair(text: &str) -> (String, String) {
    let (name, value) = text.split_once('=').expect("name=value");
    (name.into(), percent_decode_str(value).decode_utf8().unwrap().into_owned())
}

/// Names and values as a form or a query.
pub fn encoded(fields: &[(&str, &str)]) -> String {
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    fields.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect::<Vec<_>>().join("&")
}

/// One request; `header` is whole lines.
pub async fn request(sandbox: &Sandbox, line: &str, header: &str, body: &str) -> Answer {
    let host = sandbox.issuer().strip_prefix("https://").unwrap();
    let mut client = Client::tls(host.parse().unwrap(), trust(sandbox), "127.0.0.1").await.unwrap();
    let length = body.len();
    let fields = format!("Host: {host}\r\nConnection: close\r\nContent-Length: {length}\r\n{header}");
    client.send(format!("{line} HTTP/1.1\r\n{fields}\r\n{body}")).await;
    let octets = client.rest().await;
    let text = String::from_utf8(octets).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    Answer { status, head: head.into(), body: body.into() }
}

pub async fn get(sandbox: &Sandbox, path: &str, query: &[(&str, &str)]) -> Answer {
    request(sandbox, &format!("GET {path}?{}", encoded(query)), "", "").await
}

pub async fn post_with(sandbox: &Sandbox, path: &str, header: &str, form: &[(&str, &str)]) -> Answer {
    let header = format!("Content-Type: application/x-www-form-urlencoded\r\n{header}");
    request(sandbox, &format!("POST {path}"), &header, &encoded(form)).await
}

pub async fn post(sandbox: &Sandbox, path: &str, form: &[(&str, &str)]) -> Answer {
    post_with(sandbox, path, "", form).await
}

/// A provider whose person agrees to everything, changed as the test wants.
pub async fn agreeing(change: impl FnOnce(&mut Settings)) -> Sandbox {
    let oauth = OAuth { consent: Consent::Granted, ..OAuth::default() };
    let mut settings = Settings { oauth, ..Settings::new().unwrap() };
    change(&mut settings);
    Sandbox::start(settings).await.unwrap()
}

/// The public client's name.
pub fn desktop(sandbox: &Sandbox) -> &str {
    &sandbox.settings().oauth.public_client_id
}

/// RFC 7636 §4.2
pub fn challenge() -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER))
}

/// An authorization request with nothing wrong in it.
pub fn authorization<'a>(sandbox: &'a Sandbox, challenge: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("response_type", "code"),
        ("client_id", desktop(sandbox)),
        ("redirect_uri", REDIRECT),
        ("scope", SCOPE),
        ("state", "a+b c"),
        ("code_challenge", challenge),
        ("code_challenge_method", "S256"),
        ("prompt", "consent"),
        ("login_hint", "scanner@sandbox.example"),
    ]
}

/// A code, as the browser brings it.
pub async fn code(sandbox: &Sandbox) -> String {
    let answer = get(sandbox, "/authorize", &authorization(sandbox, &challenge())).await;
    answer.parameter("code").unwrap_or_else(|| panic!("no code: {answer:?}"))
}

/// What a code is exchanged with.
pub fn exchange<'a>(sandbox: &'a Sandbox, code: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("grant_type", "authorization_code"),
        ("client_id", desktop(sandbox)),
        ("code", code),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
    ]
}

/// The tokens of a sign-in.
pub async fn signed_in(sandbox: &Sandbox) -> Answer {
    let code = code(sandbox).await;
    let answer = post(sandbox, "/token", &exchange(sandbox, &code)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer
}

/// Asks for new tokens.
pub async fn refresh(sandbox: &Sandbox, token: &str) -> Answer {
    let form = [("grant_type", "refresh_token"), ("client_id", desktop(sandbox)), ("refresh_token", token)];
    post(sandbox, "/token", &form).await
}

/// Whether this token signs the user in at the SMTP port.
pub async fn signs_in(sandbox: &Sandbox, token: &str) -> bool {
    let user = &sandbox.settings().username;
    let mut client = Client::greeted(sandbox).await;
    assert!(client.say("AUTH XOAUTH2").await.starts_with("334"));
    let xoauth2 = STANDARD.encode(format!("user={user}\x01auth=Bearer {token}\x01\x01"));
    let first = client.say(&xoauth2).await.starts_with("235 ");
    let mut client = Client::greeted(sandbox).await;
    assert!(client.say("AUTH OAUTHBEARER").await.starts_with("334"));
    let bearer = STANDARD.encode(format!("n,a={user},\x01auth=Bearer {token}\x01\x01"));
    let second = client.say(&bearer).await.starts_with("235 ");
    assert_eq!(first, second, "both mechanisms judge alike");
    first
}
