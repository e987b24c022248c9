//! Volume snapshots.

#![allow(
    missing_docs,
    reason = "the macro makes a public struct of each function's arguments; the functions are documented"
)]

use crate::domain::fault::Fault;
use crate::domain::id::{SnapshotId, ZoneId};
use crate::view::{DeletionPlan, Listing, Page, SnapshotRow, SnapshotView, Started};
use leptos::prelude::server;
use leptos::server_fn::codec::GetUrl;

/// A page of the organization's snapshots, as it is asked for; newest first, unless it says otherwise.
#[server(prefix = "/api", endpoint = "snapshots/list", input = GetUrl)]
pub async fn list_snapshots(
    #[server(flatten)] listing: Listing,
) -> Result<Page<SnapshotRow>, Fault> {
    super::door::run(move |control, caller| control.list_snapshots(caller, listing)).await
}

/// One snapshot, as its row shows it.
#[server(prefix = "/api", endpoint = "snapshots/get", input = GetUrl)]
pub async fn get_snapshot(snapshot: SnapshotId) -> Result<SnapshotRow, Fault> {
    super::door::run(move |control, caller| control.snapshot(caller, snapshot)).await
}

/// One snapshot, with what it can be used for and what was made from it.
#[server(prefix = "/api", endpoint = "snapshots/details", input = GetUrl)]
pub async fn snapshot_details(snapshot: SnapshotId) -> Result<SnapshotView, Fault> {
    super::door::run(move |control, caller| control.snapshot_details(caller, snapshot)).await
}

/// What deleting the snapshot would mean.
#[server(prefix = "/api", endpoint = "snapshots/deletion", input = GetUrl)]
pub async fn snapshot_deletion(snapshot: SnapshotId) -> Result<DeletionPlan, Fault> {
    super::door::run(move |control, caller| control.snapshot_deletion(caller, snapshot)).await
}

/// Deletes the snapshot from the object store.
#[server(prefix = "/api", endpoint = "snapshots/delete")]
pub async fn delete_snapshot(snapshot: SnapshotId) -> Result<Started, Fault> {
    super::door::run(move |control, caller| control.delete_snapshot(caller, snapshot)).await
}

/// Reads the saved snapshot again, every chunk of it, and proves it.
#[server(prefix = "/api", endpoint = "snapshots/verify")]
pub async fn verify_snapshot(snapshot: SnapshotId) -> Result<Started, Fault> {
    super::door::run(move |control, caller| control.verify_snapshot(caller, snapshot)).await
}

/// Makes a data volume from the snapshot, in any zone of the region.
#[server(prefix = "/api", endpoint = "snapshots/to-volume")]
pub async fn create_volume_from_snapshot(
    snapshot: SnapshotId,
    zone: ZoneId,
    name: String,
) -> Result<Started, Fault> {
    super::door::run(move |control, caller| {
        control.create_volume_from_snapshot(caller, snapshot, zone, &name)
    })
    .await
}
