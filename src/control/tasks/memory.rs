//! Keeping a guest's memory with a recovery point, and having a guest go on from it.
//!
//! The disks' checkpoints are made while QEMU itself has the guest standing, with all its requests done: at the flush of the
//! fence ([`crate::nbd::Fence`]). So memory and disks are of one instant, and the guest stands for milliseconds. Where the
//! hypervisor cannot do that, the guest is paused, the checkpoints and the memory are taken, and it goes on.
//!
//! What may never be true: a guest that stands when the work has ended; checkpoints that are kept beside a memory of another
//! instant.

use super::super::core::Core;
use super::super::error::{About, Error, chain, explain};
use super::super::memory::MemoryFiles;
use super::super::zones::Zone;
use super::point::Pairs;
use crate::catalog;
use crate::catalog::events::{NewEvent, insert_event};
use crate::catalog::instances::Instance;
use crate::catalog::points::{Point, set_memory, set_stood_still};
use crate::domain::fault::Fault;
use crate::domain::recovery::{Consistency, MemoryWay};
use crate::domain::role::Door;
use crate::domain::size::Bytes;
use crate::engine::Pool;
use crate::hypervisor::memory::{self, About as Described};
use crate::hypervisor::{self, Hypervisor, Machine, RunState, SavedMemory, Sink, Way};
use crate::jobs::{Failure, Watch};
use crate::view::Act;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

/// How long QEMU may take until it has brought the guest to its stand. The guest runs all that time.
const FENCE: Duration = Duration::from_secs(if cfg!(test) { 5 } else { 20 });
/// How long a save may take, beyond what its bytes take.
const SAVE: Duration = Duration::from_secs(60);
/// Bytes a second that any disk takes.
const SLOWEST: u64 = 10 << 20;
/// What QEMU's stream has beyond the memory: devices, firmware, headers.
const BESIDE: u64 = 128 << 20;
/// How long the guest's agent has to set the clock.
const CLOCK: Duration = Duration::from_secs(3);

/// What a memory is taken of.
pub(super) struct Subject<'a> {
    pub instance: &'a Instance,
    pub machine: &'a Machine,
    pub point: &'a Point,
    pub zone: &'a Zone,
    pub pool: &'a Pool,
    pub pairs: &'a Pairs,
}

impl Core {
    /// Whether the moment of a point with memory is there as a whole: its stream has its name only when it is complete, and
    /// the disks' checkpoints are made before.
    pub(super) fn has_memory(&self, instance: &Instance, point: &Point, held: bool) -> bool {
        let files = self.memory_files(instance.zone, point.id);
        held && point.consistency.is_some() && files.raw.exists()
    }

    /// The moment of a point with memory, taken anew.
    pub(super) fn take_with_memory(
        &self,
        of: &Subject<'_>,
        watch: &mut dyn Watch,
    ) -> Result<(), Failure> {
        let files = self.memory_files(of.instance.zone, of.point.id);
        self.forget_moment(of)?;
        self.hands_off();
        self.await_earlier(of, watch)?;
        self.goes_on(of);
        let ram = of.instance.hardware.memory;
        let free = self.free_for_memory(of.zone);
        if free < ram {
            return Err(Failure::Final(Fault::PoolFull {
                zone: of.zone.name.clone(),
                free,
            }));
        }
        let folder = self.folders.memory(of.instance.zone);
        fs::create_dir_all(&folder).map_err(|source| {
            let error = Error::Io {
                operation: "make",
                path: folder.clone(),
                source,
            };
            explain("keep a memory", error, of.zone.about(&of.instance.name))
        })?;
        watch.total(ram.0);
        let way = self.memory_way().map_err(Failure::Final)?;
        let taken = match way {
            MemoryWay::Running => self.take_running(of, &files, watch),
            MemoryWay::Standing => self.take_standing(of, &files, watch),
        };
        let stood = match taken {
            Ok(stood) => stood,
            Err(failure) => {
                self.goes_on(of);
                self.forget_moment(of)?;
                return Err(failure);
            }
        };
        self.settle_raw(&files)
            .map_err(|error| explain("keep a memory", error, of.zone.about(&of.instance.name)))?;
        let micros = u64::try_from(stood.as_micros()).unwrap_or(u64::MAX);
        self.catalog
            .write(|tx| set_stood_still(tx, of.point.id, micros))
            .map_err(|error: catalog::Error| {
                explain("keep a memory", error.into(), About::default())
            })
    }

