//! How long to wait after a failure.

use std::time::Duration;

use crate::Random;
use crate::renewal_clock::spread;

/// The waits after failures in a row: doubling from 500 ms to the issuer's longest, each give or take a fifth (as ztunnel
/// does), and never more than half of the life that is left, so that several tries fit in before expiry.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The wait after one more failure, with `left` to live. What is permanent is not hurried.
    pub(crate) fn next(
        &mut self,
        permanent: bool,
        left: Duration,
        longest: Duration,
        random: &mut dyn Random,
    ) -> Duration {
        let doubled = FIRST_WAIT
            .checked_mul(2_u32.saturating_pow(self.failures))
            .filter(|_| !permanent)
            .map_or(longest, |wait| wait.min(longest));
        self.failures = self.failures.saturating_add(1);
        let wait = doubled.mul_f64(1.0 + spread(random, 0.2));
        // One that has ended is not hurried: the issuer is asked at the longest wait, as all others ask it.
        if left.is_zero() { wait } else { wait.min((left / 2).max(FIRST_WAIT)) }
    }

    /// Begins anew after a success.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

pub(crate) const FIRST_WAIT: Duration = Duration::from_millis(500);
/// As long as ztunnel waits at most.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(150);

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Backoff, LONGEST_WAIT};

    #[test]
    fn backoff_doubles_to_a_cap_and_leaves_tries_before_expiry() {
        let long = Duration::from_secs(86_400);
        let waits = |left| {
            let mut backoff = Backoff::default();
            (0..40)
                .map(|_| {
                    backoff
                        .next(false, left, LONGEST_WAIT, &mut || 0.5)
                        .as_millis()
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(
            waits(long)[..10],
            [500, 1000, 2000, 4000, 8000, 16_000, 32_000, 64_000, 128_000, 150_000]
        );
        assert_eq!(waits(long)[39], 150_000);
        assert_eq!(waits(Duration::from_secs(4))[..4], [500, 1000, 2000, 2000]);
        assert_eq!(waits(Duration::ZERO)[39], 150_000);

        let mut backoff = Backoff::default();
        assert_eq!(backoff.next(true, long, LONGEST_WAIT, &mut || 0.5), LONGEST_WAIT);
        let second = Duration::from_secs(1);
        assert_eq!(backoff.next(true, long, second, &mut || 0.5), second);

        let mut backoff = Backoff::default();
        assert_eq!(
            backoff.next(false, long, LONGEST_WAIT, &mut || 0.0),
            Duration::from_millis(400)
        );
        backoff.reset();
        assert_eq!(
            backoff.next(false, long, LONGEST_WAIT, &mut || 1.0),
            Duration::from_millis(600)
        );
    }
}
