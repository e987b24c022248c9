//! Bringing an instance back to a recovery point.
//!
//! ```text
//!  prove ──▶ pause ──▶ safety ──▶ stop ──▶ disks ──▶ start ──▶ clear     it ends in the state it promised,
//!    └─────────┴─────────┴─────────┴────────┴─────────┴──▶ put-back ──▶ run-again ──▶ drop-safety     or as it was
//! ```
//! A memory that the guest is to go on from is read to its end before anything is touched.
//!
//! What may never be true: disks that change under a process (it is gone before they do, and that is made sure of); a
//! disk that is overwritten and that the safety point does not hold; a guest that stands still when the job has ended.

mod rows;

pub(super) use rows::conclude;
pub(in crate::control) use rows::made_anew;

use super::super::core::Core;
use super::super::error::{About, Error, chain, explain};
use super::super::points::consistency_at_rest;
use super::super::rollback::RollbackArgs;
use super::memory::Subject;
use super::point::{Pairs, all_there, args_of, pairs};
use crate::catalog;
use crate::catalog::instances::Instance;
use crate::catalog::jobs::Job;
use crate::catalog::points::{Point, move_point};
use crate::domain::fault::Fault;
use crate::domain::id::VolumeId;
use crate::domain::recovery::{Consistency, PointKind, PointState};
use crate::hypervisor::Hypervisor;
use crate::jobs::{Failure, Watch};
use rows::{Refused, attach, died, put_attachments_back, runs};
use std::ops::ControlFlow;

/// The steps that do it, in order.
pub(super) const STEPS: &[&str] = &[
    "prove", "pause", "safety", "stop", "disks", "start", "clear",
];
/// The steps that undo it, in order.
pub(super) const UNDO_STEPS: &[&str] = &["put-back", "run-again", "drop-safety"];

impl Core {
    /// One step, of either list.
    pub(super) fn rollback_step(
        &self,
        job: &Job,
        step: &'static str,
        watch: &mut dyn Watch,
    ) -> Result<(), Failure> {
        let args: RollbackArgs = args_of(job)?;
        let instance = self.subject_instance(job)?;
        if instance.state.may_run() || args.runs_after() {
            self.guests_known(&instance.name, watch)?;
        }
        match step {
            "prove" => self.prove_target(&instance, &args, watch),
            "pause" => self.pause(&instance),
            "safety" => self.make_safety(&instance, &args, watch),
            "stop" => self.stop_for_good(&instance),
            "disks" => self.bring_disks_back(&instance, &args),
            "start" => self.start_after(&instance, &args),
            "clear" => {
                self.clear(&instance, &args);
                Ok(())
            }
            "put-back" => self.put_back(&instance, &args),
            "run-again" => self.run_again(&instance, &args),
            "drop-safety" => {
                self.drop_or_leave(&instance, &args);
                Ok(())
            }
            _ => Err(self.broken(step, "a step that no work has")),
        }
    }

    fn prove_target(
        &self,
        instance: &Instance,
        args: &RollbackArgs,
        watch: &mut dyn Watch,
    ) -> Result<(), Failure> {
        if !args.memory {
            return Ok(());
        }
        let Some((point, _)) = self.point_and_disks(args.point)? else {
            return Err(self.broken("read a memory", "the point is not there"));
        };
        self.prove_memory(instance, &point, watch)
    }

    /// The guest stands still, so that nothing it still writes is lost between the safety point and its end.
    fn pause(&self, instance: &Instance) -> Result<(), Failure> {
        let Some(machine) = self.machine(instance.id) else {
            return Ok(());
        };
        self.hands_off();
        if instance.frozen {
            self.thaw(instance, &machine);
        }
        machine.pause().map_err(|error| {
            tracing::warn!(instance = %instance.id, error = chain(&error), "a guest could not be paused");
            Failure::Final(Fault::NoSafetyPoint)
        })
    }

