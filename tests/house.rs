//! The order of the house: reads `src/` and fails, with the reason, where a file breaks it.
//!
//! Rooms name only rooms to their left; secrets are opened, the platform, the clock and the environment are touched,
//! and a few crates are named only in the places listed here. To move a limit is a decision about the design: change
//! the list and say why beside it. Cannot see what a method call hides, nor a map's guard kept across an `.await`.

#[path = "house/crooked.rs"]
mod crooked;
#[path = "house/reader.rs"]
mod reader;

use reader::{Reading, Said, Spot};

/// From left to right. A room may name rooms on floors before its own; rooms on one floor do not name each other.
const FLOORS: &[&[&str]] = &[
    &["ids", "words", "secret", "failpoint"],
    &["redact", "disk"],
    &["pem", "x509"],
    &["mail"],
    &["smtp"],
    &["diagnosis"],
    &["journal"],
    &["net"],
    &["account"],
    &["upstream"],
    &["queue"],
    &["inbound", "outbound", "alert", "console", "sandbox", "store"],
    &["config"],
    &["app"],
    &["cli"],
    &["main"],
];

/// Who may open a `Secret`, and what for.
const SECRET_READERS: &[(&str, &str)] = &[
    ("secret", "it is the secret"),
    ("redact/mod", "to find it in what comes back"),
    ("mail/smime/pkcs12", "to open the file with an identity's key"),
    ("smtp/sasl", "to put it into a SASL response, and to compare a device's password"),
    ("smtp/client/wire", "to write the response to the provider"),
    ("net/proxy/socks5", "to log in at the proxy"),
    ("net/proxy/http_connect", "to log in at the proxy"),
    ("account/oauth/authorization_code", "to redeem the code with its verifier, and to compare the state"),
    ("account/oauth/device_code", "to ask whether the device code was accepted"),
    ("account/oauth/exchange", "to send the client's secret, or what stands in its place, to the token endpoint"),
    ("account/oauth/refresh_token", "to send it to the token endpoint"),
    ("account/oauth/revocation", "to give it back to the provider"),
    ("account/oauth/password", "to trade it for a token"),
    ("account/password", "to check what was configured, and to take the spaces of an app password out"),
    ("store/file/seal", "to seal it for the disk"),
    ("store/file/key", "to read the key of the vault where the configuration holds it"),
    ("cli/demo/account", "the demo writes the practice provider's own secrets into its temporary configuration"),
    ("sandbox/credentials", "the practice provider has made it up itself, and compares"),
    ("sandbox/echo", "to repeat it on demand"),
    ("sandbox/oauth/form", "the practice provider looks at what it was sent"),
    ("sandbox/oauth/answer", "it hands out what it has made up"),
    ("sandbox/oauth/assertion", "to verify a signature"),
    ("sandbox/oauth/token", "to compare a code verifier with its challenge"),
    ("sandbox/oauth/authorize", "to put a request's name into the page that asks"),
];

/// Where Unix differs from the rest, behind `cfg(unix)`; a build with fail points is for Unix alone.
const PLATFORM: &[&str] = &["failpoint", "disk", "net/listen", "net/control", "app"];

/// Where the environment is read: `main` and `cli` for their own run, `app` for the service manager,
/// `failpoint` for the orders of a test, in a build that is made for it.
const ENVIRONMENT: &[&str] = &["main", "cli", "app", "failpoint"];

/// Bytes and time in, decisions out: no socket, file, clock or environment.
const SANS_IO: &[&str] = &[
    "mail",
    "smtp",
    "diagnosis",
    "account/book",
    "account/provider",
    "account/signin",
    "account/health",
    "account/breaker",
    "account/budget",
    "account/tokens",
    "account/life",
    "account/warning",
    "queue/parcel",
    "queue/notice",
    "queue/schedule",
    "inbound/policy",
    "inbound/limits",
    "outbound/verdict",
    "outbound/throttle",
    "outbound/fitness",
    "outbound/ahead",
    "config/check",
];

/// Crates that are named in these places only.
const CONFINED: &[(&str, &[&str])] = &[
    ("mail_builder", &["mail/notice"]),
    // The tests of notices read back what was composed.
    ("mail_parser", &["mail/header/parser", "mail/notice/tests"]),
    ("rustls_pemfile", &["pem"]),
    ("toml", &["config"]),
    ("toml_edit", &["config"]),
    ("aws_lc_rs", &["store/file/seal", "account/oauth/assertion", "sandbox/oauth/assertion", "mail/smime"]),
    ("p12_keystore", &["mail/smime"]),
    ("cms", &["mail/smime"]),
];

