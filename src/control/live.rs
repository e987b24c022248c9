//! What changed, told to whoever listens: one channel an organization, many changes in a row told as one.

use crate::domain::id::OrganizationId;
use crate::view::Change;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::broadcast;

/// Changes of one kind that follow each other within this time are told as one.
const GATHER: Duration = Duration::from_millis(150);
/// Changes that a slow listener may be behind; one that is further behind is told so and asks for everything.
const BEHIND: usize = 64;

/// Tells changes. Dropping it ends its thread.
pub(super) struct Live {
    shared: Arc<Shared>,
    teller: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Shared {
    channels: Mutex<HashMap<OrganizationId, broadcast::Sender<Change>>>,
    pending: Mutex<Pending>,
    called: Condvar,
}

#[derive(Default)]
struct Pending {
    changes: HashSet<(OrganizationId, Change)>,
    stopping: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Live {
    pub fn start() -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let mine = Arc::clone(&shared);
        let teller = std::thread::Builder::new()
            .name("live".to_owned())
            .spawn(move || mine.tell())?;
        Ok(Self {
            shared,
            teller: Mutex::new(Some(teller)),
        })
    }

    /// The changes of one organization, from now on.
    pub fn subscribe(&self, organization: OrganizationId) -> broadcast::Receiver<Change> {
        let mut channels = lock(&self.shared.channels);
        // Nobody listens any more: the channel is forgotten.
        channels.retain(|id, sender| *id == organization || sender.receiver_count() > 0);
        channels
            .entry(organization)
            .or_insert_with(|| broadcast::channel(BEHIND).0)
            .subscribe()
    }

    /// Something of the organization changed.
    pub fn changed(&self, organization: OrganizationId, changes: &[Change]) {
        lock(&self.shared.pending)
            .changes
            .extend(changes.iter().map(|change| (organization, *change)));
        self.shared.called.notify_one();
    }

    /// Ends the thread; every listener is told that nothing more comes.
    pub fn stop(&self) {
        lock(&self.shared.pending).stopping = true;
        self.shared.called.notify_all();
        if let Some(teller) = lock(&self.teller).take()
            && teller.join().is_err()
        {
            tracing::error!("the thread that tells changes had panicked");
        }
        lock(&self.shared.channels).clear();
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn tell(&self) {
        let mut pending = lock(&self.pending);
        loop {
            let waited = self.called.wait_while(pending, |pending| {
                pending.changes.is_empty() && !pending.stopping
            });
            pending = waited.unwrap_or_else(PoisonError::into_inner);
            let stopping = pending.stopping;
            let changes = std::mem::take(&mut pending.changes);
            drop(pending);
            {
                let channels = lock(&self.channels);
                for (organization, change) in changes {
                    if let Some(sender) = channels.get(&organization) {
                        // An error means that nobody listens.
                        let _ = sender.send(change);
                    }
                }
            }
            if stopping {
                return;
            }
            pending = lock(&self.pending);
            // The first change was told at once; those that follow now are gathered.
            let gathered = self
                .called
                .wait_timeout_while(pending, GATHER, |pending| !pending.stopping);
            pending = gathered.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i15_changes_reach_their_own_organization_only_and_are_gathered() {
        let live = Live::start().expect("a thread");
        let (us, them) = (OrganizationId::new(), OrganizationId::new());
        let (mut ours, mut theirs) = (live.subscribe(us), live.subscribe(them));
        live.changed(us, &[Change::Jobs]);
        assert_eq!(ours.blocking_recv(), Ok(Change::Jobs));
        for _ in 0..100 {
            live.changed(us, &[Change::Volumes]);
        }
        live.stop();
        let mut told = Vec::new();
        while let Ok(change) = ours.blocking_recv() {
            told.push(change);
        }
        assert!(
            !told.is_empty()
                && told.len() < 100
                && told.iter().all(|change| *change == Change::Volumes),
            "{told:?}"
        );
        assert!(theirs.blocking_recv().is_err());
    }
}
