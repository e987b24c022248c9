//! Volumes: intents and proofs. What a volume holds is the engine's to say.

use super::jobs::{JOB, Job, LIVE, job_at};
use super::paging::{Conditions, Narrow, Paged, marks, on_page, order, ordered};
use super::{Catalog, Context, Error, search};
use crate::domain::fault::Fault;
use crate::domain::id::{InstanceId, OrganizationId, VolumeId, ZoneId};
use crate::domain::size::Bytes;
use crate::domain::volume::{VolumeKind, VolumeState};
use rusqlite::{OptionalExtension, Row, Transaction, named_params, params_from_iter};

/// A volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// Its id, the engine's too.
    pub id: VolumeId,
    /// Whose it is.
    pub organization: OrganizationId,
    /// The zone whose pool has it.
    pub zone: ZoneId,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub kind: VolumeKind,
    /// Size of the disk.
    pub size: Bytes,
    /// Where it stands.
    pub state: VolumeState,
    /// Why it failed.
    pub fault: Option<Fault>,
    /// When it was asked for.
    pub created: i64,
    /// The instance it is attached to.
    pub instance: Option<InstanceId>,
    /// Its place among that instance's disks; 0 is the root volume. Set where `instance` is.
    pub slot: Option<u32>,
}

/// A row of the list of volumes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedVolume {
    /// The volume.
    pub volume: Volume,
    /// The zone's name.
    pub zone_name: String,
    /// The name of the instance it is attached to.
    pub instance_name: Option<String>,
    /// Snapshots of it in the object store.
    pub snapshots: u32,
    /// Snapshots of it that are being taken or saved.
    pub in_snapshot: u32,
    /// The work at hand on it; else the last attempt to fill it, where that failed or was interrupted.
    pub job: Option<Job>,
}

pub(super) const COLUMNS: &str = "v.id, v.organization, v.zone, v.name, v.kind, v.size, v.state, v.fault, v.created, v.instance, v.slot";
pub(super) const COUNT: usize = 11;

pub(super) fn volume_at(row: &Row<'_>) -> rusqlite::Result<Volume> {
    Ok(Volume {
        id: row.get(0)?,
        organization: row.get(1)?,
        zone: row.get(2)?,
        name: row.get(3)?,
        kind: row.get(4)?,
        size: row.get(5)?,
        state: row.get(6)?,
        fault: row.get(7)?,
        created: row.get(8)?,
        instance: row.get(9)?,
        slot: row.get(10)?,
    })
}

/// What a row of the list is made of; `j` is the live work, or the fill that ended too early.
fn listed_sql(rest: &str) -> String {
    format!(
        "SELECT {COLUMNS}, z.name, i.name,
           (SELECT COUNT(*) FROM snapshots s WHERE s.volume = v.id AND s.state IN ('saved', 'verified')),
           (SELECT COUNT(*) FROM snapshots s WHERE s.volume = v.id AND s.state IN ('creating', 'saving')),
           {JOB}
         FROM volumes v JOIN zones z ON z.id = v.zone LEFT JOIN instances i ON i.id = v.instance
           LEFT JOIN jobs j ON j.id = COALESCE(
             (SELECT l.id FROM jobs l WHERE l.subject = v.id AND l.state IN {LIVE}),
             (SELECT f.id FROM jobs f WHERE f.subject = v.id AND f.kind = 'fill-volume'
                AND f.state IN ('failed', 'interrupted') ORDER BY f.asked DESC, f.id DESC LIMIT 1))
         WHERE {rest}"
    )
}

fn listed_at(row: &Row<'_>) -> rusqlite::Result<ListedVolume> {
    Ok(ListedVolume {
        volume: volume_at(row)?,
        zone_name: row.get(COUNT)?,
        instance_name: row.get(COUNT + 1)?,
        snapshots: row.get(COUNT + 2)?,
        in_snapshot: row.get(COUNT + 3)?,
        job: job_at(row, COUNT + 4)?,
    })
}

