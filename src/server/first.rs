//! The first start on an empty data folder: someone must be able to sign in.

use super::config::Settings;
use crate::control::Control;
use crate::control::people::{NewMember, one_time_password};
use crate::domain::fault::Fault;
use crate::domain::role::Role;

/// Makes the first organization, or the sample ones, when there is none.
pub fn fill(control: &Control, settings: &Settings) -> Result<(), Fault> {
    if !control.is_empty()? {
        return Ok(());
    }
    if settings.demo {
        tracing::info!("an empty data folder: filling it with the sample organizations");
        return crate::control::demo::seed(control);
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
