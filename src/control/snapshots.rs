//! Volume snapshots: listing, taking, making volumes of them, deleting.

use super::error::{About, Refusal, explain};
use super::moments::{moment, stamp, time_zone};
use super::volumes::write_new;
use super::work::Asked;
use super::{Actor, Caller, Control, narrow, page_of};
use crate::catalog::instances::live_work_on;
use crate::catalog::jobs::{close_jobs, is_being_read};
use crate::catalog::snapshots::{
    Held, ListedSnapshot, Snapshot, insert_snapshot, move_snapshot, snapshot_name_taken,
    snapshot_of,
};
use crate::catalog::volumes::{Volume, volume_of};
use crate::domain::fault::{Fault, Noun};
use crate::domain::id::{CheckpointId, OrganizationId, SnapshotId, VolumeId, ZoneId};
use crate::domain::job::{JobKind, JobState};
use crate::domain::name::{MAX_NAME, checked_name};
use crate::domain::role::Permission;
use crate::domain::size::Bytes;
use crate::domain::snapshot::{SnapshotEvent, SnapshotState};
use crate::domain::volume::{VolumeKind, VolumeState};
use crate::view::{DeletionPlan, Listing, PAGE_ROWS, Page, SnapshotPlan, SnapshotRow, Started};
use jiff::tz::TimeZone;
use rusqlite::Transaction;

pub(super) const NO_SNAPSHOT: Fault = Fault::NotFound {
    what: Noun::Snapshot,
};
const NO_VOLUME: Fault = Fault::NotFound { what: Noun::Volume };

impl Control {
    /// A page of the organization's snapshots, newest first.
    ///
    /// # Errors
    /// [`Fault::SignInNeeded`].
    pub fn list_snapshots(
        &self,
        caller: &Caller,
        listing: impl Into<Listing>,
    ) -> Result<Page<SnapshotRow>, Fault> {
        let actor = caller.must(Permission::Read)?;
        let found = self.ask(self.catalog().list_snapshots(
            actor.organization,
            &narrow(listing, actor),
            PAGE_ROWS,
        ))?;
        let zone = time_zone(&actor.time_zone);
        Ok(page_of(found, |listed| {
            self.snapshot_row(actor, &zone, listed)
        }))
    }

    /// One snapshot, as its row shows it.
    ///
    /// # Errors
    /// [`Fault::NotFound`].
    pub fn snapshot(&self, caller: &Caller, id: SnapshotId) -> Result<SnapshotRow, Fault> {
        let actor = caller.must(Permission::Read)?;
        let listed = self
            .ask(self.catalog().listed_snapshot(actor.organization, id))?
            .ok_or(NO_SNAPSHOT)?;
        Ok(self.snapshot_row(actor, &time_zone(&actor.time_zone), listed))
    }

    pub(super) fn snapshot_row(
        &self,
        actor: &Actor,
        time_zone: &TimeZone,
        listed: ListedSnapshot,
    ) -> SnapshotRow {
        let snapshot = listed.snapshot;
        let usable = snapshot.state.is_usable();
        // A look into the archive's table: no access to the store.
        let reclaimable = usable.then(|| self.core.archive.get().ok()).flatten();
        let reclaimable = reclaimable
            .and_then(|archive| archive.reclaimable(snapshot.organization, snapshot.id).ok());
        let job = listed.job.map(|job| self.job_view(actor, time_zone, &job));
        SnapshotRow {
            id: snapshot.id,
            name: snapshot.name,
            volume: snapshot.volume_name,
            kind: snapshot.kind,
            zone: listed.zone_name,
            elsewhere: snapshot.zone.is_none(),
            size: snapshot.size,
            data: if usable { snapshot.data } else { None },
            reclaimable: reclaimable.map(Bytes),
            state: snapshot.state,
            verified: snapshot
                .verified
                .map(|verified| moment(time_zone, verified)),
            fault: snapshot.fault,
            taken: moment(time_zone, snapshot.taken),
            job: job.filter(|job| {
                job.state.is_live() || (job.state == JobState::Failed && job.may_retry)
            }),
        }
    }

