//! An open layer: its log, its flushes, and what becomes of it when a sync fails.

use crate::domain::id::VolumeId;
use crate::engine::catalog::Change;
use crate::engine::core::Core;
use crate::engine::drain::{Drain, lock};
use crate::engine::error::{Error, Result};
use crate::engine::format::{LAYERS, LayerId};
use crate::engine::layer::Layer;
use crate::engine::log::Log;
use crate::engine::maps::{Maps, Presence};
use crate::engine::record::LogHeader;
use crate::engine::storage::File;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// Below this length a log is never rewritten, in bytes.
const LEAST_REWRITE: u64 = 1 << 20;

/// Whether a sync of a volume's files failed. One for all open layers of the volume.
#[derive(Debug)]
pub(crate) struct Poison {
    pub(crate) volume: VolumeId,
    pub(crate) set: AtomicBool,
    /// The layer's blocks can be fetched again: its failure is no volume's, and its log alone remembers it.
    pub(crate) of_source: bool,
}

/// An open layer. Data goes into its file at its own place; blocks new to it go into the log; a flush makes both
/// durable.
pub(crate) struct Head {
    pub(crate) layer: Arc<Layer>,
    /// Writes admitted to this layer. Shut when the layer is swapped out; the seal waits until they have left.
    pub(crate) writers: Drain,
    data: Arc<dyn File>,
    /// Taken after a block lock, before the layer's bitmaps. Records and presence bits change together under it, so
    /// that at any moment the bitmaps are what the log says.
    log: Mutex<Log>,
    poison: Arc<Poison>,
    sealed: AtomicBool,
    /// The log has records of an append that failed and could not be taken back. A dead process would make them count,
    /// over whatever is written into their blocks: nothing is, until a new log takes this one's place.
    torn: AtomicBool,
    /// The log's length from which on it is worth a look whether it is too long.
    look_at: AtomicU64,
    turns: Mutex<Turns>,
    turned: Condvar,
}

/// Whose turn it is to sync. Flushes that wait for the same turn share it.
#[derive(Default)]
struct Turns {
    started: u64,
    done: u64,
    running: bool,
}

impl Head {
    pub(crate) fn new(
        layer: Arc<Layer>,
        data: Arc<dyn File>,
        log: Log,
        poison: Arc<Poison>,
    ) -> Arc<Self> {
        Arc::new(Self {
            layer,
            writers: Drain::default(),
            data,
            log: Mutex::new(log),
            poison,
            sealed: AtomicBool::new(false),
            torn: AtomicBool::new(false),
            look_at: AtomicU64::new(LEAST_REWRITE),
            turns: Mutex::default(),
            turned: Condvar::new(),
        })
    }

    pub(crate) fn id(&self) -> LayerId {
        self.layer.id
    }

    /// The header of the log.
    pub(crate) fn header(&self) -> LogHeader {
        *lock(&self.log).header()
    }

    /// Puts bytes into the file, where the blocks are present already or will be recorded next.
    pub(crate) fn write_data(&self, data: &[u8], offset: u64) -> Result<()> {
        if self.torn.load(Ordering::SeqCst) {
            return Err(lock(&self.log).refusal());
        }
        self.data
            .write_at(data, offset)
            .map_err(|source| Error::io("write", &self.id().data(), source))
    }

    /// As [`Head::write_data`], for what nobody is about to read.
    pub(crate) fn write_passing(&self, data: &[u8], offset: u64) -> Result<()> {
        if self.torn.load(Ordering::SeqCst) {
            return Err(lock(&self.log).refusal());
        }
        self.data
            .write_passing(data, offset)
            .map_err(|source| Error::io("write", &self.id().data(), source))
    }

    /// Records blocks that are new to the layer, then notes them in the bitmaps: in this order, so that a write which
    /// finds a block present may rely on its record.
    pub(crate) fn record(&self, runs: &[(Presence, Range<u32>)]) -> Result<()> {
        let mut log = lock(&self.log);
        let was_broken = log.is_broken();
        if let Err(error) = log.append(runs) {
            if log.is_broken() && !was_broken {
                self.torn.store(true, Ordering::SeqCst);
            }
            return Err(error);
        }
        self.layer.set(runs);
        Ok(())
    }

    /// Gives the room of blocks back that are recorded as zeros.
    pub(crate) fn punch(&self, bytes: Range<u64>) -> Result<()> {
        let len = bytes.end.saturating_sub(bytes.start);
        self.data
            .punch(bytes.start, len)
            .map_err(|source| Error::io("punch", &self.id().data(), source))
    }

    /// Whether the log has grown past what it may be before a rewrite.
    pub(crate) fn log_is_long(&self) -> bool {
        let len = lock(&self.log).len();
        if len <= self.look_at.load(Ordering::Relaxed) {
            return false;
        }
        // Measuring the bitmaps costs; they only grow, so the next look can wait until the log has passed this.
        let most = LEAST_REWRITE.max(2 * self.layer.with_maps(Maps::written_len));
        self.look_at.store(most, Ordering::Relaxed);
        len > most
    }

    /// Everything that was written into this layer before the call is on stable storage when it returns. Calls that
    /// wait at the same time share one turn.
    pub(crate) fn sync(&self, core: &Core) -> Result<()> {
        let mut turns = lock(&self.turns);
        // A turn that runs already may have begun before our writes: only one that starts from now on will do.
        let mine = turns.started + 1;
        loop {
            if turns.done >= mine {
                return self.unpoisoned();
            }
            if !turns.running {
                break;
            }
            turns = self
                .turned
                .wait(turns)
                .unwrap_or_else(PoisonError::into_inner);
        }
        turns.running = true;
        turns.started += 1;
        let turn = turns.started;
        drop(turns);
        let result = self.sync_now(core);
        let mut turns = lock(&self.turns);
        turns.running = false;
        if result.is_ok() {
            turns.done = turn;
        }
        drop(turns);
        // Where it failed, those who wait take their own turn and see for themselves.
        self.turned.notify_all();
        result
    }

