//! Durable work: claimed by one worker, done step by step, resumed after a crash, tried again after a passing fault,
//! stopped when a member asks for it. What the work is, `control` knows ([`Work`]).
//!
//! A job is a row ([`crate::catalog::jobs`]) and a list of named steps. Before a step's effect its number is committed;
//! after a crash the job is begun again *at that step*, so every step must be idempotent, and every id it creates must be
//! among the job's arguments. A job that cannot go on is *undone*: the way it will end is committed, then the steps that
//! undo run under the same rules, then it ends. The last transaction holds the job's end and the object's new state
//! together: there is no moment at which an object is in a passing state and nothing works on it.
//!
//! What may never be true: a step's effect before its number is on disk; a job that ended twice; work lost because a
//! process died. What a crash may cost: the effect of one step is done twice.

mod failpoint;
mod meter;
mod runner;

#[cfg(test)]
mod tests;

pub use meter::Meter;
pub use runner::{Runner, RunnerOptions};

use crate::catalog;
use crate::catalog::jobs::{Ending, Job};
use crate::domain::fault::Fault;
use crate::domain::job::JobKind;
use rusqlite::Transaction;
use std::ops::ControlFlow;

/// Why a step did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// It may succeed later: the job waits and is tried again.
    Passing(Fault),
    /// It will not succeed: the job is undone.
    Final(Fault),
    /// It stopped because [`Watch`] said so.
    Stopped,
}

/// What a step of long work is told by the runner, and tells it.
pub trait Watch: Send {
    /// Bytes to do in all.
    fn total(&mut self, bytes: u64);
    /// Bytes done so far. `Break`: stop as soon as nothing is left half-done, and return [`Failure::Stopped`].
    fn done(&mut self, bytes: u64) -> ControlFlow<()>;
}

/// The work itself.
pub trait Work: Send + Sync + 'static {
    /// The steps that do it, in order. A kind has at least one.
    fn steps(&self, kind: JobKind) -> &'static [&'static str];

    /// The steps that undo it, in order, when it ends this way.
    fn undo_steps(&self, kind: JobKind, ending: Ending) -> &'static [&'static str];

    /// Whether it may move many bytes: such work never takes the last worker.
    fn is_long(&self, kind: JobKind) -> bool;

    /// Whether it is tried for ever: work that must be finished once it was begun.
    fn never_gives_up(&self, kind: JobKind) -> bool;

    /// One step, of either list. Idempotent: it may have been done before, wholly or in part.
    ///
    /// # Errors
    /// [`Failure`].
    fn step(&self, job: &Job, step: &'static str, watch: &mut dyn Watch) -> Result<(), Failure>;

    /// Writes down what the job has proven, in the transaction in which it ends: with `ending`, how it failed and why.
    ///
    /// # Errors
    /// [`catalog::Error`].
    fn conclude(
        &self,
        tx: &Transaction<'_>,
        job: &Job,
        ending: Option<(Ending, &Fault)>,
    ) -> Result<(), catalog::Error>;

    /// The job's state changed, and perhaps that of its object.
    fn changed(&self, job: &Job);

    /// The job is further than it was.
    fn progressed(&self, job: &Job);

    /// A fault of ours: logs it, once, and gives what a user may know.
    fn internal(&self, doing: &'static str, error: &(dyn std::error::Error + 'static)) -> Fault;

    /// Milliseconds since 1970.
    fn now(&self) -> i64;
}
