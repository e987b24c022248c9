//! Looking again: what others have written to the store, or removed from it, since this process looked last.
//!
//! Each part costs one LIST (of 1,000 names an answer) and a GET for each small object that is new. Where this process
//! is the only writer nothing here is needed but at the first use, and after a PUT whose outcome is not known.

use super::error::{Damage, Error};
use super::format::{Cursor, Kind, ObjectId};
use super::hold::{self, Content};
use super::ledger::Object;
use super::manifest::Manifest;
use super::organization::{self, Organization, PARALLEL};
use super::store::{self, Listed, Store};
use crate::domain::id::SnapshotId;
use futures::{StreamExt, TryStreamExt};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Something that needs packs and segments, by its name in the store.
#[derive(Clone, Copy)]
enum Root {
    Manifest(SnapshotId, ObjectId),
    Hold(ObjectId),
}

enum Read {
    Manifest(Manifest),
    Hold(Content),
}

/// The name by which one that cannot be read is remembered.
fn remembered(kind: Kind, name: &str) -> String {
    match kind {
        Kind::Manifest => name.to_owned(),
        kind => format!("{}/{name}", kind.folder()),
    }
}

impl Organization {
    /// Takes in the manifests and holds that are in the store and not known here and, where others write as well,
    /// forgets those that are not there any more.
    pub async fn refresh(&self, store: &Store) -> Result<(), Error> {
        let before = if self.sole {
            None
        } else {
            Some(self.known_roots())
        };
        let mut found = Vec::new();
        for kind in [Kind::Manifest, Kind::Hold] {
            let listed = store.list(self.id, kind).await?;
            found.extend(listed.into_iter().map(|(name, size)| (kind, name, size)));
        }
        // By name, so that of two manifests of a snapshot the older one counts, each time.
        found.sort_unstable_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        if let Some(before) = before {
            self.forget_roots(&before, &found);
        }
        if !self.read_roots(store, &found).await? && !self.sole {
            // A key may have come with them.
            let keys = organization::load_keys(store, self.id).await?;
            let new = {
                let mut state = self.state();
                let new = keys.keys().any(|id| !state.keys.contains_key(id));
                if new {
                    state.keys = Arc::new(keys);
                    state
                        .unreadable
                        .retain(|_, damage| !matches!(damage, Damage::Key { .. }));
                }
                new
            };
            if new {
                self.read_roots(store, &found).await?;
            }
        }
        self.state().uncertain = false;
        Ok(())
    }

    fn known_roots(&self) -> HashSet<String> {
        let state = self.state();
        let manifests = state
            .ledger
            .snapshots()
            .map(|known| format!("{}.{}", known.description.snapshot, known.manifest));
        let holds = state
            .ledger
            .holds()
            .map(|id| remembered(Kind::Hold, &id.to_string()));
        manifests
            .chain(holds)
            .chain(state.unreadable.keys().cloned())
            .chain(state.duplicates.iter().map(|(of, id)| format!("{of}.{id}")))
            .collect()
    }

    /// What was known before the listing and is not in it was removed.
    fn forget_roots(&self, before: &HashSet<String>, found: &[(Kind, String, u64)]) {
        let found: HashSet<String> = found
            .iter()
            .map(|(kind, name, _)| remembered(*kind, name))
            .collect();
        let mut guard = self.state();
        let state = &mut *guard;
        for name in before.difference(&found) {
            if state.unreadable.remove(name).is_some() {
                continue;
            }
            if let Some((snapshot, id)) = store::parse_manifest_name(name) {
                if let Some(at) = state
                    .duplicates
                    .iter()
                    .position(|one| *one == (snapshot, id))
                {
                    state.duplicates.swap_remove(at);
                    state.ledger.remove_hold(id);
                } else if state
                    .ledger
                    .snapshot(snapshot)
                    .is_some_and(|known| known.manifest == id)
                {
                    state.ledger.remove(snapshot);
                    // If there was a second manifest, it is the snapshot's now, and is read again as such.
                    let (gone, kept) = std::mem::take(&mut state.duplicates)
                        .into_iter()
                        .partition(|(of, _)| *of == snapshot);
                    state.duplicates = kept;
                    let gone: Vec<(SnapshotId, ObjectId)> = gone;
                    for (_, id) in gone {
                        state.ledger.remove_hold(id);
                    }
                }
            } else if let Some(id) = name.split_once('/').and_then(|(_, id)| ObjectId::parse(id)) {
                state.ledger.remove_hold(id);
                state.uploads.remove(&id);
            }
        }
    }

