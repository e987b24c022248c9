//! The threads of one connection.
//!
//! QEMU opens one connection a disk and keeps up to hundreds of requests in flight on it, so one connection must be both
//! cheap (a small request from the page cache takes a microsecond or two; waking a thread takes more) and parallel (a
//! read from a slow disk must not hold up the others). Hence one thread at a time is the *reader*: it owns the
//! [`Intake`], takes a request, lets go of the intake, executes, and goes back for the next.
//!
//! - While requests prove quick, the reader does all of them itself, and answers that are ready while further requests
//!   are already at hand leave together.
//! - Before a request that is slow by nature (a flush, FUA, a long transfer), or when requests of late have been slow,
//!   the reader calls another thread to the intake; each then sends its own answer at once.
//! - One thread stands by. When for a whole tick nothing was taken although the intake is free, the reader is stuck in a
//!   request that was expected to be quick: the one standing by becomes the reader.
//!
//! A thread goes to rest only when it saw another hold the intake; so as long as the connection lives, somebody reads.
//!
//! # What was measured
//! fio, 4 KiB random reads, 32 in flight, file in memory, two cores (`tests/speed.rs`): 0.6 receives and 0.6 sends a
//! request, the server at 0.7 of a core and the client at 0.93 of the other, so that the client is what limits.
//! Handing every request to another thread at once (as under `strace`, which makes all of them slow) spends most
//! of its time in futex calls; reading a long range's extents by `lseek` on tmpfs cost a factor of 30 and more on reads of
//! 1 MiB, hence the demand on [`BlockDevice::extents`](crate::engine::block::BlockDevice::extents).
//!
//! # Bounds
//! At most [`MAX_WORKERS`] requests are being executed; the others wait in the socket. A worker holds one payload piece
//! ([`WRITE_PIECE`]) and some answers (twice [`READ_PIECE`] at most), the connection one read-ahead buffer and at most
//! one long answer of 32 MiB: under 60 MiB in all, of which an idle connection keeps some 3 MiB.

use super::{
    commands::{Commands, READ_PIECE},
    handshake::Session,
    intake::Intake,
    outbox::Outbox,
    server::Link,
    wire::{Request, command, command_flag},
};
use crate::engine::block::BLOCK_SIZE;
use rustix::net::{SendFlags, send};
use std::{
    io,
    net::Shutdown,
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError, TryLockError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering, fence},
    },
    thread::{self, Scope},
    time::{Duration, Instant},
};

/// Most threads, hence requests being executed, on one connection.
const MAX_WORKERS: usize = 16;
/// Most bytes of a write that are held in memory; a longer one is written as it comes in.
const WRITE_PIECE: u64 = 1 << 20;
/// Answers that have piled up to this many bytes are sent.
const SEND_AT: usize = 64 << 10;
/// An answer waits no longer than this for company.
const COMPANY: Duration = Duration::from_micros(100);
/// A request that took longer than this would have been worth a thread of its own (a wake-up costs some 5 to 10 µs).
const SLOW: Duration = Duration::from_micros(50);
/// A slow request makes this many following quick ones run in parallel too; more of them add up to [`MEMORY_LIMIT`].
const MEMORY: u32 = 8;
/// See [`MEMORY`].
const MEMORY_LIMIT: u32 = 64;
/// How often the thread standing by looks.
const TICK: Duration = Duration::from_micros(500);
/// A thread that nobody called for so long ends.
const RETIRE: Duration = Duration::from_secs(5);
/// Transfers from this length on are slow by nature, in bytes.
const LONG: u32 = 64 << 10;

/// Serves a connection until the client leaves or the server stops. When it returns, no request is running.
pub(super) fn serve(link: &Link, session: &Session) {
    let connection = Connection {
        link,
        commands: Commands::new(session),
        intake: Mutex::new(Intake::new()),
        output: Mutex::new(()),
        ended: AtomicBool::new(false),
        cut: AtomicBool::new(false),
        taken: AtomicU64::new(0),
        slowness: AtomicU32::new(0),
        dozing: AtomicBool::new(false),
        guarded: AtomicBool::new(false),
        // The first thread to come stands by; this call makes the second the reader.
        crew: Mutex::new(Crew {
            total: 1,
            calls: 1,
            ..Crew::default()
        }),
        called: Condvar::new(),
        standing_by: Condvar::new(),
    };
    // The scope waits for every thread: this is what "drained" rests on.
    thread::scope(|scope| {
        connection.guard(scope);
        connection.work(scope);
    });
}

