//! What the person, or the program, that signs an account in is told.
//!
//! Text says what to do next and what became of it; JSON has one object for each event, and its fields only become
//! more. The address to open is the only thing printed that comes from the request; no code from an answer is.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

use super::super::{attempt, exit};
use super::browser::Place;
use super::proof::Proof;
use crate::account::Settings;
use crate::account::login::Kept;
use crate::account::oauth::authorization_code::{Request, Unusable};
use crate::account::oauth::device_code::Invitation;
use crate::account::warning::Warning;
use crate::app::control::Told;
use crate::diagnosis::{Diagnosis, Failure, diagnose};

/// Where it is shown.
pub(super) struct Screen<'a> {
    account: &'a Settings,
    json: bool,
    /// Whether new tokens lie in the vault.
    is_kept: bool,
}

/// What a browser is sent for, and from where.
pub(super) struct Asked<'a> {
    pub(super) request: &'a Request,
    /// The name to sign in with.
    pub(super) login: &'a str,
    /// Where the listener is, if there is one.
    pub(super) port: Option<u16>,
    /// Whether a browser was opened.
    pub(super) opened: bool,
    pub(super) place: Place,
}

impl<'a> Screen<'a> {
    pub(super) fn new(json: bool, account: &'a Settings) -> Self {
        Self { account, json, is_kept: false }
    }

    /// Asks to open an address.
    pub(super) fn open(&mut self, asked: &Asked<'_>) -> io::Result<()> {
        if self.json {
            return self.event(
                "open",
                json!({
                    "address": asked.request.address(),
                    "redirect": asked.request.redirect(),
                    "listening": asked.port.is_some(),
                }),
            );
        }
        let name = &self.account.name;
        let verb = if asked.opened { "A browser opens with this address" } else { "Open this address in a browser" };
        let text = format!(
            "Account {name}: sign in as {}.\n\n{verb}:\n\n  {}\n\n{}\n",
            asked.login,
            asked.request.address(),
            way_back(asked)
        );
        say(&text)
    }

    /// Asks to enter a code.
    pub(super) fn code(&mut self, invitation: &Invitation, login: &str, opened: bool) -> io::Result<()> {
        let Invitation { user_code, address, complete, life, .. } = invitation;
        if self.json {
            return self.event(
                "code",
                json!({
                    "user_code": user_code,
                    "verification_uri": address,
                    "verification_uri_complete": complete,
                    "expires_in_s": life.as_secs(),
                }),
            );
        }
        let verb = if opened { "A browser opens with this address" } else { "Open this address in any browser" };
        let complete =
            complete.as_ref().map(|page| format!("\n\nwhere this one has the code in it already:\n\n  {page}"));
        say(&format!(
            "Account {}: sign in as {login}.\n\n{verb}:\n\n  {address}\n\nand enter this code within {} minutes:\n\n  \
             {user_code}{}\n\nEnter it only if you have begun this sign-in yourself. Waiting…\n",
            self.account.name,
            life.as_secs().div_ceil(60),
            complete.unwrap_or_default()
        ))
    }

    /// What was pasted is not it.
    pub(super) fn unusable(&mut self, why: Unusable) -> io::Result<()> {
        if self.json {
            return self.event("unusable", json!({ "reason": why.to_string() }));
        }
        say(&format!("Not taken: {why}.\n"))
    }

    /// The new sign-in is durable.
    pub(super) fn kept(&mut self, kept: &Kept) -> io::Result<()> {
        self.is_kept = true;
        if self.json {
            return self.event(
                "signed_in",
                json!({
                    "scope": kept.facts.scope,
                    "not_granted": kept.not_granted,
                    "renewable": kept.is_renewable,
                    "access_ends": kept.facts.access_ends.map(|end| end.to_string()),
                    "refresh_ends": kept.facts.refresh_ends.map(|end| end.to_string()),
                    "warnings": kept.warnings,
                }),
            );
        }
        let mut lines = vec![format!("The sign-in of account {} is kept.\n", self.account.name)];
        if !kept.not_granted.is_empty() {
            lines.push(format!(
                "WARNING: the provider did not grant `{}`. If the proof below fails, allow it where the application is \
                 registered, or agree to it at the sign-in, and sign in anew.\n",
                kept.not_granted.join(" ")
            ));
        }
        let warning = |warning: &Warning| format!("WARNING: {}\n  What to do: {}\n", warning.sentence, warning.cure);
        lines.extend(kept.warnings.iter().map(warning));
        say(&lines.concat())
    }

