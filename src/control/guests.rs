//! The processes of instances: starting them, ending them, and knowing which of them there are.
//!
//! A guest outlives this process. At a start the zones' NBD doors open first, then every QEMU of an earlier process is
//! looked for ([`find`]); no work on an instance begins before that is done. What runs is watched ([`monitor`]).
//!
//! What may never be true: two processes on the same disks; an ending that was asked for told as a death; an instance
//! that stands still although nothing works on it. After a crash the intents in the catalog are compared with what runs.
//!
//! Whoever ends a process takes it out of the list of those that run first; the watcher of a process that is not in the
//! list any more says nothing. Both do it under `endings`, so that exactly one of them writes the new state down.
//! Nothing here is called from within a transaction of the catalog.

mod find;
mod monitor;

use super::core::Core;
use super::error::{About, Error, chain, explain, internal};
use crate::catalog::instances::{Instance, instance, move_instance};
use crate::catalog::volumes::Volume;
use crate::domain::fault::Fault;
use crate::domain::id::{InstanceId, ZoneId};
use crate::domain::instance::{Accelerator, Hardware, InstanceEvent, InstanceState};
use crate::domain::volume::VolumeState;
use crate::hypervisor::memory::Image;
use crate::hypervisor::{self, DiskSpec, Exit, FenceSpec, Hypervisor, Incoming, Machine, Spec};
use crate::jobs::{Failure, Watch};
use crate::nbd::Fence;
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

/// What names of fences begin with, among a zone's exports.
pub(super) const FENCE: &str = "fence/";
/// How long work waits for the zones' doors before it is put off.
const DOORS: Duration = Duration::from_secs(30);
/// How often what waits looks whether it should go on waiting.
const SLICE: Duration = Duration::from_millis(100);
/// The power button is pressed again and again: a guest that is still booting does not see it.
const PRESS_AGAIN: Duration = Duration::from_secs(1);
/// After so much time no guest is taken by surprise any more, and it is pressed less often.
const BOOTED: Duration = Duration::from_secs(10);
const PRESS_LATER: Duration = Duration::from_secs(5);

/// The processes of the region's instances.
pub(super) struct Guests {
    core: Weak<Core>,
    /// Whether to look for QEMU on this host at all.
    look: bool,
    /// How long a guest has to shut down after the power button, in seconds.
    pub stop_seconds: u32,
    doors: Mutex<Doors>,
    opened: Condvar,
    running: Mutex<HashMap<InstanceId, Kept>>,
    /// Held by whoever takes a process out of `running` because it ended or is being ended.
    endings: Mutex<()>,
    /// Instances of which it could not be told whether a process runs.
    uncertain: Mutex<HashSet<InstanceId>>,
    next: AtomicU64,
    /// What tells the instant at which a guest stands, one an instance.
    fences: Mutex<HashMap<InstanceId, Fence>>,
    /// As on a hypervisor that cannot save a memory while its guest runs.
    #[cfg(test)]
    stands: std::sync::atomic::AtomicBool,
    monitor: monitor::Monitor,
}

#[derive(Default)]
struct Doors {
    open: HashMap<ZoneId, PathBuf>,
    /// Whether the guests of earlier processes have been looked for.
    found: bool,
}

