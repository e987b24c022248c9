//! Recovery points: listing, making, renaming, deleting. What an instance is brought back to is `rollback`'s.

use super::activity::{Logged, log};
use super::error::{Error, Refusal, explain};
use super::moments::{moment, stamp, time_zone};
use super::work::Asked;
use super::{Caller, Control};
use crate::catalog::instances::{Instance, instance_of, live_work_on};
use crate::catalog::jobs::is_being_read;
use crate::catalog::points::{
    Disk, Point, disks_of_point, insert_point, move_point, newest_point, point_of,
    points_of_instance, rename_point,
};
use crate::catalog::volumes::disks_of;
use crate::domain::fault::{Fault, Noun};
use crate::domain::id::{CheckpointId, InstanceId, OrganizationId, PointId};
use crate::domain::instance::InstanceState;
use crate::domain::job::JobKind;
use crate::domain::name::{MAX_NAME, checked_name};
use crate::domain::recovery::{Consistency, Node, PointKind, PointState, drawing};
use crate::domain::role::Permission;
use crate::domain::size::Bytes;
use crate::domain::volume::VolumeState;
use crate::engine::Reference;
use crate::engine::block::BLOCK_SIZE;
use crate::view::{
    Act, PointDeletion, PointDisk, PointPlan, PointRow, PointView, PointsView, Started,
};
use jiff::tz::TimeZone;
use rusqlite::Transaction;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::time::Duration;

pub(super) const NO_INSTANCE: Fault = Fault::NotFound {
    what: Noun::Instance,
};
pub(super) const NO_POINT: Fault = Fault::NotFound { what: Noun::Point };
/// The longest description, in characters.
const MAX_TEXT: usize = 500;
/// How long the guest agent has to say that it is there.
pub(super) const PING: Duration = Duration::from_secs(1);

/// What work on recovery points is told, as JSON. Its subject is the instance: one act at a time on an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PointArgs {
    /// The point it is about.
    pub point: PointId,
    /// Others that go with it: those that expired at the same time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<PointId>,
    /// Whether the guest's memory is kept, too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub memory: bool,
}

/// The arguments as the job's row has them.
pub(super) fn as_args<T: Serialize>(args: &T) -> Result<String, Error> {
    serde_json::to_string(args).map_err(|source| Error::Json {
        what: "a job's arguments",
        source,
    })
}

/// Points of one instance, each with its disks.
type Points = Vec<(Point, Vec<Disk>)>;

impl Control {
    /// The instance's recovery points, in the order of their drawing.
    ///
    /// # Errors
    /// [`Fault::NotFound`].
    pub fn list_points(&self, caller: &Caller, id: InstanceId) -> Result<PointsView, Fault> {
        let actor = caller.must(Permission::Read)?;
        let listed = self
            .ask(self.catalog().listed_instance(actor.organization, id))?
            .ok_or(NO_INSTANCE)?;
        let points = self.core.look(|tx| Ok(points_of_instance(tx, id)?))?;
        let (instance, zone) = (listed.instance, time_zone(&actor.time_zone));
        let since = self.since_current(&instance, &points);
        let undo = instance.undo.and_then(|undo| {
            let (point, _) = points.iter().find(|(point, _)| point.id == undo)?;
            Some((undo, moment(&zone, point.expires?)))
        });
        let nodes: Vec<Node> = points
            .iter()
            .map(|(point, _)| Node {
                id: point.id,
                parent: point.parent,
                at: point.taken,
            })
            .collect();
        // A point that is being made stands where the instance is about to be.
        let present = points
            .iter()
            .find(|(point, _)| {
                point.state == PointState::Creating
                    && point.kind == PointKind::Made
                    && point.parent == instance.current
            })
            .map_or(instance.current, |(point, _)| Some(point.id));
        let frees = self.frees_each(&instance, &points);
        let mut by_id: HashMap<PointId, (Point, Option<Bytes>)> = points
            .into_iter()
            .zip(frees)
            .map(|((point, _), frees)| (point.id, (point, frees)))
            .collect();
        let mut rows = Vec::with_capacity(nodes.len());
        for place in drawing(&nodes, present) {
            let Some((point, frees)) = by_id.remove(&place.id) else {
                continue;
            };
            rows.push(PointRow {
                id: point.id,
                name: point.name,
                kind: point.kind,
                state: point.state,
                taken: moment(&zone, point.taken),
                frees,
                memory: point.memory.is_some(),
                lane: place.lane,
                parent_lane: place.parent_lane,
                passing: place.passing,
                goes_on: place.goes_on,
                depth: place.depth,
                children: place.children,
                on_path: place.on_path,
            });
        }
        Ok(PointsView {
            points: rows,
            current: instance.current,
            since,
            undo,
            zone: listed.zone_name,
        })
    }

