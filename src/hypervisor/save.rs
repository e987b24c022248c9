//! Saving a guest's memory to a file, while it runs or while it is paused.
//!
//! QEMU sends its stream (memory and devices) to a socket in the instance's folder; a thread of ours writes it to the file.
//! In the background way QEMU stops the guest, drains and flushes its disks, takes note of the devices, protects the memory
//! against writing and lets the guest go on, all by itself; pages that the guest then writes are sent before they change. The
//! flush of the fence in between is the moment for the disks (`crate::nbd`).
//!
//! # What holds
//! - A memory counts as saved only if QEMU told, in this order and nothing else, that it is active, that the guest stopped,
//!   that it goes on, and that all is completed; and the guest ran at the beginning. A stop of another origin in between would
//!   pair the memory with disks of another instant.
//! - Whatever else happens, the guest is afterwards as it was before: one that ran runs. The file goes.
//! - QEMU never waits for us: where the file may not grow any more, or nobody wants it, its stream is taken and dropped up to
//!   its end; a save of a running guest is cut off only where it does not come to one (`receive` says why).
//!
//! # A crash
//! Of ours: the socket is gone and QEMU gives the save up. Where that was before the guest went on, it stands: who finds the
//! machine again compares its run state with the intended one. A file that is not whole stays, for its owner to remove.

use super::{
    Error, Machine, RunState,
    folder::{self, Folder},
    machine::until,
    qmp::{self, Event},
    receive::Stream,
};
use serde_json::{Value, json};
use std::{
    fs::{self, File},
    io,
    ops::ControlFlow,
    os::unix::{fs::OpenOptionsExt, net::UnixListener},
    path::PathBuf,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// Bytes a second that QEMU may send: as many as it can (its default would be 128 MiB/s).
const BANDWIDTH: u64 = 1 << 40;
/// How often progress is told.
const TELL: Duration = Duration::from_millis(100);
/// How long a save that nobody wants any more may take to come to its own end: it has no disk to wait for.
const ITS_END: Duration = Duration::from_secs(600);
/// How long QEMU may take to see that a save is cut off.
const GIVING_UP: Duration = Duration::from_secs(15);
/// For how long it is tried to have the guest as it was.
const MENDING: Duration = Duration::from_secs(60);
/// How long the rest of the stream may take after QEMU said that it is all sent.
const REST: Duration = Duration::from_secs(10);
/// More events than this are not a save.
const MOST_EVENTS: usize = 64;

/// Where a memory goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sink {
    /// The file; made, or emptied. Removed again if the save comes to nothing.
    pub path: PathBuf,
    /// Bytes it may have at most.
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
    stream: Arc<Stream>,
    path: PathBuf,
    its_end: Duration,
    /// QEMU was told to begin.
    begun: bool,
    /// It has come to an end, of whichever kind.
    over: bool,
}

impl Machine {
    /// Begins to save the guest's memory. When this returns, the guest may stand already. A second save at the same time
    /// is refused.
    ///
    /// # Errors
    /// [`Error::State`] unless the guest runs (or, for [`Way::Still`], is paused); [`Error::Refused`] in QEMU's words, as
    /// where it cannot; [`Error::NotSaved`] when another save runs; [`Error::Io`]; those of [`Machine::run_state`].
    pub fn save(&self, sink: &Sink, way: Way) -> Result<Save, Error> {
        self.save_until(sink, way, ITS_END)
    }

