//! Pruning: removing what no manifest and no hold needs, while others save, copy and delete.
//!
//! Two phases, of one run and a later one, of whatever process:
//!
//! 1. List packs and segments, *then* manifests and holds. What nothing needs and is older than the grace is
//!    **condemned**: a `condemned/<id>` names it.
//! 2. When a condemnation is older than the grace: list manifests and holds again. What nothing needs *now* is
//!    removed; the condemnation goes when none of its objects is left.
//!
//! `commit` says why a save that looks at the condemnations loses nothing by it. Ages are differences of the store's
//! own Last-Modified: *now* is that of an object which each run PUTs first. No machine's clock has a part in it. The
//! store's own clock is relied on: it may stand still or go back, but one that leaps ahead shortens the grace.
//!
//! Nothing of an organization is condemned or removed while one of its manifests or holds cannot be read, for what it
//! needs is not known. A condemnation, a hold of an upload that died, and the clock of a run that broke off are removed
//! by a later run.
//!
//! Where this process is the only writer the first look is as good as the second, and there is one phase.

use super::condemned;
use super::error::Error;
use super::format::{Kind, ObjectId};
use super::ledger::Object;
use super::organization::{Organization, PARALLEL};
use super::store::{self, Store};
use super::{Archive, Progress};
use crate::domain::id::OrganizationId;
use futures::StreamExt;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// The shortest grace there is. Saves rely on it: all that write to a bucket must have the same.
pub const MINIMUM_GRACE: Duration = Duration::from_secs(3600);
/// Objects that one condemnation names at most: 2 MB.
const MOST: usize = 100_000;

/// How to prune.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PruneOptions {
    /// How long what is condemned still stands, how old what is condemned must be, and how long an upload's hold lives
    /// after its process; at least [`MINIMUM_GRACE`]. Without effect where nobody else writes to the store.
    pub grace: Duration,
}

impl Default for PruneOptions {
    fn default() -> Self {
        Self {
            grace: Duration::from_secs(24 * 3600),
        }
    }
}

/// What a prune did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Packs and segments that were removed.
    pub removed: u64,
    /// Their bytes.
    pub removed_bytes: u64,
    /// Packs and segments that were condemned now; a prune after the grace removes them.
    pub condemned: u64,
    /// Their bytes.
    pub condemned_bytes: u64,
    /// Holds that were removed: their uploads had not been heard of for longer than the grace.
    pub expired_holds: u64,
    /// Manifests and holds that cannot be read, and organizations of which no key can be: nothing is removed from an
    /// organization that has one. Condemnations that cannot be read: they do no harm, and stay.
    pub unreadable: Vec<String>,
}

/// Prunes every organization.
pub fn prune(
    archive: &Archive,
    options: &PruneOptions,
    progress: &mut dyn Progress,
) -> Result<Pruned, Error> {
    if options.grace < MINIMUM_GRACE {
        let what = "the grace is shorter than what saves rely on";
        return Err(Error::InvalidRequest { what });
    }
    let store = &archive.shared.store;
    let mut pruned = Pruned::default();
    let (mut total, mut done) = (0, 0);
    for id in store.runtime().block_on(store.organizations())? {
        let organization = match archive.organization(id) {
            Ok(organization) => organization,
            Err(Error::NoKey { .. } | Error::WrongKey { .. }) => {
                pruned.unreadable.push(id.to_string());
                continue;
            }
            Err(error) => return Err(error),
        };
        let mut run = Run {
            store,
            organization,
            grace: i64::try_from(options.grace.as_millis()).unwrap_or(i64::MAX),
            pruned: &mut pruned,
            progress,
            total: &mut total,
            done: &mut done,
        };
        run.organization()?;
    }
    Ok(pruned)
}

struct Run<'a> {
    store: &'a Store,
    organization: Arc<Organization>,
    /// Milliseconds.
    grace: i64,
    pruned: &'a mut Pruned,
    progress: &'a mut dyn Progress,
    total: &'a mut u64,
    done: &'a mut u64,
}