    /// A save that a server before this one began comes to its end by itself, and no other is begun before.
    fn await_earlier(&self, of: &Subject<'_>, watch: &mut dyn Watch) -> Result<(), Failure> {
        let folder = self.folders.memory(of.instance.zone);
        let mut stopped = false;
        let over = of
            .machine
            .await_save(&folder, time_for(of.instance), &mut || {
                let told = watch.done(0);
                stopped = told.is_break();
                told
            });
        match (over, stopped) {
            (true, _) => Ok(()),
            (false, true) => Err(Failure::Stopped),
            (false, false) => Err(self.not_saved(of)),
        }
    }

    /// What another attempt may have left goes: its disks and its memory are of another instant.
    fn forget_moment(&self, of: &Subject<'_>) -> Result<(), Failure> {
        let failed =
            |error: Error| explain("keep a memory", error, of.zone.about(&of.instance.name));
        self.remove_memory(of.instance.zone, of.point.id)
            .map_err(failed)?;
        for (_, checkpoint) in of.pairs {
            of.pool
                .delete_checkpoint(*checkpoint)
                .map_err(|error| failed(error.into()))?;
        }
        Ok(())
    }

    /// A guest that a save has left standing runs. Whoever looks after the guests tries on where this does not succeed.
    fn goes_on(&self, of: &Subject<'_>) {
        let mended = of.machine.run_state().and_then(|state| match state {
            RunState::Paused | RunState::Migrating => of.machine.resume(),
            _ => Ok(()),
        });
        if let Err(error) = mended {
            tracing::warn!(instance = %of.instance.id, error = chain(&error), "a guest may stand");
        }
    }

    /// The guest runs on. Tells how long it stood, by QEMU's own clock.
    fn take_running(
        &self,
        of: &Subject<'_>,
        files: &MemoryFiles,
        watch: &mut dyn Watch,
    ) -> Result<Duration, Failure> {
        let failed =
            |error: Error| explain("keep a memory", error, of.zone.about(&of.instance.name));
        let volumes: Vec<_> = of.pairs.iter().map(|(volume, _)| *volume).collect();
        // So that little is left for the flushes while the guest stands.
        of.pool
            .settle(&volumes)
            .map_err(|error| failed(error.into()))?;
        let now = self.now();
        self.write_moment(of.point, now)
            .map_err(|error| failed(error.into()))?;
        let armed = self.guests.fence(of.instance.id).arm(FENCE).map_err(|_| {
            tracing::error!(instance = %of.instance.id, "a fence is armed although nothing else works on the instance");
            self.not_saved(of)
        })?;
        let (mut save, mut refused) = (None, None);
        let made = of.pool.checkpoint_at(of.pairs, &mut |swap| match of
            .machine
            .save(&sink(of, files), Way::Background)
        {
            Ok(begun) => {
                save = Some(begun);
                armed.at_the_stop(swap)
            }
            Err(error) => {
                refused = Some(error);
                false
            }
        });
        if let Some(error) = refused {
            return Err(self.save_failed(of, &error));
        }
        let Some(save) = save else {
            return Err(match made {
                Err(error) => failed(error.into()),
                Ok(_) => self.not_saved(of),
            });
        };
        if let Err(error) = made {
            // Dropping it gives it up, and has the guest go on.
            drop(save);
            return Err(match error {
                crate::engine::Error::NoMoment => self.not_saved(of),
                error => failed(error.into()),
            });
        }
        let saved = self.finish(of, save, watch)?;
        saved.stood_still.ok_or_else(|| self.not_saved(of))
    }

    /// The guest stands until all is written. Tells how long.
    fn take_standing(
        &self,
        of: &Subject<'_>,
        files: &MemoryFiles,
        watch: &mut dyn Watch,
    ) -> Result<Duration, Failure> {
        let begun = Instant::now();
        of.machine
            .pause()
            .map_err(|error| self.save_failed(of, &error))?;
        let taken = self
            .take(of.point, Consistency::PowerCut, of.pool, of.pairs)
            .map_err(|error| explain("keep a memory", error, of.zone.about(&of.instance.name)))
            .and_then(|_| self.save_standing(of, files, watch));
        self.goes_on(of);
        taken.map(|_| begun.elapsed())
    }

