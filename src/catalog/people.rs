//! Organizations, their members, and the sessions of those who are signed in.

use super::{Catalog, Context, Error};
use crate::domain::id::{OrganizationId, UserId};
use crate::domain::locale::Locale;
use crate::domain::role::Role;
use crate::domain::theme::Theme;
use rusqlite::{OptionalExtension, Row, Transaction, named_params};

/// What a member has chosen for the console.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choices {
    /// The language; none: as the browser asks.
    pub locale: Option<Locale>,
    /// The colours; none: as the system has them.
    pub theme: Option<Theme>,
    /// The time zone, a name of the tz database; none: the organization's.
    pub time_zone: Option<String>,
}

/// A member, with what signing in needs.
#[derive(Debug, Clone)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// The organization it belongs to.
    pub organization: OrganizationId,
    /// The organization's name.
    pub organization_name: String,
    /// The time zone that times are shown in: the member's own, or the organization's.
    pub time_zone: String,
    /// What the member has chosen.
    pub choices: Choices,
    /// The address, lower-cased.
    pub email: String,
    /// The member's name.
    pub name: String,
    /// What the member may do.
    pub role: Role,
    /// The password's argon2id hash, in the PHC string format.
    pub password: String,
    /// Whether that password was printed by the program and must be replaced before anything else.
    pub one_time: bool,
    /// Whether the member looks after the installation.
    pub operator: bool,
}

const USER: &str =
    "SELECT u.id, u.organization, o.name, COALESCE(u.time_zone, o.time_zone), u.email, u.name, u.role, u.password, u.one_time,
            u.operator, u.locale, u.theme, u.time_zone
     FROM users u JOIN organizations o ON o.id = u.organization";

fn user(row: &Row<'_>) -> rusqlite::Result<User> {
    let (locale, theme): (Option<String>, Option<String>) = (row.get(10)?, row.get(11)?);
    Ok(User {
        id: row.get(0)?,
        organization: row.get(1)?,
        organization_name: row.get(2)?,
        time_zone: row.get(3)?,
        email: row.get(4)?,
        name: row.get(5)?,
        role: row.get(6)?,
        password: row.get(7)?,
        one_time: row.get(8)?,
        operator: row.get(9)?,
        choices: Choices {
            // What another version offered keeps nobody from signing in.
            locale: locale.and_then(|code| Locale::from_tag(&code)),
            theme: theme.and_then(|code| Theme::from_code(&code)),
            time_zone: row.get(12)?,
        },
    })
}

