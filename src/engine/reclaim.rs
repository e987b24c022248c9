//! Giving room back: what [`crate::engine::tree`] says nobody needs.
//!
//! For each tree of layers: smaller maps of the next generation are written and synced, one commit names them and drops
//! the rows of layers that are empty, then every read that began before is waited for, and only then are blocks punched
//! and files unlinked. A crash before the commit leaves files that opening removes; a crash after it leaves room that
//! the next pass finds, because each sealed file is searched once a process for room outside its map.
//!
//! A map that claims a checkpoint which is gone is succeeded by one that does not, in that same commit: `repair` must
//! never bring a checkpoint back whose data may have gone.

use crate::domain::id::VolumeId;
use crate::engine::block::BLOCK_SIZE;
use crate::engine::catalog::{Change, LayerRow, Rows};
use crate::engine::checkpoint::{sync_layers, write_map};
use crate::engine::drain::lock;
use crate::engine::error::{Error, Result};
use crate::engine::format::LayerId;
use crate::engine::inner::Inner;
use crate::engine::maps::{Claim, MapHeader, Maps, byte_runs};
use crate::engine::open::{count_room, punch_outside};
use crate::engine::tree::{Needed, Node, needed};
use crate::engine::types::{Reclaimed, Reference};
use crate::engine::volume::Volume;
use roaring::RoaringBitmap;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The rows as they were at one moment, with what else refers to layers.
pub(crate) struct Look {
    pub(crate) rows: Rows,
    pub(crate) pins: BTreeSet<LayerId>,
}

/// One tree with its bitmaps.
pub(crate) struct Tree {
    pub(crate) nodes: BTreeMap<LayerId, Node>,
    /// Of sealed layers: what their map says.
    pub(crate) maps: BTreeMap<LayerId, Maps>,
    /// Of open layers: the volume, where it could be opened.
    pub(crate) volumes: BTreeMap<LayerId, Arc<Volume>>,
}

/// What is to become of a sealed layer.
struct Fate {
    row: LayerRow,
    old: Maps,
    /// None: it goes.
    new: Option<Maps>,
    parent: Option<LayerId>,
    claim: Claim,
}

impl Fate {
    fn changes(&self) -> bool {
        let Some(new) = &self.new else { return true };
        self.parent != self.row.parent || self.claim != self.row.claim || *new != self.old
    }
}

impl Inner {
    pub(crate) fn look(&self) -> Look {
        let meta = self.core.meta();
        Look {
            rows: meta.rows.clone(),
            pins: meta.pins.keys().copied().collect(),
        }
    }

    /// Reads the bitmaps of these layers, which form whole trees. `without` is left out of the references.
    pub(crate) fn tree(
        &self,
        look: &Look,
        layers: &[LayerId],
        without: &BTreeSet<Reference>,
    ) -> Result<Tree> {
        let mut referenced: BTreeSet<LayerId> = look.pins.clone();
        for (id, row) in &look.rows.checkpoints {
            if !row.retired && !without.contains(&Reference::Checkpoint(*id)) {
                referenced.insert(row.layer);
            }
        }
        let mut tree = Tree {
            nodes: BTreeMap::new(),
            maps: BTreeMap::new(),
            volumes: BTreeMap::new(),
        };
        for id in layers {
            let Some(row) = look.rows.layers.get(id) else {
                continue;
            };
            let node = if look.rows.remotes.contains_key(id) {
                // What has not come counts as what has: it is needed until it is covered.
                let mut holds = RoaringBitmap::new();
                holds.insert_range(0..u32::try_from(row.size / BLOCK_SIZE).unwrap_or(u32::MAX));
                Node {
                    parent: row.parent,
                    holds,
                    referenced: false,
                }
            } else if row.sealed.is_some() {
                let (_, maps) = self.load_map(*id)?;
                let holds = maps.present();
                tree.maps.insert(*id, maps);
                Node {
                    parent: row.parent,
                    holds,
                    referenced: referenced.contains(id),
                }
            } else {
                let held = self.durable(*id, row.volume, &mut tree.volumes).unwrap_or_else(|error| {
                    // Nothing of it may be relied on, so everything below stays.
                    tracing::warn!(layer = %id, %error, "an open layer cannot be read; what lies below it is kept");
                    Maps::default()
                });
                let referenced = !without.contains(&Reference::Volume(row.volume));
                Node {
                    parent: row.parent,
                    holds: held.present(),
                    referenced,
                }
            };
            tree.nodes.insert(*id, node);
        }
        Ok(tree)
    }

