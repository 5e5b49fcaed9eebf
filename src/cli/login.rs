//! `posthouse login`: a person signs an account in, and a sign-in at the mail server proves it.
//!
//! Works on a desktop, over ssh, in a container and without a terminal: the browser comes back to a listener, or what
//! it came back with is pasted, whichever happens first. Given up at any moment, it leaves the sign-in there was as it
//! was. A proof that fails keeps the new one and says so. Codes are never printed or logged, results go to standard
//! output.

mod browser;
mod pasted;
mod proof;
mod screen;

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use super::attempt::{self, seconds};
use super::hear_out::{INTERRUPTED, hear_out};
use super::sysexits::{EX_CONFIG, EX_IOERR, EX_SOFTWARE, EX_TEMPFAIL, EX_UNAVAILABLE, EX_USAGE};
use super::{cannot_use, choose, exit, fail, runtime};
use crate::account::Settings;
use crate::account::login::{Kept, Login, LoginError, Way};
use crate::account::oauth::Redirect;
use crate::account::oauth::authorization_code::{Redirected, Request};
use crate::account::oauth::redirect::{self, Browser, Listener, Page};
use crate::app::{self, Common};
use crate::config::{self, Config, Loaded, Sources};
use crate::diagnosis::{Failure, diagnose};
use browser::Place;
use pasted::Pasted;
use screen::{Asked, Screen};

pub(super) const AFTER_HELP: &str = "Examples:
  posthouse login                     sign the only account in
  posthouse login office --paste      open no port; the address the browser ends up at is pasted
  ssh -L 8400:127.0.0.1:8400 HOST     from a desktop, with `oauth.redirect_uri = \"http://localhost:8400\"`:
                                      the browser there reaches the listener here

A running relay takes the sign-in up at once. Ctrl-C leaves the sign-in there was as it was.

Exit codes:
  0   signed in, and the mail server takes it
  64  wrong arguments, no such account, or one that nobody has to sign in
  68  the name of the provider, or of the proxy, has no address
  69  the provider, or the proxy, cannot be connected to; or the port of the listener is in use
  70  a fault of Posthouse or of this machine
  74  the output could not be written
  75  nobody came to sign in, or something failed that may work later
  77  the sign-in was refused
  78  the configuration is wrong, or does not fit the provider

With --json each line is an object. `type` is `open` (`address` to open, `redirect` where the browser ends up,
`listening`), `code` (`user_code`, `verification_uri`, `verification_uri_complete`, `expires_in_s`), `unusable` (what
was pasted, with `reason`), `signed_in` (`scope`, `not_granted`, `renewable`, `access_ends`, `refresh_ends`,
`warnings`), `relay` (`told`: `running`, `not_running` or `not_heard` with `reason`), `proof` (`outcome`, `mechanism`, `failure`) or, last, `summary` (`outcome`, `kept`, `proven`, `exit_code`,
and `failure` or `reason`).";

/// How long a person may take, unless the provider gives them less.
const PATIENCE: Duration = Duration::from_mins(10);
/// How long each step of the proof may take.
const STEP: Duration = Duration::from_secs(30);

/// Flags of `posthouse login`.
#[derive(Debug, clap::Args)]
#[allow(clippy::struct_excessive_bools, reason = "flags are bools")]
pub(super) struct Args {
    /// The account to sign in; may be left out where there is only one.
    #[arg(value_name = "ACCOUNT")]
    account: Option<String>,
    /// Open no browser, only print the address.
    #[arg(long)]
    no_browser: bool,
    /// Listen on no port: the address the browser ends up at is pasted.
    #[arg(long)]
    paste: bool,
    /// How long to wait for the person [default: 600s; for a code, as long as it is good].
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    timeout: Option<Duration>,
    /// Do not sign in at the mail server afterwards.
    #[arg(long)]
    no_test: bool,
    /// Print one JSON object a line.
    #[arg(long)]
    json: bool,
}

/// Why there is no new sign-in.
#[derive(Debug)]
enum Ended {
    /// With its own words, or a diagnosis.
    Error(LoginError),
    /// Nobody came.
    TimedOut(Duration),
    /// The input ended, and nobody listens.
    NothingPasted,
}

