//! What `durable` means: power cuts, the order of syncs, a full disk, one that fails and one that hangs, each seen from
//! outside; and what a mail costs that lies on the disk because it is large.
//!
//! The program runs as it is delivered. `strace` tells what it asked of the system, and makes syncs fail; where it
//! cannot be used, and where there is no root to mount a file system, the test says loudly that it shows nothing.

#[path = "../support/chance.rs"]
#[allow(dead_code, reason = "each test uses its part of it")]
mod chance;
#[path = "../relay/device.rs"]
#[allow(dead_code, reason = "each test uses its part of it")]
mod device;
#[path = "../support/disk.rs"]
mod disk;
mod ending;
mod failing;
mod full;
mod kept;
mod large;
mod order;
mod power;
#[path = "../support/relay.rs"]
#[allow(dead_code, reason = "each test uses its part of it")]
mod relay;
#[path = "../support/replay.rs"]
mod replay;
mod spoiler;
mod stage;
#[path = "../support/strace.rs"]
mod strace;
