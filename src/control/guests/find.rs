//! At a start, once the doors are open: the guests of earlier processes are found again, or missed. At an end: all of
//! them are stopped, where that is wanted.

use super::super::Control;
use super::super::core::Core;
use super::super::error::{chain, internal};
use super::{SLICE, lock};
use crate::catalog::instances::{Instance, instance, move_instance};
use crate::domain::fault::Fault;
use crate::domain::id::{InstanceId, ZoneId};
use crate::domain::instance::{InstanceEvent, InstanceState};
use crate::domain::job::JobKind;
use crate::hypervisor::Hypervisor;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long guests have to shut down when the server ends and takes them along.
const LAST_CALL: Duration = Duration::from_secs(5);

impl Control {
    /// The zones' NBD sockets that are open, where guests find their disks. Then the guests of earlier processes are
    /// looked for, and the work on instances can begin. Returns when that is done.
    pub fn doors_open(&self, doors: Vec<(ZoneId, PathBuf)>) {
        let core = &self.core;
        lock(&core.guests.doors).open = doors.into_iter().collect();
        // Looked for now, so that nobody has to wait for it later; what is wrong is in the log.
        let _ = core.hypervisor();
        match core.catalog.instances_that_may_run() {
            Ok(instances) => instances.iter().for_each(|found| core.take_up(found)),
            Err(error) => {
                internal("look for running instances", &error);
            }
        }
        lock(&core.guests.doors).found = true;
        core.guests.opened.notify_all();
        core.guests.monitor.start(core.guests.core.clone());
    }

    /// Ends every guest: the power button first, and after a few seconds at once. What they had written is kept, as after
    /// a power cut. Long work is stopped before, to be resumed by the next start.
    pub fn stop_guests(&self) {
        self.runner.shutdown();
        let core = &self.core;
        core.guests.monitor.stop();
        let machines = || -> Vec<_> {
            let running = lock(&core.guests.running);
            running
                .iter()
                .map(|(id, kept)| (*id, kept.machine.clone()))
                .collect()
        };
        for (id, machine) in machines() {
            if let Err(error) = machine.power_down() {
                tracing::warn!(instance = %id, error = chain(&error), "the power button could not be pressed");
            }
        }
        // Those that shut down are written down by their watchers.
        let end = Instant::now() + LAST_CALL;
        while !machines().is_empty() && Instant::now() < end {
            std::thread::sleep(SLICE);
        }
        for (id, _) in machines() {
            core.kill_machine(id);
            match core.catalog.live_work_on(&id.to_string()) {
                // The next start takes the work up again, and it decides what the instance is then.
                Ok(Some(_)) => {}
                Ok(None) => core.has_ended(id, true),
                Err(error) => {
                    internal("look for work on an instance", &error);
                }
            }
        }
    }
}

impl Core {
    /// Compares what the catalog says with what runs.
    pub(super) fn take_up(&self, known: &Instance) {
        let id = known.id;
        let live = match self.catalog.live_work_on(&id.to_string()) {
            Ok(live) => live,
            Err(error) => {
                internal("look for work on an instance", &error);
                return;
            }
        };
        match Hypervisor::find(&self.folders.instance(id)) {
            Ok(Some(machine)) => {
                tracing::info!(instance = %id, "an instance that runs was found again");
                self.keep(id, &machine);
                if live.is_none() {
                    let event = match known.state {
                        InstanceState::Starting => Some(InstanceEvent::Started),
                        InstanceState::Stopping => Some(InstanceEvent::Broke),
                        _ => None,
                    };
                    self.comes_to(known, event, None);
                    self.tend(id, &machine);
                }
            }
            Ok(None) => {
                let died = Fault::InstanceDied {
                    name: known.name.clone(),
                };
                match (known.state, live) {
                    // The work at hand knows what it wants.
                    (InstanceState::Starting | InstanceState::Stopping, Some(_))
                    | (_, Some(JobKind::Rollback)) => {}
                    (InstanceState::Stopping, None) => {
                        self.comes_to(known, Some(InstanceEvent::Ended), None);
                    }
                    _ => {
                        tracing::warn!(instance = %id, "an instance that should run has no process");
                        self.comes_to(known, Some(InstanceEvent::Died), Some(&died));
                    }
                }
            }
            Err(error) => {
                tracing::error!(instance = %id, error = chain(&error), "it cannot be told whether a process runs; it is tried again");
                lock(&self.guests.uncertain).insert(id);
            }
        }
    }

    /// An instance that was told to run and has no process was missed: it ended while no server was there to see it.
    pub fn is_missed(&self, id: InstanceId) {
        // Whoever writes an ending down does so under it.
        let _ending = lock(&self.guests.endings);
        if self.machine(id).is_some() {
            return;
        }
        // Where it runs, or where that cannot be told, it is found later.
        if let (Ok(Some(known)), Ok(None)) = (
            self.catalog.instance(id),
            Hypervisor::find(&self.folders.instance(id)),
        ) {
            let died = Fault::InstanceDied {
                name: known.name.clone(),
            };
            self.comes_to(&known, Some(InstanceEvent::Died), Some(&died));
        }
    }

    /// What became of the instance, if it is still in the state it was in.
    fn comes_to(&self, known: &Instance, event: Option<InstanceEvent>, fault: Option<&Fault>) {
        let Some(after) = event.and_then(|event| known.state.next(event).ok()) else {
            return;
        };
        let written = self
            .catalog
            .write(|tx| move_instance(tx, known.id, known.state, after, fault));
        match written {
            Ok(_) => self.work_changed(known.organization),
            Err::<_, crate::catalog::Error>(error) => {
                internal("write down what became of an instance", &error);
            }
        }
    }

    /// Those of which it could not be told are asked again.
    pub(super) fn ask_again(&self) {
        let uncertain = std::mem::take(&mut *lock(&self.guests.uncertain));
        for id in uncertain {
            let known = self.catalog.read(|tx| instance(tx, id));
            match known {
                Ok(Some(known)) if known.state.may_run() && self.machine(id).is_none() => {
                    self.take_up(&known);
                }
                Ok(_) => {}
                Err::<_, crate::catalog::Error>(error) => {
                    internal("look for an instance", &error);
                    lock(&self.guests.uncertain).insert(id);
                }
            }
        }
    }
}
