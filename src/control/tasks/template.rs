//! Making and removing templates.
//!
//! A template's content is a snapshot of its own in the object store: a copy of a member's snapshot, a disk of a recovery
//! point that was saved, or an uploaded image that was written to a work volume and saved from there. The work volume is in no list: its id stands in the
//! job, and it goes before the job ends.

use super::super::boot;
use super::super::core::Core;
use super::super::error::{About, Error, explain};
use super::super::image::Format;
use super::super::snapshots::kind_word;
use super::super::stock::template_labels;
use super::super::zones::Zone;
use super::Told;
use super::import::Target;
use crate::archive::{Base, SaveRequest};
use crate::catalog;
use crate::catalog::jobs::{Ending, Job};
use crate::catalog::templates::{Template, forget_template, move_template, template_of};
use crate::domain::fault::Fault;
use crate::domain::id::{CheckpointId, OrganizationId, SnapshotId, TemplateId, VolumeId, ZoneId};
use crate::domain::job::JobKind;
use crate::domain::size::Bytes;
use crate::domain::template::TemplateEvent;
use crate::domain::volume::VolumeKind;
use crate::engine::block::BlockDevice;
use crate::jobs::{Failure, Watch};
use rusqlite::Transaction;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;

/// What an import's job keeps. (Its format is read as that of any import's.)
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::control) struct TemplateArgs {
    /// The image's format, as it was found.
    pub format: Format,
    /// Bytes of the disk in the image.
    pub image: u64,
    /// The zone whose pool has the work volume.
    pub zone: ZoneId,
    /// The work volume.
    pub work: VolumeId,
}

/// What the making of a template is told, as JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::control) struct SourceArgs {
    /// The disk of a recovery point that it is made of; none: it is made of the snapshot that the job names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk: Option<SourceDisk>,
}

/// A disk of a recovery point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::control) struct SourceDisk {
    /// The zone whose pool has it.
    pub zone: ZoneId,
    /// Its content.
    pub checkpoint: CheckpointId,
    /// The volume that it was, which may be gone.
    pub volume: VolumeId,
    /// That volume's name, then.
    pub volume_name: String,
    /// When the point was taken.
    pub taken: i64,
}

/// The steps that do it, in order.
pub(super) const fn steps(kind: JobKind) -> &'static [&'static str] {
    match kind {
        JobKind::CreateTemplate => &["check-boot", "copy", "verify"],
        JobKind::ImportTemplate => &[
            "check-image",
            "make-work",
            "convert",
            "check-disk",
            "store",
            "verify",
            "drop-work",
            "remove-upload",
        ],
        _ => &["delete-content", "drop-leftovers"],
    }
}

/// The steps that undo it, in order.
pub(super) const fn undo_steps(kind: JobKind) -> &'static [&'static str] {
    match kind {
        JobKind::CreateTemplate => &["drop-content"],
        JobKind::ImportTemplate => &["drop-content", "drop-work", "drop-upload"],
        // What was begun is finished, however long it takes.
        _ => &[],
    }
}

impl Core {
    /// One step, of either list.
    pub(super) fn template_step(
        &self,
        job: &Job,
        step: &'static str,
        watch: &mut dyn Watch,
    ) -> Result<(), Failure> {
        match (job.kind, step) {
            (JobKind::CreateTemplate, "check-boot") => self.check_source(job),
            (JobKind::CreateTemplate, "copy") => self.copy_content(job, watch),
            (JobKind::ImportTemplate, "check-image") => self.check_image(job, watch),
            (JobKind::ImportTemplate, "make-work") => self.make_work(job),
            (JobKind::ImportTemplate, "convert") => self.pour_work(job, watch),
            (JobKind::ImportTemplate, "check-disk") => self.check_work(job),
            (JobKind::ImportTemplate, "store") => self.store_work(job, watch),
            (JobKind::ImportTemplate, "drop-work") => self.drop_work(job),
            (JobKind::ImportTemplate, "remove-upload" | "drop-upload") => self.remove_upload(job),
            (JobKind::CreateTemplate | JobKind::ImportTemplate, "verify") => {
                self.verify_content(job)
            }
            (_, "drop-content" | "delete-content") => self.delete_content(job),
            (JobKind::DeleteTemplate, "drop-leftovers") => self.drop_leftovers(job),
            _ => Err(self.broken(step, "a step that no work has")),
        }
    }

