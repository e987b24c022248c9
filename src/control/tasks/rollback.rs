//! Bringing an instance back to a recovery point.

use super::super::core::Core;
use crate::catalog;
use crate::catalog::jobs::{Ending, Job};
use crate::domain::fault::Fault;
use crate::jobs::{Failure, Watch};
use rusqlite::Transaction;

/// The steps that do it, in order.
pub(super) const STEPS: &[&str] = &["later"];
/// The steps that undo it, in order.
pub(super) const UNDO_STEPS: &[&str] = &[];

impl Core {
    /// One step, of either list.
    pub(super) fn rollback_step(
        &self,
        _job: &Job,
        step: &'static str,
        _watch: &mut dyn Watch,
    ) -> Result<(), Failure> {
        Err(self.broken(step, "a step that no work has"))
    }
}

/// What the end means for the object, in the transaction in which the job ends.
pub(super) fn conclude(
    _tx: &Transaction<'_>,
    _job: &Job,
    _ending: Option<(Ending, &Fault)>,
) -> Result<(), catalog::Error> {
    Ok(())
}
