//! What a new instance is made from, and what may happen to it.
//!
//! ```text
//!  Creating ──Stored──▶ Ready ──DeleteAsked──▶ Deleting ──▶ (gone)
//!     └──Broke──▶ Failed ──DeleteAsked──▲
//! ```

use serde::{Deserialize, Serialize};

/// See the diagram at the head of this module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TemplateState {
    /// It is being put into the object store.
    Creating,
    /// It can be used in every zone.
    Ready,
    /// It could not be made; it can only be deleted.
    Failed,
    /// It is being removed.
    Deleting,
}

/// What may happen to a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TemplateEvent {
    /// It is in the object store.
    Stored,
    /// The work failed or was interrupted.
    Broke,
    /// A member asked for its removal.
    DeleteAsked,
}

/// The event is not possible in that state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not possible in this state")]
pub struct Denied;

impl TemplateState {
    /// Every one, in the order of a choice among them.
    pub const ALL: [Self; 4] = [Self::Ready, Self::Creating, Self::Deleting, Self::Failed];

    /// The word it is stored, sent and asked for by: that of its JSON.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Ready => "ready",
            Self::Failed => "failed",
            Self::Deleting => "deleting",
        }
    }

    /// The state after `event`.
    ///
    /// # Errors
    /// [`Denied`] where the diagram has no such arrow.
    pub const fn next(self, event: TemplateEvent) -> Result<Self, Denied> {
        match (self, event) {
            (Self::Creating, TemplateEvent::Stored) => Ok(Self::Ready),
            (Self::Creating, TemplateEvent::Broke) => Ok(Self::Failed),
            (Self::Ready | Self::Failed, TemplateEvent::DeleteAsked) => Ok(Self::Deleting),
            _ => Err(Denied),
        }
    }
}
