//! Worker threads that do one operation together, and the caller that is told how far they are.

use super::error::Error;
use super::types::Progress;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

/// Runs `work` on so many threads and waits until all of them have ended. Each tells the bytes it did; their sum is told
/// to `progress`. The first failure, or an interruption, sets `stop`, at which the workers look.
///
/// # Errors
/// The first failure; [`Error::Cancelled`]; [`Error::Process`] when a thread cannot be started.
pub fn run(
    name: &str,
    workers: usize,
    stop: &AtomicBool,
    progress: &mut dyn Progress,
    work: impl Fn(&mpsc::Sender<Result<u64, Error>>) + Sync,
) -> Result<(), Error> {
    let work = &work;
    std::thread::scope(|scope| {
        let (sender, results) = mpsc::channel();
        for _ in 0..workers.max(1) {
            let sender = sender.clone();
            let worker = std::thread::Builder::new()
                .name(name.to_owned())
                .spawn_scoped(scope, move || work(&sender));
            if let Err(source) = worker {
                stop.store(true, Ordering::Relaxed);
                return Err(Error::Process {
                    what: "a thread for the object store cannot be started",
                    source,
                });
            }
        }
        drop(sender);
        let mut done = 0;
        let mut outcome = Ok(());
        // Until every worker has ended: after a failure they stop at their next look.
        while let Ok(result) = results.recv() {
            let step = result.and_then(|bytes: u64| {
                done += bytes;
                if progress.done(done).is_break() {
                    Err(Error::Cancelled)
                } else {
                    Ok(())
                }
            });
            if step.is_err() {
                stop.store(true, Ordering::Relaxed);
            }
            outcome = outcome.and(step);
        }
        outcome
    })
}
