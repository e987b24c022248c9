//! The recovery kit: the organizations' secrets, protected by a passphrase, on paper or in a safe. The operator's kit
//! ([`Archive::export_kit`]) has those of every organization, an Owner's ([`Archive::export_kit_of`]) those of one.
//!
//! With the bucket and the kit everything can be read again, on any machine, when no data folder is left; and a second
//! machine joins a bucket by it. It is text, so that it can be printed: lines that begin with `#` are for people, the
//! others are the bytes below in hexadecimal.
//!
//! ```text
//!   0  8  magic "REPRISEK"
//!   8  2  format version, 0
//!  10  1  derivation: 1 Argon2id, version 0x13
//!  11  1  zero
//!  12  4  its memory in KiB
//!  16  4  its passes
//!  20  4  its lanes
//!  24 16  its salt, random
//!  40 24  nonce, random
//!  64  -  JSON of [`Content`], encrypted with the derived key (XChaCha20-Poly1305; associated data: bytes 0 to 40)
//!   - 16  Poly1305 tag
//!   - 32  BLAKE3 of all above: tells a kit that was copied wrongly from a wrong passphrase
//! ```
//!
//! An import writes a wrapped copy of each key into the bucket, under this data folder's master key. It writes nothing
//! into a bucket that has none of the kit's organizations, and none of a key whose mark (see `keys`) says that it is
//! another one.

use super::error::Error;
use super::format::{Cursor, Kind, ObjectId};
use super::keys::{Found, Key, NONCE_LENGTH, Sealer, Secret};
use super::organization::{read_key, write_key};
use super::store::{self, Store};
use super::{Archive, lock};
use crate::domain::id::OrganizationId;
use argon2::{Algorithm, Argon2, Params, Version};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::sync::Arc;

const MAGIC: &[u8; 8] = b"REPRISEK";
/// 64 MiB and three passes: the second choice of RFC 9106, for machines that may be small.
const MEMORY_KIB: u32 = 64 << 10;
const PASSES: u32 = 3;
const LANES: u32 = 1;
/// What a kit may ask of the machine that opens it.
const MOST_MEMORY_KIB: u32 = 1 << 20;
const MOST_PASSES: u32 = 64;
const HEAD: usize = 40;
/// Characters that a passphrase has at least.
pub const SHORTEST_PASSPHRASE: usize = 12;

/// Why a kit cannot be made or used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KitError {
    /// The text is not that of a kit.
    #[error("this is not a recovery kit")]
    NotAKit,
    /// The text is that of a kit, and parts are missing or wrong.
    #[error("the recovery kit was not copied whole: its checksum does not fit")]
    Damaged,
    /// Made by a newer version of the program.
    #[error("the recovery kit is of a kind that this program does not know")]
    Unknown,
    /// The passphrase does not open it.
    #[error("the passphrase does not open this recovery kit")]
    Passphrase,
    /// The passphrase is too short to protect anything.
    #[error("a passphrase must have at least {SHORTEST_PASSPHRASE} characters")]
    TooShort,
    /// None of its organizations is in the object store.
    #[error(
        "the recovery kit belongs to another object store: none of its organizations is in this one"
    )]
    OtherStore,
    /// The machine has not the memory to open it.
    #[error("the passphrase cannot be worked on: {MEMORY_KIB} KiB of memory are needed")]
    Memory,
}

#[derive(Debug, Serialize, Deserialize)]
struct Content {
    organizations: Vec<KitOrganization>,
}

/// An organization, as a kit knows it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KitOrganization {
    /// Its id.
    pub id: OrganizationId,
    /// Its name when the kit was made; empty where that was not known.
    pub name: String,
    keys: Vec<KitKey>,
}

#[derive(Clone, Serialize, Deserialize)]
struct KitKey {
    /// Id and secret, in hexadecimal.
    id: String,
    secret: String,
}

impl std::fmt::Debug for KitKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KitKey({})", self.id)
    }
}

/// An opened kit.
#[derive(Debug)]
pub struct Kit(Content);

/// The kit of one organization.
pub struct OneKit {
    /// What to keep.
    pub text: String,
    /// Which keys are in it: what [`Archive::keys_mark`] says as long as the organization has no others. No secret; it
    /// stands in the text as well.
    pub mark: String,
}

impl std::fmt::Debug for OneKit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OneKit({})", self.mark)
    }
}

