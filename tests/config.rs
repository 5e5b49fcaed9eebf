//! The configuration as its readers see it: what bad files are told, and what good sources lead to.
//!
//! The tests are in `tests/config/`, by what they look at; here is what they share, and the file as a whole. Files are
//! made in a directory of their own; nobody is asked on the network.

#[path = "config/bad.rs"]
mod bad;
#[path = "config/delivery.rs"]
mod delivery;
#[path = "config/effective.rs"]
mod effective;
#[path = "config/example.rs"]
mod example;
#[path = "config/file.rs"]
mod file;
#[path = "config/grants.rs"]
mod grants;
#[path = "config/presets.rs"]
mod presets;
#[path = "config/providers.rs"]
mod providers;
#[path = "config/proxies.rs"]
mod proxies;
#[path = "config/schema.rs"]
mod schema;

use std::path::{Path, PathBuf};

use posthouse::account::{Encryption, Source};
use posthouse::config::{self, Config, Finding, Loaded, Override, Place, Report, Severity, Sources};
use posthouse::inbound::settings::{DeviceAuth, ListenerTls};

const ACCOUNT: &str = "[accounts.office]\nhost = \"smtp.example.com\"\naddress = \"scanner@example.com\"\n";

/// A directory of its own, in which files are readable to their owner alone.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        use std::io::Write;
        use std::os::unix::fs::OpenOptionsExt;
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        path
    }

    /// Loads this text as a file, with these variables.
    fn load(&self, text: &str, variables: &[(&str, &str)]) -> Result<Loaded, Report> {
        let loaded = config::load(&sources(&self.write("posthouse.toml", text), variables));
        if loaded.is_ok() && variables.is_empty() {
            assert_eq!(schema::complaints(text), "", "a good configuration does not pass the schema:\n{text}");
        }
        loaded
    }
}

fn sources(path: &Path, variables: &[(&str, &str)]) -> Sources {
    let environment = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Sources { path: Some(path.into()), environment, overrides: Vec::new() }
}

fn load(text: &str, variables: &[(&str, &str)]) -> Config {
    Desk::new().load(text, variables).unwrap().config
}

fn findings(result: Result<Loaded, Report>) -> Vec<Finding> {
    result.map_or_else(|report| report.findings, |loaded| loaded.warnings)
}

/// Holds a text against the file of this name in `tests`, or writes it there.
fn assert_golden(name: &str, said: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name);
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::write(&path, said).unwrap();
    }
    assert!(
        std::fs::read_to_string(&path).unwrap_or_default() == said,
        "tests/{name} is not what is said now:\n{said}"
    );
}

#[test]
fn eight_mistakes_are_eight_findings() {
    let text = "default_account = \"home\"\n\
        [accounts.office]\nhost = \"smtp.example.com:465\"\nport = 99999\npasword = \"x\"\nencryption = \"tsl\"\n\
        [[listeners]]\nbind = [\"localhost:25\"]\nmax_recipients = 5\n\
        [delivery]\nwait = \"1h\"\n";
    let found = findings(Desk::new().load(text, &[]));
    let keys: Vec<&str> = found.iter().map(|finding| finding.key.as_str()).collect();
    let expected = [
        "default_account",
        "accounts.office.host",
        "accounts.office.port",
        "accounts.office",
        "accounts.office.encryption",
        "listeners[0].bind",
        "listeners[0].max_recipients",
        "delivery.wait",
    ];
    assert_eq!(keys, expected);
    let Place::File { line, column, .. } = found[2].place else { panic!("{:?}", found[2]) };
    assert_eq!((line, column), (4, 8));
}

#[test]
fn an_account_alone_is_a_configuration() {
    let config = load(ACCOUNT, &[]);
    assert_eq!(config.accounts[0].port, 465);
    assert_eq!(config.accounts[0].encryption, Encryption::Implicit);
    assert!(matches!(config.accounts[0].credential, Source::None));
    assert_eq!(config.listeners[0].name.as_str(), "local");
    assert_eq!(config.listeners[0].bind, ["127.0.0.1:25".parse().unwrap(), "[::1]:25".parse().unwrap()]);
    assert_eq!(config.listeners[0].auth, DeviceAuth::None);
    assert_eq!(config.queue.wait().as_secs(), 15);
    let starttls = load(&format!("{ACCOUNT}encryption = \"tls\"\n"), &[]);
    assert_eq!(starttls.accounts[0].port, 587);
}

