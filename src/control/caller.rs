//! Who asks, and what that member may do. Every use case begins here.

use crate::domain::fault::Fault;
use crate::domain::id::{OrganizationId, UserId};
use crate::domain::role::{Door, Permission, Role};

/// Whoever makes a call: `server` builds it from the session's cookie, anew for each request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The member; none when nobody is signed in.
    pub actor: Option<Actor>,
    /// The door the call came through.
    pub door: Door,
}

/// A member who is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The member.
    pub user: UserId,
    /// The organization the member belongs to; nothing outside it can be seen or touched.
    pub organization: OrganizationId,
    /// What the member may do.
    pub role: Role,
    /// Whether the member looks after the installation.
    pub operator: bool,
    /// The member's name.
    pub name: String,
    /// The member's address.
    pub email: String,
    /// The organization's name.
    pub organization_name: String,
    /// The time zone that times are shown in, a name of the tz database: the member's own, or the organization's.
    pub time_zone: String,
    /// The hash of the session's token, for one who came by a session.
    pub session: Option<[u8; 32]>,
}

impl Caller {
    /// Somebody who is not signed in.
    #[must_use]
    pub const fn stranger(door: Door) -> Self {
        Self { actor: None, door }
    }

    /// The member, if it is one who looks after the installation: zones, room, the object store, the hypervisor. What an
    /// answer says then is about no organization but the member's own: numbers and kinds, never another's names.
    ///
    /// # Errors
    /// [`Fault::SignInNeeded`], [`Fault::NotAllowed`].
    pub fn must_operate(&self) -> Result<&Actor, Fault> {
        let actor = self.must(Permission::Read)?;
        if actor.operator {
            Ok(actor)
        } else {
            Err(Fault::NotAllowed)
        }
    }

    /// The member, if the role is enough for an act that needs `permission`.
    ///
    /// # Errors
    /// [`Fault::SignInNeeded`], [`Fault::NotAllowed`].
    pub fn must(&self, permission: Permission) -> Result<&Actor, Fault> {
        let actor = self.actor.as_ref().ok_or(Fault::SignInNeeded)?;
        if actor.role.may(permission) {
            Ok(actor)
        } else {
            Err(Fault::NotAllowed)
        }
    }
}
