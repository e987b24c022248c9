//! The instant of a checkpoint, where somebody else finds it: the heads are prepared, and wait to be swapped in while a
//! guest stands.
//!
//! Prepared heads that are not swapped in are dropped again, rows first; a process that dies before leaves them to the
//! next opening, which drops them too. While they wait the volume's acts in the tree wait, so that at most one open layer
//! stands on a head.

use crate::domain::id::{CheckpointId, VolumeId};
use crate::engine::catalog::Change;
use crate::engine::checkpoint::discard;
use crate::engine::drain::lock;
use crate::engine::error::{Error, Result};
use crate::engine::format::LayerId;
use crate::engine::head::Head;
use crate::engine::inner::Inner;
use crate::engine::volume::Volume;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long after the instant a volume's first flush is taken for the hypervisor's own. It comes within milliseconds.
pub const OWN_FLUSH: Duration = Duration::from_secs(1);
/// A pass of [`crate::engine::Pool::settle`] under this is short enough.
const SHORT: Duration = Duration::from_millis(5);
/// Passes of [`crate::engine::Pool::settle`].
const PASSES: usize = 3;

/// Whether the next flush is the one by which a hypervisor ends its guest's standstill. No guest is told of it: what was
/// written before is made durable by the seal that follows, and a guest's own flush, which comes later, is no first one.
#[derive(Debug, Default)]
pub(crate) struct OwnFlush {
    open: AtomicBool,
    until: Mutex<Option<Instant>>,
}

impl OwnFlush {
    /// Called with the volume's gate shut, so that a write comes either before or after.
    pub(crate) fn open(&self) {
        *lock(&self.until) = Instant::now().checked_add(OWN_FLUSH);
        self.open.store(true, Ordering::SeqCst);
    }

    pub(crate) fn shut(&self) {
        // Every write comes here: a look costs less than a change.
        if self.open.load(Ordering::SeqCst) {
            self.open.store(false, Ordering::SeqCst);
        }
    }

    /// Whether this flush is the one. There is only one.
    pub(crate) fn take(&self) -> bool {
        self.open.load(Ordering::SeqCst)
            && self.open.swap(false, Ordering::SeqCst)
            && lock(&self.until).is_some_and(|until| Instant::now() < until)
    }
}

/// Heads that wait to be swapped in. Dropped without [an end](Prepared::end), there is no checkpoint.
pub(crate) struct Prepared<'a> {
    inner: &'a Inner,
    wanted: &'a [(VolumeId, CheckpointId)],
    volumes: &'a [Arc<Volume>],
    /// None once they are swapped in.
    heads: Option<Vec<Arc<Head>>>,
    shut: Duration,
    kept: bool,
}

impl<'a> Prepared<'a> {
    pub(crate) fn new(
        inner: &'a Inner,
        wanted: &'a [(VolumeId, CheckpointId)],
        volumes: &'a [Arc<Volume>],
        heads: Vec<Arc<Head>>,
    ) -> Self {
        Self {
            inner,
            wanted,
            volumes,
            heads: Some(heads),
            shut: Duration::ZERO,
            kept: false,
        }
    }

    /// Swaps them in, once; how long that took.
    pub(crate) fn swap(&mut self, own_flush: bool) -> Duration {
        if let Some(heads) = self.heads.take() {
            self.shut = self.inner.swap(self.wanted, self.volumes, heads, own_flush);
        }
        self.shut
    }

    /// Whether the checkpoints are to be, now that the heads are swapped in; if so, how long that took. Otherwise all is
    /// undone when this returns.
    pub(crate) fn end(mut self, wanted: bool) -> Option<Duration> {
        self.kept = wanted && self.heads.is_none();
        self.kept.then_some(self.shut)
    }

    fn swap_without(&mut self) {
        self.swap(false);
        for volume in self.volumes {
            volume.own_flush.shut();
        }
        for (_, checkpoint) in self.wanted {
            self.inner.cancel(*checkpoint);
        }
    }

    /// Removes heads that were never used. The rows go first: of what a row names every file must be there.
    fn drop_heads(&mut self, heads: Vec<Arc<Head>>) {
        let core = &self.inner.core;
        let ids: Vec<LayerId> = heads.iter().map(|head| head.id()).collect();
        let gone = core.commit(|_| {
            let changes = ids.iter().map(|id| Change::Layer(*id, None));
            Ok((changes.collect(), ()))
        });
        match gone {
            Ok(()) => ids.iter().for_each(|id| discard(core, *id)),
            // Nothing else may be prepared on the same heads while these have rows. They can be used as well: a head in
            // its place without a checkpoint is a state that may last.
            Err(Error::NoSpace) => {
                self.heads = Some(heads);
                self.swap_without();
            }
            // No commit follows in this life; the next opening finds them empty.
            Err(error) => {
                tracing::warn!(%error, "heads that are not needed stay until the next start");
            }
        }
    }
}

impl Drop for Prepared<'_> {
    fn drop(&mut self) {
        match self.heads.take() {
            _ if self.kept => {}
            Some(heads) => self.drop_heads(heads),
            // It was the wrong moment.
            None => self.swap_without(),
        }
    }
}

impl Inner {
    /// See [`crate::engine::Pool::checkpoint_at`].
    pub(crate) fn checkpoint_at(
        &self,
        of: &[(VolumeId, CheckpointId)],
        moment: &mut dyn FnMut(&mut dyn FnMut() -> Duration) -> bool,
    ) -> Result<Option<Duration>> {
        self.checkpoint_when(of, &mut |prepared| moment(&mut || prepared.swap(true)))
    }

    /// See [`crate::engine::Pool::settle`].
    pub(crate) fn settle(&self, volumes: &[VolumeId]) -> Result<Duration> {
        let volumes = volumes
            .iter()
            .map(|volume| self.volume(*volume))
            .collect::<Result<Vec<_>>>()?;
        let mut last = Duration::ZERO;
        for _ in 0..PASSES {
            let began = Instant::now();
            for volume in &volumes {
                volume.sync()?;
            }
            last = began.elapsed();
            if last < SHORT {
                break;
            }
        }
        Ok(last)
    }
}
