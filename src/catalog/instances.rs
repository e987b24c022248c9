//! Instances: intents and proofs. Whether a process of theirs runs, the hypervisor knows.

use super::jobs::{JOB, Job, LIVE, job_at};
use super::paging::{Conditions, Narrow, Paged, marks, on_page, order, ordered};
use super::{Catalog, Context, Error, search};
use crate::domain::fault::Fault;
use crate::domain::id::{CheckpointId, InstanceId, JobId, OrganizationId, PointId, ZoneId};
use crate::domain::instance::{Accelerator, Hardware, InstanceState};
use crate::domain::job::JobKind;
use crate::domain::size::Bytes;
use rusqlite::{OptionalExtension, Row, Transaction, named_params, params_from_iter};

/// An instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Its id; the folder of its process bears it.
    pub id: InstanceId,
    /// Whose it is.
    pub organization: OrganizationId,
    /// The zone that has its volumes and its process.
    pub zone: ZoneId,
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub state: InstanceState,
    /// Why it is in error, or why the last act on it did not succeed.
    pub fault: Option<Fault>,
    /// What it is made of, as at its last start.
    pub hardware: Hardware,
    /// What its process computes with, or computed with when it last ran.
    pub accelerator: Option<Accelerator>,
    /// The name of the template it was made from, then.
    pub template_name: String,
    /// The recovery point that its state descends from.
    pub current: Option<PointId>,
    /// Whether a freeze was asked of its guest, and no thaw is known.
    pub frozen: bool,
    /// The safety point that undoes its last rollback.
    pub undo: Option<PointId>,
    /// When it was last started.
    pub started: Option<i64>,
    /// When it was asked for.
    pub created: i64,
}

/// A row of the list of instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedInstance {
    /// The instance.
    pub instance: Instance,
    /// The zone's name.
    pub zone_name: String,
    /// Number of its volumes.
    pub volumes: u32,
    /// Number of its recovery points that a member made.
    pub points: u32,
    /// The work at hand on it.
    pub job: Option<Job>,
}

const COLUMNS: &str = "i.id, i.organization, i.zone, i.name, i.state, i.fault, i.vcpus, i.memory, i.machine, i.cpu, i.qemu,
    i.accelerator, i.template_name, i.current, i.frozen, i.undo, i.started, i.created";
const COUNT: usize = 18;

fn instance_at(row: &Row<'_>) -> rusqlite::Result<Instance> {
    Ok(Instance {
        id: row.get(0)?,
        organization: row.get(1)?,
        zone: row.get(2)?,
        name: row.get(3)?,
        state: row.get(4)?,
        fault: row.get(5)?,
        hardware: Hardware {
            vcpus: row.get(6)?,
            memory: row.get(7)?,
            machine: row.get(8)?,
            cpu: row.get(9)?,
            qemu: row.get(10)?,
        },
        accelerator: row.get(11)?,
        template_name: row.get(12)?,
        current: row.get(13)?,
        frozen: row.get(14)?,
        undo: row.get(15)?,
        started: row.get(16)?,
        created: row.get(17)?,
    })
}

/// What a row of the list is made of; `j` is the live work, if any.
fn listed_sql(rest: &str) -> String {
    format!(
        "SELECT {COLUMNS}, z.name,
           (SELECT COUNT(*) FROM volumes v WHERE v.instance = i.id),
           (SELECT COUNT(*) FROM points p WHERE p.instance = i.id AND p.kind = 'made' AND p.state <> 'deleting'),
           {JOB}
         FROM instances i JOIN zones z ON z.id = i.zone LEFT JOIN jobs j ON j.subject = i.id AND j.state IN {LIVE}
         WHERE {rest}"
    )
}

fn listed_at(row: &Row<'_>) -> rusqlite::Result<ListedInstance> {
    Ok(ListedInstance {
        instance: instance_at(row)?,
        zone_name: row.get(COUNT)?,
        volumes: row.get(COUNT + 1)?,
        points: row.get(COUNT + 2)?,
        job: job_at(row, COUNT + 3)?,
    })
}

/// What runs in a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Running {
    /// The zone.
    pub zone: ZoneId,
    /// Instances whose processes run, as far as the catalog knows.
    pub instances: u64,
    /// The memory that they have together.
    pub memory: Bytes,
    /// The processors.
    pub vcpus: u64,
}

