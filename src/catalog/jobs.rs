//! Long work as rows. What the work is, `control` knows; when it runs, `jobs`.
//!
//! What may never be true: two workers that both claimed a job (`UPDATE … WHERE state = 'queued'`, counted); two live
//! jobs on one subject (a unique index); a step whose effect began before its number was committed.

use super::{Catalog, Context, Error};
use crate::domain::fault::Fault;
use crate::domain::id::{JobId, OrganizationId, UserId};
use crate::domain::job::{JobKind, JobState};
use crate::domain::size::Bytes;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};
use rusqlite::{OptionalExtension, Row, ToSql, Transaction, named_params, params_from_iter};

/// How a job will end once what it began is undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It failed for good.
    Failed,
    /// A member interrupted it.
    Interrupted,
}

impl Ending {
    /// The state that it leads to.
    #[must_use]
    pub const fn state(self) -> JobState {
        match self {
            Self::Failed => JobState::Failed,
            Self::Interrupted => JobState::Interrupted,
        }
    }
}

impl ToSql for Ending {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(match self {
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }))
    }
}

impl FromSql for Ending {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value.as_str()? {
            "failed" => Ok(Self::Failed),
            "interrupted" => Ok(Self::Interrupted),
            _ => Err(FromSqlError::InvalidType),
        }
    }
}

/// A job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// Whose it is.
    pub organization: OrganizationId,
    /// What it does.
    pub kind: JobKind,
    /// Where it stands.
    pub state: JobState,
    /// The id of the object it works on.
    pub subject: String,
    /// That object's name, when it was asked for.
    pub subject_name: String,
    /// The id of an object it reads.
    pub source: Option<String>,
    /// JSON, of which the kind says what it holds.
    pub args: String,
    /// The number of the step begun last, of those that do or, when `ending` is set, of those that undo.
    pub step: Option<u32>,
    /// Set while it is being undone.
    pub ending: Option<Ending>,
    /// Whether an interruption was asked for.
    pub cancel: bool,
    /// Whether its object has gone on, so that it cannot be tried again.
    pub closed: bool,
    /// Bytes done.
    pub done: Bytes,
    /// Bytes to do.
    pub total: Option<Bytes>,
    /// Bytes a second, lately.
    pub speed: Option<Bytes>,
    /// How many times it was claimed since it was asked for.
    pub attempts: u32,
    /// Not before this time.
    pub next_attempt: i64,
    /// Why it failed, or why it waits.
    pub fault: Option<Fault>,
    /// The member who asked for it; none for the program itself.
    pub asked_by: Option<UserId>,
    /// When it was asked for.
    pub asked: i64,
    /// When it ended.
    pub ended: Option<i64>,
}

/// The columns of a job `j`, in the order of [`job_at`].
pub(super) const JOB: &str = "j.id, j.organization, j.kind, j.state, j.subject, j.subject_name, j.source, j.args,
    j.step, j.ending, j.cancel, j.closed, j.done, j.total, j.speed, j.attempts, j.next_attempt, j.fault, j.asked_by, j.asked, j.ended";

/// The states in which a job will still change by itself.
pub(super) const LIVE: &str = "('queued', 'running', 'waiting')";

