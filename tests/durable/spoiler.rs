//! The syncs of a running process, made to fail or to hang by a tracer that comes and goes.
//!
//! What was written before such a sync lies in the system's memory: another process finds it, a power cut would not
//! have left it.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::relay::PATIENCE;

/// What becomes of every sync.
#[derive(Debug, Clone, Copy)]
pub enum Syncs {
    Fail,
    /// Until the tracer goes, or for longer than any test waits.
    Hang,
}

/// The tracer.
pub struct Spoiler(Child);

impl Spoiler {
    pub async fn of(process: u32, syncs: Syncs) -> Self {
        let how = match syncs {
            Syncs::Fail => "inject=fsync,fdatasync:error=EIO",
            Syncs::Hang => "inject=fsync,fdatasync:delay_enter=600s",
        };
        let mut command = Command::new("strace");
        command.args(["-f", "-e", "trace=fsync,fdatasync", "-e", how]);
        command.args(["-o", "/dev/null", "-p", &process.to_string()]);
        let mut tracer = command.stdin(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let mut said = BufReader::new(tracer.stderr.take().unwrap()).lines();
        let attached =
            async { while !said.next_line().await.unwrap().expect("strace has ended").contains("attached") {} };
        tokio::time::timeout(PATIENCE, attached).await.expect("strace does not attach");
        // It must not be cut off by a pipe that nobody reads.
        tokio::spawn(async move { while let Ok(Some(_)) = said.next_line().await {} });
        Self(tracer)
    }

    /// Lets go of the process.
    pub async fn stop(mut self) {
        use rustix::process::{Pid, Signal, kill_process};
        let id = self.0.id().expect("strace has ended");
        kill_process(Pid::from_raw(id.try_into().unwrap()).unwrap(), Signal::TERM).unwrap();
        tokio::time::timeout(PATIENCE, self.0.wait()).await.expect("strace does not let go").unwrap();
    }
}

/// Returns when the process has ended, but for the thread that the tracer holds; the tracer goes then, and that with it.
pub async fn has_ended(process: u32, spoiler: Spoiler) {
    let ending = async {
        let state = || std::fs::read_to_string(format!("/proc/{process}/task/{process}/status")).unwrap_or_default();
        // Nobody can reap it yet, so nobody is told.
        while !state().contains("State:\tZ") {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, ending).await.expect("it never ends");
    drop(spoiler);
}

/// Returns when the thread of this name waits for a sync that hangs.
pub async fn hangs(process: u32, thread: &str) {
    let hanging = async {
        // Only the system knows.
        while !is_held(process, thread) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, hanging).await.expect("nobody asks for a sync");
}

/// Whether a thread of this name is inside a sync and stopped there by its tracer.
fn is_held(process: u32, thread: &str) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).unwrap();
    threads.flatten().any(|entry| {
        let said = |file: &str| std::fs::read_to_string(entry.path().join(file)).unwrap_or_default();
        let is_in = |number: &&str| said("syscall").split(' ').next() == Some(number);
        said("comm").trim_end() == thread && said("status").contains("State:\tt") && SYNCS.iter().any(is_in)
    })
}

/// `fsync` and `fdatasync`, as `/proc` calls them.
#[cfg(target_arch = "x86_64")]
const SYNCS: [&str; 2] = ["74", "75"];
#[cfg(not(target_arch = "x86_64"))]
const SYNCS: [&str; 2] = ["82", "83"];
