//! Recovery points: intents and proofs, the tree they make, and which disks an instance has. Their bytes are the
//! engine's.
//!
//! What may never be true: a checkpoint of a point in a pool that no row names (the row is written first, and goes last);
//! a point whose parent is gone ([`forget_point`] hands its children on in the same transaction).

use super::jobs::LIVE;
use super::volumes::{disks_of, set_attachment};
use super::{Catalog, Context, Error};
use crate::domain::id::{CheckpointId, InstanceId, OrganizationId, PointId, VolumeId, ZoneId};
use crate::domain::instance::{Accelerator, Hardware};
use crate::domain::recovery::{Consistency, PointKind, PointState};
use crate::domain::size::Bytes;
use crate::domain::volume::VolumeKind;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};
use rusqlite::{OptionalExtension, Row, ToSql, Transaction, named_params};

/// A recovery point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    /// Its id.
    pub id: PointId,
    /// Whose it is.
    pub organization: OrganizationId,
    /// The instance whose disks it holds.
    pub instance: InstanceId,
    /// The point it descends from.
    pub parent: Option<PointId>,
    /// Its name; of a safety point: the name of the point that was rolled back to.
    pub name: String,
    /// What its maker wrote.
    pub description: String,
    /// Why it is there.
    pub kind: PointKind,
    /// Where it stands.
    pub state: PointState,
    /// What state its disks are in, or will be in when they are kept.
    pub consistency: Option<Consistency>,
    /// Whether the instance ran.
    pub running: bool,
    /// Microseconds that the guest stood still, where that was measured.
    pub stood_still: Option<u64>,
    /// What it takes to start it again.
    pub hardware: Hardware,
    /// The member who made it; none: the program.
    pub by_name: Option<String>,
    /// When it was asked for, then the moment it holds.
    pub taken: i64,
    /// When it goes by itself (safety points).
    pub expires: Option<i64>,
    /// Bytes of the file that keeps the guest's memory of that instant; none: it holds the disks only.
    pub memory: Option<Bytes>,
    /// What computed the guest whose memory it is.
    pub accelerator: Option<Accelerator>,
}

/// A disk that a point holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// Its place among the instance's disks; of one that stood beside: any that is free.
    pub slot: u32,
    /// The volume, which may be gone.
    pub volume: VolumeId,
    /// Its name, then.
    pub volume_name: String,
    /// What it was for.
    pub kind: VolumeKind,
    /// Its size.
    pub size: Bytes,
    /// The engine's name of its content.
    pub checkpoint: CheckpointId,
    /// It was not attached. Only safety points have such: a rollback that attaches a disk again overwrites it.
    pub beside: bool,
}

impl ToSql for Hardware {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        serde_json::to_string(self)
            .map(ToSqlOutput::from)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
    }
}

impl FromSql for Hardware {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        serde_json::from_str(value.as_str()?).map_err(|error| FromSqlError::Other(Box::new(error)))
    }
}

const COLUMNS: &str =
    "p.id, p.organization, p.instance, p.parent, p.name, p.description, p.kind, p.state,
    p.consistency, p.running, p.stood_still, p.hardware, p.by_name, p.taken, p.expires, p.memory,
    p.accelerator";

fn point_at(row: &Row<'_>) -> rusqlite::Result<Point> {
    Ok(Point {
        id: row.get(0)?,
        organization: row.get(1)?,
        instance: row.get(2)?,
        parent: row.get(3)?,
        name: row.get(4)?,
        description: row.get(5)?,
        kind: row.get(6)?,
        state: row.get(7)?,
        consistency: row.get(8)?,
        running: row.get(9)?,
        // Written as a signed number, never a negative one.
        stood_still: row
            .get::<_, Option<i64>>(10)?
            .map(|micros| micros.unsigned_abs()),
        hardware: row.get(11)?,
        by_name: row.get(12)?,
        taken: row.get(13)?,
        expires: row.get(14)?,
        memory: row.get(15)?,
        accelerator: row.get(16)?,
    })
}

const DISK: &str =
    "d.slot, d.volume, d.volume_name, d.kind, d.size, d.checkpoint, d.beside, d.point";

fn disk_at(row: &Row<'_>) -> rusqlite::Result<Disk> {
    Ok(Disk {
        slot: row.get(0)?,
        volume: row.get(1)?,
        volume_name: row.get(2)?,
        kind: row.get(3)?,
        size: row.get(4)?,
        checkpoint: row.get(5)?,
        beside: row.get(6)?,
    })
}

