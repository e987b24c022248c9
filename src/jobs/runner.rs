//! The workers.

use super::failpoint;
use super::{Failure, Meter, Watch, Work};
use crate::catalog::jobs::{Ending, Job, end_job};
use crate::catalog::{self, Catalog};
use crate::domain::fault::Fault;
use crate::domain::id::JobId;
use crate::domain::job::{JobKind, JobState};
use crate::domain::size::Bytes;
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How the runner works.
#[derive(Debug, Clone)]
pub struct RunnerOptions {
    /// Jobs that run at once. The last worker is kept for short work; with one worker, it does everything.
    pub workers: usize,
    /// The wait after the first passing fault; it doubles with each, up to `longest_wait`.
    pub first_wait: Duration,
    /// The longest wait.
    pub longest_wait: Duration,
    /// After so many attempts a passing fault is a final one.
    pub attempts: u32,
    /// Progress is written down, and told, at most this often.
    pub report_every: Duration,
}

impl Default for RunnerOptions {
    fn default() -> Self {
        Self {
            workers: 4,
            first_wait: Duration::from_secs(2),
            longest_wait: Duration::from_secs(300),
            attempts: 8,
            report_every: Duration::from_millis(400),
        }
    }
}

/// How long a worker waits before it asks a catalog again that could not be written.
const CATALOG_PAUSE: Duration = Duration::from_secs(1);

/// Runs what the catalog says is to be done. Dropping it stops it as [`Runner::shutdown`] does.
pub struct Runner {
    shared: Arc<Shared>,
    workers: Mutex<Vec<JoinHandle<()>>>,
}

struct Shared {
    catalog: Catalog,
    work: Arc<dyn Work>,
    options: RunnerOptions,
    stopping: AtomicBool,
    /// Grows with every call of `wake`, so that a worker never sleeps through one.
    calls: Mutex<u64>,
    called: Condvar,
    /// Jobs that run here, with their flags of interruption.
    running: Mutex<HashMap<JobId, Arc<AtomicBool>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Runner {
    /// Takes up what was running when the last process ended, and begins to work.
    ///
    /// # Errors
    /// [`catalog::Error`].
    pub fn start(
        catalog: Catalog,
        work: Arc<dyn Work>,
        options: RunnerOptions,
    ) -> Result<Self, catalog::Error> {
        let resumed = catalog.requeue_running()?;
        if resumed > 0 {
            tracing::info!(
                jobs = resumed,
                "work that was under way when the server stopped is resumed"
            );
        }
        let shared = Arc::new(Shared {
            catalog,
            work,
            options,
            stopping: AtomicBool::new(false),
            calls: Mutex::new(0),
            called: Condvar::new(),
            running: Mutex::new(HashMap::new()),
        });
        let count = shared.options.workers.max(1);
        let mut workers = Vec::with_capacity(count);
        for number in 0..count {
            let only_short = count > 1 && number == 0;
            let mine = Arc::clone(&shared);
            let spawned = std::thread::Builder::new()
                .name(format!("job-{number}"))
                .spawn(move || mine.work_on(only_short));
            match spawned {
                Ok(worker) => workers.push(worker),
                Err(error) => tracing::error!(%error, "a worker could not be started"),
            }
        }
        Ok(Self {
            shared,
            workers: Mutex::new(workers),
        })
    }

    /// There is something to do: called after a job was committed.
    pub fn wake(&self) {
        *lock(&self.shared.calls) += 1;
        self.shared.called.notify_all();
    }

    /// An interruption was asked for and committed: a job that runs here is told at once.
    pub fn interrupt(&self, job: JobId) {
        if let Some(flag) = lock(&self.shared.running).get(&job) {
            flag.store(true, Ordering::SeqCst);
        }
        self.wake();
    }

    /// Stops: what runs is asked to stop at its next step or progress and goes back to the queue, to be resumed by the
    /// next process. Returns when every worker has ended.
    pub fn shutdown(&self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        self.wake();
        let this = std::thread::current().id();
        for worker in std::mem::take(&mut *lock(&self.workers)) {
            // The last handle may be dropped by a worker itself, which cannot wait for its own end.
            if worker.thread().id() != this && worker.join().is_err() {
                tracing::error!("a worker ended by a panic of its own");
            }
        }
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        self.shutdown();
    }
}

impl Shared {
    fn stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    fn work_on(&self, only_short: bool) {
        let kinds: Vec<JobKind> = JobKind::ALL
            .into_iter()
            .filter(|kind| !only_short || !self.work.is_long(*kind))
            .collect();
        while !self.stopping() {
            let heard = *lock(&self.calls);
            match self.catalog.claim_job(&kinds, self.work.now()) {
                Ok(Some(job)) => self.run(job),
                Ok(None) => self.rest(&kinds, heard),
                Err(error) => {
                    self.work.internal("look for work", &error);
                    self.rest(&kinds, heard);
                }
            }
        }
    }

