//! The activity log: who did what, when, through which door. How an act ended is told by its job.

use super::jobs::{JOB, Job, job_at};
use super::paging::{Paged, Window};
use super::{Catalog, Context, Error};
use crate::domain::id::{JobId, OrganizationId, UserId};
use crate::domain::role::Door;
use rusqlite::{OptionalExtension, Transaction, named_params};

/// An entry to be written.
#[derive(Debug, Clone)]
pub struct NewEvent<'a> {
    /// In whose log.
    pub organization: OrganizationId,
    /// When.
    pub at: i64,
    /// The member; none for the program itself.
    pub user: Option<UserId>,
    /// The member's name.
    pub who: Option<&'a str>,
    /// Through which door.
    pub door: Door,
    /// What, in JSON (`control` knows the acts).
    pub act: String,
    /// The name of what it was done to.
    pub subject: &'a str,
    /// The job that does it.
    pub job: Option<JobId>,
}

/// An entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its number.
    pub id: i64,
    /// When.
    pub at: i64,
    /// The member's name.
    pub who: Option<String>,
    /// Through which door.
    pub door: Door,
    /// What, in JSON.
    pub act: String,
    /// The name of what it was done to.
    pub subject: String,
    /// The job that does or did it.
    pub job: Option<Job>,
}

impl Catalog {
    /// A page of the organization's log, newest first. Two statements, whatever the number of rows.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn list_events(
        &self,
        organization: OrganizationId,
        page: u32,
        limit: u32,
    ) -> Result<Paged<Event>, Error> {
        self.read(|tx| {
            let total = tx
                .prepare_cached("SELECT COUNT(*) FROM events WHERE organization = ?1")
                .and_then(|mut query| query.query_row([organization], |row| row.get(0)))
                .context("count the log's entries")?;
            let window = Window::of(total, page, limit);
            let sql = format!(
                "SELECT e.id, e.at, e.who, e.door, e.act, e.subject, {JOB} FROM events e LEFT JOIN jobs j ON j.id = e.job
                 WHERE e.organization = ?1 ORDER BY e.id DESC LIMIT ?2 OFFSET ?3"
            );
            let mut query = tx.prepare_cached(&sql).context("list the log")?;
            let rows = query.query_map((organization, window.limit, window.offset as i64), |row| {
                Ok(Event {
                    id: row.get(0)?,
                    at: row.get(1)?,
                    who: row.get(2)?,
                    door: row.get(3)?,
                    act: row.get(4)?,
                    subject: row.get(5)?,
                    job: job_at(row, 6)?,
                })
            });
            Ok(window.with(rows.and_then(Iterator::collect).context("list the log")?))
        })
    }

    /// The newest entry of this act: its moment, the member's name, and what it names. Reads the organization's whole
    /// log where there is none.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn last_event(
        &self,
        organization: OrganizationId,
        act: &str,
    ) -> Result<Option<(i64, Option<String>, String)>, Error> {
        self.read(|tx| {
            let sql = "SELECT at, who, subject FROM events WHERE organization = ?1 AND act = ?2
                       ORDER BY id DESC LIMIT 1";
            tx.prepare_cached(sql)
                .and_then(|mut query| {
                    query
                        .query_row((organization, act), |row| {
                            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
                        })
                        .optional()
                })
                .context("find an entry of the log")
        })
    }

    /// Whether the organization has, or is making, anything in the object store.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn has_saved(&self, organization: OrganizationId) -> Result<bool, Error> {
        self.read(|tx| {
            let sql = "SELECT EXISTS (SELECT 1 FROM snapshots WHERE organization = ?1)
                           OR EXISTS (SELECT 1 FROM templates WHERE organization = ?1)";
            tx.prepare_cached(sql)
                .and_then(|mut query| query.query_row([organization], |row| row.get(0)))
                .context("look for saved objects")
        })
    }
}

/// Writes an entry.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn insert_event(tx: &Transaction<'_>, event: &NewEvent<'_>) -> Result<(), Error> {
    let sql = "INSERT INTO events (organization, at, user, who, door, act, subject, job)
               VALUES (:organization, :at, :user, :who, :door, :act, :subject, :job)";
    tx.prepare_cached(sql)
        .and_then(|mut insert| {
            insert.execute(named_params! {
                ":organization": event.organization,
                ":at": event.at,
                ":user": event.user,
                ":who": event.who,
                ":door": event.door,
                ":act": event.act,
                ":subject": event.subject,
                ":job": event.job,
            })
        })
        .context("write into the log")?;
    Ok(())
}
