//! Zones, and what their pools hold that nobody knows.

use super::{Catalog, Context, Error};
use crate::domain::id::ZoneId;
use rusqlite::{OptionalExtension, Transaction};

/// A zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    /// Its id; the folder of its pool bears it.
    pub id: ZoneId,
    /// Its name.
    pub name: String,
}

/// What a pool has and the catalog does not know.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quarantined {
    /// The zone of the pool.
    pub zone: ZoneId,
    /// `volume` or `checkpoint`.
    pub kind: String,
    /// The engine's id.
    pub id: String,
    /// When it was found.
    pub found: i64,
}

impl Catalog {
    /// Every zone, by name.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn zones(&self) -> Result<Vec<Zone>, Error> {
        self.read(|tx| {
            let mut query = tx
                .prepare_cached("SELECT id, name FROM zones ORDER BY name")
                .context("list the zones")?;
            let rows = query.query_map([], |row| {
                Ok(Zone {
                    id: row.get(0)?,
                    name: row.get(1)?,
                })
            });
            rows.and_then(Iterator::collect).context("list the zones")
        })
    }

    /// The zone of this name, made if there is none.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn zone_of_name(&self, name: &str, now: i64) -> Result<Zone, Error> {
        self.write(|tx| {
            let found = tx
                .query_row("SELECT id FROM zones WHERE name = ?1", [name], |row| {
                    row.get(0)
                })
                .optional()
                .context("find a zone")?;
            let id = match found {
                Some(id) => id,
                None => {
                    let id = ZoneId::new();
                    tx.execute(
                        "INSERT INTO zones (id, name, created) VALUES (?1, ?2, ?3)",
                        (id, name, now),
                    )
                    .context("write a zone")?;
                    id
                }
            };
            Ok(Zone {
                id,
                name: name.to_owned(),
            })
        })
    }

    /// The region's name: `wanted` from now on, else the one it has, else `first`.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn region(&self, wanted: Option<&str>, first: &str) -> Result<String, Error> {
        self.write(|tx| {
            let known = tx
                .query_row("SELECT name FROM region", [], |row| row.get(0))
                .optional()
                .context("find the region's name")?;
            let name = wanted
                .map(str::to_owned)
                .or(known)
                .unwrap_or_else(|| first.to_owned());
            tx.execute(
                "INSERT OR REPLACE INTO region (one, name) VALUES (1, ?1)",
                [&name],
            )
            .context("write the region's name")?;
            Ok(name)
        })
    }

    /// What was found in the pools and is known to nobody.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn quarantine(&self) -> Result<Vec<Quarantined>, Error> {
        self.read(|tx| {
            let sql = "SELECT zone, kind, id, found FROM quarantine ORDER BY zone, kind, id";
            let mut query = tx.prepare_cached(sql).context("list the quarantine")?;
            let rows = query.query_map([], |row| {
                Ok(Quarantined {
                    zone: row.get(0)?,
                    kind: row.get(1)?,
                    id: row.get(2)?,
                    found: row.get(3)?,
                })
            });
            rows.and_then(Iterator::collect)
                .context("list the quarantine")
        })
    }
}

/// Makes the zone's quarantine what was just found; what stands there already keeps its date.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn set_quarantine(
    tx: &Transaction<'_>,
    zone: ZoneId,
    found: &[(&'static str, String)],
    now: i64,
) -> Result<(), Error> {
    let mut known: Vec<(String, String)> = {
        let mut query = tx
            .prepare_cached("SELECT kind, id FROM quarantine WHERE zone = ?1")
            .context("read the quarantine")?;
        let rows = query.query_map([zone], |row| Ok((row.get(0)?, row.get(1)?)));
        rows.and_then(Iterator::collect)
            .context("read the quarantine")?
    };
    for (kind, id) in found {
        let before = known.len();
        known.retain(|(known_kind, known_id)| !(known_kind == kind && known_id == id));
        if known.len() == before {
            tx.execute(
                "INSERT INTO quarantine (zone, kind, id, found) VALUES (?1, ?2, ?3, ?4)",
                (zone, kind, id, now),
            )
            .context("write into the quarantine")?;
        }
    }
    for (kind, id) in known {
        tx.execute(
            "DELETE FROM quarantine WHERE zone = ?1 AND kind = ?2 AND id = ?3",
            (zone, kind, id),
        )
        .context("take out of the quarantine")?;
    }
    Ok(())
}
