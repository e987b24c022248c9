//! A bucket that several processes use, whose every operation waits for its turn.
//!
//! A process is an `Archive` behind a [`Door`]. With a schedule ([`Bucket::schedule`]) an operation takes place when the
//! schedule says so, and as it says: done, refused, done but its answer lost, or done later. Without one it takes
//! place at once, and a door's `before` may do something first. Time passes only when the test says so; the bucket's
//! Last-Modified and every process's own clock show the same pace from different starts.

use bytes::Bytes;
use futures::StreamExt;
use futures::executor::block_on;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    Put,
    Get,
    Delete,
    List,
}

/// What becomes of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Done,
    /// Nothing happens; trying again may help.
    Refused,
    /// It happens; its answer is lost, trying again may help.
    AnswerLost,
    /// It happens later, though the one who asked was told that it failed.
    Later,
    /// The process is dead: nothing happens, and nothing more will.
    Dead,
    /// The process is dead; what it had asked for happens all the same, later.
    DeadLater,
}

#[derive(Debug, Clone)]
pub struct Waiting {
    ticket: u64,
    pub process: usize,
    pub op: Op,
    since: Duration,
}

#[derive(Debug)]
struct Late {
    path: String,
    content: Option<Bytes>,
    until: Duration,
}

#[derive(Debug, Default)]
struct State {
    now: Duration,
    written: HashMap<String, Duration>,
    scheduled: bool,
    tickets: u64,
    waiting: BTreeMap<u64, Waiting>,
    verdicts: HashMap<u64, Verdict>,
    busy: BTreeSet<usize>,
    late: Vec<Late>,
    /// Packs and segments were removed since the test looked last.
    removed: bool,
}

/// See the module.
#[derive(Debug)]
pub struct Bucket {
    pub inner: Arc<InMemory>,
    state: Mutex<State>,
    changed: Condvar,
}

/// No answer comes later than this: the client gives up, and the server has forgotten the request.
const TIMEOUT: Duration = Duration::from_secs(30 * 60);

impl Bucket {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            inner: Arc::default(),
            state: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn door(self: &Arc<Self>, process: usize) -> Arc<Door> {
        Arc::new(Door {
            bucket: Arc::clone(self),
            process,
            dead: Mutex::new(false),
            before: Mutex::new(None),
            log: Mutex::default(),
        })
    }

    pub fn now(&self) -> Duration {
        self.state().now
    }

    /// Time passes. What was asked for long before is given up by who asked; a PUT of that kind has taken place or never
    /// will.
    pub fn pass(&self, time: Duration) {
        let until = self.state().now + time;
        loop {
            let due = {
                let mut state = self.state();
                let due = state.late.iter().position(|late| late.until <= until);
                due.map(|n| state.late.swap_remove(n))
            };
            let Some(late) = due else { break };
            self.apply(late);
        }
        let mut state = self.state();
        state.now = until;
        let tired: Vec<u64> = state
            .waiting
            .values()
            .filter(|one| one.op == Op::Put && one.since + TIMEOUT < until)
            .map(|one| one.ticket)
            .collect();
        for ticket in tired {
            state.waiting.remove(&ticket);
            state.verdicts.insert(ticket, Verdict::Refused);
        }
        self.changed.notify_all();
    }

    fn apply(&self, late: Late) {
        let path = Path::from(late.path.clone());
        match late.content {
            Some(content) => {
                block_on(self.inner.put(&path, content.into())).unwrap();
                self.note_put(&late.path);
            }
            None => {
                block_on(self.inner.delete(&path)).ok();
                self.note_delete(&late.path);
            }
        }
    }

    /// One of the operations that are on their way in spite of all takes place.
    pub fn apply_late(&self, choice: usize) {
        let late = {
            let mut state = self.state();
            if state.late.is_empty() {
                return;
            }
            let n = choice % state.late.len();
            state.late.swap_remove(n)
        };
        self.apply(late);
    }

