//! A new volume with the content that a disk had at a recovery point. Nothing is copied: it stands on what the point keeps.

use super::points::{NO_POINT, as_args};
use super::volumes::{NO_VOLUME, write_new};
use super::work::Asked;
use super::{Caller, Control};
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
        // The point stays until the work ends.
        asked.source = Some(point.to_string());
        asked.args = as_args(&VolumeArgs {
            checkpoint: Some(held.checkpoint),
        })
        .map_err(|error| self.fault(error))?;
        self.begin(caller, actor, &asked, |tx| {
            let point = point_of(tx, actor.organization, point)?.ok_or(NO_POINT)?;
            if point.state != PointState::Ready {
                return Err(Fault::InUse { name: point.name }.into());
            }
            // A rollback under way may use its safety point up.
            if point.kind == PointKind::Safety
                && live_work_on(tx, &point.instance.to_string())?.is_some()
            {
                return Err(Fault::InUse { name: point.name }.into());
            }
            write_new(tx, &volume)
        })
    }
}
