//! What the process knows of one organization in the store: keys, ledger, index, known damage. All of it is read from
//! the store at the organization's first use, and kept in step by the operations of this process. Where others write
//! to the store as well, each operation looks again first (see `refresh`). Cost of the first use: one LIST each of
//! keys, packs, segments, manifests, holds and damage records, and one GET a key, manifest, hold and damage record.

use super::condemned::Condemned;
use super::error::{Damage, Error};
use super::format::{self, Kind, ObjectId};
use super::index::Index;
use super::keys::{Found, Key};
use super::ledger::{Ledger, Object};
use super::manifest::Manifest;
use super::pack::{self, Entry, FOOTER_LENGTH};
use super::store::{self, Keys, Store};
use crate::domain::id::{OrganizationId, SnapshotId};
use bytes::Bytes;
use futures::StreamExt;
use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Requests that are under way at once where many small ones are needed.
pub const PARALLEL: usize = 8;
/// Bytes that are read from a pack's end in the hope that the whole index is in it.
const TAIL: u64 = 64 << 10;
/// The offset in a damage record that means the whole object.
pub const WHOLE: u32 = u32::MAX;

/// One organization.
pub struct Organization {
    /// Its id.
    pub id: OrganizationId,
    /// Nobody else writes to the store, for as long as this process has it open.
    pub sole: bool,
    state: Mutex<State>,
}

/// See the module.
#[derive(Default)]
pub struct State {
    /// Every key that can be read.
    pub keys: Arc<Keys>,
    /// Who needs what.
    pub ledger: Ledger,
    /// For de-duplication.
    pub index: Index,
    /// Manifests that cannot be read, by name, and holds, by folder and name. What they need is not known, so nothing
    /// is taken away while one stands.
    pub unreadable: BTreeMap<String, Damage>,
    /// Further manifests of a snapshot that has one already: the late arrival of a PUT that was given up.
    pub duplicates: Vec<(SnapshotId, ObjectId)>,
    /// Holds that are an upload's.
    pub uploads: HashSet<ObjectId>,
    /// What prunes are going to remove.
    pub condemned: Condemned,
    /// Damage records that are known.
    pub damage_read: HashSet<ObjectId>,
    /// What a check found damaged: object and offset of the chunk, or `WHOLE`.
    pub damaged: HashSet<(Object, u32)>,
    /// Packs with any damage.
    pub damaged_objects: HashSet<Object>,
    /// Snapshots that are being saved.
    pub saving: HashSet<SnapshotId>,
    /// A manifest's PUT ended in an error that does not say whether it took place.
    pub uncertain: bool,
    /// A deletion left something that a running operation had pinned.
    pub sweep_wanted: bool,
}

impl State {
    /// Remembers damage.
    pub fn mark(&mut self, object: Object, offset: u32) -> bool {
        self.damaged_objects.insert(object);
        self.damaged.insert((object, offset))
    }

    /// Whether this chunk must not be used.
    pub fn is_damaged(&self, object: Object, offset: u32) -> bool {
        self.damaged_objects.contains(&object)
            && (self.damaged.contains(&(object, WHOLE)) || self.damaged.contains(&(object, offset)))
    }

    /// The key that new objects are made with: the oldest that seals. Where there is none, what is written down about
    /// objects that are not sealed need not be, either.
    pub fn current_key(&self) -> Option<&Key> {
        self.sealing_key().or_else(|| self.keys.values().next())
    }

    fn sealing_key(&self) -> Option<&Key> {
        self.keys.values().find(|key| key.is_sealing())
    }

    /// Whether nothing new may rely on the object as a whole: it is damaged, or a prune is going to remove it.
    pub fn is_avoided(&self, object: Object) -> bool {
        self.damaged_objects.contains(&object) || self.condemned.contains(object)
    }

    /// Whether nothing new may rely on this chunk.
    pub fn is_chunk_avoided(&self, object: Object, offset: u32) -> bool {
        self.condemned.contains(object) || self.is_damaged(object, offset)
    }

    /// Whether a manifest was read already.
    pub fn knows(&self, name: &str, snapshot: SnapshotId, id: ObjectId) -> bool {
        self.ledger
            .snapshot(snapshot)
            .is_some_and(|known| known.manifest == id)
            || self.unreadable.contains_key(name)
            || self.duplicates.contains(&(snapshot, id))
    }
}