struct Connection<'a> {
    link: &'a Link,
    commands: Commands<'a>,
    intake: Mutex<Intake>,
    /// Held while answers are written, so that they do not mix.
    output: Mutex<()>,
    /// No further request is taken.
    ended: AtomicBool,
    /// Nothing more can be sent.
    cut: AtomicBool,
    /// Requests taken so far; the thread standing by watches it.
    taken: AtomicU64,
    /// Above zero: run requests in parallel. See [`MEMORY`].
    slowness: AtomicU32,
    /// A thread stands by, or is on its way to.
    guarded: AtomicBool,
    /// The thread standing by has seen an idle connection and waits to be woken.
    dozing: AtomicBool,
    crew: Mutex<Crew>,
    called: Condvar,
    standing_by: Condvar,
}

#[derive(Default)]
struct Crew {
    /// Threads, whatever they do.
    total: usize,
    /// Threads that wait to be called.
    resting: usize,
    /// Whether one stands by.
    standby: bool,
    /// Calls not yet followed.
    calls: usize,
}

/// A worker's own memory.
#[derive(Default)]
struct Bench {
    payload: Vec<u8>,
    out: Outbox,
    /// When the oldest answer in `out` was ready.
    since: Option<Instant>,
}

/// What became of the intake's next request.
enum Taken {
    /// To be executed; its payload is on the bench.
    Request(Request),
    /// Already answered on the bench.
    Answered,
    /// There is none, and never will be.
    End,
}