/// The job whose columns begin at `at`; none where an outer join found none.
pub(super) fn job_at(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<Job>> {
    let Some(id) = row.get(at)? else {
        return Ok(None);
    };
    Ok(Some(Job {
        id,
        organization: row.get(at + 1)?,
        kind: row.get(at + 2)?,
        state: row.get(at + 3)?,
        subject: row.get(at + 4)?,
        subject_name: row.get(at + 5)?,
        source: row.get(at + 6)?,
        args: row.get(at + 7)?,
        step: row.get(at + 8)?,
        ending: row.get(at + 9)?,
        cancel: row.get(at + 10)?,
        closed: row.get(at + 11)?,
        done: row.get(at + 12)?,
        total: row.get(at + 13)?,
        speed: row.get(at + 14)?,
        attempts: row.get(at + 15)?,
        next_attempt: row.get(at + 16)?,
        fault: row.get(at + 17)?,
        asked_by: row.get(at + 18)?,
        asked: row.get(at + 19)?,
        ended: row.get(at + 20)?,
    }))
}

fn certain(row: &Row<'_>) -> rusqlite::Result<Job> {
    job_at(row, 0)?.ok_or(rusqlite::Error::QueryReturnedNoRows)
}

/// A job to be.
#[derive(Debug, Clone)]
pub struct NewJob<'a> {
    /// Its id.
    pub id: JobId,
    /// Whose it is.
    pub organization: OrganizationId,
    /// What it does.
    pub kind: JobKind,
    /// The id of the object it works on.
    pub subject: String,
    /// That object's name.
    pub subject_name: &'a str,
    /// The id of an object it reads, which must stay until it ends.
    pub source: Option<String>,
    /// JSON, with every id that it will create.
    pub args: String,
    /// Bytes to do, where that is known.
    pub total: Option<Bytes>,
    /// The member who asks; none for the program itself.
    pub asked_by: Option<UserId>,
}

