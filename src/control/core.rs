//! What the use cases and the long work share.

use super::Clock;
use super::error::{About, Error, explain};
use super::guests::Guests;
use super::kit::Kits;
use super::live::Live;
use super::operating::StoreLook;
use super::stock::Stock;
use super::upkeep::Upkeep;
use super::verification::Proofs;
use super::zones::{LOCK_PAUSE, LOCK_TRIES, Zones};
use crate::archive::{self, Archive, ArchiveOptions, StoreConfig};
use crate::catalog::Catalog;
use crate::domain::fault::Fault;
use crate::domain::id::{InstanceId, JobId, OrganizationId, ZoneId};
use crate::view::Change;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Everything one region's control plane works with.
pub(super) struct Core {
    pub catalog: Catalog,
    pub clock: Arc<dyn Clock>,
    pub region: String,
    pub folders: Folders,
    pub zones: Zones,
    pub archive: Arc<ArchiveDoor>,
    pub upkeep: Upkeep,
    pub live: Live,
    pub guests: Guests,
    pub proofs: Proofs,
    pub stock: Stock,
    pub kits: Kits,
    pub store_look: StoreLook,
    /// When the region was opened.
    pub opened: i64,
}

impl Core {
    pub fn now(&self) -> i64 {
        self.clock.now_ms()
    }

    /// What a user may know of an error that is about nothing in particular.
    pub fn fault(&self, error: Error) -> Fault {
        explain("answer", error, About::default()).into_fault()
    }

    /// Some long work changed, and with it what its object shows.
    pub fn work_changed(&self, organization: OrganizationId) {
        let all = [
            Change::Jobs,
            Change::Volumes,
            Change::Snapshots,
            Change::Activity,
            Change::Instances,
            Change::Points,
            Change::Templates,
        ];
        self.live.changed(organization, &all);
    }
}

/// Where things lie in the data folder.
pub(super) struct Folders {
    data: PathBuf,
}

/// The longest path of a unix socket that the kernel takes, with its closing zero (`unix(7)`).
const LONGEST_SOCKET: usize = 108;

impl Folders {
    pub fn make(data: &Path) -> Result<Self, Error> {
        let this = Self {
            data: data.to_owned(),
        };
        for folder in [
            this.data.clone(),
            this.uploads(),
            this.run(),
            this.data.join("zones"),
            this.data.join("instances"),
        ] {
            std::fs::create_dir_all(&folder).map_err(|source| Error::Io {
                operation: "make",
                path: folder.clone(),
                source,
            })?;
        }
        Ok(this)
    }

    pub fn catalog(&self) -> PathBuf {
        self.data.join("catalog.db")
    }

    pub fn pool(&self, zone: ZoneId) -> PathBuf {
        self.data.join("zones").join(zone.to_string()).join("pool")
    }

    /// The memory that the zone's recovery points keep.
    pub fn memory(&self, zone: ZoneId) -> PathBuf {
        self.data
            .join("zones")
            .join(zone.to_string())
            .join("memory")
    }

    /// What belongs to an instance's process: its sockets and its logs.
    pub fn instance(&self, instance: InstanceId) -> PathBuf {
        self.data.join("instances").join(instance.to_string())
    }

    /// The object store, where it is a folder here.
    pub fn archive(&self) -> PathBuf {
        self.data.join("archive")
    }

    /// The master key that the organizations' keys are wrapped with.
    pub fn keys(&self) -> PathBuf {
        self.data.join("keys")
    }

    pub fn uploads(&self) -> PathBuf {
        self.data.join("uploads")
    }

    /// The image that an import reads, under a name of our own.
    pub fn upload_of(&self, job: JobId) -> PathBuf {
        self.uploads().join(format!("{job}.image"))
    }

    pub fn run(&self) -> PathBuf {
        self.data.join("run")
    }

    /// A private socket for one import; in the system's folder for temporary files where ours is too deep.
    pub fn import_socket(&self, job: JobId) -> PathBuf {
        let id = job.to_string();
        let name = format!(
            "import-{}.sock",
            id.get(id.len().saturating_sub(12)..).unwrap_or(&id)
        );
        let path = self.run().join(&name);
        if path.as_os_str().len() < LONGEST_SOCKET {
            path
        } else {
            std::env::temp_dir().join(format!("reprise-{name}"))
        }
    }
}

/// The region's object store. Where it cannot be opened it is tried again whenever it is asked for: a folder that is
/// mounted late, or mended, needs no restart.
pub(super) struct ArchiveDoor {
    store: StoreConfig,
    rate: Option<NonZeroU64>,
    keys: PathBuf,
    open: Mutex<Option<Archive>>,
}

impl ArchiveDoor {
    /// `rate` is the most that is written, in bytes a second; `keys` is the folder of the master key.
    pub fn new(store: StoreConfig, rate: Option<NonZeroU64>, keys: PathBuf) -> Self {
        Self {
            store,
            rate,
            keys,
            open: Mutex::new(None),
        }
    }

    /// Another object store from now on.
    #[cfg(test)]
    pub fn replace(&self, archive: Archive) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = Some(archive);
    }

    /// Whoever asks for the object store waits for as long as this is held.
    #[cfg(test)]
    pub fn hang(&self) -> std::sync::MutexGuard<'_, Option<Archive>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As [`ArchiveDoor::get`], at a start: a lock that another holds is tried again for a moment.
    pub fn get_patiently(&self) -> Result<Archive, archive::Error> {
        for _ in 0..LOCK_TRIES {
            match self.get() {
                Err(archive::Error::Locked { .. }) => std::thread::sleep(LOCK_PAUSE),
                done => return done,
            }
        }
        self.get()
    }

    /// Where it is.
    pub fn store(&self) -> &StoreConfig {
        &self.store
    }

    /// The object store if it is open, without waiting for anything.
    pub fn opened(&self) -> Option<Archive> {
        self.open.try_lock().ok()?.clone()
    }

    pub fn get(&self) -> Result<Archive, archive::Error> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(archive) = &*open {
            return Ok(archive.clone());
        }
        let options = ArchiveOptions {
            upload_rate: self.rate,
            ..ArchiveOptions::of_keys(&self.keys)?
        };
        let archive = Archive::connect(&self.store, options)?;
        Ok(open.insert(archive).clone())
    }
}
