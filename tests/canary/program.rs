//! The program itself: all that `serve`, `check`, `test` and `demo` ever write to standard output and error.
//!
//! Secrets come by file, by environment and by mistake; the relay is told to end while a device is signing in.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use posthouse::sandbox::Echo;
use posthouse::sandbox::fault::{Fault, Stage, Times, TokenFault};

use crate::detector::{Canary, finds};
use crate::prints::mistakes;
use crate::stage::{account, planted, provider, quoted};

fn posthouse(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_posthouse"));
    command.args(arguments).current_dir(directory).env_clear().env("HOME", directory).env("RUST_LOG", "trace");
    command
}

fn all() -> [Canary; 4] {
    [planted::password(), planted::client_secret(), planted::device(), planted::stray()]
}

fn clean(story: &str, canaries: &[Canary], printed: &[u8]) {
    let finds = finds(canaries, printed);
    assert!(finds.is_empty(), "{story}: {finds:#?}\nin\n{}", String::from_utf8_lossy(printed));
}

#[test]
fn check_and_serve_report_mistakes_without_the_secret() {
    let directory = tempfile::tempdir().unwrap();
    for (text, variable) in mistakes() {
        std::fs::write(directory.path().join("posthouse.toml"), &text).unwrap();
        for arguments in [&["check"][..], &["check", "--json"], &["serve"], &["serve", "--log-format", "json"]] {
            let mut command = posthouse(directory.path(), arguments);
            command.envs(variable.map(|name| (name, planted::stray().secret)));
            let output = command.output().unwrap();
            assert_eq!(output.status.code(), Some(78), "{arguments:?}: {text}");
            clean(&format!("{arguments:?} with {text}"), &all(), &[output.stdout, output.stderr].concat());
        }
    }
}

#[test]
fn what_is_in_force_is_shown_without_the_secrets() {
    let directory = tempfile::tempdir().unwrap();
    let [password, client_secret, device, stray] = all().map(|canary| canary.secret);
    let query = percent_encoding::utf8_percent_encode(&stray, percent_encoding::NON_ALPHANUMERIC);
    let text = format!(
        "default_account = \"a\"\n\
         [accounts.a]\nhost = \"smtp.example.com\"\nusername = {stray:?}\npassword = {password:?}\n\
         proxy = \"socks5://relay@proxy.example.com:1080\"\nproxy_password = {stray:?}\n\
         [accounts.b]\nhost = \"smtp.example.com\"\naddress = \"b@example.com\"\n\
         password_command = [\"/bin/echo\", {password:?}]\n\
         [accounts.c]\nhost = \"smtp.example.com\"\naddress = \"c@example.com\"\n[accounts.c.oauth]\n\
         grant = \"client_credentials\"\ntoken_endpoint = \"https://login.example.com/?key={query}\"\n\
         client_id = {client_secret:?}\nclient_secret = {client_secret:?}\nscope = {stray:?}\n\
         [[listeners]]\nauth = \"optional\"\n[devices.d]\npassword = {device:?}\n"
    );
    std::fs::write(directory.path().join("posthouse.toml"), &text).unwrap();
    for arguments in [&["check", "--print-effective"][..], &["check", "--print-effective", "--json"]] {
        let output = posthouse(directory.path(), arguments).output().unwrap();
        let printed = [output.stdout, output.stderr].concat();
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&printed));
        assert!(String::from_utf8_lossy(&printed).contains("recipients_per_message"), "nothing is shown");
        clean(&format!("{arguments:?}"), &all(), &printed);
    }
}

#[test]
fn a_log_level_is_a_word_and_lets_no_stranger_speak() {
    let directory = tempfile::tempdir().unwrap();
    let text = "[accounts.a]\nhost = \"127.0.0.1\"\nport = 1\n";
    std::fs::write(directory.path().join("posthouse.toml"), text).unwrap();
    for level in ["trace,hyper=trace", "hyper=trace", "posthouse=trace,rustls=trace"] {
        let output = posthouse(directory.path(), &["serve", "--log-level", level]).output().unwrap();
        assert_eq!(output.status.code(), Some(78), "{level}");
    }
}

/// A program at work; killed with the test.
struct Running {
    child: Child,
    log: BufReader<std::process::ChildStderr>,
    printed: Vec<u8>,
}

