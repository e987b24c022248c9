//! Opening: the pool from `pool.db` alone, a volume from its logs when it is first used.
//!
//! An old log is never appended to. Its records are counted by the rule in [`crate::engine::record`]; the data file is
//! synced; a new log with the counted blocks, a mark and the present identity takes its place; blocks of the file that
//! were not counted are punched. Only then is the volume served.

use crate::domain::id::VolumeId;
use crate::engine::block::BLOCK_SIZE;
use crate::engine::catalog::Change;
use crate::engine::checkpoint::{Swap, discard, sync_layers};
use crate::engine::core::Core;
use crate::engine::drain::lock;
use crate::engine::error::{Error, Result};
use crate::engine::format::{LAYERS, LayerId, Name};
use crate::engine::head::{Head, Poison, poison};
use crate::engine::inner::Inner;
use crate::engine::layer::Layer;
use crate::engine::log::Log;
use crate::engine::maps::{Maps, Presence};
use crate::engine::record::{Entry, LogHeader, Parsed, parse, read_whole};
use crate::engine::storage::{File, Identity};
use crate::engine::volume::{Stack, Volume};
use roaring::RoaringBitmap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What was found of an open layer.
pub(crate) struct Found {
    pub(crate) parsed: Parsed,
    pub(crate) maps: Maps,
    pub(crate) data: Arc<dyn File>,
    pub(crate) log: Arc<dyn File>,
}

/// Removes what no row names: heads that were being prepared, maps that were not committed, files half written.
pub(crate) fn remove_orphans(core: &Core) -> Result<()> {
    let names = core
        .storage
        .list(LAYERS)
        .map_err(|source| Error::io("list", LAYERS, source))?;
    let older =
        |name: &String| Name::parse(name).is_some_and(|name| core.meta().rows.are_older_than(name));
    if names.iter().any(older) {
        // An old copy, or one whose write-ahead log was lost: what it does not name is not waste.
        let what = "it is older than the layers; repair makes a new one";
        return Err(Error::damaged("pool.db", 0, what));
    }
    for name in names {
        let needed = {
            let meta = core.meta();
            Name::parse(&name).is_some_and(|parsed| {
                match (parsed, meta.rows.layers.get(&parsed.layer())) {
                    (_, None) => false,
                    (Name::Data(_), Some(_)) => true,
                    (Name::Log(_), Some(row)) => row.sealed.is_none(),
                    (Name::Map(_, generation), Some(row)) => row.sealed == Some(generation),
                }
            })
        };
        if !needed {
            tracing::info!(file = name, "removing a file that nothing names");
            core.storage
                .unlink(&name)
                .map_err(|source| Error::io("remove", &name, source))?;
        }
    }
    Ok(())
}

/// Bytes of room that the layers' files take.
pub(crate) fn count_room(core: &Core) -> Result<u64> {
    let ids: Vec<LayerId> = core.meta().rows.layers.keys().copied().collect();
    let mut bytes = 0_u64;
    for id in ids {
        let name = id.data();
        match core.storage.open(&name).and_then(|file| file.allocated()) {
            Ok(allocated) => bytes = bytes.saturating_add(allocated),
            // That a file is missing is for its reader, and for `check`, to say; here it only takes no room.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(source) => return Err(Error::io("measure", &name, source)),
        }
    }
    Ok(bytes)
}

/// The parts of a file that take room, in bytes.
pub(crate) fn allocated_ranges(name: &str, file: &dyn File, size: u64) -> Result<Vec<Range<u64>>> {
    let failed = |source| Error::io("search", name, source);
    let mut ranges = Vec::new();
    let mut at = 0;
    while let Some(start) = file
        .next_data(at)
        .map_err(failed)?
        .filter(|start| *start < size)
    {
        let end = file.next_hole(start).map_err(failed)?.min(size);
        if end <= start {
            break;
        }
        ranges.push(start..end);
        at = end;
    }
    Ok(ranges)
}

