//! Reprise: a self-hosted, bilingual cloud console with its own copy-on-write storage engine.
//!
//! The rooms, and what each may import, are listed in docs/ARCHITECTURE.md; `tests::architecture` holds the code to it.
//! The way of one act: `web` → `api` → `control` → `catalog` (intent) → `jobs` → `engine` / `archive` (effect) →
//! `catalog` (proof) → live event → `view` → `web`.

#![recursion_limit = "512"]

pub mod api;
pub mod domain;
pub mod i18n;
pub mod view;
pub mod web;

#[cfg(feature = "ssr")]
pub mod archive;
#[cfg(feature = "ssr")]
pub mod catalog;
#[cfg(feature = "ssr")]
pub mod control;
#[cfg(feature = "ssr")]
pub mod engine;
#[cfg(feature = "ssr")]
pub mod hypervisor;
#[cfg(feature = "ssr")]
pub mod jobs;
#[cfg(feature = "ssr")]
pub mod nbd;
#[cfg(feature = "ssr")]
pub mod server;

#[cfg(test)]
mod tests;

/// Entry of the browser half: called by the script that the page carries.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub async fn hydrate() {
    console_error_panic_hook::set_once();
    web::hydrate().await;
}