/// A process that runs, as far as is known.
#[derive(Clone)]
struct Kept {
    number: u64,
    machine: Machine,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Guests {
    pub fn new(core: Weak<Core>, look: bool, stop_seconds: u32) -> Self {
        Self {
            core,
            look,
            stop_seconds,
            doors: Mutex::default(),
            opened: Condvar::new(),
            running: Mutex::default(),
            endings: Mutex::default(),
            uncertain: Mutex::default(),
            next: AtomicU64::new(1),
            fences: Mutex::default(),
            #[cfg(test)]
            stands: std::sync::atomic::AtomicBool::new(false),
            monitor: monitor::Monitor::default(),
        }
    }

    /// Watches no more; the processes run on, and their sockets are free for the next to find them.
    pub fn let_go(&self) {
        self.monitor.stop();
        lock(&self.running).clear();
    }

    /// The instance's fence.
    pub fn fence(&self, id: InstanceId) -> Fence {
        lock(&self.fences).entry(id).or_default().clone()
    }

    /// Takes a process out of the list; what becomes of its instance is the caller's to write.
    fn take(&self, id: InstanceId, number: Option<u64>) -> Option<Kept> {
        let _ending = lock(&self.endings);
        let mut running = lock(&self.running);
        if number.is_none_or(|number| running.get(&id).is_some_and(|kept| kept.number == number)) {
            running.remove(&id)
        } else {
            None
        }
    }

    /// The instances whose processes run.
    #[cfg(test)]
    pub fn those_running(&self) -> Vec<InstanceId> {
        lock(&self.running).keys().copied().collect()
    }

    /// Memories are kept as where the hypervisor cannot do it while the guest runs.
    #[cfg(test)]
    pub fn keep_standing(&self) {
        self.stands.store(true, Ordering::SeqCst);
    }

    /// What the hypervisor flushes is another fence than the one that is armed from here on.
    #[cfg(test)]
    pub fn lose_fence(&self, id: InstanceId) {
        lock(&self.fences).remove(&id);
    }

    /// Nobody looks after the guests any more: they are as the work left them.
    #[cfg(test)]
    pub fn look_away(&self) {
        self.monitor.stop();
    }

    /// As while somebody who looks after the guests is about to have one go on.
    #[cfg(test)]
    pub fn tending(&self) -> (MutexGuard<'_, ()>, &std::sync::atomic::AtomicUsize) {
        self.monitor.tending()
    }

    /// Whether guests must stand while their memory is kept, whatever the hypervisor can do.
    pub fn must_stand(&self) -> bool {
        #[cfg(test)]
        return self.stands.load(Ordering::SeqCst);
        #[cfg(not(test))]
        false
    }

    fn kept(&self, id: InstanceId) -> Option<Kept> {
        lock(&self.running).get(&id).cloned()
    }
}

impl Core {
    /// What machines are made with.
    ///
    /// # Errors
    /// [`Fault::HypervisorMissing`].
    pub fn hypervisor(&self) -> Result<&Hypervisor, Fault> {
        self.hypervisor_or_why()
            .map_err(|_| Fault::HypervisorMissing)
    }

    /// What machines are made with, or in technical words why there is nothing.
    pub fn hypervisor_or_why(&self) -> Result<&Hypervisor, &str> {
        // What this host can do is found once a process, however many regions it opens.
        static FOUND: OnceLock<Result<Hypervisor, String>> = OnceLock::new();
        if !self.guests.look {
            return Err("");
        }
        let found = FOUND.get_or_init(|| match Hypervisor::probe() {
            Ok(hypervisor) => {
                tracing::info!(capabilities = ?hypervisor.capabilities(), "instances can run");
                Ok(hypervisor)
            }
            Err(error) => {
                let why = chain(&error);
                tracing::warn!(error = why, "instances cannot run here");
                Err(why)
            }
        });
        found.as_ref().map_err(String::as_str)
    }

    /// The instance's running process, if any. While it ends by itself it may still be named for a moment.
    pub fn machine(&self, id: InstanceId) -> Option<Machine> {
        self.guests.kept(id).map(|kept| kept.machine)
    }

    /// The instance's volumes, the root volume first.
    pub fn disks_of(&self, id: InstanceId) -> Result<Vec<Volume>, Failure> {
        self.catalog
            .disks_of(id)
            .map_err(|error| explain("list an instance's disks", error.into(), About::default()))
    }

    /// Waits until it is known which guests run: nothing is done to an instance before.
    pub fn guests_known(&self, name: &str, watch: &mut dyn Watch) -> Result<(), Failure> {
        let end = Instant::now() + DOORS;
        loop {
            let doors = lock(&self.guests.doors);
            if doors.found {
                return Ok(());
            }
            let waited = self.guests.opened.wait_timeout(doors, SLICE);
            drop(waited.unwrap_or_else(PoisonError::into_inner));
            if watch.done(0).is_break() {
                return Err(Failure::Stopped);
            }
            if Instant::now() > end {
                return Err(Failure::Passing(Fault::InUse {
                    name: name.to_owned(),
                }));
            }
        }
    }

    /// Starts the instance's process on the disks that it has now. One that runs already is taken.
    ///
    /// # Errors
    /// [`Fault::HypervisorMissing`]; [`Fault::StartFailed`], where nothing is left behind.
    pub fn start_machine(&self, instance: &Instance) -> Result<(), Failure> {
        self.start_machine_from(instance, None)
    }