impl<E: Into<LoginError>> From<E> for Ended {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

impl Ended {
    /// The exit code, and a text where there is no diagnosis.
    fn told(&self, account: &Settings) -> (u8, Result<&Failure, String>) {
        match self {
            Self::Error(LoginError::Failed(failure)) => {
                (exit::code(failure, diagnose(failure, account.context()).cause), Ok(failure))
            }
            Self::Error(LoginError::CannotAsk(error)) => (EX_CONFIG, Err(error.to_string())),
            Self::Error(LoginError::CannotListen(error)) => (EX_UNAVAILABLE, Err(error.to_string())),
            Self::TimedOut(patience) => {
                let seconds = patience.as_secs();
                let text = format!(
                    "nobody has signed in within {seconds} s; run it again, with a longer --timeout if need be"
                );
                (EX_TEMPFAIL, Err(text))
            }
            Self::NothingPasted => {
                let text = "the input ended before the address the browser ended up at was pasted; run it again in a terminal, or write that address to its standard input";
                (EX_TEMPFAIL, Err(text.to_owned()))
            }
        }
    }
}

/// `wants_log`: the user asked for a log; otherwise only what is wrong is logged, beside what is printed.
pub(super) fn run(args: &Args, wants_log: bool, sources: &Sources) -> ExitCode {
    let Loaded { config, warnings, .. } = match config::load(sources) {
        Ok(loaded) => loaded,
        Err(report) => return cannot_use(&report, sources),
    };
    attempt::log(&config, wants_log);
    let account = match choose::one(args.account.as_deref(), &config.accounts, "") {
        Ok(account) => account,
        Err(why) => return fail(EX_USAGE, why),
    };
    let common = attempt::common(&config, attempt::journal(&[account], &warnings), STEP);
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => return fail(EX_SOFTWARE, format_args!("the runtime cannot be started: {error}")),
    };
    let place = browser::place(&sources.environment, browser::is_container(), std::env::consts::OS);
    let visit = Visit { args, account, config: &config, common: &common, place };
    // Where a token lives for seconds, the proof renews it.
    let ended = runtime.block_on(hear_out(&common.renewals, visit.sign_in()));
    // A terminal that is being read must not keep the process.
    runtime.shutdown_background();
    match ended.unwrap_or(Ok(INTERRUPTED)) {
        Ok(code) => ExitCode::from(code),
        Err(error) => fail(EX_IOERR, format_args!("the output cannot be written: {error}")),
    }
}

/// One run of the command.
struct Visit<'a> {
    args: &'a Args,
    account: &'a Settings,
    config: &'a Config,
    common: &'a Common,
    place: Place,
}

