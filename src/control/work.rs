//! Long work as members see it, and what they may do to it.

use super::activity::{Logged, log};
use super::error::Refusal;
use super::moments::{moment, time_zone};
use super::{Actor, Caller, Control};
use crate::catalog::instances::live_work_on;
use crate::catalog::jobs::{Job, NewJob, ask_to_stop, insert_job, job_of, requeue};
use crate::catalog::snapshots::{move_snapshot, snapshot_of};
use crate::catalog::volumes::volume_of;
use crate::domain::fault::{Fault, Noun};
use crate::domain::id::{JobId, SnapshotId, VolumeId};
use crate::domain::job::{JobKind, JobState};
use crate::domain::role::Permission;
use crate::domain::size::Bytes;
use crate::domain::snapshot::SnapshotEvent;
use crate::domain::volume::VolumeState;
use crate::view::{Act, JobView, Started, TasksView};
use jiff::tz::TimeZone;
use rusqlite::Transaction;

/// Tasks that go on are listed up to this number, those that ended up to as many.
const LISTED: u32 = 100;
/// How long a task that ended stays in the list, in milliseconds.
const ENDED_STAYS: i64 = 60_000;
const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
/// Tasks that are told of by their ids at most.
const KNOWN: usize = 50;

/// Long work that a member asks for.
pub(super) struct Asked<'a> {
    pub kind: JobKind,
    pub id: JobId,
    /// The id of the object it works on.
    pub subject: String,
    /// That object's name.
    pub name: &'a str,
    /// The id of an object that must stay until the work ends.
    pub source: Option<String>,
    pub args: String,
    pub total: Option<Bytes>,
    /// The names of others that it works on, too: each has an entry of its own in the log.
    pub also: Vec<String>,
}

impl<'a> Asked<'a> {
    pub fn new(kind: JobKind, subject: &impl ToString, name: &'a str) -> Self {
        let (subject, args) = (subject.to_string(), "{}".to_owned());
        Self {
            kind,
            id: JobId::new(),
            subject,
            name,
            source: None,
            args,
            total: None,
            also: Vec::new(),
        }
    }
}

impl Control {
    /// The organization's tasks that go on, oldest first (at most 100), then those that ended in the last minute, then
    /// those of `known` (ids, separated by commas) that ended before: a browser asks for what was set going in it.
    ///
    /// # Errors
    /// [`Fault::SignInNeeded`].
    pub fn current_jobs(&self, caller: &Caller, known: &str) -> Result<Vec<JobView>, Fault> {
        let actor = caller.must(Permission::Read)?;
        let since = self.now_ms() - ENDED_STAYS;
        let known: Vec<JobId> = known
            .split(',')
            .filter_map(|id| id.parse().ok())
            .take(KNOWN)
            .collect();
        let jobs =
            self.ask(
                self.catalog()
                    .current_jobs(actor.organization, since, LISTED, &known),
            )?;
        let zone = time_zone(&actor.time_zone);
        Ok(jobs
            .iter()
            .map(|job| self.job_view(actor, &zone, job))
            .collect())
    }

    /// The tasks that go on, those that failed within a day, and those that ended otherwise within the hour. Two statements.
    ///
    /// # Errors
    /// [`Fault::SignInNeeded`].
    pub fn tasks(&self, caller: &Caller) -> Result<TasksView, Fault> {
        let actor = caller.must(Permission::Read)?;
        let (organization, now) = (actor.organization, self.now_ms());
        let current = self
            .catalog()
            .current_jobs(organization, now - HOUR, LISTED, &[]);
        let failed = self
            .catalog()
            .jobs_failed_since(organization, now - DAY, LISTED);
        let zone = time_zone(&actor.time_zone);
        let view = |job: &Job| self.job_view(actor, &zone, job);
        let (live, ended): (Vec<Job>, Vec<Job>) = self
            .ask(current)?
            .into_iter()
            .partition(|job| job.state.is_live());
        let failed = self.ask(failed)?;
        Ok(TasksView {
            live: live.iter().map(view).collect(),
            failed: failed.iter().map(view).collect(),
            ended: ended
                .iter()
                .filter(|job| job.state != JobState::Failed)
                .map(view)
                .collect(),
        })
    }

    /// Asks a task to stop.
    ///
    /// # Errors
    /// [`Fault::NotFound`], [`Fault::NotInterruptible`].
    pub fn interrupt_job(&self, caller: &Caller, id: JobId) -> Result<(), Fault> {
        let actor = caller.must(Permission::Change)?;
        let now = self.now_ms();
        self.core.transact(|tx| {
            let job =
                job_of(tx, actor.organization, id)?.ok_or(Fault::NotFound { what: Noun::Job })?;
            if !job.kind.interruptible() || !ask_to_stop(tx, id, now)? {
                return Err(Fault::NotInterruptible.into());
            }
            if !job.cancel {
                log(
                    tx,
                    caller,
                    Act::Interrupt(job.kind),
                    &job.subject_name,
                    Logged::Job(id),
                    now,
                )?;
            }
            Ok(())
        })?;
        self.runner.interrupt(id);
        self.core.work_changed(actor.organization);
        Ok(())
    }

