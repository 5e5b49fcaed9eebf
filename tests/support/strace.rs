//! What a process asked of the system, as `strace` tells it.
//!
//! Each call knows the line at which it was entered and the line at which it was left: between the two its effect may
//! or may not be there. The order of lines is one that no thread of the process could see otherwise.

use std::collections::HashMap;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

/// Everything that changes files, names or what a peer was told.
pub const CHANGES: &str = "trace=open,openat,creat,close,write,pwrite64,writev,pwritev,pwritev2,sendto,sendmsg,\
    sendfile,copy_file_range,lseek,ftruncate,truncate,fallocate,fsync,fdatasync,sync_file_range,syncfs,sync,\
    rename,renameat,renameat2,link,linkat,unlink,unlinkat,mkdir,mkdirat,rmdir,dup,dup2,dup3,fcntl";

/// Whether it is here and may trace. Says so where it is not.
pub fn works() -> bool {
    let tried = std::process::Command::new("strace").args(["-o", "/dev/null", "true"]).stderr(Stdio::null()).status();
    let works = tried.is_ok_and(|status| status.success());
    if !works {
        eprintln!("NOT SHOWN: there is no strace here, or it may not trace");
    }
    works
}

/// The words that run a program traced into this file. The tracer stands aside: the process started is the program.
pub fn runner<'a>(trace: &'a Path, more: &[&'a str]) -> Vec<&'a str> {
    let file = trace.to_str().expect("a temporary path is UTF-8");
    let fixed = ["strace", "-D", "-f", "-y", "-ttt", "--seccomp-bpf", "-s", "4000000", "-e", "signal=SIGKILL"];
    fixed.into_iter().chain(["-e", CHANGES, "-o", file]).chain(more.iter().copied()).collect()
}

/// One call.
#[derive(Debug, Clone)]
pub struct Call {
    pub name: String,
    pub arguments: Vec<String>,
    /// What stands behind `=`; nothing if the process ended inside.
    pub result: Option<String>,
    /// The line at which it was entered.
    pub entered: usize,
    /// The line at which it was left.
    pub left: Option<usize>,
    pub at: Timestamp,
}

impl Call {
    /// The number it returned, if it did and was not made up by the tracer.
    pub fn returned(&self) -> Option<i64> {
        let result = self.result.as_deref()?;
        let number = result.split([' ', '<']).next()?.parse().ok()?;
        (number >= 0 && !result.contains("(INJECTED)")).then_some(number)
    }

    /// The file descriptor in this place.
    pub fn descriptor(&self, place: usize) -> Option<i64> {
        self.arguments.get(place)?.split('<').next()?.parse().ok()
    }

    /// What that descriptor was open on.
    pub fn opened(&self, place: usize) -> Option<&str> {
        inside(self.arguments.get(place)?)
    }

    /// The path of the descriptor it returned.
    pub fn returned_path(&self) -> Option<&str> {
        inside(self.result.as_deref()?)
    }

    /// The number in this place.
    pub fn number(&self, place: usize) -> Option<u64> {
        self.arguments.get(place)?.parse().ok()
    }

    /// The octets in this place: one string, or all of a vector.
    pub fn octets(&self, place: usize) -> Vec<u8> {
        let Some(text) = self.arguments.get(place) else { return Vec::new() };
        let mut octets = Vec::new();
        let mut rest = text.as_str();
        while let Some(start) = rest.find('"') {
            let (string, behind) = quoted(&rest[start + 1..]);
            octets.extend(string);
            rest = behind;
        }
        octets
    }

    /// The text in this place.
    pub fn text(&self, place: usize) -> String {
        String::from_utf8_lossy(&self.octets(place)).into_owned()
    }
}

/// `/a/b` of `5</a/b>(deleted)`
fn inside(text: &str) -> Option<&str> {
    Some(text.split_once('<')?.1.rsplit_once('>')?.0)
}

/// The whole trace. The tracer is nobody's child, and may still be writing when the process it traced is gone: its last
/// word on the first thread comes after everything else.
fn whole(trace: &Path) -> String {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let text = String::from_utf8_lossy(&std::fs::read(trace).unwrap()).into_owned();
        let leader = text.split_once(' ').map(|(thread, _)| thread);
        let is_last = |line: &str| line.contains(" +++ ") && line.split_once(' ').map(|(thread, _)| thread) == leader;
        if text.ends_with('\n') && text.lines().any(is_last) {
            return text;
        }
        assert!(Instant::now() < until, "the tracer has not said how the process ended");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// All calls of a trace, in the order in which they were entered.
pub fn read(trace: &Path) -> Vec<Call> {
    calls(&whole(trace))
}

/// The same of a trace that is at hand.
pub fn calls(text: &str) -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    // Calls that were entered and not left, by thread.
    let mut inside: HashMap<&str, (usize, &str)> = HashMap::new();
    for (number, line) in text.lines().enumerate() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let Some((time, said)) = rest.trim_start().split_once(' ') else { continue };
        let said = said.trim_start();
        if let Some(resumed) = said.strip_prefix("<... ") {
            let Some((index, begun)) = inside.remove(thread) else { continue };
            let behind = resumed.split_once(" resumed>").map_or("", |(_, behind)| behind);
            finish(&mut calls[index], &format!("{begun}{behind}"), Some(number));
        } else if let Some((name, behind)) = said.split_once('(').filter(|(name, _)| is_name(name)) {
            let begun = behind.strip_suffix(" <unfinished ...>");
            let mut call = Call {
                name: name.to_owned(),
                arguments: Vec::new(),
                result: None,
                entered: number,
                left: None,
                at: time_of(time),
            };
            match begun {
                Some(begun) => {
                    finish(&mut call, begun, None);
                    inside.insert(thread, (calls.len(), begun));
                }
                None => finish(&mut call, behind, Some(number)),
            }
            calls.push(call);
        }
    }
    calls
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'_')
}

