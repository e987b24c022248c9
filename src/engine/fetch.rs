//! A layer whose first content lives elsewhere, while it does: what has come stands in its file and in its log, what has
//! not is fetched when it is read.
//!
//! It is the third kind of layer: open like a head, so that its log says what has come, and shared and never written like
//! a sealed one. Nothing in it is the only copy of anything, and its rules follow from that:
//! - A flush of the volume does not concern it. What a power loss takes back is fetched again; a block that no counted
//!   record names is *absent*, never a hole.
//! - What cannot be kept (no room, a failing disk) is handed to its reader and not kept. A read of a full pool works.
//! - After a failed sync only what a synced mark covers is still believed; the rest is fetched again, and nothing is kept
//!   until the layer is opened anew. The volumes above are not poisoned.
//!
//! When all that anybody needs is here, it is sealed like any other ([`crate::engine::fill`]).

use crate::domain::id::VolumeId;
use crate::engine::block::BLOCK_SIZE;
use crate::engine::blockset::runs;
use crate::engine::core::Core;
use crate::engine::drain::{lock, read, write};
use crate::engine::error::{Error, Result};
use crate::engine::head::Head;
use crate::engine::maps::{Maps, Presence, byte_runs};
use crate::engine::remote::{RemoteError, RemoteId, RemoteRun, RemoteSource};
use roaring::RoaringBitmap;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// Chunks that are asked for at once where a reader goes from one to the next.
const AHEAD: u32 = 8;
/// Bytes that come in before a fill makes them durable: what a power loss makes it fetch again, at most.
pub(crate) const UNSYNCED: u64 = 64 << 20;
/// The first pause after a failure that may pass; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How often one who waits looks whether it is still to wait.
const LOOK: Duration = Duration::from_millis(50);

/// What blocks are fetched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Somebody reads them, and may go on to the next.
    Read,
    /// They are to be here one day: up to so many chunks, which stay out of the page cache.
    Fill(u32),
}

/// How long somebody waits for a store that is out of reach.
pub(crate) struct Patience<'a> {
    started: Instant,
    limit: Duration,
    pause: Duration,
    /// Set when there is no use in waiting any more.
    leaving: Option<&'a AtomicBool>,
    /// The same, for everybody who waits in the pool.
    stopping: &'a AtomicBool,
}

impl<'a> Patience<'a> {
    /// As long as the pool's options say, but for who leaves before.
    pub(crate) fn new(core: &'a Core, leaving: Option<&'a AtomicBool>) -> Self {
        Self {
            started: Instant::now(),
            limit: core.options.remote_patience,
            pause: FIRST_PAUSE,
            leaving,
            stopping: &core.stopping,
        }
    }

    fn is_leaving(&self) -> bool {
        let set = |flag: &AtomicBool| flag.load(Ordering::SeqCst);
        set(self.stopping) || self.leaving.is_some_and(set)
    }

    fn is_over(&self) -> bool {
        self.started.elapsed() >= self.limit || self.is_leaving()
    }

    /// Waits before another try; false when there shall be none.
    fn wait(&mut self, error: &RemoteError) -> bool {
        if error.permanent || self.is_over() {
            return false;
        }
        tracing::debug!(%error, "what was to be fetched is out of reach; trying again");
        let until = Instant::now() + self.pause;
        while Instant::now() < until {
            if self.is_over() {
                return false;
            }
            std::thread::sleep(LOOK.min(self.pause));
        }
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        true
    }
}

/// What came and could not be kept, for the one who asked.
#[derive(Default)]
pub(crate) struct Loose {
    /// Bytes of the volume and their content; empty for zeros.
    runs: Vec<(Range<u64>, Vec<u8>)>,
    /// Why the last of them was not kept.
    pub(crate) why: Option<Error>,
}

impl Loose {
    /// Fills `part`, which lies within one block, where its block is here.
    pub(crate) fn copy(&self, at: u64, part: &mut [u8]) -> bool {
        let end = at + part.len() as u64;
        let Some((range, bytes)) = self
            .runs
            .iter()
            .find(|(range, _)| range.start <= at && end <= range.end)
        else {
            return false;
        };
        let from = usize::try_from(at - range.start).unwrap_or(usize::MAX);
        match bytes.get(from..from.saturating_add(part.len())) {
            Some(bytes) => part.copy_from_slice(bytes),
            None => part.fill(0),
        }
        true
    }
}

