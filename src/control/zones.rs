//! The zones of the region and their pools.

use super::core::ArchiveDoor;
use super::error::About;
use super::error::{Error, chain, explain};
use crate::catalog;
use crate::domain::fault::{Fault, Noun};
use crate::domain::id::ZoneId;
use crate::domain::instance::Accelerator;
use crate::domain::recovery::MemoryWay;
use crate::domain::size::Bytes;
use crate::engine;
use crate::engine::{Pool, PoolOptions};
use crate::view::ZoneView;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How often a lock that another holds is tried again at a start, and how long between. A process that has just ended, or
/// a child that is between its fork and its start, may hold it that long.
pub const LOCK_TRIES: u32 = 40;
/// See [`LOCK_TRIES`].
pub const LOCK_PAUSE: Duration = Duration::from_millis(25);

/// A zone, with its pool if that could be opened.
pub(super) struct Zone {
    pub id: ZoneId,
    pub name: String,
    /// Whether the settings still name it. One that they do not name keeps its volumes and takes no new ones.
    pub in_settings: bool,
    pool: Result<Pool, Closed>,
}

/// Why a pool is not open.
enum Closed {
    /// What it holds cannot be trusted.
    Damaged,
    /// Anything else; the log has it under this reference.
    Other(String),
}

impl Zone {
    /// Opens the zone's pool, or remembers why it cannot be opened: one zone's fault keeps no other from working.
    pub fn open(
        zone: catalog::zones::Zone,
        in_settings: bool,
        folder: &Path,
        options: PoolOptions,
    ) -> Arc<Self> {
        let opened = std::fs::create_dir_all(folder)
            .map_err(|source| Error::Io {
                operation: "make",
                path: folder.to_owned(),
                source,
            })
            .and_then(|()| open_patiently(folder, &options).map_err(Error::from));
        let pool = opened.map_err(|error| {
            tracing::error!(zone = %zone.name, error = chain(&error), "the zone's pool cannot be opened");
            match error {
                Error::Engine(engine::Error::Damaged { .. } | engine::Error::Format { .. }) => Closed::Damaged,
                other => match explain("open a zone's pool", other, About::default()).into_fault() {
                    Fault::Internal { reference } => Closed::Other(reference),
                    other => Closed::Other(format!("pool: {other}")),
                },
            }
        });
        Arc::new(Self {
            id: zone.id,
            name: zone.name,
            in_settings,
            pool,
        })
    }

    /// Says where the blocks of volumes that still fill come from.
    pub fn attach(&self, archive: &Arc<ArchiveDoor>) {
        if let Ok(pool) = &self.pool {
            pool.attach_sources(Arc::clone(archive) as _);
        }
    }

    /// The pool, for who looks after it; none: it is not open.
    pub fn open_pool(&self) -> Option<&Pool> {
        self.pool.as_ref().ok()
    }

    /// Whether the pool is not open because what it holds cannot be trusted.
    pub fn is_damaged(&self) -> bool {
        matches!(self.pool, Err(Closed::Damaged))
    }

    /// The pool, or what a user may know of why it is not open.
    pub fn pool(&self, name: &str) -> Result<&Pool, Fault> {
        self.pool.as_ref().map_err(|closed| match closed {
            Closed::Damaged => Fault::VolumeDamaged {
                name: name.to_owned(),
            },
            Closed::Other(reference) => Fault::Internal {
                reference: reference.clone(),
            },
        })
    }

    /// What writers can still have.
    pub fn free(&self) -> Bytes {
        let space = self.pool.as_ref().ok().and_then(|pool| match pool.space() {
            Ok(space) => Some(space),
            Err(error) => {
                tracing::warn!(zone = %self.name, error = chain(&error), "the pool's room is not known");
                None
            }
        });
        Bytes(space.map_or(0, |space| space.free))
    }

    /// What can still be kept beside the pool, where so many bytes are: they count against what the zone may hold.
    pub fn free_beside(&self, kept: u64) -> Bytes {
        let space = self.pool.as_ref().ok().and_then(|pool| pool.space().ok());
        Bytes(space.map_or(0, |space| {
            let held = space.used.saturating_add(kept);
            space.free.min(space.total.saturating_sub(held))
        }))
    }

    /// Everything the pool may hold.
    pub fn total(&self) -> Bytes {
        let space = self.pool.as_ref().ok().and_then(|pool| pool.space().ok());
        Bytes(space.map_or(0, |space| space.total))
    }

    pub fn view(&self, hypervisor: Option<Accelerator>, memory_way: Option<MemoryWay>) -> ZoneView {
        ZoneView {
            id: self.id,
            name: self.name.clone(),
            free: self.free(),
            total: self.total(),
            hypervisor,
            memory_way,
        }
    }

    /// For the words of a fault.
    pub fn about<'a>(&'a self, name: &'a str) -> About<'a> {
        About {
            name,
            zone: &self.name,
            free: self.free(),
        }
    }
}

/// The region's zones, by name.
pub(super) struct Zones(pub Vec<Arc<Zone>>);

impl Zones {
    pub fn get(&self, id: ZoneId) -> Result<&Arc<Zone>, Fault> {
        self.0
            .iter()
            .find(|zone| zone.id == id)
            .ok_or(Fault::NotFound { what: Noun::Zone })
    }

    /// A zone that new volumes can be put into.
    pub fn choice(&self, id: ZoneId) -> Result<&Arc<Zone>, Fault> {
        self.get(id).and_then(|zone| {
            if zone.in_settings {
                Ok(zone)
            } else {
                Err(Fault::NotFound { what: Noun::Zone })
            }
        })
    }

    /// What one can choose from. All zones are on one host, which has one hypervisor or none.
    pub fn views(
        &self,
        hypervisor: Option<Accelerator>,
        memory_way: Option<MemoryWay>,
    ) -> Vec<ZoneView> {
        self.0
            .iter()
            .filter(|zone| zone.in_settings)
            .map(|zone| zone.view(hypervisor, memory_way))
            .collect()
    }
}

/// Opens a pool; one whose lock is held is tried again for a moment.
fn open_patiently(folder: &Path, options: &PoolOptions) -> engine::Result<Pool> {
    for _ in 0..LOCK_TRIES {
        match Pool::open(folder, options.clone()) {
            Err(engine::Error::Locked { .. }) => std::thread::sleep(LOCK_PAUSE),
            done => return done,
        }
    }
    Pool::open(folder, options.clone())
}
