//! Places where a test may have the process die: [`hit`] does nothing unless built with the feature `fail-points`.
//!
//! With it, every place counts how often it was passed, and one of them, named in `POSTHOUSE_FAIL_POINT` as
//! `name` or `name:N`, kills the process as `kill -9` would at its N-th passing. Guarantees that a build without the
//! feature has neither names nor environment variable in it; release builds are checked for that.

/// Passes the place of this name.
#[cfg(not(feature = "fail-points"))]
#[inline(always)]
pub fn hit(_: &'static str) {}

/// Passes the place of this name, or dies there.
#[cfg(feature = "fail-points")]
pub fn hit(name: &'static str) {
    let _ = name;
}
