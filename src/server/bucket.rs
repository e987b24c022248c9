//! `reprise archive …`: looking after the region's object store, without a server and without its catalog.

mod holds;

use super::config::{Place, Settings};
use super::image::Image;
use super::store;
use crate::archive::{Archive, Description, Error, Finding, ManifestInfo, Progress, PruneOptions};
use crate::domain::id::{OrganizationId, SnapshotId};
use clap::Subcommand;
use std::io::{IsTerminal, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(Debug, Subcommand)]
pub enum Act {
    /// List the snapshots and templates of every organization
    List {
        #[command(flatten)]
        flags: Place,
    },
    /// Check that every snapshot is whole. Ends with 1 if something is damaged
    Check {
        /// Read and authenticate every chunk as well, not only look at sizes
        #[arg(long)]
        deep: bool,
        #[command(flatten)]
        flags: Place,
    },
    /// Remove what no snapshot needs. In a bucket that several servers use, what is found now is removed by a prune
    /// that comes after the grace
    Prune {
        /// Hours that what is found must wait before it is removed, at least 1; of no effect in a local folder
        #[arg(long, value_name = "HOURS", default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..))]
        grace: u32,
        #[command(flatten)]
        flags: Place,
    },
    /// List the holds: what keeps the content of snapshots that volumes still fill from, also of deleted ones
    Holds {
        #[command(flatten)]
        flags: Place,
    },
    /// Release the holds of volumes that are gone for ever, so that a prune can remove what they kept. A volume that is
    /// not gone loses what it has not fetched yet
    Release {
        /// The holds' ids, as `reprise archive holds` shows them
        #[arg(required_unless_present = "of", conflicts_with = "of")]
        holds: Vec<String>,
        /// All holds of this data folder, as `reprise archive holds` shows it: it is gone with its zones
        #[arg(long, value_name = "DATA_FOLDER")]
        of: Option<String>,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        flags: Place,
    },
    /// Restore a snapshot to a new file, as a raw disk image
    Restore {
        /// The snapshot's id, as `reprise archive list` shows it
        snapshot: SnapshotId,
        /// The file; it must not be there
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
        #[command(flatten)]
        flags: Place,
    },
}

type Done<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

impl Act {
    /// Does it. True if nothing is wrong.
    pub fn run(self) -> Done<bool> {
        match self {
            Self::List { flags } => list(&open(flags)?).map(|()| true),
            Self::Check { deep, flags } => check(&open(flags)?, deep),
            Self::Prune { grace, flags } => prune(&open(flags)?, grace),
            Self::Holds { flags } => holds::list(&open(flags)?).map(|()| true),
            Self::Release {
                holds,
                of,
                yes,
                flags,
            } => holds::release(&open(flags)?, &holds, of.as_deref(), yes).map(|()| true),
            Self::Restore {
                snapshot,
                to,
                flags,
            } => restore(&open(flags)?, snapshot, &to).map(|()| true),
        }
    }
}

/// The object store. A local folder is used by one process: the server must be stopped.
fn open(flags: Place) -> Done<Archive> {
    store::open(&Settings::load(flags)?)
}

/// Tells how far it is on a terminal, and nothing elsewhere.
struct Told {
    total: u64,
    shown: Option<u64>,
}

impl Told {
    fn new() -> Self {
        Self {
            total: 0,
            shown: None,
        }
    }
}

impl Progress for Told {
    fn total(&mut self, bytes: u64) {
        self.total = bytes;
    }

    fn done(&mut self, bytes: u64) -> ControlFlow<()> {
        let percent = (u128::from(bytes) * 100 / u128::from(self.total.max(1))) as u64;
        if self.shown != Some(percent) && std::io::stderr().is_terminal() {
            eprint!("\r{percent} %");
            let _ = std::io::stderr().flush();
            self.shown = Some(percent);
        }
        ControlFlow::Continue(())
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        if self.shown.is_some() {
            eprintln!();
        }
    }
}

