//! Which proxy an account gets from its own keys and from the environment.

use posthouse::diagnosis::ProxyOrigin;
use posthouse::net::proxy::{Protocol, Proxies, Proxy};

use super::{ACCOUNT, Desk, findings, load};

/// An account with a password, and further lines.
fn with(lines: &str) -> String {
    format!("{ACCOUNT}password = \"x\"\n{lines}")
}

/// An account that gets its tokens from this endpoint.
fn oauth(endpoint: &str) -> String {
    format!(
        "{ACCOUNT}oauth = {{ grant = \"client_credentials\", token_endpoint = \"{endpoint}\", client_id = \"me\", \
         client_secret = \"x\" }}\n"
    )
}

fn proxies(text: &str, variables: &[(&str, &str)]) -> Proxies {
    load(text, variables).accounts.remove(0).proxies
}

fn shown(proxy: Option<&Proxy>) -> String {
    proxy.map_or_else(|| "straight".into(), ToString::to_string)
}

#[test]
fn an_accounts_own_word_beats_the_environment() {
    let environment = [("ALL_PROXY", "socks5://everywhere"), ("HTTPS_PROXY", "http://tokens:1"), ("NO_PROXY", "*")];
    let own = proxies(&with("proxy = \"http://own:3128\"\n"), &environment);
    for proxy in [own.smtp.unwrap(), own.http.unwrap()] {
        assert_eq!((proxy.protocol, proxy.origin), (Protocol::HttpConnect, ProxyOrigin::Account));
        assert_eq!((proxy.host.as_str(), proxy.port, proxy.login.is_none()), ("own", 3128, true));
    }
    let none = proxies(&with("proxy = \"none\"\n"), &environment[..2]);
    assert!(none.smtp.is_none() && none.http.is_none());
    // One that cannot even be read is then of no interest.
    assert!(proxies(&with("proxy = \"None\"\n"), &[("ALL_PROXY", "socks4://everywhere")]).smtp.is_none());
}

#[test]
fn the_environment_is_understood_as_curl_understands_it() {
    let endpoint = oauth("https://login.example.net/token");
    for (variables, smtp, http) in [
        (&[][..], "straight", "straight"),
        (&[("ALL_PROXY", "socks5h://a")], "socks5://a:1080", "socks5://a:1080"),
        (&[("HTTPS_PROXY", "b:8080")], "straight", "http://b:8080"),
        (&[("ALL_PROXY", "socks5://a"), ("https_proxy", "http://b:1/")], "socks5://a:1080", "http://b:1"),
        (&[("ALL_PROXY", "socks5://a"), ("all_proxy", "socks5://small")], "socks5://small:1080", "socks5://small:1080"),
        (&[("ALL_PROXY", "socks5://a"), ("all_proxy", " ")], "socks5://a:1080", "socks5://a:1080"),
        (&[("ALL_PROXY", "")], "straight", "straight"),
        (&[("HTTP_PROXY", "http://b:1"), ("SMTP_PROXY", "http://b:1")], "straight", "straight"),
        (&[("ALL_PROXY", "socks5://a"), ("NO_PROXY", ".example.com")], "straight", "socks5://a:1080"),
        (&[("ALL_PROXY", "socks5://a"), ("no_proxy", "example.net"), ("NO_PROXY", "*")], "socks5://a:1080", "straight"),
    ] {
        let found = proxies(&endpoint, variables);
        assert_eq!(
            (shown(found.smtp.as_ref()), shown(found.http.as_ref())),
            (smtp.into(), http.into()),
            "{variables:?}"
        );
    }
    let named = proxies(&endpoint, &[("all_proxy", "socks5://a")]).smtp.unwrap();
    assert_eq!(named.origin, ProxyOrigin::Variable("all_proxy".into()));
}

#[test]
fn this_machine_is_never_reached_through_a_proxy_of_the_environment() {
    let all = [("ALL_PROXY", "socks5://a"), ("HTTPS_PROXY", "http://b:1")];
    for host in ["localhost", "127.0.0.1", "::1", "mail.localhost"] {
        assert!(proxies(&with("").replace("smtp.example.com", host), &all).smtp.is_none(), "{host}");
    }
    for endpoint in ["https://localhost/token", "http://127.0.0.1:8080/token", "https://[::1]/token"] {
        assert!(proxies(&oauth(endpoint), &all).http.is_none(), "{endpoint}");
    }
    // What the account itself says counts for this machine too: to the proxy it is another one.
    let own = with("proxy = \"socks5://a\"\n").replace("smtp.example.com", "localhost");
    assert!(proxies(&own, &[]).smtp.is_some());
}

#[test]
fn a_password_comes_from_the_address_from_the_key_or_from_the_file() {
    let desk = Desk::new();
    desk.write("word", "of the file\n");
    for (lines, username) in [
        ("proxy = \"socks5://me:inside@[::1]\"\n", "me"),
        ("proxy = \"socks5://me@[::1]\"\nproxy_password = \"beside\"\n", "me"),
        ("proxy = \"http://m%40e@[::1]:1\"\nproxy_password_file = \"word\"\n", "m@e"),
    ] {
        let loaded = desk.load(&with(lines), &[]).unwrap();
        assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
        let login = loaded.config.accounts[0].proxies.http.as_ref().and_then(|proxy| proxy.login.clone()).unwrap();
        assert_eq!(login.username, username);
        assert!([6, 11].contains(&login.password.octets()), "{}", login.password.octets());
    }
    // A container replaces the password of the file.
    let replaced = "proxy = \"socks5://me@[::1]\"\nproxy_password = \"beside\"\n";
    let file = desk.write("word", "of the file\n");
    let variable = [("POSTHOUSE__ACCOUNTS__OFFICE__PROXY_PASSWORD_FILE", file.to_str().unwrap())];
    let proxies = desk.load(&with(replaced), &variable).unwrap().config.accounts.remove(0).proxies;
    assert_eq!(proxies.smtp.unwrap().login.unwrap().password.octets(), "of the file".len());
}

#[test]
fn a_bad_variable_is_told_once_and_only_if_it_would_be_used() {
    let two = format!(
        "default_account = \"office\"\n{}[accounts.b]\nhost = \"smtp.example.net\"\nmechanism = \"none\"\n",
        with("")
    );
    let bad = [("ALL_PROXY", "socks4://me:correct-horse@a")];
    let found = findings(Desk::new().load(&two, &bad));
    let [told] = &found[..] else { panic!("{found:?}") };
    let said = told.one_line();
    assert!(said.contains("(ALL_PROXY)") && said.contains("proxy = \"none\""), "{said}");
    assert!(!format!("{told:?}").contains("correct-horse"));
    let spared = [bad[0], ("NO_PROXY", "example.com,example.net")];
    assert_eq!(findings(Desk::new().load(&two, &spared)), []);
}
