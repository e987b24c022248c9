//! What changed, told to whoever listens: one channel an organization, many changes in a row told as one.
//!
//! Every change that was told has a number, and the last ones are remembered, so that who was cut off for a moment is told
//! only what was missed. Numbers begin anew with each start of the program: a [`Place`] names the start, too.

use crate::domain::id::OrganizationId;
use crate::view::Change;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::broadcast;

/// Changes of one kind that follow each other within this time are told as one.
const GATHER: Duration = Duration::from_millis(150);
/// Changes that a slow listener may be behind; one that is further behind is told so and asks for everything.
const BEHIND: usize = 64;
/// Changes of an organization that are remembered for those who come back.
const REMEMBERED: usize = 256;

/// Up to where a listener was told, as an event's id carries it: `start-number`, both hexadecimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    start: u64,
    number: u64,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:x}-{:x}", self.start, self.number)
    }
}

impl std::str::FromStr for Place {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (start, number) = text.split_once('-').unwrap_or((text, ""));
        Ok(Self {
            start: u64::from_str_radix(start, 16)?,
            number: u64::from_str_radix(number, 16)?,
        })
    }
}

/// A listener.
pub struct Listening {
    /// What it missed since the place it named; none where that is not known any more, or it named none: everything may
    /// have changed.
    pub missed: Option<Vec<Change>>,
    /// Up to where it has been told once it knows this.
    pub place: Place,
    /// What changes from now on, and the place after it.
    pub changes: broadcast::Receiver<(Place, Change)>,
}

/// What one organization's listeners are told.
struct Channel {
    sender: broadcast::Sender<(Place, Change)>,
    /// How many changes have been told.
    told: u64,
    /// The last of them.
    last: VecDeque<Change>,
}

/// Tells changes. Dropping it ends its thread.
pub(super) struct Live {
    shared: Arc<Shared>,
    teller: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    start: u64,
    channels: Mutex<HashMap<OrganizationId, Channel>>,
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
        let shared = Arc::new(Shared {
            start: rand::random(),
            channels: Mutex::default(),
            pending: Mutex::default(),
            called: Condvar::new(),
        });
        let mine = Arc::clone(&shared);
        let teller = std::thread::Builder::new()
            .name("live".to_owned())
            .spawn(move || mine.tell())?;
        Ok(Self {
            shared,
            teller: Mutex::new(Some(teller)),
        })
    }

    /// Listens to the changes of one organization, from now on or from where the listener was.
    pub fn subscribe(&self, organization: OrganizationId, from: Option<Place>) -> Listening {
        let mut channels = lock(&self.shared.channels);
        let channel = channels.entry(organization).or_insert_with(|| Channel {
            sender: broadcast::channel(BEHIND).0,
            told: 0,
            last: VecDeque::new(),
        });
        let known = from.filter(|from| from.start == self.shared.start);
        let missed = known
            .and_then(|from| channel.told.checked_sub(from.number))
            .and_then(|missed| usize::try_from(missed).ok())
            .filter(|missed| *missed <= channel.last.len());
        Listening {
            missed: missed.map(|missed| {
                let mut changes = Vec::new();
                for change in channel.last.range(channel.last.len() - missed..) {
                    if !changes.contains(change) {
                        changes.push(*change);
                    }
                }
                changes
            }),
            place: Place {
                start: self.shared.start,
                number: channel.told,
            },
            changes: channel.sender.subscribe(),
        }
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
                let mut channels = lock(&self.channels);
                for (organization, change) in changes {
                    // Nobody has ever listened: nobody can come back.
                    let Some(channel) = channels.get_mut(&organization) else {
                        continue;
                    };
                    channel.told += 1;
                    if channel.last.len() == REMEMBERED {
                        channel.last.pop_front();
                    }
                    channel.last.push_back(change);
                    let place = Place {
                        start: self.start,
                        number: channel.told,
                    };
                    // An error means that nobody listens.
                    let _ = channel.sender.send((place, change));
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
        let (mut ours, mut theirs) = (
            live.subscribe(us, None).changes,
            live.subscribe(them, None).changes,
        );
        let change = |told: Result<(Place, Change), _>| told.map(|(_, change)| change);
        live.changed(us, &[Change::Jobs]);
        assert_eq!(change(ours.blocking_recv()), Ok(Change::Jobs));
        for _ in 0..100 {
            live.changed(us, &[Change::Volumes]);
        }
        live.stop();
        let mut told = Vec::new();
        while let Ok(change) = change(ours.blocking_recv()) {
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

    #[test]
    fn who_comes_back_is_told_what_was_missed_and_nothing_else() {
        let live = Live::start().expect("a thread");
        let us = OrganizationId::new();
        let first = live.subscribe(us, None);
        assert_eq!(
            first.missed, None,
            "whoever comes for the first time knows nothing"
        );
        let mut watching = first.changes;
        let mut tell = |change| {
            live.changed(us, &[change]);
            watching.blocking_recv().expect("it is told").0
        };
        let then = tell(Change::Jobs);
        assert_eq!(live.subscribe(us, Some(then)).missed, Some(vec![]));
        tell(Change::Volumes);
        tell(Change::Points);
        let last = tell(Change::Volumes);
        let back = live.subscribe(us, Some(then));
        assert_eq!(back.missed, Some(vec![Change::Volumes, Change::Points]));
        assert_eq!(back.place, last);
        let text = then.to_string();
        assert_eq!(text.parse(), Ok(then));
        // Of another start, from the future, of long ago.
        let odd = [
            Place {
                start: then.start ^ 1,
                ..then
            },
            Place {
                number: last.number + 1,
                ..last
            },
        ];
        for place in odd {
            assert_eq!(live.subscribe(us, Some(place)).missed, None, "{place}");
        }
        for nonsense in ["", "-", "1", "x-1", "1-", "1-1-1"] {
            assert!(nonsense.parse::<Place>().is_err(), "{nonsense}");
        }
        let mut channels = lock(&live.shared.channels);
        let channel = channels.get_mut(&us).expect("it is there");
        channel.told += REMEMBERED as u64;
        drop(channels);
        assert_eq!(live.subscribe(us, Some(then)).missed, None);
    }
}
