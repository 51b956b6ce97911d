//! Deadlines: absolute, one for each stage, never one for each read.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

/// How long the first bytes of a connection are waited for.
///
/// The time counts from the connection's arrival, whatever trickles in meanwhile. Once more as long is waited for the first
/// decrypted bytes where only they tell which HTTP it is.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "there is a deadline or there is none")]
pub enum DetectionTimeout {
    /// This long: 1 millisecond to 1 hour.
    After(Duration),
    /// For ever, as Istio does by default. A silent client then holds its place until others need it.
    WaitForEver,
}

impl DetectionTimeout {
    /// Reads Istio's `meshConfig.protocolDetectionTimeout`, except that 0, which is for ever there, means our default here.
    #[must_use]
    pub const fn from_mesh_config(timeout: Duration) -> Self {
        if timeout.is_zero() { Self::DEFAULT } else { Self::After(timeout) }
    }

    /// 10 seconds.
    pub const DEFAULT: Self = Self::After(Duration::from_secs(10));

    /// `None` if there is no deadline.
    pub(crate) fn deadline(self, start: Instant) -> Option<Instant> {
        match self {
            Self::After(length) => start.checked_add(length),
            Self::WaitForEver => None,
        }
    }
}

impl Default for DetectionTimeout {
    /// [`DetectionTimeout::DEFAULT`].
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// What `future` gives, or `None` at the deadline.
pub(crate) async fn within<T>(
    deadline: Option<Instant>,
    future: impl Future<Output = T>,
) -> Option<T> {
    match deadline {
        Some(deadline) => timeout_at(deadline, future).await.ok(),
        None => Some(future.await),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_in_the_mesh_configuration_is_our_default() {
        for (setting, want) in [
            (Duration::ZERO, DetectionTimeout::After(Duration::from_secs(10))),
            (Duration::from_millis(1), DetectionTimeout::After(Duration::from_millis(1))),
        ] {
            assert_eq!(DetectionTimeout::from_mesh_config(setting), want);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_for_ever_has_no_deadline() {
        let start = Instant::now();
        assert_eq!(DetectionTimeout::WaitForEver.deadline(start), None);
        assert_eq!(
            DetectionTimeout::DEFAULT.deadline(start),
            Some(start + Duration::from_secs(10))
        );
        assert_eq!(within(Some(start), std::future::pending::<()>()).await, None);
        assert_eq!(within(None, async { 1 }).await, Some(1));
    }
}
