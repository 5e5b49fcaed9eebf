//! Places where a test may have the process die: [`hit`] does nothing unless built with the feature `fail-points`.
//!
//! With it, each passing is a line in the file named by `POSTHOUSE_FAIL_POINT_LOG`; the place named in
//! `POSTHOUSE_FAIL_POINT`, as `name` or `name:N`, kills the process as `kill -9` would at its N-th passing; and
//! `POSTHOUSE_DEFECT` names a fault that was built in on purpose, for tests that must find it. Guarantees that a build
//! without the feature has none of it: no names, no environment. Release builds are checked for that. A name belongs to
//! one place and stands there as a literal: the crash test reads the sources for the list of all, and demands that
//! each was passed.

#[cfg(not(feature = "fail-points"))]
mod unarmed {
    /// Passes the place of this name.
    #[inline]
    pub fn hit(_: &'static str) {}

    /// Whether the fault of this name is wanted: never.
    #[must_use]
    #[inline]
    pub fn defect(_: &'static str) -> bool {
        false
    }
}

#[cfg(not(feature = "fail-points"))]
pub use unarmed::{defect, hit};

#[cfg(feature = "fail-points")]
pub use armed::{defect, hit};

#[cfg(feature = "fail-points")]
mod armed {
    use std::fs::File;
    use std::io::Write;
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    use rustix::process::{Signal, getpid, kill_process};

    /// What this process was told by its environment.
    struct Orders {
        log: Option<File>,
        death: Option<Death>,
        defect: Option<String>,
    }

    /// Where it ends.
    struct Death {
        place: String,
        /// Passings that are left, the last one included.
        left: AtomicU64,
    }

    static ORDERS: LazyLock<Orders> = LazyLock::new(|| Orders {
        log: std::env::var_os("POSTHOUSE_FAIL_POINT_LOG").map(|path| {
            File::options().append(true).create(true).open(path).expect("a test names a file it can write")
        }),
        death: std::env::var("POSTHOUSE_FAIL_POINT").ok().map(|told| Death::told(&told)),
        defect: std::env::var("POSTHOUSE_DEFECT").ok(),
    });

    impl Death {
        fn told(told: &str) -> Self {
            let (place, passing) = told.split_once(':').unwrap_or((told, "1"));
            let left = passing.parse().expect("a test writes `name` or `name:N`");
            Self { place: place.to_owned(), left: AtomicU64::new(left) }
        }
    }

    /// Passes the place of this name, or dies there.
    pub fn hit(name: &'static str) {
        let Orders { log, death, .. } = &*ORDERS;
        if let Some(mut log) = log.as_ref() {
            // One write: it is whole, or not there, whenever the process dies. A line that is missing fails the test.
            let _ = log.write_all(format!("{name}\n").as_bytes());
        }
        if let Some(death) = death
            && death.place == name
            && death.left.fetch_sub(1, Ordering::SeqCst) == 1
        {
            let _ = kill_process(getpid(), Signal::KILL);
            // Other threads may still run for a moment, this one goes no further.
            loop {
                std::thread::park();
            }
        }
    }

    /// Whether the fault of this name is wanted.
    #[must_use]
    pub fn defect(name: &'static str) -> bool {
        ORDERS.defect.as_deref() == Some(name)
    }
}