impl Organization {
    /// The state. Nothing panics while it is held, and each change is whole: a poisoned lock is as good as another.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads everything from the store.
    pub async fn load(store: &Store, id: OrganizationId, sole: bool) -> Result<Self, Error> {
        let mut state = State {
            keys: Arc::new(load_keys(store, id).await?),
            ..State::default()
        };
        for kind in [Kind::Pack, Kind::Segment] {
            for (name, size) in store.list(id, kind).await? {
                if let Some(object) = ObjectId::parse(&name) {
                    state.ledger.found((kind, object), size);
                }
            }
        }
        let organization = Self {
            id,
            sole,
            state: Mutex::new(state),
        };
        organization.refresh(store).await?;
        if !sole {
            organization.refresh_condemned(store).await?;
        }
        organization.refresh_damage(store).await?;
        Ok(organization)
    }

    /// The key for new objects; made, written and read back when there is none.
    pub async fn key(&self, store: &Store) -> Result<Key, Error> {
        if let Some(key) = self.state().sealing_key() {
            return Ok(key.clone());
        }
        if !self.sole {
            // Another data folder may have made one since. It must not get a second one that it cannot read.
            let keys = load_keys(store, self.id).await?;
            let mut state = self.state();
            Arc::make_mut(&mut state.keys).extend(keys);
            if let Some(key) = state.sealing_key() {
                return Ok(key.clone());
            }
        }
        let key = write_key(store, self.id, &Key::generate()).await?;
        let mut state = self.state();
        Arc::make_mut(&mut state.keys).insert(key.id(), key.clone());
        // Another save of this organization may have made one meanwhile; then the oldest counts for both.
        Ok(state.sealing_key().unwrap_or(&key).clone())
    }

    /// Fetches the indexes of packs that are not known yet, the newest first, until the index is full. Packs whose
    /// index cannot be read are passed over: they are not reused.
    pub async fn load_index(&self, store: &Store, only_orphans: bool) -> Result<(), Error> {
        let (keys, packs) = {
            let state = self.state();
            let all: Vec<ObjectId> = match only_orphans {
                true => state.ledger.orphans(Kind::Pack).collect(),
                false => state.ledger.objects(Kind::Pack).collect(),
            };
            let mut packs: Vec<_> = all
                .into_iter()
                .filter(|pack| !state.index.knows(*pack) && !state.is_avoided((Kind::Pack, *pack)))
                .filter_map(|pack| Some((pack, state.ledger.size((Kind::Pack, pack))?)))
                .collect();
            packs.sort_unstable_by(|a, b| b.cmp(a));
            (Arc::clone(&state.keys), packs)
        };
        let mut read = futures::stream::iter(packs)
            .map(|(pack, size)| {
                let keys = Arc::clone(&keys);
                async move { (pack, read_index(store, self.id, pack, size, &keys).await) }
            })
            .buffered(PARALLEL);
        while let Some((pack, entries)) = read.next().await {
            let mut state = self.state();
            match entries {
                Ok(entries) => state.index.add(pack, &Arc::new(entries)),
                Err(Error::Damaged { .. }) => state.index.unreadable(pack),
                Err(error) => return Err(error),
            }
            if state.index.is_full() {
                break;
            }
        }
        Ok(())
    }

    /// Removes from the store everything that no snapshot needs and nothing has pinned; gives the bytes freed.
    /// Nothing at all while a manifest cannot be read: what it needs is not known. Nor where others write to the store
    /// as well: they may need what nothing here does, and only a prune finds that out.
    pub async fn sweep(&self, store: &Store) -> Result<u64, Error> {
        let taken = {
            let mut state = self.state();
            if !self.sole || !state.unreadable.is_empty() || state.uncertain {
                return Ok(0);
            }
            let taken = state.ledger.take_unneeded();
            for ((kind, id), _) in &taken {
                if *kind == Kind::Pack {
                    state.index.remove(*id);
                }
            }
            taken
        };
        let mut freed = 0;
        let mut failed = None;
        let mut removed = futures::stream::iter(taken)
            .map(|((kind, id), size)| async move {
                (
                    (kind, id),
                    size,
                    store
                        .delete_unsettled(&store::name(self.id, kind, id))
                        .await,
                )
            })
            .buffer_unordered(PARALLEL);
        while let Some((object, size, result)) = removed.next().await {
            match result {
                Ok(()) => freed += size,
                Err(error) => {
                    self.state().ledger.found(object, size);
                    failed.get_or_insert(error);
                }
            }
        }
        failed.map_or(Ok(freed), Err)
    }

