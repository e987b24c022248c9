//! The room's tests: the command line, scripted peers for what QEMU and agents do not do on demand, and real guests.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod agent;
mod boot;
mod command;
mod guest;
mod leftovers;
mod memory;
mod monitor;
mod restore;
mod save;
mod serial;
mod window;

use std::{
    thread,
    time::{Duration, Instant},
};

/// Far beyond what anything here takes: for tests that would otherwise hang instead of failing.
const LONG: Duration = Duration::from_secs(120);

/// Waits until it is so, and fails when it never is.
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONG;
    while !is_so() {
        assert!(Instant::now() < deadline, "never happened: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}
