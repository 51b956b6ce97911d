//! An authority: a signing certificate, its key, and the way from there to the roots.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use meshtls_identity::{SpiffeId, TrustDomain};
use meshtls_svid::TrustBundle;
use rustls_pki_types::{CertificateDer, UnixTime};

use crate::certificate::{self, AuthorityLimits, IssuerName, Role, Terms, Validity};
use crate::{PublicKey, RepeatedSerial, Serial, SerialError, SerialSource, SignError, Signer};

/// Issues X509-SVIDs of one trust domain.
///
/// It keeps no record of what it issued, and nothing here changes in place: a [`Rotation`](crate::Rotation) does
/// both, with one authority after the other.
#[derive(Clone)]
pub struct Authority {
    pub(crate) trust_domain: TrustDomain,
    pub(crate) signer: Arc<dyn Signer>,
    pub(crate) name: IssuerName,
    pub(crate) validity: Validity,
    pub(crate) certificate: CertificateDer<'static>,
    /// The signing certificate, if it is no root, and those between it and the root.
    pub(crate) intermediates: Vec<CertificateDer<'static>>,
    pub(crate) roots: Vec<CertificateDer<'static>>,
}

impl Authority {
    /// How long an X509-SVID lives unless the request says otherwise: 24 hours (Istio's default).
    pub const DEFAULT_TTL: Duration = Duration::from_secs(24 * 60 * 60);
    /// The longest life that may be asked for: 90 days (Istio's default).
    pub const MAX_TTL: Duration = Duration::from_secs(90 * 24 * 60 * 60);
    /// How long a root lives unless told otherwise: 3650 days (Istio's default).
    pub const DEFAULT_ROOT_LIFETIME: Duration = Duration::from_secs(3650 * 24 * 60 * 60);

    /// Makes a self-signed root for the key of `signer`, valid from two minutes before `now` until
    /// `lifetime` after it (but not beyond the year 9999).
    ///
    /// Its subject is the trust domain as organization (at most 64 bytes of it) and a common name of its
    /// key's own, its URI SAN the trust domain's ID without path; it carries keyCertSign and cRLSign.
    ///
    /// # Errors
    ///
    /// [`IssueError::Serial`] and [`IssueError::Sign`].
    pub fn self_signed_with(
        trust_domain: TrustDomain,
        signer: Arc<dyn Signer>,
        lifetime: Duration,
        now: UnixTime,
        serials: &mut dyn SerialSource,
    ) -> Result<Self, IssueError> {
        let key = signer.public_key();
        let name = IssuerName::new(&trust_domain, Role::Root, key);
        let validity = Validity::starting(now, lifetime, certificate::end_of_time());
        let serial = serials.next_serial()?;
        let terms = Terms { validity, serial, issuer: &name, signer: signer.as_ref() };
        let certificate =
            certificate::authority(key, &name, &trust_domain, AuthorityLimits::default(), terms)?;
        Ok(Self {
            trust_domain,
            signer,
            name,
            validity,
            intermediates: Vec::new(),
            roots: vec![certificate.clone()],
            certificate,
        })
    }

    /// Issues an X509-SVID, and gives its chain: the leaf first, then the intermediates, without a root.
    ///
    /// `request.id` decides whom it names, nothing else does. The profile is that of Istio's workload
    /// certificates: empty subject, one critical URI SAN, digitalSignature and keyEncipherment, serverAuth
    /// and clientAuth, `cA` false. It is valid from two minutes before `now` until the TTL after it, but
    /// never beyond this authority's own certificate.
    ///
    /// # Errors
    ///
    /// * [`IssueError::ForeignTrustDomain`], [`IssueError::NoPath`]: not an ID of a workload of this domain.
    /// * [`IssueError::TtlTooLong`]: more than [`MAX_TTL`](Self::MAX_TTL).
    /// * [`IssueError::SignerExpired`], [`IssueError::SignerNotYetValid`]: `now` is outside this authority's life.
    /// * [`IssueError::Serial`] and [`IssueError::Sign`].
    pub fn issue(
        &self,
        request: &IssueRequest<'_>,
        now: UnixTime,
        serials: &mut dyn SerialSource,
    ) -> Result<Vec<CertificateDer<'static>>, IssueError> {
        let IssueRequest { key, id, ttl } = *request;
        if !id.is_member_of(&self.trust_domain) {
            return Err(IssueError::ForeignTrustDomain {
                presented: id.clone(),
                own: self.trust_domain.clone(),
            });
        }
        if id.path().is_empty() {
            return Err(IssueError::NoPath);
        }
        let ttl = match ttl {
            None | Some(Duration::ZERO) => Self::DEFAULT_TTL,
            Some(ttl) if ttl > Self::MAX_TTL => return Err(IssueError::TtlTooLong { ttl }),
            Some(ttl) => ttl,
        };
        let validity = self.validity_of(ttl, now)?;
        self.sign_leaf(key, id, validity, serials.next_serial()?)
    }

    /// The domain whose IDs are issued.
    #[must_use]
    pub fn trust_domain(&self) -> &TrustDomain {
        &self.trust_domain
    }

    /// The certificate that signs.
    #[must_use]
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The key that signs.
    #[must_use]
    pub fn signer(&self) -> &Arc<dyn Signer> {
        &self.signer
    }

    /// What follows the leaf in a chain: the signing certificate unless it is a root, and those above it.
    #[must_use]
    pub fn intermediates(&self) -> &[CertificateDer<'static>] {
        &self.intermediates
    }

    /// The roots.
    #[must_use]
    pub fn roots(&self) -> &[CertificateDer<'static>] {
        &self.roots
    }

    /// The last second at which anything issued here can be valid.
    #[must_use]
    pub fn not_after(&self) -> UnixTime {
        self.validity.not_after
    }

    /// The roots as a trust bundle.
    #[must_use]
    #[expect(clippy::expect_used, clippy::missing_panics_doc, reason = "cannot fail, see the text")]
    pub fn trust_bundle(&self) -> TrustBundle {
        TrustBundle::new(self.trust_domain.clone(), self.roots.clone()).expect(
            "roots are made as authorities here, or passed this very check when they were loaded",
        )
    }

    pub(crate) fn sign_leaf(
        &self,
        key: &PublicKey,
        id: &SpiffeId,
        validity: Validity,
        serial: Serial,
    ) -> Result<Vec<CertificateDer<'static>>, IssueError> {
        let leaf = certificate::x509_svid(key, id, self.terms(validity, serial))?;
        let mut chain = vec![leaf];
        chain.extend_from_slice(&self.intermediates);
        Ok(chain)
    }

    pub(crate) fn terms(&self, validity: Validity, serial: Serial) -> Terms<'_> {
        Terms { validity, serial, issuer: &self.name, signer: self.signer.as_ref() }
    }

    /// A life that begins now and ends with the signer's at the latest.
    pub(crate) fn validity_of(
        &self,
        life: Duration,
        now: UnixTime,
    ) -> Result<Validity, IssueError> {
        let Validity { not_before, not_after } = self.validity;
        if now > not_after {
            return Err(IssueError::SignerExpired { not_after, now });
        }
        if now < not_before {
            return Err(IssueError::SignerNotYetValid { not_before, now });
        }
        Ok(Validity::starting(now, life, not_after))
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority")
            .field("trust_domain", &self.trust_domain)
            .field("signer", &self.signer)
            .field("not_after", &self.validity.not_after)
            .field("intermediates", &self.intermediates.len())
            .field("roots", &self.roots.len())
            .finish_non_exhaustive()
    }
}

