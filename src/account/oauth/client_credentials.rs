//! The client credentials grant (RFC 6749 §4.4): the application signs in as itself, no person involved.
//!
//! The request is made by the `oauth2` crate, which encodes what must be encoded. Answers of servers that are not
//! strict are straightened first. No failure holds the client secret, whatever the server repeats, nor any part of an
//! answer that may hold a token.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use oauth2::basic::{
    BasicErrorResponse, BasicRequestTokenError, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse,
};
use oauth2::http::{StatusCode, header::CONTENT_TYPE};
use oauth2::{
    AuthType, Client, ClientId, EndpointNotSet, EndpointSet, HttpResponse, RequestTokenError, Scope,
    StandardRevocableToken, TokenUrl,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::super::password;
use super::{Answer, ClientAuthentication, ClientSecret, Token};
use crate::diagnosis::{Failure, TokenFailure};
use crate::net::http::{Endpoint, HttpClient, HttpError};
use crate::redact::Redactor;
use crate::secret::Secret;

/// All that is needed to ask for a token.
#[derive(Debug, Clone)]
pub(in crate::account) struct ClientCredentials {
    pub endpoint: Endpoint,
    pub client_id: String,
    pub client_secret: ClientSecret,
    pub scope: Option<String>,
    pub authentication: ClientAuthentication,
}

type TokenClient = Client<
    BasicErrorResponse,
    Answer,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

impl ClientCredentials {
    /// Asks the endpoint once.
    pub(in crate::account) async fn token(&self, http: &HttpClient) -> Result<Token, Failure> {
        let secret = match &self.client_secret {
            ClientSecret::Given(secret) => secret.clone(),
            ClientSecret::File(path) => password::from_file(path).await?,
        };
        let status = Arc::new(AtomicU16::new(0));
        // It owns what it uses: a borrowed client would keep the compiler from seeing that the future is `Send`.
        let (client, seen) = (http.clone(), Arc::clone(&status));
        let exchange = move |request| {
            let (http, seen) = (client.clone(), Arc::clone(&seen));
            async move {
                let response = http.exchange(request).await?;
                seen.store(response.status().as_u16(), Ordering::Relaxed);
                Ok::<_, HttpError>(straighten(response))
            }
        };
        let client = self.client(&secret)?;
        let scopes = self.scope.iter().flat_map(|scope| scope.split_whitespace());
        let request = client.exchange_client_credentials().add_scopes(scopes.map(|scope| Scope::new(scope.to_owned())));
        let answer = request.request_async(&exchange).await;
        let heard = Heard {
            endpoint: self.endpoint.to_string(),
            status: status.load(Ordering::Relaxed),
            redactor: watch(&secret),
        };
        match answer.map(Answer::into_token) {
            Ok(Some(token)) => Ok(token),
            Ok(None) => Err(Failure::Token(heard.odd("the `access_token` in it is empty or holds odd characters"))),
            Err(error) => Err(Failure::Token(heard.failure(error))),
        }
    }

    fn client(&self, secret: &Secret) -> Result<TokenClient, Failure> {
        // An `Endpoint` is an address by type; should the two crates ever disagree, that is an odd endpoint.
        let url = TokenUrl::new(self.endpoint.as_str().to_owned()).map_err(|_| {
            Failure::Token(TokenFailure::Odd {
                endpoint: self.endpoint.to_string(),
                status: 0,
                detail: "the address of the endpoint cannot be used".into(),
            })
        })?;
        Ok(Client::new(ClientId::new(self.client_id.clone()))
            .set_client_secret(oauth2::ClientSecret::new(secret.expose().to_owned()))
            .set_auth_type(match self.authentication {
                ClientAuthentication::Basic => AuthType::BasicAuth,
                ClientAuthentication::Body => AuthType::RequestBody,
            })
            .set_token_uri(url))
    }
}

/// Looks for the secret in every form in which it may have been sent.
fn watch(secret: &Secret) -> Redactor {
    // RFC 6749 appendix B: what encodes as `%20` elsewhere is `+` in a form.
    const FORM: AsciiSet = NON_ALPHANUMERIC.remove(b'*').remove(b'-').remove(b'.').remove(b'_').remove(b' ');
    let as_form = utf8_percent_encode(secret.expose(), &FORM).to_string().replace(' ', "+");
    let mut redactor = Redactor::new();
    redactor.watch(secret);
    redactor.watch(&Secret::new(as_form));
    redactor
}

/// What servers that are not strict mean: an `error` without a token is an error whatever the status, every 2yz is a
/// success, and JSON is JSON whatever the header calls it.
fn straighten(mut response: HttpResponse) -> HttpResponse {
    #[derive(Deserialize)]
    struct Glance {
        error: Option<IgnoredAny>,
        access_token: Option<IgnoredAny>,
    }

    let Ok(glance) = serde_json::from_slice::<Glance>(response.body()) else { return response };
    response.headers_mut().remove(CONTENT_TYPE);
    if response.status().is_success() {
        let is_error = glance.error.is_some() && glance.access_token.is_none();
        *response.status_mut() = if is_error { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    }
    response
}

/// What is known of an exchange once it has failed.
struct Heard {
    endpoint: String,
    status: u16,
    redactor: Redactor,
}

impl Heard {
    fn failure(self, error: BasicRequestTokenError<HttpError>) -> TokenFailure {
        match error {
            RequestTokenError::Request(HttpError::Tls(problem)) => {
                TokenFailure::Tls { endpoint: self.endpoint, problem }
            }
            RequestTokenError::Request(error) => {
                TokenFailure::Unreachable { endpoint: self.endpoint, detail: error.to_string() }
            }
            RequestTokenError::ServerResponse(refusal) => self.refused(&refusal),
            RequestTokenError::Parse(_, body) => self.unreadable(&body),
            RequestTokenError::Other(_) => self.unreadable(&[]),
        }
    }

    fn refused(self, refusal: &BasicErrorResponse) -> TokenFailure {
        let error = self.shown(refusal.error().as_ref().as_bytes());
        let description = self.shown(refusal.error_description().map_or(&[], String::as_bytes));
        // A server that is overloaded or broken says nothing about us, even if it says it in the words of the RFC.
        if self.status == 429 || self.status >= 500 {
            return self.odd(&format!("{error} {description}"));
        }
        TokenFailure::Refused { endpoint: self.endpoint, error, description }
    }

    fn unreadable(self, body: &[u8]) -> TokenFailure {
        let is_success = (200..300).contains(&self.status);
        let detail = match body.trim_ascii_start() {
            _ if is_success => "there is no JSON with an `access_token` in it".to_owned(),
            [] => "there is nothing to read in it".to_owned(),
            [b'<', ..] => format!("a web page instead of JSON{}", self.title(body)),
            text => self.shown(text),
        };
        self.odd(&detail)
    }

    fn odd(self, detail: &str) -> TokenFailure {
        TokenFailure::Odd { endpoint: self.endpoint, status: self.status, detail: detail.trim().to_owned() }
    }

    /// The title of a web page, because it tells a captive portal from a gateway error.
    fn title(&self, body: &[u8]) -> String {
        let lower = body.to_ascii_lowercase();
        let after = |tag: &[u8], from: usize| Some(from + memchr::memmem::find(lower.get(from..)?, tag)?);
        let title = after(b"<title>", 0).and_then(|start| Some(&body[start + 7..after(b"</title>", start)?]));
        title.map(|title| format!(", titled `{}`", self.shown(title))).unwrap_or_default()
    }

    /// Text from outside as one short line without secrets.
    fn shown(&self, text: &[u8]) -> String {
        const LONGEST: usize = 300;
        let clean = self.redactor.clean(text);
        let words = clean.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
        words.collect::<Vec<_>>().join(" ").chars().take(LONGEST).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::super::super::tests::http;
    use super::*;
    use crate::diagnosis::TlsProblem;

    /// Every octet a careless program forgets to encode.
    const SECRET: &str = "a+b/c=d%e&f:g~h i";

    /// A token endpoint that answers once, with exactly these octets, and hands over what it was asked.
    async fn endpoint(answer: String) -> (Endpoint, tokio::task::JoinHandle<String>) {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/token?tenant=x", listener.local_addr().unwrap());
        let asked = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut heard = Vec::new();
            while !is_whole(&heard) {
                assert_ne!(socket.read_buf(&mut heard).await.unwrap(), 0, "cut: {}", heard.escape_ascii());
            }
            socket.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8(heard).unwrap()
        });
        (address.parse().unwrap(), asked)
    }

    /// Header and as many octets of body as it promises.
    fn is_whole(heard: &[u8]) -> bool {
        let text = String::from_utf8_lossy(heard).to_ascii_lowercase();
        let Some((header, body)) = text.split_once("\r\n\r\n") else { return false };
        let length = header.lines().find_map(|line| line.strip_prefix("content-length: "));
        length.is_some_and(|length| body.len() == length.parse::<usize>().unwrap())
    }

    fn answer(status: &str, kind: &str, body: &str) -> String {
        let length = body.len();
        format!(
            "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        )
    }

    fn grant(endpoint: Endpoint, authentication: ClientAuthentication) -> ClientCredentials {
        ClientCredentials {
            endpoint,
            client_id: "the app".into(),
            client_secret: ClientSecret::Given(Secret::new(SECRET.into())),
            scope: Some("https://a/.default  b".into()),
            authentication,
        }
    }

    /// What becomes of this answer.
    async fn heard(status: &str, kind: &str, body: &str) -> Result<String, TokenFailure> {
        let (endpoint, _) = endpoint(answer(status, kind, body)).await;
        match grant(endpoint, ClientAuthentication::Body).token(&http()).await {
            Ok(token) => Ok(format!("{} {:?}", token.access_token.expose(), token.life.map(|life| life.as_secs()))),
            Err(Failure::Token(failure)) => Err(failure),
            Err(other) => panic!("{other:?}"),
        }
    }

    async fn refusal(status: &str, body: &str) -> String {
        match heard(status, "application/json", body).await.unwrap_err() {
            TokenFailure::Refused { error, description, .. } => format!("refused: {error}: {description}"),
            TokenFailure::Odd { status, detail, .. } => format!("odd {status}: {detail}"),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn in_the_body_every_octet_of_the_secret_arrives() {
        let (endpoint, asked) = endpoint(answer("200 OK", "application/json", r#"{"access_token":"ey.x"}"#)).await;
        grant(endpoint, ClientAuthentication::Body).token(&http()).await.unwrap();
        let asked = asked.await.unwrap();
        assert!(asked.starts_with("POST /token?tenant=x HTTP/1.1\r\n"), "{asked}");
        let form = asked.split_once("\r\n\r\n").unwrap().1;
        let expected = "grant_type=client_credentials&scope=https%3A%2F%2Fa%2F.default+b&client_id=the+app\
                        &client_secret=a%2Bb%2Fc%3Dd%25e%26f%3Ag%7Eh+i";
        assert_eq!(form, expected);
        assert!(!asked.contains("authorization:"), "{asked}");
    }

    #[tokio::test]
    async fn with_basic_id_and_secret_are_encoded_before_they_are_joined() {
        use base64::prelude::*;
        let (endpoint, asked) = endpoint(answer("200 OK", "application/json", r#"{"access_token":"ey.x"}"#)).await;
        grant(endpoint, ClientAuthentication::Basic).token(&http()).await.unwrap();
        let asked = asked.await.unwrap();
        let basic = asked.lines().find_map(|line| line.strip_prefix("authorization: Basic ")).unwrap();
        let joined = BASE64_STANDARD.decode(basic).unwrap();
        assert_eq!(joined, b"the+app:a%2Bb%2Fc%3Dd%25e%26f%3Ag%7Eh+i", "RFC 6749 section 2.3.1");
        assert!(!asked.contains("client_secret"), "{asked}");
    }

    #[tokio::test]
    async fn the_secret_file_is_read_at_each_call() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "from-a-file").unwrap();
        let (endpoint, asked) = endpoint(answer("200 OK", "application/json", r#"{"access_token":"ey.x"}"#)).await;
        let mut grant = grant(endpoint, ClientAuthentication::Body);
        grant.client_secret = ClientSecret::File(file.path().into());
        grant.token(&http()).await.unwrap();
        assert!(asked.await.unwrap().ends_with("&client_secret=from-a-file"));
        grant.client_secret = ClientSecret::File("/no/such/file".into());
        assert!(matches!(grant.token(&http()).await, Err(Failure::Password { .. })));
    }

    #[tokio::test]
    async fn a_server_that_is_not_strict_is_understood() {
        let plain = r#"{"access_token":"ey.x","token_type":"Bearer","expires_in":3599}"#;
        for (status, kind, body, expected) in [
            ("200 OK", "application/json; charset=utf-8", plain, "ey.x Some(3599)"),
            ("200 OK", "text/plain", plain, "ey.x Some(3599)"),
            ("201 Created", "application/json", plain, "ey.x Some(3599)"),
            ("200 OK", "application/json", r#"{"access_token":"ey.x","expires_in":"3599"}"#, "ey.x Some(3599)"),
            ("200 OK", "application/json", r#"{"access_token":"ey.x","error":null}"#, "ey.x None"),
        ] {
            assert_eq!(heard(status, kind, body).await.unwrap(), expected, "{status} {kind} {body}");
        }
    }

    #[tokio::test]
    async fn a_refusal_is_a_refusal_whatever_the_status() {
        let body = r#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid\r\n secret."}"#;
        for status in ["400 Bad Request", "401 Unauthorized", "200 OK"] {
            let said = refusal(status, body).await;
            assert_eq!(said, "refused: invalid_client: AADSTS7000215: Invalid secret.", "{status}");
        }
    }

    #[tokio::test]
    async fn a_server_in_trouble_says_nothing_about_us() {
        let body = r#"{"error":"invalid_client","error_description":"database is away"}"#;
        assert_eq!(refusal("503 Unavailable", body).await, "odd 503: invalid_client database is away");
        assert_eq!(refusal("429 Slow Down", body).await, "odd 429: invalid_client database is away");
    }

    #[tokio::test]
    async fn what_is_no_answer_at_all_is_odd_and_described() {
        let page = "<!DOCTYPE html><html><Title>502 Bad\n Gateway</title>";
        assert_eq!(refusal("502 Bad", page).await, "odd 502: a web page instead of JSON, titled `502 Bad Gateway`");
        assert_eq!(refusal("500 Bad", "  <html>").await, "odd 500: a web page instead of JSON");
        assert_eq!(refusal("404 Not Found", "no such page").await, "odd 404: no such page");
        assert_eq!(refusal("302 Found", "").await, "odd 302: there is nothing to read in it");
        assert_eq!(refusal("400 Bad", r#"{"error":{"code":7}}"#).await, r#"odd 400: {"error":{"code":7}}"#);
        assert_eq!(refusal("400 Bad", &"x".repeat(2000)).await.len(), "odd 400: ".len() + 300);
    }

    #[tokio::test]
    async fn no_failure_repeats_a_secret_or_what_may_be_a_token() {
        let form = "a%2Bb%2Fc%3Dd%25e%26f%3Ag%7Eh+i";
        for (status, body) in [
            ("400 Bad", format!(r#"{{"error":"{SECRET}","error_description":"client_secret={form}"}}"#)),
            ("400 Bad", format!("you said {SECRET} and {form}")),
            ("502 Bad", format!("<html><title>{SECRET} {form}</title>")),
            ("200 OK", r#"{"accessToken":"eyJhbGciOi"}"#.to_owned()),
            ("200 OK", "eyJhbGciOi".to_owned()),
            ("200 OK", r#"{"access_token":"eyJhbGciOi\u0001"}"#.to_owned()),
        ] {
            let said = format!("{:?}", heard(status, "application/json", &body).await.unwrap_err());
            for secret in [SECRET, form, "eyJhbGciOi"] {
                assert!(!said.contains(secret), "{said}");
            }
        }
    }

    #[tokio::test]
    async fn an_endpoint_that_is_away_is_named_without_its_query() {
        let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let endpoint = format!("http://{closed}/token?key=hunter2").parse().unwrap();
        let failure = grant(endpoint, ClientAuthentication::Body).token(&http()).await.unwrap_err();
        let Failure::Token(TokenFailure::Unreachable { endpoint, detail }) = failure else { panic!("{failure:?}") };
        assert_eq!(endpoint, format!("http://{closed}/token"));
        assert!(detail.contains("refused"), "{detail}");
    }

    #[tokio::test]
    async fn an_endpoint_that_does_not_speak_tls_is_a_failure_of_tls() {
        let (plain, _) = endpoint(answer("200 OK", "application/json", "{}")).await;
        let endpoint = plain.as_str().replace("http:", "https:").parse().unwrap();
        let failure = grant(endpoint, ClientAuthentication::Body).token(&http()).await.unwrap_err();
        let is_tls = |failure: &TokenFailure| matches!(failure, TokenFailure::Tls { problem: TlsProblem::NotTls, .. });
        assert!(matches!(&failure, Failure::Token(failure) if is_tls(failure)), "{failure:?}");
    }
}
