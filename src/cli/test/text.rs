//! The steps as lines for people: one each, live, with word, name, milliseconds and what was seen.
//!
//! On a terminal the step under way is shown and written over when it is over; elsewhere each line is final. Colours
//! stress and never carry a meaning of their own.

use std::io::{self, Write};

use super::{Summary, said};
use crate::account::{Encryption, Settings};
use crate::cli::sysexits::EX_TEMPFAIL;
use crate::diagnosis::{Diagnosis, Failure, diagnose};
use crate::upstream::probe::Mail;
use crate::upstream::step::{End, Kind, Step};

const GREEN: &str = "32";
const YELLOW: &str = "33";
const RED: &str = "1;31";
const BOLD: &str = "1";

/// Left of what was seen: word, name, milliseconds.
const MARGIN: usize = 32;

/// Where it is printed.
pub(super) struct Page<W> {
    pub(super) out: W,
    pub(super) colours: bool,
    /// Whether a line can be written over.
    pub(super) live: bool,
}

impl<W: Write> Page<W> {
    pub(super) fn title(&mut self, account: &Settings) -> io::Result<()> {
        let encryption = match account.encryption {
            Encryption::Implicit => "TLS from the first octet",
            Encryption::StartTls => "STARTTLS",
            Encryption::StartTlsAuto => "STARTTLS where offered",
            Encryption::None => "in clear",
        };
        let name = self.paint(BOLD, account.name.as_str());
        let through = account.proxies.smtp.as_ref().map(|proxy| format!(", through {proxy}")).unwrap_or_default();
        writeln!(self.out, "Account {name}: {} port {}, {encryption}{through}\n", account.host, account.port)?;
        self.out.flush()
    }

    pub(super) fn begins(&mut self, kind: Kind) -> io::Result<()> {
        if self.live {
            write!(self.out, "  ...     {}", said::name(kind))?;
            self.out.flush()?;
        }
        Ok(())
    }

    pub(super) fn ends(&mut self, account: &Settings, step: &Step) -> io::Result<()> {
        if self.live {
            // Back to the beginning of the line, and clear it.
            write!(self.out, "\r\x1b[2K")?;
        }
        let (word, colour, failure) = match &step.end {
            End::Done => ("ok", GREEN, None),
            End::Again(failure) => ("again", YELLOW, Some(failure)),
            End::Failed(failure) => ("FAILED", RED, Some(failure)),
        };
        let word = self.paint(colour, &format!("{word:6}"));
        write!(self.out, "  {word}  {:10} {:>6} ms", said::name(step.kind), step.took.as_millis())?;
        let mut lines = said::lines(account, step);
        if let Some(said) = failure.and_then(|failure| said_besides(&lines, failure)) {
            lines.insert(0, said);
        }
        for (index, line) in lines.iter().enumerate() {
            if index > 0 {
                write!(self.out, "\n{:MARGIN$}", "")?;
            } else {
                write!(self.out, "  ")?;
            }
            write!(self.out, "{line}")?;
        }
        writeln!(self.out)?;
        match &step.end {
            End::Failed(failure) => self.explain(&diagnose(failure, account.context()))?,
            End::Again(_) => writeln!(self.out, "          tried once more with a new token")?,
            End::Done => {}
        }
        self.out.flush()
    }

    fn explain(&mut self, Diagnosis { cause, sentence, cure, .. }: &Diagnosis) -> io::Result<()> {
        for (title, text) in [("What it means:", sentence.as_ref()), ("What to do:", cure.as_ref())] {
            let title = self.paint(BOLD, &format!("{title:15}"));
            writeln!(self.out, "          {title} {text}")?;
        }
        let title = self.paint(BOLD, &format!("{:15}", "Cause:"));
        writeln!(self.out, "          {title} {cause}")
    }

    pub(super) fn summary(&mut self, account: &Settings, mail: Option<&Mail>, summary: &Summary) -> io::Result<()> {
        let name = &account.name;
        let left: Vec<&str> = summary.not_tried(account).into_iter().map(said::name).collect();
        let text = match (&summary.failed, mail) {
            (Some((step, _, code)), _) => {
                let now = if *code == EX_TEMPFAIL { " now" } else { "" };
                let left = if left.is_empty() { String::new() } else { format!(" Not tried: {}.", left.join(", ")) };
                format!("Account {name} does not work{now}: {} failed.{left}", said::name(step.kind))
            }
            (None, Some(mail)) => format!(
                "Account {name} works: the provider took a test mail for {}. Look for it there, among the spam too.",
                mail.to
            ),
            (None, None) => format!(
                "Account {name} can be used. Nothing was sent: `posthouse test {name} --to ADDRESS` goes on with {}.",
                left.join(", ")
            ),
        };
        let colour = if summary.failed.is_some() { RED } else { GREEN };
        let text = self.paint(colour, &text);
        writeln!(self.out, "\n{text}\n")?;
        self.out.flush()
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        if self.colours { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// The failure in the words of whoever failed, unless they stand there already as the reply.
fn said_besides(lines: &[String], failure: &Failure) -> Option<String> {
    let said = match failure {
        Failure::Reply { reply, .. } | Failure::StartTlsRefused { reply, .. } => reply.to_string(),
        failure => failure.to_string(),
    };
    (!lines.contains(&said)).then_some(said)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::account::tests::settings;
    use crate::smtp::reply::Reply;
    use crate::upstream::step::Fact;
    use crate::words::Phase;

    fn page(colours: bool, live: bool) -> Page<Vec<u8>> {
        Page { out: Vec::new(), colours, live }
    }

    fn printed(page: Page<Vec<u8>>) -> String {
        String::from_utf8(page.out).unwrap()
    }

    fn refused() -> Step {
        let reply = Reply::new(535, 7, 8, "no");
        let end = End::Failed(Failure::Reply { phase: Phase::Auth, reply: reply.clone() });
        Step { kind: Kind::Auth, took: Duration::from_millis(7), facts: vec![Fact::Reply(reply)], end }
    }

    #[test]
    fn on_a_terminal_the_step_under_way_is_shown_and_written_over() {
        let mut live = page(false, true);
        live.begins(Kind::Auth).unwrap();
        assert_eq!(String::from_utf8_lossy(&live.out), "  ...     AUTH");
        live.ends(&settings(), &refused()).unwrap();
        assert!(printed(live).starts_with("  ...     AUTH\r\x1b[2K  FAILED  AUTH            7 ms  535 5.7.8 no\n"));
        let mut file = page(false, false);
        file.begins(Kind::Auth).unwrap();
        file.ends(&settings(), &refused()).unwrap();
        assert!(printed(file).starts_with("  FAILED  AUTH"), "in a file every line is final");
    }

    #[test]
    fn colours_stand_round_the_words_and_only_where_they_are_wanted() {
        let mut coloured = page(true, false);
        coloured.ends(&settings(), &refused()).unwrap();
        let text = printed(coloured);
        assert!(text.starts_with("  \x1b[1;31mFAILED\x1b[0m  AUTH "), "{text:?}");
        let mut plain = page(false, false);
        plain.ends(&settings(), &refused()).unwrap();
        let without: String = text.replace("\x1b[1;31m", "").replace("\x1b[1m", "").replace("\x1b[0m", "");
        assert_eq!(without, printed(plain));
    }

    #[test]
    fn the_failure_is_said_once() {
        let mut page = page(false, false);
        page.ends(&settings(), &refused()).unwrap();
        let (first, _) = printed(page).split_once("What it means").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        assert_eq!(first.matches("535 5.7.8 no").count(), 1, "{first}");
    }
}
