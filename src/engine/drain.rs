//! Counting who is inside: the gate of a head or a lease that is shut and drained, and the readers' epoch of a pool.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{
    Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
};

/// Locks; a thread that panicked while it held the lock left the data whole (no lock here guards a half-done change).
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// As [`lock`], shared.
pub(crate) fn read<T: ?Sized>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

/// As [`lock`], alone.
pub(crate) fn write<T: ?Sized>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

const SHUT: u64 = 1 << 63;

/// A door that counts who is inside, can be shut once, and then waits until they have left.
#[derive(Debug, Default)]
pub(crate) struct Drain {
    state: AtomicU64,
    quiet: Mutex<()>,
    left: Condvar,
}

/// One who is inside; leaves when dropped.
#[derive(Debug)]
pub(crate) struct Inside<'a>(&'a Drain);

impl Drain {
    /// Goes in, unless the door is shut.
    pub(crate) fn enter(&self) -> Option<Inside<'_>> {
        let inside = Inside(self);
        // An entry that is refused leaves again through the guard's drop.
        (self.state.fetch_add(1, SeqCst) & SHUT == 0).then_some(inside)
    }

    /// Lets nobody in any more.
    pub(crate) fn shut(&self) {
        self.state.fetch_or(SHUT, SeqCst);
    }

    /// Waits until nobody is inside. Only after [`Drain::shut`], or it might wait for ever.
    pub(crate) fn wait(&self) {
        let mut guard = lock(&self.quiet);
        while self.state.load(SeqCst) & !SHUT != 0 {
            guard = self
                .left
                .wait(guard)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        let before = self.0.state.fetch_sub(1, SeqCst);
        if before == SHUT | 1 {
            // The lock makes sure that a waiter has either seen the new count or is already waiting.
            drop(lock(&self.0.quiet));
            self.0.left.notify_all();
        }
    }
}

/// The readers of a pool. A reader enters before it looks a block up and leaves after its last byte was read;
/// [`Epoch::wait`] returns when every reader that was inside at the call has left. New readers are never held up.
#[derive(Debug, Default)]
pub(crate) struct Epoch {
    now: AtomicUsize,
    inside: [AtomicUsize; 2],
    waiting: Mutex<()>,
    quiet: Mutex<()>,
    left: Condvar,
}

/// A reader inside; leaves when dropped.
#[derive(Debug)]
pub(crate) struct Reading<'a> {
    epoch: &'a Epoch,
    side: usize,
}

impl Epoch {
    /// Enters as a reader.
    pub(crate) fn enter(&self) -> Reading<'_> {
        loop {
            let now = self.now.load(SeqCst);
            self.side(now).fetch_add(1, SeqCst);
            let reading = Reading {
                epoch: self,
                side: now,
            };
            // Counted on a side that a waiter has just closed: leave it and count on the other.
            if self.now.load(SeqCst) == now {
                return reading;
            }
        }
    }

    /// Waits for every reader that is inside now.
    pub(crate) fn wait(&self) {
        // One waiter at a time: the side that is opened here was emptied by the waiter before.
        let _alone = lock(&self.waiting);
        let closed = self.now.fetch_add(1, SeqCst);
        let mut guard = lock(&self.quiet);
        while self.side(closed).load(SeqCst) != 0 {
            guard = self
                .left
                .wait(guard)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn side(&self, epoch: usize) -> &AtomicUsize {
        let [even, odd] = &self.inside;
        if epoch.is_multiple_of(2) { even } else { odd }
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        let epoch = self.epoch;
        let last = epoch.side(self.side).fetch_sub(1, SeqCst) == 1;
        if last && epoch.now.load(SeqCst) != self.side {
            drop(lock(&epoch.quiet));
            epoch.left.notify_all();
        }
    }
}
