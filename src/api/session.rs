//! Who is signed in.
//!
//! Signing in, signing out and choosing the language set cookies, so they are plain forms posted to `server`
//! (`POST /sign-in`, `/sign-out`, `/language`) and work the same with and without scripts.

#![allow(
    missing_docs,
    reason = "the macro makes a public struct of each function's arguments; the functions are documented"
)]

use crate::domain::fault::Fault;
use crate::view::{HomeView, KitView, OrganizationView, ProfileView, SessionView};
use leptos::prelude::server;
use leptos::server_fn::codec::GetUrl;

/// Who is signed in; [`Fault::SignInNeeded`] when nobody is.
#[server(prefix = "/api", endpoint = "session/get", input = GetUrl)]
pub async fn session() -> Result<SessionView, Fault> {
    super::door::run(|control, caller| control.session(caller)).await
}

/// What an Owner is told of the organization's recovery kit. The kit itself is a file: `POST /kit`.
#[server(prefix = "/api", endpoint = "session/kit", input = GetUrl)]
pub async fn kit() -> Result<KitView, Fault> {
    super::door::run(|control, caller| control.kit(caller)).await
}

/// The first page.
#[server(prefix = "/api", endpoint = "session/home", input = GetUrl)]
pub async fn home() -> Result<HomeView, Fault> {
    super::door::run(|control, caller| control.home(caller)).await
}

/// What a member is told of themselves. What the member changes goes through plain forms: `POST /profile` and those below it.
#[server(prefix = "/api", endpoint = "session/profile", input = GetUrl)]
pub async fn profile() -> Result<ProfileView, Fault> {
    super::door::run(|control, caller| control.profile(caller)).await
}

/// The organization's members, and who is invited. They are changed by plain forms: `POST /organization/…`.
#[server(prefix = "/api", endpoint = "session/organization", input = GetUrl)]
pub async fn organization() -> Result<OrganizationView, Fault> {
    super::door::run(|control, caller| control.organization(caller)).await
}
