//! A store that counts, fails on demand, or dies.

use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Once; trying again helps.
    Passing,
    /// Once; the store refuses.
    Denied,
    /// Once; no room.
    Full,
    /// Once; the operation takes place, but its answer is lost, and trying again is refused.
    AnswerLost,
    /// From then on nothing works.
    Dead,
    /// Once; the store is busy and says so (503, 429).
    Busy(u16),
    /// Once; no answer comes.
    Silent,
    /// Once; the answer breaks off in the middle. Of what has no body: before it.
    BrokenOff,
    /// Once; a read gives half, as if that were all.
    Short,
    /// Once; a read gives a bit that is not what was written.
    Flipped,
    /// Once; the store says that the object is not there.
    Missing,
    /// Once; the store does not believe our clock.
    Clock,
}

impl Fault {
    /// Trying again is enough.
    pub const fn passes(self) -> bool {
        matches!(
            self,
            Self::Passing | Self::Busy(_) | Self::Silent | Self::BrokenOff
        )
    }

    /// What was read is not what was written.
    pub const fn damages(self) -> bool {
        matches!(self, Self::Short | Self::Flipped | Self::Missing)
    }
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    pub puts: u64,
    pub put_bytes: u64,
    pub gets: u64,
    pub lists: u64,
    pub deletes: u64,
}

#[derive(Debug)]
pub struct Wrapped {
    inner: Arc<dyn ObjectStore>,
    plan: Mutex<Option<(u64, Fault)>>,
    /// Only operations on names with this in them fail, or are counted for that.
    only: Mutex<&'static str>,
    hit: Mutex<bool>,
    counts: Mutex<Counts>,
    /// Every name that was ever written.
    pub written: Mutex<Vec<String>>,
    packs_now: AtomicU64,
    /// The most packs that were being written at one time.
    pub packs_most: AtomicU64,
    bytes_now: AtomicU64,
    /// The most bytes that were being written at one time.
    pub bytes_most: AtomicU64,
}

/// What becomes of an operation.
#[derive(Debug, Default)]
struct Next {
    /// It takes place.
    acts: bool,
    /// Its answer, where that is not the store's.
    error: Option<Error>,
    /// What it does wrongly by itself.
    twist: Option<Fault>,
}

type Future<'a, T> = Pin<Box<dyn std::future::Future<Output = Result<T>> + Send + 'a>>;

impl fmt::Display for Wrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wrapped")
    }
}

impl Wrapped {
    pub fn new(inner: Arc<dyn ObjectStore>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            plan: Mutex::default(),
            only: Mutex::default(),
            hit: Mutex::default(),
            counts: Mutex::default(),
            written: Mutex::default(),
            packs_now: AtomicU64::default(),
            packs_most: AtomicU64::default(),
            bytes_now: AtomicU64::default(),
            bytes_most: AtomicU64::default(),
        })
    }

    /// The `nth` operation from now (0 is the next) fails.
    pub fn fail(&self, nth: u64, fault: Fault) {
        self.fail_of("", nth, fault);
    }

    /// As [`Wrapped::fail`], of those on names with `part` in them.
    pub fn fail_of(&self, part: &'static str, nth: u64, fault: Fault) {
        *self.only.lock().unwrap() = part;
        *self.plan.lock().unwrap() = Some((nth, fault));
        *self.hit.lock().unwrap() = false;
    }

    /// Whether anything has failed since.
    pub fn has_failed(&self) -> bool {
        *self.hit.lock().unwrap()
    }

    /// Nothing fails any more; whether anything had.
    pub fn heal(&self) -> bool {
        *self.plan.lock().unwrap() = None;
        std::mem::take(&mut *self.hit.lock().unwrap())
    }

    /// What was done since the last call.
    pub fn counts(&self) -> Counts {
        std::mem::take(&mut *self.counts.lock().unwrap())
    }

    /// What becomes of an operation that begins. One look at the plan: several are under way at one time, and one alone fails.
    fn next(&self, path: &str) -> Next {
        let well = Next {
            acts: true,
            ..Next::default()
        };
        let mut plan = self.plan.lock().unwrap();
        let Some((left, fault)) = &mut *plan else {
            return well;
        };
        if !path.contains(*self.only.lock().unwrap()) {
            return well;
        }
        if *left > 0 {
            *left -= 1;
            return well;
        }
        let fault = *fault;
        *self.hit.lock().unwrap() = true;
        if fault != Fault::Dead {
            *plan = None;
        }
        let generic = |kind: std::io::ErrorKind| Error::Generic {
            store: "Wrapped",
            source: std::io::Error::from(kind).into(),
        };
        let denied = || Error::PermissionDenied {
            path: path.to_owned(),
            source: "refused".into(),
        };
        let refused = |status: u16, code: &str| Error::Generic {
            store: "Wrapped",
            source: Box::new(crate::archive::s3::Refused::of_test(status, code)),
        };
        let error = match fault {
            Fault::Busy(status) => Some(refused(status, "SlowDown")),
            Fault::Clock => Some(refused(403, "RequestTimeTooSkewed")),
            Fault::BrokenOff => Some(generic(std::io::ErrorKind::UnexpectedEof)),
            Fault::Missing => Some(Error::NotFound {
                path: path.to_owned(),
                source: "lost".into(),
            }),
            Fault::Silent | Fault::Short | Fault::Flipped => None,
            Fault::Passing => Some(generic(std::io::ErrorKind::ConnectionReset)),
            Fault::Denied | Fault::AnswerLost => Some(denied()),
            Fault::Full => Some(generic(std::io::ErrorKind::StorageFull)),
            Fault::Dead => Some(generic(std::io::ErrorKind::ConnectionRefused)),
        };
        let twisted = matches!(
            fault,
            Fault::Silent | Fault::Short | Fault::Flipped | Fault::BrokenOff
        );
        Next {
            acts: twisted || fault == Fault::AnswerLost,
            error,
            twist: twisted.then_some(fault),
        }
    }

    fn count(&self, add: impl FnOnce(&mut Counts)) {
        add(&mut self.counts.lock().unwrap());
    }
}

