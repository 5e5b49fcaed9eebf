//! Refresh tokens given back to a server of the test's own.
//!
//! With every way in which a client proves itself, and where the server does not take them.

use super::super::assertion::tests::{files, rsa_pair};
use super::super::server::{endpoint, fields, json, nobody, part};
use super::super::{ClientAuthentication, ClientProof, Endpoints, Given, KnownEndpoints};
use super::*;
use crate::net::http::Endpoint;
use crate::net::http::tests::client as http;

const TOKEN: &str = "1//refresh-token-of-the-test";

fn application(revocation: Option<Endpoint>, proof: ClientProof) -> Application {
    let Endpoints::Known(known) = Endpoints::token_only("https://id.example.com/token".parse().unwrap()) else {
        panic!("a token endpoint is not to be discovered")
    };
    Application {
        endpoints: Endpoints::from(KnownEndpoints { revocation, ..*known }),
        client_id: "the app".into(),
        proof,
        scope: None,
        unused_refresh_life: None,
    }
}

fn secret(sent: ClientAuthentication) -> ClientProof {
    ClientProof::Secret { secret: Given::Here(Secret::new("a+b/c=d".into())), sent, expires: None }
}

async fn give_back(application: &Application) -> Result<Revoked, Failure> {
    revoke(application, &Secret::new(TOKEN.into()), &http(), &Clock::default()).await
}

/// What a server heard that answered with 200 and no body.
async fn heard(proof: ClientProof) -> String {
    let (endpoint, asked) = endpoint([json("200 OK", "")]).await;
    assert_eq!(give_back(&application(Some(endpoint), proof)).await.unwrap(), Revoked::Done);
    asked.await.unwrap().remove(0)
}

#[tokio::test]
async fn the_token_is_named_by_the_client_it_belongs_to() {
    let body = |asked: &str| asked.split_once("\r\n\r\n").unwrap().1.to_owned();
    let token = "token=1%2F%2Frefresh-token-of-the-test&token_type_hint=refresh_token";
    assert_eq!(body(&heard(ClientProof::None).await), format!("{token}&client_id=the+app"));
    let in_body = heard(secret(ClientAuthentication::Body)).await;
    assert_eq!(body(&in_body), format!("{token}&client_id=the+app&client_secret=a%2Bb%2Fc%3Dd"));
    let basic = heard(secret(ClientAuthentication::Basic)).await;
    assert_eq!(body(&basic), token);
    // `the+app:a%2Bb%2Fc%3Dd`
    assert!(basic.contains("authorization: Basic dGhlK2FwcDphJTJCYiUyRmMlM0Rk\r\n"), "{basic}");
}

#[tokio::test]
async fn a_certificate_proves_the_client_to_the_token_endpoint_here_as_well() {
    let files = files(&rsa_pair().certificate, &rsa_pair().key);
    let (certificate, key) = (files.certificate.clone(), files.key.clone());
    let fields = fields(&heard(ClientProof::Certificate { certificate, key }).await);
    assert_eq!(part(&fields["client_assertion"], 1)["aud"], "https://id.example.com/token");
}

#[tokio::test]
async fn a_token_that_the_server_knows_no_more_is_as_good_as_given_back() {
    let (endpoint, _) = endpoint([json("400 Bad Request", r#"{"error":"invalid_token"}"#)]).await;
    assert_eq!(give_back(&application(Some(endpoint), ClientProof::None)).await.unwrap(), Revoked::Done);
}

#[tokio::test]
async fn where_there_is_no_endpoint_nobody_is_asked() {
    assert_eq!(give_back(&application(None, ClientProof::None)).await.unwrap(), Revoked::NoEndpoint);
}

#[tokio::test]
async fn a_server_that_did_not_take_it_back_is_named_and_the_token_is_not() {
    let body = format!(r#"{{"error":"unsupported_token_type","error_description":"what is {TOKEN}"}}"#);
    let (refusing, _) = endpoint([json("400 Bad Request", &body)]).await;
    let (broken, _) = endpoint([json("503 Unavailable", TOKEN)]).await;
    for (endpoint, expected) in [(refusing, "unsupported_token_type"), (broken, "503"), (nobody().await, "refused")] {
        let said = format!("{:?}", give_back(&application(Some(endpoint), ClientProof::None)).await.unwrap_err());
        assert!(said.contains(expected) && !said.contains(TOKEN), "{said}");
    }
}
