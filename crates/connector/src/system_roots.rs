//! The authorities that the system trusts.

use std::sync::{Arc, OnceLock};

use meshtls_svid::{BundleError, ServerAuthorities};
use rustls_pki_types::CertificateDer;

use crate::OriginationUnavailable;

/// The system's authorities, or those that the builder was given in their place.
#[derive(Debug, Default)]
pub(crate) struct SystemRoots {
    certificates: OnceLock<Vec<CertificateDer<'static>>>,
    authorities: OnceLock<Arc<ServerAuthorities>>,
}

impl SystemRoots {
    /// These, and not the system's.
    pub(crate) fn given(certificates: Vec<CertificateDer<'static>>) -> Self {
        Self { certificates: certificates.into(), authorities: OnceLock::new() }
    }

    /// All that can be read, at least one. They are read at first use, and kept.
    pub(crate) fn shared(&self) -> Result<Arc<ServerAuthorities>, OriginationUnavailable> {
        if let Some(authorities) = self.authorities.get() {
            return Ok(Arc::clone(authorities));
        }
        let authorities = Arc::new(self.own()?);
        Ok(Arc::clone(self.authorities.get_or_init(|| authorities)))
    }

    /// The same as a value of one's own, to which revocation lists can be added.
    pub(crate) fn own(&self) -> Result<ServerAuthorities, OriginationUnavailable> {
        let none = |problems| OriginationUnavailable::NoSystemRoots { problems };
        if let Some(certificates) = self.certificates.get() {
            return ServerAuthorities::readable_of(certificates)
                .map_err(|_empty: BundleError| none(String::new()));
        }
        let loaded = rustls_native_certs::load_native_certs();
        let problems = || {
            let texts: Vec<String> = loaded.errors.iter().map(ToString::to_string).collect();
            meshtls_rustls::log_text(&texts.join("; "))
        };
        let authorities = ServerAuthorities::readable_of(&loaded.certs)
            .map_err(|_empty: BundleError| none(problems()))?;
        // An empty answer is not kept: a store that is mounted later counts then.
        self.certificates.get_or_init(|| loaded.certs.clone());
        Ok(authorities)
    }
}
