//! Looking at everything: maps, logs and files against `pool.db` and against each other.

use crate::engine::block::BLOCK_SIZE;
use crate::engine::catalog::LayerRow;
use crate::engine::drain::lock;
use crate::engine::error::{Error, Result};
use crate::engine::format::{LAYERS, LayerId, Name};
use crate::engine::inner::Inner;
use crate::engine::maps::byte_runs;
use crate::engine::open::{allocated_ranges, blocks_of};
use crate::engine::record::{parse, read_whole};
use crate::engine::remote::RemoteId;
use crate::engine::types::Finding;

impl Finding {
    pub(crate) fn damage(file: impl Into<String>, offset: u64, what: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            offset,
            what: what.into(),
            damage: true,
        }
    }

    pub(crate) fn waste(file: impl Into<String>, offset: u64, what: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            offset,
            what: what.into(),
            damage: false,
        }
    }
}

/// An error about one file, as a finding.
pub(crate) fn finding(file: &str, error: Error) -> Finding {
    match error {
        Error::Damaged { file, offset, what } => Finding::damage(file, offset, what),
        Error::Io {
            operation,
            file,
            source,
        } => Finding::damage(file, 0, format!("cannot {operation} it: {source}")),
        other => Finding::damage(file, 0, other.to_string()),
    }
}

/// See [`crate::engine::Pool::check`].
pub(crate) fn check(inner: &Inner) -> Result<Vec<Finding>> {
    // Neither reclaim nor a seal changes what is being looked at.
    let _swept = lock(&inner.swept);
    let _sealing = lock(&inner.sealing);
    let core = &inner.core;
    let (rows, fault) = {
        let meta = core.meta();
        (meta.rows.clone(), meta.rows.fault())
    };
    let mut found: Vec<Finding> = fault
        .into_iter()
        .map(|fault| Finding::damage("pool.db", 0, fault))
        .collect();
    for (id, row) in &rows.layers {
        if row.sealed.is_some() {
            check_sealed(inner, *id, row, &mut found);
        } else {
            check_open(inner, *id, row, rows.remotes.get(id).copied(), &mut found);
        }
    }
    for (id, row) in &rows.volumes {
        if row.poisoned {
            let what = format!("a sync of volume {id} failed; roll it back, or repair the pool");
            found.push(Finding::damage(row.head.data(), 0, what));
        }
    }
    let names = core
        .storage
        .list(LAYERS)
        .map_err(|source| Error::io("list", LAYERS, source))?;
    // The rows again: what was made meanwhile is nobody's waste.
    let rows = core.meta().rows.clone();
    for name in names {
        let named = Name::parse(&name).is_some_and(|parsed| {
            match (parsed, rows.layers.get(&parsed.layer())) {
                (_, None) => false,
                (Name::Data(_), Some(_)) => true,
                (Name::Log(_), Some(row)) => row.sealed.is_none(),
                (Name::Map(_, generation), Some(row)) => row.sealed == Some(generation),
            }
        });
        if !named {
            found.push(Finding::waste(name, 0, "nothing names this file"));
        }
    }
    Ok(found)
}

fn check_sealed(inner: &Inner, id: LayerId, row: &LayerRow, found: &mut Vec<Finding>) {
    let (header, maps) = match inner.load_map(id) {
        Ok(loaded) => loaded,
        Err(error) => return found.push(finding(&id.map(row.sealed.unwrap_or(0)), error)),
    };
    let name = id.map(header.generation);
    if (header.parent, header.volume, header.size, header.claim)
        != (row.parent, row.volume, row.size, row.claim)
    {
        found.push(Finding::damage(
            name,
            16,
            "the map and pool.db differ about this layer",
        ));
    }
    let name = id.data();
    let core = &inner.core;
    let looked = core
        .storage
        .open(&name)
        .map_err(|source| Error::io("open", &name, source))
        .and_then(|file| {
            let len = file
                .len()
                .map_err(|source| Error::io("measure", &name, source))?;
            Ok((len, allocated_ranges(&name, &*file, row.size)?))
        });
    let (len, ranges) = match looked {
        Ok(looked) => looked,
        Err(error) => return found.push(finding(&name, error)),
    };
    if len != row.size {
        found.push(Finding::damage(
            name.as_str(),
            len,
            format!("the file should have {} bytes", row.size),
        ));
    }
    let there = blocks_of(&ranges);
    for bytes in byte_runs(&(&maps.data - &there)) {
        let len = bytes.end - bytes.start;
        found.push(Finding::damage(
            name.as_str(),
            bytes.start,
            format!("{len} bytes of data are a hole"),
        ));
    }
    // Where the file system gives room in larger pieces, room beside data is not waste.
    if core
        .storage
        .room()
        .is_ok_and(|room| room.unit <= BLOCK_SIZE)
    {
        for bytes in byte_runs(&(there - &maps.data)) {
            let len = bytes.end - bytes.start;
            found.push(Finding::waste(
                name.as_str(),
                bytes.start,
                format!("{len} bytes are held and not needed"),
            ));
        }
    }
}

fn check_open(
    inner: &Inner,
    id: LayerId,
    row: &LayerRow,
    source: Option<RemoteId>,
    found: &mut Vec<Finding>,
) {
    let storage = &*inner.core.storage;
    let name = id.log();
    let look = || {
        let file = storage
            .open(&name)
            .map_err(|source| Error::io("open", &name, source))?;
        parse(&name, &read_whole(&name, &*file)?)
    };
    // A guest may be writing: what is half appended in one look is whole in the next.
    match look().or_else(|_| look()).or_else(|_| look()) {
        Ok(parsed) => {
            let header = parsed.header;
            if (header.layer, header.volume, header.size) != (id, row.volume, row.size) {
                found.push(Finding::damage(
                    name,
                    16,
                    "the log and pool.db differ about this layer",
                ));
            } else if header.remote != source {
                found.push(Finding::damage(
                    name,
                    96,
                    "the log and pool.db differ about where the blocks come from",
                ));
            }
        }
        Err(error) => found.push(finding(&name, error)),
    }
    let name = id.data();
    match storage.open(&name).and_then(|file| file.len()) {
        Ok(len) if len == row.size => {}
        Ok(len) => found.push(Finding::damage(
            name,
            len,
            format!("the file should have {} bytes", row.size),
        )),
        Err(source) => found.push(finding(&name, Error::io("open", &name, source))),
    }
}
