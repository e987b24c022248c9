//! The secrets of an organization.
//!
//! An organization's first save makes a random secret of 32 bytes and writes it, wrapped, as an object of its own
//! under an immutable unique name; it is read back before anything is made with it. From the secret the keys for chunk
//! ids, for sealing and for tags are derived. Every other object names its key in its header, so several keys can stand
//! beside each other.
//!
//! A secret is wrapped with a **master key**, which stands in a data folder and never in the bucket (see `master`).
//! Each data folder that joins a bucket adds its own wrapped copies, `keys/<key>.<master>`; the first comes by the
//! recovery kit (see `kit`). What is in the bucket is thus of no use without one of the data folders or the kit.
//!
//! ```text
//! body of a key object, `keys/<key>.<master>`
//!   0  1  wrapping: 1
//!   1  3  zero
//!   4 16  id of the master key
//!  20 16  mark: derived from the secret and not to be turned back; tells two secrets apart without opening anything
//!  36 24  nonce, random
//!  60 32  the secret, encrypted with the master key (XChaCha20-Poly1305; associated data: the object up to the nonce)
//!  92 16  Poly1305 tag
//! and, as for every object that is not sealed itself, a tag of 32 bytes: BLAKE3, without a key, for damage alone
//!
//! body of a key object of the first versions, `keys/<key>`
//!   0  1  wrapping: 0, the secret stands as it is
//!   1  3  zero
//!   4 32  the secret
//! its tag is keyed with the secret's tag key
//! ```
//!
//! A key of the first versions seals nothing: what names it is open, and it makes nothing new but copies of what it
//! made. The organization's next save makes a key that seals, and reads everything, for the chunk ids are others.
//!
//! What the keyed chunk ids give: the same content in two organizations has nothing in common in the store, and a
//! chunk's id is proof of its content to a reader who has the key.
//!
//! Nonces are 24 random bytes: with 2^48 of them under one key the odds of two being the same are below 2^-96.

use super::error::Damage;
use super::format::{self, Cursor, HEADER_LENGTH, Kind, ObjectId, TAG_LENGTH};
use super::master::MasterKey;
use crate::domain::id::OrganizationId;
use std::fmt;

pub use super::seal::{NONCE_LENGTH, SEAL_LENGTH, Sealer};

/// The id of a chunk: BLAKE3 of its whole padded content under the organization's chunk key.
pub type ChunkId = [u8; 32];

/// Length in bytes of what tells two secrets apart.
pub const MARK_LENGTH: usize = 16;
const SECRET_LENGTH: usize = 32;

/// A random secret. Not printed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Secret([u8; SECRET_LENGTH]);

impl Secret {
    fn generate() -> Self {
        Self(rand::random())
    }

    pub const fn from_bytes(bytes: [u8; SECRET_LENGTH]) -> Self {
        Self(bytes)
    }

    pub const fn as_bytes(&self) -> &[u8; SECRET_LENGTH] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// The keys derived from one secret.
#[derive(Clone)]
pub struct Key {
    id: ObjectId,
    secret: Secret,
    chunks: [u8; 32],
    tags: [u8; 32],
    sealer: Option<Sealer>,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.id)
    }
}

/// What a key object says.
pub enum Found {
    /// A key that can be used.
    Key(Key),
    /// Wrapped with another data folder's master key; the mark of the secret.
    Other([u8; MARK_LENGTH]),
    /// Wrapped with a master key of our master key's id, which does not open it.
    Wrong,
}

impl Key {
    /// A new random secret.
    pub fn generate() -> Self {
        Self::from_secret(ObjectId::new(), Secret::generate())
    }

    /// The key with this id and secret, which seals.
    pub fn from_secret(id: ObjectId, secret: Secret) -> Self {
        let derive = |context: &str| blake3::derive_key(context, &secret.0);
        Self {
            id,
            secret,
            chunks: derive("Reprise archive, format 0, chunk ids"),
            tags: derive("Reprise archive, format 0, object tags"),
            sealer: Some(Sealer::new(&derive("Reprise archive, format 0, sealing"))),
        }
    }

