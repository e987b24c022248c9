//! Saving a guest's memory to a file, while it runs or while it is paused.
//!
//! QEMU writes its stream (memory and devices) into a file that we open and hand over. In the background way QEMU stops the
//! guest, drains and flushes its disks, takes note of the devices, protects the memory against writing and lets the guest
//! go on, all by itself; pages that the guest then writes are saved before they change. The flush of the fence in between
//! is the moment for the disks (`crate::nbd`).
//!
//! # Why a file, and why nothing is cut off
//! A save of a running guest that fails after the guest went on leaves its memory protected and nobody there to lift that:
//! the guest's next write is never answered, while QEMU says that it runs (seen with 7.2, in `handle_userfault`, whether
//! the stream broke, the save was cancelled, or the next one was begun before the last one had put everything away). We
//! lift it from outside (`protection`), where the system lets us. So that this is seldom needed:
//! - QEMU has the file itself. That we end, or stand, does not end or hold up a save.
//! - The room for all of it is set aside before QEMU is told to begin: a disk that fills up meanwhile does no harm.
//! - A save that nobody wants any more is cancelled where the protection can be lifted afterwards. Elsewhere it is let come
//!   to its own end, and cancelled only if it does not.
//! - QEMU says that a save has ended before it has put everything away. It closes the file after that. The file bears a
//!   lock that lives as long as QEMU's handle of it: a save is over when another can take the lock.
//!
//! # What holds
//! - A memory counts as saved only if QEMU told, in this order and nothing else, that it is active, that the guest stopped,
//!   that it goes on, and that all is completed; and the guest ran at the beginning. A stop of another origin in between would
//!   pair the memory with disks of another instant.
//! - Whatever else happens, the guest is afterwards as it was before: one that ran runs. The file goes.
//!
//! # A crash
//! Of ours: QEMU goes on saving, into a file for whose removal its owner is to see. Where the guest stands because of it
//! (a server that holds the fence's flush ends), it stands until there is a server again, or, if the save fails, until who
//! finds the machine compares its run state with the intended one.

use super::{
    Error, Machine, RunState,
    earlier::Standing,
    machine::until,
    protection,
    qmp::{self, Event},
};
use rustix::{
    fs::{FallocateFlags, FlockOperation},
    io::Errno,
};
use serde_json::{Value, json};
use std::{
    fs::{self, File},
    ops::ControlFlow,
    os::{fd::AsFd, unix::fs::OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Bytes a second that QEMU may send: as many as it can (its default would be 128 MiB/s).
const BANDWIDTH: u64 = 1 << 40;
/// How often progress is told.
const TELL: Duration = Duration::from_millis(100);
/// How long a save that nobody wants any more may take to come to its own end, where it must: it has no disk to wait for.
const ITS_END: Duration = Duration::from_secs(600);
/// How long QEMU may take to see that a save is cut off.
const GIVING_UP: Duration = Duration::from_secs(15);
/// For how long it is tried to have the guest as it was.
const MENDING: Duration = Duration::from_secs(60);
/// How long QEMU may take to put everything away after it said that the save is completed.
const PUT_AWAY: Duration = Duration::from_secs(60);
/// Bytes of a stream beyond the guest's memory: devices, firmware. A page of the memory has at most 16 more.
const BESIDE: u64 = 32 << 20;
/// The name of the file in QEMU's hands.
pub(super) const HANDLE: &str = "memory";
/// How QEMU's words end where there is no room (`ENOSPC`, as its C library puts it in the locale that it is started in).
const NO_SPACE: &str = "No space left on device";
/// More events than this are not a save.
const MOST_EVENTS: usize = 64;

/// Where a memory goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sink {
    /// The file; made, or emptied. Removed again if the save comes to nothing.
    pub path: PathBuf,
    /// Bytes it may have. What the guest's memory may need of them is set aside beforehand.
    pub limit: u64,
}

/// How a memory is saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// While the guest runs; it stands still for a moment at the beginning. Needs
    /// [`Capabilities::background_snapshot`](super::Capabilities::background_snapshot).
    Background,
    /// While the guest is paused, and it stays so. [`Machine::resume`] lets it go on.
    Still,
}

/// A memory that was saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SavedMemory {
    /// Bytes in the file.
    pub bytes: u64,
    /// How long the guest stood still, by QEMU's own clock; none where it was paused all the time.
    pub stood_still: Option<Duration>,
}

/// What QEMU told of a save, with its own time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Active,
    Stop(Duration),
    Resume(Duration),
    Completed,
    Failed,
    Cancelled,
    /// The connection was made anew, or there is no end of events: something may have been missed.
    Lost,
}

