//! The long work itself, one file a family.
//!
//! Every step is idempotent, and every id that it creates stands in the catalog before it begins: after a crash the step
//! is simply done again. What a step proves is written down by the next commit; how the work ends is written in the
//! transaction in which its job ends ([`Tasks::conclude`]).

mod import;
mod instance;
mod memory;
mod point;
mod rollback;
mod snapshot;
mod template;
mod volume;

pub(super) use rollback::made_anew;
pub(super) use template::{SourceArgs, SourceDisk, TemplateArgs, parse as parse_template};
pub(super) use volume::begin_fill;

use super::core::Core;
use super::error::{About, Error, explain, internal};
use crate::archive;
use crate::catalog;
use crate::catalog::jobs::{Ending, Job};
use crate::catalog::snapshots::Snapshot;
use crate::catalog::volumes::Volume;
use crate::domain::fault::Fault;
use crate::domain::id::{SnapshotId, VolumeId};
use crate::domain::job::JobKind;
use crate::jobs::{Failure, Watch, Work};
use crate::view::Change;
use rusqlite::Transaction;
use std::ops::ControlFlow;
use std::sync::Arc;

/// The steps that do the work, in order.
#[must_use]
pub const fn steps(kind: JobKind) -> &'static [&'static str] {
    match kind {
        JobKind::CreateVolume => &["make-volume"],
        JobKind::ImportVolume => &["check-image", "make-volume", "convert", "remove-upload"],
        JobKind::DeleteVolume => &["delete-volume", "delete-bases"],
        JobKind::TakeSnapshot => &["checkpoint", "save", "verify", "retire"],
        JobKind::DeleteSnapshot => &["delete-saved", "delete-checkpoint"],
        JobKind::RestoreVolume => &["hold", "make-volume"],
        JobKind::CreateInstance
        | JobKind::StartInstance
        | JobKind::StopInstance
        | JobKind::RebootInstance
        | JobKind::DeleteInstance => instance::steps(kind),
        JobKind::CreatePoint | JobKind::DeletePoint => point::steps(kind),
        JobKind::Rollback => rollback::STEPS,
        JobKind::CreateTemplate | JobKind::ImportTemplate | JobKind::DeleteTemplate => {
            template::steps(kind)
        }
        JobKind::VerifySnapshot => &["prove"],
        JobKind::FillVolume => &["fetch"],
    }
}

/// The steps that undo it, in order, when it ends this way.
#[must_use]
pub const fn undo_steps(kind: JobKind, ending: Ending) -> &'static [&'static str] {
    match (kind, ending) {
        (JobKind::CreateVolume, _) => &["drop-volume"],
        (JobKind::RestoreVolume, _) => &["drop-volume", "delete-bases"],
        (JobKind::ImportVolume, _) => &["drop-volume", "drop-upload"],
        (JobKind::TakeSnapshot, Ending::Interrupted) => &["drop-saved", "drop-checkpoint"],
        // The checkpoint is kept: the save can be tried again and still means the same moment.
        (JobKind::TakeSnapshot, Ending::Failed) => &[],
        // What was begun is finished, however long it takes.
        (JobKind::DeleteVolume | JobKind::DeleteSnapshot, _) => &[],
        (
            JobKind::CreateInstance
            | JobKind::StartInstance
            | JobKind::StopInstance
            | JobKind::RebootInstance
            | JobKind::DeleteInstance,
            _,
        ) => instance::undo_steps(kind),
        (JobKind::CreatePoint | JobKind::DeletePoint, _) => point::undo_steps(kind),
        (JobKind::Rollback, _) => rollback::UNDO_STEPS,
        (JobKind::CreateTemplate | JobKind::ImportTemplate | JobKind::DeleteTemplate, _) => {
            template::undo_steps(kind)
        }
        // A snapshot that was not read to its end is as proven as it was; a volume that is not filled is filled later.
        (JobKind::VerifySnapshot | JobKind::FillVolume, _) => &[],
    }
}

/// Whether the work asks for, or changes, what runs: it waits until that is known.
const fn is_of_guests(kind: JobKind) -> bool {
    matches!(
        kind,
        JobKind::StartInstance
            | JobKind::StopInstance
            | JobKind::RebootInstance
            | JobKind::DeleteInstance
            | JobKind::CreatePoint
            | JobKind::DeletePoint
            | JobKind::Rollback
    )
}

