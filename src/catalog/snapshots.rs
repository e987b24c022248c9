//! Volume snapshots: intents and proofs. Their bytes are the archive's, their checkpoints the engine's.

use super::jobs::{JOB, Job, LIVE, job_at};
use super::paging::{Conditions, Narrow, Paged, marks, on_page, order, ordered};
use super::{Catalog, Context, Error, search};
use crate::domain::fault::Fault;
use crate::domain::id::{CheckpointId, OrganizationId, SnapshotId, VolumeId, ZoneId};
use crate::domain::size::Bytes;
use crate::domain::snapshot::SnapshotState;
use crate::domain::volume::VolumeKind;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};
use rusqlite::{OptionalExtension, Row, ToSql, Transaction, named_params, params_from_iter};

/// What the pool has of a snapshot's checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// It was not made yet, as far as is known.
    NotYet,
    /// All of it can be read.
    Whole,
    /// Only its boundary stays, for a later snapshot to build on.
    Base,
    /// Nothing.
    Gone,
}

impl Held {
    const fn word(self) -> &'static str {
        match self {
            Self::NotYet => "not-yet",
            Self::Whole => "whole",
            Self::Base => "base",
            Self::Gone => "gone",
        }
    }
}

impl ToSql for Held {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.word()))
    }
}

impl FromSql for Held {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let text = value.as_str()?;
        [Self::NotYet, Self::Whole, Self::Base, Self::Gone]
            .into_iter()
            .find(|held| held.word() == text)
            .ok_or(FromSqlError::InvalidType)
    }
}

/// A volume snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Its id, the archive's too.
    pub id: SnapshotId,
    /// Whose it is.
    pub organization: OrganizationId,
    /// The zone whose pool has its checkpoint; none: another server took it.
    pub zone: Option<ZoneId>,
    /// Where another server took it: the name of that zone, if the object store tells it.
    pub place: Option<String>,
    /// The volume it was taken of, which may be gone.
    pub volume: VolumeId,
    /// That volume's name, then.
    pub volume_name: String,
    /// What that volume was for.
    pub kind: VolumeKind,
    /// Size of the disk.
    pub size: Bytes,
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub state: SnapshotState,
    /// Why it failed.
    pub fault: Option<Fault>,
    /// The engine's name of the moment; of nothing, where another server took it.
    pub checkpoint: CheckpointId,
    /// What the pool has of it.
    pub held: Held,
    /// When it was asked for, then the moment it holds.
    pub taken: i64,
    /// When every chunk was last re-read.
    pub verified: Option<i64>,
    /// Bytes that hold data.
    pub data: Option<Bytes>,
    /// The snapshot it was built on.
    pub base: Option<SnapshotId>,
}

/// A row of the list of snapshots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedSnapshot {
    /// The snapshot.
    pub snapshot: Snapshot,
    /// The name of the zone it was taken in, here or elsewhere; none where that is not known.
    pub zone_name: Option<String>,
    /// The work at hand on it, or the last one.
    pub job: Option<Job>,
}

const COLUMNS: &str = "s.id, s.organization, s.zone, s.volume, s.volume_name, s.kind, s.size, s.name, s.state, s.fault,
                       s.checkpoint, s.held, s.taken, s.verified, s.data, s.base, s.place";

fn snapshot_at(row: &Row<'_>) -> rusqlite::Result<Snapshot> {
    Ok(Snapshot {
        id: row.get(0)?,
        organization: row.get(1)?,
        zone: row.get(2)?,
        volume: row.get(3)?,
        volume_name: row.get(4)?,
        kind: row.get(5)?,
        size: row.get(6)?,
        name: row.get(7)?,
        state: row.get(8)?,
        fault: row.get(9)?,
        checkpoint: row.get(10)?,
        held: row.get(11)?,
        taken: row.get(12)?,
        verified: row.get(13)?,
        data: row.get(14)?,
        base: row.get(15)?,
        place: row.get(16)?,
    })
}

