//! What the rest of the house sees of a disk: bytes at offsets, flush, trim.
//!
//! `nbd` serves any [`BlockDevice`]; `archive` reads one to save it and writes one to restore it. Calls block the
//! calling thread: use them from a thread that may wait.

use std::ops::Range;

/// The engine's unit of presence and of copy-on-write, in bytes.
pub const BLOCK_SIZE: u64 = 4096;

/// Why an access was refused or failed. One small closed list, because a guest can be told no more than this.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// The range ends beyond the device.
    #[error("bytes {offset}..{} are beyond the end of the device ({size} bytes)", offset.saturating_add(*length))]
    OutOfRange {
        /// First byte asked for.
        offset: u64,
        /// Number of bytes asked for.
        length: u64,
        /// Size of the device in bytes.
        size: u64,
    },
    /// The device can only be read.
    #[error("the device is read-only")]
    ReadOnly,
    /// The pool has no room left for this write; nothing that was acknowledged is affected.
    #[error("no space left in the pool")]
    NoSpace,
    /// The lease on the volume was revoked (rollback, detach, stop): the request was not executed.
    #[error("the lease on the volume was revoked")]
    Revoked,
    /// Zeroes were asked for only if that is fast, and it is not.
    #[error("zeroing would not be fast here")]
    NotFast,
    /// The disk failed, or data on it is damaged; `context` says where.
    #[error("{context}")]
    Io {
        /// What was being done, with file and offset.
        context: String,
        /// The system's own error, where there is one.
        #[source]
        source: Option<std::io::Error>,
    },
}

/// What a range of a device holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allocation {
    /// Bytes that were written.
    Data,
    /// Explicit zeroes: they hide what lies below.
    Zero,
    /// Never written (or trimmed to nothing): reads as zero.
    Hole,
}

/// A run of bytes of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extent {
    /// The bytes, from the start of the device.
    pub range: Range<u64>,
    /// What they are.
    pub allocation: Allocation,
}

/// How zeroes are to be written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ZeroOptions {
    /// On stable storage before the call returns (NBD_CMD_FLAG_FUA).
    pub fua: bool,
    /// Keep the room allocated (NBD_CMD_FLAG_NO_HOLE).
    pub no_hole: bool,
    /// Fail with [`DeviceError::NotFast`] rather than write zeroes out one by one (NBD_CMD_FLAG_FAST_ZERO).
    pub fast_only: bool,
}

/// A disk. Offsets and lengths are bytes and need no alignment; an empty range does nothing.
///
/// Methods may be called from many threads at once. Two overlapping writes that run at the same time land in one order
/// or the other for each block.
pub trait BlockDevice: Send + Sync {
    /// Size in bytes, a multiple of [`BLOCK_SIZE`].
    fn size(&self) -> u64;

    /// Whether writes are refused.
    fn read_only(&self) -> bool;

    /// Fills `buffer` with the bytes at `offset`.
    ///
    /// # Errors
    /// [`DeviceError::OutOfRange`], [`DeviceError::Revoked`], [`DeviceError::Io`].
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), DeviceError>;

    /// Writes `data` at `offset`; with `fua`, it is on stable storage when the call returns.
    ///
    /// # Errors
    /// All of [`DeviceError`] but `NotFast`.
    fn write_at(&self, offset: u64, data: &[u8], fua: bool) -> Result<(), DeviceError>;

    /// Everything acknowledged before this call began is on stable storage when it returns.
    ///
    /// # Errors
    /// [`DeviceError::Revoked`], [`DeviceError::Io`] (also for every later flush of a poisoned volume).
    fn flush(&self) -> Result<(), DeviceError>;

    /// Gives up the whole blocks inside the range; they read as zero afterwards. Edges are left as they are.
    ///
    /// # Errors
    /// As for [`BlockDevice::write_at`].
    fn trim(&self, offset: u64, length: u64, fua: bool) -> Result<(), DeviceError>;

    /// Makes the range read as zero, edges included.
    ///
    /// # Errors
    /// All of [`DeviceError`].
    fn write_zeroes(
        &self,
        offset: u64,
        length: u64,
        options: ZeroOptions,
    ) -> Result<(), DeviceError>;

    /// What the range holds, in order, without gaps, adjacent runs of one kind joined. It may stop early after at
    /// least one extent (a limit on the answer's length); the caller asks again from where it stopped.
    ///
    /// # Errors
    /// [`DeviceError::OutOfRange`], [`DeviceError::Revoked`], [`DeviceError::Io`].
    fn extents(&self, offset: u64, length: u64) -> Result<Vec<Extent>, DeviceError>;
}
