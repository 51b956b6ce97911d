//! Serial numbers from the crypto provider's randomness.

use std::sync::Arc;

use meshtls_ca::{Serial, SerialError, SerialSource};
use meshtls_rustls::rustls::crypto::CryptoProvider;

/// Numbers of 128 random bits.
pub(crate) struct ProviderSerials(pub(crate) Arc<CryptoProvider>);

impl SerialSource for ProviderSerials {
    fn next_serial(&mut self) -> Result<Serial, SerialError> {
        let mut bytes = [0; 16];
        self.0
            .secure_random
            .fill(&mut bytes)
            .map_err(|_failed| SerialError::new("the crypto provider gave no random bytes"))?;
        Serial::new(bytes).ok_or_else(|| SerialError::new("sixteen zero bytes were drawn"))
    }
}
