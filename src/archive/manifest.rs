//! Manifests: one object a snapshot, written last. What no manifest names does not exist.
//!
//! ```text
//! body
//!   0  4  length of the description, d
//!   4  d  description: JSON, the fields of [`Description`]; fields that are not known are passed over
//!   -  1  log2 of the chunk size (16)
//!   -  1  log2 of the segment size (26)
//!   -  2  zero
//!   -  4  number of packs, p
//!   -  4  number of segments, s
//!   - 24p for each pack that a segment of this snapshot uses, by id: id (16), length of the object (4), number of
//!         chunk places of this snapshot that it serves (4)
//!   - 24s for each segment that is not all zeros, by number: number (4), id of its object (16), length of the object (4)
//! ```
//!
//! The packs stand here, with counts, so that what a deletion frees is known without reading a segment, and so that
//! an incremental save can keep the table exact from the segments it rewrites alone. 1 TiB of data costs 1.1 MiB.

use super::error::Damage;
use super::format::{self, Cursor, Kind, ObjectId};
use super::keys::Key;
use super::{CHUNK_BITS, SEGMENT_BITS, SEGMENT_SIZE};
use crate::domain::id::{OrganizationId, SnapshotId, VolumeId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a manifest says of its snapshot in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// Its name when it was saved.
    pub name: String,
    /// The volume it was taken of.
    pub volume: VolumeId,
    /// The volume's name then.
    pub volume_name: String,
    /// The volume's kind then, in the caller's words.
    pub kind: String,
    /// When it was taken: milliseconds since 1970, UTC.
    pub taken_ms: i64,
    /// Size of the volume in bytes.
    pub size: u64,
    /// Bytes of the volume that are not zero chunks.
    pub data_bytes: u64,
    /// Bytes that the save put into the store, all objects but the manifest.
    pub uploaded_bytes: u64,
    /// What else the caller wants to find again with it, in words of its own. Empty in what the first versions wrote.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// A pack as a manifest knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackUse {
    /// Length of the object in bytes.
    pub size: u32,
    /// Chunk places of the snapshot that it serves.
    pub chunks: u32,
}

/// A segment as a manifest knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentUse {
    /// The object.
    pub id: ObjectId,
    /// Its length in bytes.
    pub size: u32,
}

/// A snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// In words.
    pub description: Description,
    /// Every pack that is used.
    pub packs: BTreeMap<ObjectId, PackUse>,
    /// By number; what is not there is all zeros.
    pub segments: BTreeMap<u32, SegmentUse>,
}

impl Manifest {
    /// The whole object.
    pub fn encode(
        &self,
        key: &Key,
        organization: OrganizationId,
        id: ObjectId,
    ) -> Result<Vec<u8>, serde_json::Error> {
        let body = self.body()?;
        Ok(format::seal(Kind::Manifest, key, organization, id, &body))
    }

    /// The body, which a hold has a copy of.
    pub fn body(&self) -> Result<Vec<u8>, serde_json::Error> {
        let description = serde_json::to_vec(&self.description)?;
        let mut body = Vec::with_capacity(
            16 + description.len() + 24 * (self.packs.len() + self.segments.len()),
        );
        body.extend_from_slice(&(description.len() as u32).to_le_bytes());
        body.extend_from_slice(&description);
        body.extend_from_slice(&[CHUNK_BITS, SEGMENT_BITS, 0, 0]);
        body.extend_from_slice(&(self.packs.len() as u32).to_le_bytes());
        body.extend_from_slice(&(self.segments.len() as u32).to_le_bytes());
        for (id, pack) in &self.packs {
            body.extend_from_slice(&id.to_bytes());
            body.extend_from_slice(&pack.size.to_le_bytes());
            body.extend_from_slice(&pack.chunks.to_le_bytes());
        }
        for (number, segment) in &self.segments {
            body.extend_from_slice(&number.to_le_bytes());
            body.extend_from_slice(&segment.id.to_bytes());
            body.extend_from_slice(&segment.size.to_le_bytes());
        }
        Ok(body)
    }

    /// Reads the body of a manifest object that was opened.
    pub fn decode(body: &[u8]) -> Result<Self, Damage> {
        let mut cursor = Cursor::new(body);
        let length = cursor.u32()? as usize;
        let description: Description =
            serde_json::from_slice(cursor.take(length)?).map_err(|_| Damage::Invalid {
                what: "its description cannot be read",
            })?;
        if cursor.array()? != [CHUNK_BITS, SEGMENT_BITS, 0, 0] {
            return Err(Damage::Invalid {
                what: "its chunk or segment size is not known to this program",
            });
        }
        let (packs, segments) = (cursor.u32()? as usize, cursor.u32()? as usize);
        if cursor.left() != packs.saturating_add(segments).saturating_mul(24) {
            return Err(Damage::Truncated);
        }
        let mut manifest = Self {
            description,
            packs: BTreeMap::new(),
            segments: BTreeMap::new(),
        };
        for _ in 0..packs {
            let id = ObjectId::from_bytes(cursor.array()?);
            manifest.packs.insert(
                id,
                PackUse {
                    size: cursor.u32()?,
                    chunks: cursor.u32()?,
                },
            );
        }
        for _ in 0..segments {
            let number = cursor.u32()?;
            if u64::from(number) * SEGMENT_SIZE >= manifest.description.size {
                return Err(Damage::Invalid {
                    what: "a segment lies beyond the end of the volume",
                });
            }
            let id = ObjectId::from_bytes(cursor.array()?);
            manifest.segments.insert(
                number,
                SegmentUse {
                    id,
                    size: cursor.u32()?,
                },
            );
        }
        cursor.finish()?;
        if manifest.packs.len() != packs || manifest.segments.len() != segments {
            return Err(Damage::Invalid {
                what: "a pack or a segment is named twice",
            });
        }
        Ok(manifest)
    }

    /// As [`Manifest::needs`], and how many of its chunk places each pack serves.
    pub fn uses(&self) -> impl Iterator<Item = (Kind, ObjectId, u64, u32)> + '_ {
        self.needs().map(|(kind, id, size)| {
            let served = self.packs.get(&id).map_or(0, |pack| pack.chunks);
            (kind, id, size, served)
        })
    }

    /// Every object that the snapshot needs beside the manifest itself, with its length.
    pub fn needs(&self) -> impl Iterator<Item = (Kind, ObjectId, u64)> + '_ {
        let packs = self
            .packs
            .iter()
            .map(|(id, pack)| (Kind::Pack, *id, u64::from(pack.size)));
        packs.chain(
            self.segments
                .values()
                .map(|segment| (Kind::Segment, segment.id, u64::from(segment.size))),
        )
    }
}
