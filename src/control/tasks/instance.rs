//! Making, starting, stopping and removing instances.

use super::super::core::Core;
use super::super::error::{About, Error, explain};
use super::super::instances::act::{CreateArgs, StopArgs};
use super::begin_fill;
use crate::catalog;
use crate::catalog::instances::{Instance, forget_instance, instance, move_instance};
use crate::catalog::jobs::{Ending, Job, NewJob, insert_job};
use crate::catalog::volumes::{Volume, disks_of, forget_volume, move_volume, set_attachment};
use crate::domain::fault::Fault;
use crate::domain::id::{InstanceId, JobId};
use crate::domain::instance::{InstanceEvent, InstanceState};
use crate::domain::job::JobKind;
use crate::domain::volume::{VolumeEvent, VolumeState};
use crate::jobs::{Failure, Watch};
use rusqlite::Transaction;
use serde::de::DeserializeOwned;

/// The steps that do it, in order.
pub(super) const fn steps(kind: JobKind) -> &'static [&'static str] {
    match kind {
        JobKind::CreateInstance => &["hold-root", "make-root"],
        JobKind::StopInstance => &["stop"],
        JobKind::RebootInstance => &["stop", "start"],
        JobKind::DeleteInstance => &["end", "drop-points", "drop-volumes", "drop-folder"],
        _ => &["start"],
    }
}

/// The steps that undo it, in order.
pub(super) const fn undo_steps(kind: JobKind) -> &'static [&'static str] {
    match kind {
        JobKind::CreateInstance => &["drop-root"],
        // An instance that was started runs, and one that was stopped stands: there is nothing to undo.
        _ => &[],
    }
}

impl Core {
    /// One step, of either list.
    pub(super) fn instance_step(
        &self,
        job: &Job,
        step: &'static str,
        watch: &mut dyn Watch,
    ) -> Result<(), Failure> {
        match (job.kind, step) {
            (JobKind::CreateInstance, "hold-root") => self.hold_root(job),
            (JobKind::CreateInstance, "make-root") => self.make_root(job),
            (JobKind::CreateInstance, "drop-root") => self.drop_root(job),
            (JobKind::StartInstance, "start") => self.start_machine(&self.subject_instance(job)?),
            (JobKind::StopInstance, "stop") => {
                let args: StopArgs = self.args_of(job)?;
                self.stop_machine(&self.subject_instance(job)?, args.force, watch)
            }
            (JobKind::RebootInstance, "stop") => {
                self.stop_machine(&self.subject_instance(job)?, false, watch)
            }
            (JobKind::RebootInstance, "start") => self.start_again(job),
            (JobKind::DeleteInstance, "end") => {
                self.kill_machine(self.subject_instance(job)?.id);
                Ok(())
            }
            (JobKind::DeleteInstance, "drop-points") => self.drop_points(job),
            (JobKind::DeleteInstance, "drop-volumes") => self.drop_disks(job),
            (JobKind::DeleteInstance, "drop-folder") => self.drop_folder(job),
            _ => Err(self.broken(step, "a step that no work has")),
        }
    }

    fn args_of<T: DeserializeOwned>(&self, job: &Job) -> Result<T, Failure> {
        serde_json::from_str(&job.args).map_err(|source| {
            let error = Error::Json {
                what: "a job's arguments",
                source,
            };
            explain("read a job", error, About::default())
        })
    }

    /// The instance that the job works on.
    pub(super) fn subject_instance(&self, job: &Job) -> Result<Instance, Failure> {
        let id: Option<InstanceId> = job.subject.parse().ok();
        let found = id.map(|id| self.catalog.instance(id)).transpose();
        let found = found
            .map_err(|error| explain("find a job's instance", error.into(), About::default()))?;
        found.flatten().ok_or_else(|| {
            self.broken(
                "find a job's instance",
                "the instance that a job works on is not there",
            )
        })
    }

    fn root_of(&self, job: &Job) -> Result<(CreateArgs, Volume), Failure> {
        let args: CreateArgs = self.args_of(job)?;
        let found = self.catalog.volume(args.root);
        let found =
            found.map_err(|error| explain("find a root volume", error.into(), About::default()))?;
        let volume = found.ok_or_else(|| {
            self.broken(
                "find a root volume",
                "the root volume that a job makes is not there",
            )
        })?;
        Ok((args, volume))
    }

