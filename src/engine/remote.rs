//! What the engine asks of a place where a volume's first content lives until it has come here: one snapshot in an object
//! store, read chunk by chunk. `archive` answers; the engine knows nothing of stores.
//!
//! # What must be true of an answer
//! - The bytes are proved before they are given: the engine writes them down and never asks again.
//! - The same chunk always has the same bytes, for as long as the source is not released, whatever is deleted elsewhere.
//! - A source that was not released can be opened again in every later life of the process.

use std::fmt;
use std::sync::Arc;

/// The name of a source, as it stands in `pool.db` and in a log's header: at most [`RemoteId::MOST`] bytes whose meaning
/// is the business of who gave them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RemoteId {
    length: u8,
    bytes: [u8; Self::MOST],
}

impl RemoteId {
    /// The longest name, in bytes.
    pub const MOST: usize = 64;

    /// A name of these bytes; none when they are too many, or none at all.
    #[must_use]
    pub fn new(name: &[u8]) -> Option<Self> {
        let length = u8::try_from(name.len()).ok().filter(|length| *length > 0)?;
        let mut bytes = [0; Self::MOST];
        bytes.get_mut(..name.len())?.copy_from_slice(name);
        Some(Self { length, bytes })
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes
            .get(..usize::from(self.length))
            .unwrap_or_default()
    }
}

impl fmt::Debug for RemoteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes()
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Why a source gave nothing.
#[derive(Debug, thiserror::Error)]
#[error("{context}")]
pub struct RemoteError {
    /// What was being done, with the object's name, and why it failed.
    pub context: String,
    /// Whether it would fail again until somebody does something (a damaged object, a refused key). What is not
    /// permanent is tried again for as long as the pool's options say.
    pub permanent: bool,
}

/// What stands at a chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RemoteRun {
    /// The content of one or more whole chunks, proved. The last chunk of a source is padded with zeros.
    Data(Vec<u8>),
    /// So many chunks are zeros, as far as is known without asking further; at least one.
    Zeros(u32),
}

/// A snapshot that can be read chunk by chunk. Calls block; they may come from many threads at once.
pub trait RemoteSource: Send + Sync {
    /// Size of the volume in bytes.
    fn size(&self) -> u64;

    /// Bytes of a chunk: a power of two, at least [`crate::engine::block::BLOCK_SIZE`].
    fn chunk_size(&self) -> u64;

    /// Bytes of its chunks that are not all zeros.
    fn data_bytes(&self) -> u64;

    /// What stands at chunk `first`, and at the chunks after it as far as they come along cheaply, up to `most` of data.
    /// `first` lies within the volume.
    ///
    /// # Errors
    /// [`RemoteError`]. Nothing of what could not be proved is given.
    fn read(&self, first: u32, most: u32) -> Result<RemoteRun, RemoteError>;
}

/// Finds sources by their names.
pub trait RemoteSources: Send + Sync {
    /// Opens a source, also again after a restart.
    ///
    /// # Errors
    /// [`RemoteError`].
    fn open(&self, id: &RemoteId) -> Result<Arc<dyn RemoteSource>, RemoteError>;

    /// The pool needs it no more. Called once the commit that says so is durable; a crash between the two leaves it, so
    /// who gave the name compares with [`crate::engine::Pool::sources`] now and then. Releasing twice is harmless.
    ///
    /// # Errors
    /// [`RemoteError`]; it is said in the log, and left to that comparison.
    fn release(&self, id: &RemoteId) -> Result<(), RemoteError>;
}

/// How far a fill is, in bytes of the volume: what still had to be looked at when it began, and how much of that is done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Filled {
    /// Bytes looked at: fetched, or found to be zeros.
    pub done: u64,
    /// Bytes in all.
    pub total: u64,
}

/// A volume that still fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filling {
    /// Where the rest comes from.
    pub source: RemoteId,
    /// Bytes of data that have come and are kept.
    pub present: u64,
}