    /// Everything that will be overwritten is kept first. Without it nothing begins.
    fn make_safety(
        &self,
        instance: &Instance,
        args: &RollbackArgs,
        watch: &mut dyn Watch,
    ) -> Result<(), Failure> {
        let zone = self.zones.get(instance.zone).map_err(Failure::Final)?;
        let failed = |error: Error| {
            // Logged; what there is to do about a full pool is said by the pool itself.
            match explain("make a safety point", error, zone.about(&instance.name)) {
                Failure::Final(full @ Fault::PoolFull { .. }) => Failure::Final(full),
                _ => Failure::Final(Fault::NoSafetyPoint),
            }
        };
        let pool = zone
            .pool(&instance.name)
            .map_err(|_| Failure::Final(Fault::NoSafetyPoint))?;
        let Some((point, disks)) = self.point_and_disks(args.safety)? else {
            return Err(self.broken("make a safety point", "its row is not there"));
        };
        let pairs = pairs(&disks);
        if args.safety_memory {
            self.keep_present(instance, &point, &pairs, watch)?;
        }
        if point.consistency.is_none() || !all_there(pool, &pairs) {
            let consistency = if self.machine(instance.id).is_some() {
                Consistency::PowerCut
            } else {
                consistency_at_rest(instance)
            };
            self.take(&point, consistency, pool, &pairs)
                .map_err(failed)?;
        }
        self.catalog
            .write(|tx| move_point(tx, point.id, PointState::Creating, PointState::Ready))
            .map(drop)
            .map_err(|error: catalog::Error| failed(error.into()))
    }

    /// The memory of now, of a guest that stands already. It is compressed when the instance is where it should be.
    fn keep_present(
        &self,
        instance: &Instance,
        point: &Point,
        pairs: &Pairs,
        watch: &mut dyn Watch,
    ) -> Result<(), Failure> {
        let zone = self.zones.get(instance.zone).map_err(Failure::Final)?;
        let pool = zone.pool(&instance.name).map_err(Failure::Passing)?;
        let files = self.memory_files(instance.zone, point.id);
        let Some(machine) = self.machine(instance.id) else {
            return Err(Failure::Final(Fault::NoSafetyPoint));
        };
        if files.raw.exists() {
            return Ok(());
        }
        let folder = self.folders.memory(instance.zone);
        let unsafe_now = |error: &dyn std::fmt::Display| {
            tracing::warn!(instance = %instance.id, %error, "the memory of now could not be kept");
            Failure::Final(Fault::NoSafetyPoint)
        };
        std::fs::create_dir_all(&folder).map_err(|error| unsafe_now(&error))?;
        let of = Subject {
            instance,
            machine: &machine,
            point,
            zone,
            pool,
            pairs,
        };
        watch.total(instance.hardware.memory.0);
        match self.save_standing(&of, &files, watch) {
            Ok(_) => self.settle_raw(&files).map_err(|error| unsafe_now(&error)),
            Err(Failure::Final(full @ Fault::PoolFull { .. })) => Err(Failure::Final(full)),
            Err(Failure::Stopped) => Err(Failure::Stopped),
            Err(_) => Err(Failure::Final(Fault::NoSafetyPoint)),
        }
    }

    /// The process ends, and no other has the disks.
    fn stop_for_good(&self, instance: &Instance) -> Result<(), Failure> {
        self.kill_machine(instance.id);
        let failed = |error| {
            let about = About {
                name: &instance.name,
                ..About::default()
            };
            explain("end a guest", error, about)
        };
        match Hypervisor::find(&self.folders.instance(instance.id)) {
            Ok(None) => Ok(()),
            Ok(Some(machine)) => {
                machine.kill();
                Ok(())
            }
            // Where it cannot be told, nothing is done to the disks.
            Err(error) => Err(failed(error.into())),
        }
    }

