//! An instant as a page shows it.

use serde::{Deserialize, Serialize};

/// An instant, with the offset that the member's time zone had at that instant. With both, server and browser
/// write the same text without either of them having a time-zone database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Moment {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub unix_ms: i64,
    /// Minutes east of UTC.
    pub offset_minutes: i16,
}
