//! The mail file: a session as a device sends it, and what should come of it.
//!
//! ```text
//! # A scanner of 2012 sends a page.  one sentence: who sends this, and what is odd about it
//! # covers: unqualified-sender       rows of coverage.rs
//! # expect: the sender is completed. what a user would expect, written before it was first played
//! # shows: ^MAIL FROM:<root@x.example>  stands in a line of the golden file (^ its beginning, $ its end); at least one
//! # never: root@nas                  does not; what the device said is not looked at
//! # gap: From is left alone          why this does not hold yet; when it does, this line has to go
//! listener: auth = "accept_any"      keys of the listener it connects to, as in the configuration
//! account: provider = "practice"     keys of the account; `practice` lets an account be itself only
//! config: default_domain = "x.example"   further lines; sections from the first one that begins with [
//! provider: without 8BITMIME         what it does not offer; or: takes only scanner@sandbox.example
//! pace: at once                      everything is written without waiting for replies, the greeting included
//! ---
//! EHLO scanner                       a line, after whose reply the next one is sent
//! DATA
//! Subject: page                      what stands behind DATA, up to a line of a single dot, is sent in one go
//!
//! .
//! QUIT
//! ```
//! Lines are printable ASCII with the escapes of `octets.rs`, and end in CRLF; a final `\n` or `\r` makes that a bare LF or
//! CR, a final `\+` no line ending at all. A blank before the end of the line is `\x20`. Where the DATA line itself ends in
//! a bare LF, the dot does too. Dots are not stuffed: that is the device's affair.

use crate::octets::unescape;

/// What the relay and the provider of a mail are like; mails with the same share them.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stage {
    pub account: Vec<String>,
    pub config: Vec<String>,
    pub provider: Vec<Trait>,
}

/// What is different about a provider.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trait {
    /// It does not offer this extension.
    Without(String),
    /// Mail of this sender, in envelope and From, and of nobody else: it says so at the end, in Microsoft's words.
    TakesOnly(String),
    /// The same of the envelope alone: it says so at MAIL, in words of its own.
    TakesOnlyAtMail(String),
    /// No mail without a sender.
    TakesNoNullSender,
    /// It shows its mechanisms in the old form as well, `AUTH=`.
    AuthEquals,
}

/// What a device does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Sends a line and hears a reply.
    Line(Vec<u8>),
    /// Sends a body with the dot behind it, if it was told to go ahead, and hears a reply.
    Body(Vec<u8>),
}

/// A whole file.
#[derive(Debug)]
pub struct Script {
    pub covers: Vec<String>,
    pub expect: String,
    shows: Vec<String>,
    never: Vec<String>,
    gap: Vec<String>,
    pub listener: Vec<String>,
    pub stage: Stage,
    /// Everything is sent without waiting.
    pub at_once: bool,
    pub steps: Vec<Step>,
}

impl Script {
    /// Reads a file; what is wrong with it is said.
    pub fn parse(text: &str) -> Result<Self, String> {
        let lines: Vec<&str> = text.lines().collect();
        let rule = lines.iter().position(|line| *line == "---").ok_or("expected a line of --- before the session")?;
        let (remarks, options): (Vec<&str>, Vec<&str>) = lines[..rule].iter().partition(|line| line.starts_with('#'));
        let said = |name: &str| -> Vec<String> {
            let prefix = format!("# {name}: ");
            remarks.iter().filter_map(|line| line.strip_prefix(&prefix)).map(str::to_owned).collect()
        };
        let first = remarks.first().filter(|line| line.ends_with('.') && !line.starts_with("# covers:"));
        first.ok_or("expected one sentence first: who sends this, and what is odd about it")?;
        let [expect] = &said("expect")[..] else { return Err("expected one line `# expect: …`".into()) };
        let covers: Vec<String> = said("covers").iter().flat_map(|rows| rows.split(", ")).map(str::to_owned).collect();
        if covers.is_empty() {
            return Err("expected a line `# covers: …`".into());
        }
        let shows = said("shows");
        if shows.is_empty() {
            return Err("expected a line `# shows: …`".into());
        }
        let steps = steps(&lines, rule + 1)?;
        let mut script = Self {
            covers,
            expect: expect.clone(),
            shows,
            never: said("never"),
            gap: said("gap"),
            listener: Vec::new(),
            stage: Stage::default(),
            at_once: false,
            steps,
        };
        options.iter().try_for_each(|line| script.option(line))?;
        Ok(script)
    }

    fn option(&mut self, line: &str) -> Result<(), String> {
        let (name, value) = line.split_once(": ").ok_or(format!("expected `option: value`, found {line:?}"))?;
        match (name, value) {
            ("listener", _) => self.listener.push(value.to_owned()),
            ("account", _) => self.stage.account.push(value.to_owned()),
            ("config", _) => self.stage.config.push(value.to_owned()),
            ("provider", _) => self.stage.provider.push(Trait::parse(value)?),
            ("pace", "at once") => self.at_once = true,
            _ => return Err(format!("no option is called {line:?}").replace('"', "")),
        }
        Ok(())
    }

