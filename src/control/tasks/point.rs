//! Making and removing recovery points.
//!
//! What may never be true: a guest that stays frozen because an act of ours ended. That a freeze is asked for is in the
//! catalog before it is asked, [`Thaw`] thaws whatever happens on the way, and whoever looks after the guests goes on
//! trying where the agent does not answer.

use super::super::core::Core;
use super::super::error::{About, Error, chain, explain, internal};
use super::super::points::{PING, PointArgs, consistency_at_rest};
use super::memory::Subject;
use crate::catalog;
use crate::catalog::instances::{Instance, instance, set_lineage};
use crate::catalog::jobs::{Ending, Job};
use crate::catalog::points::{
    Disk, Point, disks_of_point, forget_point, move_point, point_of, set_moment, set_stood_still,
};
use crate::domain::fault::Fault;
use crate::domain::id::{CheckpointId, PointId, VolumeId};
use crate::domain::job::JobKind;
use crate::domain::recovery::{Consistency, PointState};
use crate::engine::Pool;
use crate::hypervisor::{FreezeStatus, Machine};
use crate::jobs::{Failure, Watch};
use rusqlite::Transaction;
use serde::de::DeserializeOwned;
use std::time::{Duration, Instant};

/// How long a guest has to freeze its file systems. Tests have one that never does.
const FREEZE: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 10 });
/// How long it has to thaw them, each time it is asked.
const THAW: Duration = Duration::from_secs(5);
/// How often it is asked here; those who look after the guests ask on.
const THAW_TRIES: u32 = 2;

/// The steps that do it, in order.
pub(super) const fn steps(kind: JobKind) -> &'static [&'static str] {
    match kind {
        JobKind::CreatePoint => &["take", "pack"],
        _ => &["delete-checkpoints"],
    }
}

/// The steps that undo it, in order.
pub(super) const fn undo_steps(kind: JobKind) -> &'static [&'static str] {
    match kind {
        JobKind::CreatePoint => &["drop-point"],
        // What was begun is finished, however long it takes.
        _ => &[],
    }
}

/// Which checkpoint of which volume.
pub(super) type Pairs = Vec<(VolumeId, CheckpointId)>;

pub(super) fn pairs(disks: &[Disk]) -> Pairs {
    disks
        .iter()
        .map(|disk| (disk.volume, disk.checkpoint))
        .collect()
}

/// Whether the pool has all of them. They come to exist together.
pub(super) fn all_there(pool: &Pool, pairs: &Pairs) -> bool {
    let there = pool.checkpoints();
    pairs
        .iter()
        .all(|(_, wanted)| there.iter().any(|found| found.id == *wanted))
}

/// What a job's row was told when it was asked for.
pub(super) fn args_of<T: DeserializeOwned>(job: &Job) -> Result<T, Failure> {
    serde_json::from_str(&job.args).map_err(|source| {
        let error = Error::Json {
            what: "a job's arguments",
            source,
        };
        explain("read a job", error, About::default())
    })
}

impl Core {
    /// One step, of either list.
    pub(super) fn point_step(
        &self,
        job: &Job,
        step: &'static str,
        watch: &mut dyn Watch,
    ) -> Result<(), Failure> {
        match (job.kind, step) {
            (JobKind::CreatePoint, "take") => self.take_point(job, watch),
            (JobKind::CreatePoint, "pack") => self.pack_point(job, watch),
            (JobKind::CreatePoint, "drop-point") => self.drop_new_point(job, watch),
            (JobKind::DeletePoint, "delete-checkpoints") => self.delete_points(job),
            _ => Err(self.broken(step, "a step that no work has")),
        }
    }

    /// A point with its disks, if it is (still) there.
    pub(super) fn point_and_disks(
        &self,
        id: PointId,
    ) -> Result<Option<(Point, Vec<Disk>)>, Failure> {
        let found = self.catalog.point(id).and_then(|point| {
            let disks = self.catalog.read(|tx| disks_of_point(tx, id))?;
            Ok(point.map(|point| (point, disks)))
        });
        found.map_err(|error| explain("find a recovery point", error.into(), About::default()))
    }

