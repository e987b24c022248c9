//! Volumes. (An image to import is too large for a server function: it is sent to `POST /upload/volume`, in `server`.)

#![allow(
    missing_docs,
    reason = "the macro makes a public struct of each function's arguments; the functions are documented"
)]

use crate::domain::fault::Fault;
use crate::domain::id::{VolumeId, ZoneId};
use crate::view::{DeletionPlan, Listing, Page, SnapshotPlan, Started, VolumeRow, VolumeView};
use leptos::prelude::server;
use leptos::server_fn::codec::GetUrl;

/// A page of the organization's volumes, as it is asked for; newest first, unless it says otherwise.
#[server(prefix = "/api", endpoint = "volumes/list", input = GetUrl)]
pub async fn list_volumes(#[server(flatten)] listing: Listing) -> Result<Page<VolumeRow>, Fault> {
    super::door::run(move |control, caller| control.list_volumes(caller, listing)).await
}

/// One volume, with its snapshots and what is known of its content.
#[server(prefix = "/api", endpoint = "volumes/get", input = GetUrl)]
pub async fn get_volume(volume: VolumeId) -> Result<VolumeView, Fault> {
    super::door::run(move |control, caller| control.volume(caller, volume)).await
}

/// Makes an empty data volume of `size_gib` GiB.
#[server(prefix = "/api", endpoint = "volumes/create")]
pub async fn create_volume(name: String, zone: ZoneId, size_gib: u64) -> Result<Started, Fault> {
    super::door::run(move |control, caller| control.create_volume(caller, &name, zone, size_gib))
        .await
}

/// What deleting the volume would mean.
#[server(prefix = "/api", endpoint = "volumes/deletion", input = GetUrl)]
pub async fn volume_deletion(volume: VolumeId) -> Result<DeletionPlan, Fault> {
    super::door::run(move |control, caller| control.volume_deletion(caller, volume)).await
}

/// Deletes the volume; its snapshots stay.
#[server(prefix = "/api", endpoint = "volumes/delete")]
pub async fn delete_volume(volume: VolumeId) -> Result<Started, Fault> {
    super::door::run(move |control, caller| control.delete_volume(caller, volume)).await
}

/// What taking a snapshot of the volume would mean.
#[server(prefix = "/api", endpoint = "volumes/snapshot-plan", input = GetUrl)]
pub async fn plan_snapshot(volume: VolumeId) -> Result<SnapshotPlan, Fault> {
    super::door::run(move |control, caller| control.snapshot_plan(caller, volume)).await
}

/// Takes a snapshot of the volume; an empty name gets the proposed one.
#[server(prefix = "/api", endpoint = "volumes/take-snapshot")]
pub async fn take_snapshot(
    volume: VolumeId,
    #[server(default)] name: String,
) -> Result<Started, Fault> {
    super::door::run(move |control, caller| control.take_snapshot(caller, volume, &name)).await
}
