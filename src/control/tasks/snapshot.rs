//! Taking, proving and deleting volume snapshots.

use super::super::core::Core;
use super::super::error::{About, explain};
use super::super::snapshots::kind_word;
use super::super::stock::snapshot_labels;
use super::super::zones::Zone;
use super::Told;
use crate::archive::{self, Base, SaveRequest};
use crate::catalog;
use crate::catalog::jobs::{Ending, Job};
use crate::catalog::snapshots::{
    Held, Snapshot, forget_snapshot, move_snapshot, set_held, set_verified, snapshot_of,
};
use crate::domain::fault::Fault;
use crate::domain::id::{CheckpointId, SnapshotId, VolumeId};
use crate::domain::job::JobKind;
use crate::domain::size::Bytes;
use crate::domain::snapshot::SnapshotEvent;
use crate::engine::BlockSet;
use crate::jobs::{Failure, Watch};
use rusqlite::Transaction;
use std::sync::Arc;

impl Core {
    /// The zone whose pool has the snapshot's checkpoint.
    fn zone_of(&self, snapshot: &Snapshot) -> Result<&Arc<Zone>, Failure> {
        let zone = snapshot.zone.ok_or_else(|| {
            self.broken(
                "find a snapshot's zone",
                "a snapshot that another server took has no checkpoint here",
            )
        })?;
        self.zones.get(zone).map_err(Failure::Final)
    }

    /// The moment is taken. Its time is written down first; taken again after a crash, it is the same checkpoint, with
    /// the time of the attempt that made it.
    pub(super) fn checkpoint(&self, job: &Job) -> Result<(), Failure> {
        let snapshot = self.subject_snapshot(job)?;
        let zone = self.zone_of(&snapshot)?;
        let pool = zone.pool(&snapshot.volume_name).map_err(Failure::Passing)?;
        let failed = |error| {
            explain(
                "take a checkpoint",
                error,
                zone.about(&snapshot.volume_name),
            )
        };
        let there = pool
            .checkpoints()
            .iter()
            .any(|checkpoint| checkpoint.id == snapshot.checkpoint);
        if !there {
            if snapshot.held != Held::NotYet {
                return Err(self.broken(
                    "take a checkpoint",
                    "a checkpoint that was taken is not in the pool any more",
                ));
            }
            self.catalog
                .set_taken(snapshot.id, self.now())
                .map_err(|error| failed(error.into()))?;
            pool.checkpoint(&[(snapshot.volume, snapshot.checkpoint)])
                .map_err(|error| failed(error.into()))?;
        }
        self.catalog
            .write(|tx| {
                if snapshot.held == Held::NotYet {
                    set_held(tx, snapshot.id, Held::Whole)?;
                }
                // A save that is tried again is in that state already.
                if let Ok(after) = snapshot.state.next(SnapshotEvent::Taken) {
                    move_snapshot(tx, snapshot.id, snapshot.state, after, None)?;
                }
                Ok(())
            })
            .map_err(|error: catalog::Error| failed(error.into()))
    }

    /// The checkpoint's bytes go to the object store: those that differ from the newest saved snapshot of the same
    /// volume whose boundary the pool still knows, or all of them.
    pub(super) fn save(&self, job: &Job, watch: &mut dyn Watch) -> Result<(), Failure> {
        let snapshot = self.subject_snapshot(job)?;
        let zone = self.zone_of(&snapshot)?;
        let pool = zone.pool(&snapshot.volume_name).map_err(Failure::Passing)?;
        let failed = |error| explain("save a snapshot", error, zone.about(&snapshot.volume_name));
        let archive = self.archive.get().map_err(|error| failed(error.into()))?;
        if snapshot.held == Held::Base {
            // It was saved and its checkpoint retired; only the end was not written down.
            return Ok(());
        }
        let device = pool
            .open_checkpoint(snapshot.checkpoint)
            .map_err(|error| failed(error.into()))?;
        let base = self.base_of(
            (snapshot.volume, snapshot.checkpoint),
            zone,
            &snapshot.volume_name,
        )?;
        let request = SaveRequest {
            organization: snapshot.organization,
            snapshot: snapshot.id,
            name: &snapshot.name,
            volume: snapshot.volume,
            volume_name: &snapshot.volume_name,
            kind: kind_word(snapshot.kind),
            taken_ms: snapshot.taken,
            labels: &snapshot_labels(&zone.name),
            source: &*device,
            base: base.as_ref().map(|(base, changed)| Base {
                snapshot: *base,
                changed,
            }),
        };
        let saved = archive
            .save(&request, &mut Told(watch))
            .map_err(|error| failed(error.into()))?;
        let built_on = base
            .as_ref()
            .filter(|_| saved.incremental)
            .map(|(base, _)| *base);
        self.catalog
            .set_saved(
                snapshot.id,
                Bytes(saved.data_bytes),
                Bytes(saved.uploaded_bytes),
                built_on,
            )
            .map_err(|error| failed(error.into()))
    }

