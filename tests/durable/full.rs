//! A disk that is full: no false 250, nothing acknowledged is lost, and service resumes by itself.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::device::{Device, RECIPIENT, stuffed};
use crate::relay::Site;
use crate::stage::{AT_ONCE, body, everything_arrives, mail_is_answered, provider_away, queued};

/// A small file system of its own.
struct Small(PathBuf);

impl Small {
    /// `None`, said loudly, where nothing may be mounted.
    fn mount(directory: &Path, octets: u32) -> Option<Self> {
        let size = format!("size={octets}");
        let mut mount = Command::new("mount");
        let mounted = mount.args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(directory).output();
        if mounted.as_ref().is_ok_and(|mounted| mounted.status.success()) {
            return Some(Self(directory.to_owned()));
        }
        eprintln!("NOT SHOWN: no file system can be mounted here: {mounted:?}");
        None
    }

    /// Takes all that is left.
    fn fill(&self) {
        let mut file = std::fs::File::create(self.0.join("filler")).unwrap();
        let mut piece = vec![0; 1024 * 1024];
        while !piece.is_empty() {
            if file.write_all(&piece).is_err() {
                piece.truncate(piece.len() / 2);
            }
        }
    }

    fn empty(&self) {
        std::fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(&self.0).status();
        assert!(unmounted.is_ok_and(|status| status.success()), "{} is still mounted", self.0.display());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_and_loses_nothing_and_is_used_again_when_it_has_room() {
    let place = tempfile::tempdir().unwrap();
    let Some(small) = Small::mount(place.path(), 160 * 1024 * 1024) else { return };
    let (sandbox, away) = provider_away().await;
    let site = Site::below(place.path(), &sandbox, AT_ONCE);
    let mut relay = site.start(&[], &[]);
    assert!(relay.listens().await);
    let mut acknowledged = Vec::new();
    let mut device = Device::greeted(site.address()).await;
    for (number, size) in [(1, 4_000), (2, 300_000)] {
        let body = body(number, size);
        assert!(queued(&device.mail_to(&[RECIPIENT], &body).await).is_some());
        acknowledged.push(body);
    }
    // There was room at MAIL, and none is left when the mail has come.
    for (number, size) in [(3, 20_000), (4, 300_000)] {
        device.envelope(&[RECIPIENT]).await;
        assert!(device.say("DATA").await.starts_with("354"));
        let wire = stuffed(&body(number, size));
        let (first, rest) = wire.split_at(wire.len() / 2);
        device.send(first).await;
        small.fill();
        device.send(rest).await;
        let reply = device.reply().await;
        assert!(reply.starts_with("452 4.3.1"), "{reply}");
        let (_, refused) = mail_is_answered(&site, "452").await;
        assert!(refused.starts_with("452 4.3.1"), "{refused}");
        small.empty();
        device = mail_is_answered(&site, "250").await.0;
        assert!(device.say("RSET").await.starts_with("250"));
    }
    let last = body(5, 100_000);
    assert!(queued(&device.mail_to(&[RECIPIENT], &last).await).is_some(), "service resumes by itself");
    acknowledged.push(last);
    drop(device);
    relay.kill().await;
    away.open();
    let mut relay = site.start(&[], &[]);
    assert!(relay.listens().await);
    everything_arrives(&sandbox, &acknowledged).await;
    assert!(relay.terminate().await.0.success());
    drop(site);
}