/// The blocks that such parts touch.
pub(crate) fn blocks_of(ranges: &[Range<u64>]) -> RoaringBitmap {
    let index = |byte: u64| u32::try_from(byte / BLOCK_SIZE).unwrap_or(u32::MAX);
    let mut blocks = RoaringBitmap::new();
    for range in ranges {
        blocks.insert_range(index(range.start)..index(range.end.next_multiple_of(BLOCK_SIZE)));
    }
    blocks
}

/// Punches every block of a file that takes room and is not in `keep`; the bytes given back.
pub(crate) fn punch_outside(
    name: &str,
    file: &dyn File,
    size: u64,
    keep: &RoaringBitmap,
) -> Result<u64> {
    let stray = blocks_of(&allocated_ranges(name, file, size)?) - keep;
    let mut freed = 0;
    for bytes in crate::engine::maps::byte_runs(&stray) {
        let len = bytes.end - bytes.start;
        file.punch(bytes.start, len)
            .map_err(|source| Error::io("punch", name, source))?;
        freed += len;
    }
    Ok(freed)
}

/// Whether every block that was recorded as data after the last mark is in the file. One that is a hole never reached
/// a page cache that is still there (a file system shut down and mounted again, within one boot).
fn data_is_there(parsed: &Parsed, maps: &Maps, name: &str, file: &dyn File) -> Result<bool> {
    let failed = |source| Error::io("search", name, source);
    for entry in parsed.unmarked() {
        let Entry::Record {
            presence: Presence::Data,
            first,
            count,
        } = entry
        else {
            continue;
        };
        let mut recorded = RoaringBitmap::new();
        recorded.insert_range(*first..first.saturating_add(*count));
        // Trimmed since: a hole rightly.
        recorded &= &maps.data;
        for bytes in crate::engine::maps::byte_runs(&recorded) {
            let at = file.next_data(bytes.start).map_err(failed)?;
            if at != Some(bytes.start) || file.next_hole(bytes.start).map_err(failed)? < bytes.end {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

impl Inner {
    /// Reads what a life before left of an open layer, and counts.
    pub(crate) fn find(
        &self,
        id: LayerId,
        volume: VolumeId,
        size: u64,
        identity: &Identity,
    ) -> Result<Found> {
        let storage = &*self.core.storage;
        let (data_name, log_name) = (id.data(), id.log());
        let log = storage
            .open(&log_name)
            .map_err(|source| Error::io("open", &log_name, source))?;
        let parsed = parse(&log_name, &read_whole(&log_name, &*log)?)?;
        let header = &parsed.header;
        if header.layer != id || header.volume != volume || header.size != size {
            return Err(Error::damaged(
                log_name,
                16,
                "this is the log of another layer",
            ));
        }
        let data = storage
            .open(&data_name)
            .map_err(|source| Error::io("open", &data_name, source))?;
        let len = data
            .len()
            .map_err(|source| Error::io("measure", &data_name, source))?;
        if len != size {
            return Err(Error::damaged(
                data_name,
                len,
                format!("the file should have {size} bytes"),
            ));
        }
        let mut maps = parsed.count(header.identity.same_life(identity));
        if header.identity.same_life(identity)
            && !data_is_there(&parsed, &maps, &data_name, &*data)?
        {
            tracing::warn!(
                file = data_name,
                "recorded data is missing: taken as after a power loss"
            );
            maps = parsed.count(false);
        }
        Ok(Found {
            parsed,
            maps,
            data,
            log,
        })
    }

    /// Opens a volume; the caller holds its slot's `open`.
    pub(crate) fn open_volume(&self, id: VolumeId) -> Result<Arc<Volume>> {
        let core = &self.core;
        let identity = core
            .storage
            .identity()
            .map_err(|source| Error::io("identify", ".", source))?;
        let (row, below, chain) = {
            let meta = core.meta();
            let row = *meta.rows.volumes.get(&id).ok_or(Error::NoVolume(id))?;
            let children = meta.rows.children();
            let open = |layer: &LayerId| meta.rows.is_head(*layer);
            // From the committed head upward: the heads that were prepared on it.
            let mut chain = vec![row.head];
            while let Some(next) = chain
                .last()
                .and_then(|top| children.get(top))
                .and_then(|children| children.iter().copied().find(open))
            {
                chain.push(next);
            }
            let below = meta
                .rows
                .layers
                .get(&row.head)
                .and_then(|layer| layer.parent);
            (row, below, chain)
        };
        let sealed = self.sealed_stack(below)?;
        let mut found = chain
            .iter()
            .map(|layer| self.find(*layer, id, row.size, &identity))
            .collect::<Result<Vec<_>>>()?;
        // Kept up to the deepest head that something was written into; those above were prepared and never used, or
        // what was written into them did not survive.
        let keep = found
            .iter()
            .rposition(|found| !found.maps.is_empty())
            .map_or(1, |last| last + 1);
        found.truncate(keep);
        let dropped: Vec<LayerId> = chain.iter().copied().skip(keep).collect();
        if !dropped.is_empty() {
            core.commit(|_| {
                Ok((
                    dropped
                        .iter()
                        .map(|layer| Change::Layer(*layer, None))
                        .collect(),
                    (),
                ))
            })?;
            dropped.iter().for_each(|layer| discard(core, *layer));
        }
        let poisoned = row.poisoned || found.iter().any(|found| found.parsed.poisoned);
        let state = Arc::new(Poison {
            volume: id,
            set: AtomicBool::new(poisoned),
            of_source: false,
        });
        let mut heads = Vec::new();
        for found in &found {
            heads.push(self.reopen(found, &identity, &state)?);
        }
        if !state.set.load(Ordering::SeqCst) {
            sync_layers(core)?;
            for found in &found {
                let name = found.parsed.header.layer.data();
                punch_outside(&name, &*found.data, row.size, &found.maps.data)?;
            }
        }
        heads.reverse();
        let mut layers: Vec<_> = heads.iter().map(|head| Arc::clone(&head.layer)).collect();
        layers.extend(sealed);
        let mut heads = heads.into_iter();
        let Some(head) = heads.next() else {
            return Err(Error::NoVolume(id));
        };
        let pending: Vec<_> = heads.collect();
        pending.iter().for_each(|head| head.writers.shut());
        let above = std::iter::once(&head)
            .chain(&pending)
            .map(|head| head.id())
            .collect::<Vec<_>>();
        let stack = Stack {
            head,
            pending: pending.clone(),
            layers,
        };
        let volume = Volume::new(id, row.size, Arc::clone(core), state, stack);
        // Oldest first: the order in which they were swapped.
        for (old, new) in pending.iter().zip(above).rev() {
            lock(&self.swaps).push(Arc::new(Swap::found(&volume, old, new)));
        }
        Ok(volume)
    }

    /// Gives a layer found in its files a new log and a new life. A poisoned one keeps its old log, which then takes
    /// no more records: its marks are all that a power loss may rely on.
    fn reopen(&self, found: &Found, identity: &Identity, state: &Arc<Poison>) -> Result<Arc<Head>> {
        let core = &self.core;
        let header = &found.parsed.header;
        if !state.set.load(Ordering::SeqCst)
            && let Err(source) = found.data.sync_data()
        {
            poison(core, state, &header.layer.data(), &source);
        }
        let mut maps = found.maps.clone();
        if !state.set.load(Ordering::SeqCst) {
            // A hole punched for a trim whose record was lost: the block reads as zero, and is one from now on. Looked
            // at after the sync, when no file system has anything left to say about where data will stand.
            let name = header.layer.data();
            let there = blocks_of(&allocated_ranges(&name, &*found.data, header.size)?);
            let holes = &maps.data - &there;
            maps.data -= &holes;
            maps.zero |= holes;
        }
        let log = if state.set.load(Ordering::SeqCst) {
            Log::frozen(&found.parsed, Arc::clone(&found.log))
        } else {
            let header = LogHeader {
                identity: *identity,
                initial: 0,
                ..*header
            };
            core.with_reserve(|| {
                let log = Log::write_new(&*core.storage, header, &maps)?;
                log.publish(&*core.storage)?;
                Ok(log)
            })?
        };
        let layer = Arc::new(Layer::open(header.layer, maps, Arc::clone(&found.data)));
        Ok(Head::new(
            layer,
            Arc::clone(&found.data),
            log,
            Arc::clone(state),
        ))
    }
}
