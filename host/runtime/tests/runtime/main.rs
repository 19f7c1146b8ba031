//! Proves that a plugin can harm nobody but itself: good and hostile components on the real runtime.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helpers fail the test, as the tests themselves do"
)]

mod samples;
mod support;

mod answers;
mod limits;
mod loading;
mod turns;