    /// The disks hold what the point holds, and are attached as they were.
    fn bring_disks_back(&self, instance: &Instance, args: &RollbackArgs) -> Result<(), Failure> {
        let zone = self.zones.get(instance.zone).map_err(Failure::Final)?;
        let pool = zone.pool(&instance.name).map_err(Failure::Passing)?;
        let failed = |error: Error| {
            explain(
                "bring an instance's disks back",
                error,
                zone.about(&instance.name),
            )
        };
        let Some((point, disks)) = self.point_and_disks(args.point)? else {
            return Err(self.broken("bring an instance's disks back", "the point is not there"));
        };
        // First those that are made anew, under ids that nobody knows yet.
        for (old, new) in &args.back {
            let held = disks
                .iter()
                .find(|disk| disk.volume == *old || disk.volume == *new);
            if let Some(disk) = held {
                pool.clone_volume(*new, disk.checkpoint)
                    .map_err(|error| failed(error.into()))?;
            }
        }
        // Then all of them are this instance's: from here on nobody else takes one of them.
        let attached = self
            .catalog
            .write(|tx| attach(tx, instance, args, &point, &disks, self.now()));
        attached.map_err(|refused| match refused {
            Refused::Fault(fault) => Failure::Final(fault),
            Refused::Catalog(error) => failed(error.into()),
        })?;
        // And then the engine gives them new heads; whoever still has one of them open loses it.
        for disk in &disks {
            let anew = args
                .back
                .iter()
                .any(|(old, new)| disk.volume == *old || disk.volume == *new);
            if !anew {
                pool.rollback(disk.volume, disk.checkpoint)
                    .map_err(|error| failed(error.into()))?;
            }
        }
        Ok(())
    }

    fn start_after(&self, instance: &Instance, args: &RollbackArgs) -> Result<(), Failure> {
        if args.memory {
            let Some((point, _)) = self.point_and_disks(args.point)? else {
                return Err(self.broken("start from a memory", "the point is not there"));
            };
            self.start_with_memory(instance, &point)?;
        } else if args.was_running {
            self.start_machine(instance)?;
        }
        if args.runs_after() {
            self.is_running(instance)?;
        }
        Ok(())
    }

    /// The instance is where it should be. What is not needed any more goes; where it does not, it goes later.
    fn clear(&self, instance: &Instance, args: &RollbackArgs) {
        if args.runs_after() {
            self.is_missed(instance.id);
        }
        if args.safety_memory && args.keep_safety {
            self.pack_safety(instance, args);
        }
        let used = match self.point_and_disks(args.point) {
            Ok(Some((point, _))) if point.kind == PointKind::Safety => Some(point.id),
            _ => None,
        };
        let unwanted = (!args.keep_safety).then_some(args.safety);
        for id in used.into_iter().chain(unwanted) {
            if let Err(failure) = self.drop_point(instance, id) {
                tracing::warn!(point = %id, ?failure, "a safety point that is not needed stays for a while");
            }
        }
    }

    /// The memory of now is compressed. Where that cannot be, the safety point holds the disks only.
    fn pack_safety(&self, instance: &Instance, args: &RollbackArgs) {
        let packed = match self.point_and_disks(args.safety) {
            Ok(Some((safety, _))) => {
                self.pack_memory(instance, &safety, &mut |_| ControlFlow::Continue(()))
            }
            Ok(None) => return,
            Err(failure) => Err(failure),
        };
        if let Err(failure) = packed {
            tracing::error!(point = %args.safety, ?failure, "the memory of a safety point was not kept: it holds the disks only");
            if let Err(error) = self.remove_memory(instance.zone, args.safety) {
                tracing::warn!(point = %args.safety, error = chain(&error), "what is left of a memory stays until the next start");
            }
        }
    }

