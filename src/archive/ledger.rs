//! Who needs what: the objects of one organization, how many snapshots and holds need each, and what a running
//! operation has pinned. Pure: no I/O, no clock.
//!
//! Each object carries the number of snapshots and holds that need it and the exclusive-or of their slots; when the
//! number is one, that is the slot of the only one, and the object's bytes are counted there. So what deleting a
//! snapshot frees is a number that is always at hand, and adding or removing one costs one step an object it needs.
//!
//! Memory: some 100 bytes an object, 4 MiB for 1 TiB of stored data, and 8 bytes for each object that a snapshot needs.

use super::format::{Kind, ObjectId};
use super::manifest::{Description, Manifest};
use crate::domain::id::SnapshotId;
use std::collections::{BTreeMap, HashMap, HashSet};

/// A pack or a segment.
pub type Object = (Kind, ObjectId);

#[derive(Debug, Clone, Copy)]
struct State {
    object: Object,
    size: u64,
    /// It was seen in the store, or is being written by this process. Otherwise only a manifest or a hold speaks of it.
    present: bool,
    needed_by: u32,
    slots: u32,
    pins: u32,
    /// Snapshots that use chunks of the pack, and in how many places all together.
    users: u32,
    served: u64,
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

/// One that needs objects: a snapshot or, without `known`, a hold.
#[derive(Debug)]
struct Slot {
    /// Numbers of objects, and in how many places the snapshot uses each.
    needs: Box<[(u32, u32)]>,
    exclusive: u64,
    known: Option<Known>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Ledger {
    numbers: HashMap<Object, u32>,
    objects: Vec<Option<State>>,
    free: Vec<u32>,
    unneeded: HashSet<Object>,
    slots: Vec<Option<Slot>>,
    snapshots: BTreeMap<SnapshotId, u32>,
    holds: BTreeMap<ObjectId, u32>,
}

impl Ledger {
    /// Takes note that an object is in the store (or may be).
    pub fn found(&mut self, object: Object, size: u64) {
        let number = self.number(object);
        let Some(state) = self.state(number) else {
            return;
        };
        (state.size, state.present) = (size, true);
        if state.unneeded() {
            self.unneeded.insert(object);
        }
    }

    /// Takes note that an object is not in the store any more. One that is pinned is left: it may be on its way there.
    pub fn gone(&mut self, object: Object) {
        let Some(state) = self.get_mut(object).filter(|state| state.pins == 0) else {
            return;
        };
        state.present = false;
        self.forget(object);
    }

    /// The length of an object that is in the store.
    pub fn size(&self, object: Object) -> Option<u64> {
        self.get(object)
            .filter(|state| state.present)
            .map(|state| state.size)
    }

    /// Packs and segments that are in the store, and their bytes.
    pub fn stored(&self) -> (u64, u64) {
        let there = self.objects.iter().flatten().filter(|state| state.present);
        there.fold((0, 0), |(count, bytes), state| {
            (count + 1, bytes + state.size)
        })
    }

    /// Whether a snapshot, a hold or a running operation needs the object.
    pub fn is_needed(&self, object: Object) -> bool {
        self.get(object).is_some_and(|state| !state.unneeded())
    }

    /// Whether the snapshots that use a pack of so many chunks use less than a quarter of it, on average: it should
    /// not find new users, so that it dies with these. One that nobody uses is what an interrupted save has left.
    pub fn is_nearly_dead(&self, object: Object, chunks: usize) -> bool {
        self.get(object)
            .is_some_and(|state| state.served * 4 < chunks as u64 * u64::from(state.users))
    }

    /// The snapshot.
    pub fn snapshot(&self, id: SnapshotId) -> Option<&Known> {
        self.known(*self.snapshots.get(&id)?)
    }

    /// All snapshots.
    pub fn snapshots(&self) -> impl Iterator<Item = &Known> {
        self.snapshots.values().filter_map(|slot| self.known(*slot))
    }

    fn known(&self, slot: u32) -> Option<&Known> {
        self.slots.get(slot as usize)?.as_ref()?.known.as_ref()
    }

    /// Whether the hold is known.
    pub fn has_hold(&self, id: ObjectId) -> bool {
        self.holds.contains_key(&id)
    }

    /// Bytes of packs and segments that only this hold needs.
    pub fn hold_exclusive(&self, id: ObjectId) -> u64 {
        let slot = self
            .holds
            .get(&id)
            .and_then(|slot| self.slots.get(*slot as usize));
        slot.and_then(Option::as_ref)
            .map_or(0, |slot| slot.exclusive)
    }