    /// The moment is taken: all the disks at once. After a crash it is either there as a whole, or taken anew.
    fn take_point(&self, job: &Job, watch: &mut dyn Watch) -> Result<(), Failure> {
        let args: PointArgs = args_of(job)?;
        let instance = self.subject_instance(job)?;
        if instance.state.may_run() {
            self.guests_known(&instance.name, watch)?;
        }
        let Some((point, disks)) = self.point_and_disks(args.point)? else {
            return Err(self.broken("make a recovery point", "its row is not there"));
        };
        let zone = self.zones.get(instance.zone).map_err(Failure::Final)?;
        let pool = zone.pool(&instance.name).map_err(Failure::Passing)?;
        let machine = self.machine(instance.id);
        if instance.frozen
            && let Some(machine) = &machine
        {
            // A process before this one ended between freeze and thaw.
            self.thaw(&instance, machine);
        }
        let pairs = pairs(&disks);
        if args.memory {
            if self.has_memory(&instance, &point, all_there(pool, &pairs)) {
                // After a crash; whether its guest still runs does not matter any more.
                return Ok(());
            }
            let Some(machine) = &machine else {
                return Err(Failure::Final(Fault::NoMemoryToKeep {
                    name: instance.name,
                }));
            };
            let of = Subject {
                instance: &instance,
                machine,
                point: &point,
                zone,
                pool,
                pairs: &pairs,
            };
            return self.take_with_memory(&of, watch);
        }
        if point.consistency.is_some() && all_there(pool, &pairs) {
            // It was taken; how long that took is not known any more.
            return Ok(());
        }
        let failed =
            |error: Error| explain("make a recovery point", error, zone.about(&instance.name));
        let stood = match &machine {
            Some(machine) => match self.take_frozen(&point, &instance, machine, pool, &pairs) {
                Ok(Some(stood)) => stood,
                Ok(None) => self
                    .take(&point, Consistency::PowerCut, pool, &pairs)
                    .map_err(failed)?,
                Err(error) => return Err(failed(error)),
            },
            None => {
                let consistency = consistency_at_rest(&instance);
                self.take(&point, consistency, pool, &pairs)
                    .map_err(failed)?;
                None
            }
        };
        let Some(stood) = stood else { return Ok(()) };
        let micros = u64::try_from(stood.as_micros()).unwrap_or(u64::MAX);
        self.catalog
            .write(|tx| set_stood_still(tx, point.id, micros))
            .map_err(|error: catalog::Error| failed(error.into()))
    }

    /// What was kept of the memory is compressed, while the guest runs.
    fn pack_point(&self, job: &Job, watch: &mut dyn Watch) -> Result<(), Failure> {
        let args: PointArgs = args_of(job)?;
        if !args.memory {
            return Ok(());
        }
        let instance = self.subject_instance(job)?;
        let Some((point, _)) = self.point_and_disks(args.point)? else {
            return Err(self.broken("make a recovery point", "its row is not there"));
        };
        let files = self.memory_files(instance.zone, point.id);
        if let Ok(raw) = std::fs::metadata(&files.raw) {
            watch.total(raw.len());
        }
        self.pack_memory(&instance, &point, &mut |bytes| watch.done(bytes))
    }

    /// Writes down that the moment is being taken without the guest being asked.
    pub(super) fn write_moment(&self, point: &Point, now: i64) -> Result<(), catalog::Error> {
        self.catalog
            .write(|tx| set_moment(tx, point.id, now, Consistency::PowerCut))
    }

    /// Takes the moment without asking the guest. Tells how long its writes were held up.
    pub(super) fn take(
        &self,
        point: &Point,
        consistency: Consistency,
        pool: &Pool,
        pairs: &Pairs,
    ) -> Result<Option<Duration>, Error> {
        let now = self.now();
        self.catalog
            .write(|tx| set_moment(tx, point.id, now, consistency))
            .map_err(|error: catalog::Error| Error::from(error))?;
        checkpoint(pool, pairs)
    }

