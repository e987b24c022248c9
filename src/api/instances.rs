//! Instances and their recovery points.

#![allow(
    missing_docs,
    reason = "the macro makes a public struct of each function's arguments; the functions are documented"
)]

use crate::domain::fault::Fault;
use crate::domain::id::{InstanceId, PointId, TemplateId, VolumeId, ZoneId};
use crate::view::{
    BranchDeletion, InstanceDeletion, InstanceRow, InstanceView, Listing, Page, PointComparison,
    PointDeletion, PointPlan, PointView, PointsView, RollbackPlan, SerialView, Started,
};
use leptos::prelude::server;
use leptos::server_fn::codec::GetUrl;

/// A page of the organization's instances, as it is asked for; newest first, unless it says otherwise.
#[server(prefix = "/api", endpoint = "instances/list", input = GetUrl)]
pub async fn list_instances(
    #[server(flatten)] listing: Listing,
) -> Result<Page<InstanceRow>, Fault> {
    super::door::run(move |control, caller| control.list_instances(caller, listing)).await
}

/// One instance with its volumes.
#[server(prefix = "/api", endpoint = "instances/get", input = GetUrl)]
pub async fn get_instance(instance: InstanceId) -> Result<InstanceView, Fault> {
    super::door::run(move |control, caller| control.instance(caller, instance)).await
}

/// Makes an instance from a template, with a root volume of its own. `offering` counts `OFFERINGS` from 0; `start`
/// (a form's tick: absent means no) has it started at once.
#[server(prefix = "/api", endpoint = "instances/create")]
pub async fn create_instance(
    name: String,
    template: TemplateId,
    zone: ZoneId,
    offering: u32,
    #[server(default)] start: bool,
) -> Result<Started, Fault> {
    super::door::run(move |control, caller| {
        control.create_instance(caller, &name, template, zone, offering, start)
    })
    .await
}

/// Starts the instance.
#[server(prefix = "/api", endpoint = "instances/start")]
pub async fn start_instance(instance: InstanceId) -> Result<Started, Fault> {
    super::door::run(move |control, caller| control.start_instance(caller, instance)).await
}

/// Stops the instance by the power button, with a deadline; with `force`, at once.
#[server(prefix = "/api", endpoint = "instances/stop")]
pub async fn stop_instance(
    instance: InstanceId,
    #[server(default)] force: bool,
) -> Result<Started, Fault> {
    super::door::run(move |control, caller| control.stop_instance(caller, instance, force)).await
}

/// Stops the instance as [`stop_instance`] does, and starts it again.
#[server(prefix = "/api", endpoint = "instances/reboot")]
pub async fn reboot_instance(instance: InstanceId) -> Result<Started, Fault> {
    super::door::run(move |control, caller| control.reboot_instance(caller, instance)).await
}

/// What deleting the instance would mean.
#[server(prefix = "/api", endpoint = "instances/deletion", input = GetUrl)]
pub async fn plan_instance_deletion(instance: InstanceId) -> Result<InstanceDeletion, Fault> {
    super::door::run(move |control, caller| control.instance_deletion(caller, instance)).await
}

/// Deletes the stopped instance and its recovery points; its volumes only with `volumes`.
#[server(prefix = "/api", endpoint = "instances/delete")]
pub async fn delete_instance(
    instance: InstanceId,
    #[server(default)] volumes: bool,
) -> Result<Started, Fault> {
    super::door::run(move |control, caller| control.delete_instance(caller, instance, volumes))
        .await
}

/// Attaches a data volume to the stopped instance.
#[server(prefix = "/api", endpoint = "instances/attach")]
pub async fn attach_volume(instance: InstanceId, volume: VolumeId) -> Result<(), Fault> {
    super::door::run(move |control, caller| control.attach_volume(caller, instance, volume)).await
}

/// Detaches a data volume from the instance it is attached to, which is stopped.
#[server(prefix = "/api", endpoint = "instances/detach")]
pub async fn detach_volume(volume: VolumeId) -> Result<(), Fault> {
    super::door::run(move |control, caller| control.detach_volume(caller, volume)).await
}

/// What the serial console wrote, from an offset; without one, the newest part.
#[server(prefix = "/api", endpoint = "instances/serial", input = GetUrl)]
pub async fn serial_log(instance: InstanceId, from: Option<u64>) -> Result<SerialView, Fault> {
    super::door::run(move |control, caller| control.serial_log(caller, instance, from)).await
}

/// The instance's recovery points, in the order of their drawing.
#[server(prefix = "/api", endpoint = "points/list", input = GetUrl)]
pub async fn list_points(instance: InstanceId) -> Result<PointsView, Fault> {
    super::door::run(move |control, caller| control.list_points(caller, instance)).await
}