    /// The object store keeps the template's content for the root volume, whatever becomes of the template.
    fn hold_root(&self, job: &Job) -> Result<(), Failure> {
        let (args, root) = self.root_of(job)?;
        self.hold_content(&root, args.content, &job.subject_name)
    }

    /// The engine makes the root volume on top of what is held. Making the same one again is harmless.
    fn make_root(&self, job: &Job) -> Result<(), Failure> {
        let (_, root) = self.root_of(job)?;
        self.make_remote(&root)
    }

    /// The engine forgets it, and what stands for its content. Forgetting it again is harmless.
    fn drop_root(&self, job: &Job) -> Result<(), Failure> {
        let (_, root) = self.root_of(job)?;
        self.drop_disk(&root)?;
        self.delete_bases_of(&root)
    }

    fn drop_disk(&self, disk: &Volume) -> Result<(), Failure> {
        let zone = self.zones.get(disk.zone).map_err(Failure::Final)?;
        let pool = zone.pool(&disk.name).map_err(Failure::Passing)?;
        pool.delete_volume(disk.id)
            .map_err(|error| explain("delete a volume", error.into(), zone.about(&disk.name)))
    }

    /// Ends the instance's process: by the power button, or at once.
    fn stop_machine(
        &self,
        instance: &Instance,
        force: bool,
        watch: &mut dyn Watch,
    ) -> Result<(), Failure> {
        if force {
            self.kill_machine(instance.id);
            return Ok(());
        }
        let seconds = self.guests.stop_seconds;
        if self.power_down(instance.id, seconds, watch)? {
            return Ok(());
        }
        Err(Failure::Final(Fault::StopIgnored {
            name: instance.name.clone(),
            seconds,
        }))
    }

    /// The second half of a restart. That it has begun is written down, so that a failure leaves it stopped and not
    /// running.
    fn start_again(&self, job: &Job) -> Result<(), Failure> {
        let id = self.subject_instance(job)?.id;
        let written = self.catalog.write(|tx| {
            let Some(found) = instance(tx, id)? else {
                return Ok(());
            };
            let mut state = found.state;
            for event in [InstanceEvent::Ended, InstanceEvent::StartAsked] {
                state = state.next(event).unwrap_or(state);
            }
            if state != found.state {
                move_instance(tx, id, found.state, state, None)?;
            }
            Ok(())
        });
        written.map_err(|error: catalog::Error| {
            explain("start an instance again", error.into(), About::default())
        })?;
        self.start_machine(&self.subject_instance(job)?)
    }

    /// The engine forgets what the instance's recovery points hold. Their rows go with the instance's.
    fn drop_points(&self, job: &Job) -> Result<(), Failure> {
        let instance = self.subject_instance(job)?;
        let zone = self.zones.get(instance.zone).map_err(Failure::Final)?;
        let failed = |error: Error| {
            explain(
                "delete an instance's points",
                error,
                zone.about(&instance.name),
            )
        };
        let checkpoints = self.catalog.checkpoints_of_instance(instance.id);
        let checkpoints = checkpoints.map_err(|error| failed(error.into()))?;
        if checkpoints.is_empty() {
            return Ok(());
        }
        let points = self.catalog.points_of(instance.id);
        for point in points.map_err(|error| failed(error.into()))? {
            self.remove_memory(instance.zone, point.id)
                .map_err(failed)?;
        }
        let pool = zone.pool(&instance.name).map_err(Failure::Passing)?;
        for checkpoint in checkpoints {
            pool.delete_checkpoint(checkpoint)
                .map_err(|error| failed(error.into()))?;
        }
        Ok(())
    }

    /// The engine forgets the volumes that go with the instance: those whose deletion was asked for.
    fn drop_disks(&self, job: &Job) -> Result<(), Failure> {
        let instance = self.subject_instance(job)?;
        for disk in self.disks_of(instance.id)? {
            if disk.state == VolumeState::Deleting {
                self.drop_disk(&disk)?;
                self.delete_bases_of(&disk)?;
            }
        }
        Ok(())
    }

