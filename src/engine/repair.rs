//! A new `pool.db` from the headers of maps and logs, and a second chance for what was poisoned or cut.
//!
//! A `pool.db` that can be read and can be true is kept: it knows more than the headers (which checkpoints were deleted
//! since). Otherwise every layer that has a whole map is sealed, every other one with a log is open; parents, volumes
//! and checkpoints are what the headers name. What cannot be placed is moved to `set-aside`, never deleted.

use crate::domain::id::VolumeId;
use crate::engine::catalog::{
    Catalog as _, Change, CheckpointRow, LayerRow, Rows, Sqlite, VolumeRow,
};
use crate::engine::check::finding;
use crate::engine::error::{Error, Result};
use crate::engine::format::{LAYERS, LayerId, Name, TEMPORARY};
use crate::engine::log::Log;
use crate::engine::maps::{Claim, decode};
use crate::engine::record::{LogHeader, parse, parse_header, read_whole, salvage};
use crate::engine::remote::RemoteId;
use crate::engine::storage::{Folder, Storage};
use crate::engine::types::Finding;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Where files go that cannot be placed, from the pool's folder.
const ASIDE: &str = "set-aside";

/// See [`crate::engine::Pool::repair`]; the caller holds the pool's lock.
pub(crate) fn repair(dir: &Path) -> Result<Vec<Finding>> {
    let storage = Folder::new(dir);
    let mut found = Vec::new();
    let database = dir.join("pool.db");
    let kept = if database.exists() {
        match Sqlite::open(&database, false).and_then(|mut catalog| Ok((catalog.load()?, catalog)))
        {
            Ok((rows, catalog)) => match rows.fault().or_else(|| age(&storage, &rows)) {
                None => Some((rows, catalog)),
                Some(fault) => {
                    found.push(Finding::damage("pool.db", 0, fault));
                    None
                }
            },
            Err(error) => {
                found.push(finding("pool.db", error));
                None
            }
        }
    } else {
        found.push(Finding::damage("pool.db", 0, "it is gone"));
        None
    };
    let (rows, mut catalog) = match kept {
        Some(kept) => kept,
        None => rebuild(dir, &storage, &mut found)?,
    };
    for (id, row) in rows.layers.iter().filter(|(_, row)| row.sealed.is_none()) {
        heal_log(
            &storage,
            *id,
            row,
            rows.remotes.get(id).copied(),
            &mut found,
        )?;
    }
    let healed = |(id, row): (&VolumeId, &VolumeRow)| {
        row.poisoned.then_some(Change::Volume(
            *id,
            Some(VolumeRow {
                poisoned: false,
                ..*row
            }),
        ))
    };
    let changes: Vec<_> = rows.volumes.iter().filter_map(healed).collect();
    if !changes.is_empty() {
        catalog.commit(&changes)?;
    }
    for change in changes {
        if let Change::Volume(id, Some(row)) = change {
            let what = format!(
                "volume {id} was poisoned; of what was written after its last good flush parts may be lost"
            );
            found.push(Finding::damage(row.head.data(), 0, what));
        }
    }
    Ok(found)
}

/// What shows that the rows are not the latest.
fn age(storage: &Folder, rows: &Rows) -> Option<String> {
    let names = storage.list(LAYERS).ok()?;
    let newer = names
        .iter()
        .find(|name| Name::parse(name).is_some_and(|name| rows.are_older_than(name)))?;
    Some(format!("it is older than {newer}"))
}

/// Makes a log whole that is damaged, and takes its poison away.
fn heal_log(
    storage: &dyn Storage,
    id: LayerId,
    row: &LayerRow,
    remote: Option<RemoteId>,
    found: &mut Vec<Finding>,
) -> Result<()> {
    let name = id.log();
    let file = match storage.open(&name) {
        Ok(file) => file,
        Err(source) => {
            found.push(finding(&name, Error::io("open", &name, source)));
            return Ok(());
        }
    };
    let bytes = read_whole(&name, &*file)?;
    let error = match parse(&name, &bytes) {
        // Where the blocks can be fetched again the doubt stays: opening believes only what a mark covers, and is rid of it.
        Ok(parsed) if parsed.poisoned && remote.is_none() => {
            let clear = file
                .write_at(&[0], crate::engine::record::POISON)
                .and_then(|()| file.sync_data());
            return clear.map_err(|source| Error::io("write", &name, source));
        }
        Ok(_) => return Ok(()),
        Err(error) => error,
    };
    found.push(finding(&name, error));
    let identity = storage
        .identity()
        .map_err(|source| Error::io("identify", ".", source))?;
    let header = LogHeader {
        layer: id,
        parent: row.parent,
        volume: row.volume,
        size: row.size,
        initial: 0,
        identity,
        remote,
    };
    let parsed = salvage(header, &bytes);
    // All whole records before the damage: of those no mark covers, the data may be old, but it is this layer's. Where
    // the blocks can be fetched again, only what a mark covers.
    let maps = parsed.count(remote.is_none());
    let aside = aside(storage, &name)?;
    storage
        .rename(&name, &aside)
        .map_err(|source| Error::io("move", &name, source))?;
    Log::write_new(storage, header, &maps)?.publish(storage)?;
    storage
        .sync_folder(LAYERS)
        .map_err(|source| Error::io("sync", LAYERS, source))?;
    let what = format!(
        "made anew from the {} entries before the damage; the old one is {aside}",
        parsed.entries.len()
    );
    found.push(Finding::damage(name, 0, what));
    Ok(())
}