/// The work, for the runner.
pub(super) struct Tasks {
    core: Arc<Core>,
}

impl Tasks {
    pub fn new(core: Arc<Core>) -> Self {
        Self { core }
    }
}

impl Work for Tasks {
    fn steps(&self, kind: JobKind) -> &'static [&'static str] {
        steps(kind)
    }

    fn undo_steps(&self, kind: JobKind, ending: Ending) -> &'static [&'static str] {
        undo_steps(kind, ending)
    }

    fn is_long(&self, kind: JobKind) -> bool {
        matches!(
            kind,
            JobKind::ImportVolume
                | JobKind::TakeSnapshot
                | JobKind::CreateTemplate
                | JobKind::ImportTemplate
                | JobKind::VerifySnapshot
                | JobKind::FillVolume
        )
    }

    fn never_gives_up(&self, kind: JobKind) -> bool {
        matches!(
            kind,
            JobKind::DeleteVolume
                | JobKind::DeleteSnapshot
                | JobKind::DeleteInstance
                | JobKind::DeletePoint
                | JobKind::DeleteTemplate
                // It waits for an object store that is out of reach; what is damaged, or does not fit, ends it.
                | JobKind::FillVolume
        )
    }

    fn step(&self, job: &Job, step: &'static str, watch: &mut dyn Watch) -> Result<(), Failure> {
        let core = &*self.core;
        if is_of_guests(job.kind) {
            core.guests_known(&job.subject_name, watch)?;
        }
        let done = match (job.kind, step) {
            (JobKind::CreateVolume | JobKind::ImportVolume, "make-volume") => core.make_volume(job),
            (JobKind::RestoreVolume, "hold") => core.hold(job),
            (JobKind::RestoreVolume, "make-volume") => core.make_from_snapshot(job),
            (JobKind::FillVolume, "fetch") => core.fetch(job, watch),
            (
                JobKind::CreateVolume | JobKind::ImportVolume | JobKind::RestoreVolume,
                "drop-volume",
            ) => core.drop_volume(job),
            (JobKind::ImportVolume, "check-image") => core.check_image(job, watch),
            (JobKind::ImportVolume, "convert") => core.convert(job, watch),
            (JobKind::ImportVolume, "remove-upload" | "drop-upload") => core.remove_upload(job),
            (JobKind::DeleteVolume, "delete-volume") => core.drop_volume(job),
            (JobKind::DeleteVolume | JobKind::RestoreVolume, "delete-bases") => {
                core.delete_bases(job)
            }
            (JobKind::TakeSnapshot, "checkpoint") => core.checkpoint(job),
            (JobKind::TakeSnapshot, "save") => core.save(job, watch),
            (JobKind::TakeSnapshot, "verify") => core.verify(job),
            (JobKind::TakeSnapshot, "retire") => core.retire(job),
            (JobKind::TakeSnapshot, "drop-saved") | (JobKind::DeleteSnapshot, "delete-saved") => {
                core.delete_saved(job)
            }
            (JobKind::TakeSnapshot, "drop-checkpoint")
            | (JobKind::DeleteSnapshot, "delete-checkpoint") => core.delete_checkpoint(job),
            (
                JobKind::CreateInstance
                | JobKind::StartInstance
                | JobKind::StopInstance
                | JobKind::RebootInstance
                | JobKind::DeleteInstance,
                _,
            ) => core.instance_step(job, step, watch),
            (JobKind::CreatePoint | JobKind::DeletePoint, _) => core.point_step(job, step, watch),
            (JobKind::Rollback, _) => core.rollback_step(job, step, watch),
            (JobKind::CreateTemplate | JobKind::ImportTemplate | JobKind::DeleteTemplate, _) => {
                core.template_step(job, step, watch)
            }
            (JobKind::VerifySnapshot, "prove") => core.prove(job, watch),
            _ => Err(core.broken(step, "a step that no work has")),
        };
        match done {
            // What must be finished is tried again whatever was wrong.
            Err(Failure::Final(fault))
                if self.never_gives_up(job.kind) && job.kind != JobKind::FillVolume =>
            {
                Err(Failure::Passing(fault))
            }
            done => done,
        }
    }

    fn conclude(
        &self,
        tx: &Transaction<'_>,
        job: &Job,
        ending: Option<(Ending, &Fault)>,
    ) -> Result<(), catalog::Error> {
        match job.kind {
            JobKind::CreateVolume
            | JobKind::ImportVolume
            | JobKind::RestoreVolume
            | JobKind::DeleteVolume => volume::conclude(tx, job, ending, self.core.now()),
            JobKind::FillVolume => volume::conclude_fill(tx, job, ending, self.core.now()),
            JobKind::VerifySnapshot => snapshot::conclude_proof(tx, job, ending, self.core.now()),
            JobKind::TakeSnapshot | JobKind::DeleteSnapshot => snapshot::conclude(tx, job, ending),
            JobKind::CreateInstance
            | JobKind::StartInstance
            | JobKind::StopInstance
            | JobKind::RebootInstance
            | JobKind::DeleteInstance => instance::conclude(tx, job, ending, self.core.now()),
            JobKind::CreatePoint | JobKind::DeletePoint => point::conclude(tx, job, ending),
            JobKind::Rollback => rollback::conclude(tx, job, ending),
            JobKind::CreateTemplate | JobKind::ImportTemplate | JobKind::DeleteTemplate => {
                template::conclude(tx, job, ending)
            }
        }
    }

    fn changed(&self, job: &Job) {
        self.core.work_changed(job.organization);
    }

    fn progressed(&self, job: &Job) {
        let list = match job.kind {
            JobKind::TakeSnapshot | JobKind::DeleteSnapshot | JobKind::VerifySnapshot => {
                Change::Snapshots
            }
            JobKind::CreateVolume
            | JobKind::ImportVolume
            | JobKind::DeleteVolume
            | JobKind::RestoreVolume
            | JobKind::FillVolume => Change::Volumes,
            JobKind::CreateInstance
            | JobKind::StartInstance
            | JobKind::StopInstance
            | JobKind::RebootInstance
            | JobKind::DeleteInstance
            | JobKind::Rollback => Change::Instances,
            JobKind::CreatePoint | JobKind::DeletePoint => Change::Points,
            JobKind::CreateTemplate | JobKind::ImportTemplate | JobKind::DeleteTemplate => {
                Change::Templates
            }
        };
        let mut changes = vec![Change::Jobs, list];
        if job.kind == JobKind::FillVolume {
            // An instance shows its volumes.
            changes.push(Change::Instances);
        }
        self.core.live.changed(job.organization, &changes);
    }

    fn internal(&self, doing: &'static str, error: &(dyn std::error::Error + 'static)) -> Fault {
        internal(doing, error)
    }

    fn now(&self) -> i64 {
        self.core.now()
    }
}

