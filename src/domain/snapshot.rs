//! A volume snapshot (*copie instantanée*) and what may happen to it.
//!
//! ```text
//!  Creating ──Taken──▶ Saving ──Stored──▶ Saved ──Proven──▶ Verified
//!      │                 │                  │                  │ (Proven again, with a new date)
//!      └──────Broke──────┴────▶ Failed      │ Damaged ─▶ Failed│
//!                                 │         │                  │
//!                                 └─────DeleteAsked────────────┴──▶ Deleting ──▶ (gone)
//! ```
//!
//! `Failed` may be tried again: `Retried` leads back to `Saving`, for its checkpoint is kept until it is deleted.

use super::volume::Denied;
use serde::{Deserialize, Serialize};

/// See the diagram at the head of this module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SnapshotState {
    /// Asked for; the checkpoint does not exist yet.
    Creating,
    /// The moment is kept by the engine; its bytes are on their way to the object store.
    Saving,
    /// In the object store: manifest read back, every pack's size checked.
    Saved,
    /// Every chunk was re-read and authenticated.
    Verified,
    /// Not in the object store.
    Failed,
    /// It is being removed.
    Deleting,
}

/// What may happen to a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SnapshotEvent {
    /// The engine made the checkpoint.
    Taken,
    /// The manifest stands.
    Stored,
    /// Every chunk was re-read.
    Proven,
    /// The save failed or was interrupted, or a check found damage.
    Broke,
    /// A member asked to try again.
    Retried,
    /// A member asked for its deletion.
    DeleteAsked,
}

impl SnapshotState {
    /// Every one, in the order of a choice among them.
    pub const ALL: [Self; 6] = [
        Self::Creating,
        Self::Saving,
        Self::Saved,
        Self::Verified,
        Self::Failed,
        Self::Deleting,
    ];

    /// The word it is stored, sent and asked for by: that of its JSON.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Saving => "saving",
            Self::Saved => "saved",
            Self::Verified => "verified",
            Self::Failed => "failed",
            Self::Deleting => "deleting",
        }
    }

    /// The state after `event`.
    ///
    /// # Errors
    /// [`Denied`] where the diagram has no such arrow.
    pub const fn next(self, event: SnapshotEvent) -> Result<Self, Denied> {
        use SnapshotEvent as E;
        use SnapshotState as S;
        match (self, event) {
            (S::Creating, E::Taken) | (S::Failed, E::Retried) => Ok(S::Saving),
            (S::Saving, E::Stored) => Ok(S::Saved),
            (S::Saved | S::Verified, E::Proven) => Ok(S::Verified),
            (S::Creating | S::Saving | S::Saved | S::Verified, E::Broke) => Ok(S::Failed),
            (S::Saved | S::Verified | S::Failed, E::DeleteAsked) => Ok(S::Deleting),
            // Anything not drawn is prohibited.
            _ => Err(Denied),
        }
    }

    /// Whether some job must still move it on.
    #[must_use]
    pub const fn is_passing(self) -> bool {
        matches!(self, Self::Creating | Self::Saving | Self::Deleting)
    }

    /// Whether its content can be read from the object store.
    #[must_use]
    pub const fn is_usable(self) -> bool {
        matches!(self, Self::Saved | Self::Verified)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i08_nothing_but_a_stored_manifest_makes_a_snapshot_usable() {
        for state in SnapshotState::ALL {
            for event in [
                SnapshotEvent::Taken,
                SnapshotEvent::Stored,
                SnapshotEvent::Proven,
                SnapshotEvent::Broke,
                SnapshotEvent::Retried,
                SnapshotEvent::DeleteAsked,
            ] {
                if let Ok(after) = state.next(event)
                    && after.is_usable()
                {
                    assert!(
                        event == SnapshotEvent::Stored || state.is_usable(),
                        "{state:?} {event:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn i16_every_passing_state_has_a_way_to_fail_or_ends_by_its_job() {
        for state in SnapshotState::ALL
            .into_iter()
            .filter(|state| state.is_passing())
        {
            assert_eq!(
                state.next(SnapshotEvent::Broke).is_ok(),
                state != SnapshotState::Deleting
            );
            assert!(
                state.next(SnapshotEvent::DeleteAsked).is_err(),
                "a job still works on {state:?}"
            );
        }
    }
}