    /// The memory of a guest that stands, and goes on standing.
    pub(super) fn save_standing(
        &self,
        of: &Subject<'_>,
        files: &MemoryFiles,
        watch: &mut dyn Watch,
    ) -> Result<SavedMemory, Failure> {
        let save = of
            .machine
            .save(&sink(of, files), Way::Still)
            .map_err(|error| self.save_failed(of, &error))?;
        self.finish(of, save, watch)
    }

    fn finish(
        &self,
        of: &Subject<'_>,
        save: hypervisor::Save,
        watch: &mut dyn Watch,
    ) -> Result<SavedMemory, Failure> {
        save.finish(time_for(of.instance), &mut |bytes| watch.done(bytes))
            .map_err(|error| match error {
                hypervisor::Error::Cancelled => Failure::Stopped,
                error => self.save_failed(of, &error),
            })
    }

    fn save_failed(&self, of: &Subject<'_>, error: &hypervisor::Error) -> Failure {
        tracing::warn!(instance = %of.instance.id, error = chain(error), "a memory was not saved");
        match error {
            hypervisor::Error::Gone => Failure::Final(Fault::NoMemoryToKeep {
                name: of.instance.name.clone(),
            }),
            hypervisor::Error::State {
                state: RunState::IoError,
            } => Failure::Final(Fault::DiskStopped {
                name: of.instance.name.clone(),
            }),
            // What it had taken is free again by now; there was no room for all of it.
            hypervisor::Error::Io { source, .. } if source.kind() == ErrorKind::StorageFull => {
                Failure::Final(Fault::PoolFull {
                    zone: of.zone.name.clone(),
                    free: of.zone.free(),
                })
            }
            _ => self.not_saved(of),
        }
    }

    fn not_saved(&self, of: &Subject<'_>) -> Failure {
        if of.machine.exit().is_some() {
            return Failure::Final(Fault::NoMemoryToKeep {
                name: of.instance.name.clone(),
            });
        }
        let free = of.zone.free();
        Failure::Final(if free.0 == 0 {
            Fault::PoolFull {
                zone: of.zone.name.clone(),
                free,
            }
        } else {
            Fault::MemoryNotSaved {
                name: of.instance.name.clone(),
            }
        })
    }

    /// From here on the stream is there, whatever happens to the host.
    pub(super) fn settle_raw(&self, files: &MemoryFiles) -> Result<(), Error> {
        let folder = files.raw.parent().unwrap_or(&files.raw);
        let settled = File::open(&files.part)
            .and_then(|part| part.sync_all())
            .and_then(|()| fs::rename(&files.part, &files.raw))
            .and_then(|()| File::open(folder)?.sync_all());
        settled.map_err(|source| Error::Io {
            operation: "sync",
            path: files.part.clone(),
            source,
        })
    }