    /// As [`Core::start_machine`], from a memory that was kept: the guest goes on from there.
    ///
    /// # Errors
    /// As [`Core::start_machine`].
    pub fn start_machine_from(
        &self,
        instance: &Instance,
        memory: Option<&Image>,
    ) -> Result<(), Failure> {
        let hypervisor = self.hypervisor().map_err(Failure::Final)?;
        let about = About {
            name: &instance.name,
            ..About::default()
        };
        let failed = |error: Error| explain("start an instance", error, about);
        if let Some(kept) = self.guests.kept(instance.id) {
            if kept.machine.exit().is_none() {
                return Ok(());
            }
            self.guests.take(instance.id, Some(kept.number));
        }
        let folder = self.folders.instance(instance.id);
        // One of an earlier process that could not be asked then: never two on the same disks.
        if let Some(machine) = Hypervisor::find(&folder).map_err(|error| failed(error.into()))? {
            self.keep(instance.id, &machine);
            return Ok(());
        }
        let socket = lock(&self.guests.doors).open.get(&instance.zone).cloned();
        let refused = || Fault::StartFailed {
            name: instance.name.clone(),
        };
        let Some(socket) = socket else {
            tracing::error!(instance = %instance.id, "the zone's NBD socket is not open");
            return Err(Failure::Passing(refused()));
        };
        let disks = self.disks_of(instance.id)?;
        if disks.is_empty() || disks.iter().any(|disk| disk.state != VolumeState::Ready) {
            return Err(Failure::Final(Fault::InUse {
                name: instance.name.clone(),
            }));
        }
        let (capabilities, computes) = (hypervisor.capabilities(), accelerator(hypervisor));
        let known = &instance.hardware;
        // The guest finds the machine it knows; its processor changes only with what computes it, and never under a guest
        // that goes on.
        let machine = if known.machine.is_empty() {
            capabilities.machine.clone()
        } else {
            known.machine.clone()
        };
        let same = memory.is_some() || instance.accelerator == Some(computes);
        let cpu = if same && !known.cpu.is_empty() {
            known.cpu.clone()
        } else {
            capabilities.cpu.clone()
        };
        let hardware = Hardware {
            machine,
            cpu,
            qemu: capabilities.version.clone(),
            ..known.clone()
        };
        let rollback = self
            .catalog
            .last_rollback(instance.id)
            .map_err(|error| failed(error.into()))?;
        let spec = Spec {
            instance: instance.id,
            name: instance.name.clone(),
            vcpus: hardware.vcpus,
            memory: hardware.memory,
            machine: hardware.machine.clone(),
            cpu: hardware.cpu.clone(),
            // Another one after each rollback: the guest then knows that its past is not the one it remembers.
            generation: generation(instance.id, rollback.map(|job| job.to_bytes())),
            mac: mac(instance.id),
            disks: disks
                .iter()
                .map(|disk| DiskSpec {
                    socket: socket.clone(),
                    export: disk.id.to_string(),
                    serial: serial(disk),
                })
                .collect(),
            fence: Some(FenceSpec {
                socket: socket.clone(),
                export: fence_export(instance.id),
            }),
            rest: Incoming::None,
            folder,
        };
        let started = match memory {
            None => hypervisor.start(&spec),
            Some(image) => hypervisor.start_from(&spec, image),
        };
        let machine = started.map_err(|error| {
            tracing::error!(instance = %instance.id, error = chain(&error), "an instance did not start");
            Failure::Final(refused())
        })?;
        self.keep(instance.id, &machine);
        if memory.is_some() {
            machine.resume().map_err(|error| failed(error.into()))?;
        }
        self.catalog
            .set_hardware(instance.id, &hardware, computes, self.now())
            .map_err(|error| failed(error.into()))
    }

    /// Ends the instance's process at once; returns when it is gone. Harmless where there is none. What becomes of the
    /// instance's state is the caller's to write.
    pub fn kill_machine(&self, id: InstanceId) {
        if let Some(kept) = self.guests.take(id, None) {
            kept.machine.kill();
            return;
        }
        match Hypervisor::find(&self.folders.instance(id)) {
            Ok(Some(machine)) => drop(machine.kill()),
            Ok(None) => {}
            Err(error) => {
                tracing::error!(instance = %id, error = chain(&error), "it cannot be told whether a process runs");
            }
        }
    }

    /// Presses the power button and waits so many seconds for the guest to shut down: true when its process is gone. As
    /// for [`Core::kill_machine`], the instance's state is the caller's to write.
    ///
    /// # Errors
    /// [`Failure::Stopped`] where `watch` says so: the button was pressed.
    pub fn power_down(
        &self,
        id: InstanceId,
        seconds: u32,
        watch: &mut dyn Watch,
    ) -> Result<bool, Failure> {
        let kept = match self.guests.kept(id) {
            Some(kept) => kept,
            None => match Hypervisor::find(&self.folders.instance(id)) {
                Ok(Some(machine)) => self.keep(id, &machine),
                Ok(None) => return Ok(true),
                Err(error) => {
                    return Err(explain("stop an instance", error.into(), About::default()));
                }
            },
        };
        let begun = Instant::now();
        let end = begun + Duration::from_secs(seconds.into());
        let mut press = begun;
        loop {
            if Instant::now() >= press {
                if let Err(error) = kept.machine.power_down() {
                    tracing::warn!(instance = %id, error = chain(&error), "the power button could not be pressed");
                }
                press = Instant::now() + pause_after(begun.elapsed());
            }
            if kept.machine.wait_exit(SLICE).is_some() {
                self.guests.take(id, Some(kept.number));
                return Ok(true);
            }
            if watch.done(0).is_break() {
                return Err(Failure::Stopped);
            }
            if Instant::now() >= end {
                return Ok(false);
            }
        }
    }

