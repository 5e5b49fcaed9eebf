//! What an account gets from its provider: named, guessed from the address, of one's own.
//!
//! What a provider cannot do is told by the files of `tests/bad_configs`; that mail really goes out this way, by the
//! relay's own tests.

use std::time::Duration;

use posthouse::account::oauth::{Endpoints, Grant, KnownEndpoints};
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
    let Some(Grant::ClientCredentials { application }) = accounts[0].credential.grant() else {
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

/// One account of this provider with this grant.
fn grant(provider: &str, lines: &str) -> Grant {
    let text =
        format!("[accounts.a]\nprovider = \"{provider}\"\naddress = \"a@example.com\"\n[accounts.a.oauth]\n{lines}");
    let loaded = Desk::new().load(&text, &[]).unwrap_or_else(|report| panic!("{report}"));
    loaded.config.accounts[0].credential.grant().unwrap_or_else(|| panic!("{text}")).clone()
}

/// What is known of where the application of a grant is asked.
fn endpoints(grant: &Grant) -> &KnownEndpoints {
    match &grant.application().unwrap().endpoints {
        Endpoints::Known(known) => known,
        Endpoints::Discovered(document) => panic!("{document:?}"),
    }
}

#[test]
fn each_grant_gets_what_belongs_to_it_and_nothing_else() {
    let signed_in = grant("gmail", "grant = \"authorization_code\"\nclient_id = \"id\"\n");
    let known = endpoints(&signed_in);
    assert_eq!(known.token.as_str(), "https://oauth2.googleapis.com/token");
    assert_eq!(known.authorization.as_ref().unwrap().as_str(), "https://accounts.google.com/o/oauth2/v2/auth");
    assert_eq!(known.revocation.as_ref().unwrap().as_str(), "https://oauth2.googleapis.com/revoke");
    assert_eq!(known.issuer.as_deref(), Some("https://accounts.google.com"));
    let Grant::AuthorizationCode { application, redirect, parameters } = &signed_in else { panic!("{signed_in:?}") };
    assert_eq!(redirect.to_string(), "http://127.0.0.1");
    let parameters: Vec<String> = parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(parameters, ["access_type=offline", "prompt=consent"]);
    assert_eq!(application.scope.as_deref(), Some("https://mail.google.com/"));
    assert_eq!(application.unused_refresh_life, Some(Duration::from_hours(180 * 24)));

    let on_another = grant("outlook.com", "grant = \"device_code\"\nclient_id = \"id\"\n");
    let known = endpoints(&on_another);
    let device = "https://login.microsoftonline.com/consumers/oauth2/v2.0/devicecode";
    assert_eq!(known.device_authorization.as_ref().unwrap().as_str(), device);
    assert_eq!((&known.authorization, &known.issuer), (&None, &None));

    let tenant = "client_id = \"id\"\ntenant = \"example.us\"\n";
    let brought = format!("grant = \"refresh_token\"\nrefresh_token = \"x\"\n{tenant}");
    let brought = grant("microsoft365-gcc-high", &brought);
    let token = "https://login.microsoftonline.us/example.us/oauth2/v2.0/token";
    assert_eq!(endpoints(&brought).token.as_str(), token);
    let scope = brought.application().unwrap().scope.as_deref();
    assert_eq!(scope, Some("https://outlook.office365.us/SMTP.Send offline_access"));
}

#[test]
fn nothing_of_a_provider_is_mixed_into_another_authorization_server() {
    let own = "client_id = \"id\"\ntoken_endpoint = \"https://127.0.0.1:1/token\"\n\
        authorization_endpoint = \"https://127.0.0.1:1/authorize\"\n";
    let elsewhere = grant("gmail", &format!("grant = \"authorization_code\"\n{own}"));
    let known = endpoints(&elsewhere);
    assert_eq!((&known.revocation, &known.issuer, known.always_names_issuer), (&None, &None, false));
    assert_eq!(elsewhere.application().unwrap().unused_refresh_life, None);
    let document = "https://127.0.0.1:1/.well-known/openid-configuration";
    let told =
        grant("gmail", &format!("grant = \"authorization_code\"\nclient_id = \"id\"\ndiscovery = \"{document}\"\n"));
    let Endpoints::Discovered(address) = &told.application().unwrap().endpoints else { panic!("{told:?}") };
    assert_eq!(address.address().as_str(), document);
}

#[test]
fn an_issuer_that_is_always_named_is_asked_for_as_long_as_it_is_the_providers_own() {
    let provider = "[providers.mine]\nhost = \"smtp.mine.example\"\nimplicit = 465\n[providers.mine.oauth]\n\
        authorization_endpoint = \"https://mine.example/a\"\ntoken_endpoint = \"https://mine.example/t\"\nscope = \"x\"\n\
        issuer = \"https://mine.example\"\nalways_names_issuer = true\ngrants = [\"authorization_code\"]\n";
    let always = |lines: &str| {
        let text = format!(
            "{provider}[accounts.a]\nprovider = \"mine\"\naddress = \"a@mine.example\"\n\
             oauth = {{ grant = \"authorization_code\", client_id = \"id\"{lines} }}\n"
        );
        let loaded = Desk::new().load(&text, &[]).unwrap();
        let Source::OAuth(grant) = &loaded.config.accounts[0].credential else { panic!("{text}") };
        endpoints(grant).always_names_issuer
    };
    assert!(always(""));
    assert!(!always(", issuer = \"https://other.example\""));
    assert!(!always(", token_endpoint = \"https://other.example/t\""));
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