    /// One sync where no record is without a durable mark, else two.
    fn sync_now(&self, core: &Core) -> Result<()> {
        self.unpoisoned()?;
        let end = lock(&self.log).end();
        self.data
            .sync_data()
            .map_err(|source| self.fail(core, &self.id().data(), source))?;
        let marked = {
            let mut log = lock(&self.log);
            if log.durable() < end {
                Some((log.mark(end)?, log.file()))
            } else {
                None
            }
        };
        if let Some((through, file)) = marked {
            file.sync_data()
                .map_err(|source| self.fail(core, &self.id().log(), source))?;
            lock(&self.log).marked(end, through);
        }
        if self.log_is_long() {
            match self.rewrite(core, None) {
                // No room for the new one: the old one goes on.
                Err(Error::NoSpace) => {}
                other => other?,
            }
        }
        Ok(())
    }

    /// Writes the log anew, shorter, or with another parent in its header. Appends go on meanwhile; they are carried
    /// over at the end.
    fn rewrite(&self, core: &Core, parent: Option<Option<LayerId>>) -> Result<()> {
        let (from, maps, mut header) = {
            let log = lock(&self.log);
            (
                u32::try_from(log.len() / crate::engine::record::SLOT as u64).unwrap_or(u32::MAX),
                self.maps(),
                *log.header(),
            )
        };
        header.parent = parent.unwrap_or(header.parent);
        // The new log's mark covers all that is in it.
        self.data
            .sync_data()
            .map_err(|source| self.fail(core, &self.id().data(), source))?;
        let mut new = Log::write_new(&*core.storage, header, &maps)?;
        {
            let mut log = lock(&self.log);
            if self.sealed.load(Ordering::SeqCst) {
                return Ok(());
            }
            log.carry(from, &mut new)?;
            new.publish(&*core.storage)?;
            *log = new;
            self.torn.store(false, Ordering::SeqCst);
        }
        // No flush may be told of before the name is durable, or a lost machine would bring the old log back. This
        // runs inside the flush's own turn.
        core.storage
            .sync_folder(LAYERS)
            .map_err(|source| self.fail(core, LAYERS, source))
    }

    /// Rewrites the log with another parent, in a turn of its own.
    pub(crate) fn set_parent(&self, core: &Core, parent: Option<LayerId>) -> Result<()> {
        let mut turns = lock(&self.turns);
        while turns.running {
            turns = self
                .turned
                .wait(turns)
                .unwrap_or_else(PoisonError::into_inner);
        }
        turns.running = true;
        drop(turns);
        let result = self
            .unpoisoned()
            .and_then(|()| self.rewrite(core, Some(parent)));
        lock(&self.turns).running = false;
        self.turned.notify_all();
        result
    }

    fn maps(&self) -> Maps {
        self.layer.with_maps(Clone::clone)
    }

    /// The blocks under a mark whose sync has returned: all that may be counted on when something below is given up.
    pub(crate) fn durable_maps(&self) -> Result<Maps> {
        if self.sealed.load(Ordering::SeqCst) {
            return Ok(self.maps());
        }
        let part = lock(&self.log).durable_part();
        part.read()
    }

    /// The layer is sealed in `pool.db`: its log may be removed, and nothing makes a new one.
    pub(crate) fn now_sealed(&self, core: &Core) {
        let log = lock(&self.log);
        self.sealed.store(true, Ordering::SeqCst);
        if let Err(error) = core.storage.unlink(&self.id().log()) {
            tracing::warn!(file = self.id().log(), %error, "a log that is not needed any more stays until the next start");
        }
        drop(log);
        self.layer.release_file(core);
    }

    pub(crate) fn poisoned(&self) -> bool {
        self.poison.set.load(Ordering::SeqCst)
    }

    fn unpoisoned(&self) -> Result<()> {
        if self.poisoned() {
            Err(Error::Poisoned(self.poison.volume))
        } else {
            Ok(())
        }
    }

    /// A sync failed: the kernel has dropped the error and may have dropped the data; a second sync that succeeds
    /// proves nothing. Written down in two places, either of which is enough.
    fn fail(&self, core: &Core, file: &str, source: std::io::Error) -> Error {
        if let Err(error) = lock(&self.log).write_poison() {
            tracing::error!(volume = %self.poison.volume, %error, "the poison could not be noted in the log");
        }
        poison(core, &self.poison, file, &source);
        Error::Io {
            operation: "sync",
            file: file.to_owned(),
            source,
        }
    }
}

/// Notes that a sync of a volume's files failed, for this life and the next ones.
pub(crate) fn poison(core: &Core, poison: &Poison, file: &str, source: &std::io::Error) {
    if poison.of_source {
        tracing::error!(volume = %poison.volume, file, error = %source, "a sync failed: what was fetched since the last one is fetched again");
        poison.set.store(true, Ordering::SeqCst);
        return;
    }
    tracing::error!(volume = %poison.volume, file, error = %source, "a sync failed: the volume is poisoned");
    if poison.set.swap(true, Ordering::SeqCst) {
        return;
    }
    let noted = core.commit(|rows| {
        let changed = rows.volumes.get(&poison.volume).map(|row| {
            Change::Volume(
                poison.volume,
                Some(crate::engine::catalog::VolumeRow {
                    poisoned: true,
                    ..*row
                }),
            )
        });
        Ok((changed.into_iter().collect(), ()))
    });
    if let Err(error) = noted {
        tracing::error!(volume = %poison.volume, %error, "the poison could not be noted in pool.db");
    }
}