impl Catalog {
    /// Whether there is no organization yet: the first start.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn is_empty(&self) -> Result<bool, Error> {
        self.read(|tx| {
            tx.query_row(
                "SELECT NOT EXISTS (SELECT 1 FROM organizations)",
                [],
                |row| row.get(0),
            )
            .context("look for organizations")
        })
    }

    /// Every organization, with its name.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn organizations(&self) -> Result<Vec<(OrganizationId, String)>, Error> {
        self.read(|tx| {
            let mut query = tx
                .prepare_cached("SELECT id, name FROM organizations ORDER BY created, id")
                .context("list the organizations")?;
            query
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
                .and_then(Iterator::collect)
                .context("list the organizations")
        })
    }

    /// The member with this address.
    ///
    /// # Errors
    /// [`Error::Sqlite`], [`Error::Unknown`].
    pub fn user_by_email(&self, email: &str) -> Result<Option<User>, Error> {
        self.read(|tx| {
            let mut query = tx
                .prepare_cached(&format!("{USER} WHERE u.email = ?1"))
                .context("find a member")?;
            query
                .query_row([email.to_lowercase()], user)
                .optional()
                .context("find a member")
        })
    }

    /// The member whose session has this token hash and has not expired at `now`, with the time it was last seen.
    ///
    /// # Errors
    /// [`Error::Sqlite`], [`Error::Unknown`].
    pub fn user_by_session(
        &self,
        token: &[u8; 32],
        now: i64,
    ) -> Result<Option<(User, i64)>, Error> {
        self.read(|tx| {
            let sql = format!(
                "SELECT of_user.*, s.seen FROM sessions s JOIN ({USER}) of_user ON of_user.id = s.user
                 WHERE s.token = ?1 AND s.expires > ?2"
            );
            let mut query = tx.prepare_cached(&sql).context("find a session")?;
            query
                .query_row((token.as_slice(), now), |row| Ok((user(row)?, row.get(13)?)))
                .optional()
                .context("find a session")
        })
    }

    /// Writes a new session, and forgets those that have expired.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn create_session(
        &self,
        token: &[u8; 32],
        user: UserId,
        now: i64,
        expires: i64,
    ) -> Result<(), Error> {
        self.write(|tx| {
            tx.execute("DELETE FROM sessions WHERE expires <= ?1", [now]).context("forget old sessions")?;
            tx.execute(
                "INSERT INTO sessions (token, user, created, seen, expires) VALUES (?1, ?2, ?3, ?3, ?4)",
                (token.as_slice(), user.to_string(), now, expires),
            )
            .context("write a session")?;
            came(tx, user, now)
        })
    }

    /// Notes that a session was used and moves its end.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn touch_session(&self, token: &[u8; 32], now: i64, expires: i64) -> Result<(), Error> {
        self.write(|tx| {
            let user = tx
                .query_row(
                    "UPDATE sessions SET seen = ?2, expires = ?3 WHERE token = ?1 RETURNING user",
                    (token.as_slice(), now, expires),
                    |row| row.get(0),
                )
                .optional()
                .context("note a session's use")?;
            user.map_or(Ok(()), |user| came(tx, user, now))
        })
    }

    /// Gives a member a new password, and ends all sessions but the one named.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn set_password(
        &self,
        user: UserId,
        password: &str,
        one_time: bool,
        keep: Option<&[u8; 32]>,
    ) -> Result<(), Error> {
        self.write(|tx| {
            let id = user.to_string();
            tx.execute(
                "UPDATE users SET password = ?2, one_time = ?3 WHERE id = ?1",
                (&id, password, one_time),
            )
            .context("change a password")?;
            let keep = keep.map_or(&[][..], |token| token.as_slice());
            tx.execute(
                "DELETE FROM sessions WHERE user = ?1 AND token <> ?2",
                (&id, keep),
            )
            .context("end sessions")?;
            Ok(())
        })
    }

    /// Makes the member with this address an operator, or no longer one; false when nobody has it.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn set_operator(&self, email: &str, operator: bool) -> Result<bool, Error> {
        self.write(|tx| {
            let changed = tx
                .execute(
                    "UPDATE users SET operator = ?2 WHERE email = ?1",
                    (email.to_lowercase(), operator),
                )
                .context("appoint an operator")?;
            Ok(changed > 0)
        })
    }

    /// The operators: addresses and names, by address.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn operators(&self) -> Result<Vec<(String, String)>, Error> {
        self.read(|tx| {
            let mut query = tx
                .prepare_cached("SELECT email, name FROM users WHERE operator = 1 ORDER BY email")
                .context("list the operators")?;
            query
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
                .and_then(Iterator::collect)
                .context("list the operators")
        })
    }

    /// The organizations of the operators.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn organizations_of_operators(&self) -> Result<Vec<OrganizationId>, Error> {
        self.read(|tx| {
            let mut query = tx
                .prepare_cached("SELECT DISTINCT organization FROM users WHERE operator = 1")
                .context("list the operators")?;
            query
                .query_map([], |row| row.get(0))
                .and_then(Iterator::collect)
                .context("list the operators")
        })
    }

    /// Ends a session.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn delete_session(&self, token: &[u8; 32]) -> Result<(), Error> {
        self.write(|tx| {
            tx.execute("DELETE FROM sessions WHERE token = ?1", [token.as_slice()])
                .context("end a session")?;
            Ok(())
        })
    }
}

/// Notes that a member came.
fn came(tx: &Transaction<'_>, user: UserId, now: i64) -> Result<(), Error> {
    tx.prepare_cached("UPDATE users SET seen = ?2 WHERE id = ?1")
        .and_then(|mut update| update.execute((user, now)))
        .context("note a visit")?;
    Ok(())
}

/// Writes a new organization.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn insert_organization(
    tx: &Transaction<'_>,
    id: OrganizationId,
    name: &str,
    time_zone: &str,
    now: i64,
) -> Result<(), Error> {
    tx.prepare_cached(
        "INSERT INTO organizations (id, name, time_zone, created) VALUES (?1, ?2, ?3, ?4)",
    )
    .and_then(|mut insert| insert.execute((id.to_string(), name, time_zone, now)))
    .context("write an organization")?;
    Ok(())
}

/// Whether there is no member at all yet.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn has_no_members(tx: &Transaction<'_>) -> Result<bool, Error> {
    tx.prepare_cached("SELECT NOT EXISTS (SELECT 1 FROM users)")
        .and_then(|mut query| query.query_row([], |row| row.get(0)))
        .context("look for members")
}

/// Whether a member has this address, lower-cased.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn is_address_taken(tx: &Transaction<'_>, email: &str) -> Result<bool, Error> {
    tx.prepare_cached("SELECT EXISTS (SELECT 1 FROM users WHERE email = ?1)")
        .and_then(|mut query| query.query_row([email], |row| row.get(0)))
        .context("look for an address")
}

/// Writes a new member.
///
/// # Errors
/// [`Error::Sqlite`], also when the address is taken.
pub fn insert_user(tx: &Transaction<'_>, user: &User, now: i64) -> Result<(), Error> {
    let sql = "INSERT INTO users (id, organization, email, name, role, password, one_time, operator, created)
               VALUES (:id, :organization, :email, :name, :role, :password, :one_time, :operator, :created)";
    tx.prepare_cached(sql)
        .and_then(|mut insert| {
            insert.execute(named_params! {
                ":id": user.id,
                ":organization": user.organization,
                ":email": user.email.to_lowercase(),
                ":name": user.name,
                ":role": user.role,
                ":password": user.password,
                ":one_time": user.one_time,
                ":operator": user.operator,
                ":created": now,
            })
        })
        .context("write a member")?;
    Ok(())
}
