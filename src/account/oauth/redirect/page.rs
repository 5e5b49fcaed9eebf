//! The page a browser shows at the end of a sign-in: small, whole in itself, and kept by nobody.
//!
//! Loads nothing, runs nothing, tells no other page where it came from (its address holds the code). Whatever is put
//! into it is escaped.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Response, StatusCode};

/// A title, a text, a status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    status: StatusCode,
    title: String,
    text: String,
}

impl Page {
    /// It went well.
    #[must_use]
    pub fn done(title: impl Into<String>) -> Self {
        let text = "You may close this window.".to_owned();
        Self { status: StatusCode::OK, title: title.into(), text }
    }

    /// It did not; the terminal says more.
    #[must_use]
    pub fn failed(text: impl Into<String>) -> Self {
        Self { status: StatusCode::OK, title: "Not signed in".to_owned(), text: text.into() }
    }

    /// Whoever asked has no business here.
    pub(super) fn refused(status: StatusCode, text: impl Into<String>) -> Self {
        Self { status, title: "Not this".to_owned(), text: text.into() }
    }

    pub(super) fn into_response(self) -> Response<Full<Bytes>> {
        let (title, text) = (escaped(&self.title), escaped(&self.text));
        let html = format!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title} - Posthouse</title>\n\
             <style>body{{font:1.1em/1.5 sans-serif;max-width:34em;margin:4em auto;padding:0 1em}}</style>\n\
             <h1>{title}</h1>\n<p>{text}</p>\n</html>\n"
        );
        let mut response = Response::new(Full::from(html));
        *response.status_mut() = self.status;
        for (name, value) in [
            (CONTENT_TYPE, "text/html; charset=utf-8"),
            (CACHE_CONTROL, "no-store"),
            (REFERRER_POLICY, "no-referrer"),
            (CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'"),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ] {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}
