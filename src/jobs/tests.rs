//! The runner, with work that does nothing but what a test tells it.

use super::*;
use crate::catalog::Catalog;
use crate::catalog::jobs::{NewJob, ask_to_stop, insert_job, requeue};
use crate::catalog::people::insert_organization;
use crate::domain::id::{JobId, OrganizationId};
use crate::domain::job::JobState;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

type Answer = Box<dyn FnMut(&Job, &'static str, &mut dyn Watch) -> Result<(), Failure> + Send>;

/// Work that answers what the test says, and remembers what it was asked.
struct Told {
    answer: Mutex<Answer>,
    seen: Mutex<Vec<String>>,
    ended: Mutex<Vec<(JobId, Option<Ending>)>>,
    changed: Condvar,
    clock: AtomicI64,
}

const STEPS: &[&str] = &["one", "two"];
const UNDO: &[&str] = &["undo-two", "undo-one"];

impl Work for Told {
    fn steps(&self, _: JobKind) -> &'static [&'static str] {
        STEPS
    }

    fn undo_steps(&self, _: JobKind, _: Ending) -> &'static [&'static str] {
        UNDO
    }

    fn is_long(&self, kind: JobKind) -> bool {
        kind == JobKind::ImportVolume
    }

    fn never_gives_up(&self, kind: JobKind) -> bool {
        kind == JobKind::DeleteVolume
    }

    fn step(&self, job: &Job, step: &'static str, watch: &mut dyn Watch) -> Result<(), Failure> {
        self.seen.lock().expect("whole").push(step.to_owned());
        let mut answer = self
            .answer
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        answer(job, step, watch)
    }

    fn conclude(
        &self,
        _: &Transaction<'_>,
        job: &Job,
        ending: Option<(Ending, &Fault)>,
    ) -> Result<(), catalog::Error> {
        self.ended
            .lock()
            .expect("whole")
            .push((job.id, ending.map(|(ending, _)| ending)));
        Ok(())
    }

    fn changed(&self, _: &Job) {
        drop(self.ended.lock().expect("whole"));
        self.changed.notify_all();
    }

    fn progressed(&self, _: &Job) {}

    fn internal(&self, doing: &'static str, error: &(dyn std::error::Error + 'static)) -> Fault {
        eprintln!("{doing}: {error}");
        Fault::Internal {
            reference: doing.to_owned(),
        }
    }

    fn now(&self) -> i64 {
        self.clock.load(Ordering::SeqCst)
    }
}

struct Bench {
    catalog: Catalog,
    organization: OrganizationId,
    work: Arc<Told>,
    _folder: tempfile::TempDir,
}

impl Bench {
    fn new(
        answer: impl FnMut(&Job, &'static str, &mut dyn Watch) -> Result<(), Failure> + Send + 'static,
    ) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let catalog = Catalog::open(&folder.path().join("catalog.db")).expect("a catalog");
        let organization = OrganizationId::new();
        catalog
            .write(|tx| insert_organization(tx, organization, "Us", "UTC", 0))
            .expect("an organization");
        let work = Arc::new(Told {
            answer: Mutex::new(Box::new(answer)),
            seen: Mutex::default(),
            ended: Mutex::default(),
            changed: Condvar::new(),
            clock: AtomicI64::new(1_000_000),
        });
        Self {
            catalog,
            organization,
            work,
            _folder: folder,
        }
    }

    fn ask(&self, kind: JobKind) -> JobId {
        let id = JobId::new();
        let job = NewJob {
            id,
            organization: self.organization,
            kind,
            subject: id.to_string(),
            subject_name: "a thing",
            source: None,
            args: "{}".to_owned(),
            total: None,
            asked_by: None,
        };
        self.catalog
            .write(|tx| insert_job(tx, &job, self.work.now()))
            .expect("written");
        id
    }

    fn start(&self) -> Runner {
        let options = RunnerOptions {
            workers: 2,
            first_wait: Duration::from_secs(10),
            longest_wait: Duration::from_secs(30),
            attempts: 4,
            report_every: Duration::ZERO,
        };
        Runner::start(
            self.catalog.clone(),
            Arc::clone(&self.work) as Arc<dyn Work>,
            options,
        )
        .expect("a runner")
    }

    fn job(&self, id: JobId) -> Job {
        self.catalog.job(id).expect("an answer").expect("the job")
    }

    fn until(&self, id: JobId, state: JobState) -> Job {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            let job = self.job(id);
            if job.state == state {
                return job;
            }
            assert!(Instant::now() < end, "never {state:?}: {job:?}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn seen(&self) -> Vec<String> {
        self.work.seen.lock().expect("whole").clone()
    }

    fn endings(&self) -> Vec<(JobId, Option<Ending>)> {
        self.work.ended.lock().expect("whole").clone()
    }
}

const REASON: Fault = Fault::ObjectStoreUnavailable;

#[test]
fn of_many_who_claim_at_once_one_gets_the_job() {
    let bench = Bench::new(|_, _, _| Ok(()));
    let wanted: Vec<_> = (0..40).map(|_| bench.ask(JobKind::CreateVolume)).collect();
    let claimed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while let Some(job) = bench
                    .catalog
                    .claim_job(&JobKind::ALL, 1_000_000)
                    .expect("an answer")
                {
                    claimed.lock().expect("whole").push(job.id);
                }
            });
        }
    });
    let mut claimed = claimed.into_inner().expect("whole");
    claimed.sort();
    assert_eq!(claimed, wanted, "each once, none left out");
}

