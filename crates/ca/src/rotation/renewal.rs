//! Istio's way: the same key, the same name, a new certificate.

use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::{CertificateDer, UnixTime};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::FromDer as _;

use super::{Root, Rotation, RotationError, Step, is_root};
use crate::Authority;
use crate::certificate::{self, AuthorityLimits, Terms, Validity};
use crate::{IssueError, Ledger, SerialSource};

impl Rotation {
    /// Whether less than a fifth of the life of the certificate that signs is left, as Istio asks for its root.
    #[must_use]
    pub fn is_due(&self, now: UnixTime) -> bool {
        let Validity { not_before, not_after } = self.signing().validity;
        let life = not_after.as_secs().saturating_sub(not_before.as_secs());
        let left = not_after.as_secs().saturating_sub(now.as_secs());
        left.saturating_mul(5) < life
    }

    /// Gives the root that signs a new certificate, for the same key and name; it lives for `lifetime`.
    ///
    /// The phase stays, and nothing has to be waited for. What was issued before verifies by the new certificate, and
    /// what is issued from now on by the old one, which is trusted until it expires: nothing issued under it outlives
    /// it, so whoever knows only the old certificate has to renew before that. This does not help when somebody else
    /// has the key: rotate it then.
    ///
    /// # Errors
    ///
    /// * [`RotationError::NotAllowed`]: in the middle of a rotation (Prepared, Activated).
    /// * [`RotationError::NotSelfSigned`]: an intermediate signs.
    /// * [`RotationError::Constrained`]: the root has a path length or name constraints. The new certificate has the
    ///   profile of [`Authority::self_signed_with`], without them: prepare one that has them instead.
    /// * [`RotationError::Unusable`]: no serial number, one that is in the `ledger`, or the key did not sign.
    pub fn renew(
        &self,
        lifetime: Duration,
        ledger: &Ledger,
        now: UnixTime,
        serials: &mut dyn SerialSource,
    ) -> Result<Self, RotationError> {
        self.waits_for(Step::Renew)?;
        let authority = renewed(self.signing(), lifetime, ledger, now, serials)?;
        let generation = self.generation.saturating_add(1);
        let signing = Root { authority: Arc::new(authority), ..self.signing.clone() };
        Ok(Self { generation, signing, state: self.state.clone() })
    }
}

fn renewed(
    old: &Authority,
    lifetime: Duration,
    ledger: &Ledger,
    now: UnixTime,
    serials: &mut dyn SerialSource,
) -> Result<Authority, RotationError> {
    if !is_root(&old.certificate, &old.roots) {
        return Err(RotationError::NotSelfSigned);
    }
    if is_constrained(&old.certificate) {
        return Err(RotationError::Constrained);
    }
    let validity = Validity::starting(now, lifetime, certificate::end_of_time());
    let serial = super::issue::unused(ledger, serials)?;
    let terms = Terms { validity, serial, issuer: &old.name, signer: old.signer.as_ref() };
    let key = old.signer.public_key();
    let certificate = certificate::authority(
        key,
        &old.name,
        &old.trust_domain,
        AuthorityLimits::default(),
        terms,
    )
    .map_err(IssueError::Sign)?;
    let mut roots = vec![certificate.clone()];
    roots.extend(
        old.roots
            .iter()
            .filter(|root| !is_expired(root, now))
            .cloned(),
    );
    Ok(Authority { validity, certificate, roots, ..old.clone() })
}

/// A certificate that cannot be read counts as constrained.
fn is_constrained(certificate: &CertificateDer<'_>) -> bool {
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else {
        return true;
    };
    certificate
        .extensions()
        .iter()
        .any(|extension| match extension.parsed_extension() {
            ParsedExtension::BasicConstraints(constraints) => {
                constraints.path_len_constraint.is_some()
            }
            ParsedExtension::NameConstraints(_) => true,
            _ => false,
        })
}

/// A root of which the end cannot be read stays.
fn is_expired(certificate: &CertificateDer<'_>, now: UnixTime) -> bool {
    X509Certificate::from_der(certificate).is_ok_and(|(_, certificate)| {
        u64::try_from(certificate.validity().not_after.timestamp()).unwrap_or_default()
            < now.as_secs()
    })
}
