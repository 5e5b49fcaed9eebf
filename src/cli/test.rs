//! `posthouse test`: tries an account in front of whoever asks, each step as it happens, and says what to do.
//!
//! Reads the configuration as `serve` does and signs in with the relay's own code; needs no port and no lock, so it can
//! be run beside a running relay, whose holds it neither asks nor changes. Exit codes are those of sysexits and tell
//! causes apart. Prints no secret. Results go to standard output, as lines for people or as one JSON object a line.

mod json;
mod said;
mod text;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::attempt::{self, seconds};
use super::hear_out::{INTERRUPTED, hear_out};
use super::sysexits::{EX_CONFIG, EX_IOERR, EX_SOFTWARE, EX_USAGE};
use super::{cannot_use, choose, exit, fail, paints, runtime};
use crate::account::{Encryption, Settings};
use crate::app::{self, Common};
use crate::config::{self, Loaded, Sources};
use crate::diagnosis::{Diagnosis, diagnose};
use crate::ids::MessageId;
use crate::mail::address::Address;
use crate::mail::sample::{self, Sample};
use crate::upstream::probe::{Mail, probe};
use crate::upstream::step::{End, Kind, News, Step};
use crate::upstream::{Progress, Upstream};

pub(super) const AFTER_HELP: &str = "Examples:
  posthouse test                              sign in with the only account
  posthouse test office --to you@example.com  send a test mail as well
  posthouse test --all --json                 every account, for a program

Exit codes (with --all that of the first account that failed):
  0   every step went well
  64  wrong arguments, or no such account
  65  the message, its sender or its recipient was refused
  68  the name of the provider, or of the proxy, has no address
  69  the provider, or the proxy, cannot be connected to
  70  a fault of Posthouse or of this machine
  74  the output could not be written
  75  for now only: a limit, a quota, a cut or a time-out on the way
  77  the sign-in was refused, or the account may not send
  78  the configuration is wrong, or does not fit the provider

With --json each line is an object. `type` is `step` or `summary`; `account`, `outcome` and `took_ms` stand in both. A
step has `step`, `detail` (lines for people) and what was seen: `credential`, `token_life_s`, `addresses`,
`addresses_failed`, `peer`, `proxy`, `target`, `tls`, `chain`, `starttls_offered`, `mechanism`, `offered`, `replies`; one
that failed, or was worth a second try (`outcome` `again`), has `failure` with `said`, `reply`, `code` (a stable word), `cause`, `sentence` and
`cure`. The summary has `signed_in`, `delivered`, `failed_step`, `code`, `cause`, `not_tried` and `exit_code`, and a
`reason` where the account could not even be tried.";

/// Flags of `posthouse test`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The account to try; may be left out where there is only one.
    #[arg(value_name = "ACCOUNT")]
    account: Option<String>,
    /// Try every account, one after the other.
    #[arg(long, conflicts_with = "account")]
    all: bool,
    /// Send a test mail to this address; without it nothing is sent.
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    to: Option<Address>,
    /// Send it from this address [default: the account's `sender`, or its `address`].
    #[arg(long, value_name = "ADDRESS", value_parser = address, requires = "to")]
    from: Option<Address>,
    /// How long each step may take; the reply to the mail itself twice as long.
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "30s")]
    timeout: Duration,
    /// Print one JSON object a line.
    #[arg(long)]
    json: bool,
}

fn address(text: &str) -> Result<Address, String> {
    let address = Address::parse(text.as_bytes()).map_err(|error| error.to_string())?;
    if address.domain().is_none() { Err("a whole address is needed, name@domain".into()) } else { Ok(address) }
}

/// `wants_log`: the user asked for a log; otherwise only what is wrong is logged, beside what is printed.
pub(super) fn run(args: &Args, wants_log: bool, sources: &Sources) -> ExitCode {
    let Loaded { config, warnings, .. } = match config::load(sources) {
        Ok(loaded) => loaded,
        Err(report) => return cannot_use(&report, sources),
    };
    attempt::log(&config, wants_log);
    let accounts = match chosen(args, &config.accounts) {
        Ok(accounts) => accounts,
        Err(why) => return fail(EX_USAGE, why),
    };
    let common = attempt::common(&config, attempt::journal(&accounts, &warnings), args.timeout);
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => return fail(EX_SOFTWARE, format_args!("the runtime cannot be started: {error}")),
    };
    let colours = paints(&io::stdout(), sources);
    let tried = runtime.block_on(hear_out(&common.renewals, try_all(args, &accounts, &common, colours)));
    // A name lookup that hangs must not keep the process.
    runtime.shutdown_background();
    match tried.unwrap_or(Ok(INTERRUPTED)) {
        Ok(code) => ExitCode::from(code),
        Err(error) => fail(EX_IOERR, format_args!("the output cannot be written: {error}")),
    }
}

/// The accounts to try, or why it is not clear which.
fn chosen<'a>(args: &Args, accounts: &'a [Settings]) -> Result<Vec<&'a Settings>, String> {
    if args.all {
        return Ok(accounts.iter().collect());
    }
    choose::one(args.account.as_deref(), accounts, ", or say --all").map(|account| vec![account])
}

