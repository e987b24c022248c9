//! Instances: listing them, one with its volumes, its serial log, and what deleting it would mean. What is done to them
//! is in [`act`].

pub(super) mod act;

use self::act::may_delete;
use super::error::explain;
use super::moments::{moment, time_zone};
use super::volumes::gone_with;
use super::{Actor, Caller, Control, narrow, page_of, serial};
use crate::catalog::instances::{Instance, ListedInstance, instance_of};
use crate::domain::fault::{Fault, Noun};
use crate::domain::id::{InstanceId, OrganizationId};
use crate::domain::role::Permission;
use crate::domain::size::Bytes;
use crate::domain::volume::VolumeState;
use crate::engine::Reference;
use crate::hypervisor::Serial;
use crate::view::{
    InstanceDeletion, InstanceRow, InstanceView, Listing, PAGE_ROWS, Page, PointLink, SerialView,
};
use jiff::tz::TimeZone;

const NO_INSTANCE: Fault = Fault::NotFound {
    what: Noun::Instance,
};
/// Recovery points that the overview shows.
const NEWEST_POINTS: u32 = 5;
/// Entries of the log that the overview shows.
const LATELY: u32 = 8;
/// The most bytes of the serial log in one answer.
const SERIAL_PIECE: usize = 64 << 10;

/// What goes with an instance.
#[derive(Debug, Default)]
pub(super) struct Gone {
    /// From the pool, where its volumes stay.
    pub keeping: Vec<Reference>,
    /// From the pool, where its volumes go, too.
    pub all: Vec<Reference>,
    /// Bytes of memory in its recovery points.
    pub memory: u64,
    /// The number of these.
    pub points: u32,
    /// The names of its volumes.
    pub volumes: Vec<String>,
    /// Whether one of them has no snapshot that could be used.
    pub lost: bool,
}

impl Control {
    /// A page of the organization's instances, newest first.
    ///
    /// # Errors
    /// [`Fault::SignInNeeded`].
    pub fn list_instances(
        &self,
        caller: &Caller,
        listing: impl Into<Listing>,
    ) -> Result<Page<InstanceRow>, Fault> {
        let actor = caller.must(Permission::Read)?;
        let found = self.ask(self.catalog().list_instances(
            actor.organization,
            &narrow(listing, actor),
            PAGE_ROWS,
        ))?;
        let zone = time_zone(&actor.time_zone);
        Ok(page_of(found, |listed| {
            self.instance_row(actor, &zone, listed)
        }))
    }

    fn instance_row(
        &self,
        actor: &Actor,
        time_zone: &TimeZone,
        listed: ListedInstance,
    ) -> InstanceRow {
        let instance = listed.instance;
        InstanceRow {
            id: instance.id,
            name: instance.name,
            zone: listed.zone_name,
            state: instance.state,
            fault: instance.fault,
            vcpus: instance.hardware.vcpus,
            memory: instance.hardware.memory,
            volumes: listed.volumes,
            points: listed.points,
            created: moment(time_zone, instance.created),
            job: listed
                .job
                .as_ref()
                .map(|job| self.job_view(actor, time_zone, job)),
        }
    }

    /// One instance with its volumes.
    ///
    /// # Errors
    /// [`Fault::NotFound`].
    pub fn instance(&self, caller: &Caller, id: InstanceId) -> Result<InstanceView, Fault> {
        let actor = caller.must(Permission::Read)?;
        let found = self.ask(self.catalog().listed_instance(actor.organization, id))?;
        let listed = found.ok_or(NO_INSTANCE)?;
        let disks = self.ask(self.catalog().listed_disks(id))?;
        let free = self.ask(
            self.catalog()
                .attachable_volumes(actor.organization, listed.instance.zone),
        )?;
        let points = self.ask(self.catalog().newest_points(id, NEWEST_POINTS))?;
        let zone = time_zone(&actor.time_zone);
        Ok(InstanceView {
            points: points
                .into_iter()
                .map(|(id, name, taken, memory)| PointLink {
                    id,
                    name,
                    taken: moment(&zone, taken),
                    memory,
                })
                .collect(),
            activity: self.lately(caller, Some(&id.to_string()), LATELY)?,
            hardware: listed.instance.hardware.clone(),
            accelerator: listed.instance.accelerator,
            template: listed.instance.template_name.clone(),
            started: listed.instance.started.map(|at| moment(&zone, at)),
            volumes: disks
                .into_iter()
                .map(|disk| self.volume_row(actor, &zone, disk))
                .collect(),
            attachable: free
                .into_iter()
                .map(|volume| (volume.id, volume.name))
                .collect(),
            row: self.instance_row(actor, &zone, listed),
        })
    }

