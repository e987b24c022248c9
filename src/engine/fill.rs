//! Filling: what a volume's snapshot still lacks is fetched, and when nobody needs more, the layer is sealed and the
//! source let go of.
//!
//! ```text
//! wanted    what the layers above need of the bottom one, less what has come     (the algebra of `tree`)
//! fetch     several at a time, in order; made durable now and then               a crash fetches again what was not
//! seal      wanted is empty: sync, map, one commit                               from here on an ordinary layer
//! release   every read that began before has ended; then the source is released  a crash leaves that to its giver
//! ```
//! What nobody needs (it was overwritten, and the overwriting is durable) is not fetched: it is absent from the sealed
//! layer, which no read ever reaches there.

use crate::domain::id::{CheckpointId, VolumeId};
use crate::engine::block::BLOCK_SIZE;
use crate::engine::catalog::{Change, LayerRow};
use crate::engine::checkpoint::{sync_layers, write_map};
use crate::engine::drain::lock;
use crate::engine::error::{Error, Result};
use crate::engine::fetch::{Loose, Patience, Purpose, Remote, UNSYNCED};
use crate::engine::format::LayerId;
use crate::engine::inner::Inner;
use crate::engine::maps::{Claim, MapHeader, Maps};
use crate::engine::pool::Pool;
use crate::engine::reclaim::trees;
use crate::engine::remote::{Filled, RemoteId, RemoteSources};
use crate::engine::tree::{Needed, needed};
use roaring::RoaringBitmap;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};

/// Chunks that a fill asks for at once.
const AT_ONCE: u32 = 64;
/// Requests of one fill that are under way at a time.
const WORKERS: usize = 4;

impl Pool {
    /// Says where blocks that live elsewhere come from. Until it has been said, whoever reads such blocks waits.
    pub fn attach_sources(&self, sources: Arc<dyn RemoteSources>) {
        self.inner.core.attach_sources(sources);
    }

    /// Makes a volume whose content is that of a source of this size, or of a smaller one and zeros beyond its end. It can
    /// be leased at once: what is read is fetched when it is read, and [`Pool::fill`] fetches the rest. If the volume is
    /// there already, nothing happens.
    ///
    /// With `base`, a retired checkpoint stands for that content: [`Pool::diff`] from it to a checkpoint of the volume
    /// tells what was written since, and asks nothing of the source.
    ///
    /// # Errors
    /// [`Error::BadSize`], [`Error::TooLarge`], [`Error::VolumeExists`], [`Error::CheckpointExists`], [`Error::NoSpace`].
    pub fn create_remote_volume(
        &self,
        id: VolumeId,
        size: u64,
        source: RemoteId,
        base: Option<CheckpointId>,
    ) -> Result<()> {
        self.inner.create_remote_volume(id, size, source, base)
    }

    /// Fetches what a volume still needs of its source, and then lets go of it: when this returns well, nothing of the
    /// volume lives elsewhere. It may be written and checkpointed meanwhile; calling again goes on. A volume that does not
    /// fill is done at once. `tell` hears how far it is, again and again, also while the store is out of reach.
    ///
    /// # Errors
    /// [`Error::NoVolume`]; [`Error::Interrupted`] when `tell` breaks; [`Error::Remote`] when the source gives nothing;
    /// [`Error::NoSpace`]; [`Error::Poisoned`] when a sync failed: what has come is fetched again after the pool was opened
    /// anew.
    pub fn fill(
        &self,
        id: VolumeId,
        tell: &mut dyn FnMut(Filled) -> ControlFlow<()>,
    ) -> Result<()> {
        self.inner.fill(id, tell)
    }

    /// From here on nobody waits for blocks that live elsewhere: who asks for some gets them at once or not at all. For a
    /// process that ends, once nobody listens to what its disks answer any more.
    pub fn stop_waiting(&self) {
        self.inner.core.stopping.store(true, Ordering::SeqCst);
    }

    /// The sources that the pool still needs.
    #[must_use]
    pub fn sources(&self) -> Vec<RemoteId> {
        let meta = self.inner.core.meta();
        meta.rows.remotes.values().copied().collect()
    }
}

