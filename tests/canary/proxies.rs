//! The password of a proxy: said to the proxy and to nobody else, even when the proxy says it back.
//!
//! The proxy here takes the credential out of the request and puts it into its status line, as it came, decoded or
//! percent-encoded, with every status that is judged in its own way; or it refuses the login in SOCKS5. Mail and token
//! calls meet it, and the password stands in each place it can be configured at.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use posthouse::sandbox::Sandbox;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::ears::Ears;
use crate::stage::{Relay, account, planted, provider, quoted};

/// How the password is said back.
#[derive(Debug, Clone, Copy)]
enum Dress {
    AsSent,
    Decoded,
    Percent,
}

/// Answers every connection with this status and the password; its port.
async fn echoing(status: u16, dress: Dress) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            echo(&mut client, status, dress).await.unwrap();
        }
    });
    port
}

async fn echo(client: &mut TcpStream, status: u16, dress: Dress) -> std::io::Result<()> {
    let mut head = vec![client.read_u8().await?];
    if head[0] == 5 {
        // RFC 1928 and RFC 1929: two ways of signing in are offered; the login is asked for, and refused.
        client.read_exact(&mut [0; 3]).await?;
        client.write_all(&[5, 2]).await?;
        let mut login = vec![0; 2 + "relay".len() + 1 + planted::proxy().secret.len()];
        client.read_exact(&mut login).await?;
        assert!(login.ends_with(planted::proxy().secret.as_bytes()), "it is the one that is looked for");
        return client.write_all(&[1, 1]).await;
    }
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    let head = String::from_utf8(head).unwrap();
    let sent = head.split_once("Proxy-Authorization: Basic ").expect("a login was sent").1.lines().next().unwrap();
    let decoded = String::from_utf8(STANDARD.decode(sent).unwrap()).unwrap();
    let password = decoded.strip_prefix("relay:").unwrap();
    assert_eq!(password, planted::proxy().secret, "it is the one that is looked for");
    let said = match dress {
        Dress::AsSent => sent.to_owned(),
        Dress::Decoded => password.to_owned(),
        Dress::Percent => utf8_percent_encode(password, NON_ALPHANUMERIC).to_string(),
    };
    client.write_all(format!("HTTP/1.1 {status} No {said} here\r\n\r\n").as_bytes()).await
}

/// The lines of an account that goes through this proxy, the password in either place.
fn through(scheme: &str, port: u16, inside: bool) -> String {
    let secret = planted::proxy().secret;
    if inside {
        let word = utf8_percent_encode(&secret, NON_ALPHANUMERIC);
        return format!("proxy = \"{scheme}://relay:{word}@127.0.0.1:{port}\"\n");
    }
    format!("proxy = \"{scheme}://relay@127.0.0.1:{port}\"\nproxy_password = {}\n", quoted(&secret))
}

async fn fails(ears: &Ears, sandbox: &Sandbox, lines: &str) {
    let relay = Relay::start(ears, sandbox, &format!("{}{lines}", account(sandbox)), "");
    let reply = relay.mail(ears).await;
    assert!(reply.starts_with("451") && reply.contains("://127.0.0.1:"), "{reply}");
    ears.hear(format!("{:?}", relay.app));
    relay.end().await;
}

#[tokio::test]
async fn a_proxy_that_repeats_its_password_is_cleaned() {
    let (ears, _listening) = Ears::open();
    let sandbox = provider().await;
    let password = format!("password = {}\n", quoted(&planted::password().secret));
    let token = format!(
        "oauth = {{ grant = \"client_credentials\", token_endpoint = \"{}\", client_id = \"posthouse\", \
         client_secret = {} }}\n",
        sandbox.token_endpoint(),
        quoted(&planted::client_secret().secret)
    );
    for credential in [&password, &token] {
        for status in [302, 403, 407, 502] {
            for (dress, inside) in [(Dress::AsSent, false), (Dress::Decoded, true), (Dress::Percent, false)] {
                let port = echoing(status, dress).await;
                fails(&ears, &sandbox, &format!("{credential}{}", through("http", port, inside))).await;
            }
        }
        let port = echoing(407, Dress::AsSent).await;
        fails(&ears, &sandbox, &format!("{credential}{}", through("socks5", port, true))).await;
    }
    assert!(ears.log().contains("No [secret]"), "the echoes came back and were cleaned");
    assert_eq!(sandbox.counters().connections, 0);
    ears.are_clean_of("proxies", &[planted::proxy(), planted::password(), planted::client_secret()]);
}