    /// The newest saved snapshot of the same volume that the pool can still compare with, and what differs; or what the
    /// volume was made from, of which then not even that needs to have come which the volume still lacks.
    pub(super) fn base_of(
        &self,
        (volume, checkpoint): (VolumeId, CheckpointId),
        zone: &Zone,
        name: &str,
    ) -> Result<Option<(SnapshotId, BlockSet)>, Failure> {
        let pool = zone.pool(name).map_err(Failure::Passing)?;
        let failed = |error| explain("look for a base", error, zone.about(name));
        for base in self
            .catalog
            .snapshots_of_volume(volume)
            .map_err(|error| failed(error.into()))?
        {
            let can_be =
                base.checkpoint != checkpoint && base.state.is_usable() && base.held == Held::Base;
            if can_be
                && base.zone == Some(zone.id)
                && let Some(changed) = pool
                    .diff(base.checkpoint, checkpoint)
                    .map_err(|error| failed(error.into()))?
            {
                return Ok(Some((base.id, changed)));
            }
        }
        let origin = self.catalog.origin(volume);
        let Some(origin) = origin.map_err(|error| failed(error.into()))? else {
            return Ok(None);
        };
        let changed = pool
            .diff(origin.base, checkpoint)
            .map_err(|error| failed(error.into()))?;
        Ok(changed.map(|changed| (origin.content, changed)))
    }

    /// *Saved* is said only of what the object store shows: the manifest is there and is of this disk.
    pub(super) fn verify(&self, job: &Job) -> Result<(), Failure> {
        let snapshot = self.subject_snapshot(job)?;
        let zone = self.zone_of(&snapshot)?;
        let failed = |error| explain("verify a snapshot", error, zone.about(&snapshot.name));
        let archive = self.archive.get().map_err(|error| failed(error.into()))?;
        let found = archive
            .manifest(snapshot.organization, snapshot.id)
            .map_err(|error| failed(error.into()))?;
        match found {
            Some(found) if found.description.size == snapshot.size.0 => self
                .know_store(&archive, snapshot.organization)
                .map_err(failed),
            Some(_) => Err(self.broken(
                "verify a snapshot",
                "the manifest is of a disk of another size",
            )),
            None => Err(self.broken(
                "verify a snapshot",
                "a snapshot that was saved has no manifest",
            )),
        }
    }

    /// Every chunk is read again and authenticated. What is found damaged is looked at once more before it is said: what a
    /// network did to a byte is not the object store's.
    pub(super) fn prove(&self, job: &Job, watch: &mut dyn Watch) -> Result<(), Failure> {
        let snapshot = self.subject_snapshot(job)?;
        let about = About {
            name: &snapshot.name,
            ..About::default()
        };
        let failed = |error| explain("verify a snapshot", error, about);
        let archive = self.archive.get().map_err(|error| failed(error.into()))?;
        let mut verify =
            || archive.verify(snapshot.organization, snapshot.id, &mut Told(&mut *watch));
        let verified = match verify() {
            Err(archive::Error::Damaged { object, .. }) => {
                tracing::warn!(snapshot = %snapshot.id, object, "damage is looked at once more");
                verify()
            }
            first => first,
        };
        verified.map(|_| ()).map_err(|error| failed(error.into()))
    }

    /// The checkpoint's data may go from the pool; its boundary stays, for the next snapshot to build on.
    ///
    /// The snapshot is safe already: a pool that fails here only keeps more than it needs to, until the next start, and
    /// must not make a good snapshot a failed one.
    pub(super) fn retire(&self, job: &Job) -> Result<(), Failure> {
        let snapshot = self.subject_snapshot(job)?;
        if let Err(failure) = self.retire_checkpoint(&snapshot) {
            tracing::warn!(snapshot = %snapshot.id, ?failure, "the pool keeps a checkpoint that is saved");
        }
        Ok(())
    }

