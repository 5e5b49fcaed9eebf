//! Signed assertions: the client by its certificate, the service account by its key, and everyone who only looks like
//! them; also the password grant and the document that tells where everything is.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use posthouse::sandbox::fault::{Asked, Times, TokenFault};
use posthouse::sandbox::{ClientIdentity, Echo, Rule, Sandbox};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::web::{agreeing, desktop, get, post, post_with, signs_in};
use crate::{broken, sandbox};

const BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// The header an application with this certificate writes.
fn header(identity: &ClientIdentity) -> Header {
    let certificate = CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap();
    Header { x5t_s256: Some(URL_SAFE_NO_PAD.encode(Sha256::digest(&certificate))), ..Header::new(Algorithm::ES256) }
}

fn signed(header: &Header, identity: &ClientIdentity, claims: &Value) -> String {
    let key = EncodingKey::from_ec_pem(identity.key.expose().as_bytes()).unwrap();
    jsonwebtoken::encode(header, claims, &key).unwrap()
}

fn claims(sandbox: &Sandbox, jti: &str) -> Value {
    json!({ "iss": "posthouse", "sub": "posthouse", "aud": sandbox.token_endpoint(), "iat": now(), "exp": now() + 300,
            "jti": jti })
}

/// The client asks for a token in its own name with this assertion.
async fn prove(sandbox: &Sandbox, assertion: &str) -> (u16, String) {
    let form = [("grant_type", "client_credentials"), ("client_assertion_type", TYPE), ("client_assertion", assertion)];
    post(sandbox, "/token", &form).await.refusal()
}

fn changed(mut claims: Value, name: &str, value: Value) -> Value {
    claims[name] = value;
    claims
}

#[tokio::test]
async fn the_client_proves_itself_with_its_certificate_once_an_assertion() {
    let sandbox = sandbox().await;
    let identity = sandbox.client_identity();
    let assertion = signed(&header(identity), identity, &claims(&sandbox, "1"));
    assert_eq!(prove(&sandbox, &assertion).await, (200, String::new()));
    assert_eq!(prove(&sandbox, &assertion).await, (401, "invalid_client".into()));
    assert_eq!(broken(&sandbox), [Rule::OAuth], "the second use is a breach");
    let to_issuer = changed(claims(&sandbox, "2"), "aud", json!(["https://elsewhere.example", sandbox.issuer()]));
    assert_eq!(prove(&sandbox, &signed(&header(identity), identity, &to_issuer)).await.0, 200);
}

#[tokio::test]
async fn everyone_else_does_not() {
    let sandbox = sandbox().await;
    let (identity, stranger) = (sandbox.client_identity(), sandbox.strange_client_identity());
    let good = claims(&sandbox, "1");
    let with = |name: &str, value: Value| signed(&header(identity), identity, &changed(good.clone(), name, value));
    let whole = signed(&header(identity), identity, &good);
    let (head, tail) = whole.split_once('.').unwrap();
    let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
    let symmetric = jsonwebtoken::encode(&Header::default(), &good, &EncodingKey::from_secret(b"x")).unwrap();
    let critical = Header { crit: Some(vec!["b64".into()]), ..header(identity) };
    let wrong = [
        ("of a stranger", signed(&header(stranger), stranger, &good)),
        ("with the right thumbprint, but a stranger's key", signed(&header(identity), stranger, &good)),
        ("without a thumbprint", signed(&Header::new(Algorithm::ES256), identity, &good)),
        ("with something critical", signed(&critical, identity, &good)),
        ("that nobody signed", format!("{none}.{}.", tail.split_once('.').unwrap().0)),
        ("with another algorithm", symmetric),
        ("changed", format!("{head}x.{tail}")),
        ("for somebody else", with("aud", json!("https://elsewhere.example/token"))),
        ("for nobody", with("aud", json!([]))),
        ("of another issuer", with("iss", json!("somebody"))),
        ("about another client", with("sub", json!("somebody"))),
        ("that has ended", with("exp", json!(now() - 61))),
        ("that never ends", with("exp", json!(now() + 3700))),
        ("from the future", with("iat", json!(now() + 120))),
        ("not to be used yet", with("nbf", json!(now() + 120))),
        ("without a name of its own", with("jti", Value::Null)),
        ("of nothing", "..".into()),
        ("that is none", "ey".into()),
    ];
    for (which, assertion) in wrong {
        assert_eq!(prove(&sandbox, &assertion).await, (401, "invalid_client".into()), "an assertion {which}");
    }
    let two = [("grant_type", "client_credentials"), ("client_assertion", whole.as_str()), ("client_secret", "x")];
    assert_eq!(post(&sandbox, "/token", &two).await.refusal(), (400, "invalid_request".into()));
    let untyped = [("grant_type", "client_credentials"), ("client_assertion", whole.as_str())];
    assert_eq!(post(&sandbox, "/token", &untyped).await.refusal(), (400, "invalid_request".into()));
    let other = [("client_id", "other"), ("client_assertion_type", TYPE), untyped[0], untyped[1]];
    assert_eq!(post(&sandbox, "/token", &other).await.refusal(), (401, "invalid_client".into()));
    assert_eq!(prove(&sandbox, &whole).await, (200, String::new()), "and none of them used the good one up");
}