    /// What taking a snapshot of the volume would mean.
    ///
    /// # Errors
    /// [`Fault::NotFound`].
    pub fn snapshot_plan(&self, caller: &Caller, id: VolumeId) -> Result<SnapshotPlan, Fault> {
        let actor = caller.must(Permission::Read)?;
        let volume = self.volume_of(actor.organization, id)?;
        let zone = time_zone(&actor.time_zone);
        let proposed = self
            .core
            .look(|tx| free_name(tx, actor, &zone, &volume.name, self.now_ms()))?;
        let info = (volume.state == VolumeState::Ready)
            .then(|| self.seen(&volume))
            .transpose()?;
        let written = Bytes(info.as_ref().map_or(0, |info| info.written));
        let mut plan = SnapshotPlan {
            volume: id,
            name: volume.name.clone(),
            proposed,
            to_save: written,
            written,
            since: None,
            on_origin: false,
            zones: u32::try_from(self.core.zones.views(None, None).len()).unwrap_or(u32::MAX),
        };
        let snapshots = self.ask(self.catalog().snapshots_of_volume(id))?;
        if let Some((bytes, taken)) = self.since_snapshot(&volume, &snapshots)? {
            plan.to_save = bytes;
            plan.since = Some(moment(&zone, taken));
            return Ok(plan);
        }
        if let Some(info) = &info {
            self.plan_on_origin(&volume, info, &mut plan)?;
        }
        Ok(plan)
    }

    /// Takes a snapshot of the volume; an empty name gets the proposed one.
    ///
    /// # Errors
    /// [`Fault::NotFound`], [`Fault::InUse`] when the volume is not ready, those of names.
    pub fn take_snapshot(
        &self,
        caller: &Caller,
        id: VolumeId,
        name: &str,
    ) -> Result<Started, Fault> {
        let actor = caller.must(Permission::Change)?;
        let now = self.now_ms();
        let volume = self.volume_of(actor.organization, id)?;
        let name = if name.trim().is_empty() {
            let zone = time_zone(&actor.time_zone);
            self.core
                .look(|tx| free_name(tx, actor, &zone, &volume.name, now))?
        } else {
            checked_name(name)?
        };
        self.core.zones.get(volume.zone)?.pool(&volume.name)?;
        let snapshot = Snapshot {
            id: SnapshotId::new(),
            organization: actor.organization,
            zone: Some(volume.zone),
            place: None,
            volume: id,
            volume_name: volume.name.clone(),
            kind: volume.kind,
            size: volume.size,
            name: name.clone(),
            state: SnapshotState::Creating,
            fault: None,
            checkpoint: CheckpointId::new(),
            held: Held::NotYet,
            taken: now,
            verified: None,
            data: None,
            base: None,
        };
        let mut asked = Asked::new(JobKind::TakeSnapshot, &snapshot.id, &name);
        asked.source = Some(id.to_string());
        self.begin(caller, actor, &asked, |tx| {
            let volume = volume_of(tx, actor.organization, id)?.ok_or(NO_VOLUME)?;
            may_take(&volume)?;
            if snapshot_name_taken(tx, actor.organization, &name)? {
                return Err(Fault::NameTaken { name: name.clone() }.into());
            }
            Ok(insert_snapshot(tx, &snapshot)?)
        })
    }

    /// What deleting the snapshot would mean.
    ///
    /// # Errors
    /// [`Fault::ObjectStoreUnavailable`]; those of [`Self::delete_snapshot`]: what would be refused is not offered.
    pub fn snapshot_deletion(
        &self,
        caller: &Caller,
        id: SnapshotId,
    ) -> Result<DeletionPlan, Fault> {
        let actor = caller.must(Permission::Read)?;
        let snapshot = self.snapshot_of(actor.organization, id)?;
        self.core.look(|tx| may_delete(tx, &snapshot).map(drop))?;
        let mut frees = 0;
        if snapshot.state.is_usable() {
            let found = self
                .core
                .archive
                .get()
                .and_then(|archive| archive.manifest(actor.organization, id));
            let about = About {
                name: &snapshot.name,
                ..Default::default()
            };
            frees = found
                .map_err(|error| explain("plan a deletion", error.into(), about).into_fault())?
                .map_or(0, |info| info.reclaimable_bytes);
        }
        Ok(DeletionPlan {
            name: snapshot.name,
            frees: Bytes(frees),
            snapshots_kept: 0,
        })
    }

