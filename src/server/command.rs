//! The command line.

use super::bucket;
use super::config::{EXAMPLE, Flags, Place, Settings};
use super::keys;
use super::operators;
use crate::catalog::Catalog;
use crate::control::Control;
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// Reprise: a self-hosted, bilingual cloud console with its own copy-on-write storage engine.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100)]
pub struct Command {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Serve the console
    Serve(Flags),
    /// Look after the region's object store
    #[command(subcommand)]
    Archive(bucket::Act),
    /// Keep and use the recovery kit: the keys to what is in the object store
    #[command(subcommand)]
    Keys(keys::Act),
    /// Say who looks after the installation
    #[command(subcommand)]
    Operator(operators::Act),
    /// Give a member a new one-time password and end the member's sessions
    Password {
        /// The member's address
        email: String,
        #[command(flatten)]
        flags: Place,
    },
    /// Print a commented configuration file
    Config,
}

impl Command {
    /// Does what the command line says. Errors go to standard error, with everything that led to them.
    #[must_use]
    pub fn run(self) -> ExitCode {
        let done = match self.act {
            Act::Serve(flags) => super::serve(flags).map(|()| true).map_err(Into::into),
            Act::Archive(act) => act.run(),
            Act::Keys(act) => act.run().map(|()| true),
            Act::Operator(act) => act.run().map(|()| true),
            Act::Password { email, flags } => password(&email, flags).map(|()| true),
            Act::Config => {
                print!("{EXAMPLE}");
                Ok(true)
            }
        };
        match done {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => {
                eprintln!("reprise: {}", crate::control::chain(&*error));
                ExitCode::FAILURE
            }
        }
    }
}

type Done<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// A part of the data folder, which must be there.
pub(super) fn existing(settings: &Settings, part: &str) -> Done<PathBuf> {
    let path = settings.data.join(part);
    if path.exists() {
        Ok(path)
    } else {
        Err(format!(
            "there is no {}; name the data folder with --data",
            path.display()
        )
        .into())
    }
}

fn password(email: &str, flags: Place) -> Done<()> {
    let catalog = Catalog::open(&existing(&Settings::load(flags)?, "catalog.db")?)?;
    let password = Control::reset_password(&catalog, email)?;
    println!("{password}");
    eprintln!("One-time password of {email}; a new one is chosen at the next visit.");
    Ok(())
}