impl Catalog {
    /// What runs, a zone. Zones in which nothing does are left out.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn running(&self) -> Result<Vec<Running>, Error> {
        self.read(|tx| {
            let sql = "SELECT zone, COUNT(*), SUM(memory), SUM(vcpus) FROM instances
                       WHERE state IN ('starting', 'running', 'stopping') GROUP BY zone";
            let mut query = tx.prepare_cached(sql).context("count what runs")?;
            let rows = query.query_map([], |row| {
                let number = |at| row.get(at).map(|number: i64| number.unsigned_abs());
                Ok(Running {
                    zone: row.get(0)?,
                    instances: number(1)?,
                    memory: Bytes(number(2)?),
                    vcpus: number(3)?,
                })
            });
            rows.and_then(Iterator::collect).context("count what runs")
        })
    }

    /// A page of the organization's instances, newest first unless asked for otherwise. Three statements, whatever the
    /// number of rows.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn list_instances(
        &self,
        organization: OrganizationId,
        narrow: &Narrow,
        limit: u32,
    ) -> Result<Paged<ListedInstance>, Error> {
        let conditions = Conditions::new("i.organization = ?", organization)
            .and("i.state = ?", &narrow.state)
            .and("i.zone = ?", &narrow.zone)
            .find(search::INSTANCE, &narrow.find);
        let columns = [
            ("name", "i.name COLLATE names"),
            ("state", "i.state"),
            ("zone", "z.name COLLATE names"),
            ("memory", "i.memory"),
            (
                "volumes",
                "(SELECT COUNT(*) FROM volumes v WHERE v.instance = i.id)",
            ),
            (
                "points",
                "(SELECT COUNT(*) FROM points p WHERE p.instance = i.id AND p.kind = 'made' AND p.state <> 'deleting')",
            ),
            ("created", "i.created"),
        ];
        let order = order(&narrow.sort, &columns, "i.created DESC, i.id DESC");
        let tables = "instances i JOIN zones z ON z.id = i.zone";
        self.read(|tx| {
            let page = (narrow.page, limit);
            let (window, ids) =
                on_page::<InstanceId>(tx, (tables, "i.id"), &conditions, &order, page)?;
            let sql = listed_sql(&format!("i.id IN ({})", marks(ids.len())));
            let mut query = tx.prepare_cached(&sql).context("list the instances")?;
            let rows = query.query_map(params_from_iter(&ids), listed_at);
            let rows = rows
                .and_then(Iterator::collect)
                .context("list the instances")?;
            Ok(window.with(ordered(&ids, rows, |row: &ListedInstance| row.instance.id)))
        })
    }

    /// One row of the list, if the instance belongs to the organization.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn listed_instance(
        &self,
        organization: OrganizationId,
        id: InstanceId,
    ) -> Result<Option<ListedInstance>, Error> {
        self.read(|tx| {
            tx.prepare_cached(&listed_sql("i.organization = ?1 AND i.id = ?2"))
                .and_then(|mut query| query.query_row((organization, id), listed_at).optional())
                .context("show an instance")
        })
    }

    /// The instance, whoever owns it: for the program's own work. Members ask with [`instance_of`].
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn instance(&self, id: InstanceId) -> Result<Option<Instance>, Error> {
        self.read(|tx| instance(tx, id))
    }

    /// Instances of which a process may run.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn instances_that_may_run(&self) -> Result<Vec<Instance>, Error> {
        self.some("i.state IN ('starting', 'running', 'stopping')")
    }

    /// Instances in a passing state that no live work will move on.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn stranded_instances(&self) -> Result<Vec<Instance>, Error> {
        self.some(&format!(
            "i.state IN ('creating', 'starting', 'stopping', 'deleting')
             AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.subject = i.id AND j.state IN {LIVE})"
        ))
    }

    fn some(&self, which: &str) -> Result<Vec<Instance>, Error> {
        self.read(|tx| {
            let sql = format!("SELECT {COLUMNS} FROM instances i WHERE {which} ORDER BY i.id");
            let mut query = tx.prepare_cached(&sql).context("look for instances")?;
            query
                .query_map([], instance_at)
                .and_then(Iterator::collect)
                .context("look for instances")
        })
    }

    /// What live work is on the object with this id, if any.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn live_work_on(&self, subject: &str) -> Result<Option<JobKind>, Error> {
        self.read(|tx| live_work_on(tx, subject))
    }

    /// Writes down what the instance runs on, from now on. A new process has nothing frozen.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn set_hardware(
        &self,
        id: InstanceId,
        hardware: &Hardware,
        accelerator: Accelerator,
        started: i64,
    ) -> Result<(), Error> {
        let sql = "UPDATE instances SET machine = ?2, cpu = ?3, qemu = ?4, accelerator = ?5, started = ?6, frozen = 0 WHERE id = ?1";
        self.write(|tx| {
            tx.prepare_cached(sql)
                .and_then(|mut update| {
                    update.execute((
                        id,
                        &hardware.machine,
                        &hardware.cpu,
                        &hardware.qemu,
                        accelerator,
                        started,
                    ))
                })
                .context("write what an instance runs on")?;
            Ok(())
        })
    }

    /// Writes down that a freeze is asked of the guest (before it is asked), or that it is thawed (after).
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn set_frozen(&self, id: InstanceId, frozen: bool) -> Result<(), Error> {
        self.write(|tx| {
            tx.prepare_cached("UPDATE instances SET frozen = ?2 WHERE id = ?1")
                .and_then(|mut update| update.execute((id, frozen)))
                .context("write that a guest is frozen")?;
            Ok(())
        })
    }

    /// The checkpoints that the instance's recovery points hold.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn checkpoints_of_instance(&self, id: InstanceId) -> Result<Vec<CheckpointId>, Error> {
        self.read(|tx| {
            let sql = "SELECT d.checkpoint FROM point_disks d JOIN points p ON p.id = d.point WHERE p.instance = ?1";
            let mut query = tx.prepare_cached(sql).context("list an instance's checkpoints")?;
            query
                .query_map([id], |row| row.get(0))
                .and_then(Iterator::collect)
                .context("list an instance's checkpoints")
        })
    }

    /// The last rollback that was asked for, whatever came of it.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn last_rollback(&self, id: InstanceId) -> Result<Option<JobId>, Error> {
        let sql = "SELECT id FROM jobs WHERE subject = ?1 AND kind = ?2 ORDER BY asked DESC, id DESC LIMIT 1";
        self.read(|tx| {
            tx.prepare_cached(sql)
                .and_then(|mut query| {
                    query
                        .query_row((id, JobKind::Rollback), |row| row.get(0))
                        .optional()
                })
                .context("find an instance's last rollback")
        })
    }
}

