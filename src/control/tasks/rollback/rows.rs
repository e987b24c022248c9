//! What the catalog is told of a rollback: which disks the instance has, whether it runs, where it stands in the tree. Each
//! in one transaction; the engine's part is the steps'.

use super::super::super::rollback::{RollbackArgs, free_name};
use crate::catalog;
use crate::catalog::instances::{Instance, instance, move_instance, set_lineage};
use crate::catalog::jobs::{Ending, Job};
use crate::catalog::points::{
    Disk, Point, attach_exactly, move_point, point_of, replace_volume, set_hardware,
};
use crate::catalog::volumes::{Volume, forget_volume, insert_volume, move_volume, volume_of};
use crate::domain::fault::Fault;
use crate::domain::id::VolumeId;
use crate::domain::instance::{InstanceEvent, InstanceState};
use crate::domain::recovery::{PointKind, PointState};
use crate::domain::volume::VolumeState;
use rusqlite::Transaction;

/// Why the disks of a point could not be attached: a user's matter, or the catalog's.
pub(super) enum Refused {
    Fault(Fault),
    Catalog(catalog::Error),
}

impl From<catalog::Error> for Refused {
    fn from(error: catalog::Error) -> Self {
        Self::Catalog(error)
    }
}

/// Gives the instance the disks of the point, in one transaction. What others took meanwhile is not taken from them.
pub(super) fn attach(
    tx: &Transaction<'_>,
    instance: &Instance,
    args: &RollbackArgs,
    point: &Point,
    disks: &[Disk],
    now: i64,
) -> Result<(), Refused> {
    let mut wanted = Vec::new();
    for disk in disks {
        let back = args
            .back
            .iter()
            .find(|(old, new)| disk.volume == *old || disk.volume == *new);
        let id = back.map_or(disk.volume, |(_, new)| *new);
        match volume_of(tx, instance.organization, id)? {
            Some(volume) => {
                if let Some(other) = volume.instance.filter(|other| *other != instance.id) {
                    let name = catalog::instances::instance(tx, other)?.map(|other| other.name);
                    return Err(Refused::Fault(Fault::DiskElsewhere {
                        volume: volume.name,
                        instance: name.unwrap_or_default(),
                    }));
                }
                if volume.state != VolumeState::Ready {
                    return Err(Refused::Fault(Fault::InUse { name: volume.name }));
                }
            }
            None if back.is_some() => {
                let name = free_name(tx, instance.organization, &disk.volume_name, &[])?;
                let volume = Volume {
                    id,
                    organization: instance.organization,
                    zone: instance.zone,
                    name,
                    kind: disk.kind,
                    size: disk.size,
                    state: VolumeState::Ready,
                    fault: None,
                    created: now,
                    instance: None,
                    slot: None,
                };
                insert_volume(tx, &volume)?;
                replace_volume(tx, instance.id, disk.volume, id)?;
            }
            // Deleted since it was asked for.
            None => return Err(Refused::Fault(Fault::PlanOutdated)),
        }
        if !disk.beside {
            wanted.push((id, disk.slot));
        }
    }
    attach_exactly(tx, instance.id, &wanted)?;
    set_hardware(tx, instance.id, &point.hardware)?;
    Ok(())
}

/// Undoes [`attach`], in one transaction. Gives the disks that may be put back: one that another instance has taken
/// meanwhile was not touched, and is left there.
pub(super) fn put_attachments_back(
    tx: &Transaction<'_>,
    instance: &Instance,
    args: &RollbackArgs,
    safety: &Point,
    held: &[Disk],
) -> Result<Vec<VolumeId>, catalog::Error> {
    let (mut wanted, mut mine) = (Vec::new(), Vec::new());
    for disk in held {
        let Some(volume) = volume_of(tx, instance.organization, disk.volume)? else {
            tracing::error!(volume = %disk.volume, "a disk was deleted while its instance was being rolled back");
            continue;
        };
        if volume.instance.is_some_and(|other| other != instance.id) {
            tracing::error!(volume = %disk.volume, "a disk was taken while its instance was being rolled back");
            continue;
        }
        mine.push(disk.volume);
        if !disk.beside {
            wanted.push((disk.volume, disk.slot));
        }
    }
    attach_exactly(tx, instance.id, &wanted)?;
    set_hardware(tx, instance.id, &safety.hardware)?;
    for (old, new) in &args.back {
        replace_volume(tx, instance.id, *new, *old)?;
        if move_volume(tx, *new, VolumeState::Ready, VolumeState::Deleting, None)? {
            forget_volume(tx, *new)?;
        }
    }
    Ok(mine)
}

