//! The memory that recovery points keep: where its files are, what keeping it would mean, and why a guest could not go on
//! from it.
//!
//! Beside a zone's pool, in `memory/`, by the point's id:
//!
//! | name | what |
//! |---|---|
//! | `<point>.part` | QEMU's stream as it comes; worth nothing |
//! | `<point>.raw` | the whole stream, synced |
//! | `<point>.mem` | the stream, compressed and proved: what a point keeps |
//!
//! What may never be true: a point that says it has a memory and has not, but for damage; a memory of another instant than
//! its disks. After a crash what work had begun is taken up again with it; parts that no work needs are removed at a start.

use super::core::Core;
use super::error::{Error, chain};
use super::guests::accelerator;
use super::points::PointArgs;
use super::rollback::RollbackArgs;
use super::zones::Zone;
use crate::catalog::instances::Instance;
use crate::catalog::jobs::Job;
use crate::catalog::points::Point;
use crate::domain::fault::Fault;
use crate::domain::id::{PointId, ZoneId};
use crate::domain::instance::{Accelerator, InstanceState};
use crate::domain::job::JobKind;
use crate::domain::recovery::MemoryWay;
use crate::domain::size::Bytes;
use crate::hypervisor::memory::{self, Image};
use crate::view::MemoryPlan;
use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::PathBuf;

/// The files of one memory.
#[derive(Debug, Clone)]
pub(super) struct MemoryFiles {
    /// As it comes.
    pub part: PathBuf,
    /// Whole, synced.
    pub raw: PathBuf,
    /// What is kept.
    pub kept: PathBuf,
}

impl Core {
    /// Where the memory of a point is, or will be.
    pub fn memory_files(&self, zone: ZoneId, point: PointId) -> MemoryFiles {
        let folder = self.folders.memory(zone);
        let file = |kind: &str| folder.join(format!("{point}.{kind}"));
        MemoryFiles {
            part: file("part"),
            raw: file("raw"),
            kept: file("mem"),
        }
    }