    /// Takes the moment with the guest's file systems frozen. None when the guest has no agent that answers, or it would
    /// not freeze; else how long the guest stood still, where that is known.
    fn take_frozen(
        &self,
        point: &Point,
        instance: &Instance,
        machine: &Machine,
        pool: &Pool,
        pairs: &Pairs,
    ) -> Result<Option<Option<Duration>>, Error> {
        let agent = machine.agent();
        if !agent.ping(PING) {
            return Ok(None);
        }
        let now = self.now();
        self.catalog
            .write(|tx| set_moment(tx, point.id, now, Consistency::Frozen))
            .map_err(|error: catalog::Error| Error::from(error))?;
        self.catalog.set_frozen(instance.id, true)?;
        let thaw = Thaw {
            core: self,
            instance,
            machine,
            due: true,
        };
        let begun = Instant::now();
        match agent.freeze(FREEZE) {
            Ok(frozen) if frozen > 0 => {}
            Ok(_) => {
                tracing::info!(instance = %instance.id, "a guest has no file system to freeze");
                thaw.now();
                return Ok(None);
            }
            Err(error) => {
                tracing::warn!(instance = %instance.id, error = chain(&error), "a guest could not be frozen");
                thaw.now();
                return Ok(None);
            }
        }
        let taken = checkpoint(pool, pairs);
        let thawed = thaw.now();
        let stood = begun.elapsed();
        taken.map(|_| Some(thawed.then_some(stood)))
    }

    /// Thaws the guest, and has it go on should it stand. True when it is thawed for certain; that is written down.
    pub(super) fn thaw(&self, instance: &Instance, machine: &Machine) -> bool {
        let agent = machine.agent();
        let thawed = (0..THAW_TRIES).any(|_| {
            match agent.thaw(THAW) {
                Ok(()) => return true,
                Err(error) => {
                    tracing::warn!(instance = %instance.id, error = chain(&error), "a guest was not thawed");
                }
            }
            matches!(agent.status(), Ok(FreezeStatus::Thawed))
        });
        if thawed {
            if let Err(error) = self.catalog.set_frozen(instance.id, false) {
                // It is thawed once more later, which is harmless.
                internal("write down that a guest is thawed", &error);
            }
        } else {
            tracing::error!(instance = %instance.id, "a guest may be frozen: it is asked to thaw until it answers");
            if let Err(error) = machine.resume() {
                tracing::warn!(instance = %instance.id, error = chain(&error), "a guest could not be told to go on");
            }
        }
        thawed
    }

    /// A point that could not be made never was.
    fn drop_new_point(&self, job: &Job, watch: &mut dyn Watch) -> Result<(), Failure> {
        let args: PointArgs = args_of(job)?;
        let instance = self.subject_instance(job)?;
        if instance.frozen || args.memory {
            self.guests_known(&instance.name, watch)?;
            if let Some(machine) = self.machine(instance.id) {
                if instance.frozen {
                    self.thaw(&instance, &machine);
                }
                if args.memory
                    && let Err(error) = machine.resume()
                {
                    tracing::warn!(instance = %instance.id, error = chain(&error), "a guest could not be told to go on");
                }
            }
        }
        self.drop_point(&instance, args.point)
    }

    /// Its checkpoints go from the pool, then its row goes. Done again, it is harmless.
    pub(super) fn drop_point(&self, instance: &Instance, id: PointId) -> Result<(), Failure> {
        let zone = self.zones.get(instance.zone).map_err(Failure::Final)?;
        let failed =
            |error: Error| explain("remove a recovery point", error, zone.about(&instance.name));
        let Some((point, disks)) = self.point_and_disks(id)? else {
            return Ok(());
        };
        let pool = zone.pool(&instance.name).map_err(Failure::Passing)?;
        for disk in &disks {
            pool.delete_checkpoint(disk.checkpoint)
                .map_err(|error| failed(error.into()))?;
        }
        self.remove_memory(instance.zone, id).map_err(failed)?;
        self.catalog
            .write(|tx| forget_point(tx, &point))
            .map_err(|error: catalog::Error| failed(error.into()))
    }

