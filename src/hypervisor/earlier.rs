//! What a save of a guest's memory leaves that nobody sees to any more: because the process that began it has ended, or
//! because it failed.
//!
//! QEMU has the file and comes to its end without us (`save`). Until it has closed that file no other save may begin: the
//! memory is protected still, and the guest's writes are answered by nobody if it is protected twice. Two things would stay
//! for ever:
//! - The handle of the file, where the process that gave it to QEMU ended before it said what for: QEMU drops the commands of
//!   a connection that breaks, and keeps what it was given. It is taken back.
//! - The protection of the memory, where a save fails after the guest went on (`protection`). It is lifted.

use super::{Error, Machine, protection, save};
use serde_json::{Value, json};
use std::{
    fs,
    ops::ControlFlow,
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

/// How often is looked.
const LOOK: Duration = Duration::from_millis(20);
/// How often it is looked whether it has failed.
const ASK: Duration = Duration::from_secs(1);
/// How long a QEMU that does not answer is looked at before it is held to be caught by its own protection.
const CAUGHT: Duration = Duration::from_secs(3);
/// How long QEMU may take to end a save that is cut off.
const CUT_OFF: Duration = Duration::from_secs(15);

/// How it stands with QEMU's save.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// None, or one that has ended.
    Idle,
    Running,
    /// QEMU does not answer.
    Mute,
}

impl Machine {
    /// Waits until QEMU has no file of this folder open any more, also none that was removed; one that does not come to its
    /// end in time is cut off. False when `tell` broke off, or that did not help either. To be called before the fence is
    /// armed.
    pub fn await_save(
        &self,
        folder: &Path,
        within: Duration,
        tell: &mut dyn FnMut() -> ControlFlow<()>,
    ) -> bool {
        self.take_back();
        let deadline = Instant::now() + within;
        let mut ask = Instant::now() + ASK;
        while self.exit().is_none() && is_any_open(self.pid(), folder) {
            if tell().is_break() {
                return false;
            }
            if Instant::now() >= deadline {
                return self.cut_off(folder);
            }
            if Instant::now() >= ask {
                self.free_memory();
                ask = Instant::now() + ASK;
            }
            thread::sleep(LOOK);
        }
        self.free_memory();
        true
    }

    /// Has the guest go on whose writes nobody answers any more, because a save of its memory failed. A save that goes on is
    /// left alone. Harmless where there is nothing to be done, and quick.
    pub fn free_memory(&self) {
        if !protection::may_be(self.pid()) {
            return;
        }
        // No save of ours begins meanwhile.
        let ear = Arc::new(save::Ear::default());
        if !self.listen_for(&ear) {
            return;
        }
        match self.standing() {
            Standing::Idle => self.lift(),
            Standing::Mute if self.is_caught() => self.lift(),
            Standing::Running | Standing::Mute => {}
        }
    }

    /// Lifts what a save has left, or is about to leave. No save may go on whose memory is to be kept.
    pub(super) fn lift(&self) {
        match protection::lift(self.process()) {
            Ok(false) => {}
            Ok(true) => tracing::warn!(
                pid = self.pid(),
                "a save that failed had left a guest's memory protected: it goes on"
            ),
            Err(error) => {
                if self.exit().is_none() {
                    tracing::error!(
                        pid = self.pid(),
                        error = &error as &dyn std::error::Error,
                        "a guest may hang, and must then be ended by force: the protection of its memory cannot be lifted"
                    );
                }
            }
        }
    }

    /// Tells QEMU to cancel a save whose memory nobody wants. What would answer may be caught by the save itself, so its
    /// protection is lifted meanwhile.
    pub(super) fn cancel_save(&self) {
        thread::scope(|scope| {
            let cancel = || self.execute("migrate_cancel", None).map(drop);
            let telling = thread::Builder::new()
                .name("qemu-cancel".to_owned())
                .spawn_scoped(scope, cancel);
            match telling {
                Ok(telling) => {
                    while !telling.is_finished() {
                        self.lift();
                        thread::sleep(LOOK);
                    }
                }
                // Nobody lifts meanwhile: it may take until the command is given up.
                Err(_) => drop(cancel()),
            }
        });
    }

    /// Takes back a file that QEMU was given and does not use.
    pub(super) fn take_back(&self) {
        let handle = Some(json!({ "fdname": save::HANDLE }));
        // Refused where there is none.
        if let Err(error @ (Error::TimedOut { .. } | Error::Broken { .. })) =
            self.execute("closefd", handle)
        {
            tracing::warn!(pid = self.pid(), %error, "it is not known whether QEMU holds a file");
        }
    }

    pub(super) fn standing(&self) -> Standing {
        match self.execute("query-migrate", None) {
            Ok(answer) => match answer.get("status").and_then(Value::as_str) {
                None | Some("none" | "completed" | "failed" | "cancelled") => Standing::Idle,
                Some(_) => Standing::Running,
            },
            Err(Error::Gone) => Standing::Idle,
            Err(_) => Standing::Mute,
        }
    }

    /// Whether QEMU, which does not answer, waits for itself: one of its threads all the time for an answer to its write,
    /// which a save that goes on gives within milliseconds.
    fn is_caught(&self) -> bool {
        let mut caught = protection::waiting(self.pid());
        let end = Instant::now() + CAUGHT;
        while !caught.is_empty() {
            if Instant::now() >= end {
                return true;
            }
            thread::sleep(LOOK);
            let still = protection::waiting(self.pid());
            caught.retain(|thread| still.contains(thread));
        }
        false
    }

    /// Ends a save that nobody wants, and that does not end by itself; whether QEMU has closed its files.
    fn cut_off(&self, folder: &Path) -> bool {
        tracing::warn!(
            pid = self.pid(),
            "a save that was begun earlier does not end: it is cut off"
        );
        self.cancel_save();
        let end = Instant::now() + CUT_OFF;
        loop {
            self.lift();
            if self.exit().is_some() || !is_any_open(self.pid(), folder) {
                return true;
            }
            if Instant::now() >= end {
                return false;
            }
            thread::sleep(LOOK);
        }
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