    /// Waits until called, or until the next job is due.
    fn rest(&self, kinds: &[JobKind], heard: u64) {
        let due = self.catalog.next_due(kinds).ok().flatten();
        let wait = due.map_or(60_000, |due| due.saturating_sub(self.work.now()));
        // At least a moment: where the catalog cannot be read, or another worker has just taken the job.
        let wait = Duration::from_millis(u64::try_from(wait).unwrap_or(0).clamp(20, 60_000));
        let calls = lock(&self.calls);
        let asleep = self
            .called
            .wait_timeout_while(calls, wait, |calls| *calls == heard && !self.stopping());
        drop(asleep.unwrap_or_else(PoisonError::into_inner));
    }

    fn run(&self, mut job: Job) {
        let flag = Arc::new(AtomicBool::new(job.cancel));
        lock(&self.running).insert(job.id, Arc::clone(&flag));
        // Asked for between the claim and the line above: the flag was not there to be set.
        if let Ok(Some(now)) = self.catalog.job(job.id)
            && now.cancel
        {
            flag.store(true, Ordering::SeqCst);
        }
        self.work.changed(&job);
        let result = self.proceed(&mut job, &flag);
        lock(&self.running).remove(&job.id);
        if let Err(error) = result {
            // The catalog cannot be written. The job stays "running" in it until it can be, or until the next process.
            self.work.internal("write down how a job goes", &error);
            while !self.stopping() && self.catalog.release_job(job.id).is_err() {
                std::thread::sleep(CATALOG_PAUSE);
            }
        }
        if let Ok(Some(job)) = self.catalog.job(job.id) {
            self.work.changed(&job);
        }
        // It may have asked for more work, of a kind that is not for this worker.
        *lock(&self.calls) += 1;
        self.called.notify_all();
    }

    fn proceed(&self, job: &mut Job, flag: &Arc<AtomicBool>) -> Result<(), catalog::Error> {
        if job.ending.is_none() {
            let failure = match self.steps(job, self.work.steps(job.kind), Some(flag))? {
                Ok(()) => return self.end(job, None),
                Err(failure) => failure,
            };
            let (ending, fault) = match failure {
                Failure::Stopped if flag.load(Ordering::SeqCst) => {
                    (Ending::Interrupted, Fault::Interrupted)
                }
                Failure::Stopped => return self.catalog.release_job(job.id),
                Failure::Passing(fault) if self.tries_again(job) => {
                    return self.postpone(job, &fault);
                }
                Failure::Passing(fault) | Failure::Final(fault) => (Ending::Failed, fault),
            };
            if !self.catalog.begin_ending(job.id, ending, &fault)? {
                return Ok(());
            }
            (job.ending, job.fault, job.step, job.attempts) = (Some(ending), Some(fault), None, 1);
        }
        let Some(ending) = job.ending else {
            return Ok(());
        };
        let steps = self.work.undo_steps(job.kind, ending);
        match self.steps(job, steps, None)? {
            Ok(()) => {}
            Err(Failure::Stopped) => return self.catalog.release_job(job.id),
            Err(Failure::Passing(fault)) if self.tries_again(job) => {
                return self.postpone(job, &fault);
            }
            Err(Failure::Passing(fault) | Failure::Final(fault)) => {
                // It ends nevertheless: its object is shown as failed, and deleting that object tries once more.
                tracing::warn!(job = %job.id, ?fault, "what a job began could not be undone wholly");
            }
        }
        self.end(job, Some(ending))
    }

    fn tries_again(&self, job: &Job) -> bool {
        self.work.never_gives_up(job.kind) || job.attempts < self.options.attempts
    }

