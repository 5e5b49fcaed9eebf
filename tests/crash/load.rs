//! Devices that send without a pause, and note down what they were told.
//!
//! Each speaks SMTP by itself, without a line of the relay's own dialogue. A mail is sent once: who hears no answer
//! does not repeat it, so every second arrival is the relay's doing.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use posthouse::sandbox::Sandbox;
use posthouse::sandbox::fault::{Fault, Gate, Stage, Times};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::chance::Chance;
use crate::ledger::{Answer, Ledger, Mail, To};
use crate::relay::PATIENCE;

/// What all devices share.
pub struct Load {
    pub address: SocketAddr,
    pub sandbox: Arc<Sandbox>,
    pub ledger: Arc<Ledger>,
    /// Which process serves just now, if any.
    pub serving: watch::Receiver<Option<u32>>,
    /// How many devices have sent the end of data and wait for the answer.
    pub waiting: watch::Sender<usize>,
    pub over: CancellationToken,
}

/// Sends until the load is over.
pub async fn device(load: Arc<Load>, mut chance: Chance) {
    let mut serving = load.serving.clone();
    let all = async {
        loop {
            // An error says that nobody serves any more, and the load is over soon.
            if serving.wait_for(Option::is_some).await.is_err() {
                return;
            }
            if session(&load, &mut chance).await.is_none() {
                // Refused or cut off; a moment later another process listens, or this one again.
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    };
    load.over.run_until_cancelled(all).await;
}

/// A few mails over one connection. `None`: it broke.
async fn session(load: &Load, chance: &mut Chance) -> Option<()> {
    let mut line = Line::open(load.address).await?;
    for _ in 0..=chance.below(5) {
        let mail = load.ledger.new_mail(chance);
        plan(&load.sandbox, &mail, chance);
        let answer = submit(load, &mut line, &mail).await;
        load.ledger.answered(mail.number, answer.clone());
        if answer == Answer::None {
            return None;
        }
    }
    line.say("QUIT\r\n").await.map(drop)
}

/// Has the provider treat the recipients of this mail as they are meant.
fn plan(sandbox: &Sandbox, mail: &Mail, chance: &mut Chance) {
    for to in &mail.recipients {
        let stage = Stage::RcptTo(to.address(mail.number).as_str().into());
        match to {
            To::Plain(_) | To::Refused => {}
            To::Later => sandbox.faults().plan(stage, Fault::reply(450, "4.2.0 Greylisted"), Times::Once),
            To::Slow => sandbox.faults().plan(stage, Fault::Wait(opens_in(20 + chance.below(1500))), Times::Once),
        }
    }
    if chance.percent(5) {
        sandbox.faults().plan(Stage::Dot, Fault::Wait(opens_in(chance.below(300))), Times::Once);
    }
}

/// A gate that opens by itself, so many milliseconds from now.
fn opens_in(milliseconds: u64) -> Gate {
    let gate = Gate::new();
    let opened = gate.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        opened.open();
    });
    gate
}

async fn submit(load: &Load, line: &mut Line, mail: &Mail) -> Answer {
    let Some(envelope) = envelope(line, mail).await else { return Answer::None };
    if let Err(refused) = envelope {
        return Answer::Refused(refused);
    }
    load.waiting.send_modify(|waiting| *waiting += 1);
    let answer = body(line, mail).await;
    load.waiting.send_modify(|waiting| *waiting -= 1);
    answer
}

/// One mail over a connection of its own.
pub async fn submit_one(address: SocketAddr, mail: &Mail) -> Answer {
    let Some(mut line) = Line::open(address).await else { return Answer::None };
    match envelope(&mut line, mail).await {
        None => Answer::None,
        Some(Err(refused)) => Answer::Refused(refused),
        Some(Ok(())) => body(&mut line, mail).await,
    }
}

async fn body(line: &mut Line, mail: &Mail) -> Answer {
    match line.say(&format!("{}.\r\n", mail.text())).await {
        Some(reply) if reply.starts_with('2') => Answer::Accepted(reply),
        Some(reply) => Answer::Refused(reply),
        None => Answer::None,
    }
}

/// MAIL to DATA. `None`: the connection broke. `Err`: what was refused; the transaction is reset.
async fn envelope(line: &mut Line, mail: &Mail) -> Option<Result<(), String>> {
    let mut commands = vec![format!("MAIL FROM:<{}>\r\n", mail.sender())];
    commands.extend(mail.recipients.iter().map(|to| format!("RCPT TO:<{}>\r\n", to.address(mail.number))));
    for command in &commands {
        let reply = line.say(command).await?;
        if !reply.starts_with('2') {
            line.say("RSET\r\n").await?;
            return Some(Err(reply));
        }
    }
    let reply = line.say("DATA\r\n").await?;
    Some(if reply.starts_with("354") { Ok(()) } else { Err(reply) })
}

/// A connection to the relay.
struct Line(BufReader<TcpStream>);

impl Line {
    /// Connected, greeted, EHLO said.
    async fn open(address: SocketAddr) -> Option<Self> {
        let stream = TcpStream::connect(address).await.ok()?;
        stream.set_nodelay(true).ok()?;
        let mut line = Self(BufReader::new(stream));
        line.reply().await.filter(|greeting| greeting.starts_with("220"))?;
        line.say("EHLO device.test\r\n").await?;
        Some(line)
    }

    /// The last line of the answer; nothing if the connection breaks.
    async fn say(&mut self, text: &str) -> Option<String> {
        self.0.get_mut().write_all(text.as_bytes()).await.ok()?;
        self.reply().await
    }

    async fn reply(&mut self) -> Option<String> {
        loop {
            let mut line = String::new();
            let read = tokio::time::timeout(PATIENCE, self.0.read_line(&mut line)).await;
            read.expect("a device is left without an answer").ok()?;
            let line = line.strip_suffix("\r\n")?;
            if line.as_bytes().get(3) != Some(&b'-') {
                return Some(line.to_owned());
            }
        }
    }
}