impl Told {
    fn of(event: &Event) -> Option<Self> {
        let at = event.at.unwrap_or_default();
        match event.name.as_str() {
            "STOP" => Some(Self::Stop(at)),
            "RESUME" => Some(Self::Resume(at)),
            qmp::STATUS => Some(Self::Lost),
            "MIGRATION" => match event.data.get("status").and_then(Value::as_str)? {
                "active" => Some(Self::Active),
                "completed" => Some(Self::Completed),
                "failed" => Some(Self::Failed),
                "cancelled" => Some(Self::Cancelled),
                _ => None,
            },
            _ => None,
        }
    }

    fn is_an_end(self) -> bool {
        matches!(
            self,
            Self::Completed | Self::Failed | Self::Cancelled | Self::Lost
        )
    }
}

/// Hears QEMU's events for one save.
#[derive(Debug, Default)]
pub(super) struct Ear {
    told: Mutex<Vec<Told>>,
    changed: Condvar,
}

impl Ear {
    /// Called by the reader of QEMU's messages: must not wait.
    pub fn hear(&self, event: &Event) {
        let Some(told) = Told::of(event) else { return };
        let mut all = self.told();
        match all.len() {
            ..MOST_EVENTS => all.push(told),
            MOST_EVENTS => all.push(Told::Lost),
            _ => {}
        }
        self.changed.notify_all();
    }

    fn told(&self) -> MutexGuard<'_, Vec<Told>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it was told that the save came to no good end.
    fn has_failed(&self) -> bool {
        let told = self.told();
        told.iter()
            .any(|one| matches!(one, Told::Failed | Told::Cancelled))
    }

    /// Waits for the first that ends a save.
    fn end_within(&self, within: Duration) -> Option<Told> {
        let told = self
            .changed
            .wait_timeout_while(self.told(), within, |told| {
                !told.iter().any(|one| one.is_an_end())
            })
            .unwrap_or_else(PoisonError::into_inner)
            .0;
        told.iter().copied().find(|one| one.is_an_end())
    }
}

/// A save that runs. Dropped before its end it is given up, which may take a while.
#[derive(Debug)]
#[must_use = "a save that is dropped is given up"]
pub struct Save {
    machine: Machine,
    way: Way,
    ear: Arc<Ear>,
    file: Watched,
    path: PathBuf,
    its_end: Duration,
    /// It has come to an end, of whichever kind.
    over: bool,
}

/// A file that QEMU has, by a handle of our own.
#[derive(Debug)]
struct Watched(File);

impl Watched {
    /// Makes the file, sets room aside, and locks it by the handle that is to be QEMU's.
    fn make(path: &Path, room: u64) -> Result<(Self, File), Error> {
        let own = File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(path)
            .map_err(Error::io("make", path))?;
        match rustix::fs::fallocate(&own, FallocateFlags::KEEP_SIZE, 0, room) {
            Ok(()) => {}
            Err(Errno::OPNOTSUPP) => tracing::warn!(
                path = %path.display(),
                "no room can be set aside for a memory here: it must not run out while one is saved"
            ),
            Err(error) => {
                let _ = fs::remove_file(path);
                return Err(Error::io("set room aside in", path)(error.into()));
            }
        }
        let watched = rustix::fs::flock(&own, FlockOperation::NonBlockingLockExclusive)
            .map_err(std::io::Error::from)
            .and_then(|()| File::open(path))
            .map_err(Error::io("lock", path))?;
        Ok((Self(watched), own))
    }

    fn bytes(&self) -> u64 {
        self.0.metadata().map_or(0, |found| found.len())
    }

    /// Whether QEMU has closed it.
    fn is_closed(&self) -> bool {
        rustix::fs::flock(&self.0, FlockOperation::NonBlockingLockExclusive).is_ok()
    }
}

impl Machine {
    /// Begins to save the guest's memory. When this returns, the guest may stand already. A second save at the same time
    /// is refused.
    ///
    /// For disks of the same instant: arm the fence, then call this, then wait for the flush.
    ///
    /// # Errors
    /// [`Error::State`] unless the guest runs (or, for [`Way::Still`], is paused); [`Error::Refused`] in QEMU's words, as
    /// where it cannot; [`Error::NotSaved`] when another save runs, or the file may not have as much as the guest's memory;
    /// [`Error::Io`], also when there is no room; those of [`Machine::run_state`].
    pub fn save(&self, sink: &Sink, way: Way) -> Result<Save, Error> {
        let its_end = if protection::can_be_lifted(self.process()) {
            Duration::ZERO
        } else {
            ITS_END
        };
        self.save_until(sink, way, its_end)
    }