    pub fn flush_late(&self) {
        while !self.state().late.is_empty() {
            self.apply_late(0);
        }
    }

    fn note_put(&self, path: &str) {
        let mut state = self.state();
        // Every operation takes a moment.
        state.now += Duration::from_millis(1);
        let now = state.now;
        state.written.insert(path.to_owned(), now);
    }

    fn note_delete(&self, path: &str) {
        let mut state = self.state();
        state.now += Duration::from_millis(1);
        state.removed |= path.contains("/packs/") || path.contains("/segments/");
    }

    /// Whether packs or segments were removed since the last call.
    pub fn removed(&self) -> bool {
        std::mem::take(&mut self.state().removed)
    }

    /// From now on operations wait for their turn.
    pub fn schedule(&self, scheduled: bool) {
        self.state().scheduled = scheduled;
    }

    /// The process is at work: until it has ended, the schedule waits for its next operation.
    pub fn begin(&self, process: usize) {
        self.state().busy.insert(process);
    }

    pub fn end(&self, process: usize) {
        self.state().busy.remove(&process);
        self.changed.notify_all();
    }

    /// Waits until every process at work waits for its turn; gives what they wait for. Empty: all have ended.
    pub fn settle(&self) -> Vec<Waiting> {
        let mut state = self.state();
        loop {
            let waits = |process: &usize| state.waiting.values().any(|one| one.process == *process);
            if state.busy.iter().all(waits) {
                return state.waiting.values().cloned().collect();
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub fn decide(&self, waiting: &Waiting, verdict: Verdict) {
        let mut state = self.state();
        if state.waiting.remove(&waiting.ticket).is_some() {
            state.verdicts.insert(waiting.ticket, verdict);
        }
        self.changed.notify_all();
    }

    fn ask(&self, process: usize, op: Op) -> Verdict {
        let mut state = self.state();
        if !state.scheduled {
            return Verdict::Done;
        }
        state.tickets += 1;
        let (ticket, since) = (state.tickets, state.now);
        state.waiting.insert(
            ticket,
            Waiting {
                ticket,
                process,
                op,
                since,
            },
        );
        self.changed.notify_all();
        loop {
            if let Some(verdict) = state.verdicts.remove(&ticket) {
                return verdict;
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn dated(&self, mut meta: ObjectMeta) -> ObjectMeta {
        let written = self.state().written.get(meta.location.as_ref()).copied();
        meta.last_modified = Default::default();
        meta.last_modified += written.unwrap_or_default();
        meta
    }

    /// Every name in the bucket.
    pub fn names(&self) -> Vec<String> {
        self.sizes().into_keys().collect()
    }

    /// Name and length of everything.
    pub fn sizes(&self) -> BTreeMap<String, u64> {
        let all: Vec<_> = block_on(self.inner.list(None).collect::<Vec<_>>());
        all.into_iter()
            .map(|meta| meta.unwrap())
            .map(|meta| (meta.location.to_string(), meta.size))
            .collect()
    }

    pub fn count(&self, kind: &str) -> usize {
        let kind = format!("/{kind}/");
        self.names()
            .iter()
            .filter(|name| name.contains(&kind))
            .count()
    }
}

type Before = Box<dyn FnMut(Op, &str) + Send>;

/// One process's way to the bucket.
pub struct Door {
    bucket: Arc<Bucket>,
    process: usize,
    dead: Mutex<bool>,
    /// Called before each operation; not scheduled ones.
    pub before: Mutex<Option<Before>>,
    /// What was asked.
    pub log: Mutex<Vec<(Op, String)>>,
}

type Future<'a, T> = Pin<Box<dyn std::future::Future<Output = Result<T>> + Send + 'a>>;

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Door({})", self.process)
    }
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Door({})", self.process)
    }
}

fn broken() -> Error {
    Error::Generic {
        store: "Bucket",
        source: std::io::Error::from(std::io::ErrorKind::ConnectionReset).into(),
    }
}

impl Door {
    pub fn is_dead(&self) -> bool {
        *self.dead.lock().unwrap()
    }

    /// Asks for a turn. `Ok(true)`: do it and answer; `Ok(false)`: do it, and say that it failed.
    fn turn(&self, op: Op, path: &str, content: Option<&Bytes>) -> Result<bool> {
        self.log.lock().unwrap().push((op, path.to_owned()));
        let before = self.before.lock().unwrap().take();
        if let Some(mut before) = before {
            // Elsewhere: another archive's runtime cannot be entered from within this one's.
            let path = path.to_owned();
            let again = std::thread::spawn(move || {
                before(op, &path);
                before
            });
            let again = again.join().unwrap();
            self.before.lock().unwrap().get_or_insert(again);
        }
        let dead = || Error::PermissionDenied {
            path: path.to_owned(),
            source: "the process is dead".into(),
        };
        if self.is_dead() {
            return Err(dead());
        }
        match self.bucket.ask(self.process, op) {
            Verdict::Done => Ok(true),
            Verdict::AnswerLost => Ok(false),
            Verdict::Refused => Err(broken()),
            verdict @ (Verdict::Later | Verdict::DeadLater) => {
                *self.dead.lock().unwrap() |= verdict == Verdict::DeadLater;
                let mut state = self.bucket.state();
                let until = state.now + TIMEOUT;
                if matches!(op, Op::Put | Op::Delete) {
                    state.late.push(Late {
                        path: path.to_owned(),
                        content: content.cloned(),
                        until,
                    });
                }
                drop(state);
                if self.is_dead() {
                    Err(dead())
                } else {
                    Err(broken())
                }
            }
            Verdict::Dead => {
                *self.dead.lock().unwrap() = true;
                Err(dead())
            }
        }
    }
}

impl ObjectStore for Door {
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
            let content = Bytes::from(payload.clone());
            let answered = self.turn(Op::Put, path.as_ref(), Some(&content))?;
            let result = self.bucket.inner.put_opts(path, payload, options).await;
            self.bucket.note_put(path.as_ref());
            if answered { result } else { Err(broken()) }
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
        self.bucket.inner.put_multipart_opts(path, options)
    }

    fn get_opts<'a, 'b, 'c>(&'a self, path: &'b Path, options: GetOptions) -> Future<'c, GetResult>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        Box::pin(async move {
            let answered = self.turn(Op::Get, path.as_ref(), None)?;
            let mut result = self.bucket.inner.get_opts(path, options).await?;
            result.meta = self.bucket.dated(result.meta);
            if answered { Ok(result) } else { Err(broken()) }
        })
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let paths: Vec<_> = block_on(paths.collect());
        let mut results = Vec::new();
        for path in paths.into_iter().flatten() {
            results.push(match self.turn(Op::Delete, path.as_ref(), None) {
                Ok(answered) => {
                    block_on(self.bucket.inner.delete(&path)).ok();
                    self.bucket.note_delete(path.as_ref());
                    if answered { Ok(path) } else { Err(broken()) }
                }
                Err(error) => Err(error),
            });
        }
        futures::stream::iter(results).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.turn(Op::List, prefix.map_or("", AsRef::as_ref), None) {
            Ok(true) => {
                let listed: Vec<_> = block_on(self.bucket.inner.list(prefix).collect());
                let dated = |meta: Result<ObjectMeta>| meta.map(|meta| self.bucket.dated(meta));
                let listed: Vec<_> = listed.into_iter().map(dated).collect();
                futures::stream::iter(listed).boxed()
            }
            Ok(false) => futures::stream::iter([Err(broken())]).boxed(),
            Err(error) => futures::stream::iter([Err(error)]).boxed(),
        }
    }

    fn list_with_delimiter<'a, 'b, 'c>(&'a self, prefix: Option<&'b Path>) -> Future<'c, ListResult>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        Box::pin(async move {
            self.turn(Op::List, "", None)?;
            self.bucket.inner.list_with_delimiter(prefix).await
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
        self.bucket.inner.copy_opts(from, to, options)
    }
}