/// See the module.
pub(crate) struct Remote {
    pub(crate) source: RemoteId,
    /// The layer, its file and its log.
    pub(crate) head: Arc<Head>,
    /// The volume it was made for.
    volume: VolumeId,
    /// Bytes.
    pub(crate) size: u64,
    opened: Mutex<Option<Arc<dyn RemoteSource>>>,
    /// Chunks that somebody is fetching.
    busy: Mutex<BTreeSet<u32>>,
    idle: Condvar,
    /// Whether what comes is kept. Shared by who keeps, alone by who finds that nothing can be.
    keeping: RwLock<bool>,
    /// A sync failed, and what it left in doubt is not believed any more.
    spoiled: AtomicBool,
    /// Bytes kept since a sync.
    pub(crate) unsynced: AtomicU64,
}

/// Chunks that the caller alone fetches, until it is dropped.
struct Claimed<'a> {
    remote: &'a Remote,
    chunks: Range<u32>,
}

impl Drop for Claimed<'_> {
    fn drop(&mut self) {
        let mut busy = lock(&self.remote.busy);
        for chunk in self.chunks.clone() {
            busy.remove(&chunk);
        }
        drop(busy);
        self.remote.idle.notify_all();
    }
}

impl Remote {
    pub(crate) fn new(source: RemoteId, head: Arc<Head>, keeping: bool) -> Self {
        let header = head.header();
        Self {
            source,
            head,
            volume: header.volume,
            size: header.size,
            opened: Mutex::default(),
            busy: Mutex::default(),
            idle: Condvar::new(),
            keeping: RwLock::new(keeping),
            spoiled: AtomicBool::new(!keeping),
            unsynced: AtomicU64::new(0),
        }
    }

    /// An error of the source, about the block it concerns.
    fn failed(&self, block: u32, source: RemoteError) -> Error {
        Error::Remote {
            volume: self.volume,
            offset: u64::from(block) * BLOCK_SIZE,
            source,
        }
    }

    /// Number of blocks.
    pub(crate) fn blocks(&self) -> u32 {
        u32::try_from(self.size / BLOCK_SIZE).unwrap_or(u32::MAX)
    }

    /// The source, opened at its first use.
    fn source(&self, core: &Core) -> Result<Arc<dyn RemoteSource>, RemoteError> {
        if let Some(source) = &*lock(&self.opened) {
            return Ok(Arc::clone(source));
        }
        // Two may open it at once; either will do, and nobody waits for a lock that is held over a request.
        let sources = core.sources().ok_or_else(|| RemoteError {
            context: "no store is attached to the pool yet".to_owned(),
            permanent: false,
        })?;
        let source = sources.open(&self.source)?;
        let chunk = source.chunk_size();
        if !chunk.is_power_of_two() || chunk < BLOCK_SIZE || source.size() > self.size {
            return Err(RemoteError {
                context: format!(
                    "the source has {} bytes in chunks of {chunk}; the layer has {}",
                    source.size(),
                    self.size
                ),
                permanent: true,
            });
        }
        Ok(Arc::clone(lock(&self.opened).get_or_insert(source)))
    }

    /// Lets go of what the source keeps in memory.
    pub(crate) fn close_source(&self) {
        *lock(&self.opened) = None;
    }

    /// Has a block come, with what comes along: as many chunks as the purpose says, or as seems good. The block up to
    /// which is known what stands there. When it returns, either the layer holds the block or `loose` does.
    ///
    /// The caller holds no lock that a reader, a writer or reclaim needs, but where it cannot be helped.
    pub(crate) fn bring(
        &self,
        core: &Core,
        block: u32,
        purpose: Purpose,
        loose: &mut Loose,
        patience: &mut Patience<'_>,
    ) -> Result<u32> {
        loop {
            if !self.head.layer.asks() {
                return Ok(block + 1);
            }
            let source = match self.source(core) {
                Ok(source) => source,
                Err(error) if patience.wait(&error) => continue,
                Err(error) => return Err(self.failed(block, error)),
            };
            // Lossless: a chunk has at most as many blocks as the volume.
            let per = u32::try_from(source.chunk_size() / BLOCK_SIZE).unwrap_or(u32::MAX);
            let chunk = block / per;
            let chunks = source.size().div_ceil(source.chunk_size());
            let left = chunks.saturating_sub(u64::from(chunk));
            let left = u32::try_from(left).unwrap_or(u32::MAX);
            let most = match purpose {
                Purpose::Read => self.seems_good(chunk, per),
                Purpose::Fill(most) => most,
            };
            // What lies beyond the source's end is not the source's to tell.
            let most = most.min(left).max(1);
            let Some(claimed) = self.claim(chunk, most, per, patience) else {
                let error = RemoteError {
                    context: "another fetches it already, and there is no use in waiting any more"
                        .to_owned(),
                    permanent: false,
                };
                return Err(self.failed(block, error));
            };
            // It may have come while this waited.
            let (presence, end) = self
                .head
                .layer
                .with_maps(|maps| maps.run(block, self.blocks()));
            if presence != Presence::Absent {
                return Ok(end);
            }
            let count = claimed.chunks.end - claimed.chunks.start;
            let came = if left == 0 {
                Ok(RemoteRun::Zeros(u32::MAX))
            } else {
                source.read(chunk, count)
            };
            let came = came.and_then(|run| self.understand(run, chunk, count, per));
            match came {
                Ok((blocks, bytes)) => {
                    let end = blocks.end;
                    self.keep(core, blocks, bytes, purpose, loose);
                    return Ok(end);
                }
                Err(error) => {
                    drop(claimed);
                    if !patience.wait(&error) {
                        return Err(self.failed(block, error));
                    }
                }
            }
        }
    }

