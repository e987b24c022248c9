//! What every handler shares.

use super::config::Settings;
use super::kept::Kept;
use crate::control::Control;
use axum::extract::FromRef;
use leptos::config::LeptosOptions;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// The handlers' state. Clones share it.
#[derive(Clone)]
pub struct AppState {
    /// The use cases.
    pub control: Control,
    /// The settings, as they were at start.
    pub settings: Arc<Settings>,
    /// Where the pages' framework finds the browser half.
    pub leptos: LeptosOptions,
    /// Cancelled when the server is told to stop: answers that never end by themselves end then.
    pub stopping: CancellationToken,
    /// What was typed into plain forms that were refused.
    pub kept: Arc<Kept>,
}

impl FromRef<AppState> for LeptosOptions {
    fn from_ref(state: &AppState) -> Self {
        state.leptos.clone()
    }
}
