//! Templates: listing, making them of snapshots and of uploaded images, deleting.

use super::error::{About, Error, Refusal, explain};
use super::moments::{moment, time_zone};
use super::tasks::TemplateArgs;
use super::uploads::{UploadSlot, measured};
use super::work::Asked;
use super::zones::Zone;
use super::{Actor, Caller, Control, narrow, page_of};
use crate::catalog::instances::live_work_on;
use crate::catalog::jobs::is_being_read;
use crate::catalog::snapshots::snapshot_of;
use crate::catalog::templates::{
    ListedTemplate, Template, insert_template, move_template, template_name_taken, template_of,
};
use crate::domain::fault::{Fault, Noun};
use crate::domain::id::{OrganizationId, SnapshotId, TemplateId, VolumeId};
use crate::domain::job::JobKind;
use crate::domain::name::checked_name;
use crate::domain::role::Permission;
use crate::domain::size::Bytes;
use crate::domain::template::{TemplateEvent, TemplateState};
use crate::domain::volume::VolumeKind;
use crate::view::{DeletionPlan, Listing, PAGE_ROWS, Page, Started, TemplateRow};
use jiff::tz::TimeZone;
use rusqlite::Transaction;
use std::path::PathBuf;
use std::sync::Arc;

const NO_TEMPLATE: Fault = Fault::NotFound {
    what: Noun::Template,
};
const NO_SNAPSHOT: Fault = Fault::NotFound {
    what: Noun::Snapshot,
};
/// The longest description, in characters.
const MAX_DESCRIPTION: usize = 500;
/// The most templates that one can choose from.
const MAX_CHOICES: u32 = 1_000;

/// An image that was uploaded, wholly, to become a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateImport {
    /// The new template's name.
    pub name: String,
    /// What its maker says of it.
    pub description: String,
    /// The file, in the place that [`Control::template_upload_check`] gave.
    pub file: PathBuf,
    /// The name it had where it came from: shown, and a hint; never a path.
    pub file_name: String,
}

impl Control {
    /// A page of the organization's templates, newest first.
    ///
    /// # Errors
    /// [`Fault::SignInNeeded`].
    pub fn list_templates(
        &self,
        caller: &Caller,
        listing: impl Into<Listing>,
    ) -> Result<Page<TemplateRow>, Fault> {
        let actor = caller.must(Permission::Read)?;
        let found = self.ask(self.catalog().list_templates(
            actor.organization,
            &narrow(listing, actor),
            PAGE_ROWS,
        ))?;
        let zone = time_zone(&actor.time_zone);
        Ok(page_of(found, |listed| {
            self.template_row(actor, &zone, listed)
        }))
    }

    /// The templates that an instance can be made from, by name: at most a thousand.
    ///
    /// # Errors
    /// [`Fault::SignInNeeded`].
    pub fn ready_templates(&self, caller: &Caller) -> Result<Vec<TemplateRow>, Fault> {
        let actor = caller.must(Permission::Read)?;
        let found = self.ask(
            self.catalog()
                .ready_templates(actor.organization, MAX_CHOICES),
        )?;
        let zone = time_zone(&actor.time_zone);
        let alone = |template| ListedTemplate {
            template,
            job: None,
        };
        let rows = found.into_iter().map(alone);
        Ok(rows
            .map(|listed| self.template_row(actor, &zone, listed))
            .collect())
    }

    fn template_row(
        &self,
        actor: &Actor,
        time_zone: &TimeZone,
        listed: ListedTemplate,
    ) -> TemplateRow {
        let template = listed.template;
        TemplateRow {
            id: template.id,
            name: template.name,
            description: template.description,
            state: template.state,
            fault: template.fault,
            size: template.size,
            data: template.data,
            origin: template.origin,
            elsewhere: template.elsewhere,
            created: moment(time_zone, template.created),
            job: listed.job.map(|job| self.job_view(actor, time_zone, &job)),
        }
    }

