//! Invitations that can still be used. Of a link's token the table has the hash alone.

use super::{Catalog, Context, Error};
use crate::domain::id::{InvitationId, OrganizationId, UserId};
use crate::domain::role::Role;
use rusqlite::{OptionalExtension, Row, Transaction, named_params};

/// An invitation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Its id.
    pub id: InvitationId,
    /// The organization.
    pub organization: OrganizationId,
    /// The organization's name.
    pub organization_name: String,
    /// The address that is invited, lower-cased.
    pub email: String,
    /// What the member will be able to do.
    pub role: Role,
    /// The Owner who asked.
    pub asked_by: UserId,
    /// The Owner's name.
    pub asker: String,
    /// When.
    pub asked: i64,
    /// Until when it can be used.
    pub expires: i64,
}

const INVITATION: &str = "SELECT i.id, i.organization, o.name, i.email, i.role, i.asked_by, u.name, i.asked, i.expires
                          FROM invitations i JOIN organizations o ON o.id = i.organization JOIN users u ON u.id = i.asked_by";

fn invitation(row: &Row<'_>) -> rusqlite::Result<Invitation> {
    Ok(Invitation {
        id: row.get(0)?,
        organization: row.get(1)?,
        organization_name: row.get(2)?,
        email: row.get(3)?,
        role: row.get(4)?,
        asked_by: row.get(5)?,
        asker: row.get(6)?,
        asked: row.get(7)?,
        expires: row.get(8)?,
    })
}

impl Catalog {
    /// The invitations of an organization that can be used at `now`, by address.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn invitations(
        &self,
        organization: OrganizationId,
        now: i64,
    ) -> Result<Vec<Invitation>, Error> {
        self.read(|tx| {
            let sql = format!(
                "{INVITATION} WHERE i.organization = ?1 AND i.expires > ?2 ORDER BY i.email"
            );
            let mut query = tx.prepare_cached(&sql).context("list the invitations")?;
            query
                .query_map((organization, now), invitation)
                .and_then(Iterator::collect)
                .context("list the invitations")
        })
    }
}

/// The invitation whose link has this token hash and can be used at `now`.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn invitation_by_token(
    tx: &Transaction<'_>,
    token: &[u8; 32],
    now: i64,
) -> Result<Option<Invitation>, Error> {
    let sql = format!("{INVITATION} WHERE i.token = ?1 AND i.expires > ?2");
    tx.prepare_cached(&sql)
        .and_then(|mut query| {
            query
                .query_row((token.as_slice(), now), invitation)
                .optional()
        })
        .context("find an invitation")
}

/// Writes an invitation in place of the organization's older one for the same address, and forgets those that have
/// expired.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn insert_invitation(
    tx: &Transaction<'_>,
    invitation: &Invitation,
    token: &[u8; 32],
) -> Result<(), Error> {
    tx.prepare_cached("DELETE FROM invitations WHERE expires <= ?1")
        .and_then(|mut delete| delete.execute([invitation.asked]))
        .context("forget old invitations")?;
    let sql =
        "INSERT OR REPLACE INTO invitations (id, organization, email, role, token, asked_by, asked, expires)
               VALUES (:id, :organization, :email, :role, :token, :asked_by, :asked, :expires)";
    tx.prepare_cached(sql)
        .and_then(|mut insert| {
            insert.execute(named_params! {
                ":id": invitation.id,
                ":organization": invitation.organization,
                ":email": invitation.email,
                ":role": invitation.role,
                ":token": token.as_slice(),
                ":asked_by": invitation.asked_by,
                ":asked": invitation.asked,
                ":expires": invitation.expires,
            })
        })
        .context("write an invitation")?;
    Ok(())
}

/// Forgets an invitation of this organization; the address it was for.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn delete_invitation(
    tx: &Transaction<'_>,
    organization: OrganizationId,
    id: InvitationId,
) -> Result<Option<String>, Error> {
    let sql = "DELETE FROM invitations WHERE id = ?1 AND organization = ?2 RETURNING email";
    tx.prepare_cached(sql)
        .and_then(|mut delete| {
            delete
                .query_row((id, organization), |row| row.get(0))
                .optional()
        })
        .context("forget an invitation")
}

/// Forgets what this member asked for.
///
/// # Errors
/// [`Error::Sqlite`].
pub fn delete_invitations_of(tx: &Transaction<'_>, asker: UserId) -> Result<(), Error> {
    tx.prepare_cached("DELETE FROM invitations WHERE asked_by = ?1")
        .and_then(|mut delete| delete.execute([asker]))
        .context("forget invitations")?;
    Ok(())
}
