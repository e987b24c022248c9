//! What a volume, as it is now, differs by from a checkpoint.

use crate::domain::id::{CheckpointId, VolumeId};
use crate::engine::blockset::BlockSet;
use crate::engine::content::touched;
use crate::engine::error::{Error, Result};
use crate::engine::maps::Maps;
use crate::engine::pool::Pool;

impl Pool {
    /// The blocks of a volume, as it is now, that may differ from a checkpoint: every block that differs is in it. None
    /// when the checkpoint is not known (any more), or is only a base and the volume does not descend from it: then the
    /// volume has to be read whole.
    ///
    /// Where the volume descends from the checkpoint this costs a look at bitmaps that are in memory; where it has been
    /// put back to another one, the maps between the two are read.
    ///
    /// # Errors
    /// [`Error::NoVolume`]; [`Error::Damaged`] when a log or a map is.
    pub fn changed_since(&self, from: CheckpointId, volume: VolumeId) -> Result<Option<BlockSet>> {
        loop {
            let look = self.inner.look();
            if !look.rows.volumes.contains_key(&volume) {
                return Err(Error::NoVolume(volume));
            }
            let Some(base) = look.rows.checkpoints.get(&from) else {
                return Ok(None);
            };
            let open = self.inner.volume(volume)?;
            let (stack, size) = (open.stack(), open.size);
            let other = look.rows.chain(base.layer);
            let meeting = stack
                .layers
                .iter()
                .map(|layer| layer.id)
                .find(|id| other.contains(id));
            if base.retired && meeting != Some(base.layer) {
                return Ok(None);
            }
            let mut changed = BlockSet::new();
            // Both ways stop where they meet; what never meets has nothing below it that could be the same.
            for layer in stack
                .layers
                .iter()
                .take_while(|layer| Some(layer.id) != meeting)
            {
                changed.0 |= layer.with_maps(Maps::present);
                if layer.asks() {
                    // What has not come may be anything.
                    changed.insert_range(0..touched(0, size).end);
                }
            }
            let mut failed = None;
            for id in other.iter().take_while(|id| Some(**id) != meeting) {
                if look.rows.remotes.contains_key(id) {
                    changed.insert_range(0..touched(0, size).end);
                    continue;
                }
                match self.inner.load_map(*id) {
                    Ok((_, maps)) => changed.0 |= maps.present(),
                    Err(error) => failed = failed.or(Some(error)),
                }
            }
            match failed {
                None => return Ok(Some(changed)),
                // Reclaim took a layer out of the path while we walked it: walk the new one.
                Some(_) if self.inner.look().rows.layers != look.rows.layers => {}
                Some(error) => return Err(error),
            }
        }
    }
}