impl Catalog {
    /// The points that there are, whoever owns them: files of others are left over.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn point_ids(&self) -> Result<Vec<PointId>, Error> {
        self.read(|tx| {
            tx.prepare_cached("SELECT id FROM points")
                .and_then(|mut query| {
                    query
                        .query_map([], |row| row.get(0))
                        .and_then(Iterator::collect)
                })
                .context("list recovery points")
        })
    }

    /// The point, whoever owns it: for the program's own work. Members ask with [`point_of`].
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn point(&self, id: PointId) -> Result<Option<Point>, Error> {
        self.read(|tx| {
            tx.prepare_cached(&format!("SELECT {COLUMNS} FROM points p WHERE p.id = ?1"))
                .and_then(|mut query| query.query_row([id], point_at).optional())
                .context("find a recovery point")
        })
    }

    /// The instance's points, oldest first, without their disks.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn points_of(&self, instance: InstanceId) -> Result<Vec<Point>, Error> {
        self.read(|tx| {
            let sql = format!(
                "SELECT {COLUMNS} FROM points p WHERE p.instance = ?1 ORDER BY p.taken, p.id"
            );
            tx.prepare_cached(&sql)
                .and_then(|mut query| {
                    query
                        .query_map([instance], point_at)
                        .and_then(Iterator::collect)
                })
                .context("list an instance's recovery points")
        })
    }

    /// Checkpoints of points in this zone's pool, for the comparison with it.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn point_checkpoints_of_zone(&self, zone: ZoneId) -> Result<Vec<CheckpointId>, Error> {
        self.read(|tx| {
            let sql = "SELECT d.checkpoint FROM point_disks d JOIN points p ON p.id = d.point
                         JOIN instances i ON i.id = p.instance WHERE i.zone = ?1";
            let mut query = tx
                .prepare_cached(sql)
                .context("list a zone's recovery points")?;
            query
                .query_map([zone], |row| row.get(0))
                .and_then(Iterator::collect)
                .context("list a zone's recovery points")
        })
    }

    /// Points that are to go and that nothing works on: those that have expired, and those whose work was lost. Points
    /// of an instance that something works on come later.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn points_to_remove(&self, now: i64) -> Result<Vec<Point>, Error> {
        self.read(|tx| {
            let sql = format!(
                "SELECT {COLUMNS} FROM points p
                 WHERE (p.state IN ('creating', 'deleting') OR p.expires <= ?1)
                   AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.subject = p.instance AND j.state IN {LIVE})
                 ORDER BY p.instance, p.id"
            );
            let mut query = tx
                .prepare_cached(&sql)
                .context("look for recovery points that are to go")?;
            query
                .query_map([now], point_at)
                .and_then(Iterator::collect)
                .context("look for recovery points that are to go")
        })
    }
}

/// The name of a point of the instance that live work reads, if there is one.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn point_being_read(
    tx: &Transaction<'_>,
    instance: InstanceId,
) -> Result<Option<String>, Error> {
    let sql = format!(
        "SELECT p.name FROM points p JOIN jobs j ON j.source = p.id
         WHERE p.instance = ?1 AND j.state IN {LIVE} ORDER BY p.taken LIMIT 1"
    );
    tx.prepare_cached(&sql)
        .and_then(|mut query| query.query_row([instance], |row| row.get(0)).optional())
        .context("look for work that reads a recovery point")
}

/// The instance's points, oldest first, each with its disks by slot. Two statements, whatever their number.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn points_of_instance(
    tx: &Transaction<'_>,
    instance: InstanceId,
) -> Result<Vec<(Point, Vec<Disk>)>, Error> {
    let doing = "list an instance's recovery points";
    let sql =
        format!("SELECT {COLUMNS} FROM points p WHERE p.instance = ?1 ORDER BY p.taken, p.id");
    let mut query = tx.prepare_cached(&sql).context(doing)?;
    let rows = query.query_map([instance], |row| Ok((point_at(row)?, Vec::new())));
    let mut points: Vec<(Point, Vec<Disk>)> = rows.and_then(Iterator::collect).context(doing)?;
    let sql = format!(
        "SELECT {DISK} FROM point_disks d JOIN points p ON p.id = d.point WHERE p.instance = ?1
         ORDER BY d.point, d.slot"
    );
    let mut query = tx.prepare_cached(&sql).context(doing)?;
    let rows = query.query_map([instance], |row| {
        Ok((row.get::<_, PointId>(7)?, disk_at(row)?))
    });
    let disks: Vec<(PointId, Disk)> = rows.and_then(Iterator::collect).context(doing)?;
    let places: std::collections::HashMap<PointId, usize> = points
        .iter()
        .enumerate()
        .map(|(at, (point, _))| (point.id, at))
        .collect();
    for (id, disk) in disks {
        if let Some((_, list)) = places.get(&id).and_then(|at| points.get_mut(*at)) {
            list.push(disk);
        }
    }
    Ok(points)
}

