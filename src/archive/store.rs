//! Names in the store, and the few operations that are asked of it: PUT, ranged GET, HEAD, DELETE, LIST.
//!
//! ```text
//! <organization>/keys/<id>.<master key>       <organization>/packs/<id>
//! <organization>/segments/<id>               <organization>/manifests/<snapshot>.<id>
//! <organization>/holds/<id>                  <organization>/condemned/<id>
//! <organization>/damage/<id>                 store/<id>
//! ```
//!
//! Ids are unique (UUID version 7), so a name is never written with other bytes than its first. A PUT whose answer
//! was lost is tried again with the same bytes, within the same call only. Passing errors are tried again a few times
//! with growing pauses; permanent ones come back at once.

use super::error::{self, Damage, Error};
use super::format::{self, Kind, ObjectId};
use super::identity::Identity;
use super::keys::Key;
use super::master::MasterKey;
use super::{ArchiveOptions, s3};
use crate::domain::id::{OrganizationId, SnapshotId};
use bytes::Bytes;
use futures::TryStreamExt;
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt, path::Path};
use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// When to try an operation of the store again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// Tries in all, at least 1.
    pub attempts: u32,
    /// The pause before the second try; it doubles each time, up to [`LONGEST_PAUSE`], and half of it is left to chance.
    pub first_pause: Duration,
    /// How long the store may take for an answer, and for each further [`SLOWEST`] bytes that are sent or come with it.
    pub patience: Duration,
}

/// The longest pause between two tries, unless the store itself names a longer one.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Bytes that a connection must carry within [`Retry::patience`], or it is taken for dead.
const SLOWEST: u64 = 2 << 20;
/// Bytes that an object has at most, nearly.
const LARGEST: u64 = 33 << 20;

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 4,
            first_pause: Duration::from_millis(100),
            patience: Duration::from_secs(30),
        }
    }
}

impl Retry {
    /// For a store that others run, and mend: half a minute of tries.
    #[must_use]
    pub fn remote() -> Self {
        Self {
            attempts: 9,
            ..Self::default()
        }
    }
}

/// Keeps all operations of a store back together.
#[derive(Debug, Default)]
struct Gate {
    /// The store asked to be left alone until then.
    closed_until: Mutex<Option<Instant>>,
    /// When the next byte may be written, where the rate is limited.
    next_write: Mutex<Option<Instant>>,
}

impl Gate {
    async fn pass(&self) {
        loop {
            let until = *self
                .closed_until
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            match until {
                Some(until) if until > Instant::now() => tokio::time::sleep_until(until).await,
                _ => return,
            }
        }
    }

    fn close(&self, pause: Duration) {
        let until = Instant::now() + pause;
        let mut closed = self
            .closed_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *closed = closed.max(Some(until));
    }

    /// Waits until so many bytes may be written at this rate.
    async fn pay(&self, bytes: u64, rate: NonZeroU64) {
        let start = {
            let mut next = self
                .next_write
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let start = next.unwrap_or_else(Instant::now).max(Instant::now());
            let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(rate.get());
            *next = Some(start + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)));
            start
        };
        tokio::time::sleep_until(start).await;
    }
}

/// An operation took longer than [`Retry::patience`] allows.
#[derive(Debug, thiserror::Error)]
#[error("no answer within {} s", .0.as_secs_f32())]
struct TimedOut(Duration);

fn timed_out(limit: Duration) -> object_store::Error {
    object_store::Error::Generic {
        store: "archive",
        source: Box::new(TimedOut(limit)),
    }
}

/// Makes the removal of a name durable where the store does not do so itself.
pub type Settle = dyn Fn(&Path) -> Result<(), Error> + Send + Sync;

/// The keys of one organization, by id.
pub type Keys = BTreeMap<ObjectId, Key>;

/// An object as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The last part of its name.
    pub name: String,
    /// Its length in bytes.
    pub size: u64,
    /// Last-Modified, in milliseconds by the store's own clock. Good for nothing but to be subtracted from another.
    pub written: i64,
}

/// The bucket.
#[derive(Clone)]
pub struct Store {
    inner: Arc<dyn ObjectStore>,
    runtime: tokio::runtime::Handle,
    retry: Retry,
    upload_rate: Option<NonZeroU64>,
    gate: Arc<Gate>,
    settle: Option<Arc<Settle>>,
    master: MasterKey,
    identity: Option<Arc<Identity>>,
}

