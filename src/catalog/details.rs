//! What the pages of one volume and of one snapshot ask: a few statements each, whatever the number of rows.

use super::jobs::LIVE;
use super::snapshots::{ListedSnapshot, listed, listed_at};
use super::volumes::{Volume, volume_at};
use super::{Catalog, Context, Error};
use crate::domain::id::{
    CheckpointId, InstanceId, OrganizationId, PointId, SnapshotId, VolumeId, ZoneId,
};
use crate::domain::job::JobKind;
use crate::domain::size::Bytes;
use rusqlite::OptionalExtension;
use std::collections::BTreeSet;

/// What is written down of how a volume came to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The work that made it, where that was about it alone.
    pub job: Option<JobKind>,
    /// The object store's id of the content it was made from.
    pub content: Option<SnapshotId>,
    /// The engine's checkpoint that stands for that content.
    pub base: Option<CheckpointId>,
    /// The snapshot with that content, while it is there.
    pub snapshot: Option<(SnapshotId, String)>,
    /// The name of the template with that content, while it is there.
    pub template: Option<String>,
    /// The name of the template that the instance was made from whose root volume it is.
    pub template_then: Option<String>,
}

/// A snapshot, and the bytes that were sent for it.
pub type Taken = (ListedSnapshot, Option<Bytes>);