    /// What of an open layer survives a power loss.
    fn durable(
        &self,
        id: LayerId,
        of: VolumeId,
        volumes: &mut BTreeMap<LayerId, Arc<Volume>>,
    ) -> Result<Maps> {
        let volume = self.volume(of)?;
        let stack = volume.stack();
        let mut heads = std::iter::once(&stack.head).chain(&stack.pending);
        // Dropped at opening, or sealed a moment ago: relied on for nothing.
        let Some(head) = heads.find(|head| head.id() == id) else {
            return Ok(Maps::default());
        };
        volumes.insert(id, Arc::clone(&volume));
        head.durable_maps()
    }

    /// See [`crate::engine::Pool::reclaim`].
    pub(crate) fn reclaim(&self) -> Result<Reclaimed> {
        let done = self.reclaim_all();
        self.met.reclaimed(&done);
        done
    }

    fn reclaim_all(&self) -> Result<Reclaimed> {
        let mut swept = lock(&self.swept);
        let mut first = self.seal_all();
        let mut done = Reclaimed::default();
        for tree in trees(&self.look().rows) {
            match self.reclaim_tree(&tree, &mut swept) {
                Ok(more) => {
                    done.bytes += more.bytes;
                    done.layers += more.layers;
                }
                Err(error) => first = first.and(Err(error)),
            }
        }
        self.core.room.counted(count_room(&self.core)?);
        self.core.room.restore(&*self.core.storage);
        first.map(|()| done)
    }

    /// Plans under the lock that keeps seals away, commits, then waits for readers and takes the room.
    fn reclaim_tree(&self, layers: &[LayerId], swept: &mut BTreeSet<LayerId>) -> Result<Reclaimed> {
        let core = &self.core;
        let mut done = Reclaimed::default();
        let sealing = lock(&self.sealing);
        let look = self.look();
        if !worth_a_look(&look, layers, swept) {
            return Ok(done);
        }
        let tree = self.tree(&look, layers, &BTreeSet::new())?;
        let mut fates = plan(&look, &tree);
        fates.retain(|_, fate| fate.changes());
        if !fates.is_empty() {
            self.commit_fates(&look, &tree, &fates)?;
        }
        let idle = self.idle_blocks(&look, &tree, |id| fates.contains_key(&id))?;
        drop(sealing);
        if !fates.is_empty() || !idle.is_empty() {
            {
                let mut shared = lock(&self.layers);
                fates.keys().for_each(|id| drop(shared.remove(id)));
            }
            // Whoever looked a block up in the old maps may still be reading it.
            core.epoch.wait();
        }
        for (remote, blocks) in idle {
            done.bytes += remote.give_up(core, &blocks)?;
        }
        for (id, fate) in &fates {
            match &fate.new {
                None if fate.row.sealed.is_none() => {
                    done.bytes += self.drop_remote(*id, &look)?;
                    done.layers += 1;
                }
                None => {
                    for name in [id.map(fate.row.sealed.unwrap_or(0)), id.data()] {
                        core.storage
                            .unlink(&name)
                            .map_err(|source| Error::io("remove", &name, source))?;
                    }
                    done.layers += 1;
                    done.bytes += fate.old.data.len() * BLOCK_SIZE;
                }
                Some(new) => {
                    let gone = &fate.old.data - &new.data;
                    done.bytes += gone.len() * BLOCK_SIZE;
                    self.punch(*id, &gone)?;
                    let old = id.map(fate.row.sealed.unwrap_or(0));
                    core.storage
                        .unlink(&old)
                        .map_err(|source| Error::io("remove", &old, source))?;
                }
            }
        }
        for (id, maps) in &tree.maps {
            let fate = fates.get(id);
            let kept = fate.map_or(Some(maps), |fate| fate.new.as_ref());
            if let Some(kept) = kept.filter(|_| !swept.contains(id)) {
                done.bytes += self.sweep(*id, &look, kept)?;
                swept.insert(*id);
            }
        }
        Ok(done)
    }

    fn punch(&self, id: LayerId, blocks: &RoaringBitmap) -> Result<()> {
        if blocks.is_empty() {
            return Ok(());
        }
        let name = id.data();
        let file = self
            .core
            .storage
            .open(&name)
            .map_err(|source| Error::io("open", &name, source))?;
        for bytes in byte_runs(blocks) {
            let len = bytes.end - bytes.start;
            file.punch(bytes.start, len)
                .map_err(|source| Error::io("punch", &name, source))?;
        }
        Ok(())
    }

