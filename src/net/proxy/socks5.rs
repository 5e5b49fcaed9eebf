//! SOCKS5 (RFC 1928) with the login of RFC 1929, spoken by the `tokio-socks` crate.
//!
//! The target goes to the proxy as it stands in the configuration: a name stays a name. Guarantees that nothing behind
//! the proxy's last answer is read; the crate reads each answer to its exact length, 262 octets at most.

use std::io;

use tokio::net::TcpStream;
use tokio_socks::Error;
use tokio_socks::tcp::Socks5Stream;

use super::Login;
use crate::diagnosis::ProxyProblem;

/// Asks the proxy at the other end to connect to this host.
pub(super) async fn ask(tcp: &mut TcpStream, login: Option<&Login>, host: &str, port: u16) -> Result<(), ProxyProblem> {
    let target = (host, port);
    let asked = match login {
        None => Socks5Stream::connect_with_socket(tcp, target).await,
        Some(Login { username, password }) => {
            Socks5Stream::connect_with_password_and_socket(tcp, target, username, password.expose()).await
        }
    };
    asked.map(drop).map_err(|error| problem(&error, login.is_some()))
}

/// The reply codes of RFC 1928 §6 in words.
fn problem(error: &Error, with_login: bool) -> ProxyProblem {
    let target = |why: &str| ProxyProblem::Target { detail: why.into() };
    let odd = |why: &str| ProxyProblem::Odd { detail: why.into() };
    match error {
        Error::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            ProxyProblem::Cut { detail: "it closed the connection in the middle of the SOCKS5 exchange".into() }
        }
        Error::Io(error) => ProxyProblem::Cut { detail: error.to_string() },
        Error::NoAcceptableAuthMethods | Error::AuthorizationRequired if !with_login => ProxyProblem::LoginWanted,
        Error::NoAcceptableAuthMethods => {
            ProxyProblem::LoginRefused { detail: "it takes no login with user name and password".into() }
        }
        Error::PasswordAuthFailure(status) => {
            ProxyProblem::LoginRefused { detail: format!("wrong user name or password (status {status})") }
        }
        Error::InvalidAuthValues(why) => ProxyProblem::LoginRefused { detail: (*why).into() },
        Error::ConnectionNotAllowedByRuleset => ProxyProblem::Forbidden { detail: "its rules forbid it".into() },
        Error::GeneralSocksServerFailure => target("it gives no reason (general failure)"),
        Error::NetworkUnreachable => target("its network does not lead there"),
        Error::HostUnreachable => target("it cannot reach that host, or does not know the name"),
        Error::ConnectionRefused => target("that host refuses the connection"),
        Error::TtlExpired => target("the way there is too long (TTL expired)"),
        Error::AddressTypeNotSupported => target("it does not take this kind of address or name"),
        Error::InvalidTargetAddress(why) => target(why),
        Error::CommandNotSupported => odd("it makes no outgoing connections (command not supported)"),
        Error::InvalidResponseVersion => odd("it does not speak SOCKS version 5"),
        _ => odd("its answer is against RFC 1928"),
    }
}
