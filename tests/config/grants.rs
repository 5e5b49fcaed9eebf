//! Grants and the key of the vault: what sources lead to.
//!
//! What a bad one is told stands in `tests/bad_configs`; what a provider fills in, in `providers`.

use std::path::Path;

use posthouse::account::oauth::{ClientProof, Given, Grant};
use posthouse::store::file::KeySource;

use super::{ACCOUNT, Desk, load};

#[test]
fn a_variable_takes_the_place_of_every_other_secret_of_the_file_too() {
    let desk = Desk::new();
    let file = desk.write("secret", &format!("{}\n", "cd".repeat(32)));
    let by_file = |variable: &str, text: &str| {
        let variables = [(variable, file.to_str().unwrap())];
        desk.load(text, &variables).unwrap_or_else(|report| panic!("{variable}: {report}")).config
    };
    let grant = |grant: &str, secret: &str| {
        format!(
            "{ACCOUNT}[accounts.office.oauth]\ngrant = \"{grant}\"\nclient_id = \"id\"\n{secret} = \"old\"\n\
             token_endpoint = \"https://login.example.com/token\"\n"
        )
    };
    let brought =
        by_file("POSTHOUSE__ACCOUNTS__OFFICE__OAUTH__REFRESH_TOKEN_FILE", &grant("refresh_token", "refresh_token"));
    let Some(Grant::RefreshToken { token, .. }) = brought.accounts[0].credential.grant() else { panic!() };
    assert!(matches!(token, Given::File(path) if *path == file));
    let old = by_file("POSTHOUSE__ACCOUNTS__OFFICE__OAUTH__PASSWORD_FILE", &grant("password", "password"));
    let Some(Grant::Password { password, .. }) = old.accounts[0].credential.grant() else { panic!() };
    assert!(matches!(password, Given::File(path) if *path == file));
    let key = format!("{ACCOUNT}[storage]\nkey = \"{}\"\n", "ab".repeat(32));
    let sealed = by_file("POSTHOUSE__STORAGE__KEY_FILE", &key);
    assert!(matches!(&sealed.storage.key, KeySource::File(path) if *path == file));
}

#[test]
fn the_key_of_the_vault_is_given_or_in_a_file_or_made() {
    let given = load(ACCOUNT, &[("POSTHOUSE__STORAGE__KEY", &"ab".repeat(32))]);
    assert!(matches!(given.storage.key, KeySource::Given(_)));
    let made = load(ACCOUNT, &[("HOME", "/home/a")]);
    assert!(
        matches!(&made.storage.key, KeySource::Made(path) if path == Path::new("/home/a/.config/posthouse/vault.key"))
    );
}

#[test]
fn a_secret_that_is_written_is_the_one_that_is_sent() {
    let text = format!(
        "{ACCOUNT}[accounts.office.oauth]\ngrant = \"refresh_token\"\nclient_id = \"id\"\nclient_secret = \"a+/= %&:b\"\n\
         refresh_token = \"brought\"\ntoken_endpoint = \"https://login.example.com/token\"\n"
    );
    let config = load(&text, &[]);
    let Some(Grant::RefreshToken { application, token }) = config.accounts[0].credential.grant() else { panic!() };
    let ClientProof::Secret { secret: Given::Here(secret), .. } = &application.proof else { panic!() };
    let Given::Here(token) = token else { panic!() };
    assert_eq!((secret.expose(), token.expose()), ("a+/= %&:b", "brought"));
}
