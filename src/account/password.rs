//! A password, from wherever the account keeps it; read anew at each sign-in, so that a changed file needs no reload.
//!
//! A file's one final line ending is cut off; of a program's output the first line counts. An empty password, a file
//! of several lines and a character no mechanism can carry are errors that say so. Google displays app passwords as
//! four groups of four letters; for its accounts the spaces between them are taken out.

use std::io::Read;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::PasswordSpaces;
use super::program::{self, CommandLine};
use crate::diagnosis::Failure;
use crate::secret::Secret;

/// In octets.
const LONGEST_FILE: u64 = 16 * 1024;

/// Where a password stands.
#[derive(Debug, Clone)]
pub(super) enum Password {
    /// In the configuration.
    Given(Secret),
    /// In a file.
    File(PathBuf),
    /// A program prints it.
    Command(CommandLine),
}

impl Password {
    /// The password as it is now.
    pub(super) async fn read(&self, spaces: PasswordSpaces) -> Result<Secret, Failure> {
        let secret = match self {
            Self::Given(secret) => usable(secret.expose()).map_err(|fault| failure(format!("`password` {fault}"))),
            Self::File(path) => from_file(path).await,
            Self::Command(command) => from_program(command).await,
        }?;
        match spaces {
            PasswordSpaces::Displayed if is_grouped(secret.expose()) => {
                Ok(Secret::new(secret.expose().replace(' ', "")))
            }
            PasswordSpaces::Displayed | PasswordSpaces::Kept => Ok(secret),
        }
    }
}

/// What a file holds, without its final line ending. Also reads client secrets.
pub(super) async fn from_file(path: &Path) -> Result<Secret, Failure> {
    let owned = path.to_owned();
    // A file may lie on a slow disk or network: not on the threads that serve the sessions.
    let read = tokio::task::spawn_blocking(move || in_file(&owned)).await;
    let given_up = |_| Err(format!("cannot read {}: reading was given up", path.display()));
    read.unwrap_or_else(given_up).map_err(failure)
}

/// The same, at once: blocks on the disk. The error is for people and holds nothing of what the file says.
pub(super) fn in_file(path: &Path) -> Result<Secret, String> {
    let shown = path.display();
    let text = read_limited(path).map_err(|error| format!("cannot read {shown}: {error}"))?;
    let line = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    usable(line).map_err(|fault| format!("{shown} {fault}"))
}

fn read_limited(path: &Path) -> std::io::Result<Zeroizing<String>> {
    let file = std::fs::File::open(path)?;
    let room = usize::try_from(LONGEST_FILE).unwrap_or(usize::MAX).saturating_add(1);
    let mut text = Zeroizing::new(String::with_capacity(room));
    file.take(LONGEST_FILE + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LONGEST_FILE {
        return Err(std::io::Error::other(format!("it is longer than {LONGEST_FILE} octets")));
    }
    Ok(text)
}

async fn from_program(command: &CommandLine) -> Result<Secret, Failure> {
    let name = command.name();
    let named = |fault: &dyn std::fmt::Display| failure(format!("the program `{name}` failed: {fault}"));
    let text = program::output(command).await.map_err(|error| named(&error))?;
    let line = text.lines().next().unwrap_or_default();
    usable(line).map_err(|fault| failure(format!("what the program `{name}` printed {fault}")))
}

fn failure(detail: String) -> Failure {
    Failure::Password { detail }
}

/// A password that a mechanism can carry, or what is wrong with it in words that follow its place.
fn usable(text: &str) -> Result<Secret, &'static str> {
    if text.is_empty() {
        return Err("is empty");
    }
    if text.contains(['\r', '\n']) {
        return Err("holds more than one line");
    }
    // RFC 4616 §2: NUL separates the fields.
    if text.contains('\0') {
        return Err("holds a NUL, which no mechanism can carry");
    }
    Ok(Secret::new(text.to_owned()))
}