impl Inner {
    /// See [`crate::engine::Pool::fill`].
    pub(crate) fn fill(
        &self,
        volume: VolumeId,
        tell: &mut dyn FnMut(Filled) -> ControlFlow<()>,
    ) -> Result<()> {
        let bottom = {
            let meta = self.core.meta();
            let row = meta.rows.volumes.get(&volume);
            let head = row.ok_or(Error::NoVolume(volume))?.head;
            let bottom = meta.rows.chain(head).last().copied();
            bottom.filter(|id| meta.rows.remotes.contains_key(id))
        };
        let Some(id) = bottom else { return Ok(()) };
        loop {
            let Some((remote, wanted)) = self.wanted(id)? else {
                return Ok(());
            };
            if !wanted.is_empty() {
                self.fetch_all(&remote, &wanted, tell)?;
            }
            // A write that was relied on may have been taken back, or a checkpoint made: then there is more.
            if self.seal_remote(id)? {
                return Ok(());
            }
        }
    }

    /// What is needed of a filling layer and has not come; none when it does not fill any more.
    fn wanted(&self, id: LayerId) -> Result<Option<(Arc<Remote>, RoaringBitmap)>> {
        let look = self.look();
        if !look.rows.remotes.contains_key(&id) {
            return Ok(None);
        }
        let layers = trees(&look.rows)
            .into_iter()
            .find(|tree| tree.contains(&id));
        let tree = self.tree(&look, &layers.unwrap_or_default(), &BTreeSet::new());
        let (tree, remote) = match tree.and_then(|tree| Ok((tree, self.remote_layer(id)?))) {
            Ok(found) => found,
            // Reclaim took something while we looked: look again.
            Err(_) if self.look().rows.layers != look.rows.layers => return self.wanted(id),
            Err(error) => return Err(error),
        };
        let mut wanted = match needed(&tree.nodes).remove(&id) {
            Some(Needed::Only(only)) => only,
            Some(Needed::All) | None => {
                let mut all = RoaringBitmap::new();
                all.insert_range(0..remote.blocks());
                all
            }
        };
        remote.head.layer.with_maps(|maps| {
            wanted -= &maps.data;
            wanted -= &maps.zero;
        });
        Ok(Some((remote, wanted)))
    }

    fn fetch_all(
        &self,
        remote: &Remote,
        wanted: &RoaringBitmap,
        tell: &mut dyn FnMut(Filled) -> ControlFlow<()>,
    ) -> Result<()> {
        let stop = AtomicBool::new(false);
        let next = Mutex::new(0);
        let mut filled = Filled {
            done: 0,
            total: wanted.len() * BLOCK_SIZE,
        };
        if tell(filled).is_break() {
            return Err(Error::Interrupted);
        }
        let job = Job {
            inner: self,
            remote,
            wanted,
            next: &next,
            stop: &stop,
        };
        std::thread::scope(|scope| {
            let (sender, results) = mpsc::channel();
            for _ in 0..WORKERS {
                let (sender, job) = (sender.clone(), &job);
                let started = std::thread::Builder::new()
                    .name("fill".to_owned())
                    .spawn_scoped(scope, move || {
                        if let Err(error) = job.work(&sender) {
                            job.stop.store(true, Ordering::SeqCst);
                            // Nobody listens any more only when another has failed.
                            let _ = sender.send(Err(error));
                        }
                    });
                if let Err(source) = started {
                    stop.store(true, Ordering::SeqCst);
                    return Err(Error::io("start a thread of", "fill", source));
                }
            }
            drop(sender);
            let mut outcome = Ok(());
            // Until every worker has ended.
            loop {
                // Looked at now and then also while nothing comes, so that waiting can be interrupted.
                let step = match results.recv_timeout(std::time::Duration::from_millis(100)) {
                    Ok(step) => step,
                    Err(mpsc::RecvTimeoutError::Timeout) => Ok(0),
                    Err(mpsc::RecvTimeoutError::Disconnected) => return outcome,
                };
                match step {
                    Ok(bytes) => {
                        filled.done = (filled.done + bytes).min(filled.total);
                        if outcome.is_ok() && tell(filled).is_break() {
                            stop.store(true, Ordering::SeqCst);
                            outcome = Err(Error::Interrupted);
                        }
                    }
                    Err(error) => outcome = outcome.and(Err(error)),
                }
            }
        })
    }

