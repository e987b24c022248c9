//! The copy-on-write block store (DESIGN: a volume is a stack of layers).

pub mod block;
mod blockset;
mod catalog;
mod changed;
mod check;
mod checkpoint;
mod content;
mod core;
mod drain;
mod error;
mod format;
mod head;
mod inner;
mod layer;
mod lease;
mod log;
mod maps;
mod open;
mod pool;
mod reclaim;
mod repair;
mod storage;
mod tree;
mod types;
mod volume;

#[cfg(test)]
mod tests;

pub use blockset::BlockSet;
pub use error::{Error, Result};
pub use format::VERSION as FORMAT_VERSION;
pub use lease::{CheckpointDevice, Lease};
pub use pool::Pool;
pub use types::{CheckpointInfo, Finding, PoolOptions, Reclaimed, Reference, Space, VolumeInfo};