/// A free name in the folder for what cannot be placed.
fn aside(storage: &dyn Storage, name: &str) -> Result<String> {
    let failed = |source| Error::io("make", ASIDE, source);
    storage.make_folder(ASIDE).map_err(failed)?;
    let taken = storage.list(ASIDE).map_err(failed)?;
    let short = name.rsplit('/').next().unwrap_or(name);
    let names = (0..).map(|number: u32| format!("{ASIDE}/{number}-{short}"));
    Ok(names
        .into_iter()
        .find(|name| !taken.contains(name))
        .unwrap_or_default())
}

/// What the headers say of one layer.
struct Header {
    row: LayerRow,
    remote: Option<RemoteId>,
    file: String,
}

fn rebuild(dir: &Path, storage: &Folder, found: &mut Vec<Finding>) -> Result<(Rows, Sqlite)> {
    let names = storage
        .list(LAYERS)
        .map_err(|source| Error::io("list", LAYERS, source))?;
    let mut files: BTreeMap<LayerId, Vec<Name>> = BTreeMap::new();
    for name in &names {
        if let Some(parsed) = Name::parse(name) {
            files.entry(parsed.layer()).or_default().push(parsed);
        }
    }
    let mut headers: BTreeMap<LayerId, Header> = BTreeMap::new();
    for (id, files) in &files {
        if let Some(header) = read_header(storage, *id, files, found) {
            headers.insert(*id, header);
        }
    }
    let mut rows = Rows {
        last_layer: files.keys().next_back().map_or(0, |id| id.0),
        ..Rows::default()
    };
    for (id, header) in &headers {
        match header.row.parent {
            Some(parent) if !rows.layers.contains_key(&parent) => {
                let what = format!("it stands on layer {parent}, which cannot be read");
                found.push(Finding::damage(header.file.as_str(), 24, what));
            }
            _ => {
                rows.layers.insert(*id, header.row);
                if let Some(source) = header.remote {
                    rows.remotes.insert(*id, source);
                }
            }
        }
    }
    place_volumes(&mut rows, found);
    for (id, row) in &rows.layers {
        let (checkpoint, retired) = match row.claim {
            Claim::None => continue,
            Claim::Checkpoint(checkpoint) => (checkpoint, false),
            Claim::Boundary(checkpoint) => (checkpoint, true),
        };
        rows.checkpoints.insert(
            checkpoint,
            CheckpointRow {
                volume: row.volume,
                layer: *id,
                retired,
            },
        );
    }
    let lost: BTreeSet<LayerId> = files
        .keys()
        .copied()
        .filter(|id| !rows.layers.contains_key(id))
        .collect();
    for name in files
        .iter()
        .filter(|(id, _)| lost.contains(id))
        .flat_map(|(_, files)| files)
    {
        let (from, to) = (name.to_string(), aside(storage, &name.to_string())?);
        storage
            .rename(&from, &to)
            .map_err(|source| Error::io("move", &from, source))?;
        found.push(Finding::damage(
            from,
            0,
            format!("it could not be placed and is now {to}"),
        ));
    }
    // The old database goes aside whole, with its write-ahead log, or SQLite would put that into the new one.
    for name in ["pool.db", "pool.db-wal", "pool.db-shm"] {
        if dir.join(name).exists() {
            let to = aside(storage, name)?;
            storage
                .rename(name, &to)
                .map_err(|source| Error::io("move", name, source))?;
        }
    }
    // Made under another name, so that a crash leaves no half-filled one that looks whole.
    let temporary = format!("pool.db{TEMPORARY}");
    for suffix in ["", "-wal", "-shm"] {
        let name = format!("{temporary}{suffix}");
        storage
            .unlink(&name)
            .map_err(|source| Error::io("remove", &name, source))?;
    }
    let mut catalog = Sqlite::open(&dir.join(&temporary), true)?;
    let mut changes = vec![Change::LastLayer(rows.last_layer)];
    changes.extend(
        rows.layers
            .iter()
            .map(|(id, row)| Change::Layer(*id, Some(*row))),
    );
    changes.extend(
        rows.volumes
            .iter()
            .map(|(id, row)| Change::Volume(*id, Some(*row))),
    );
    changes.extend(
        rows.checkpoints
            .iter()
            .map(|(id, row)| Change::Checkpoint(*id, Some(*row))),
    );
    changes.extend(
        rows.remotes
            .iter()
            .map(|(id, source)| Change::Remote(*id, Some(*source))),
    );
    catalog.commit(&changes)?;
    // Closing brings the write-ahead log home.
    drop(catalog);
    storage
        .rename(&temporary, "pool.db")
        .map_err(|source| Error::io("rename", &temporary, source))?;
    for folder in [".", LAYERS] {
        storage
            .sync_folder(folder)
            .map_err(|source| Error::io("sync", folder, source))?;
    }
    Ok((rows, Sqlite::open(&dir.join("pool.db"), false)?))
}

