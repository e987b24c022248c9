//! Templates. (An image to import is sent to `POST /upload/template`, in `server`.)

#![allow(
    missing_docs,
    reason = "the macro makes a public struct of each function's arguments; the functions are documented"
)]

use crate::domain::fault::Fault;
use crate::domain::id::{SnapshotId, TemplateId};
use crate::view::{DeletionPlan, Listing, Page, Started, TemplateRow};
use leptos::prelude::server;
use leptos::server_fn::codec::GetUrl;

/// A page of the organization's templates, as it is asked for; newest first, unless it says otherwise.
#[server(prefix = "/api", endpoint = "templates/list", input = GetUrl)]
pub async fn list_templates(
    #[server(flatten)] listing: Listing,
) -> Result<Page<TemplateRow>, Fault> {
    super::door::run(move |control, caller| control.list_templates(caller, listing)).await
}

/// The templates that an instance can be made from, by name: at most a thousand.
#[server(prefix = "/api", endpoint = "templates/ready", input = GetUrl)]
pub async fn ready_templates() -> Result<Vec<TemplateRow>, Fault> {
    super::door::run(|control, caller| control.ready_templates(caller)).await
}

/// Makes a template from a snapshot of a root volume.
#[server(prefix = "/api", endpoint = "templates/create")]
pub async fn create_template(
    snapshot: SnapshotId,
    name: String,
    #[server(default)] description: String,
) -> Result<Started, Fault> {
    super::door::run(move |control, caller| {
        control.create_template(caller, snapshot, &name, &description)
    })
    .await
}

/// What deleting the template would mean.
#[server(prefix = "/api", endpoint = "templates/deletion", input = GetUrl)]
pub async fn template_deletion(template: TemplateId) -> Result<DeletionPlan, Fault> {
    super::door::run(move |control, caller| control.template_deletion(caller, template)).await
}

/// Deletes the template from the object store; instances made from it stay.
#[server(prefix = "/api", endpoint = "templates/delete")]
pub async fn delete_template(template: TemplateId) -> Result<Started, Fault> {
    super::door::run(move |control, caller| control.delete_template(caller, template)).await
}