#[test]
fn routes_are_read_in_their_order_and_a_former_name_still_means_its_account() {
    let text = "default_account = \"mail\"\n[accounts.office]\nhost = \"smtp.example.com\"\naddress = \"a@example.com\"\n\
        renamed_from = [\"mail\", \"desk\"]\n[devices.fax]\npassword = \"x\"\naccount = \"desk\"\n\
        [[routes]]\nsender = \"fax@*\"\nsource = [\"10.0.0.0/8\", \"::ffff:192.0.2.1\"]\naccounts = \"mail\"\n\
        [[routes]]\ndevice = \"f*\"\nlistener = \"local\"\nrecipient = \"*\"\naccounts = [\"office\", \"desk\"]\n";
    let config = load(text, &[]);
    let [first, second] = &config.routes[..] else { panic!("{:?}", config.routes) };
    let sources: Vec<String> = first.source.iter().map(ToString::to_string).collect();
    assert_eq!(sources, ["10.0.0.0/8", "192.0.2.1/32"]);
    assert_eq!((first.sender[0].as_str(), first.accounts[0].as_str()), ("fax@*", "mail"));
    assert_eq!(
        (second.device[0].as_str(), second.listener[0].as_str(), second.recipient[0].as_str()),
        ("f*", "local", "*")
    );
    assert_eq!(second.accounts.len(), 2);
    let by_variable = [("POSTHOUSE__ROUTES__0__ACCOUNTS", "office"), ("POSTHOUSE__ROUTES__0__SENDER", "a@*, b@*")];
    assert_eq!(load(ACCOUNT, &by_variable).routes[0].sender.len(), 2);
}

#[test]
fn mail_that_a_route_claims_needs_no_default_account() {
    let several = |routes: &str| {
        let text =
            format!("{ACCOUNT}password = \"x\"\n{}password = \"x\"\n{routes}", ACCOUNT.replace("office", "backup"));
        Desk::new().load(&text, &[]).map(|loaded| loaded.warnings.len()).map_err(|report| report.findings.len())
    };
    assert_eq!(several(""), Err(1));
    assert_eq!(several("[[routes]]\nsender = \"*@example.com\"\naccounts = \"office\"\n"), Ok(1), "a risk");
    for all in ["", "sender = \"*\"\n", "listener = \"loc*\"\n"] {
        assert_eq!(several(&format!("[[routes]]\n{all}accounts = \"office\"\n")), Ok(0), "{all}");
    }
}

#[test]
fn a_variable_wins_over_the_file_and_a_flag_over_both() {
    let desk = Desk::new();
    let path = desk.write("posthouse.toml", &format!("{ACCOUNT}[delivery]\nwait = \"20s\"\n"));
    let mut from =
        sources(&path, &[("POSTHOUSE__DELIVERY__WAIT", "30s"), ("POSTHOUSE_LOG", "debug"), ("PATH", "/bin")]);
    assert_eq!(config::load(&from).unwrap().config.queue.wait().as_secs(), 30);
    from.overrides.push(Override { flag: "--wait".into(), key: "delivery.wait".into(), value: "40s".into() });
    assert_eq!(config::load(&from).unwrap().config.queue.wait().as_secs(), 40);
    from.overrides[0].value = "soon".into();
    let report = config::load(&from).unwrap_err();
    let error = report.findings.iter().find(|finding| finding.severity == Severity::Error).unwrap();
    assert_eq!(error.place, Place::Flag("--wait".into()));
}

#[test]
fn a_variable_that_is_almost_ours_is_a_risk() {
    let names = ["POSTHOUSE_LOG", "POSTHOUSE_DELIVERY_WAIT", "POSTHOUSE_SERVICE_HOST", "POSTHOUSE_PORT_25_TCP", "PATH"];
    let warnings =
        Desk::new().load(&format!("{ACCOUNT}mechanism = \"none\"\n"), &names.map(|name| (name, "x"))).unwrap().warnings;
    let said: Vec<_> =
        warnings.iter().map(|warning| (warning.place.to_string(), warning.hint.clone().unwrap())).collect();
    let expected = [
        ("POSTHOUSE_DELIVERY_WAIT", "did you mean POSTHOUSE__DELIVERY__WAIT?"),
        ("POSTHOUSE_LOG", "did you mean POSTHOUSE__LOG__LEVEL?"),
    ];
    assert_eq!(said, expected.map(|(place, hint)| (place.to_owned(), hint.to_owned())));
}