    /// One of the instance's recovery points with all that is known of it: this one, or else the one that the instance's
    /// state descends from, or the newest.
    ///
    /// # Errors
    /// [`Fault::NotFound`], also where the instance has no points.
    pub fn point(
        &self,
        caller: &Caller,
        id: InstanceId,
        point: Option<PointId>,
    ) -> Result<PointView, Fault> {
        let actor = caller.must(Permission::Read)?;
        let listed = self
            .ask(self.catalog().listed_instance(actor.organization, id))?
            .ok_or(NO_INSTANCE)?;
        let instance = listed.instance;
        let (point, disks) = self.core.look(|tx| {
            let wanted = match point.or(instance.current) {
                Some(wanted) => Some(wanted),
                None => newest_point(tx, id)?,
            };
            let wanted = wanted.ok_or(NO_POINT)?;
            let found = point_of(tx, actor.organization, wanted)?;
            let found = found.filter(|point| point.instance == id).ok_or(NO_POINT)?;
            Ok((found, disks_of_point(tx, wanted)?))
        })?;
        let zone = time_zone(&actor.time_zone);
        let job = listed.job.as_ref().filter(|job| {
            serde_json::from_str::<PointArgs>(&job.args)
                .is_ok_and(|args| args.point == point.id || args.also.contains(&point.id))
        });
        let frees = (point.state == PointState::Ready)
            .then(|| self.frees(&instance, &[(&point, &disks)]).ok())
            .flatten();
        Ok(PointView {
            refused: self.core.memory_refused(&instance, &point),
            frees,
            job: job.map(|job| self.job_view(actor, &zone, job)),
            current: instance.current == Some(point.id),
            consistency: told_consistency(&point),
            id: point.id,
            name: point.name,
            description: point.description,
            kind: point.kind,
            state: point.state,
            parent: point.parent,
            running: point.running,
            stood_still: point.stood_still,
            hardware: point.hardware,
            by: point.by_name,
            taken: moment(&zone, point.taken),
            expires: point.expires.map(|expires| moment(&zone, expires)),
            disks: disks
                .into_iter()
                .filter(|disk| !disk.beside)
                .map(shown)
                .collect(),
            memory: point.memory,
        })
    }

    /// What making a recovery point would mean. A guest that runs is asked whether its agent is there.
    ///
    /// # Errors
    /// [`Fault::NotFound`].
    pub fn point_plan(&self, caller: &Caller, id: InstanceId) -> Result<PointPlan, Fault> {
        let actor = caller.must(Permission::Read)?;
        let (instance, points, disks) = self.core.look(|tx| {
            let instance = instance_of(tx, actor.organization, id)?.ok_or(NO_INSTANCE)?;
            Ok((
                instance,
                points_of_instance(tx, id)?,
                disks_of(tx, id)?.len(),
            ))
        })?;
        let consistency = match self.core.machine(id) {
            Some(machine) if machine.agent().ping(PING) => Consistency::Frozen,
            Some(_) => Consistency::PowerCut,
            None => consistency_at_rest(&instance),
        };
        let zone = time_zone(&actor.time_zone);
        let (memory, no_memory) = match self.core.memory_plan(&instance) {
            Ok(plan) => (Some(plan), None),
            Err(fault) => (None, Some(fault)),
        };
        Ok(PointPlan {
            memory,
            no_memory,
            since: self.since_current(&instance, &points),
            proposed: proposed(&zone, &instance.name, self.now_ms())?,
            name: instance.name,
            disks: u32::try_from(disks).unwrap_or(u32::MAX),
            consistency,
        })
    }

