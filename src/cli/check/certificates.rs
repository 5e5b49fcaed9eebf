//! `posthouse check --certificates`: with what each account signs its mail, and what is wrong with that.
//!
//! Shows the whole chain of every identity as it would be sent, and for whom it signs. Says what recipients will not
//! believe, when nobody signs for the account's own sender, and when the service's user may not read the key, as far as
//! modes tell. Shows nothing of a key, and sends nothing.

use std::fmt::Write;

use jiff::Timestamp;
use serde_json::json;

use super::question::Answer;
use crate::account::Settings;
use crate::account::smime::IdentityFile;
use crate::config::Config;
use crate::disk::{self, Owner};
use crate::mail::address::Address;
use crate::mail::pattern;
use crate::mail::smime::chain::Link;
use crate::mail::smime::choose::unfit;
use crate::mail::smime::identity::Identity;

/// What was found out about one account.
struct Finding<'a> {
    account: &'a Settings,
    identities: Vec<Signer<'a>>,
    /// What keeps mail from the account's own sender from being signed.
    faults: Vec<String>,
}

/// What was found out about one identity.
struct Signer<'a> {
    file: &'a IdentityFile,
    /// Nothing where it cannot be read, which is a fault.
    identity: Option<Identity>,
    /// What has to be mended.
    faults: Vec<String>,
    /// What is worth knowing.
    remarks: Vec<String>,
}

/// Looks at every account that signs.
pub(super) fn answer(config: &Config, now: Timestamp) -> Answer {
    let service = Owner::of(&config.storage.directory);
    let may_read = |file: &IdentityFile| {
        let user = disk::user_of(&config.storage.directory).filter(|user| disk::our_user().as_ref() != Some(user))?;
        (disk::readable_by(service, file.key_file()) == Some(false)).then_some(user)
    };
    let findings: Vec<Finding<'_>> =
        config.accounts.iter().filter_map(|account| judge(account, now, &may_read)).collect();
    let good = findings.iter().all(Finding::is_good);
    let mut text: String = findings.iter().map(Finding::text).collect();
    text += match (findings.is_empty(), good) {
        (true, _) => "No account signs its mail; [accounts.NAME.smime] in the example file says how.\n",
        (false, true) => "Good: every identity can sign.\n",
        (false, false) => "NOT GOOD: see above.\n",
    };
    let accounts: Vec<_> = findings.iter().map(Finding::json).collect();
    Answer { good, text, json: json!({ "good": good, "accounts": accounts }) }
}

/// Nothing for an account that does not sign. `barred` names the user of the service where that may not read the key.
fn judge<'a>(
    account: &'a Settings,
    now: Timestamp,
    barred: &dyn Fn(&IdentityFile) -> Option<String>,
) -> Option<Finding<'a>> {
    let smime = account.smime.as_ref()?;
    let identities: Vec<Signer<'_>> =
        smime.identities.iter().map(|file| Signer::look(file, now, barred(file))).collect();
    let mailbox = account.address.as_deref().and_then(|address| Address::parse(address.as_bytes()).ok());
    let sender = account.sender.address.clone().or(mailbox);
    let unsigned = sender.filter(|sender| !identities.iter().any(|one| one.signs_for(sender)));
    let faults = unsigned.map(|sender| format!("no identity is for {sender}, the sender of this account")).into_iter();
    Some(Finding { account, identities, faults: faults.collect() })
}

impl<'a> Signer<'a> {
    fn look(file: &'a IdentityFile, now: Timestamp, barred: Option<String>) -> Self {
        let mut faults: Vec<String> = barred
            .map(|user| {
                let path = file.key_file().display();
                format!("user {user}, to whom storage.directory belongs, may not read {path}; `chown {user} {path}`")
            })
            .into_iter()
            .collect();
        match file.read() {
            Ok(identity) => {
                faults.extend(unfit(identity.facts(), now).map(|unfit| format!("its certificate {unfit}")));
                let remarks = remarks(&identity);
                Self { file, identity: Some(identity), faults, remarks }
            }
            Err(error) => {
                faults.push(error.to_string());
                Self { file, identity: None, faults, remarks: Vec::new() }
            }
        }
    }

