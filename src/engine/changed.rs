//! What a snapshot taken now would have to carry.

use crate::domain::id::{CheckpointId, VolumeId};
use crate::engine::blockset::BlockSet;
use crate::engine::error::{Error, Result};
use crate::engine::pool::Pool;

impl Pool {
    /// The blocks of a volume, as it is now, that may differ from a checkpoint it descends from: what
    /// [`Pool::diff`] would give for a checkpoint taken at this moment. None when it does not descend from it, or the
    /// checkpoint is not known (any more). It costs a look at bitmaps that are in memory.
    ///
    /// # Errors
    /// [`Error::NoVolume`]; [`Error::Damaged`] when a log or a map is.
    pub fn changed_since(&self, from: CheckpointId, volume: VolumeId) -> Result<Option<BlockSet>> {
        let base = self
            .inner
            .core
            .meta()
            .rows
            .checkpoints
            .get(&from)
            .map(|row| row.layer);
        if !self.inner.core.meta().rows.volumes.contains_key(&volume) {
            return Err(Error::NoVolume(volume));
        }
        let Some(base) = base else { return Ok(None) };
        let mut changed = BlockSet::new();
        for layer in &self.inner.volume(volume)?.stack().layers {
            if layer.id == base {
                return Ok(Some(changed));
            }
            changed.0 |= layer.with_maps(crate::engine::maps::Maps::present);
        }
        Ok(None)
    }
}