impl Catalog {
    /// A page of the organization's volumes, newest first unless asked for otherwise. Three statements, whatever the
    /// number of rows.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn list_volumes(
        &self,
        organization: OrganizationId,
        narrow: &Narrow,
        limit: u32,
    ) -> Result<Paged<ListedVolume>, Error> {
        let conditions = Conditions::new("v.organization = ?", organization)
            .and("v.state = ?", &narrow.state)
            .and("v.zone = ?", &narrow.zone)
            .and("v.kind = ?", &narrow.kind)
            .and("v.instance = ?", &narrow.of)
            .find(search::VOLUME, &narrow.find);
        let columns = [
            ("name", "v.name COLLATE names"),
            ("state", "v.state"),
            ("kind", "v.kind"),
            ("instance", "i.name COLLATE names"),
            ("zone", "z.name COLLATE names"),
            ("size", "v.size"),
            (
                "snapshots",
                "(SELECT COUNT(*) FROM snapshots s WHERE s.volume = v.id AND s.state IN ('saved', 'verified'))",
            ),
            ("created", "v.created"),
        ];
        let order = order(&narrow.sort, &columns, "v.created DESC, v.id DESC");
        let tables =
            "volumes v JOIN zones z ON z.id = v.zone LEFT JOIN instances i ON i.id = v.instance";
        self.read(|tx| {
            let page = (narrow.page, limit);
            let (window, ids) =
                on_page::<VolumeId>(tx, (tables, "v.id"), &conditions, &order, page)?;
            let sql = listed_sql(&format!("v.id IN ({})", marks(ids.len())));
            let mut query = tx.prepare_cached(&sql).context("list the volumes")?;
            let rows = query.query_map(params_from_iter(&ids), listed_at);
            let rows = rows
                .and_then(Iterator::collect)
                .context("list the volumes")?;
            Ok(window.with(ordered(&ids, rows, |row: &ListedVolume| row.volume.id)))
        })
    }

    /// One volume of the organization, as the list shows it.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn listed_volume(
        &self,
        organization: OrganizationId,
        id: VolumeId,
    ) -> Result<Option<ListedVolume>, Error> {
        self.read(|tx| {
            tx.prepare_cached(&listed_sql("v.id = ?1 AND v.organization = ?2"))
                .and_then(|mut query| query.query_row((id, organization), listed_at).optional())
                .context("find a volume")
        })
    }

    /// The rows of an instance's volumes, the root volume first.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn listed_disks(&self, instance: InstanceId) -> Result<Vec<ListedVolume>, Error> {
        self.read(|tx| {
            let sql = listed_sql("v.instance = ?1 ORDER BY v.slot");
            let mut query = tx
                .prepare_cached(&sql)
                .context("list an instance's volumes")?;
            query
                .query_map([instance], listed_at)
                .and_then(Iterator::collect)
                .context("list an instance's volumes")
        })
    }

    /// An instance's volumes, the root volume first.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn disks_of(&self, instance: InstanceId) -> Result<Vec<Volume>, Error> {
        self.read(|tx| disks_of(tx, instance))
    }

    /// Data volumes of the organization in the zone that are ready and not attached, by name.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn attachable_volumes(
        &self,
        organization: OrganizationId,
        zone: ZoneId,
    ) -> Result<Vec<Volume>, Error> {
        self.read(|tx| {
            let sql = format!(
                "SELECT {COLUMNS} FROM volumes v WHERE v.organization = ?1 AND v.zone = ?2 AND v.kind = 'data'
                   AND v.state = 'ready' AND v.instance IS NULL ORDER BY v.name_key"
            );
            let mut query = tx
                .prepare_cached(&sql)
                .context("list the volumes that can be attached")?;
            query
                .query_map((organization, zone), volume_at)
                .and_then(Iterator::collect)
                .context("list the volumes that can be attached")
        })
    }

    /// The volume, whoever owns it: for the program's own work. Members ask with [`volume_of`].
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn volume(&self, id: VolumeId) -> Result<Option<Volume>, Error> {
        self.read(|tx| {
            tx.prepare_cached(&format!("SELECT {COLUMNS} FROM volumes v WHERE v.id = ?1"))
                .and_then(|mut query| query.query_row([id], volume_at).optional())
                .context("find a volume")
        })
    }

    /// Every volume of a zone, for the comparison with its pool and for its exports.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn volumes_of_zone(&self, zone: ZoneId) -> Result<Vec<Volume>, Error> {
        self.read(|tx| {
            let sql = format!("SELECT {COLUMNS} FROM volumes v WHERE v.zone = ?1 ORDER BY v.id");
            let mut query = tx.prepare_cached(&sql).context("list a zone's volumes")?;
            query
                .query_map([zone], volume_at)
                .and_then(Iterator::collect)
                .context("list a zone's volumes")
        })
    }

    /// Volumes in a passing state that no live work on them, or on their instance, will move on.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn stranded_volumes(&self) -> Result<Vec<Volume>, Error> {
        self.read(|tx| {
            let sql = format!(
                "SELECT {COLUMNS} FROM volumes v
                 WHERE v.state IN ('creating', 'importing', 'restoring', 'deleting')
                   AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.subject IN (v.id, v.instance) AND j.state IN {LIVE})"
            );
            let mut query = tx.prepare_cached(&sql).context("look for stranded volumes")?;
            query.query_map([], volume_at).and_then(Iterator::collect).context("look for stranded volumes")
        })
    }
}