impl Catalog {
    /// Jobs that failed since, the newest first, at most so many.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn failed_jobs(&self, since: i64, most: u32) -> Result<Vec<Job>, Error> {
        self.read(|tx| {
            let sql = format!(
                "SELECT {JOB} FROM jobs j WHERE j.state = 'failed' AND j.ended >= ?1 ORDER BY j.ended DESC LIMIT ?2"
            );
            let mut query = tx.prepare_cached(&sql).context("list failed jobs")?;
            query
                .query_map((since, most), certain)
                .and_then(Iterator::collect)
                .context("list failed jobs")
        })
    }

    /// Claims the job that has been due longest, of these kinds. Of two that claim at once only one gets it.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn claim_job(&self, kinds: &[JobKind], now: i64) -> Result<Option<Job>, Error> {
        let places = vec!["?"; kinds.len()].join(", ");
        let sql = format!(
            "SELECT {JOB} FROM jobs j WHERE j.state IN ('queued', 'waiting') AND j.next_attempt <= ? AND j.kind IN ({places})
             ORDER BY j.next_attempt, j.id LIMIT 1"
        );
        self.write(|tx| {
            let mut values: Vec<&dyn ToSql> = vec![&now];
            values.extend(kinds.iter().map(|kind| kind as &dyn ToSql));
            let found = tx
                .prepare_cached(&sql)
                .and_then(|mut query| query.query_row(params_from_iter(values), certain).optional())
                .context("look for work")?;
            let Some(mut job) = found else { return Ok(None) };
            let claimed = tx
                .prepare_cached(
                    "UPDATE jobs SET state = 'running', attempts = attempts + 1, fault = CASE WHEN ending IS NULL THEN NULL ELSE fault END
                     WHERE id = ?1 AND state = ?2",
                )
                .and_then(|mut update| update.execute((job.id, job.state)))
                .context("claim a job")?;
            job.state = JobState::Running;
            job.attempts += 1;
            Ok((claimed == 1).then_some(job))
        })
    }

    /// When the next job of these kinds is due; none when there is none.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn next_due(&self, kinds: &[JobKind]) -> Result<Option<i64>, Error> {
        let places = vec!["?"; kinds.len()].join(", ");
        let sql = format!(
            "SELECT MIN(next_attempt) FROM jobs WHERE state IN ('queued', 'waiting') AND kind IN ({places})"
        );
        self.read(|tx| {
            tx.prepare_cached(&sql)
                .and_then(|mut query| query.query_row(params_from_iter(kinds), |row| row.get(0)))
                .context("look for the next work")
        })
    }

    /// Writes down that a step begins, and tells whether an interruption was asked for meanwhile.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn begin_step(&self, id: JobId, step: u32) -> Result<bool, Error> {
        self.write(|tx| {
            tx.prepare_cached(
                "UPDATE jobs SET step = ?2 WHERE id = ?1 AND state = 'running' RETURNING cancel",
            )
            .and_then(|mut update| update.query_row((id, step), |row| row.get(0)))
            .context("begin a step")
        })
    }

    /// Writes down how far a job is.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn set_progress(
        &self,
        id: JobId,
        done: Bytes,
        total: Option<Bytes>,
        speed: Option<Bytes>,
    ) -> Result<(), Error> {
        self.write(|tx| {
            tx.prepare_cached("UPDATE jobs SET done = ?2, total = ?3, speed = ?4 WHERE id = ?1 AND state = 'running'")
                .and_then(|mut update| update.execute((id, done, total, speed)))
                .context("write a job's progress")?;
            Ok(())
        })
    }

    /// A running job waits for another attempt.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn postpone_job(&self, id: JobId, fault: &Fault, next_attempt: i64) -> Result<bool, Error> {
        let sql = "UPDATE jobs SET state = 'waiting', next_attempt = ?3, speed = NULL,
                     fault = CASE WHEN ending IS NULL THEN ?2 ELSE fault END
                   WHERE id = ?1 AND state = 'running'";
        self.write(|tx| {
            tx.prepare_cached(sql)
                .and_then(|mut update| update.execute((id, fault, next_attempt)))
                .map(|rows| rows == 1)
                .context("postpone a job")
        })
    }

    /// From here on a running job is undone; written before the first step that undoes.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn begin_ending(&self, id: JobId, ending: Ending, fault: &Fault) -> Result<bool, Error> {
        let sql = "UPDATE jobs SET ending = ?2, fault = ?3, step = NULL, attempts = 0, speed = NULL
                   WHERE id = ?1 AND state = 'running' AND ending IS NULL";
        self.write(|tx| {
            tx.prepare_cached(sql)
                .and_then(|mut update| update.execute((id, ending, fault)))
                .map(|rows| rows == 1)
                .context("begin to undo a job")
        })
    }

    /// A running job goes back to the queue, to be resumed at its step: the server stops.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn release_job(&self, id: JobId) -> Result<(), Error> {
        self.write(|tx| {
            tx.prepare_cached("UPDATE jobs SET state = 'queued', speed = NULL WHERE id = ?1 AND state = 'running'")
                .and_then(|mut update| update.execute([id]))
                .context("release a job")?;
            Ok(())
        })
    }

    /// At a start: what was running when the last process ended is queued again. Tells how many there were.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn requeue_running(&self) -> Result<usize, Error> {
        self.write(|tx| {
            tx.execute(
                "UPDATE jobs SET state = 'queued', speed = NULL WHERE state = 'running'",
                [],
            )
            .context("queue again what was running")
        })
    }

    /// The job, whoever owns it: for the program's own work. Members ask with [`job_of`].
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn job(&self, id: JobId) -> Result<Option<Job>, Error> {
        self.read(|tx| {
            tx.prepare_cached(&format!("SELECT {JOB} FROM jobs j WHERE j.id = ?1"))
                .and_then(|mut query| query.query_row([id], certain).optional())
                .context("find a job")
        })
    }

    /// Every job that will still change by itself, oldest first.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn live_jobs(&self) -> Result<Vec<Job>, Error> {
        self.read(|tx| {
            let sql =
                format!("SELECT {JOB} FROM jobs j WHERE j.state IN {LIVE} ORDER BY j.asked, j.id");
            let mut query = tx
                .prepare_cached(&sql)
                .context("list the work that goes on")?;
            query
                .query_map([], certain)
                .and_then(Iterator::collect)
                .context("list the work that goes on")
        })
    }

    /// The organization's jobs that go on, oldest first, at most `limit`, and then those that ended since `since`,
    /// at most as many. One statement.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn current_jobs(
        &self,
        organization: OrganizationId,
        since: i64,
        limit: u32,
        known: &[JobId],
    ) -> Result<Vec<Job>, Error> {
        self.read(|tx| {
            let known: Vec<String> = known.iter().map(ToString::to_string).collect();
            let known = serde_json::Value::from(known).to_string();
            let sql = format!(
                "SELECT * FROM (SELECT {JOB} FROM jobs j WHERE j.organization = ?1 AND j.state IN {LIVE}
                                ORDER BY j.asked, j.id LIMIT ?3)
                 UNION ALL
                 SELECT * FROM (SELECT {JOB} FROM jobs j WHERE j.organization = ?1 AND j.ended >= ?2
                                ORDER BY j.ended DESC, j.id DESC LIMIT ?3)
                 UNION ALL
                 SELECT * FROM (SELECT {JOB} FROM jobs j WHERE j.organization = ?1 AND j.ended < ?2
                                AND j.id IN (SELECT value FROM json_each(?4)) ORDER BY j.ended DESC)"
            );
            let mut query = tx.prepare_cached(&sql).context("list an organization's work")?;
            let rows = query.query_map((organization, since, limit, known), certain);
            rows.and_then(Iterator::collect).context("list an organization's work")
        })
    }
}