    /// The object that keeps it for the holder of `master`.
    pub fn wrap(&self, organization: OrganizationId, master: &MasterKey) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_LENGTH + 108 + TAG_LENGTH);
        bytes.extend_from_slice(&format::open_header(
            Kind::Key,
            self.id,
            false,
            organization,
            self.id,
        ));
        bytes.extend_from_slice(&[1, 0, 0, 0]);
        bytes.extend_from_slice(&master.id().to_bytes());
        bytes.extend_from_slice(&self.mark());
        let sealed = master.sealer().seal(&[&bytes], &self.secret.0);
        bytes.extend_from_slice(&sealed);
        let tag = blake3::hash(&bytes);
        bytes.extend_from_slice(tag.as_bytes());
        bytes
    }

    /// Reads a key object, `id` and `wrapper` being what its name says.
    pub fn decode(
        organization: OrganizationId,
        id: ObjectId,
        wrapper: Option<ObjectId>,
        bytes: &[u8],
        master: &MasterKey,
    ) -> Result<Found, Damage> {
        if format::check_header(Kind::Key, organization, id, bytes)? != id {
            return Err(Damage::Identity);
        }
        let Some(wrapper) = wrapper else {
            return Self::decode_open(id, bytes).map(Found::Key);
        };
        let end = bytes.len().checked_sub(TAG_LENGTH);
        let (content, tag) = bytes.split_at(end.ok_or(Damage::Truncated)?);
        if blake3::hash(content).as_bytes() != tag {
            return Err(Damage::Authentication);
        }
        let mut cursor = Cursor::new(content);
        cursor.take(HEADER_LENGTH)?;
        if cursor.u32()? != 1 {
            return Err(unknown_wrapping());
        }
        if ObjectId::from_bytes(cursor.array()?) != wrapper {
            return Err(Damage::Identity);
        }
        let mark: [u8; MARK_LENGTH] = cursor.array()?;
        let sealed = cursor.take(NONCE_LENGTH + SECRET_LENGTH + SEAL_LENGTH)?;
        cursor.finish()?;
        if wrapper != master.id() {
            return Ok(Found::Other(mark));
        }
        let associated = &content[..content.len() - sealed.len()];
        let secret = master.sealer().open(&[associated], sealed);
        let secret = secret.and_then(|secret| Some(Secret(secret.try_into().ok()?)));
        Ok(secret.map_or(Found::Wrong, |secret| {
            Found::Key(Self::from_secret(id, secret))
        }))
    }

    /// A key of the first versions.
    fn decode_open(id: ObjectId, bytes: &[u8]) -> Result<Self, Damage> {
        let mut cursor = Cursor::new(bytes);
        cursor.take(HEADER_LENGTH)?;
        let wrapping = cursor.u32()?;
        let key = Self {
            sealer: None,
            ..Self::from_secret(id, Secret(cursor.array()?))
        };
        if format::open(&key, bytes)?.len() != 36 {
            return Err(Damage::Truncated);
        }
        // After the tag, so that a flipped bit is called damage and not an unknown wrapping.
        if wrapping != 0 {
            return Err(unknown_wrapping());
        }
        Ok(key)
    }

    pub const fn id(&self) -> ObjectId {
        self.id
    }

    pub const fn secret(&self) -> Secret {
        self.secret
    }

    /// Whether what is made with it is sealed.
    pub const fn is_sealing(&self) -> bool {
        self.sealer.is_some()
    }

    /// What tells this secret from another, and says nothing else about it.
    pub fn mark(&self) -> [u8; MARK_LENGTH] {
        let mut mark = [0; MARK_LENGTH];
        let derived = blake3::derive_key("Reprise archive, format 0, key mark", &self.secret.0);
        mark.copy_from_slice(&derived[..MARK_LENGTH]);
        mark
    }

    /// The id of a chunk with this content.
    pub fn chunk_id(&self, content: &[u8]) -> ChunkId {
        *blake3::keyed_hash(&self.chunks, content).as_bytes()
    }

    /// What seals, if the key does.
    pub const fn sealer(&self) -> Option<&Sealer> {
        self.sealer.as_ref()
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

const fn unknown_wrapping() -> Damage {
    Damage::Invalid {
        what: "the key is wrapped in a way this program does not know",
    }
}