    /// The stream is compressed; only then the point has a memory. Done again, it is done already.
    pub(super) fn pack_memory(
        &self,
        instance: &Instance,
        point: &Point,
        tell: &mut dyn FnMut(u64) -> ControlFlow<()>,
    ) -> Result<(), Failure> {
        let zone = self.zones.get(instance.zone).map_err(Failure::Final)?;
        let failed = |error: Error| explain("pack a memory", error, zone.about(&instance.name));
        let files = self.memory_files(instance.zone, point.id);
        let hypervisor = self.hypervisor().map_err(Failure::Final)?;
        if point.memory.is_none() {
            let found = hypervisor.capabilities();
            let about = Described {
                ram: point.hardware.memory,
                qemu: point.hardware.qemu.clone(),
                machine: point.hardware.machine.clone(),
                cpu: point.hardware.cpu.clone(),
                accelerator: found.accelerator,
            };
            let packed =
                memory::pack(&files.raw, &files.kept, &about, tell).map_err(
                    |error| match error {
                        hypervisor::Error::Cancelled => Failure::Stopped,
                        hypervisor::Error::Io { source, .. }
                            if source.kind() == std::io::ErrorKind::StorageFull =>
                        {
                            Failure::Final(Fault::PoolFull {
                                zone: zone.name.clone(),
                                free: zone.free(),
                            })
                        }
                        error => failed(error.into()),
                    },
                )?;
            let by = super::super::guests::accelerator(hypervisor);
            self.catalog
                .write(|tx| set_memory(tx, point.id, Bytes(packed.bytes), by))
                .map_err(|error: catalog::Error| failed(error.into()))?;
        }
        match fs::remove_file(&files.raw) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!(point = %point.id, error = chain(&source), "a memory's stream stays beside it until the next start");
            }
            _ => {}
        }
        Ok(())
    }

    /// All of the memory in the point can be read: said before anything is touched.
    pub(super) fn prove_memory(
        &self,
        instance: &Instance,
        point: &Point,
        watch: &mut dyn Watch,
    ) -> Result<(), Failure> {
        if let Some(fault) = self.memory_refused(instance, point) {
            return Err(Failure::Final(fault));
        }
        let image = self
            .open_memory(instance.zone, point)
            .map_err(Failure::Final)?;
        watch.total(image.stream_bytes());
        let proved = image.prove(&mut |done| watch.done(done));
        proved.map_err(|error| match error {
            hypervisor::Error::Cancelled => Failure::Stopped,
            error => {
                tracing::error!(point = %point.id, error = chain(&error), "the memory in a recovery point is damaged");
                Failure::Final(Fault::MemoryDamaged {
                    name: point.name.clone(),
                })
            }
        })
    }

    /// The guest goes on from the memory in the point: its process is started with it, and runs.
    pub(super) fn start_with_memory(
        &self,
        instance: &Instance,
        point: &Point,
    ) -> Result<(), Failure> {
        let failed = |error: hypervisor::Error| {
            explain("have a guest go on", error.into(), About::default())
        };
        if !self.has_begun(instance).map_err(failed)? {
            let image = self
                .open_memory(instance.zone, point)
                .map_err(Failure::Final)?;
            self.start_machine_from(instance, Some(&image))?;
        }
        let Some(machine) = self.machine(instance.id) else {
            return Ok(());
        };
        // Its clock is that of then. Where no agent answers, the guest's own time service sees to it, or a person.
        if let Err(error) = machine.agent().set_time(CLOCK) {
            tracing::info!(instance = %instance.id, error = chain(&error), "the clock of a guest that went on from a memory was not set");
            self.clock_not_set(instance);
        }
        Ok(())
    }

    /// Whether an attempt before this one has started the process, with the whole memory; then it goes on. One that was
    /// still waiting for its memory is ended: who would have sent it is gone.
    fn has_begun(&self, instance: &Instance) -> Result<bool, hypervisor::Error> {
        let known = self.machine(instance.id);
        let known = known.filter(|machine| machine.exit().is_none());
        let machine = match known {
            Some(machine) => machine,
            None => match Hypervisor::find(&self.folders.instance(instance.id))? {
                Some(machine) => {
                    self.found(instance.id, &machine);
                    machine
                }
                None => return Ok(false),
            },
        };
        if matches!(
            machine.run_state(),
            Ok(RunState::Migrating | RunState::Prelaunch) | Err(_)
        ) {
            self.kill_machine(instance.id);
            return Ok(false);
        }
        machine.resume()?;
        Ok(true)
    }

    /// That a guest's clock is still that of then is in the log of what happened.
    fn clock_not_set(&self, instance: &Instance) {
        let now = self.now();
        let Ok(act) = serde_json::to_string(&Act::SetClock) else {
            return;
        };
        let event = NewEvent {
            organization: instance.organization,
            at: now,
            user: None,
            who: None,
            door: Door::System,
            act,
            subject: &instance.name,
            job: None,
            object: Some(instance.id.to_string()),
        };
        if let Err::<(), catalog::Error>(error) = self.catalog.write(|tx| insert_event(tx, &event))
        {
            tracing::warn!(instance = %instance.id, error = chain(&error), "an entry of the log was not written");
        }
    }
}

/// How long a save may take.
fn time_for(instance: &Instance) -> Duration {
    SAVE + Duration::from_secs(instance.hardware.memory.0 / SLOWEST)
}

fn sink(of: &Subject<'_>, files: &MemoryFiles) -> Sink {
    Sink {
        path: files.part.clone(),
        limit: of.instance.hardware.memory.0.saturating_add(BESIDE),
    }
}
