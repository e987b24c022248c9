//! Bringing an instance back to a recovery point: what it would change, and asking for it. The work is `tasks::rollback`.

use super::error::{Refusal, explain};
use super::moments::{moment, time_zone};
use super::points::{NO_INSTANCE, NO_POINT, as_args, disks_to_keep, is_at_rest};
use super::work::Asked;
use super::{Caller, Control};
use crate::catalog;
use crate::catalog::instances::{Instance, instance, instance_of, live_work_on};
use crate::catalog::jobs::is_being_read;
use crate::catalog::points::{
    Disk, Point, disks_of_point, insert_point, point_of, points_of_instance,
};
use crate::catalog::volumes::{Volume, disks_of, volume_name_taken, volume_of};
use crate::domain::fault::Fault;
use crate::domain::id::{CheckpointId, OrganizationId, PointId, VolumeId};
use crate::domain::instance::{Hardware, InstanceState};
use crate::domain::job::JobKind;
use crate::domain::name::MAX_NAME;
use crate::domain::recovery::{PointKind, PointState, UNDO_MS};
use crate::domain::role::Permission;
use crate::domain::size::Bytes;
use crate::domain::volume::VolumeState;
use crate::engine::block::BLOCK_SIZE;
use crate::view::{DiskChange, RollbackPlan, Started};
use rusqlite::Transaction;
use serde::{Deserialize, Serialize};

/// What a rollback is told, as JSON. Its subject is the instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RollbackArgs {
    /// The point to go back to.
    pub point: PointId,
    /// The safety point, made first.
    pub safety: PointId,
    /// Whether the safety point is kept when all went well.
    pub keep_safety: bool,
    /// Whether the instance ran, and is to run again.
    pub was_running: bool,
    /// Volumes of the point that were deleted since, each with the id under which it comes back.
    pub back: Vec<(VolumeId, VolumeId)>,
    /// The point that the instance's state descends from afterwards.
    pub current: Option<PointId>,
    /// Whether the guest goes on from the memory in the point.
    #[serde(default)]
    pub memory: bool,
    /// Whether the safety point keeps the memory of now.
    #[serde(default)]
    pub safety_memory: bool,
}

impl RollbackArgs {
    /// Whether the instance runs afterwards: as before, or because its guest goes on.
    pub const fn runs_after(&self) -> bool {
        self.was_running || self.memory
    }
}

/// What a rollback depends on, as it stood at one moment in the catalog.
struct Seen {
    point: Point,
    disks: Vec<Disk>,
    instance: Instance,
    busy: bool,
    /// Whether work reads the point, which would go with the rollback.
    read: bool,
    /// The instance's disks.
    attached: Vec<Volume>,
    /// Of each of the point's disks: the volume, if it is still there.
    theirs: Vec<Option<Volume>>,
    /// The instances that have those volumes and are not this one: the volume's name and the instance's.
    elsewhere: Option<(String, String)>,
    /// Of each disk that comes back: the volume it was, and the name it gets.
    names: Vec<(VolumeId, String)>,
}

/// What happens to a disk, before the engine is asked how much of it differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
enum Fate {
    Returns,
    Detached,
    Attached,
    ComesBack(String),
}