    /// As [`Machine::save`], with how long it may take to come to its end once it is given up.
    pub(super) fn save_until(
        &self,
        sink: &Sink,
        way: Way,
        its_end: Duration,
    ) -> Result<Save, Error> {
        let ear = Arc::new(Ear::default());
        if !self.listen_for(&ear) {
            return Err(Error::NotSaved {
                why: "another save runs".to_owned(),
            });
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
        let listener = self.folder().listen(folder::MEMORY)?;
        let file = File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&sink.path)
            .map_err(Error::io("make", &sink.path))?;
        let stream = Arc::new(Stream::default());
        // From here on whatever fails undoes the rest.
        let mut save = Save {
            machine: self.clone(),
            way,
            ear,
            stream: Arc::clone(&stream),
            path: sink.path.clone(),
            its_end,
            begun: false,
            over: false,
        };
        let limit = sink.limit;
        let own_folder = self.folder();
        thread::Builder::new()
            .name("qemu-memory".to_owned())
            .spawn(move || {
                stream.run(listener, file, limit);
                own_folder.forget(folder::MEMORY);
            })
            .map_err(Error::io("start a thread for", &sink.path))?;
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
        let to = json!({ "uri": format!("unix:{}", folder::MEMORY) });
        // Also where no answer comes it may have.
        save.begun = true;
        self.execute("migrate", Some(to))?;
        Ok(save)
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
            if let Some(Err(why)) = self.stream.ended_within(Duration::ZERO) {
                return Err(failed(why));
            }
            if Instant::now() >= deadline {
                return Err(failed("it took too long".to_owned()));
            }
            if tell(self.stream.bytes()).is_break() {
                return Err(Error::Cancelled);
            }
        };
        if end != Told::Completed {
            let ours = match self.stream.ended_within(TELL) {
                Some(Err(why)) => why,
                _ => "nothing on our side".to_owned(),
            };
            return Err(failed(format!("QEMU says {end:?}; {ours}")));
        }
        match self.stream.ended_within(REST) {
            Some(Ok(())) if self.stream.closed_within(REST) => {}
            Some(Err(why)) => return Err(failed(why)),
            _ => return Err(failed("the stream has no end".to_owned())),
        }
        let stood_still = self.judge().map_err(failed)?;
        let bytes = self.stream.bytes();
        let _ = tell(bytes);
        Ok(SavedMemory { bytes, stood_still })
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
        self.stream.give_up();
        let _ = fs::remove_file(&self.path);
        if self.begun && self.way == Way::Background {
            self.await_its_end();
        }
        if self.machine.exit().is_some() {
            return Error::Gone;
        }
        self.stream.cut();
        if !self.is_idle() {
            // It may have ended meanwhile, or not answer while it waits for a flush: what counts is seen next.
            let _ = self.machine.execute("migrate_cancel", None);
        }
        // In this order: "failed" is said early, and "cancelled" late.
        let put_away = until(Instant::now() + GIVING_UP, || self.is_idle().then_some(()));
        if put_away.is_none() || !self.stream.closed_within(GIVING_UP) {
            tracing::error!("QEMU does not come to the end of a save that was given up");
        }
        match self.mend() {
            Ok(()) => error,
            Err(state) => Error::NotSaved {
                why: format!("{error}; and the guest is not as it was: {state}"),
            },
        }
    }

    /// Waits until QEMU has sent everything to nobody, or has failed by itself.
    fn await_its_end(&self) {
        let deadline = Instant::now() + self.its_end;
        while Instant::now() < deadline
            && self.machine.exit().is_none()
            && !self.stream.closed_within(TELL)
        {
            // One that never connected has no connection to close.
            let ended = self.ear.end_within(Duration::ZERO);
            if matches!(ended, Some(Told::Failed | Told::Cancelled)) && !self.stream.is_connected()
            {
                return;
            }
        }
    }

    /// Whether QEMU is not saving (any more).
    fn is_idle(&self) -> bool {
        match self.machine.execute("query-migrate", None) {
            Ok(answer) => matches!(
                answer.get("status").and_then(Value::as_str),
                None | Some("none" | "completed" | "failed" | "cancelled")
            ),
            Err(error) => matches!(error, Error::Gone),
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

impl Folder {
    /// Listens on a socket of the folder, whatever was there.
    fn listen(&self, name: &str) -> Result<UnixListener, Error> {
        self.forget(name);
        UnixListener::bind(self.short(name)).map_err(Error::io("listen on", self.path().join(name)))
    }

    /// Removes a socket's name.
    pub(super) fn forget(&self, name: &str) {
        match fs::remove_file(self.path().join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%error, folder = %self.path().display(), name, "a socket's name remains");
            }
            _ => {}
        }
    }
}