    /// Removes the memory of a point, in whatever shape it is. Removing it again is harmless.
    pub fn remove_memory(&self, zone: ZoneId, point: PointId) -> Result<(), Error> {
        let files = self.memory_files(zone, point);
        for path in [files.part, files.raw, files.kept] {
            match fs::remove_file(&path) {
                Err(source)
                    if !matches!(
                        source.kind(),
                        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                    ) =>
                {
                    return Err(Error::Io {
                        operation: "remove",
                        path,
                        source,
                    });
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// At a start: what no work will go on with is removed. A memory whose point is not known is left and told, as a
    /// checkpoint would be: the catalog may have been restored from yesterday.
    pub fn clear_memories(&self) -> Result<(), Error> {
        let names = |ids: Vec<PointId>| -> HashSet<String> {
            ids.iter().map(ToString::to_string).collect()
        };
        let known = names(self.catalog.point_ids()?);
        let live = self.catalog.live_jobs()?;
        let worked_on = names(live.iter().filter_map(keeps_memory_of).collect());
        for zone in &self.zones.0 {
            let folder = self.folders.memory(zone.id);
            let entries = match fs::read_dir(&folder) {
                Ok(entries) => entries,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(source) => {
                    return Err(Error::Io {
                        operation: "read",
                        path: folder,
                        source,
                    });
                }
            };
            for entry in entries.flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                let (id, kind) = name.split_once('.').unwrap_or((&name, ""));
                let is_known = known.contains(id);
                match kind {
                    "mem" if is_known => {}
                    "mem" => {
                        tracing::warn!(zone = %zone.name, point = id, "a memory of a point that the catalog does not know: left as it is");
                    }
                    "raw" if worked_on.contains(id) => {}
                    _ => {
                        if let Err(error) = fs::remove_file(entry.path()) {
                            tracing::warn!(path = %entry.path().display(), error = chain(&error), "a file that nothing needs could not be removed");
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// What keeping the guest's memory would mean.
    ///
    /// # Errors
    /// [`Fault::NoMemoryToKeep`] where it does not run; [`Fault::HypervisorMissing`]; [`Fault::PoolFull`] where there is no
    /// room for it.
    pub fn memory_plan(&self, instance: &Instance) -> Result<MemoryPlan, Fault> {
        let runs = instance.state == InstanceState::Running && self.machine(instance.id).is_some();
        if !runs {
            return Err(Fault::NoMemoryToKeep {
                name: instance.name.clone(),
            });
        }
        let (expected, way) = (instance.hardware.memory, self.memory_way()?);
        let zone = self.zones.get(instance.zone)?;
        let free = self.free_for_memory(zone);
        if free < expected {
            return Err(Fault::PoolFull {
                zone: zone.name.clone(),
                free,
            });
        }
        Ok(MemoryPlan { expected, way })
    }

    /// What a memory may take: with those that are kept already, a zone holds no more than it may.
    pub fn free_for_memory(&self, zone: &Zone) -> Bytes {
        zone.free_beside(self.memory_kept(zone).0)
    }

    /// Bytes that the memories in the zone's recovery points take.
    pub fn memory_kept(&self, zone: &Zone) -> Bytes {
        let kept = fs::read_dir(self.folders.memory(zone.id))
            .into_iter()
            .flatten()
            .flatten();
        let kept = kept.filter_map(|entry| entry.metadata().ok());
        Bytes(kept.map(|found| found.len()).sum())
    }

    /// How the hypervisor keeps the memory of a guest that runs.
    ///
    /// # Errors
    /// [`Fault::HypervisorMissing`].
    pub fn memory_way(&self) -> Result<MemoryWay, Fault> {
        let can = self.hypervisor()?.capabilities().background_snapshot;
        Ok(if can && !self.guests.must_stand() {
            MemoryWay::Running
        } else {
            MemoryWay::Standing
        })
    }

    /// The memory that the point keeps.
    ///
    /// # Errors
    /// [`Fault::MemoryDamaged`].
    pub fn open_memory(&self, zone: ZoneId, point: &Point) -> Result<Image, Fault> {
        memory::open(&self.memory_files(zone, point.id).kept).map_err(|error| {
            tracing::error!(point = %point.id, error = chain(&error), "the memory in a recovery point cannot be read");
            Fault::MemoryDamaged {
                name: point.name.clone(),
            }
        })
    }

    /// Why the guest could not go on from the memory in the point, as far as can be told without reading all of it. None
    /// also where the point keeps none.
    pub fn memory_refused(&self, instance: &Instance, point: &Point) -> Option<Fault> {
        point.memory?;
        let hypervisor = match self.hypervisor() {
            Ok(hypervisor) => hypervisor,
            Err(missing) => return Some(missing),
        };
        let (found, computes) = (hypervisor.capabilities(), accelerator(hypervisor));
        let (then, runs) = (&point.hardware, &instance.hardware);
        let elsewhere = |then: String, now: String| Some(Fault::MemoryElsewhere { then, now });
        if then.qemu != found.version || point.accelerator != Some(computes) {
            let told = |qemu: &str, accelerator: Option<Accelerator>| {
                let by = match accelerator {
                    Some(Accelerator::Kvm) => "KVM",
                    Some(Accelerator::Tcg) => "TCG",
                    None => "–",
                };
                format!("QEMU {qemu} ({by})")
            };
            return elsewhere(
                told(&then.qemu, point.accelerator),
                told(&found.version, Some(computes)),
            );
        }
        // What the hypervisor makes today it can make; and so what it has started this instance with.
        let started = runs.qemu == found.version && instance.accelerator == Some(computes);
        let made =
            |then: &String, now: &String, runs: &String| then == now || (started && then == runs);
        if !made(&then.machine, &found.machine, &runs.machine) {
            return elsewhere(then.machine.clone(), found.machine.clone());
        }
        if !made(&then.cpu, &found.cpu, &runs.cpu) {
            return elsewhere(then.cpu.clone(), found.cpu.clone());
        }
        self.open_memory(instance.zone, point).err()
    }
}

/// The point whose memory is being kept by this work.
fn keeps_memory_of(job: &Job) -> Option<PointId> {
    match job.kind {
        JobKind::CreatePoint => {
            let args: PointArgs = serde_json::from_str(&job.args).ok()?;
            args.memory.then_some(args.point)
        }
        JobKind::Rollback => {
            let args: RollbackArgs = serde_json::from_str(&job.args).ok()?;
            args.safety_memory.then_some(args.safety)
        }
        _ => None,
    }
}
