//! What other crates would say, if anyone let them.
//!
//! Several write whole requests and frames at debug and trace. So no setting may ever let them speak below `warn`:
//! not the level, not `RUST_LOG`, not a directive smuggled in as a level.

use posthouse::journal::log::{Format, Settings, subscriber};

use crate::detector::finds;
use crate::ears::{Ears, LEVELS, Tape};
use crate::stage::{Relay, account, planted, provider, quoted};

#[tokio::test]
async fn strangers_are_heard_by_the_test_and_never_by_the_log() {
    let (ears, _listening) = Ears::open();
    let sandbox = provider().await;
    let (endpoint, secret) = (sandbox.token_endpoint(), quoted(&planted::client_secret().secret));
    let credential = format!(
        "oauth = {{ grant = \"client_credentials\", token_endpoint = \"{endpoint}\", client_id = \"posthouse\", \
         client_secret = {secret} }}\n"
    );
    let relay = Relay::start(&ears, &sandbox, &format!("{}{credential}", account(&sandbox)), "");
    assert!(relay.mail(&ears).await.starts_with("250"));
    relay.end().await;
    let strangers = String::from_utf8_lossy(&ears.strangers()).into_owned();
    // The others on the way, hyper for one, say nothing of themselves as they are built here.
    assert!(strangers.lines().any(|line| line.contains("rustls")), "rustls was not heard:\n{strangers}");
    for target in ["hyper", "rustls", "oauth2"] {
        assert!(!ears.log().contains(&format!("{target}::")), "{target} speaks in the product's log");
    }
    // Whoever gives it away here is one more reason for the filter; today nobody does.
    let leaks = finds(&[planted::client_secret()], strangers.as_bytes());
    assert!(leaks.is_empty(), "a crate repeats secrets at debug or trace: {leaks:#?}");
    ears.are_clean_of("strangers", &[planted::client_secret()]);
}

#[test]
fn no_level_lets_a_stranger_speak_below_warn() {
    for level in LEVELS {
        for format in [Format::Text, Format::Json, Format::Auto] {
            let tape = Tape::default();
            let log = subscriber(&Settings { level, format, ..Settings::default() }, tape.clone(), false);
            tracing::subscriber::with_default(log, || {
                tracing::trace!(target: "hyper::proto", "stranger");
                tracing::debug!(target: "tokio_socks::tcp", "stranger");
                tracing::debug!(target: "rustls::client", "stranger");
                tracing::info!(target: "oauth2", "stranger");
                tracing::error!(target: "posthouse::any", "one of ours");
            });
            let written = String::from_utf8(tape.octets()).unwrap();
            assert!(!written.contains("stranger"), "{level} {format:?}: {written}");
            assert!(written.contains("one of ours"), "{level} {format:?}");
        }
    }
}