    /// Takes the room back that a crash, or a write that failed, left outside a sealed layer's map.
    fn sweep(&self, id: LayerId, look: &Look, kept: &Maps) -> Result<u64> {
        let name = id.data();
        let size = look.rows.layers.get(&id).map_or(0, |row| row.size);
        let file = self
            .core
            .storage
            .open(&name)
            .map_err(|source| Error::io("open", &name, source))?;
        punch_outside(&name, &*file, size, &kept.data)
    }

    /// Writes the new maps, tells open children of their new parents, and commits.
    fn commit_fates(
        &self,
        look: &Look,
        tree: &Tree,
        fates: &BTreeMap<LayerId, Fate>,
    ) -> Result<()> {
        let core = &self.core;
        for (id, fate) in fates {
            let Some(new) = &fate.new else { continue };
            let header = MapHeader {
                layer: *id,
                generation: fate.row.sealed.unwrap_or(0) + 1,
                parent: fate.parent,
                volume: fate.row.volume,
                size: fate.row.size,
                claim: fate.claim,
            };
            write_map(core, &header, new)?;
        }
        let moved = |id: &LayerId, row: &LayerRow| {
            row.sealed
                .is_none()
                .then_some(row.parent)
                .flatten()
                .and_then(|parent| {
                    fates
                        .get(&parent)
                        .is_some_and(|fate| fate.new.is_none())
                        .then(|| (*id, survivor(fates, row.parent)))
                })
        };
        let moves: Vec<_> = look
            .rows
            .layers
            .iter()
            .filter_map(|(id, row)| moved(id, row))
            .collect();
        for (id, parent) in &moves {
            // A header that names a parent which is gone would mislead `repair`, and nobody else.
            let stack = tree.volumes.get(id).map(|volume| volume.stack());
            let heads = stack
                .iter()
                .flat_map(|stack| std::iter::once(&stack.head).chain(&stack.pending));
            for head in heads.filter(|head| head.id() == *id) {
                core.with_reserve(|| head.set_parent(core, *parent))?;
            }
        }
        sync_layers(core)?;
        core.commit(|rows| {
            let mut changes = Vec::new();
            for (id, fate) in fates {
                // Changed since the look; the next pass sees it anew.
                let same = rows
                    .layers
                    .get(id)
                    .is_some_and(|row| row.sealed == fate.row.sealed);
                if !same {
                    return Err(Error::damaged(
                        "pool.db",
                        0,
                        format!("layer {id} changed under a pass of reclaim"),
                    ));
                }
                let new = fate.new.as_ref().map(|_| LayerRow {
                    parent: fate.parent,
                    sealed: fate.row.sealed.map(|generation| generation + 1),
                    claim: fate.claim,
                    ..fate.row
                });
                changes.push(Change::Layer(*id, new));
                if new.is_none() {
                    if rows.remotes.contains_key(id) {
                        changes.push(Change::Remote(*id, None));
                    }
                    // A base that nothing descends from any more.
                    let bases = rows
                        .checkpoints
                        .iter()
                        .filter(|(_, row)| row.layer == *id && row.retired);
                    changes.extend(bases.map(|(base, _)| Change::Checkpoint(*base, None)));
                }
            }
            for (id, parent) in &moves {
                if let Some(row) = rows.layers.get(id) {
                    changes.push(Change::Layer(
                        *id,
                        Some(LayerRow {
                            parent: *parent,
                            ..*row
                        }),
                    ));
                }
            }
            Ok((changes, ()))
        })
    }
}

/// The layers of each tree, from the smallest id on.
pub(crate) fn trees(rows: &Rows) -> Vec<Vec<LayerId>> {
    let mut roots: BTreeMap<LayerId, LayerId> = BTreeMap::new();
    let mut trees: BTreeMap<LayerId, Vec<LayerId>> = BTreeMap::new();
    // Parents come before their children.
    for (id, row) in &rows.layers {
        let root = row
            .parent
            .and_then(|parent| roots.get(&parent).copied())
            .unwrap_or(*id);
        roots.insert(*id, root);
        trees.entry(root).or_default().push(*id);
    }
    trees.into_values().collect()
}

