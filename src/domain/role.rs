//! What a member of an organization may do.

use serde::{Deserialize, Serialize};

/// A member's role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Everything, members included.
    Owner,
    /// Everything but members.
    Editor,
    /// Reading.
    Viewer,
}

/// What an act needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Permission {
    /// See the organization's objects.
    Read,
    /// Create, change and delete them.
    Change,
    /// Invite, change and remove members.
    ManageMembers,
    /// Hold the recovery kit: the keys to everything the organization has saved.
    HoldKit,
}

impl Role {
    /// Every role, for tests and for the catalog.
    pub const ALL: [Self; 3] = [Self::Owner, Self::Editor, Self::Viewer];

    /// The word for it in forms.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Editor => "editor",
            Self::Viewer => "viewer",
        }
    }

    /// Whether the role is enough for an act that needs `permission`.
    #[must_use]
    pub const fn may(self, permission: Permission) -> bool {
        match (self, permission) {
            (Self::Owner, _) | (Self::Editor, Permission::Read | Permission::Change) => true,
            (Self::Editor, Permission::ManageMembers | Permission::HoldKit) => false,
            (Self::Viewer, Permission::Read) => true,
            (
                Self::Viewer,
                Permission::Change | Permission::ManageMembers | Permission::HoldKit,
            ) => false,
        }
    }
}

/// The door an act came through; events keep it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Door {
    /// The console in a browser.
    Console,
    /// The program itself: a job, a schedule, a start.
    System,
}

impl Door {
    /// Every one, in the order of a choice among them.
    pub const ALL: [Self; 2] = [Self::Console, Self::System];

    /// The word it is stored, sent and asked for by: that of its JSON.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Console => "console",
            Self::System => "system",
        }
    }
}