    /// Makes a template of a saved snapshot of a root volume. The snapshot can be deleted afterwards.
    ///
    /// # Errors
    /// [`Fault::NotFound`], [`Fault::SnapshotNotUsable`], [`Fault::NotARootVolume`], [`Fault::NotBootable`],
    /// [`Fault::NeedsUefi`], [`Fault::TextTooLong`], those of names and of the object store.
    pub fn create_template(
        &self,
        caller: &Caller,
        id: SnapshotId,
        name: &str,
        description: &str,
    ) -> Result<Started, Fault> {
        let actor = caller.must(Permission::Change)?;
        // First whether there is such a snapshot: a stranger's mistakes beyond that are not told.
        let snapshot = self.snapshot_of(actor.organization, id)?;
        let (name, description) = (checked_name(name)?, checked_description(description)?);
        if !snapshot.state.is_usable() {
            return Err(Fault::SnapshotNotUsable {
                name: snapshot.name,
            });
        }
        if snapshot.kind != VolumeKind::Root {
            return Err(Fault::NotARootVolume {
                name: snapshot.name,
            });
        }
        self.core
            .check_bootable(snapshot.organization, id, &snapshot.name)
            .map_err(|failure| failure.into_fault())?;
        let template = self.new_template(
            actor,
            &name,
            description,
            snapshot.size,
            snapshot.name.clone(),
        );
        let mut asked = Asked::new(JobKind::CreateTemplate, &template.id, &name);
        asked.source = Some(id.to_string());
        self.begin(caller, actor, &asked, |tx| {
            let snapshot = snapshot_of(tx, actor.organization, id)?.ok_or(NO_SNAPSHOT)?;
            if !snapshot.state.is_usable() {
                return Err(Fault::SnapshotNotUsable {
                    name: snapshot.name,
                }
                .into());
            }
            write_new(tx, &template)
        })
    }

    /// As [`Control::upload_check`], for an image that becomes a template.
    ///
    /// # Errors
    /// [`Fault::NameTaken`] and those of names, [`Fault::TextTooLong`], [`Fault::ImporterMissing`],
    /// [`Fault::ImageTooLarge`], [`Fault::ServerFull`].
    pub fn template_upload_check(
        &self,
        caller: &Caller,
        name: &str,
        description: &str,
        bytes: Option<u64>,
    ) -> Result<UploadSlot, Fault> {
        let actor = caller.must(Permission::Change)?;
        let name = checked_name(name)?;
        checked_description(description)?;
        if self
            .core
            .look(|tx| Ok(template_name_taken(tx, actor.organization, &name)?))?
        {
            return Err(Fault::NameTaken { name });
        }
        self.upload_slot(self.roomiest()?, bytes)
    }

    /// Makes a template of an uploaded image. On success the file is taken over; otherwise it is the caller's to
    /// remove.
    ///
    /// # Errors
    /// Those of [`Control::template_upload_check`], and [`Fault::NotADiskImage`], [`Fault::ImageNotSelfContained`].
    pub fn import_template(
        &self,
        caller: &Caller,
        request: TemplateImport,
    ) -> Result<Started, Fault> {
        let actor = caller.must(Permission::Change)?;
        let name = checked_name(&request.name)?;
        let description = checked_description(&request.description)?;
        if !self.is_upload(&request.file) {
            return Err(Fault::BadRequest);
        }
        let zone = self.roomiest()?;
        let (image, size) = measured(zone, &request.file, &request.file_name)?;
        let origin = checked_name(&request.file_name).unwrap_or_else(|_| name.clone());
        let template = self.new_template(actor, &name, description, size, origin);
        let mut asked = Asked::new(JobKind::ImportTemplate, &template.id, &name);
        asked.total = Some(Bytes(image.virtual_size));
        asked.args = serde_json::to_string(&TemplateArgs {
            format: image.format,
            image: image.virtual_size,
            zone: zone.id,
            work: VolumeId::new(),
        })
        .map_err(|source| {
            self.fault(Error::Json {
                what: "a template's import",
                source,
            })
        })?;
        self.take_over(&request.file, asked.id, || {
            self.begin(caller, actor, &asked, |tx| write_new(tx, &template))
        })
    }

