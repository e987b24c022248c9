//! The end of a save or a copy: the last look, and the manifest.
//!
//! Where this process is the only one that writes, pins have kept everything. Where others write too, and prune, the
//! order of things is what keeps a manifest whole. A prune lists packs, *then* manifests and holds; PUTs a
//! condemnation of what nothing needs; waits the grace; lists manifests and holds again; and removes. So a save
//!
//! 1. PUTs a hold on what it builds upon ([`UploadHold`]), *then* lists the condemnations, *then* looks whether what
//!    it builds upon is there. What is condemned or missing is not built upon.
//! 2. Before the manifest it looks again, in the same order: is the hold there still; is anything condemned; is
//!    everything there that the hold did not cover all the time?
//! 3. Starts the manifest's PUT no later than [`WINDOW`] after that look began, by its own clock.
//!
//! Why this is enough. Let x be needed by the manifest. A condemnation of x that is PUT after the look of step 2 is
//! acted upon no sooner than the grace after that: then the manifest is listed. One that was PUT before the look and
//! still stands is seen by it. One that stood before the look and is gone was acted upon to the end, for it goes only
//! when none of its objects is there: then x is missing, which the look sees as well, for it lists the condemnations
//! *first*; and x is never written again under that name. What the hold covers was looked at in step 1 in the same
//! order; every prune that lists after the hold's PUT and before its removal sees it, and the look saw that it stands.
//!
//! If the answer of the manifest's PUT comes later than the window, the look is repeated, and a manifest that is not
//! safe is removed again before anybody was told of it.

use super::MINIMUM_GRACE;
use super::clock::Clock;
use super::error::{Damage, Error};
use super::format::{Kind, ObjectId};
use super::hold::{self, Content};
use super::keys::Key;
use super::ledger::Object;
use super::manifest::Manifest;
use super::organization::{Organization, PARALLEL, Pins, WHOLE};
use super::store::{self, Store};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long after the last look the manifest's PUT may begin. A quarter of the shortest grace: the rest is for the PUT
/// itself, and for what the network may keep back.
pub const WINDOW: Duration = Duration::from_secs(MINIMUM_GRACE.as_secs() / 4);
/// Objects that are looked at one by one; more are listed.
const FEW: usize = 64;

/// What is held for a save, and where to write it anew.
pub struct UploadHold<'a> {
    store: &'a Store,
    organization: &'a Organization,
    key: &'a Key,
    clock: &'a Clock,
    state: Mutex<HoldState>,
}

#[derive(Default)]
struct HoldState {
    /// The hold that stands; when, by our own clock, its PUT began.
    current: Option<ObjectId>,
    since: Duration,
    /// What was looked at after the first hold was PUT, and has been held without a gap since.
    covered: HashSet<Object>,
    /// A manifest may yet appear: the hold is left to die of age.
    keep: bool,
}

impl<'a> UploadHold<'a> {
    /// None yet.
    pub fn new(
        store: &'a Store,
        organization: &'a Organization,
        key: &'a Key,
        clock: &'a Clock,
    ) -> Self {
        let state = HoldState {
            since: clock.now(),
            ..HoldState::default()
        };
        Self {
            store,
            organization,
            key,
            clock,
            state: Mutex::new(state),
        }
    }

    fn state(&self) -> MutexGuard<'_, HoldState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds all that is pinned, and looks whether it is there and to stay. Gives what is not: that must not be built
    /// upon.
    pub fn begin(&self, pins: &Pins) -> Result<HashSet<Object>, Error> {
        if self.organization.sole {
            return Ok(HashSet::new());
        }
        let runtime = self.store.runtime();
        let needs = pins.all(&self.organization.state());
        if !needs.is_empty() {
            let since = self.clock.now();
            let id = runtime.block_on(self.put(needs.clone()))?;
            let mut state = self.state();
            (state.current, state.since) = (Some(id), since);
        }
        runtime.block_on(self.organization.refresh_condemned(self.store))?;
        let there = runtime.block_on(self.organization.refresh_objects(self.store))?;
        let mut bad = HashSet::new();
        let mut organization = self.organization.state();
        for (object, size) in needs {
            if there.get(&object).map(|listed| listed.size) != Some(size) {
                organization.mark(object, WHOLE);
                bad.insert(object);
            } else if organization.condemned.contains(object) {
                bad.insert(object);
            } else {
                self.state().covered.insert(object);
            }
        }
        Ok(bad)
    }

