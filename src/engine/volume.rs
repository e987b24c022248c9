//! An open volume: writing into its head, reading through its stack.

use crate::domain::id::VolumeId;
use crate::engine::block::{BLOCK_SIZE, Extent};
use crate::engine::blockset::runs;
use crate::engine::content;
use crate::engine::core::Core;
use crate::engine::drain::{lock, read, write};
use crate::engine::error::{Error, Result};
use crate::engine::fetch::{Loose, Patience};
use crate::engine::head::{Head, Poison};
use crate::engine::layer::Layer;
use crate::engine::maps::{Maps, Presence};
use crate::engine::moment::OwnFlush;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, RwLock};

const BLOCK: usize = BLOCK_SIZE as usize;

/// What a volume consists of at one moment. Never changed, only replaced.
#[derive(Clone)]
pub(crate) struct Stack {
    /// Takes the writes.
    pub(crate) head: Arc<Head>,
    /// Heads that were swapped out and are not sealed yet, newest first.
    pub(crate) pending: Vec<Arc<Head>>,
    /// All layers from the head's down.
    pub(crate) layers: Vec<Arc<Layer>>,
}

/// See the module.
pub(crate) struct Volume {
    pub(crate) id: VolumeId,
    /// Bytes.
    pub(crate) size: u64,
    pub(crate) core: Arc<Core>,
    pub(crate) poison: Arc<Poison>,
    /// The gate: whoever writes takes the head and goes in under the shared lock, which is held for that long only.
    stack: RwLock<Arc<Stack>>,
    /// Opened behind the shut gate; the first write, flush or lease shuts it.
    pub(crate) own_flush: OwnFlush,
    /// Its lease is being revoked: nobody waits any longer for what is out of reach.
    pub(crate) leaving: AtomicBool,
    blocks: BlockLocks,
}

impl Volume {
    pub(crate) fn new(
        id: VolumeId,
        size: u64,
        core: Arc<Core>,
        poison: Arc<Poison>,
        stack: Stack,
    ) -> Arc<Self> {
        Arc::new(Self {
            id,
            size,
            core,
            poison,
            stack: RwLock::new(Arc::new(stack)),
            own_flush: OwnFlush::default(),
            leaving: AtomicBool::new(false),
            blocks: BlockLocks::default(),
        })
    }

    /// The stack as it is now.
    pub(crate) fn stack(&self) -> Arc<Stack> {
        Arc::clone(&read(&self.stack))
    }