    /// Whether a machine can start from the snapshot that `id` is in the object store; `name` is for the words.
    pub(in crate::control) fn check_bootable(
        &self,
        organization: OrganizationId,
        id: SnapshotId,
        name: &str,
    ) -> Result<(), Failure> {
        let about = About {
            name,
            ..About::default()
        };
        let failed = |error| explain("look at a snapshot's first sector", error, about);
        let archive = self.archive.get().map_err(|error| failed(error.into()))?;
        let mut head = [0; boot::HEAD];
        archive
            .read_head(organization, id, &mut head)
            .map_err(|error| failed(error.into()))?;
        boot::check(&head, name).map_err(Failure::Final)
    }

    /// The same of a disk of a recovery point.
    pub(in crate::control) fn check_disk_bootable(
        &self,
        disk: &SourceDisk,
        name: &str,
    ) -> Result<(), Failure> {
        let zone = self.zones.get(disk.zone).map_err(Failure::Final)?;
        let failed = |error| explain("look at a point's first sector", error, zone.about(name));
        let pool = zone.pool(name).map_err(Failure::Passing)?;
        let device = pool
            .open_checkpoint(disk.checkpoint)
            .map_err(|error| failed(error.into()))?;
        let mut head = [0; boot::HEAD];
        device
            .read_at(0, &mut head)
            .map_err(|error| failed(error.into()))?;
        boot::check(&head, name).map_err(Failure::Final)
    }

    fn check_source(&self, job: &Job) -> Result<(), Failure> {
        if let Some(disk) = read::<SourceArgs>(&job.args)?.disk {
            let template = self.subject_template(job)?;
            return self.check_disk_bootable(&disk, &template.origin);
        }
        let snapshot = self.snapshot_named(job.source.as_deref().unwrap_or_default())?;
        if snapshot.kind != VolumeKind::Root {
            return Err(Failure::Final(Fault::NotARootVolume {
                name: snapshot.name,
            }));
        }
        self.check_bootable(snapshot.organization, snapshot.id, &snapshot.name)
    }

    /// The template gets the content of the snapshot, or of the point's disk, under an id of its own: either can go
    /// afterwards.
    fn copy_content(&self, job: &Job, watch: &mut dyn Watch) -> Result<(), Failure> {
        let template = self.subject_template(job)?;
        if let Some(disk) = read::<SourceArgs>(&job.args)?.disk {
            return self.store_disk(&template, &disk, watch);
        }
        let snapshot = self.snapshot_named(job.source.as_deref().unwrap_or_default())?;
        let about = About {
            name: &snapshot.name,
            ..About::default()
        };
        let failed = |error| explain("copy a snapshot", error, about);
        let labels = template_labels(&template);
        let labels = labels
            .each_ref()
            .map(|(name, value)| (*name, value.as_str()));
        let archive = self.archive.get().map_err(|error| failed(error.into()))?;
        archive
            .copy_labelled(
                template.organization,
                snapshot.id,
                template.content,
                &template.name,
                &labels,
            )
            .map(drop)
            .map_err(|error| failed(error.into()))
    }

    /// A disk of a point goes to the object store; the point keeps it from changing. Of what a saved snapshot of the same
    /// volume has already, or what the volume was made from, nothing is read again.
    fn store_disk(
        &self,
        template: &Template,
        disk: &SourceDisk,
        watch: &mut dyn Watch,
    ) -> Result<(), Failure> {
        let zone = self.zones.get(disk.zone).map_err(Failure::Final)?;
        let failed = |error| explain("store a template", error, zone.about(&template.origin));
        let archive = self.archive.get().map_err(|error| failed(error.into()))?;
        let pool = zone.pool(&template.origin).map_err(Failure::Passing)?;
        let device = pool
            .open_checkpoint(disk.checkpoint)
            .map_err(|error| failed(error.into()))?;
        let base = self.base_of((disk.volume, disk.checkpoint), zone, &template.origin)?;
        let labels = template_labels(template);
        let labels = labels
            .each_ref()
            .map(|(name, value)| (*name, value.as_str()));
        let request = SaveRequest {
            organization: template.organization,
            snapshot: template.content,
            name: &template.name,
            volume: disk.volume,
            volume_name: &disk.volume_name,
            kind: kind_word(VolumeKind::Root),
            taken_ms: disk.taken,
            labels: &labels,
            source: &*device,
            base: base.as_ref().map(|(base, changed)| Base {
                snapshot: *base,
                changed,
            }),
        };
        archive
            .save(&request, &mut Told(watch))
            .map(drop)
            .map_err(|error| failed(error.into()))
    }

