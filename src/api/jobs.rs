//! Tasks and the activity log.

#![allow(
    missing_docs,
    reason = "the macro makes a public struct of each function's arguments; the functions are documented"
)]

use crate::domain::fault::Fault;
use crate::domain::id::JobId;
use crate::view::{ActivityRow, JobView, Listing, Page};
use leptos::prelude::server;
use leptos::server_fn::codec::GetUrl;

/// The organization's tasks that go on, oldest first (at most 100), those that ended in the last minute, and those of
/// `known` (ids, separated by commas, at most 50) that ended before.
#[server(prefix = "/api", endpoint = "jobs/current", input = GetUrl)]
pub async fn current_jobs(#[server(default)] known: String) -> Result<Vec<JobView>, Fault> {
    super::door::run(move |control, caller| control.current_jobs(caller, &known)).await
}

/// The tasks that go on, and what ended lately. Not a door of its own: scripts ask for `jobs/current`.
///
/// # Errors
/// [`Fault::SignInNeeded`].
#[cfg(feature = "ssr")]
pub async fn tasks() -> Result<crate::view::TasksView, Fault> {
    super::door::run(|control, caller| control.tasks(caller)).await
}

/// A page of the activity log, as it is asked for; newest first, unless it says otherwise.
#[server(prefix = "/api", endpoint = "activity/list", input = GetUrl)]
pub async fn list_activity(
    #[server(flatten)] listing: Listing,
) -> Result<Page<ActivityRow>, Fault> {
    super::door::run(move |control, caller| control.list_activity(caller, listing)).await
}

/// Asks a task to stop. It ends as *interrompue*, with nothing half-done left behind.
#[server(prefix = "/api", endpoint = "jobs/interrupt")]
pub async fn interrupt_job(job: JobId) -> Result<(), Fault> {
    super::door::run(move |control, caller| control.interrupt_job(caller, job)).await
}

/// Has a failed or waiting task tried again now.
#[server(prefix = "/api", endpoint = "jobs/retry")]
pub async fn retry_job(job: JobId) -> Result<(), Fault> {
    super::door::run(move |control, caller| control.retry_job(caller, job)).await
}
