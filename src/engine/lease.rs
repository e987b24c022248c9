//! The two doors to a pool's bytes: the lease, which writes a volume, and the open checkpoint, which is only read.

use crate::domain::id::CheckpointId;
use crate::engine::block::{BLOCK_SIZE, BlockDevice, DeviceError, Extent, ZeroOptions};
use crate::engine::content::{self, check_range, inside};
use crate::engine::drain::{Drain, Inside};
use crate::engine::fetch::{Loose, Patience};
use crate::engine::format::LayerId;
use crate::engine::inner::Inner;
use crate::engine::layer::Layer;
use crate::engine::volume::Volume;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The right to read and write a volume; one at a time. Ends when it is dropped, or revoked.
///
/// Every request counts as inside while it runs. [`Lease::revoke`] shuts the door and waits until nobody is inside:
/// after it no request of this lease, however late, touches the volume.
pub struct Lease {
    volume: Arc<Volume>,
    /// The pool stays open, and locked, while anybody can write.
    _pool: Arc<Inner>,
    door: Drain,
    revoked: AtomicBool,
}

impl std::fmt::Debug for Lease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lease")
            .field("volume", &self.volume.id)
            .finish_non_exhaustive()
    }
}

impl Lease {
    pub(crate) fn new(pool: Arc<Inner>, volume: Arc<Volume>) -> Self {
        volume.leaving.store(false, Ordering::SeqCst);
        Self {
            volume,
            _pool: pool,
            door: Drain::default(),
            revoked: AtomicBool::new(false),
        }
    }

    /// The volume's id.
    #[must_use]
    pub fn volume(&self) -> crate::domain::id::VolumeId {
        self.volume.id
    }

    /// Ends the lease: requests that run now end first, later ones fail with [`DeviceError::Revoked`].
    pub fn revoke(&self) {
        self.door.shut();
        self.volume.leaving.store(true, Ordering::SeqCst);
        self.door.wait();
        self.revoked.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_revoked(&self) -> bool {
        self.revoked.load(Ordering::SeqCst)
    }

    fn enter(&self) -> Result<Inside<'_>, DeviceError> {
        self.door.enter().ok_or(DeviceError::Revoked)
    }
}

impl BlockDevice for Lease {
    fn size(&self) -> u64 {
        self.volume.size
    }

    fn read_only(&self) -> bool {
        false
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), DeviceError> {
        let _inside = self.enter()?;
        check_range(offset, buffer.len() as u64, self.volume.size)?;
        Ok(self.volume.read(offset, buffer)?)
    }

    fn write_at(&self, offset: u64, data: &[u8], fua: bool) -> Result<(), DeviceError> {
        let _inside = self.enter()?;
        check_range(offset, data.len() as u64, self.volume.size)?;
        Ok(self.volume.write(offset, data, fua)?)
    }

    fn flush(&self) -> Result<(), DeviceError> {
        let _inside = self.enter()?;
        Ok(self.volume.flush()?)
    }

    fn trim(&self, offset: u64, length: u64, fua: bool) -> Result<(), DeviceError> {
        let _inside = self.enter()?;
        check_range(offset, length, self.volume.size)?;
        let blocks = inside(offset, length);
        if blocks.is_empty() {
            Ok(())
        } else {
            Ok(self.volume.zero_blocks(blocks, fua)?)
        }
    }

    fn write_zeroes(
        &self,
        offset: u64,
        length: u64,
        options: ZeroOptions,
    ) -> Result<(), DeviceError> {
        let _inside = self.enter()?;
        check_range(offset, length, self.volume.size)?;
        let end = offset + length;
        if options.no_hole && options.fast_only && length > 0 {
            return Err(DeviceError::NotFast);
        }
        let blocks = inside(offset, length);
        let (start, stop) = if options.no_hole || blocks.is_empty() {
            (end, end)
        } else {
            (
                u64::from(blocks.start) * BLOCK_SIZE,
                u64::from(blocks.end) * BLOCK_SIZE,
            )
        };
        write_out(&self.volume, offset, start, options.fua)?;
        if start < stop {
            self.volume.zero_blocks(blocks, options.fua)?;
        }
        write_out(&self.volume, stop, end, options.fua)
    }

    fn extents(&self, offset: u64, length: u64) -> Result<Vec<Extent>, DeviceError> {
        let _inside = self.enter()?;
        check_range(offset, length, self.volume.size)?;
        Ok(self.volume.extents(offset, length))
    }
}

/// Writes zeros as data: edges of blocks, and what must stay allocated.
fn write_out(volume: &Volume, from: u64, to: u64, fua: bool) -> Result<(), DeviceError> {
    const PIECE: u64 = 1 << 20;
    let mut at = from;
    while at < to {
        let count = (to - at).min(PIECE);
        let zeros = vec![0; usize::try_from(count).unwrap_or(0)];
        volume.write(at, &zeros, fua && at + count == to)?;
        at += count;
    }
    Ok(())
}

/// A checkpoint opened for reading. It keeps its data in the pool while it is open, even if it is deleted meanwhile.
pub struct CheckpointDevice {
    pub(crate) id: CheckpointId,
    pub(crate) size: u64,
    pub(crate) inner: Arc<Inner>,
    pub(crate) pinned: LayerId,
    pub(crate) layers: Vec<Arc<Layer>>,
}

impl std::fmt::Debug for CheckpointDevice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CheckpointDevice")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl Drop for CheckpointDevice {
    fn drop(&mut self) {
        self.inner.core.unpin(self.pinned);
    }
}

impl BlockDevice for CheckpointDevice {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_only(&self) -> bool {
        true
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), DeviceError> {
        check_range(offset, buffer.len() as u64, self.size)?;
        if buffer.is_empty() {
            return Ok(());
        }
        let core = &self.inner.core;
        let mut loose = Loose::default();
        let length = buffer.len() as u64;
        let mut patience = Patience::new(core, None);
        content::bring(
            core,
            &self.layers,
            offset,
            length,
            &mut loose,
            &mut patience,
        )?;
        let _reading = core.epoch.enter();
        Ok(content::read(
            core,
            &self.layers,
            &mut loose,
            offset,
            buffer,
        )?)
    }

    fn write_at(&self, _offset: u64, _data: &[u8], _fua: bool) -> Result<(), DeviceError> {
        Err(DeviceError::ReadOnly)
    }

    fn flush(&self) -> Result<(), DeviceError> {
        Ok(())
    }

    fn trim(&self, _offset: u64, _length: u64, _fua: bool) -> Result<(), DeviceError> {
        Err(DeviceError::ReadOnly)
    }

    fn write_zeroes(
        &self,
        _offset: u64,
        _length: u64,
        _options: ZeroOptions,
    ) -> Result<(), DeviceError> {
        Err(DeviceError::ReadOnly)
    }

    fn extents(&self, offset: u64, length: u64) -> Result<Vec<Extent>, DeviceError> {
        check_range(offset, length, self.size)?;
        let _reading = self.inner.core.epoch.enter();
        Ok(if length == 0 {
            Vec::new()
        } else {
            content::extents(&self.layers, offset, length)
        })
    }
}
