//! Long work: what it is and how it ends.
//!
//! ```text
//!  Queued ──▶ Running ──▶ Succeeded
//!    ▲  │        │ │ └──▶ Failed ──(Réessayer)──▶ Queued
//!    │  │        │ └────▶ Waiting ──(its time comes)──▶ Queued
//!    │  └────────┴──────▶ Interrupted
//!    └── after a restart: what was Running is Queued again, at its last persisted step
//! ```

use serde::{Deserialize, Serialize};

/// What the work is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobKind {
    /// Make an empty volume.
    CreateVolume,
    /// Convert an uploaded disk image into a new volume.
    ImportVolume,
    /// Remove a volume from its pool.
    DeleteVolume,
    /// Take a checkpoint of a volume and save it to the object store.
    TakeSnapshot,
    /// Remove a snapshot from the object store.
    DeleteSnapshot,
    /// Fill a new data volume from a snapshot.
    RestoreVolume,
    /// Make an instance and its root volume from a template, and start it if asked.
    CreateInstance,
    /// Start an instance.
    StartInstance,
    /// Stop an instance: by ACPI with a deadline, or at once.
    StopInstance,
    /// Stop an instance and start it again.
    RebootInstance,
    /// Remove an instance, with or without its volumes.
    DeleteInstance,
    /// Keep all the volumes of an instance as they are at one moment.
    CreatePoint,
    /// Remove a recovery point.
    DeletePoint,
    /// Bring an instance back to a recovery point.
    Rollback,
    /// Make a template from a snapshot of a root volume.
    CreateTemplate,
    /// Make a template from an uploaded disk image.
    ImportTemplate,
    /// Remove a template from the object store.
    DeleteTemplate,
    /// Read a saved snapshot again, every chunk of it, and prove it.
    VerifySnapshot,
    /// Bring into the zone what a volume, usable already, still has in the object store only.
    FillVolume,
}

/// See the diagram at the head of this module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobState {
    /// Waits for a worker.
    Queued,
    /// A worker is at it.
    Running,
    /// Failed for a passing reason; will be tried again by itself.
    Waiting,
    /// Done.
    Succeeded,
    /// Failed for good.
    Failed,
    /// Stopped because a member asked for it.
    Interrupted,
}

/// What a job works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// A volume.
    Volume,
    /// A snapshot.
    Snapshot,
    /// An instance, or its recovery points.
    Instance,
    /// A template.
    Template,
}

impl JobKind {
    /// What it works on.
    #[must_use]
    pub const fn subject(self) -> Subject {
        match self {
            Self::CreateVolume
            | Self::ImportVolume
            | Self::DeleteVolume
            | Self::RestoreVolume
            | Self::FillVolume => Subject::Volume,
            Self::TakeSnapshot | Self::DeleteSnapshot | Self::VerifySnapshot => Subject::Snapshot,
            Self::CreateInstance
            | Self::StartInstance
            | Self::StopInstance
            | Self::RebootInstance
            | Self::DeleteInstance
            | Self::CreatePoint
            | Self::DeletePoint
            | Self::Rollback => Subject::Instance,
            Self::CreateTemplate | Self::ImportTemplate | Self::DeleteTemplate => Subject::Template,
        }
    }

    /// Whether a page of its object can be offered while the job is in this state, and after it: not where the job makes
    /// the object go.
    #[must_use]
    pub const fn has_object(self, state: JobState) -> bool {
        let undone = self.makes() && matches!(state, JobState::Interrupted);
        !self.deletes() && !undone
    }

    /// Whether its object goes with its success.
    #[must_use]
    pub const fn deletes(self) -> bool {
        matches!(
            self,
            Self::DeleteVolume | Self::DeleteSnapshot | Self::DeleteInstance | Self::DeleteTemplate
        )
    }

    /// Whether its object is there because of it, and goes when it is undone.
    #[must_use]
    pub const fn makes(self) -> bool {
        matches!(
            self,
            Self::CreateVolume
                | Self::ImportVolume
                | Self::RestoreVolume
                | Self::TakeSnapshot
                | Self::CreateInstance
                | Self::CreateTemplate
                | Self::ImportTemplate
        )
    }

    /// Every kind, for tests and for the catalog.
    pub const ALL: [Self; 19] = [
        Self::CreateVolume,
        Self::ImportVolume,
        Self::DeleteVolume,
        Self::TakeSnapshot,
        Self::DeleteSnapshot,
        Self::RestoreVolume,
        Self::CreateInstance,
        Self::StartInstance,
        Self::StopInstance,
        Self::RebootInstance,
        Self::DeleteInstance,
        Self::CreatePoint,
        Self::DeletePoint,
        Self::Rollback,
        Self::CreateTemplate,
        Self::ImportTemplate,
        Self::DeleteTemplate,
        Self::VerifySnapshot,
        Self::FillVolume,
    ];

    /// Whether a member may interrupt it: only work that leaves nothing half-done behind when it stops.
    /// A deletion that has begun is always finished.
    #[must_use]
    pub const fn interruptible(self) -> bool {
        match self {
            Self::ImportVolume
            | Self::TakeSnapshot
            | Self::RestoreVolume
            | Self::CreateInstance
            | Self::CreateTemplate
            | Self::ImportTemplate
            | Self::VerifySnapshot
            // The guest goes on, and the point never was.
            | Self::CreatePoint
            // The volume goes on fetching what is read.
            | Self::FillVolume => true,
            // Those of an instance take seconds, and each ends in the state it promised or as it was.
            Self::CreateVolume
            | Self::DeleteVolume
            | Self::DeleteSnapshot
            | Self::StartInstance
            | Self::StopInstance
            | Self::RebootInstance
            | Self::DeleteInstance
            | Self::DeletePoint
            | Self::Rollback
            | Self::DeleteTemplate => false,
        }
    }
}

impl JobState {
    /// Every state, for tests and for the catalog.
    pub const ALL: [Self; 6] = [
        Self::Queued,
        Self::Running,
        Self::Waiting,
        Self::Succeeded,
        Self::Failed,
        Self::Interrupted,
    ];

    /// Whether it will still change by itself.
    #[must_use]
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Queued | Self::Running | Self::Waiting)
    }
}
