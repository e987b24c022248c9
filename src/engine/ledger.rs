//! Questions to the tree of layers that change nothing: what two checkpoints differ by, what a deletion would free.

use crate::domain::id::CheckpointId;
use crate::engine::block::BLOCK_SIZE;
use crate::engine::blockset::BlockSet;
use crate::engine::error::{Error, Result};
use crate::engine::format::LayerId;
use crate::engine::inner::Inner;
use crate::engine::reclaim::{Look, Tree, trees};
use crate::engine::tree::{Needed, Node, needed, part};
use crate::engine::types::Reference;
use roaring::RoaringBitmap;
use std::collections::{BTreeMap, BTreeSet};

impl Inner {
    /// See [`crate::engine::Pool::reclaimable`].
    pub(crate) fn reclaimable(&self, of: &BTreeSet<Reference>) -> Result<u64> {
        let freed = self.reclaimable_each(std::slice::from_ref(of))?;
        Ok(freed.into_iter().sum())
    }

    /// See [`crate::engine::Pool::reclaimable_each`]. Bitmaps are read once, whatever the number of selections.
    pub(crate) fn reclaimable_each(&self, selections: &[BTreeSet<Reference>]) -> Result<Vec<u64>> {
        let look = self.look();
        let mut blocks = vec![0; selections.len()];
        // What keeps each layer.
        let mut keepers: BTreeMap<LayerId, Vec<Reference>> = BTreeMap::new();
        for (checkpoint, row) in &look.rows.checkpoints {
            if !row.retired {
                let keepers = keepers.entry(row.layer).or_default();
                keepers.push(Reference::Checkpoint(*checkpoint));
            }
        }
        for (id, row) in &look.rows.layers {
            if row.sealed.is_none() && !look.rows.remotes.contains_key(id) {
                let keepers = keepers.entry(*id).or_default();
                keepers.push(Reference::Volume(row.volume));
            }
        }
        for layers in trees(&look.rows) {
            let of_tree = |selection: &BTreeSet<Reference>| -> Vec<LayerId> {
                let let_go = |id: &&LayerId| {
                    let keepers = keepers.get(id).map(Vec::as_slice).unwrap_or_default();
                    !look.pins.contains(id)
                        && !keepers.is_empty()
                        && keepers.iter().all(|keeper| selection.contains(keeper))
                };
                layers.iter().filter(let_go).copied().collect()
            };
            let going: Vec<Vec<LayerId>> = selections.iter().map(of_tree).collect();
            if going.iter().all(Vec::is_empty) {
                continue;
            }
            let tree = self.tree(&look, &layers, &BTreeSet::new())?;
            for (blocks, going) in blocks.iter_mut().zip(&going) {
                *blocks += self.freed(&look, &tree, going)?;
            }
        }
        Ok(blocks
            .into_iter()
            .map(|blocks| blocks * BLOCK_SIZE)
            .collect())
    }

    /// Blocks of data of a tree that nothing needs any more when nothing refers to these layers.
    fn freed(&self, look: &Look, tree: &Tree, going: &[LayerId]) -> Result<u64> {
        let mut blocks = 0;
        for mut near in around(&tree.nodes, going) {
            let before = needed(&near);
            for id in going {
                if let Some(node) = near.get_mut(id) {
                    node.referenced = false;
                }
            }
            let after = needed(&near);
            for id in near.keys() {
                if before.get(id) == after.get(id) {
                    continue;
                }
                let data = self.data_of(look, tree, *id)?;
                let open = tree.volumes.contains_key(id);
                let kept = |kept: &BTreeMap<LayerId, Needed>| match kept.get(id) {
                    // An open layer goes as a whole with its volume: nothing stands on it.
                    Some(Needed::Only(_)) if open => 0,
                    kept => part(&data, kept).len(),
                };
                blocks += kept(&before).saturating_sub(kept(&after));
            }
        }
        Ok(blocks)
    }

    /// The blocks of data that a layer holds.
    fn data_of(&self, look: &Look, tree: &Tree, id: LayerId) -> Result<RoaringBitmap> {
        if let Some(maps) = tree.maps.get(&id) {
            return Ok(maps.data.clone());
        }
        if let Some(volume) = tree.volumes.get(&id) {
            let stack = volume.stack();
            let layer = stack.layers.iter().find(|layer| layer.id == id);
            return Ok(layer
                .map(|layer| layer.with_maps(|maps| maps.data.clone()))
                .unwrap_or_default());
        }
        if look.rows.remotes.contains_key(&id) {
            // What has come; the rest takes no room.
            let remote = self.remote_layer(id)?;
            return Ok(remote.head.layer.with_maps(|maps| maps.data.clone()));
        }
        Ok(RoaringBitmap::new())
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

/// The parts of a tree in which anything can change when nothing refers to these layers any more. What is needed of a layer
/// depends on what stands on it, as far as to the next layers that something refers to. So each part goes from the first
/// layer above such a one, or the root, up to the next such ones.
fn around(tree: &BTreeMap<LayerId, Node>, going: &[LayerId]) -> Vec<BTreeMap<LayerId, Node>> {
    let stays = |id: &LayerId, node: &Node| node.referenced && !going.contains(id);
    let mut roots = BTreeSet::new();
    for id in going {
        let mut root = *id;
        while let Some(parent) = tree.get(&root).and_then(|node| node.parent)
            && tree.get(&parent).is_some_and(|node| !stays(&parent, node))
        {
            root = parent;
        }
        roots.insert(root);
    }
    let mut children: BTreeMap<LayerId, Vec<LayerId>> = BTreeMap::new();
    for (id, node) in tree {
        if let Some(parent) = node.parent {
            children.entry(parent).or_default().push(*id);
        }
    }
    let mut parts = Vec::with_capacity(roots.len());
    for root in roots {
        let (mut part, mut rest) = (BTreeMap::new(), vec![root]);
        while let Some(id) = rest.pop() {
            let Some(node) = tree.get(&id) else { continue };
            part.insert(id, node.clone());
            if !stays(&id, node) {
                rest.extend(children.get(&id).into_iter().flatten());
            }
        }
        parts.push(part);
    }
    parts
}