/// Tells sets of keys apart: of their ids, which everybody sees in the store, eight digits.
fn mark_of<'k>(ids: impl Iterator<Item = &'k str>) -> String {
    let mut ids: Vec<_> = ids.collect();
    ids.sort_unstable();
    let hash = blake3::hash(ids.join(" ").as_bytes());
    let digits = hex(&hash.as_bytes()[..4]);
    format!("{}-{}", &digits[..4], &digits[4..])
}

/// What an import did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Imported {
    /// Keys that this data folder can use from now on.
    pub added: u64,
    /// Keys that it had already.
    pub known: u64,
    /// Organizations of the kit that are not in the object store.
    pub absent: u64,
}

impl Kit {
    /// Reads a kit.
    ///
    /// # Errors
    /// [`KitError`].
    pub fn open(text: &str, passphrase: &str) -> Result<Self, KitError> {
        let bytes = parse_hex(text).ok_or(KitError::NotAKit)?;
        if !bytes.starts_with(MAGIC) {
            return Err(KitError::NotAKit);
        }
        let end = bytes.len().checked_sub(32).ok_or(KitError::Damaged)?;
        let (bytes, sum) = bytes.split_at(end);
        if blake3::hash(bytes).as_bytes() != sum {
            return Err(KitError::Damaged);
        }
        let parameters = |bytes| -> Result<_, super::Damage> {
            let mut cursor = Cursor::new(bytes);
            cursor.take(8)?;
            let version = cursor.u32()?;
            let (memory, passes, lanes) = (cursor.u32()?, cursor.u32()?, cursor.u32()?);
            Ok((version, memory, passes, lanes, cursor.array::<16>()?))
        };
        let (version, memory, passes, lanes, salt) =
            parameters(bytes).map_err(|_| KitError::Damaged)?;
        // Version 0, derivation 1.
        if version != 1 << 16 || memory > MOST_MEMORY_KIB || passes > MOST_PASSES || lanes > 16 {
            return Err(KitError::Unknown);
        }
        let sealer = derive(passphrase, &salt, (memory, passes, lanes))?;
        let (head, sealed) = bytes.split_at(HEAD);
        let content = sealer.open(&[head], sealed).ok_or(KitError::Passphrase)?;
        let content = serde_json::from_slice(&content).map_err(|_| KitError::Unknown)?;
        Ok(Self(content))
    }

    /// The organizations whose secrets it has.
    #[must_use]
    pub fn organizations(&self) -> &[KitOrganization] {
        &self.0.organizations
    }
}

impl Content {
    fn seal(&self, passphrase: &str) -> Result<String, KitError> {
        if passphrase.trim().chars().count() < SHORTEST_PASSPHRASE {
            return Err(KitError::TooShort);
        }
        let salt: [u8; 16] = rand::random();
        let sealer = derive(passphrase, &salt, (MEMORY_KIB, PASSES, LANES))?;
        let mut bytes = Vec::with_capacity(1024);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&[0, 0, 1, 0]);
        for parameter in [MEMORY_KIB, PASSES, LANES] {
            bytes.extend_from_slice(&parameter.to_le_bytes());
        }
        bytes.extend_from_slice(&salt);
        let content = serde_json::to_vec(self).map_err(|_| KitError::Unknown)?;
        let sealed = sealer.seal(&[&bytes], &content);
        bytes.extend_from_slice(&sealed);
        let sum = blake3::hash(&bytes);
        bytes.extend_from_slice(sum.as_bytes());
        Ok(self.text(&bytes))
    }

    fn text(&self, bytes: &[u8]) -> String {
        let mut text = String::from(
            "# Reprise recovery kit / trousse de récupération\n\
             # With this kit, its passphrase and the object store, the snapshots of these organizations can be read\n\
             # on any machine: `reprise keys import FILE`. Without it, and without the data folder, nobody can.\n\
             # Keep the kit and its passphrase apart, and neither of them in the object store.\n\
             #\n\
             # Avec cette trousse, sa phrase de passe et le stockage d’objets, les copies instantanées de ces\n\
             # organisations peuvent être relues sur toute machine. Sans elle et sans le dossier de données, personne\n\
             # ne le peut. Gardez la trousse et sa phrase de passe séparément, et ni l’une ni l’autre dans le stockage.\n\
             #\n",
        );
        for organization in &self.organizations {
            let name: String = organization
                .name
                .chars()
                .filter(|c| !c.is_control())
                .collect();
            // Writing into a string cannot fail.
            let mark = mark_of(organization.keys.iter().map(|key| key.id.as_str()));
            let _ = writeln!(text, "# {} {name} ({mark})", organization.id);
        }
        for line in bytes.chunks(32) {
            let _ = writeln!(text, "{}", hex(line));
        }
        text
    }
}