#[tokio::test]
async fn any_certificate_may_be_registered_rsa_too() {
    let key = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap();
    let certificate = rcgen::CertificateParams::new(vec![]).unwrap().self_signed(&key).unwrap();
    let sandbox = agreeing(|settings| settings.oauth.client_certificate = Some(certificate.pem())).await;
    let thumbprint = URL_SAFE_NO_PAD.encode(Sha256::digest(certificate.der()));
    let key = EncodingKey::from_rsa_pem(key.serialize_pem().as_bytes()).unwrap();
    for (n, algorithm) in [Algorithm::RS256, Algorithm::PS256].into_iter().enumerate() {
        let header = Header { x5t_s256: Some(thumbprint.clone()), ..Header::new(algorithm) };
        let assertion = jsonwebtoken::encode(&header, &claims(&sandbox, &n.to_string()), &key).unwrap();
        assert_eq!(prove(&sandbox, &assertion).await, (200, String::new()), "{algorithm:?}");
    }
    let identity = sandbox.client_identity();
    let own = signed(&header(identity), identity, &claims(&sandbox, "3"));
    assert_eq!(prove(&sandbox, &own).await.0, 401, "it takes the other's place");
}

#[tokio::test]
async fn a_service_account_acts_for_the_user_and_for_nobody_else() {
    let sandbox = sandbox().await;
    let file: Value = serde_json::from_str(sandbox.service_account_key().unwrap().expose()).unwrap();
    assert_eq!(
        (file["type"].as_str(), file["token_uri"].as_str()),
        (Some("service_account"), Some(&*sandbox.token_endpoint()))
    );
    let key = EncodingKey::from_rsa_pem(file["private_key"].as_str().unwrap().as_bytes()).unwrap();
    let head = Header { kid: file["private_key_id"].as_str().map(str::to_owned), ..Header::new(Algorithm::RS256) };
    let good = json!({ "iss": file["client_email"], "sub": sandbox.settings().username, "scope": "https://mail.google.com/",
                       "aud": file["token_uri"], "iat": now(), "exp": now() + 3600 });
    let sandbox = &sandbox;
    let ask = async |head: &Header, claims: &Value| {
        let assertion = jsonwebtoken::encode(head, claims, &key).unwrap();
        post(sandbox, "/token", &[("grant_type", BEARER), ("assertion", assertion.as_str())]).await
    };
    let answer = ask(&head, &good).await;
    assert!(signs_in(sandbox, &answer.text("access_token")).await);
    assert_eq!(
        (answer.text("refresh_token"), answer.text("scope")),
        (String::new(), "https://mail.google.com/".into())
    );

    let wrong = [
        ("iss", json!("somebody@else.example"), "invalid_grant"),
        ("sub", json!("boss@sandbox.example"), "unauthorized_client"),
        ("scope", json!(""), "invalid_scope"),
        ("scope", Value::Null, "invalid_scope"),
        ("aud", json!("https://oauth2.googleapis.com/token"), "invalid_grant"),
        ("exp", json!(now() + 3700), "invalid_grant"),
        ("exp", json!(now() - 61), "invalid_grant"),
    ];
    for (name, value, error) in wrong {
        let refusal = ask(&head, &changed(good.clone(), name, value.clone())).await.refusal();
        assert_eq!(refusal, (400, error.into()), "{name} = {value}");
    }
    let other_key = Header { kid: Some("another".into()), ..head };
    assert_eq!(ask(&other_key, &good).await.refusal(), (400, "invalid_grant".into()));
    let missing = post(sandbox, "/token", &[("grant_type", BEARER)]).await;
    assert_eq!(missing.refusal(), (400, "invalid_request".into()));
}