impl Running {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        Self { child, log, printed: Vec::new() }
    }

    /// Reads the log up to a line that holds this, and returns that line.
    fn until(&mut self, words: &str) -> String {
        loop {
            let mut line = Vec::new();
            let read = self.log.read_until(b'\n', &mut line).unwrap();
            assert!(read > 0, "ended before `{words}`: {}", String::from_utf8_lossy(&self.printed));
            self.printed.extend_from_slice(&line);
            let line = String::from_utf8(line).unwrap();
            if line.contains(words) {
                return line;
            }
        }
    }

    /// SIGTERM; then everything it ever wrote.
    fn terminate(mut self) -> Vec<u8> {
        let told = Command::new("/bin/kill").arg("-TERM").arg(self.child.id().to_string()).status().unwrap();
        assert!(told.success());
        self.log.read_to_end(&mut self.printed).unwrap();
        self.child.stdout.take().unwrap().read_to_end(&mut self.printed).unwrap();
        assert!(self.child.wait().unwrap().success(), "{}", String::from_utf8_lossy(&self.printed));
        std::mem::take(&mut self.printed)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // After `terminate` there is nothing left to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The address in a line of the log.
fn address(line: &str) -> String {
    let rest = &line[line.find("127.0.0.1:").unwrap()..];
    rest.chars().take_while(|c| c.is_ascii_digit() || matches!(c, '.' | ':')).collect()
}

struct Device(BufReader<TcpStream>);

impl Device {
    fn connect(address: &str) -> Self {
        let mut device = Self(BufReader::new(TcpStream::connect(address).unwrap()));
        assert!(device.reply().starts_with("220"));
        device
    }

    fn say(&mut self, line: &str) -> String {
        self.0.get_mut().write_all(format!("{line}\r\n").as_bytes()).unwrap();
        self.reply()
    }

    /// The last line of the next reply.
    fn reply(&mut self) -> String {
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).unwrap() == 0 || line.as_bytes().get(3) != Some(&b'-') {
                return line;
            }
        }
    }
}

/// A port that is free now: the configuration does not let the system choose.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Every level and both formats; secrets from file and environment; the end comes in the midst of an AUTH.
#[test]
fn serve_writes_no_secret_at_any_level() {
    for (level, format) in
        [("trace", "text"), ("trace", "json"), ("debug", "text"), ("debug", "json"), ("info", "text"), ("info", "json")]
    {
        let directory = tempfile::tempdir().unwrap();
        let text = format!(
            "[[listeners]]\nbind = [\"127.0.0.1:{}\"]\nauth = \"optional\"\n\
             [accounts.office]\nhost = \"127.0.0.1\"\nport = 1\naddress = \"a@example.com\"\n\
             password_command = [\"/no/such/program\", {}]\n[devices.fax]\npassword = \"to be replaced\"\n\
             [storage]\ndirectory = \".\"\n[delivery]\nqueue = false\n",
            free_port(),
            quoted(&planted::stray().secret)
        );
        std::fs::write(directory.path().join("posthouse.toml"), text).unwrap();
        let arguments = ["serve", "--log-level", level, "--log-format", format];
        let mut command = posthouse(directory.path(), &arguments);
        command.env("POSTHOUSE__DEVICES__FAX__PASSWORD", planted::device().secret);
        let mut running = Running::start(command);
        let address = address(&running.until("listening"));
        let stray = STANDARD.encode(planted::stray().secret);
        let mut device = Device::connect(&address);
        device.say("EHLO scanner.example.com");
        device.say(&stray);
        device.say(&format!("QUIT {}", planted::stray().secret));
        let mut device = Device::connect(&address);
        device.say("EHLO scanner.example.com");
        device.say("AUTH LOGIN");
        device.say(&STANDARD.encode("fax"));
        assert!(device.say(&STANDARD.encode(planted::device().secret)).starts_with("235"));
        device.say("MAIL FROM:<a@example.com>");
        device.say("RCPT TO:<b@example.com>");
        device.say("DATA");
        assert!(device.say("Subject: x\r\n\r\nx\r\n.").starts_with("451"), "the program is not there");
        let mut interrupted = Device::connect(&address);
        interrupted.say("EHLO scanner.example.com");
        assert!(interrupted.say(&format!("AUTH LOGIN {stray}")).starts_with("334"));
        let printed = running.terminate();
        assert!(interrupted.reply().starts_with("421"));
        let text = String::from_utf8_lossy(&printed);
        assert_eq!(text.contains("[hidden]"), level != "info", "{level} {format}: {text}");
        assert!(text.contains("device signed in") && text.contains("attempt failed"), "{level} {format}: {text}");
        clean(&format!("serve, {level} {format}"), &all(), &printed);
    }
}

