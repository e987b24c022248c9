//! `reprise archive holds | release`: what volumes that still fill keep in the object store, and letting go of it when
//! the zone that would do so is gone for ever.
//!
//! Nobody but a person can know that a zone is gone and not only away, so nothing is released without being asked for,
//! and what it means is said first.

use super::{Done, binary, moment};
use crate::archive::{Archive, Error, HoldInfo, Holder};
use crate::domain::id::OrganizationId;
use std::io::{BufRead, IsTerminal, Write};

/// Every hold that can be read, and whose it is.
fn all(archive: &Archive) -> Done<Vec<(OrganizationId, Vec<HoldInfo>)>> {
    let mut all = Vec::new();
    for organization in archive.organizations()? {
        match archive.holds(organization) {
            Ok(holds) => all.push((organization, holds)),
            Err(error @ (Error::NoKey { .. } | Error::WrongKey { .. })) => {
                println!("organization {organization}");
                println!("  {error}");
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(all)
}

/// Prints them.
pub fn list(archive: &Archive) -> Done<()> {
    let all = all(archive)?;
    if all.iter().all(|(_, holds)| holds.is_empty()) {
        println!("there are no holds");
    }
    for (organization, holds) in all.iter().filter(|(_, holds)| !holds.is_empty()) {
        println!("organization {organization}");
        for hold in holds {
            println!("{}", line(hold));
        }
    }
    Ok(())
}

/// A hold as a line: its id, since when it stands, what only it keeps, and whose it is.
fn line(hold: &HoldInfo) -> String {
    let (since, keeps) = (moment(hold.written_ms), binary(hold.exclusive_bytes));
    let whose = match &hold.holder {
        Holder::Upload => {
            "an upload under way, or one that died: a prune removes it then".to_owned()
        }
        Holder::Unreadable(damage) => {
            format!("it cannot be read: {damage}; nothing is pruned while it stands")
        }
        Holder::Volume {
            data_folder,
            own,
            description,
        } => {
            let folder = match (data_folder, own) {
                (None, _) => "an early version".to_owned(),
                (Some(folder), true) => format!("data folder {folder} (this one)"),
                (Some(folder), false) => format!("data folder {folder}"),
            };
            let (snapshot, name) = (description.snapshot, &description.name);
            format!("a volume of {folder}, filling from {snapshot} {name}")
        }
    };
    format!("  {}  {since}  {keeps:>10}  {whose}", hold.id)
}

/// Releases holds by their ids, or all that a data folder has.
pub fn release(archive: &Archive, ids: &[String], of: Option<&str>, yes: bool) -> Done<()> {
    let all = all(archive)?;
    let every = || {
        all.iter()
            .flat_map(|(organization, holds)| holds.iter().map(move |hold| (*organization, hold)))
    };
    let chosen: Vec<_> = match of {
        Some(of) => every()
            .filter(|(_, hold)| {
                matches!(&hold.holder, Holder::Volume { data_folder: Some(folder), .. } if folder == of)
            })
            .collect(),
        None => {
            let mut chosen = Vec::new();
            for id in ids {
                let found = every().find(|(_, hold)| hold.id.to_string() == *id);
                chosen.push(found.ok_or_else(|| format!("there is no hold {id}"))?);
            }
            chosen
        }
    };
    if chosen.is_empty() {
        return Err("no hold is that data folder's: `reprise archive holds` lists them".into());
    }
    for (_, hold) in &chosen {
        match &hold.holder {
            Holder::Upload => {
                return Err(format!(
                    "{} is an upload's: it is not released by hand, a prune removes it when the upload has died",
                    hold.id
                )
                .into());
            }
            Holder::Volume { own: true, .. } if of.is_some() => {
                return Err(
                    "that is the data folder in use here, whose server releases its holds itself; name single holds \
                     if you mean it"
                        .into(),
                );
            }
            _ => println!("{}", line(hold)),
        }
    }
    if !yes && !agreed(chosen.len())? {
        return Err("nothing was released".into());
    }
    for (organization, hold) in &chosen {
        archive.release_hold(*organization, hold.id)?;
        println!("released {}", hold.id);
    }
    if archive.is_shared() {
        println!("what only they kept is removed by prunes after the grace");
    }
    Ok(())
}

/// Says what it means, and asks on the terminal.
fn agreed(count: usize) -> Done<bool> {
    eprintln!(
        "A volume that was filling with one of these {count} holds loses for good what it had not fetched yet, where its \
         snapshot is deleted. Release them only if their zones are gone for ever."
    );
    if !std::io::stdin().is_terminal() {
        return Err("nothing was released: say --yes where nobody can be asked".into());
    }
    eprint!("Type yes to release them: ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}
