//! Making and removing templates.

use super::super::core::Core;
use crate::catalog;
use crate::catalog::jobs::{Ending, Job};
use crate::domain::fault::Fault;
use crate::domain::job::JobKind;
use crate::jobs::{Failure, Watch};
use rusqlite::Transaction;

/// The steps that do it, in order.
pub(super) const fn steps(_kind: JobKind) -> &'static [&'static str] {
    &["later"]
}

/// The steps that undo it, in order.
pub(super) const fn undo_steps(_kind: JobKind) -> &'static [&'static str] {
    &[]
}

impl Core {
    /// One step, of either list.
    pub(super) fn template_step(
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
