//! The control plane on a real catalog, real pools and a real archive.

mod access;
mod bad_input;
#[cfg(feature = "failpoints")]
mod crash;
mod house;
mod import;
mod lists;
mod stores;
mod story;
mod templates;
