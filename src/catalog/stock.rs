//! What the catalog knows of the object store's content: for comparing the two.

use super::jobs::LIVE;
use super::snapshots::Held;
use super::{Catalog, Context, Error};
use crate::domain::id::{CheckpointId, OrganizationId, SnapshotId, TemplateId, ZoneId};
use rusqlite::{OptionalExtension, Transaction};

/// A snapshot or a template that has a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The object store's id of it.
    pub content: SnapshotId,
    /// The template whose content it is; none: it is a snapshot of its own.
    pub template: Option<TemplateId>,
    /// Its name.
    pub name: String,
    /// Whether the object store has had it, and nothing but the object store has it now.
    pub stored: bool,
    /// What the pool of a zone here keeps for it.
    pub boundary: Option<(ZoneId, CheckpointId)>,
}

/// States in which a snapshot was seen in the object store. One that failed here may never have been there; one that
/// another server took was.
const STORED: &str = "(s.state IN ('saved', 'verified') AND s.held IN ('base', 'gone') OR s.zone IS NULL AND s.state = 'failed')";

impl Catalog {
    /// Everything of the organization that is, may be or will be in the object store.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn kept(&self, organization: OrganizationId) -> Result<Vec<Kept>, Error> {
        self.read(|tx| {
            let sql = format!(
                "SELECT s.id, NULL, s.name, {STORED}, s.held, s.zone, s.checkpoint FROM snapshots s WHERE s.organization = ?1
                 UNION ALL
                 SELECT t.content, t.id, t.name, t.state = 'ready', 'gone', NULL, NULL FROM templates t WHERE t.organization = ?1"
            );
            let mut query = tx.prepare_cached(&sql).context("list what is kept")?;
            let rows = query.query_map([organization], |row| {
                let held: Held = row.get(4)?;
                let zone: Option<ZoneId> = row.get(5)?;
                let checkpoint: Option<CheckpointId> = row.get(6)?;
                Ok(Kept {
                    content: row.get(0)?,
                    template: row.get(1)?,
                    name: row.get(2)?,
                    stored: row.get(3)?,
                    boundary: zone.zip(checkpoint).filter(|_| held == Held::Base),
                })
            });
            rows.and_then(Iterator::collect).context("list what is kept")
        })
    }

    /// The key that the organization's object store is known by; none: nothing of it was seen in one yet.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn store_of(&self, organization: OrganizationId) -> Result<Option<String>, Error> {
        self.read(|tx| {
            tx.prepare_cached("SELECT store FROM organizations WHERE id = ?1")
                .and_then(|mut query| query.query_row([organization], |row| row.get(0)).optional())
                .context("find an organization's object store")
                .map(Option::flatten)
        })
    }

    /// Writes down what the organization's object store is known by.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn set_store(&self, organization: OrganizationId, key: &str) -> Result<(), Error> {
        self.write(|tx| {
            tx.prepare_cached("UPDATE organizations SET store = ?2 WHERE id = ?1")
                .and_then(|mut update| update.execute((organization, key)))
                .context("write an organization's object store")?;
            Ok(())
        })
    }
}

/// Whether something has this content.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn is_kept(tx: &Transaction<'_>, content: SnapshotId) -> Result<bool, Error> {
    tx.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM snapshots WHERE id = ?1) OR EXISTS (SELECT 1 FROM templates WHERE content = ?1)",
    )
    .and_then(|mut query| query.query_row([content], |row| row.get(0)))
    .context("look for what is kept")
}

/// Forgets what the object store does not have any more. False, and nothing done, where it has changed meanwhile, or
/// work is under way on it or with it.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn forget_gone(tx: &Transaction<'_>, gone: &Kept) -> Result<bool, Error> {
    let at_work = |column: &str| {
        format!(
            "EXISTS (SELECT 1 FROM jobs j WHERE j.state IN {LIVE} AND (j.subject = {column} OR j.source = {column}))"
        )
    };
    let (sql, id) = match gone.template {
        Some(template) => (
            format!(
                "DELETE FROM templates AS t WHERE t.id = ?1 AND t.state = 'ready' AND NOT {}",
                at_work("t.id")
            ),
            template.to_string(),
        ),
        None => (
            format!(
                "DELETE FROM snapshots AS s WHERE s.id = ?1 AND {STORED} AND NOT {}",
                at_work("s.id")
            ),
            gone.content.to_string(),
        ),
    };
    tx.prepare_cached(&sql)
        .and_then(|mut delete| delete.execute([id]))
        .map(|rows| rows == 1)
        .context("forget what is gone")
}
