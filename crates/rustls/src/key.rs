//! The own X509-SVID as rustls wants it, checked: the key is usable and the certificate's.

use std::sync::Arc;

use meshtls_svid::X509Svid;
use rustls::crypto::CryptoProvider;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{Error, InconsistentKeys};

use crate::error::ConfigError;

/// A key that cannot tell its public half (a custom provider's) is taken on trust; peers would find out.
pub(crate) fn certified_key(
    provider: &CryptoProvider,
    svid: &X509Svid,
) -> Result<Arc<SingleCertAndKey>, ConfigError> {
    let unusable = |source| ConfigError::UnusableKey { id: svid.id().clone(), source };
    // The provider overwrites the copy that it is given.
    let key = provider
        .key_provider
        .load_private_key(svid.private_key().clone_key())
        .map_err(unusable)?;
    let certified = CertifiedKey::new(svid.chain().to_vec(), key);
    match certified.keys_match() {
        Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => {
            Ok(Arc::new(SingleCertAndKey::from(certified)))
        }
        Err(Error::InconsistentKeys(_)) => Err(ConfigError::KeyMismatch { id: svid.id().clone() }),
        Err(source) => Err(unusable(source)),
    }
}
