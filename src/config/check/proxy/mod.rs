//! `proxy` of an account, or the environment variables that programs commonly go by.
//!
//! Guarantees that the account's own word wins, that `"none"` is one, and that a variable which would be used and
//! cannot be read is an error: to pass over it would be to go past the proxy. Decides nothing about what may go in
//! clear; to [`super::accounts`] whatever lies behind a proxy is not this machine.

mod address;
mod environment;

pub(in crate::config) use environment::Environment;

use std::path::Path;

use super::{Aside, Surroundings};
use crate::account::Source;
use crate::config::files::{Named, NamedFile};
use crate::config::finding::Complaint;
use crate::config::section::Section;
use crate::config::tree::{Origin, Value};
use crate::config::values;
use crate::diagnosis::ProxyOrigin;
use crate::net::proxy::{Proxies, Proxy};
use crate::secret::Secret;

use address::Written;

/// What stands in `proxy`.
enum Choice {
    /// `"none"`: straight, whatever the environment says.
    Straight,
    Through(Written),
}

/// The proxies of an account with this host and credential.
pub(super) fn read(
    section: &Section<'_>,
    host: &str,
    credential: &Source,
    surroundings: &Surroundings<'_>,
    aside: &mut Aside,
) -> Proxies {
    let separate = password(section, surroundings, aside);
    if !section.has("proxy") {
        stray_password(section, "there is no `proxy` in this account that this password could be for");
        return surroundings.proxies.of(section, host, credential);
    }
    match section.get("proxy", choice) {
        None => Proxies::default(),
        Some(Choice::Straight) => {
            stray_password(section, "proxy = \"none\" has no password");
            Proxies::default()
        }
        Some(Choice::Through(written)) => match of_account(section, written, separate, aside) {
            Ok(proxy) => {
                if let Some(complaint) = in_clear(&proxy) {
                    section.warning("proxy", complaint);
                }
                Proxies { smtp: Some(proxy.clone()), http: Some(proxy) }
            }
            Err(complaint) => {
                section.error("proxy", complaint);
                Proxies::default()
            }
        },
    }
}

fn choice(value: &Value) -> Result<Choice, Complaint> {
    match value {
        Value::Text(text) if text.trim().eq_ignore_ascii_case("none") => Ok(Choice::Straight),
        Value::Text(text) => address::read(text).map(Choice::Through),
        _ => Err(Complaint::new("expected a proxy such as \"socks5://proxy.example.com:1080\" in quotes")
            .hint("write its address in quotes, or \"none\"")),
    }
}

fn of_account(
    section: &Section<'_>,
    written: Written,
    separate: Option<Secret>,
    aside: &mut Aside,
) -> Result<Proxy, Complaint> {
    let inside = written.password.is_some();
    aside.holds_secret |= inside && matches!(section.origin_of("proxy"), Origin::File(_));
    if inside && (section.has("proxy_password") || section.has("proxy_password_file")) {
        return Err(Complaint::new("there is a password in the address of the proxy and another one beside it")
            .hint("take the one in the address away: proxy = \"socks5://USER@host:1080\""));
    }
    written.into_proxy(separate, ProxyOrigin::Account)
}

/// `proxy_password` or what stands in `proxy_password_file`; nothing also after an error was noted.
fn password(section: &Section<'_>, surroundings: &Surroundings<'_>, aside: &mut Aside) -> Option<Secret> {
    if section.has("proxy_password") && section.has("proxy_password_file") {
        let complaint = Complaint::new("`proxy_password` and `proxy_password_file` are both given");
        section.error("proxy_password_file", complaint.hint("keep one of them"));
    }
    if section.has("proxy_password") {
        aside.holds_secret |= matches!(section.origin_of("proxy_password"), Origin::File(_));
        // A stand-in for one that cannot be read: the note ends in an error, and its lack is not another one.
        return section.get("proxy_password", values::secret).or_else(|| Some(Secret::new("-".into())));
    }
    let path = section.path("proxy_password_file", surroundings.directory)?;
    Some(from_file(section, &path, surroundings, aside).unwrap_or_else(|| Secret::new("-".into())))
}

fn from_file(section: &Section<'_>, path: &Path, surroundings: &Surroundings<'_>, aside: &mut Aside) -> Option<Secret> {
    match (surroundings.read_secret)(path) {
        Ok(secret) => {
            let (origin, key) = (section.origin_of("proxy_password_file"), section.key("proxy_password_file"));
            aside.named_files.push(Named { origin, key, file: NamedFile::Secret(path.to_owned()) });
            Some(secret)
        }
        Err(complaint) => {
            section.error("proxy_password_file", complaint);
            None
        }
    }
}

fn stray_password(section: &Section<'_>, why: &str) {
    for key in ["proxy_password", "proxy_password_file"].into_iter().filter(|key| section.has(key)) {
        let hint = "write proxy = \"socks5://USER@host:1080\", or leave the password out";
        section.error(key, Complaint::new(why).hint(hint));
    }
}

/// Neither kind of proxy encrypts a login.
fn in_clear(proxy: &Proxy) -> Option<Complaint> {
    let risk = "the login at the proxy goes there in clear text: everybody between here and the proxy can read it";
    let hint = "give this login no other rights than to use the proxy";
    (proxy.login.is_some() && !proxy.is_local()).then(|| Complaint::new(risk).hint(hint))
}
