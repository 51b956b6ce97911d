//! The verifier of both ends: `svid` judges the chain, the provider the signatures.

use std::fmt;
use std::sync::Arc;

use meshtls_identity::AcceptedDomains;
use meshtls_svid::{TrustBundles, Usage, Validation, validate};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

use crate::alert::{certificate_error, unacceptable};
use crate::slot::{Verdict, judge};

/// Verifies peers that sit at one end of the connection.
pub(crate) struct PeerVerifier {
    bundles: Arc<TrustBundles>,
    accepted: AcceptedDomains,
    algorithms: WebPkiSupportedAlgorithms,
    peers: Usage,
    certificate: Certificate,
}

/// Whether a client must show a certificate. One that is shown is always verified.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Certificate {
    Required,
    Optional,
}

impl PeerVerifier {
    pub(crate) fn new(
        bundles: Arc<TrustBundles>,
        accepted: AcceptedDomains,
        provider: &CryptoProvider,
        peers: Usage,
    ) -> Self {
        let algorithms = provider.signature_verification_algorithms;
        Self { bundles, accepted, algorithms, peers, certificate: Certificate::Required }
    }

    /// Lets clients in that show no certificate.
    pub(crate) fn certificate_optional(self) -> Self {
        Self { certificate: Certificate::Optional, ..self }
    }

    fn verify(
        &self,
        leaf: &CertificateDer<'_>,
        issuers: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        let chain: Vec<_> = std::iter::once(leaf)
            .chain(issuers)
            .map(|certificate| CertificateDer::from_slice(certificate))
            .collect();
        let rules =
            Validation::new(&self.bundles, &self.accepted, self.algorithms.all, self.peers, now);
        match judge(validate(&chain, &rules)) {
            Some(Verdict::Valid(_)) => Ok(()),
            Some(Verdict::Rejected(reject)) => {
                Err(Error::InvalidCertificate(certificate_error(&reject)))
            }
            Some(Verdict::NameMismatch { .. }) => {
                Err(Error::InvalidCertificate(unacceptable(Unexpected)))
            }
            None => Err(Error::General("a handshake outside of accept and connect".into())),
        }
    }

    fn verify_tls12(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }
}

impl ClientCertVerifier for PeerVerifier {
    fn client_auth_mandatory(&self) -> bool {
        self.certificate == Certificate::Required
    }

    /// None: it would disclose the bundle's names and grow with it.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        issuers: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.verify(leaf, issuers, now)
            .map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify_tls12(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify_tls13(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl ServerCertVerifier for PeerVerifier {
    /// The name is the SNI that was sent or a stand-in for none. Who the server must be is the SPIFFE ID that
    /// the handshake expects.
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        issuers: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.verify(leaf, issuers, now)
            .map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify_tls12(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify_tls13(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl fmt::Debug for PeerVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerVerifier")
            .field("accepted", &self.accepted)
            .field("peers", &self.peers)
            .finish_non_exhaustive()
    }
}

/// What rustls is told of a name mismatch; the names go through the slot.
#[derive(Debug, thiserror::Error)]
#[error("the peer is not who was expected")]
struct Unexpected;
