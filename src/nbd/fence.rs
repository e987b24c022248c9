//! The fence: a disk that holds nothing, and tells the instant at which a hypervisor has brought its guest to a stand.
//!
//! QEMU stops its processors, waits for all requests of the guest, and then flushes every disk before it goes on: for a
//! snapshot of the memory it runs on afterwards by itself. One more disk, attached to QEMU and to nothing that the guest
//! sees, gets such a flush too, the first of all where it was declared first. While that flush is not answered the guest
//! stands, its requests done: the moment for the disks' checkpoints.
//!
//! # What holds
//! - Only an [armed](Fence::arm) fence holds a flush, and one flush an arming: it is also flushed at any other stop of the
//!   machine (a pause, a disk's error, the end). Every other flush is answered at once, always with success: an error would
//!   leave the machine standing.
//! - Whether an arming took its flush or missed it is decided once. The same flush sent again, after a connection broke,
//!   waits as the first one does, or is answered as it was.
//! - A flush is held for [`HOLD`] at most, whatever becomes of who armed the fence. [`Window::run`] acts only while it is
//!   held, and holds it until the act is done: what is done in it was done while the guest stood.
//!
//! # A crash
//! Nothing is kept. A hypervisor whose server died while it held a flush sends it to the next one, whose fence is not armed.

use crate::engine::block::{Allocation, BLOCK_SIZE, BlockDevice, DeviceError, Extent, ZeroOptions};
use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// For how long a guest is kept standing at most, by a server that does not come to its end.
pub const HOLD: Duration = Duration::from_secs(2);

/// The fence of one instance. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Fence {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// [`HOLD`].
    hold: Duration,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Armings so far. The number of one is its nonce.
    armings: u64,
    phase: Phase,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Flushes pass.
    #[default]
    Open,
    /// The next flush is held, if it comes in time.
    Armed { until: Instant },
    /// A flush waits. `given`: somebody has its window.
    Held { until: Instant, given: bool },
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a flush of this arming is being held, in a state that somebody has locked.
    fn holds(state: &State, arming: u64) -> bool {
        state.armings == arming
            && matches!(state.phase, Phase::Held { until, .. } if Instant::now() < until)
    }

    /// Lets everybody pass, if this is still the arming.
    fn open(&self, arming: u64) {
        let mut state = self.state();
        if state.armings == arming {
            state.phase = Phase::Open;
            self.changed.notify_all();
        }
    }

    /// A flush has come; returns when it is to be answered.
    fn flush(&self) {
        let mut state = self.state();
        if let Phase::Armed { until } = state.phase {
            let now = Instant::now();
            state.phase = if now < until {
                Phase::Held {
                    until: now + self.hold,
                    given: false,
                }
            } else {
                Phase::Open
            };
            self.changed.notify_all();
        }
        let arming = state.armings;
        while let Phase::Held { until, .. } = state.phase
            && state.armings == arming
        {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                tracing::warn!("a guest was kept standing for as long as it may be, and goes on");
                state.phase = Phase::Open;
                self.changed.notify_all();
                return;
            }
            state = self
                .changed
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}

/// The fence waits for a flush already, or holds one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the fence is armed already")]
pub struct AlreadyArmed;

impl Default for Fence {
    fn default() -> Self {
        Self::new()
    }
}

impl Fence {
    /// A fence that is not armed.
    #[must_use]
    pub fn new() -> Self {
        Self::holding(HOLD)
    }

    /// A fence that holds a flush for so long at most.
    pub(super) fn holding(hold: Duration) -> Self {
        Self {
            shared: Arc::new(Shared {
                hold,
                state: Mutex::default(),
                changed: Condvar::new(),
            }),
        }
    }

    /// The disk to be offered to the hypervisor: one block that reads as zeros and swallows what is written.
    #[must_use]
    pub fn device(&self) -> Arc<dyn BlockDevice> {
        Arc::new(Device(Arc::clone(&self.shared)))
    }

    /// Has the next flush held, if it comes within `deadline`. Say that the machine is to stop only after this returned.
    ///
    /// # Errors
    /// [`AlreadyArmed`].
    pub fn arm(&self, deadline: Duration) -> Result<Armed, AlreadyArmed> {
        let mut state = self.shared.state();
        let now = Instant::now();
        match state.phase {
            Phase::Armed { until } | Phase::Held { until, .. } if now < until => {
                return Err(AlreadyArmed);
            }
            _ => {}
        }
        state.armings += 1;
        state.phase = Phase::Armed {
            until: now + deadline,
        };
        let arming = state.armings;
        drop(state);
        // Those who still wait for an earlier arming see that it is over.
        self.shared.changed.notify_all();
        Ok(Armed {
            shared: Arc::clone(&self.shared),
            arming,
        })
    }
}

