//! How often something may be tried. Kept in memory: a restart forgets it, and takes longer than a minute's attempts.

use crate::domain::fault::Fault;
use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

/// How long attempts count, in milliseconds.
const COUNT_MS: i64 = 5 * 60 * 1000;
/// Keys whose attempts are remembered at most.
const REMEMBERED: usize = 10_000;

/// Attempts by key: how many, since when.
type Attempted = HashMap<String, (u32, i64)>;

/// Counts attempts by a key, and refuses the next one where there were too many.
pub struct Attempts {
    most: u32,
    attempted: LazyLock<Mutex<Attempted>>,
}

impl Attempts {
    /// At most so many of one key within five minutes.
    pub const fn at_most(most: u32) -> Self {
        Self {
            most,
            attempted: LazyLock::new(Mutex::default),
        }
    }

    /// Counts an attempt before it is looked at, so that many at once are counted, too.
    ///
    /// # Errors
    /// [`Fault::TooManyAttempts`].
    pub fn count(&self, key: &str, now: i64) -> Result<(), Fault> {
        let mut attempted = self
            .attempted
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if attempted.len() >= REMEMBERED {
            attempted.retain(|_, (_, since)| now - *since < COUNT_MS);
        }
        if attempted.len() >= REMEMBERED && !attempted.contains_key(key) {
            // Someone tries very many keys: whoever is not remembered waits until the oldest are forgotten.
            return Err(Fault::TooManyAttempts { seconds: 60 });
        }
        let (count, since) = attempted.entry(key.to_owned()).or_insert((0, now));
        if now - *since >= COUNT_MS {
            (*count, *since) = (0, now);
        }
        if *count >= self.most {
            let seconds = (COUNT_MS - (now - *since)).div_euclid(1000) + 1;
            return Err(Fault::TooManyAttempts {
                seconds: u32::try_from(seconds).unwrap_or(u32::MAX),
            });
        }
        *count += 1;
        Ok(())
    }

    /// Forgets a key's attempts: the last one was right.
    pub fn forget(&self, key: &str) {
        self.attempted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_are_counted_by_key_and_forgotten_with_time() {
        let attempts = Attempts::at_most(10);
        for attempt in 0..10 {
            assert_eq!(attempts.count("somebody@example", attempt), Ok(()));
        }
        let refused = attempts.count("somebody@example", 1000);
        assert!(
            matches!(refused, Err(Fault::TooManyAttempts { seconds }) if seconds <= 300),
            "{refused:?}"
        );
        assert_eq!(attempts.count("someone-else@example", 1000), Ok(()));
        assert_eq!(attempts.count("somebody@example", COUNT_MS), Ok(()));
        for attempt in 0..9 {
            assert_eq!(
                attempts.count("somebody@example", COUNT_MS + attempt),
                Ok(())
            );
        }
        assert!(attempts.count("somebody@example", COUNT_MS + 9).is_err());
        attempts.forget("somebody@example");
        assert_eq!(attempts.count("somebody@example", COUNT_MS + 9), Ok(()));
    }

    #[test]
    fn very_many_keys_make_whoever_comes_anew_wait() {
        let attempts = Attempts::at_most(2);
        for key in 0..REMEMBERED {
            assert_eq!(attempts.count(&key.to_string(), 0), Ok(()));
        }
        let refused = Err(Fault::TooManyAttempts { seconds: 60 });
        assert_eq!(attempts.count("one more", 1), refused);
        assert_eq!(attempts.count("7", 1), Ok(()), "one who is remembered");
        assert_eq!(attempts.count("one more", COUNT_MS), Ok(()));
    }
}
