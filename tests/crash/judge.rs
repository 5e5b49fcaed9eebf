//! Compares what devices were told with what the provider took: what is lost, and what came twice without need.
//!
//! A repeat is in order only where SMTP cannot know: the relay was killed between the provider's final reply and the
//! record of it. On one connection the next mail goes out only after the last one was settled, so of the arrivals on
//! one connection only the last can be such a case, and only if the relay's log does not call it delivered. Which
//! process brought an arrival is known by its connection, not by the time: what a dead one wrote is read later.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;

use crate::ledger::{Answer, Mail, To};
use crate::provider::{About, Arrival};

/// What came out.
#[derive(Debug, Default)]
pub struct Verdict {
    pub accepted: usize,
    pub refused: usize,
    pub unanswered: usize,
    pub arrivals: usize,
    pub notices: usize,
    /// Acknowledged, and for one recipient or more nothing is there to show.
    pub lost: Vec<String>,
    /// How many arrived twice because of a kill at that moment.
    pub repeats_in_order: usize,
    /// Everything else that must not be.
    pub wrong: Vec<String>,
}

/// What the judge looks at.
pub struct Evidence<'a> {
    pub mails: &'a BTreeMap<u64, (Mail, Answer)>,
    pub arrivals: &'a [Arrival],
    /// In order.
    pub kills: &'a [Kill],
    /// When the relay's log called a message of this id delivered.
    pub delivered: &'a HashMap<String, Vec<Timestamp>>,
    /// How many connections the account may have.
    pub connections: usize,
}

/// The end of one process.
#[derive(Debug, Clone, Copy)]
pub struct Kill {
    pub at: Timestamp,
    /// Connections the provider had taken until then: those that brought anything were made while the process lived.
    pub connections: u64,
}

pub fn judge(evidence: &Evidence) -> Verdict {
    let mut verdict = Verdict { arrivals: evidence.arrivals.len(), ..Verdict::default() };
    let mut arrived: BTreeMap<(u64, &str), Vec<&Arrival>> = BTreeMap::new();
    let mut notices: BTreeMap<u64, Vec<&Arrival>> = BTreeMap::new();
    for arrival in evidence.arrivals {
        match arrival.about {
            About::Mail { number, intact } => {
                for to in &arrival.recipients {
                    arrived.entry((number, to)).or_default().push(arrival);
                }
                if !intact {
                    verdict.wrong.push(format!("mail {number} arrived damaged"));
                }
            }
            About::Notice { of } => notices.entry(of).or_default().push(arrival),
            About::Strange => verdict.wrong.push(format!("nobody sent this: {arrival:?}")),
        }
    }
    verdict.notices = notices.values().map(Vec::len).sum();
    for (mail, answer) in evidence.mails.values() {
        verdict.of_mail(mail, answer, &arrived, notices.get(&mail.number).map_or(&[], Vec::as_slice));
    }
    let all = arrived.iter().map(|((number, to), arrivals)| (format!("mail {number} to {to}"), arrivals));
    let all = all.chain(notices.iter().map(|(of, arrivals)| (format!("the notice on mail {of}"), arrivals)));
    let mut repeated: BTreeMap<(usize, &str), u64> = BTreeMap::new();
    for (what, arrivals) in all {
        for pair in arrivals.windows(2) {
            match evidence.excuse(pair[0], pair[1]) {
                Ok(kill) => drop(repeated.insert((kill, &pair[0].relay_id), pair[0].connection)),
                Err(why) => {
                    verdict.wrong.push(format!("{what} arrived again: {why}\n  {:?}\n  {:?}", pair[0], pair[1]));
                }
            }
        }
    }
    verdict.repeats_in_order = repeated.len();
    let mut by_kill: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
    for ((kill, _), connection) in repeated {
        by_kill.entry(kill).or_default().push(connection);
    }
    for (kill, connections) in by_kill {
        let different: BTreeSet<_> = connections.iter().collect();
        if different.len() < connections.len() || connections.len() > evidence.connections {
            verdict.wrong.push(format!("kill {kill} made too many repeats, on connections {connections:?}"));
        }
    }
    verdict
}

impl Verdict {
    fn of_mail(
        &mut self,
        mail: &Mail,
        answer: &Answer,
        arrived: &BTreeMap<(u64, &str), Vec<&Arrival>>,
        notices: &[&Arrival],
    ) {
        let number = mail.number;
        let has = |to: &To| arrived.contains_key(&(number, to.address(number).as_str()));
        match answer {
            Answer::None => self.unanswered += 1,
            Answer::Refused(reply) => {
                self.refused += 1;
                // The two answers that say themselves that it may have arrived.
                let says_so = reply.starts_with("451 4.4.2") || reply.starts_with("451 4.3.0");
                if !says_so && mail.recipients.iter().any(has) {
                    self.wrong.push(format!("mail {number} arrived although its device heard {reply}"));
                }
            }
            Answer::Accepted(reply) => {
                self.accepted += 1;
                for to in &mail.recipients {
                    let shown = if *to == To::Refused { !notices.is_empty() } else { has(to) };
                    if !shown {
                        self.lost.push(format!("mail {number} to {}: {reply}", to.address(number)));
                    }
                }
            }
        }
        let names: BTreeSet<&str> = notices.iter().map(|notice| notice.relay_id.as_str()).collect();
        if names.len() > 1 {
            self.wrong.push(format!("mail {number} has {} notices: {names:?}", names.len()));
        }
        if !names.is_empty() && !mail.recipients.contains(&To::Refused) {
            self.wrong.push(format!("mail {number} has a notice and no recipient who was refused"));
        }
    }
}

impl Evidence<'_> {
    /// Which kill explains that this was sent again, or why none does.
    fn excuse(&self, first: &Arrival, again: &Arrival) -> Result<usize, String> {
        let kill = self.kills.iter().position(|kill| first.connection <= kill.connections);
        let kill = kill.filter(|&kill| self.kills[kill].connections < again.connection);
        let kill = kill.ok_or("nothing was killed between the two")?;
        let last = self.arrivals.iter().rev().find(|arrival| arrival.connection == first.connection);
        if last.is_some_and(|last| !std::ptr::eq(last, first) && last.relay_id != first.relay_id) {
            return Err("its connection carried another mail after it, so it was settled".into());
        }
        let recorded = self.delivered.get(&first.relay_id).into_iter().flatten();
        if recorded.into_iter().any(|at| *at <= self.kills[kill].at && *at >= first.at) {
            return Err("the relay's log called it delivered before the kill".into());
        }
        Ok(kill)
    }
}
