//! One volume and one snapshot, with all that their pages say of them.
//!
//! Each costs a fixed number of the catalog's statements and a look at bitmaps in memory. Nothing here waits for the
//! object store: what only it could tell is not told.

use super::moments::{moment, time_zone};
use super::{Caller, Control};
use crate::archive::most_to_read;
use crate::catalog::details;
use crate::catalog::snapshots::{Held, Snapshot};
use crate::catalog::volumes::Volume;
use crate::domain::fault::Fault;
use crate::domain::id::{CheckpointId, SnapshotId, VolumeId};
use crate::domain::job::JobKind;
use crate::domain::role::Permission;
use crate::domain::size::Bytes;
use crate::domain::volume::{VolumeKind, VolumeState};
use crate::engine::VolumeInfo;
use crate::view::{
    ActivityRow, InstanceLink, KeptSnapshot, Listing, Made, SnapshotLink, SnapshotView, Unsaved,
    VolumeLink, VolumeView,
};
use jiff::tz::TimeZone;

/// Related objects are listed up to this number.
const SHOWN: u32 = 50;
/// Entries of the log that a page of one object shows.
const LATELY: u32 = 10;

impl Control {
    /// One volume, with its snapshots and what is known of its content.
    ///
    /// # Errors
    /// [`Fault::NotFound`].
    pub fn volume(&self, caller: &Caller, id: VolumeId) -> Result<VolumeView, Fault> {
        let actor = caller.must(Permission::Read)?;
        let listed = self
            .ask(self.catalog().listed_volume(actor.organization, id))?
            .ok_or(super::volumes::NO_VOLUME)?;
        let zone = time_zone(&actor.time_zone);
        let volume = listed.volume.clone();
        let row = self.volume_row(actor, &zone, listed);
        let made = self.ask(self.catalog().made(id))?;
        let (snapshots, snapshots_total) = self.ask(self.catalog().newest_snapshots(id, SHOWN))?;
        let free = volume.state == VolumeState::Ready
            && volume.kind == VolumeKind::Data
            && volume.instance.is_none();
        let attachable = if free {
            self.ask(
                self.catalog()
                    .resting_instances(actor.organization, volume.zone, SHOWN),
            )?
        } else {
            Vec::new()
        };
        let all = self.ask(self.catalog().snapshots_of_volume(id))?;
        let info = (volume.state == VolumeState::Ready)
            .then(|| self.seen(&volume).ok())
            .flatten();
        let base = made.as_ref().and_then(|made| made.base);
        let unsaved = info
            .as_ref()
            .and_then(|info| self.unsaved(&zone, &volume, info, &all, base).ok());
        let exclusive = info
            .as_ref()
            .and_then(|_| self.freed_with(&volume, &all).ok());
        Ok(VolumeView {
            made: made.map_or(Made::Unknown, |made| made_from(&volume, made)),
            slot: volume.slot,
            attachable: attachable
                .into_iter()
                .map(|(id, name)| InstanceLink { id, name })
                .collect(),
            snapshots: snapshots
                .into_iter()
                .map(|(listed, stored)| KeptSnapshot {
                    stored: listed
                        .snapshot
                        .state
                        .is_usable()
                        .then_some(stored)
                        .flatten(),
                    row: self.snapshot_row(actor, &zone, listed),
                })
                .collect(),
            snapshots_total,
            unsaved,
            exclusive: exclusive.map(Bytes),
            in_use: info.is_some_and(|info| info.leased),
            activity: self.lately(caller, Some(&id.to_string()), LATELY)?,
            row,
        })
    }

    /// What of the volume is in no snapshot yet: counted from the newest one that the next can build on, else from what
    /// it was made from, else all that it holds.
    fn unsaved(
        &self,
        zone: &TimeZone,
        volume: &Volume,
        info: &VolumeInfo,
        snapshots: &[Snapshot],
        base: Option<CheckpointId>,
    ) -> Result<Unsaved, Fault> {
        if let Some((bytes, taken)) = self.since_snapshot(volume, snapshots)? {
            return Ok(Unsaved {
                bytes,
                since: Some(moment(zone, taken)),
                on_origin: false,
            });
        }
        let pool = self.core.zones.get(volume.zone)?.pool(&volume.name)?;
        let changed = match base {
            Some(base) => pool
                .changed_since(base, volume.id)
                .map_err(|error| self.fault(error.into()))?,
            None => None,
        };
        Ok(Unsaved {
            bytes: changed.as_ref().map_or(Bytes(info.written), |changed| {
                Bytes(most_to_read(changed, volume.size.0))
            }),
            since: None,
            on_origin: changed.is_some(),
        })
    }

