//! What the provider took, in the order in which it took it.
//!
//! The practice provider lives in this process and outlives every relay. Each arrival is compared with what was sent
//! and then forgotten but for a line, so that a long run needs no memory for its mail.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use posthouse::sandbox::fault::{Fault, Stage, Times};
use posthouse::sandbox::{Delivery, Sandbox, Settings};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::judge::Kill;
use crate::ledger::{Ledger, REFUSED};

/// Something the provider took, and said so, or would have.
#[derive(Debug, Clone)]
pub struct Arrival {
    pub about: About,
    /// The name the relay gave it; the same for every attempt.
    pub relay_id: String,
    pub recipients: Vec<String>,
    /// Which connection of the relay brought it.
    pub connection: u64,
    /// When its end was read; the final reply follows at once.
    pub at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// A device's mail, octet for octet or not.
    Mail { number: u64, intact: bool },
    /// The relay's report on one.
    Notice { of: u64 },
    /// Nothing that was ever sent.
    Strange,
}

/// The provider's log.
pub struct Provider {
    pub sandbox: Arc<Sandbox>,
    arrivals: Arc<Mutex<Vec<Arrival>>>,
    count: watch::Receiver<usize>,
}

impl Provider {
    /// Takes everything but what is addressed to be refused, and writes down what it takes until `over`.
    pub async fn start(ledger: Arc<Ledger>, over: CancellationToken) -> Self {
        let sandbox = Arc::new(Sandbox::start(Settings::new().unwrap()).await.unwrap());
        let refused = Stage::RcptTo(format!("{REFUSED}*").as_str().into());
        sandbox.faults().plan(refused, Fault::reply(550, "5.1.1 No such user"), Times::Always);
        let arrivals = Arc::default();
        let (counted, count) = watch::channel(0);
        let provider = Self { sandbox: Arc::clone(&sandbox), arrivals: Arc::clone(&arrivals), count };
        tokio::spawn(async move {
            over.run_until_cancelled(write_down(&sandbox, &ledger, &arrivals, counted)).await;
        });
        provider
    }

    /// A relay has just died.
    pub fn kill(&self) -> Kill {
        Kill { at: Timestamp::now(), connections: self.sandbox.counters().connections }
    }

    /// Everything that was taken until now.
    pub async fn arrivals(&self) -> Vec<Arrival> {
        let taken = self.sandbox.mailbox().count();
        let written = self.count.clone().wait_for(|count| *count as u64 >= taken).await.map(|count| *count);
        written.expect("it is written down until the provider ends");
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn write_down(sandbox: &Sandbox, ledger: &Ledger, arrivals: &Mutex<Vec<Arrival>>, counted: watch::Sender<usize>) {
    let mut taken = sandbox.mailbox().watch();
    let mut last = 0;
    while taken.changed().await.is_ok() {
        let seen = last;
        for delivery in sandbox.mailbox().deliveries().iter().filter(|delivery| delivery.id > seen) {
            assert_eq!(delivery.id, last + 1, "the mailbox overflowed before it was read");
            last = delivery.id;
            let arrival = arrival(delivery, ledger);
            let mut arrivals = arrivals.lock().unwrap_or_else(PoisonError::into_inner);
            arrivals.push(arrival);
            counted.send_replace(arrivals.len());
        }
        // In batches: each look copies the whole list.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn arrival(delivery: &Delivery, ledger: &Ledger) -> Arrival {
    let recipients: Vec<String> = delivery.addresses().into_iter().map(str::to_owned).collect();
    let about = match delivery.reverse_path.as_str() {
        "" => recipients.first().and_then(|to| number(to)).map_or(About::Strange, |of| About::Notice { of }),
        sender => number(sender).and_then(|number| ledger.mail(number)).map_or(About::Strange, |mail| About::Mail {
            number: mail.number,
            intact: delivery.bytes.ends_with(mail.text().as_bytes()),
        }),
    };
    let text = delivery.text();
    // A mail has it in `Received`, a notice, which was received from nobody, in its Message-ID.
    let (before, behind): (&str, &[char]) = match about {
        About::Notice { .. } => ("Message-ID: <", &['@']),
        About::Mail { .. } | About::Strange => (" id ", &[';', '\r']),
    };
    let relay_id = text.split_once(before).and_then(|(_, rest)| rest.split(behind).next()).unwrap_or_default();
    assert!(!relay_id.is_empty(), "{text}");
    Arrival { about, relay_id: relay_id.to_owned(), recipients, connection: delivery.connection, at: delivery.at }
}

/// 17 of `mail-17@sandbox.example`
fn number(address: &str) -> Option<u64> {
    address.strip_prefix("mail-")?.split_once('@')?.0.parse().ok()
}
