//! The TLS profile: provider, clock and lowest version. All are arguments.

use std::fmt;
use std::sync::Arc;

use rustls::SupportedProtocolVersion;
use rustls::crypto::CryptoProvider;
use rustls::time_provider::{DefaultTimeProvider, TimeProvider};
use rustls::version::{TLS12, TLS13};

/// What all configurations of a process have in common.
///
/// The process-wide default provider of rustls is neither read nor set. Cipher suites and key exchange groups
/// are those of the provider, in its order.
#[derive(Clone)]
pub struct TlsProfile {
    provider: Arc<CryptoProvider>,
    time: Arc<dyn TimeProvider>,
    minimum: TlsMinimum,
}

impl TlsProfile {
    /// Uses `provider`, the system's clock and TLS 1.2 to 1.3.
    #[must_use]
    pub fn new(provider: Arc<CryptoProvider>) -> Self {
        Self { provider, time: Arc::new(DefaultTimeProvider), minimum: TlsMinimum::Tls12 }
    }

    /// Uses ring, with the defaults of [`new`](Self::new).
    #[cfg(feature = "ring")]
    #[cfg_attr(docsrs, doc(cfg(feature = "ring")))]
    #[must_use]
    pub fn ring() -> Self {
        Self::new(Arc::new(rustls::crypto::ring::default_provider()))
    }

    /// Uses AWS-LC, which also knows X25519MLKEM768 (in the last place), with the defaults of [`new`](Self::new).
    #[cfg(feature = "aws-lc-rs")]
    #[cfg_attr(docsrs, doc(cfg(feature = "aws-lc-rs")))]
    #[must_use]
    pub fn aws_lc_rs() -> Self {
        Self::new(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
    }

    /// Judges the validity of certificates by another clock.
    #[must_use]
    pub fn with_time(mut self, time: Arc<dyn TimeProvider>) -> Self {
        self.time = time;
        self
    }

    /// Sets the lowest version spoken. Defaults to [`TlsMinimum::Tls12`], as Istio's mesh setting does.
    #[must_use]
    pub fn with_minimum_version(mut self, minimum: TlsMinimum) -> Self {
        self.minimum = minimum;
        self
    }

    /// Gives the crypto provider.
    #[must_use]
    pub fn provider(&self) -> &Arc<CryptoProvider> {
        &self.provider
    }

    /// Gives the clock.
    #[must_use]
    pub fn time(&self) -> &Arc<dyn TimeProvider> {
        &self.time
    }

    /// Gives the lowest version spoken.
    #[must_use]
    pub fn minimum_version(&self) -> TlsMinimum {
        self.minimum
    }

    pub(crate) fn versions(&self) -> &'static [&'static SupportedProtocolVersion] {
        match self.minimum {
            TlsMinimum::Tls12 => FROM_1_2,
            TlsMinimum::Tls13 => FROM_1_3,
        }
    }
}

impl fmt::Debug for TlsProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsProfile")
            .field("minimum", &self.minimum)
            .finish_non_exhaustive()
    }
}

/// The lowest TLS version spoken. The highest is always 1.3.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum TlsMinimum {
    /// TLS 1.2.
    Tls12,
    /// TLS 1.3.
    Tls13,
}

const FROM_1_2: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];
const FROM_1_3: &[&SupportedProtocolVersion] = &[&TLS13];

#[cfg(test)]
mod tests {
    #[cfg(feature = "ring")]
    #[test]
    fn ring_speaks_from_1_2() {
        let profile = super::TlsProfile::ring();
        assert_eq!(profile.minimum_version(), super::TlsMinimum::Tls12);
        assert_eq!(profile.versions().len(), 2);
    }

    #[cfg(feature = "aws-lc-rs")]
    #[test]
    fn aws_lc_rs_can_be_told_to_speak_1_3_only() {
        let profile = super::TlsProfile::aws_lc_rs().with_minimum_version(super::TlsMinimum::Tls13);
        assert_eq!(profile.minimum_version(), super::TlsMinimum::Tls13);
        assert_eq!(profile.versions(), [&rustls::version::TLS13]);
    }
}
