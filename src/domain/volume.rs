//! A virtual disk and what may happen to it.
//!
//! ```text
//!             Finished                DeleteAsked
//!  Creating ───────────┐            ┌─────────────▶ Deleting ──▶ (gone)
//!  Importing ──────────┼──▶ Ready ──┤                  ▲
//!  Restoring ──────────┘            │                  │ DeleteAsked
//!      │ Broke                      │                  │
//!      └───────────────────────▶ Failed ───────────────┘
//! ```
//!
//! *In the course of a snapshot* is not a state of its own: a checkpoint takes microseconds and several uploads may run
//! at once. It is told beside the state.

use serde::{Deserialize, Serialize};

/// What the volume is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VolumeKind {
    /// Holds the system an instance starts from.
    Root,
    /// Holds data.
    Data,
}

impl VolumeKind {
    /// Every one, in the order of a choice among them.
    pub const ALL: [Self; 2] = [Self::Root, Self::Data];

    /// The word it is stored, sent and asked for by: that of its JSON.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Data => "data",
        }
    }
}

/// See the diagram at the head of this module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VolumeState {
    /// An empty volume is being made.
    Creating,
    /// A disk image is being converted into it.
    Importing,
    /// A snapshot is being written into it.
    Restoring,
    /// It can be used.
    Ready,
    /// It is being removed.
    Deleting,
    /// What should have filled it failed; it can only be deleted.
    Failed,
}

/// What may happen to a volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum VolumeEvent {
    /// What was to be put into it is there, synced.
    Finished,
    /// The work that fills it failed or was interrupted for good.
    Broke,
    /// A member asked for its deletion.
    DeleteAsked,
}

/// The event is not possible in that state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not possible in this state")]
pub struct Denied;

impl VolumeState {
    /// Every one, in the order of a choice among them.
    pub const ALL: [Self; 6] = [
        Self::Ready,
        Self::Creating,
        Self::Importing,
        Self::Restoring,
        Self::Deleting,
        Self::Failed,
    ];

    /// The word it is stored, sent and asked for by: that of its JSON.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Importing => "importing",
            Self::Restoring => "restoring",
            Self::Ready => "ready",
            Self::Deleting => "deleting",
            Self::Failed => "failed",
        }
    }

    /// The state after `event`.
    ///
    /// # Errors
    /// [`Denied`] where the diagram has no such arrow.
    pub const fn next(self, event: VolumeEvent) -> Result<Self, Denied> {
        use VolumeEvent as E;
        use VolumeState as S;
        match (self, event) {
            (S::Creating | S::Importing | S::Restoring, E::Finished) => Ok(S::Ready),
            (S::Creating | S::Importing | S::Restoring, E::Broke) => Ok(S::Failed),
            (S::Ready | S::Failed, E::DeleteAsked) => Ok(S::Deleting),
            // Anything not drawn is prohibited.
            (S::Creating | S::Importing | S::Restoring, E::DeleteAsked)
            | (S::Ready | S::Failed, E::Finished | E::Broke)
            | (S::Deleting, E::Finished | E::Broke | E::DeleteAsked) => Err(Denied),
        }
    }

    /// Whether some job must still move it on; a restart may never leave it there for ever.
    #[must_use]
    pub const fn is_passing(self) -> bool {
        matches!(
            self,
            Self::Creating | Self::Importing | Self::Restoring | Self::Deleting
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i16_every_passing_state_has_a_way_out_and_only_ready_or_failed_are_deleted() {
        for state in VolumeState::ALL {
            let ways =
                [VolumeEvent::Finished, VolumeEvent::Broke].map(|event| state.next(event).is_ok());
            let filling = state.is_passing() && state != VolumeState::Deleting;
            assert_eq!(ways, [filling; 2], "{state:?}");
            let deletable = matches!(state, VolumeState::Ready | VolumeState::Failed);
            assert_eq!(
                state.next(VolumeEvent::DeleteAsked).is_ok(),
                deletable,
                "{state:?}"
            );
        }
    }
}