/// One of the instance's recovery points with all that is known of it: this one, or else the one that the instance's state
/// descends from, or the newest. None: it is not there (any more).
#[server(prefix = "/api", endpoint = "points/get", input = GetUrl)]
pub async fn get_point(
    instance: InstanceId,
    point: Option<PointId>,
) -> Result<Option<PointView>, Fault> {
    super::door::run(
        move |control, caller| match control.point(caller, instance, point) {
            Err(Fault::NotFound {
                what: crate::domain::fault::Noun::Point,
            }) => Ok(None),
            found => found.map(Some),
        },
    )
    .await
}

/// What making a recovery point would mean.
#[server(prefix = "/api", endpoint = "points/plan", input = GetUrl)]
pub async fn plan_point(instance: InstanceId) -> Result<PointPlan, Fault> {
    super::door::run(move |control, caller| control.point_plan(caller, instance)).await
}

/// Makes a recovery point of all the instance's disks, and of its memory with `memory` (a form's tick: absent means no);
/// an empty name gets the proposed one.
#[server(prefix = "/api", endpoint = "points/create")]
pub async fn create_point(
    instance: InstanceId,
    #[server(default)] name: String,
    #[server(default)] description: String,
    #[server(default)] memory: bool,
) -> Result<Started, Fault> {
    super::door::run(move |control, caller| {
        control.create_point(caller, instance, &name, &description, memory)
    })
    .await
}

/// Gives the point another name and description.
#[server(prefix = "/api", endpoint = "points/rename")]
pub async fn rename_point(
    point: PointId,
    name: String,
    #[server(default)] description: String,
) -> Result<(), Fault> {
    super::door::run(move |control, caller| {
        control.rename_point(caller, point, &name, &description)
    })
    .await
}

/// What deleting the point would mean.
#[server(prefix = "/api", endpoint = "points/deletion", input = GetUrl)]
pub async fn plan_point_deletion(point: PointId) -> Result<PointDeletion, Fault> {
    super::door::run(move |control, caller| control.point_deletion(caller, point)).await
}

/// Deletes the point; its children then descend from its parent.
#[server(prefix = "/api", endpoint = "points/delete")]
pub async fn delete_point(point: PointId) -> Result<Started, Fault> {
    super::door::run(move |control, caller| control.delete_point(caller, point)).await
}

/// What deleting the point and all that descends from it would mean.
#[server(prefix = "/api", endpoint = "points/branch", input = GetUrl)]
pub async fn plan_branch_deletion(point: PointId) -> Result<BranchDeletion, Fault> {
    super::door::run(move |control, caller| control.branch_deletion(caller, point)).await
}

/// Deletes the point and all that descends from it. `seal` is the plan's.
#[server(prefix = "/api", endpoint = "points/delete-branch")]
pub async fn delete_branch(point: PointId, seal: String) -> Result<Started, Fault> {
    super::door::run(move |control, caller| control.delete_branch(caller, point, &seal)).await
}

/// Compares two states of the instance, each a recovery point, or the present where none is named.
#[server(prefix = "/api", endpoint = "points/compare", input = GetUrl)]
pub async fn compare_points(
    instance: InstanceId,
    from: Option<PointId>,
    to: Option<PointId>,
) -> Result<PointComparison, Fault> {
    super::door::run(move |control, caller| control.compare_points(caller, instance, from, to))
        .await
}

/// Makes a data volume with the content of one of the point's disks, in the same zone. `disk` is the volume that it was.
#[server(prefix = "/api", endpoint = "points/create-volume")]
pub async fn create_volume_from_point(
    point: PointId,
    disk: VolumeId,
    name: String,
) -> Result<Started, Fault> {
    super::door::run(move |control, caller| {
        control.create_volume_from_point(caller, point, disk, &name)
    })
    .await
}

/// Makes a template of the root volume as it was at the point.
#[server(prefix = "/api", endpoint = "points/create-template")]
pub async fn create_template_from_point(
    point: PointId,
    name: String,
    #[server(default)] description: String,
) -> Result<Started, Fault> {
    super::door::run(move |control, caller| {
        control.create_template_from_point(caller, point, &name, &description)
    })
    .await
}

/// What bringing the instance back to the point would change.
#[server(prefix = "/api", endpoint = "points/rollback-plan", input = GetUrl)]
pub async fn plan_rollback(point: PointId) -> Result<RollbackPlan, Fault> {
    super::door::run(move |control, caller| control.rollback_plan(caller, point)).await
}

/// Brings the instance back to the point. `seal` is the plan's; `safety` (a form's tick: absent means no) keeps a safety
/// point, which can undo it for seven days, with the present memory if `safety_memory` says so. Rolling back to a safety
/// point undoes the rollback that made it.
#[server(prefix = "/api", endpoint = "points/rollback")]
pub async fn roll_back(
    point: PointId,
    seal: String,
    #[server(default)] safety: bool,
    #[server(default)] safety_memory: bool,
) -> Result<Started, Fault> {
    super::door::run(move |control, caller| {
        control.roll_back(caller, point, &seal, safety, safety_memory)
    })
    .await
}