    /// The gate, shut: no write is admitted while the lock is held.
    pub(crate) fn gate(&self) -> std::sync::RwLockWriteGuard<'_, Arc<Stack>> {
        write(&self.stack)
    }

    pub(crate) fn poisoned(&self) -> bool {
        self.poison.set.load(Ordering::SeqCst)
    }

    /// Runs a write inside the present head.
    fn admitted<T>(&self, act: impl FnOnce(&Stack) -> Result<T>) -> Result<T> {
        let gate = read(&self.stack);
        let stack = Arc::clone(&gate);
        // A head is shut only while its successor takes its place behind the shut gate, or with its volume.
        let Some(_inside) = stack.head.writers.enter() else {
            return Err(Error::InUse(self.id));
        };
        drop(gate);
        // Before the write is answered: no flush that is to cover it may pass.
        self.own_flush.shut();
        act(&stack)
    }

    pub(crate) fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        if buffer.is_empty() {
            return Ok(());
        }
        let mut loose = Loose::default();
        self.bring(offset, buffer.len() as u64, &mut loose)?;
        // Before the stack is taken: from here on no block that it may lead to is punched.
        let _reading = self.core.epoch.enter();
        content::read(&self.core, &self.stack().layers, &mut loose, offset, buffer)
    }

    /// Has what a read of these bytes needs come here, where it lives elsewhere.
    fn bring(&self, offset: u64, length: u64, loose: &mut Loose) -> Result<()> {
        let stack = self.stack();
        if stack.layers.last().is_none_or(|bottom| !bottom.asks()) {
            return Ok(());
        }
        let mut patience = Patience::new(&self.core, Some(&self.leaving));
        content::bring(
            &self.core,
            &stack.layers,
            offset,
            length,
            loose,
            &mut patience,
        )
    }

    pub(crate) fn extents(&self, offset: u64, length: u64) -> Vec<Extent> {
        if length == 0 {
            Vec::new()
        } else {
            let _reading = self.core.epoch.enter();
            content::extents(&self.stack().layers, offset, length)
        }
    }

    pub(crate) fn write(&self, offset: u64, data: &[u8], fua: bool) -> Result<()> {
        if data.is_empty() {
            return Ok(());
        }
        let mut loose = Loose::default();
        // The blocks of which only a part is written are read first. Before anything is locked: it may take long.
        let end = offset + data.len() as u64;
        for (at, length) in [(offset, offset % BLOCK_SIZE), (end, end % BLOCK_SIZE)] {
            if length != 0 {
                self.bring(at - length, BLOCK_SIZE, &mut loose)?;
            }
        }
        self.admitted(|stack| {
            let blocks = content::touched(offset, data.len() as u64);
            if stack.head.layer.has_data(&blocks) {
                stack.head.write_data(data, offset)?;
                if fua {
                    stack.head.sync(&self.core)
                } else {
                    Ok(())
                }
            } else {
                self.write_new(stack, offset, data, blocks, &mut loose)?;
                self.finish(stack, fua)
            }
        })
    }

    /// After records were appended: the log is rewritten in the turn of a flush, also where nobody flushes.
    fn finish(&self, stack: &Stack, fua: bool) -> Result<()> {
        if fua || (stack.head.log_is_long() && !self.poisoned()) {
            stack.head.sync(&self.core)
        } else {
            Ok(())
        }
    }

    /// A write of which some block is new to the head.
    fn write_new(
        &self,
        stack: &Stack,
        offset: u64,
        data: &[u8],
        blocks: Range<u32>,
        loose: &mut Loose,
    ) -> Result<()> {
        let head = &stack.head;
        if !offset.is_multiple_of(BLOCK_SIZE) || !data.len().is_multiple_of(BLOCK) {
            // A write in flight below the head was issued before this one or at the same time: it must not be lost
            // under a copy of its block made while it was half done. Nobody enters those heads any more; and this
            // waits before the blocks are locked, because a writer below may be waiting for the same locks.
            for below in &stack.pending {
                below.writers.wait();
            }
        }
        let _locked = self.blocks.lock(&blocks);
        let new = head
            .layer
            .with_maps(|maps| runs_but(maps, &blocks, Presence::Data));
        let room = new
            .iter()
            .map(|run| u64::from(run.end - run.start))
            .sum::<u64>()
            * BLOCK_SIZE;
        self.core.room.take(room)?;
        let written = self.write_and_record(stack, offset, data, &new, loose);
        if written.is_err() {
            // What reached the file is outside the bitmaps: nobody reads it, and the next opening punches it.
            self.core.room.give(room);
        }
        written
    }

    fn write_and_record(
        &self,
        stack: &Stack,
        offset: u64,
        data: &[u8],
        new: &[Range<u32>],
        loose: &mut Loose,
    ) -> Result<()> {
        let head = &stack.head;
        let end = offset + data.len() as u64;
        let is_new = |block: u64| {
            new.iter()
                .any(|run| run.contains(&u32::try_from(block).unwrap_or(u32::MAX)))
        };
        let (mut at, mut rest) = (offset, data);
        // The first block, where only part of it is written and the head lacks it: its other part comes from below.
        let (first, within) = (offset / BLOCK_SIZE, (offset % BLOCK_SIZE) as usize);
        if (within != 0 || data.len() < BLOCK) && is_new(first) {
            let (part, others) = rest.split_at(rest.len().min(BLOCK - within));
            self.copy_up(stack, first, within, part, loose)?;
            at += part.len() as u64;
            rest = others;
        }
        // The last block, likewise.
        let (last, tail) = (end / BLOCK_SIZE, (end % BLOCK_SIZE) as usize);
        if tail != 0 && !rest.is_empty() && is_new(last) {
            let (others, part) = rest.split_at(rest.len().saturating_sub(tail));
            self.copy_up(stack, last, 0, part, loose)?;
            rest = others;
        }
        if !rest.is_empty() {
            head.write_data(rest, at)?;
        }
        let records: Vec<_> = new
            .iter()
            .map(|run| (Presence::Data, run.clone()))
            .collect();
        head.record(&records)
    }

    /// Writes a whole block into the head: what it was, with `part` in its place. The block is locked.
    fn copy_up(
        &self,
        stack: &Stack,
        block: u64,
        within: usize,
        part: &[u8],
        loose: &mut Loose,
    ) -> Result<()> {
        let mut whole = [0; BLOCK];
        let offset = block * BLOCK_SIZE;
        content::read(&self.core, &stack.layers, loose, offset, &mut whole)?;
        if let Some(place) = whole.get_mut(within..within + part.len()) {
            place.copy_from_slice(part);
        }
        stack.head.write_data(&whole, block * BLOCK_SIZE)
    }

    /// Makes whole blocks read as zero.
    pub(crate) fn zero_blocks(&self, blocks: Range<u32>, fua: bool) -> Result<()> {
        /// Blocks done under one lock, so that a trim of a whole disk does not hold all others up.
        const AT_ONCE: u32 = 1 << 16;
        self.admitted(|stack| {
            let mut at = blocks.start;
            while at < blocks.end {
                let end = at.saturating_add(AT_ONCE).min(blocks.end);
                self.zero_locked(stack, at..end)?;
                at = end;
            }
            self.finish(stack, fua)
        })
    }

    fn zero_locked(&self, stack: &Stack, blocks: Range<u32>) -> Result<()> {
        let _locked = self.blocks.lock(&blocks);
        // What reads as zero already needs nothing; this also keeps an empty disk's bitmaps empty.
        let data = content::data_within(&stack.layers, blocks.clone());
        if data.is_empty() {
            return Ok(());
        }
        let own = stack.head.layer.with_maps(|maps| &maps.data & &data);
        // The record first: a hole that no record explains would read as data.
        stack.head.record(
            &runs(&data)
                .map(|run| (Presence::Zero, run))
                .collect::<Vec<_>>(),
        )?;
        for bytes in crate::engine::maps::byte_runs(&own) {
            stack.head.punch(bytes)?;
        }
        self.core.room.give(own.len() * BLOCK_SIZE);
        Ok(())
    }

    /// A flush that was asked for: [`Volume::sync`], or nothing where it is the hypervisor's own.
    pub(crate) fn flush(&self) -> Result<()> {
        if self.own_flush.take() && !self.poisoned() {
            Ok(())
        } else {
            self.sync()
        }
    }

    /// Everything acknowledged before the call is durable when it returns. An unsealed ancestor holds older writes than
    /// the head: they come first.
    pub(crate) fn sync(&self) -> Result<()> {
        let stack = self.stack();
        for head in stack.pending.iter().rev() {
            head.sync(&self.core)?;
        }
        stack.head.sync(&self.core)
    }
}