    /// What is wrong with what was seen, by what the file promises.
    pub fn fault(&self, shown: &str) -> Option<String> {
        match (self.broken_promise(shown), self.gap.is_empty()) {
            (fault, true) => fault,
            (Some(_), false) => None,
            (None, false) => Some("keeps what it promises: its `# gap:` is closed, take the line out".into()),
        }
    }

    /// What the file promises and this does not hold. What the device itself said counts for nothing; what the provider
    /// complains of has to be promised.
    fn broken_promise(&self, shown: &str) -> Option<String> {
        let complaint = shown.lines().find(|line| line.starts_with("the provider complains"));
        if let Some(complaint) = complaint.filter(|line| !self.shows.iter().any(|words| words == line)) {
            return Some(format!("{complaint}, which is not promised"));
        }
        let holds = |words: &str| shown.lines().filter(|line| !line.starts_with("C:")).any(|line| stands(words, line));
        let missing = self.shows.iter().find(|words| !holds(words)).map(|words| format!("does not show {words:?}"));
        missing.or_else(|| self.never.iter().find(|words| holds(words)).map(|words| format!("shows {words:?}")))
    }
}

/// Whether a line holds these words: at its beginning behind a `^`, at its end before a `$`.
fn stands(words: &str, line: &str) -> bool {
    match (words.strip_prefix('^'), words.strip_suffix('$')) {
        (Some(words), Some(_)) => words.strip_suffix('$').is_some_and(|words| line == words),
        (Some(words), None) => line.starts_with(words),
        (None, Some(words)) => line.ends_with(words),
        (None, None) => line.contains(words),
    }
}

impl Trait {
    fn parse(text: &str) -> Result<Self, String> {
        let without = |name: &&str| ["8BITMIME", "SMTPUTF8", "PIPELINING", "DSN", "SIZE"].contains(name);
        if let Some(name) = text.strip_prefix("without ").filter(without) {
            return Ok(Self::Without(name.to_owned()));
        }
        match (text, text.strip_prefix("takes only ")) {
            (_, Some(address)) => Ok(match address.strip_suffix(" at MAIL") {
                Some(address) => Self::TakesOnlyAtMail(address.to_owned()),
                None => Self::TakesOnly(address.to_owned()),
            }),
            ("takes no null sender", _) => Ok(Self::TakesNoNullSender),
            ("shows AUTH= as well", _) => Ok(Self::AuthEquals),
            _ => Err(format!("no provider {text}")),
        }
    }
}

fn steps(lines: &[&str], from: usize) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    let mut numbered = lines.iter().enumerate().skip(from);
    while let Some((number, line)) = numbered.next() {
        let line = sent(number, line)?;
        let command = line.trim_ascii();
        let is_data = command.eq_ignore_ascii_case(b"DATA");
        let ending: &[u8] = if line.ends_with(b"\r\n") { b"\r\n" } else { b"\n" };
        steps.push(Step::Line(line.clone()));
        if is_data {
            let mut body = Vec::new();
            loop {
                let (number, line) = numbered.next().ok_or("no line of a single dot ends the body")?;
                let line = sent(number, line)?;
                let is_end = line == [b".", ending].concat() && (body.is_empty() || body.ends_with(ending));
                body.extend(line);
                if is_end {
                    break;
                }
            }
            steps.push(Step::Body(body));
        }
    }
    Ok(steps)
}

/// A line with its line ending.
pub fn sent(number: usize, line: &str) -> Result<Vec<u8>, String> {
    let told = |why: String| format!("line {}: {why}", number + 1);
    if !line.bytes().all(|octet| octet == b' ' || octet.is_ascii_graphic()) || line.ends_with(' ') {
        return Err(told("expected printable ASCII without blanks at the end; the rest as escapes".into()));
    }
    let (text, ending): (_, &[u8]) = match escape_at_the_end(line) {
        Some('+') => (&line[..line.len() - 2], b""),
        Some('n' | 'r') => (line, b""),
        _ => (line, b"\r\n"),
    };
    let mut octets = unescape(text).map_err(told)?;
    octets.extend_from_slice(ending);
    Ok(octets)
}

/// The letter of the escape a line ends in, if it is one and not a backslash of its own with a letter behind it.
fn escape_at_the_end(line: &str) -> Option<char> {
    let letter = line.chars().next_back()?;
    let before = &line[..line.len() - letter.len_utf8()];
    let backslashes = before.len() - before.trim_end_matches('\\').len();
    (backslashes % 2 == 1).then_some(letter)
}