    /// What the next snapshot of the volume reads at most when it builds on the newest one that it can build on, and when
    /// that was taken; none where there is no such snapshot.
    pub(super) fn since_snapshot(
        &self,
        volume: &Volume,
        snapshots: &[Snapshot],
    ) -> Result<Option<(Bytes, i64)>, Fault> {
        let pool = self.core.zones.get(volume.zone)?.pool(&volume.name)?;
        for base in snapshots {
            if !base.state.is_usable() || base.held != Held::Base || base.zone != Some(volume.zone)
            {
                continue;
            }
            let changed = pool
                .changed_since(base.checkpoint, volume.id)
                .map_err(|error| self.fault(error.into()))?;
            if let Some(changed) = changed {
                let bytes = most_to_read(&changed, volume.size.0);
                return Ok(Some((Bytes(bytes), base.taken)));
            }
        }
        Ok(None)
    }

    /// One snapshot, with what it can be used for and what was made from it.
    ///
    /// # Errors
    /// [`Fault::NotFound`].
    pub fn snapshot_details(&self, caller: &Caller, id: SnapshotId) -> Result<SnapshotView, Fault> {
        let actor = caller.must(Permission::Read)?;
        let organization = actor.organization;
        let listed = self
            .ask(self.catalog().listed_snapshot(organization, id))?
            .ok_or(super::snapshots::NO_SNAPSHOT)?;
        let zone = time_zone(&actor.time_zone);
        let snapshot = listed.snapshot.clone();
        let usable = snapshot.state.is_usable();
        let volume = self.ask(self.catalog().volume_in_zone(organization, snapshot.volume))?;
        let stored = self.ask(self.catalog().sent_for(id))?;
        let templates = self.ask(self.catalog().templates_made_from(organization, id, SHOWN))?;
        let volumes = self.ask(self.catalog().volumes_made_from(organization, id, SHOWN))?;
        let zones = self.core.zones.views(None, None).into_iter();
        let next_check = usable
            .then(|| {
                self.core
                    .proofs
                    .next(snapshot.verified.unwrap_or(snapshot.taken))
            })
            .flatten();
        Ok(SnapshotView {
            volume: volume.map(|(volume, zone)| self.link(volume, zone)),
            stored: stored.filter(|_| usable),
            next_check: next_check.map(|at| moment(&zone, at.max(self.now_ms()))),
            zones: zones
                .map(|zone| {
                    (
                        zone.name,
                        snapshot.data.is_none_or(|data| data <= zone.free),
                    )
                })
                .collect(),
            templates,
            volumes: volumes
                .into_iter()
                .map(|(volume, zone)| self.link(volume, zone))
                .collect(),
            activity: self.lately(caller, Some(&id.to_string()), LATELY)?,
            row: self.snapshot_row(actor, &zone, listed),
        })
    }

    fn link(&self, volume: Volume, zone: String) -> VolumeLink {
        let filling = volume.state == VolumeState::Ready
            && self.seen(&volume).is_ok_and(|info| info.filling.is_some());
        VolumeLink {
            id: volume.id,
            name: volume.name,
            zone,
            filling,
        }
    }

    /// The newest entries of the log about an object and what belongs to it; about everything without `of`.
    pub(super) fn lately(
        &self,
        caller: &Caller,
        of: Option<&str>,
        entries: u32,
    ) -> Result<Vec<ActivityRow>, Fault> {
        let listing = Listing {
            of: of.unwrap_or_default().to_owned(),
            ..Listing::default()
        };
        Ok(self.activity_rows(caller, listing, entries)?.rows)
    }
}

fn made_from(volume: &Volume, made: details::Made) -> Made {
    let link = |(id, name)| SnapshotLink { id, name };
    match made {
        details::Made {
            snapshot: Some(snapshot),
            ..
        } => Made::Snapshot(Some(link(snapshot))),
        details::Made {
            template: Some(name),
            ..
        } => Made::Template(Some(name)),
        details::Made {
            job: Some(JobKind::CreateVolume),
            ..
        } => Made::Empty,
        details::Made {
            job: Some(JobKind::ImportVolume),
            ..
        } => Made::Image,
        details::Made {
            job: Some(JobKind::RestoreVolume),
            ..
        } => Made::Snapshot(None),
        // A root volume that has a content and no work of its own was made with its instance.
        details::Made {
            content: Some(_),
            template_then,
            ..
        } if volume.kind == VolumeKind::Root => Made::Template(template_then),
        _ => Made::Unknown,
    }
}