impl Core {
    /// A rule of ours was broken.
    fn broken(&self, doing: &'static str, what: &'static str) -> Failure {
        explain(doing, Error::Broken(what), About::default())
    }

    /// The volume that the job works on.
    fn subject_volume(&self, job: &Job) -> Result<Volume, Failure> {
        let id: Option<VolumeId> = job.subject.parse().ok();
        let found = id.map(|id| self.catalog.volume(id)).transpose();
        let found = found
            .map_err(|error| explain("find a job's volume", error.into(), About::default()))?;
        found.flatten().ok_or_else(|| {
            self.broken(
                "find a job's volume",
                "the volume that a job works on is not there",
            )
        })
    }

    /// The snapshot that the job works on.
    fn subject_snapshot(&self, job: &Job) -> Result<Snapshot, Failure> {
        self.snapshot_named(&job.subject)
    }

    fn snapshot_named(&self, id: &str) -> Result<Snapshot, Failure> {
        let id: Option<SnapshotId> = id.parse().ok();
        let found = id.map(|id| self.catalog.snapshot(id)).transpose();
        let found = found
            .map_err(|error| explain("find a job's snapshot", error.into(), About::default()))?;
        found.flatten().ok_or_else(|| {
            self.broken(
                "find a job's snapshot",
                "the snapshot that a job works on is not there",
            )
        })
    }
}

/// The archive's progress, as the runner's.
struct Told<'a>(&'a mut dyn Watch);

impl archive::Progress for Told<'_> {
    fn total(&mut self, bytes: u64) {
        self.0.total(bytes);
    }

    fn done(&mut self, bytes: u64) -> ControlFlow<()> {
        self.0.done(bytes)
    }
}
