//! The activity log, and what changed.

use super::core::Core;
use super::error::{Error, Refusal, internal};
use super::live::{Listening, Place};
use super::moments::{moment, time_zone};
use super::{Caller, Control, narrow};
use crate::catalog;
use crate::catalog::events::{Event, NewEvent, insert_event};
use crate::catalog::jobs::Job;
use crate::domain::fault::Fault;
use crate::domain::id::JobId;
use crate::domain::job::{JobKind, JobState, Subject};
use crate::domain::role::{Door, Permission};
use crate::view::{About, Act, ActivityRow, Change, FILE_ROWS, Listing, Outcome, PAGE_ROWS, Page};
use rusqlite::Transaction;
use serde::{Deserialize, Serialize};

impl Control {
    /// A page of the organization's activity log, newest first.
    ///
    /// # Errors
    /// [`Fault::SignInNeeded`].
    pub fn list_activity(
        &self,
        caller: &Caller,
        listing: impl Into<Listing>,
    ) -> Result<Page<ActivityRow>, Fault> {
        self.activity_rows(caller, listing.into(), PAGE_ROWS)
    }

    /// The same, for a file: the first 10,000 entries of what is asked for, in its order.
    ///
    /// # Errors
    /// [`Fault::SignInNeeded`].
    pub fn activity_file(
        &self,
        caller: &Caller,
        listing: Listing,
    ) -> Result<Page<ActivityRow>, Fault> {
        let listing = Listing { page: 1, ..listing };
        self.activity_rows(caller, listing, FILE_ROWS)
    }

    /// As many entries, from the beginning of the page that is asked for.
    pub(super) fn activity_rows(
        &self,
        caller: &Caller,
        listing: Listing,
        limit: u32,
    ) -> Result<Page<ActivityRow>, Fault> {
        let actor = caller.must(Permission::Read)?;
        let found = self.ask(self.catalog().list_events(
            actor.organization,
            &narrow(listing, actor),
            limit,
        ))?;
        let zone = time_zone(&actor.time_zone);
        let subjects = found
            .rows
            .iter()
            .filter_map(about)
            .map(|(_, id)| id)
            .collect();
        let there = self.ask(self.catalog().that_exist(&subjects))?;
        let mut rows = Vec::with_capacity(found.rows.len());
        for event in found.rows {
            let written: Written = serde_json::from_str(&event.act).map_err(|source| {
                self.fault(Error::Json {
                    what: "an act of the log",
                    source,
                })
            })?;
            let (act, ended) = match written {
                Written::Act(act) => (act, None),
                Written::End { ended, fault } => (Act::Job(ended), Some(fault)),
            };
            let job_tells = matches!(act, Act::Job(_));
            let outcome = match (&event.job, act) {
                _ if ended.is_some() => match ended.flatten() {
                    None => Outcome::Done,
                    Some(Fault::Interrupted) => Outcome::Interrupted,
                    Some(fault) => Outcome::Failed(fault),
                },
                (_, Act::SignInRefused) => Outcome::Failed(Fault::WrongCredentials),
                (_, Act::ChangePasswordRefused) => Outcome::Failed(Fault::WrongPassword),
                (_, Act::SetClock) => Outcome::Failed(Fault::ClockNotSet),
                (Some(job), _) if job_tells => match job.state {
                    JobState::Succeeded => Outcome::Done,
                    JobState::Interrupted => Outcome::Interrupted,
                    JobState::Failed => {
                        Outcome::Failed(job.fault.clone().unwrap_or(Fault::Interrupted))
                    }
                    JobState::Queued | JobState::Running | JobState::Waiting => Outcome::Running,
                },
                _ => Outcome::Done,
            };
            let about = about(&event)
                .filter(|(_, id)| there.contains(id))
                .map(|(about, _)| about);
            rows.push(ActivityRow {
                id: u64::try_from(event.id).unwrap_or(0),
                when: moment(&zone, event.at),
                who: event.who,
                door: event.door,
                act,
                subject: event.subject,
                about,
                outcome,
                job: event
                    .job
                    .as_ref()
                    .map(|job| self.job_view(actor, &zone, job)),
            });
        }
        Ok(Page {
            rows,
            total: found.total,
            page: found.page,
            pages: found.pages,
        })
    }

    /// Listens to what changes in the caller's organization: from now on, or from where the caller was.
    ///
    /// # Errors
    /// [`Fault::SignInNeeded`].
    pub fn subscribe(&self, caller: &Caller, from: Option<Place>) -> Result<Listening, Fault> {
        let actor = caller.must(Permission::Read)?;
        Ok(self.core.live.subscribe(actor.organization, from))
    }

