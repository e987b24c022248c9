//! Invitations by link.
//!
//! A link is a random token of 256 bits; the catalog has its hash. It is told once, to the Owner who asked, who passes it
//! on. What may never be true: a link that makes two members, or one after it was withdrawn, replaced or has expired; an
//! answer that tells why a link cannot be used, or whether an address is known to another organization.

use super::members::must_manage;
use super::{
    INVITATION_DAYS, JOINS, MIN_PASSWORD, NewMember, SignedIn, Token, actor, checked_password,
    new_user,
};
use crate::catalog::invitations::{
    Invitation, delete_invitation, insert_invitation, invitation_by_token,
};
use crate::catalog::people::{insert_user, is_address_taken};
use crate::control::activity::{Logged, log};
use crate::control::{Caller, Control};
use crate::domain::fault::{Fault, Noun};
use crate::domain::id::InvitationId;
use crate::domain::name::{checked_address, checked_name};
use crate::domain::role::{Door, Permission, Role};
use crate::view::{Act, InvitationView};

const DAY_MS: i64 = 24 * 3600 * 1000;

impl Control {
    /// Invites somebody; an older invitation of the organization's to the same address ends. The token that the link is
    /// made of is told this once.
    ///
    /// # Errors
    /// [`Fault::SignInNeeded`], [`Fault::NotAllowed`]; [`Fault::AddressUnreadable`], [`Fault::AddressNotFree`].
    pub fn invite(&self, caller: &Caller, email: &str, role: Role) -> Result<Token, Fault> {
        let actor = caller.must(Permission::ManageMembers)?;
        let email = checked_address(email)?;
        let (token, now) = (Token::random(), self.now_ms());
        let invitation = Invitation {
            id: InvitationId::new(),
            organization: actor.organization,
            organization_name: actor.organization_name.clone(),
            email,
            role,
            asked_by: actor.user,
            asker: actor.name.clone(),
            asked: now,
            expires: now + i64::from(INVITATION_DAYS) * DAY_MS,
        };
        self.core.transact(|tx| {
            must_manage(tx, actor)?;
            if is_address_taken(tx, &invitation.email)? {
                return Err(Fault::AddressNotFree.into());
            }
            insert_invitation(tx, &invitation, &token.hash())?;
            log(
                tx,
                caller,
                Act::Invite(role),
                &invitation.email,
                Logged::Nothing,
                now,
            )
        })?;
        self.members_changed(actor.organization);
        Ok(token)
    }

    /// Withdraws an invitation: its link is of no use any more.
    ///
    /// # Errors
    /// [`Fault::SignInNeeded`], [`Fault::NotAllowed`], [`Fault::NotFound`].
    pub fn withdraw_invitation(&self, caller: &Caller, id: InvitationId) -> Result<(), Fault> {
        let actor = caller.must(Permission::ManageMembers)?;
        let now = self.now_ms();
        self.core.transact(|tx| {
            must_manage(tx, actor)?;
            let email = delete_invitation(tx, actor.organization, id)?;
            let email = email.ok_or(Fault::NotFound {
                what: Noun::Invitation,
            })?;
            log(
                tx,
                caller,
                Act::WithdrawInvitation,
                &email,
                Logged::Nothing,
                now,
            )
        })?;
        self.members_changed(actor.organization);
        Ok(())
    }

    /// What a link invites to.
    ///
    /// # Errors
    /// [`Fault::InvitationNotUsable`], [`Fault::TooManyAttempts`].
    pub fn invitation(&self, link: &str) -> Result<InvitationView, Fault> {
        let (token, now) = self.counted(link)?;
        self.core.look(|tx| {
            let found = invitation_by_token(tx, &token.hash(), now)?;
            let found = found.ok_or(Fault::InvitationNotUsable)?;
            // Meanwhile a member elsewhere: nobody can join at this address.
            if is_address_taken(tx, &found.email)? {
                return Err(Fault::InvitationNotUsable.into());
            }
            Ok(InvitationView {
                organization: found.organization_name,
                email: found.email,
                role: found.role,
                asker: found.asker,
                shortest: MIN_PASSWORD,
            })
        })
    }

    /// Makes whoever follows a link a member, and signs the member in. The link is used up by it.
    ///
    /// # Errors
    /// [`Fault::InvitationNotUsable`], [`Fault::TooManyAttempts`]; those of a name and of a new password, which leave the
    /// link as it was.
    pub fn accept_invitation(
        &self,
        link: &str,
        name: &str,
        password: &str,
        again: &str,
    ) -> Result<SignedIn, Fault> {
        let (token, now) = self.counted(link)?;
        let look = |tx: &rusqlite::Transaction<'_>| {
            let found = invitation_by_token(tx, &token.hash(), now)?;
            Ok(found.ok_or(Fault::InvitationNotUsable)?)
        };
        // Before the password is hashed, which is work: whoever has no link is sent away at once.
        let invitation = self.core.look(look)?;
        let name = checked_name(name)?;
        checked_password(password, again)?;
        let new = NewMember {
            email: &invitation.email,
            name: &name,
            role: invitation.role,
            password,
            one_time: false,
        };
        let mut user = new_user(invitation.organization, new)?;
        user.organization_name = invitation.organization_name;
        let caller = Caller {
            actor: Some(actor(&user)),
            door: Door::Console,
        };
        self.core.transact(|tx| {
            // Anew: it may have been used, withdrawn or replaced by one with another role.
            let still = look(tx)?;
            if still.id != invitation.id || is_address_taken(tx, &user.email)? {
                return Err(Fault::InvitationNotUsable.into());
            }
            delete_invitation(tx, still.organization, still.id)?;
            insert_user(tx, &user, now)?;
            log(
                tx,
                &caller,
                Act::Join,
                &user.organization_name,
                Logged::Nothing,
                now,
            )
        })?;
        self.open_session(&caller, &user)
    }

    /// The token of a link, if another attempt with it is allowed.
    fn counted(&self, link: &str) -> Result<(Token, i64), Fault> {
        let token = Token::from_cookie(link).ok_or(Fault::InvitationNotUsable)?;
        let now = self.now_ms();
        JOINS.count(&blake3::Hash::from_bytes(token.hash()).to_hex(), now)?;
        Ok((token, now))
    }
}