/// The point, if it belongs to the organization: to everybody else it does not exist.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn point_of(
    tx: &Transaction<'_>,
    organization: OrganizationId,
    id: PointId,
) -> Result<Option<Point>, Error> {
    tx.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM points p WHERE p.id = ?1 AND p.organization = ?2"
    ))
    .and_then(|mut query| query.query_row((id, organization), point_at).optional())
    .context("find a recovery point")
}

/// The instance's newest point.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn newest_point(tx: &Transaction<'_>, instance: InstanceId) -> Result<Option<PointId>, Error> {
    tx.prepare_cached(
        "SELECT p.id FROM points p WHERE p.instance = ?1 ORDER BY p.taken DESC, p.id DESC LIMIT 1",
    )
    .and_then(|mut query| query.query_row([instance], |row| row.get(0)).optional())
    .context("find an instance's newest recovery point")
}

/// The point's disks, by slot.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn disks_of_point(tx: &Transaction<'_>, id: PointId) -> Result<Vec<Disk>, Error> {
    let sql = format!("SELECT {DISK} FROM point_disks d WHERE d.point = ?1 ORDER BY d.slot");
    let mut query = tx
        .prepare_cached(&sql)
        .context("list a recovery point's disks")?;
    query
        .query_map([id], disk_at)
        .and_then(Iterator::collect)
        .context("list a recovery point's disks")
}

/// Writes a new point, with its disks.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn insert_point(tx: &Transaction<'_>, point: &Point, disks: &[Disk]) -> Result<(), Error> {
    let sql = "INSERT INTO points (id, organization, instance, parent, name, description, kind, state, consistency,
                                   running, stood_still, hardware, by_name, taken, expires)
               VALUES (:id, :organization, :instance, :parent, :name, :description, :kind, :state, :consistency,
                       :running, :stood_still, :hardware, :by_name, :taken, :expires)";
    tx.prepare_cached(sql)
        .and_then(|mut insert| {
            insert.execute(named_params! {
                ":id": point.id,
                ":organization": point.organization,
                ":instance": point.instance,
                ":parent": point.parent,
                ":name": point.name,
                ":description": point.description,
                ":kind": point.kind,
                ":state": point.state,
                ":consistency": point.consistency,
                ":running": point.running,
                ":stood_still": micros(point.stood_still),
                ":hardware": point.hardware,
                ":by_name": point.by_name,
                ":taken": point.taken,
                ":expires": point.expires,
            })
        })
        .context("write a recovery point")?;
    let sql =
        "INSERT INTO point_disks (point, slot, volume, volume_name, kind, size, checkpoint, beside)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    for disk in disks {
        let Disk {
            slot,
            volume,
            volume_name,
            kind,
            size,
            checkpoint,
            beside,
        } = disk;
        tx.prepare_cached(sql)
            .and_then(|mut insert| {
                insert.execute((
                    point.id,
                    slot,
                    volume,
                    volume_name,
                    kind,
                    size,
                    checkpoint,
                    beside,
                ))
            })
            .context("write a recovery point's disk")?;
    }
    Ok(())
}

/// Microseconds as SQLite keeps them.
fn micros(stood_still: Option<u64>) -> Option<i64> {
    stood_still.map(|micros| i64::try_from(micros).unwrap_or(i64::MAX))
}

/// Gives the point another name and description.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn rename_point(
    tx: &Transaction<'_>,
    id: PointId,
    name: &str,
    description: &str,
) -> Result<(), Error> {
    tx.prepare_cached("UPDATE points SET name = ?2, description = ?3 WHERE id = ?1")
        .and_then(|mut update| update.execute((id, name, description)))
        .context("rename a recovery point")?;
    Ok(())
}

/// Moves the point from one state to another. False, and nothing done, when it is not in `from` (any more).
///
/// # Errors
/// [`Error::Sqlite`].
pub fn move_point(
    tx: &Transaction<'_>,
    id: PointId,
    from: PointState,
    to: PointState,
) -> Result<bool, Error> {
    tx.prepare_cached("UPDATE points SET state = ?3 WHERE id = ?1 AND state = ?2")
        .and_then(|mut update| update.execute((id, from, to)))
        .map(|rows| rows == 1)
        .context("move a recovery point on")
}