    /// The work volume and its zone.
    fn work(&self, job: &Job) -> Result<(TemplateArgs, &Zone), Failure> {
        let args = parse(&job.args)?;
        let zone = self.zones.get(args.zone).map_err(Failure::Final)?;
        Ok((args, zone))
    }

    fn make_work(&self, job: &Job) -> Result<(), Failure> {
        let (template, (args, zone)) = (self.subject_template(job)?, self.work(job)?);
        let pool = zone.pool(&template.name).map_err(Failure::Passing)?;
        pool.create_volume(args.work, template.size.0)
            .map_err(|error| {
                explain(
                    "make a work volume",
                    error.into(),
                    zone.about(&template.name),
                )
            })
    }

    fn pour_work(&self, job: &Job, watch: &mut dyn Watch) -> Result<(), Failure> {
        let (args, zone) = self.work(job)?;
        let target = Target {
            zone,
            volume: args.work,
            name: &job.subject_name,
            total: args.image,
        };
        self.pour(job, &target, watch)
    }

    fn check_work(&self, job: &Job) -> Result<(), Failure> {
        let (template, (args, zone)) = (self.subject_template(job)?, self.work(job)?);
        let failed = |error| {
            explain(
                "look at a disk's first sector",
                error,
                zone.about(&template.name),
            )
        };
        let pool = zone.pool(&template.name).map_err(Failure::Passing)?;
        let lease = pool
            .lease(args.work)
            .map_err(|error| failed(error.into()))?;
        let mut head = [0; boot::HEAD];
        lease
            .read_at(0, &mut head)
            .map_err(|error| failed(error.into()))?;
        boot::check(&head, &template.origin).map_err(Failure::Final)
    }

    /// The work volume's content goes to the object store. Nobody else can have it open, so it does not change.
    fn store_work(&self, job: &Job, watch: &mut dyn Watch) -> Result<(), Failure> {
        let (template, (args, zone)) = (self.subject_template(job)?, self.work(job)?);
        let failed = |error| explain("store a template", error, zone.about(&template.name));
        let archive = self.archive.get().map_err(|error| failed(error.into()))?;
        let pool = zone.pool(&template.name).map_err(Failure::Passing)?;
        let lease = pool
            .lease(args.work)
            .map_err(|error| failed(error.into()))?;
        let labels = template_labels(&template);
        let labels = labels
            .each_ref()
            .map(|(name, value)| (*name, value.as_str()));
        let request = SaveRequest {
            organization: template.organization,
            snapshot: template.content,
            name: &template.name,
            volume: args.work,
            volume_name: &template.origin,
            kind: kind_word(VolumeKind::Root),
            taken_ms: template.created,
            labels: &labels,
            source: &*lease,
            base: None,
        };
        let mut after = After {
            watch,
            before: args.image,
        };
        archive
            .save(&request, &mut Told(&mut after))
            .map(drop)
            .map_err(|error| failed(error.into()))
    }

    /// *Ready* is said only of what the object store shows: the manifest is there and is of this disk.
    fn verify_content(&self, job: &Job) -> Result<(), Failure> {
        let template = self.subject_template(job)?;
        let about = About {
            name: &template.name,
            ..About::default()
        };
        let failed = |error| explain("verify a template", error, about);
        let archive = self.archive.get().map_err(|error| failed(error.into()))?;
        let found = archive
            .manifest(template.organization, template.content)
            .map_err(|error| failed(error.into()))?;
        match found {
            Some(found) if found.description.size == template.size.0 => {
                self.know_store(&archive, template.organization)
                    .map_err(failed)?;
                self.catalog
                    .set_template_data(template.id, Bytes(found.description.data_bytes))
                    .map_err(|error| failed(error.into()))
            }
            Some(_) => Err(self.broken(
                "verify a template",
                "the manifest is of a disk of another size",
            )),
            None => Err(self.broken(
                "verify a template",
                "a template that was stored has no manifest",
            )),
        }
    }

