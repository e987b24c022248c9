//! A running instance.
//!
//! Handles are clones of one core. The core has two threads: one reads QEMU's messages (`monitor`), one waits for the
//! process's end and trims the serial log meanwhile. Callbacks are never called by the reader, so a callback may ask the
//! machine anything. When the last handle is dropped the connection is closed and callbacks are forgotten; the QEMU runs
//! on, and [`Hypervisor::find`](super::Hypervisor::find) brings it back.

use super::{
    Agent, Error, Serial,
    folder::{Folder, Key},
    monitor::Monitor,
    process::{Pinned, Process},
    qmp::{self, Event},
    save::Ear,
};
use serde_json::Value;
use std::{
    collections::HashMap,
    os::unix::{net::UnixStream, process::ExitStatusExt},
    panic::{AssertUnwindSafe, catch_unwind},
    process::{Child, ExitStatus},
    sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak},
    thread,
    time::{Duration, Instant},
};

/// How long a command to QEMU may take.
const COMMAND_DEADLINE: Duration = Duration::from_secs(10);
/// How long [`Machine::kill`] waits. A process that the kernel cannot end by then hangs in a driver.
const KILL_DEADLINE: Duration = Duration::from_secs(60);
/// How often the serial log is trimmed.
const TRIM_EVERY: Duration = Duration::from_secs(10);
/// How long QEMU's last messages are read after its end.
const LAST_MESSAGES: Duration = Duration::from_secs(2);

/// What a machine is doing, as QEMU says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunState {
    /// The guest runs.
    Running,
    /// It was paused, by us.
    Paused,
    /// Made and never begun: whoever started it went away before it ran.
    Prelaunch,
    /// A disk's error stopped it; [`Machine::resume`] tries the failed requests again.
    IoError,
    /// It has shut down and QEMU is about to end.
    Shutdown,
    /// The guest sleeps (ACPI S3).
    Suspended,
    /// Its memory is being loaded, or has been saved.
    Migrating,
    /// The guest's kernel gave up.
    GuestPanicked,
    /// QEMU or KVM gave up.
    InternalError,
    /// Anything else, in QEMU's words.
    Other(String),
}

impl RunState {
    /// From the `status` of `query-status` (`RunState` in QEMU's `qapi/run-state.json`).
    fn of(status: &str) -> Self {
        match status {
            "running" => Self::Running,
            "paused" => Self::Paused,
            "prelaunch" => Self::Prelaunch,
            "io-error" => Self::IoError,
            "shutdown" => Self::Shutdown,
            "suspended" => Self::Suspended,
            "inmigrate" | "postmigrate" | "finish-migrate" | "save-vm" | "restore-vm" => {
                Self::Migrating
            }
            "guest-panicked" => Self::GuestPanicked,
            "internal-error" => Self::InternalError,
            other => Self::Other(other.chars().take(40).collect()),
        }
    }
}

/// How a machine came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// The guest switched itself off, or QEMU was told to quit over its own protocol: nothing is wrong.
    pub guest_asked: bool,
    /// What is known about it, for the log: QEMU's reason, how the process ended, its last words.
    pub reason: String,
}

type OnExit = Box<dyn FnOnce(Exit) + Send>;
type OnBlockError = Arc<dyn Fn() + Send + Sync>;

/// A QEMU process. Clones are the same machine.
#[derive(Clone)]
pub struct Machine {
    core: Arc<Core>,
}

impl std::fmt::Debug for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Machine")
            .field("pid", &self.pid())
            .finish_non_exhaustive()
    }
}

/// What all handles share.
pub(super) struct Core {
    folder: Arc<Folder>,
    process: Arc<Process>,
    /// Set once, directly after the core was made: the monitor's thread knows the core.
    monitor: OnceLock<Arc<Monitor>>,
    agent: Agent,
    watch: Mutex<Watch>,
    ended: Condvar,
    /// A save of the memory that runs.
    ear: Mutex<Weak<Ear>>,
}

#[derive(Default)]
struct Watch {
    exit: Option<Exit>,
    /// QEMU's own reason, told before it ends: whether the guest asked, and the word for it.
    shutdown: Option<(bool, String)>,
    on_exit: Vec<OnExit>,
    on_block_error: Vec<OnBlockError>,
    /// A disk stopped the guest and nobody was there to be told.
    untold: bool,
    /// A thread is telling it.
    telling: bool,
    /// It happened again meanwhile.
    again: bool,
}

