//! What follows from a preset: hosts by region, doors, login names, endpoints by tenant.
//!
//! On presets made here, with nothing about them but what a test is about; what stands in the program's own file is
//! looked at where it is read.

use super::oauth::{Pkce, TenantError};
use super::*;

/// A provider with one server and one port, and nothing else to say.
pub(crate) fn preset() -> Preset {
    Preset {
        id: "example".into(),
        title: "Example".into(),
        domains: vec!["example.com".into()],
        host: "smtp.example.com".into(),
        regions: BTreeMap::new(),
        implicit: vec![465],
        starttls: Vec::new(),
        mechanisms: Vec::new(),
        password_mechanism: None,
        extensions: Vec::new(),
        username: Username::Address,
        password: PasswordKind::Mailbox,
        password_help: None,
        password_spaces: false,
        oauth: None,
        sender: SenderRule::Unknown,
        limits: Limits::default(),
        replies: Replies::default(),
        notes: Vec::new(),
        source: vec!["https://example.com/help".into()],
        verified: true,
    }
}

fn microsoft() -> OAuth {
    OAuth {
        authorization_endpoint: None,
        token_endpoint: "https://login.example.com/{tenant}/token".into(),
        device_authorization_endpoint: None,
        revocation_endpoint: None,
        issuer: None,
        always_names_issuer: false,
        redirect_uri: None,
        scope: "send offline".into(),
        scopes: BTreeMap::from([(Grant::ClientCredentials, "all".into())]),
        parameters: Vec::new(),
        pkce: Pkce::Supported,
        wants_secret: false,
        unused_refresh_token_life: None,
        grants: vec![Grant::AuthorizationCode, Grant::ClientCredentials],
        refused: BTreeMap::from([(Grant::Password, "it is forbidden".into())]),
        registration: None,
    }
}

#[test]
fn a_gap_in_the_host_is_filled_by_the_region_and_by_nothing_else() {
    let ses = Preset { host: "smtp.{region}.example.com".into(), ..preset() };
    assert_eq!(ses.host(Some("EU-west-1")).unwrap(), "smtp.eu-west-1.example.com");
    assert!(matches!(ses.host(None), Err(RegionError::Missing { .. })));
    for bad in ["", "eu.evil.example#", "eu/", "-eu", "eu-", "e u"] {
        assert_eq!(ses.host(Some(bad)), Err(RegionError::Malformed), "{bad}");
    }
}

#[test]
fn data_centres_with_names_of_their_own_are_a_list() {
    let regions = BTreeMap::from([("eu".to_owned(), "smtp.eu.example.com".to_owned())]);
    let mailgun = Preset { regions, ..preset() };
    assert_eq!(mailgun.host(None).unwrap(), "smtp.example.com");
    assert_eq!(mailgun.host(Some("eu")).unwrap(), "smtp.eu.example.com");
    assert_eq!(mailgun.host(Some("mars")).unwrap_err().to_string(), "there is no such region of Example; there is eu");
    assert_eq!(preset().host(Some("eu")).unwrap_err().to_string(), "there are no regions of Example");
}

#[test]
fn implicit_tls_comes_before_starttls_and_each_port_knows_its_own() {
    let both = Preset { starttls: vec![587, 25], ..preset() };
    assert_eq!(both.door(), (465, Encryption::Implicit));
    assert_eq!(both.port(Encryption::StartTlsAuto), Some(587));
    assert_eq!((both.encryption(25), both.encryption(26)), (Some(Encryption::StartTls), None));
    let starttls = Preset { implicit: Vec::new(), ..both };
    assert_eq!(starttls.door(), (587, Encryption::StartTls));
    assert_eq!((starttls.port(Encryption::Implicit), starttls.port(Encryption::None)), (None, None));
}

#[test]
fn the_login_name_follows_the_providers_rule() {
    let name = |username| Preset { username, ..preset() }.login_name("scan.ner@web.example");
    assert_eq!(name(Username::Address).as_deref(), Some("scan.ner@web.example"));
    assert_eq!(name(Username::LocalPart).as_deref(), Some("scan.ner"));
    assert_eq!(name(Username::Word("apikey".into())).as_deref(), Some("apikey"));
    assert_eq!(name(Username::Own), None);
}

#[test]
fn a_tenant_fills_the_gap_and_an_application_needs_its_own() {
    let endpoint = |tenant, grant| microsoft().token_endpoint(tenant, grant);
    let own = "https://login.example.com/contoso.example/token";
    assert_eq!(endpoint(Some("contoso.example"), Grant::ClientCredentials).as_deref(), Ok(own));
    assert_eq!(endpoint(None, Grant::ClientCredentials), Err(TenantError::Missing));
    for shared in ["common", "Organizations", "consumers"] {
        assert_eq!(endpoint(Some(shared), Grant::ClientCredentials), Err(TenantError::Shared), "{shared}");
        assert!(endpoint(Some(shared), Grant::AuthorizationCode).is_ok(), "{shared}");
        let personal = if shared == "Organizations" { Ok(()) } else { Err(TenantError::Personal) };
        assert_eq!(endpoint(Some(shared), Grant::Password).map(drop), personal, "{shared}");
    }
    for bad in ["", "a/b", "a b", "a?b", "tenant#"] {
        assert_eq!(endpoint(Some(bad), Grant::ClientCredentials), Err(TenantError::Malformed), "{bad}");
    }
}

#[test]
fn scopes_and_refusals_go_by_grant() {
    let oauth = microsoft();
    assert_eq!(oauth.scope(Grant::ClientCredentials), "all");
    assert_eq!(oauth.scope(Grant::AuthorizationCode), "send offline");
    assert_eq!(oauth.refusal(Grant::AuthorizationCode), None);
    assert_eq!(oauth.refusal(Grant::Password), Some("it is forbidden"));
    assert_eq!(oauth.refusal(Grant::RefreshToken), None, "a sign-in made elsewhere is one");
    let by_itself = OAuth { grants: vec![Grant::ClientCredentials], ..microsoft() };
    assert!(by_itself.refusal(Grant::RefreshToken).is_some());
    assert!(oauth.refusal(Grant::DeviceCode).is_some_and(|why| why.contains("not known")));
}

#[test]
fn a_server_two_providers_share_belongs_to_neither() {
    let other = Preset { id: "other".into(), domains: vec!["other.example".into()], ..preset() };
    let both = Presets::new(vec![preset(), other.clone()]);
    assert_eq!(both.of_host("smtp.example.com"), None);
    assert_eq!(Presets::new(vec![other]).of_host("SMTP.example.com").map(|found| found.id.as_str()), Some("other"));
    assert_eq!(both.of_domain("Other.Example").map(|found| found.id.as_str()), Some("other"));
    assert_eq!(both.find(" Example ").map(|found| found.id.as_str()), Some("example"));
}
