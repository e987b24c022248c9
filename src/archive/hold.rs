//! Holds: what is needed although no manifest says so. A prune takes a hold for a manifest.
//!
//! ```text
//! body
//!   0  1  what it is: 1 an upload's, 3 a volume's
//!   1  3  zero
//! of an upload
//!   4  4  number of objects, n
//!   8 28n for each: kind (1), zero (3), id (16), length (8)
//! of a volume
//!   4 16  id of the master key of the data folder that wrote it
//!  20 16  id of the manifest object that it is a copy of
//!  36  -  the body of that manifest (see `manifest`)
//! of a volume, first version (what it is: 2): the same without the master key's id
//! ```
//!
//! A **volume's hold** stands for as long as the volume still fills from a snapshot: it has its own copy of the
//! manifest, so that the snapshot may be deleted, in any zone. It is removed by its owner alone, or by hand when its
//! owner is gone for ever (`reprise archive release`): that is why it says whose it is. Its id is given by the caller,
//! who writes it down first; the volume's own id will do.
//!
//! An **upload's hold** names what the upload builds upon, and from time to time anew what it has written. It dies
//! with its process: a prune removes it when it is older than the grace. Nothing relies on its being there without
//! having looked (see `commit`).
//!
//! A hold is good from the moment when it was PUT and the manifest it copies was *seen to be there afterwards*: any
//! prune that listed before then saw the manifest, any that lists later sees the hold.

use super::Archive;
use super::commit;
use super::error::{Damage, Error};
use super::format::{self, Cursor, Kind, ObjectId};
use super::keys::Key;
use super::ledger::Object;
use super::manifest::{Description, Manifest};
use super::organization::Organization;
use super::restore::pinned_manifest;
use super::store::{self, Keys, Store};
use crate::domain::id::{OrganizationId, SnapshotId, VolumeId};
use bytes::Bytes;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

const UPLOAD: u32 = 1;
/// Without its writer's id.
const VOLUME_0: u32 = 2;
const VOLUME: u32 = 3;

/// The name of a volume's hold. Given once, by who will release it; never used again after that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HoldId([u8; 16]);

impl HoldId {
    /// The id with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    const fn object(self) -> ObjectId {
        ObjectId::from_bytes(self.0)
    }
}

impl From<VolumeId> for HoldId {
    fn from(volume: VolumeId) -> Self {
        Self(volume.to_bytes())
    }
}

impl fmt::Display for HoldId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.object().fmt(f)
    }
}

/// A volume's hold, read: all that is needed to read the snapshot's content, also when the snapshot is deleted.
#[derive(Debug, Clone)]
pub struct Held {
    /// Whose it is.
    pub organization: OrganizationId,
    /// Its id.
    pub id: HoldId,
    /// The snapshot's manifest; of it, `segments` and `description.size` are what a reader needs.
    pub(super) manifest: Arc<Manifest>,
}

impl Held {
    /// What the snapshot said of itself.
    #[must_use]
    pub fn description(&self) -> &Description {
        &self.manifest.description
    }
}

/// A hold, for who looks after the store.
#[derive(Debug, Clone)]
pub struct HoldInfo {
    /// Its id.
    pub id: HoldId,
    /// When it was written, by the store's own clock: milliseconds since 1970, UTC.
    pub written_ms: i64,
    /// Bytes of packs and segments that nothing but this hold needs.
    pub exclusive_bytes: u64,
    /// Whose it is.
    pub holder: Holder,
}

/// Whose a hold is.
#[derive(Debug, Clone)]
pub enum Holder {
    /// An upload that is under way, or has died; a prune removes it then.
    Upload,
    /// A volume that fills from a snapshot.
    Volume {
        /// The data folder: the id of its master key. None: the hold was written by an early version.
        data_folder: Option<String>,
        /// Whether that is the one in use here.
        own: bool,
        /// What the snapshot said of itself.
        description: Description,
    },
    /// It cannot be read.
    Unreadable(Damage),
}

/// See [`Archive::holds`].
pub fn holds(archive: &Archive, organization: OrganizationId) -> Result<Vec<HoldInfo>, Error> {
    let store = &archive.shared.store;
    let runtime = store.runtime();
    let organization = archive.organization(organization)?;
    runtime.block_on(organization.refresh(store))?;
    let keys = Arc::clone(&organization.state().keys);
    let mut all = Vec::new();
    for listed in runtime.block_on(store.list_dated(organization.id, Kind::Hold))? {
        let Some(id) = ObjectId::parse(&listed.name) else {
            continue;
        };
        let holder = match runtime.block_on(read(store, organization.id, id, &keys)) {
            Ok(Content::Upload(_)) => Holder::Upload,
            Ok(Content::Volume { by, manifest, .. }) => Holder::Volume {
                data_folder: by.map(|by| by.to_string()),
                own: by == Some(store.master().id()),
                description: manifest.description,
            },
            // Released since the listing.
            Err(Error::Damaged {
                damage: Damage::Missing,
                ..
            }) => continue,
            Err(Error::Damaged { damage, .. }) => Holder::Unreadable(damage),
            Err(error) => return Err(error),
        };
        all.push(HoldInfo {
            id: HoldId(id.to_bytes()),
            written_ms: listed.written,
            exclusive_bytes: organization.state().ledger.hold_exclusive(id),
            holder,
        });
    }
    all.sort_unstable_by_key(|hold| (hold.written_ms, hold.id));
    Ok(all)
}