    /// The content goes from the object store, with what only it needed.
    fn delete_content(&self, job: &Job) -> Result<(), Failure> {
        let template = self.subject_template(job)?;
        let about = About {
            name: &template.name,
            ..About::default()
        };
        let failed = |error| explain("delete a template", error, about);
        let archive = self.archive.get().map_err(|error| failed(error.into()))?;
        let freed = archive
            .delete(template.organization, template.content)
            .map_err(|error| failed(error.into()))?;
        self.upkeep.deleted();
        tracing::debug!(template = %template.id, ?freed, "deleted from the object store");
        Ok(())
    }

    fn drop_work(&self, job: &Job) -> Result<(), Failure> {
        let (args, zone) = self.work(job)?;
        self.drop_work_of(&args, zone, &job.subject_name)
    }

    fn drop_work_of(&self, args: &TemplateArgs, zone: &Zone, name: &str) -> Result<(), Failure> {
        let pool = zone.pool(name).map_err(Failure::Passing)?;
        pool.delete_volume(args.work)
            .map_err(|error| explain("delete a work volume", error.into(), zone.about(name)))
    }

    /// A work volume that its own job could not remove. That is rare, and the template is gone already: a pool that
    /// refuses once more shows it to the operator at the next start.
    fn drop_leftovers(&self, job: &Job) -> Result<(), Failure> {
        let template = self.subject_template(job)?;
        let import = self.catalog.import_of_template(template.id);
        let import = import
            .map_err(|error| explain("find a template's import", error.into(), About::default()))?;
        let Some(args) = import else { return Ok(()) };
        let dropped = parse(&args).and_then(|args| {
            let zone = self.zones.get(args.zone).map_err(Failure::Final)?;
            self.drop_work_of(&args, zone, &template.name)
        });
        if let Err(failure) = dropped {
            tracing::warn!(template = %template.id, ?failure, "a work volume may be left in a pool");
        }
        Ok(())
    }

    /// The template that the job works on.
    fn subject_template(&self, job: &Job) -> Result<Template, Failure> {
        let id: Option<TemplateId> = job.subject.parse().ok();
        let found = id.map(|id| self.catalog.template(id)).transpose();
        let found = found
            .map_err(|error| explain("find a job's template", error.into(), About::default()))?;
        found.flatten().ok_or_else(|| {
            self.broken(
                "find a job's template",
                "the template that a job works on is not there",
            )
        })
    }
}

/// What an import's job keeps.
pub(in crate::control) fn parse(args: &str) -> Result<TemplateArgs, Failure> {
    read(args)
}

/// What a template's job keeps.
fn read<T: DeserializeOwned>(args: &str) -> Result<T, Failure> {
    serde_json::from_str(args).map_err(|source| {
        explain(
            "read what a template is made of",
            Error::Json {
                what: "what a template is made of",
                source,
            },
            About::default(),
        )
    })
}

/// Progress of a second half: what the first half did counts as done.
struct After<'a> {
    watch: &'a mut dyn Watch,
    before: u64,
}

impl Watch for After<'_> {
    fn total(&mut self, bytes: u64) {
        self.watch.total(self.before.saturating_add(bytes));
    }

    fn done(&mut self, bytes: u64) -> ControlFlow<()> {
        self.watch.done(self.before.saturating_add(bytes))
    }
}

/// The template's new state, in the transaction in which its job ends.
pub(super) fn conclude(
    tx: &Transaction<'_>,
    job: &Job,
    ending: Option<(Ending, &Fault)>,
) -> Result<(), catalog::Error> {
    let Some(id) = job.subject.parse::<TemplateId>().ok() else {
        return Ok(());
    };
    if job.kind == JobKind::DeleteTemplate {
        if ending.is_none() && !forget_template(tx, id)? {
            tracing::error!(job = %job.id, template = %id, "a deleted template was not in its passing state");
        }
        return Ok(());
    }
    let Some(template) = template_of(tx, job.organization, id)? else {
        tracing::error!(job = %job.id, template = %id, "a job's template is not in the catalog");
        return Ok(());
    };
    let event = if ending.is_some() {
        TemplateEvent::Broke
    } else {
        TemplateEvent::Stored
    };
    let fault = ending.map(|(_, fault)| fault);
    match template.state.next(event) {
        Ok(after) if move_template(tx, id, template.state, after, fault)? => {}
        _ => {
            tracing::error!(job = %job.id, template = %id, state = ?template.state, ?event, "a template was not in its passing state")
        }
    }
    Ok(())
}
