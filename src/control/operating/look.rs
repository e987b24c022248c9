//! Whether the object store answers: asked on a thread beside whoever wants to know, for a store may hang for ever.

use crate::control::core::Core;
use crate::control::error::{About, Error, explain};
use crate::domain::fault::Fault;
use crate::view::Change;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long the store has for its answer.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);
/// An answer that is not older than this is not asked for again.
const FRESH_MS: i64 = 10_000;

/// What is known.
#[derive(Debug, Default)]
pub struct StoreLook {
    state: Mutex<State>,
    answered: Condvar,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// When the question that is under way was asked.
    pub asking: Option<i64>,
    /// The last answer.
    pub last: Option<Answered>,
}

/// An answer, or that there was none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// When.
    pub at: i64,
    /// How long it took.
    pub took: Duration,
    /// Why the store cannot be used, if it cannot.
    pub fault: Option<Fault>,
    /// Since when it has been so, as far as this process knows.
    pub since: i64,
}

impl State {
    /// Why the store cannot be used, and since when. A question that has been under way for too long says so as well.
    pub fn fault(&self, now: i64) -> Option<(Fault, i64)> {
        let known = self.last.as_ref();
        let known = known.and_then(|last| Some((last.fault.clone()?, last.since)));
        let late = |asked: &i64| now - asked > ANSWERS_WITHIN.as_millis() as i64;
        known.or_else(|| {
            let asked = self.asking.filter(late)?;
            Some((Fault::ObjectStoreUnavailable, asked))
        })
    }
}

impl StoreLook {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks, unless that is under way or was done just now. Does not wait.
    pub fn begin(core: &Arc<Core>) {
        let now = core.now();
        {
            let mut state = core.store_look.state();
            let fresh = |last: &Answered| (last.at..last.at + FRESH_MS).contains(&now);
            if state.asking.is_some() || state.last.as_ref().is_some_and(fresh) {
                return;
            }
            state.asking = Some(now);
        }
        let asked = Arc::clone(core);
        let spawned = std::thread::Builder::new()
            .name("store-look".to_owned())
            .spawn(move || asked.ask_store());
        if let Err(error) = spawned {
            tracing::warn!(%error, "the object store is not looked at: there is no thread for it");
            core.store_look.state().asking = None;
        }
    }

    /// As at the beginning.
    #[cfg(test)]
    pub fn forget(&self) {
        let answered = self
            .answered
            .wait_while(self.state(), |state| state.asking.is_some());
        *answered.unwrap_or_else(PoisonError::into_inner) = State::default();
    }

    /// What is known once the question that is under way was answered, or this much time has passed.
    pub fn within(&self, patience: Duration) -> State {
        let waited = self
            .answered
            .wait_timeout_while(self.state(), patience, |state| state.asking.is_some());
        waited.unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    /// Takes an answer in. True: the store can be used again, or no longer.
    fn told(&self, at: i64, took: Duration, fault: Option<Fault>) -> bool {
        let mut state = self.state();
        let same = |last: &&Answered| last.fault.is_some() == fault.is_some();
        let before = state.last.as_ref().filter(same);
        let since = before.map_or(at, |last| last.since);
        let changed =
            before.is_none() && state.last.is_some() || before.is_none() && fault.is_some();
        state.last = Some(Answered {
            at,
            took,
            fault,
            since,
        });
        state.asking = None;
        self.answered.notify_all();
        changed
    }
}

impl Core {
    fn ask_store(&self) {
        let begun = Instant::now();
        let looked = self
            .archive
            .get()
            .and_then(|archive| archive.look(ANSWERS_WITHIN));
        let fault = match looked {
            Ok(Some(())) => None,
            Ok(None) => Some(Fault::ObjectStoreUnavailable),
            Err(error) => {
                let failure = explain(
                    "look at the object store",
                    Error::Archive(error),
                    About::default(),
                );
                Some(failure.into_fault())
            }
        };
        if self.store_look.told(self.now(), begun.elapsed(), fault) {
            // The page shows it with the work that waits for it.
            for organization in self
                .catalog
                .organizations_of_operators()
                .unwrap_or_default()
            {
                self.live.changed(organization, &[Change::Jobs]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_told_once_and_keeps_its_beginning() {
        let look = StoreLook::default();
        let took = Duration::from_millis(3);
        let fault = || Some(Fault::ObjectStoreUnavailable);
        assert!(!look.told(1, took, None), "it answers, as it should");
        assert!(!look.told(2, took, None));
        assert_eq!(look.within(Duration::ZERO).fault(2), None);
        assert!(look.told(3, took, fault()));
        assert!(!look.told(4, took, fault()));
        let state = look.within(Duration::ZERO);
        assert_eq!(state.fault(4), Some((Fault::ObjectStoreUnavailable, 3)));
        assert!(look.told(5, took, None));
        assert_eq!(look.within(Duration::ZERO).fault(5), None);
    }

    #[test]
    fn a_question_that_hangs_is_told_after_its_time_and_holds_nobody_up() {
        let look = StoreLook::default();
        look.state().asking = Some(1000);
        let begun = Instant::now();
        let state = look.within(Duration::from_millis(20));
        assert!(begun.elapsed() < Duration::from_secs(5));
        assert_eq!(state.fault(2000), None, "it may answer yet");
        assert_eq!(
            state.fault(20_000),
            Some((Fault::ObjectStoreUnavailable, 1000))
        );
    }
}
