//! How long the accept loop pauses after an error, and which errors it reports.

use std::time::Duration;

use tokio::time::Instant;

/// The pause doubles with each error in a row; a connection ends the row. Errors less than [`CALM`] apart are one episode,
/// of which only the first is reported.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    in_a_row: u32,
    last: Option<Instant>,
}

/// What to do after an error.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Pause {
    pub(crate) length: Duration,
    /// Whether the error begins an episode.
    pub(crate) report: bool,
}

impl Backoff {
    pub(crate) fn failed(&mut self, now: Instant) -> Pause {
        let report = self
            .last
            .is_none_or(|last| now.saturating_duration_since(last) >= CALM);
        self.last = Some(now);
        let length = FIRST
            .saturating_mul(1_u32.checked_shl(self.in_a_row).unwrap_or(u32::MAX))
            .min(LONGEST);
        self.in_a_row = self.in_a_row.saturating_add(1);
        Pause { length, report }
    }

    pub(crate) const fn succeeded(&mut self) {
        self.in_a_row = 0;
    }
}

const FIRST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_millis(512);
/// Longer than the longest pause, so that an outage is one episode.
const CALM: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_start_again_after_a_connection() {
        let now = Instant::now();
        let mut backoff = Backoff::default();
        let pauses: Vec<_> = (0..100)
            .map(|_| backoff.failed(now).length.as_millis())
            .collect();
        assert_eq!(pauses[..12], [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 512, 512]);
        assert_eq!(pauses[99], 512);
        backoff.succeeded();
        assert_eq!(backoff.failed(now).length, FIRST);
    }

    #[test]
    fn an_episode_is_reported_once() {
        let start = Instant::now();
        let mut backoff = Backoff::default();
        let at = |ms| start + Duration::from_millis(ms);
        for (name, ms, connection_first, report) in [
            ("the first error", 0, false, true),
            ("right after it", 1, false, false),
            ("after a connection in between", 100, true, false),
            ("less than five seconds later", 5_099, false, false),
            ("five seconds of calm", 10_099, true, true),
        ] {
            if connection_first {
                backoff.succeeded();
            }
            assert_eq!(backoff.failed(at(ms)).report, report, "{name}");
        }
    }
}