    /// Writes an act without long work into the log of the caller's organization.
    ///
    /// # Errors
    /// [`Fault::SignInNeeded`] when the caller is nobody, [`Fault::Internal`].
    pub(super) fn record(&self, caller: &Caller, act: Act, subject: &str) -> Result<(), Fault> {
        let organization = caller
            .actor
            .as_ref()
            .ok_or(Fault::SignInNeeded)?
            .organization;
        let now = self.now_ms();
        self.core
            .transact(|tx| log(tx, caller, act, subject, Logged::Nothing, now))?;
        self.core.live.changed(organization, &[Change::Activity]);
        Ok(())
    }
}

/// What an entry is about, and its id as the catalog has it: what its task works on, or the volume or the instance that the act
/// itself names.
fn about(event: &Event) -> Option<(About, String)> {
    if let Some(job) = &event.job {
        return worked_on(job);
    }
    let id = event.object.as_deref()?;
    let about = match serde_json::from_str(&event.act).ok()? {
        Written::Act(Act::Attach | Act::Detach) => About::Volume(id.parse().ok()?),
        Written::Act(Act::RenamePoint) => About::Instance(id.parse().ok()?),
        _ => return None,
    };
    Some((about, id.to_owned()))
}

fn worked_on(job: &Job) -> Option<(About, String)> {
    let id = job.subject.as_str();
    let about = match job.kind.subject() {
        Subject::Volume => About::Volume(id.parse().ok()?),
        Subject::Snapshot => About::Snapshot(id.parse().ok()?),
        Subject::Instance => About::Instance(id.parse().ok()?),
        Subject::Template => About::Template(id.parse().ok()?),
    };
    Some((about, id.to_owned()))
}

/// What stands in the log.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    /// Work that the program began itself ended so. Unlike that of an act, which its job tells, this does not change when
    /// the work is tried again.
    End {
        ended: JobKind,
        fault: Option<Fault>,
    },
    /// What somebody did.
    Act(Act),
}

/// Writes into the log how work of the program's own ended.
pub(super) fn log_end(
    tx: &Transaction<'_>,
    job: &Job,
    fault: Option<&Fault>,
    now: i64,
) -> Result<(), catalog::Error> {
    let written = Written::End {
        ended: job.kind,
        fault: fault.cloned(),
    };
    let act = match serde_json::to_string(&written) {
        Ok(act) => act,
        Err(error) => {
            // What ended must end.
            tracing::warn!(job = %job.id, %error, "an entry of the log was not written");
            return Ok(());
        }
    };
    let event = NewEvent {
        organization: job.organization,
        at: now,
        user: None,
        who: None,
        door: Door::System,
        act,
        subject: &job.subject_name,
        job: Some(job.id),
        object: None,
    };
    insert_event(tx, &event)
}

/// What an entry of the log is about.
pub(super) enum Logged {
    /// Long work, which knows its object.
    Job(JobId),
    /// The object with this id.
    Object(String),
    /// Nothing that has an id.
    Nothing,
}

/// Writes an act into the log, in the transaction of the act itself.
pub(super) fn log(
    tx: &Transaction<'_>,
    caller: &Caller,
    act: Act,
    subject: &str,
    about: Logged,
    now: i64,
) -> Result<(), Refusal> {
    let actor = caller.actor.as_ref().ok_or(Fault::SignInNeeded)?;
    let words = serde_json::to_string(&act).map_err(|source| {
        internal(
            "write an act down",
            &Error::Json {
                what: "an act",
                source,
            },
        )
    })?;
    let event = NewEvent {
        organization: actor.organization,
        at: now,
        user: Some(actor.user),
        who: Some(&actor.name),
        door: caller.door,
        act: words,
        subject,
        job: match about {
            Logged::Job(job) => Some(job),
            Logged::Object(_) | Logged::Nothing => None,
        },
        object: match about {
            Logged::Object(id) => Some(id),
            Logged::Job(_) | Logged::Nothing => None,
        },
    };
    insert_event(tx, &event)?;
    Ok(())
}

impl Core {
    /// One transaction of the catalog that may also be refused for a user's mistake.
    pub fn transact<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Refusal>,
    ) -> Result<T, Fault> {
        self.catalog.write(work).map_err(|refusal| match refusal {
            Refusal::Fault(fault) => fault,
            Refusal::Catalog(error) => self.fault(error.into()),
        })
    }

    /// One consistent view of the catalog, which may also be refused for a user's mistake.
    pub fn look<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Refusal>,
    ) -> Result<T, Fault> {
        self.catalog.read(work).map_err(|refusal| match refusal {
            Refusal::Fault(fault) => fault,
            Refusal::Catalog(error) => self.fault(error.into()),
        })
    }
}
