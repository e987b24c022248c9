//! The bytes that all objects have in common. Integers are little-endian.
//!
//! ```text
//! header, 64 bytes
//!   0  8  magic "REPRISEA"
//!   8  2  format version (0: may still change without migration until a release is tagged)
//!  10  1  kind: 1 key, 2 pack, 3 segment, 4 manifest, 5 hold, 6 condemnation, 7 damage
//!  11  1  sealing: 0 none, 1 XChaCha20-Poly1305
//!  12  4  zero
//!  16 16  id of the key that the object's chunk ids and its sealing (or tag) are made with
//!  32 16  organization
//!  48 16  the object's own id, in the last part of its name
//!
//! sealed (1)                               not sealed (0)
//!  64 24  nonce, random                     64  -  body
//!  88  -  the body, encrypted                -  32  tag: BLAKE3 of header and body, keyed with the key's tag key
//!   - 16  Poly1305 tag
//! ```
//!
//! Sealing is with the key's sealing key; the associated data is the header and, where an object has several sealed
//! parts, one byte for each (see `pack`). The header is a function of what a reader knows before it reads (name,
//! organization, kind, key), so both kinds of tag bind the content to the name: an object copied over another is found
//! out. Whether an object is sealed is a property of the key that it names (see `keys`), never of the object alone: who
//! can write to the bucket cannot pass off an open object for a sealed one.
//!
//! A pack and a key object differ: see there. Objects that are not sealed are those of the first versions of this
//! program. They are read, and what builds upon one of their kind (a copy) is like them; all else that is written is
//! sealed.

use super::error::Damage;
use super::keys::{Key, NONCE_LENGTH, SEAL_LENGTH};
use crate::domain::id::OrganizationId;
use std::fmt;
use uuid::Uuid;

/// The version of the format that this program writes, and the newest that it reads.
pub const FORMAT_VERSION: u16 = 0;
/// Length of the header in bytes.
pub const HEADER_LENGTH: usize = 64;
/// Length of the tag of an object that is not sealed, in bytes.
pub const TAG_LENGTH: usize = 32;
const MAGIC: &[u8; 8] = b"REPRISEA";

/// The unique id of one object in the store: never given twice, whatever the content.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectId(Uuid);

impl ObjectId {
    /// A new id; later ones sort later.
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }

    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    pub const fn to_bytes(self) -> [u8; 16] {
        self.0.into_bytes()
    }

    /// The id that `text` spells in the one way that `Display` does.
    pub fn parse(text: &str) -> Option<Self> {
        let id = Self(Uuid::try_parse(text).ok()?);
        (id.to_string() == text).then_some(id)
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// What an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A secret of the organization.
    Key = 1,
    /// Chunks and their index.
    Pack = 2,
    /// The chunks of 64 MiB of a volume.
    Segment = 3,
    /// A snapshot.
    Manifest = 4,
    /// What an upload, or a volume that still fills, needs.
    Hold = 5,
    /// What a prune is going to remove.
    Condemned = 6,
    /// What a check found damaged.
    Damage = 7,
}

impl Kind {
    /// The folder of the organization that such objects stand in.
    pub const fn folder(self) -> &'static str {
        match self {
            Self::Key => "keys",
            Self::Pack => "packs",
            Self::Segment => "segments",
            Self::Manifest => "manifests",
            Self::Hold => "holds",
            Self::Condemned => "condemned",
            Self::Damage => "damage",
        }
    }

    /// The noun in messages.
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Pack => "pack",
            Self::Segment => "segment",
            Self::Manifest => "manifest",
            Self::Hold => "hold",
            Self::Condemned => "condemnation",
            Self::Damage => "damage record",
        }
    }
}

/// The first twelve bytes of a header: what is to be known of an object's format.
pub fn prefix(kind: Kind, sealed: bool) -> [u8; 12] {
    let mut bytes = [0; 12];
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..10].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
    bytes[10] = kind as u8;
    bytes[11] = u8::from(sealed);
    bytes
}

/// The header of an object made with `key`.
pub fn header(
    kind: Kind,
    key: &Key,
    organization: OrganizationId,
    object: ObjectId,
) -> [u8; HEADER_LENGTH] {
    open_header(kind, key.id(), key.is_sealing(), organization, object)
}

