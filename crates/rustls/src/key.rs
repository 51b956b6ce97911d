//! Our own certificate as rustls wants it, checked: the key is usable and the certificate's.

use std::sync::Arc;

use meshtls_svid::{KeyedChain, X509Svid};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{Error, InconsistentKeys};

use crate::error::ConfigError;
use crate::origination_error::OriginationConfigError;

/// The X509-SVID as a resolver that presents it always.
pub(crate) fn certified_key(
    provider: &CryptoProvider,
    svid: &X509Svid,
) -> Result<Arc<SingleCertAndKey>, ConfigError> {
    matched(provider, svid.chain(), svid.private_key()).map_err(|fault| match fault {
        Fault::Unusable(source) => ConfigError::UnusableKey { id: svid.id().clone(), source },
        Fault::Mismatch => ConfigError::KeyMismatch { id: svid.id().clone() },
    })
}

/// The same for a certificate outside the mesh.
pub(crate) fn keyed_chain(
    provider: &CryptoProvider,
    own: &KeyedChain,
) -> Result<Arc<SingleCertAndKey>, OriginationConfigError> {
    matched(provider, own.chain(), own.private_key()).map_err(|fault| match fault {
        Fault::Unusable(source) => OriginationConfigError::UnusableKey(source),
        Fault::Mismatch => OriginationConfigError::KeyMismatch,
    })
}

enum Fault {
    Unusable(Error),
    Mismatch,
}

/// A key that cannot tell its public half (a custom provider's) is taken on trust; peers would find out.
fn matched(
    provider: &CryptoProvider,
    chain: &[CertificateDer<'static>],
    key: &PrivateKeyDer<'static>,
) -> Result<Arc<SingleCertAndKey>, Fault> {
    // The provider overwrites the copy that it is given.
    let key = provider
        .key_provider
        .load_private_key(key.clone_key())
        .map_err(Fault::Unusable)?;
    let certified = CertifiedKey::new(chain.to_vec(), key);
    match certified.keys_match() {
        Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => {
            Ok(Arc::new(SingleCertAndKey::from(certified)))
        }
        Err(Error::InconsistentKeys(_)) => Err(Fault::Mismatch),
        Err(source) => Err(Fault::Unusable(source)),
    }
}
