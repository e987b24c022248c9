//! Disk images on their way in: what can be refused before the bytes are sent, and what must be looked at afterwards.

use super::error::Error;
use super::image::{self, Format};
use super::volumes::write_new;
use super::work::Asked;
use super::zones::Zone;
use super::{Caller, Control};
use crate::catalog::volumes::volume_name_taken;
use crate::domain::fault::Fault;
use crate::domain::id::{JobId, ZoneId};
use crate::domain::job::JobKind;
use crate::domain::name::checked_name;
use crate::domain::role::Permission;
use crate::domain::size::{Bytes, GIB, MAX_VOLUME_GIB};
use crate::domain::volume::{VolumeKind, VolumeState};
use crate::view::Started;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// An image that was uploaded, wholly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportRequest {
    /// The new volume's name.
    pub name: String,
    /// Its zone.
    pub zone: ZoneId,
    /// What it will be for.
    pub kind: VolumeKind,
    /// The file, in the place that [`Control::upload_check`] gave.
    pub file: PathBuf,
    /// The name it had where it came from: a hint, never a path.
    pub file_name: String,
}

/// Where an upload may be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadSlot {
    /// A file that does not exist yet. Who writes it removes it unless [`Control::import_volume`] takes it over.
    pub path: PathBuf,
}

/// What an import's job keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ImportArgs {
    /// The image's format, as it was found.
    pub format: Format,
}

impl Control {
    /// Before the bytes are sent: whether the caller may, whether the name is good and free, whether there is room for
    /// `bytes` (the whole request, where its length is known). Gives the place to write to.
    ///
    /// # Errors
    /// [`Fault::NameTaken`] and those of names, [`Fault::NotFound`] of the zone, [`Fault::ImporterMissing`],
    /// [`Fault::ImageTooLarge`], [`Fault::ServerFull`].
    pub fn upload_check(
        &self,
        caller: &Caller,
        name: &str,
        zone: ZoneId,
        _kind: VolumeKind,
        bytes: Option<u64>,
    ) -> Result<UploadSlot, Fault> {
        let actor = caller.must(Permission::Change)?;
        let name = checked_name(name)?;
        let zone = self.core.zones.choice(zone)?;
        zone.pool(&name)?;
        if self
            .core
            .look(|tx| Ok(volume_name_taken(tx, actor.organization, &name)?))?
        {
            return Err(Fault::NameTaken { name });
        }
        self.upload_slot(zone, bytes)
    }

    /// Makes a volume of an uploaded image. On success the file is taken over; otherwise it is the caller's to remove.
    ///
    /// # Errors
    /// Those of [`Control::upload_check`], and [`Fault::NotADiskImage`], [`Fault::ImageNotSelfContained`].
    pub fn import_volume(&self, caller: &Caller, request: ImportRequest) -> Result<Started, Fault> {
        let actor = caller.must(Permission::Change)?;
        let name = checked_name(&request.name)?;
        let zone = self.core.zones.choice(request.zone)?;
        zone.pool(&name)?;
        if !self.is_upload(&request.file) {
            return Err(Fault::BadRequest);
        }
        let (image, size) = measured(zone, &request.file, &request.file_name)?;
        let volume = self.new_volume(
            actor,
            zone,
            &name,
            request.kind,
            size,
            VolumeState::Importing,
        );
        let mut asked = Asked::new(JobKind::ImportVolume, &volume.id, &name);
        asked.total = Some(Bytes(image.virtual_size));
        asked.args = serde_json::to_string(&ImportArgs {
            format: image.format,
        })
        .map_err(|source| {
            self.fault(Error::Json {
                what: "an import's arguments",
                source,
            })
        })?;
        self.take_over(&request.file, asked.id, || {
            self.begin(caller, actor, &asked, |tx| write_new(tx, &volume))
        })
    }

    /// Gives an upload the name that the job looks for, then has the job asked for; a refused upload is given back.
    ///
    /// First the name: a file that no job looks for is removed at the next start, a job without its file fails.
    pub(super) fn take_over(
        &self,
        file: &Path,
        job: JobId,
        begin: impl FnOnce() -> Result<Started, Fault>,
    ) -> Result<Started, Fault> {
        let place = self.core.folders.upload_of(job);
        let moved = std::fs::rename(file, &place)
            .and_then(|()| std::fs::File::open(self.core.folders.uploads())?.sync_all());
        moved.map_err(|source| {
            self.fault(Error::Io {
                operation: "take over",
                path: file.to_owned(),
                source,
            })
        })?;
        let started = begin();
        if started.is_err()
            && let Err(error) = std::fs::rename(&place, file)
        {
            tracing::warn!(%error, path = %place.display(), "a refused upload could not be given back");
        }
        started
    }

    /// Whether a file lies where [`Control::upload_check`] has uploads written.
    pub(super) fn is_upload(&self, file: &Path) -> bool {
        file.parent() == Some(self.core.folders.uploads().as_path())
    }

    /// The part of [`Control::upload_check`] that is about the file alone.
    pub(super) fn upload_slot(&self, zone: &Zone, bytes: Option<u64>) -> Result<UploadSlot, Fault> {
        if !image::importer_is_there() {
            return Err(Fault::ImporterMissing);
        }
        let uploads = self.core.folders.uploads();
        if let Some(bytes) = bytes {
            // What no image could shrink to: the pool as a whole is smaller.
            if bytes > zone.total().0 {
                return Err(Fault::ImageTooLarge {
                    needed: Bytes(bytes),
                    free: zone.free(),
                });
            }
            if room(&uploads).is_some_and(|room| bytes > room) {
                return Err(Fault::ServerFull);
            }
        }
        Ok(UploadSlot {
            path: uploads.join(format!("{}.part", JobId::new())),
        })
    }
}

/// The disk in the image, and the size of the volume that takes it: refused where the zone has no room for it.
pub(super) fn measured(
    zone: &Zone,
    file: &Path,
    file_name: &str,
) -> Result<(image::Image, Bytes), Fault> {
    let image = image::inspect(file, file_name).map_err(|refused| refused.into_fault())?;
    let size = Bytes(image.virtual_size)
        .round_up_to_volume()
        .filter(|size| size.0 <= MAX_VOLUME_GIB * GIB);
    let free = zone.free();
    let too_large = |needed| Fault::ImageTooLarge {
        needed: Bytes(needed),
        free,
    };
    let size = size.ok_or_else(|| too_large(image.virtual_size))?;
    if image.at_least > free.0 {
        return Err(too_large(image.at_least));
    }
    Ok((image, size))
}

/// Bytes that can still be written to the file system of a folder; none when it cannot be told.
fn room(folder: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(folder).ok()?;
    stat.f_bavail.checked_mul(stat.f_frsize)
}
