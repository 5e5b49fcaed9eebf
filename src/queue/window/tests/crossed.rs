//! Locks of a message and of a lane, taken by several threads at once: nobody waits for ever.
//!
//! A lane asks each message that lies in it under its own lock; so whoever holds a message's lock asks no lane. Real
//! threads and real time: what is looked for is that it ends at all.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;

use super::*;

/// So often a window ends beside whoever looks through the lane; crossed locks are met within the first few.
const TIMES: usize = 100;

#[test]
fn a_window_that_tells_of_a_failure_does_not_wait_for_a_lane_that_asks_its_message() {
    let house = Arc::new(House::new());
    house.queue.end_windows();
    let (done, is_done) = mpsc::channel();
    let over = Arc::new(AtomicBool::new(false));
    let looking = {
        let (house, over) = (Arc::clone(&house), Arc::clone(&over));
        thread::spawn(move || {
            let office = "office".into();
            while !over.load(Ordering::Relaxed) {
                house.queue.core().unwrap().lanes.prune(&office);
            }
        })
    };
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        for _ in 0..TIMES {
            // Two parcels: of the first somebody is to be told, the second waits in the lane.
            let answer = runtime.block_on(async {
                let mut mail = house.offer("a@x b@x c@x d@x");
                house.claim("office").await.settle(vec![never(550); 3], None).await;
                mail.hears().await
            });
            assert!(answer.starts_with("250 2.0.0 Ok: queued"), "{answer}");
        }
        done.send(()).unwrap();
    });
    let in_time = is_done.recv_timeout(Duration::from_secs(30));
    over.store(true, Ordering::Relaxed);
    in_time.expect("the window and the lane wait for each other");
    looking.join().unwrap();
}