/// The instance runs, whatever a start of the server in between may have taken it for.
pub(super) fn runs(tx: &Transaction<'_>, known: &Instance) -> Result<(), catalog::Error> {
    let Some(mut state) = instance(tx, known.id)?.map(|found| found.state) else {
        return Ok(());
    };
    for event in [InstanceEvent::StartAsked, InstanceEvent::Started] {
        if state != InstanceState::Running
            && let Ok(after) = state.next(event)
        {
            move_instance(tx, known.id, state, after, None)?;
            state = after;
        }
    }
    if state == InstanceState::Running {
        move_instance(tx, known.id, state, state, None)?;
    }
    Ok(())
}

/// The instance has no process, and the reason stands beside.
pub(super) fn died(
    tx: &Transaction<'_>,
    known: &Instance,
    fault: &Fault,
) -> Result<(), catalog::Error> {
    let Some(found) = instance(tx, known.id)? else {
        return Ok(());
    };
    if let Ok(after) = found.state.next(InstanceEvent::Died) {
        move_instance(tx, known.id, found.state, after, Some(fault))?;
    }
    Ok(())
}

/// Where the instance stands in the tree, in the transaction in which the job ends.
pub(in crate::control::tasks) fn conclude(
    tx: &Transaction<'_>,
    job: &Job,
    ending: Option<(Ending, &Fault)>,
) -> Result<(), catalog::Error> {
    let (Ok(args), Ok(id)) = (
        serde_json::from_str::<RollbackArgs>(&job.args),
        job.subject.parse(),
    ) else {
        tracing::error!(job = %job.id, "a job's arguments cannot be read");
        return Ok(());
    };
    let Some(instance) = instance(tx, id)? else {
        tracing::error!(job = %job.id, instance = %id, "a job's instance is not in the catalog");
        return Ok(());
    };
    let safety = point_of(tx, job.organization, args.safety)?;
    let Some((_, fault)) = ending else {
        let kept = safety.as_ref().filter(|_| args.keep_safety);
        set_lineage(tx, id, args.current, kept.map(|safety| safety.id))?;
        // What `clear` could not remove, the program removes later.
        let used = point_of(tx, job.organization, args.point)?
            .filter(|point| point.kind == PointKind::Safety);
        for point in used.into_iter().chain(safety.filter(|_| !args.keep_safety)) {
            move_point(tx, point.id, point.state, PointState::Deleting)?;
        }
        return Ok(());
    };
    match safety {
        // It could not be undone wholly: what the disks held is in the safety point, which a member may go back to.
        Some(safety) if safety.state == PointState::Ready => {
            tracing::error!(job = %job.id, instance = %id, point = %safety.id, "a rollback could not be undone: the safety point has the state before it");
            set_lineage(tx, id, instance.current, Some(safety.id))?;
            if args.was_running {
                died(tx, &instance, fault)?;
            }
        }
        Some(safety) if safety.state == PointState::Creating => {
            move_point(tx, safety.id, safety.state, PointState::Deleting)?;
        }
        _ => {}
    }
    Ok(())
}

/// Volumes that a rollback under way makes anew: the pool may have them before the catalog does.
pub(in crate::control) fn made_anew(job: &Job) -> Vec<VolumeId> {
    let args = serde_json::from_str::<RollbackArgs>(&job.args);
    args.map(|args| args.back.into_iter().map(|(_, new)| new).collect())
        .unwrap_or_default()
}
