//! Who needs what: the objects of one organization, how many snapshots need each, and what a running operation has
//! pinned. Pure: no I/O, no clock.
//!
//! Each object carries the number of snapshots that need it and the exclusive-or of their slots; when the number is
//! one, that is the slot of the only one, and the object's bytes are counted there. So what deleting a snapshot frees
//! is a number that is always at hand, and adding or removing a snapshot costs one step an object it needs.
//!
//! Memory: some 64 bytes an object, 3 MiB for 1 TiB of stored data.

use super::format::{Kind, ObjectId};
use super::manifest::{Description, Manifest};
use crate::domain::id::SnapshotId;
use std::collections::{BTreeMap, HashMap, HashSet};

/// A pack or a segment.
pub type Object = (Kind, ObjectId);

#[derive(Debug, Default)]
struct State {
    size: u64,
    needed_by: u32,
    slots: u32,
    pins: u32,
}

impl State {
    const fn unneeded(&self) -> bool {
        self.needed_by == 0 && self.pins == 0
    }
}

/// A snapshot as the ledger knows it.
#[derive(Debug, Clone)]
pub struct Known {
    /// The manifest's own id.
    pub manifest: ObjectId,
    /// The manifest's length in bytes.
    pub manifest_size: u64,
    /// What it says of itself.
    pub description: Description,
    /// Bytes of packs and segments that only this snapshot needs.
    pub exclusive: u64,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Ledger {
    objects: HashMap<Object, State>,
    unneeded: HashSet<Object>,
    slots: Vec<Option<Known>>,
    snapshots: BTreeMap<SnapshotId, u32>,
}

impl Ledger {
    /// Takes note that an object is in the store (or may be).
    pub fn found(&mut self, object: Object, size: u64) {
        let state = self.objects.entry(object).or_default();
        state.size = size;
        if state.unneeded() {
            self.unneeded.insert(object);
        }
    }

    /// The length of an object that is in the store.
    pub fn size(&self, object: Object) -> Option<u64> {
        self.objects.get(&object).map(|state| state.size)
    }

    /// The snapshot.
    pub fn snapshot(&self, id: SnapshotId) -> Option<&Known> {
        self.slots.get(*self.snapshots.get(&id)? as usize)?.as_ref()
    }

    /// All snapshots.
    pub fn snapshots(&self) -> impl Iterator<Item = &Known> {
        self.snapshots
            .values()
            .filter_map(|slot| self.slots.get(*slot as usize)?.as_ref())
    }

    /// Forgets a snapshot whose manifest can no longer be read. What it needed is not known any more and stays.
    pub fn hide(&mut self, id: SnapshotId) {
        self.snapshots.remove(&id);
    }

    /// The objects of a kind that no snapshot needs.
    pub fn orphans(&self, kind: Kind) -> impl Iterator<Item = ObjectId> + '_ {
        self.objects
            .iter()
            .filter(move |((k, _), state)| *k == kind && state.needed_by == 0)
            .map(|((_, id), _)| *id)
    }

    /// All objects of a kind.
    pub fn objects(&self, kind: Kind) -> impl Iterator<Item = ObjectId> + '_ {
        self.objects
            .keys()
            .filter(move |(k, _)| *k == kind)
            .map(|(_, id)| *id)
    }

    /// Adds a snapshot. One that is known already is left as it is.
    pub fn add(&mut self, manifest_id: ObjectId, manifest_size: u64, manifest: &Manifest) {
        if self.snapshots.contains_key(&manifest.description.snapshot) {
            return;
        }
        let slot = match self.slots.iter().position(Option::is_none) {
            Some(slot) => slot,
            None => {
                self.slots.push(None);
                self.slots.len() - 1
            }
        };
        self.snapshots
            .insert(manifest.description.snapshot, slot as u32);
        let mut exclusive = 0;
        for (kind, id, size) in manifest.needs() {
            let state = self.objects.entry((kind, id)).or_default();
            if state.size == 0 {
                state.size = size;
            }
            self.unneeded.remove(&(kind, id));
            match state.needed_by {
                0 => exclusive += state.size,
                1 => {
                    if let Some(Some(other)) = self.slots.get_mut(state.slots as usize) {
                        other.exclusive -= state.size;
                    }
                }
                _ => {}
            }
            state.needed_by += 1;
            state.slots ^= slot as u32;
        }
        self.slots[slot] = Some(Known {
            manifest: manifest_id,
            manifest_size,
            description: manifest.description.clone(),
            exclusive,
        });
    }

    /// Removes a snapshot. What it alone needed is unneeded from now on.
    pub fn remove(&mut self, manifest: &Manifest) {
        let Some(slot) = self.snapshots.remove(&manifest.description.snapshot) else {
            return;
        };
        self.slots[slot as usize] = None;
        for (kind, id, _) in manifest.needs() {
            let Some(state) = self.objects.get_mut(&(kind, id)) else {
                continue;
            };
            state.needed_by -= 1;
            state.slots ^= slot;
            match state.needed_by {
                0 if state.pins == 0 => {
                    self.unneeded.insert((kind, id));
                }
                1 => {
                    if let Some(Some(other)) = self.slots.get_mut(state.slots as usize) {
                        other.exclusive += state.size;
                    }
                }
                _ => {}
            }
        }
    }

    /// Keeps an object from being taken away. False when it is not in the store: it must not be relied on.
    #[must_use]
    pub fn pin(&mut self, object: Object) -> bool {
        let Some(state) = self.objects.get_mut(&object) else {
            return false;
        };
        state.pins += 1;
        self.unneeded.remove(&object);
        true
    }

    /// Pins an object that is about to be written.
    pub fn pin_new(&mut self, object: Object, size: u64) {
        let state = self.objects.entry(object).or_default();
        state.size = size;
        state.pins += 1;
        self.unneeded.remove(&object);
    }

    /// Undoes one `pin`.
    pub fn unpin(&mut self, object: Object) {
        if let Some(state) = self.objects.get_mut(&object) {
            state.pins -= 1;
            if state.unneeded() {
                self.unneeded.insert(object);
            }
        }
    }

    /// Takes out everything that no snapshot needs and nothing has pinned. From this moment nobody finds it here.
    pub fn take_unneeded(&mut self) -> Vec<(Object, u64)> {
        let mut taken: Vec<_> = self.unneeded.drain().collect();
        taken.sort_unstable();
        taken
            .into_iter()
            .filter_map(|object| Some((object, self.objects.remove(&object)?.size)))
            .collect()
    }

    /// Bytes of `manifest`'s packs and segments that only it needs but that are pinned at this moment.
    pub fn pinned_exclusive(&self, manifest: &Manifest) -> u64 {
        let own = |(kind, id, _)| {
            self.objects
                .get(&(kind, id))
                .filter(|state| state.needed_by == 1 && state.pins > 0)
                .map(|state| state.size)
        };
        manifest.needs().filter_map(own).sum()
    }
}