/// The list's statement, up to its WHERE. The job is the live one or, when there is none, the last that was asked for.
pub(super) fn listed() -> String {
    format!(
        "SELECT {COLUMNS}, COALESCE(z.name, s.place), {JOB}
         FROM snapshots s LEFT JOIN zones z ON z.id = s.zone
           LEFT JOIN jobs j ON j.id = (SELECT id FROM jobs WHERE subject = s.id
                                       ORDER BY state IN {LIVE} DESC, asked DESC, id DESC LIMIT 1)"
    )
}

pub(super) fn listed_at(row: &Row<'_>) -> rusqlite::Result<ListedSnapshot> {
    Ok(ListedSnapshot {
        snapshot: snapshot_at(row)?,
        zone_name: row.get(17)?,
        job: job_at(row, 18)?,
    })
}

impl Catalog {
    /// A page of the organization's snapshots, newest first unless asked for otherwise. Three statements, whatever the
    /// number of rows.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn list_snapshots(
        &self,
        organization: OrganizationId,
        narrow: &Narrow,
        limit: u32,
    ) -> Result<Paged<ListedSnapshot>, Error> {
        let conditions = Conditions::new("s.organization = ?", organization)
            .and("s.state = ?", &narrow.state)
            .and("s.zone = ?", &narrow.zone)
            .and("s.kind = ?", &narrow.kind)
            .and(
                "(s.volume = ? OR s.volume IN (SELECT id FROM volumes WHERE instance = ?))",
                &narrow.of,
            )
            .find(search::SNAPSHOT, &narrow.find);
        let columns = [
            ("name", "s.name COLLATE names"),
            ("state", "s.state"),
            ("volume", "s.volume_name COLLATE names"),
            ("data", "s.data"),
            ("taken", "s.taken"),
        ];
        let order = order(&narrow.sort, &columns, "s.taken DESC, s.id DESC");
        let tables = "snapshots s LEFT JOIN zones z ON z.id = s.zone";
        self.read(|tx| {
            let page = (narrow.page, limit);
            let (window, ids) =
                on_page::<SnapshotId>(tx, (tables, "s.id"), &conditions, &order, page)?;
            let sql = format!("{} WHERE s.id IN ({})", listed(), marks(ids.len()));
            let mut query = tx.prepare_cached(&sql).context("list the snapshots")?;
            let rows = query.query_map(params_from_iter(&ids), listed_at);
            let rows = rows
                .and_then(Iterator::collect)
                .context("list the snapshots")?;
            Ok(window.with(ordered(&ids, rows, |row: &ListedSnapshot| row.snapshot.id)))
        })
    }

    /// One snapshot of the organization, as the list shows it.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn listed_snapshot(
        &self,
        organization: OrganizationId,
        id: SnapshotId,
    ) -> Result<Option<ListedSnapshot>, Error> {
        self.read(|tx| {
            tx.prepare_cached(&format!(
                "{} WHERE s.id = ?1 AND s.organization = ?2",
                listed()
            ))
            .and_then(|mut query| query.query_row((id, organization), listed_at).optional())
            .context("find a snapshot")
        })
    }

    /// The snapshot, whoever owns it: for the program's own work. Members ask with [`snapshot_of`].
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn snapshot(&self, id: SnapshotId) -> Result<Option<Snapshot>, Error> {
        self.read(|tx| {
            tx.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM snapshots s WHERE s.id = ?1"
            ))
            .and_then(|mut query| query.query_row([id], snapshot_at).optional())
            .context("find a snapshot")
        })
    }

    /// Every snapshot of the volume, newest first.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn snapshots_of_volume(&self, volume: VolumeId) -> Result<Vec<Snapshot>, Error> {
        self.snapshots_where("s.volume = ?1 ORDER BY s.taken DESC, s.id DESC", &volume)
    }

    /// Every snapshot whose checkpoint is in this zone's pool, for the comparison with it.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn snapshots_of_zone(&self, zone: ZoneId) -> Result<Vec<Snapshot>, Error> {
        self.snapshots_where("s.zone = ?1 ORDER BY s.id", &zone)
    }

    fn snapshots_where(
        &self,
        condition: &'static str,
        id: &dyn ToSql,
    ) -> Result<Vec<Snapshot>, Error> {
        self.read(|tx| {
            let sql = format!("SELECT {COLUMNS} FROM snapshots s WHERE {condition}");
            let mut query = tx.prepare_cached(&sql).context("list snapshots")?;
            query
                .query_map([id], snapshot_at)
                .and_then(Iterator::collect)
                .context("list snapshots")
        })
    }

    /// Snapshots in a passing state that no live work will move on.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn stranded_snapshots(&self) -> Result<Vec<Snapshot>, Error> {
        self.read(|tx| {
            let sql = format!(
                "SELECT {COLUMNS} FROM snapshots s WHERE s.state IN ('creating', 'saving', 'deleting')
                   AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.subject = s.id AND j.state IN {LIVE})"
            );
            let mut query = tx.prepare_cached(&sql).context("look for stranded snapshots")?;
            query.query_map([], snapshot_at).and_then(Iterator::collect).context("look for stranded snapshots")
        })
    }

    /// The saved snapshot that was not proven since `before` and waits longest for it; one that nothing works on. A
    /// snapshot that was never proven has waited since it was taken.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn snapshot_to_verify(&self, before: i64) -> Result<Option<Snapshot>, Error> {
        self.read(|tx| {
            let sql = format!(
                "SELECT {COLUMNS} FROM snapshots s
                 WHERE s.state IN ('saved', 'verified') AND COALESCE(s.verified, s.taken) < ?1
                   AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.subject = s.id
                                   AND (j.state IN {LIVE} OR (j.kind = 'verify-snapshot' AND j.asked >= ?1)))
                 ORDER BY COALESCE(s.verified, s.taken), s.id LIMIT 1"
            );
            tx.prepare_cached(&sql)
                .and_then(|mut query| query.query_row([before], snapshot_at).optional())
                .context("look for a snapshot to verify")
        })
    }

    /// Whether a snapshot is being proven.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn is_verifying(&self) -> Result<bool, Error> {
        self.read(|tx| {
            let sql = format!(
                "SELECT EXISTS (SELECT 1 FROM jobs WHERE kind = 'verify-snapshot' AND state IN {LIVE})"
            );
            tx.prepare_cached(&sql)
                .and_then(|mut query| query.query_row([], |row| row.get(0)))
                .context("look for verifications")
        })
    }

    /// Writes down when the moment is being taken, before the engine takes it.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn set_taken(&self, id: SnapshotId, taken: i64) -> Result<(), Error> {
        self.write(|tx| {
            tx.prepare_cached("UPDATE snapshots SET taken = ?2 WHERE id = ?1 AND held = 'not-yet'")
                .and_then(|mut update| update.execute((id, taken)))
                .context("write a snapshot's moment")?;
            Ok(())
        })
    }

    /// Writes down what the pool has of the snapshot's checkpoint.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn set_held(&self, id: SnapshotId, held: Held) -> Result<(), Error> {
        self.write(|tx| set_held(tx, id, held))
    }

    /// Writes down the figures of a save that succeeded.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn set_saved(
        &self,
        id: SnapshotId,
        data: Bytes,
        uploaded: Bytes,
        base: Option<SnapshotId>,
    ) -> Result<(), Error> {
        self.write(|tx| {
            tx.prepare_cached(
                "UPDATE snapshots SET data = ?2, uploaded = ?3, base = ?4 WHERE id = ?1",
            )
            .and_then(|mut update| update.execute((id, data, uploaded, base)))
            .context("write a save's figures")?;
            Ok(())
        })
    }
}