    /// Makes a recovery point of all the instance's disks, with `memory` of the guest's memory, too; an empty name gets the
    /// proposed one.
    ///
    /// # Errors
    /// [`Fault::NotFound`]; [`Fault::NoMemoryToKeep`]; [`Fault::InUse`] when other work is under way on the instance or it is in no state for it;
    /// [`Fault::TextTooLong`] and those of names.
    pub fn create_point(
        &self,
        caller: &Caller,
        id: InstanceId,
        name: &str,
        description: &str,
        memory: bool,
    ) -> Result<Started, Fault> {
        let actor = caller.must(Permission::Change)?;
        let now = self.now_ms();
        let instance = self
            .core
            .look(|tx| Ok(instance_of(tx, actor.organization, id)?.ok_or(NO_INSTANCE)?))?;
        let name = if name.trim().is_empty() {
            proposed(&time_zone(&actor.time_zone), &instance.name, now)?
        } else {
            checked_name(name)?
        };
        let description = checked_text(description)?;
        self.core.zones.get(instance.zone)?.pool(&instance.name)?;
        if memory {
            self.core.memory_plan(&instance)?;
        }
        let point = PointId::new();
        let mut asked = Asked::new(JobKind::CreatePoint, &id, &name);
        asked.args = as_args(&PointArgs {
            point,
            also: Vec::new(),
            memory,
        })
        .map_err(|error| self.fault(error))?;
        self.begin(caller, actor, &asked, |tx| {
            let instance = at_rest(tx, actor.organization, id)?;
            let disks = disks_to_keep(tx, &instance)?;
            let point = Point {
                id: point,
                organization: actor.organization,
                instance: id,
                parent: instance.current,
                name: name.clone(),
                description: description.clone(),
                kind: PointKind::Made,
                state: PointState::Creating,
                consistency: None,
                running: instance.state == InstanceState::Running,
                stood_still: None,
                hardware: instance.hardware,
                by_name: Some(actor.name.clone()),
                taken: now,
                expires: None,
                memory: None,
                accelerator: None,
            };
            Ok(insert_point(tx, &point, &disks)?)
        })
    }

    /// Gives a point that a member made another name and description.
    ///
    /// # Errors
    /// [`Fault::NotFound`]; [`Fault::InUse`] when it is being deleted; [`Fault::TextTooLong`] and those of names.
    pub fn rename_point(
        &self,
        caller: &Caller,
        id: PointId,
        name: &str,
        description: &str,
    ) -> Result<(), Fault> {
        let actor = caller.must(Permission::Change)?;
        // First whether there is such a point: a stranger's mistakes beyond that are not told.
        self.point_of(actor.organization, id)?;
        let (name, description) = (checked_name(name)?, checked_text(description)?);
        let now = self.now_ms();
        self.core.transact(|tx| {
            let point = point_of(tx, actor.organization, id)?.ok_or(NO_POINT)?;
            // A safety point bears the name of the point it goes back from.
            if point.state == PointState::Deleting || point.kind == PointKind::Safety {
                return Err(Fault::InUse { name: point.name }.into());
            }
            rename_point(tx, id, &name, &description)?;
            log(
                tx,
                caller,
                Act::RenamePoint,
                &name,
                Logged::Object(id.to_string()),
                now,
            )
        })?;
        self.core.work_changed(actor.organization);
        Ok(())
    }

    /// What deleting the point would mean.
    ///
    /// # Errors
    /// Those of [`Self::delete_point`]: what would be refused is not offered.
    pub fn point_deletion(&self, caller: &Caller, id: PointId) -> Result<PointDeletion, Fault> {
        let actor = caller.must(Permission::Read)?;
        let (instance, points) = self.core.look(|tx| {
            let point = point_of(tx, actor.organization, id)?.ok_or(NO_POINT)?;
            may_delete(tx, &point)?;
            let instance = instance_of(tx, actor.organization, point.instance)?.ok_or(NO_POINT)?;
            Ok((instance, points_of_instance(tx, point.instance)?))
        })?;
        let (point, disks) = points
            .iter()
            .find(|(point, _)| point.id == id)
            .ok_or(NO_POINT)?;
        let children = points
            .iter()
            .filter(|(child, _)| child.parent == Some(id))
            .count();
        Ok(PointDeletion {
            name: point.name.clone(),
            frees: self.frees(&instance, &[(point, disks)])?,
            kind: point.kind,
            children: u32::try_from(children).unwrap_or(u32::MAX),
            current: instance.current == Some(id),
            loses_undo: instance.undo == Some(id),
        })
    }