    /// As [`Machine::save`], with how long it may take to come to its end once it is given up.
    pub(super) fn save_until(
        &self,
        sink: &Sink,
        way: Way,
        its_end: Duration,
    ) -> Result<Save, Error> {
        let ear = Arc::new(Ear::default());
        let not = |why: String| Error::NotSaved { why };
        if !self.listen_for(&ear) {
            return Err(not("another save runs".to_owned()));
        }
        let state = self.run_state()?;
        match (way, &state) {
            (Way::Background, RunState::Running) => {}
            // As a save in the same way leaves it.
            (Way::Still, RunState::Paused | RunState::Migrating) => {}
            _ => return Err(Error::State { state }),
        }
        // What was told before that answer is of before.
        ear.told().clear();
        if !self.is_idle() {
            return Err(not("an earlier save has not come to its end".to_owned()));
        }
        // As a process that ended between giving it and saying what for leaves it.
        self.take_back();
        let memory = self.memory()?;
        if sink.limit < memory {
            let limit = sink.limit;
            return Err(not(format!(
                "{memory} bytes of memory, {limit} for the file"
            )));
        }
        let room = memory.saturating_add(memory / 256).saturating_add(BESIDE);
        let made = Watched::make(&sink.path, room)?;
        // From here on whatever fails undoes the rest.
        let save = Save {
            machine: self.clone(),
            way,
            ear,
            file: made.0,
            path: sink.path.clone(),
            its_end,
            over: false,
        };
        // Declared after `save`, so dropped before it: giving it up waits until nobody has the file.
        let own = made.1;
        let capability = |name: &str, state: bool| json!({ "capability": name, "state": state });
        let capabilities = json!({ "capabilities": [
            capability("events", true),
            capability("background-snapshot", way == Way::Background),
        ] });
        self.execute("migrate-set-capabilities", Some(capabilities))?;
        self.execute(
            "migrate-set-parameters",
            Some(json!({ "max-bandwidth": BANDWIDTH })),
        )?;
        self.hand_over(HANDLE, own.as_fd())?;
        drop(own);
        let to = json!({ "uri": format!("fd:{HANDLE}") });
        self.execute("migrate", Some(to))?;
        Ok(save)
    }

    /// Whether QEMU is not saving (any more).
    fn is_idle(&self) -> bool {
        self.standing() == Standing::Idle
    }

    /// Bytes of the guest's memory.
    fn memory(&self) -> Result<u64, Error> {
        let answer = self.execute("query-memory-size-summary", None)?;
        let part = |name| answer.get(name).and_then(Value::as_u64).unwrap_or(0);
        Ok(part("base-memory").saturating_add(part("plugged-memory")))
    }
}

impl Save {
    /// Waits until all is in the file, telling how many bytes are so far. When `tell` breaks off, or `within` has passed,
    /// the save is given up; the guest is then as it was at the beginning, and there is no file.
    ///
    /// # Errors
    /// [`Error::Cancelled`] when it was broken off; [`Error::NotSaved`]; [`Error::Gone`].
    pub fn finish(
        mut self,
        within: Duration,
        tell: &mut dyn FnMut(u64) -> ControlFlow<()>,
    ) -> Result<SavedMemory, Error> {
        let result = self.wait(Instant::now() + within, tell);
        match result {
            Ok(saved) => {
                self.over = true;
                Ok(saved)
            }
            Err(error) => Err(self.give_up(error)),
        }
    }

    fn wait(
        &self,
        deadline: Instant,
        tell: &mut dyn FnMut(u64) -> ControlFlow<()>,
    ) -> Result<SavedMemory, Error> {
        let failed = |why: String| Error::NotSaved { why };
        let end = loop {
            if let Some(end) = self.ear.end_within(TELL) {
                break end;
            }
            if self.machine.exit().is_some() {
                return Err(Error::Gone);
            }
            if Instant::now() >= deadline {
                return Err(failed("it took too long".to_owned()));
            }
            if tell(self.file.bytes()).is_break() {
                return Err(Error::Cancelled);
            }
        };
        if end != Told::Completed {
            return Err(failed(format!("QEMU says {end:?}")));
        }
        if !self.is_put_away_within(PUT_AWAY) {
            return Err(failed("QEMU does not close the file".to_owned()));
        }
        let stood_still = self.judge().map_err(failed)?;
        let bytes = self.file.bytes();
        let _ = tell(bytes);
        Ok(SavedMemory { bytes, stood_still })
    }

