//! What the pool knows of itself, for who looks after it: counts, told from memory. Nothing is opened or read for it.

use crate::domain::id::VolumeId;
use crate::engine::Pool;
use crate::engine::drain::lock;
use crate::engine::error::Error;
use crate::engine::error::Result;
use crate::engine::types::{Reclaimed, Standing};
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::SystemTime;

/// A pass of reclaim that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pass {
    /// When.
    pub at: SystemTime,
    /// What it gave back; none: it failed, and the next deletion starts another.
    pub done: Option<Reclaimed>,
}

/// What was met since the pool was opened.
#[derive(Debug, Default)]
pub(crate) struct Met {
    damaged: Mutex<BTreeSet<VolumeId>>,
    pass: Mutex<Option<Pass>>,
}

impl Met {
    /// A volume was opened, or could not be.
    pub(crate) fn opened<T>(&self, id: VolumeId, outcome: &Result<T>) {
        match outcome {
            Ok(_) => drop(lock(&self.damaged).remove(&id)),
            Err(Error::Damaged { .. }) => drop(lock(&self.damaged).insert(id)),
            Err(_) => {}
        }
    }

    /// A pass of reclaim has ended.
    pub(crate) fn reclaimed(&self, outcome: &Result<Reclaimed>) {
        *lock(&self.pass) = Some(Pass {
            at: SystemTime::now(),
            done: outcome.as_ref().ok().copied(),
        });
    }
}

impl Pool {
    /// How the pool stands.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let (core, met) = (&self.inner.core, &self.inner.met);
        let damaged = lock(&met.damaged).clone();
        let last_pass = *lock(&met.pass);
        let unsealed = lock(&self.inner.swaps).len();
        let meta = core.meta();
        let rows = &meta.rows;
        let bases = rows.checkpoints.values().filter(|row| row.retired).count();
        Standing {
            file_system: core.storage.file_system(),
            volumes: rows.volumes.len(),
            promised: rows.volumes.values().map(|row| row.size).sum(),
            layers: rows.layers.len(),
            open_layers: rows.layers.keys().filter(|id| rows.is_head(**id)).count(),
            filling: rows.remotes.len(),
            checkpoints: rows.checkpoints.len() - bases,
            bases,
            unsealed,
            poisoned: rows.volumes.values().filter(|row| row.poisoned).count(),
            damaged: damaged
                .iter()
                .filter(|id| rows.volumes.contains_key(id))
                .count(),
            last_pass,
        }
    }
}
