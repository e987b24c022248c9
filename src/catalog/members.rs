//! The members of an organization, as a list and to be changed; what each has chosen; their sessions.

use super::people::Choices;
use super::{Catalog, Context, Error};
use crate::domain::id::{OrganizationId, UserId};
use crate::domain::locale::Locale;
use crate::domain::role::Role;
use crate::domain::theme::Theme;
use rusqlite::{OptionalExtension, Transaction};

/// A member, as the list has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedMember {
    /// Its id.
    pub id: UserId,
    /// The member's name.
    pub name: String,
    /// The address.
    pub email: String,
    /// What the member may do.
    pub role: Role,
    /// When the member last came.
    pub seen: Option<i64>,
}

/// A session, as its member is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedSession {
    /// The token's hash.
    pub token: [u8; 32],
    /// Since when.
    pub created: i64,
    /// When it was last used, within minutes.
    pub seen: i64,
}

impl Catalog {
    /// The members of an organization.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn members(&self, organization: OrganizationId) -> Result<Vec<ListedMember>, Error> {
        self.read(|tx| {
            let sql = "SELECT id, name, email, role, seen FROM users WHERE organization = ?1
                       ORDER BY id";
            let mut query = tx.prepare_cached(sql).context("list the members")?;
            let rows = query.query_map([organization], |row| {
                Ok(ListedMember {
                    id: row.get(0)?,
                    name: row.get(1)?,
                    email: row.get(2)?,
                    role: row.get(3)?,
                    seen: row.get(4)?,
                })
            });
            rows.and_then(Iterator::collect).context("list the members")
        })
    }

    /// The sessions of a member that have not ended, the newest first; and the time zone of the member's organization.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn sessions(
        &self,
        user: UserId,
        now: i64,
    ) -> Result<(Vec<ListedSession>, Option<String>), Error> {
        self.read(|tx| {
            let sql = "SELECT token, created, seen FROM sessions WHERE user = ?1 AND expires > ?2
                       ORDER BY created DESC, token";
            let mut query = tx.prepare_cached(sql).context("list sessions")?;
            let rows = query.query_map((user, now), |row| {
                Ok(ListedSession {
                    token: row.get(0)?,
                    created: row.get(1)?,
                    seen: row.get(2)?,
                })
            });
            let sessions = rows.and_then(Iterator::collect).context("list sessions")?;
            let sql = "SELECT o.time_zone FROM users u JOIN organizations o ON o.id = u.organization WHERE u.id = ?1";
            let zone = tx
                .prepare_cached(sql)
                .and_then(|mut query| query.query_row([user], |row| row.get(0)).optional())
                .context("find a time zone")?;
            Ok((sessions, zone))
        })
    }
}

/// The name and the role of a member of this organization.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn member(
    tx: &Transaction<'_>,
    organization: OrganizationId,
    user: UserId,
) -> Result<Option<(String, Role)>, Error> {
    tx.prepare_cached("SELECT name, role FROM users WHERE id = ?1 AND organization = ?2")
        .and_then(|mut query| {
            query
                .query_row((user, organization), |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()
        })
        .context("find a member")
}

/// How many Owners an organization has.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn owners(tx: &Transaction<'_>, organization: OrganizationId) -> Result<u32, Error> {
    tx.prepare_cached("SELECT COUNT(*) FROM users WHERE organization = ?1 AND role = 'owner'")
        .and_then(|mut query| query.query_row([organization], |row| row.get(0)))
        .context("count the Owners")
}

/// Gives a member another role.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn set_role(tx: &Transaction<'_>, user: UserId, role: Role) -> Result<(), Error> {
    tx.prepare_cached("UPDATE users SET role = ?2 WHERE id = ?1")
        .and_then(|mut update| update.execute((user, role)))
        .context("change a role")?;
    Ok(())
}

/// Forgets a member, whose sessions and invitations end with it. What the member did stays in the log.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn delete_member(tx: &Transaction<'_>, user: UserId) -> Result<(), Error> {
    tx.prepare_cached("DELETE FROM users WHERE id = ?1")
        .and_then(|mut delete| delete.execute([user]))
        .context("remove a member")?;
    Ok(())
}

/// Gives a member another name.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn set_name(tx: &Transaction<'_>, user: UserId, name: &str) -> Result<(), Error> {
    tx.prepare_cached("UPDATE users SET name = ?2 WHERE id = ?1")
        .and_then(|mut update| update.execute((user, name)))
        .context("rename a member")?;
    Ok(())
}

/// Keeps what a member has chosen.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn set_choices(tx: &Transaction<'_>, user: UserId, choices: &Choices) -> Result<(), Error> {
    tx.prepare_cached("UPDATE users SET locale = ?2, theme = ?3, time_zone = ?4 WHERE id = ?1")
        .and_then(|mut update| {
            let locale = choices.locale.map(Locale::code);
            let theme = choices.theme.map(Theme::code);
            update.execute((user, locale, theme, &choices.time_zone))
        })
        .context("keep what a member chose")?;
    Ok(())
}

/// Ends a member's sessions but the one named; how many there were.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn end_sessions(
    tx: &Transaction<'_>,
    user: UserId,
    keep: Option<&[u8; 32]>,
) -> Result<usize, Error> {
    let keep = keep.map_or(&[][..], |token| token.as_slice());
    tx.prepare_cached("DELETE FROM sessions WHERE user = ?1 AND token <> ?2")
        .and_then(|mut delete| delete.execute((user, keep)))
        .context("end sessions")
}
