//! The use cases: what a member can ask for, every permission check, and the long work itself.
//!
//! `api` and `server` call [`Control`]; nothing else in the house decides whether an act is allowed. An act that changes
//! something writes its intent, its job and its entry of the activity log in one transaction; [`crate::jobs`] has it done.
//!
//! What may never be true: an answer that tells a member of one organization that another's object exists; an effect
//! without an intent that was committed before it; an object in a passing state that no job works on. After a crash
//! [`Control::open`] resumes what was under way, mends what nothing works on, and puts what nobody knows in quarantine.
//!
//! All calls block: call them from threads that may wait.

mod activity;
mod boot;
mod branch;
mod caller;
mod clock;
mod compare;
mod core;
pub mod demo;
mod details;
mod error;
mod expiry;
mod exports;
mod extract;
mod filling;
mod guests;
mod home;
mod image;
mod instances;
mod kit;
mod live;
mod memory;
mod moments;
mod open;
mod operating;
pub mod people;
mod points;
mod reconcile;
mod rollback;
mod search;
mod serial;
mod several;
mod snapshots;
mod stock;
pub mod tasks;
mod templates;
mod upkeep;
mod uploads;
mod verification;
mod volumes;
mod work;
mod zones;

#[cfg(test)]
pub(crate) mod tests;

pub use caller::{Actor, Caller};
pub use clock::{Clock, FixedClock, SystemClock};
pub use error::{Error, chain};
pub use exports::ZoneDoor;
pub use kit::KitFile;
pub use live::{Listening, Place};
pub use open::{First, Settings, Tuning, ZoneSettings};
pub use reconcile::Quarantined;
pub use templates::TemplateImport;
pub use uploads::{ImportRequest, UploadSlot};
pub use zones::{LOCK_PAUSE, LOCK_TRIES};

use self::core::Core;
use crate::catalog::paging::{Narrow, Paged};
use crate::catalog::{self, Catalog};
use crate::domain::fault::Fault;
use crate::jobs::Runner;
use crate::view::{Listing, Page, ZoneView};
use std::sync::Arc;

/// The control plane of one region. Clones share it.
#[derive(Clone)]
pub struct Control {
    // In the order of dropping: who uses goes before what is used.
    runner: Arc<Runner>,
    core: Arc<Core>,
}

impl Control {
    /// Whether nobody can sign in yet: the first start.
    ///
    /// # Errors
    /// [`Fault::Internal`].
    pub fn is_empty(&self) -> Result<bool, Fault> {
        self.ask(self.catalog().is_empty())
    }

    /// Stops the long work where it is, to be resumed by the next start, lets go of the guests, which run on, and tells
    /// listeners that nothing more comes. Returns when all of it has stopped.
    pub fn stop(&self) {
        self.runner.shutdown();
        self.core.upkeep.stop();
        self.core.guests.let_go();
        self.core.live.stop();
    }

    /// What waits for the operator: parts of pools that the catalog does not know. They are never deleted.
    ///
    /// # Errors
    /// [`Fault::Internal`].
    pub fn quarantine(&self) -> Result<Vec<Quarantined>, Fault> {
        self.ask(self.catalog().quarantine())
    }

    /// The catalog.
    pub(super) fn catalog(&self) -> &Catalog {
        &self.core.catalog
    }

    /// Milliseconds since 1970, by the injected clock.
    pub(super) fn now_ms(&self) -> i64 {
        self.core.now()
    }

    /// The region's name.
    pub(super) fn region(&self) -> &str {
        &self.core.region
    }

    /// The region's zones, by name.
    pub(super) fn zone_views(&self) -> Vec<ZoneView> {
        let accelerator = self.core.hypervisor().ok();
        self.core.zones.views(
            accelerator.map(guests::accelerator),
            self.core.memory_way().ok(),
        )
    }

    /// What a user may know of an error.
    pub(super) fn fault(&self, error: Error) -> Fault {
        self.core.fault(error)
    }

    /// The catalog's answer, or what a user may know of its failure.
    fn ask<T>(&self, answer: Result<T, catalog::Error>) -> Result<T, Fault> {
        answer.map_err(|error| self.fault(error.into()))
    }
}

/// What the catalog is asked for; days are those of the member's time zone.
fn narrow(listing: impl Into<Listing>, actor: &Actor) -> Narrow {
    let listing = listing.into();
    let zone = moments::time_zone(&actor.time_zone);
    Narrow {
        page: listing.page,
        from: moments::begin_of_day(&zone, &listing.from, 0),
        until: moments::begin_of_day(&zone, &listing.until, 1),
        find: listing.find,
        sort: listing.sort,
        state: listing.state,
        zone: listing.zone,
        kind: listing.kind,
        of: listing.of,
        who: listing.who,
        door: listing.door,
    }
}

/// A page of a list, its rows as a screen shows them.
fn page_of<T, R>(found: Paged<T>, row: impl FnMut(T) -> R) -> Page<R> {
    Page {
        rows: found.rows.into_iter().map(row).collect(),
        total: found.total,
        page: found.page,
        pages: found.pages,
    }
}