    /// Its sockets and logs go.
    fn drop_folder(&self, job: &Job) -> Result<(), Failure> {
        let folder = self.folders.instance(self.subject_instance(job)?.id);
        match std::fs::remove_dir_all(&folder) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(source) => Err(explain(
                "delete an instance",
                Error::Io {
                    operation: "remove",
                    path: folder,
                    source,
                },
                About::default(),
            )),
        }
    }
}

/// The instance's new state, in the transaction in which its job ends.
pub(super) fn conclude(
    tx: &Transaction<'_>,
    job: &Job,
    ending: Option<(Ending, &Fault)>,
    now: i64,
) -> Result<(), catalog::Error> {
    let Some(id) = job.subject.parse::<InstanceId>().ok() else {
        return Ok(());
    };
    let Some(found) = instance(tx, id)? else {
        tracing::error!(job = %job.id, instance = %id, "a job's instance is not in the catalog");
        return Ok(());
    };
    let fault = ending.map(|(_, fault)| fault);
    match job.kind {
        JobKind::CreateInstance => created(tx, job, &found, fault, now),
        JobKind::DeleteInstance if ending.is_none() => deleted(tx, &found),
        JobKind::DeleteInstance => Ok(()),
        _ => {
            use InstanceEvent as E;
            use InstanceState as S;
            // Where its process ended by itself meanwhile, that was written down already and is what holds.
            let event = match (job.kind, found.state, fault) {
                (_, S::Starting, None) => E::Started,
                (JobKind::StopInstance, S::Stopping, None) => E::Ended,
                // Not started: stopped. Not stopped: it runs.
                (_, S::Starting | S::Stopping, Some(_)) => E::Broke,
                _ => return Ok(()),
            };
            moves(tx, &found, event, fault)
        }
    }
}

fn moves(
    tx: &Transaction<'_>,
    instance: &Instance,
    event: InstanceEvent,
    fault: Option<&Fault>,
) -> Result<(), catalog::Error> {
    match instance.state.next(event) {
        Ok(after) if move_instance(tx, instance.id, instance.state, after, fault)? => {}
        _ => {
            tracing::error!(instance = %instance.id, state = ?instance.state, ?event, "an instance was not in its passing state");
        }
    }
    Ok(())
}

fn created(
    tx: &Transaction<'_>,
    job: &Job,
    instance: &Instance,
    fault: Option<&Fault>,
    now: i64,
) -> Result<(), catalog::Error> {
    for disk in disks_of(tx, instance.id)? {
        let event = if fault.is_some() {
            VolumeEvent::Broke
        } else {
            VolumeEvent::Finished
        };
        if let Ok(after) = disk.state.next(event)
            && move_volume(tx, disk.id, disk.state, after, fault)?
            && fault.is_none()
        {
            // It can be used already; the rest of its content comes by work of its own.
            begin_fill(tx, &disk, job.total, job.asked_by, now)?;
        }
    }
    if fault.is_some() {
        return moves(tx, instance, InstanceEvent::Broke, fault);
    }
    moves(tx, instance, InstanceEvent::Made, None)?;
    let start = serde_json::from_str::<CreateArgs>(&job.args).is_ok_and(|args| args.start);
    if !start {
        return Ok(());
    }
    // It exists from here on, whether it starts or not: the start is work of its own.
    if let Ok(after) = InstanceState::Stopped.next(InstanceEvent::StartAsked) {
        move_instance(tx, instance.id, InstanceState::Stopped, after, None)?;
    }
    let next = NewJob {
        id: JobId::new(),
        organization: job.organization,
        kind: JobKind::StartInstance,
        subject: job.subject.clone(),
        subject_name: &job.subject_name,
        source: None,
        args: "{}".to_owned(),
        total: None,
        asked_by: job.asked_by,
    };
    insert_job(tx, &next, now)
}

fn deleted(tx: &Transaction<'_>, instance: &Instance) -> Result<(), catalog::Error> {
    for disk in disks_of(tx, instance.id)? {
        if disk.state != VolumeState::Deleting || !forget_volume(tx, disk.id)? {
            set_attachment(tx, disk.id, None)?;
        }
    }
    if !forget_instance(tx, instance.id)? {
        tracing::error!(instance = %instance.id, "a deleted instance was not in its passing state");
    }
    Ok(())
}