impl Catalog {
    /// How a volume came to be.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn made(&self, volume: VolumeId) -> Result<Option<Made>, Error> {
        self.read(|tx| {
            let sql = "SELECT m.kind, o.content, o.base, s.id, s.name, t.name, i.template_name
                 FROM volumes v LEFT JOIN origins o ON o.volume = v.id
                   LEFT JOIN jobs m ON m.id = (SELECT j.id FROM jobs j WHERE j.subject = v.id
                     AND j.kind IN ('create-volume', 'import-volume', 'restore-volume') ORDER BY j.asked, j.id LIMIT 1)
                   LEFT JOIN snapshots s ON s.id = COALESCE(o.content, m.source) AND s.organization = v.organization
                   LEFT JOIN templates t ON t.content = o.content AND t.organization = v.organization
                   LEFT JOIN instances i ON i.id = v.instance AND v.slot = 0
                 WHERE v.id = ?1";
            tx.prepare_cached(sql)
                .and_then(|mut query| {
                    query
                        .query_row([volume], |row| {
                            let snapshot: Option<SnapshotId> = row.get(3)?;
                            Ok(Made {
                                job: row.get(0)?,
                                content: row.get(1)?,
                                base: row.get(2)?,
                                snapshot: snapshot.zip(row.get(4)?),
                                template: row.get(5)?,
                                template_then: row.get(6)?,
                            })
                        })
                        .optional()
                })
                .context("find how a volume came to be")
        })
    }

    /// The newest snapshots of a volume, newest first, with the bytes that were sent for each, and how many there are.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn newest_snapshots(
        &self,
        volume: VolumeId,
        limit: u32,
    ) -> Result<(Vec<Taken>, u32), Error> {
        self.read(|tx| {
            let total = tx
                .prepare_cached("SELECT COUNT(*) FROM snapshots WHERE volume = ?1")
                .and_then(|mut query| query.query_row([volume], |row| row.get(0)))
                .context("count a volume's snapshots")?;
            const NEWEST: &str = "WHERE s.volume = ?1 ORDER BY s.taken DESC, s.id DESC LIMIT ?2";
            let rows: Vec<ListedSnapshot> = tx
                .prepare_cached(&format!("{} {NEWEST}", listed()))
                .and_then(|mut query| query.query_map((volume, limit), listed_at)?.collect())
                .context("list a volume's snapshots")?;
            let sent: Vec<Option<Bytes>> = tx
                .prepare_cached(&format!("SELECT s.uploaded FROM snapshots s {NEWEST}"))
                .and_then(|mut query| {
                    query
                        .query_map((volume, limit), |row| row.get(0))?
                        .collect()
                })
                .context("list what a volume's snapshots took")?;
            Ok((rows.into_iter().zip(sent).collect(), total))
        })
    }

    /// Bytes that were sent for a snapshot.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn sent_for(&self, snapshot: SnapshotId) -> Result<Option<Bytes>, Error> {
        self.read(|tx| {
            tx.prepare_cached("SELECT uploaded FROM snapshots WHERE id = ?1")
                .and_then(|mut query| query.query_row([snapshot], |row| row.get(0)).optional())
                .map(Option::flatten)
                .context("find what a snapshot took")
        })
    }

    /// Instances of the organization in the zone whose disks can be changed now, by name.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn resting_instances(
        &self,
        organization: OrganizationId,
        zone: ZoneId,
        limit: u32,
    ) -> Result<Vec<(InstanceId, String)>, Error> {
        self.read(|tx| {
            let sql = format!(
                "SELECT i.id, i.name FROM instances i
                 WHERE i.organization = ?1 AND i.zone = ?2 AND i.state IN ('stopped', 'failed')
                   AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.subject = i.id AND j.state IN {LIVE})
                 ORDER BY i.name_key LIMIT ?3"
            );
            tx.prepare_cached(&sql)
                .and_then(|mut query| {
                    let rows = query.query_map((organization, zone, limit), |row| {
                        Ok((row.get(0)?, row.get(1)?))
                    });
                    rows?.collect()
                })
                .context("list instances that rest")
        })
    }

    /// Which of these ids of instances, volumes, snapshots and templates still name one.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn that_exist(&self, ids: &BTreeSet<String>) -> Result<BTreeSet<String>, Error> {
        if ids.is_empty() {
            return Ok(BTreeSet::new());
        }
        // A list of ids, as JSON: they are made of digits, letters and dashes.
        let list = format!(
            "[\"{}\"]",
            ids.iter()
                .map(String::as_str)
                .collect::<Vec<_>>()
                .join("\",\"")
        );
        self.read(|tx| {
            let sql = "SELECT value FROM json_each(?1)
                 WHERE EXISTS (SELECT 1 FROM volumes WHERE id = value) OR EXISTS (SELECT 1 FROM snapshots WHERE id = value)
                    OR EXISTS (SELECT 1 FROM instances WHERE id = value) OR EXISTS (SELECT 1 FROM templates WHERE id = value)";
            tx.prepare_cached(sql)
                .and_then(|mut query| query.query_map([list], |row| row.get(0))?.collect())
                .context("look which objects there are")
        })
    }

    /// The newest recovery points of an instance that a member made, newest first: id, name, moment, whether with memory.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn newest_points(
        &self,
        instance: InstanceId,
        limit: u32,
    ) -> Result<Vec<(PointId, String, i64, bool)>, Error> {
        self.read(|tx| {
            let sql = "SELECT p.id, p.name, p.taken, p.memory IS NOT NULL FROM points p
                 WHERE p.instance = ?1 AND p.kind = 'made' AND p.state = 'ready' ORDER BY p.taken DESC, p.id DESC LIMIT ?2";
            tx.prepare_cached(sql)
                .and_then(|mut query| {
                    let rows = query.query_map((instance, limit), |row| {
                        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
                    });
                    rows?.collect()
                })
                .context("list an instance's newest points")
        })
    }

    /// The volume of this id, if it is the organization's and still there, with its zone's name.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn volume_in_zone(
        &self,
        organization: OrganizationId,
        volume: VolumeId,
    ) -> Result<Option<(Volume, String)>, Error> {
        let found = self.volumes_in_zones(
            "v.organization = ?1 AND v.id = ?2",
            organization,
            &volume.to_string(),
            1,
        )?;
        Ok(found.into_iter().next())
    }

    /// The organization's volumes that were made from this content, newest first, with their zones' names.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn volumes_made_from(
        &self,
        organization: OrganizationId,
        content: SnapshotId,
        limit: u32,
    ) -> Result<Vec<(Volume, String)>, Error> {
        self.volumes_in_zones(
            "v.organization = ?1 AND v.id IN
               (SELECT o.volume FROM origins o WHERE o.organization = ?1 AND o.content = ?2)",
            organization,
            &content.to_string(),
            limit,
        )
    }

    fn volumes_in_zones(
        &self,
        condition: &'static str,
        organization: OrganizationId,
        id: &str,
        limit: u32,
    ) -> Result<Vec<(Volume, String)>, Error> {
        self.read(|tx| {
            let sql = format!(
                "SELECT {}, z.name FROM volumes v JOIN zones z ON z.id = v.zone
                 WHERE {condition} ORDER BY v.created DESC, v.id DESC LIMIT ?3",
                super::volumes::COLUMNS
            );
            tx.prepare_cached(&sql)
                .and_then(|mut query| {
                    let rows = query.query_map((organization, id, limit), |row| {
                        Ok((volume_at(row)?, row.get(super::volumes::COUNT)?))
                    });
                    rows?.collect()
                })
                .context("list volumes with their zones")
        })
    }

    /// The names of the organization's templates that were made from the snapshot, newest first.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn templates_made_from(
        &self,
        organization: OrganizationId,
        snapshot: SnapshotId,
        limit: u32,
    ) -> Result<Vec<String>, Error> {
        self.read(|tx| {
            let sql = "SELECT t.name FROM templates t WHERE t.organization = ?1 AND t.state <> 'deleting'
                   AND EXISTS (SELECT 1 FROM jobs j WHERE j.subject = t.id AND j.kind = 'create-template' AND j.source = ?2)
                 ORDER BY t.created DESC, t.id DESC LIMIT ?3";
            tx.prepare_cached(sql)
                .and_then(|mut query| {
                    query.query_map((organization, snapshot, limit), |row| row.get(0))?.collect()
                })
                .context("list templates of a snapshot")
        })
    }
}