    /// Deletes the point; its children then descend from its parent.
    ///
    /// # Errors
    /// [`Fault::NotFound`]; [`Fault::InUse`] when other work is under way on the instance or the point is not ready.
    pub fn delete_point(&self, caller: &Caller, id: PointId) -> Result<Started, Fault> {
        let actor = caller.must(Permission::Change)?;
        let point = self.point_of(actor.organization, id)?;
        self.delete_points(caller, &point, &[])
    }

    /// Deletes these points of one instance, in one piece of work: there is one at a time on an instance.
    pub(super) fn delete_points(
        &self,
        caller: &Caller,
        first: &Point,
        others: &[Point],
    ) -> Result<Started, Fault> {
        let actor = caller.must(Permission::Change)?;
        let mut asked = Asked::new(JobKind::DeletePoint, &first.instance, &first.name);
        asked.also = others.iter().map(|point| point.name.clone()).collect();
        asked.args = as_args(&PointArgs {
            point: first.id,
            also: others.iter().map(|point| point.id).collect(),
            memory: false,
        })
        .map_err(|error| self.fault(error))?;
        self.begin(caller, actor, &asked, |tx| {
            for point in std::iter::once(first).chain(others) {
                let point = point_of(tx, actor.organization, point.id)?.ok_or(NO_POINT)?;
                may_delete(tx, &point)?;
                move_point(tx, point.id, PointState::Ready, PointState::Deleting)?;
            }
            Ok(())
        })
    }

    fn point_of(&self, organization: OrganizationId, id: PointId) -> Result<Point, Fault> {
        self.core
            .look(|tx| Ok(point_of(tx, organization, id)?.ok_or(NO_POINT)?))
    }

    /// Bytes that deleting these points together would free: what only their checkpoints hold, and their memories.
    pub(super) fn frees(
        &self,
        instance: &Instance,
        points: &[(&Point, &[Disk])],
    ) -> Result<Bytes, Fault> {
        let zone = self.core.zones.get(instance.zone)?;
        let disks = points.iter().flat_map(|(_, disks)| disks.iter());
        let of: Vec<Reference> = disks.map(kept_by).collect();
        let freed = zone.pool(&instance.name)?.reclaimable(&of);
        let memory: u64 = points.iter().map(|(point, _)| memory_of(point)).sum();
        freed.map(|freed| Bytes(freed + memory)).map_err(|error| {
            let about = zone.about(&instance.name);
            explain("plan a point's deletion", error.into(), about).into_fault()
        })
    }

    /// Of each point that is ready, the bytes that deleting it alone would free; none where that cannot be told.
    fn frees_each(&self, instance: &Instance, points: &Points) -> Vec<Option<Bytes>> {
        let told = || {
            let zone = self.core.zones.get(instance.zone).ok()?;
            let pool = zone.pool(&instance.name).ok()?;
            let of: Vec<_> = points
                .iter()
                .map(|(_, disks)| disks.iter().map(kept_by).collect())
                .collect();
            match pool.reclaimable_each(&of) {
                Ok(freed) => Some(freed),
                Err(error) => {
                    // Logged; the page says that it is not known.
                    explain(
                        "list recovery points",
                        error.into(),
                        zone.about(&instance.name),
                    );
                    None
                }
            }
        };
        let Some(freed) = told() else {
            return vec![None; points.len()];
        };
        points
            .iter()
            .zip(freed)
            .map(|((point, _), freed)| {
                let ready = point.state == PointState::Ready;
                ready.then(|| Bytes(freed + memory_of(point)))
            })
            .collect()
    }

    /// Bytes written since the current point; none where that cannot be told.
    pub(super) fn since_current(&self, instance: &Instance, points: &Points) -> Option<Bytes> {
        let current = instance.current?;
        let (_, held) = points.iter().find(|(point, _)| point.id == current)?;
        let pool = self.core.zones.get(instance.zone).ok()?.pool("").ok()?;
        let mut bytes = 0;
        for volume in self.catalog().disks_of(instance.id).ok()? {
            bytes += match held.iter().find(|disk| disk.volume == volume.id) {
                Some(disk) => {
                    let changed = pool.changed_since(disk.checkpoint, volume.id).ok()??;
                    changed.len() * BLOCK_SIZE
                }
                // Attached since: all of it.
                None => pool.volume(volume.id).ok()??.written,
            };
        }
        Some(Bytes(bytes))
    }
}