impl ObjectStore for Wrapped {
    fn put_opts<'a, 'b, 'c>(
        &'a self,
        path: &'b Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Future<'c, PutResult>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        Box::pin(async move {
            let next = self.next(path.as_ref());
            if next.twist == Some(Fault::Silent) {
                std::future::pending::<()>().await;
            }
            // Of what broke off on its way there, nothing is kept.
            let mut result = None;
            if next.acts && next.twist != Some(Fault::BrokenOff) {
                self.count(|counts| {
                    counts.puts += 1;
                    counts.put_bytes += payload.content_length() as u64;
                });
                self.written.lock().unwrap().push(path.to_string());
                let pack = u64::from(path.as_ref().contains("/packs/"));
                let now = self.packs_now.fetch_add(pack, Ordering::SeqCst) + pack;
                self.packs_most.fetch_max(now, Ordering::SeqCst);
                let bytes = payload.content_length() as u64;
                let all = self.bytes_now.fetch_add(bytes, Ordering::SeqCst) + bytes;
                self.bytes_most.fetch_max(all, Ordering::SeqCst);
                tokio::task::yield_now().await;
                result = Some(self.inner.put_opts(path, payload, options).await);
                self.packs_now.fetch_sub(pack, Ordering::SeqCst);
                self.bytes_now.fetch_sub(bytes, Ordering::SeqCst);
            }
            next.error.map_or_else(|| result.unwrap(), Err)
        })
    }

    fn put_multipart_opts<'a, 'b, 'c>(
        &'a self,
        path: &'b Path,
        options: PutMultipartOptions,
    ) -> Future<'c, Box<dyn MultipartUpload>>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        self.inner.put_multipart_opts(path, options)
    }

    fn get_opts<'a, 'b, 'c>(&'a self, path: &'b Path, options: GetOptions) -> Future<'c, GetResult>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        Box::pin(async move {
            self.count(|counts| counts.gets += 1);
            let next = self.next(path.as_ref());
            match (next.twist, next.error) {
                (Some(Fault::Silent), _) => std::future::pending().await,
                (Some(fault), error) => {
                    let result = self.inner.get_opts(path, options).await?;
                    twisted(result, fault, error).await
                }
                (None, Some(error)) => Err(error),
                (None, None) => self.inner.get_opts(path, options).await,
            }
        })
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.count(|counts| counts.deletes += 1);
        let next = self.next("deletion");
        if next.twist == Some(Fault::Silent) {
            return futures::stream::pending().boxed();
        }
        match (next.acts, next.error) {
            // It would be true the next moment: nothing to be told from a deletion that took place.
            (_, Some(Error::NotFound { .. })) => self.inner.delete_stream(paths),
            (true, None) => self.inner.delete_stream(paths),
            (true, Some(error)) => {
                let inner = self.inner.delete_stream(paths);
                let mut error = Some(error);
                inner
                    .map(move |result| error.take().map_or(result, Err))
                    .boxed()
            }
            (false, error) => futures::stream::iter(error.map(Err)).boxed(),
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.count(|counts| counts.lists += 1);
        let next = self.next(prefix.map_or("", AsRef::as_ref));
        match (next.twist, next.error) {
            (Some(Fault::Silent), _) => futures::stream::pending().boxed(),
            (_, Some(error)) => futures::stream::iter([Err(error)]).boxed(),
            _ => self.inner.list(prefix),
        }
    }

    fn list_with_delimiter<'a, 'b, 'c>(&'a self, prefix: Option<&'b Path>) -> Future<'c, ListResult>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        Box::pin(async move {
            let next = self.next("");
            match (next.twist, next.error) {
                (Some(Fault::Silent), _) => std::future::pending().await,
                (_, Some(error)) => Err(error),
                _ => self.inner.list_with_delimiter(prefix).await,
            }
        })
    }

    fn copy_opts<'a, 'b, 'd, 'c>(
        &'a self,
        from: &'b Path,
        to: &'d Path,
        options: CopyOptions,
    ) -> Future<'c, ()>
    where
        'a: 'c,
        'b: 'c,
        'd: 'c,
        Self: 'c,
    {
        self.inner.copy_opts(from, to, options)
    }
}

/// What was read, with something wrong in it.
async fn twisted(result: GetResult, fault: Fault, error: Option<Error>) -> Result<GetResult> {
    let (meta, range, attributes) = (
        result.meta.clone(),
        result.range.clone(),
        result.attributes.clone(),
    );
    let mut bytes = result.bytes().await?.to_vec();
    let half = bytes.len() / 2;
    let payload = match fault {
        Fault::Short => {
            bytes.truncate(half);
            futures::stream::iter(vec![Ok(bytes.into())]).boxed()
        }
        Fault::Flipped => {
            if let Some(byte) = bytes.get_mut(half) {
                *byte ^= 16;
            }
            futures::stream::iter(vec![Ok(bytes.into())]).boxed()
        }
        _ => {
            bytes.truncate(half);
            let broken = error.unwrap_or(Error::NotImplemented {
                operation: String::new(),
                implementer: String::new(),
            });
            futures::stream::iter(vec![Ok(bytes.into()), Err(broken)]).boxed()
        }
    };
    Ok(GetResult {
        payload: GetResultPayload::Stream(payload),
        meta,
        range,
        attributes,
        extensions: Default::default(),
    })
}
