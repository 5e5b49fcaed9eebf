//! `redirect_uri`: how the browser brings the answer of an authorization request back.
//!
//! Kept letter by letter, because providers compare it so (RFC 9700 §4.1.3). What is not an address a listener of ours
//! can have is brought back by pasting it.

use crate::account::oauth::Redirect;
use crate::config::finding::Complaint;
use crate::config::tree::Value;

/// As it is written in the configuration.
pub(in crate::config) fn read(value: &Value) -> Result<Redirect, Complaint> {
    match value {
        Value::Text(text) => understand(text.trim()),
        _ => Err(expected()),
    }
}

fn expected() -> Complaint {
    Complaint::new(
        "expected an address such as \"http://localhost\", \"http://127.0.0.1:8026/\" or \"https://example.com/done\"",
    )
    .hint("write it exactly as it is registered with the application")
}

/// The hosts a listener of ours answers under.
const HERE: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

pub(super) fn understand(text: &str) -> Result<Redirect, Complaint> {
    let url = oauth2::url::Url::parse(text).map_err(|_| expected())?;
    if text.contains(char::is_whitespace) || text.contains(char::is_control) {
        return Err(expected());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Complaint::new("a login does not stand in a redirect address")
            .hint("write it exactly as it is registered with the application"));
    }
    if url.fragment().is_some() {
        return Err(Complaint::new("a redirect address has no # part (RFC 6749 §3.1.2)")
            .hint("leave out the # and what stands behind it, here and where the application is registered"));
    }
    match url.scheme() {
        "http" => loopback(text),
        // Pages that show a code instead of leading somewhere; there is no address to paste.
        "urn" => Err(Complaint::new(
            "pages that show a code instead of leading back are not taken, and providers have given them up",
        )
        .hint("register http://127.0.0.1 or http://localhost with the application and write that")),
        // `https`, or a scheme of an application's own (RFC 8252 §7.1).
        _ => Ok(Redirect::Elsewhere(text.to_owned())),
    }
}

/// RFC 8252 §7.3
fn loopback(text: &str) -> Result<Redirect, Complaint> {
    let rest = text.strip_prefix("http://").ok_or_else(expected)?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    // The colons of an IPv6 address stand in brackets.
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    };
    if !HERE.contains(&host) {
        return Err(Complaint::new("the answer would go over the network in clear text, and nobody of ours would hear it")
            .hint("write \"http://127.0.0.1\", \"http://localhost\" or \"http://[::1]\", or an https:// address to paste from"));
    }
    if path.starts_with('?') {
        return Err(expected());
    }
    let port = port.map(|port| port.parse().ok().filter(|port| *port > 0).ok_or_else(expected)).transpose()?;
    Ok(Redirect::Loopback { origin: format!("http://{host}"), port, path: path.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_this_machine_is_taken_apart_and_comes_together_as_it_was() {
        for (written, port, path) in [
            ("http://localhost", None, ""),
            ("http://localhost/", None, "/"),
            ("http://127.0.0.1:8026", Some(8026), ""),
            ("http://[::1]", None, ""),
            ("http://[::1]:8026/back?at=posthouse", Some(8026), "/back?at=posthouse"),
        ] {
            let redirect = understand(written).unwrap();
            let Redirect::Loopback { port: read, path: behind, .. } = &redirect else { panic!("{redirect:?}") };
            assert_eq!((*read, behind.as_str()), (port, path), "{written}");
            assert_eq!(redirect.to_string(), written);
        }
    }

    #[test]
    fn what_no_listener_of_ours_can_hear_is_pasted_and_what_nobody_can_is_refused() {
        for elsewhere in ["https://127.0.0.1", "https://example.com/done?x=1", "com.example.relay:/done"] {
            assert_eq!(understand(elsewhere), Ok(Redirect::Elsewhere(elsewhere.to_owned())));
        }
        for bad in [
            "localhost",
            "http://localhost:0/",
            "http://localhost:99999",
            "http://localhost?x",
            "http://192.0.2.1/",
            "http://127.0.0.1.example.com/",
            "http://user@127.0.0.1/",
            "https://user:word@example.com/",
            "http://127.0.0.1/#done",
            "urn:ietf:wg:oauth:2.0:oob",
            "HTTP://localhost",
        ] {
            assert!(understand(bad).is_err(), "{bad}");
        }
    }
}
