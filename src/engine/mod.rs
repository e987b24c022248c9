//! The copy-on-write block store (DESIGN: a volume is a stack of layers).

pub mod block;
mod blockset;
mod drain;
mod error;
mod format;
mod maps;
mod pool;
mod storage;
mod types;

pub use blockset::BlockSet;
pub use error::{Error, Result};
pub use pool::{CheckpointDevice, Lease, Pool};
pub use types::{CheckpointInfo, Finding, PoolOptions, Reclaimed, Reference, Space, VolumeInfo};