/// Whether a pass over the tree could find anything: reading its bitmaps costs.
fn worth_a_look(look: &Look, layers: &[LayerId], swept: &BTreeSet<LayerId>) -> bool {
    let read: BTreeSet<LayerId> = look
        .rows
        .checkpoints
        .values()
        .filter(|row| !row.retired)
        .map(|row| row.layer)
        .collect();
    layers.iter().any(|id| {
        if look.rows.remotes.contains_key(id) {
            return true;
        }
        let sealed = look
            .rows
            .layers
            .get(id)
            .is_some_and(|row| row.sealed.is_some());
        sealed && (!read.contains(id) || !swept.contains(id))
    })
}

/// What is to become of each sealed layer.
fn plan(look: &Look, tree: &Tree) -> BTreeMap<LayerId, Fate> {
    let needed = needed(&tree.nodes);
    let mut children: BTreeMap<LayerId, usize> = BTreeMap::new();
    for node in tree.nodes.values() {
        if let Some(parent) = node.parent {
            *children.entry(parent).or_default() += 1;
        }
    }
    let mut claims: BTreeMap<LayerId, Claim> = BTreeMap::new();
    for (id, row) in &look.rows.checkpoints {
        let claim = if row.retired {
            Claim::Boundary(*id)
        } else {
            Claim::Checkpoint(*id)
        };
        claims.insert(row.layer, claim);
    }
    // A layer whose open child could not be read stays, lest that child's log go on naming it.
    let unread: BTreeSet<LayerId> = tree
        .nodes
        .iter()
        .filter(|(id, _)| !tree.maps.contains_key(id) && !tree.volumes.contains_key(id))
        .filter_map(|(_, node)| node.parent)
        .collect();
    let mut fates: BTreeMap<LayerId, Fate> = BTreeMap::new();
    // Children before parents: a base goes when the last that descends from it has gone.
    for (id, old) in tree.maps.iter().rev() {
        let (Some(row), Some(node)) = (look.rows.layers.get(id), tree.nodes.get(id)) else {
            continue;
        };
        let claim = claims.get(id).copied().unwrap_or_default();
        let only = match needed.get(id) {
            Some(Needed::Only(only)) => old.only(only),
            _ => old.clone(),
        };
        let childless = children.get(id).is_none_or(|count| *count == 0);
        let base = matches!(claim, Claim::Boundary(_)) && !childless;
        let goes = !node.referenced && only.is_empty() && !base && !unread.contains(id);
        if goes
            && childless
            && let Some(parent) = node.parent
            && let Some(count) = children.get_mut(&parent)
        {
            *count -= 1;
        }
        let new = (!goes).then_some(only);
        fates.insert(
            *id,
            Fate {
                row: *row,
                old: old.clone(),
                new,
                parent: row.parent,
                claim,
            },
        );
    }
    // What still fills stands at the bottom, and goes when nobody will ever read it: all of it is covered, or nothing
    // stands on it any more.
    for id in tree
        .nodes
        .keys()
        .filter(|id| look.rows.remotes.contains_key(id))
    {
        let Some(row) = look.rows.layers.get(id) else {
            continue;
        };
        let unneeded = matches!(needed.get(id), Some(Needed::Only(only)) if only.is_empty());
        let childless = children.get(id).is_none_or(|count| *count == 0);
        let base = matches!(claims.get(id), Some(Claim::Boundary(_))) && !childless;
        if unneeded && !base && !unread.contains(id) {
            let fate = Fate {
                row: *row,
                old: Maps::default(),
                new: None,
                parent: None,
                claim: Claim::None,
            };
            fates.insert(*id, fate);
        }
    }
    let going: BTreeMap<LayerId, Option<LayerId>> = fates
        .iter()
        .filter(|(_, fate)| fate.new.is_none())
        .map(|(id, fate)| (*id, fate.row.parent))
        .collect();
    for fate in fates.values_mut() {
        while let Some(up) = fate.parent.and_then(|parent| going.get(&parent)) {
            fate.parent = *up;
        }
    }
    fates
}

/// The next layer down that stays.
fn survivor(fates: &BTreeMap<LayerId, Fate>, mut from: Option<LayerId>) -> Option<LayerId> {
    while let Some(fate) = from
        .and_then(|id| fates.get(&id))
        .filter(|fate| fate.new.is_none())
    {
        from = fate.row.parent;
    }
    from
}
