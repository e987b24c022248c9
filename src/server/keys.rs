//! `reprise keys …`: the recovery kit.

use super::config::{Place, Settings};
use super::data::{self, DataFolder};
use super::store;
use crate::archive::{self, Kit};
use crate::catalog::Catalog;
use crate::control::Control;
use crate::control::people::Joined;
use clap::Subcommand;
use std::io::{BufRead, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The variable that a passphrase is taken from where no file names one.
const PASSPHRASE: &str = "REPRISE_KIT_PASSPHRASE";

#[derive(Debug, Subcommand)]
pub enum Act {
    /// Write the recovery kit: every organization's keys, protected by a passphrase. Where none is given
    /// (--passphrase-file, REPRISE_KIT_PASSPHRASE), one is made and printed on standard error
    Export {
        /// The file; it must not be there. Default: standard output
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
        /// File whose first line is the passphrase
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
        #[command(flatten)]
        flags: Place,
    },
    /// Let this data folder read and write what a kit has the keys of, and let someone sign in to each of its
    /// organizations that is new here. The passphrase is asked for where none is given
    Import {
        /// The kit
        file: PathBuf,
        /// File whose first line is the passphrase
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
        #[command(flatten)]
        flags: Place,
    },
}

type Done<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

impl Act {
    /// Does it.
    pub fn run(self) -> Done<()> {
        match self {
            Self::Export {
                to,
                passphrase_file,
                flags,
            } => export(flags, to.as_deref(), given(passphrase_file.as_deref())?),
            Self::Import {
                file,
                passphrase_file,
                flags,
            } => {
                let given = given(passphrase_file.as_deref())?;
                for joined in import(flags, &file, given)? {
                    eprintln!(
                        "\n  {}: sign in as {} with this one-time password:\n\n      {}\n",
                        joined.name, joined.email, joined.password
                    );
                }
                Ok(())
            }
        }
    }
}

/// The passphrase that was given, if one was.
fn given(file: Option<&Path>) -> Done<Option<String>> {
    let text = match file {
        Some(file) => Some(
            std::fs::read_to_string(file)
                .map_err(|error| format!("{} cannot be read: {error}", file.display()))?,
        ),
        None => std::env::var(PASSPHRASE).ok(),
    };
    Ok(text.and_then(|text| text.lines().next().map(str::to_owned)))
}

fn export(flags: Place, to: Option<&Path>, passphrase: Option<String>) -> Done<()> {
    let settings = Settings::load(flags)?;
    let catalog = settings.data.join("catalog.db");
    let organizations = if catalog.exists() {
        Catalog::open(&catalog)?.organizations()?
    } else {
        Vec::new()
    };
    let (passphrase, made) = match passphrase {
        Some(passphrase) => (passphrase, false),
        None => (archive::random_passphrase(), true),
    };
    let kit = store::open(&settings)?.export_kit(&organizations, &passphrase)?;
    match to {
        Some(path) => write(path, &kit)
            .map_err(|error| format!("{} cannot be written: {error}", path.display()))?,
        None => std::io::stdout().write_all(kit.as_bytes())?,
    }
    if made {
        eprintln!("The passphrase of this kit, which is shown this once: {passphrase}");
        eprintln!("Keep it, and keep it apart from the kit.");
    }
    Ok(())
}

/// Writes a new file that only its owner may read.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Gives the organizations that are new in this data folder, and how one signs in to them.
fn import(flags: Place, file: &Path, passphrase: Option<String>) -> Done<Vec<Joined>> {
    let settings = Settings::load(flags)?;
    let text = std::fs::read_to_string(file)
        .map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
    let passphrase = match passphrase {
        Some(passphrase) => passphrase,
        None => ask()?,
    };
    let kit = Kit::open(&text, &passphrase)?;
    let archive = store::open(&settings)?;
    let imported = archive.import_kit(&kit)?;
    for organization in kit.organizations() {
        println!("{} {}", organization.id, organization.name);
    }
    println!(
        "keys: {} added, {} known already; organizations that are not in this object store: {}",
        imported.added, imported.known, imported.absent
    );
    // A server that runs here has the folder, and sees what is added.
    let _folder = match DataFolder::open(&settings.data) {
        Err(data::Error::Held { .. }) => None,
        folder => Some(folder?),
    };
    let there = archive.organizations()?;
    let organizations: Vec<_> = kit
        .organizations()
        .iter()
        .filter(|organization| there.contains(&organization.id))
        .map(|organization| (organization.id, organization.name.clone()))
        .collect();
    let catalog = Catalog::open(&settings.data.join("catalog.db"))?;
    Ok(Control::join(
        &catalog,
        &organizations,
        &settings.time_zone,
        &settings.owner,
    )?)
}

/// Asks on the terminal; the line is shown as it is typed.
fn ask() -> Done<String> {
    if std::io::stdin().is_terminal() {
        eprint!("Passphrase of the kit: ");
    }
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    Ok(line)
}

#[cfg(test)]
mod tests;
