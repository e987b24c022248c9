//! Checking: every manifest, every segment and the end of every pack (shallow), or every byte of them (deep).
//!
//! Each object is looked at once, however many snapshots need it, and pinned while it is. What is found is written
//! down in the store (`damage/`), so that no later save builds upon it. Objects that no manifest needs are not
//! checked. A snapshot whose manifest is gone altogether does not exist here; that it should is the catalog's to know.

use super::condemned;
use super::error::{Damage, Error};
use super::format::{self, Kind, ObjectId};
use super::hold;
use super::keys::Key;
use super::ledger::Object;
use super::manifest::{Manifest, PackUse, SegmentUse};
use super::organization::{self, Organization, Pins, WHOLE};
use super::pack::{Entry, FrameReader};
use super::pipeline;
use super::store::{self, Keys, Store};
use super::{Archive, CHUNK_SIZE, Finding};
use crate::domain::id::{OrganizationId, SnapshotId};
use object_store::path::Path;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

/// Checks everything in the archive.
pub fn check(archive: &Archive, deep: bool) -> Result<Vec<Finding>, Error> {
    let store = &archive.shared.store;
    let mut findings = Vec::new();
    for id in store.runtime().block_on(store.organizations())? {
        let organization = match archive.organization(id) {
            Ok(organization) => organization,
            // Whole or not: that is for those to say who have the key.
            Err(Error::NoKey { key, .. } | Error::WrongKey { key, .. }) => {
                findings.push(Finding {
                    organization: id,
                    object: format!("{id}/{}", Kind::Key.folder()),
                    snapshots: Vec::new(),
                    damage: Damage::Key { key },
                });
                continue;
            }
            Err(error) => return Err(error),
        };
        if !organization.sole {
            store.runtime().block_on(organization.refresh(store))?;
            store
                .runtime()
                .block_on(organization.refresh_objects(store))?;
        }
        let keys = Arc::clone(&organization.state().keys);
        let mut checker = Checker {
            archive,
            store,
            organization,
            keys,
            deep,
            findings: BTreeMap::new(),
            packs: HashMap::new(),
            segments: HashMap::new(),
            marks: Vec::new(),
        };
        checker.small_objects()?;
        checker.manifests()?;
        checker.forget_deleted()?;
        let marks = std::mem::take(&mut checker.marks);
        findings.extend(checker.into_findings());
        let organization = archive.organization(id)?;
        store
            .runtime()
            .block_on(organization.record_damage(store, &marks))?;
    }
    Ok(findings)
}

#[derive(Default)]
struct PackState {
    whole: Option<Damage>,
    /// Damaged chunks by offset.
    chunks: BTreeMap<u32, Damage>,
}

#[derive(Default)]
struct SegmentState {
    damage: Option<Damage>,
    uses: HashMap<ObjectId, u32>,
    /// Damaged chunks that it refers to.
    chunks: BTreeSet<(ObjectId, u32)>,
}

struct Checker<'a> {
    archive: &'a Archive,
    store: &'a Store,
    organization: Arc<Organization>,
    keys: Arc<Keys>,
    deep: bool,
    findings: BTreeMap<(String, String), (Damage, BTreeSet<SnapshotId>)>,
    packs: HashMap<ObjectId, PackState>,
    segments: HashMap<ObjectId, SegmentState>,
    marks: Vec<(Object, u32)>,
}

/// Tells damage, which is a finding, from a failure of the store, which ends the check.
fn damage_of<T>(result: Result<T, Error>) -> Result<Result<T, Damage>, Error> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(Error::Damaged { damage, .. }) => Ok(Err(damage)),
        Err(error) => Err(error),
    }
}

