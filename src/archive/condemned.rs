//! Condemnations: what a prune is going to remove when the grace is over.
//!
//! ```text
//! body
//!   0  4  number of objects, n
//!   4 20n for each: kind (1), zero (3), id (16)
//! ```
//!
//! Nothing new may rely on what is condemned, for ever: a condemnation stands until none of its objects is in the
//! store any more. One that turned out to be needed after all stays condemned: it serves whoever needs it, and dies
//! with the last of them. (If it were pardoned, another prune that is still at work on the same condemnation could
//! remove it under a save that came after the pardon.)
//!
//! One without objects is a clock: what the store says of when it was written is *now*, by the store's own clock.

use super::error::{Damage, Error};
use super::format::{self, Cursor, Kind, ObjectId};
use super::keys::Key;
use super::ledger::Object;
use super::store::{self, Keys, Store};
use crate::domain::id::OrganizationId;
use bytes::Bytes;
use std::collections::{BTreeMap, HashSet};

/// The condemnations that are known, and all that they name.
#[derive(Debug, Default)]
pub struct Condemned {
    by_id: BTreeMap<ObjectId, Vec<Object>>,
    objects: HashSet<Object>,
}

impl Condemned {
    /// Whether the object is condemned.
    pub fn contains(&self, object: Object) -> bool {
        self.objects.contains(&object)
    }

    /// How many objects are condemned.
    pub fn count(&self) -> usize {
        self.objects.len()
    }

    /// Whether the condemnation was read already.
    pub fn knows(&self, id: ObjectId) -> bool {
        self.by_id.contains_key(&id)
    }

    /// All condemnations.
    pub fn ids(&self) -> HashSet<ObjectId> {
        self.by_id.keys().copied().collect()
    }

    /// What a condemnation names.
    pub fn get(&self, id: ObjectId) -> Option<&[Object]> {
        self.by_id.get(&id).map(Vec::as_slice)
    }

    /// Takes in a condemnation.
    pub fn add(&mut self, id: ObjectId, objects: Vec<Object>) {
        self.objects.extend(&objects);
        self.by_id.insert(id, objects);
    }

    /// Forgets the condemnations that `stands` does not know.
    pub fn retain(&mut self, stands: impl Fn(ObjectId) -> bool) {
        let before = self.by_id.len();
        self.by_id.retain(|id, _| stands(*id));
        if self.by_id.len() < before {
            self.objects = self.by_id.values().flatten().copied().collect();
        }
    }
}

/// Writes a condemnation; it stands when this returns well.
pub async fn put(
    store: &Store,
    organization: OrganizationId,
    key: &Key,
    id: ObjectId,
    objects: &[Object],
) -> Result<(), Error> {
    let mut body = Vec::with_capacity(4 + 20 * objects.len());
    body.extend_from_slice(&(objects.len() as u32).to_le_bytes());
    for (kind, id) in objects {
        body.extend_from_slice(&[*kind as u8, 0, 0, 0]);
        body.extend_from_slice(&id.to_bytes());
    }
    let bytes = format::seal(Kind::Condemned, key, organization, id, &body);
    let path = store::name(organization, Kind::Condemned, id);
    store.put(&path, Bytes::from(bytes)).await
}

/// Reads and authenticates a condemnation.
pub async fn read(
    store: &Store,
    organization: OrganizationId,
    id: ObjectId,
    keys: &Keys,
) -> Result<Vec<Object>, Error> {
    let path = store::name(organization, Kind::Condemned, id);
    let (body, _) = store
        .open(organization, Kind::Condemned, id, &path, keys)
        .await?;
    decode(&body).map_err(|damage| store::damaged(&path, damage))
}

fn decode(body: &[u8]) -> Result<Vec<Object>, Damage> {
    let mut cursor = Cursor::new(body);
    let count = cursor.u32()? as usize;
    if cursor.left() != count.saturating_mul(20) {
        return Err(Damage::Truncated);
    }
    let objects = (0..count)
        .map(|_| format::object(&mut cursor))
        .collect::<Result<_, _>>()?;
    cursor.finish()?;
    Ok(objects)
}