    /// How many chunks to ask for: more than one where the chunk before has come.
    fn seems_good(&self, chunk: u32, per: u32) -> u32 {
        let before = (chunk * per).checked_sub(1);
        let follows = before.is_some_and(|block| {
            let (presence, _) = self.head.layer.with_maps(|maps| maps.run(block, block + 1));
            presence != Presence::Absent
        });
        if follows { AHEAD } else { 1 }
    }

    /// Takes a chunk, waiting for who is fetching it (whose patience ends, too), and those after it that are absent and
    /// nobody's; none where there is no use in waiting any more.
    fn claim(
        &self,
        chunk: u32,
        most: u32,
        per: u32,
        patience: &Patience<'_>,
    ) -> Option<Claimed<'_>> {
        let mut busy = lock(&self.busy);
        while busy.contains(&chunk) {
            if patience.is_leaving() {
                return None;
            }
            let waited = self.idle.wait_timeout(busy, LOOK);
            busy = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let blocks = self.blocks();
        let mut end = chunk + 1;
        while end - chunk < most && !busy.contains(&end) && end * per < blocks {
            let first = end * per;
            let absent = self
                .head
                .layer
                .with_maps(|maps| maps.run(first, first + 1).0);
            if absent != Presence::Absent {
                break;
            }
            end += 1;
        }
        busy.extend(chunk..end);
        Some(Claimed {
            remote: self,
            chunks: chunk..end,
        })
    }

    /// The blocks of an answer, and their bytes; empty for zeros.
    fn understand(
        &self,
        run: RemoteRun,
        chunk: u32,
        most: u32,
        per: u32,
    ) -> Result<(Range<u32>, Vec<u8>), RemoteError> {
        let (chunks, bytes) = match run {
            RemoteRun::Zeros(count) => (u64::from(count), Vec::new()),
            RemoteRun::Data(bytes) => {
                let size = u64::from(per) * BLOCK_SIZE;
                let length = bytes.len() as u64;
                if !length.is_multiple_of(size) || length > size * u64::from(most) {
                    return Err(RemoteError {
                        context: format!("the source gave {length} bytes of chunk {chunk}"),
                        permanent: true,
                    });
                }
                (length / size, bytes)
            }
        };
        if chunks == 0 {
            return Err(RemoteError {
                context: format!("the source gave nothing of chunk {chunk}"),
                permanent: true,
            });
        }
        let end = (u64::from(chunk) + chunks) * u64::from(per);
        let end = u32::try_from(end).unwrap_or(u32::MAX).min(self.blocks());
        Ok((chunk * per..end, bytes))
    }

    /// Writes down what came: data, then records, then presence, as every write. Where that is not possible it goes into
    /// `loose`.
    fn keep(
        &self,
        core: &Core,
        blocks: Range<u32>,
        bytes: Vec<u8>,
        purpose: Purpose,
        loose: &mut Loose,
    ) {
        let keeping = read(&self.keeping);
        let kept = if *keeping {
            self.write_down(core, &blocks, &bytes, purpose)
        } else {
            Err(Error::Poisoned(self.volume))
        };
        drop(keeping);
        if let Err(error) = kept {
            tracing::debug!(layer = %self.head.id(), %error, "what was fetched is not kept");
            let range = u64::from(blocks.start) * BLOCK_SIZE..u64::from(blocks.end) * BLOCK_SIZE;
            loose.runs.push((range, bytes));
            loose.why = Some(error);
        } else if self.head.log_is_long() {
            // The log is rewritten in the turn of a sync. What came is here in any case.
            if let Err(error) = self.sync(core) {
                tracing::warn!(layer = %self.head.id(), %error, "the log of what was fetched is not made shorter");
            }
        }
    }

