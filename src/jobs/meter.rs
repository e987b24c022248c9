//! How fast work goes: bytes a second over the last few seconds.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Samples older than this say nothing about now.
const WINDOW: Duration = Duration::from_secs(5);
/// Less than this says nothing yet.
const SHORTEST: Duration = Duration::from_millis(250);

/// Measures speed from samples of bytes done.
#[derive(Debug, Default)]
pub struct Meter {
    samples: VecDeque<(Instant, u64)>,
}

impl Meter {
    /// Notes that at `now` so many bytes were done.
    pub fn note(&mut self, now: Instant, done: u64) {
        if self.samples.back().is_some_and(|&(_, last)| done < last) {
            // Begun again: what was before does not count.
            self.samples.clear();
        }
        self.samples.push_back((now, done));
        while self.samples.len() > 2
            && self
                .samples
                .front()
                .is_some_and(|&(at, _)| now.duration_since(at) > WINDOW)
        {
            self.samples.pop_front();
        }
    }

    /// Bytes a second; none when too little is known.
    #[must_use]
    pub fn speed(&self) -> Option<u64> {
        let (&(from, before), &(to, after)) = (self.samples.front()?, self.samples.back()?);
        let elapsed = to.duration_since(from);
        if elapsed < SHORTEST {
            return None;
        }
        let bytes = u128::from(after.saturating_sub(before));
        u64::try_from(bytes * 1_000_000_000 / elapsed.as_nanos().max(1)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speed_is_that_of_the_last_seconds() {
        let (start, mut meter) = (Instant::now(), Meter::default());
        assert_eq!(meter.speed(), None);
        for second in 0..=20u64 {
            // Slow at first, then a hundred a second.
            let done = if second <= 10 {
                second
            } else {
                10 + (second - 10) * 100
            };
            meter.note(start + Duration::from_secs(second), done);
        }
        assert_eq!(meter.speed(), Some(100));
        meter.note(start + Duration::from_secs(21), 0);
        assert_eq!(meter.speed(), None, "begun again");
    }
}
