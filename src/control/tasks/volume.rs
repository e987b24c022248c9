//! Making, filling and removing volumes.

use super::super::core::Core;
use super::super::error::explain;
use crate::catalog;
use crate::catalog::jobs::{Ending, Job};
use crate::catalog::snapshots::Held;
use crate::catalog::volumes::{Volume, forget_volume, move_volume, volume_of};
use crate::domain::fault::Fault;
use crate::domain::id::VolumeId;
use crate::domain::job::JobKind;
use crate::domain::volume::VolumeEvent;
use crate::jobs::{Failure, Watch};
use rusqlite::Transaction;

impl Core {
    /// The engine makes the volume, empty. Making the same one again is harmless.
    pub(super) fn make_volume(&self, job: &Job) -> Result<(), Failure> {
        let volume = self.subject_volume(job)?;
        let zone = self.zones.get(volume.zone).map_err(Failure::Final)?;
        let pool = zone.pool(&volume.name).map_err(Failure::Passing)?;
        pool.create_volume(volume.id, volume.size.0)
            .map_err(|error| explain("make a volume", error.into(), zone.about(&volume.name)))
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
            if snapshot.held == Held::Base && snapshot.zone == volume.zone {
                pool.delete_checkpoint(snapshot.checkpoint)
                    .map_err(|error| failed(error.into()))?;
                self.catalog
                    .set_held(snapshot.id, Held::Gone)
                    .map_err(|error| failed(error.into()))?;
            }
        }
        Ok(())
    }

    /// The snapshot's content goes into the new volume, and is synced. Done again, it is written again.
    pub(super) fn fill(&self, job: &Job, watch: &mut dyn Watch) -> Result<(), Failure> {
        let volume = self.subject_volume(job)?;
        let snapshot = self.snapshot_named(job.source.as_deref().unwrap_or_default())?;
        self.fill_from_archive(snapshot.organization, snapshot.id, &volume, watch)
    }
}

/// The volume's new state, in the transaction in which its job ends.
pub(super) fn conclude(
    tx: &Transaction<'_>,
    job: &Job,
    ending: Option<(Ending, &Fault)>,
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
    Ok(())
}
