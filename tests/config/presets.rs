//! OAuth at every provider that has it: where a sign-in leads, and what it asks for.
//!
//! Written down a second time, by hand and from the providers' own pages, because one letter that slips in the presets
//! costs every user of that provider their sign-in, and nothing else here would notice. Asks nobody.

use std::collections::BTreeSet;

use posthouse::account::Source;
use posthouse::account::oauth::{Application, Endpoints, Grant, Redirect};

use super::Desk;

/// Provider; authorization and token endpoint; device authorization endpoint; redirect; scope of a person's sign-in;
/// what else goes into the request. `TENANT` stands for what the account says.
type Row = (&'static str, [&'static str; 2], Option<&'static str>, &'static str, &'static str, &'static [&'static str]);

const GOOGLE: [&str; 2] = ["https://accounts.google.com/o/oauth2/v2/auth", "https://oauth2.googleapis.com/token"];
const YAHOO: [&str; 2] =
    ["https://api.login.yahoo.com/oauth2/request_auth", "https://api.login.yahoo.com/oauth2/get_token"];
const AOL: [&str; 2] = ["https://api.login.aol.com/oauth2/request_auth", "https://api.login.aol.com/oauth2/get_token"];
const ENTRA: [&str; 2] = [
    "https://login.microsoftonline.com/TENANT/oauth2/v2.0/authorize",
    "https://login.microsoftonline.com/TENANT/oauth2/v2.0/token",
];
const ENTRA_US: [&str; 2] = [
    "https://login.microsoftonline.us/TENANT/oauth2/v2.0/authorize",
    "https://login.microsoftonline.us/TENANT/oauth2/v2.0/token",
];
const ENTRA_CHINA: [&str; 2] = [
    "https://login.partner.microsoftonline.cn/TENANT/oauth2/v2.0/authorize",
    "https://login.partner.microsoftonline.cn/TENANT/oauth2/v2.0/token",
];
const CONSUMERS: [&str; 2] = [
    "https://login.microsoftonline.com/consumers/oauth2/v2.0/authorize",
    "https://login.microsoftonline.com/consumers/oauth2/v2.0/token",
];
const ENTRA_DEVICE: &str = "https://login.microsoftonline.com/TENANT/oauth2/v2.0/devicecode";
const US_DEVICE: &str = "https://login.microsoftonline.us/TENANT/oauth2/v2.0/devicecode";
const CHINA_DEVICE: &str = "https://login.partner.microsoftonline.cn/TENANT/oauth2/v2.0/devicecode";
const CONSUMERS_DEVICE: &str = "https://login.microsoftonline.com/consumers/oauth2/v2.0/devicecode";
const LOCALHOST: &str = "http://localhost";
const LITERAL: &str = "http://127.0.0.1";
/// Where the provider prescribes none.
const OURS: &str = "http://127.0.0.1/";
const PASTED: &str = "https://127.0.0.1";
const MAIL: &str = "https://mail.google.com/";
const SEND: &str = "https://outlook.office.com/SMTP.Send offline_access";
const OFFLINE: &[&str] = &["access_type=offline", "prompt=consent"];

#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("gmail", GOOGLE, None, LITERAL, MAIL, OFFLINE),
    ("gmail-relay", GOOGLE, None, LITERAL, MAIL, OFFLINE),
    ("microsoft365", ENTRA, Some(ENTRA_DEVICE), LOCALHOST, SEND, &[]),
    ("microsoft365-gcc-high", ENTRA_US, Some(US_DEVICE), LOCALHOST, "https://outlook.office365.us/SMTP.Send offline_access", &[]),
    ("microsoft365-dod", ENTRA_US, Some(US_DEVICE), LOCALHOST, "https://outlook-dod.office365.us/SMTP.Send offline_access", &[]),
    ("microsoft365-china", ENTRA_CHINA, Some(CHINA_DEVICE), LOCALHOST, "https://partner.outlook.cn/SMTP.Send offline_access", &[]),
    ("microsoft365-hve", ENTRA, None, LOCALHOST, SEND, &[]),
    ("outlook.com", CONSUMERS, Some(CONSUMERS_DEVICE), LOCALHOST, SEND, &[]),
    ("yahoo", YAHOO, None, PASTED, "mail-w", &[]),
    ("att", YAHOO, None, PASTED, "mail-w", &[]),
    ("aol", AOL, None, PASTED, "mail-w", &[]),
    ("verizon", AOL, None, PASTED, "mail-w", &[]),
    ("fastmail", ["https://api.fastmail.com/oauth/authorize", "https://api.fastmail.com/oauth/refresh"], None, OURS, "https://www.fastmail.com/dev/protocol-smtp", &[]),
    ("yandex", ["https://oauth.yandex.com/authorize", "https://oauth.yandex.com/token"], None, LOCALHOST, "mail:smtp", &["force_confirm=yes", "device_name=Posthouse"]),
    ("mail.ru", ["https://o2.mail.ru/login", "https://o2.mail.ru/token"], None, OURS, "mail.imap", &["prompt_force=1"]),
    ("comcast", ["https://oauth.xfinity.com/oauth/authorize", "https://oauth.xfinity.com/oauth/token"], None, OURS, "https://email.comcast.net/ profile openid", &[]),
    ("seznam", ["https://login.seznam.cz/api/v1/oauth/auth", "https://login.seznam.cz/api/v1/oauth/token"], None, OURS, "identity calendar email", &[]),
    ("thundermail", ["https://auth.tb.pro/realms/tbpro/protocol/openid-connect/auth", "https://auth.tb.pro/realms/tbpro/protocol/openid-connect/token"], None, OURS, "openid profile email offline_access", &[]),
];