    /// Runs the steps from the one written down last. The outer error is the catalog's, the inner one the work's.
    fn steps(
        &self,
        job: &mut Job,
        steps: &'static [&'static str],
        flag: Option<&Arc<AtomicBool>>,
    ) -> Result<Result<(), Failure>, catalog::Error> {
        let first = job.step.map_or(0, |step| step as usize);
        for (number, &step) in steps.iter().enumerate().skip(first) {
            if self.stopping() || flag.is_some_and(|flag| flag.load(Ordering::SeqCst)) {
                return Ok(Err(Failure::Stopped));
            }
            let number = u32::try_from(number).unwrap_or(u32::MAX);
            let cancel = self.catalog.begin_step(job.id, number)?;
            job.step = Some(number);
            if let Some(flag) = flag
                && cancel
            {
                flag.store(true, Ordering::SeqCst);
                return Ok(Err(Failure::Stopped));
            }
            failpoint::reach(job.kind, step, false);
            let mut watch = Reporter::new(self, job.clone(), flag.cloned());
            let outcome = catch_unwind(AssertUnwindSafe(|| self.work.step(job, step, &mut watch)));
            (job.done, job.total) = (watch.job.done, watch.job.total);
            let outcome = outcome.unwrap_or_else(|payload| {
                Err(Failure::Passing(self.panicked(step, payload.as_ref())))
            });
            if let Err(failure) = outcome {
                return Ok(Err(failure));
            }
            failpoint::reach(job.kind, step, true);
        }
        Ok(Ok(()))
    }

    fn panicked(&self, step: &'static str, payload: &(dyn std::any::Any + Send)) -> Fault {
        #[derive(Debug, thiserror::Error)]
        #[error("a panic in the step {step}: {said}")]
        struct Panicked {
            step: &'static str,
            said: String,
        }
        let said = payload.downcast_ref::<&str>().map(ToString::to_string);
        let said = said
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_default();
        self.work.internal("run a job", &Panicked { step, said })
    }

    fn postpone(&self, job: &Job, fault: &Fault) -> Result<(), catalog::Error> {
        let doublings = job.attempts.saturating_sub(1).min(20);
        let wait = self
            .options
            .first_wait
            .saturating_mul(1 << doublings)
            .min(self.options.longest_wait);
        let wait = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
        tracing::warn!(job = %job.id, kind = ?job.kind, ?fault, attempt = job.attempts, wait_ms = wait, "a job waits");
        self.catalog
            .postpone_job(job.id, fault, self.work.now().saturating_add(wait))?;
        Ok(())
    }

    fn end(&self, job: &Job, ending: Option<Ending>) -> Result<(), catalog::Error> {
        let state = ending.map_or(JobState::Succeeded, Ending::state);
        let fault = job.fault.clone().unwrap_or(Fault::Interrupted);
        self.catalog.write(|tx| {
            if end_job(tx, job.id, state, self.work.now())? {
                self.work
                    .conclude(tx, job, ending.map(|ending| (ending, &fault)))?;
            }
            Ok(())
        })
    }
}

/// Writes progress down from time to time, and hands interruptions over.
struct Reporter<'a> {
    shared: &'a Shared,
    job: Job,
    /// None while undoing, which nobody interrupts.
    flag: Option<Arc<AtomicBool>>,
    meter: Meter,
    reported: Option<Instant>,
}

impl<'a> Reporter<'a> {
    fn new(shared: &'a Shared, job: Job, flag: Option<Arc<AtomicBool>>) -> Self {
        Self {
            shared,
            job,
            flag,
            meter: Meter::default(),
            reported: None,
        }
    }

    fn report(&mut self, now: Instant) {
        if self
            .reported
            .is_some_and(|at| now.duration_since(at) < self.shared.options.report_every)
        {
            return;
        }
        self.reported = Some(now);
        self.meter.note(now, self.job.done.0);
        self.job.speed = self.meter.speed().map(Bytes);
        // Progress is for people to read: if it cannot be written, the work goes on.
        match self.shared.catalog.set_progress(
            self.job.id,
            self.job.done,
            self.job.total,
            self.job.speed,
        ) {
            Ok(()) => self.shared.work.progressed(&self.job),
            Err(error) => tracing::warn!(%error, "a job's progress could not be written"),
        }
    }
}

impl Watch for Reporter<'_> {
    fn total(&mut self, bytes: u64) {
        self.job.total = Some(Bytes(bytes));
        self.report(Instant::now());
    }

    fn done(&mut self, bytes: u64) -> ControlFlow<()> {
        self.job.done = Bytes(bytes);
        self.report(Instant::now());
        let interrupted = self
            .flag
            .as_ref()
            .is_some_and(|flag| flag.load(Ordering::SeqCst));
        if interrupted || self.shared.stopping() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}