    fn signs_for(&self, sender: &Address) -> bool {
        self.identity.as_ref().is_some_and(|identity| identity.facts().names(sender))
            || pattern::any_matches(&self.file.senders, sender.as_str())
    }

    fn signs(&self) -> String {
        let named = self.identity.iter().flat_map(|identity| &identity.facts().addresses).map(ToString::to_string);
        let written = self.file.senders.iter().map(ToString::to_string);
        let all: Vec<String> = named.chain(written).collect();
        if all.is_empty() {
            "nobody: the certificate names no address, and there are no `senders`".into()
        } else {
            all.join(", ")
        }
    }

    fn text(&self) -> String {
        let mut text = format!("  identity {}\n", self.file.identity.display());
        if let Some(identity) = &self.identity {
            let _ = writeln!(text, "    key:         {}", identity.kind());
            let _ = writeln!(text, "    signs for:   {}", self.signs());
            for (index, link) in identity.chain().enumerate() {
                text += &certificate(index, link);
            }
        }
        for remark in &self.remarks {
            let _ = writeln!(text, "    remark:      {remark}");
        }
        for fault in &self.faults {
            let _ = writeln!(text, "    FAULT:       {fault}");
        }
        text
    }

    fn json(&self) -> serde_json::Value {
        let chain = self.identity.iter().flat_map(Identity::chain).map(|link| {
            json!({
                "subject": link.facts.subject,
                "issuer": link.facts.issuer,
                "not_before": link.facts.not_before.to_string(),
                "not_after": link.facts.not_after.to_string(),
                "fingerprint": link.facts.fingerprint,
                "purpose": link.facts.purpose.to_string(),
                "addresses": link.facts.addresses.iter().map(Address::as_str).collect::<Vec<_>>(),
            })
        });
        json!({
            "identity": self.file.identity.display().to_string(),
            "key": self.identity.as_ref().map(Identity::kind),
            "senders": self.file.senders.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "chain": chain.collect::<Vec<_>>(),
            "remarks": self.remarks,
            "faults": self.faults,
        })
    }
}

/// What is odd about the file, and what recipients will make of it.
fn remarks(identity: &Identity) -> Vec<String> {
    let mut remarks: Vec<String> = identity.remarks().iter().map(ToString::to_string).collect();
    if identity.chain().next().is_some_and(|own| own.is_self_issued) {
        remarks
            .push("nobody else signed this certificate; only recipients who trust it by itself will believe it".into());
    }
    remarks
}

fn certificate(index: usize, link: &Link) -> String {
    let (facts, mut text) = (&link.facts, String::new());
    let day = |moment: Timestamp| moment.strftime("%Y-%m-%d").to_string();
    let whose = if facts.subject.is_empty() { "without a name" } else { &facts.subject };
    let sent = if index > 0 && link.is_self_issued { " (a root, which is not sent)" } else { "" };
    let _ = writeln!(text, "    {}. {whose}{sent}", index + 1);
    let _ = writeln!(text, "       issued by   {}", if link.is_self_issued { "itself" } else { &facts.issuer });
    let _ = writeln!(text, "       valid       {} to {}", day(facts.not_before), day(facts.not_after));
    let _ = writeln!(text, "       purpose     {}", facts.purpose);
    if !facts.addresses.is_empty() {
        let addresses: Vec<&str> = facts.addresses.iter().map(Address::as_str).collect();
        let _ = writeln!(text, "       addresses   {}", addresses.join(", "));
    }
    let _ = writeln!(text, "       SHA-256     {}", facts.fingerprint);
    text
}

impl Finding<'_> {
    fn is_good(&self) -> bool {
        self.faults.is_empty() && self.identities.iter().all(|one| one.faults.is_empty())
    }

    fn text(&self) -> String {
        let mut text = format!("Account {}\n", self.account.name);
        text.extend(self.identities.iter().map(Signer::text));
        for fault in &self.faults {
            let _ = writeln!(text, "  FAULT: {fault}");
        }
        text
    }

    fn json(&self) -> serde_json::Value {
        json!({
            "account": self.account.name.as_str(),
            "identities": self.identities.iter().map(Signer::json).collect::<Vec<_>>(),
            "faults": self.faults,
        })
    }
}

#[cfg(test)]
mod tests;