/// What a hold says.
pub enum Content {
    Upload(Vec<(Object, u64)>),
    Volume {
        /// The master key of the data folder that wrote it.
        by: Option<ObjectId>,
        original: ObjectId,
        manifest: Box<Manifest>,
    },
}

impl Content {
    fn encode(&self) -> Result<Vec<u8>, Error> {
        let mut body = Vec::new();
        match self {
            Self::Upload(objects) => {
                body.extend_from_slice(&UPLOAD.to_le_bytes());
                body.extend_from_slice(&(objects.len() as u32).to_le_bytes());
                for ((kind, id), size) in objects {
                    body.extend_from_slice(&[*kind as u8, 0, 0, 0]);
                    body.extend_from_slice(&id.to_bytes());
                    body.extend_from_slice(&size.to_le_bytes());
                }
            }
            Self::Volume {
                by,
                original,
                manifest,
            } => {
                match by {
                    Some(by) => {
                        body.extend_from_slice(&VOLUME.to_le_bytes());
                        body.extend_from_slice(&by.to_bytes());
                    }
                    None => body.extend_from_slice(&VOLUME_0.to_le_bytes()),
                }
                body.extend_from_slice(&original.to_bytes());
                body.extend_from_slice(&manifest.body().map_err(|error| Error::Process {
                    what: "the hold cannot be written down",
                    source: error.into(),
                })?);
            }
        }
        Ok(body)
    }

    fn decode(body: &[u8]) -> Result<Self, Damage> {
        let mut cursor = Cursor::new(body);
        match cursor.u32()? {
            UPLOAD => {
                let count = cursor.u32()? as usize;
                if cursor.left() != count.saturating_mul(28) {
                    return Err(Damage::Truncated);
                }
                let mut objects = Vec::with_capacity(count);
                for _ in 0..count {
                    let object = format::object(&mut cursor)?;
                    objects.push((object, u64::from_le_bytes(cursor.array()?)));
                }
                Ok(Self::Upload(objects))
            }
            kind @ (VOLUME | VOLUME_0) => Ok(Self::Volume {
                by: match kind {
                    VOLUME => Some(ObjectId::from_bytes(cursor.array()?)),
                    _ => None,
                },
                original: ObjectId::from_bytes(cursor.array()?),
                manifest: Box::new(Manifest::decode(cursor.take(cursor.left())?)?),
            }),
            _ => Err(Damage::Invalid {
                what: "it is a hold of a kind this program does not know",
            }),
        }
    }

    /// Every object that is held, with its length.
    pub fn needs(&self) -> Box<dyn Iterator<Item = (Kind, ObjectId, u64)> + '_> {
        match self {
            Self::Upload(objects) => {
                Box::new(objects.iter().map(|((kind, id), size)| (*kind, *id, *size)))
            }
            Self::Volume { manifest, .. } => Box::new(manifest.needs()),
        }
    }
}

/// Writes a hold; it stands when this returns well.
pub async fn put(
    store: &Store,
    organization: OrganizationId,
    key: &Key,
    id: ObjectId,
    content: &Content,
) -> Result<(), Error> {
    let bytes = format::seal(Kind::Hold, key, organization, id, &content.encode()?);
    let path = store::name(organization, Kind::Hold, id);
    store.put(&path, Bytes::from(bytes)).await
}

/// Reads and authenticates a hold.
pub async fn read(
    store: &Store,
    organization: OrganizationId,
    id: ObjectId,
    keys: &Keys,
) -> Result<Content, Error> {
    let path = store::name(organization, Kind::Hold, id);
    let (body, _) = store
        .open(organization, Kind::Hold, id, &path, keys)
        .await?;
    Content::decode(&body).map_err(|damage| store::damaged(&path, damage))
}