/// Machines of this process by their folder, so that a second handle shares the one connection QEMU gives.
static MACHINES: Mutex<Option<HashMap<Key, Weak<Core>>>> = Mutex::new(None);

/// The machine in this folder, if this process has a handle of it and it lives.
pub(super) fn known(key: Key) -> Option<Machine> {
    let machines = MACHINES.lock().unwrap_or_else(PoisonError::into_inner);
    let core = machines.as_ref()?.get(&key)?.upgrade()?;
    drop(machines);
    let machine = Machine { core };
    machine.exit().is_none().then_some(machine)
}

impl Machine {
    /// Takes charge of a process whose machine protocol `stream` is connected to.
    pub(super) fn attach(
        folder: Arc<Folder>,
        process: Process,
        child: Option<Child>,
        stream: UnixStream,
    ) -> Result<Self, Error> {
        let process = Arc::new(process);
        let core = Arc::new(Core {
            agent: Agent::new(Arc::clone(&folder)),
            folder: Arc::clone(&folder),
            process: Arc::clone(&process),
            monitor: OnceLock::new(),
            watch: Mutex::default(),
            ended: Condvar::new(),
            ear: Mutex::default(),
        });
        let weak = Arc::downgrade(&core);
        let hearing = weak.clone();
        // Without the threads below nobody would have charge of it.
        let ours = child.is_some();
        let end = |_: &Error| {
            if ours {
                process.kill();
            }
        };
        let monitor = Monitor::start(
            Arc::clone(&folder),
            Arc::clone(&process),
            stream,
            move |event| {
                if let Some(core) = hearing.upgrade() {
                    core.hear(&event);
                }
            },
        )
        .inspect_err(end)?;
        // It was empty.
        let _ = core.monitor.set(Arc::clone(&monitor));
        core.agent.known_by(&monitor);
        thread::Builder::new()
            .name("qemu-wait".to_owned())
            .spawn({
                let folder = Arc::clone(&folder);
                let process = Arc::clone(&process);
                let weak = weak.clone();
                move || attend(&folder, &process, child, &monitor, &weak)
            })
            .map_err(Error::io("start a thread for", folder.path()))
            .inspect_err(end)?;
        let mut machines = MACHINES.lock().unwrap_or_else(PoisonError::into_inner);
        let machines = machines.get_or_insert_default();
        machines.retain(|_, core| core.strong_count() > 0);
        machines.insert(folder.key(), weak);
        Ok(Self { core })
    }