    /// Seals a layer of which nothing more is wanted; false when something still is.
    pub(crate) fn seal_remote(&self, id: LayerId) -> Result<bool> {
        let core = &self.core;
        let sealing = lock(&self.sealing);
        let Some((remote, wanted)) = self.wanted(id)? else {
            return Ok(true);
        };
        if !wanted.is_empty() {
            return Ok(false);
        }
        // All of these are in the file by now. What comes later is nobody's need, and is not kept.
        let mut still = remote.still();
        let present = remote.head.layer.with_maps(|maps| maps.data.clone());
        core.with_reserve(|| remote.sync(core))?;
        let log = remote.head.header();
        let claimed = |rows: &crate::engine::catalog::Rows| {
            let base = rows.checkpoints.iter().find(|(_, row)| row.layer == id);
            base.map_or(Claim::None, |(base, _)| Claim::Boundary(*base))
        };
        let claim = claimed(&core.meta().rows);
        let header = MapHeader {
            layer: id,
            generation: 1,
            parent: None,
            volume: log.volume,
            size: log.size,
            claim,
        };
        // Zeros at the bottom are what nothing is, too.
        let maps = Maps {
            data: present,
            zero: RoaringBitmap::new(),
        };
        write_map(core, &header, &maps)?;
        sync_layers(core)?;
        core.commit(|rows| {
            let Some(row) = rows.layers.get(&id) else {
                return Ok((Vec::new(), ()));
            };
            let sealed = LayerRow {
                sealed: Some(1),
                claim,
                ..*row
            };
            let changes = vec![Change::Layer(id, Some(sealed)), Change::Remote(id, None)];
            Ok((changes, ()))
        })?;
        still.for_ever();
        drop(still);
        drop(sealing);
        // Who reads through a stack of before may still come to an absent block, and ask.
        core.epoch.wait();
        remote.head.layer.asks_no_more();
        {
            let mut remotes = lock(&self.remotes);
            let layer = Arc::downgrade(&remote.head.layer);
            lock(&self.layers).entry(id).or_insert(layer);
            remotes.remove(&id);
        }
        remote.head.now_sealed(core);
        self.release(&remote);
        core.room.restore(&*core.storage);
        Ok(true)
    }
}

/// The first block of a set within a range, which may be empty.
fn first_of(set: &RoaringBitmap, from: u32, end: u32) -> Option<u32> {
    let mut found = set.iter();
    found.advance_to(from);
    found.next().filter(|block| *block < end)
}

/// What the threads of one fill share.
struct Job<'a> {
    inner: &'a Inner,
    remote: &'a Remote,
    wanted: &'a RoaringBitmap,
    /// The first block that nobody has taken.
    next: &'a Mutex<u32>,
    stop: &'a AtomicBool,
}

impl Job<'_> {
    /// The next wanted block that has not come, and how far its taker may go.
    fn take(&self) -> Option<u32> {
        let mut next = lock(self.next);
        let layer = &self.remote.head.layer;
        loop {
            let block = first_of(self.wanted, *next, u32::MAX)?;
            let (presence, end) = layer.with_maps(|maps| maps.run(block, self.remote.blocks()));
            if presence == crate::engine::maps::Presence::Absent {
                // A window of its own for each: chunks of 64 KiB come 64 at a time.
                let window = AT_ONCE * 16;
                *next = (block / window + 1) * window;
                return Some(block);
            }
            *next = end;
        }
    }

    fn work(&self, results: &mpsc::Sender<Result<u64>>) -> Result<()> {
        let core = &self.inner.core;
        while let Some(first) = self.take() {
            let window = AT_ONCE * 16;
            let end = (first / window + 1) * window;
            let mut at = first;
            while let Some(block) = first_of(self.wanted, at, end) {
                if self.stop.load(Ordering::SeqCst) {
                    return Ok(());
                }
                let mut loose = Loose::default();
                let mut patience = Patience::new(core, Some(self.stop));
                let through = self.remote.bring(
                    core,
                    block,
                    Purpose::Fill(AT_ONCE),
                    &mut loose,
                    &mut patience,
                )?;
                if let Some(why) = loose.why {
                    // What cannot be kept is not filled.
                    return Err(why);
                }
                at = through.max(block + 1);
                let done = self.wanted.range_cardinality(block..at) * BLOCK_SIZE;
                if at > end {
                    let mut next = lock(self.next);
                    *next = (*next).max(at);
                }
                let _ = results.send(Ok(done));
            }
            if self.remote.unsynced.load(Ordering::Relaxed) >= UNSYNCED {
                self.remote.sync(core)?;
            }
        }
        Ok(())
    }
}
