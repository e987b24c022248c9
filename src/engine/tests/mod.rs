//! The engine against its promises. `sim` is a machine with a power switch; `real` runs on a real folder.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::single_range_in_vec_init
)]

mod basic;
mod costs;
mod crash;
mod damage;
mod disk;
mod faults;
mod fill;
mod held;
mod in_flight;
mod ledger;
mod model;
mod moment;
mod oracle;
mod real;
mod remote;
mod remote_faults;
mod review;
mod sim;
mod source;
mod speed;

use crate::engine::{Pool, PoolOptions};
use sim::Sim;
use std::sync::Arc;

/// Room for a few logs and maps, as a real pool's reserve is for many.
pub(crate) const RESERVE: u64 = 256 << 10;

/// Options for a simulated machine: no thread, a small reserve.
pub(crate) fn options() -> PoolOptions {
    PoolOptions {
        reserve: Some(RESERVE),
        background: false,
        // Long enough for an outage of a few failures, and no longer.
        remote_patience: std::time::Duration::from_millis(1),
        ..PoolOptions::default()
    }
}

/// Opens the pool of a simulated machine.
pub(crate) fn open(sim: &Sim) -> crate::engine::Result<Pool> {
    let pool = Pool::assemble(Arc::new(sim.clone()), sim.catalog(), options(), None)?;
    pool.attach_sources(Arc::new(sim.place.clone()));
    Ok(pool)
}
