//! The order of syncs before a `250`, as the system saw it.

use std::path::Path;

use crate::device::{Device, RECIPIENT};
use crate::relay::Site;
use crate::stage::{AT_ONCE, body, provider_away, queued};
use crate::strace::{self, Call};

#[tokio::test(flavor = "multi_thread")]
async fn a_250_comes_after_the_syncs_that_make_it_true() {
    if !strace::works() {
        return;
    }
    let (sandbox, _away) = provider_away().await;
    let site = Site::new(&sandbox, AT_ONCE);
    let trace = site.directory().join("trace");
    let mut relay = site.start(&strace::runner(&trace, &[]), &[]);
    assert!(relay.listens().await);
    let mut device = Device::greeted(site.address()).await;
    // The first one makes files that later ones find.
    for size in [100, 4 * 1024, 1024 * 1024] {
        let reply = device.mail_to(&[RECIPIENT], &body(size, size)).await;
        assert!(queued(&reply).is_some(), "{reply}");
    }
    drop(device);
    relay.kill().await;
    let storage = site.storage().canonicalize().unwrap();
    let calls = strace::read(&trace);
    let story: Vec<String> = calls.iter().filter_map(|call| event(call, &storage)).collect();
    let mut mails = story.split(|event| event == "354").skip(2);
    assert_eq!(mails.next().unwrap(), ["sync log", "250"], "4 KiB: {story:#?}");
    let large = ["sync data", "name data", "sync directory", "sync log", "250"];
    assert_eq!(mails.next().unwrap(), large, "1 MiB: {story:#?}");
}

/// What one call means for us. Only what has ended: a sync that is under way promises nothing, so each is told where
/// it ended, which for one thread waiting on another is before anything that follows.
fn event(call: &Call, storage: &Path) -> Option<String> {
    let path = |place: usize| call.opened(place).map(Path::new);
    let ours = |path: &Path| path.starts_with(storage);
    match call.name.as_str() {
        "sendto" | "write" | "writev" if call.opened(0)?.contains("socket:") || call.opened(0)?.contains("TCP") => {
            let text = call.text(1);
            let code = text.get(..3)?;
            (code == "354" || queued(text.trim_end()).is_some()).then(|| code.to_owned())
        }
        "fsync" | "fdatasync" => {
            assert_eq!(call.returned(), Some(0), "{call:?}");
            let path = path(0).filter(|path| ours(path))?;
            let name = path.file_name()?.to_string_lossy().into_owned();
            Some(match () {
                () if path.is_dir() => "sync directory".to_owned(),
                () if name.ends_with("-wal") => "sync log".to_owned(),
                () if name.contains(".db") || name.contains(".sqlite") => format!("sync {name}"),
                () => "sync data".to_owned(),
            })
        }
        "rename" | "renameat" | "renameat2" | "linkat" => Some("name data".to_owned()),
        _ => None,
    }
}