    /// Every disk that the rollback may have touched is as the safety point holds it, and the instance has those it had.
    fn put_back(&self, instance: &Instance, args: &RollbackArgs) -> Result<(), Failure> {
        let safety = self.point_and_disks(args.safety)?;
        let Some((safety, held)) = safety.filter(|(point, _)| point.state == PointState::Ready)
        else {
            // Nothing was touched.
            return Ok(());
        };
        let zone = self.zones.get(instance.zone).map_err(Failure::Final)?;
        let pool = zone.pool(&instance.name).map_err(Failure::Passing)?;
        let failed = |error: Error| {
            explain(
                "put an instance's disks back",
                error,
                zone.about(&instance.name),
            )
        };
        let target = self.point_and_disks(args.point)?;
        let target = target.map(|(_, disks)| disks).unwrap_or_default();
        self.stop_for_good(instance)?;
        let mine: Vec<VolumeId> = self
            .catalog
            .write(|tx| put_attachments_back(tx, instance, args, &safety, &held))
            .map_err(|error: catalog::Error| failed(error.into()))?;
        for disk in &held {
            let touched = target.iter().any(|other| other.volume == disk.volume);
            if touched && mine.contains(&disk.volume) {
                pool.rollback(disk.volume, disk.checkpoint)
                    .map_err(|error| failed(error.into()))?;
            }
        }
        for (_, new) in &args.back {
            pool.delete_volume(*new)
                .map_err(|error| failed(error.into()))?;
        }
        Ok(())
    }

    /// It ran: it runs.
    fn run_again(&self, instance: &Instance, args: &RollbackArgs) -> Result<(), Failure> {
        if !args.was_running {
            return Ok(());
        }
        let safety = self.point_and_disks(args.safety)?.map(|(point, _)| point);
        // Where nothing was touched its process is the one that it had.
        let ended = safety
            .as_ref()
            .is_some_and(|safety| safety.state == PointState::Ready);
        if !ended
            && let Some(machine) = self.machine(instance.id)
            && machine.exit().is_none()
        {
            if instance.frozen {
                self.thaw(instance, &machine);
            }
            return machine
                .resume()
                .map_err(|error| explain("have a guest go on", error.into(), About::default()));
        }
        // Its memory was kept with the safety point: it goes on from there, and else it begins anew.
        if let Some(safety) = safety.filter(|_| args.safety_memory)
            && (safety.memory.is_some() || self.memory_files(instance.zone, safety.id).raw.exists())
        {
            let resumed = self
                .pack_memory(instance, &safety, &mut |_| ControlFlow::Continue(()))
                .and_then(|()| self.start_with_memory(instance, &safety));
            match resumed {
                Ok(()) => return self.is_running(instance),
                Err(Failure::Stopped) => return Err(Failure::Stopped),
                Err(failure) => {
                    tracing::error!(instance = %instance.id, ?failure, "a guest could not go on from the memory it had: it begins anew");
                }
            }
        }
        match self.start_machine(instance) {
            Ok(()) => self.is_running(instance),
            Err(Failure::Final(fault)) => {
                // Its disks are as they were; that it does not run is said.
                let written = self.catalog.write(|tx| died(tx, instance, &fault));
                written.map_err(|error: catalog::Error| {
                    explain("write a state", error.into(), About::default())
                })
            }
            Err(failure) => Err(failure),
        }
    }

    fn is_running(&self, instance: &Instance) -> Result<(), Failure> {
        self.catalog
            .write(|tx| runs(tx, instance))
            .map_err(|error: catalog::Error| {
                explain("write a state", error.into(), About::default())
            })
    }

    /// The safety point of a rollback that did not happen goes. Where it does not, it goes later.
    fn drop_or_leave(&self, instance: &Instance, args: &RollbackArgs) {
        if let Err(failure) = self.drop_point(instance, args.safety) {
            tracing::warn!(point = %args.safety, ?failure, "a safety point that is not needed stays for a while");
            let moved = self.catalog.write(|tx| {
                move_point(tx, args.safety, PointState::Ready, PointState::Deleting)?;
                move_point(tx, args.safety, PointState::Creating, PointState::Deleting)
            });
            if let Err::<_, catalog::Error>(error) = moved {
                tracing::warn!(error = chain(&error), "a safety point is kept");
            }
        }
    }
}