impl<'a> Connection<'a> {
    fn work<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>) {
        let _alarm = Alarm(self);
        let mut bench = Bench::default();
        // A new thread has no claim on the intake: it may have been started to stand by.
        let mut turn = self.rest(&mut bench);
        loop {
            let mut intake = match turn.take().or_else(|| self.try_intake()) {
                Some(intake) => intake,
                None => {
                    self.send(&mut bench);
                    match self.rest(&mut bench) {
                        Some(intake) => intake,
                        None => return,
                    }
                }
            };
            if self.over() {
                drop(intake);
                self.end();
                break;
            }
            if !bench.out.is_empty() && !intake.ready() {
                drop(intake);
                self.send(&mut bench);
                continue;
            }
            let taken = self.take(&mut intake, &mut bench);
            drop(intake);
            match taken {
                Taken::End => {
                    self.end();
                    break;
                }
                Taken::Answered => self.note(&mut bench, Instant::now()),
                Taken::Request(request) => self.execute(scope, &request, &mut bench),
            }
        }
        self.send(&mut bench);
    }

    /// Takes the next request out of the intake, with its payload.
    fn take(&self, intake: &mut Intake, bench: &mut Bench) -> Taken {
        let socket = &self.link.socket;
        let request = match intake.next(socket) {
            Ok(Some(head)) => Request::parse(&head),
            Ok(None) => return Taken::End,
            Err(error) => {
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "an NBD connection broke"
                );
                return Taken::End;
            }
        };
        let request = match request {
            Ok(request) => request,
            Err(error) => {
                // Out of step: whatever follows would be read as requests that nobody made.
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "an NBD client is cut off"
                );
                self.hang_up();
                return Taken::End;
            }
        };
        self.taken.fetch_add(1, Ordering::Relaxed);
        if request.kind == command::DISC {
            return Taken::End;
        }
        let admitted = self.commands.admit(&request);
        let result = match admitted {
            Err(refusal) => intake.drain(socket, request.payload()).map(|()| {
                self.commands.refuse(&request, &refusal, &mut bench.out);
                Taken::Answered
            }),
            Ok(()) if u64::from(request.payload()) > WRITE_PIECE => {
                self.take_in_pieces(intake, &request, bench)
            }
            Ok(()) => {
                let payload = grow(&mut bench.payload, request.payload() as usize);
                intake
                    .payload(socket, payload)
                    .map(|()| Taken::Request(request))
            }
        };
        result.unwrap_or_else(|error| {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "an NBD client left in the middle of a write"
            );
            Taken::End
        })
    }

    /// A long write, piece by piece as it comes in. The reader stays the reader meanwhile: the pieces are in its hands.
    fn take_in_pieces(
        &self,
        intake: &mut Intake,
        request: &Request,
        bench: &mut Bench,
    ) -> io::Result<Taken> {
        self.send(bench);
        let end = request.offset + u64::from(request.length);
        let mut position = request.offset;
        let mut result = Ok(());
        while position < end {
            // Pieces end between blocks, so that no block is written in two halves.
            let next = end.min((position + WRITE_PIECE) / BLOCK_SIZE * BLOCK_SIZE);
            let piece = grow(&mut bench.payload, (next - position) as usize);
            intake.payload(&self.link.socket, piece)?;
            if result.is_ok() {
                result = self.commands.write_piece(position, piece);
            }
            position = next;
        }
        let result = result.and_then(|()| self.commands.settle(request));
        self.commands.finish(request, result, &mut bench.out);
        Ok(Taken::Answered)
    }

    fn execute<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        request: &Request,
        bench: &mut Bench,
    ) {
        // Pairs with the fence in `stand_by`: either that thread sees the intake free, or this one sees it doze.
        fence(Ordering::SeqCst);
        if self.dozing.load(Ordering::Relaxed) {
            let _crew = self.crew();
            self.dozing.store(false, Ordering::Relaxed);
            self.standing_by.notify_one();
        }
        if !self.guarded.load(Ordering::Relaxed) {
            self.guard(scope);
        }
        let parallel = slow_by_nature(request) || self.slowness.load(Ordering::Relaxed) > 0;
        if parallel {
            self.send(bench);
            self.call(scope);
        }
        let start = Instant::now();
        let payload = bench
            .payload
            .get(..request.payload() as usize)
            .unwrap_or_default();
        self.commands
            .run(request, payload, &mut bench.out, &|out| self.send_now(out));
        let now = Instant::now();
        if !slow_by_nature(request) {
            let slowness = self.slowness.load(Ordering::Relaxed);
            // Two threads may overwrite each other's step: it is a tendency, not a count.
            if now - start > SLOW {
                self.slowness
                    .store((slowness + MEMORY).min(MEMORY_LIMIT), Ordering::Relaxed);
            } else if slowness > 0 {
                self.slowness.store(slowness - 1, Ordering::Relaxed);
            }
        }
        if parallel {
            self.send(bench);
        } else {
            self.note(bench, now);
        }
    }

    /// An answer is ready: it may wait for company, but not for long.
    fn note(&self, bench: &mut Bench, now: Instant) {
        let since = *bench.since.get_or_insert(now);
        if bench.out.len() >= SEND_AT || now - since > COMPANY {
            self.send(bench);
        }
    }

    fn send(&self, bench: &mut Bench) {
        bench.since = None;
        self.send_now(&mut bench.out);
    }

    fn send_now(&self, out: &mut Outbox) {
        if !out.is_empty() {
            let turn = self.output.lock().unwrap_or_else(PoisonError::into_inner);
            let mut bytes = out.bytes();
            while !bytes.is_empty() && !self.cut.load(Ordering::Acquire) {
                match send(&self.link.socket, bytes, SendFlags::NOSIGNAL) {
                    Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
                    Err(rustix::io::Errno::INTR) => {}
                    Err(error) => {
                        tracing::debug!(%error, "an NBD client does not take its answers");
                        self.hang_up();
                    }
                }
            }
            drop(turn);
            out.clear();
        }
    }

    /// Waits to be needed as the reader; `None` when that will not be.
    fn rest<'scope>(&'scope self, bench: &mut Bench) -> Option<MutexGuard<'scope, Intake>> {
        let mut crew = self.crew();
        loop {
            if self.over() {
                return None;
            }
            if !crew.standby {
                crew.standby = true;
                self.guarded.store(true, Ordering::Relaxed);
                let intake = loop {
                    let (back, intake) = self.stand_by(crew, bench);
                    crew = back;
                    if intake.is_some() || self.over() {
                        break intake;
                    }
                };
                // The reader that this thread becomes sees to a successor before it executes anything.
                crew.standby = false;
                self.guarded.store(false, Ordering::Relaxed);
                return intake;
            }
            if crew.calls > 0 {
                crew.calls -= 1;
                drop(crew);
                if let Some(intake) = self.try_intake() {
                    return Some(intake);
                }
                crew = self.crew();
                continue;
            }
            crew.resting += 1;
            let (woken, waited) = self
                .called
                .wait_timeout(crew, RETIRE)
                .unwrap_or_else(PoisonError::into_inner);
            crew = woken;
            crew.resting -= 1;
            if waited.timed_out() && crew.calls == 0 && crew.standby {
                crew.total -= 1;
                return None;
            }
        }
    }

    /// One tick of standing by. Gives the intake when the reader turned out to be stuck.
    fn stand_by<'scope>(
        &'scope self,
        crew: MutexGuard<'scope, Crew>,
        bench: &mut Bench,
    ) -> (MutexGuard<'scope, Crew>, Option<MutexGuard<'scope, Intake>>) {
        if self.dozing.load(Ordering::Relaxed) {
            bench.payload = Vec::new();
            bench.out.shrink();
            return (
                self.standing_by
                    .wait(crew)
                    .unwrap_or_else(PoisonError::into_inner),
                None,
            );
        }
        let seen = self.taken.load(Ordering::Relaxed);
        let (crew, waited) = self
            .standing_by
            .wait_timeout(crew, TICK)
            .unwrap_or_else(PoisonError::into_inner);
        if !waited.timed_out() || self.taken.load(Ordering::Relaxed) != seen {
            return (crew, None);
        }
        // Nothing was taken for a tick. Either the client is silent, then the reader holds the intake; or it is stuck.
        self.dozing.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let intake = self.try_intake();
        if intake.is_some() {
            self.dozing.store(false, Ordering::Relaxed);
        }
        (crew, intake)
    }

    /// Calls one more thread to the intake, starting one if none rests. When there are as many as may be, the next to
    /// finish goes there by itself.
    fn call<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>) {
        let mut crew = self.crew();
        if crew.resting > crew.calls {
            crew.calls += 1;
            self.called.notify_one();
        } else if crew.total < MAX_WORKERS {
            crew.calls += 1;
            self.start(scope, &mut crew);
        }
    }

    /// Sees to it that a thread stands by, or is on its way to.
    fn guard<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>) {
        let mut crew = self.crew();
        if crew.standby {
            return;
        }
        if crew.resting > 0 {
            // Whoever wakes finds the post free.
            self.called.notify_one();
            self.guarded.store(true, Ordering::Relaxed);
        } else if crew.total < MAX_WORKERS {
            let started = self.start(scope, &mut crew);
            self.guarded.store(started, Ordering::Relaxed);
        }
    }

    fn start<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>, crew: &mut Crew) -> bool {
        let started = thread::Builder::new()
            .name("nbd-worker".to_owned())
            .spawn_scoped(scope, || self.work(scope));
        match started {
            Ok(_) => crew.total += 1,
            // Slower, and still right: those that exist carry on.
            Err(error) => {
                tracing::warn!(%error, "no further thread for an NBD connection");
                return false;
            }
        }
        true
    }

    fn try_intake(&self) -> Option<MutexGuard<'_, Intake>> {
        match self.intake.try_lock() {
            Ok(intake) => Some(intake),
            Err(TryLockError::WouldBlock) => None,
            // Its holder panicked, and has hung up: `over` says so to whoever looks at it next.
            Err(TryLockError::Poisoned(intake)) => Some(intake.into_inner()),
        }
    }

    fn crew(&self) -> MutexGuard<'_, Crew> {
        self.crew.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn over(&self) -> bool {
        self.ended.load(Ordering::Acquire) || self.link.stopping.load(Ordering::Acquire)
    }

    /// No further request is taken; those in progress are answered.
    fn end(&self) {
        self.ended.store(true, Ordering::Release);
        // With the lock: a thread that has just looked is then already waiting, and hears the call.
        let _crew = self.crew();
        self.called.notify_all();
        self.standing_by.notify_all();
    }

    /// Ends the connection for both sides, also for a thread that waits on the socket.
    fn hang_up(&self) {
        self.cut.store(true, Ordering::Release);
        // It may be gone already.
        let _ = self.link.socket.shutdown(Shutdown::Both);
        self.end();
    }
}

/// Whether a request is worth a thread of its own whatever was seen of late.
const fn slow_by_nature(request: &Request) -> bool {
    match request.kind {
        command::READ => request.length >= LONG,
        command::WRITE => request.length >= LONG || request.has(command_flag::FUA),
        command::BLOCK_STATUS => false,
        _ => true,
    }
}

/// The first `length` bytes of `buffer`, which grows as needed and is not zeroed again.
fn grow(buffer: &mut Vec<u8>, length: usize) -> &mut [u8] {
    if buffer.len() < length {
        buffer.resize(length.next_power_of_two(), 0);
    }
    buffer.get_mut(..length).unwrap_or_default()
}

/// Hangs up when the thread it lives on panics: the request that did it will never be answered, and a client that waits
/// for it would wait for ever.
struct Alarm<'a, 'b>(&'a Connection<'b>);

impl Drop for Alarm<'_, '_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.hang_up();
        }
    }
}

const _: () =
    assert!(READ_PIECE.is_multiple_of(BLOCK_SIZE) && WRITE_PIECE.is_multiple_of(BLOCK_SIZE));
