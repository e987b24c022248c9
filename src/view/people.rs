//! What the pages about people show: one's own profile, the organization, an invitation.

use crate::domain::id::{InvitationId, UserId};
use crate::domain::locale::Locale;
use crate::domain::moment::Moment;
use crate::domain::role::Role;
use crate::domain::theme::Theme;
use serde::{Deserialize, Serialize};

/// What a member is told of themselves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileView {
    /// The member, for the page among the organization's members.
    pub id: UserId,
    /// The name.
    pub name: String,
    /// The address.
    pub email: String,
    /// What the member may do.
    pub role: Role,
    /// The language; none: as the browser asks.
    pub locale: Option<Locale>,
    /// The colours; none: as the system has them.
    pub theme: Option<Theme>,
    /// The time zone; none: the organization's.
    pub time_zone: Option<String>,
    /// The organization's time zone.
    pub organization_zone: String,
    /// The time zones there are to choose from, sorted.
    pub zones: Vec<String>,
    /// The member's sessions, the newest first.
    pub sessions: Vec<SessionRow>,
    /// Characters that a password has at least.
    pub shortest: u32,
}

/// A session of the member's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRow {
    /// Since when.
    pub since: Moment,
    /// When it was last used, within minutes.
    pub seen: Moment,
    /// Whether it is the one that asks.
    pub this: bool,
}

/// The organization, for all its members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrganizationView {
    /// Its name.
    pub name: String,
    /// The region's name.
    pub region: String,
    /// Whether whoever asks may invite, change and remove members.
    pub may_manage: bool,
    /// Its members, by name.
    pub members: Vec<MemberRow>,
    /// Invitations that can still be used, by address.
    pub invitations: Vec<InvitationRow>,
    /// For how many days a new one can be used.
    pub days: u32,
}

/// A member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberRow {
    /// Its id.
    pub id: UserId,
    /// The name.
    pub name: String,
    /// The address.
    pub email: String,
    /// What the member may do.
    pub role: Role,
    /// When the member last came.
    pub seen: Option<Moment>,
    /// Whether it is the one who asks.
    pub you: bool,
    /// Whether there is no other Owner: the member stays one.
    pub last_owner: bool,
}

/// An invitation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvitationRow {
    /// Its id.
    pub id: InvitationId,
    /// The address that is invited.
    pub email: String,
    /// What the member will be able to do.
    pub role: Role,
    /// The Owner who asked.
    pub asker: String,
    /// Until when it can be used.
    pub until: Moment,
}

/// What somebody is told who follows the link of an invitation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvitationView {
    /// The organization's name.
    pub organization: String,
    /// The address to sign in with.
    pub email: String,
    /// What the member will be able to do.
    pub role: Role,
    /// The Owner who asked.
    pub asker: String,
    /// Characters that a password has at least.
    pub shortest: u32,
}