    /// Has a task that failed or waits tried again now.
    ///
    /// # Errors
    /// [`Fault::NotFound`], [`Fault::NotRetryable`].
    pub fn retry_job(&self, caller: &Caller, id: JobId) -> Result<(), Fault> {
        let actor = caller.must(Permission::Change)?;
        let now = self.now_ms();
        self.core.transact(|tx| {
            let job =
                job_of(tx, actor.organization, id)?.ok_or(Fault::NotFound { what: Noun::Job })?;
            if !may_be_retried(&job) {
                return Err(Fault::NotRetryable.into());
            }
            if job.kind == JobKind::FillVolume {
                may_be_filled(tx, &job)?;
            } else if job.state == JobState::Failed {
                let snapshot: SnapshotId = job.subject.parse().map_err(|_| Fault::NotRetryable)?;
                let snapshot =
                    snapshot_of(tx, actor.organization, snapshot)?.ok_or(Fault::NotRetryable)?;
                let after = snapshot
                    .state
                    .next(SnapshotEvent::Retried)
                    .map_err(|_| Fault::NotRetryable)?;
                if !move_snapshot(tx, snapshot.id, snapshot.state, after, None)? {
                    return Err(Fault::NotRetryable.into());
                }
            }
            if !requeue(tx, id, job.state, now)? {
                return Err(Fault::NotRetryable.into());
            }
            log(
                tx,
                caller,
                Act::Retry(job.kind),
                &job.subject_name,
                Logged::Job(id),
                now,
            )
        })?;
        self.runner.wake();
        self.core.work_changed(actor.organization);
        Ok(())
    }

    /// One transaction: what `intent` writes, the job and the entry of the log. Then the work begins.
    pub(super) fn begin(
        &self,
        caller: &Caller,
        actor: &Actor,
        asked: &Asked<'_>,
        intent: impl FnOnce(&Transaction<'_>) -> Result<(), Refusal>,
    ) -> Result<Started, Fault> {
        let now = self.now_ms();
        self.core.transact(|tx| {
            intent(tx)?;
            let job = NewJob {
                id: asked.id,
                organization: actor.organization,
                kind: asked.kind,
                subject: asked.subject.clone(),
                subject_name: asked.name,
                source: asked.source.clone(),
                args: asked.args.clone(),
                total: asked.total,
                asked_by: Some(actor.user),
            };
            insert_job(tx, &job, now)?;
            let act = Act::Job(asked.kind);
            for name in asked.also.iter().rev() {
                log(tx, caller, act, name, Logged::Job(asked.id), now)?;
            }
            log(tx, caller, act, asked.name, Logged::Job(asked.id), now)
        })?;
        self.runner.wake();
        self.core.work_changed(actor.organization);
        Ok(Started {
            job: asked.id,
            kind: asked.kind,
            subject: asked.name.to_owned(),
            object: object(asked.kind, JobState::Queued, &asked.subject),
            others: u32::try_from(asked.also.len()).unwrap_or(u32::MAX),
        })
    }

    /// A job as this member sees it.
    pub(super) fn job_view(&self, actor: &Actor, zone: &TimeZone, job: &Job) -> JobView {
        let live = job.state.is_live();
        let change = actor.role.may(Permission::Change);
        let undone = job.ending.is_some();
        JobView {
            id: job.id,
            kind: job.kind,
            state: job.state,
            subject: job.subject_name.clone(),
            object: object(job.kind, job.state, &job.subject),
            done: job.done,
            total: job.total,
            speed: if job.state == JobState::Running {
                job.speed
            } else {
                None
            },
            interrupting: live && job.cancel,
            may_interrupt: change && live && !job.cancel && !undone && job.kind.interruptible(),
            may_retry: change && may_be_retried(job),
            fault: job.fault.clone(),
            next_attempt: (job.state == JobState::Waiting).then(|| moment(zone, job.next_attempt)),
            asked: moment(zone, job.asked),
            ended: job.ended.map(|ended| moment(zone, ended)),
        }
    }
}

/// The id of the object whose page is offered; nothing where it goes.
fn object(kind: JobKind, state: JobState, subject: &str) -> String {
    let offered = kind.has_object(state).then_some(subject);
    offered.unwrap_or_default().to_owned()
}

/// A volume is there to be filled, and nothing else fills it.
fn may_be_filled(tx: &Transaction<'_>, job: &Job) -> Result<(), Refusal> {
    let volume: VolumeId = job.subject.parse().map_err(|_| Fault::NotRetryable)?;
    let volume = volume_of(tx, job.organization, volume)?;
    let alone = job.state == JobState::Waiting || live_work_on(tx, &job.subject)?.is_none();
    if alone && volume.is_some_and(|volume| volume.state == VolumeState::Ready) {
        Ok(())
    } else {
        Err(Fault::NotRetryable.into())
    }
}

/// What waits can be hurried. Of what failed, a snapshot can be tried again: its checkpoint was kept, so that it still
/// means the same moment; and a volume that is in use already can be filled further, also when that was interrupted. One
/// that could not be made is deleted and made anew.
fn may_be_retried(job: &Job) -> bool {
    match job.state {
        JobState::Waiting => true,
        JobState::Failed => {
            matches!(job.kind, JobKind::TakeSnapshot | JobKind::FillVolume) && !job.closed
        }
        JobState::Interrupted => job.kind == JobKind::FillVolume && !job.closed,
        JobState::Queued | JobState::Running | JobState::Succeeded => false,
    }
}
