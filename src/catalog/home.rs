//! What the first page asks: a fixed number of statements, whatever the organization has.

use super::jobs::{JOB, Job, LIVE, job_at};
use super::volumes::{COLUMNS, COUNT, Volume, volume_at};
use super::{Catalog, Context, Error};
use crate::domain::fault::Fault;
use crate::domain::id::{
    CheckpointId, InstanceId, OrganizationId, SnapshotId, TemplateId, VolumeId,
};
use crate::domain::instance::InstanceState;
use crate::domain::snapshot::SnapshotState;
use crate::domain::template::TemplateState;
use crate::domain::volume::VolumeState;
use rusqlite::Row;

/// How many objects there are, by state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tallies {
    /// Of instances.
    pub instances: Vec<(InstanceState, u32)>,
    /// Of volumes.
    pub volumes: Vec<(VolumeState, u32)>,
    /// Of snapshots.
    pub snapshots: Vec<(SnapshotState, u32)>,
    /// Of templates.
    pub templates: Vec<(TemplateState, u32)>,
}

/// What is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thing {
    /// An instance is in error.
    Instance(InstanceId),
    /// A volume could not be made.
    Volume(VolumeId),
    /// Data of a volume is in the object store, and the work that fetches it ended too early.
    Filling(VolumeId),
    /// A snapshot failed.
    Snapshot(SnapshotId),
    /// A template failed.
    Template(TemplateId),
}

/// Something that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// What.
    pub thing: Thing,
    /// Its name.
    pub name: String,
    /// Why.
    pub fault: Option<Fault>,
    /// The last work on it.
    pub job: Option<Job>,
}

/// A volume that can be used, and what a next snapshot of it would build on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The volume.
    pub volume: Volume,
    /// The engine's checkpoint of its newest snapshot, or of what it was made from where there is no snapshot.
    pub base: Option<CheckpointId>,
    /// When that snapshot was taken.
    pub taken: Option<i64>,
}