    /// The process's number, for people and logs.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.core
            .process
            .pid()
            .as_raw_nonzero()
            .get()
            .unsigned_abs()
    }

    /// What the machine is doing.
    ///
    /// # Errors
    /// [`Error::Gone`]; [`Error::TimedOut`] when QEMU does not answer within ten seconds, as while it waits for a flush.
    pub fn run_state(&self) -> Result<RunState, Error> {
        let answer = self.execute("query-status", None)?;
        let status = answer.get("status").and_then(Value::as_str);
        Ok(RunState::of(status.unwrap_or("unknown")))
    }

    /// Stops the processors. Disks are flushed before QEMU answers. No error when they stand already.
    ///
    /// # Errors
    /// As [`run_state`](Self::run_state); after a time-out it may still happen.
    pub fn pause(&self) -> Result<(), Error> {
        self.execute("stop", None).map(drop)
    }

    /// Lets the processors run; also after a disk's error, whose requests are tried again. No error when they run.
    ///
    /// # Errors
    /// As [`pause`](Self::pause), and [`Error::Refused`] in states that know no way on.
    pub fn resume(&self) -> Result<(), Error> {
        self.execute("cont", None).map(drop)
    }

    /// Presses the power button. The guest may take its time, or take no notice.
    ///
    /// # Errors
    /// As [`pause`](Self::pause).
    pub fn power_down(&self) -> Result<(), Error> {
        self.execute("system_powerdown", None).map(drop)
    }

    pub(super) fn process(&self) -> &Process {
        &self.core.process
    }

    /// Has a save told of what QEMU says; false when another one is.
    pub(super) fn listen_for(&self, ear: &Arc<Ear>) -> bool {
        let mut listening = self.core.ear();
        if listening.strong_count() > 0 {
            return false;
        }
        *listening = Arc::downgrade(ear);
        true
    }

    pub(super) fn folder(&self) -> Arc<Folder> {
        Arc::clone(&self.core.folder)
    }

    /// Sees to it that the process keeps its number, for as long as this is there.
    pub(super) fn pin(&self) -> Option<Pinned<'_>> {
        self.core.process.pin()
    }

    /// Gives QEMU a handle under a name.
    pub(super) fn hand_over(
        &self,
        name: &str,
        handle: std::os::fd::BorrowedFd<'_>,
    ) -> Result<(), Error> {
        if self.exit().is_some() {
            return Err(Error::Gone);
        }
        let arguments = Some(serde_json::json!({ "fdname": name }));
        self.core
            .monitor()
            .ok_or(Error::Gone)?
            .execute_with("getfd", arguments, Some(handle), COMMAND_DEADLINE)
            .map(drop)
    }

    /// Any other command of the machine protocol.
    pub(super) fn execute(
        &self,
        command: &'static str,
        arguments: Option<Value>,
    ) -> Result<Value, Error> {
        if self.exit().is_some() {
            return Err(Error::Gone);
        }
        self.core
            .monitor()
            .ok_or(Error::Gone)?
            .execute(command, arguments, COMMAND_DEADLINE)
    }

    /// Removes what a QEMU that has ended leaves in its folder.
    pub(super) fn tidy(&self) {
        self.core.folder.tidy();
    }

    /// Waits until commands can be given.
    pub(super) fn ready(&self, within: Duration) -> Result<(), Error> {
        self.core.monitor().ok_or(Error::Gone)?.ready(within)
    }

    /// Waits for the end of the process; `None` when it is still there.
    #[must_use]
    pub fn wait_exit(&self, within: Duration) -> Option<Exit> {
        let watch = self
            .core
            .ended
            .wait_timeout_while(self.core.watch(), within, |watch| watch.exit.is_none())
            .unwrap_or_else(PoisonError::into_inner)
            .0;
        watch.exit.clone()
    }

    /// Ends the process at once and waits until it is gone. `None` only when the kernel has not managed within a minute.
    pub fn kill(&self) -> Option<Exit> {
        self.core.process.kill();
        let exit = self.wait_exit(KILL_DEADLINE);
        if exit.is_none() {
            tracing::error!(pid = self.pid(), "a killed QEMU is still there");
        }
        exit
    }

    /// How it ended, if it has.
    #[must_use]
    pub fn exit(&self) -> Option<Exit> {
        self.core.watch().exit.clone()
    }

    /// Has a function called once, when the machine has ended or if it has already, from a thread of its own. It is
    /// forgotten when all handles of the machine are dropped before. One that keeps a handle keeps itself.
    pub fn on_exit(&self, tell: OnExit) {
        let mut watch = self.core.watch();
        match watch.exit.clone() {
            None => watch.on_exit.push(tell),
            Some(exit) => {
                drop(watch);
                spawn("qemu-ended", move || tell(exit));
            }
        }
    }

    /// Has a function called each time a disk's error stopped the guest, from a thread of its own, also for one that
    /// happened before anybody asked. Several in a row may be told as one.
    pub fn on_block_error(&self, tell: Box<dyn Fn() + Send + Sync>) {
        let mut watch = self.core.watch();
        watch.on_block_error.push(Arc::from(tell));
        if watch.untold {
            drop(watch);
            self.core.tell_block_error();
        }
    }

    /// The guest's agent.
    #[must_use]
    pub fn agent(&self) -> Agent {
        self.core.agent.clone()
    }
}