fn derive(
    passphrase: &str,
    salt: &[u8; 16],
    (memory, passes, lanes): (u32, u32, u32),
) -> Result<Sealer, KitError> {
    let parameters = Params::new(memory, passes, lanes, Some(32)).map_err(|_| KitError::Unknown)?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters);
    let mut key = [0; 32];
    argon2
        .hash_password_into(passphrase.trim().as_bytes(), salt, &mut key)
        .map_err(|_| KitError::Memory)?;
    Ok(Sealer::new(&key))
}

/// A random passphrase: 26 letters and digits (130 bits), in groups, without those that are mistaken for others.
#[must_use]
pub fn random_passphrase() -> String {
    // Crockford's base 32: without i, l, o and u.
    const SIGNS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let random: [u8; 26] = rand::random();
    let mut text = String::with_capacity(32);
    for (n, byte) in random.into_iter().enumerate() {
        if n > 0 && n % 5 == 0 {
            text.push('-');
        }
        text.push(char::from(SIGNS[usize::from(byte % 32)]));
    }
    text
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The bytes of all lines but those for people.
fn parse_hex(text: &str) -> Option<Vec<u8>> {
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'));
    let digits: Vec<u8> = lines
        .flat_map(str::chars)
        .filter(|c| !c.is_whitespace() && *c != '\u{feff}')
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<_>>()?;
    let pairs = digits.chunks_exact(2);
    pairs.remainder().is_empty().then_some(())?;
    Some(pairs.map(|pair| pair[0] << 4 | pair[1]).collect())
}

impl KitKey {
    fn of(key: &Key) -> Self {
        Self {
            id: hex(&key.id().to_bytes()),
            secret: hex(key.secret().as_bytes()),
        }
    }

    fn key(&self) -> Result<Key, KitError> {
        let id = parse_hex(&self.id).and_then(|id| id.try_into().ok());
        let secret = parse_hex(&self.secret).and_then(|secret| secret.try_into().ok());
        let (Some(id), Some(secret)) = (id, secret) else {
            return Err(KitError::Unknown);
        };
        Ok(Key::from_secret(
            ObjectId::from_bytes(id),
            Secret::from_bytes(secret),
        ))
    }
}

impl Archive {
    /// The recovery kit of these organizations (with their names), and of all others in the store whose keys this data
    /// folder has. An organization that has no key yet gets one, so that the kit is good for what it saves later.
    ///
    /// # Errors
    /// [`KitError::TooShort`] as [`Error::Kit`]; [`Error::NoKey`] for one of the organizations that were named, and
    /// those of the store.
    pub fn export_kit(
        &self,
        organizations: &[(OrganizationId, String)],
        passphrase: &str,
    ) -> Result<String, Error> {
        let store = &self.shared.store;
        let mut content = Content {
            organizations: Vec::new(),
        };
        let mut add = |id: OrganizationId, name: &str| -> Result<(), Error> {
            content.organizations.push(self.kit_organization(id, name)?);
            Ok(())
        };
        for (id, name) in organizations {
            add(*id, name)?;
        }
        for id in store.runtime().block_on(store.organizations())? {
            if organizations.iter().any(|(named, _)| *named == id) {
                continue;
            }
            match add(id, "") {
                Err(Error::NoKey { .. } | Error::WrongKey { .. }) => {}
                done => done?,
            }
        }
        Ok(content.seal(passphrase)?)
    }

    /// The recovery kit of one organization, and of no other. It gets a key if it has none yet.
    ///
    /// # Errors
    /// [`KitError::TooShort`] as [`Error::Kit`]; [`Error::NoKey`] and those of the store.
    pub fn export_kit_of(
        &self,
        organization: OrganizationId,
        name: &str,
        passphrase: &str,
    ) -> Result<OneKit, Error> {
        let organization = self.kit_organization(organization, name)?;
        let mark = mark_of(organization.keys.iter().map(|key| key.id.as_str()));
        let content = Content {
            organizations: vec![organization],
        };
        Ok(OneKit {
            text: content.seal(passphrase)?,
            mark,
        })
    }

    fn kit_organization(&self, id: OrganizationId, name: &str) -> Result<KitOrganization, Error> {
        let store = &self.shared.store;
        let organization = self.organization(id)?;
        store.runtime().block_on(organization.key(store))?;
        let state = organization.state();
        let sealing = state.keys.values().filter(|key| key.is_sealing());
        Ok(KitOrganization {
            id,
            name: name.to_owned(),
            keys: sealing.map(KitKey::of).collect(),
        })
    }

    /// Which keys the organization has, as far as this process knows without asking the store (see [`OneKit::mark`]).
    /// None: nothing is known of it yet, or it has none.
    #[must_use]
    pub fn keys_mark(&self, organization: OrganizationId) -> Option<String> {
        let place = lock(&self.shared.organizations)
            .get(&organization)
            .cloned()?;
        // Whoever is reading it from the store right now is not waited for.
        let known = place.try_lock().ok()?.clone()?;
        let state = known.state();
        let sealing = state.keys.values().filter(|key| key.is_sealing());
        let ids: Vec<_> = sealing.map(|key| hex(&key.id().to_bytes())).collect();
        (!ids.is_empty()).then(|| mark_of(ids.iter().map(String::as_str)))
    }

    /// Makes what the kit has the keys of readable with this data folder's master key.
    ///
    /// # Errors
    /// [`KitError::OtherStore`] as [`Error::Kit`]; [`Error::WrongKey`] when the store has another key of the same id,
    /// and those of the store. What was added before an error stays.
    pub fn import_kit(&self, kit: &Kit) -> Result<Imported, Error> {
        let store = &self.shared.store;
        let there = store.runtime().block_on(store.organizations())?;
        let mut imported = Imported::default();
        for organization in kit.organizations() {
            if !there.contains(&organization.id) {
                imported.absent += 1;
                continue;
            }
            for key in &organization.keys {
                let key = key.key()?;
                let added = store
                    .runtime()
                    .block_on(import(store, organization.id, &key))?;
                imported.added += u64::from(added);
                imported.known += u64::from(!added);
                let place = lock(&self.shared.organizations)
                    .get(&organization.id)
                    .cloned();
                // What this process knows of the organization already learns of it.
                if let Some(known) = place.and_then(|place| lock(&place).clone()) {
                    Arc::make_mut(&mut known.state().keys).insert(key.id(), key);
                }
            }
        }
        if imported.absent > 0 && imported.added + imported.known == 0 {
            return Err(KitError::OtherStore.into());
        }
        Ok(imported)
    }
}

/// Adds our copy of a key. False: it was there.
async fn import(store: &Store, organization: OrganizationId, key: &Key) -> Result<bool, Error> {
    let wrong = || Error::WrongKey {
        organization,
        key: key.id().to_string(),
    };
    let ours = store.master().id();
    let mut there = false;
    for (name, _) in store.list(organization, Kind::Key).await? {
        let Some((id, wrapper)) = store::parse_key_name(&name) else {
            continue;
        };
        if id != key.id() {
            continue;
        }
        match read_key(store, organization, id, wrapper).await {
            Ok(Found::Key(found)) if found.secret() == key.secret() => {
                there |= wrapper == Some(ours);
            }
            Ok(Found::Other(mark)) if mark == key.mark() => {}
            Ok(_) => return Err(wrong()),
            Err(Error::Damaged { .. }) if wrapper == Some(ours) => {
                // The one name that is written anew: what stands there is of no use to anybody.
                store
                    .delete(&store::key_name(organization, id, ours))
                    .await?;
            }
            // Another data folder's copy is its own concern.
            Err(Error::Damaged { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    if !there {
        write_key(store, organization, key).await?;
    }
    Ok(!there)
}

// A kit's head is what is authenticated with its content.
const _: () = assert!(HEAD + NONCE_LENGTH == 64);

/// The same organizations and key ids, with other secrets.
#[cfg(test)]
pub(super) fn forged(kit: &Kit) -> Kit {
    let mut organizations = kit.0.organizations.clone();
    for key in organizations.iter_mut().flat_map(|one| &mut one.keys) {
        key.secret = hex(&[9; 32]);
    }
    Kit(Content { organizations })
}