/// `abcd efgh ijkl mnop`: exactly as Google displays an app password, so that no other password is changed.
fn is_grouped(text: &str) -> bool {
    let is_group = |group: &str| group.len() == 4 && group.bytes().all(|octet| octet.is_ascii_lowercase());
    text.split(' ').count() == 4 && text.split(' ').all(is_group)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn given(text: &str) -> Result<String, String> {
        heard(Password::Given(Secret::new(text.into()))).await
    }

    async fn in_a_file(octets: &[u8]) -> Result<String, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), octets).unwrap();
        let said = heard(Password::File(file.path().into())).await;
        said.map_err(|detail| detail.replace(file.path().to_str().unwrap(), "FILE"))
    }

    async fn printed(script: &str) -> Result<String, String> {
        heard(Password::Command(CommandLine::new(["/bin/sh", "-c", script].map(str::to_owned).to_vec()))).await
    }

    async fn heard(password: Password) -> Result<String, String> {
        match password.read(PasswordSpaces::Kept).await {
            Ok(secret) => Ok(secret.expose().to_owned()),
            Err(Failure::Password { detail }) => Err(detail),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn of_a_file_one_final_line_ending_is_cut_off_and_nothing_else() {
        assert_eq!(in_a_file(b"hunter2").await.unwrap(), "hunter2");
        assert_eq!(in_a_file(b"hunter2\n").await.unwrap(), "hunter2");
        assert_eq!(in_a_file(b"hunter2\r\n").await.unwrap(), "hunter2");
        assert_eq!(in_a_file(b" hunter 2 \n").await.unwrap(), " hunter 2 ");
    }

    #[tokio::test]
    async fn a_useless_file_says_what_is_wrong_with_it() {
        assert_eq!(in_a_file(b"").await.unwrap_err(), "FILE is empty");
        assert_eq!(in_a_file(b"\n").await.unwrap_err(), "FILE is empty");
        assert_eq!(in_a_file(b"one\ntwo\n").await.unwrap_err(), "FILE holds more than one line");
        assert_eq!(in_a_file(b"a\0b").await.unwrap_err(), "FILE holds a NUL, which no mechanism can carry");
        assert!(in_a_file(b"\xff").await.unwrap_err().contains("UTF-8"));
        let long = in_a_file("x".repeat(16385).as_bytes()).await.unwrap_err();
        assert_eq!(long, "cannot read FILE: it is longer than 16384 octets");
        let absent = heard(Password::File("/no/such/file".into())).await.unwrap_err();
        assert!(absent.starts_with("cannot read /no/such/file: No such file"), "{absent}");
    }

    #[tokio::test]
    async fn of_a_program_the_first_line_counts() {
        assert_eq!(printed("echo hunter2; echo expires tomorrow").await.unwrap(), "hunter2");
        assert_eq!(printed("printf 'hunter2\\r\\n'").await.unwrap(), "hunter2");
        assert_eq!(printed("echo").await.unwrap_err(), "what the program `/bin/sh` printed is empty");
        let failed = printed("echo hunter2; exit 3").await.unwrap_err();
        assert_eq!(failed, "the program `/bin/sh` failed: it ended with exit status: 3");
    }

    #[tokio::test]
    async fn where_app_passwords_are_displayed_so_their_spaces_go_and_no_others() {
        let read = async |text: &str, spaces| {
            let password = Password::Given(Secret::new(text.into()));
            password.read(spaces).await.unwrap().expose().to_owned()
        };
        assert_eq!(read("abcd efgh ijkl mnop", PasswordSpaces::Displayed).await, "abcdefghijklmnop");
        assert_eq!(read("abcd efgh ijkl mnop", PasswordSpaces::Kept).await, "abcd efgh ijkl mnop");
        for kept in ["correct horse battery staple", "abcd efgh ijkl", "abcd efgh ijkl mnoP", "abcd  efgh ijkl mnop"] {
            assert_eq!(read(kept, PasswordSpaces::Displayed).await, kept);
        }
        assert_eq!(given("").await.unwrap_err(), "`password` is empty");
    }
}