fn list(archive: &Archive) -> Done<()> {
    let organizations = archive.organizations()?;
    if organizations.is_empty() {
        println!("there is nothing in this object store");
    }
    for organization in organizations {
        println!("organization {organization}");
        let mut all = match archive.list(organization) {
            Ok(all) => all,
            // Another's: what one has the key to is listed all the same.
            Err(error @ (Error::NoKey { .. } | Error::WrongKey { .. })) => {
                println!("  {error}");
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        all.sort_unstable_by_key(|info| info.description.taken_ms);
        for info in &all {
            println!("{}", line(info));
        }
    }
    Ok(())
}

/// A snapshot as a line: its id, when it was taken, the disk's size, what deleting it would free, and names.
fn line(info: &ManifestInfo) -> String {
    let Description {
        snapshot,
        name,
        volume_name,
        taken_ms,
        size,
        ..
    } = &info.description;
    let taken = moment(*taken_ms);
    let (size, frees) = (binary(*size), binary(info.reclaimable_bytes));
    format!("  {snapshot}  {taken}  {size:>10}  {frees:>10}  {volume_name}: {name}")
}

/// A moment, in UTC.
fn moment(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(
        |_| "-".to_owned(),
        |at| at.strftime("%Y-%m-%d %H:%M UTC").to_string(),
    )
}

/// Bytes in the largest unit that leaves at least one.
fn binary(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut unit = 0;
    let mut value = bytes as f64;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 {
        format!("{bytes} B")
    } else {
        format!("{value:.1} {}", UNITS[unit])
    }
}

/// Checks the archive and prints what is wrong, a line a finding.
fn check(archive: &Archive, deep: bool) -> Done<bool> {
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

/// Prunes, and prints what was done. False if something could not be read, for then nothing is removed there.
fn prune(archive: &Archive, hours: u32) -> Done<bool> {
    let options = PruneOptions {
        grace: Duration::from_secs(u64::from(hours) * 3600),
    };
    let mut told = Told::new();
    let pruned = archive.prune(&options, &mut told)?;
    drop(told);
    println!(
        "removed: {} objects, {}",
        pruned.removed,
        binary(pruned.removed_bytes)
    );
    if pruned.condemned > 0 {
        println!(
            "to be removed by a prune in {hours} h or later: {} objects, {}",
            pruned.condemned,
            binary(pruned.condemned_bytes)
        );
    }
    for name in &pruned.unreadable {
        println!("{name} cannot be read: nothing of its organization is removed");
    }
    Ok(pruned.unreadable.is_empty())
}

fn restore(archive: &Archive, snapshot: SnapshotId, to: &Path) -> Done<()> {
    let (organization, info) = find(archive, snapshot)?;
    let size = info.description.size;
    let cannot = |error| format!("{} cannot be written: {error}", to.display());
    let image = Image::create(to, size).map_err(cannot)?;
    let mut told = Told::new();
    archive.restore(organization, snapshot, &image, &mut told)?;
    drop(told);
    image.keep().map_err(cannot)?;
    println!(
        "{}: {} of {}",
        to.display(),
        binary(size),
        info.description.name
    );
    Ok(())
}

/// Whose snapshot it is.
fn find(archive: &Archive, snapshot: SnapshotId) -> Done<(OrganizationId, ManifestInfo)> {
    let mut locked = None;
    for organization in archive.organizations()? {
        match archive.manifest(organization, snapshot) {
            Ok(Some(info)) => return Ok((organization, info)),
            Ok(None) => {}
            Err(error @ (Error::NoKey { .. } | Error::WrongKey { .. })) => locked = Some(error),
            Err(error) => return Err(error.into()),
        }
    }
    if let Some(error) = locked {
        return Err(error.into());
    }
    Err(format!("there is no snapshot {snapshot} that can be read in this object store").into())
}

#[cfg(test)]
mod tests;