impl Visit<'_> {
    async fn sign_in(self) -> io::Result<u8> {
        let mut screen = Screen::new(self.args.json, self.account);
        let tools = match app::tools(self.account, self.common) {
            Ok(tools) => tools,
            Err(error) => return screen.cannot(&error.to_string(), EX_CONFIG),
        };
        let login = match Login::new(self.account, tools) {
            Ok(login) => login,
            Err(error) => return screen.cannot(&error.to_string(), EX_USAGE),
        };
        let kept = match login.way() {
            Way::Browser { redirect, parameters } => self.by_browser(&login, redirect, parameters, &mut screen).await?,
            Way::Device => self.by_code(&login, &mut screen).await?,
        };
        match kept {
            Ok(kept) => {
                screen.kept(&kept)?;
                screen.told(&app::control::tell_signed_in(&self.config.storage, &self.account.name).await)?;
            }
            Err(ended) => {
                let (code, why) = ended.told(self.account);
                return screen.ended(why, code);
            }
        }
        if self.args.no_test {
            return screen.done(None);
        }
        let upstream = match app::upstream(self.account.clone(), self.common) {
            Ok(upstream) => upstream,
            Err(error) => return screen.cannot(&error.to_string(), EX_CONFIG),
        };
        let proof = proof::prove(&upstream).await;
        screen.done(Some(proof))
    }

    async fn by_browser(
        &self,
        login: &Login,
        redirect: &Redirect,
        parameters: &[(String, String)],
        screen: &mut Screen<'_>,
    ) -> io::Result<Result<Kept, Ended>> {
        let bound = if self.args.paste { Ok(None) } else { Login::listener(redirect) };
        let listener = match bound {
            Ok(listener) => listener,
            Err(error) => return Ok(Err(error.into())),
        };
        let address =
            listener.as_ref().map_or_else(|| redirect::unheard(redirect), |heard| heard.redirect().to_owned());
        let request = match login.request(address, parameters).await {
            Ok(request) => request,
            Err(error) => return Ok(Err(error.into())),
        };
        let port = listener.as_ref().map(Listener::port);
        let opened = self.opens() && browser::open(request.address()).await;
        screen.open(&Asked { request: &request, login: login.username(), port, opened, place: self.place })?;
        let (answer, browser) = match self.answer(&request, listener.as_ref(), screen).await? {
            Ok(answered) => answered,
            Err(ended) => return Ok(Err(ended)),
        };
        let ended = match answer {
            Redirected::Code(code) => login.redeem(&request, &code).await,
            Redirected::Refused(failure) => Err(Failure::Token(failure).into()),
        };
        if let Some(browser) = browser {
            browser.show(self.page(ended.as_ref())).await;
        }
        Ok(ended.map_err(Ended::from))
    }

    /// Whichever comes first: the browser, a pasted address, the end of patience.
    async fn answer(
        &self,
        request: &Request,
        listener: Option<&Listener>,
        screen: &mut Screen<'_>,
    ) -> io::Result<Result<(Redirected, Option<Browser>), Ended>> {
        let patience = self.args.timeout.unwrap_or(PATIENCE);
        let mut late = std::pin::pin!(tokio::time::sleep(patience));
        let mut pasted = Pasted::from(tokio::io::stdin());
        let mut is_pasting = true;
        let mut coming = std::pin::pin!(async {
            match listener {
                Some(listener) => listener.answer(request).await,
                None => std::future::pending().await,
            }
        });
        loop {
            tokio::select! {
                arrival = &mut coming => return Ok(Ok((arrival.answer, Some(arrival.browser)))),
                text = pasted.next(), if is_pasting => match text.map(|text| request.hear_pasted(&text)) {
                    Some(Ok(answer)) => return Ok(Ok((answer, None))),
                    Some(Err(why)) => screen.unusable(why)?,
                    None if listener.is_none() => return Ok(Err(Ended::NothingPasted)),
                    None => is_pasting = false,
                },
                () = &mut late => return Ok(Err(Ended::TimedOut(patience))),
            }
        }
    }

    async fn by_code(&self, login: &Login, screen: &mut Screen<'_>) -> io::Result<Result<Kept, Ended>> {
        let invitation = match login.invite().await {
            Ok(invitation) => invitation,
            Err(error) => return Ok(Err(error.into())),
        };
        let page = invitation.complete.as_ref().unwrap_or(&invitation.address);
        let opened = self.opens() && browser::open(page).await;
        screen.code(&invitation, login.username(), opened)?;
        // The provider ends it by itself; a shorter time is the caller's wish.
        let patience = self.args.timeout.unwrap_or(Duration::MAX);
        Ok(match tokio::time::timeout(patience, login.accepted(&invitation)).await {
            Ok(ended) => ended.map_err(Ended::from),
            Err(_) => Err(Ended::TimedOut(patience)),
        })
    }

    fn opens(&self) -> bool {
        self.place == Place::Desktop && !self.args.no_browser && !self.args.json
    }

    fn page(&self, ended: Result<&Kept, &LoginError>) -> Page {
        match ended {
            Ok(_) => Page::done(format!("Account {} is signed in", self.account.name)),
            Err(LoginError::Failed(failure)) => {
                let diagnosis = diagnose(failure, self.account.context());
                Page::failed(format!("{} {}", diagnosis.sentence, diagnosis.cure))
            }
            Err(error) => Page::failed(error.to_string()),
        }
    }
}
