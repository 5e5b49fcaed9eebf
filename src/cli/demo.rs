//! `posthouse demo`: relay and practice provider in one process, nothing to set up.
//!
//! Goes through everything that is real: a listener, a token call, TLS, AUTH, and the mailbox of the sandbox. Without
//! `--send` it prints lines to try, `posthouse login` among them if a person is to sign in, and shows what arrives; with
//! it, it sends a sample itself, shows both transcripts and says by its exit code whether the mail arrived. Writes
//! nothing but a temporary directory.

mod account;
mod sample;

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::serve::told_to_end;
use super::sysexits::{EX_SOFTWARE, EX_UNAVAILABLE, EX_USAGE};
use super::{fail, runtime};
use crate::account::provider::Preset;
use crate::app::{self, StartError};
use crate::config::{self, Config, Sources};
use crate::journal::{Journal, log};
use crate::sandbox::Sandbox;
use crate::smtp::client::Timeouts;

/// Flags of `posthouse demo`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where the demo listens; port 0 takes a free one [default: 127.0.0.1:2525, with --send a free port if that is in
    /// use].
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Send a sample message, show both transcripts and end.
    #[arg(long)]
    send: bool,
    /// How the relay signs in to the practice provider [default: oauth; with --provider a password, unless it takes none or not for long].
    #[arg(long, value_enum)]
    sign_in: Option<SignIn>,
    /// Let the practice provider play this one, under its name and by its rules; `posthouse providers` lists them.
    #[arg(long, value_name = "NAME")]
    provider: Option<String>,
    /// Give the relay a wrong secret, to see what that looks like.
    #[arg(long)]
    wrong_secret: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum SignIn {
    /// OAuth 2.0: a token from the practice token endpoint, XOAUTH2.
    Oauth,
    /// An app password.
    Password,
    /// OAuth 2.0, and you are the person who signs in: prints the `posthouse login` to try with a browser.
    Browser,
    /// The same with a code for another machine.
    Device,
}

impl SignIn {
    /// Whether somebody has to sign in before mail can go.
    fn needs_person(self) -> bool {
        matches!(self, Self::Browser | Self::Device)
    }
}

pub(super) fn run(args: &Args, log_level: Option<&str>) -> ExitCode {
    let level = log_level.and_then(|level| level.parse().ok());
    let quiet = if args.send { tracing::Level::WARN } else { tracing::Level::INFO };
    log::install(&log::Settings { level: level.unwrap_or(quiet), ..log::Settings::default() });
    let result = runtime().and_then(|runtime| runtime.block_on(demo(args)));
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(EX_UNAVAILABLE),
        Err(error) => {
            let code = match error.kind() {
                io::ErrorKind::InvalidInput => EX_USAGE,
                io::ErrorKind::AddrInUse => EX_UNAVAILABLE,
                _ => EX_SOFTWARE,
            };
            fail(code, format_args!("the demo cannot run: {error}"))
        }
    }
}

/// True if all went well.
async fn demo(args: &Args) -> io::Result<bool> {
    let played = account::played(args)?;
    let sandbox = Sandbox::start(account::settings(played.as_ref())?).await?;
    let directory = tempfile::tempdir()?;
    let account = account::section(args, played.as_ref(), &sandbox, directory.path())?;
    let listen = where_to_listen(args);
    let mut config = configuration(&account, listen, &sandbox, directory.path())?;
    for listener in &mut config.listeners {
        listener.bind = vec![listen];
    }
    let relay = app::start(&config, Journal::default(), Timeouts::default()).map_err(|error| in_flags(&error))?;
    let address = relay.listening().first().map_or(listen, |(_, address)| *address);
    let arrived = if args.send {
        sample::send(address, &sandbox).await?
    } else {
        let login = args.sign_in.is_some_and(SignIn::needs_person).then(|| directory.path().join(FILE));
        greet(address, played.as_ref(), login.as_deref())?;
        watch(&sandbox).await?
    };
    relay.shut_down().await;
    Ok(arrived)
}

/// The demo's configuration, in its directory.
const FILE: &str = "demo.toml";

const USUAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 2525);

/// Port 0 is any free one.
fn where_to_listen(args: &Args) -> SocketAddr {
    match args.listen {
        Some(address) => address,
        // Nobody has to know the port of a sample the demo sends itself.
        None if args.send && std::net::TcpListener::bind(USUAL).is_err() => SocketAddr::new(USUAL.ip(), 0),
        None => USUAL,
    }
}

/// Errors name the key of a configuration, which here comes from a flag.
fn in_flags(error: &StartError) -> io::Error {
    let text = error.to_string().replace("in `bind`", "with `--listen`").replace("`bind`", "`--listen`");
    match error {
        StartError::Bind { .. } => io::Error::new(io::ErrorKind::AddrInUse, text),
        _ => io::Error::other(text),
    }
}

