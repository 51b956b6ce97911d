//! Authorities below an authority: an offline root signs, the issuing authority keeps its own key.

use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::{CertificateDer, UnixTime};

use crate::authority::{Authority, IssueError};
use crate::certificate::{self, IssuerName, Role};
use crate::limits::Limits;
use crate::{PublicKey, SerialSource, Signer};

impl Authority {
    /// Makes an authority below this one, for the key of `signer`. It lives for `lifetime`, but not longer
    /// than this one, and signs leaves only: see [`IntermediateTerms::new`].
    ///
    /// # Errors
    ///
    /// As [`sign_intermediate`](Self::sign_intermediate).
    pub fn intermediate(
        &self,
        signer: Arc<dyn Signer>,
        lifetime: Duration,
        now: UnixTime,
        serials: &mut dyn SerialSource,
    ) -> Result<Self, IssueError> {
        self.intermediate_with(signer, &IntermediateTerms::new(lifetime), now, serials)
    }

    /// Makes an authority below this one, on other terms.
    ///
    /// # Errors
    ///
    /// As [`sign_intermediate`](Self::sign_intermediate).
    pub fn intermediate_with(
        &self,
        signer: Arc<dyn Signer>,
        terms: &IntermediateTerms,
        now: UnixTime,
        serials: &mut dyn SerialSource,
    ) -> Result<Self, IssueError> {
        let key = signer.public_key();
        let name = IssuerName::new(&self.trust_domain, Role::Intermediate, key);
        let validity = self.validity_of(terms.lifetime, now)?;
        let intermediates = self.sign_intermediate(key, terms, now, serials)?;
        let certificate = intermediates.first().cloned();
        Ok(Self {
            trust_domain: self.trust_domain.clone(),
            signer,
            name,
            validity,
            certificate: certificate.unwrap_or_else(|| self.certificate.clone()),
            intermediates,
            roots: self.roots.clone(),
        })
    }

    /// Signs the certificate of an issuing authority, and gives it with those between it and the root: what
    /// [`load`](Self::load) takes there as `certificate` and `above`, beside the [`roots`](Self::roots).
    ///
    /// `key` is that of its request, checked by [`csr::check`](crate::csr::check): of the request nothing else counts.
    /// The trust domain is this authority's own, and so is the end of its life at the latest.
    ///
    /// # Errors
    ///
    /// * [`IssueError::PathLength`]: this authority, or one above it, does not allow so many below it.
    /// * [`IssueError::SignerExpired`], [`IssueError::SignerNotYetValid`]: `now` is outside this authority's life.
    /// * [`IssueError::Serial`] and [`IssueError::Sign`].
    pub fn sign_intermediate(
        &self,
        key: &PublicKey,
        terms: &IntermediateTerms,
        now: UnixTime,
        serials: &mut dyn SerialSource,
    ) -> Result<Vec<CertificateDer<'static>>, IssueError> {
        let wanted = usize::from(terms.path_length);
        let allowed = Limits::below(self.upward());
        if allowed.is_some_and(|allowed| allowed <= wanted) {
            return Err(IssueError::PathLength { wanted, allowed: allowed.unwrap_or_default() });
        }
        let name = IssuerName::new(&self.trust_domain, Role::Intermediate, key);
        let validity = self.validity_of(terms.lifetime, now)?;
        let own = self.terms(validity, serials.next_serial()?);
        let limits = certificate::AuthorityLimits {
            path_length: Some(terms.path_length),
            names: terms.names,
        };
        let signed = certificate::authority(key, &name, &self.trust_domain, limits, own)?;
        let mut upward = vec![signed];
        upward.extend_from_slice(&self.intermediates);
        Ok(upward)
    }

    /// The signing certificate and those above it. Of several roots nobody knows which one a peer takes, so
    /// a root's own limit counts where there is one root.
    fn upward(&self) -> impl Iterator<Item = &CertificateDer<'static>> {
        let root = match self.roots.as_slice() {
            [root] => Some(root),
            _ => None,
        };
        let above = self.intermediates.iter().chain(root);
        std::iter::once(&self.certificate).chain(above.filter(|next| **next != self.certificate))
    }
}

/// What an authority below another one may do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct IntermediateTerms {
    lifetime: Duration,
    path_length: u8,
    names: NameLimit,
}

impl IntermediateTerms {
    /// An authority that lives for `lifetime`, but not longer than its signer, and signs leaves only: its path
    /// length constraint is 0.
    #[must_use]
    pub fn new(lifetime: Duration) -> Self {
        Self { lifetime, path_length: 0, names: NameLimit::None }
    }

    /// Lets as many further authorities follow below it, one below the other.
    #[must_use]
    pub fn with_path_length(self, path_length: u8) -> Self {
        Self { path_length, ..self }
    }

    /// Sets whether the certificate itself forbids identities of other trust domains. By default it does not.
    #[must_use]
    pub fn with_name_limit(self, names: NameLimit) -> Self {
        Self { names, ..self }
    }
}

/// Which names the certificates below an authority may have, as written in its own.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum NameLimit {
    /// Nothing is written. That an authority vouches for its own trust domain alone is then the verifier's rule, which
    /// binds a bundle to its domain.
    #[default]
    None,
    /// Critical name constraints permit URIs whose host is the trust domain, and no others (RFC 5280 section
    /// 4.2.1.10, X509-SVID section 4.2).
    ///
    /// OpenSSL and Go compare such URIs. **rustls' webpki does not, and rejects every chain below such an authority**, a
    /// fitting one too: so do we and ztunnel, and [`Authority::load`] refuses it with
    /// [`LoadAuthorityError::NameConstraints`](crate::LoadAuthorityError::NameConstraints).
    OwnTrustDomain,
}
