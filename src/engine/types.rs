//! What the pool is told and what it tells.

use crate::domain::id::{CheckpointId, VolumeId};
use crate::engine::remote::Filling;
use crate::engine::standing::Pass;
use std::time::Duration;

/// How to open a pool.
#[derive(Debug, Clone)]
pub struct PoolOptions {
    /// Bytes of data that the pool may hold; writers get "no space" above it. None: what the file system has.
    pub limit: Option<u64>,
    /// Bytes kept back, really written, for deleting and finishing when the file system is full. None: 64 MiB, or 1 %
    /// of the file system if that is less.
    pub reserve: Option<u64>,
    /// Whether a thread reclaims room after deletions. Without it, call [`crate::engine::Pool::reclaim`].
    pub background: bool,
    /// How many files of sealed layers stay open at a time.
    pub open_files: usize,
    /// How many volumes stay open that nobody leases.
    pub idle_volumes: usize,
    /// How long a read or a write waits for blocks that live elsewhere while their store is out of reach; after that it
    /// fails.
    pub remote_patience: Duration,
}

impl Default for PoolOptions {
    fn default() -> Self {
        Self {
            limit: None,
            reserve: None,
            background: true,
            open_files: 256,
            idle_volumes: 64,
            remote_patience: Duration::from_secs(300),
        }
    }
}

/// A volume, as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeInfo {
    /// Which.
    pub id: VolumeId,
    /// Size in bytes.
    pub size: u64,
    /// Bytes in the pool that it would read as data: what a full copy of it would carry, once it is whole.
    pub written: u64,
    /// It was made from a source that has not come wholly yet.
    pub filling: Option<Filling>,
    /// A sync of its files failed: no flush is reported as good until it is rolled back or repaired.
    pub poisoned: bool,
    /// Whether somebody holds its lease.
    pub leased: bool,
}

/// A checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointInfo {
    /// Which.
    pub id: CheckpointId,
    /// The volume whose state it is (which may be gone).
    pub volume: VolumeId,
    /// Size in bytes.
    pub size: u64,
    /// It is only a base for differences any more; it cannot be read.
    pub retired: bool,
}

/// Room, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Of the file system, or the pool's limit if that is less.
    pub total: u64,
    /// What writers can still have.
    pub free: u64,
    /// What the pool's data takes, as far as this process knows; exact after each pass of reclaim.
    pub used: u64,
    /// What is kept back for deleting and finishing; 0 while it is given up.
    pub reserve: u64,
}

/// How a pool stands, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The file system that carries it; none: one that has no name here.
    pub file_system: Option<&'static str>,
    /// Volumes.
    pub volumes: usize,
    /// Bytes that they could hold together if all of them were written.
    pub promised: u64,
    /// Layers of all of them.
    pub layers: usize,
    /// Layers that take writes.
    pub open_layers: usize,
    /// Layers whose content still comes from elsewhere.
    pub filling: usize,
    /// Checkpoints that can be read.
    pub checkpoints: usize,
    /// Checkpoints that are only bases for differences any more.
    pub bases: usize,
    /// Checkpoints that are made and not sealed yet.
    pub unsealed: usize,
    /// Volumes of which a sync failed.
    pub poisoned: usize,
    /// Volumes that could not be opened for damage, since the pool was opened.
    pub damaged: usize,
    /// The last pass of reclaim of this process.
    pub last_pass: Option<Pass>,
}

/// Something that keeps data in the pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reference {
    /// A volume (its present state, not its checkpoints).
    Volume(VolumeId),
    /// A checkpoint.
    Checkpoint(CheckpointId),
}

/// What a pass of reclaim did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reclaimed {
    /// Bytes of data given back to the file system.
    pub bytes: u64,
    /// Layers that are gone.
    pub layers: u64,
}

/// Something that `check` found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The file, from the pool's folder.
    pub file: String,
    /// Where in it, in bytes.
    pub offset: u64,
    /// What is wrong, as a sentence.
    pub what: String,
    /// Whether data is affected; if not, only room is wasted and the next pass of reclaim mends it.
    pub damage: bool,
}
