//! Reads `tests/replies.txt`: what providers said, and what each of it is taken for.
//!
//! Judges nothing and knows no type of the product, so that the unit tests of the tables and the tests that play the
//! replies in the sandbox read the same lines.

/// One line.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The code of the diagnosis.
    pub code: &'static str,
    pub cause: &'static str,
    /// greeting, auth, mail, rcpt, data, dot, token.
    pub phase: &'static str,
    /// password, token, bearer, none.
    pub sign_in: &'static str,
    pub provider: Option<&'static str>,
    /// seen, standard, assumed.
    pub words: &'static str,
    /// Words that must be told.
    pub sentence: &'static str,
    pub cure: &'static str,
    reply: &'static str,
}

/// Every line of the file.
pub fn seen() -> Vec<Seen> {
    let lines = include_str!("../replies.txt").lines();
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(read).collect()
}

fn read(line: &'static str) -> Seen {
    let fields: Vec<&str> = line.splitn(9, " | ").collect();
    let [code, cause, phase, sign_in, provider, words, sentence, cure, reply] = fields.try_into().expect(line);
    let provider = Some(provider).filter(|provider| *provider != "-");
    assert!(["seen", "standard", "assumed"].contains(&words), "whose words? {line}");
    Seen { code, cause, phase, sign_in, provider, words, sentence, cure, reply }
}

/// A reply of SMTP: its number and the text of each line.
#[derive(Debug)]
pub struct Said {
    /// The JSON of the `334` before it, in base64.
    pub challenge: Option<&'static str>,
    pub number: u16,
    pub text: Vec<&'static str>,
}

/// An answer of a token endpoint.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub header: Option<(&'static str, &'static str)>,
    pub body: &'static str,
}

impl Seen {
    /// The reply of a line that is not a token endpoint's.
    pub fn said(&self) -> Said {
        let lines: Vec<(&str, &str)> =
            self.reply.split("\\n").map(|line| (&line[..3], line.get(4..).unwrap_or_default())).collect();
        let challenge = lines.first().filter(|(number, _)| *number == "334").map(|(_, text)| *text);
        let number = lines.last().expect(self.reply).0.parse().expect(self.reply);
        let text = lines.into_iter().skip(usize::from(challenge.is_some())).map(|(_, text)| text).collect();
        Said { challenge, number, text }
    }

    /// The answer of a line that is a token endpoint's.
    pub fn answer(&self) -> Answer {
        let (status, rest) = self.reply.split_once(' ').expect(self.reply);
        let (header, body) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((header, body)) => (header.split_once(": "), body.trim_start()),
            None => (None, rest),
        };
        Answer { status: status.parse().expect(self.reply), header, body }
    }
}
