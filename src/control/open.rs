//! Opening a region: its catalog, its zones, its object store, its workers.

use super::core::{ArchiveDoor, Core, Folders};
use super::error::{Error, chain};
use super::guests::Guests;
use super::kit::Kits;
use super::live::Live;
use super::operating::StoreLook;
use super::stock::Stock;
use super::tasks::Tasks;
use super::upkeep::Upkeep;
use super::verification::Proofs;
use super::zones::{Zone, Zones};
use super::{Clock, Control, SystemClock};
use crate::archive::StoreConfig;
use crate::catalog::Catalog;
use crate::domain::instance::STOP_SECONDS;
use crate::engine::PoolOptions;
use crate::jobs::{Runner, RunnerOptions};
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A zone, as the operator wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneSettings {
    /// Its name. A zone that is renamed here is another zone; the old one is kept.
    pub name: String,
    /// The most that its pool may hold, in bytes; none: what the file system has.
    pub limit: Option<u64>,
}

/// What a region is.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Everything that is kept lies under it. Who opens it sees to it that it is opened once.
    pub data: PathBuf,
    /// The region's object store; none: a folder under the data folder.
    pub archive: Option<StoreConfig>,
    /// The most that is written into it, in bytes a second.
    pub archive_rate: Option<NonZeroU64>,
    /// The region's name; none: the one it has.
    pub region: Option<String>,
    /// Its zones; where none is named, those it has.
    pub zones: Vec<ZoneSettings>,
    /// What an empty data folder gets where the settings name nothing.
    pub first: First,
    /// Threads for long work; one more does what is short.
    pub workers: usize,
    /// How many days a saved snapshot may go without being read again; none: for ever.
    pub verify_days: Option<u32>,
    /// How long a guest waits for data that is in the object store only while that is out of reach, before it gets an error.
    pub fetch_wait: Duration,
}

/// What a region is called, and its zones, when nobody has said so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct First {
    /// The region's name.
    pub region: String,
    /// The zones' names.
    pub zones: Vec<String>,
}

/// What tests hold still or make small.
#[derive(Clone)]
pub struct Tuning {
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// How long work waits and is tried again; the number of workers comes from the settings.
    pub runner: RunnerOptions,
    /// How pools are opened; the limit, and how long a guest waits for the object store, come from the settings.
    pub pool: PoolOptions,
    /// Whether to look for a hypervisor on this host.
    pub hypervisor: bool,
    /// How long a guest has to shut down after the power button, in seconds.
    pub stop_seconds: u32,
    /// How often the program looks whether there is something to do about the object store.
    pub look: Duration,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            runner: RunnerOptions::default(),
            pool: PoolOptions::default(),
            hypervisor: true,
            stop_seconds: STOP_SECONDS,
            look: Duration::from_secs(60),
        }
    }
}

impl Control {
    /// Opens the region, makes what is absent, and takes up what was under way.
    ///
    /// A pool or an object store that cannot be opened does not keep the rest from working.
    ///
    /// # Errors
    /// [`Error::Catalog`], [`Error::Io`] when the data folder cannot be used.
    pub fn open(settings: Settings) -> Result<Self, Error> {
        Self::open_with(settings, Tuning::default())
    }

    /// As [`Control::open`], with what tests hold still.
    ///
    /// # Errors
    /// As for [`Control::open`].
    pub fn open_with(settings: Settings, tuning: Tuning) -> Result<Self, Error> {
        let folders = Folders::make(&settings.data)?;
        let catalog = Catalog::open(&folders.catalog())?;
        let now = tuning.clock.now_ms();
        let region = catalog.region(settings.region.as_deref(), &settings.first.region)?;
        let pool = PoolOptions {
            remote_patience: settings.fetch_wait,
            ..tuning.pool
        };
        let mut zones = Vec::new();
        for wanted in &wanted_zones(&catalog, &settings)? {
            let zone = catalog.zone_of_name(&wanted.name, now)?;
            let (folder, options) = (
                folders.pool(zone.id),
                PoolOptions {
                    limit: wanted.limit,
                    ..pool.clone()
                },
            );
            zones.push(Zone::open(zone, true, &folder, options));
        }
        for zone in catalog.zones()? {
            if !zones.iter().any(|open| open.id == zone.id) {
                tracing::warn!(zone = %zone.name, id = %zone.id, "a zone is not in the settings any more: it is kept, and takes nothing new");
                let folder = folders.pool(zone.id);
                zones.push(Zone::open(zone, false, &folder, pool.clone()));
            }
        }
        zones.sort_by(|a, b| a.name.cmp(&b.name));
        let live = Live::start().map_err(|source| Error::Io {
            operation: "start a thread for",
            path: "live".into(),
            source,
        })?;
        let store = settings
            .archive
            .clone()
            .unwrap_or_else(|| StoreConfig::Folder(folders.archive()));
        let archive = Arc::new(ArchiveDoor::new(
            store,
            settings.archive_rate,
            folders.keys(),
        ));
        for zone in &zones {
            zone.attach(&archive);
        }
        if let Err(error) = archive.get_patiently() {
            tracing::error!(
                error = chain(&error),
                "the object store cannot be opened; it is tried again when it is needed"
            );
        }
        let core = Arc::new_cyclic(|core| Core {
            opened: now,
            store_look: StoreLook::default(),
            catalog: catalog.clone(),
            clock: tuning.clock,
            region,
            folders,
            zones: Zones(zones),
            archive,
            live,
            guests: Guests::new(core.clone(), tuning.hypervisor, tuning.stop_seconds),
            proofs: Proofs::every(settings.verify_days),
            kits: Kits::default(),
            upkeep: Upkeep::new(core.clone(), tuning.look),
            stock: Stock::default(),
        });
        core.reconcile()?;
        // A store that others write to may be far away: there the thread does it.
        if core.archive.get().is_ok_and(|archive| !archive.is_shared()) {
            core.take_stock();
        }
        let options = RunnerOptions {
            workers: settings.workers.max(1) + 1,
            ..tuning.runner
        };
        let runner = Runner::start(catalog, Arc::new(Tasks::new(Arc::clone(&core))), options)?;
        core.upkeep.start();
        Ok(Self {
            runner: Arc::new(runner),
            core,
        })
    }
}

/// The zones that the settings name; else those that there are; else the first ones.
fn wanted_zones(catalog: &Catalog, settings: &Settings) -> Result<Vec<ZoneSettings>, Error> {
    if !settings.zones.is_empty() {
        return Ok(settings.zones.clone());
    }
    let mut names: Vec<String> = catalog.zones()?.into_iter().map(|zone| zone.name).collect();
    if names.is_empty() {
        names.clone_from(&settings.first.zones);
    }
    Ok(names
        .into_iter()
        .map(|name| ZoneSettings { name, limit: None })
        .collect())
}