impl Seen {
    fn load(
        tx: &Transaction<'_>,
        organization: OrganizationId,
        id: PointId,
    ) -> Result<Self, Refusal> {
        let point = point_of(tx, organization, id)?.ok_or(NO_POINT)?;
        let this = instance_of(tx, organization, point.instance)?.ok_or(NO_INSTANCE)?;
        let disks = disks_of_point(tx, id)?;
        let (mut theirs, mut names, mut elsewhere) = (Vec::new(), Vec::new(), None);
        for disk in &disks {
            let volume = volume_of(tx, organization, disk.volume)?;
            match &volume {
                Some(volume) => {
                    if let Some(other) = volume.instance.filter(|other| *other != this.id)
                        && elsewhere.is_none()
                    {
                        let name = instance(tx, other)?.map(|other| other.name);
                        elsewhere = Some((volume.name.clone(), name.unwrap_or_default()));
                    }
                }
                None => {
                    let taken: Vec<String> = names
                        .iter()
                        .map(|(_, name): &(_, String)| name.to_lowercase())
                        .collect();
                    let name = free_name(tx, organization, &disk.volume_name, &taken)?;
                    names.push((disk.volume, name));
                }
            }
            theirs.push(volume);
        }
        Ok(Self {
            busy: live_work_on(tx, &this.id.to_string())?.is_some(),
            // Going back to a safety point uses it up: what is made from it is made first.
            read: point.kind == PointKind::Safety && is_being_read(tx, &point.id.to_string())?,
            attached: disks_of(tx, this.id)?,
            point,
            disks,
            instance: this,
            theirs,
            elsewhere,
            names,
        })
    }

    /// Each disk with what happens to it, those of the point first.
    fn fates(&self) -> Vec<(Option<&Disk>, String, Fate)> {
        let mut fates = Vec::new();
        for (disk, volume) in self.disks.iter().zip(&self.theirs) {
            let fate = match volume {
                Some(volume) if volume.instance.is_some() && disk.beside => Fate::Detached,
                Some(volume) if volume.instance.is_some() || disk.beside => Fate::Returns,
                Some(_) => Fate::Attached,
                None => {
                    let name = self.names.iter().find(|(of, _)| *of == disk.volume);
                    Fate::ComesBack(name.map(|(_, name)| name.clone()).unwrap_or_default())
                }
            };
            let name = volume
                .as_ref()
                .map_or(&disk.volume_name, |volume| &volume.name);
            fates.push((Some(disk), name.clone(), fate));
        }
        for volume in &self.attached {
            if !self.disks.iter().any(|disk| disk.volume == volume.id) {
                fates.push((None, volume.name.clone(), Fate::Detached));
            }
        }
        fates
    }

    fn running(&self) -> bool {
        self.instance.state == InstanceState::Running
    }

    /// Why it cannot be done, as far as the catalog knows.
    fn refused(&self) -> Option<Fault> {
        let in_use = |name: &str| Fault::InUse {
            name: name.to_owned(),
        };
        if self.point.state != PointState::Ready {
            return Some(match self.point.kind {
                PointKind::Safety => Fault::NotUndoable,
                PointKind::Made => in_use(&self.point.name),
            });
        }
        if self.read {
            return Some(in_use(&self.point.name));
        }
        if self.busy || !is_at_rest(self.instance.state) {
            return Some(in_use(&self.instance.name));
        }
        if let Some((volume, instance)) = &self.elsewhere {
            return Some(Fault::DiskElsewhere {
                volume: volume.clone(),
                instance: instance.clone(),
            });
        }
        let theirs = self.theirs.iter().flatten();
        let unready = theirs
            .chain(&self.attached)
            .find(|volume| volume.state != VolumeState::Ready);
        unready.map(|volume| in_use(&volume.name))
    }

    /// Stands for everything that the dialog shows and the catalog decides. What a running guest goes on to write is not
    /// in it.
    fn seal(&self) -> String {
        let places: Vec<_> = self
            .attached
            .iter()
            .map(|volume| (volume.id, volume.slot))
            .collect();
        let fates: Vec<_> = self
            .fates()
            .into_iter()
            .map(|(disk, name, fate)| (disk.map(|disk| disk.checkpoint), name, fate))
            .collect();
        let told = serde_json::to_vec(&(
            self.point.id,
            self.point.state,
            &self.point.hardware,
            self.point.memory,
            self.instance.state,
            self.instance.current,
            &self.instance.hardware,
            places,
            fates,
        ));
        // A tuple of plain values is always JSON; were it not, no plan would fit.
        let told = told.unwrap_or_default();
        blake3::hash(&told).to_hex().to_string()
    }
}

