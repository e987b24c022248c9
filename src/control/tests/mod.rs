//! The control plane on a real catalog, real pools and a real archive.

mod house;
mod story;
