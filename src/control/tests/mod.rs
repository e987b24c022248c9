//! The control plane on a real catalog, real pools and a real archive.

mod access;
mod away;
mod bad_input;
mod branch;
mod bulk;
mod compare;
mod costs;
mod counting;
#[cfg(feature = "failpoints")]
mod crash;
#[cfg(feature = "failpoints")]
mod crash_points;
mod demo;
mod details;
mod disks;
mod filling;
pub(crate) mod guest;
mod guest_full;
mod guest_outage;
mod guest_points;
mod home;
mod house;
mod import;
#[cfg(feature = "failpoints")]
mod instance_crash;
mod instances;
mod instant;
mod instant_faults;
mod kit;
mod lists;
#[cfg(feature = "failpoints")]
mod memory;
#[cfg(feature = "failpoints")]
mod memory_faults;
#[cfg(feature = "failpoints")]
mod memory_kills;
mod operating;
mod people;
mod points;
mod rollback;
mod search;
mod several;
mod stores;
mod story;
mod templates;
mod two;
mod upkeep;
mod verification;