pub(super) const fn kept_by(disk: &Disk) -> Reference {
    Reference::Checkpoint(disk.checkpoint)
}

/// Refuses where the point cannot be deleted now.
pub(super) fn may_delete(tx: &Transaction<'_>, point: &Point) -> Result<(), Refusal> {
    let busy = live_work_on(tx, &point.instance.to_string())?.is_some()
        || is_being_read(tx, &point.id.to_string())?;
    if busy || point.state != PointState::Ready {
        return Err(Fault::InUse {
            name: point.name.clone(),
        }
        .into());
    }
    Ok(())
}

/// What its memory takes.
pub(super) fn memory_of(point: &Point) -> u64 {
    point.memory.unwrap_or_default().0
}

/// The state of a point's disks, as it is told: of what is being made, none.
pub(super) fn told_consistency(point: &Point) -> Option<Consistency> {
    let made = point
        .consistency
        .filter(|_| point.state != PointState::Creating);
    made.map(|disks| point.memory.map_or(disks, |_| Consistency::Memory))
}

fn shown(disk: Disk) -> PointDisk {
    PointDisk {
        volume: disk.volume,
        name: disk.volume_name,
        kind: disk.kind,
        size: disk.size,
    }
}

/// The instance, if nothing is under way on it and something may be begun on its disks.
pub(super) fn at_rest(
    tx: &Transaction<'_>,
    organization: OrganizationId,
    id: InstanceId,
) -> Result<Instance, Refusal> {
    let instance = instance_of(tx, organization, id)?.ok_or(NO_INSTANCE)?;
    if is_at_rest(instance.state) && live_work_on(tx, &id.to_string())?.is_none() {
        Ok(instance)
    } else {
        Err(Fault::InUse {
            name: instance.name,
        }
        .into())
    }
}

pub(super) const fn is_at_rest(state: InstanceState) -> bool {
    matches!(
        state,
        InstanceState::Stopped | InstanceState::Running | InstanceState::Failed
    )
}

/// What can be said of the disks of an instance that has no process: one that ended by itself may not have had the time
/// to write what it meant to.
pub(super) fn consistency_at_rest(instance: &Instance) -> Consistency {
    if instance.state == InstanceState::Stopped {
        Consistency::Stopped
    } else {
        Consistency::PowerCut
    }
}

/// The instance's disks, each with the id of the checkpoint to be.
pub(super) fn disks_to_keep(
    tx: &Transaction<'_>,
    instance: &Instance,
) -> Result<Vec<Disk>, Refusal> {
    let volumes = disks_of(tx, instance.id)?;
    if volumes.is_empty() {
        // One that could not be made has none: there is nothing to go back to.
        return Err(Fault::InUse {
            name: instance.name.clone(),
        }
        .into());
    }
    let mut disks = Vec::with_capacity(volumes.len());
    for volume in volumes {
        if volume.state != VolumeState::Ready {
            return Err(Fault::InUse { name: volume.name }.into());
        }
        disks.push(Disk {
            slot: volume.slot.unwrap_or(0),
            volume: volume.id,
            volume_name: volume.name,
            kind: volume.kind,
            size: volume.size,
            checkpoint: CheckpointId::new(),
            beside: false,
        });
    }
    Ok(disks)
}

/// The instance's name, the day and the time. Names of points need not be unique.
fn proposed(zone: &TimeZone, instance: &str, now: i64) -> Result<String, Fault> {
    let tail = format!(" {}", stamp(zone, now));
    let room = MAX_NAME.saturating_sub(tail.chars().count());
    let name: String = instance.chars().take(room).chain(tail.chars()).collect();
    checked_name(&name)
}

/// A description as it will be kept: lines as they are, without what cannot be seen.
fn checked_text(text: &str) -> Result<String, Fault> {
    let text = text.replace("\r\n", "\n");
    let text = text.trim();
    if text.chars().count() > MAX_TEXT {
        return Err(Fault::TextTooLong {
            max: MAX_TEXT as u32,
        });
    }
    // The rules of names hold for what stands between the spaces; how long it may be is told above.
    let letters: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
    for part in letters.chunks(MAX_NAME) {
        checked_name(&part.iter().collect::<String>())?;
    }
    Ok(text.to_owned())
}