/// See [`Archive::hold_for`].
pub fn hold_for(
    archive: &Archive,
    organization: OrganizationId,
    snapshot: SnapshotId,
    id: HoldId,
) -> Result<Held, Error> {
    let store = &archive.shared.store;
    let organization = archive.organization(organization)?;
    if organization.state().uncertain {
        store.runtime().block_on(organization.refresh(store))?;
    }
    // An earlier call may have ended in a crash, or without an answer.
    if let Some((original, manifest)) = find(store, &organization, id)? {
        let held = Held {
            organization: organization.id,
            id,
            manifest: Arc::new(manifest),
        };
        return prove(archive, &organization, held, snapshot, original);
    }
    let (manifest, key, pins) = pinned_manifest(archive, &organization, snapshot)?;
    let original = organization
        .state()
        .ledger
        .snapshot(snapshot)
        .ok_or(Error::NoSuchSnapshot { snapshot })?
        .manifest;
    let key = {
        let keys = Arc::clone(&organization.state().keys);
        let path = || store::name(organization.id, Kind::Key, key);
        store::find_key(&keys, key)
            .map_err(|damage| store::damaged(&path(), damage))?
            .clone()
    };
    let content = Content::Volume {
        by: Some(store.master().id()),
        original,
        manifest: Box::new(manifest.clone()),
    };
    let written = put(store, organization.id, &key, id.object(), &content);
    if let Err(error) = store.runtime().block_on(written) {
        // It may stand there all the same, and be found by the next call.
        organization.state().uncertain = true;
        pins.keep_for_ever();
        return Err(error);
    }
    organization
        .state()
        .ledger
        .add_hold(id.object(), content.needs());
    let held = Held {
        organization: organization.id,
        id,
        manifest: Arc::new(manifest),
    };
    prove(archive, &organization, held, snapshot, original)
}

/// Makes sure that the hold came in time: see the module.
fn prove(
    archive: &Archive,
    organization: &Arc<Organization>,
    held: Held,
    snapshot: SnapshotId,
    original: ObjectId,
) -> Result<Held, Error> {
    let store = &archive.shared.store;
    // The pins, and the ledger since, have kept everything.
    if organization.sole {
        return Ok(held);
    }
    let path = store::manifest_name(organization.id, snapshot, original);
    match store.runtime().block_on(store.size(&path)) {
        Ok(_) => return Ok(held),
        Err(Error::Damaged {
            damage: Damage::Missing,
            ..
        }) => {}
        Err(error) => return Err(error),
    }
    // Deleted meanwhile. What is there now and is not condemned stays.
    let needs: Vec<_> = commit::objects(&held.manifest).collect();
    let nothing = HashSet::new();
    let safe = commit::are_safe(store, organization, &needs, &nothing);
    match store.runtime().block_on(safe) {
        Ok(()) => Ok(held),
        Err(Error::Overtaken | Error::Damaged { .. }) => {
            release(archive, organization.id, held.id)?;
            Err(Error::NoSuchSnapshot { snapshot })
        }
        Err(error) => Err(error),
    }
}

fn find(
    store: &Store,
    organization: &Organization,
    id: HoldId,
) -> Result<Option<(ObjectId, Manifest)>, Error> {
    let keys = Arc::clone(&organization.state().keys);
    let read = read(store, organization.id, id.object(), &keys);
    match store.runtime().block_on(read) {
        Ok(content) => {
            organization
                .state()
                .ledger
                .add_hold(id.object(), content.needs());
            match content {
                Content::Volume {
                    original, manifest, ..
                } => Ok(Some((original, *manifest))),
                Content::Upload(_) => Err(Error::InvalidRequest {
                    what: "the hold is not a volume's",
                }),
            }
        }
        Err(Error::Damaged {
            damage: Damage::Missing,
            ..
        }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// See [`Archive::held`].
pub fn held(
    archive: &Archive,
    organization: OrganizationId,
    id: HoldId,
) -> Result<Option<Held>, Error> {
    held_in(&archive.shared.store, archive, organization, id)
}

/// As [`Archive::held`], read from `store`, which is the archive's own.
pub fn held_in(
    store: &Store,
    archive: &Archive,
    organization: OrganizationId,
    id: HoldId,
) -> Result<Option<Held>, Error> {
    let organization = archive.organization(organization)?;
    let found = find(store, &organization, id)?;
    Ok(found.map(|(_, manifest)| Held {
        organization: organization.id,
        id,
        manifest: Arc::new(manifest),
    }))
}

/// See [`Archive::release_hold`].
pub fn release(archive: &Archive, organization: OrganizationId, id: HoldId) -> Result<(), Error> {
    let store = &archive.shared.store;
    let organization = archive.organization(organization)?;
    let path = store::name(organization.id, Kind::Hold, id.object());
    store.runtime().block_on(store.delete(&path))?;
    {
        let mut state = organization.state();
        state.ledger.remove_hold(id.object());
        // One that could not be read holds nothing up any more.
        let name = format!("{}/{}", Kind::Hold.folder(), id.object());
        state.unreadable.remove(&name);
    }
    if organization.sole {
        archive.sweep(&organization)?;
    }
    Ok(())
}
