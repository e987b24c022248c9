//! Every few seconds: a guest that stands still although nothing works on it goes on.

use super::super::core::Core;
use super::super::error::{chain, internal};
use super::lock;
use crate::catalog::instances::{Instance, move_instance};
use crate::domain::fault::Fault;
use crate::domain::id::InstanceId;
use crate::domain::instance::InstanceState;
use crate::hypervisor::{Machine, RunState};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often the guests are looked at.
const EVERY: Duration = Duration::from_secs(3);
/// How long the guest agent has to thaw what it froze.
const THAW: Duration = Duration::from_secs(10);

/// The thread that looks.
#[derive(Default)]
pub(super) struct Monitor {
    told: Arc<Told>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// Held from seeing that nothing works on an instance until what was decided from that is done.
    tending: Mutex<()>,
    /// How often that was waited for.
    #[cfg(test)]
    waiting: std::sync::atomic::AtomicUsize,
}

#[derive(Default)]
struct Told {
    stopping: Mutex<bool>,
    called: Condvar,
}

impl Monitor {
    pub fn start(&self, core: Weak<Core>) {
        let mut thread = lock(&self.thread);
        if thread.is_some() {
            return;
        }
        let told = Arc::clone(&self.told);
        let spawned = std::thread::Builder::new()
            .name("guests".to_owned())
            .spawn(move || told.watch(&core));
        match spawned {
            Ok(handle) => *thread = Some(handle),
            Err(error) => {
                tracing::error!(%error, "the thread that looks after guests could not be started")
            }
        }
    }

    /// As while a guest is being had go on. With how often somebody has asked whether one is.
    #[cfg(test)]
    pub fn tending(
        &self,
    ) -> (
        std::sync::MutexGuard<'_, ()>,
        &std::sync::atomic::AtomicUsize,
    ) {
        (lock(&self.tending), &self.waiting)
    }

    pub fn stop(&self) {
        *lock(&self.told.stopping) = true;
        self.told.called.notify_all();
        // Where the last handle of the region is dropped by the thread itself, it cannot wait for its own end.
        if let Some(thread) = lock(&self.thread).take()
            && thread.thread().id() != std::thread::current().id()
            && thread.join().is_err()
        {
            tracing::error!("the thread that looks after guests had panicked");
        }
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Told {
    fn watch(&self, core: &Weak<Core>) {
        loop {
            let stopping = lock(&self.stopping);
            let waited = self
                .called
                .wait_timeout_while(stopping, EVERY, |stopping| !*stopping);
            let (stopping, _) = waited.unwrap_or_else(PoisonError::into_inner);
            if *stopping {
                return;
            }
            drop(stopping);
            let Some(core) = core.upgrade() else { return };
            core.ask_again();
            if let Err(error) = core.remove_old_points() {
                internal("look for recovery points that are to go", &error);
            }
            if let Err(error) = core.verify_next() {
                internal("look for snapshots to verify", &error);
            }
            let machines: Vec<_> = lock(&core.guests.running)
                .iter()
                .map(|(id, kept)| (*id, kept.machine.clone()))
                .collect();
            for (id, machine) in machines {
                if *lock(&self.stopping) {
                    return;
                }
                core.tend(id, &machine);
            }
        }
    }
}

impl Core {
    /// A disk of the instance did not take a write: QEMU has stopped the guest, and tries again when told to go on, which
    /// is done when the guest is looked at next.
    pub(super) fn disk_stopped(&self, id: InstanceId) {
        tracing::warn!(instance = %id, "a disk stopped an instance");
        match self.catalog.instance(id) {
            Ok(Some(instance)) => self.says(&instance, true),
            Ok(None) => {}
            Err(error) => {
                internal("look for an instance", &error);
            }
        }
    }

    /// Writes down beside *running* whether a disk stands in the way.
    fn says(&self, instance: &Instance, stopped: bool) {
        let before = matches!(instance.fault, Some(Fault::DiskStopped { .. }));
        if before == stopped || instance.state != InstanceState::Running {
            return;
        }
        let fault = stopped.then(|| Fault::DiskStopped {
            name: instance.name.clone(),
        });
        let (running, id) = (InstanceState::Running, instance.id);
        let written = self
            .catalog
            .write(|tx| move_instance(tx, id, running, running, fault.as_ref()));
        match written {
            Ok(_) => self.work_changed(instance.organization),
            Err::<_, crate::catalog::Error>(error) => {
                internal("write down what a disk does", &error);
            }
        }
    }

    /// Nothing works on the instance.
    fn is_left_alone(&self, id: InstanceId) -> bool {
        matches!(self.catalog.live_work_on(&id.to_string()), Ok(None))
    }

    /// Returns when nobody is about to have a guest go on any more who had not seen the work that is under way: from then
    /// on a guest stands for as long as the work wants. To be called from the work's steps.
    pub fn hands_off(&self) {
        #[cfg(test)]
        self.guests
            .monitor
            .waiting
            .fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        drop(lock(&self.guests.monitor.tending));
    }

    /// One that does not answer may be held by what a save of its memory has left.
    fn free(&self, id: InstanceId, machine: &Machine) {
        let _tending = lock(&self.guests.monitor.tending);
        if self.is_left_alone(id) {
            machine.free_memory();
        }
    }

    /// Looks at one guest: has it go on, thaws it.
    pub(super) fn tend(&self, id: InstanceId, machine: &Machine) {
        let Ok(Some(instance)) = self.catalog.instance(id) else {
            return;
        };
        let state = match machine.run_state() {
            Ok(state) => state,
            Err(error) => {
                tracing::warn!(instance = %id, error = chain(&error), "an instance does not say how it is");
                self.free(id, machine);
                return;
            }
        };
        self.says(&instance, state == RunState::IoError);
        let _tending = lock(&self.guests.monitor.tending);
        if !self.is_left_alone(id) {
            return;
        }
        machine.free_memory();
        let room = || {
            let zone = self.zones.get(instance.zone);
            zone.is_ok_and(|zone| zone.free().0 > 0)
        };
        // One whose memory was saved while it stood says that it migrates.
        let stands = matches!(
            state,
            RunState::Paused | RunState::Prelaunch | RunState::Migrating
        );
        if stands || (state == RunState::IoError && room()) {
            tracing::info!(instance = %id, ?state, "an instance stood still, and nothing works on it: it goes on");
            if let Err(error) = machine.resume() {
                tracing::warn!(instance = %id, error = chain(&error), "an instance could not go on");
            }
        }
        if instance.frozen {
            // A guest without an agent, or one that has been started since, has nothing frozen.
            match machine.agent().thaw(THAW) {
                Ok(_) => {
                    if let Err(error) = self.catalog.set_frozen(id, false) {
                        internal("write down that a guest is thawed", &error);
                    }
                }
                Err(error) => {
                    tracing::warn!(instance = %id, error = chain(&error), "a guest could not be thawed; it is tried again");
                }
            }
        }
    }
}