impl Core {
    fn watch(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ear(&self) -> MutexGuard<'_, Weak<Ear>> {
        self.ear.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn monitor(&self) -> Option<&Monitor> {
        self.monitor.get().map(Arc::as_ref)
    }

    /// Called by the reader of QEMU's messages: must not wait.
    fn hear(self: &Arc<Self>, event: &Event) {
        let ear = self.ear().upgrade();
        if let Some(ear) = ear {
            ear.hear(event);
        }
        let text = |name| event.data.get(name).and_then(Value::as_str);
        match event.name.as_str() {
            "SHUTDOWN" => {
                let reason = text("reason").unwrap_or("unknown");
                let asked = matches!(
                    reason,
                    "guest-shutdown" | "guest-reset" | "host-qmp-quit" | "host-qmp-system-reset"
                );
                let reason = reason.chars().take(40).collect();
                self.watch().shutdown = Some((asked, reason));
            }
            "BLOCK_IO_ERROR" if text("action") == Some("stop") => self.tell_block_error(),
            qmp::STATUS if text("status") == Some("io-error") => self.tell_block_error(),
            _ => {}
        }
    }

    fn tell_block_error(self: &Arc<Self>) {
        {
            let mut watch = self.watch();
            watch.untold = watch.on_block_error.is_empty();
            if watch.untold {
                return;
            }
            if watch.telling {
                watch.again = true;
                return;
            }
            watch.telling = true;
        }
        let core = Arc::downgrade(self);
        spawn("qemu-disk-error", move || {
            loop {
                let Some(core) = core.upgrade() else { return };
                let told = core.watch().on_block_error.clone();
                for tell in told {
                    call(|| tell());
                }
                let mut watch = core.watch();
                if !std::mem::take(&mut watch.again) {
                    watch.telling = false;
                    return;
                }
            }
        });
    }

    fn end(&self, how: &str) {
        // Callbacks that keep a handle are let go of here.
        let (exit, told, _never) = {
            let mut watch = self.watch();
            let (guest_asked, why) = watch
                .shutdown
                .clone()
                .unwrap_or((false, "no farewell".to_owned()));
            let reason = format!("{why}; {how}; {}", self.folder.last_words());
            let exit = Exit {
                guest_asked,
                reason,
            };
            watch.exit = Some(exit.clone());
            let told = std::mem::take(&mut watch.on_exit);
            (exit, told, std::mem::take(&mut watch.on_block_error))
        };
        self.ended.notify_all();
        for tell in told {
            let exit = exit.clone();
            call(|| tell(exit));
        }
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        if let Some(monitor) = self.monitor() {
            monitor.close();
        }
    }
}

/// Waits for the end of the process, whoever keeps handles; a child of ours must be waited for.
fn attend(
    folder: &Folder,
    process: &Process,
    mut child: Option<Child>,
    monitor: &Monitor,
    core: &Weak<Core>,
) {
    let mut said = false;
    while !process.gone_within(TRIM_EVERY) {
        if child.is_none() && core.strong_count() == 0 {
            return;
        }
        let trimmed = Serial::trim(folder.path()).and_then(|()| folder.trim_log());
        if let Err(error) = trimmed
            && !std::mem::replace(&mut said, true)
        {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the logs of a machine cannot be trimmed and will grow"
            );
        }
    }
    let how = match child.as_mut().map(|child| process.wait(child)) {
        None => "the process is gone".to_owned(),
        Some(Ok(status)) => describe(status),
        Some(Err(error)) => format!("its status cannot be read: {error}"),
    };
    if !monitor.finished_within(LAST_MESSAGES) {
        tracing::debug!("the last messages of a QEMU were not read");
    }
    if let Some(core) = core.upgrade() {
        core.end(&how);
    }
}

/// How a process ended, in words.
pub(super) fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (_, Some(signal)) => format!("killed by signal {signal}"),
        _ => status.to_string(),
    }
}

/// A callback that panics harms nobody else; the panic itself is in the log.
fn call(tell: impl FnOnce()) {
    let _ = catch_unwind(AssertUnwindSafe(tell));
}

fn spawn(name: &str, act: impl FnOnce() + Send + 'static) {
    if let Err(error) = thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || call(act))
    {
        tracing::error!(%error, name, "no thread to tell what happened to a machine");
    }
}

/// Asks again and again, with short pauses, until there is an answer or the time has passed.
pub(super) fn until<T>(deadline: Instant, ask: impl FnMut() -> Option<T>) -> Option<T> {
    asking(deadline, Duration::from_millis(50), ask)
}

/// As [`until`], for what is awaited with the guest standing still.
pub(super) fn soon<T>(deadline: Instant, ask: impl FnMut() -> Option<T>) -> Option<T> {
    asking(deadline, Duration::from_millis(2), ask)
}

fn asking<T>(
    deadline: Instant,
    longest: Duration,
    mut ask: impl FnMut() -> Option<T>,
) -> Option<T> {
    let mut pause = Duration::from_millis(2);
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if Instant::now() >= deadline {
            return None;
        }
        thread::sleep(pause);
        pause = (pause * 2).min(longest);
    }
}
