//! Taking stock: what there is in the object store is for the object store to tell, and the catalog follows. A snapshot or
//! a template that another server has put there becomes a row; a row goes when another server has removed what it stands
//! for.
//!
//! What may never be true: a row goes because the store did not answer, is not mounted, or is another one; a row goes that
//! work is under way on or with; what was saved, or removed, here while the store was being looked at is taken for new, or
//! for gone; anything is written into the store, or removed from it.
//!
//! A crash leaves nothing half done: each change of the catalog is one transaction, and the next pass finds what is left.
//! A snapshot that was taken here leaves a boundary in a pool, which goes before its row does.

use super::core::Core;
use super::error::{Error, chain};
use crate::archive::{self, Archive, Description};
use crate::catalog;
use crate::catalog::events::{NewEvent, insert_event};
use crate::catalog::snapshots::{Held, Snapshot, insert_snapshot};
use crate::catalog::stock::{Kept, forget_gone, is_kept};
use crate::catalog::templates::{Template, insert_template};
use crate::domain::id::{CheckpointId, OrganizationId, SnapshotId, TemplateId};
use crate::domain::role::Door;
use crate::domain::size::Bytes;
use crate::domain::snapshot::SnapshotState;
use crate::domain::template::TemplateState;
use crate::domain::volume::VolumeKind;
use crate::view::{Act, Change};
use rusqlite::Transaction;
use std::collections::HashSet;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};

/// What a manifest tells beside what the archive itself knows, by the names of its labels. The zone that a snapshot was
/// taken in; of a template's content the template's id, what its maker wrote, what it was made from, and when (in
/// milliseconds since 1970).
const ZONE: &str = "zone";
const TEMPLATE: &str = "template";
const DESCRIPTION: &str = "description";
const ORIGIN: &str = "origin";
const CREATED: &str = "created";

/// What this process has seen of the organizations' store.
#[derive(Default)]
pub(super) struct Stock {
    seen: Mutex<Seen>,
    /// When a pass over everything ended well last, in milliseconds since 1970; 0: none has yet. Apart, for a pass holds the rest.
    whole: AtomicI64,
}

#[derive(Default)]
struct Seen {
    /// Stock was taken of everything since the process began.
    once: bool,
    /// Organizations whose store is the one that it was.
    sure: HashSet<OrganizationId>,
    /// Organizations of which the log knows why no stock is taken.
    told: HashSet<OrganizationId>,
}

impl Stock {
    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When a pass over everything ended well last.
    pub fn last(&self) -> Option<i64> {
        let at = self.whole.load(Ordering::SeqCst);
        (at != 0).then_some(at)
    }
}

/// The labels of a snapshot that is taken in this zone.
pub(super) const fn snapshot_labels(zone: &str) -> [(&str, &str); 1] {
    [(ZONE, zone)]
}

