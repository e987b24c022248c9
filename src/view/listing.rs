//! What a list is asked for. All of it stands in the address of the page, so that a list can be linked to.

use serde::{Deserialize, Serialize};

/// What of a list is wanted, and in which order. What a list does not know (a column it cannot sort by, a state that its
/// objects never have) is as if it were not there: an old link never fails.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// The page, from 1; 0 is 1.
    #[serde(default, deserialize_with = "number")]
    pub page: u32,
    /// Words that the name, or what stands beside it, has in it, all of them, whatever their case and accents. Empty: all rows.
    #[serde(default)]
    pub find: String,
    /// The column to sort by, by its key; `-` before it: the largest first. Empty: as the list is sorted by itself.
    #[serde(default)]
    pub sort: String,
    /// Only objects in this state, by its code (as the state is written in JSON). Empty: all.
    #[serde(default)]
    pub state: String,
    /// Only objects in this zone, by its id. Empty: all.
    #[serde(default)]
    pub zone: String,
    /// Only this kind of thing: `root` or `data` volumes; of the activity log what was done. Empty: all.
    #[serde(default)]
    pub kind: String,
    /// Only what belongs to this object, by its id: the snapshots of a volume, what was done to an instance. Empty: all.
    #[serde(default)]
    pub of: String,
    /// Only what was done by this member, by their name as the log tells it. Empty: all. (Activity log alone.)
    #[serde(default)]
    pub who: String,
    /// Only what came through this door, by its code. Empty: all. (Activity log alone.)
    #[serde(default)]
    pub door: String,
    /// The first day, `2026-11-23`, in the organization's time zone. Empty: from the beginning. (Activity log alone.)
    #[serde(default)]
    pub from: String,
    /// The last day, itself included. Empty: until now. (Activity log alone.)
    #[serde(default)]
    pub until: String,
}

/// A number that stands in a query, which is text to a structure within another one.
fn number<'de, D: serde::Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
    text.parse().map_err(serde::de::Error::custom)
}

impl Listing {
    /// Whether only part of the list is asked for, not counting pages.
    #[must_use]
    pub fn is_narrowed(&self) -> bool {
        [
            &self.find,
            &self.state,
            &self.zone,
            &self.kind,
            &self.of,
            &self.who,
            &self.door,
            &self.from,
            &self.until,
        ]
        .into_iter()
        .any(|narrow| !narrow.is_empty())
    }
}

impl From<u32> for Listing {
    /// This page of the whole list.
    fn from(page: u32) -> Self {
        Self {
            page,
            ..Self::default()
        }
    }
}
