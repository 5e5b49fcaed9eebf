//! Running a program that prints a credential.
//!
//! No shell, nothing on stdin, a deadline, and a limit on what is read. Its stderr is thrown away unread, because
//! such programs like to repeat secrets there; errors name the program, never what it printed. A program that is no
//! longer wanted is killed; what it started itself is not.

use std::fmt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};
use zeroize::Zeroizing;

use super::COMMAND_DEADLINE;

/// A program and its arguments, as configured: no shell.
///
/// Arguments may hold secrets, and so may the place of the program when somebody writes the password itself there. So
/// neither `Debug` nor any error shows more than an absolute path.
#[derive(Clone)]
pub struct CommandLine(Vec<String>);

impl CommandLine {
    /// The program and its arguments.
    #[must_use]
    pub fn new(words: Vec<String>) -> Self {
        Self(words)
    }

    /// What the program may be called in a text.
    #[must_use]
    pub fn name(&self) -> &str {
        match self.0.first() {
            Some(program) if Path::new(program).is_absolute() => program,
            _ => "[first word of the command]",
        }
    }
}

impl fmt::Debug for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with {} arguments", self.name(), self.0.len().saturating_sub(1))
    }
}

/// In octets; tokens of Microsoft have a few thousand.
const LONGEST_OUTPUT: usize = 16 * 1024;

/// Why a program gave no credential.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProgramError {
    #[error("no program is named")]
    NotNamed,
    #[error("it could not be run: {0}")]
    NotRun(std::io::Error),
    #[error("it ended with {0}")]
    Status(ExitStatus),
    #[error("it was not done after {} s", COMMAND_DEADLINE.as_secs())]
    TimedOut,
    #[error("it printed more than {LONGEST_OUTPUT} octets")]
    TooLong,
    #[error("what it printed is not UTF-8 text")]
    NotText,
}

/// All that the program printed; wiped when dropped.
pub(super) async fn output(command: &CommandLine) -> Result<Zeroizing<String>, ProgramError> {
    let (program, arguments) = command.0.split_first().ok_or(ProgramError::NotNamed)?;
    let child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(ProgramError::NotRun)?;
    tokio::time::timeout(COMMAND_DEADLINE, listen(child)).await.map_err(|_| ProgramError::TimedOut)?
}

async fn listen(mut child: Child) -> Result<Zeroizing<String>, ProgramError> {
    // Room for everything at once: growing would leave copies behind that nobody wipes.
    let mut printed = Zeroizing::new(Vec::with_capacity(LONGEST_OUTPUT + 1));
    if let Some(stdout) = child.stdout.take() {
        let limit = LONGEST_OUTPUT as u64 + 1;
        stdout.take(limit).read_to_end(&mut printed).await.map_err(ProgramError::NotRun)?;
    }
    if printed.len() > LONGEST_OUTPUT {
        return Err(ProgramError::TooLong);
    }
    let status = child.wait().await.map_err(ProgramError::NotRun)?;
    if !status.success() {
        return Err(ProgramError::Status(status));
    }
    match std::str::from_utf8(&printed) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err(ProgramError::NotText),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> CommandLine {
        CommandLine::new(words.iter().map(|&word| word.to_owned()).collect())
    }

    fn shell(script: &str) -> CommandLine {
        words(&["/bin/sh", "-c", script])
    }

    async fn failed(command: &CommandLine) -> String {
        output(command).await.unwrap_err().to_string()
    }

    #[tokio::test]
    async fn what_is_printed_is_heard_and_arguments_meet_no_shell() {
        assert_eq!(*output(&shell("printf 'one\ntwo'")).await.unwrap(), "one\ntwo");
        assert_eq!(*output(&words(&["/bin/echo", "$HOME; *"])).await.unwrap(), "$HOME; *\n");
    }

    #[tokio::test]
    async fn a_failure_is_named_without_repeating_what_was_printed() {
        let said = failed(&shell("echo hunter2; echo hunter2 >&2; exit 3")).await;
        assert_eq!(said, "it ended with exit status: 3");
        assert!(failed(&words(&["/no/such/program"])).await.starts_with("it could not be run: No such file"));
        assert_eq!(failed(&words(&[])).await, "no program is named");
        assert_eq!(failed(&shell("printf '\\377'")).await, "what it printed is not UTF-8 text");
    }

    #[test]
    fn nothing_of_a_command_is_shown_but_an_absolute_path() {
        assert_eq!(format!("{:?}", words(&["/bin/pass", "-p", "hunter2"])), "/bin/pass with 2 arguments");
        assert_eq!(format!("{:?}", words(&["hunter2"])), "[first word of the command] with 0 arguments");
    }

    #[tokio::test]
    async fn a_flood_is_cut() {
        assert_eq!(failed(&shell("yes")).await, "it printed more than 16384 octets");
        assert_eq!(output(&shell("yes x | head -c 16384")).await.unwrap().len(), 16384);
    }

    #[tokio::test(start_paused = true)]
    async fn a_program_that_hangs_is_given_up_and_killed() {
        let dir = tempfile::tempdir().unwrap();
        let pid = dir.path().join("pid");
        std::fs::write(&pid, "").unwrap();
        let hang = shell(&format!("echo $$ > {}; exec sleep 600", pid.display()));
        let run = tokio::spawn(async move { output(&hang).await });
        // The clock stands still while something is ready to run; it may jump only once the program has begun.
        let pid = loop {
            match std::fs::read_to_string(&pid).unwrap().trim() {
                "" => tokio::task::yield_now().await,
                pid => break pid.to_owned(),
            }
        };
        assert_eq!(run.await.unwrap().unwrap_err().to_string(), "it was not done after 30 s");
        let stat = format!("/proc/{pid}/stat");
        while std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
            tokio::task::yield_now().await;
        }
    }
}