/// The name of an object that is not a manifest.
pub fn name(organization: OrganizationId, kind: Kind, id: ObjectId) -> Path {
    Path::from_iter([
        organization.to_string(),
        kind.folder().to_owned(),
        id.to_string(),
    ])
}

/// The name of a manifest.
pub fn manifest_name(organization: OrganizationId, snapshot: SnapshotId, id: ObjectId) -> Path {
    Path::from_iter([
        organization.to_string(),
        Kind::Manifest.folder().to_owned(),
        format!("{snapshot}.{id}"),
    ])
}

/// The name of the copy of a key that is wrapped with a master key.
pub fn key_name(organization: OrganizationId, key: ObjectId, wrapper: ObjectId) -> Path {
    Path::from_iter([
        organization.to_string(),
        Kind::Key.folder().to_owned(),
        format!("{key}.{wrapper}"),
    ])
}

/// What a key's name says: its id, and that of the master key it is wrapped with, if it is.
pub fn parse_key_name(name: &str) -> Option<(ObjectId, Option<ObjectId>)> {
    match name.split_once('.') {
        Some((id, wrapper)) => Some((ObjectId::parse(id)?, Some(ObjectId::parse(wrapper)?))),
        None => Some((ObjectId::parse(name)?, None)),
    }
}

/// What a manifest's name says.
pub fn parse_manifest_name(name: &str) -> Option<(SnapshotId, ObjectId)> {
    let (snapshot, id) = name.split_once('.')?;
    Some((snapshot.parse().ok()?, ObjectId::parse(id)?))
}

impl Store {
    pub fn new(
        inner: Arc<dyn ObjectStore>,
        runtime: tokio::runtime::Handle,
        options: &ArchiveOptions,
        settle: Option<Arc<Settle>>,
        identity: Option<Identity>,
    ) -> Self {
        Self {
            inner,
            runtime,
            retry: options.retry,
            upload_rate: options.upload_rate,
            gate: Arc::default(),
            settle,
            master: options.master.clone(),
            identity: identity.map(Arc::new),
        }
    }

    /// The same store for one who tries again by himself, and may have to stop that at any time.
    pub fn tried_once(&self) -> Self {
        let retry = Retry {
            attempts: 1,
            ..self.retry
        };
        Self {
            retry,
            ..self.clone()
        }
    }

    /// What the organizations' keys are wrapped with.
    pub const fn master(&self) -> &MasterKey {
        &self.master
    }

    pub const fn runtime(&self) -> &tokio::runtime::Handle {
        &self.runtime
    }

    /// The mark of the store that this is known to be.
    pub fn mark(&self) -> Option<String> {
        self.identity.as_ref()?.mark()
    }

    /// Whether the store answers, and is the one that it was: one question, asked once.
    pub async fn look(&self) -> Result<(), Error> {
        match &self.identity {
            Some(identity) => identity.look(&self.tried_once()).await,
            None => self.tried_once().organizations().await.map(drop),
        }
    }

