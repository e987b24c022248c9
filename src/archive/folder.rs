//! The local folder: the one place that knows that a store can be a folder.
//!
//! ```text
//! <dir>/lock      locked for as long as a process has the archive open
//! <dir>/objects   the bucket
//! ```
//!
//! A folder that this data folder has used, and that is not there now, is not made anew: see `identity`.

mod objects;

use super::error::Error;
use super::identity::Identity;
use super::store::Settle;
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use objects::Objects;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// An opened folder.
pub struct Folder {
    pub store: Arc<dyn ObjectStore>,
    /// Makes removals durable, which `LocalFileSystem` leaves to the next write.
    pub settle: Arc<Settle>,
    pub lock: File,
}

pub fn open(dir: &Path, identity: Option<&Identity>) -> Result<Folder, Error> {
    let at = |path: &Path, operation: &'static str| {
        let path = path.to_owned();
        move |source| Error::Folder {
            path,
            operation,
            source,
        }
    };
    let objects = dir.join("objects");
    if let Some(identity) = identity {
        identity.before_opening(&objects)?;
    }
    // Readable by nobody else: what the first versions wrote is not sealed, and its key lies beside it.
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&objects)
        .map_err(at(&objects, "it cannot be made"))?;
    let lock_path = dir.join("lock");
    let lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&lock_path)
        .map_err(at(&lock_path, "its lock file cannot be opened"))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(Error::Locked {
                path: dir.to_owned(),
            });
        }
        Err(TryLockError::Error(source)) => {
            return Err(at(&lock_path, "its lock file cannot be locked")(source));
        }
    }
    // A folder that cannot be written should say so now, not at the end of the first save.
    let probe = dir.join(".probe");
    File::create(&probe)
        .and_then(|_| fs::remove_file(&probe))
        .map_err(at(dir, "it cannot be written"))?;
    remove_temporaries(&objects).map_err(at(
        &objects,
        "what interrupted writes have left cannot be removed",
    ))?;
    for made in [&objects, &dir.to_owned()] {
        sync(made).map_err(at(made, "it cannot be synced"))?;
    }
    let store = LocalFileSystem::new_with_prefix(&objects)
        .map_err(|error| Error::from_store("opening", &object_store::path::Path::default(), error))?
        .with_fsync(true);
    let settle = move |name: &object_store::path::Path| {
        let mut path = PathBuf::from(&objects);
        path.extend(name.parts().map(|part| part.as_ref().to_owned()));
        let folder = path.parent().unwrap_or(&objects);
        sync(folder).map_err(|source| Error::Folder {
            path: folder.to_owned(),
            operation: "a removal cannot be made durable",
            source,
        })
    };
    Ok(Folder {
        store: Arc::new(Objects::new(store)),
        settle: Arc::new(settle),
        lock,
    })
}

fn sync(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Removes the files that `LocalFileSystem` writes before it gives them their names: `<name>#<number>`.
fn remove_temporaries(objects: &Path) -> std::io::Result<()> {
    for organization in fs::read_dir(objects)? {
        let organization = organization?;
        if !organization.file_type()?.is_dir() {
            continue;
        }
        for kind in fs::read_dir(organization.path())? {
            let kind = kind?;
            if !kind.file_type()?.is_dir() {
                continue;
            }
            for file in fs::read_dir(kind.path())? {
                let file = file?;
                let name = file.file_name();
                let number = name
                    .to_str()
                    .and_then(|name| name.rsplit_once('#'))
                    .map(|(_, number)| number);
                if number.is_some_and(|number| {
                    !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
                }) {
                    fs::remove_file(file.path())?;
                }
            }
        }
    }
    Ok(())
}