async fn try_all(args: &Args, accounts: &[&Settings], common: &Common, colours: bool) -> io::Result<u8> {
    let mut screen = if args.json {
        Screen::Json(io::stdout())
    } else {
        Screen::Text(text::Page { out: io::stdout(), colours, live: io::stdout().is_terminal() })
    };
    let mut first = 0;
    for account in accounts {
        let code = match prepare(args, account, common) {
            Ok((upstream, mail)) => try_one(&upstream, mail.as_ref(), &mut screen).await?,
            Err((code, why)) => {
                if let Screen::Json(out) = &mut screen {
                    json::not_begun(out, account, &why, code)?;
                }
                eprintln!("posthouse: {why}");
                code
            }
        };
        first = if first == 0 { code } else { first };
    }
    Ok(first)
}

/// All that is needed, or the exit code and why there is none of it.
fn prepare(args: &Args, account: &Settings, common: &Common) -> Result<(Upstream, Option<Mail>), (u8, String)> {
    let upstream = app::upstream(account.clone(), common).map_err(|error| (EX_CONFIG, error.to_string()))?;
    let mail = args.to.as_ref().map(|to| mail(args, account, to, &common.hostname)).transpose();
    Ok((upstream, mail.map_err(|why| (EX_USAGE, why))?))
}

fn mail(args: &Args, account: &Settings, to: &Address, relay: &str) -> Result<Mail, String> {
    let account_s = || [&account.address, &account.username].into_iter().flatten().find_map(|text| address(text).ok());
    let own = || account.sender.address.clone().or_else(account_s);
    let from = args.from.clone().or_else(own).ok_or_else(|| {
        format!("account {} has no address to send from; give one with --from, or set its `address`", account.name)
    })?;
    // Another sender than the account's is not called what that one is called.
    let name = account.sender.name.as_ref().filter(|_| args.from.is_none());
    let provider = format!("{}:{}", account.host, account.port);
    let sample = Sample { from: &from, name, to, relay, account: account.name.as_str(), provider: &provider };
    let octets = sample::compose(sample, MessageId::new(), &jiff::Zoned::now()).into_bytes();
    Ok(Mail { from, to: to.clone(), octets })
}

/// Where the steps are shown.
enum Screen<W> {
    Text(text::Page<W>),
    Json(W),
}

/// How one account did.
struct Summary {
    took: Duration,
    tried: Vec<Kind>,
    /// The step that ended it, and what that means.
    failed: Option<(Step, Diagnosis, u8)>,
}

/// Tries one account and returns its exit code.
async fn try_one<W: Write>(upstream: &Upstream, mail: Option<&Mail>, screen: &mut Screen<W>) -> io::Result<u8> {
    let (began, account) = (Instant::now(), &upstream.settings);
    if let Screen::Text(page) = screen {
        page.title(account)?;
    }
    let (progress, mut news) = Progress::watched();
    let mut probing = std::pin::pin!(probe(upstream, mail, progress));
    let mut summary = Summary { took: Duration::ZERO, tried: Vec::new(), failed: None };
    let mut is_over = false;
    loop {
        tokio::select! {
            biased;
            told = news.recv() => match told {
                Some(told) => {
                    summary.took = began.elapsed();
                    summary.note(account, &told);
                    screen.show(account, &told)?;
                }
                None => break,
            },
            // What it returns has been told as well.
            _ = &mut probing, if !is_over => is_over = true,
        }
    }
    match screen {
        Screen::Text(page) => page.summary(account, mail, &summary)?,
        Screen::Json(out) => json::summary(out, account, mail.is_some(), &summary)?,
    }
    if !is_over {
        // Only the goodbye is left.
        let _ = probing.await;
    }
    Ok(summary.exit_code())
}

impl<W: Write> Screen<W> {
    fn show(&mut self, account: &Settings, news: &News) -> io::Result<()> {
        match (self, news) {
            (Self::Text(page), News::Begins(kind)) => page.begins(*kind),
            (Self::Text(page), News::Ends(step)) => page.ends(account, step),
            (Self::Json(_), News::Begins(_)) => Ok(()),
            (Self::Json(out), News::Ends(step)) => json::step(out, account, step),
        }
    }
}

impl Summary {
    fn note(&mut self, account: &Settings, news: &News) {
        let News::Ends(step) = news else { return };
        self.tried.push(step.kind);
        if let End::Failed(failure) = &step.end {
            let diagnosis = diagnose(failure, account.context());
            let code = exit::code(failure, diagnosis.cause);
            self.failed = Some((step.clone(), diagnosis, code));
        }
    }

    fn exit_code(&self) -> u8 {
        self.failed.as_ref().map_or(0, |(_, _, code)| *code)
    }

    /// Whether the sign-in, if the account has one, was behind it.
    fn signed_in(&self) -> bool {
        self.failed.as_ref().is_none_or(|(step, ..)| step.kind > Kind::Auth)
    }

    /// The steps that would have followed, in their order.
    fn not_tried(&self, account: &Settings) -> Vec<Kind> {
        let way: &[Kind] = match account.encryption {
            Encryption::Implicit => &[Kind::Tls, Kind::Greeting, Kind::Hello],
            Encryption::StartTls => &[Kind::Greeting, Kind::Hello, Kind::StartTls, Kind::Tls],
            Encryption::StartTlsAuto | Encryption::None => &[Kind::Greeting, Kind::Hello],
        };
        let first = [Kind::Credential, Kind::Dns, Kind::Tcp];
        let proxy = account.proxies.smtp.as_ref().map(|_| Kind::Proxy);
        let all = first.iter().chain(&proxy).chain(way).chain(&[Kind::Auth]).chain(&Kind::OF_A_MAIL);
        all.copied().filter(|kind| !self.tried.contains(kind)).collect()
    }
}