    /// Reads what is not known. False if a key was missing.
    async fn read_roots(
        &self,
        store: &Store,
        found: &[(Kind, String, u64)],
    ) -> Result<bool, Error> {
        let keys = Arc::clone(&self.state().keys);
        let mut all_keys = true;
        let mut unknown = Vec::new();
        for (kind, name, size) in found {
            let root = match kind {
                Kind::Manifest => {
                    store::parse_manifest_name(name).map(|(of, id)| Root::Manifest(of, id))
                }
                _ => ObjectId::parse(name).map(Root::Hold),
            };
            let remembered = remembered(*kind, name);
            let mut state = self.state();
            let known = state.unreadable.contains_key(&remembered)
                || match root {
                    Some(Root::Manifest(of, id)) => state.knows(name, of, id),
                    Some(Root::Hold(id)) => state.ledger.has_hold(id),
                    None => false,
                };
            match root {
                _ if known => {}
                Some(root) => unknown.push((remembered, root, *size)),
                None => {
                    let what = "its name is not that of a manifest or a hold";
                    state
                        .unreadable
                        .insert(remembered, Damage::Invalid { what });
                }
            }
        }
        let mut read = futures::stream::iter(unknown)
            .map(|(name, root, size)| {
                let keys = &keys;
                async move {
                    let read = match root {
                        Root::Manifest(of, id) => {
                            organization::read_manifest(store, self.id, of, id, keys)
                                .await
                                .map(|(manifest, _)| Read::Manifest(manifest))
                        }
                        Root::Hold(id) => {
                            let read = hold::read(store, self.id, id, keys).await;
                            read.map(Read::Hold)
                        }
                    };
                    match read {
                        Ok(read) => Ok((name, root, size, Ok(read))),
                        Err(Error::Damaged { damage, .. }) => Ok((name, root, size, Err(damage))),
                        Err(error) => Err(error),
                    }
                }
            })
            .buffered(PARALLEL);
        while let Some((name, root, size, read)) = read.try_next().await? {
            let mut state = self.state();
            match (root, read) {
                // Removed since the listing.
                (_, Err(Damage::Missing)) => {}
                (_, Err(damage)) => {
                    all_keys &= !matches!(damage, Damage::Key { .. });
                    state.unreadable.insert(name, damage);
                }
                (Root::Manifest(of, id), Ok(Read::Manifest(manifest))) => {
                    if state.knows(&name, of, id) {
                        // Another operation took it in meanwhile.
                    } else if state.ledger.snapshot(of).is_some() {
                        state.duplicates.push((of, id));
                        state.ledger.add_hold(id, manifest.needs());
                    } else {
                        state.ledger.add(id, size, &manifest);
                    }
                }
                (Root::Hold(id), Ok(Read::Hold(content))) => {
                    state.ledger.add_hold(id, content.needs());
                    if matches!(content, Content::Upload(_)) {
                        state.uploads.insert(id);
                    }
                }
                _ => {}
            }
        }
        Ok(all_keys)
    }

    /// Lists the packs and segments: what there is, and when the store says that each was written.
    pub async fn refresh_objects(&self, store: &Store) -> Result<HashMap<Object, Listed>, Error> {
        let mut all = HashMap::new();
        for kind in [Kind::Pack, Kind::Segment] {
            let before: Vec<_> = self.state().ledger.objects(kind).collect();
            for listed in store.list_dated(self.id, kind).await? {
                if let Some(id) = ObjectId::parse(&listed.name) {
                    all.insert((kind, id), listed);
                }
            }
            let mut state = self.state();
            for id in before {
                if !all.contains_key(&(kind, id)) {
                    state.ledger.gone((kind, id));
                    if state.ledger.size((kind, id)).is_none() {
                        state.index.remove(id);
                    }
                }
            }
            for (object, listed) in all.iter().filter(|((of, _), _)| *of == kind) {
                if state.ledger.size(*object) != Some(listed.size) {
                    state.ledger.found(*object, listed.size);
                }
            }
        }
        Ok(all)
    }

    /// Lists the condemnations and reads those that are new. One that cannot be read condemns nothing: nobody can act
    /// upon it either.
    pub async fn refresh_condemned(&self, store: &Store) -> Result<Vec<(ObjectId, i64)>, Error> {
        // What another operation of this process learns meanwhile is not forgotten.
        let before = self.state().condemned.ids();
        let listed: Vec<(ObjectId, i64)> = store
            .list_dated(self.id, Kind::Condemned)
            .await?
            .into_iter()
            .filter_map(|listed| Some((ObjectId::parse(&listed.name)?, listed.written)))
            .collect();
        let (keys, new) = {
            let state = self.state();
            let new: Vec<_> = listed
                .iter()
                .map(|(id, _)| *id)
                .filter(|id| !state.condemned.knows(*id))
                .collect();
            (Arc::clone(&state.keys), new)
        };
        let mut read = futures::stream::iter(new)
            .map(|id| {
                let keys = &keys;
                async move { (id, super::condemned::read(store, self.id, id, keys).await) }
            })
            .buffered(PARALLEL);
        while let Some((id, objects)) = read.next().await {
            match objects {
                Ok(objects) => self.state().condemned.add(id, objects),
                Err(Error::Damaged { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let stands: HashSet<ObjectId> = listed.iter().map(|(id, _)| *id).collect();
        self.state()
            .condemned
            .retain(|id| stands.contains(&id) || !before.contains(&id));
        Ok(listed)
    }

    /// Reads the damage records that are new: 24 bytes an entry: kind (1), zero (3), object id (16), offset of the
    /// chunk or 0xffff_ffff for the whole object (4). A record that cannot be read is left to the check to report.
    pub async fn refresh_damage(&self, store: &Store) -> Result<(), Error> {
        let keys = Arc::clone(&self.state().keys);
        for (name, _) in store.list(self.id, Kind::Damage).await? {
            let Some(id) = ObjectId::parse(&name) else {
                continue;
            };
            if self.state().damage_read.contains(&id) {
                continue;
            }
            let path = store::name(self.id, Kind::Damage, id);
            let body = match store.open(self.id, Kind::Damage, id, &path, &keys).await {
                Ok((body, _)) => body,
                Err(Error::Damaged { .. }) => continue,
                Err(error) => return Err(error),
            };
            let mut cursor = Cursor::new(&body);
            let mut state = self.state();
            state.damage_read.insert(id);
            while let (Ok(kind), Ok(id), Ok(offset)) =
                (cursor.array::<4>(), cursor.array(), cursor.u32())
            {
                let kind = if kind[0] == Kind::Segment as u8 {
                    Kind::Segment
                } else {
                    Kind::Pack
                };
                state.mark((kind, ObjectId::from_bytes(id)), offset);
            }
        }
        Ok(())
    }
}