/// Writes down when the point's disks are being kept and in what state, before the engine keeps them.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn set_moment(
    tx: &Transaction<'_>,
    id: PointId,
    taken: i64,
    consistency: Consistency,
) -> Result<(), Error> {
    tx.prepare_cached(
        "UPDATE points SET taken = ?2, consistency = ?3, stood_still = NULL WHERE id = ?1 AND state = 'creating'",
    )
    .and_then(|mut update| update.execute((id, taken, consistency)))
    .context("write a recovery point's moment")?;
    Ok(())
}

/// Writes down how long the guest stood still, in microseconds.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn set_stood_still(tx: &Transaction<'_>, id: PointId, stood: u64) -> Result<(), Error> {
    tx.prepare_cached("UPDATE points SET stood_still = ?2 WHERE id = ?1 AND state = 'creating'")
        .and_then(|mut update| update.execute((id, micros(Some(stood)))))
        .context("write how long a guest stood still")?;
    Ok(())
}

/// Writes down that the guest's memory of that instant is kept, in so many bytes, and what computed the guest.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn set_memory(
    tx: &Transaction<'_>,
    id: PointId,
    bytes: Bytes,
    accelerator: Accelerator,
) -> Result<(), Error> {
    tx.prepare_cached("UPDATE points SET memory = ?2, accelerator = ?3 WHERE id = ?1")
        .and_then(|mut update| update.execute((id, bytes, accelerator)))
        .context("write down a memory that is kept")?;
    Ok(())
}

/// Forgets a point whose checkpoints are gone. Its children then descend from its parent, and so does the instance's
/// state if it was the current one; a rollback that it could undo cannot be undone any more.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn forget_point(tx: &Transaction<'_>, point: &Point) -> Result<(), Error> {
    let doing = "forget a recovery point";
    tx.prepare_cached("UPDATE points SET parent = ?2 WHERE parent = ?1")
        .and_then(|mut update| update.execute((point.id, point.parent)))
        .context(doing)?;
    tx.prepare_cached("UPDATE instances SET current = ?2 WHERE current = ?1")
        .and_then(|mut update| update.execute((point.id, point.parent)))
        .context(doing)?;
    tx.prepare_cached("UPDATE instances SET undo = NULL WHERE undo = ?1")
        .and_then(|mut update| update.execute([point.id]))
        .context(doing)?;
    // Its disks go with it.
    tx.prepare_cached("DELETE FROM points WHERE id = ?1")
        .and_then(|mut delete| delete.execute([point.id]))
        .context(doing)?;
    Ok(())
}

/// The points of the instance held this volume: they hold that one instead, which has taken its place.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn replace_volume(
    tx: &Transaction<'_>,
    instance: InstanceId,
    old: VolumeId,
    new: VolumeId,
) -> Result<(), Error> {
    tx.prepare_cached(
        "UPDATE point_disks SET volume = ?3
         WHERE volume = ?2 AND point IN (SELECT id FROM points WHERE instance = ?1)",
    )
    .and_then(|mut update| update.execute((instance, old, new)))
    .context("put a volume in another one's place")?;
    Ok(())
}

/// Gives the instance exactly these disks; those it had and that are not among them are free then. The caller has made
/// sure that nobody else has any of them.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn attach_exactly(
    tx: &Transaction<'_>,
    instance: InstanceId,
    disks: &[(VolumeId, u32)],
) -> Result<(), Error> {
    // All of them first: a disk may take another one's place.
    for volume in disks_of(tx, instance)? {
        set_attachment(tx, volume.id, None)?;
    }
    for (volume, slot) in disks {
        set_attachment(tx, *volume, Some((instance, *slot)))?;
    }
    Ok(())
}

/// What the instance will be started with.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn set_hardware(
    tx: &Transaction<'_>,
    instance: InstanceId,
    hardware: &Hardware,
) -> Result<(), Error> {
    tx.prepare_cached(
        "UPDATE instances SET vcpus = ?2, memory = ?3, machine = ?4, cpu = ?5, qemu = ?6 WHERE id = ?1",
    )
    .and_then(|mut update| {
        update.execute((
            instance,
            hardware.vcpus,
            hardware.memory,
            &hardware.machine,
            &hardware.cpu,
            &hardware.qemu,
        ))
    })
    .context("write an instance's hardware")?;
    Ok(())
}