impl Control {
    /// What bringing the instance back to the point would change.
    ///
    /// # Errors
    /// [`Fault::NotFound`].
    pub fn rollback_plan(&self, caller: &Caller, id: PointId) -> Result<RollbackPlan, Fault> {
        let actor = caller.must(Permission::Read)?;
        let (seen, points) = self.core.look(|tx| {
            let seen = Seen::load(tx, actor.organization, id)?;
            let points = points_of_instance(tx, seen.instance.id)?;
            Ok((seen, points))
        })?;
        let zone = time_zone(&actor.time_zone);
        let mut disks = Vec::new();
        for (disk, name, fate) in seen.fates() {
            let differs = || disk.and_then(|disk| self.differs(&seen.instance, disk));
            let change = match fate {
                Fate::Returns => DiskChange::Returns(differs()),
                Fate::Detached => DiskChange::Detached,
                Fate::Attached => DiskChange::Attached(differs()),
                Fate::ComesBack(name) => DiskChange::ComesBack(name),
            };
            disks.push((name, change));
        }
        let running = seen.running();
        let memory = seen.point.memory.is_some();
        let startable = || self.startable(&seen);
        Ok(RollbackPlan {
            memory,
            safety_memory: self.core.memory_plan(&seen.instance).ok(),
            since: self.since_current(&seen.instance, &points),
            refused: seen.refused().or_else(startable),
            seal: seen.seal(),
            hardware_changes: differ(&seen.point.hardware, &seen.instance.hardware),
            disks,
            instance: seen.instance.name,
            point: seen.point.name,
            kind: seen.point.kind,
            taken: moment(&zone, seen.point.taken),
            now: moment(&zone, self.now_ms()),
            running_now: running,
            running_after: running || memory,
        })
    }

    /// Why the instance could not run afterwards, if it is to.
    fn startable(&self, seen: &Seen) -> Option<Fault> {
        if seen.point.memory.is_some() {
            self.core.memory_refused(&seen.instance, &seen.point)
        } else if seen.running() {
            self.core.hypervisor().err()
        } else {
            None
        }
    }

    /// Brings the instance back to the point. `seal` is the plan's; with `safety` the safety point is kept, which can
    /// undo it for seven days, and with `safety_memory` the memory of now in it.
    ///
    /// # Errors
    /// [`Fault::NotFound`]; [`Fault::PlanOutdated`] when the plan is not what it was; what the plan says in `refused`.
    pub fn roll_back(
        &self,
        caller: &Caller,
        id: PointId,
        seal: &str,
        safety: bool,
        safety_memory: bool,
    ) -> Result<Started, Fault> {
        let actor = caller.must(Permission::Change)?;
        let now = self.now_ms();
        let seen = self
            .core
            .look(|tx| Seen::load(tx, actor.organization, id))?;
        if let Some(fault) = seen.refused() {
            return Err(fault);
        }
        if seen.seal() != seal {
            return Err(Fault::PlanOutdated);
        }
        if let Some(fault) = self.startable(&seen) {
            return Err(fault);
        }
        let name = seen.instance.name.clone();
        self.core.zones.get(seen.instance.zone)?.pool(&name)?;
        let args = RollbackArgs {
            point: id,
            safety: PointId::new(),
            keep_safety: safety,
            was_running: seen.running(),
            back: seen
                .names
                .iter()
                .map(|(old, _)| (*old, VolumeId::new()))
                .collect(),
            current: match seen.point.kind {
                PointKind::Made => Some(id),
                PointKind::Safety => seen.point.parent,
            },
            memory: seen.point.memory.is_some(),
            // There is none to keep of a guest that does not run.
            safety_memory: safety && safety_memory && seen.running(),
        };
        let mut asked = Asked::new(JobKind::Rollback, &seen.instance.id, &name);
        asked.args = as_args(&args).map_err(|error| self.fault(error))?;
        self.begin(caller, actor, &asked, |tx| {
            // Again, in the transaction that begins it: between the two looks anything may have happened.
            let seen = Seen::load(tx, actor.organization, id)?;
            if let Some(fault) = seen.refused() {
                return Err(fault.into());
            }
            if seen.seal() != seal {
                return Err(Fault::PlanOutdated.into());
            }
            let mut disks = disks_to_keep(tx, &seen.instance)?;
            let mut slot = disks.iter().map(|disk| disk.slot).max().unwrap_or(0);
            // Disks that are free now and will be overwritten are kept, too.
            for volume in seen.theirs.iter().flatten() {
                if volume.instance.is_none() {
                    slot += 1;
                    disks.push(Disk {
                        slot,
                        volume: volume.id,
                        volume_name: volume.name.clone(),
                        kind: volume.kind,
                        size: volume.size,
                        checkpoint: CheckpointId::new(),
                        beside: true,
                    });
                }
            }
            let point = Point {
                id: args.safety,
                organization: actor.organization,
                instance: seen.instance.id,
                parent: seen.instance.current,
                name: leads_to(tx, &seen.point)?,
                description: String::new(),
                kind: PointKind::Safety,
                state: PointState::Creating,
                consistency: None,
                running: args.was_running,
                stood_still: None,
                hardware: seen.instance.hardware.clone(),
                by_name: None,
                taken: now,
                expires: Some(now.saturating_add(UNDO_MS)),
                memory: None,
                accelerator: None,
            };
            Ok(insert_point(tx, &point, &disks)?)
        })
    }

