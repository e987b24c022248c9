//! Volumes that are used before their content has come: the object store holds it for them, the pool fetches what is read,
//! and work of its own fetches the rest.
//!
//! A hold is written down ([`crate::catalog::origins`]) before the object store is asked for it, and is let go of when the
//! pool says that it needs it no more: by the pool itself at once, and again by [`Core::release_holds`], which also finds
//! what a crash between the two has left. What is not written down there is not ours and is never let go of.

use super::Control;
use super::core::{ArchiveDoor, Core};
use super::error::{Error, chain, explain};
use super::tasks::begin_fill;
use crate::archive::{self, Archive, HoldId};
use crate::catalog::jobs::{end_fill, go_on_with_fill};
use crate::catalog::origins::Origin;
use crate::catalog::volumes::Volume;
use crate::domain::fault::Fault;
use crate::domain::id::{CheckpointId, JobId, SnapshotId, VolumeId};
use crate::domain::size::Bytes;
use crate::engine::{RemoteError, RemoteId, RemoteSource, RemoteSources, VolumeInfo};
use crate::jobs::{Failure, Watch};
use crate::view::SnapshotPlan;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

/// How often, and how long between, a fill that was told to end is looked at.
const ENDS: (u32, Duration) = (500, Duration::from_millis(20));

fn remote(error: &archive::Error, permanent: bool) -> RemoteError {
    RemoteError {
        context: chain(error),
        permanent,
    }
}

/// The pools are opened before the object store is, and stay open when it is opened anew.
impl RemoteSources for ArchiveDoor {
    fn open(&self, id: &RemoteId) -> Result<Arc<dyn RemoteSource>, RemoteError> {
        // A store that cannot be opened may be later.
        let archive = self.get().map_err(|error| remote(&error, false))?;
        archive.sources().open(id)
    }

    fn release(&self, id: &RemoteId) -> Result<(), RemoteError> {
        let archive = self.get().map_err(|error| remote(&error, false))?;
        archive.sources().release(id)
    }
}

fn source_of(origin: &Origin) -> Option<RemoteId> {
    Archive::remote_id(origin.organization, HoldId::from(origin.volume))
}

impl Core {
    /// The object store keeps `content` for the volume until it is let go of. Asked again, it is the same hold.
    pub(super) fn hold_content(
        &self,
        volume: &Volume,
        content: SnapshotId,
        name: &str,
    ) -> Result<(), Failure> {
        let zone = self.zones.get(volume.zone).map_err(Failure::Final)?;
        let failed = |error| explain("hold a snapshot for a volume", error, zone.about(name));
        let archive = self.archive.get().map_err(|error| failed(error.into()))?;
        let origin = Origin {
            volume: volume.id,
            organization: volume.organization,
            zone: volume.zone,
            content,
            base: CheckpointId::new(),
            held: true,
        };
        self.catalog
            .write_origin(&origin)
            .map_err(|error| failed(error.into()))?;
        let held = archive
            .hold_for(volume.organization, content, HoldId::from(volume.id))
            .map_err(|error| failed(error.into()))?;
        // Beyond the end of what it is made from there are zeros.
        if held.description().size > volume.size.0 {
            return Err(failed(Error::Broken(
                "a volume is smaller than what it is made from",
            )));
        }
        Ok(())
    }

    /// The engine makes the volume on top of what is held for it.
    pub(super) fn make_remote(&self, volume: &Volume) -> Result<(), Failure> {
        let zone = self.zones.get(volume.zone).map_err(Failure::Final)?;
        let pool = zone.pool(&volume.name).map_err(Failure::Passing)?;
        let failed = |error| {
            explain(
                "make a volume of a snapshot",
                error,
                zone.about(&volume.name),
            )
        };
        let origin = self.catalog.origin(volume.id);
        let origin = origin
            .map_err(|error| failed(error.into()))?
            .ok_or_else(|| failed(Error::Broken("nothing is held for the volume")))?;
        let source = source_of(&origin)
            .ok_or_else(|| failed(Error::Broken("a hold's name is too long for a pool")))?;
        pool.create_remote_volume(volume.id, volume.size.0, source, Some(origin.base))
            .map_err(|error| failed(error.into()))
    }

    /// What the volume still lacks comes from the object store; then that is let go of.
    pub(super) fn fill(&self, volume: &Volume, watch: &mut dyn Watch) -> Result<(), Failure> {
        let zone = self.zones.get(volume.zone).map_err(Failure::Final)?;
        let pool = zone.pool(&volume.name).map_err(Failure::Passing)?;
        let filled = pool.fill(volume.id, &mut |filled| {
            watch.total(filled.total);
            watch.done(filled.done)
        });
        match filled {
            Err(crate::engine::Error::NoVolume(_)) => return Ok(()),
            filled => filled.map_err(|error| {
                explain("fill a volume", error.into(), zone.about(&volume.name))
            })?,
        }
        if let Err(error) = self.release_holds() {
            tracing::warn!(
                error = chain(&error),
                "a hold stays in the object store for now"
            );
        }
        Ok(())
    }