/// The volume, if it belongs to the organization: to everybody else it does not exist.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn volume_of(
    tx: &Transaction<'_>,
    organization: OrganizationId,
    id: VolumeId,
) -> Result<Option<Volume>, Error> {
    tx.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM volumes v WHERE v.id = ?1 AND v.organization = ?2"
    ))
    .and_then(|mut query| query.query_row((id, organization), volume_at).optional())
    .context("find a volume")
}

/// An instance's volumes, the root volume first.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn disks_of(tx: &Transaction<'_>, instance: InstanceId) -> Result<Vec<Volume>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM volumes v WHERE v.instance = ?1 ORDER BY v.slot");
    let mut query = tx
        .prepare_cached(&sql)
        .context("list an instance's disks")?;
    query
        .query_map([instance], volume_at)
        .and_then(Iterator::collect)
        .context("list an instance's disks")
}

/// Attaches the volume to an instance at a place among its disks, or detaches it.
///
/// # Errors
/// [`Error::Sqlite`], also where the place is taken.
pub fn set_attachment(
    tx: &Transaction<'_>,
    id: VolumeId,
    to: Option<(InstanceId, u32)>,
) -> Result<(), Error> {
    let (instance, slot) = to.unzip();
    tx.prepare_cached("UPDATE volumes SET instance = ?2, slot = ?3 WHERE id = ?1")
        .and_then(|mut update| update.execute((id, instance, slot)))
        .context("attach or detach a volume")?;
    Ok(())
}

/// Whether a volume of the organization has this name, in any case.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn volume_name_taken(
    tx: &Transaction<'_>,
    organization: OrganizationId,
    name: &str,
) -> Result<bool, Error> {
    tx.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM volumes WHERE organization = ?1 AND name_key = ?2)",
    )
    .and_then(|mut query| query.query_row((organization, name.to_lowercase()), |row| row.get(0)))
    .context("look for a volume's name")
}

/// Snapshots of the volume that are being taken or saved.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn snapshots_under_way(tx: &Transaction<'_>, volume: VolumeId) -> Result<u32, Error> {
    tx.prepare_cached(
        "SELECT COUNT(*) FROM snapshots WHERE volume = ?1 AND state IN ('creating', 'saving')",
    )
    .and_then(|mut query| query.query_row([volume], |row| row.get(0)))
    .context("count a volume's snapshots under way")
}

/// Writes a new volume.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn insert_volume(tx: &Transaction<'_>, volume: &Volume) -> Result<(), Error> {
    let sql = "INSERT INTO volumes (id, organization, zone, name, name_key, kind, size, state, created, instance, slot)
               VALUES (:id, :organization, :zone, :name, :name_key, :kind, :size, :state, :created, :instance, :slot)";
    tx.prepare_cached(sql)
        .and_then(|mut insert| {
            insert.execute(named_params! {
                ":id": volume.id,
                ":organization": volume.organization,
                ":zone": volume.zone,
                ":name": volume.name,
                ":name_key": volume.name.to_lowercase(),
                ":kind": volume.kind,
                ":size": volume.size,
                ":state": volume.state,
                ":created": volume.created,
                ":instance": volume.instance,
                ":slot": volume.slot,
            })
        })
        .context("write a volume")?;
    Ok(())
}

/// Moves the volume from one state to another. False, and nothing done, when it is not in `from` (any more).
///
/// # Errors
/// [`Error::Sqlite`].
pub fn move_volume(
    tx: &Transaction<'_>,
    id: VolumeId,
    from: VolumeState,
    to: VolumeState,
    fault: Option<&Fault>,
) -> Result<bool, Error> {
    tx.prepare_cached("UPDATE volumes SET state = ?3, fault = ?4 WHERE id = ?1 AND state = ?2")
        .and_then(|mut update| update.execute((id, from, to, fault)))
        .map(|rows| rows == 1)
        .context("move a volume on")
}

/// Forgets a volume that is gone.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn forget_volume(tx: &Transaction<'_>, id: VolumeId) -> Result<bool, Error> {
    tx.prepare_cached("DELETE FROM volumes WHERE id = ?1 AND state = 'deleting'")
        .and_then(|mut delete| delete.execute([id]))
        .map(|rows| rows == 1)
        .context("forget a volume")
}
