//! How long a group of units waits for company before its commit.
//!
//! Callers who were answered by one commit come back at about the same time, the first of them a little earlier. A commit
//! for that one alone would keep all others waiting for the next.

use std::time::Duration;

/// The longest wait.
const PATIENCE_MAX: Duration = Duration::from_micros(500);

/// What the last commits were like.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// How many units the last two had.
    sizes: [usize; 2],
    /// How long the last one took.
    commit: Duration,
}

impl Pace {
    /// Notes a commit.
    pub(super) fn note(&mut self, units: usize, took: Duration) {
        self.sizes = [units, self.sizes[0]];
        self.commit = took;
    }

    /// How many units may be expected: a lone caller waits for nobody.
    pub(super) fn expected(&self) -> usize {
        self.sizes[0].max(self.sizes[1])
    }

    /// How long to wait for them: less than a commit of their own would take.
    pub(super) fn patience(&self) -> Duration {
        (self.commit / 2).min(PATIENCE_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn company_is_waited_for_after_commits_of_many_and_never_for_long() {
        let mut pace = Pace::default();
        assert_eq!((pace.expected(), pace.patience()), (0, Duration::ZERO));
        pace.note(7, Duration::from_micros(400));
        pace.note(1, Duration::from_micros(300));
        assert_eq!((pace.expected(), pace.patience()), (7, Duration::from_micros(150)));
        pace.note(1, Duration::from_secs(3));
        assert_eq!((pace.expected(), pace.patience()), (1, PATIENCE_MAX));
    }
}