#[test]
fn without_a_file_the_places_are_named() {
    if Path::new("/etc/posthouse/posthouse.toml").exists() {
        return;
    }
    let report = config::load(&Sources::default()).unwrap_err();
    let here = std::env::current_dir().unwrap().display().to_string();
    let expected = format!("looked for ./posthouse.toml (in {here}) and /etc/posthouse/posthouse.toml");
    assert!(report.findings[0].message.contains(&expected), "{}", report.findings[0].message);
}

#[test]
fn a_risk_fits_on_one_line_with_its_place_and_its_cure() {
    let desk = Desk::new();
    let warnings = desk.load(&format!("{ACCOUNT}password = \"x\"\nport = 587\n"), &[]).unwrap().warnings;
    let line = warnings[0].one_line();
    assert!(line.starts_with("accounts.office.port: this port usually"), "{line}");
    assert!(line.ends_with("posthouse.toml line 5); write encryption = \"starttls\", or port = 465"), "{line}");
}

#[test]
fn servers_in_the_own_network_may_want_no_sign_in() {
    let warnings = |host: &str| {
        let text = format!("[accounts.a]\nhost = \"{host}\"\naddress = \"a@example.com\"\n");
        Desk::new().load(&text, &[]).unwrap().warnings.len()
    };
    for host in ["localhost", "127.0.0.1", "192.168.1.9", "::ffff:192.168.1.9", "10.0.0.1", "fd00::1", "fe80::1"] {
        assert_eq!(warnings(host), 0, "{host}");
    }
    for host in ["smtp.example.com", "192.0.2.1", "2001:db8::1"] {
        assert_eq!(warnings(host), 1, "{host}");
    }
}

#[test]
fn variables_alone_can_say_everything() {
    let desk = Desk::new();
    let secret = desk.write("secret", "app password\r\n");
    let config = load(
        "",
        &[
            ("POSTHOUSE__ACCOUNTS__OFFICE__HOST", "smtp.example.com"),
            ("POSTHOUSE__ACCOUNTS__OFFICE__PORT", "2465"),
            ("POSTHOUSE__ACCOUNTS__OFFICE__ADDRESS", "scanner@example.com"),
            ("POSTHOUSE__ACCOUNTS__OFFICE__PASSWORD_FILE", secret.to_str().unwrap()),
            ("POSTHOUSE__LISTENERS__0__BIND", "127.0.0.1:2525, [::1]:2525"),
            ("POSTHOUSE__LISTENERS__1__BIND__0", "127.0.0.1:2526"),
            ("POSTHOUSE__LISTENERS__1__AUTH", "required"),
            ("POSTHOUSE__DEVICES__FAX__PASSWORD_FILE", secret.to_str().unwrap()),
            ("POSTHOUSE__ALIASES__ROOT", "admin@example.com"),
        ],
    );
    assert_eq!(config.accounts[0].port, 2465);
    assert!(matches!(&config.accounts[0].credential, Source::PasswordFile(path) if *path == secret));
    assert_eq!(config.listeners[0].bind.len(), 2);
    assert_eq!(config.listeners[1].bind, ["127.0.0.1:2526".parse().unwrap()]);
    assert_eq!(config.devices[0].password.expose(), "app password");
    assert_eq!(config.aliases["root"].as_str(), "admin@example.com");
}