    /// What deleting the template would mean.
    ///
    /// # Errors
    /// [`Fault::ObjectStoreUnavailable`]; those of [`Self::delete_template`]: what would be refused is not offered.
    pub fn template_deletion(
        &self,
        caller: &Caller,
        id: TemplateId,
    ) -> Result<DeletionPlan, Fault> {
        let actor = caller.must(Permission::Read)?;
        let template = self.template_of(actor.organization, id)?;
        self.core.look(|tx| may_delete(tx, &template).map(drop))?;
        let mut frees = 0;
        if template.state == TemplateState::Ready {
            let found = self
                .core
                .archive
                .get()
                .and_then(|archive| archive.manifest(actor.organization, template.content));
            let about = About {
                name: &template.name,
                ..Default::default()
            };
            frees = found
                .map_err(|error| explain("plan a deletion", error.into(), about).into_fault())?
                .map_or(0, |info| info.reclaimable_bytes);
        }
        Ok(DeletionPlan {
            name: template.name,
            frees: Bytes(frees),
            snapshots_kept: 0,
        })
    }

    /// Deletes the template from the object store. Instances made from it, and the snapshot it was made of, stay.
    ///
    /// # Errors
    /// [`Fault::NotFound`]; [`Fault::InUse`] while it is being made, or an instance is being made from it.
    pub fn delete_template(&self, caller: &Caller, id: TemplateId) -> Result<Started, Fault> {
        let actor = caller.must(Permission::Change)?;
        let template = self.template_of(actor.organization, id)?;
        let in_use = || Fault::InUse {
            name: template.name.clone(),
        };
        let asked = Asked::new(JobKind::DeleteTemplate, &id, &template.name);
        self.begin(caller, actor, &asked, |tx| {
            let template = template_of(tx, actor.organization, id)?.ok_or(NO_TEMPLATE)?;
            let after = may_delete(tx, &template)?;
            if !move_template(tx, id, template.state, after, None)? {
                return Err(in_use().into());
            }
            Ok(())
        })
    }

    fn template_of(&self, organization: OrganizationId, id: TemplateId) -> Result<Template, Fault> {
        self.core
            .look(|tx| Ok(template_of(tx, organization, id)?.ok_or(NO_TEMPLATE)?))
    }

    pub(super) fn new_template(
        &self,
        actor: &Actor,
        name: &str,
        description: String,
        size: Bytes,
        origin: String,
    ) -> Template {
        Template {
            id: TemplateId::new(),
            organization: actor.organization,
            name: name.to_owned(),
            description,
            state: TemplateState::Creating,
            fault: None,
            content: SnapshotId::new(),
            size,
            data: None,
            origin,
            created: self.now_ms(),
            elsewhere: false,
        }
    }

    /// The zone with the most room: an image passes through its pool on the way to the object store.
    fn roomiest(&self) -> Result<&Arc<Zone>, Fault> {
        let zones = self.core.zones.0.iter();
        zones
            .filter(|zone| zone.in_settings && zone.pool("").is_ok())
            .max_by_key(|zone| zone.free())
            .ok_or(Fault::NotFound { what: Noun::Zone })
    }
}

/// The state of the template once it is being deleted; refuses where that is not possible now.
pub(super) fn may_delete(
    tx: &Transaction<'_>,
    template: &Template,
) -> Result<TemplateState, Refusal> {
    let in_use = || Fault::InUse {
        name: template.name.clone(),
    };
    let after = template
        .state
        .next(TemplateEvent::DeleteAsked)
        .map_err(|_| in_use())?;
    let id = template.id.to_string();
    if is_being_read(tx, &id)? || live_work_on(tx, &id)?.is_some() {
        return Err(in_use().into());
    }
    Ok(after)
}

/// Writes the template down, unless its name is taken.
pub(super) fn write_new(tx: &Transaction<'_>, template: &Template) -> Result<(), Refusal> {
    if template_name_taken(tx, template.organization, &template.name)? {
        return Err(Fault::NameTaken {
            name: template.name.clone(),
        }
        .into());
    }
    Ok(insert_template(tx, template)?)
}

/// A description as it is kept: trimmed, with plain ends of lines and no other control characters.
pub(super) fn checked_description(text: &str) -> Result<String, Fault> {
    let text = text.replace("\r\n", "\n");
    let text: String = text
        .trim()
        .chars()
        .map(|c| if c.is_control() && c != '\n' { ' ' } else { c })
        .collect();
    if text.chars().count() > MAX_DESCRIPTION {
        let max = u32::try_from(MAX_DESCRIPTION).unwrap_or(u32::MAX);
        return Err(Fault::TextTooLong { max });
    }
    Ok(text)
}
