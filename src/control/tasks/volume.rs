//! Making, filling and removing volumes.

use super::super::activity::log_end;
use super::super::core::Core;
use super::super::error::{About, explain};
use super::super::extract::VolumeArgs;
use super::super::points::NO_POINT;
use super::point::args_of;
use crate::catalog;
use crate::catalog::jobs::{Ending, Job, NewJob, insert_job, job_of};
use crate::catalog::snapshots::Held;
use crate::catalog::volumes::{Volume, forget_volume, move_volume, volume_of};
use crate::domain::fault::Fault;
use crate::domain::id::{JobId, UserId, VolumeId};
use crate::domain::job::JobKind;
use crate::domain::size::Bytes;
use crate::domain::volume::{VolumeEvent, VolumeState};
use crate::engine;
use crate::jobs::{Failure, Watch};
use rusqlite::Transaction;

impl Core {
    /// The engine makes the volume: empty, or on top of what a recovery point keeps. Making the same one again is harmless.
    pub(super) fn make_volume(&self, job: &Job) -> Result<(), Failure> {
        let volume = self.subject_volume(job)?;
        let zone = self.zones.get(volume.zone).map_err(Failure::Final)?;
        let pool = zone.pool(&volume.name).map_err(Failure::Passing)?;
        let args: VolumeArgs = match job.kind {
            JobKind::CreateVolume => args_of(job)?,
            _ => VolumeArgs::default(),
        };
        let made = match args.checkpoint {
            Some(checkpoint) => pool.clone_volume(volume.id, checkpoint),
            None => pool.create_volume(volume.id, volume.size.0),
        };
        match made {
            // The point went with its instance, or had expired.
            Err(engine::Error::NoCheckpoint(_)) => Err(Failure::Final(NO_POINT)),
            made => made
                .map_err(|error| explain("make a volume", error.into(), zone.about(&volume.name))),
        }
    }

    /// The engine forgets the volume. Forgetting it again is harmless.
    pub(super) fn drop_volume(&self, job: &Job) -> Result<(), Failure> {
        let volume = self.subject_volume(job)?;
        let zone = self.zones.get(volume.zone).map_err(Failure::Final)?;
        let pool = zone.pool(&volume.name).map_err(Failure::Passing)?;
        pool.delete_volume(volume.id)
            .map_err(|error| explain("delete a volume", error.into(), zone.about(&volume.name)))
    }

    /// What only served to compare later states of the volume with goes with it. Checkpoints that a failed save still
    /// needs stay: their snapshots can be tried again without the volume.
    pub(super) fn delete_bases(&self, job: &Job) -> Result<(), Failure> {
        self.delete_bases_of(&self.subject_volume(job)?)
    }

    /// As [`Core::delete_bases`].
    pub(super) fn delete_bases_of(&self, volume: &Volume) -> Result<(), Failure> {
        let zone = self.zones.get(volume.zone).map_err(Failure::Final)?;
        let failed = |error| explain("delete a volume's bases", error, zone.about(&volume.name));
        let pool = zone.pool(&volume.name).map_err(Failure::Passing)?;
        for snapshot in self
            .catalog
            .snapshots_of_volume(volume.id)
            .map_err(|error| failed(error.into()))?
        {
            if snapshot.held == Held::Base && snapshot.zone == Some(volume.zone) {
                pool.delete_checkpoint(snapshot.checkpoint)
                    .map_err(|error| failed(error.into()))?;
                self.catalog
                    .set_held(snapshot.id, Held::Gone)
                    .map_err(|error| failed(error.into()))?;
            }
        }
        let origin = self.catalog.origin(volume.id);
        if let Some(origin) = origin.map_err(|error| failed(error.into()))? {
            pool.delete_checkpoint(origin.base)
                .map_err(|error| failed(error.into()))?;
        }
        Ok(())
    }