    /// What deleting the instance would mean.
    ///
    /// # Errors
    /// Those of [`Self::delete_instance`]: what would be refused is not offered.
    pub fn instance_deletion(
        &self,
        caller: &Caller,
        id: InstanceId,
    ) -> Result<InstanceDeletion, Fault> {
        let actor = caller.must(Permission::Read)?;
        let instance = self.instance_of(actor.organization, id)?;
        self.core.look(|tx| may_delete(tx, &instance))?;
        let gone = self.gone_with_instance(&instance)?;
        let zone = self.core.zones.get(instance.zone)?;
        let frees = |references: &[Reference]| -> Result<Bytes, Fault> {
            let Ok(pool) = zone.pool(&instance.name) else {
                return Ok(Bytes(gone.memory));
            };
            if references.is_empty() {
                return Ok(Bytes(0));
            }
            let freed = pool.reclaimable(references).map_err(|error| {
                explain("plan a deletion", error.into(), zone.about(&instance.name)).into_fault()
            })?;
            Ok(Bytes(freed + gone.memory))
        };
        Ok(InstanceDeletion {
            points: gone.points,
            frees_keeping: frees(&gone.keeping)?,
            frees_all: frees(&gone.all)?,
            volumes: gone.volumes,
            name: instance.name.clone(),
        })
    }

    /// What goes with the instance.
    pub(super) fn gone_with_instance(&self, instance: &Instance) -> Result<Gone, Fault> {
        let disks = self.ask(self.catalog().disks_of(instance.id))?;
        let checkpoints = self.ask(self.catalog().checkpoints_of_instance(instance.id))?;
        let keeping: Vec<Reference> = checkpoints.into_iter().map(Reference::Checkpoint).collect();
        let mut gone = Gone {
            all: keeping.clone(),
            keeping,
            ..Gone::default()
        };
        for disk in &disks {
            let snapshots = self.ask(self.catalog().snapshots_of_volume(disk.id))?;
            gone.lost |= !snapshots.iter().any(|snapshot| snapshot.state.is_usable());
            if disk.state == VolumeState::Ready {
                gone.all.extend(gone_with(disk, &snapshots));
            }
        }
        let points = self.ask(self.catalog().points_of(instance.id))?;
        // The memory in its points goes with them.
        let memory = points.iter().filter_map(|point| point.memory);
        gone.memory = memory.map(|bytes| bytes.0).sum();
        gone.points = u32::try_from(points.len()).unwrap_or(u32::MAX);
        gone.volumes = disks.into_iter().map(|disk| disk.name).collect();
        Ok(gone)
    }

    /// What the serial console wrote, from an offset; without one, the newest part. At most 64 KiB of the log at once.
    ///
    /// # Errors
    /// [`Fault::NotFound`].
    pub fn serial_log(
        &self,
        caller: &Caller,
        id: InstanceId,
        from: Option<u64>,
    ) -> Result<SerialView, Fault> {
        let actor = caller.must(Permission::Read)?;
        self.instance_of(actor.organization, id)?;
        let log = Serial::open(&self.core.folders.instance(id));
        let piece = log
            .read(from, SERIAL_PIECE)
            .map_err(|error| self.fault(error.into()))?;
        // Where the answer does not begin at what was read last, it may begin within a character.
        let read = serial::read(&piece.bytes, from != Some(piece.from));
        Ok(SerialView {
            from: piece.from,
            text: read.text,
            end: piece.from.saturating_add(read.used as u64),
            kept_from: piece.kept_from,
        })
    }

    fn instance_of(&self, organization: OrganizationId, id: InstanceId) -> Result<Instance, Fault> {
        self.core
            .look(|tx| Ok(instance_of(tx, organization, id)?.ok_or(NO_INSTANCE)?))
    }
}