impl Catalog {
    /// The organization's jobs that failed since `since`, the last one first, at most `limit`. One statement.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn jobs_failed_since(
        &self,
        organization: OrganizationId,
        since: i64,
        limit: u32,
    ) -> Result<Vec<Job>, Error> {
        self.read(|tx| {
            let sql = format!(
                "SELECT {JOB} FROM jobs j WHERE j.organization = ?1 AND j.state = 'failed' AND j.ended >= ?2
                 ORDER BY j.ended DESC, j.id DESC LIMIT ?3"
            );
            let mut query = tx.prepare_cached(&sql).context("list what failed")?;
            let rows = query.query_map((organization, since, limit), certain);
            rows.and_then(Iterator::collect).context("list what failed")
        })
    }
}

/// The job, if it belongs to the organization: to everybody else it does not exist.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn job_of(
    tx: &Transaction<'_>,
    organization: OrganizationId,
    id: JobId,
) -> Result<Option<Job>, Error> {
    tx.prepare_cached(&format!(
        "SELECT {JOB} FROM jobs j WHERE j.id = ?1 AND j.organization = ?2"
    ))
    .and_then(|mut query| query.query_row((id, organization), certain).optional())
    .context("find a job")
}

/// Whether live work reads the object with this id.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn is_being_read(tx: &Transaction<'_>, source: &str) -> Result<bool, Error> {
    tx.prepare_cached(&format!(
        "SELECT EXISTS (SELECT 1 FROM jobs WHERE source = ?1 AND state IN {LIVE})"
    ))
    .and_then(|mut query| query.query_row([source], |row| row.get(0)))
    .context("look for work that reads an object")
}

/// Writes a new job, due at once.
///
/// # Errors
/// [`Error::Sqlite`], also when there is live work on the subject.
pub fn insert_job(tx: &Transaction<'_>, job: &NewJob<'_>, now: i64) -> Result<(), Error> {
    let sql = "INSERT INTO jobs (id, organization, kind, state, subject, subject_name, source, args, total, next_attempt,
                                 asked_by, asked)
               VALUES (:id, :organization, :kind, 'queued', :subject, :subject_name, :source, :args, :total, :now,
                       :asked_by, :now)";
    tx.prepare_cached(sql)
        .and_then(|mut insert| {
            insert.execute(named_params! {
                ":id": job.id,
                ":organization": job.organization,
                ":kind": job.kind,
                ":subject": job.subject,
                ":subject_name": job.subject_name,
                ":source": job.source,
                ":args": job.args,
                ":total": job.total,
                ":asked_by": job.asked_by,
                ":now": now,
            })
        })
        .context("write a job")?;
    Ok(())
}

/// A running job ends.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn end_job(tx: &Transaction<'_>, id: JobId, state: JobState, now: i64) -> Result<bool, Error> {
    let sql = "UPDATE jobs SET state = ?2, ended = ?3, speed = NULL, step = NULL,
                 done = CASE WHEN ?2 = 'succeeded' AND total IS NOT NULL THEN total ELSE done END
               WHERE id = ?1 AND state = 'running'";
    tx.prepare_cached(sql)
        .and_then(|mut update| update.execute((id, state, now)))
        .map(|rows| rows == 1)
        .context("end a job")
}

