//! What members change of themselves.
//!
//! What may never be true: a password that changes without the present one (but the one-time one, which one has just
//! signed in with); a session that goes on after its member's password was changed elsewhere.

use super::{SIGN_INS, checked_password, hash, matches};
use crate::catalog::members::{end_sessions, set_choices, set_name};
use crate::catalog::people::Choices;
use crate::control::activity::{Logged, log};
use crate::control::moments::{is_offered, moment, offered, time_zone};
use crate::control::{Caller, Control};
use crate::domain::fault::Fault;
use crate::domain::locale::Locale;
use crate::domain::name::checked_name;
use crate::domain::role::Permission;
use crate::domain::theme::Theme;
use crate::view::{Act, Change, ProfileView, SessionRow};

impl Control {
    /// What the caller is told of themselves.
    ///
    /// # Errors
    /// [`Fault::SignInNeeded`].
    pub fn profile(&self, caller: &Caller) -> Result<ProfileView, Fault> {
        let actor = caller.must(Permission::Read)?;
        let user = self
            .ask(self.catalog().user_by_email(&actor.email))?
            .ok_or(Fault::SignInNeeded)?;
        let (sessions, organization_zone) =
            self.ask(self.catalog().sessions(actor.user, self.now_ms()))?;
        let zone = time_zone(&actor.time_zone);
        let sessions = sessions.into_iter().map(|session| SessionRow {
            since: moment(&zone, session.created),
            seen: moment(&zone, session.seen),
            this: actor.session == Some(session.token),
        });
        Ok(ProfileView {
            id: user.id,
            name: user.name,
            email: user.email,
            role: user.role,
            locale: user.choices.locale,
            theme: user.choices.theme,
            time_zone: user.choices.time_zone,
            organization_zone: organization_zone.unwrap_or_default(),
            zones: offered(),
            sessions: sessions.collect(),
            shortest: super::MIN_PASSWORD,
        })
    }

    /// Keeps the caller's name and choices.
    ///
    /// # Errors
    /// [`Fault::SignInNeeded`]; those of a name; [`Fault::TimeZoneUnknown`].
    pub fn save_profile(
        &self,
        caller: &Caller,
        name: &str,
        choices: &Choices,
    ) -> Result<(), Fault> {
        let actor = caller.must(Permission::Read)?;
        let name = checked_name(name)?;
        if choices
            .time_zone
            .as_deref()
            .is_some_and(|zone| !is_offered(zone))
        {
            return Err(Fault::TimeZoneUnknown);
        }
        let now = self.now_ms();
        self.core.transact(|tx| {
            set_choices(tx, actor.user, choices)?;
            if name != actor.name {
                set_name(tx, actor.user, &name)?;
                log(tx, caller, Act::RenameMember, &name, Logged::Nothing, now)?;
            }
            Ok(())
        })?;
        self.members_changed(actor.organization);
        Ok(())
    }

    /// Keeps the language that a member has switched to.
    ///
    /// # Errors
    /// [`Fault::SignInNeeded`].
    pub fn keep_locale(&self, caller: &Caller, locale: Locale) -> Result<(), Fault> {
        self.keep(caller, |choices| choices.locale = Some(locale))
    }

    /// Keeps the colours that a member has switched to.
    ///
    /// # Errors
    /// [`Fault::SignInNeeded`].
    pub fn keep_theme(&self, caller: &Caller, theme: Option<Theme>) -> Result<(), Fault> {
        self.keep(caller, |choices| choices.theme = theme)
    }

    fn keep(&self, caller: &Caller, choose: impl FnOnce(&mut Choices)) -> Result<(), Fault> {
        let actor = caller.must(Permission::Read)?;
        let user = self.ask(self.catalog().user_by_email(&actor.email))?;
        let mut choices = user.ok_or(Fault::SignInNeeded)?.choices;
        choose(&mut choices);
        self.core
            .transact(|tx| Ok(set_choices(tx, actor.user, &choices)?))
    }

    /// Changes the caller's password; every other session of the caller's ends. Wrong passwords are counted with the
    /// attempts to sign in.
    ///
    /// # Errors
    /// [`Fault::SignInNeeded`]; [`Fault::WrongPassword`], [`Fault::TooManyAttempts`]; those of a new password.
    pub fn change_password(
        &self,
        caller: &Caller,
        current: &str,
        password: &str,
        again: &str,
    ) -> Result<(), Fault> {
        let actor = caller.must(Permission::Read)?;
        SIGN_INS.count(&actor.email, self.now_ms())?;
        let user = self
            .ask(self.catalog().user_by_email(&actor.email))?
            .ok_or(Fault::SignInNeeded)?;
        if !matches(current, &user.password) {
            self.record(caller, Act::ChangePasswordRefused, "")?;
            return Err(Fault::WrongPassword);
        }
        SIGN_INS.forget(&actor.email);
        checked_password(password, again)?;
        let set = self.catalog().set_password(
            actor.user,
            &hash(password)?,
            false,
            actor.session.as_ref(),
        );
        self.ask(set)?;
        self.record(caller, Act::ChangePassword, "")
    }

    /// Ends the caller's other sessions.
    ///
    /// # Errors
    /// [`Fault::SignInNeeded`].
    pub fn end_other_sessions(&self, caller: &Caller) -> Result<(), Fault> {
        let actor = caller.must(Permission::Read)?;
        let now = self.now_ms();
        self.core.transact(|tx| {
            if end_sessions(tx, actor.user, actor.session.as_ref())? > 0 {
                log(tx, caller, Act::EndSessions, "", Logged::Nothing, now)?;
            }
            Ok(())
        })?;
        self.members_changed(actor.organization);
        Ok(())
    }

    /// Pages about members ask anew, and the streams of sessions that have ended are closed.
    pub(super) fn members_changed(&self, organization: crate::domain::id::OrganizationId) {
        self.core.live.changed(organization, &[Change::Activity]);
    }
}