    /// Whether the running relay knows of it.
    pub(super) fn told(&mut self, told: &Told) -> io::Result<()> {
        if self.json {
            let reason = match told {
                Told::Running | Told::NotRunning => None,
                Told::NotHeard(reason) => Some(reason),
            };
            return self.event("relay", json!({ "told": told.code(), "reason": reason }));
        }
        match told {
            Told::Running => say("The running relay uses it from now on.\n"),
            // It will find it when it starts.
            Told::NotRunning => Ok(()),
            Told::NotHeard(reason) => say(&format!("WARNING: the running relay has not been told: {reason}.\n")),
        }
    }

    /// It has come to nothing.
    pub(super) fn ended(&mut self, why: Result<&Failure, String>, code: u8) -> io::Result<u8> {
        match why {
            Err(why) => self.cannot(&why, code),
            Ok(failure) if self.json => self.summary(Some(failure), None, code),
            Ok(failure) => {
                let name = &self.account.name;
                let text = format!("Account {name} was not signed in; what was kept before is as it was.\n");
                say(&(text + &self.explained(failure)))?;
                Ok(code)
            }
        }
    }

    /// It cannot even be asked.
    pub(super) fn cannot(&mut self, why: &str, code: u8) -> io::Result<u8> {
        eprintln!("posthouse: {why}");
        if self.json {
            return self.summary(None, Some(why), code);
        }
        Ok(code)
    }

    /// The end, with the proof if there was one.
    pub(super) fn done(&mut self, proof: Option<Proof>) -> io::Result<u8> {
        let account = self.account;
        let failure = proof.as_ref().and_then(|proof| proof.as_ref().err());
        let code = failure.map_or(0, |failure| exit::code(failure, diagnose(failure, account.context()).cause));
        if self.json {
            if let Some(proof) = &proof {
                self.event(
                    "proof",
                    json!({
                        "outcome": if proof.is_ok() { "ok" } else { "failed" },
                        "mechanism": proof.as_ref().ok(),
                        "failure": failure.map(|failure| attempt::failure(failure, account)),
                    }),
                )?;
            }
            return self.summary(failure, None, code);
        }
        let login = account.login_name().unwrap_or_default();
        say(&match proof {
            None => format!("Not tried at the mail server: `posthouse test {}` does.\n", account.name),
            Some(Ok(mechanism)) => format!("Signed in at {} as {login} by {mechanism}.\n", account.host),
            Some(Err(failure)) => format!(
                "The new sign-in is kept, but signing in with it at {} failed.\n{}`posthouse test {}` shows every step.\n",
                account.host,
                self.explained(&failure),
                account.name
            ),
        })?;
        Ok(code)
    }

    fn explained(&self, failure: &Failure) -> String {
        let Diagnosis { sentence, cure, cause, .. } = diagnose(failure, self.account.context());
        format!("  What it means: {sentence}\n  What to do:    {cure}\n  Cause:         {cause}\n")
    }

    fn summary(&mut self, failure: Option<&Failure>, reason: Option<&str>, code: u8) -> io::Result<u8> {
        let mut object = json!({
            "outcome": if code == 0 { "ok" } else { "failed" },
            "kept": self.is_kept,
            "exit_code": code,
        });
        if let Some(failure) = failure {
            object["failure"] = attempt::failure(failure, self.account);
        }
        if let Some(reason) = reason {
            object["reason"] = reason.into();
        }
        self.event("summary", object)?;
        Ok(code)
    }

    fn event(&self, kind: &str, fields: Value) -> io::Result<()> {
        let mut object = Map::new();
        object.insert("type".into(), kind.into());
        object.insert("account".into(), self.account.name.as_str().into());
        if let Value::Object(fields) = fields {
            object.extend(fields);
        }
        say(&format!("{}\n", Value::Object(object)))
    }
}

/// How the answer comes back from where the person sits.
fn way_back(Asked { request, port, place, .. }: &Asked<'_>) -> String {
    let redirect = request.redirect();
    let paste = "paste the address the browser ends up at here, whole, and press Enter";
    let Some(port) = port else {
        return format!(
            "The browser ends up at {redirect}…, which may show an error; that does not matter.\nThen {paste}."
        );
    };
    let host = if redirect.starts_with("http://[::1]") { "[::1]" } else { "127.0.0.1" };
    match place {
        Place::Ssh => format!(
            "The browser has to reach port {port} of this machine. On your own machine run\n\n  \
             ssh -L {port}:{host}:{port} USER@THIS-MACHINE\n\nbefore you open the address; or open it anyway, and {paste}.\nWaiting…"
        ),
        Place::Desktop => {
            format!("Waiting for it to come back to {redirect}… If it cannot, {paste}.")
        }
        Place::Container | Place::Console => format!(
            "A browser on this machine comes back by itself. One on another machine ends in an error; then {paste}.\nWaiting…"
        ),
    }
}

fn say(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}