impl Catalog {
    /// How many objects the organization has, by state.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn tallies(&self, organization: OrganizationId) -> Result<Tallies, Error> {
        self.read(|tx| {
            let sql = "SELECT 1, state, COUNT(*) FROM instances WHERE organization = ?1 GROUP BY state
                 UNION ALL SELECT 2, state, COUNT(*) FROM volumes WHERE organization = ?1 GROUP BY state
                 UNION ALL SELECT 3, state, COUNT(*) FROM snapshots WHERE organization = ?1 GROUP BY state
                 UNION ALL SELECT 4, state, COUNT(*) FROM templates WHERE organization = ?1 GROUP BY state";
            let mut tallies = Tallies::default();
            tx.prepare_cached(sql)
                .and_then(|mut query| {
                    let mut rows = query.query([organization])?;
                    while let Some(row) = rows.next()? {
                        match row.get(0)? {
                            1 => tallies.instances.push((row.get(1)?, row.get(2)?)),
                            2 => tallies.volumes.push((row.get(1)?, row.get(2)?)),
                            3 => tallies.snapshots.push((row.get(1)?, row.get(2)?)),
                            _ => tallies.templates.push((row.get(1)?, row.get(2)?)),
                        }
                    }
                    Ok(())
                })
                .context("count an organization's objects")?;
            Ok(tallies)
        })
    }

    /// What failed of the organization's objects: of each kind the newest, so many of them at most.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn broken(&self, organization: OrganizationId, limit: u32) -> Result<Vec<Broken>, Error> {
        let failed = |number: u32, table: &str, age: &str| {
            format!(
                "SELECT * FROM (SELECT {number} AS thing, id, name, fault FROM {table}
                   WHERE organization = ?1 AND state = 'failed' ORDER BY {age} DESC, id DESC LIMIT ?2)"
            )
        };
        // Only what the object store holds for a volume can be missing in it.
        let sql = format!(
            "SELECT b.thing, b.id, b.name, b.fault, {JOB} FROM (
               {} UNION ALL {} UNION ALL {} UNION ALL {}
               UNION ALL SELECT * FROM (SELECT 3 AS thing, v.id, v.name, NULL FROM origins o JOIN volumes v ON v.id = o.volume
                 WHERE o.held = 1 AND o.organization = ?1 AND v.state = 'ready'
                   AND (SELECT f.state FROM jobs f WHERE f.subject = v.id ORDER BY f.state IN {LIVE} DESC, f.asked DESC, f.id DESC LIMIT 1)
                     IN ('failed', 'interrupted')
                 ORDER BY v.created DESC, v.id DESC LIMIT ?2)
             ) b LEFT JOIN jobs j ON j.id = (SELECT l.id FROM jobs l WHERE l.subject = b.id
                                             ORDER BY l.state IN {LIVE} DESC, l.asked DESC, l.id DESC LIMIT 1)
             ORDER BY b.thing",
            failed(1, "instances", "created"),
            failed(2, "volumes", "created"),
            failed(4, "snapshots", "taken"),
            failed(5, "templates", "created"),
        );
        self.read(|tx| {
            tx.prepare_cached(&sql)
                .and_then(|mut query| query.query_map((organization, limit), broken_at)?.collect())
                .context("list what failed")
        })
    }

    /// How many snapshots are in the object store that were never read again and were taken before this time, and when the
    /// oldest of them was.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn never_verified(
        &self,
        organization: OrganizationId,
        before: i64,
    ) -> Result<(u32, Option<i64>), Error> {
        self.read(|tx| {
            let sql = "SELECT COUNT(*), MIN(taken) FROM snapshots
                       WHERE organization = ?1 AND state = 'saved' AND verified IS NULL AND taken < ?2";
            tx.prepare_cached(sql)
                .and_then(|mut query| {
                    query.query_row((organization, before), |row| Ok((row.get(0)?, row.get(1)?)))
                })
                .context("count snapshots that were never verified")
        })
    }

    /// Ready volumes of which nothing is in the object store, oldest first.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn without_snapshot(
        &self,
        organization: OrganizationId,
        limit: u32,
    ) -> Result<Vec<Kept>, Error> {
        self.kept_volumes(
            "o.base, NULL FROM volumes v LEFT JOIN origins o ON o.volume = v.id
             WHERE v.organization = ?1 AND v.state = 'ready'
               AND NOT EXISTS (SELECT 1 FROM snapshots s WHERE s.volume = v.id
                               AND s.state IN ('creating', 'saving', 'saved', 'verified'))
             ORDER BY v.created, v.id LIMIT ?2",
            organization,
            limit,
        )
    }

    /// Ready volumes with the newest of their snapshots that a next one can build on; those first of which it is oldest.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn oldest_snapshots(
        &self,
        organization: OrganizationId,
        limit: u32,
    ) -> Result<Vec<Kept>, Error> {
        self.kept_volumes(
            "s.checkpoint, s.taken FROM volumes v JOIN snapshots s ON s.id =
               (SELECT n.id FROM snapshots n WHERE n.volume = v.id AND n.zone = v.zone AND n.held = 'base'
                  AND n.state IN ('saved', 'verified') ORDER BY n.taken DESC, n.id DESC LIMIT 1)
             WHERE v.organization = ?1 AND v.state = 'ready'
               AND NOT EXISTS (SELECT 1 FROM snapshots u WHERE u.volume = v.id AND u.state IN ('creating', 'saving'))
             ORDER BY s.taken, v.id LIMIT ?2",
            organization,
            limit,
        )
    }

    fn kept_volumes(
        &self,
        rest: &'static str,
        organization: OrganizationId,
        limit: u32,
    ) -> Result<Vec<Kept>, Error> {
        self.read(|tx| {
            tx.prepare_cached(&format!("SELECT {COLUMNS}, {rest}"))
                .and_then(|mut query| {
                    let rows = query.query_map((organization, limit), |row| {
                        Ok(Kept {
                            volume: volume_at(row)?,
                            base: row.get(COUNT)?,
                            taken: row.get(COUNT + 1)?,
                        })
                    });
                    rows?.collect()
                })
                .context("list volumes by their snapshots")
        })
    }
}

fn broken_at(row: &Row<'_>) -> rusqlite::Result<Broken> {
    let thing = match row.get(0)? {
        1 => Thing::Instance(row.get(1)?),
        2 => Thing::Volume(row.get(1)?),
        3 => Thing::Filling(row.get(1)?),
        4 => Thing::Snapshot(row.get(1)?),
        _ => Thing::Template(row.get(1)?),
    };
    Ok(Broken {
        thing,
        name: row.get(2)?,
        fault: row.get(3)?,
        job: job_at(row, 4)?,
    })
}
