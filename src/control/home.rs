//! The first page: what is here, what is happening, what needs attention, what was done lately.
//!
//! A fixed number of the catalog's statements, and a look at no more than [`LOOKED_AT`] volumes twice in their pools,
//! whatever the organization has. Nothing waits for the object store.

use super::moments::{moment, time_zone};
use super::{Actor, Caller, Control};
use crate::archive::most_to_read;
use crate::catalog::home::{Broken, Kept, Thing};
use crate::domain::fault::Fault;
use crate::domain::role::Permission;
use crate::domain::size::{Bytes, GIB};
use crate::view::{About, HomeView, Need, NeedKind};
use jiff::tz::TimeZone;

/// Things of one kind that are named; where there are more, that is said.
const NAMED: usize = 3;
/// Volumes that are looked at in their pools for each question: those that have waited longest.
const LOOKED_AT: u32 = 20;
/// Tasks that are shown.
const TASKS: u32 = 10;
/// Entries of the log that are shown.
const LATELY: u32 = 8;
/// A snapshot that was taken since then need not have been read again yet.
const DAY_MS: i64 = 24 * 3600 * 1000;
/// So much in no snapshot is much; so is half of what there is, from [`SOME`] on.
const MUCH: u64 = GIB;
const SOME: u64 = 64 << 20;
/// A zone with less than one part in so many free is almost full.
const ALMOST_FULL: u64 = 10;

impl Control {
    /// The first page of the caller's organization.
    ///
    /// # Errors
    /// [`Fault::SignInNeeded`].
    pub fn home(&self, caller: &Caller) -> Result<HomeView, Fault> {
        let actor = caller.must(Permission::Read)?;
        let zone = time_zone(&actor.time_zone);
        let now = self.now_ms();
        let tallies = self.ask(self.catalog().tallies(actor.organization))?;
        let jobs =
            self.ask(
                self.catalog()
                    .current_jobs(actor.organization, i64::MAX, TASKS, &[]),
            )?;
        let mut needs = self.zones_in_need();
        // One more than is named: then it is known that there are more.
        let limit = NAMED as u32 + 1;
        let broken = self.ask(self.catalog().broken(actor.organization, limit))?;
        needs.extend(
            broken
                .into_iter()
                .filter_map(|broken| self.broken(actor, &zone, broken)),
        );
        if actor.role.may(Permission::HoldKit) && self.kit_is_due(actor.organization)? {
            needs.push(need(NeedKind::KitDue));
        }
        needs.extend(self.unsaved_volumes(actor, &zone)?);
        let never = self
            .catalog()
            .never_verified(actor.organization, now - DAY_MS);
        let (count, oldest) = self.ask(never)?;
        if count > 0 {
            needs.push(Need {
                count,
                since: oldest.map(|at| moment(&zone, at)),
                ..need(NeedKind::NeverVerified)
            });
        }
        needs.sort_by_key(|need| need.what);
        Ok(HomeView {
            instances: tallies.instances,
            volumes: tallies.volumes,
            snapshots: tallies.snapshots,
            templates: tallies.templates,
            jobs: jobs
                .iter()
                .map(|job| self.job_view(actor, &zone, job))
                .collect(),
            needs: few_of_each(needs),
            activity: self.lately(caller, None, LATELY)?,
        })
    }

    fn zones_in_need(&self) -> Vec<Need> {
        let zones = self.core.zones.0.iter().filter(|zone| zone.in_settings);
        let about = |zone: &super::zones::Zone, what| Need {
            about: Some(About::Zone(zone.id)),
            name: zone.name.clone(),
            ..need(what)
        };
        zones
            .filter_map(|zone| {
                if zone.pool("").is_err() {
                    return Some(about(zone, NeedKind::ZoneClosed));
                }
                let (free, total) = (zone.free(), zone.total());
                (free.0 < total.0 / ALMOST_FULL).then(|| Need {
                    bytes: free,
                    ..about(zone, NeedKind::ZoneFull)
                })
            })
            .collect()
    }

    fn broken(&self, actor: &Actor, zone: &TimeZone, broken: Broken) -> Option<Need> {
        let mut fault = broken.fault;
        let (what, about) = match broken.thing {
            Thing::Instance(id) => (NeedKind::InstanceFailed, About::Instance(id)),
            Thing::Volume(id) => (NeedKind::VolumeFailed, About::Volume(id)),
            Thing::Snapshot(id) => (NeedKind::SnapshotFailed, About::Snapshot(id)),
            Thing::Template(id) => (NeedKind::TemplateFailed, About::Template(id)),
            Thing::Filling(id) => {
                // What came meanwhile by being read is not missing any more.
                let volume = self.catalog().volume(id).ok().flatten()?;
                self.seen(&volume).ok()?.filling?;
                fault = broken.job.as_ref().and_then(|job| job.fault.clone());
                (NeedKind::VolumeNotFilling, About::Volume(id))
            }
        };
        let job = broken
            .job
            .map(|job| self.job_view(actor, zone, &job))
            .filter(|job| job.may_retry);
        Some(Need {
            about: Some(about),
            name: broken.name,
            fault,
            job,
            ..need(what)
        })
    }

    /// Volumes that hold what is in no snapshot.
    fn unsaved_volumes(&self, actor: &Actor, zone: &TimeZone) -> Result<Vec<Need>, Fault> {
        let organization = actor.organization;
        let without = self.ask(self.catalog().without_snapshot(organization, LOOKED_AT))?;
        let with = self.ask(self.catalog().oldest_snapshots(organization, LOOKED_AT))?;
        let mut needs = Vec::new();
        for kept in without.into_iter().chain(with) {
            // What cannot be looked at is told where it is shown.
            let Some((changed, written)) = self.changed(&kept) else {
                continue;
            };
            let what = match kept.taken {
                None if changed > 0 => NeedKind::NoSnapshot,
                Some(_) if changed >= MUCH || (changed >= SOME && changed >= written / 2) => {
                    NeedKind::MuchUnsaved
                }
                _ => continue,
            };
            needs.push(Need {
                about: Some(About::Volume(kept.volume.id)),
                name: kept.volume.name,
                bytes: Bytes(changed),
                since: kept.taken.map(|at| moment(zone, at)),
                ..need(what)
            });
        }
        Ok(needs)
    }

    /// Bytes that the next snapshot of the volume has to read, and those that it holds in all.
    fn changed(&self, kept: &Kept) -> Option<(u64, u64)> {
        let volume = &kept.volume;
        let written = self.seen(volume).ok()?.written;
        let pool = self.core.zones.get(volume.zone).ok()?.pool("").ok()?;
        let changed = match kept.base {
            Some(base) => pool.changed_since(base, volume.id).ok()?,
            None => None,
        };
        let changed = changed.map_or(written, |changed| most_to_read(&changed, volume.size.0));
        Some((changed, written))
    }
}

const fn need(what: NeedKind) -> Need {
    Need {
        what,
        about: None,
        name: String::new(),
        fault: None,
        job: None,
        bytes: Bytes(0),
        since: None,
        count: 0,
    }
}

/// The first few of each kind; after them one without a name where there are more.
fn few_of_each(needs: Vec<Need>) -> Vec<Need> {
    let mut few: Vec<Need> = Vec::new();
    for one in needs {
        let before = few.iter().filter(|other| other.what == one.what).count();
        if before < NAMED || one.about.is_none() {
            few.push(one);
        } else if before == NAMED {
            few.push(need(one.what));
        }
    }
    few
}