    /// Writes down what a check found, so that later saves, of other processes too, do not reuse it.
    pub async fn record_damage(&self, store: &Store, found: &[(Object, u32)]) -> Result<(), Error> {
        let (new, key) = {
            let mut state = self.state();
            let new: Vec<_> = found
                .iter()
                .copied()
                .filter(|(object, offset)| state.mark(*object, *offset))
                .collect();
            (new, state.current_key().cloned())
        };
        let (Some(key), false) = (key, new.is_empty()) else {
            return Ok(());
        };
        let mut body = Vec::with_capacity(new.len() * 24);
        for ((kind, id), offset) in new {
            body.extend_from_slice(&[kind as u8, 0, 0, 0]);
            body.extend_from_slice(&id.to_bytes());
            body.extend_from_slice(&offset.to_le_bytes());
        }
        let id = ObjectId::new();
        let bytes = format::seal(Kind::Damage, &key, self.id, id, &body);
        store
            .put(&store::name(self.id, Kind::Damage, id), Bytes::from(bytes))
            .await
    }
}

/// Every key of the organization that can be read. A damaged one is left out: it is named by every object that needs
/// it, and by the check.
///
/// # Errors
/// [`Error::NoKey`] when there is a key of which this data folder has no copy, [`Error::WrongKey`] when the copy is not
/// to be opened with its master key, and those of the store.
pub async fn load_keys(store: &Store, organization: OrganizationId) -> Result<Keys, Error> {
    let mut copies: BTreeMap<ObjectId, Vec<Option<ObjectId>>> = BTreeMap::new();
    for (name, _) in store.list(organization, Kind::Key).await? {
        if let Some((id, wrapper)) = store::parse_key_name(&name) {
            copies.entry(id).or_default().push(wrapper);
        }
    }
    let mut keys = Keys::new();
    for (id, wrappers) in copies {
        let ours = [Some(store.master().id()), None];
        let Some(wrapper) = ours.into_iter().find(|ours| wrappers.contains(ours)) else {
            return Err(Error::NoKey {
                organization,
                key: id.to_string(),
            });
        };
        match read_key(store, organization, id, wrapper).await {
            Ok(Found::Key(key)) => {
                keys.insert(id, key);
            }
            Ok(Found::Wrong | Found::Other(_)) => {
                return Err(Error::WrongKey {
                    organization,
                    key: id.to_string(),
                });
            }
            Err(Error::Damaged { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(keys)
}

/// Reads one copy of a key.
pub async fn read_key(
    store: &Store,
    organization: OrganizationId,
    id: ObjectId,
    wrapper: Option<ObjectId>,
) -> Result<Found, Error> {
    let path = match wrapper {
        Some(wrapper) => store::key_name(organization, id, wrapper),
        None => store::name(organization, Kind::Key, id),
    };
    let bytes = store.get(&path).await?;
    Key::decode(organization, id, wrapper, &bytes, store.master())
        .map_err(|damage| store::damaged(&path, damage))
}

/// Writes our own copy of a key and reads it back.
pub async fn write_key(
    store: &Store,
    organization: OrganizationId,
    key: &Key,
) -> Result<Key, Error> {
    let wrapper = store.master().id();
    let path = store::key_name(organization, key.id(), wrapper);
    let bytes = key.wrap(organization, store.master());
    store.put(&path, Bytes::from(bytes)).await?;
    match read_key(store, organization, key.id(), Some(wrapper)).await? {
        Found::Key(back) if back.secret() == key.secret() => Ok(back),
        _ => Err(store::damaged(&path, Damage::Authentication)),
    }
}

/// Reads and authenticates a manifest; gives the key it is made with as well.
pub async fn read_manifest(
    store: &Store,
    organization: OrganizationId,
    snapshot: SnapshotId,
    id: ObjectId,
    keys: &Keys,
) -> Result<(Manifest, ObjectId), Error> {
    let path = store::manifest_name(organization, snapshot, id);
    let (body, key) = store
        .open(organization, Kind::Manifest, id, &path, keys)
        .await?;
    let manifest = Manifest::decode(&body).map_err(|damage| store::damaged(&path, damage))?;
    if manifest.description.snapshot != snapshot {
        return Err(store::damaged(&path, Damage::Identity));
    }
    Ok((manifest, key))
}

/// Reads and authenticates a pack's index: one ranged GET, two for a large one.
pub async fn read_index(
    store: &Store,
    organization: OrganizationId,
    pack: ObjectId,
    size: u64,
    keys: &Keys,
) -> Result<Vec<Entry>, Error> {
    let path = store::name(organization, Kind::Pack, pack);
    let at = |damage| store::damaged(&path, damage);
    if size < FOOTER_LENGTH as u64 {
        return Err(at(Damage::Truncated));
    }
    let tail = store
        .get_range(&path, size.saturating_sub(TAIL)..size)
        .await?;
    let (footer, key) = pack_footer(organization, pack, &tail, size, keys).map_err(at)?;
    let start = u64::from(footer.index_offset);
    let tail_start = size - tail.len() as u64;
    let end = match start.checked_sub(tail_start) {
        Some(skip) => tail.slice(skip as usize..),
        None => {
            let mut end = store.get_range(&path, start..tail_start).await?.to_vec();
            end.extend_from_slice(&tail);
            Bytes::from(end)
        }
    };
    pack::index(key, organization, pack, &footer, &end).map_err(at)
}

/// The footer of a pack and the key it names.
pub fn pack_footer<'k>(
    organization: OrganizationId,
    pack: ObjectId,
    tail: &[u8],
    size: u64,
    keys: &'k Keys,
) -> Result<(pack::Footer, &'k Key), Damage> {
    let key = store::find_key(keys, pack::footer_key(tail)?)?;
    let footer = pack::footer(key, organization, pack, tail, size)?;
    Ok((footer, key))
}

/// What an operation relies on; let go when it is dropped.
pub struct Pins {
    organization: Arc<Organization>,
    objects: Mutex<HashSet<Object>>,
}

impl Pins {
    pub fn new(organization: &Arc<Organization>) -> Self {
        Self {
            organization: Arc::clone(organization),
            objects: Mutex::default(),
        }
    }

    fn objects(&self) -> MutexGuard<'_, HashSet<Object>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Pins an object; false when it is not in the store.
    #[must_use]
    pub fn pin(&self, state: &mut State, object: Object) -> bool {
        let mut objects = self.objects();
        if objects.contains(&object) {
            return true;
        }
        let there = state.ledger.pin(object);
        if there {
            objects.insert(object);
        }
        there
    }

    /// Pins what a manifest needs. False when it is known not to be in the store. Where others write as well it is
    /// not known: then whoever relies on it has to look.
    #[must_use]
    pub fn rely(&self, state: &mut State, object: Object, size: u64) -> bool {
        if self.organization.sole {
            return self.pin(state, object);
        }
        self.pin_new(state, object, size);
        true
    }

    /// Everything pinned, with its length.
    pub fn all(&self, state: &State) -> Vec<(Object, u64)> {
        let mut all: Vec<_> = self
            .objects()
            .iter()
            .filter_map(|object| Some((*object, state.ledger.size(*object)?)))
            .collect();
        all.sort_unstable();
        all
    }

    /// Pins an object that is about to be written.
    pub fn pin_new(&self, state: &mut State, object: Object, size: u64) {
        if self.objects().insert(object) {
            state.ledger.pin_new(object, size);
        }
    }

    /// Never lets go: for when it is not known whether a manifest that needs these was written.
    pub fn keep_for_ever(&self) {
        self.objects().clear();
    }
}

impl Drop for Pins {
    fn drop(&mut self) {
        let objects = std::mem::take(&mut *self.objects());
        let mut state = self.organization.state();
        for object in objects {
            state.ledger.unpin(object);
        }
    }
}
