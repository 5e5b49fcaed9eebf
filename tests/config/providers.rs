//! What an account gets from its provider: named, guessed from the address, of one's own.
//!
//! What a provider cannot do is told by the files of `tests/bad_configs`; that mail really goes out this way, by the
//! relay's own tests.

use posthouse::account::oauth::Grant;
use posthouse::account::{Encryption, PasswordSpaces, Source};
use posthouse::config::{Loaded, Report};

use super::Desk;

/// One account with a password, and what else it says.
fn account(lines: &str) -> Result<Loaded, Report> {
    Desk::new().load(&format!("[accounts.office]\npassword = \"x\"\n{lines}"), &[])
}

#[test]
fn a_provider_fills_in_what_is_not_written_and_changes_nothing_that_is() {
    let known = account("provider = \"gmail\"\naddress = \"scanner@example.com\"\n").unwrap();
    assert_eq!((known.notes.len(), known.warnings.len()), (0, 0));
    let account_of = |loaded: &Loaded| loaded.config.accounts[0].clone();
    let gmail = account_of(&known);
    assert_eq!((gmail.host.as_str(), gmail.port, gmail.encryption), ("smtp.gmail.com", 465, Encryption::Implicit));
    assert_eq!((gmail.recipients_per_message, gmail.size, gmail.connections), (100, Some(35_882_577), 2));
    assert_eq!((gmail.username, gmail.password_spaces), (None, PasswordSpaces::Displayed));

    let written = "provider = \"gmail\"\nhost = \"127.0.0.1\"\nport = 2587\naddress = \"scanner@example.com\"\n\
        username = \"other\"\nencryption = \"starttls\"\nmechanism = \"login\"\nlimits = { size = \"1MiB\" }\n";
    let own = account_of(&account(written).unwrap());
    assert_eq!((own.host.as_str(), own.port, own.encryption), ("127.0.0.1", 2587, Encryption::StartTls));
    assert_eq!((own.username.as_deref(), own.size), (Some("other"), Some(1 << 20)));
    assert_eq!(own.recipients_per_message, 100, "what is not written still comes from the provider");
}

#[test]
fn of_port_and_encryption_one_leads_to_the_other() {
    let door = |lines: &str| {
        let loaded = account(&format!("provider = \"gmail\"\naddress = \"a@example.com\"\n{lines}")).unwrap();
        assert_eq!(loaded.warnings, [], "{lines}");
        (loaded.config.accounts[0].port, loaded.config.accounts[0].encryption)
    };
    assert_eq!(door("encryption = \"starttls\"\n"), (587, Encryption::StartTls));
    assert_eq!(door("encryption = \"tls\"\n"), (587, Encryption::StartTls));
    assert_eq!(door("port = 587\n"), (587, Encryption::StartTls));
    assert_eq!(door("port = 465\n"), (465, Encryption::Implicit));
}

#[test]
fn an_address_of_an_unmistakable_domain_is_enough_and_the_guess_is_said() {
    let web = account("address = \"scanner@WEB.de\"\n").unwrap();
    let settings = &web.config.accounts[0];
    assert_eq!((settings.host.as_str(), settings.username.as_deref()), ("smtp.web.de", Some("scanner")));
    let said = "accounts.office: by its address this is WEB.DE, so mail goes through smtp.web.de port 465, \
        as with provider = \"web.de\"";
    assert_eq!(web.notes, [said]);
    // Anybody's own domain could be anywhere, and where a host is written there is nothing to guess.
    assert!(account("address = \"scanner@example.com\"\n").is_err());
    let own = account("host = \"smtp.example.com\"\naddress = \"scanner@gmail.com\"\n").unwrap();
    assert_eq!((own.notes.len(), own.config.accounts[0].provider.as_deref()), (0, None));
}

#[test]
fn a_tenant_and_a_region_fill_the_gaps() {
    let desk = Desk::new();
    let secret = desk.write("secret", "x\n");
    let text = "[accounts.cloud]\nprovider = \"microsoft365-gcc-high\"\naddress = \"a@example.com\"\n\
        oauth = { grant = \"client_credentials\", tenant = \"example.us\", client_id = \"id\", client_secret_file = \"secret\" }\n\
        [accounts.ses]\nprovider = \"ses\"\naddress = \"a@example.com\"\nusername = \"AKIA\"\npassword_file = \"secret\"\n";
    let variables = [("POSTHOUSE__ACCOUNTS__SES__REGION", "eu-west-1"), ("POSTHOUSE__DEFAULT_ACCOUNT", "ses")];
    let accounts = desk.load(text, &variables).unwrap().config.accounts;
    assert!(secret.exists());
    let Source::OAuth(Grant::ClientCredentials { application }) = &accounts[0].credential else {
        panic!("{:?}", accounts[0].credential)
    };
    assert_eq!(
        application.endpoints.address().to_string(),
        "https://login.microsoftonline.us/example.us/oauth2/v2.0/token"
    );
    assert_eq!(application.scope.as_deref(), Some("https://outlook.office365.us/.default"));
    assert_eq!((accounts[0].host.as_str(), accounts[0].port), ("smtp.office365.us", 587));
    assert_eq!(accounts[1].host, "email-smtp.eu-west-1.amazonaws.com");
}

#[test]
fn a_provider_of_ones_own_is_like_any_other() {
    let text = "[accounts.a]\naddress = \"scanner@head.example\"\npassword = \"x\"\n\
        [providers.head]\nhost = \"mail.head.example\"\nstarttls = [2587]\ndomains = [\"head.example\"]\n\
        username = \"{local_part}\"\nlimits.connections = 1\n";
    let loaded = Desk::new().load(text, &[("POSTHOUSE__PROVIDERS__HEAD__LIMITS__SIZE", "3MiB")]).unwrap();
    let account = &loaded.config.accounts[0];
    assert_eq!(
        (account.host.as_str(), account.port, account.encryption),
        ("mail.head.example", 2587, Encryption::StartTls)
    );
    assert_eq!((account.username.as_deref(), account.connections, account.size), (Some("scanner"), 1, Some(3 << 20)));
    assert_eq!(loaded.notes.len(), 1);
}