    /// Bytes of the volume that differ from what the point holds of it; none where that cannot be told.
    fn differs(&self, instance: &Instance, disk: &Disk) -> Option<Bytes> {
        let zone = self.core.zones.get(instance.zone).ok()?;
        let changed = zone
            .pool("")
            .ok()?
            .changed_since(disk.checkpoint, disk.volume);
        match changed {
            Ok(changed) => changed.map(|changed| Bytes(changed.len() * BLOCK_SIZE)),
            Err(error) => {
                // Logged; the plan says that it cannot be told.
                explain(
                    "plan a rollback",
                    error.into(),
                    zone.about(&disk.volume_name),
                );
                None
            }
        }
    }
}

/// The name of the point that the instance's state descends from after a rollback to this one: to undo one leads back
/// to where the instance came from, and not to where it had gone.
fn leads_to(tx: &Transaction<'_>, to: &Point) -> Result<String, catalog::Error> {
    let from = match (to.kind, to.parent) {
        (PointKind::Safety, Some(parent)) => point_of(tx, to.organization, parent)?,
        _ => None,
    };
    Ok(from.map_or_else(|| to.name.clone(), |from| from.name))
}

/// Whether the guest would find another machine.
fn differ(then: &Hardware, now: &Hardware) -> bool {
    let other = |then: &str, now: &str| !then.is_empty() && !now.is_empty() && then != now;
    then.vcpus != now.vcpus
        || then.memory != now.memory
        || other(&then.machine, &now.machine)
        || other(&then.cpu, &now.cpu)
}

/// The name, or the first of its kind that neither the organization's volumes nor `taken` (in lower case) have.
pub(super) fn free_name(
    tx: &Transaction<'_>,
    organization: OrganizationId,
    name: &str,
    taken: &[String],
) -> Result<String, catalog::Error> {
    let mut number = 1_u32;
    loop {
        let tail = if number == 1 {
            String::new()
        } else {
            format!(" ({number})")
        };
        let room = MAX_NAME.saturating_sub(tail.chars().count());
        let tried: String = name.chars().take(room).chain(tail.chars()).collect();
        if !taken.contains(&tried.to_lowercase()) && !volume_name_taken(tx, organization, &tried)? {
            return Ok(tried);
        }
        number += 1;
    }
}