/// `posthouse test` shows replies as they come: a provider that repeats the secret in every disguise, a token endpoint
/// that does, a command with the secret in its arguments; as text and as JSON, with the log at its loudest.
#[tokio::test]
async fn test_shows_replies_without_the_secret_in_them() {
    let sandbox = provider().await;
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("ca.pem"), sandbox.authority_pem()).unwrap();
    let (password, secret) = (quoted(&planted::password().secret), quoted(&planted::client_secret().secret));
    let stray = planted::stray().secret;
    let oauth = format!(
        "oauth = {{ grant = \"client_credentials\", client_id = \"posthouse\", client_secret = {secret}, token_endpoint = \"{}\" }}",
        sandbox.token_endpoint()
    );
    let command = format!("password_command = [\"/bin/echo\", {}]", quoted(&stray));
    for echo in Echo::ALL {
        for (credential, code) in [(format!("password = {password}"), 77), (oauth.clone(), 78), (command.clone(), 77)] {
            let text = format!("hostname = \"relay.example.org\"\n{}{credential}\n", account(&sandbox));
            std::fs::write(directory.path().join("posthouse.toml"), text).unwrap();
            for format in [&["--json"][..], &[]] {
                sandbox.faults().clear();
                sandbox.faults().plan(Stage::Auth, Fault::EchoSecret(echo), Times::Always);
                if credential.starts_with("oauth") {
                    sandbox.faults().plan_token(TokenFault::EchoSecret(echo), Times::Once);
                }
                let arguments = [&["test", "--to", "b@example.com", "--log-level", "trace"][..], format].concat();
                let mut command = posthouse(directory.path(), &arguments);
                let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
                let printed = [output.stdout, output.stderr].concat();
                let text = String::from_utf8_lossy(&printed);
                assert_eq!(output.status.code(), Some(code), "{text}");
                assert!(text.contains("[secret]") || text.contains("not shown"), "{credential}, {echo:?}: {text}");
                clean(&format!("test {credential} {format:?} {echo:?}"), &all(), &printed);
            }
        }
    }
}

/// The secrets the demo has made up, from the configuration it wrote for itself.
fn secrets_of_the_demo(directory: &Path) -> Vec<Canary> {
    let until = Instant::now() + Duration::from_mins(1);
    loop {
        assert!(Instant::now() < until, "the demo wrote no configuration in {}", directory.display());
        for entry in std::fs::read_dir(directory).unwrap() {
            let Ok(text) = std::fs::read_to_string(entry.unwrap().path().join("demo.toml")) else { continue };
            // It ends with the section of the storage once it is whole.
            if text.ends_with("\"\n") && text.contains("[storage]\ndirectory = ") {
                let value = |key: &str| {
                    let rest = text.split_once(&format!("{key} = \""))?.1;
                    Some(Canary::new("the demo's secret", rest.split('"').next()?))
                };
                return ["client_secret", "password"].into_iter().filter_map(value).collect();
            }
        }
        std::thread::yield_now();
    }
}

/// The demo prints transcripts of both sides. Its secrets are random and its files gone when it ends, so its log is a
/// full pipe: it stands still at its first line until the secrets were read.
#[test]
fn the_demo_sends_and_shows_all_without_its_secrets() {
    let ways = [&["--sign-in", "oauth"][..], &["--sign-in", "password"], &["--wrong-secret"]];
    for (way, format) in ways.into_iter().zip(["text", "json", "text"]) {
        let directory = tempfile::tempdir().unwrap();
        let (mut log, mut full) = std::io::pipe().unwrap();
        // The capacity of a pipe; see pipe(7).
        full.write_all(&vec![b'\n'; 65_536]).unwrap();
        let arguments = ["demo", "--send", "--listen", "127.0.0.1:0", "--log-level", "trace", "--log-format", format];
        let mut command = posthouse(directory.path(), &[&arguments, way].concat());
        command.env("TMPDIR", directory.path()).stdout(Stdio::piped()).stderr(full);
        let mut child = command.spawn().unwrap();
        // The command holds the other end as well.
        drop(command);
        let secrets = secrets_of_the_demo(directory.path());
        assert_eq!(secrets.len(), 1);
        let mut printed = Vec::new();
        log.read_to_end(&mut printed).unwrap();
        child.stdout.take().unwrap().read_to_end(&mut printed).unwrap();
        let ended = child.wait().unwrap();
        assert_eq!(ended.success(), way != ["--wrong-secret"], "{}", String::from_utf8_lossy(&printed));
        let text = String::from_utf8_lossy(&printed);
        assert!(text.contains("EHLO") && text.contains("elivered"), "{text}");
        clean(&format!("demo {way:?}"), &secrets, &printed);
    }
}
