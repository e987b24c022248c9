//! One act on several objects of a list.
//!
//! The ids stand in one field with commas between them: what a list's checkboxes choose comes by the address of the dialog
//! (a plain `GET` form with a field for each), and the dialog, which the server can write as well as the browser, has them
//! in one hidden field.

#![allow(
    missing_docs,
    reason = "the macro makes a public struct of each function's arguments; the functions are documented"
)]

use crate::domain::fault::Fault;
use crate::view::{SeveralAct, SeveralPlan, Started};
use leptos::prelude::server;
use leptos::server_fn::codec::GetUrl;

/// What the act would mean for these objects.
#[server(prefix = "/api", endpoint = "several/plan", input = GetUrl)]
pub async fn plan_several(act: SeveralAct, ids: String) -> Result<SeveralPlan, Fault> {
    super::door::run(move |control, caller| control.plan_several(caller, act, &ids)).await
}

/// Sets the act going on all of these on which it is possible; with `all`, the volumes of deleted instances go with them.
#[server(prefix = "/api", endpoint = "several/do")]
pub async fn do_several(
    act: SeveralAct,
    ids: String,
    #[server(default)] all: bool,
) -> Result<Started, Fault> {
    super::door::run(move |control, caller| control.several(caller, act, &ids, all)).await
}