const LONGEST_FILE: usize = 400;

/// One source file; the path is relative to `src/`.
struct File {
    path: String,
    text: String,
}

impl File {
    /// `inbound` for `inbound/policy.rs`, `app` for `app.rs`.
    fn room(&self) -> &str {
        self.path.split('/').next().unwrap_or_default().trim_end_matches(".rs")
    }

    /// Whether it is one of these files, or in one of these folders; both are named without `.rs`.
    fn is_in(&self, place: &str) -> bool {
        let path = self.path.trim_end_matches(".rs");
        path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    fn is_in_any(&self, places: &[&str]) -> bool {
        places.iter().any(|place| self.is_in(place))
    }
}

/// Everything that is wrong with these files, one line each.
fn complaints(files: &[File]) -> Vec<String> {
    let mut all = Vec::new();
    let readings: Vec<Option<Reading>> = files.iter().map(|file| Reading::of(&file.path, &file.text)).collect();
    let test_files: Vec<&str> = readings.iter().flatten().flat_map(|r| &r.test_files).map(String::as_str).collect();
    for (file, reading) in files.iter().zip(&readings) {
        let mut complain = |line: usize, reason: String| all.push(format!("src/{}:{line}: {reason}", file.path));
        if let Some(reason) = shape(file) {
            complain(1, reason);
        }
        let Some(reading) = reading else {
            complain(1, "is not Rust".into());
            continue;
        };
        for spot in &reading.spots {
            let tests = spot.test || file.is_in_any(&test_files);
            let reason = order(file, spot).or_else(|| everywhere(file, spot));
            if let Some(reason) = reason.or_else(|| if tests { None } else { outside_tests(file, spot) }) {
                complain(spot.line, reason);
            }
        }
    }
    all.dedup();
    all
}

/// Head and length.
fn shape(file: &File) -> Option<String> {
    if !file.path.contains('/') && file.room() != "lib" && floor(file.room()).is_none() {
        return Some(format!("there is no room called `{}` in the plan; add it to FLOORS", file.room()));
    }
    let lines = file.text.lines().count();
    if lines > LONGEST_FILE {
        return Some(format!("has {lines} lines; split it, {LONGEST_FILE} is the limit"));
    }
    let head = file.text.lines().take_while(|line| line.starts_with("//!")).count();
    // The head of lib.rs is the crate's documentation, the plan of the house; main.rs has nothing to tell.
    let (least, most) = match file.path.as_str() {
        "lib.rs" => (3, LONGEST_FILE),
        "main.rs" => (1, 8),
        _ => (3, 8),
    };
    let fits = (least..=most).contains(&head);
    (!fits)
        .then(|| format!("has {head} lines of `//!` at its head; it takes {least} to {most} to say what it guarantees"))
}

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

/// The one-way order of the rooms.
fn order(file: &File, spot: &Spot) -> Option<String> {
    let Said::Path(path) = &spot.said else { return None };
    let own = file.room();
    let said = path.join("::");
    if own == "lib" {
        let ours = path.len() > 1 && (path[0] == "crate" || floor(&path[0]).is_some());
        return ours.then(|| format!("lists the rooms and re-exports nothing (`{said}`)"));
    }
    if path[0] != "crate" {
        return None;
    }
    let Some(target) = path.get(1).filter(|target| *target != "*") else {
        return Some(format!("names the whole crate (`{said}`); name the room"));
    };
    match (floor(own), floor(target)) {
        _ if own == target => None,
        (_, None) => Some(format!("names `{said}`, but there is no room called `{target}` in the plan")),
        (Some(here), Some(there)) if there > here => {
            Some(format!("`{own}` names a room to its right, `{target}` (`{said}`)"))
        }
        (Some(here), Some(there)) if there == here => {
            Some(format!("`{own}` and `{target}` stand on one floor and do not name each other (`{said}`)"))
        }
        _ => None,
    }
}

/// What holds in test modules as well.
fn everywhere(file: &File, spot: &Spot) -> Option<String> {
    match &spot.said {
        Said::Macro(name) if ["todo", "unimplemented", "dbg"].contains(&name.as_str()) => {
            Some(format!("`{name}!` is for unfinished work"))
        }
        Said::Path(path) if path.iter().any(|name| ["macro_export", "macro_use"].contains(&name.as_str())) => {
            Some(format!("`{}` carries names past the order of the rooms", path.join("::")))
        }
        Said::Path(path) => {
            let (name, homes) = CONFINED.iter().find(|(name, _)| *name == path[0] && path.len() > 1)?;
            (!file.is_in_any(homes)).then(|| format!("`{name}` is named only in `{}`", homes.join("` and `")))
        }
        _ => None,
    }
}

/// What a test module may do and the program may not.
fn outside_tests(file: &File, spot: &Spot) -> Option<String> {
    if opens_secret(&spot.said) && !SECRET_READERS.iter().any(|(place, _)| file.is_in(place)) {
        return Some("opens a secret; the files that may are listed in tests/house.rs".into());
    }
    if let Some(said) = platform(&spot.said).filter(|_| !file.is_in_any(PLATFORM)) {
        return Some(format!("platform code (`{said}`) stands only in {}", PLATFORM.join(", ")));
    }
    let Said::Path(path) = &spot.said else {
        let reads = matches!(&spot.said, Said::Method(name) if name == "elapsed") && file.is_in_any(SANS_IO);
        return reads.then(|| "reads the clock (`.elapsed()`); time is an argument here".into());
    };
    let said = path.join("::");
    if starts(path, "std::env") && !file.is_in_any(ENVIRONMENT) {
        return Some(format!("reads the environment (`{said}`); that is for {}", ENVIRONMENT.join(", ")));
    }
    (touches_world(path) && file.is_in_any(SANS_IO))
        .then(|| format!("touches the world (`{said}`); no socket, file, clock or environment here"))
}

fn opens_secret(said: &Said) -> bool {
    match said {
        Said::Method(name) => name == "expose" || name == "expose_secret",
        Said::Path(path) => {
            let last = path.last().map_or("", String::as_str);
            ["expose_secret", "ExposeSecret"].contains(&last) || path.len() > 1 && last == "expose"
        }
        Said::Macro(_) | Said::Cfg(_) => false,
    }
}

fn platform(said: &Said) -> Option<String> {
    const SWITCHES: &[&str] = &["unix", "windows", "target_os", "target_family", "target_vendor", "target_env"];
    match said {
        Said::Cfg(name) => SWITCHES.contains(&name.as_str()).then(|| format!("cfg({name})")),
        Said::Path(path) => {
            let unix_socket = starts(path, "tokio::net") && path.get(2).is_some_and(|name| name.starts_with("Unix"));
            let named = ["std::os", "tokio::signal::unix", "tokio::signal::windows", "libc", "nix", "rustix"];
            let named = named.iter().any(|prefix| path.len() > 1 && starts(path, prefix));
            (unix_socket || named).then(|| path.join("::"))
        }
        Said::Macro(_) | Said::Method(_) => None,
    }
}

fn touches_world(path: &[String]) -> bool {
    let reads_clock = path.len() > 1 && path.last().is_some_and(|name| name == "now" || name.starts_with("now_"));
    let sockets = ["TcpStream", "TcpListener", "UdpSocket", "ToSocketAddrs"];
    let world = ["std::fs", "std::env", "std::process", "std::thread", "tokio", "socket2", "hyper", "tempfile"];
    reads_clock
        || path.len() > 1 && world.iter().any(|prefix| starts(path, prefix))
        || starts(path, "std::net") && path.get(2).is_some_and(|name| sockets.contains(&name.as_str()))
}

fn starts(path: &[String], prefix: &str) -> bool {
    let mut path = path.iter();
    prefix.split("::").all(|name| path.next().is_some_and(|own| own == name))
}

/// All of `src/`, in the order of the paths.
fn sources() -> Vec<File> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let path = path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
                files.push(File { path, text });
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

#[test]
fn the_house_is_straight() {
    let files = sources();
    assert!(files.iter().any(|file| file.path == "smtp/reply.rs"), "the house was not found");
    let complaints = complaints(&files);
    assert!(complaints.is_empty(), "{} complaints:\n{}", complaints.len(), complaints.join("\n"));
}

#[test]
fn every_place_that_a_rule_names_is_there() {
    let files = sources();
    let confined = CONFINED.iter().flat_map(|(_, homes)| homes.iter());
    for place in [PLATFORM, ENVIRONMENT, SANS_IO].concat().iter().chain(confined) {
        assert!(files.iter().any(|file| file.is_in(place)), "there is no `{place}`");
    }
}

#[test]
fn who_opens_no_secret_is_not_among_the_readers() {
    let files = sources();
    let reads = |file: &File| {
        let reading = Reading::of(&file.path, &file.text);
        reading.is_some_and(|r| r.spots.iter().any(|spot| !spot.test && opens_secret(&spot.said)))
    };
    for (place, _) in SECRET_READERS {
        assert!(files.iter().any(|file| file.is_in(place) && reads(file)), "`{place}` needs no place in the list");
    }
}
