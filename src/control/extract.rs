//! What can be made of a recovery point beside going back to it: a new volume with the content that a disk had, of which
//! nothing is copied, for it stands on what the point keeps; and a template of its root volume, which is saved.

use super::error::Refusal;
use super::points::{NO_POINT, as_args};
use super::tasks::{SourceArgs, SourceDisk};
use super::templates::{self, checked_description};
use super::volumes::{NO_VOLUME, write_new};
use super::work::Asked;
use super::{Actor, Caller, Control};
use crate::catalog::instances::{instance_of, live_work_on};
use crate::catalog::points::{disks_of_point, point_of};
use crate::domain::fault::Fault;
use crate::domain::id::{CheckpointId, PointId, VolumeId};
use crate::domain::job::JobKind;
use crate::domain::name::checked_name;
use crate::domain::recovery::{PointKind, PointState};
use crate::domain::role::Permission;
use crate::domain::volume::{VolumeKind, VolumeState};
use crate::view::Started;
use rusqlite::Transaction;
use serde::{Deserialize, Serialize};

/// What the making of a volume is told, as JSON.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct VolumeArgs {
    /// What it has the content of; none: it is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<CheckpointId>,
}

impl Control {
    /// Makes a data volume with the content of one of the point's disks, in the same zone. The disk is named by the volume
    /// that it was, which may be gone.
    ///
    /// # Errors
    /// [`Fault::NotFound`] of the point or the disk; [`Fault::InUse`] when the point is not ready; [`Fault::NameTaken`] and
    /// those of names.
    pub fn create_volume_from_point(
        &self,
        caller: &Caller,
        point: PointId,
        disk: VolumeId,
        name: &str,
    ) -> Result<Started, Fault> {
        let actor = caller.must(Permission::Change)?;
        let (held, zone) = self.core.look(|tx| {
            let point = point_of(tx, actor.organization, point)?.ok_or(NO_POINT)?;
            let instance = instance_of(tx, actor.organization, point.instance)?.ok_or(NO_POINT)?;
            let mut disks = disks_of_point(tx, point.id)?.into_iter();
            let held = disks.find(|held| held.volume == disk && !held.beside);
            Ok((held.ok_or(NO_VOLUME)?, instance.zone))
        })?;
        let name = checked_name(name)?;
        let zone = self.core.zones.get(zone)?;
        zone.pool(&name)?;
        let volume = self.new_volume(
            actor,
            zone,
            &name,
            VolumeKind::Data,
            held.size,
            VolumeState::Creating,
        );
        let mut asked = Asked::new(JobKind::CreateVolume, &volume.id, &name);
        asked.source = Some(point.to_string());
        asked.args = as_args(&VolumeArgs {
            checkpoint: Some(held.checkpoint),
        })
        .map_err(|error| self.fault(error))?;
        self.begin(caller, actor, &asked, |tx| {
            may_read(tx, actor, point)?;
            write_new(tx, &volume)
        })
    }

    /// Makes a template of the root volume as it was at the point. The point can be deleted afterwards; its memory, and its
    /// other disks, are not in the template.
    ///
    /// # Errors
    /// [`Fault::NotFound`]; [`Fault::InUse`] when the point is not ready; [`Fault::NotBootable`], [`Fault::NeedsUefi`],
    /// [`Fault::TextTooLong`], those of names and of the zone's pool.
    pub fn create_template_from_point(
        &self,
        caller: &Caller,
        id: PointId,
        name: &str,
        description: &str,
    ) -> Result<Started, Fault> {
        let actor = caller.must(Permission::Change)?;
        let (point, held, zone) = self.core.look(|tx| {
            let point = point_of(tx, actor.organization, id)?.ok_or(NO_POINT)?;
            let instance = instance_of(tx, actor.organization, point.instance)?.ok_or(NO_POINT)?;
            let mut disks = disks_of_point(tx, point.id)?.into_iter();
            let root = disks.find(|held| held.kind == VolumeKind::Root && !held.beside);
            Ok((point, root.ok_or(NO_VOLUME)?, instance.zone))
        })?;
        let (name, description) = (checked_name(name)?, checked_description(description)?);
        let disk = SourceDisk {
            zone,
            checkpoint: held.checkpoint,
            volume: held.volume,
            volume_name: held.volume_name,
            taken: point.taken,
        };
        self.core
            .check_disk_bootable(&disk, &point.name)
            .map_err(|failure| failure.into_fault())?;
        let template = self.new_template(actor, &name, description, held.size, point.name);
        let mut asked = Asked::new(JobKind::CreateTemplate, &template.id, &name);
        asked.source = Some(id.to_string());
        asked.args =
            as_args(&SourceArgs { disk: Some(disk) }).map_err(|error| self.fault(error))?;
        self.begin(caller, actor, &asked, |tx| {
            may_read(tx, actor, id)?;
            templates::write_new(tx, &template)
        })
    }
}

/// Refuses where nothing can be made of the point now. It stays until what is made of it is made.
fn may_read(tx: &Transaction<'_>, actor: &Actor, point: PointId) -> Result<(), Refusal> {
    let point = point_of(tx, actor.organization, point)?.ok_or(NO_POINT)?;
    // A rollback under way may use its safety point up.
    let may_go =
        point.kind == PointKind::Safety && live_work_on(tx, &point.instance.to_string())?.is_some();
    if may_go || point.state != PointState::Ready {
        return Err(Fault::InUse { name: point.name }.into());
    }
    Ok(())
}
