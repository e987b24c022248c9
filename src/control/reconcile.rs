//! At a start: what nothing works on is mended, what nobody knows is set apart, what nobody needs is removed.

use super::core::Core;
use super::error::{Error, chain, internal};
use super::tasks::{made_anew, parse_template};
use crate::catalog::instances::move_instance;
use crate::catalog::jobs::{NewJob, insert_job};
use crate::catalog::snapshots::{Held, move_snapshot};
use crate::catalog::templates::move_template;
use crate::catalog::volumes::move_volume;
use crate::catalog::zones::set_quarantine;
use crate::domain::fault::Fault;
use crate::domain::id::{JobId, OrganizationId, VolumeId};
use crate::domain::instance::{InstanceEvent, InstanceState};
use crate::domain::job::JobKind;
use crate::domain::snapshot::{SnapshotEvent, SnapshotState};
use crate::domain::template::{TemplateEvent, TemplateState};
use crate::domain::volume::{VolumeEvent, VolumeState};
use std::collections::HashSet;
use std::path::PathBuf;

pub use crate::catalog::zones::Quarantined;

impl Core {
    /// Compares what the stores know. Nothing that is not known is deleted, but uploads without an import.
    pub fn reconcile(&self) -> Result<(), Error> {
        self.mend_instances()?;
        self.mend_volumes()?;
        self.mend_snapshots()?;
        self.mend_templates()?;
        self.remove_old_points()?;
        self.clear_memories()?;
        self.retire_saved()?;
        if let Err(error) = self.release_holds() {
            tracing::warn!(
                error = chain(&error),
                "holds stay in the object store for now"
            );
        }
        self.resume_fills()?;
        self.set_apart()?;
        self.clear_uploads()?;
        self.clear_sockets();
        Ok(())
    }

    /// The fault of an object whose work is gone: there is no way to bring that about but losing part of the catalog.
    fn lost_work(&self, what: &'static str) -> Fault {
        internal(
            what,
            &Error::Broken("an object is in a passing state, and no work moves it on"),
        )
    }

    fn delete_after_all(
        &self,
        organization: OrganizationId,
        kind: JobKind,
        subject: String,
        name: &str,
    ) -> Result<(), Error> {
        let job = NewJob {
            id: JobId::new(),
            organization,
            kind,
            subject,
            subject_name: name,
            source: None,
            args: "{}".to_owned(),
            total: None,
            asked_by: None,
        };
        Ok(self.catalog.write(|tx| insert_job(tx, &job, self.now()))?)
    }