fn time_of(text: &str) -> Timestamp {
    let seconds: f64 = text.parse().unwrap();
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs_f64(seconds)
}

/// Reads `arguments) = result` into the call; without its end, the arguments that are there.
fn finish(call: &mut Call, text: &str, left: Option<usize>) {
    let (arguments, behind) = arguments(text);
    call.arguments = arguments;
    call.result = behind.split_once("= ").map(|(_, result)| result.to_owned()).filter(|_| left.is_some());
    call.left = left.filter(|_| call.result.is_some());
}

/// Splits at the commas that stand outside strings, brackets and the names of descriptors.
fn arguments(text: &str) -> (Vec<String>, &str) {
    let (mut all, mut start, mut depth) = (Vec::new(), 0, 0_u32);
    let (mut string, mut path, mut escaped) = (false, false, false);
    for (place, octet) in text.bytes().enumerate() {
        match octet {
            _ if escaped => escaped = false,
            b'\\' if string => escaped = true,
            b'"' if !path => string = !string,
            _ if string => {}
            b'<' => path = true,
            b'>' => path = false,
            _ if path => {}
            b'[' | b'{' | b'(' => depth += 1,
            b')' if depth == 0 => {
                all.push(text[start..place].trim().to_owned());
                return (all, &text[place + 1..]);
            }
            b']' | b'}' | b')' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => {
                all.push(text[start..place].trim().to_owned());
                start = place + 1;
            }
            _ => {}
        }
    }
    all.push(text[start..].trim().to_owned());
    (all, "")
}

/// A string up to its closing quote, as octets, and what stands behind it.
fn quoted(text: &str) -> (Vec<u8>, &str) {
    let octets = text.as_bytes();
    let (mut out, mut place) = (Vec::new(), 0);
    while place < octets.len() && octets[place] != b'"' {
        if octets[place] != b'\\' {
            out.push(octets[place]);
            place += 1;
            continue;
        }
        let digits = octets[place + 1..].iter().take(3).take_while(|octet| (b'0'..=b'7').contains(octet)).count();
        if digits > 0 {
            let octal = &text[place + 1..=place + digits];
            out.push(u8::from_str_radix(octal, 8).expect("at most \\377"));
            place += 1 + digits;
            continue;
        }
        out.push(match octets[place + 1] {
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'v' => 0x0b,
            b'f' => 0x0c,
            other => other,
        });
        place += 2;
    }
    (out, text.get(place + 1..).unwrap_or_default())
}

#[test]
fn a_trace_is_read_as_it_was_meant() {
    let lines = [
        r#"7 1.5 openat(AT_FDCWD</d>, "a, b", O_RDWR|O_CREAT, 0600) = 3</d/a, b>"#,
        r#"7 1.6 pwrite64(3</d/a, b>, "x)\n\0017\"", 6, 4096 <unfinished ...>"#,
        r"8 1.7 fsync(3</d/a, b> <unfinished ...>",
        r"7 1.8 <... pwrite64 resumed>) = 6",
        r"8 1.9 <... fsync resumed>) = 0 (INJECTED)",
        r#"8 2.0 writev(4<socket:[5]>, [{iov_base="250", iov_len=3}, {iov_base=" ok", iov_len=3}], 2) = 6"#,
        r"8 2.1 fsync(3</d/a, b> <unfinished ...>",
        r"8 2.2 +++ killed by SIGKILL +++",
    ];
    let calls = calls(&lines.join("\n"));
    let [open, write, stubbed, said, cut] = calls.as_slice() else { panic!("{calls:#?}") };
    assert_eq!((open.returned(), open.returned_path(), open.text(1).as_str()), (Some(3), Some("/d/a, b"), "a, b"));
    assert_eq!((write.octets(1), write.number(3)), (b"x)\n\x017\"".to_vec(), Some(4096)));
    assert_eq!((write.entered, write.left, write.opened(0)), (1, Some(3), Some("/d/a, b")));
    assert_eq!((stubbed.left, stubbed.returned()), (Some(4), None), "a sync that was stubbed out is none");
    assert_eq!((said.text(1).as_str(), said.descriptor(0)), ("250 ok", Some(4)));
    assert_eq!((cut.left, cut.descriptor(0)), (None, Some(3)), "the process ended inside");
}