/// The demo's configuration goes through the same door as everyone's.
fn configuration(account: &str, listen: SocketAddr, sandbox: &Sandbox, directory: &Path) -> io::Result<Config> {
    // A configuration knows no port 0: the caller sets it beside this.
    let bind = if listen.port() == 0 { USUAL } else { listen };
    let authority = directory.join("sandbox-ca.pem");
    std::fs::write(&authority, sandbox.authority_pem())?;
    let text = format!(
        "hostname = \"posthouse.demo.example\"\n\
         [[listeners]]\nname = \"demo\"\nbind = [\"{bind}\"]\nauth = \"accept_any\"\n\
         {account}ca_file = \"{2}\"\n\
         [storage]\ndirectory = \"{0}\"\nkey_file = \"{1}\"\n",
        directory.display(),
        key_of_the_vault(directory)?.display(),
        authority.display(),
    );
    // Such files are readable to their owner alone, so that the demo does not warn about itself.
    let mut file = tempfile::Builder::new().suffix(".toml").tempfile_in(directory)?;
    file.write_all(text.as_bytes())?;
    let path = directory.join(FILE);
    file.persist(&path).map_err(io::Error::other)?;
    let sources = Sources { path: Some(path), ..Sources::default() };
    config::load(&sources).map(|loaded| loaded.config).map_err(io::Error::other)
}

/// A key of the demo's own: the user's own one is neither made nor used, and ends with the directory.
fn key_of_the_vault(directory: &Path) -> io::Result<PathBuf> {
    let mut key = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *key).map_err(|error| io::Error::other(error.to_string()))?;
    let path = directory.join("vault.key");
    // Readable to its owner alone, else the vault refuses it.
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    writeln!(file, "{}", *Zeroizing::new(STANDARD.encode(*key)))?;
    file.persist(&path).map_err(io::Error::other)?;
    Ok(path)
}

/// Says what can be tried. `login`: the configuration of an account that a person signs in.
fn greet(address: SocketAddr, played: Option<&Preset>, login: Option<&Path>) -> io::Result<()> {
    let mut out = io::stdout();
    writeln!(out, "Posthouse listens on {address} and sends on to a practice provider inside this process.")?;
    if let Some(preset) = played {
        writeln!(out, "It plays {}, as far as Posthouse knows its rules.", preset.title)?;
    }
    if let Some(configuration) = login {
        writeln!(out, "Nothing leaves this machine. Sign the account in from another terminal:\n")?;
        writeln!(out, "  {}\n", command("login", configuration))?;
        writeln!(
            out,
            "Its page is signed by the practice provider itself, so a browser warns: here, go on. Then look:\n"
        )?;
        writeln!(out, "  {}\n", command("accounts", configuration))?;
        writeln!(out, "and send a mail:\n")?;
    } else {
        writeln!(out, "Nothing leaves this machine. Send it a mail from another terminal:\n")?;
    }
    writeln!(out, "  {}\n", line_to_try(address))?;
    writeln!(out, "or point a device or program at {address}, no encryption, any login. Ctrl-C ends the demo.\n")?;
    out.flush()
}

/// A line for a shell that runs this very program with the demo's configuration.
fn command(verb: &str, configuration: &Path) -> String {
    let program = std::env::current_exe().unwrap_or_else(|_| "posthouse".into());
    format!("{} {verb} --config {}", program.display(), configuration.display())
}

/// Shows what arrives until the demo is told to end.
async fn watch(sandbox: &Sandbox) -> io::Result<bool> {
    let mut out = io::stdout();
    let mut deliveries = sandbox.mailbox().watch();
    let mut shown = 0;
    loop {
        tokio::select! {
            () = told_to_end() => return Ok(true),
            changed = deliveries.changed() => if changed.is_err() { return Ok(true) },
        }
        let deliveries = sandbox.mailbox().deliveries();
        for delivery in deliveries.iter().filter(|delivery| delivery.id > shown) {
            writeln!(
                out,
                "--- arrived at the practice provider, from <{}> to {}:",
                delivery.reverse_path,
                delivery.addresses().join(", ")
            )?;
            writeln!(out, "{}", sample::printable(&delivery.text()))?;
        }
        shown = deliveries.last().map_or(shown, |delivery| delivery.id);
        out.flush()?;
    }
}

fn line_to_try(address: SocketAddr) -> String {
    format!(
        "printf 'From: scanner@example.com\\nTo: you@example.com\\nSubject: Hello\\n\\nA first mail.\\n' | \
         curl --silent --show-error smtp://{address} --mail-from scanner@example.com --mail-rcpt you@example.com --upload-file -"
    )
}