    /// Lets go of what the object store holds and no pool needs.
    pub(super) fn release_holds(&self) -> Result<(), Error> {
        for zone in &self.zones.0 {
            // First the catalog, then the pool: what is made meanwhile is not in the list.
            let origins = self.catalog.held_origins(zone.id)?;
            let Ok(pool) = zone.pool("") else { continue };
            if origins.is_empty() {
                continue;
            }
            let needed: HashSet<RemoteId> = pool.sources().into_iter().collect();
            for origin in origins {
                if source_of(&origin).is_some_and(|source| needed.contains(&source)) {
                    continue;
                }
                let archive = self.archive.get()?;
                archive.release_hold(origin.organization, HoldId::from(origin.volume))?;
                self.catalog.origin_released(origin.volume)?;
            }
        }
        Ok(())
    }

    /// Volumes that fill and that nothing fills: their content stood below a point that was gone back to, or their work
    /// was lost.
    pub(super) fn resume_fills(&self) -> Result<(), Error> {
        for zone in &self.zones.0 {
            let Ok(pool) = zone.pool("") else { continue };
            if pool.sources().is_empty() {
                continue;
            }
            for id in pool.volumes() {
                if !self.catalog.may_fill(id)? {
                    continue;
                }
                let filling = pool.volume(id)?.and_then(|info| info.filling);
                let volume = self.catalog.volume(id)?;
                let (Some(_), Some(volume)) = (filling, volume) else {
                    continue;
                };
                let begun = self.catalog.write(|tx| {
                    // Somebody may have begun something since we looked.
                    if crate::catalog::instances::live_work_on(tx, &id.to_string())?.is_some() {
                        return Ok(false);
                    }
                    begin_fill(tx, &volume, None, None, self.now()).map(|()| true)
                });
                if begun.map_err(|error: crate::catalog::Error| Error::from(error))? {
                    tracing::info!(volume = %id, "a volume that fills is filled further");
                    self.work_changed(volume.organization);
                }
            }
        }
        Ok(())
    }
}

impl Control {
    /// Ends the work that fills these volumes, which are to be deleted, and waits until it has ended. Gives what was ended.
    pub(super) fn end_fills(&self, volumes: &[VolumeId]) -> Result<Vec<JobId>, Fault> {
        let mut ended = Vec::new();
        for volume in volumes {
            let id = volume.to_string();
            let found = self
                .core
                .transact(|tx| Ok(end_fill(tx, &id, self.now_ms())?))?;
            let Some((job, running)) = found else {
                continue;
            };
            ended.push(job);
            if !running {
                continue;
            }
            self.runner.interrupt(job);
            for _ in 0..ENDS.0 {
                match self.ask(self.catalog().job(job))? {
                    Some(now) if now.state.is_live() => std::thread::sleep(ENDS.1),
                    _ => break,
                }
            }
        }
        Ok(ended)
    }

    /// Where the deletion did not begin that work was ended for, that goes on.
    pub(super) fn unless_begun<T>(
        &self,
        begun: Result<T, Fault>,
        ended: &[JobId],
    ) -> Result<T, Fault> {
        if begun.is_err() && !ended.is_empty() {
            for job in ended {
                let again = self
                    .core
                    .transact(|tx| Ok(go_on_with_fill(tx, *job, self.now_ms())?));
                if let Err(fault) = again {
                    tracing::warn!(%job, ?fault, "a fill that was ended for a deletion does not go on");
                }
            }
            self.runner.wake();
        }
        begun
    }

    /// What a save would send of a volume of which there is no snapshot to build on, where that builds on what the volume
    /// was made from: what has not been written since is copied by its name there, whether it has come here or not.
    pub(super) fn plan_on_origin(
        &self,
        volume: &Volume,
        info: &VolumeInfo,
        plan: &mut SnapshotPlan,
    ) -> Result<(), Fault> {
        let Some(origin) = self.ask(self.catalog().origin(volume.id))? else {
            return Ok(());
        };
        let pool = self.core.zones.get(volume.zone)?.pool(&volume.name)?;
        let changed = pool
            .changed_since(origin.base, volume.id)
            .map_err(|error| self.fault(error.into()))?;
        let archive = self.core.archive.get();
        let archive = archive.map_err(|error| self.fault(error.into()))?;
        // A store that cannot be asked now is believed to have what it had.
        let there = !matches!(
            archive.manifest(origin.organization, origin.content),
            Ok(None)
        );
        match changed {
            Some(changed) if there => {
                plan.to_save = Bytes(archive::most_to_read(&changed, volume.size.0));
                plan.on_origin = true;
            }
            // What has not come is to be fetched for it, and sent.
            _ => {
                if let Some(filling) = info.filling {
                    let held = archive.held(origin.organization, HoldId::from(volume.id));
                    let whole = held.ok().flatten();
                    let whole = whole.map_or(volume.size.0, |held| held.description().data_bytes);
                    let rest = whole.saturating_sub(filling.present);
                    let all = plan.to_save.0.saturating_add(rest);
                    plan.to_save = Bytes(all.min(volume.size.0));
                }
            }
        }
        Ok(())
    }
}