/// One account there with this grant, or what is said against it.
fn account(provider: &str, more: &str) -> Result<Grant, String> {
    let tenant = if provider.starts_with("microsoft365") { "tenant = \"example.org\"\n" } else { "" };
    let text = format!(
        "[accounts.a]\nprovider = \"{provider}\"\naddress = \"a@example.com\"\n\
         [accounts.a.oauth]\nclient_id = \"id\"\n{tenant}{more}"
    );
    let loaded = Desk::new().load(&text, &[]).map_err(|report| report.to_string())?;
    let Source::OAuth(grant) = &loaded.config.accounts[0].credential else { panic!("{text}") };
    Ok(Grant::clone(grant))
}

/// Where the application is asked: for a person, for tokens, for a device code.
fn asked(application: &Application) -> [Option<String>; 3] {
    let Endpoints::Known(known) = &application.endpoints else { panic!("{application:?}") };
    let written = |endpoint: &posthouse::net::http::Endpoint| endpoint.as_str().replace("/example.org/", "/TENANT/");
    [
        known.authorization.as_ref().map(written),
        Some(written(&known.token)),
        known.device_authorization.as_ref().map(written),
    ]
}

#[test]
fn a_sign_in_leads_where_the_provider_says_and_asks_for_what_smtp_takes() {
    let presets = include_str!("../../config/providers.toml").lines().filter(|line| line.ends_with(".oauth]"));
    assert_eq!(presets.count(), ROWS.len(), "a provider that is not looked at");
    for (provider, [authorization, token], _, redirect_uri, scope, more) in ROWS {
        let grant = account(provider, "grant = \"authorization_code\"\n").unwrap_or_else(|why| panic!("{why}"));
        let Grant::AuthorizationCode { application, redirect, parameters } = &grant else { panic!("{grant:?}") };
        let endpoints = asked(application);
        assert_eq!((endpoints[0].as_deref(), endpoints[1].as_deref()), (Some(*authorization), Some(*token)));
        assert_eq!(redirect.to_string(), *redirect_uri, "{provider}");
        assert_eq!(matches!(redirect, Redirect::Elsewhere(_)), redirect_uri.starts_with("https"), "{provider}");
        assert_eq!(application.scope.as_deref(), Some(*scope), "{provider}");
        let parameters: Vec<String> = parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(parameters, *more, "{provider}");
    }
}

#[test]
fn a_device_code_is_asked_for_where_it_may_be_and_refused_up_front_elsewhere() {
    for (provider, [_, token], device, _, scope, _) in ROWS {
        match (account(provider, "grant = \"device_code\"\n"), device) {
            (Ok(Grant::DeviceCode { application }), Some(device)) => {
                let expected = [None, Some((*token).to_owned()), Some((*device).to_owned())];
                assert_eq!((asked(&application), application.scope.as_deref()), (expected, Some(*scope)), "{provider}");
            }
            (Err(why), None) => assert!(why.contains("device_code"), "{provider}: {why}"),
            (other, _) => panic!("{provider}: {other:?}"),
        }
    }
}

#[test]
fn an_application_by_itself_asks_for_the_resource_of_its_own_cloud() {
    for (provider, scope) in [
        ("microsoft365", "https://outlook.office365.com/.default"),
        ("microsoft365-hve", "https://outlook.office365.com/.default"),
        ("microsoft365-gcc-high", "https://outlook.office365.us/.default"),
        ("microsoft365-dod", "https://outlook-dod.office365.us/.default"),
        ("microsoft365-china", "https://partner.outlook.cn/.default"),
    ] {
        let grant = account(provider, "grant = \"client_credentials\"\nclient_secret = \"x\"\n").unwrap();
        assert_eq!(grant.application().unwrap().scope.as_deref(), Some(scope), "{provider}");
    }
}

#[test]
fn issuers_and_the_patience_with_unused_tokens_are_known_where_somebody_told() {
    let mut told = BTreeSet::new();
    for (provider, ..) in ROWS {
        let grant = account(provider, "grant = \"authorization_code\"\n").unwrap();
        let application = grant.application().unwrap();
        let Endpoints::Known(known) = &application.endpoints else { panic!("{application:?}") };
        let days = application.unused_refresh_life.map(|life| life.as_secs() / 86_400);
        if known.issuer.is_some() || days.is_some() {
            told.insert((*provider, known.issuer.clone().unwrap_or_default(), days));
        }
    }
    let google = || "https://accounts.google.com".to_owned();
    let microsoft = |name| (name, String::new(), Some(90));
    let expected = BTreeSet::from([
        ("gmail", google(), Some(180)),
        ("gmail-relay", google(), Some(180)),
        ("fastmail", "https://api.fastmail.com".to_owned(), None),
        microsoft("outlook.com"),
        microsoft("microsoft365"),
        microsoft("microsoft365-gcc-high"),
        microsoft("microsoft365-dod"),
        microsoft("microsoft365-china"),
        microsoft("microsoft365-hve"),
    ]);
    assert_eq!(told, expected);
}
