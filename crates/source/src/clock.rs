//! The clock by which identities are renewed: the time of day, the time that passes, and sleep.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use meshtls_rustls::TlsProfile;
use meshtls_rustls::rustls::time_provider::TimeProvider;
use rustls_pki_types::UnixTime;
use tokio::time::Instant;

use crate::IssuerFuture;

/// Time, as an argument. [`SystemClock`] is the real one; a test brings its own, and lives through a year in a second.
///
/// Certificates are valid by the wall clock, which somebody may set; waiting goes by the monotonic one, which may stand
/// still while the machine sleeps. So a wait ends by whichever comes first.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The time of day.
    fn wall(&self) -> UnixTime;

    /// The time since a moment of the clock's choice. It never goes back.
    fn monotonic(&self) -> Duration;

    /// Waits for `wait`, or until the time of day is outside of `within`, whichever comes first. The latter may be noticed
    /// five seconds late.
    fn sleep(&self, wait: Duration, within: RangeInclusive<UnixTime>) -> IssuerFuture<'_, ()>;
}

/// The time of day of a TLS profile, by which peers are judged too, and tokio's time for waiting.
#[derive(Clone)]
pub struct SystemClock {
    wall: Arc<dyn TimeProvider>,
    started: Instant,
}

impl SystemClock {
    /// The clock of `profile`.
    ///
    /// # Panics
    ///
    /// Only on platforms without a monotonic clock.
    #[must_use]
    pub fn of(profile: &TlsProfile) -> Self {
        Self { wall: Arc::clone(profile.time()), started: Instant::now() }
    }
}

impl Clock for SystemClock {
    /// A broken clock reads as 1970, when nothing is valid yet.
    fn wall(&self) -> UnixTime {
        let broken = UnixTime::since_unix_epoch(Duration::ZERO);
        self.wall.current_time().unwrap_or(broken)
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }

    fn sleep(&self, wait: Duration, within: RangeInclusive<UnixTime>) -> IssuerFuture<'_, ()> {
        Box::pin(async move {
            let begun = Instant::now();
            while let Some(left) = wait
                .checked_sub(begun.elapsed())
                .filter(|left| !left.is_zero())
                && within.contains(&self.wall())
            {
                tokio::time::sleep(left.min(LONGEST_SLEEP)).await;
            }
        })
    }
}

impl fmt::Debug for SystemClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SystemClock").finish_non_exhaustive()
    }
}

/// How late a change of the wall clock may be noticed.
const LONGEST_SLEEP: Duration = Duration::from_secs(5);
