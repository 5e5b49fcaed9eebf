//! The program's own file, held to what every preset must be; and what users lay over it.
//!
//! What users are told of a broken one stands in `tests/bad_configs`; what accounts get from one, in
//! `tests/providers.rs` and beside the relay's own tests.

use super::*;
use crate::account::provider::{Grant, OAuth, PasswordKind, SenderRule, Username};

fn gathered(source: &str) -> (Presets, Vec<String>) {
    let findings = Findings::new(None);
    let table = tree::parse(source).ok().unwrap();
    let presets = gather(&table, &findings);
    (presets, findings.into_sorted().into_iter().map(|found| format!("{}: {}", found.key, found.message)).collect())
}

#[test]
fn the_file_of_the_program_has_no_finding_and_no_unknown_key() {
    let findings = Findings::new(None);
    let table = tree::parse(FILE).ok().expect("it is TOML");
    super::super::section::survey(&table, super::super::keys::ROOT, "", &findings);
    let presets = gather(&Table::default(), &findings);
    let said: Vec<_> = findings.into_sorted().iter().map(super::super::finding::Finding::one_line).collect();
    assert_eq!(said, [""; 0]);
    assert!(presets.iter().count() >= 70, "{} presets", presets.iter().count());
}

#[test]
fn what_users_write_wins_key_by_key() {
    let (presets, said) = gathered(
        "[providers.gmail]\nimplicit = [4465]\nlimits.recipients_per_message = 7\n\
         [providers.gmail.replies]\nquota = \"452 4.2.2 Enough\"\n",
    );
    assert_eq!(said, [""; 0]);
    let (own, known) = (presets.find("gmail").unwrap(), builtin());
    let known = known.find("gmail").unwrap();
    assert_eq!(own.implicit, [4465]);
    assert_eq!((own.limits.recipients_per_message, own.limits.size), (Some(7), known.limits.size));
    assert_eq!(own.replies.quota.as_ref().unwrap().to_string(), "452 4.2.2 Enough");
    assert_eq!((&own.host, &own.oauth, &own.replies.signature), (&known.host, &known.oauth, &known.replies.signature));
}

#[test]
fn a_provider_of_ones_own_needs_a_host_and_a_port_and_nothing_else() {
    let (presets, said) = gathered("[providers.mine]\nhost = \"smtp.mine.example\"\nstarttls = 2587\n");
    assert_eq!(said, [""; 0]);
    let mine = presets.find("mine").unwrap();
    assert_eq!(
        (mine.title.as_str(), mine.starttls.as_slice(), &mine.username),
        ("mine", &[2587][..], &Username::Address)
    );
    assert_eq!((mine.password, mine.sender, mine.verified), (PasswordKind::Mailbox, SenderRule::Unknown, true));
    let (_, said) = gathered("[providers.mine]\ntitle = \"Mine\"\n");
    assert_eq!(said, ["providers.mine: a provider needs a host", "providers.mine: a provider needs a port"]);
}

#[test]
fn a_domain_leads_to_one_provider() {
    let (_, said) = gathered("[providers.mine]\nhost = \"a.example\"\nimplicit = 465\ndomains = [\"gmail.com\"]\n");
    assert_eq!(said, ["providers.mine.domains: the domain gmail.com belongs to `gmail` already"]);
}

#[test]
fn every_preset_is_what_a_preset_must_be() {
    for preset in &builtin() {
        let id = &preset.id;
        assert!(id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b)), "{id}");
        assert_ne!(&preset.title, id, "{id} has no title");
        hosts_and_ports(preset);
        domains(preset);
        if preset.password != PasswordKind::Mailbox {
            assert!(preset.password_help.is_some(), "{id} does not say where its password comes from");
        }
        assert!(preset.password != PasswordKind::Ended || preset.oauth.is_some(), "{id} cannot be signed in to");
        assert!(!preset.source.is_empty(), "{id} names no source");
        for source in &preset.source {
            assert!(source.starts_with("https://") && !source.contains(' '), "{id} is from {source}, no public page");
        }
        if let Some(oauth) = &preset.oauth {
            sign_in(id, oauth);
        }
    }
}

fn hosts_and_ports(preset: &Preset) {
    let id = &preset.id;
    let host = preset.host(preset.host.contains("{region}").then_some("eu-west-1")).unwrap();
    for host in preset.regions.values().chain([&host]) {
        assert!(super::super::values::is_domain(host) || host == "127.0.0.1", "{id}: {host}");
    }
    // RFC 8314 §7.3 and RFC 6409; the others are what providers offer where 25, 465 and 587 are blocked.
    assert!(preset.implicit.iter().all(|port| [465, 2465].contains(port)), "{id}: {:?}", preset.implicit);
    let starttls = [587, 25, 2525, 2587, 1025];
    assert!(preset.starttls.iter().all(|port| starttls.contains(port)), "{id}: {:?}", preset.starttls);
    let offered = |name: &String| preset.mechanisms.contains(name) || preset.mechanisms.is_empty();
    assert!(preset.password_mechanism.iter().all(offered), "{id} prefers a mechanism it does not offer");
}

fn domains(preset: &Preset) {
    for domain in &preset.domains {
        let all = builtin();
        let having = all.iter().flat_map(|other| &other.domains).filter(|other| *other == domain).count();
        assert_eq!(having, 1, "{domain} of {}", preset.id);
    }
}

fn sign_in(id: &str, oauth: &OAuth) {
    assert!(!oauth.grants.is_empty(), "{id} has OAuth and no grant");
    for grant in Grant::ALL {
        assert!(!oauth.scope(grant).trim().is_empty(), "{id} asks for nothing with {grant}");
        assert!(
            !(oauth.grants.contains(&grant) && oauth.refused.contains_key(&grant)),
            "{id} takes and refuses {grant}"
        );
    }
    let has = |grant| oauth.grants.contains(&grant);
    assert_eq!(has(Grant::AuthorizationCode), oauth.authorization_endpoint.is_some(), "{id}");
    assert_eq!(has(Grant::DeviceCode), oauth.device_authorization_endpoint.is_some(), "{id}");
    let endpoints = [&oauth.authorization_endpoint, &oauth.device_authorization_endpoint, &oauth.issuer];
    for endpoint in endpoints.into_iter().flatten().chain([&oauth.token_endpoint]) {
        let url = oauth2::url::Url::parse(&endpoint.replace("{tenant}", "tenant")).unwrap();
        assert!(url.scheme() == "https" && url.host_str().is_some_and(|host| host.contains('.')), "{id}: {endpoint}");
        assert!(url.query().is_none() && url.fragment().is_none(), "{id}: {endpoint}");
    }
    assert!(oauth.parameters.iter().all(|parameter| parameter.contains('=')), "{id}: {:?}", oauth.parameters);
}

#[test]
fn nobody_elses_application_stands_in_the_file() {
    let words = ["client_id", "client_secret", "apps.googleusercontent.com"];
    assert!(words.iter().all(|word| !FILE.contains(word)));
}