impl Run<'_> {
    fn id(&self) -> OrganizationId {
        self.organization.id
    }

    fn organization(&mut self) -> Result<(), Error> {
        if self.organization.sole {
            return self.alone();
        }
        let runtime = self.store.runtime().clone();
        let Some(key) = self.organization.state().current_key().cloned() else {
            self.pruned.unreadable.push(self.id().to_string());
            return Ok(());
        };
        // The clock.
        let tick = ObjectId::new();
        runtime.block_on(condemned::put(self.store, self.id(), &key, tick, &[]))?;
        let result = self.shared(&key, tick);
        let path = store::name(self.id(), Kind::Condemned, tick);
        let removed = runtime.block_on(self.store.delete(&path));
        result.and(removed)
    }

    fn shared(&mut self, key: &super::keys::Key, tick: ObjectId) -> Result<(), Error> {
        let runtime = self.store.runtime().clone();
        let organization = Arc::clone(&self.organization);
        let condemnations = runtime.block_on(organization.refresh_condemned(self.store))?;
        let now = condemnations.iter().find(|(id, _)| *id == tick);
        let Some(now) = now.map(|(_, written)| *written) else {
            // Another run took it for an old one: the store's clock leapt. Nothing is certain.
            return Err(Error::Overtaken);
        };
        runtime.block_on(organization.refresh(self.store))?;
        self.expire_holds(now)?;
        // Packs first, then who needs them, for both phases: what is due was due before these looks.
        let there = runtime.block_on(organization.refresh_objects(self.store))?;
        runtime.block_on(organization.refresh(self.store))?;
        if self.is_blocked() {
            return Ok(());
        }

        let mut unneeded: Vec<(Object, u64)> = {
            let state = organization.state();
            there
                .iter()
                .filter(|(object, listed)| {
                    now.saturating_sub(listed.written) >= self.grace
                        && !state.ledger.is_needed(**object)
                        && !state.condemned.contains(**object)
                })
                .map(|(object, listed)| (*object, listed.size))
                .collect()
        };
        unneeded.sort_unstable();
        for part in unneeded.chunks(MOST) {
            let objects: Vec<Object> = part.iter().map(|(object, _)| *object).collect();
            let id = ObjectId::new();
            // Before it stands: a save of this process that looks meanwhile must not miss it.
            organization.state().condemned.add(id, objects.clone());
            runtime.block_on(condemned::put(self.store, self.id(), key, id, &objects))?;
            self.pruned.condemned += part.len() as u64;
            self.pruned.condemned_bytes += part.iter().map(|(_, size)| size).sum::<u64>();
        }

        let due: Vec<ObjectId> = condemnations
            .iter()
            .filter(|(id, written)| *id != tick && now.saturating_sub(*written) >= self.grace)
            .map(|(id, _)| *id)
            .collect();
        if !due.is_empty() {
            let sizes = there
                .iter()
                .map(|(object, listed)| (*object, listed.size))
                .collect();
            self.execute(&due, &sizes)?;
        }
        Ok(())
    }

    fn is_blocked(&mut self) -> bool {
        let state = self.organization.state();
        if state.unreadable.is_empty() {
            return false;
        }
        let names = state
            .unreadable
            .keys()
            .map(|name| match name.contains('/') {
                true => format!("{}/{name}", self.organization.id),
                false => format!(
                    "{}/{}/{name}",
                    self.organization.id,
                    Kind::Manifest.folder()
                ),
            });
        self.pruned.unreadable.extend(names);
        true
    }

    fn execute(&mut self, due: &[ObjectId], there: &HashMap<Object, u64>) -> Result<(), Error> {
        for condemnation in due {
            let objects = {
                let state = self.organization.state();
                state.condemned.get(*condemnation).map(<[Object]>::to_vec)
            };
            let Some(objects) = objects else {
                let path = store::name(self.id(), Kind::Condemned, *condemnation);
                self.pruned.unreadable.push(path.to_string());
                continue;
            };
            let mut doomed = Vec::new();
            let mut spared = false;
            {
                let state = self.organization.state();
                for object in objects {
                    let Some(size) = there.get(&object) else {
                        continue;
                    };
                    if state.ledger.is_needed(object) {
                        spared = true;
                    } else {
                        doomed.push((object, *size));
                    }
                }
            }
            self.remove(doomed)?;
            if !spared {
                let path = store::name(self.id(), Kind::Condemned, *condemnation);
                self.store.runtime().block_on(self.store.delete(&path))?;
            }
        }
        Ok(())
    }

    fn remove(&mut self, doomed: Vec<(Object, u64)>) -> Result<(), Error> {
        let (store, id) = (self.store, self.id());
        *self.total += doomed.iter().map(|(_, size)| size).sum::<u64>();
        self.progress.total(*self.total);
        for part in doomed.chunks(PARALLEL) {
            let removed = store.runtime().block_on(
                futures::stream::iter(part.iter().copied())
                    .map(|(object, size)| async move {
                        let path = store::name(id, object.0, object.1);
                        (object, size, store.delete(&path).await)
                    })
                    .buffer_unordered(PARALLEL)
                    .collect::<Vec<_>>(),
            );
            for (object, size, result) in removed {
                result?;
                let mut state = self.organization.state();
                state.ledger.forget(object);
                state.index.remove(object.1);
                drop(state);
                self.pruned.removed += 1;
                self.pruned.removed_bytes += size;
                *self.done += size;
            }
            if self.progress.done(*self.done).is_break() {
                return Err(Error::Cancelled);
            }
        }
        Ok(())
    }

    /// Removes the holds of uploads that are older than the grace: a living one is renewed. Until it is seen to be
    /// gone, by the next look of whoever, a hold counts.
    fn expire_holds(&mut self, now: i64) -> Result<(), Error> {
        let runtime = self.store.runtime().clone();
        for listed in runtime.block_on(self.store.list_dated(self.id(), Kind::Hold))? {
            let Some(id) = ObjectId::parse(&listed.name) else {
                continue;
            };
            let is_upload = self.organization.state().uploads.contains(&id);
            if is_upload && now.saturating_sub(listed.written) >= self.grace {
                let path = store::name(self.id(), Kind::Hold, id);
                runtime.block_on(self.store.delete(&path))?;
                self.pruned.expired_holds += 1;
            }
        }
        Ok(())
    }

    /// Where nobody else writes. Uploads' holds and condemnations are of a time when the store was used otherwise.
    fn alone(&mut self) -> Result<(), Error> {
        let runtime = self.store.runtime().clone();
        let organization = Arc::clone(&self.organization);
        if organization.state().uncertain {
            runtime.block_on(organization.refresh(self.store))?;
        }
        let uploads: Vec<ObjectId> = organization.state().uploads.drain().collect();
        for id in uploads {
            let path = store::name(self.id(), Kind::Hold, id);
            runtime.block_on(self.store.delete(&path))?;
            organization.state().ledger.remove_hold(id);
            self.pruned.expired_holds += 1;
        }
        for (name, _) in runtime.block_on(self.store.list(self.id(), Kind::Condemned))? {
            if let Some(id) = ObjectId::parse(&name) {
                let path = store::name(self.id(), Kind::Condemned, id);
                runtime.block_on(self.store.delete(&path))?;
            }
        }
        if self.is_blocked() {
            return Ok(());
        }
        let unneeded = organization.state().ledger.unneeded();
        self.pruned.removed += unneeded;
        self.pruned.removed_bytes += runtime.block_on(organization.sweep(self.store))?;
        Ok(())
    }
}
