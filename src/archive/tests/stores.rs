//! A store that counts, fails on demand, or dies.

use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
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
    hit: Mutex<bool>,
    counts: Mutex<Counts>,
    /// Every name that was ever written.
    pub written: Mutex<Vec<String>>,
    packs_now: AtomicU64,
    /// The most packs that were being written at one time.
    pub packs_most: AtomicU64,
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
            hit: Mutex::default(),
            counts: Mutex::default(),
            written: Mutex::default(),
            packs_now: AtomicU64::default(),
            packs_most: AtomicU64::default(),
        })
    }

    /// The `nth` operation from now (0 is the next) fails.
    pub fn fail(&self, nth: u64, fault: Fault) {
        *self.plan.lock().unwrap() = Some((nth, fault));
        *self.hit.lock().unwrap() = false;
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

    fn next(&self, path: &str) -> (bool, Option<Error>) {
        let mut plan = self.plan.lock().unwrap();
        let Some((left, fault)) = &mut *plan else {
            return (true, None);
        };
        if *left > 0 {
            *left -= 1;
            return (true, None);
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
        match fault {
            Fault::Passing => (false, Some(generic(std::io::ErrorKind::ConnectionReset))),
            Fault::Denied => (false, Some(denied())),
            Fault::Full => (false, Some(generic(std::io::ErrorKind::StorageFull))),
            Fault::AnswerLost => (true, Some(denied())),
            Fault::Dead => (false, Some(generic(std::io::ErrorKind::ConnectionRefused))),
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
            let (act, error) = self.next(path.as_ref());
            let mut result = None;
            if act {
                self.count(|counts| {
                    counts.puts += 1;
                    counts.put_bytes += payload.content_length() as u64;
                });
                self.written.lock().unwrap().push(path.to_string());
                let pack = u64::from(path.as_ref().contains("/packs/"));
                let now = self.packs_now.fetch_add(pack, Ordering::SeqCst) + pack;
                self.packs_most.fetch_max(now, Ordering::SeqCst);
                tokio::task::yield_now().await;
                result = Some(self.inner.put_opts(path, payload, options).await);
                self.packs_now.fetch_sub(pack, Ordering::SeqCst);
            }
            error.map_or_else(|| result.unwrap(), Err)
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
            match self.next(path.as_ref()) {
                (_, Some(error)) => Err(error),
                _ => self.inner.get_opts(path, options).await,
            }
        })
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.count(|counts| counts.deletes += 1);
        match self.next("deletion") {
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
        match self.next(prefix.map_or("", AsRef::as_ref)) {
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
            match self.next("") {
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
