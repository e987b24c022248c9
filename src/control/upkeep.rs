//! What the program does by itself with the object store, on a thread of its own: it takes stock of what others have put
//! there or removed, lets go of what no pool needs, has volumes filled that nothing fills, and prunes.
//!
//! One thread, so never two of these at once in one process. Two processes may prune one bucket at the same time.

use super::core::Core;
use super::error::{chain, internal};
use super::operating::StoreLook;
use crate::archive::{Progress, PruneOptions, Pruned};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long after a prune the next one comes, in milliseconds.
const PRUNE_MS: i64 = 24 * 3600 * 1000;
/// How long after one that failed.
const AGAIN_MS: i64 = 15 * 60 * 1000;

/// The thread.
pub(super) struct Upkeep {
    core: Weak<Core>,
    /// How often the thread looks whether there is something to do.
    look: Duration,
    told: Arc<Told>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Told {
    stopping: Mutex<bool>,
    called: Condvar,
    /// What is under way must stop; read without the lock.
    stop: AtomicBool,
    /// When it last pruned, in milliseconds since 1970; 0: not since the process began.
    pruned: AtomicI64,
    /// Something was deleted since.
    deleted: AtomicBool,
    /// When a prune ended well last, and what it did.
    prune: Mutex<Option<(i64, Pruned)>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Upkeep {
    pub fn new(core: Weak<Core>, look: Duration) -> Self {
        Self {
            core,
            look,
            told: Arc::default(),
            thread: Mutex::default(),
        }
    }

    pub fn start(&self) {
        let (told, core, look) = (Arc::clone(&self.told), self.core.clone(), self.look);
        let spawned = std::thread::Builder::new()
            .name("upkeep".to_owned())
            .spawn(move || told.run(&core, look));
        match spawned {
            Ok(thread) => *lock(&self.thread) = Some(thread),
            Err(error) => {
                tracing::error!(%error, "the thread that looks after the object store could not be started");
            }
        }
    }

    pub fn stop(&self) {
        self.told.stop.store(true, Ordering::SeqCst);
        *lock(&self.told.stopping) = true;
        self.told.called.notify_all();
        // Where the last handle of the region is dropped by the thread itself, it cannot wait for its own end.
        if let Some(thread) = lock(&self.thread).take()
            && thread.thread().id() != std::thread::current().id()
            && thread.join().is_err()
        {
            tracing::error!("the thread that looks after the object store had panicked");
        }
    }

    /// Says that it is enough once the region is being closed.
    pub fn until_closed(&self) -> Until<'_> {
        Until(&self.told.stop)
    }

    /// When a prune of this process ended well last, and what it did.
    pub fn last_prune(&self) -> Option<(i64, Pruned)> {
        lock(&self.told.prune).clone()
    }

    /// A snapshot or a template was deleted: what only it needed is looked for soon.
    pub fn deleted(&self) {
        self.told.deleted.store(true, Ordering::SeqCst);
    }
}

impl Drop for Upkeep {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Told {
    fn run(&self, core: &Weak<Core>, look: Duration) {
        if let Some(core) = core.upgrade() {
            core.take_stock_when_due();
        }
        loop {
            let stopping = lock(&self.stopping);
            let waited = self
                .called
                .wait_timeout_while(stopping, look, |stopping| !*stopping);
            let (stopping, _) = waited.unwrap_or_else(PoisonError::into_inner);
            if *stopping {
                return;
            }
            drop(stopping);
            let Some(core) = core.upgrade() else { return };
            StoreLook::begin(&core);
            core.look_after();
        }
    }
}

/// Nobody watches what is done here; a server that stops ends it, and the next one goes on.
pub(super) struct Until<'a>(&'a AtomicBool);

impl Progress for Until<'_> {
    fn total(&mut self, _: u64) {}

    fn done(&mut self, _: u64) -> ControlFlow<()> {
        if self.0.load(Ordering::SeqCst) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}

impl Core {
    /// One look. What cannot be done now is tried at the next one.
    pub(super) fn look_after(&self) {
        self.take_stock_when_due();
        if let Err(error) = self.resume_fills() {
            internal("look for volumes that are to be filled", &error);
        }
        if let Err(error) = self.release_holds() {
            tracing::warn!(
                error = chain(&error),
                "holds stay in the object store for now"
            );
        }
        self.prune_when_due();
    }

    /// Removes from the object store what nothing needs: once a day, and after deletions where others write there as well,
    /// for then a deletion itself frees nothing.
    pub(super) fn prune_when_due(&self) {
        let told = &self.upkeep.told;
        let (now, last) = (self.now(), told.pruned.load(Ordering::SeqCst));
        // A clock that was set back must not stop it.
        let recent = last != 0 && (last..last.saturating_add(PRUNE_MS)).contains(&now);
        let archive = match self.archive.get() {
            Ok(archive) => archive,
            Err(error) => {
                tracing::warn!(
                    error = chain(&error),
                    "the object store cannot be pruned now"
                );
                return;
            }
        };
        let deleted = told.deleted.swap(false, Ordering::SeqCst) && archive.is_shared();
        if recent && !deleted {
            return;
        }
        told.pruned.store(now, Ordering::SeqCst);
        match archive.prune(&PruneOptions::default(), &mut Until(&told.stop)) {
            Ok(pruned) => {
                *lock(&told.prune) = Some((self.now(), pruned.clone()));
                tracing::info!(?pruned, "the object store was pruned");
                for object in &pruned.unreadable {
                    tracing::warn!(
                        object,
                        "what is there cannot be read: nothing of its organization is pruned"
                    );
                }
            }
            Err(crate::archive::Error::Cancelled) => {}
            Err(error) => {
                tracing::warn!(
                    error = chain(&error),
                    "the object store could not be pruned; it is tried again in a quarter of an hour"
                );
                told.pruned
                    .store(now - PRUNE_MS + AGAIN_MS, Ordering::SeqCst);
            }
        }
    }

    /// When the object store was last pruned by this process.
    #[cfg(test)]
    pub(super) fn pruned(&self) -> i64 {
        self.upkeep.told.pruned.load(Ordering::SeqCst)
    }
}
