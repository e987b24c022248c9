//! Deleting: the manifest first, then, where nobody else writes to the store, what nothing needs any more. Elsewhere
//! that is left to a prune.

use super::error::Error;
use super::format::ObjectId;
use super::organization::Organization;
use super::store;
use super::{Archive, Freed};
use crate::domain::id::{OrganizationId, SnapshotId};

/// Deletes a snapshot.
///
/// A manifest that cannot be read is deleted by its name; what it needed is then whatever nothing else needs. As
/// long as another manifest of the organization cannot be read, nothing but manifests is removed.
pub fn delete(
    archive: &Archive,
    organization: OrganizationId,
    snapshot: SnapshotId,
) -> Result<Freed, Error> {
    let store = &archive.shared.store;
    let runtime = store.runtime();
    let organization = archive.organization(organization)?;
    if organization.state().uncertain || !organization.sole {
        runtime.block_on(organization.refresh(store))?;
    }
    let mut freed = Freed::default();
    delete_duplicates(archive, &organization, snapshot)?;
    delete_unreadable(archive, &organization, snapshot)?;

    let known = organization.state().ledger.snapshot(snapshot).cloned();
    let mut own = 0;
    if let Some(known) = known {
        store_delete(archive, &organization, snapshot, known.manifest)?;
        let mut state = organization.state();
        // Two deletions at once: only one of them counts the bytes.
        if let Some(still) = state
            .ledger
            .snapshot(snapshot)
            .filter(|still| still.manifest == known.manifest)
        {
            let exclusive = still.exclusive;
            freed.deferred_bytes = if organization.sole {
                state.ledger.pinned_exclusive(snapshot)
            } else {
                exclusive
            };
            state.ledger.remove(snapshot);
            freed.bytes = known.manifest_size + exclusive - freed.deferred_bytes;
            own = exclusive - freed.deferred_bytes;
            state.sweep_wanted |= freed.deferred_bytes > 0;
        }
    }
    let swept = {
        let blocked = !organization.state().unreadable.is_empty();
        if blocked {
            freed.deferred_bytes += own;
            freed.bytes -= own;
            0
        } else {
            archive.sweep(&organization)?
        }
    };
    freed.garbage_bytes = swept.saturating_sub(own);
    Ok(freed)
}

/// Removes what interrupted saves and deletions have left.
pub fn collect(archive: &Archive, organization: OrganizationId) -> Result<u64, Error> {
    let organization = archive.organization(organization)?;
    if organization.state().uncertain {
        archive
            .shared
            .store
            .runtime()
            .block_on(organization.refresh(&archive.shared.store))?;
    }
    archive.sweep(&organization)
}

fn store_delete(
    archive: &Archive,
    organization: &Organization,
    snapshot: SnapshotId,
    id: ObjectId,
) -> Result<(), Error> {
    let store = &archive.shared.store;
    store
        .runtime()
        .block_on(store.delete(&store::manifest_name(organization.id, snapshot, id)))
}

fn delete_duplicates(
    archive: &Archive,
    organization: &Organization,
    snapshot: SnapshotId,
) -> Result<(), Error> {
    let duplicates: Vec<_> = organization
        .state()
        .duplicates
        .iter()
        .copied()
        .filter(|(of, _)| *of == snapshot)
        .collect();
    for (_, id) in duplicates {
        store_delete(archive, organization, snapshot, id)?;
        organization
            .state()
            .duplicates
            .retain(|known| *known != (snapshot, id));
        organization.state().ledger.remove_hold(id);
    }
    Ok(())
}

fn delete_unreadable(
    archive: &Archive,
    organization: &Organization,
    snapshot: SnapshotId,
) -> Result<(), Error> {
    let of_snapshot =
        |name: &str| store::parse_manifest_name(name).filter(|(of, _)| *of == snapshot);
    let unreadable: Vec<_> = organization
        .state()
        .unreadable
        .keys()
        .filter_map(|name| Some((name.clone(), of_snapshot(name)?.1)))
        .collect();
    for (name, id) in unreadable {
        store_delete(archive, organization, snapshot, id)?;
        organization.state().unreadable.remove(&name);
    }
    Ok(())
}
