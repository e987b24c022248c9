//! A save of a guest's memory that a process before this one began.
//!
//! QEMU has the file and comes to its end without us (`save`). Until it has closed that file no other save may begin: the
//! memory is protected still, and the guest's writes are answered by nobody if it is protected twice.

use super::Machine;
use std::{
    fs,
    ops::ControlFlow,
    path::Path,
    thread,
    time::{Duration, Instant},
};

/// How often is looked.
const LOOK: Duration = Duration::from_millis(20);

impl Machine {
    /// Waits until QEMU has no file of this folder open any more, also none that was removed. False when that did not come
    /// to be in time, or `tell` broke off. To be called before the fence is armed.
    pub fn await_save(
        &self,
        folder: &Path,
        within: Duration,
        tell: &mut dyn FnMut() -> ControlFlow<()>,
    ) -> bool {
        let deadline = Instant::now() + within;
        while self.exit().is_none() && is_any_open(self.pid(), folder) {
            if Instant::now() >= deadline || tell().is_break() {
                return false;
            }
            thread::sleep(LOOK);
        }
        true
    }
}

/// Whether the process has a file of this folder open. The kernel tells of a removed one where it was.
fn is_any_open(pid: u32, folder: &Path) -> bool {
    let Ok(folder) = fs::canonicalize(folder) else {
        return false;
    };
    fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten()
        .flatten()
        .any(|entry| {
            fs::read_link(entry.path())
                .is_ok_and(|target| target.parent() == Some(folder.as_path()))
        })
}
