//! Holding one operation of the simulated machine in the middle, and telling a thread that waits from one that runs.

use crate::engine::drain::lock;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{Scope, ScopedJoinHandle, sleep};
use std::time::Duration;

/// Where a write is to wait: a part of the file's name, whom to tell, and what to wait for.
type Stop = (&'static str, Sender<()>, Receiver<()>);

/// Stands before the writes of a machine. Clones are the same one.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<Mutex<Option<Stop>>>);

/// A write that is held back, or will be. Dropped, it lets the write go on.
pub(crate) struct Held {
    came: Receiver<()>,
    _go: Sender<()>,
}

impl Gate {
    /// Holds the next write to a file whose name contains this, before any of it is done.
    pub(crate) fn hold(&self, part_of_name: &'static str) -> Held {
        let (tell, came) = channel();
        let (go, wait) = channel();
        *lock(&self.0) = Some((part_of_name, tell, wait));
        Held { came, _go: go }
    }

    pub(crate) fn pass(&self, name: &str) {
        let stop = lock(&self.0).take_if(|(part, ..)| name.contains(*part));
        if let Some((_, tell, wait)) = stop {
            // Either may have been given up by a test that has failed: then nobody is held.
            let _ = tell.send(());
            let _ = wait.recv();
        }
    }
}

impl Held {
    /// Returns when the write has come. That none ever comes is a fault of the test.
    pub(crate) fn came(&self) {
        self.came.recv_timeout(Duration::from_secs(60)).unwrap();
    }
}

/// A thread of which can be told whether it waits.
pub(crate) struct Run<'scope, T> {
    thread: ScopedJoinHandle<'scope, T>,
    id: i32,
}

pub(crate) fn run<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    act: impl FnOnce() -> T + Send + 'scope,
) -> Run<'scope, T> {
    let (tell, told) = channel();
    let thread = scope.spawn(move || {
        tell.send(rustix::thread::gettid()).unwrap();
        act()
    });
    let id = told.recv().unwrap().as_raw_nonzero().get();
    Run { thread, id }
}

impl<T> Run<'_, T> {
    /// Whether the thread comes to its end by itself. If not, it returns when the thread waits for somebody: when the
    /// kernel says that it sleeps, at many looks in a row. However slow the machine is, a thread that could still run
    /// is given the time to.
    pub(crate) fn ends(&self) -> bool {
        let mut asleep = 0;
        while asleep < 20 {
            if self.thread.is_finished() {
                return true;
            }
            asleep = if self.sleeps() { asleep + 1 } else { 0 };
            sleep(Duration::from_millis(1));
        }
        false
    }

    fn sleeps(&self) -> bool {
        // "id (name) state …"; a thread that is gone has no file.
        std::fs::read_to_string(format!("/proc/self/task/{}/stat", self.id)).is_ok_and(|stat| {
            stat.rsplit_once(") ")
                .is_some_and(|(_, s)| s.starts_with('S'))
        })
    }

    pub(crate) fn join(self) -> T {
        self.thread.join().unwrap()
    }
}
