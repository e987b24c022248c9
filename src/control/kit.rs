//! The recovery kit of an organization, for its Owners: when it was saved, by whom, and whether it still opens everything.
//!
//! That a kit was saved is an entry of the activity log, which names the kit's mark (which keys are in it). There is no
//! other record, so the log and the reminder cannot disagree; what was found there is kept in memory, because every page
//! of an Owner asks. The entry is written when the kit has been made: whether the file reached a safe is the Owner's affair.
//!
//! What may never be true: a kit with another organization's keys, in the hands of one who is no Owner; the passphrase
//! or the kit's text in the catalog or in a log.

use super::activity::{Logged, log};
use super::error::Error;
use super::moments::{moment, stamp, time_zone};
use super::{Caller, Control};
use crate::archive::{self, KitError, OneKit, SHORTEST_PASSPHRASE};
use crate::domain::fault::Fault;
use crate::domain::id::OrganizationId;
use crate::domain::role::Permission;
use crate::view::{Act, Change, KitView};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// A longer one is not a passphrase, and is not hashed.
const LONGEST: usize = 1024;

/// A kit that was saved.
#[derive(Debug, Clone)]
struct Saved {
    at: i64,
    who: String,
    mark: String,
}

/// What the log says of the organizations' newest kits, as far as it was asked.
#[derive(Debug, Default)]
pub(super) struct Kits(Mutex<HashMap<OrganizationId, Option<Saved>>>);

impl Kits {
    fn set(&self, organization: OrganizationId, saved: Saved) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(organization, Some(saved));
    }

    /// What was found in the log; what was saved since counts more.
    fn found(&self, organization: OrganizationId, saved: Option<Saved>) -> Option<Saved> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(organization).or_insert(saved).clone()
    }

    fn get(&self, organization: OrganizationId) -> Option<Option<Saved>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&organization).cloned()
    }
}

/// A kit to be downloaded.
#[derive(Debug)]
pub struct KitFile {
    /// The kit.
    pub kit: OneKit,
    /// The organization's name.
    pub organization: String,
    /// The day it was made, in the member's time zone: `2026-11-23`.
    pub day: String,
}

impl Control {
    /// What an Owner is told of the organization's kit.
    ///
    /// # Errors
    /// [`Fault::SignInNeeded`], [`Fault::NotAllowed`].
    pub fn kit(&self, caller: &Caller) -> Result<KitView, Fault> {
        let actor = caller.must(Permission::HoldKit)?;
        let zone = time_zone(&actor.time_zone);
        let saved = self.saved_kit(actor.organization)?;
        Ok(KitView {
            due: self.kit_is_due(actor.organization)?,
            saved: saved.map(|saved| (moment(&zone, saved.at), saved.who)),
            shortest: SHORTEST_PASSPHRASE as u32,
        })
    }

    /// Makes the kit of the caller's organization, with this passphrase, and writes down that it was saved.
    ///
    /// # Errors
    /// [`Fault::SignInNeeded`], [`Fault::NotAllowed`]; [`Fault::PassphraseTooShort`], [`Fault::PassphrasesDiffer`];
    /// those of the object store.
    pub fn export_kit(
        &self,
        caller: &Caller,
        passphrase: &str,
        again: &str,
    ) -> Result<KitFile, Fault> {
        let actor = caller.must(Permission::HoldKit)?;
        let min = SHORTEST_PASSPHRASE as u32;
        if passphrase.trim().chars().count() < SHORTEST_PASSPHRASE {
            return Err(Fault::PassphraseTooShort { min });
        }
        if passphrase.len() > LONGEST {
            return Err(Fault::BadRequest);
        }
        if passphrase != again {
            return Err(Fault::PassphrasesDiffer);
        }
        let (id, name) = (actor.organization, &actor.organization_name);
        let made = self.core.archive.get();
        let made = made.and_then(|archive| archive.export_kit_of(id, name, passphrase));
        let kit = made.map_err(|error| match error {
            archive::Error::Kit(KitError::TooShort) => Fault::PassphraseTooShort { min },
            error => self.fault(error.into()),
        })?;
        let now = self.now_ms();
        self.core
            .transact(|tx| log(tx, caller, Act::SaveKit, &kit.mark, Logged::Nothing, now))?;
        let saved = Saved {
            at: now,
            who: actor.name.clone(),
            mark: kit.mark.clone(),
        };
        self.core.kits.set(id, saved);
        self.core.live.changed(id, &[Change::Activity]);
        let mut day = stamp(&time_zone(&actor.time_zone), now);
        day.truncate("2026-11-23".len());
        Ok(KitFile {
            kit,
            organization: name.clone(),
            day,
        })
    }

    /// Whether the organization has something in the object store that no kit that was saved here opens.
    pub(super) fn kit_is_due(&self, organization: OrganizationId) -> Result<bool, Fault> {
        let Some(saved) = self.saved_kit(organization)? else {
            return self.ask(self.catalog().has_saved(organization));
        };
        // A page waits for no object store: keys that this process has not met yet are told of later.
        let archive = self.core.archive.opened();
        let now = archive.and_then(|archive| archive.keys_mark(organization));
        Ok(now.is_some_and(|mark| mark != saved.mark))
    }

    fn saved_kit(&self, organization: OrganizationId) -> Result<Option<Saved>, Fault> {
        if let Some(known) = self.core.kits.get(organization) {
            return Ok(known);
        }
        let act = serde_json::to_string(&Act::SaveKit).map_err(|source| {
            self.fault(Error::Json {
                what: "an act",
                source,
            })
        })?;
        let found = self.ask(self.catalog().last_event(organization, &act))?;
        let saved = found.map(|(at, who, mark)| Saved {
            at,
            who: who.unwrap_or_default(),
            mark,
        });
        Ok(self.core.kits.found(organization, saved))
    }
}
