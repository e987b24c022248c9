//! Sizes in bytes, and the limits that a volume's size must keep to.

use serde::{Deserialize, Serialize};

/// A number of bytes.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Bytes(pub u64);

/// One gibibyte in bytes.
pub const GIB: u64 = 1 << 30;
/// The smallest volume one can create, in GiB.
pub const MIN_VOLUME_GIB: u64 = 1;
/// The largest volume the engine accepts, in GiB (8 TiB).
pub const MAX_VOLUME_GIB: u64 = 8 * 1024;
/// Volumes are whole numbers of engine blocks.
pub const VOLUME_GRAIN: u64 = 4096;

impl Bytes {
    /// So many gibibytes; none when that does not fit.
    #[must_use]
    pub fn from_gib(gib: u64) -> Option<Self> {
        gib.checked_mul(GIB).map(Self)
    }

    /// The size of the volume that holds an image of this many bytes: rounded up to whole blocks.
    #[must_use]
    pub fn round_up_to_volume(self) -> Option<Self> {
        self.0
            .checked_next_multiple_of(VOLUME_GRAIN)
            .map(|size| Self(size.max(VOLUME_GRAIN)))
    }
}