/// The runs within `blocks` that are not of this kind.
fn runs_but(maps: &Maps, blocks: &Range<u32>, but: Presence) -> Vec<Range<u32>> {
    let mut found: Vec<Range<u32>> = Vec::new();
    let mut at = blocks.start;
    while at < blocks.end {
        let (presence, end) = maps.run(at, blocks.end);
        if presence != but {
            match found.last_mut() {
                Some(last) if last.end == at => last.end = end,
                _ => found.push(at..end),
            }
        }
        at = end;
    }
    found
}

/// Locks on blocks, for all that is more than overwriting a present block: they belong to the volume and not to a
/// layer, so that a write into a new head waits for one still on its way into the old.
struct BlockLocks([Mutex<()>; Self::SHARDS]);

impl BlockLocks {
    const SHARDS: usize = 128;
    /// Neighbours share a lock, so that a long write takes few.
    const TOGETHER: u32 = 64;

    /// Locks all blocks of a range, in the one order that excludes a deadlock.
    fn lock(&self, blocks: &Range<u32>) -> Vec<MutexGuard<'_, ()>> {
        let first = (blocks.start / Self::TOGETHER) as usize;
        let last = (blocks.end.saturating_sub(1).max(blocks.start) / Self::TOGETHER) as usize;
        let mut wanted: Vec<usize> = (first..=last)
            .take(Self::SHARDS)
            .map(|group| group % Self::SHARDS)
            .collect();
        wanted.sort_unstable();
        wanted
            .into_iter()
            .filter_map(|shard| self.0.get(shard))
            .map(lock)
            .collect()
    }
}

impl Default for BlockLocks {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Mutex::new(())))
    }
}