    /// As [`Core::retire`] says, for any saved snapshot.
    pub(in crate::control) fn retire_checkpoint(&self, snapshot: &Snapshot) -> Result<(), Failure> {
        let zone = self.zone_of(snapshot)?;
        let name = &snapshot.volume_name;
        let pool = zone.pool(name).map_err(Failure::Passing)?;
        let failed = |error| explain("retire a checkpoint", error, zone.about(name));
        let volume = self.catalog.volume(snapshot.volume);
        let held = if volume.map_err(|error| failed(error.into()))?.is_some() {
            pool.retire_checkpoint(snapshot.checkpoint)
                .map_err(|error| failed(error.into()))?;
            Held::Base
        } else {
            // The volume is gone meanwhile: nothing will ever be compared with it.
            pool.delete_checkpoint(snapshot.checkpoint)
                .map_err(|error| failed(error.into()))?;
            Held::Gone
        };
        self.catalog
            .set_held(snapshot.id, held)
            .map_err(|error| failed(error.into()))
    }

    /// The snapshot goes from the object store, with what only it needed.
    pub(super) fn delete_saved(&self, job: &Job) -> Result<(), Failure> {
        let snapshot = self.subject_snapshot(job)?;
        let about = About {
            name: &snapshot.name,
            ..About::default()
        };
        let failed = |error| explain("delete a snapshot", error, about);
        let archive = self.archive.get().map_err(|error| failed(error.into()))?;
        let freed = archive
            .delete(snapshot.organization, snapshot.id)
            .map_err(|error| failed(error.into()))?;
        self.upkeep.deleted();
        tracing::debug!(snapshot = %snapshot.id, ?freed, "deleted from the object store");
        Ok(())
    }

    /// What the pool still has of it goes, too.
    pub(super) fn delete_checkpoint(&self, job: &Job) -> Result<(), Failure> {
        let snapshot = self.subject_snapshot(job)?;
        if snapshot.held == Held::Gone {
            return Ok(());
        }
        let zone = self.zone_of(&snapshot)?;
        let pool = zone.pool(&snapshot.volume_name).map_err(Failure::Passing)?;
        let failed = |error| {
            explain(
                "delete a checkpoint",
                error,
                zone.about(&snapshot.volume_name),
            )
        };
        pool.delete_checkpoint(snapshot.checkpoint)
            .map_err(|error| failed(error.into()))?;
        self.catalog
            .set_held(snapshot.id, Held::Gone)
            .map_err(|error| failed(error.into()))
    }
}

/// The snapshot's new state, in the transaction in which its job ends.
pub(super) fn conclude(
    tx: &Transaction<'_>,
    job: &Job,
    ending: Option<(Ending, &Fault)>,
) -> Result<(), catalog::Error> {
    let Some(id) = job.subject.parse::<SnapshotId>().ok() else {
        return Ok(());
    };
    if job.kind == JobKind::DeleteSnapshot {
        if ending.is_none() && !forget_snapshot(tx, id)? {
            tracing::error!(job = %job.id, snapshot = %id, "a deleted snapshot was not in its passing state");
        }
        return Ok(());
    }
    let Some(snapshot) = snapshot_of(tx, job.organization, id)? else {
        tracing::error!(job = %job.id, snapshot = %id, "a job's snapshot is not in the catalog");
        return Ok(());
    };
    let event = if ending.is_some() {
        SnapshotEvent::Broke
    } else {
        SnapshotEvent::Stored
    };
    let fault = ending.map(|(_, fault)| fault);
    match snapshot.state.next(event) {
        Ok(after) if move_snapshot(tx, id, snapshot.state, after, fault)? => {}
        _ => {
            tracing::error!(job = %job.id, snapshot = %id, state = ?snapshot.state, ?event, "a snapshot was not in its passing state")
        }
    }
    Ok(())
}

/// As [`conclude`], for a proof. Only damage changes what a snapshot is: an outage, or an interruption, proves nothing.
pub(super) fn conclude_proof(
    tx: &Transaction<'_>,
    job: &Job,
    ending: Option<(Ending, &Fault)>,
    now: i64,
) -> Result<(), catalog::Error> {
    let Some(id) = job.subject.parse::<SnapshotId>().ok() else {
        return Ok(());
    };
    let (event, fault) = match ending {
        None => (SnapshotEvent::Proven, None),
        Some((_, fault @ Fault::SnapshotDamaged { .. })) => (SnapshotEvent::Broke, Some(fault)),
        Some(_) => return Ok(()),
    };
    let Some(snapshot) = snapshot_of(tx, job.organization, id)? else {
        tracing::error!(job = %job.id, snapshot = %id, "a job's snapshot is not in the catalog");
        return Ok(());
    };
    match snapshot.state.next(event) {
        Ok(after) if move_snapshot(tx, id, snapshot.state, after, fault)? => {}
        _ => {
            tracing::error!(job = %job.id, snapshot = %id, state = ?snapshot.state, ?event, "a snapshot that was read again was not saved");
        }
    }
    if fault.is_none() {
        set_verified(tx, id, now)?;
    }
    Ok(())
}
