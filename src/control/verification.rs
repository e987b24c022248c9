//! Saved snapshots are read again: when a member asks, and by the program itself, one after the other, so that none goes
//! unproven for longer than the operator wants.

use super::core::Core;
use super::error::{Error, Refusal};
use super::snapshots::NO_SNAPSHOT;
use super::work::Asked;
use super::{Caller, Control};
use crate::catalog::instances::live_work_on;
use crate::catalog::jobs::{NewJob, insert_job};
use crate::catalog::snapshots::{Snapshot, snapshot_of};
use crate::domain::fault::Fault;
use crate::domain::id::{JobId, SnapshotId};
use crate::domain::job::JobKind;
use crate::domain::role::Permission;
use crate::view::Started;
use rusqlite::Transaction;
use std::sync::atomic::{AtomicI64, Ordering};

const DAY_MS: i64 = 24 * 3600 * 1000;
/// How often the program looks whether a snapshot has waited too long.
const LOOK_MS: i64 = 60_000;

/// When the program reads saved snapshots again.
pub(super) struct Proofs {
    days: Option<u32>,
    /// When it last looked, in milliseconds since 1970.
    looked: AtomicI64,
}

impl Proofs {
    /// None: never.
    pub fn every(days: Option<u32>) -> Self {
        Self {
            days: days.filter(|days| *days > 0),
            looked: AtomicI64::new(i64::MIN),
        }
    }

    /// When the program reads a snapshot again that was last proven, or taken, at this time; none: never.
    pub fn next(&self, proven: i64) -> Option<i64> {
        self.days
            .map(|days| proven.saturating_add(i64::from(days) * DAY_MS))
    }
}

impl Control {
    /// Reads the saved snapshot again, every chunk of it, and proves it.
    ///
    /// # Errors
    /// [`Fault::NotFound`]; [`Fault::SnapshotNotUsable`] where it is not saved; [`Fault::InUse`] while something else
    /// works on it.
    pub fn verify_snapshot(&self, caller: &Caller, id: SnapshotId) -> Result<Started, Fault> {
        let actor = caller.must(Permission::Change)?;
        let snapshot = self.snapshot_of(actor.organization, id)?;
        let mut asked = Asked::new(JobKind::VerifySnapshot, &id, &snapshot.name);
        asked.total = snapshot.data;
        self.begin(caller, actor, &asked, |tx| {
            let snapshot = snapshot_of(tx, actor.organization, id)?.ok_or(NO_SNAPSHOT)?;
            may_verify(tx, &snapshot)
        })
    }
}

/// Refuses where the snapshot cannot be read again now.
pub(super) fn may_verify(tx: &Transaction<'_>, snapshot: &Snapshot) -> Result<(), Refusal> {
    let name = || snapshot.name.clone();
    if !snapshot.state.is_usable() {
        return Err(Fault::SnapshotNotUsable { name: name() }.into());
    }
    if live_work_on(tx, &snapshot.id.to_string())?.is_some() {
        return Err(Fault::InUse { name: name() }.into());
    }
    Ok(())
}

impl Core {
    /// Has the snapshot proven that has waited longest, if that is longer than the operator wants and none is being proven
    /// now. One that could not be read to its end waits as long again.
    pub fn verify_next(&self) -> Result<(), Error> {
        let Some(days) = self.proofs.days else {
            return Ok(());
        };
        let now = self.now();
        let looked = self.proofs.looked.load(Ordering::Relaxed);
        // A clock that was set back must not stop it.
        if (looked..looked.saturating_add(LOOK_MS)).contains(&now) {
            return Ok(());
        }
        self.proofs.looked.store(now, Ordering::Relaxed);
        if self.catalog.is_verifying()? {
            return Ok(());
        }
        let before = now - i64::from(days) * DAY_MS;
        let Some(snapshot) = self.catalog.snapshot_to_verify(before)? else {
            return Ok(());
        };
        let job = NewJob {
            id: JobId::new(),
            organization: snapshot.organization,
            kind: JobKind::VerifySnapshot,
            subject: snapshot.id.to_string(),
            subject_name: &snapshot.name,
            source: None,
            args: "{}".to_owned(),
            total: snapshot.data,
            asked_by: None,
        };
        let begun = self.catalog.write(|tx| {
            // Somebody may have begun something since we looked.
            let there = snapshot_of(tx, snapshot.organization, snapshot.id)?;
            if !there.is_some_and(|now| now.state.is_usable())
                || live_work_on(tx, &job.subject)?.is_some()
            {
                return Ok(false);
            }
            insert_job(tx, &job, self.now()).map(|()| true)
        });
        if begun.map_err(|error: crate::catalog::Error| Error::from(error))? {
            self.work_changed(snapshot.organization);
        }
        Ok(())
    }
}
