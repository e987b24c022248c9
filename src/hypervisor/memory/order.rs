//! Work on pieces by all processors, whose results come in the order of the pieces.

use super::Error;
use std::{
    collections::BTreeMap,
    io,
    path::Path,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

/// More threads than this wait for the memory bus, or for the disk.
const MOST_WORKERS: usize = 8;
/// Pieces in hand beyond one a worker, so that none waits while one is taken.
const SPARE: usize = 2;

/// How much the threads that are not in a hurry stand back for everyone else, guests first of all (`nice(2)`).
pub(super) const STANDING_BACK: i32 = 10;

/// Whether somebody waits for the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hurry {
    /// A guest stands until it is done.
    Great,
    /// The guest runs meanwhile.
    None,
}

impl Hurry {
    /// The name of its threads.
    fn name(self) -> &'static str {
        match self {
            Self::Great => "memory",
            Self::None => "memory-pack",
        }
    }
}

/// What one piece is worked on in. Used again for a later piece.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    /// As QEMU's stream has it.
    pub plain: Vec<u8>,
    /// As the file has it.
    pub packed: Vec<u8>,
}

struct Line<F> {
    claim: F,
    /// The piece to be claimed next.
    next: u32,
    /// The piece to be taken next.
    due: u32,
    ready: BTreeMap<u32, Result<Buffers, Error>>,
    spare: Vec<Buffers>,
    /// Threads that work.
    workers: usize,
    /// Nothing more is wanted.
    over: bool,
}

struct Shared<F> {
    line: Mutex<Line<F>>,
    changed: Condvar,
}

impl<F> Shared<F> {
    fn line(&self) -> MutexGuard<'_, Line<F>> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, line: MutexGuard<'a, Line<F>>) -> MutexGuard<'a, Line<F>> {
        self.changed
            .wait(line)
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends the workers home, however it is left.
struct Over<'a, F>(&'a Shared<F>);

impl<F> Drop for Over<'_, F> {
    fn drop(&mut self) {
        self.0.line().over = true;
        self.0.changed.notify_all();
    }
}

/// Says that one worker less is there, however it is left.
struct Leave<'a, F>(&'a Shared<F>);

impl<F> Drop for Leave<'_, F> {
    fn drop(&mut self) {
        self.0.line().workers -= 1;
        self.0.changed.notify_all();
    }
}

/// For each of `count` pieces: `claim` in their order, one at a time; `work` on any thread; `take` in their order, on this
/// one. The first error in the order of the pieces ends it. `path` is what is worked on, for an error's words.
pub(super) fn in_order<C, F, W>(
    path: &Path,
    count: u32,
    hurry: Hurry,
    claim: F,
    work: W,
    take: &mut dyn FnMut(&Buffers) -> Result<(), Error>,
) -> Result<(), Error>
where
    F: FnMut(u32) -> Result<C, Error> + Send,
    W: Fn(C, &mut Buffers) -> Result<(), Error> + Sync,
{
    let processors = thread::available_parallelism().map_or(2, |found| found.get());
    let workers = processors
        .min(MOST_WORKERS)
        .min(usize::try_from(count).unwrap_or(MOST_WORKERS));
    let ahead = u32::try_from(workers + SPARE).unwrap_or(1);
    let shared = Shared {
        line: Mutex::new(Line {
            claim,
            next: 0,
            due: 0,
            ready: BTreeMap::new(),
            spare: Vec::new(),
            workers,
            over: false,
        }),
        changed: Condvar::new(),
    };
    let run = || {
        let _leave = Leave(&shared);
        if hurry == Hurry::None {
            // Of this thread alone, as Linux has it. Where it cannot be, it is done all the same.
            let _ = rustix::process::setpriority_process(None, STANDING_BACK);
        }
        loop {
            let mut line = shared.line();
            while !line.over && line.next < count && line.next >= line.due.saturating_add(ahead) {
                line = shared.wait(line);
            }
            if line.over || line.next >= count {
                return;
            }
            let number = line.next;
            line.next += 1;
            let claimed = (line.claim)(number);
            let mut buffers = line.spare.pop().unwrap_or_default();
            let worked = match claimed {
                Ok(claimed) => {
                    drop(line);
                    work(claimed, &mut buffers)
                }
                Err(error) => {
                    // Where the next one stands is not known.
                    line.next = count;
                    drop(line);
                    Err(error)
                }
            };
            shared.line().ready.insert(number, worked.map(|()| buffers));
            shared.changed.notify_all();
        }
    };
    thread::scope(|scope| {
        let _over = Over(&shared);
        for _ in 0..workers {
            thread::Builder::new()
                .name(hurry.name().to_owned())
                .spawn_scoped(scope, run)
                .map_err(Error::io("start a thread for", path))
                .inspect_err(|_| shared.line().workers -= 1)?;
        }
        for number in 0..count {
            let mut line = shared.line();
            let worked = loop {
                if let Some(worked) = line.ready.remove(&number) {
                    break worked;
                }
                if line.workers == 0 {
                    return Err(Error::io("read", path)(io::Error::other(
                        "a thread ended early",
                    )));
                }
                line = shared.wait(line);
            };
            drop(line);
            let buffers = worked?;
            take(&buffers)?;
            let mut line = shared.line();
            line.due = number + 1;
            line.spare.push(buffers);
            drop(line);
            shared.changed.notify_all();
        }
        Ok(())
    })
}
