//! The command line.

use super::config::{EXAMPLE, Flags, Settings};
use crate::archive::{Archive, ArchiveOptions, Finding};
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
    Archive(ArchiveAct),
    /// Give a member a new one-time password and end the member's sessions
    Password {
        /// The member's address
        email: String,
        #[command(flatten)]
        flags: Flags,
    },
    /// Print a commented configuration file
    Config,
}

#[derive(Debug, Subcommand)]
enum ArchiveAct {
    /// Check that every snapshot is whole; the server must be stopped. Ends with 1 if something is damaged
    Check {
        /// Read and authenticate every chunk as well, not only look at sizes
        #[arg(long)]
        deep: bool,
        #[command(flatten)]
        flags: Flags,
    },
}

impl Command {
    /// Does what the command line says. Errors go to standard error, with everything that led to them.
    #[must_use]
    pub fn run(self) -> ExitCode {
        let done = match self.act {
            Act::Serve(flags) => super::serve(flags).map(|()| true).map_err(Into::into),
            Act::Archive(ArchiveAct::Check { deep, flags }) => check(deep, flags),
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
                eprint!("reprise: {error}");
                let mut cause = error.source();
                while let Some(error) = cause {
                    eprint!(": {error}");
                    cause = error.source();
                }
                eprintln!();
                ExitCode::FAILURE
            }
        }
    }
}

type Done<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn existing(flags: Flags, part: &str) -> Done<PathBuf> {
    let path = Settings::load(flags)?.data.join(part);
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

/// Checks the archive and prints what is wrong, a line a finding. True if nothing is.
fn check(deep: bool, flags: Flags) -> Done<bool> {
    let archive = Archive::open_folder(&existing(flags, "archive")?, ArchiveOptions::default())?;
    let findings = archive.check(deep)?;
    for finding in &findings {
        println!("{}", sentence(finding));
    }
    if findings.is_empty() {
        println!(
            "{}",
            if deep {
                "every chunk of every snapshot was read and is whole"
            } else {
                "every snapshot is whole"
            }
        );
    }
    Ok(findings.is_empty())
}

/// A finding as a line: whose object, what is wrong with it, and what that means.
fn sentence(finding: &Finding) -> String {
    let snapshots: Vec<_> = finding.snapshots.iter().map(ToString::to_string).collect();
    let means = if snapshots.is_empty() {
        "no snapshot needs it".to_owned()
    } else {
        format!("cannot be restored whole: {}", snapshots.join(", "))
    };
    format!(
        "{} (organization {}): {}; {means}",
        finding.object, finding.organization, finding.damage
    )
}

fn password(email: &str, flags: Flags) -> Done<()> {
    let catalog = Catalog::open(&existing(flags, "catalog.db")?)?;
    let password = Control::reset_password(&catalog, email)?;
    println!("{password}");
    eprintln!("One-time password of {email}; a new one is chosen at the next visit.");
    Ok(())
}