/// The newest whole map, else the log.
fn read_header(
    storage: &Folder,
    id: LayerId,
    files: &[Name],
    found: &mut Vec<Finding>,
) -> Option<Header> {
    let mut generations: Vec<u64> = files
        .iter()
        .filter_map(|name| {
            if let Name::Map(_, generation) = name {
                Some(*generation)
            } else {
                None
            }
        })
        .collect();
    generations.sort_unstable();
    for generation in generations.into_iter().rev() {
        let file = id.map(generation);
        let read = storage
            .open(&file)
            .map_err(|source| Error::io("open", &file, source))
            .and_then(|open| read_whole(&file, &*open))
            .and_then(|bytes| decode(&file, &bytes));
        match read {
            Ok((header, _)) if header.layer == id && header.generation == generation => {
                let row = LayerRow {
                    parent: header.parent,
                    volume: header.volume,
                    size: header.size,
                    sealed: Some(generation),
                    claim: header.claim,
                };
                return Some(Header {
                    row,
                    remote: None,
                    file,
                });
            }
            Ok(_) => found.push(Finding::damage(
                file,
                16,
                "this is the map of another layer",
            )),
            Err(error) => found.push(finding(&file, error)),
        }
    }
    if !files.contains(&Name::Log(id)) {
        return None;
    }
    let file = id.log();
    let read = storage
        .open(&file)
        .map_err(|source| Error::io("open", &file, source))
        .and_then(|open| read_whole(&file, &*open))
        .and_then(|bytes| parse_header(&file, &bytes));
    match read {
        Ok(header) => {
            let (parent, volume, size) = (header.parent, header.volume, header.size);
            let row = LayerRow {
                parent,
                volume,
                size,
                sealed: None,
                claim: Claim::None,
            };
            let remote = header.remote;
            Some(Header { row, remote, file })
        }
        Err(error) => {
            found.push(finding(&file, error));
            None
        }
    }
}

/// Finds each volume's committed head: its open layer that stands on no open one. Of several (a rollback that was cut
/// off left the old head) the youngest counts.
fn place_volumes(rows: &mut Rows, found: &mut Vec<Finding>) {
    let open: Vec<(LayerId, LayerRow)> = rows
        .layers
        .iter()
        .filter(|(id, _)| rows.is_head(**id))
        .map(|(id, row)| (*id, *row))
        .collect();
    for (id, row) in &open {
        if row.parent.is_none_or(|parent| !rows.is_head(parent)) {
            rows.volumes.insert(
                row.volume,
                VolumeRow {
                    size: row.size,
                    head: *id,
                    poisoned: false,
                },
            );
        }
    }
    let heads: BTreeSet<LayerId> = rows.volumes.values().map(|row| row.head).collect();
    for (id, row) in &open {
        let placed = rows.chain(*id).iter().any(|below| heads.contains(below));
        if !placed {
            rows.layers.remove(id);
            found.push(Finding::damage(
                id.log(),
                0,
                format!("volume {} has a younger head", row.volume),
            ));
        }
    }
}