    fn write_down(
        &self,
        core: &Core,
        blocks: &Range<u32>,
        bytes: &[u8],
        purpose: Purpose,
    ) -> Result<()> {
        let absent = self.head.layer.with_maps(|maps| absent(maps, blocks));
        let mut records = Vec::new();
        let mut data = 0;
        for run in absent {
            // The blocks that are all zeros take no room.
            for part in parts(&run, blocks.start, bytes) {
                if part.0 == Presence::Data {
                    data += u64::from(part.1.end - part.1.start) * BLOCK_SIZE;
                }
                records.push(part);
            }
        }
        core.room.take(data)?;
        let written = (|| {
            for (_, run) in records.iter().filter(|(kind, _)| *kind == Presence::Data) {
                let place = |block: u32| (block - blocks.start) as usize * BLOCK_SIZE as usize;
                let bytes = bytes
                    .get(place(run.start)..place(run.end))
                    .unwrap_or_default();
                let offset = u64::from(run.start) * BLOCK_SIZE;
                match purpose {
                    Purpose::Read => self.head.write_data(bytes, offset)?,
                    Purpose::Fill(_) => self.head.write_passing(bytes, offset)?,
                }
            }
            self.head.record(&records)
        })();
        match written {
            Ok(()) => drop(self.unsynced.fetch_add(data, Ordering::Relaxed)),
            Err(_) => core.room.give(data),
        }
        written
    }

    /// Gives the room of blocks back that nobody needs any more, and never will: they count as zeros, so that no fill
    /// fetches them again. A power loss may bring the record back and not the data, which makes them absent. The bytes.
    pub(crate) fn give_up(&self, core: &Core, blocks: &RoaringBitmap) -> Result<u64> {
        let keeping = read(&self.keeping);
        if !*keeping {
            // Being sealed, or in doubt: the next pass sees what it is then.
            return Ok(0);
        }
        let records: Vec<_> = runs(blocks).map(|run| (Presence::Zero, run)).collect();
        self.head.record(&records)?;
        for bytes in byte_runs(blocks) {
            self.head.punch(bytes)?;
        }
        drop(keeping);
        let bytes = blocks.len() * BLOCK_SIZE;
        core.room.give(bytes);
        Ok(bytes)
    }

    /// Keeps nothing more until the answer is dropped, or for ever: the layer is being sealed.
    pub(crate) fn still(&self) -> Still<'_> {
        let was = std::mem::replace(&mut *write(&self.keeping), false);
        Still { remote: self, was }
    }

    /// Makes durable what has come. After a failure nothing is believed that was not durable before.
    pub(crate) fn sync(&self, core: &Core) -> Result<()> {
        self.unsynced.store(0, Ordering::Relaxed);
        let synced = self.head.sync(core);
        if self.head.poisoned() && !self.spoiled.swap(true, Ordering::SeqCst) {
            let mut keeping = write(&self.keeping);
            *keeping = false;
            let safe = self.head.durable_maps().unwrap_or_default();
            self.head.layer.fall_back(safe);
        }
        synced
    }
}

/// See [`Remote::still`].
pub(crate) struct Still<'a> {
    remote: &'a Remote,
    was: bool,
}

impl Still<'_> {
    pub(crate) fn for_ever(&mut self) {
        self.was = false;
    }
}

impl Drop for Still<'_> {
    fn drop(&mut self) {
        if self.was && !self.remote.head.poisoned() {
            *write(&self.remote.keeping) = true;
        }
    }
}

/// The runs of blocks that the layer lacks.
fn absent(maps: &Maps, blocks: &Range<u32>) -> Vec<Range<u32>> {
    let mut found = Vec::new();
    let mut at = blocks.start;
    while at < blocks.end {
        let (presence, end) = maps.run(at, blocks.end);
        if presence == Presence::Absent {
            found.push(at..end);
        }
        at = end;
    }
    found
}

/// Cuts a run of blocks where zeros begin and end. `bytes` begin at block `first`; past their end all is zero.
fn parts(run: &Range<u32>, first: u32, bytes: &[u8]) -> Vec<(Presence, Range<u32>)> {
    if bytes.is_empty() {
        return vec![(Presence::Zero, run.clone())];
    }
    let mut found: Vec<(Presence, Range<u32>)> = Vec::new();
    for block in run.clone() {
        let at = (block - first) as usize * BLOCK_SIZE as usize;
        let content = bytes.get(at..at + BLOCK_SIZE as usize).unwrap_or_default();
        let presence = if content.iter().all(|byte| *byte == 0) {
            Presence::Zero
        } else {
            Presence::Data
        };
        match found.last_mut() {
            Some((last, run)) if *last == presence => run.end = block + 1,
            _ => found.push((presence, block..block + 1)),
        }
    }
    found
}
