//! Searching across everything that the caller's organization has.

use super::moments::{moment, time_zone};
use super::{Caller, Control};
use crate::domain::fault::Fault;
use crate::domain::role::Permission;
use crate::domain::search::{MOST_WORDS, Word};
use crate::view::search::{Found, Hit};

/// Objects of a kind that are shown.
const SHOWN: u32 = 8;

impl Control {
    /// What has all of these words; nothing where there are none. One statement a kind of object.
    ///
    /// # Errors
    /// [`Fault::SignInNeeded`].
    pub fn search(&self, caller: &Caller, words: &[Word]) -> Result<Vec<Found>, Fault> {
        let actor = caller.must(Permission::Read)?;
        if words.is_empty() {
            return Ok(Vec::new());
        }
        let words = words.get(..MOST_WORDS).unwrap_or(words);
        let zone = time_zone(&actor.time_zone);
        let found = self.ask(self.catalog().search(actor.organization, words, SHOWN))?;
        let shown = |found: crate::catalog::search::Found| Found {
            kind: found.kind,
            total: found.total,
            hits: found
                .hits
                .into_iter()
                .map(|hit| Hit {
                    target: hit.target,
                    name: hit.name,
                    of: hit.of,
                    zone: hit.zone,
                    at: moment(&zone, hit.at),
                })
                .collect(),
        };
        Ok(found
            .into_iter()
            .filter(|found| found.total > 0)
            .map(shown)
            .collect())
    }
}
