//! Who is signed in.
//!
//! Signing in, signing out and choosing the language set cookies, so they are plain forms posted to `server`
//! (`POST /sign-in`, `/sign-out`, `/language`) and work the same with and without scripts.

#![allow(
    missing_docs,
    reason = "the macro makes a public struct of each function's arguments; the functions are documented"
)]

use crate::domain::fault::Fault;
use crate::view::SessionView;
use leptos::prelude::server;
use leptos::server_fn::codec::GetUrl;

/// Who is signed in; [`Fault::SignInNeeded`] when nobody is.
#[server(prefix = "/api", endpoint = "session/get", input = GetUrl)]
pub async fn session() -> Result<SessionView, Fault> {
    super::door::run(|control, caller| control.session(caller)).await
}