    /// Those that should run are looked for later, when the doors are open.
    fn mend_instances(&self) -> Result<(), Error> {
        for instance in self.catalog.stranded_instances()? {
            match instance.state {
                InstanceState::Creating => {
                    tracing::warn!(instance = %instance.id, "nothing makes an instance that is being made");
                    let fault = self.lost_work("mend an instance");
                    if let Ok(after) = instance.state.next(InstanceEvent::Broke) {
                        self.catalog.write(|tx| {
                            move_instance(tx, instance.id, instance.state, after, Some(&fault))
                        })?;
                    }
                }
                InstanceState::Deleting => {
                    tracing::warn!(instance = %instance.id, "nothing removes an instance that is being removed");
                    let id = instance.id.to_string();
                    self.delete_after_all(
                        instance.organization,
                        JobKind::DeleteInstance,
                        id,
                        &instance.name,
                    )?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn mend_volumes(&self) -> Result<(), Error> {
        for volume in self.catalog.stranded_volumes()? {
            tracing::warn!(volume = %volume.id, state = ?volume.state, "nothing works on a volume in a passing state");
            match volume.state.next(VolumeEvent::Broke) {
                Ok(after) => {
                    let fault = self.lost_work("mend a volume");
                    self.catalog.write(|tx| {
                        move_volume(tx, volume.id, volume.state, after, Some(&fault))
                    })?;
                }
                Err(_) if volume.state == VolumeState::Deleting => {
                    let id = volume.id.to_string();
                    self.delete_after_all(
                        volume.organization,
                        JobKind::DeleteVolume,
                        id,
                        &volume.name,
                    )?;
                }
                Err(_) => {}
            }
        }
        Ok(())
    }

    fn mend_snapshots(&self) -> Result<(), Error> {
        for snapshot in self.catalog.stranded_snapshots()? {
            tracing::warn!(snapshot = %snapshot.id, state = ?snapshot.state, "nothing works on a snapshot in a passing state");
            match snapshot.state.next(SnapshotEvent::Broke) {
                Ok(after) => {
                    let fault = self.lost_work("mend a snapshot");
                    self.catalog.write(|tx| {
                        move_snapshot(tx, snapshot.id, snapshot.state, after, Some(&fault))
                    })?;
                }
                Err(_) if snapshot.state == SnapshotState::Deleting => {
                    let id = snapshot.id.to_string();
                    self.delete_after_all(
                        snapshot.organization,
                        JobKind::DeleteSnapshot,
                        id,
                        &snapshot.name,
                    )?;
                }
                Err(_) => {}
            }
        }
        Ok(())
    }

    fn mend_templates(&self) -> Result<(), Error> {
        for template in self.catalog.stranded_templates()? {
            tracing::warn!(template = %template.id, state = ?template.state, "nothing works on a template in a passing state");
            match template.state.next(TemplateEvent::Broke) {
                Ok(after) => {
                    let fault = self.lost_work("mend a template");
                    self.catalog.write(|tx| {
                        move_template(tx, template.id, template.state, after, Some(&fault))
                    })?;
                }
                Err(_) if template.state == TemplateState::Deleting => {
                    let id = template.id.to_string();
                    self.delete_after_all(
                        template.organization,
                        JobKind::DeleteTemplate,
                        id,
                        &template.name,
                    )?;
                }
                Err(_) => {}
            }
        }
        Ok(())
    }

    /// Checkpoints of saved snapshots that their jobs could not retire: their data has been kept long enough.
    fn retire_saved(&self) -> Result<(), Error> {
        for zone in self.zones.0.iter().filter(|zone| zone.pool("").is_ok()) {
            for snapshot in self.catalog.snapshots_of_zone(zone.id)? {
                if snapshot.state.is_usable()
                    && snapshot.held == Held::Whole
                    && let Err(failure) = self.retire_checkpoint(&snapshot)
                {
                    tracing::warn!(snapshot = %snapshot.id, ?failure, "the pool still keeps a checkpoint that is saved");
                }
            }
        }
        Ok(())
    }

    /// The volumes of imports that will go on, and those that a rollback makes anew: they are in no list.
    fn work_volumes(&self) -> Result<HashSet<VolumeId>, Error> {
        let live = self.catalog.live_jobs()?;
        let mut volumes: HashSet<VolumeId> = live
            .iter()
            .filter(|job| job.kind == JobKind::ImportTemplate)
            .filter_map(|job| parse_template(&job.args).ok())
            .map(|args| args.work)
            .collect();
        let rollbacks = live.iter().filter(|job| job.kind == JobKind::Rollback);
        volumes.extend(rollbacks.flat_map(made_anew));
        Ok(volumes)
    }

    fn set_apart(&self) -> Result<(), Error> {
        let at_work = self.work_volumes()?;
        for zone in &self.zones.0 {
            let Ok(pool) = zone.pool("") else { continue };
            let volumes = self.catalog.volumes_of_zone(zone.id)?;
            let mut known: HashSet<_> = volumes.iter().map(|volume| volume.id).collect();
            known.extend(&at_work);
            let there: HashSet<_> = pool.volumes().into_iter().collect();
            let mut checkpoints: HashSet<_> = self
                .catalog
                .snapshots_of_zone(zone.id)?
                .into_iter()
                .map(|snapshot| snapshot.checkpoint)
                .collect();
            checkpoints.extend(self.catalog.point_checkpoints_of_zone(zone.id)?);
            let origins = self.catalog.origins_of_zone(zone.id)?;
            checkpoints.extend(origins.iter().map(|origin| origin.base));
            let mut apart: Vec<(&'static str, String)> = Vec::new();
            apart.extend(
                there
                    .difference(&known)
                    .map(|id| ("volume", id.to_string())),
            );
            for checkpoint in pool.checkpoints() {
                if !checkpoints.contains(&checkpoint.id) {
                    apart.push(("checkpoint", checkpoint.id.to_string()));
                }
            }
            for (kind, id) in &apart {
                tracing::warn!(zone = %zone.name, kind, %id, "the pool has what the catalog does not know: set apart, not deleted");
            }
            for volume in &volumes {
                if volume.state == VolumeState::Ready && !there.contains(&volume.id) {
                    tracing::error!(zone = %zone.name, volume = %volume.id, "the catalog knows a volume that the pool does not have");
                }
            }
            self.catalog
                .write(|tx| set_quarantine(tx, zone.id, &apart, self.now()))?;
        }
        Ok(())
    }

    /// Sockets of imports that ended with the last process.
    fn clear_sockets(&self) {
        let Ok(entries) = std::fs::read_dir(self.folders.run()) else {
            return;
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with("import-") && name.ends_with(".sock") {
                // One that stays is in nobody's way: the next import has another name.
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }

    /// Files in `uploads` that no import will read: uploads that were cut off by the end of the process.
    fn clear_uploads(&self) -> Result<(), Error> {
        let live = self.catalog.live_jobs()?;
        let needed: HashSet<PathBuf> = live
            .iter()
            .filter(|job| matches!(job.kind, JobKind::ImportVolume | JobKind::ImportTemplate))
            .map(|job| self.folders.upload_of(job.id))
            .collect();
        let folder = self.folders.uploads();
        let at = |source| Error::Io {
            operation: "read",
            path: folder.clone(),
            source,
        };
        for entry in std::fs::read_dir(&folder).map_err(at)? {
            let path = entry.map_err(at)?.path();
            if !needed.contains(&path) {
                match std::fs::remove_file(&path) {
                    Ok(()) => {
                        tracing::info!(path = %path.display(), "an upload that nothing reads was removed")
                    }
                    Err(error) => {
                        tracing::warn!(path = %path.display(), error = chain(&error), "an upload that nothing reads could not be removed");
                    }
                }
            }
        }
        Ok(())
    }
}
