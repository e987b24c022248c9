//! What a search across everything found.

use crate::domain::moment::Moment;
use crate::domain::search::{Kind, Target};

/// Objects of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The kind.
    pub kind: Kind,
    /// How many there are; no more of them are here than are shown.
    pub total: u32,
    /// The first of them.
    pub hits: Vec<Hit>,
}

/// One object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// Which, and where it stands.
    pub target: Target,
    /// Its name.
    pub name: String,
    /// The name of what it belongs to; empty where it belongs to nothing.
    pub of: String,
    /// The zone's name; empty where it is in all of them.
    pub zone: String,
    /// When it was made or taken.
    pub at: Moment,
}