impl Checker<'_> {
    fn id(&self) -> OrganizationId {
        self.organization.id
    }

    fn report(&mut self, object: &Path, damage: &Damage, snapshot: Option<SnapshotId>) {
        let key = (object.to_string(), damage.to_string());
        let (_, snapshots) = self
            .findings
            .entry(key)
            .or_insert_with(|| (damage.clone(), BTreeSet::new()));
        snapshots.extend(snapshot);
    }

    fn into_findings(self) -> impl Iterator<Item = Finding> {
        let organization = self.organization.id;
        self.findings
            .into_iter()
            .map(move |((object, _), (damage, snapshots))| Finding {
                organization,
                object,
                snapshots: snapshots.into_iter().collect(),
                damage,
            })
    }

    /// Where others write as well: what was deleted while we looked, and perhaps pruned, is not damage.
    fn forget_deleted(&mut self) -> Result<(), Error> {
        if self.organization.sole || self.findings.is_empty() {
            return Ok(());
        }
        let refreshed = self.organization.refresh(self.store);
        self.store.runtime().block_on(refreshed)?;
        let state = self.organization.state();
        self.findings.retain(|_, (_, snapshots)| {
            let had = !snapshots.is_empty();
            snapshots.retain(|id| {
                let unreadable = |name: &String| {
                    store::parse_manifest_name(name).is_some_and(|(of, _)| of == *id)
                };
                state.ledger.snapshot(*id).is_some() || state.unreadable.keys().any(unreadable)
            });
            !(had && snapshots.is_empty())
        });
        self.marks
            .retain(|(object, _)| state.ledger.is_needed(*object));
        Ok(())
    }

    /// Keys and damage records.
    fn small_objects(&mut self) -> Result<(), Error> {
        let runtime = self.store.runtime().clone();
        for (name, _) in runtime.block_on(self.store.list(self.id(), Kind::Key))? {
            let path = Path::from_iter([self.id().to_string().as_str(), Kind::Key.folder(), &name]);
            let result = match store::parse_key_name(&name) {
                Some((id, wrapper)) => damage_of(runtime.block_on(self.store.get(&path)))?
                    .and_then(|bytes| {
                        Key::decode(self.id(), id, wrapper, &bytes, self.store.master()).map(drop)
                    }),
                None => Err(Damage::Invalid {
                    what: "its name is not that of a key",
                }),
            };
            if let Err(damage) = result {
                self.report(&path, &damage, None);
            }
        }
        for (name, _) in runtime.block_on(self.store.list(self.id(), Kind::Damage))? {
            let Some(id) = ObjectId::parse(&name) else {
                continue;
            };
            let path = store::name(self.id(), Kind::Damage, id);
            if let Err(damage) = damage_of(runtime.block_on(self.store.open(
                self.id(),
                Kind::Damage,
                id,
                &path,
                &self.keys,
            )))? {
                self.report(&path, &damage, None);
            }
        }
        self.holds_and_condemnations()
    }

    /// Whether each can be read. What a volume's hold needs is looked at when the volume is.
    fn holds_and_condemnations(&mut self) -> Result<(), Error> {
        let runtime = self.store.runtime().clone();
        for kind in [Kind::Hold, Kind::Condemned] {
            for (name, _) in runtime.block_on(self.store.list(self.id(), kind))? {
                let organization = self.id().to_string();
                let path = Path::from_iter([organization.as_str(), kind.folder(), &name]);
                let read = match ObjectId::parse(&name) {
                    Some(id) if kind == Kind::Hold => {
                        let read = hold::read(self.store, self.id(), id, &self.keys);
                        damage_of(runtime.block_on(read).map(drop))?
                    }
                    Some(id) => {
                        let read = condemned::read(self.store, self.id(), id, &self.keys);
                        damage_of(runtime.block_on(read).map(drop))?
                    }
                    None => Err(Damage::Invalid {
                        what: "its name is not that of a hold or a condemnation",
                    }),
                };
                match read {
                    // Gone since the listing, as they do.
                    Ok(()) | Err(Damage::Missing) => {}
                    Err(damage) => self.report(&path, &damage, None),
                }
            }
        }
        Ok(())
    }

    fn manifests(&mut self) -> Result<(), Error> {
        let runtime = self.store.runtime().clone();
        let mut known: BTreeMap<String, SnapshotId> = {
            let state = self.organization.state();
            let name = |known: &super::ledger::Known| {
                format!("{}.{}", known.description.snapshot, known.manifest)
            };
            state
                .ledger
                .snapshots()
                .map(|known| (name(known), known.description.snapshot))
                .collect()
        };
        for (name, _) in runtime.block_on(self.store.list(self.id(), Kind::Manifest))? {
            known.remove(&name);
            let path = Path::from_iter([
                self.id().to_string().as_str(),
                Kind::Manifest.folder(),
                &name,
            ]);
            let Some((snapshot, id)) = store::parse_manifest_name(&name) else {
                self.report(
                    &path,
                    &Damage::Invalid {
                        what: "its name is not that of a manifest",
                    },
                    None,
                );
                continue;
            };
            let read = organization::read_manifest(self.store, self.id(), snapshot, id, &self.keys);
            match damage_of(runtime.block_on(read))? {
                Ok((manifest, _)) => self.manifest(&path, &manifest)?,
                Err(damage) => self.report(&path, &damage, Some(snapshot)),
            }
        }
        for (name, snapshot) in known {
            // Gone from the store; if it was deleted while we looked, it is gone from the ledger, too.
            if self
                .organization
                .state()
                .ledger
                .snapshot(snapshot)
                .is_some()
            {
                let path = Path::from_iter([
                    self.id().to_string().as_str(),
                    Kind::Manifest.folder(),
                    &name,
                ]);
                self.report(&path, &Damage::Missing, Some(snapshot));
            }
        }
        Ok(())
    }

    fn manifest(&mut self, path: &Path, manifest: &Manifest) -> Result<(), Error> {
        let snapshot = manifest.description.snapshot;
        let pins = Pins::new(&self.organization);
        {
            let mut state = self.organization.state();
            // Deleted since it was read: nothing of it need be there.
            if state.ledger.snapshot(snapshot).is_none() {
                return Ok(());
            }
            for (kind, id, _) in manifest.needs() {
                // What is not in the ledger was not in the store; the check finds the same.
                let _ = pins.pin(&mut state, (kind, id));
            }
        }
        self.check_packs(manifest)?;
        for id in manifest.packs.keys() {
            if let Some(damage) = self.packs.get(id).and_then(|pack| pack.whole.clone()) {
                self.report(
                    &store::name(self.id(), Kind::Pack, *id),
                    &damage,
                    Some(snapshot),
                );
            }
        }
        let mut uses: HashMap<ObjectId, u32> = HashMap::new();
        let mut whole = true;
        for (number, place) in &manifest.segments {
            if !self.segments.contains_key(&place.id) {
                let state = self.check_segment(*number, *place)?;
                if state.damage.is_some() {
                    self.marks.push(((Kind::Segment, place.id), WHOLE));
                }
                self.segments.insert(place.id, state);
            }
            let Some(segment) = self.segments.get(&place.id) else {
                continue;
            };
            for (pack, count) in &segment.uses {
                *uses.entry(*pack).or_default() += count;
            }
            let (damage, chunks) = (segment.damage.clone(), segment.chunks.clone());
            whole &= damage.is_none();
            if let Some(damage) = damage {
                self.report(
                    &store::name(self.id(), Kind::Segment, place.id),
                    &damage,
                    Some(snapshot),
                );
            }
            for (pack, offset) in chunks {
                if let Some(damage) = self
                    .packs
                    .get(&pack)
                    .and_then(|pack| pack.chunks.get(&offset))
                    .cloned()
                {
                    self.report(
                        &store::name(self.id(), Kind::Pack, pack),
                        &damage,
                        Some(snapshot),
                    );
                }
            }
        }
        let same = uses.len() == manifest.packs.len()
            && manifest
                .packs
                .iter()
                .all(|(id, pack)| uses.get(id) == Some(&pack.chunks));
        if whole && !same {
            self.report(
                path,
                &Damage::Reference {
                    what: "its segments use other packs than it names",
                },
                Some(snapshot),
            );
        }
        Ok(())
    }

    /// Looks at the packs of a manifest that were not looked at yet, on all cores.
    fn check_packs(&mut self, manifest: &Manifest) -> Result<(), Error> {
        let new: Vec<_> = manifest
            .packs
            .iter()
            .filter(|(id, _)| !self.packs.contains_key(id))
            .map(|(id, pack)| (*id, *pack))
            .collect();
        let todo = Mutex::new(new.into_iter());
        let done = Mutex::new(Vec::new());
        let this = &*self;
        std::thread::scope(|scope| {
            for _ in 0..this.archive.shared.options.workers.max(1) {
                scope.spawn(|| {
                    loop {
                        let next = todo.lock().unwrap_or_else(PoisonError::into_inner).next();
                        let Some((id, pack)) = next else { return };
                        let result = this.check_pack(id, pack).map(|state| (id, state));
                        let failed = result.is_err();
                        done.lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .push(result);
                        if failed {
                            return;
                        }
                    }
                });
            }
        });
        for result in done.into_inner().unwrap_or_else(PoisonError::into_inner) {
            let (id, state) = result?;
            if state.whole.is_some() {
                self.marks.push(((Kind::Pack, id), WHOLE));
            }
            let path = store::name(self.id(), Kind::Pack, id);
            for (offset, damage) in &state.chunks {
                self.marks.push(((Kind::Pack, id), *offset));
                self.report(&path, damage, None);
            }
            self.packs.insert(id, state);
        }
        Ok(())
    }

    fn check_pack(&self, id: ObjectId, pack: PackUse) -> Result<PackState, Error> {
        let path = store::name(self.id(), Kind::Pack, id);
        let runtime = self.store.runtime();
        let mut state = PackState::default();
        let expected = u64::from(pack.size);
        match damage_of(runtime.block_on(self.store.size(&path)))? {
            Ok(found) if found == expected => {}
            Ok(found) => state.whole = Some(Damage::Size { expected, found }),
            Err(damage) => state.whole = Some(damage),
        }
        if state.whole.is_some() {
            return Ok(state);
        }
        let entries = match damage_of(runtime.block_on(organization::read_index(
            self.store,
            self.id(),
            id,
            expected,
            &self.keys,
        )))? {
            Ok(entries) => Arc::new(entries),
            Err(damage) => {
                state.whole = Some(damage);
                return Ok(state);
            }
        };
        self.organization
            .state()
            .index
            .keep(id, Arc::clone(&entries));
        if self.deep {
            match damage_of(runtime.block_on(self.store.get(&path)))? {
                Ok(bytes) => self.check_chunks(id, &bytes, &entries, &mut state)?,
                Err(damage) => state.whole = Some(damage),
            }
        }
        Ok(state)
    }

    fn check_chunks(
        &self,
        id: ObjectId,
        bytes: &[u8],
        entries: &[Entry],
        state: &mut PackState,
    ) -> Result<(), Error> {
        let key = format::check_header(Kind::Pack, self.id(), id, bytes)
            .and_then(|key| store::find_key(&self.keys, key));
        let length = bytes.len() as u64;
        let same_key = organization::pack_footer(self.id(), id, bytes, length, &self.keys)
            .map(|(_, key)| key.id());
        let key = match (key, same_key) {
            (Ok(key), Ok(named)) if key.id() == named => key,
            (Err(damage), _) | (_, Err(damage)) => {
                state.whole = Some(damage);
                return Ok(());
            }
            _ => {
                state.whole = Some(Damage::Identity);
                return Ok(());
            }
        };
        let mut frames = FrameReader::new().map_err(|source| Error::Process {
            what: "the decompressor cannot be set up",
            source,
        })?;
        let mut content = vec![0; CHUNK_SIZE];
        for entry in entries {
            let start = entry.offset as usize;
            let frame = bytes
                .get(start..start + entry.length as usize)
                .unwrap_or_default();
            if let Err(damage) = frames.read(key, entry, frame, &mut content) {
                state.chunks.insert(entry.offset, damage);
            }
        }
        Ok(())
    }

    fn check_segment(&self, number: u32, place: SegmentUse) -> Result<SegmentState, Error> {
        let mut state = SegmentState::default();
        let runtime = self.store.runtime();
        let read =
            pipeline::read_segment(self.store, &self.organization, number, place, &self.keys);
        let segment = match damage_of(runtime.block_on(read))? {
            Ok((segment, _)) => segment,
            Err(damage) => {
                state.damage = Some(damage);
                return Ok(state);
            }
        };
        let mut indexes: HashMap<ObjectId, Option<Arc<Vec<Entry>>>> = HashMap::new();
        for chunk in segment.chunks.iter().flatten() {
            *state.uses.entry(chunk.pack).or_default() += 1;
            let Some(pack) = self.packs.get(&chunk.pack) else {
                state.damage = Some(Damage::Reference {
                    what: "it uses a pack that the manifest does not name",
                });
                continue;
            };
            if pack.chunks.contains_key(&chunk.entry.offset) {
                state.chunks.insert((chunk.pack, chunk.entry.offset));
            }
            if pack.whole.is_some() {
                continue;
            }
            let entries = match indexes.get(&chunk.pack) {
                Some(entries) => entries.clone(),
                None => {
                    let entries = self.entries(chunk.pack)?;
                    indexes.insert(chunk.pack, entries.clone());
                    entries
                }
            };
            let Some(entries) = entries else { continue };
            let found = entries
                .binary_search_by_key(&chunk.entry.offset, |entry| entry.offset)
                .ok()
                .and_then(|n| entries.get(n));
            if found != Some(&chunk.entry) {
                state.damage = Some(Damage::Reference {
                    what: "a chunk does not stand in its pack where it says",
                });
            }
        }
        Ok(state)
    }

    /// The index of a pack whose end was found sound.
    fn entries(&self, pack: ObjectId) -> Result<Option<Arc<Vec<Entry>>>, Error> {
        let (cached, size) = {
            let state = self.organization.state();
            (
                state.index.cached(pack),
                state.ledger.size((Kind::Pack, pack)),
            )
        };
        if let (None, Some(size)) = (&cached, size) {
            let read = organization::read_index(self.store, self.id(), pack, size, &self.keys);
            return Ok(damage_of(self.store.runtime().block_on(read))?
                .ok()
                .map(Arc::new));
        }
        Ok(cached)
    }
}