    async fn put(&self, needs: Vec<(Object, u64)>) -> Result<ObjectId, Error> {
        let id = ObjectId::new();
        let content = Content::Upload(needs);
        hold::put(self.store, self.organization.id, self.key, id, &content).await?;
        Ok(id)
    }

    /// From time to time a new hold takes the old one's place, with what was written since: so it never grows old while
    /// the save lives, and what a long save has written is not taken for garbage.
    pub fn renew_if_due(&self, pins: &Pins) -> Result<(), Error> {
        let since = self.state().since;
        if self.organization.sole || self.clock.now().saturating_sub(since) < WINDOW {
            return Ok(());
        }
        let needs = pins.all(&self.organization.state());
        let runtime = self.store.runtime();
        let since = self.clock.now();
        let id = runtime.block_on(self.put(needs))?;
        let stood = self.stands()?;
        let mut state = self.state();
        let old = state.current.replace(id);
        state.since = since;
        if !stood {
            state.covered.clear();
        }
        drop(state);
        if let Some(old) = old {
            self.remove(old);
        }
        Ok(())
    }

    /// Whether the present hold is there still.
    fn stands(&self) -> Result<bool, Error> {
        let Some(current) = self.state().current else {
            return Ok(false);
        };
        let path = store::name(self.organization.id, Kind::Hold, current);
        match self.store.runtime().block_on(self.store.size(&path)) {
            Ok(_) => Ok(true),
            Err(Error::Damaged {
                damage: Damage::Missing,
                ..
            }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The hold's failure to go is nobody's: a prune removes it.
    fn remove(&self, id: ObjectId) {
        let path = store::name(self.organization.id, Kind::Hold, id);
        let removed = self.store.runtime().block_on(self.store.delete(&path));
        if let Err(error) = removed {
            tracing::debug!(error = %error, "a hold stays in the object store until a prune");
        }
    }
}

impl Drop for UploadHold<'_> {
    fn drop(&mut self) {
        let (current, keep) = {
            let mut state = self.state();
            (state.current.take(), state.keep)
        };
        if let (Some(current), false) = (current, keep) {
            self.remove(current);
        }
    }
}

/// Looks whether none of these is condemned, and then whether each is there at its length.
///
/// # Errors
/// [`Error::Overtaken`] and [`Error::Damaged`]; what is missing is marked, so that it is not built upon again.
pub async fn are_safe(
    store: &Store,
    organization: &Organization,
    needs: &[(Object, u64)],
    covered: &HashSet<Object>,
) -> Result<(), Error> {
    organization.refresh_condemned(store).await?;
    {
        let state = organization.state();
        if needs
            .iter()
            .any(|(object, _)| state.condemned.contains(*object))
        {
            return Err(Error::Overtaken);
        }
    }
    let look: Vec<_> = needs
        .iter()
        .filter(|(object, _)| !covered.contains(object))
        .collect();
    if look.len() > FEW {
        let there = organization.refresh_objects(store).await?;
        return look.into_iter().try_for_each(|(object, size)| {
            let found = there.get(object).map(|listed| listed.size);
            compare(organization, *object, *size, found)
        });
    }
    futures::stream::iter(look)
        .map(|(object, size)| async move {
            let path = store::name(organization.id, object.0, object.1);
            let found = match store.size(&path).await {
                Ok(found) => Some(found),
                Err(Error::Damaged { .. }) => None,
                Err(error) => return Err(error),
            };
            compare(organization, *object, *size, found)
        })
        .buffer_unordered(PARALLEL)
        .try_collect()
        .await
}

fn compare(
    organization: &Organization,
    object: Object,
    expected: u64,
    found: Option<u64>,
) -> Result<(), Error> {
    let damage = match found {
        Some(found) if found == expected => return Ok(()),
        Some(found) => Damage::Size { expected, found },
        None => Damage::Missing,
    };
    let path = store::name(organization.id, object.0, object.1);
    tracing::error!(object = %path, error = %damage, "an object is not as it was written");
    let mut state = organization.state();
    state.mark(object, WHOLE);
    state.index.remove(object.1);
    Err(store::damaged(&path, damage))
}

/// Takes the last look, writes the manifest, reads it back, and enters it into the ledger.
pub fn commit(hold: &UploadHold<'_>, pins: &Pins, manifest: &Manifest) -> Result<(), Error> {
    let (store, organization) = (hold.store, hold.organization);
    if organization.sole {
        return write_manifest(hold, pins, manifest, || true).map(drop);
    }
    let needs: Vec<_> = objects(manifest).collect();
    let since = hold.clock.now();
    let covered = if hold.stands()? {
        hold.state().covered.clone()
    } else {
        HashSet::new()
    };
    let runtime = store.runtime();
    runtime.block_on(are_safe(store, organization, &needs, &covered))?;
    let in_time = || hold.clock.now().saturating_sub(since) < WINDOW;
    let id = write_manifest(hold, pins, manifest, in_time)?;
    if in_time() {
        return Ok(());
    }
    confirm(hold, manifest, id)
}

/// Writes the manifest of a copy. What the original needs may be condemned (see `condemned`): a copy has nothing to
/// write in its place. It need not: a prune that listed before the hold's PUT saw the original, if that is seen to be
/// there afterwards, and one that lists later sees the hold, which is too young to be removed before the manifest is
/// there.
pub fn commit_copy(
    hold: &UploadHold<'_>,
    pins: &Pins,
    manifest: &Manifest,
    original: &Path,
) -> Result<(), Error> {
    let (store, organization) = (hold.store, hold.organization);
    let runtime = store.runtime();
    let since = hold.state().since;
    let in_time = || hold.clock.now().saturating_sub(since) < WINDOW;
    if !organization.sole {
        match runtime.block_on(store.size(original)) {
            Ok(_) => {}
            Err(Error::Damaged {
                damage: Damage::Missing,
                ..
            }) => return commit(hold, pins, manifest),
            Err(error) => return Err(error),
        }
        if !in_time() {
            return Err(Error::Overtaken);
        }
    }
    let id = write_manifest(hold, pins, manifest, || organization.sole || in_time())?;
    if organization.sole || in_time() || hold.stands()? {
        return Ok(());
    }
    confirm(hold, manifest, id)
}

/// A manifest whose PUT was long under way is looked at again, and removed when it is not safe: nobody knows of it yet.
fn confirm(hold: &UploadHold<'_>, manifest: &Manifest, id: ObjectId) -> Result<(), Error> {
    let (store, organization) = (hold.store, hold.organization);
    let runtime = store.runtime();
    let needs: Vec<_> = objects(manifest).collect();
    let again = runtime.block_on(are_safe(store, organization, &needs, &HashSet::new()));
    if again.is_err() {
        let snapshot = manifest.description.snapshot;
        let path = store::manifest_name(organization.id, snapshot, id);
        runtime.block_on(store.delete(&path))?;
        organization.state().ledger.remove(snapshot);
    }
    again
}

/// What a manifest needs.
pub fn objects(manifest: &Manifest) -> impl Iterator<Item = (Object, u64)> + '_ {
    manifest.needs().map(|(kind, id, size)| ((kind, id), size))
}

fn write_manifest(
    hold: &UploadHold<'_>,
    pins: &Pins,
    manifest: &Manifest,
    in_time: impl Fn() -> bool + Sync,
) -> Result<ObjectId, Error> {
    let (store, organization, key) = (hold.store, hold.organization, hold.key);
    let id = ObjectId::new();
    let path = store::manifest_name(organization.id, manifest.description.snapshot, id);
    let bytes = manifest
        .encode(key, organization.id, id)
        .map_err(|error| Error::Process {
            what: "the manifest cannot be written down",
            source: error.into(),
        })?;
    let bytes = Bytes::from(bytes);
    let outcome = store.runtime().block_on(async {
        let put = store.put_while(&path, bytes.clone(), in_time).await;
        match (put, store.get(&path).await) {
            (_, Ok(back)) if back == bytes => Ok(()),
            (Ok(()), Ok(_)) => Err((store::damaged(&path, Damage::Authentication), false)),
            // The store says that it is not there: nothing was written.
            (
                Err(error),
                Err(Error::Damaged {
                    damage: Damage::Missing,
                    ..
                }),
            ) => Err((error, true)),
            (Err(error), _) | (Ok(()), Err(error)) => Err((error, false)),
        }
    });
    match outcome {
        Ok(()) => {
            organization
                .state()
                .ledger
                .add(id, bytes.len() as u64, manifest);
            Ok(id)
        }
        Err((error, true)) => Err(error),
        Err((error, false)) => {
            // It may stand there, whole, and be found at the next look: then what it needs must be there, too.
            organization.state().uncertain = true;
            // Where others prune as well, what keeps it is what keeps every manifest, and the hold until then.
            if organization.sole {
                pins.keep_for_ever();
            }
            hold.state().keep = true;
            Err(error)
        }
    }
}