/// The header of an object, for those that have no key yet.
pub fn open_header(
    kind: Kind,
    key: ObjectId,
    sealed: bool,
    organization: OrganizationId,
    object: ObjectId,
) -> [u8; HEADER_LENGTH] {
    let mut bytes = [0; HEADER_LENGTH];
    bytes[..12].copy_from_slice(&prefix(kind, sealed));
    bytes[16..32].copy_from_slice(&key.to_bytes());
    bytes[32..48].copy_from_slice(&organization.to_bytes());
    bytes[48..].copy_from_slice(&object.to_bytes());
    bytes
}

/// Checks that `bytes` begin with the header of this very object, and gives the key that it names.
pub fn check_header(
    kind: Kind,
    organization: OrganizationId,
    object: ObjectId,
    bytes: &[u8],
) -> Result<ObjectId, Damage> {
    let mut cursor = Cursor::new(bytes);
    if cursor.array::<8>()? != *MAGIC {
        return Err(Damage::Header {
            expected: kind.noun(),
        });
    }
    let version = cursor.u16()?;
    if version > FORMAT_VERSION {
        return Err(Damage::Version { version });
    }
    let rest = cursor.array::<6>()?;
    if rest[0] != kind as u8 {
        return Err(Damage::Identity);
    }
    if rest[1] > 1 || rest[2..] != [0; 4] {
        return Err(Damage::Header {
            expected: kind.noun(),
        });
    }
    let key = ObjectId::from_bytes(cursor.array()?);
    if cursor.array()? != organization.to_bytes() || cursor.array()? != object.to_bytes() {
        return Err(Damage::Identity);
    }
    Ok(key)
}

/// A whole object with this body.
pub fn seal(
    kind: Kind,
    key: &Key,
    organization: OrganizationId,
    object: ObjectId,
    body: &[u8],
) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_LENGTH + body.len() + NONCE_LENGTH + TAG_LENGTH);
    bytes.extend_from_slice(&header(kind, key, organization, object));
    if let Some(sealer) = key.sealer() {
        let sealed = sealer.seal(&[&bytes], body);
        bytes.extend_from_slice(&sealed);
    } else {
        bytes.extend_from_slice(body);
        let tag = key.tag(&[&bytes]);
        bytes.extend_from_slice(&tag);
    }
    bytes
}

/// The body of an object whose header was checked and names `key`, authenticated.
pub fn open(key: &Key, bytes: &[u8]) -> Result<Vec<u8>, Damage> {
    let (header, content) = bytes
        .split_at_checked(HEADER_LENGTH)
        .ok_or(Damage::Truncated)?;
    if header[11] != u8::from(key.is_sealing()) {
        return Err(Damage::Authentication);
    }
    if let Some(sealer) = key.sealer() {
        if content.len() < NONCE_LENGTH + SEAL_LENGTH {
            return Err(Damage::Truncated);
        }
        let body = sealer.open(&[header], content);
        return body.ok_or(Damage::Authentication);
    }
    let (body, tag) = content
        .len()
        .checked_sub(TAG_LENGTH)
        .map(|end| content.split_at(end))
        .ok_or(Damage::Truncated)?;
    if !key.fits(&[header, body], tag) {
        return Err(Damage::Authentication);
    }
    Ok(body.to_vec())
}

/// Reads what names a pack or a segment: kind (1), zero (3), id (16).
pub fn object(cursor: &mut Cursor<'_>) -> Result<(Kind, ObjectId), Damage> {
    let kind = match cursor.array::<4>()? {
        [2, 0, 0, 0] => Kind::Pack,
        [3, 0, 0, 0] => Kind::Segment,
        _ => {
            return Err(Damage::Invalid {
                what: "it names an object that is no pack and no segment",
            });
        }
    };
    Ok((kind, ObjectId::from_bytes(cursor.array()?)))
}

/// Reads little-endian integers off the front of a slice; the end of the slice is `Damage::Truncated`.
pub struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub fn take(&mut self, length: usize) -> Result<&'a [u8], Damage> {
        let (head, rest) = self.0.split_at_checked(length).ok_or(Damage::Truncated)?;
        self.0 = rest;
        Ok(head)
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Damage> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub fn u16(&mut self) -> Result<u16, Damage> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub fn u32(&mut self) -> Result<u32, Damage> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// The bytes not read yet.
    pub const fn left(&self) -> usize {
        self.0.len()
    }

    /// Fails unless everything was read.
    pub fn finish(self) -> Result<(), Damage> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Damage::Truncated)
        }
    }
}
