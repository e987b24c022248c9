//! `reprise operator …`: who looks after the installation.
//!
//! Works beside a running server as well: who asks is looked up anew for each request, so the next one knows.

use super::command::existing;
use super::config::{Place, Settings};
use crate::catalog::Catalog;
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub enum Act {
    /// Make a member an operator: one who sees the zones, their room, the object store and the hypervisor
    Add {
        /// The member's address
        email: String,
        #[command(flatten)]
        flags: Place,
    },
    /// Take that right back; the member stays
    Remove {
        /// The member's address
        email: String,
        #[command(flatten)]
        flags: Place,
    },
    /// List the operators
    List {
        #[command(flatten)]
        flags: Place,
    },
}

type Done<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn catalog(flags: Place) -> Done<Catalog> {
    let path = existing(&Settings::load(flags)?, "catalog.db")?;
    Ok(Catalog::open(&path)?)
}

impl Act {
    /// Does it.
    pub fn run(self) -> Done<()> {
        match self {
            Self::Add { email, flags } => set(&catalog(flags)?, email.trim(), true),
            Self::Remove { email, flags } => set(&catalog(flags)?, email.trim(), false),
            Self::List { flags } => {
                print!("{}", listed(&catalog(flags)?)?);
                Ok(())
            }
        }
    }
}

fn set(catalog: &Catalog, email: &str, operator: bool) -> Done<()> {
    if !catalog.set_operator(email, operator)? {
        return Err(format!("no member has the address {email}").into());
    }
    if catalog.operators()?.is_empty() {
        eprintln!("There is no operator any more: nobody sees the zones in the console.");
    }
    Ok(())
}

/// A line for each.
fn listed(catalog: &Catalog) -> Done<String> {
    let operators = catalog.operators()?;
    let lines = operators.iter().map(|(email, name)| match name {
        name if name == email => format!("{email}\n"),
        name => format!("{email}  {name}\n"),
    });
    Ok(lines.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::people::NewMember;
    use crate::control::{Control, First, Tuning};
    use crate::domain::role::Role;

    #[test]
    fn i15_operators_are_appointed_at_the_machine_beside_a_running_server() {
        let folder = tempfile::tempdir().expect("a folder");
        let flags = || Place {
            data: Some(folder.path().to_owned()),
            ..Place::default()
        };
        assert!(
            Act::List { flags: flags() }.run().is_err(),
            "there is no catalog, and none is made"
        );
        let settings = crate::control::Settings {
            data: folder.path().to_owned(),
            archive: None,
            archive_rate: None,
            region: None,
            zones: Vec::new(),
            first: First {
                region: "Region".to_owned(),
                zones: vec!["Zone".to_owned()],
            },
            workers: 1,
            verify_days: None,
            fetch_wait: std::time::Duration::from_secs(1),
        };
        let tuning = Tuning {
            hypervisor: false,
            ..Tuning::default()
        };
        let control = Control::open_with(settings, tuning).expect("a region");
        let member = |email, role| NewMember {
            email,
            name: email,
            role,
            password: "correct horse",
            one_time: false,
        };
        let us = control
            .create_organization("Us", "UTC", member("owner@us", Role::Owner))
            .expect("us");
        control
            .create_member(us, member("viewer@us", Role::Viewer))
            .expect("a viewer");
        control
            .create_organization("Them", "UTC", member("owner@them", Role::Owner))
            .expect("them");
        let token = control
            .sign_in("viewer@us", "correct horse")
            .expect("signed in")
            .token;
        let operates = || {
            let member = control.authenticate(&token).expect("an answer");
            member.expect("a session").actor.operator
        };
        let there = || listed(&catalog(flags()).expect("a catalog")).expect("a list");
        // Who started it, and no Owner who came later.
        assert_eq!(there(), "owner@us\n");
        assert!(!operates());
        let add = |email: &str| Act::Add {
            email: email.to_owned(),
            flags: flags(),
        };
        assert!(add("nobody@us").run().is_err());
        add(" Viewer@US ").run().expect("appointed");
        assert_eq!(there(), "owner@us\nviewer@us\n");
        assert!(operates(), "the session that is open knows it");
        Act::Remove {
            email: "viewer@us".to_owned(),
            flags: flags(),
        }
        .run()
        .expect("taken back");
        assert!(!operates());
        assert_eq!(there(), "owner@us\n");
        control.stop();
    }
}
