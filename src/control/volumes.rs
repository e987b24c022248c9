//! Volumes: listing, making, deleting.

use super::error::{Refusal, SIZE_OUT_OF_RANGE, explain};
use super::moments::{moment, time_zone};
use super::work::Asked;
use super::zones::Zone;
use super::{Actor, Caller, Control, narrow, page_of};
use crate::catalog::instances::{instance, live_work_on};
use crate::catalog::jobs::{close_jobs, is_being_read};
use crate::catalog::snapshots::{Held, Snapshot};
use crate::catalog::volumes::{
    ListedVolume, Volume, insert_volume, move_volume, volume_name_taken, volume_of,
};
use crate::domain::fault::{Fault, Noun};
use crate::domain::id::{OrganizationId, VolumeId, ZoneId};
use crate::domain::job::JobKind;
use crate::domain::name::checked_name;
use crate::domain::role::Permission;
use crate::domain::size::{Bytes, MAX_VOLUME_GIB, MIN_VOLUME_GIB};
use crate::domain::volume::{VolumeEvent, VolumeKind, VolumeState};
use crate::engine::{Reference, VolumeInfo};
use crate::view::{DeletionPlan, InstanceLink, Listing, PAGE_ROWS, Page, Started, VolumeRow};
use jiff::tz::TimeZone;
use rusqlite::Transaction;

pub(super) const NO_VOLUME: Fault = Fault::NotFound { what: Noun::Volume };

impl Control {
    /// A page of the organization's volumes, newest first.
    ///
    /// # Errors
    /// [`Fault::SignInNeeded`].
    pub fn list_volumes(
        &self,
        caller: &Caller,
        listing: impl Into<Listing>,
    ) -> Result<Page<VolumeRow>, Fault> {
        let actor = caller.must(Permission::Read)?;
        let found = self.ask(self.catalog().list_volumes(
            actor.organization,
            &narrow(listing, actor),
            PAGE_ROWS,
        ))?;
        let zone = time_zone(&actor.time_zone);
        Ok(page_of(found, |listed| {
            self.volume_row(actor, &zone, listed)
        }))
    }

    pub(super) fn volume_row(
        &self,
        actor: &Actor,
        time_zone: &TimeZone,
        listed: ListedVolume,
    ) -> VolumeRow {
        let volume = listed.volume;
        // Only what is ready is asked of the pool: all else is not there yet, or not to be counted on.
        let seen = if volume.state == VolumeState::Ready {
            self.seen(&volume).map(Some)
        } else {
            Ok(None)
        };
        let (seen, broken) = match seen {
            Ok(seen) => (seen, None),
            Err(fault) => (None, Some(fault)),
        };
        let filling = seen.as_ref().is_some_and(|info| info.filling.is_some());
        VolumeRow {
            id: volume.id,
            name: volume.name,
            kind: volume.kind,
            zone: listed.zone_name,
            size: volume.size,
            written: seen.map(|info| Bytes(info.written)),
            filling,
            state: volume.state,
            fault: volume.fault.or(broken),
            in_snapshot: listed.in_snapshot > 0,
            snapshots: listed.snapshots,
            instance: volume
                .instance
                .zip(listed.instance_name)
                .map(|(id, name)| InstanceLink { id, name }),
            created: moment(time_zone, volume.created),
            job: listed
                .job
                .as_ref()
                .filter(|job| filling || job.state.is_live())
                .map(|job| self.job_view(actor, time_zone, job)),
        }
    }

    /// The volume as its pool has it, or why that cannot be told.
    pub(super) fn seen(&self, volume: &Volume) -> Result<VolumeInfo, Fault> {
        let zone = self.core.zones.get(volume.zone)?;
        let damaged = || Fault::VolumeDamaged {
            name: volume.name.clone(),
        };
        match zone.pool(&volume.name)?.volume(volume.id) {
            Ok(Some(info)) if info.poisoned => Err(damaged()),
            Ok(Some(info)) => Ok(info),
            Ok(None) => Err(damaged()),
            Err(error) => Err(
                explain("look at a volume", error.into(), zone.about(&volume.name)).into_fault(),
            ),
        }
    }

    /// Makes an empty data volume.
    ///
    /// # Errors
    /// [`Fault::SizeOutOfRange`], [`Fault::NameTaken`] and those of names, [`Fault::NotFound`] of the zone.
    pub fn create_volume(
        &self,
        caller: &Caller,
        name: &str,
        zone: ZoneId,
        size_gib: u64,
    ) -> Result<Started, Fault> {
        let actor = caller.must(Permission::Change)?;
        let name = checked_name(name)?;
        let zone = self.core.zones.choice(zone)?;
        if !(MIN_VOLUME_GIB..=MAX_VOLUME_GIB).contains(&size_gib) {
            return Err(SIZE_OUT_OF_RANGE);
        }
        let size = Bytes::from_gib(size_gib).ok_or(SIZE_OUT_OF_RANGE)?;
        zone.pool(&name)?;
        let volume = self.new_volume(
            actor,
            zone,
            &name,
            VolumeKind::Data,
            size,
            VolumeState::Creating,
        );
        let asked = Asked::new(JobKind::CreateVolume, &volume.id, &name);
        self.begin(caller, actor, &asked, |tx| write_new(tx, &volume))
    }

    pub(super) fn new_volume(
        &self,
        actor: &Actor,
        zone: &Zone,
        name: &str,
        kind: VolumeKind,
        size: Bytes,
        state: VolumeState,
    ) -> Volume {
        Volume {
            id: VolumeId::new(),
            organization: actor.organization,
            zone: zone.id,
            name: name.to_owned(),
            kind,
            size,
            state,
            fault: None,
            created: self.now_ms(),
            instance: None,
            slot: None,
        }
    }