    /// Waits until QEMU has put everything away, or is gone.
    fn is_put_away_within(&self, within: Duration) -> bool {
        let over = || self.file.is_closed() || self.machine.exit().is_some();
        until(Instant::now() + within, || over().then_some(())).is_some()
    }

    /// Whether what was told is exactly what a good save tells.
    fn judge(&self) -> Result<Option<Duration>, String> {
        let told = self.ear.told().clone();
        match (self.way, told.as_slice()) {
            (
                Way::Background,
                [
                    Told::Active,
                    Told::Stop(stop),
                    Told::Resume(resume),
                    Told::Completed,
                ],
            ) => Ok(Some(resume.saturating_sub(*stop))),
            (Way::Still, [Told::Active, Told::Completed]) => Ok(None),
            (_, told) => Err(format!("QEMU told something else: {told:?}")),
        }
    }

    /// Ends it and puts things back; the error, with what could not be put back.
    fn give_up(&mut self, error: Error) -> Error {
        self.over = true;
        let _ = fs::remove_file(&self.path);
        if self.ear.has_failed() {
            // It may not answer before.
            self.machine.lift();
        }
        // Where it was not begun QEMU may have the file all the same.
        self.machine.take_back();
        let its_end = match self.way {
            Way::Background => self.its_end,
            // A guest that stands is not harmed by a cancelled save, and waits.
            Way::Still => Duration::ZERO,
        };
        if !self.is_over_within(its_end) && !self.machine.is_idle() {
            // It may have ended meanwhile, or not answer while it waits for a flush: what counts is seen next.
            self.machine.cancel_save();
        }
        // In this order: "failed" is said early, and "cancelled" late. One that was cancelled early enough lays its
        // protection afterwards.
        let idle = until(Instant::now() + GIVING_UP, || {
            self.machine.lift();
            self.machine.is_idle().then_some(())
        });
        if idle.is_none() || !self.is_put_away_within(GIVING_UP) {
            tracing::error!("QEMU does not come to the end of a save that was given up");
        }
        self.machine.lift();
        if self.machine.exit().is_some() {
            return Error::Gone;
        }
        let error = self.in_its_words(error);
        match self.mend() {
            Ok(()) => error,
            Err(state) => Error::NotSaved {
                why: format!("{error}; and the guest is not as it was: {state}"),
            },
        }
    }

    /// As [`Save::is_put_away_within`]; one that fails meanwhile leaves the memory protected, and may not come to that end
    /// before it is freed.
    fn is_over_within(&self, within: Duration) -> bool {
        until(Instant::now() + within, || {
            if self.ear.has_failed() {
                self.machine.lift();
            }
            let over = self.file.is_closed() || self.machine.exit().is_some();
            over.then_some(())
        })
        .is_some()
    }

    /// The error with the reason that QEMU gives, if it does.
    fn in_its_words(&self, error: Error) -> Error {
        let Error::NotSaved { why } = error else {
            return error;
        };
        let said = self.machine.execute("query-migrate", None).ok();
        let said = said
            .as_ref()
            .and_then(|answer| answer.get("error-desc")?.as_str());
        match said {
            Some(said) if said.ends_with(NO_SPACE) => {
                Error::io("write", &self.path)(std::io::ErrorKind::StorageFull.into())
            }
            Some(said) => Error::NotSaved {
                why: format!("{why}: {said}"),
            },
            None => Error::NotSaved { why },
        }
    }

    /// Has a guest run that ran, and stand that stood.
    fn mend(&self) -> Result<(), String> {
        let mut last = "it does not answer".to_owned();
        let mended = until(Instant::now() + MENDING, || {
            let state = match self.machine.run_state() {
                Ok(state) => state,
                Err(Error::Gone) => return Some(()),
                Err(error) => {
                    last = error.to_string();
                    return None;
                }
            };
            let told = match (self.way, &state) {
                (Way::Background, RunState::Paused | RunState::Migrating) => self.machine.resume(),
                (Way::Still, RunState::Running) => self.machine.pause(),
                // Also where a disk has stopped it, it has come to its end, or the like: that is not of our making, and
                // others see to it.
                _ => return Some(()),
            };
            last = match told {
                Ok(()) => format!("{state:?}"),
                Err(error) => error.to_string(),
            };
            None
        });
        mended.ok_or_else(|| {
            tracing::error!(
                last,
                "a guest cannot be put back to how it was before a save"
            );
            last
        })
    }
}

impl Drop for Save {
    fn drop(&mut self) {
        if !self.over {
            let why = "it was dropped".to_owned();
            let error = self.give_up(Error::NotSaved { why });
            tracing::debug!(%error, "a save was given up");
        }
    }
}
