//! Organizations that come with a recovery kit: someone must be able to sign in to them.

use super::{NewMember, PasswordError, new_user, one_time_password};
use crate::catalog::people::{has_no_members, insert_organization, insert_user, is_address_taken};
use crate::control::{Clock, Control, SystemClock};
use crate::domain::id::OrganizationId;
use crate::domain::role::Role;
use rusqlite::Transaction;

/// An organization that was added, and how its Owner signs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// The organization's name.
    pub name: String,
    /// The Owner's address.
    pub email: String,
    /// The one-time password.
    pub password: String,
}

impl Control {
    /// Adds those of the organizations that are not there yet, each with an Owner who signs in with a one-time password:
    /// at this address, or one made of it where it is taken (`name+2@host`). For the operator at the machine, who has
    /// brought a recovery kit. Where nobody was there yet, the first of them is an operator.
    ///
    /// # Errors
    /// [`PasswordError`]; then none was added.
    pub fn join(
        catalog: &crate::catalog::Catalog,
        organizations: &[(OrganizationId, String)],
        time_zone: &str,
        owner: &str,
    ) -> Result<Vec<Joined>, PasswordError> {
        let there = catalog.organizations()?;
        let mut owners = Vec::new();
        for (id, name) in organizations {
            if there.iter().any(|(known, _)| known == id) {
                continue;
            }
            let password = one_time_password();
            let member = NewMember {
                email: owner,
                name: owner,
                role: Role::Owner,
                password: &password,
                one_time: true,
            };
            let user = new_user(*id, member).map_err(PasswordError::Hash)?;
            let name = match name.trim() {
                "" => id.to_string(),
                name => name.to_owned(),
            };
            owners.push((name, password, user));
        }
        let now = SystemClock.now_ms();
        catalog.write(|tx| {
            let mut joined = Vec::new();
            for (name, password, mut user) in owners {
                user.email = free_address(tx, owner)?;
                user.name.clone_from(&user.email);
                user.operator = has_no_members(tx)?;
                insert_organization(tx, user.organization, &name, time_zone, now)?;
                insert_user(tx, &user, now)?;
                joined.push(Joined {
                    name,
                    email: user.email,
                    password,
                });
            }
            Ok(joined)
        })
    }
}

/// The address, or the first that is free of those made of it.
fn free_address(tx: &Transaction<'_>, wanted: &str) -> Result<String, crate::catalog::Error> {
    let wanted = wanted.to_lowercase();
    let (name, host) = wanted.rsplit_once('@').unwrap_or((&wanted, "localhost"));
    for number in 2..=u32::MAX {
        let address = match number {
            2 if !is_address_taken(tx, &wanted)? => return Ok(wanted),
            number => format!("{name}+{number}@{host}"),
        };
        if !is_address_taken(tx, &address)? {
            return Ok(address);
        }
    }
    // Taken: the table refuses it.
    Ok(wanted)
}