    /// Runs one operation as [`Store::attempt`] does, on the store that it should be: what is not there is missing only
    /// where the store is there.
    async fn operate<T, F>(
        &self,
        operation: &'static str,
        path: &Path,
        bytes: u64,
        writes: bool,
        act: impl FnMut() -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = object_store::Result<T>>,
    {
        let Some(identity) = &self.identity else {
            return self.attempt(operation, path, bytes, act).await;
        };
        identity.before(self, writes).await?;
        let done = self.attempt(operation, path, bytes, act).await;
        if matches!(
            done,
            Err(Error::Damaged {
                damage: Damage::Missing,
                ..
            })
        ) {
            identity.after_nothing(self).await?;
        }
        done
    }

    /// Writes an object, for what says which store it is.
    pub async fn put_raw(&self, path: &Path, bytes: Bytes) -> Result<(), Error> {
        self.attempt("writing", path, bytes.len() as u64, || {
            self.inner.put(path, bytes.clone().into())
        })
        .await
        .map(drop)
    }

    /// The length of an object, for what says which store it is.
    pub async fn size_raw(&self, path: &Path) -> Result<u64, Error> {
        let head = self.attempt("looking up", path, 0, || self.inner.head(path));
        Ok(head.await?.size)
    }

    /// The names of objects, for what says which store it is.
    pub async fn list_raw(&self, prefix: &Path) -> Result<Vec<Path>, Error> {
        let list = self.attempt("listing", prefix, u64::MAX, || self.list_all(prefix));
        Ok(list.await?.into_iter().map(|meta| meta.location).collect())
    }

    /// Runs one operation until it succeeds, fails for good, or was tried often enough. `bytes` is how many it carries.
    async fn attempt<T, F>(
        &self,
        operation: &'static str,
        path: &Path,
        bytes: u64,
        mut act: impl FnMut() -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = object_store::Result<T>>,
    {
        let mut pause = self.retry.first_pause;
        let parts = u32::try_from(bytes / SLOWEST).unwrap_or(u32::MAX);
        let limit = self.retry.patience.saturating_mul(parts.saturating_add(1));
        let mut tries = 1;
        loop {
            self.gate.pass().await;
            let done = tokio::time::timeout(limit, act()).await;
            match done.unwrap_or_else(|_| Err(timed_out(limit))) {
                Ok(value) => return Ok(value),
                Err(source) if !error::is_permanent(&source) => {
                    // The store's own word is for everybody.
                    if let Some(wait) = s3::refusal(&source).and_then(|refused| refused.retry_after)
                    {
                        self.gate.close(wait);
                    }
                    if tries >= self.retry.attempts {
                        return Err(Error::from_store(operation, path, source));
                    }
                    tracing::debug!(operation, object = %path, error = %source, "trying again");
                    tokio::time::sleep(pause.mul_f32(0.5 + rand::random::<f32>() / 2.0)).await;
                    pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
                    tries += 1;
                }
                Err(source) => return Err(Error::from_store(operation, path, source)),
            }
        }
    }

    /// Waits for its turn to write so many bytes, where the rate is limited.
    async fn pay(&self, bytes: u64) {
        if let Some(rate) = self.upload_rate {
            self.gate.pay(bytes, rate).await;
        }
    }

    /// Writes an object; durable when it returns.
    pub async fn put(&self, path: &Path, bytes: Bytes) -> Result<(), Error> {
        let length = bytes.len() as u64;
        self.pay(length).await;
        self.operate("writing", path, length, true, || {
            self.inner.put(path, bytes.clone().into())
        })
        .await
        .map(drop)
    }

    /// Writes an object as [`Store::put`] does, but begins no try once `may` says no: then [`Error::Overtaken`].
    pub async fn put_while(
        &self,
        path: &Path,
        bytes: Bytes,
        may: impl Fn() -> bool + Sync,
    ) -> Result<(), Error> {
        let late = || object_store::Error::Precondition {
            path: path.to_string(),
            source: "too late".into(),
        };
        let put = self
            .operate("writing", path, bytes.len() as u64, true, || async {
                if !may() {
                    return Err(late());
                }
                self.inner.put(path, bytes.clone().into()).await
            })
            .await;
        match put {
            Err(Error::Store {
                source: object_store::Error::Precondition { .. },
                ..
            }) => Err(Error::Overtaken),
            put => put.map(drop),
        }
    }

    /// A whole object.
    pub async fn get(&self, path: &Path) -> Result<Bytes, Error> {
        // Whole objects that are read are small, but for what a deep check reads.
        self.operate("reading", path, LARGEST, false, || async {
            self.inner.get(path).await?.bytes().await
        })
        .await
    }

    /// Part of an object. A store gives less than was asked when the object is shorter: that is damage.
    pub async fn get_range(&self, path: &Path, range: Range<u64>) -> Result<Bytes, Error> {
        let bytes = self
            .operate(
                "reading",
                path,
                range.end.saturating_sub(range.start),
                false,
                || async {
                    let options = GetOptions {
                        range: Some(GetRange::Bounded(range.clone())),
                        ..GetOptions::default()
                    };
                    let result = match self.inner.get_opts(path, options).await {
                        Ok(result) => result,
                        // A range that begins beyond the end is an error of the request to some stores. Whether the object
                        // is short is then a question of its length.
                        Err(error @ object_store::Error::NotFound { .. }) => return Err(error),
                        Err(error) => {
                            let size = self.inner.head(path).await?.size;
                            return if size < range.end {
                                Ok(Bytes::new())
                            } else {
                                Err(error)
                            };
                        }
                    };
                    result.bytes().await
                },
            )
            .await?;
        if bytes.len() as u64 == range.end - range.start {
            Ok(bytes)
        } else {
            Err(damaged(path, Damage::Truncated))
        }
    }

    /// Length of an object in bytes.
    pub async fn size(&self, path: &Path) -> Result<u64, Error> {
        Ok(self
            .operate("looking up", path, 0, false, || self.inner.head(path))
            .await?
            .size)
    }

    /// Removes an object; durable when it returns. An object that is not there is removed already.
    pub async fn delete(&self, path: &Path) -> Result<(), Error> {
        match self.delete_unsettled(path).await {
            Ok(()) => self.settle.as_ref().map_or(Ok(()), |settle| settle(path)),
            Err(error) => Err(error),
        }
    }

    /// Removes an object; a crash may bring it back. For what nothing needs any more.
    pub async fn delete_unsettled(&self, path: &Path) -> Result<(), Error> {
        match self
            .operate("removing", path, 0, false, || self.inner.delete(path))
            .await
        {
            Err(Error::Damaged {
                damage: Damage::Missing,
                ..
            }) => Ok(()),
            other => other,
        }
    }

    /// The objects of one kind: last part of the name, and length.
    pub async fn list(
        &self,
        organization: OrganizationId,
        kind: Kind,
    ) -> Result<Vec<(String, u64)>, Error> {
        let listed = self.list_dated(organization, kind).await?;
        Ok(listed.into_iter().map(|one| (one.name, one.size)).collect())
    }

    /// The objects of one kind, and when the store says that each was written.
    pub async fn list_dated(
        &self,
        organization: OrganizationId,
        kind: Kind,
    ) -> Result<Vec<Listed>, Error> {
        let prefix = Path::from_iter([organization.to_string(), kind.folder().to_owned()]);
        let found = self
            .operate("listing", &prefix, u64::MAX, false, || {
                self.list_all(&prefix)
            })
            .await?;
        self.believe_nothing(found.is_empty()).await?;
        Ok(found
            .into_iter()
            .filter_map(|meta| {
                Some(Listed {
                    name: meta.location.filename()?.to_owned(),
                    size: meta.size,
                    written: meta.last_modified.timestamp_millis(),
                })
            })
            .collect())
    }

    /// A list without anything is believed where the store is there.
    async fn believe_nothing(&self, nothing: bool) -> Result<(), Error> {
        match &self.identity {
            Some(identity) if nothing => identity.after_nothing(self).await,
            _ => Ok(()),
        }
    }

    /// However many answers it takes, each must come in time.
    async fn list_all(&self, prefix: &Path) -> object_store::Result<Vec<ObjectMeta>> {
        let mut listed = self.inner.list(Some(prefix));
        let mut all = Vec::new();
        loop {
            let next = tokio::time::timeout(self.retry.patience, listed.try_next()).await;
            match next.unwrap_or_else(|_| Err(timed_out(self.retry.patience)))? {
                Some(one) => all.push(one),
                None => return Ok(all),
            }
        }
    }

    /// Organizations that have anything in the store.
    pub async fn organizations(&self) -> Result<Vec<OrganizationId>, Error> {
        let root = Path::default();
        let found = self
            .operate("listing", &root, LARGEST, false, || {
                self.inner.list_with_delimiter(None)
            })
            .await?;
        self.believe_nothing(found.common_prefixes.is_empty())
            .await?;
        Ok(found
            .common_prefixes
            .iter()
            .filter_map(|path| path.filename()?.parse().ok())
            .collect())
    }

    /// Reads, checks and opens an object; gives its body's key as well.
    pub async fn open(
        &self,
        organization: OrganizationId,
        kind: Kind,
        id: ObjectId,
        path: &Path,
        keys: &Keys,
    ) -> Result<(Bytes, ObjectId), Error> {
        let bytes = self.get(path).await?;
        let open = || {
            let key = find_key(keys, format::check_header(kind, organization, id, &bytes)?)?;
            format::open(key, &bytes).map(|body| (Bytes::from(body), key.id()))
        };
        open().map_err(|damage| damaged(path, damage))
    }
}

/// The key with this id, or what is wrong with the object that names it.
pub fn find_key(keys: &Keys, id: ObjectId) -> Result<&Key, Damage> {
    keys.get(&id).ok_or_else(|| Damage::Key {
        key: id.to_string(),
    })
}

/// The error for a damaged object.
pub fn damaged(path: &Path, damage: Damage) -> Error {
    Error::Damaged {
        object: path.to_string(),
        damage,
    }
}
