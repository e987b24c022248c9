//! Questions to the tree of layers that change nothing: what two checkpoints differ by, what a deletion would free.

use crate::domain::id::CheckpointId;
use crate::engine::block::BLOCK_SIZE;
use crate::engine::blockset::BlockSet;
use crate::engine::error::{Error, Result};
use crate::engine::format::LayerId;
use crate::engine::inner::Inner;
use crate::engine::reclaim::trees;
use crate::engine::tree::{Needed, needed, part};
use crate::engine::types::Reference;
use std::collections::{BTreeMap, BTreeSet};

impl Inner {
    /// See [`crate::engine::Pool::reclaimable`].
    pub(crate) fn reclaimable(&self, of: &BTreeSet<Reference>) -> Result<u64> {
        let look = self.look();
        let mut blocks = 0;
        for layers in trees(&look.rows) {
            let touched = layers.iter().any(|id| {
                let volume = look
                    .rows
                    .layers
                    .get(id)
                    .filter(|row| row.sealed.is_none())
                    .map(|row| row.volume);
                volume.is_some_and(|volume| of.contains(&Reference::Volume(volume)))
                    || look.rows.checkpoints.iter().any(|(checkpoint, row)| {
                        row.layer == *id && of.contains(&Reference::Checkpoint(*checkpoint))
                    })
            });
            if !touched {
                continue;
            }
            let before = self.tree(&look, &layers, &BTreeSet::new())?;
            let after = self.tree(&look, &layers, of)?;
            let (kept_before, kept_after) = (needed(&before.nodes), needed(&after.nodes));
            for id in &layers {
                let data = match (before.maps.get(id), before.volumes.get(id)) {
                    (Some(maps), _) => maps.data.clone(),
                    (None, Some(volume)) => {
                        let stack = volume.stack();
                        let layer = stack.layers.iter().find(|layer| layer.id == *id);
                        layer
                            .map(|layer| layer.with_maps(|maps| maps.data.clone()))
                            .unwrap_or_default()
                    }
                    (None, None) if look.rows.remotes.contains_key(id) => {
                        // What has come; the rest takes no room.
                        let remote = self.remote_layer(*id)?;
                        remote.head.layer.with_maps(|maps| maps.data.clone())
                    }
                    (None, None) => continue,
                };
                let open = before.volumes.contains_key(id);
                let going = |kept: &BTreeMap<LayerId, Needed>| match kept.get(id) {
                    // An open layer goes as a whole with its volume: nothing stands on it.
                    Some(Needed::Only(_)) if open => 0,
                    kept => part(&data, kept).len(),
                };
                blocks += going(&kept_before).saturating_sub(going(&kept_after));
            }
        }
        Ok(blocks * BLOCK_SIZE)
    }

    /// See [`crate::engine::Pool::diff`].
    pub(crate) fn diff(&self, from: CheckpointId, to: CheckpointId) -> Result<Option<BlockSet>> {
        loop {
            let look = self.look();
            let rows = &look.rows;
            let target = rows
                .checkpoints
                .get(&to)
                .filter(|row| !row.retired)
                .ok_or(Error::NoCheckpoint(to))?;
            let Some(base) = rows.checkpoints.get(&from) else {
                return Ok(None);
            };
            let (down, other) = (rows.chain(target.layer), rows.chain(base.layer));
            let Some(meeting) = down.iter().find(|id| other.contains(id)) else {
                return Ok(None);
            };
            if base.retired && *meeting != base.layer {
                return Ok(None);
            }
            let path = down.iter().chain(&other);
            // Both ways stop at the layer where they meet, which both contents share.
            let apart = path.filter(|id| *id > meeting);
            let mut changed = BlockSet::new();
            let mut failed = None;
            for id in apart {
                match self.load_map(*id) {
                    Ok((_, maps)) => changed.0 |= maps.present(),
                    Err(error) => failed = failed.or(Some(error)),
                }
            }
            match failed {
                None => return Ok(Some(changed)),
                // Reclaim took a layer out of the path while we walked it: walk the new one.
                Some(_) if self.look().rows.layers != look.rows.layers => {}
                Some(error) => return Err(error),
            }
        }
    }
}
