//! The control plane on a real catalog, real pools and a real archive.

mod access;
mod bad_input;
#[cfg(feature = "failpoints")]
mod crash;
mod demo;
mod disks;
mod guest;
mod guest_points;
mod house;
mod import;
mod instances;
mod lists;
mod points;
mod rollback;
mod stores;
mod story;
mod templates;