    /// The object store keeps the snapshot's content for the volume, whatever becomes of the snapshot.
    pub(super) fn hold(&self, job: &Job) -> Result<(), Failure> {
        let volume = self.subject_volume(job)?;
        let snapshot = self.snapshot_named(job.source.as_deref().unwrap_or_default())?;
        self.hold_content(&volume, snapshot.id, &snapshot.name)
    }

    /// The engine makes the volume on top of what is held. Making the same one again is harmless.
    pub(super) fn make_from_snapshot(&self, job: &Job) -> Result<(), Failure> {
        self.make_remote(&self.subject_volume(job)?)
    }

    /// What the volume still lacks comes into its zone. A volume that is going lacks nothing.
    pub(super) fn fetch(&self, job: &Job, watch: &mut dyn Watch) -> Result<(), Failure> {
        let id: Option<VolumeId> = job.subject.parse().ok();
        let found = id.map(|id| self.catalog.volume(id)).transpose();
        let found = found
            .map_err(|error| explain("find a job's volume", error.into(), About::default()))?;
        match found.flatten() {
            Some(volume) if volume.state == VolumeState::Ready => self.fill(&volume, watch),
            _ => Ok(()),
        }
    }
}

/// The volume's new state, in the transaction in which its job ends.
pub(super) fn conclude(
    tx: &Transaction<'_>,
    job: &Job,
    ending: Option<(Ending, &Fault)>,
    now: i64,
) -> Result<(), catalog::Error> {
    let Some(id) = job.subject.parse::<VolumeId>().ok() else {
        return Ok(());
    };
    if job.kind == JobKind::DeleteVolume {
        if ending.is_none() && !forget_volume(tx, id)? {
            tracing::error!(job = %job.id, volume = %id, "a deleted volume was not in its passing state");
        }
        return Ok(());
    }
    let Some(volume) = volume_of(tx, job.organization, id)? else {
        tracing::error!(job = %job.id, volume = %id, "a job's volume is not in the catalog");
        return Ok(());
    };
    let event = if ending.is_some() {
        VolumeEvent::Broke
    } else {
        VolumeEvent::Finished
    };
    let fault = ending.map(|(_, fault)| fault);
    match volume.state.next(event) {
        Ok(after) if move_volume(tx, id, volume.state, after, fault)? => {}
        _ => {
            tracing::error!(job = %job.id, volume = %id, state = ?volume.state, ?event, "a volume was not in its passing state")
        }
    }
    if job.kind == JobKind::RestoreVolume && ending.is_none() {
        begin_fill(tx, &volume, job.total, job.asked_by, now)?;
    }
    Ok(())
}

/// A fill ended. The volume is what it was; that all has come, or why not, is in the log of what happened, where it stays
/// whatever becomes of the work. Of a volume that is to be deleted nobody wants to know.
pub(super) fn conclude_fill(
    tx: &Transaction<'_>,
    job: &Job,
    ending: Option<(Ending, &Fault)>,
    now: i64,
) -> Result<(), catalog::Error> {
    let closed = job_of(tx, job.organization, job.id)?.is_none_or(|job| job.closed);
    let there = match job.subject.parse() {
        Ok(id) => volume_of(tx, job.organization, id)?.is_some(),
        Err(_) => false,
    };
    if closed || !there {
        return Ok(());
    }
    log_end(tx, job, ending.map(|(_, fault)| fault), now)
}

/// The work that fetches what the volume does not have in its zone.
pub(in crate::control) fn begin_fill(
    tx: &Transaction<'_>,
    volume: &Volume,
    total: Option<Bytes>,
    asked_by: Option<UserId>,
    now: i64,
) -> Result<(), catalog::Error> {
    let fill = NewJob {
        id: JobId::new(),
        organization: volume.organization,
        kind: JobKind::FillVolume,
        subject: volume.id.to_string(),
        subject_name: &volume.name,
        source: None,
        args: "{}".to_owned(),
        total,
        asked_by,
    };
    insert_job(tx, &fill, now)
}
