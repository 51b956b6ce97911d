//! Serial numbers of certificates, and where they come from.

use std::error::Error;
use std::fmt;

/// A certificate's serial number: positive and below 2^128 (as Istio's are).
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Serial([u8; 16]);

impl Serial {
    /// Takes 16 bytes, most significant first. `None` for zero, which RFC 5280 section 4.1.2.2 forbids.
    #[must_use]
    pub fn new(bytes: [u8; 16]) -> Option<Self> {
        (bytes != [0; 16]).then_some(Self(bytes))
    }

    /// The number, most significant byte first.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for Serial {
    /// Hexadecimal, 32 digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Serial({self})")
    }
}

/// Gives each certificate its serial number.
///
/// An issuer must never use one twice (RFC 5280 section 4.1.2.2); with [`RandomSerials`] chance sees to it.
pub trait SerialSource {
    /// The next number.
    ///
    /// # Errors
    ///
    /// Whatever kept the number from being made.
    fn next_serial(&mut self) -> Result<Serial, SerialError>;
}

/// No serial number could be made. The cause is in [`source`](Error::source).
#[derive(Debug, thiserror::Error)]
#[error("no serial number")]
pub struct SerialError(#[source] Box<dyn Error + Send + Sync>);

impl SerialError {
    /// Wraps the cause.
    #[must_use]
    pub fn new(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}

/// Numbers from the system's randomness: 128 bits, of which none is fixed.
#[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "there is nothing to configure")]
pub struct RandomSerials;

#[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
impl SerialSource for RandomSerials {
    fn next_serial(&mut self) -> Result<Serial, SerialError> {
        let mut bytes = [0; 16];
        crate::key_pair::fill_random(&mut bytes).map_err(SerialError::new)?;
        Serial::new(bytes).ok_or_else(|| SerialError::new("sixteen zero bytes were drawn"))
    }
}
