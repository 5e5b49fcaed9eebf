//! A disk whose syncs fail, the database's own included: no false 250, nothing acknowledged is lost, service resumes.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::device::{Device, RECIPIENT};
use crate::relay::{PATIENCE, Site};
use crate::stage::{AT_ONCE, body, everything_arrives, mail_is_answered, provider_away, queued};
use crate::strace;

/// Has every sync of a running process fail, until it is told to stop.
struct Spoiler(Child);

impl Spoiler {
    async fn of(process: u32) -> Self {
        let mut command = Command::new("strace");
        command.args(["-f", "-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:error=EIO"]);
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
    async fn stop(mut self) {
        use rustix::process::{Pid, Signal, kill_process};
        let id = self.0.id().expect("strace has ended");
        kill_process(Pid::from_raw(id.try_into().unwrap()).unwrap(), Signal::TERM).unwrap();
        tokio::time::timeout(PATIENCE, self.0.wait()).await.expect("strace does not let go").unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_that_fails_refuses_and_loses_nothing_and_the_next_good_one_resumes() {
    if !strace::works() {
        return;
    }
    let (sandbox, away) = provider_away().await;
    let site = Site::new(&sandbox, AT_ONCE);
    let mut relay = site.start(&[], &[]);
    assert!(relay.listens().await);
    let mut acknowledged = Vec::new();
    for (number, size) in [(10, 4_000), (20, 300_000)] {
        let before = body(number, size);
        let mut device = Device::greeted(site.address()).await;
        assert!(queued(&device.mail_to(&[RECIPIENT], &before).await).is_some());
        acknowledged.push(before);
        let spoiler = Spoiler::of(relay.id().unwrap()).await;
        let reply = device.mail_to(&[RECIPIENT], &body(number + 1, size)).await;
        assert!(reply.starts_with("452 4.3.1"), "{reply}");
        let (_, refused) = mail_is_answered(&site, "452").await;
        assert!(refused.starts_with("452 4.3.1"), "{refused}");
        spoiler.stop().await;
        let mut device = mail_is_answered(&site, "250").await.0;
        assert!(device.say("RSET").await.starts_with("250"));
        let after = body(number + 2, size);
        assert!(queued(&device.mail_to(&[RECIPIENT], &after).await).is_some(), "service resumes by itself");
        acknowledged.push(after);
    }
    // What was acknowledged lies on the disk, not in the memory of this process.
    relay.kill().await;
    away.open();
    let mut relay = site.start(&[], &[]);
    assert!(relay.listens().await);
    everything_arrives(&sandbox, &acknowledged).await;
    assert!(relay.terminate().await.0.success());
}
