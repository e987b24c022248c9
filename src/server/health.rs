//! `GET /healthz`: whether this server serves, which version it is, and which formats it writes.

use axum::Json;
use serde::Serialize;

/// The answer.
#[derive(Serialize)]
pub struct Health {
    status: &'static str,
    version: &'static str,
    formats: Formats,
}

/// Versions of what is kept.
#[derive(Serialize)]
struct Formats {
    catalog: usize,
    pool: u32,
    archive: u32,
}

/// Says that the server serves.
pub async fn healthz() -> Json<Health> {
    Json(Health {
        status: "ok",
        version: env!("CARGO_PKG_VERSION"),
        formats: Formats {
            catalog: crate::catalog::SCHEMA_VERSION,
            pool: crate::engine::FORMAT_VERSION,
            archive: crate::archive::FORMAT_VERSION.into(),
        },
    })
}