    /// What deleting the volume would mean.
    ///
    /// # Errors
    /// Those of [`Self::delete_volume`]: what would be refused is not offered.
    pub fn volume_deletion(&self, caller: &Caller, id: VolumeId) -> Result<DeletionPlan, Fault> {
        let actor = caller.must(Permission::Read)?;
        let volume = self.volume_of(actor.organization, id)?;
        self.not_open(&volume)?;
        self.core.look(|tx| may_delete(tx, &volume).map(drop))?;
        let snapshots = self.ask(self.catalog().snapshots_of_volume(id))?;
        let frees = self.freed_with(&volume, &snapshots)?;
        let kept = snapshots
            .iter()
            .filter(|snapshot| snapshot.state.is_usable())
            .count();
        Ok(DeletionPlan {
            name: volume.name,
            frees: Bytes(frees),
            snapshots_kept: u32::try_from(kept).unwrap_or(u32::MAX),
        })
    }

    /// Bytes that are freed when the volume goes, and with it the boundaries that only served to compare with it.
    pub(super) fn freed_with(&self, volume: &Volume, snapshots: &[Snapshot]) -> Result<u64, Fault> {
        let zone = self.core.zones.get(volume.zone)?;
        let gone = gone_with(volume, snapshots);
        match zone.pool(&volume.name) {
            Ok(pool) if volume.state == VolumeState::Ready => {
                pool.reclaimable(&gone).map_err(|error| {
                    explain("plan a deletion", error.into(), zone.about(&volume.name)).into_fault()
                })
            }
            _ => Ok(0),
        }
    }

    /// Deletes the volume; its snapshots stay.
    ///
    /// # Errors
    /// [`Fault::NotFound`]; [`Fault::Attached`]; [`Fault::InUse`] while a client has it open, a snapshot of it is under
    /// way, or it is being made.
    pub fn delete_volume(&self, caller: &Caller, id: VolumeId) -> Result<Started, Fault> {
        let actor = caller.must(Permission::Change)?;
        let volume = self.volume_of(actor.organization, id)?;
        let in_use = || Fault::InUse {
            name: volume.name.clone(),
        };
        self.not_open(&volume)?;
        self.core.look(|tx| not_attached(tx, &volume))?;
        let ended = self.end_fills(&[id])?;
        let asked = Asked::new(JobKind::DeleteVolume, &id, &volume.name);
        let begun = self.begin(caller, actor, &asked, |tx| {
            let volume = volume_of(tx, actor.organization, id)?.ok_or(NO_VOLUME)?;
            let after = may_delete(tx, &volume)?;
            if live_work_on(tx, &id.to_string())?.is_some()
                || !move_volume(tx, id, volume.state, after, None)?
            {
                return Err(in_use().into());
            }
            Ok(close_jobs(tx, &id.to_string())?)
        });
        self.unless_begun(begun, &ended)
    }

    /// Refuses while a client has the volume open.
    pub(super) fn not_open(&self, volume: &Volume) -> Result<(), Fault> {
        if let Ok(pool) = self.core.zones.get(volume.zone)?.pool(&volume.name)
            && let Ok(Some(info)) = pool.volume(volume.id)
            && info.leased
        {
            return Err(Fault::InUse {
                name: volume.name.clone(),
            });
        }
        Ok(())
    }

    pub(super) fn volume_of(
        &self,
        organization: OrganizationId,
        id: VolumeId,
    ) -> Result<Volume, Fault> {
        self.core
            .look(|tx| Ok(volume_of(tx, organization, id)?.ok_or(NO_VOLUME)?))
    }
}

/// What goes from the pool with the volume: itself, and the boundaries that only served to compare with it.
pub(super) fn gone_with(volume: &Volume, snapshots: &[Snapshot]) -> Vec<Reference> {
    let bases = snapshots
        .iter()
        .filter(|snapshot| snapshot.held == Held::Base);
    let mut gone = vec![Reference::Volume(volume.id)];
    gone.extend(bases.map(|snapshot| Reference::Checkpoint(snapshot.checkpoint)));
    gone
}

/// The state of the volume once it is being deleted; refuses where that is not possible now. What fills it is no reason:
/// that is ended first.
pub(super) fn may_delete(tx: &Transaction<'_>, volume: &Volume) -> Result<VolumeState, Refusal> {
    not_attached(tx, volume)?;
    let in_use = || Fault::InUse {
        name: volume.name.clone(),
    };
    let after = volume
        .state
        .next(VolumeEvent::DeleteAsked)
        .map_err(|_| in_use())?;
    let id = volume.id.to_string();
    let work = live_work_on(tx, &id)?.filter(|kind| *kind != JobKind::FillVolume);
    if work.is_some() || is_being_read(tx, &id)? {
        return Err(in_use().into());
    }
    Ok(after)
}

/// Refuses where the volume is attached to an instance.
pub(super) fn not_attached(tx: &Transaction<'_>, volume: &Volume) -> Result<(), Refusal> {
    let holder = volume.instance.map(|id| instance(tx, id)).transpose()?;
    match holder.flatten() {
        None => Ok(()),
        Some(holder) => Err(Fault::Attached {
            name: volume.name.clone(),
            instance: holder.name,
        }
        .into()),
    }
}

/// Writes the volume down, unless its name is taken.
pub(super) fn write_new(tx: &Transaction<'_>, volume: &Volume) -> Result<(), Refusal> {
    if volume_name_taken(tx, volume.organization, &volume.name)? {
        return Err(Fault::NameTaken {
            name: volume.name.clone(),
        }
        .into());
    }
    Ok(insert_volume(tx, volume)?)
}
