//! The master key of a data folder: what the organizations' secrets in the bucket are wrapped with.
//!
//! It is made at the first start, in a file of its own that only its owner may read, and never leaves the machine. Who
//! has the bucket and not this file, or the recovery kit, has nothing; so the file is written and read back before
//! anything is sealed, and is never replaced.
//!
//! ```text
//! <data>/keys/master, mode 0600, 96 bytes
//!   0  8  magic "REPRISEM"
//!   8  2  format version, 0
//!  10  6  zero
//!  16 16  id of the master key: names its wrapped copies in the bucket
//!  32 32  the key, random
//!  64 32  BLAKE3 of all above: tells damage
//! ```
//!
//! Crash story: the file is written under another name, synced, linked to its own name (which fails if it is there),
//! and the folder is synced. A process that dies before leaves a temporary, which the next start removes.

use super::error::Error;
use super::format::ObjectId;
use super::keys::Sealer;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

const MAGIC: &[u8; 8] = b"REPRISEM";
const LENGTH: usize = 96;
const NAME: &str = "master";
const TEMPORARY: &str = "master.new";

/// What wraps the organizations' secrets. Clones are the same key.
#[derive(Clone)]
pub struct MasterKey {
    id: ObjectId,
    sealer: Sealer,
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.id)
    }
}

impl MasterKey {
    /// The master key that stands in this folder, which is made, with a new key, when it is not there.
    ///
    /// # Errors
    /// [`Error::Folder`], [`Error::MasterKey`] when the file is damaged.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(NAME);
        match read(&path)? {
            Some(key) => Ok(key),
            None => {
                make(folder).map_err(|source| Error::Folder {
                    path: path.clone(),
                    operation: "the master key cannot be written",
                    source,
                })?;
                read(&path)?.ok_or_else(|| Error::MasterKey {
                    path,
                    what: "it is gone as soon as it was written",
                })
            }
        }
    }

    fn from_parts(id: ObjectId, key: &[u8; 32]) -> Self {
        Self {
            id,
            sealer: Sealer::new(key),
        }
    }

    /// A key of a test's own.
    #[cfg(test)]
    pub fn of_test(n: u8) -> Self {
        Self::of_test_named(n, n)
    }

    /// A key of a test's own, with another's id.
    #[cfg(test)]
    pub fn of_test_named(id: u8, key: u8) -> Self {
        Self::from_parts(ObjectId::from_bytes([id; 16]), &[key; 32])
    }

    pub(super) const fn id(&self) -> ObjectId {
        self.id
    }

    pub(super) const fn sealer(&self) -> &Sealer {
        &self.sealer
    }
}

fn read(path: &Path) -> Result<Option<MasterKey>, Error> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => {
            return Err(Error::Folder {
                path: path.to_owned(),
                operation: "the master key cannot be read",
                source,
            });
        }
    };
    parse(&bytes).map(Some).map_err(|what| Error::MasterKey {
        path: path.to_owned(),
        what,
    })
}

fn parse(bytes: &[u8]) -> Result<MasterKey, &'static str> {
    let bytes: &[u8; LENGTH] = bytes
        .try_into()
        .map_err(|_| "it is cut off, or not a master key")?;
    let (content, sum) = bytes.split_at(LENGTH - 32);
    if blake3::hash(content).as_bytes() != sum {
        return Err("it is damaged: its checksum does not fit");
    }
    if &content[..8] != MAGIC || content[8..16] != [0; 8] {
        return Err("it is of a kind that this program does not know");
    }
    let (mut id, mut key) = ([0; 16], [0; 32]);
    id.copy_from_slice(&content[16..32]);
    key.copy_from_slice(&content[32..]);
    Ok(MasterKey::from_parts(ObjectId::from_bytes(id), &key))
}

fn make(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    let mut bytes = Vec::with_capacity(LENGTH);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&[0; 8]);
    bytes.extend_from_slice(&ObjectId::new().to_bytes());
    bytes.extend_from_slice(&rand::random::<[u8; 32]>());
    let sum = blake3::hash(&bytes);
    bytes.extend_from_slice(sum.as_bytes());

    let temporary = folder.join(TEMPORARY);
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    // A link, not a rename: a key that another process has made meanwhile is not replaced.
    let linked = fs::hard_link(&temporary, folder.join(NAME));
    fs::remove_file(&temporary)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    File::open(folder)?.sync_all()?;
    // The folder's own name, too, must be there after a power cut.
    match folder.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
        _ => Ok(()),
    }
}