/// Writes down what the pool has of the snapshot's checkpoint.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn set_held(tx: &Transaction<'_>, id: SnapshotId, held: Held) -> Result<(), Error> {
    tx.prepare_cached("UPDATE snapshots SET held = ?2 WHERE id = ?1")
        .and_then(|mut update| update.execute((id, held)))
        .context("write what a pool has of a snapshot")?;
    Ok(())
}

/// Writes down that every chunk of the snapshot was read and authenticated.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn set_verified(tx: &Transaction<'_>, id: SnapshotId, at: i64) -> Result<(), Error> {
    tx.prepare_cached("UPDATE snapshots SET verified = ?2 WHERE id = ?1")
        .and_then(|mut update| update.execute((id, at)))
        .context("write when a snapshot was verified")?;
    Ok(())
}

/// The snapshot, if it belongs to the organization: to everybody else it does not exist.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn snapshot_of(
    tx: &Transaction<'_>,
    organization: OrganizationId,
    id: SnapshotId,
) -> Result<Option<Snapshot>, Error> {
    tx.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM snapshots s WHERE s.id = ?1 AND s.organization = ?2"
    ))
    .and_then(|mut query| query.query_row((id, organization), snapshot_at).optional())
    .context("find a snapshot")
}

/// Whether a snapshot of the organization has this name, in any case.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn snapshot_name_taken(
    tx: &Transaction<'_>,
    organization: OrganizationId,
    name: &str,
) -> Result<bool, Error> {
    tx.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM snapshots WHERE organization = ?1 AND name_key = ?2)",
    )
    .and_then(|mut query| query.query_row((organization, name.to_lowercase()), |row| row.get(0)))
    .context("look for a snapshot's name")
}

