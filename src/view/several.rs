//! One act on several objects of a list: one plan, one confirmation, one task an object.

use crate::domain::fault::Fault;
use crate::domain::size::Bytes;
use serde::{Deserialize, Serialize};

/// An act that can be asked for of several objects at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SeveralAct {
    /// Snapshots of volumes.
    TakeSnapshots,
    /// Delete volumes; their snapshots stay.
    DeleteVolumes,
    /// Verify snapshots.
    VerifySnapshots,
    /// Delete snapshots.
    DeleteSnapshots,
    /// Delete templates.
    DeleteTemplates,
    /// Start instances.
    StartInstances,
    /// Stop instances (ACPI, with the usual deadline).
    StopInstances,
    /// Delete instances; `all` of the act says whether their volumes go with them.
    DeleteInstances,
    /// Delete recovery points of one instance.
    DeletePoints,
}

impl SeveralAct {
    /// Whether it destroys something.
    #[must_use]
    pub const fn destroys(self) -> bool {
        match self {
            Self::TakeSnapshots
            | Self::VerifySnapshots
            | Self::StartInstances
            | Self::StopInstances => false,
            Self::DeleteVolumes
            | Self::DeleteSnapshots
            | Self::DeleteTemplates
            | Self::DeleteInstances
            | Self::DeletePoints => true,
        }
    }

    /// The word it is asked for by: that of its JSON.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::TakeSnapshots => "take-snapshots",
            Self::DeleteVolumes => "delete-volumes",
            Self::VerifySnapshots => "verify-snapshots",
            Self::DeleteSnapshots => "delete-snapshots",
            Self::DeleteTemplates => "delete-templates",
            Self::StartInstances => "start-instances",
            Self::StopInstances => "stop-instances",
            Self::DeleteInstances => "delete-instances",
            Self::DeletePoints => "delete-points",
        }
    }
}

/// What an act on several objects would mean.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeveralPlan {
    /// The act.
    pub act: SeveralAct,
    /// The objects, in the order they were named. One that does not exist (any more) is not among them.
    pub objects: Vec<SeveralObject>,
    /// Bytes that are freed when all those go that can (counted together: what two of them share is freed only once both
    /// are gone), their volumes staying; none where the act frees nothing.
    pub frees: Option<Bytes>,
    /// The same with the volumes of instances; equal to `frees` for all other acts.
    pub frees_all: Option<Bytes>,
    /// Bytes that will be read and sent; none where the act saves nothing.
    pub saves: Option<Bytes>,
}

/// One object of a [`SeveralPlan`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeveralObject {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Why the act is not possible on it now; it is then left out.
    pub refused: Option<Fault>,
    /// Whether nothing stays anywhere of what it holds: a volume without a snapshot.
    pub lost: bool,
}