    /// Deletes the snapshot from the object store.
    ///
    /// # Errors
    /// [`Fault::NotFound`]; [`Fault::InUse`] while it is being made, or a volume is being filled from it.
    pub fn delete_snapshot(&self, caller: &Caller, id: SnapshotId) -> Result<Started, Fault> {
        let actor = caller.must(Permission::Change)?;
        let snapshot = self.snapshot_of(actor.organization, id)?;
        let in_use = || Fault::InUse {
            name: snapshot.name.clone(),
        };
        let asked = Asked::new(JobKind::DeleteSnapshot, &id, &snapshot.name);
        self.begin(caller, actor, &asked, |tx| {
            let snapshot = snapshot_of(tx, actor.organization, id)?.ok_or(NO_SNAPSHOT)?;
            let after = may_delete(tx, &snapshot)?;
            if !move_snapshot(tx, id, snapshot.state, after, None)? {
                return Err(in_use().into());
            }
            Ok(close_jobs(tx, &id.to_string())?)
        })
    }

    /// Makes a data volume from the snapshot, in any zone of the region.
    ///
    /// # Errors
    /// [`Fault::NotFound`], [`Fault::SnapshotNotUsable`], [`Fault::PoolFull`], those of names.
    pub fn create_volume_from_snapshot(
        &self,
        caller: &Caller,
        id: SnapshotId,
        zone: ZoneId,
        name: &str,
    ) -> Result<Started, Fault> {
        let actor = caller.must(Permission::Change)?;
        // First whether there is such a snapshot: a stranger's mistakes beyond that are not told.
        let snapshot = self.snapshot_of(actor.organization, id)?;
        let name = checked_name(name)?;
        let zone = self.core.zones.choice(zone)?;
        zone.pool(&name)?;
        let free = zone.free();
        if snapshot.state.is_usable() && snapshot.data.is_some_and(|data| data > free) {
            return Err(Fault::PoolFull {
                zone: zone.name.clone(),
                free,
            });
        }
        let volume = self.new_volume(
            actor,
            zone,
            &name,
            VolumeKind::Data,
            snapshot.size,
            VolumeState::Restoring,
        );
        let mut asked = Asked::new(JobKind::RestoreVolume, &volume.id, &name);
        asked.source = Some(id.to_string());
        asked.total = snapshot.data;
        self.begin(caller, actor, &asked, |tx| {
            let snapshot = snapshot_of(tx, actor.organization, id)?.ok_or(NO_SNAPSHOT)?;
            if !snapshot.state.is_usable() {
                return Err(Fault::SnapshotNotUsable {
                    name: snapshot.name,
                }
                .into());
            }
            write_new(tx, &volume)
        })
    }

    pub(super) fn snapshot_of(
        &self,
        organization: OrganizationId,
        id: SnapshotId,
    ) -> Result<Snapshot, Fault> {
        self.core
            .look(|tx| Ok(snapshot_of(tx, organization, id)?.ok_or(NO_SNAPSHOT)?))
    }
}

/// Refuses where no snapshot can be taken of the volume now.
pub(super) fn may_take(volume: &Volume) -> Result<(), Fault> {
    if volume.state == VolumeState::Ready {
        return Ok(());
    }
    Err(Fault::InUse {
        name: volume.name.clone(),
    })
}

/// The state of the snapshot once it is being deleted; refuses where that is not possible now.
pub(super) fn may_delete(
    tx: &Transaction<'_>,
    snapshot: &Snapshot,
) -> Result<SnapshotState, Refusal> {
    let in_use = || Fault::InUse {
        name: snapshot.name.clone(),
    };
    let after = snapshot
        .state
        .next(SnapshotEvent::DeleteAsked)
        .map_err(|_| in_use())?;
    let id = snapshot.id.to_string();
    if is_being_read(tx, &id)? || live_work_on(tx, &id)?.is_some() {
        return Err(in_use().into());
    }
    Ok(after)
}

/// The volume's name, the day and the time; with a number when that is taken.
fn free_name(
    tx: &Transaction<'_>,
    actor: &Actor,
    zone: &TimeZone,
    volume: &str,
    now: i64,
) -> Result<String, Refusal> {
    let stamp = stamp(zone, now);
    for number in 1..=u32::MAX {
        let tail = if number == 1 {
            format!(" {stamp}")
        } else {
            format!(" {stamp} ({number})")
        };
        let room = MAX_NAME.saturating_sub(tail.chars().count());
        let name: String = volume.chars().take(room).chain(tail.chars()).collect();
        let name = checked_name(&name)?;
        if !snapshot_name_taken(tx, actor.organization, &name)? {
            return Ok(name);
        }
    }
    Err(Fault::NameTaken {
        name: volume.to_owned(),
    }
    .into())
}

/// What the archive's manifest calls a volume's kind.
pub(super) const fn kind_word(kind: VolumeKind) -> &'static str {
    match kind {
        VolumeKind::Root => "root",
        VolumeKind::Data => "data",
    }
}
