//! The first start on an empty data folder: someone must be able to sign in.

use super::config::Settings;
use crate::control::people::{NewMember, one_time_password};
use crate::control::{Control, demo};
use crate::domain::fault::Fault;
use crate::domain::role::Role;
use std::path::PathBuf;

/// Names the disk image of the sample data's guest; without it the sample data has no instances.
const DEMO_TEMPLATE: &str = "REPRISE_DEMO_TEMPLATE";

/// What needs a guest is made while the console serves already: a guest that does not start keeps nobody from signing in.
fn start_guests(control: &Control) {
    let control = control.clone();
    let seeding = std::thread::Builder::new()
        .name("demo".to_owned())
        .spawn(move || {
            if let Err(fault) = demo::seed_guests(&control) {
                tracing::warn!(?fault, "the sample instance is not as it should be");
            }
        });
    if let Err(error) = seeding {
        tracing::warn!(%error, "the sample instance is not started: there is no thread for it");
    }
}

/// Makes the first organization, or the sample ones, when there is none.
pub fn fill(control: &Control, settings: &Settings) -> Result<(), Fault> {
    if !control.is_empty()? {
        return Ok(());
    }
    if settings.demo {
        tracing::info!("an empty data folder: filling it with the sample organizations");
        let guest = std::env::var_os(DEMO_TEMPLATE).map(PathBuf::from);
        demo::seed(control, guest.as_deref())?;
        start_guests(control);
        return Ok(());
    }
    let password = one_time_password();
    control.create_organization(
        &settings.organization,
        &settings.time_zone,
        NewMember {
            email: &settings.owner,
            name: &settings.owner,
            role: Role::Owner,
            password: &password,
            one_time: true,
        },
    )?;
    // Standard error, and not the log: logs are kept and read by others.
    eprintln!(
        "\n  First start. Sign in as {} with this one-time password:\n\n      {password}\n",
        settings.owner
    );
    eprintln!("  It is shown this once; you choose your own at the first visit.\n");
    Ok(())
}
