//! Moments at which a test can make the program die, by `FAILPOINTS=NAME=return` in the environment (of the `fail`
//! crate: `3*off->return` dies the fourth time). Only builds with debug assertions have them: the profile `release`,
//! and not `dist`, which makes what is shipped.

/// The program is at a moment of that name.
#[cfg(debug_assertions)]
pub(crate) async fn reach(name: &'static str) {
    fn at(name: &str) {
        // As by SIGKILL: nothing is flushed, nothing is dropped.
        fail::fail_point!(name, |_| std::process::abort());
    }
    // On a thread that may sleep, so that signals are still heard. A panic there is meant for the test.
    _ = tokio::task::spawn_blocking(move || at(name)).await;
}

/// The program is at a moment of that name.
#[cfg(not(debug_assertions))]
pub(crate) async fn reach(_: &'static str) {}

/// Takes what is to happen from the environment, until the value is dropped.
#[cfg(debug_assertions)]
pub fn from_environment() -> impl Drop {
    fail::FailScenario::setup()
}