#[test]
fn a_variable_finds_names_with_hyphens_and_takes_the_place_of_the_files_password() {
    let desk = Desk::new();
    let secret = desk.write("secret", "x\n");
    let text = ACCOUNT.replace("office", "\"my-office.1\"") + "password = \"old\"\n";
    let variables = [("POSTHOUSE__ACCOUNTS__MY_OFFICE_1__PASSWORD_FILE", secret.to_str().unwrap())];
    let config = load(&text, &variables);
    assert_eq!(config.accounts.len(), 1);
    assert_eq!(config.accounts[0].name.as_str(), "my-office.1");
    assert!(matches!(config.accounts[0].credential, Source::PasswordFile(_)));
    // Two variables are a contradiction like two keys.
    let both = [variables[0], ("POSTHOUSE__ACCOUNTS__MY_OFFICE_1__PASSWORD", "new")];
    assert!(desk.load(&text, &both).is_err());
}

#[test]
fn a_file_that_is_asked_for_must_be_there() {
    let nowhere = Path::new("/nonexistent/posthouse.toml");
    assert!(config::load(&sources(nowhere, &[])).unwrap_err().to_string().contains("named by --config is not there"));
    let mut from = sources(nowhere, &[("POSTHOUSE_CONFIG", "/nonexistent/other.toml")]);
    from.path = None;
    assert!(config::load(&from).unwrap_err().to_string().contains("named by $POSTHOUSE_CONFIG is not there"));
}

#[test]
fn relative_paths_count_from_the_file() {
    let desk = Desk::new();
    let (certificate, key) = identity();
    let inside = (desk.write("certs/relay.pem", &certificate), desk.write("certs/relay.key", &key));
    let listener = "[[listeners]]\ntls = \"implicit\"\ncertificate = \"certs/relay.pem\"\nkey = \"certs/relay.key\"\n";
    let config = desk.load(&format!("{ACCOUNT}{listener}"), &[]).unwrap().config;
    let ListenerTls::Implicit { certificate, key } = &config.listeners[0].tls else { panic!("not implicit") };
    assert_eq!((certificate, key), (&inside.0, &inside.1));
}

#[test]
fn a_certificate_needs_its_own_key_unencrypted() {
    let desk = Desk::new();
    desk.write("relay.pem", &identity().0);
    let listener = "[[listeners]]\ntls = \"starttls\"\ncertificate = \"relay.pem\"\nkey = \"relay.key\"\n";
    let said = |key: &str| {
        desk.write("relay.key", key);
        desk.load(&format!("{ACCOUNT}{listener}"), &[]).unwrap_err().to_string()
    };
    assert!(said(&identity().1).contains("do not belong together"));
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n";
    assert!(said(encrypted).contains("is encrypted"));
    assert!(said("nothing\n").contains("holds no private key"));
}

/// A certificate and its key, made for this test.
fn identity() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["relay.example.com".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

#[test]
fn secrets_that_everybody_can_read_are_a_risk() {
    use std::os::unix::fs::PermissionsExt;
    let desk = Desk::new();
    let path = desk.write("posthouse.toml", &format!("{ACCOUNT}password = \"x\"\n"));
    assert_eq!(config::load(&sources(&path, &[])).unwrap().warnings, []);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let warnings = config::load(&sources(&path, &[])).unwrap().warnings;
    assert_eq!(warnings.len(), 1);
    assert_eq!(warnings[0].severity, Severity::Warning);
    assert!(warnings[0].message.contains("every user of this machine can read it"), "{}", warnings[0].message);
    // Without a secret inside, a file may be open.
    let config = load(ACCOUNT, &[]);
    assert!(matches!(config.accounts[0].credential, Source::None));
}

#[test]
fn a_configuration_that_everybody_can_change_is_a_risk() {
    use std::os::unix::fs::PermissionsExt;
    let desk = Desk::new();
    let path = desk.write("posthouse.toml", &format!("{ACCOUNT}mechanism = \"none\"\n"));
    let allow = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    let said = || {
        let warnings = config::load(&sources(&path, &[])).unwrap().warnings;
        warnings.iter().map(Finding::one_line).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(said(), "");
    allow(&path, 0o666);
    assert!(said().contains("can change") && said().ends_with("posthouse.toml`"), "{}", said());
    allow(&path, 0o600);
    // Whoever may change the directory can put another file in its place, unless the sticky bit is set.
    allow(desk.0.path(), 0o777);
    assert!(said().ends_with(&format!("`chmod o-w {}`", desk.0.path().display())), "{}", said());
    allow(desk.0.path(), 0o1777);
    assert_eq!(said(), "");
    allow(desk.0.path(), 0o700);
}
