//! An authority from certificates and a key that exist already.

use std::sync::Arc;
use std::time::Duration;

use meshtls_identity::{AcceptedDomains, SpiffeId, TrustDomain};
use meshtls_svid::{
    BundleError, RejectSvid, TrustBundle, TrustBundles, Usage, Validation, validate,
};
use rcgen::{DistinguishedName, DnType, DnValue};
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};
use x509_parser::asn1_rs::Tag;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::{ASN1Time, FromDer as _};
use x509_parser::x509::X509Name;

use crate::authority::{Authority, IssueError};
use crate::certificate::{IssuerName, Validity};
use crate::{PublicKey, PublicKeyError, Serial, Signer};

impl Authority {
    /// Takes a signing certificate and its key, the intermediates above it and the roots.
    ///
    /// A root alone: `certificate` is among `roots`, and `above` is empty. `above` may repeat the signing
    /// certificate or a root, as Istio's `cert-chain.pem` does. Before it is taken, an X509-SVID is issued in
    /// memory and validated as a peer would at `now`, with the `algorithms` of the crypto provider.
    ///
    /// # Errors
    ///
    /// * [`LoadAuthorityError::Malformed`], [`LoadAuthorityError::NotAuthority`], [`LoadAuthorityError::Roots`]:
    ///   certificates that cannot be what they are given as.
    /// * [`LoadAuthorityError::KeyMismatch`], [`LoadAuthorityError::Key`]: the key is not the certificate's.
    /// * [`LoadAuthorityError::ForeignTrustDomain`]: made for another trust domain.
    /// * [`LoadAuthorityError::Name`]: a subject that we cannot write as an issuer.
    /// * [`LoadAuthorityError::Issue`]: expired or not yet valid, or the key did not sign.
    /// * [`LoadAuthorityError::NameConstraints`]: it, or one above it, has name constraints on URIs.
    /// * [`LoadAuthorityError::Chain`]: what it issues is not trusted by its own roots.
    pub fn load(
        trust_domain: TrustDomain,
        signer: Arc<dyn Signer>,
        certificate: CertificateDer<'static>,
        above: Vec<CertificateDer<'static>>,
        roots: Vec<CertificateDer<'static>>,
        algorithms: &[&'static dyn SignatureVerificationAlgorithm],
        now: UnixTime,
    ) -> Result<Self, LoadAuthorityError> {
        let bundle = TrustBundle::new(trust_domain.clone(), roots)?;
        let roots = bundle.anchors().to_vec();
        let signing = SigningCertificate::read(&certificate)?;
        if signing.key != *signer.public_key() {
            return Err(LoadAuthorityError::KeyMismatch);
        }
        if let Some(presented) = signing.domains.into_iter().find(|it| *it != trust_domain) {
            return Err(LoadAuthorityError::ForeignTrustDomain { presented, own: trust_domain });
        }
        let mut intermediates = vec![];
        for next in std::iter::once(&certificate).chain(&above) {
            if !roots.contains(next) && !intermediates.contains(next) {
                intermediates.push(next.clone());
            }
        }
        let SigningCertificate { name, validity, .. } = signing;
        let authority =
            Self { trust_domain, signer, name, validity, certificate, intermediates, roots };
        authority.try_out(bundle, algorithms, now)?;
        Ok(authority)
    }

    /// Issues to itself and validates: signature, name, path and constraints are then known to be right.
    fn try_out(
        &self,
        bundle: TrustBundle,
        algorithms: &[&'static dyn SignatureVerificationAlgorithm],
        now: UnixTime,
    ) -> Result<(), LoadAuthorityError> {
        let id: SpiffeId = format!("spiffe://{}/a", self.trust_domain)
            .parse()
            .map_err(|_id| LoadAuthorityError::NotAuthority)?;
        let serial = Serial::new([1; 16]).ok_or(LoadAuthorityError::NotAuthority)?;
        let validity = self.validity_of(Duration::from_secs(1), now)?;
        let chain = self.sign_leaf(self.signer.public_key(), &id, validity, serial)?;
        let bundles = TrustBundles::new([bundle]);
        let rules =
            Validation::new(&bundles, &AcceptedDomains::Any, algorithms, Usage::Server, now);
        match validate(&chain, &rules) {
            Ok(_) => Ok(()),
            Err(RejectSvid::NameConstraint { .. }) => Err(LoadAuthorityError::NameConstraints),
            Err(reject) => Err(LoadAuthorityError::Chain(reject)),
        }
    }
}

/// Why certificates and a key are not an authority.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadAuthorityError {
    /// The signing certificate is not the DER of one certificate.
    #[error("the signing certificate is malformed")]
    Malformed,
    /// The signing certificate lacks `cA`, or has a key usage without keyCertSign.
    #[error("the signing certificate is not a certificate authority")]
    NotAuthority,
    /// The signing certificate's public key is of no kind we sign with.
    #[error("the signing certificate's key is refused")]
    Key(#[source] PublicKeyError),
    /// The private key belongs to another certificate.
    #[error("the key does not belong to the signing certificate")]
    KeyMismatch,
    /// A URI SAN of the signing certificate is a SPIFFE ID of another trust domain: the authority was made
    /// for that one. Certificates without such a name, as Istio's, are taken for any.
    #[error("the signing certificate is of the trust domain {presented}, not {own}")]
    ForeignTrustDomain {
        /// The domain in the certificate.
        presented: TrustDomain,
        /// The domain asked for.
        own: TrustDomain,
    },
    /// The subject has no attribute, the same attribute twice, several in one part, or an old string type:
    /// rcgen cannot write such a name as an issuer.
    #[error("the signing certificate's subject is of a form that cannot be written as an issuer")]
    Name,
    /// The roots are no trust bundle.
    #[error("the roots are not a trust bundle")]
    Roots(#[from] BundleError),
    /// The signing certificate is out of date, or its key did not sign.
    #[error("the authority cannot issue")]
    Issue(#[from] IssueError),
    /// Name constraints do not allow what the authority would issue, or are of a kind that webpki rejects unseen,
    /// as it does every constraint on URIs: peers that use it, we and ztunnel among them, would take nothing.
    #[error("name constraints make peers reject what the authority issues")]
    NameConstraints,
    /// The chain from the signing certificate does not reach a root.
    #[error("what the authority issues is rejected under its own roots")]
    Chain(#[source] RejectSvid),
}

/// What is read of a signing certificate.
struct SigningCertificate {
    key: PublicKey,
    name: IssuerName,
    validity: Validity,
    /// Of its SPIFFE IDs (X509-SVID sections 2 and 3.2: at most one, its own domain's).
    domains: Vec<TrustDomain>,
}

impl SigningCertificate {
    fn read(der: &[u8]) -> Result<Self, LoadAuthorityError> {
        let Ok(([], certificate)) = X509Certificate::from_der(der) else {
            return Err(LoadAuthorityError::Malformed);
        };
        let (mut is_ca, mut may_sign, mut key_id, mut domains) = (false, true, None, vec![]);
        for extension in certificate.extensions() {
            match extension.parsed_extension() {
                ParsedExtension::BasicConstraints(constraints) => is_ca = constraints.ca,
                ParsedExtension::KeyUsage(usage) => may_sign = usage.key_cert_sign(),
                ParsedExtension::SubjectKeyIdentifier(id) => key_id = Some(id.0.to_vec()),
                ParsedExtension::SubjectAlternativeName(names) => {
                    domains = spiffe_domains(&names.general_names);
                }
                _ => {}
            }
        }
        if !is_ca || !may_sign {
            return Err(LoadAuthorityError::NotAuthority);
        }
        let key =
            PublicKey::from_spki(certificate.public_key().raw).map_err(LoadAuthorityError::Key)?;
        let key_id = key_id.unwrap_or_else(|| key.key_id());
        let subject = name(certificate.subject()).ok_or(LoadAuthorityError::Name)?;
        let validity = Validity {
            not_before: unix_time(certificate.validity().not_before),
            not_after: unix_time(certificate.validity().not_after),
        };
        Ok(Self { key, name: IssuerName { subject, key_id }, validity, domains })
    }
}

fn spiffe_domains(names: &[GeneralName<'_>]) -> Vec<TrustDomain> {
    let uris = names.iter().filter_map(|name| match name {
        GeneralName::URI(uri) => uri.parse::<SpiffeId>().ok(),
        _ => None,
    });
    uris.map(|id| id.trust_domain().clone()).collect()
}

/// The name as rcgen holds it: one attribute for each part, each type once.
fn name(name: &X509Name<'_>) -> Option<DistinguishedName> {
    let mut copy = DistinguishedName::new();
    for part in name.iter() {
        let mut attributes = part.iter();
        let (Some(attribute), None) = (attributes.next(), attributes.next()) else {
            return None;
        };
        let kind = DnType::CustomDnType(attribute.attr_type().iter()?.collect());
        let text = attribute.as_str().ok()?;
        let value = match attribute.attr_value().tag() {
            Tag::Utf8String => DnValue::Utf8String(text.to_owned()),
            Tag::PrintableString => DnValue::PrintableString(text.try_into().ok()?),
            Tag::Ia5String => DnValue::Ia5String(text.try_into().ok()?),
            _ => return None,
        };
        if copy.get(&kind).is_some() {
            return None;
        }
        copy.push(kind, value);
    }
    copy.iter().next().is_some().then_some(copy)
}

/// Times before 1970 count as 1970.
fn unix_time(time: ASN1Time) -> UnixTime {
    let seconds = u64::try_from(time.timestamp()).unwrap_or_default();
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}