/// The instance, whoever owns it.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn instance(tx: &Transaction<'_>, id: InstanceId) -> Result<Option<Instance>, Error> {
    tx.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM instances i WHERE i.id = ?1"
    ))
    .and_then(|mut query| query.query_row([id], instance_at).optional())
    .context("find an instance")
}

/// The instance, if it belongs to the organization: to everybody else it does not exist.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn instance_of(
    tx: &Transaction<'_>,
    organization: OrganizationId,
    id: InstanceId,
) -> Result<Option<Instance>, Error> {
    Ok(instance(tx, id)?.filter(|instance| instance.organization == organization))
}

/// What live work is on the object with this id, if any. Two pieces of work on one object are never accepted.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn live_work_on(tx: &Transaction<'_>, subject: &str) -> Result<Option<JobKind>, Error> {
    tx.prepare_cached(&format!(
        "SELECT kind FROM jobs WHERE subject = ?1 AND state IN {LIVE}"
    ))
    .and_then(|mut query| query.query_row([subject], |row| row.get(0)).optional())
    .context("look for work on an object")
}

/// Whether an instance of the organization has this name, in any case.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn instance_name_taken(
    tx: &Transaction<'_>,
    organization: OrganizationId,
    name: &str,
) -> Result<bool, Error> {
    tx.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM instances WHERE organization = ?1 AND name_key = ?2)",
    )
    .and_then(|mut query| query.query_row((organization, name.to_lowercase()), |row| row.get(0)))
    .context("look for an instance's name")
}

/// Writes a new instance.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn insert_instance(tx: &Transaction<'_>, instance: &Instance) -> Result<(), Error> {
    let sql = "INSERT INTO instances (id, organization, zone, name, name_key, state, vcpus, memory, machine, cpu, qemu,
                                      template_name, created)
               VALUES (:id, :organization, :zone, :name, :name_key, :state, :vcpus, :memory, :machine, :cpu, :qemu,
                       :template_name, :created)";
    tx.prepare_cached(sql)
        .and_then(|mut insert| {
            insert.execute(named_params! {
                ":id": instance.id,
                ":organization": instance.organization,
                ":zone": instance.zone,
                ":name": instance.name,
                ":name_key": instance.name.to_lowercase(),
                ":state": instance.state,
                ":vcpus": instance.hardware.vcpus,
                ":memory": instance.hardware.memory,
                ":machine": instance.hardware.machine,
                ":cpu": instance.hardware.cpu,
                ":qemu": instance.hardware.qemu,
                ":template_name": instance.template_name,
                ":created": instance.created,
            })
        })
        .context("write an instance")?;
    Ok(())
}

/// Moves the instance from one state to another. False, and nothing done, when it is not in `from` (any more).
///
/// # Errors
/// [`Error::Sqlite`].
pub fn move_instance(
    tx: &Transaction<'_>,
    id: InstanceId,
    from: InstanceState,
    to: InstanceState,
    fault: Option<&Fault>,
) -> Result<bool, Error> {
    tx.prepare_cached("UPDATE instances SET state = ?3, fault = ?4 WHERE id = ?1 AND state = ?2")
        .and_then(|mut update| update.execute((id, from, to, fault)))
        .map(|rows| rows == 1)
        .context("move an instance on")
}

/// Writes the point that the instance's state descends from, and the one that undoes its last rollback.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn set_lineage(
    tx: &Transaction<'_>,
    id: InstanceId,
    current: Option<PointId>,
    undo: Option<PointId>,
) -> Result<(), Error> {
    tx.prepare_cached("UPDATE instances SET current = ?2, undo = ?3 WHERE id = ?1")
        .and_then(|mut update| update.execute((id, current, undo)))
        .context("write what an instance descends from")?;
    Ok(())
}

/// Forgets an instance that is gone, and its recovery points. Its volumes must have been detached or forgotten.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn forget_instance(tx: &Transaction<'_>, id: InstanceId) -> Result<bool, Error> {
    tx.prepare_cached("DELETE FROM points WHERE instance = ?1")
        .and_then(|mut delete| delete.execute([id]))
        .context("forget an instance's points")?;
    tx.prepare_cached("DELETE FROM instances WHERE id = ?1 AND state = 'deleting'")
        .and_then(|mut delete| delete.execute([id]))
        .map(|rows| rows == 1)
        .context("forget an instance")
}
