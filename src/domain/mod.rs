//! The pure model: identifiers, sizes, states and their transitions, roles, faults.
//!
//! Both targets compile it. Nothing here does I/O, asks a clock, or knows a page.

pub mod fault;
pub mod id;
pub mod instance;
pub mod job;
pub mod locale;
pub mod moment;
pub mod name;
pub mod outline;
pub mod recovery;
pub mod role;
pub mod search;
pub mod size;
pub mod snapshot;
pub mod template;
pub mod theme;
pub mod volume;