    /// All holds.
    pub fn holds(&self) -> impl Iterator<Item = ObjectId> + '_ {
        self.holds.keys().copied()
    }

    /// The objects of a kind that no snapshot and no hold needs.
    pub fn orphans(&self, kind: Kind) -> impl Iterator<Item = ObjectId> + '_ {
        self.states()
            .filter(move |state| state.object.0 == kind && state.needed_by == 0)
            .map(|state| state.object.1)
    }

    /// All objects of a kind that are in the store.
    pub fn objects(&self, kind: Kind) -> impl Iterator<Item = ObjectId> + '_ {
        self.states()
            .filter(move |state| state.object.0 == kind && state.present)
            .map(|state| state.object.1)
    }

    fn states(&self) -> impl Iterator<Item = &State> {
        self.objects.iter().flatten()
    }

    /// Adds a snapshot. One that is known already is left as it is.
    pub fn add(&mut self, manifest_id: ObjectId, manifest_size: u64, manifest: &Manifest) {
        let id = manifest.description.snapshot;
        if self.snapshots.contains_key(&id) {
            return;
        }
        let known = Known {
            manifest: manifest_id,
            manifest_size,
            description: manifest.description.clone(),
            exclusive: 0,
        };
        let slot = self.fill_slot(manifest.uses(), Some(known));
        self.snapshots.insert(id, slot);
    }

    /// Adds a hold, or whatever else needs objects and bears this id. One that is known already is left as it is.
    pub fn add_hold(&mut self, id: ObjectId, needs: impl Iterator<Item = (Kind, ObjectId, u64)>) {
        if !self.holds.contains_key(&id) {
            let needs = needs.map(|(kind, id, size)| (kind, id, size, 0));
            let slot = self.fill_slot(needs, None);
            self.holds.insert(id, slot);
        }
    }

    fn fill_slot(
        &mut self,
        needs: impl Iterator<Item = (Kind, ObjectId, u64, u32)>,
        known: Option<Known>,
    ) -> u32 {
        let slot = match self.slots.iter().position(Option::is_none) {
            Some(slot) => slot,
            None => {
                self.slots.push(None);
                self.slots.len() - 1
            }
        };
        let mut exclusive = 0;
        let mut numbers = Vec::new();
        for (kind, id, size, served) in needs {
            let object = (kind, id);
            let number = self.number(object);
            self.unneeded.remove(&object);
            let Some(state) = self.state(number) else {
                continue;
            };
            if state.size == 0 {
                state.size = size;
            }
            let (needed_by, only, size) = (state.needed_by, state.slots, state.size);
            state.needed_by += 1;
            state.slots ^= slot as u32;
            state.users += u32::from(served > 0);
            state.served += u64::from(served);
            match needed_by {
                0 => exclusive += size,
                1 => self.credit(only, |bytes| bytes.saturating_sub(size)),
                _ => {}
            }
            numbers.push((number, served));
        }
        self.slots[slot] = Some(Slot {
            needs: numbers.into(),
            exclusive: 0,
            known,
        });
        self.credit(slot as u32, |_| exclusive);
        slot as u32
    }

    /// Removes a snapshot. What it alone needed is unneeded from now on.
    pub fn remove(&mut self, id: SnapshotId) {
        if let Some(slot) = self.snapshots.remove(&id) {
            self.clear_slot(slot);
        }
    }

    /// Removes a hold. What it alone needed is unneeded from now on.
    pub fn remove_hold(&mut self, id: ObjectId) {
        if let Some(slot) = self.holds.remove(&id) {
            self.clear_slot(slot);
        }
    }

    fn clear_slot(&mut self, slot: u32) {
        let Some(cleared) = self.slots.get_mut(slot as usize).and_then(Option::take) else {
            return;
        };
        for (number, served) in cleared.needs {
            let Some(state) = self.state(number) else {
                continue;
            };
            state.needed_by -= 1;
            state.slots ^= slot;
            state.users -= u32::from(served > 0);
            state.served -= u64::from(served);
            let state = *state;
            match state.needed_by {
                0 if !state.present => drop(self.forget(state.object)),
                0 if state.pins == 0 => {
                    self.unneeded.insert(state.object);
                }
                1 => self.credit(state.slots, |bytes| bytes + state.size),
                _ => {}
            }
        }
    }

    /// Changes the bytes that only this one needs.
    fn credit(&mut self, slot: u32, change: impl FnOnce(u64) -> u64) {
        if let Some(Some(slot)) = self.slots.get_mut(slot as usize) {
            slot.exclusive = change(slot.exclusive);
            if let Some(known) = &mut slot.known {
                known.exclusive = slot.exclusive;
            }
        }
    }

    /// Keeps an object from being taken away. False when it is not in the store: it must not be relied on.
    #[must_use]
    pub fn pin(&mut self, object: Object) -> bool {
        let Some(state) = self.get_mut(object).filter(|state| state.present) else {
            return false;
        };
        state.pins += 1;
        self.unneeded.remove(&object);
        true
    }

    /// Pins an object that is about to be written.
    pub fn pin_new(&mut self, object: Object, size: u64) {
        let number = self.number(object);
        if let Some(state) = self.state(number) {
            (state.size, state.present) = (size, true);
            state.pins += 1;
        }
        self.unneeded.remove(&object);
    }

    /// Undoes one `pin`.
    pub fn unpin(&mut self, object: Object) {
        if let Some(state) = self.get_mut(object) {
            state.pins -= 1;
            if state.unneeded() {
                self.unneeded.insert(object);
            }
        }
    }

    /// How many objects nothing needs.
    pub fn unneeded(&self) -> u64 {
        self.unneeded.len() as u64
    }

    /// Takes out everything that nothing needs and nothing has pinned. From this moment nobody finds it here.
    pub fn take_unneeded(&mut self) -> Vec<(Object, u64)> {
        let mut taken: Vec<_> = self.unneeded.iter().copied().collect();
        taken.sort_unstable();
        taken
            .into_iter()
            .filter_map(|object| Some((object, self.forget(object)?)))
            .collect()
    }

    /// Takes out one object that nothing needs; gives its length. Nothing is done to one that is needed.
    pub fn forget(&mut self, object: Object) -> Option<u64> {
        let number = *self.numbers.get(&object)?;
        let state = self
            .state(number)
            .filter(|state| state.unneeded())
            .copied()?;
        self.unneeded.remove(&object);
        self.numbers.remove(&object);
        if let Some(place) = self.objects.get_mut(number as usize) {
            *place = None;
            self.free.push(number);
        }
        Some(state.size)
    }

    /// Bytes of a snapshot's packs and segments that only it needs but that are pinned at this moment.
    pub fn pinned_exclusive(&self, id: SnapshotId) -> u64 {
        let slot = self
            .snapshots
            .get(&id)
            .and_then(|slot| self.slots.get(*slot as usize));
        let Some(Some(slot)) = slot else { return 0 };
        slot.needs
            .iter()
            .filter_map(|(number, _)| self.objects.get(*number as usize)?.as_ref())
            .filter(|state| state.needed_by == 1 && state.pins > 0)
            .map(|state| state.size)
            .sum()
    }

    /// Bytes of packs and segments that nobody but these snapshots needs: what two of them share counts once.
    pub fn exclusive_of(&self, ids: &HashSet<SnapshotId>) -> u64 {
        let slots = ids.iter().filter_map(|id| self.snapshots.get(id));
        let slots = slots.filter_map(|slot| self.slots.get(*slot as usize)?.as_ref());
        let mut needed: HashMap<u32, u32> = HashMap::new();
        for (number, _) in slots.flat_map(|slot| slot.needs.iter()) {
            *needed.entry(*number).or_default() += 1;
        }
        needed
            .into_iter()
            .filter_map(|(number, by)| {
                let state = self.objects.get(number as usize)?.as_ref()?;
                (state.needed_by == by).then_some(state.size)
            })
            .sum()
    }

    fn number(&mut self, object: Object) -> u32 {
        if let Some(number) = self.numbers.get(&object) {
            return *number;
        }
        let state = Some(State {
            object,
            size: 0,
            present: false,
            needed_by: 0,
            slots: 0,
            pins: 0,
            users: 0,
            served: 0,
        });
        let number = match self.free.pop() {
            Some(number) => number,
            None => {
                self.objects.push(None);
                (self.objects.len() - 1) as u32
            }
        };
        self.objects[number as usize] = state;
        self.numbers.insert(object, number);
        number
    }

    fn state(&mut self, number: u32) -> Option<&mut State> {
        self.objects.get_mut(number as usize)?.as_mut()
    }

    fn get(&self, object: Object) -> Option<&State> {
        let number = *self.numbers.get(&object)?;
        self.objects.get(number as usize)?.as_ref()
    }

    fn get_mut(&mut self, object: Object) -> Option<&mut State> {
        let number = *self.numbers.get(&object)?;
        self.state(number)
    }
}
