//! What volumes were made from that is in the object store: a row is written before the object store is asked to hold it, and
//! stays until it was let go of.

use super::jobs::LIVE;
use super::{Catalog, Context, Error};
use crate::domain::id::{CheckpointId, OrganizationId, SnapshotId, VolumeId, ZoneId};
use rusqlite::{OptionalExtension, Row, Transaction};

/// What a volume was made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// The volume, which may be gone. Its id names the hold, too.
    pub volume: VolumeId,
    /// Whose it is.
    pub organization: OrganizationId,
    /// The zone whose pool has the volume.
    pub zone: ZoneId,
    /// The object store's id of the content; that may be gone.
    pub content: SnapshotId,
    /// The engine's checkpoint that stands for the content.
    pub base: CheckpointId,
    /// Whether the object store may have a hold for it.
    pub held: bool,
}

const COLUMNS: &str = "o.volume, o.organization, o.zone, o.content, o.base, o.held";

fn origin_at(row: &Row<'_>) -> rusqlite::Result<Origin> {
    Ok(Origin {
        volume: row.get(0)?,
        organization: row.get(1)?,
        zone: row.get(2)?,
        content: row.get(3)?,
        base: row.get(4)?,
        held: row.get(5)?,
    })
}

impl Catalog {
    /// Writes the origin down, before the object store is asked to hold it; gives what stands there already otherwise.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn write_origin(&self, origin: &Origin) -> Result<Origin, Error> {
        self.write(|tx| {
            tx.prepare_cached(
                "INSERT INTO origins (volume, organization, zone, content, base, held) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (volume) DO NOTHING",
            )
            .and_then(|mut insert| {
                insert.execute((
                    origin.volume,
                    origin.organization,
                    origin.zone,
                    origin.content,
                    origin.base,
                    origin.held,
                ))
            })
            .context("write what a volume is made from")?;
            Ok(origin_of(tx, origin.volume)?.unwrap_or(*origin))
        })
    }

    /// What the volume was made from; none: nothing that is in the object store.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn origin(&self, volume: VolumeId) -> Result<Option<Origin>, Error> {
        self.read(|tx| origin_of(tx, volume))
    }

    /// Those of the zone's volumes, for the comparison with its pool.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn origins_of_zone(&self, zone: ZoneId) -> Result<Vec<Origin>, Error> {
        self.origins_where("o.zone = ?1 ORDER BY o.volume", &zone)
    }

    /// Those of the zone for which the object store may have a hold, and whose volumes are not just being made.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn held_origins(&self, zone: ZoneId) -> Result<Vec<Origin>, Error> {
        self.origins_where(
            "o.zone = ?1 AND o.held = 1
             AND NOT EXISTS (SELECT 1 FROM volumes v WHERE v.id = o.volume AND v.state IN ('creating', 'restoring'))
             ORDER BY o.volume",
            &zone,
        )
    }

    fn origins_where(&self, condition: &'static str, zone: &ZoneId) -> Result<Vec<Origin>, Error> {
        self.read(|tx| {
            let sql = format!("SELECT {COLUMNS} FROM origins o WHERE {condition}");
            let mut query = tx.prepare_cached(&sql).context("list origins")?;
            query
                .query_map([zone], origin_at)
                .and_then(Iterator::collect)
                .context("list origins")
        })
    }

    /// The object store holds nothing for the volume any more. What has no volume either is forgotten.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn origin_released(&self, volume: VolumeId) -> Result<(), Error> {
        self.write(|tx| {
            tx.prepare_cached("UPDATE origins SET held = 0 WHERE volume = ?1")
                .and_then(|mut update| update.execute([volume]))
                .context("write that a hold is released")?;
            tx.prepare_cached(
                "DELETE FROM origins WHERE held = 0
                 AND NOT EXISTS (SELECT 1 FROM volumes v WHERE v.id = origins.volume AND v.state <> 'failed')",
            )
            .and_then(|mut delete| delete.execute([]))
            .context("forget origins")?;
            Ok(())
        })
    }

    /// Whether the program should begin to fill the volume: it is ready, nothing works on it, and no fill of it failed or
    /// was interrupted; those are begun again by a member.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn may_fill(&self, volume: VolumeId) -> Result<bool, Error> {
        self.read(|tx| {
            let sql = format!(
                "SELECT EXISTS (SELECT 1 FROM volumes WHERE id = ?1 AND state = 'ready')
                    AND NOT EXISTS (SELECT 1 FROM jobs WHERE subject = ?1
                                    AND (state IN {LIVE} OR (kind = 'fill-volume' AND state <> 'succeeded')))"
            );
            tx.prepare_cached(&sql)
                .and_then(|mut query| query.query_row([volume], |row| row.get(0)))
                .context("look for a fill")
        })
    }
}

/// As [`Catalog::origin`].
///
/// # Errors
/// [`Error::Sqlite`].
pub fn origin_of(tx: &Transaction<'_>, volume: VolumeId) -> Result<Option<Origin>, Error> {
    tx.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM origins o WHERE o.volume = ?1"
    ))
    .and_then(|mut query| query.query_row([volume], origin_at).optional())
    .context("find what a volume was made from")
}
