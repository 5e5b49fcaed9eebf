//! Token endpoints that repeat the client secret or a token: in errors, in web pages, in half an answer.
//!
//! Both ways to prove the client, each with success, refusal and every echo. The log proves that the answer was read.

use posthouse::sandbox::fault::{Fault, Stage, Times, TokenFault};
use posthouse::sandbox::{Echo, Sandbox};

use crate::detector::Canary;
use crate::ears::Ears;
use crate::stage::{Relay, account, planted, provider, quoted};

fn credential(sandbox: &Sandbox, authentication: &str) -> String {
    format!(
        "oauth = {{ grant = \"client_credentials\", token_endpoint = \"{}\", client_id = \"{}\", client_secret = {}, \
         client_authentication = \"{authentication}\" }}\n",
        sandbox.token_endpoint(),
        sandbox.settings().client_id,
        quoted(&planted::client_secret().secret)
    )
}

async fn one_mail(ears: &Ears, sandbox: &Sandbox, authentication: &str) -> String {
    let account = format!("{}{}", account(sandbox), credential(sandbox, authentication));
    let relay = Relay::start(ears, sandbox, &account, "");
    let reply = relay.mail(ears).await;
    ears.hear(format!("{:?}", relay.app));
    relay.end().await;
    reply
}

/// A token of the sandbox that the test knows, and the answer that hands it out.
fn token(sandbox: &Sandbox, life: u64) -> (Canary, TokenFault) {
    let hour = std::time::Duration::from_hours(1);
    let token = sandbox.issue_token(&sandbox.settings().username, hour).unwrap().expose().to_owned();
    let body = format!(r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":{life}}}"#);
    (Canary::new("the token", token), TokenFault::Http { status: 200, body })
}

#[tokio::test]
async fn the_client_secret_and_the_token_are_nowhere_repeated() {
    for authentication in ["body", "basic"] {
        let (ears, _listening) = Ears::open();
        let sandbox = provider().await;
        assert!(one_mail(&ears, &sandbox, authentication).await.starts_with("250"), "really proven");
        let (canary, answer) = token(&sandbox, 3600);
        sandbox.faults().plan_token(answer.clone(), Times::Always);
        assert!(one_mail(&ears, &sandbox, authentication).await.starts_with("250"));
        for stage in [Stage::Auth, Stage::Dot] {
            for echo in Echo::ALL {
                sandbox.faults().plan_token(answer.clone(), Times::Always);
                sandbox.faults().plan(stage.clone(), Fault::EchoSecret(echo), Times::Always);
                assert!(!one_mail(&ears, &sandbox, authentication).await.starts_with("250"));
                sandbox.faults().clear();
            }
        }
        for echo in Echo::ALL {
            sandbox.faults().plan_token(TokenFault::EchoSecret(echo), Times::Always);
            let reply = one_mail(&ears, &sandbox, authentication).await;
            assert!(reply.starts_with("451"), "{echo:?}: {reply}");
            sandbox.faults().clear();
        }
        assert!(ears.log().contains("odd secret [secret]"), "the endpoint's echo was read and cleaned");
        ears.are_clean_of(authentication, &[planted::client_secret(), canary]);
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_used_is_not_repeated_with_a_token_in_it() {
    let (ears, _listening) = Ears::open();
    let sandbox = provider().await;
    let (canary, _) = token(&sandbox, 3600);
    let (secret, token) = (planted::client_secret().secret, &canary.secret);
    let json = quoted(&secret);
    let answers = [
        (400, format!(r#"{{"error":"invalid_client","error_description":{json}}}"#)),
        (401, format!(r#"{{"error":{json},"error_description":"no"}}"#)),
        (400, format!(r#"{{"error":"invalid_request","error_uri":{json},"access_token":"{token}"}}"#)),
        (403, format!(r#"{{"access_token":"{token}","message":"not yet"}}"#)),
        (500, format!(r#"{{"detail":"issued","access_token" : "{token}"}}"#)),
        (503, format!("access_token={token}&expires_in=3600")),
        (400, format!("you sent client_secret={secret}")),
        (200, format!(r#"{{"access_token":"{token}""#)),
        (200, format!(r#"{{"access_token":"{token} and a space"}}"#)),
        (200, format!(r#"{{"accessToken":"{token}"}}"#)),
        (502, format!("<html><head><title>Bad gateway {secret}</title></head><body>{token}</body></html>")),
        (200, format!("<html><title>Sign in, {secret}</title>")),
        (302, format!("moved to https://login.example.com/?client_secret={secret}")),
    ];
    for (status, body) in answers {
        sandbox.faults().plan_token(TokenFault::Http { status, body: body.clone() }, Times::Always);
        assert!(one_mail(&ears, &sandbox, "body").await.starts_with("451"), "{status} {body}");
        sandbox.faults().clear();
    }
    assert!(ears.log().contains("Bad gateway [secret]"), "what can be shown is shown");
    ears.are_clean_of("answers", &[planted::client_secret(), canary]);
}

/// The endpoint knows which token is out, and names it when it refuses to renew it.
#[tokio::test]
async fn a_token_in_use_is_hidden_when_its_renewal_is_refused() {
    let (ears, _listening) = Ears::open();
    let sandbox = provider().await;
    let (canary, answer) = token(&sandbox, 3600);
    sandbox.faults().plan_token(answer, Times::Once);
    let account = format!("{}{}", account(&sandbox), credential(&sandbox, "body"));
    let relay = Relay::start(&ears, &sandbox, &account, "");
    assert!(relay.mail(&ears).await.starts_with("250"));
    // The server closes the line and takes the token no more, and the endpoint says so.
    sandbox.revoke_tokens();
    let body = format!(r#"{{"error":"invalid_grant","error_description":"it is revoked: {}"}}"#, canary.secret);
    sandbox.faults().plan_token(TokenFault::Http { status: 400, body }, Times::Always);
    sandbox.faults().plan(Stage::Mail, Fault::reply_then_close(421, "4.7.0 Bye"), Times::Once);
    assert!(relay.mail(&ears).await.starts_with("451"));
    assert!(ears.log().contains("is revoked"), "the answer was read");
    relay.end().await;
    ears.are_clean_of("renewal", &[planted::client_secret(), canary]);
}