/// The labels of a template's content.
pub(super) fn template_labels(template: &Template) -> [(&'static str, String); 4] {
    [
        (TEMPLATE, template.id.to_string()),
        (DESCRIPTION, template.description.clone()),
        (ORIGIN, template.origin.clone()),
        (CREATED, template.created.to_string()),
    ]
}

/// What a manifest that has no row here stands for.
enum Found {
    Snapshot(Box<Snapshot>),
    Template(Box<Template>),
}

impl Found {
    /// None: it is of a size that no disk has.
    fn of(organization: OrganizationId, told: &Description) -> Option<Self> {
        i64::try_from(told.size.max(told.data_bytes)).ok()?;
        let label = |name| told.labels.get(name);
        let template: Option<TemplateId> = label(TEMPLATE).and_then(|id| id.parse().ok());
        let data = Some(Bytes(told.data_bytes));
        if let Some(id) = template {
            let created = label(CREATED).and_then(|created| created.parse().ok());
            return Some(Self::Template(Box::new(Template {
                id,
                organization,
                name: told.name.clone(),
                description: label(DESCRIPTION).cloned().unwrap_or_default(),
                state: TemplateState::Ready,
                fault: None,
                content: told.snapshot,
                size: Bytes(told.size),
                data,
                origin: label(ORIGIN).unwrap_or(&told.volume_name).clone(),
                created: created.unwrap_or(told.taken_ms),
                elsewhere: true,
            })));
        }
        Some(Self::Snapshot(Box::new(Snapshot {
            id: told.snapshot,
            organization,
            zone: None,
            place: label(ZONE).cloned(),
            volume: told.volume,
            volume_name: told.volume_name.clone(),
            kind: match told.kind.as_str() {
                "root" => VolumeKind::Root,
                _ => VolumeKind::Data,
            },
            size: Bytes(told.size),
            name: told.name.clone(),
            state: SnapshotState::Saved,
            fault: None,
            checkpoint: CheckpointId::new(),
            held: Held::Gone,
            taken: told.taken_ms,
            verified: None,
            data,
            base: None,
        })))
    }

    fn insert(&self, tx: &Transaction<'_>) -> Result<(), catalog::Error> {
        match self {
            Self::Snapshot(snapshot) => insert_snapshot(tx, snapshot),
            Self::Template(template) => insert_template(tx, template),
        }
    }
}

impl Core {
    /// Takes stock where others write to the object store as well, or where it was not done since the process began.
    pub(super) fn take_stock_when_due(&self) {
        // One that cannot be opened is told of by who needs it.
        let due = self
            .archive
            .get()
            .is_ok_and(|archive| archive.is_shared() || !self.stock.seen().once);
        if due {
            self.take_stock();
        }
    }

    /// One pass over all organizations; never two at once. What cannot be looked at now is looked at by the next one.
    pub(super) fn take_stock(&self) {
        let mut seen = self.stock.seen();
        let looked = self.archive.get().map_err(Error::from).and_then(|archive| {
            let organizations = self.catalog.organizations()?;
            Ok((archive, organizations))
        });
        let (archive, organizations) = match looked {
            Ok(looked) => looked,
            Err(error) => {
                tracing::warn!(
                    error = chain(&error),
                    "no stock can be taken of the object store"
                );
                return;
            }
        };
        let mut whole = true;
        for (organization, _) in organizations {
            match self.take_stock_of(&archive, organization, &mut seen) {
                Ok(false) => {}
                Ok(true) => {
                    let all = [
                        Change::Snapshots,
                        Change::Templates,
                        Change::Volumes,
                        Change::Activity,
                    ];
                    self.live.changed(organization, &all);
                }
                Err(Error::Archive(archive::Error::Cancelled)) => return,
                Err(error) => {
                    whole = false;
                    let lasts = matches!(
                        error,
                        Error::Archive(
                            archive::Error::NoKey { .. } | archive::Error::WrongKey { .. }
                        )
                    );
                    if !lasts || seen.told.insert(organization) {
                        tracing::warn!(%organization, error = chain(&error), "no stock can be taken of what the organization has in the object store");
                    }
                }
            }
        }
        seen.once |= whole;
        if whole {
            self.stock.whole.store(self.now(), Ordering::SeqCst);
        }
    }

    /// True: the catalog was changed.
    fn take_stock_of(
        &self,
        archive: &Archive,
        organization: OrganizationId,
        seen: &mut Seen,
    ) -> Result<bool, Error> {
        // First the catalog, then the store: what is saved meanwhile is not in the first, and so cannot be missed in the second.
        let kept = self.catalog.kept(organization)?;
        let there = archive.standing(organization, &mut self.upkeep.until_closed())?;
        let (stored, gone): (Vec<&Kept>, Vec<&Kept>) = kept
            .iter()
            .filter(|kept| kept.stored)
            .partition(|kept| there.contains(&kept.content));
        if there.is_empty() && gone.is_empty() {
            return Ok(false);
        }
        let certain = gone.is_empty() && seen.sure.contains(&organization);
        if !certain && !self.is_its_store(archive, organization, &stored, &gone)? {
            if seen.told.insert(organization) {
                tracing::warn!(%organization, missing = gone.len(), "the object store is not the one that the organization's snapshots were seen in: none of them is forgotten");
            }
            return Ok(false);
        }
        seen.sure.insert(organization);
        let known: HashSet<SnapshotId> = kept.iter().map(|kept| kept.content).collect();
        let new: Vec<SnapshotId> = there.difference(&known).copied().collect();
        let added = self.add_found(archive, organization, &new)?;
        let mut removed = 0;
        for gone in gone {
            removed += u32::from(self.remove_gone(organization, gone)?);
        }
        if added + removed > 0 {
            tracing::info!(%organization, added, removed, "stock was taken of the object store");
        }
        Ok(added + removed > 0)
    }

    /// Whether what is missing was removed, and not the store exchanged for another one. It is known by a key of the
    /// organization that stands in it, for keys are never removed. The first time, and when it was exchanged on purpose, it
    /// becomes known by what is in it: something that was saved there, or all of it.
    fn is_its_store(
        &self,
        archive: &Archive,
        organization: OrganizationId,
        stored: &[&Kept],
        gone: &[&Kept],
    ) -> Result<bool, Error> {
        let keys = archive.standing_keys(organization, &mut self.upkeep.until_closed())?;
        let known = self.catalog.store_of(organization)?;
        if known.as_ref().is_some_and(|known| keys.contains(known)) {
            return Ok(true);
        }
        let shows = gone.is_empty() || known.is_none() && !stored.is_empty();
        match keys.first() {
            Some(key) if shows => {
                self.catalog.set_store(organization, key)?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Something of the organization was just seen in the store: where nothing is known yet to tell that store from another
    /// by, this is when to write it down.
    pub(super) fn know_store(
        &self,
        archive: &Archive,
        organization: OrganizationId,
    ) -> Result<(), Error> {
        if self.catalog.store_of(organization)?.is_none()
            && let Some(key) = archive.standing_keys(organization, &mut ())?.first()
        {
            self.catalog.set_store(organization, key)?;
        }
        Ok(())
    }

    /// Writes rows for what has none. Tells how many.
    fn add_found(
        &self,
        archive: &Archive,
        organization: OrganizationId,
        new: &[SnapshotId],
    ) -> Result<u32, Error> {
        let mut found = Vec::new();
        for id in new {
            // One that cannot be read is not asked for again and again: a check names it.
            if archive.is_known(organization, *id)?
                && let Some(info) = archive.manifest(organization, *id)?
                && let Some(row) = Found::of(organization, &info.description)
            {
                found.push((*id, row));
            }
        }
        if found.is_empty() {
            return Ok(0);
        }
        self.catalog.write(|tx| {
            let mut added = 0;
            for (id, row) in &found {
                // What was deleted here since is neither in the catalog nor known to the archive.
                if is_kept(tx, *id)? || !archive.is_known(organization, *id)? {
                    continue;
                }
                match row.insert(tx) {
                    Ok(()) => added += 1,
                    Err(error) => {
                        tracing::warn!(snapshot = %id, error = chain(&error), "what is in the object store cannot be entered into the catalog");
                    }
                }
            }
            Ok(added)
        })
    }

    /// Forgets what is not in the store any more, and says so in the activity log. False: it has changed meanwhile, or is
    /// being worked with.
    fn remove_gone(&self, organization: OrganizationId, gone: &Kept) -> Result<bool, Error> {
        if let Some((zone, checkpoint)) = gone.boundary {
            let Ok(pool) = self.zones.get(zone).and_then(|zone| zone.pool("")) else {
                return Ok(false);
            };
            pool.delete_checkpoint(checkpoint)?;
            self.catalog.set_held(gone.content, Held::Gone)?;
        }
        let act = match gone.template {
            Some(_) => Act::TemplateGone,
            None => Act::SnapshotGone,
        };
        let act = serde_json::to_string(&act).map_err(|source| Error::Json {
            what: "an act",
            source,
        })?;
        self.catalog.write(|tx| {
            if !forget_gone(tx, gone)? {
                return Ok(false);
            }
            let event = NewEvent {
                organization,
                at: self.now(),
                user: None,
                who: None,
                door: Door::System,
                act,
                subject: &gone.name,
                job: None,
                object: None,
            };
            insert_event(tx, &event)?;
            Ok(true)
        })
    }
}
