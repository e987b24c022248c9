//! The activity log: who did what, when, through which door. How an act ended is told by its job.

use super::jobs::{JOB, Job, job_at};
use super::paging::{Conditions, Narrow, Paged, marks, on_page, order, ordered};
use super::{Catalog, Context, Error};
use crate::domain::id::{JobId, OrganizationId, UserId};
use crate::domain::role::Door;
use rusqlite::{OptionalExtension, Transaction, named_params, params_from_iter};

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
    /// The id of what it was done to, where no job knows it.
    pub object: Option<String>,
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
    /// The id of what it was done to, where no job tells it; of a recovery point: that of its instance.
    pub object: Option<String>,
    /// The job that does or did it.
    pub job: Option<Job>,
}

impl Catalog {
    /// A page of the organization's log, newest first unless asked for otherwise. Three statements, whatever the number
    /// of rows. What was done to an instance is also what was done to its volumes and recovery points; what was done to
    /// a volume is also the snapshots that were taken of it.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn list_events(
        &self,
        organization: OrganizationId,
        narrow: &Narrow,
        limit: u32,
    ) -> Result<Paged<Event>, Error> {
        let conditions = Conditions::new("e.organization = ?", organization)
            .and("e.who = ?", &narrow.who)
            .and("e.door = ?", &narrow.door)
            // An act is a word, or an object with the kind of its work as a word (`control` writes them).
            .and("instr(e.act, '\"' || ? || '\"') > 0", &narrow.kind)
            .and(
                "e.id IN (SELECT id FROM events WHERE object = ?
                          UNION SELECT o.id FROM events o WHERE o.object IN (SELECT v.id FROM volumes v WHERE v.instance = ?)
                          UNION SELECT o.id FROM events o WHERE o.object IN (SELECT p.id FROM points p WHERE p.instance = ?)
                          UNION SELECT o.id FROM jobs s JOIN events o ON o.job = s.id WHERE s.source = ?)",
                &narrow.of,
            )
            .and_number("e.at >= ?", narrow.from)
            .and_number("e.at < ?", narrow.until)
            .find("e.subject || ' ' || COALESCE(e.who, '')", &narrow.find);
        let columns = [
            ("when", "e.at"),
            ("who", "e.who COLLATE names"),
            ("kind", "e.act"),
            ("subject", "e.subject COLLATE names"),
        ];
        let order = order(&narrow.sort, &columns, "e.id DESC");
        self.read(|tx| {
            let page = (narrow.page, limit);
            let (window, ids) =
                on_page::<i64>(tx, ("events e", "e.id"), &conditions, &order, page)?;
            let sql = format!(
                "SELECT e.id, e.at, e.who, e.door, e.act, e.subject,
                        COALESCE((SELECT p.instance FROM points p WHERE p.id = e.object), e.object), {JOB}
                 FROM events e LEFT JOIN jobs j ON j.id = e.job WHERE e.id IN ({})",
                marks(ids.len())
            );
            let mut query = tx.prepare_cached(&sql).context("list the log")?;
            let rows = query.query_map(params_from_iter(&ids), |row| {
                Ok(Event {
                    id: row.get(0)?,
                    at: row.get(1)?,
                    who: row.get(2)?,
                    door: row.get(3)?,
                    act: row.get(4)?,
                    subject: row.get(5)?,
                    object: row.get(6)?,
                    job: job_at(row, 7)?,
                })
            });
            let rows = rows.and_then(Iterator::collect).context("list the log")?;
            Ok(window.with(ordered(&ids, rows, |row: &Event| row.id)))
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
    let sql = "INSERT INTO events (organization, at, user, who, door, act, subject, job, object)
               VALUES (:organization, :at, :user, :who, :door, :act, :subject, :job,
                       COALESCE(:object, (SELECT subject FROM jobs WHERE id = :job)))";
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
                ":object": event.object,
            })
        })
        .context("write into the log")?;
    Ok(())
}