    /// A process of this instance was found: it is known and watched from here on.
    pub fn found(&self, id: InstanceId, machine: &Machine) {
        self.keep(id, machine);
    }

    /// From here on the process is known and watched.
    fn keep(&self, id: InstanceId, machine: &Machine) -> Kept {
        let number = self.guests.next.fetch_add(1, Ordering::SeqCst);
        let kept = Kept {
            number,
            machine: machine.clone(),
        };
        lock(&self.guests.running).insert(id, kept.clone());
        let core = self.guests.core.clone();
        machine.on_block_error(Box::new(move || {
            if let Some(core) = core.upgrade() {
                core.disk_stopped(id);
            }
        }));
        let core = self.guests.core.clone();
        machine.on_exit(Box::new(move |exit| {
            if let Some(core) = core.upgrade() {
                core.guest_ended(id, number, &exit);
            }
        }));
        kept
    }

    /// A process ended, and nobody here ended it: the guest shut itself down, or QEMU died.
    fn guest_ended(&self, id: InstanceId, number: u64, exit: &Exit) {
        let _ending = lock(&self.guests.endings);
        {
            let mut running = lock(&self.guests.running);
            if running.get(&id).is_none_or(|kept| kept.number != number) {
                return;
            }
            running.remove(&id);
        }
        tracing::info!(instance = %id, guest_asked = exit.guest_asked, reason = exit.reason, "an instance's process ended");
        self.has_ended(id, exit.guest_asked);
    }

    /// Writes down that the instance has no process any more.
    fn has_ended(&self, id: InstanceId, as_it_should: bool) {
        let written = self.catalog.write(|tx| {
            let Some(found) = instance(tx, id)? else {
                return Ok(None);
            };
            let asked = as_it_should || found.state == InstanceState::Stopping;
            let died = Fault::InstanceDied {
                name: found.name.clone(),
            };
            let (event, fault) = if asked {
                (InstanceEvent::Ended, None)
            } else {
                (InstanceEvent::Died, Some(&died))
            };
            match found.state.next(event) {
                Ok(after) => move_instance(tx, id, found.state, after, fault)
                    .map(|_| Some(found.organization)),
                Err(_) => Ok(None),
            }
        });
        match written {
            Ok(Some(organization)) => self.work_changed(organization),
            Ok(None) => {}
            Err::<_, crate::catalog::Error>(error) => {
                internal("write down that an instance ended", &error);
            }
        }
    }
}

/// When the power button is pressed next, so long after it was first pressed.
pub(super) const fn pause_after(pressed_for: Duration) -> Duration {
    if pressed_for.as_secs() < BOOTED.as_secs() {
        PRESS_AGAIN
    } else {
        PRESS_LATER
    }
}

/// The name under which an instance's fence is offered to its hypervisor.
pub(super) fn fence_export(id: InstanceId) -> String {
    format!("{FENCE}{id}")
}

/// How a hypervisor computes.
pub(super) fn accelerator(found: &Hypervisor) -> Accelerator {
    match found.capabilities().accelerator {
        hypervisor::Accelerator::Kvm => Accelerator::Kvm,
        hypervisor::Accelerator::Tcg => Accelerator::Tcg,
    }
}

/// The card's address: of the range that is free for local use, the same for an instance at every start.
fn mac(id: InstanceId) -> [u8; 6] {
    let hash = blake3::derive_key("reprise 2026 network card of an instance", &id.to_bytes());
    [0x52, 0x54, 0x00, hash[0], hash[1], hash[2]]
}

/// What the guest reads as its generation.
fn generation(id: InstanceId, rollback: Option<[u8; 16]>) -> uuid::Uuid {
    let mut text = id.to_bytes().to_vec();
    text.extend(rollback.unwrap_or_default());
    let hash = blake3::derive_key("reprise 2026 generation of an instance", &text);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

/// What the guest reads as the disk's serial number: the end of the volume's id, which is random. Twenty characters is
/// all that virtio-blk has.
fn serial(volume: &Volume) -> String {
    let hex: String = volume
        .id
        .to_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    hex.get(hex.len().saturating_sub(20)..)
        .unwrap_or(&hex)
        .to_owned()
}
