//! The secrets of an organization.
//!
//! An organization's first save makes a random secret of 32 bytes and writes it as an object of its own under an
//! immutable unique name; it is read back before anything is made with it. From the secret two keys are derived, one
//! for chunk ids and one for tags; a third, for sealing, is to come from the same secret. Every other object names
//! its key in its header, so several keys can stand beside each other.
//!
//! ```text
//! body of a key object
//!   0  1  wrapping: 0 none (the secret stands as it is, and who reads the bucket reads the key). 1 is set aside for a
//!         secret wrapped by the data folder's master key, which takes the place of the 32 bytes and says its length
//!   1  3  zero
//!   4 32  the secret
//! ```
//!
//! The object's tag is keyed with the secret itself: it finds damage, not forgery. What the keyed chunk ids give
//! already: the same content in two organizations has nothing in common in the store, and a chunk's id is proof of
//! its content to a reader who has the key.

use super::error::Damage;
use super::format::{self, Cursor, Kind, ObjectId};
use crate::domain::id::OrganizationId;
use std::fmt;

/// The id of a chunk: BLAKE3 of its whole padded content under the organization's chunk key.
pub type ChunkId = [u8; 32];

/// The keys derived from one secret.
#[derive(Clone)]
pub struct Key {
    id: ObjectId,
    chunks: [u8; 32],
    tags: [u8; 32],
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.id)
    }
}

impl Key {
    /// A new random secret, and the object that keeps it.
    pub fn generate(organization: OrganizationId) -> (Self, Vec<u8>) {
        let secret: [u8; 32] = rand::random();
        let key = Self::derive(ObjectId::new(), &secret);
        let mut body = [0; 36];
        body[4..].copy_from_slice(&secret);
        let bytes = format::seal(Kind::Key, &key, organization, key.id, &body);
        (key, bytes)
    }

    /// Reads a key object.
    pub fn decode(
        organization: OrganizationId,
        id: ObjectId,
        bytes: &[u8],
    ) -> Result<Self, Damage> {
        if format::check_header(Kind::Key, organization, id, bytes)? != id {
            return Err(Damage::Identity);
        }
        let mut cursor = Cursor::new(bytes);
        cursor.take(format::HEADER_LENGTH)?;
        let wrapping = cursor.u32()?;
        let key = Self::derive(id, &cursor.array()?);
        if format::open(&key, bytes)?.len() != 36 {
            return Err(Damage::Truncated);
        }
        // After the tag, so that a flipped bit is called damage and not an unknown wrapping.
        if wrapping != 0 {
            return Err(Damage::Invalid {
                what: "the key is wrapped in a way this program does not know",
            });
        }
        Ok(key)
    }

    fn derive(id: ObjectId, secret: &[u8; 32]) -> Self {
        Self {
            id,
            chunks: blake3::derive_key("Reprise archive, format 0, chunk ids", secret),
            tags: blake3::derive_key("Reprise archive, format 0, object tags", secret),
        }
    }

    pub const fn id(&self) -> ObjectId {
        self.id
    }

    /// The id of a chunk with this content.
    pub fn chunk_id(&self, content: &[u8]) -> ChunkId {
        *blake3::keyed_hash(&self.chunks, content).as_bytes()
    }

    /// The tag of these bytes, one after the other.
    pub fn tag(&self, parts: &[&[u8]]) -> [u8; 32] {
        *self.hash(parts).as_bytes()
    }

    /// Whether `tag` is the tag of these bytes (in constant time).
    pub fn fits(&self, parts: &[&[u8]], tag: &[u8]) -> bool {
        <[u8; 32]>::try_from(tag).is_ok_and(|tag| self.hash(parts) == blake3::Hash::from_bytes(tag))
    }

    fn hash(&self, parts: &[&[u8]]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.tags);
        for part in parts {
            hasher.update(part);
        }
        hasher.finalize()
    }
}