#[tokio::test]
async fn a_password_is_exchanged_too_and_no_public_client_acts_for_itself() {
    let sandbox = sandbox().await;
    let password = sandbox.settings().password.expose();
    let form = |password| {
        let user = ("username", "scanner@sandbox.example");
        [("grant_type", "password"), ("client_id", desktop(&sandbox)), user, ("password", password)]
    };
    let tokens = post(&sandbox, "/token", &form(password)).await;
    assert!(signs_in(&sandbox, &tokens.text("access_token")).await && !tokens.text("refresh_token").is_empty());
    assert_eq!(post(&sandbox, "/token", &form("wrong")).await.refusal(), (400, "invalid_grant".into()));
    let itself = [("grant_type", "client_credentials"), ("client_id", desktop(&sandbox))];
    assert_eq!(post(&sandbox, "/token", &itself).await.refusal(), (400, "unauthorized_client".into()));
    let pretending = [itself[0], itself[1], ("client_secret", "x")];
    assert_eq!(post(&sandbox, "/token", &pretending).await.refusal(), (401, "invalid_client".into()));
    let two = post_with(&sandbox, "/token", "Authorization: Basic eDp5\r\n", &itself).await;
    assert_eq!(two.refusal(), (400, "invalid_request".into()), "one name in the header, another in the body");
}

#[tokio::test]
async fn the_document_tells_where_everything_is() {
    let sandbox = sandbox().await;
    assert_eq!(sandbox.discovery(), format!("{}/.well-known/openid-configuration", sandbox.issuer()));
    for path in ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"] {
        let document = get(&sandbox, path, &[]).await.json();
        assert_eq!(
            (document["issuer"].as_str(), document["token_endpoint"].as_str()),
            (Some(sandbox.issuer()), Some(&*sandbox.token_endpoint()))
        );
        for endpoint in ["authorization", "device_authorization", "revocation"] {
            let address = document[format!("{endpoint}_endpoint")].as_str().unwrap();
            let path = address.strip_prefix(sandbox.issuer()).unwrap();
            assert_ne!(post(&sandbox, path, &[]).await.status, 404, "{endpoint}");
        }
        assert_eq!(document["code_challenge_methods_supported"], json!(["S256"]));
    }
    sandbox.faults().plan_oauth(Asked::Discovery, TokenFault::BadJson, Times::Once);
    assert_eq!(get(&sandbox, "/.well-known/openid-configuration", &[]).await.body, r#"{"access_token":"#);
}

#[tokio::test]
async fn what_was_sent_comes_back_on_demand_and_is_in_no_transcript() {
    let sandbox = agreeing(|_| {}).await;
    let identity = sandbox.client_identity();
    let assertion = signed(&header(identity), identity, &claims(&sandbox, "1"));
    sandbox.faults().plan_token(TokenFault::EchoSecret(Echo::Raw), Times::Once);
    let form =
        [("grant_type", "client_credentials"), ("client_assertion_type", TYPE), ("client_assertion", &*assertion)];
    assert!(post(&sandbox, "/token", &form).await.body.contains(&assertion));
    for name in ["refresh_token", "code", "device_code", "assertion", "password"] {
        sandbox.faults().plan_token(TokenFault::EchoGrant(Echo::Raw), Times::Once);
        let form = [("grant_type", "x"), ("client_id", desktop(&sandbox)), (name, "what-was-sent")];
        assert!(post(&sandbox, "/token", &form).await.body.contains("what-was-sent"), "{name}");
    }
    let said: String = sandbox.transcript().iter().map(|said| said.text.clone()).collect();
    assert!(!said.contains("what-was-sent") && !said.contains(&assertion));
}
