//! How the installation stands, for operators.

#![allow(
    missing_docs,
    reason = "the macro makes a public struct of each function's arguments; the functions are documented"
)]

use crate::domain::fault::Fault;
use crate::view::ZonesView;
use leptos::prelude::server;
use leptos::server_fn::codec::GetUrl;

/// The zones, the object store, the hypervisor and the long work; for operators alone.
#[server(prefix = "/api", endpoint = "zones/get", input = GetUrl)]
pub async fn zones() -> Result<ZonesView, Fault> {
    super::door::run(|control, caller| control.zones(caller)).await
}
