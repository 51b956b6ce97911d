//! Which calls are tried again, how often and when: Istio's rules for its CA (`pkg/security/retry.go`).

use std::time::Duration;

use meshtls_source::Random;
use tonic::Code;

/// How often a call is made: five times in all, as the interceptor that Istio uses counts its five retries.
pub(crate) const ATTEMPTS: u32 = 5;

/// Whether a call that ended in `code` is made again at once.
pub(crate) fn is_retried(code: Code) -> bool {
    matches!(
        code,
        Code::Cancelled
            | Code::DeadlineExceeded
            | Code::ResourceExhausted
            | Code::Aborted
            | Code::Internal
            | Code::Unavailable
    )
}

/// How long to wait before attempt number `attempt`, counted from 1 for the first one that is made again: 100 ms, then twice
/// that, give or take 10 %.
pub(crate) fn wait(attempt: u32, random: &mut dyn Random) -> Duration {
    let base = FIRST_WAIT.saturating_mul(1_u32.checked_shl(attempt.saturating_sub(1)).unwrap_or(1));
    base.mul_f64(1.0 + (random.unit().clamp(0.0, 1.0) * 2.0 - 1.0) * JITTER)
}

const FIRST_WAIT: Duration = Duration::from_millis(100);
const JITTER: f64 = 0.1;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{is_retried, wait};

    #[test]
    fn the_codes_that_are_tried_again() {
        let retried: Vec<i32> = (0..=16)
            .filter(|code| is_retried(tonic::Code::from_i32(*code)))
            .collect();
        // Canceled, DeadlineExceeded, ResourceExhausted, Aborted, Internal, Unavailable.
        assert_eq!(retried, [1, 4, 8, 10, 13, 14]);
    }

    #[test]
    fn waits_double_with_a_tenth_of_jitter() {
        for (name, attempt, random, want) in [
            ("first", 1, 0.5, 100),
            ("second", 2, 0.5, 200),
            ("third", 3, 0.5, 400),
            ("fourth", 4, 0.5, 800),
            ("earliest", 1, 0.0, 90),
            ("latest", 4, 1.0, 880),
            ("randomness out of bounds", 1, 7.0, 110),
        ] {
            assert_eq!(wait(attempt, &mut || random), Duration::from_millis(want), "{name}");
        }
    }
}
