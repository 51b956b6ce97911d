//! When to renew an X509-SVID, and the randomness that spreads it.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use rustls_pki_types::UnixTime;

/// Gives the randomness that keeps a fleet from renewing in one instant.
pub trait Random: Send {
    /// A number that is at least 0 and below 1, uniformly chosen.
    fn unit(&mut self) -> f64;
}

/// Randomness good enough to spread renewals. Never for keys or serial numbers.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn unit(&mut self) -> f64 {
        // The key of a new `RandomState` comes from the operating system's randomness.
        let low = RandomState::new().hash_one(()) & u64::from(u32::MAX);
        f64::from(u32::try_from(low).unwrap_or(0)) / (f64::from(u32::MAX) + 1.0)
    }
}

impl<F> Random for F
where
    F: FnMut() -> f64 + Send,
{
    fn unit(&mut self) -> f64 {
        self()
    }
}

/// How long to wait, from `arrived` on, before an X509-SVID that ends at `not_after` is renewed.
///
/// Half of the life that was left when it arrived, give or take at most one hundredth of that life (Istio's agent,
/// `secretcache.go`). Zero for one that has already ended.
///
/// ```
/// use std::time::Duration;
///
/// use meshtls_source::{UnixTime, renew_after};
///
/// let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
/// assert_eq!(renew_after(at(1_000), at(1_100), &mut || 0.5), Duration::from_secs(50));
/// ```
#[must_use]
pub fn renew_after(arrived: UnixTime, not_after: UnixTime, random: &mut dyn Random) -> Duration {
    let life = Duration::from_secs(not_after.as_secs().saturating_sub(arrived.as_secs()));
    life.mul_f64(1.0 - RATIO + spread(random, JITTER))
}

/// A number uniformly chosen from `-width` to `width`, whatever the randomness gives.
pub(crate) fn spread(random: &mut dyn Random, width: f64) -> f64 {
    let unit = Some(random.unit()).filter(|unit| !unit.is_nan());
    (unit.unwrap_or(0.5).clamp(0.0, 1.0) * 2.0 - 1.0) * width
}

const RATIO: f64 = 0.5;
const JITTER: f64 = 0.01;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rustls_pki_types::UnixTime;

    use super::{Random, SystemRandom, renew_after};

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    #[test]
    fn half_of_the_remaining_life_with_one_hundredth_of_jitter() {
        let day = 24 * 3600;
        for (name, arrived, not_after, random, want) in [
            ("middle", 0, day, 0.5, 43_200.0),
            ("earliest", 0, day, 0.0, 42_336.0),
            ("latest", 0, day, 1.0, 44_064.0),
            ("it arrived late", day - 10, day, 0.5, 5.0),
            ("a lifetime of one second", 0, 1, 0.5, 0.5),
            ("it has ended", day, day, 0.5, 0.0),
            ("it ended long ago", day, 0, 0.5, 0.0),
            ("randomness out of bounds", 0, 100, 7.0, 51.0),
            ("randomness that is no number", 0, 100, f64::NAN, 50.0),
        ] {
            let wait = renew_after(at(arrived), at(not_after), &mut || random);
            assert!((wait.as_secs_f64() - want).abs() < 1e-6, "{name}: {wait:?}");
        }
    }

    #[test]
    fn the_system_randomness_spreads() {
        let seen: Vec<f64> = (0..64).map(|_| SystemRandom.unit()).collect();
        assert!(seen.iter().all(|unit| (0.0..1.0).contains(unit)));
        assert!(seen.iter().any(|unit| *unit < 0.5) && seen.iter().any(|unit| *unit >= 0.5));
    }
}
