//! Two recovery points beside each other, or one beside the present: disk by disk what was written, and the machine.

use super::error::explain;
use super::moments::{moment, time_zone};
use super::points::{NO_INSTANCE, NO_POINT, told_consistency};
use super::{Caller, Control};
use crate::catalog::instances::{Instance, instance_of};
use crate::catalog::points::{Disk, Point, points_of_instance};
use crate::catalog::volumes::{Volume, disks_of};
use crate::domain::fault::Fault;
use crate::domain::id::{CheckpointId, InstanceId, PointId, VolumeId};
use crate::domain::instance::InstanceState;
use crate::domain::recovery::PointKind;
use crate::domain::role::Permission;
use crate::domain::size::Bytes;
use crate::domain::volume::VolumeKind;
use crate::engine::Pool;
use crate::engine::block::BLOCK_SIZE;
use crate::view::{Compared, ComparedDisk, DiskComparison, PointChoice, PointComparison};
use jiff::tz::TimeZone;

/// What a disk is, on one side.
struct Side {
    volume: VolumeId,
    kind: VolumeKind,
    name: String,
    size: Bytes,
    /// None: the volume as it is now.
    checkpoint: Option<CheckpointId>,
}

impl From<&Disk> for Side {
    fn from(disk: &Disk) -> Self {
        Self {
            volume: disk.volume,
            kind: disk.kind,
            name: disk.volume_name.clone(),
            size: disk.size,
            checkpoint: Some(disk.checkpoint),
        }
    }
}

impl From<&Volume> for Side {
    fn from(volume: &Volume) -> Self {
        Self {
            volume: volume.id,
            kind: volume.kind,
            name: volume.name.clone(),
            size: volume.size,
            checkpoint: None,
        }
    }
}

type Points = Vec<(Point, Vec<Disk>)>;

impl Control {
    /// Compares two states of the instance, each a recovery point, or the present where none is named.
    ///
    /// # Errors
    /// [`Fault::NotFound`], also of a point of another instance.
    pub fn compare_points(
        &self,
        caller: &Caller,
        id: InstanceId,
        from: Option<PointId>,
        to: Option<PointId>,
    ) -> Result<PointComparison, Fault> {
        let actor = caller.must(Permission::Read)?;
        let (instance, points, volumes) = self.core.look(|tx| {
            let instance = instance_of(tx, actor.organization, id)?.ok_or(NO_INSTANCE)?;
            Ok((instance, points_of_instance(tx, id)?, disks_of(tx, id)?))
        })?;
        let zone = time_zone(&actor.time_zone);
        let side = |id| self.side(&instance, &points, &volumes, &zone, id);
        let ((from, then), (to, now)) = (side(from)?, side(to)?);
        let place = self.core.zones.get(instance.zone)?;
        let pool = place.pool(&instance.name)?;
        let mut disks = Vec::new();
        for disk in &then {
            let other = now.iter().find(|other| other.volume == disk.volume);
            let differ = other.and_then(|other| match differ(pool, disk, other) {
                Ok(differ) => differ,
                Err(error) => {
                    // Logged; the page says that it is not known.
                    explain(
                        "compare recovery points",
                        error.into(),
                        place.about(&disk.name),
                    );
                    None
                }
            });
            disks.push(compared(Some(disk), other, differ));
        }
        let only_now = now
            .iter()
            .filter(|disk| !then.iter().any(|other| other.volume == disk.volume));
        disks.extend(only_now.map(|disk| compared(None, Some(disk), None)));
        let line = {
            let way = |point: Option<PointId>| ancestry(&points, point.or(instance.current));
            let (above, below) = (way(from.point), way(to.point));
            // The present itself is no point: it descends from whatever its way has.
            let on = |point: Option<PointId>, way: &[PointId]| match point {
                Some(point) => way.contains(&point),
                None => false,
            };
            from.point == to.point || on(from.point, &below) || on(to.point, &above)
        };
        let choices = points
            .iter()
            .map(|(point, _)| PointChoice {
                id: point.id,
                kind: point.kind,
                name: point.name.clone(),
                taken: moment(&zone, point.taken),
            })
            .collect();
        Ok(PointComparison {
            instance: instance.name,
            from,
            to,
            line,
            disks,
            choices,
        })
    }

    /// One side, with its disks.
    fn side(
        &self,
        instance: &Instance,
        points: &Points,
        volumes: &[Volume],
        zone: &TimeZone,
        id: Option<PointId>,
    ) -> Result<(Compared, Vec<Side>), Fault> {
        let Some(id) = id else {
            let compared = Compared {
                point: None,
                kind: PointKind::Made,
                name: instance.name.clone(),
                taken: moment(zone, self.now_ms()),
                running: instance.state == InstanceState::Running,
                consistency: None,
                memory: None,
                hardware: instance.hardware.clone(),
            };
            return Ok((compared, volumes.iter().map(Side::from).collect()));
        };
        let found = points.iter().find(|(point, _)| point.id == id);
        let (point, disks) = found.ok_or(NO_POINT)?;
        let compared = Compared {
            point: Some(id),
            kind: point.kind,
            name: point.name.clone(),
            taken: moment(zone, point.taken),
            running: point.running,
            consistency: told_consistency(point),
            memory: point.memory,
            hardware: point.hardware.clone(),
        };
        let disks = disks.iter().filter(|disk| !disk.beside);
        Ok((compared, disks.map(Side::from).collect()))
    }
}

/// Bytes in which the two may differ; none where that cannot be told.
fn differ(pool: &Pool, then: &Side, now: &Side) -> crate::engine::Result<Option<Bytes>> {
    let changed = match (then.checkpoint, now.checkpoint) {
        (Some(from), Some(to)) => pool.diff(from, to)?,
        (Some(from), None) => pool.changed_since(from, now.volume)?,
        (None, Some(to)) => pool.changed_since(to, then.volume)?,
        (None, None) => return Ok(Some(Bytes(0))),
    };
    Ok(changed.map(|changed| Bytes(changed.len() * BLOCK_SIZE)))
}

fn compared(from: Option<&Side>, to: Option<&Side>, differ: Option<Bytes>) -> DiskComparison {
    let told = |side: &Side| ComparedDisk {
        name: side.name.clone(),
        size: side.size,
    };
    let kind = from.or(to).map_or(VolumeKind::Data, |side| side.kind);
    DiskComparison {
        kind,
        from: from.map(told),
        to: to.map(told),
        differ,
    }
}

/// The point and those it descends from.
fn ancestry(points: &Points, from: Option<PointId>) -> Vec<PointId> {
    let mut way = Vec::new();
    let mut next = from;
    while let Some((point, _)) = next.and_then(|id| points.iter().find(|(point, _)| point.id == id))
    {
        if way.contains(&point.id) {
            break; // a circle, which the catalog never writes
        }
        way.push(point.id);
        next = point.parent;
    }
    way
}