/// An armed fence. Dropped, it is not any more.
#[derive(Debug)]
#[must_use = "dropped, the fence is not armed any more"]
pub struct Armed {
    shared: Arc<Shared>,
    arming: u64,
}

impl Armed {
    /// Waits for the flush. None when it did not come before the deadline, or when its window was had already; from then
    /// on every flush passes.
    #[must_use]
    pub fn wait(&self) -> Option<Window> {
        let mut state = self.shared.state();
        loop {
            if state.armings != self.arming {
                return None;
            }
            let now = Instant::now();
            let left = match &mut state.phase {
                Phase::Held { until, given } if !*given && now < *until => {
                    *given = true;
                    return Some(Window {
                        shared: Arc::clone(&self.shared),
                        arming: self.arming,
                    });
                }
                Phase::Open | Phase::Held { .. } => return None,
                Phase::Armed { until } => until.saturating_duration_since(now),
            };
            if left.is_zero() {
                state.phase = Phase::Open;
                return None;
            }
            state = self
                .shared
                .changed
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Waits for the flush, acts while the guest stands, and lets it go on; whether that came to be. This is what
    /// `Pool::checkpoint_at` wants as its moment.
    #[must_use]
    pub fn at_the_stop<T>(&self, act: impl FnOnce() -> T) -> bool {
        self.wait().is_some_and(|window| window.run(act).is_some())
    }
}

impl Drop for Armed {
    fn drop(&mut self) {
        let taken = matches!(self.shared.state().phase, Phase::Held { given: true, .. });
        if !taken {
            self.shared.open(self.arming);
        }
    }
}

/// The guest stands, with all its requests done. Dropped, it goes on.
#[derive(Debug)]
#[must_use = "dropped, the guest goes on"]
pub struct Window {
    shared: Arc<Shared>,
    arming: u64,
}

impl Window {
    /// Acts while the guest certainly stands: it does not go on before `act` has returned. None, and nothing is done, when
    /// it has gone on already because this came too late. `act` must be short, and ask nothing of the hypervisor.
    pub fn run<T>(&self, act: impl FnOnce() -> T) -> Option<T> {
        // The flush can be answered only by who has this lock.
        let state = self.shared.state();
        Shared::holds(&state, self.arming).then(act)
    }

    /// Answers the flush: the guest goes on.
    pub fn release(self) {}
}

impl Drop for Window {
    fn drop(&mut self) {
        self.shared.open(self.arming);
    }
}

/// What the hypervisor sees.
struct Device(Arc<Shared>);

fn check(offset: u64, length: u64) -> Result<(), DeviceError> {
    match offset.checked_add(length) {
        Some(end) if end <= BLOCK_SIZE => Ok(()),
        _ => Err(DeviceError::OutOfRange {
            offset,
            length,
            size: BLOCK_SIZE,
        }),
    }
}

impl BlockDevice for Device {
    fn size(&self) -> u64 {
        BLOCK_SIZE
    }

    /// One that cannot be written is not flushed.
    fn read_only(&self) -> bool {
        false
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), DeviceError> {
        check(offset, buffer.len() as u64)?;
        buffer.fill(0);
        Ok(())
    }

    /// Nothing is kept, so there is nothing that a FUA would have to wait for.
    fn write_at(&self, offset: u64, data: &[u8], _fua: bool) -> Result<(), DeviceError> {
        check(offset, data.len() as u64)
    }

    fn flush(&self) -> Result<(), DeviceError> {
        self.0.flush();
        Ok(())
    }

    fn trim(&self, offset: u64, length: u64, _fua: bool) -> Result<(), DeviceError> {
        check(offset, length)
    }

    fn write_zeroes(
        &self,
        offset: u64,
        length: u64,
        _options: ZeroOptions,
    ) -> Result<(), DeviceError> {
        check(offset, length)
    }

    fn extents(&self, offset: u64, length: u64) -> Result<Vec<Extent>, DeviceError> {
        check(offset, length)?;
        let all = Extent {
            range: offset..offset + length,
            allocation: Allocation::Hole,
        };
        Ok((length > 0).then_some(all).into_iter().collect())
    }
}
