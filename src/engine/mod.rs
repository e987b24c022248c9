//! The copy-on-write block store: volumes, their checkpoints, and the room they take, in one plain folder.
//!
//! A volume's content is a stack of **layers**. A layer is a sparse file in which block *n* (4 KiB) stands at byte
//! *n* × 4096, and two bitmaps: the blocks it holds as data, and those it holds as zeros. The top layer, the **head**,
//! is open; all below are **sealed** and never change. A read takes each block from the topmost layer that holds it; a
//! block that none holds is zero. A write goes into the head at its own place.
//!
//! # The folder
//! ```text
//! lock                      locked for life: one process a pool
//! pool.db                   SQLite: layers, volumes, checkpoints                              (catalog)
//! reserve                   room kept back, really written, for deleting and finishing        (core)
//! layers/<id>.data          a layer's blocks
//! layers/<id>.<gen>.map     a sealed layer's bitmaps; never changed, only succeeded           (maps: the bytes)
//! layers/<id>.log           an open layer's newly present blocks, and marks                   (record: the bytes)
//! layers/*.tmp              not finished; removed at the next opening
//! set-aside/                what `repair` could not place
//! ```
//! Format version 0 in every header (1 in the log of a layer that has a source), 1 in `pool.db`. All numbers are
//! little-endian.
//!
//! # Content that lives elsewhere
//! A volume can be made from a *source*, a snapshot in an object store, and used at once. At the bottom of its stack then
//! stands a third kind of layer, *remote*: open, because its log says what has come, and shared, because clones stand on
//! it. A block that it lacks is not zero but asked for. Nothing in it is the only copy of anything until all that the
//! layers above need has come; then it is sealed into an ordinary layer, and the source is released.
//!
//! # The files of this room, from the bottom up
//! - `block` what others see of a disk; `types`, `error`, `blockset` what they are told.
//! - `passing` writes that do not fill the page cache; `storage` what is asked of a file system; `format`, `maps`, `record` the bytes of names, maps and logs; `catalog` the
//!   rows.
//! - `drain` doors and epochs; `layer` bitmaps and file of one layer; `log` an open log; `head` an open layer: record,
//!   flush, poison; `core` what all parts share; `content` reading through a stack.
//! - `remote` what is asked of a source; `fetch` a layer that has one; `bottom` all of them in a pool.
//! - `volume` writing and reading one; `lease` the two doors for bytes; `inner` which volumes are open.
//! - `moment` the instant of a checkpoint, chosen by others.
//! - `open`, `checkpoint`, `place` (create, clone, roll back, delete), `fill`, `reclaim`, `ledger`, `check`, `repair`: the
//!   acts.
//!   `tree` is the algebra that reclaim and the ledger stand on. `pool` is the way in.
//!
//! # What may never be untrue
//! 1. A write is answered only when the records of all its blocks are in the log, its own or another writer's. A block's
//!    presence bit is set after its record is in.
//! 2. A mark that names *n* is written only after the data of all records below *n* was synced. A flush is answered only
//!    when a mark over all records before it has itself been synced, in each unsealed layer, oldest first.
//! 3. A log that a life before has written is read, never appended to.
//! 4. A sealed layer's needed blocks never change. A block is punched only after the commit that took it out of the map,
//!    and after every read that began before has ended.
//! 5. Of an unsealed layer only what is under a synced mark makes a block below it unneeded.
//! 6. A checkpoint exists if and only if its row is committed.
//! 7. What cannot be read as written is named with file and offset, and not served.
//! 8. A block of a remote layer that no counted record names is fetched, never taken for zeros; and a source is released
//!    only after the commit that seals or drops its layer, and after every read that began before has ended.
//!
//! # What happens on a crash
//! *The process dies*: the page cache has every record and its data. The next use of each volume counts all whole
//! records, and nothing acknowledged is lost. *The machine dies*: only records under the furthest mark count; of what was
//! not flushed each sector is old or new. Which of the two it was is told by boot id, device and file system, and by
//! whether the recorded data is there. Checkpoints without a committed row are gone; their call failed, or says so when
//! it is made again. Files without a row are removed at opening; room that was to be given back is found by the first pass
//! of reclaim. A failed sync **poisons** its volume: no flush is reported as good, in this life and later ones, until it
//! is rolled back or repaired.
//!
//! # Not here yet
//! Folding of deep stacks, the packed lookup table, and data carried inside the log. A read's cost grows with the number of
//! layers in which the block is not found, one lookup in memory each.

pub mod block;
mod blockset;
mod bottom;
mod catalog;
mod changed;
mod check;
mod checkpoint;
mod content;
mod core;
mod drain;
mod error;
mod fetch;
mod fill;
mod format;
mod head;
mod inner;
mod layer;
mod lease;
mod ledger;
mod log;
mod maps;
mod moment;
mod open;
pub mod passing;
mod place;
mod pool;
mod reclaim;
mod record;
mod remote;
mod repair;
mod standing;
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
pub use moment::OWN_FLUSH;
pub use pool::Pool;
pub use remote::{Filled, Filling, RemoteError, RemoteId, RemoteRun, RemoteSource, RemoteSources};
pub use standing::Pass;
pub use types::{
    CheckpointInfo, Finding, PoolOptions, Reclaimed, Reference, Space, Standing, VolumeInfo,
};
