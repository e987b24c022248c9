//! The members of an organization: who they are, what each may do, who goes.
//!
//! What may never be true: an organization without an Owner. So who asks is looked up anew, and the Owners are counted, in
//! the transaction of the change itself: two Owners who demote each other at once do so one after the other, and the second
//! is no Owner any more. A member who is removed is nobody from the commit on; what that member did stays in the log.

use crate::catalog::invitations::delete_invitations_of;
use crate::catalog::members::{delete_member, member, owners, set_role};
use crate::control::activity::{Logged, log};
use crate::control::error::Refusal;
use crate::control::moments::{moment, time_zone};
use crate::control::{Actor, Caller, Control};
use crate::domain::fault::{Fault, Noun};
use crate::domain::id::UserId;
use crate::domain::name::in_order;
use crate::domain::role::{Permission, Role};
use crate::view::{Act, InvitationRow, MemberRow, OrganizationView};
use rusqlite::Transaction;

const NO_MEMBER: Fault = Fault::NotFound { what: Noun::Member };

/// Refuses whoever may not manage members, by the role that the catalog has now.
pub(super) fn must_manage(tx: &Transaction<'_>, actor: &Actor) -> Result<(), Refusal> {
    match member(tx, actor.organization, actor.user)? {
        None => Err(Fault::SignInNeeded.into()),
        Some((_, role)) if !role.may(Permission::ManageMembers) => Err(Fault::NotAllowed.into()),
        Some(_) => Ok(()),
    }
}

/// Refuses to take its last Owner from an organization.
fn must_stay(tx: &Transaction<'_>, actor: &Actor, role: Role) -> Result<(), Refusal> {
    if role == Role::Owner && owners(tx, actor.organization)? <= 1 {
        return Err(Fault::LastOwner.into());
    }
    Ok(())
}

impl Control {
    /// The caller's organization: its members, and who is invited.
    ///
    /// # Errors
    /// [`Fault::SignInNeeded`].
    pub fn organization(&self, caller: &Caller) -> Result<OrganizationView, Fault> {
        let actor = caller.must(Permission::Read)?;
        let mut members = self.ask(self.catalog().members(actor.organization))?;
        members.sort_by(|one, other| in_order(&one.name, &other.name));
        let invitations = self.ask(
            self.catalog()
                .invitations(actor.organization, self.now_ms()),
        )?;
        let zone = time_zone(&actor.time_zone);
        let owners = members
            .iter()
            .filter(|member| member.role == Role::Owner)
            .count();
        let members = members.into_iter().map(|member| MemberRow {
            you: member.id == actor.user,
            last_owner: member.role == Role::Owner && owners == 1,
            seen: member.seen.map(|seen| moment(&zone, seen)),
            id: member.id,
            name: member.name,
            email: member.email,
            role: member.role,
        });
        let invitations = invitations.into_iter().map(|invitation| InvitationRow {
            until: moment(&zone, invitation.expires),
            id: invitation.id,
            email: invitation.email,
            role: invitation.role,
            asker: invitation.asker,
        });
        Ok(OrganizationView {
            name: actor.organization_name.clone(),
            region: self.region().to_owned(),
            may_manage: actor.role.may(Permission::ManageMembers),
            members: members.collect(),
            invitations: invitations.collect(),
            days: super::INVITATION_DAYS,
        })
    }

    /// Gives a member another role. An Owner who becomes less than that has invited nobody any more.
    ///
    /// # Errors
    /// [`Fault::SignInNeeded`], [`Fault::NotAllowed`], [`Fault::NotFound`]; [`Fault::OwnRole`], [`Fault::LastOwner`].
    pub fn change_role(&self, caller: &Caller, user: UserId, role: Role) -> Result<(), Fault> {
        let actor = caller.must(Permission::ManageMembers)?;
        let now = self.now_ms();
        self.core.transact(|tx| {
            must_manage(tx, actor)?;
            let (name, before) = member(tx, actor.organization, user)?.ok_or(NO_MEMBER)?;
            if before == role {
                return Ok(());
            }
            if user == actor.user {
                return Err(Fault::OwnRole.into());
            }
            must_stay(tx, actor, before)?;
            set_role(tx, user, role)?;
            if !role.may(Permission::ManageMembers) {
                delete_invitations_of(tx, user)?;
            }
            log(
                tx,
                caller,
                Act::ChangeRole(role),
                &name,
                Logged::Nothing,
                now,
            )
        })?;
        self.members_changed(actor.organization);
        Ok(())
    }

    /// Removes a member, or has the caller leave. The member's sessions end at once, and so do the invitations that the
    /// member asked for.
    ///
    /// # Errors
    /// [`Fault::SignInNeeded`], [`Fault::NotAllowed`], [`Fault::NotFound`]; [`Fault::LastOwner`].
    pub fn remove_member(&self, caller: &Caller, user: UserId) -> Result<(), Fault> {
        let own = caller
            .actor
            .as_ref()
            .is_some_and(|actor| actor.user == user);
        let actor = caller.must(if own {
            Permission::Read
        } else {
            Permission::ManageMembers
        })?;
        let now = self.now_ms();
        self.core.transact(|tx| {
            if !own {
                must_manage(tx, actor)?;
            }
            let (name, role) = member(tx, actor.organization, user)?.ok_or(NO_MEMBER)?;
            must_stay(tx, actor, role)?;
            let act = if own { Act::Leave } else { Act::RemoveMember };
            log(tx, caller, act, &name, Logged::Nothing, now)?;
            Ok(delete_member(tx, user)?)
        })?;
        self.members_changed(actor.organization);
        Ok(())
    }
}