    /// The checkpoints of points that are being deleted go from the pool; their rows go when the job ends.
    fn delete_points(&self, job: &Job) -> Result<(), Failure> {
        let args: PointArgs = args_of(job)?;
        let instance = self.subject_instance(job)?;
        let zone = self.zones.get(instance.zone).map_err(Failure::Final)?;
        let pool = zone.pool(&instance.name).map_err(Failure::Passing)?;
        for id in std::iter::once(args.point).chain(args.also) {
            let Some((_, disks)) = self.point_and_disks(id)? else {
                continue;
            };
            for disk in disks {
                pool.delete_checkpoint(disk.checkpoint).map_err(|error| {
                    explain(
                        "delete a recovery point",
                        error.into(),
                        zone.about(&instance.name),
                    )
                })?;
            }
            self.remove_memory(instance.zone, id).map_err(|error| {
                explain("delete a recovery point", error, zone.about(&instance.name))
            })?;
        }
        Ok(())
    }
}

/// All at once. What could not be finished is cancelled, so that another attempt is another moment.
pub(super) fn checkpoint(pool: &Pool, pairs: &Pairs) -> Result<Option<Duration>, Error> {
    pool.checkpoint(pairs).map_err(|error| {
        for (_, checkpoint) in pairs {
            if let Err(error) = pool.delete_checkpoint(*checkpoint) {
                tracing::warn!(%checkpoint, error = chain(&error), "a checkpoint that is not wanted could not be cancelled yet");
            }
        }
        error.into()
    })
}

/// From a freeze on, until it is thawed: dropped on any way out, by a panic too, it thaws.
struct Thaw<'a> {
    core: &'a Core,
    instance: &'a Instance,
    machine: &'a Machine,
    due: bool,
}

impl Thaw<'_> {
    fn now(mut self) -> bool {
        self.due = false;
        self.core.thaw(self.instance, self.machine)
    }
}

impl Drop for Thaw<'_> {
    fn drop(&mut self) {
        if self.due {
            self.core.thaw(self.instance, self.machine);
        }
    }
}

/// What the end means for the points, in the transaction in which the job ends.
pub(super) fn conclude(
    tx: &Transaction<'_>,
    job: &Job,
    ending: Option<(Ending, &Fault)>,
) -> Result<(), catalog::Error> {
    let Ok(args) = serde_json::from_str::<PointArgs>(&job.args) else {
        tracing::error!(job = %job.id, "a job's arguments cannot be read");
        return Ok(());
    };
    if job.kind == JobKind::DeletePoint {
        for id in std::iter::once(args.point).chain(args.also) {
            if ending.is_none()
                && let Some(point) = point_of(tx, job.organization, id)?
            {
                forget_point(tx, &point)?;
            }
        }
        return Ok(());
    }
    let Some(point) = point_of(tx, job.organization, args.point)? else {
        if ending.is_none() {
            tracing::error!(job = %job.id, point = %args.point, "a job's recovery point is not in the catalog");
        }
        return Ok(());
    };
    if ending.is_some() {
        // Undoing it did not succeed: it is removed by the program, later.
        move_point(tx, point.id, point.state, PointState::Deleting)?;
        return Ok(());
    }
    if !move_point(tx, point.id, PointState::Creating, PointState::Ready)? {
        tracing::error!(job = %job.id, point = %point.id, "a recovery point was not in its passing state");
    }
    let undo = instance(tx, point.instance)?.and_then(|instance| instance.undo);
    set_lineage(tx, point.instance, Some(point.id), undo)
}