/// Asks a live job to stop; one that waits is looked at at once. False when it has ended.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn ask_to_stop(tx: &Transaction<'_>, id: JobId, now: i64) -> Result<bool, Error> {
    let sql = format!(
        "UPDATE jobs SET cancel = 1, next_attempt = CASE WHEN state = 'running' THEN next_attempt ELSE ?2 END
         WHERE id = ?1 AND ending IS NULL AND state IN {LIVE}"
    );
    tx.prepare_cached(&sql)
        .and_then(|mut update| update.execute((id, now)))
        .map(|rows| rows == 1)
        .context("ask a job to stop")
}

/// Has a job that failed, was interrupted or waits tried again at once; what does not wait from its first step. False when
/// it is in none of these states.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn requeue(tx: &Transaction<'_>, id: JobId, from: JobState, now: i64) -> Result<bool, Error> {
    let sql = "UPDATE jobs SET state = 'queued', next_attempt = ?3, attempts = 0, ended = NULL,
                 step = CASE WHEN ?2 = 'waiting' THEN step ELSE NULL END,
                 ending = CASE WHEN ?2 = 'waiting' THEN ending ELSE NULL END,
                 fault = CASE WHEN ?2 = 'waiting' THEN fault ELSE NULL END,
                 cancel = CASE WHEN ?2 = 'waiting' THEN cancel ELSE 0 END
               WHERE id = ?1 AND state = ?2 AND state IN ('failed', 'interrupted', 'waiting') AND closed = 0";
    tx.prepare_cached(sql)
        .and_then(|mut update| update.execute((id, from, now)))
        .map(|rows| rows == 1)
        .context("have a job tried again")
}

/// Interrupts the fill of the volume, because the volume is to go, so that it is not tried again: one that no worker is at
/// ends here. Gives it, and whether a worker is at it, who must be told.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn end_fill(
    tx: &Transaction<'_>,
    volume: &str,
    now: i64,
) -> Result<Option<(JobId, bool)>, Error> {
    let fault = Fault::Interrupted;
    let asleep = tx
        .prepare_cached(
            "UPDATE jobs SET state = 'interrupted', ended = ?2, speed = NULL, step = NULL, fault = ?3, closed = 1
             WHERE subject = ?1 AND kind = 'fill-volume' AND state IN ('queued', 'waiting') RETURNING id",
        )
        .and_then(|mut update| {
            update.query_row((volume, now, fault), |row| row.get(0)).optional()
        })
        .context("end a fill")?;
    if let Some(id) = asleep {
        return Ok(Some((id, false)));
    }
    let awake = tx
        .prepare_cached(
            "UPDATE jobs SET cancel = 1, closed = 1 WHERE subject = ?1 AND kind = 'fill-volume' AND state = 'running'
             RETURNING id",
        )
        .and_then(|mut update| update.query_row([volume], |row| row.get(0)).optional())
        .context("end a fill")?;
    Ok(awake.map(|id| (id, true)))
}

/// The volume stays after all: the fill that [`end_fill`] ended goes on.
///
/// # Errors
/// [`Error::Sqlite`], also when there is other live work on the volume.
pub fn go_on_with_fill(tx: &Transaction<'_>, id: JobId, now: i64) -> Result<bool, Error> {
    tx.prepare_cached(
        "UPDATE jobs SET state = 'queued', next_attempt = ?2, attempts = 0, ended = NULL, step = NULL, ending = NULL,
           fault = NULL, cancel = 0, closed = 0
         WHERE id = ?1 AND kind = 'fill-volume' AND state = 'interrupted' AND closed = 1",
    )
    .and_then(|mut update| update.execute((id, now)))
    .map(|rows| rows == 1)
    .context("go on with a fill")
}

/// The object has gone on: what failed on it cannot be tried again any more.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn close_jobs(tx: &Transaction<'_>, subject: &str) -> Result<(), Error> {
    tx.prepare_cached(
        "UPDATE jobs SET closed = 1 WHERE subject = ?1 AND state IN ('failed', 'interrupted')",
    )
    .and_then(|mut update| update.execute([subject]))
    .context("close an object's jobs")?;
    Ok(())
}