#[test]
fn two_pieces_of_work_on_one_object_are_refused() {
    let bench = Bench::new(|_, _, _| Ok(()));
    let job = |subject: &str| NewJob {
        id: JobId::new(),
        organization: bench.organization,
        kind: JobKind::DeleteVolume,
        subject: subject.to_owned(),
        subject_name: "a thing",
        source: None,
        args: "{}".to_owned(),
        total: None,
        asked_by: None,
    };
    let write = |subject| bench.catalog.write(|tx| insert_job(tx, &job(subject), 0));
    write("a").expect("the first");
    write("a").expect_err("the second on the same object");
    write("b").expect("one on another object");
}

#[test]
fn steps_run_in_order_and_the_job_ends_once() {
    let bench = Bench::new(|_, _, watch| {
        watch.total(10);
        assert!(watch.done(4).is_continue());
        Ok(())
    });
    let id = bench.ask(JobKind::CreateVolume);
    let _runner = bench.start();
    let job = bench.until(id, JobState::Succeeded);
    assert_eq!(bench.seen(), STEPS);
    assert_eq!(bench.endings(), [(id, None)]);
    assert_eq!(
        (job.done.0, job.total.map(|total| total.0), job.ended),
        (10, Some(10), Some(1_000_000))
    );
}

#[test]
fn a_passing_fault_waits_twice_as_long_each_time_and_is_final_in_the_end() {
    let bench = Bench::new(|_, step, _| {
        if step == "two" {
            Err(Failure::Passing(REASON))
        } else {
            Ok(())
        }
    });
    let id = bench.ask(JobKind::CreateVolume);
    let runner = bench.start();
    for wait in [10_000, 20_000, 30_000] {
        let job = bench.until(id, JobState::Waiting);
        assert_eq!(
            (job.next_attempt - bench.work.now(), job.fault.clone()),
            (wait, Some(REASON))
        );
        // Not a moment earlier.
        bench.work.clock.fetch_add(wait - 1, Ordering::SeqCst);
        assert_eq!(
            bench
                .catalog
                .claim_job(&JobKind::ALL, bench.work.now())
                .expect("an answer"),
            None
        );
        bench.work.clock.fetch_add(1, Ordering::SeqCst);
        let before = job.attempts;
        runner.wake();
        let end = Instant::now() + Duration::from_secs(60);
        while bench.job(id).attempts == before
            && bench.job(id).ending.is_none()
            && bench.job(id).state.is_live()
        {
            assert!(Instant::now() < end, "never tried again");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
    let job = bench.until(id, JobState::Failed);
    assert_eq!(job.fault, Some(REASON));
    assert_eq!(bench.endings(), [(id, Some(Ending::Failed))]);
    // It went on at the step that failed, and undid what it had done.
    assert_eq!(
        bench.seen(),
        ["one", "two", "two", "two", "two", "undo-two", "undo-one"]
    );
}

#[test]
fn what_must_be_finished_is_tried_for_ever() {
    let bench = Bench::new(|_, _, _| Err(Failure::Passing(REASON)));
    let id = bench.ask(JobKind::DeleteVolume);
    let runner = bench.start();
    for attempt in 1..=10 {
        let end = Instant::now() + Duration::from_secs(60);
        while bench.job(id).attempts < attempt || bench.job(id).state != JobState::Waiting {
            assert!(
                Instant::now() < end,
                "never tried again: {:?}",
                bench.job(id)
            );
            std::thread::sleep(Duration::from_millis(2));
        }
        bench.work.clock.fetch_add(30_000, Ordering::SeqCst);
        runner.wake();
    }
    assert!(bench.job(id).state.is_live());
}

#[test]
fn a_panic_is_a_failed_attempt_and_the_worker_lives() {
    let mut first = true;
    let bench = Bench::new(move |_, _, _| {
        if std::mem::take(&mut first) {
            panic!("of the test");
        }
        Ok(())
    });
    let id = bench.ask(JobKind::CreateVolume);
    let runner = bench.start();
    let job = bench.until(id, JobState::Waiting);
    assert!(matches!(job.fault, Some(Fault::Internal { .. })), "{job:?}");
    bench.work.clock.fetch_add(10_000, Ordering::SeqCst);
    runner.wake();
    bench.until(id, JobState::Succeeded);
    let other = bench.ask(JobKind::CreateVolume);
    runner.wake();
    bench.until(other, JobState::Succeeded);
}

#[test]
fn an_interruption_reaches_work_under_way_and_is_undone() {
    let (started, begun) = std::sync::mpsc::channel();
    let bench = Bench::new(move |_, step, watch| {
        if step == "one" {
            let _ = started.send(());
            while watch.done(1).is_continue() {
                std::thread::sleep(Duration::from_millis(1));
            }
            return Err(Failure::Stopped);
        }
        Ok(())
    });
    let id = bench.ask(JobKind::ImportVolume);
    let runner = bench.start();
    begun.recv().expect("begun");
    assert!(
        bench
            .catalog
            .write(|tx| ask_to_stop(tx, id, 0))
            .expect("an answer")
    );
    runner.interrupt(id);
    let job = bench.until(id, JobState::Interrupted);
    assert_eq!(job.fault, Some(Fault::Interrupted));
    assert_eq!(bench.seen(), ["one", "undo-two", "undo-one"]);
    assert_eq!(bench.endings(), [(id, Some(Ending::Interrupted))]);
    assert!(
        !bench
            .catalog
            .write(|tx| ask_to_stop(tx, id, 0))
            .expect("an answer"),
        "it has ended"
    );
}

#[test]
fn what_waits_is_interrupted_at_once() {
    let bench = Bench::new(|_, step, _| {
        if step == "one" {
            Err(Failure::Passing(REASON))
        } else {
            Ok(())
        }
    });
    let id = bench.ask(JobKind::ImportVolume);
    let runner = bench.start();
    bench.until(id, JobState::Waiting);
    assert!(
        bench
            .catalog
            .write(|tx| ask_to_stop(tx, id, bench.work.now()))
            .expect("an answer")
    );
    runner.interrupt(id);
    bench.until(id, JobState::Interrupted);
    assert_eq!(bench.seen(), ["one", "undo-two", "undo-one"]);
}

#[test]
fn i16_a_stopped_runner_gives_work_back_and_the_next_one_resumes_at_the_step() {
    let (started, begun) = std::sync::mpsc::channel();
    let mut stops = true;
    let bench = Bench::new(move |_, step, watch| {
        if step == "two" && std::mem::take(&mut stops) {
            let _ = started.send(());
            while watch.done(1).is_continue() {
                std::thread::sleep(Duration::from_millis(1));
            }
            return Err(Failure::Stopped);
        }
        Ok(())
    });
    let id = bench.ask(JobKind::ImportVolume);
    let runner = bench.start();
    begun.recv().expect("begun");
    runner.shutdown();
    let job = bench.job(id);
    assert_eq!(
        (job.state, job.step, job.ending),
        (JobState::Queued, Some(1), None)
    );
    let _next = bench.start();
    bench.until(id, JobState::Succeeded);
    assert_eq!(bench.seen(), ["one", "two", "two"]);
}

#[test]
fn i16_what_ran_when_the_process_died_is_resumed() {
    let bench = Bench::new(|_, _, _| Ok(()));
    let id = bench.ask(JobKind::CreateVolume);
    // The process claims, begins the second step, and is gone.
    bench
        .catalog
        .claim_job(&JobKind::ALL, bench.work.now())
        .expect("an answer")
        .expect("the job");
    bench.catalog.begin_step(id, 1).expect("written");
    let _runner = bench.start();
    bench.until(id, JobState::Succeeded);
    assert_eq!(bench.seen(), ["two"]);
}

#[test]
fn what_failed_is_tried_again_from_its_first_step() {
    let mut fails = true;
    let bench = Bench::new(move |_, step, _| match step {
        "two" if std::mem::take(&mut fails) => Err(Failure::Final(REASON)),
        _ => Ok(()),
    });
    let id = bench.ask(JobKind::TakeSnapshot);
    let runner = bench.start();
    bench.until(id, JobState::Failed);
    assert!(
        bench
            .catalog
            .write(|tx| requeue(tx, id, JobState::Failed, bench.work.now()))
            .expect("an answer")
    );
    runner.wake();
    let job = bench.until(id, JobState::Succeeded);
    assert_eq!((job.fault, job.ending), (None, None));
    assert_eq!(
        bench.seen(),
        ["one", "two", "undo-two", "undo-one", "one", "two"]
    );
    assert!(
        !bench
            .catalog
            .write(|tx| requeue(tx, id, JobState::Failed, 0))
            .expect("an answer"),
        "it succeeded"
    );
}

#[test]
fn long_work_never_takes_the_last_worker() {
    let (started, begun) = std::sync::mpsc::channel();
    let bench = Bench::new(move |job, _, watch| {
        if job.kind == JobKind::ImportVolume {
            let _ = started.send(());
            while watch.done(1).is_continue() {
                std::thread::sleep(Duration::from_millis(1));
            }
            return Err(Failure::Stopped);
        }
        Ok(())
    });
    let long = [
        bench.ask(JobKind::ImportVolume),
        bench.ask(JobKind::ImportVolume),
    ];
    let runner = bench.start();
    begun.recv().expect("begun");
    assert!(
        long.iter()
            .any(|id| bench.job(*id).state == JobState::Queued),
        "two workers, one for long work"
    );
    drop(runner);
}