/// What an X509-SVID is asked for.
#[derive(Clone, Copy, Debug)]
pub struct IssueRequest<'a> {
    key: &'a PublicKey,
    id: &'a SpiffeId,
    ttl: Option<Duration>,
}

impl<'a> IssueRequest<'a> {
    /// Asks for the [default life](Authority::DEFAULT_TTL). The caller has authenticated whoever is named by
    /// `id`, and made sure that they hold the private half of `key`, as [`csr::check`](crate::csr::check) does.
    #[must_use]
    pub fn new(key: &'a PublicKey, id: &'a SpiffeId) -> Self {
        Self { key, id, ttl: None }
    }

    /// Whom the X509-SVID is to name.
    #[must_use]
    pub fn id(&self) -> &'a SpiffeId {
        self.id
    }

    /// Asks for another life, counted from `now`; zero asks for the default, as in Istio.
    #[must_use]
    pub fn with_ttl(self, ttl: Duration) -> Self {
        Self { ttl: Some(ttl), ..self }
    }
}

/// Why nothing was issued.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IssueError {
    /// The ID is of a domain that this authority does not issue for.
    #[error("{presented} is not of the trust domain {own}")]
    ForeignTrustDomain {
        /// The ID asked for.
        presented: SpiffeId,
        /// The domain of this authority.
        own: TrustDomain,
    },
    /// The ID names a trust domain, and no workload (X509-SVID section 3.1).
    #[error("an ID without a path names no workload")]
    NoPath,
    /// A longer life than [`Authority::MAX_TTL`]. It is not shortened, as in Istio.
    #[error("a life of {} s was asked for, at most {} s are given", ttl.as_secs(), Authority::MAX_TTL.as_secs())]
    TtlTooLong {
        /// The life asked for.
        ttl: Duration,
    },
    /// The signing certificate's validity is over.
    #[error("the signing certificate expired at {}, now is {}", not_after.as_secs(), now.as_secs())]
    SignerExpired {
        /// Its last valid second.
        not_after: UnixTime,
        /// The time of the request.
        now: UnixTime,
    },
    /// The signing certificate's validity has not begun: a clock is wrong.
    #[error("the signing certificate is valid from {}, now is {}", not_before.as_secs(), now.as_secs())]
    SignerNotYetValid {
        /// Its first valid second.
        not_before: UnixTime,
        /// The time of the request.
        now: UnixTime,
    },
    /// An authority below this one may have fewer authorities below it than were asked for, or may not be at all
    /// (RFC 5280 section 4.2.1.9).
    #[error("an authority with {wanted} below it was asked for, where {allowed} in all may follow")]
    PathLength {
        /// How many were to follow below the new authority.
        wanted: usize,
        /// How many may follow below this one, the new one among them.
        allowed: usize,
    },
    /// There is no serial number.
    #[error(transparent)]
    Serial(#[from] SerialError),
    /// The serial number was issued before.
    #[error(transparent)]
    RepeatedSerial(#[from] RepeatedSerial),
    /// The key did not sign.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The authority cannot be reached now: the directory it is kept in, for one.
    #[error("the authority cannot be reached")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl IssueError {
    /// A short label for metrics. It stays the same over releases.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::ForeignTrustDomain { .. } => "foreign_trust_domain",
            Self::NoPath => "id_without_path",
            Self::TtlTooLong { .. } => "ttl_too_long",
            Self::SignerExpired { .. } => "signer_expired",
            Self::SignerNotYetValid { .. } => "signer_not_yet_valid",
            Self::PathLength { .. } => "path_length",
            Self::Serial(_) => "no_serial",
            Self::RepeatedSerial(_) => "serial_repeated",
            Self::Sign(_) => "not_signed",
            Self::Unavailable(_) => "authority_unavailable",
        }
    }
}