/// Writes a new snapshot.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn insert_snapshot(tx: &Transaction<'_>, snapshot: &Snapshot) -> Result<(), Error> {
    let sql = "INSERT INTO snapshots (id, organization, zone, place, volume, volume_name, kind, size, name, name_key, state,
                                      checkpoint, held, taken, data)
               VALUES (:id, :organization, :zone, :place, :volume, :volume_name, :kind, :size, :name, :name_key, :state,
                       :checkpoint, :held, :taken, :data)";
    tx.prepare_cached(sql)
        .and_then(|mut insert| {
            insert.execute(named_params! {
                ":id": snapshot.id,
                ":organization": snapshot.organization,
                ":zone": snapshot.zone,
                ":place": snapshot.place,
                ":volume": snapshot.volume,
                ":volume_name": snapshot.volume_name,
                ":kind": snapshot.kind,
                ":size": snapshot.size,
                ":name": snapshot.name,
                ":name_key": snapshot.name.to_lowercase(),
                ":state": snapshot.state,
                ":checkpoint": snapshot.checkpoint,
                ":held": snapshot.held,
                ":taken": snapshot.taken,
                ":data": snapshot.data,
            })
        })
        .context("write a snapshot")?;
    Ok(())
}

/// Moves the snapshot from one state to another. False, and nothing done, when it is not in `from` (any more).
///
/// # Errors
/// [`Error::Sqlite`].
pub fn move_snapshot(
    tx: &Transaction<'_>,
    id: SnapshotId,
    from: SnapshotState,
    to: SnapshotState,
    fault: Option<&Fault>,
) -> Result<bool, Error> {
    tx.prepare_cached("UPDATE snapshots SET state = ?3, fault = ?4 WHERE id = ?1 AND state = ?2")
        .and_then(|mut update| update.execute((id, from, to, fault)))
        .map(|rows| rows == 1)
        .context("move a snapshot on")
}

/// Forgets a snapshot that is gone.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn forget_snapshot(tx: &Transaction<'_>, id: SnapshotId) -> Result<bool, Error> {
    tx.prepare_cached("DELETE FROM snapshots WHERE id = ?1 AND state = 'deleting'")
        .and_then(|mut delete| delete.execute([id]))
        .map(|rows| rows == 1)
        .context("forget a snapshot")
}
