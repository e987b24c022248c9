//! What there is in the store, for who keeps a list of it of his own: names, not what they stand for.

use super::format::Kind;
use super::store;
use super::{Archive, Error, Progress};
use crate::domain::id::{OrganizationId, SnapshotId};
use std::collections::HashSet;
use std::pin::pin;
use std::time::Duration;

/// How often one who waits for the store asks whether to go on.
const ASK_EVERY: Duration = Duration::from_millis(200);

/// Waits for the store for as long as `progress` does not say that it is enough. What is given up here has read, not written.
///
/// # Errors
/// [`Error::Cancelled`], and those of the work.
pub(super) async fn patiently<T>(
    work: impl Future<Output = Result<T, Error>>,
    progress: &mut dyn Progress,
) -> Result<T, Error> {
    let mut work = pin!(work);
    loop {
        match tokio::time::timeout(ASK_EVERY, &mut work).await {
            Ok(done) => return done,
            Err(_) if progress.done(0).is_break() => return Err(Error::Cancelled),
            Err(_) => {}
        }
    }
}

/// What this process knows of what is in the store: of the organizations that it has used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Inventory {
    /// Organizations.
    pub organizations: u64,
    /// Snapshots and templates.
    pub snapshots: u64,
    /// Manifests, packs and segments.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes that nothing needs any more.
    pub unneeded: u64,
    /// Holds.
    pub holds: u64,
    /// Objects that a prune is going to remove.
    pub condemned: u64,
    /// Objects that a check or a verification found damaged, and manifests and holds that cannot be read.
    pub damaged: u64,
}

impl Archive {
    /// What is known; the store is not asked, and nobody who asks it is waited for.
    #[must_use]
    pub fn inventory(&self) -> Inventory {
        let places: Vec<_> = super::lock(&self.shared.organizations)
            .values()
            .cloned()
            .collect();
        let mut all = Inventory::default();
        for place in places {
            let Some(organization) = place.try_lock().ok().and_then(|place| place.clone()) else {
                continue;
            };
            let state = organization.state();
            let (objects, bytes) = state.ledger.stored();
            let manifests: u64 = state
                .ledger
                .snapshots()
                .map(|known| known.manifest_size)
                .sum();
            let snapshots = state.ledger.snapshots().count() as u64;
            all.organizations += 1;
            all.snapshots += snapshots;
            all.objects += objects + snapshots;
            all.bytes += bytes + manifests;
            all.unneeded += state.ledger.unneeded();
            all.holds += state.ledger.holds().count() as u64;
            all.condemned += state.condemned.count() as u64;
            all.damaged += (state.damaged_objects.len() + state.unreadable.len()) as u64;
        }
        all
    }

    /// The mark that tells this store from another; none: it was never written to.
    #[must_use]
    pub fn mark(&self) -> Option<String> {
        self.shared.store.mark()
    }

    /// Asks the store once whether it is there, and the one that it was. `None`: it did not answer in this time.
    ///
    /// # Errors
    /// [`Error::Away`], [`Error::AnotherStore`], and those of the store.
    pub fn look(&self, within: Duration) -> Result<Option<()>, Error> {
        let store = &self.shared.store;
        let look = async { tokio::time::timeout(within, store.look()).await };
        match store.runtime().block_on(look) {
            Ok(answered) => answered.map(Some),
            Err(_) => Ok(None),
        }
    }

    /// The snapshots that stand in the store, also those whose manifests cannot be read. Where others write as well the
    /// store is asked: two LISTs, and a GET for each manifest and hold that is new. Else it costs nothing after the
    /// organization's first use.
    ///
    /// # Errors
    /// [`Error::NoKey`], [`Error::WrongKey`], [`Error::Cancelled`], and those of the store. None of them means that
    /// something is gone.
    pub fn standing(
        &self,
        organization: OrganizationId,
        progress: &mut dyn Progress,
    ) -> Result<HashSet<SnapshotId>, Error> {
        let organization = self.organization_while(organization, progress)?;
        let store = &self.shared.store;
        if organization.state().uncertain || !organization.sole {
            let refresh = organization.refresh(store);
            store.runtime().block_on(patiently(refresh, progress))?;
        }
        let state = organization.state();
        let unreadable = state.unreadable.keys();
        let unreadable = unreadable.filter_map(|name| Some(store::parse_manifest_name(name)?.0));
        let known = state.ledger.snapshots();
        Ok(known
            .map(|known| known.description.snapshot)
            .chain(unreadable)
            .collect())
    }

    /// Whether the snapshot stands in the store, as far as this process knows: the store is not asked, once the
    /// organization was used.
    ///
    /// # Errors
    /// As for [`Archive::standing`].
    pub fn is_known(
        &self,
        organization: OrganizationId,
        snapshot: SnapshotId,
    ) -> Result<bool, Error> {
        let organization = self.organization(organization)?;
        let state = organization.state();
        Ok(state.ledger.snapshot(snapshot).is_some())
    }

    /// The ids of the organization's keys that stand in the store now, the oldest first: one LIST. They are made before
    /// anything else and never removed, so they tell one store from another: where an organization has none, it has never
    /// had anything there.
    ///
    /// # Errors
    /// [`Error::Cancelled`], and those of the store.
    pub fn standing_keys(
        &self,
        organization: OrganizationId,
        progress: &mut dyn Progress,
    ) -> Result<Vec<String>, Error> {
        let store = &self.shared.store;
        let list = store.list(organization, Kind::Key);
        let listed = store.runtime().block_on(patiently(list, progress))?;
        let mut keys: Vec<String> = listed
            .iter()
            .filter_map(|(name, _)| Some(store::parse_key_name(name)?.0.to_string()))
            .collect();
        keys.sort_unstable();
        keys.dedup();
        Ok(keys)
    }
}
