//! The verifier of TLS origination: `svid` judges the chain and the names, the provider the signatures.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use meshtls_svid::{
    NameCheck, PresentedNames, RejectServer, ServerAuthorities, ServerValidation, validate_server,
};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, SignatureScheme};

use crate::alert::server_certificate_error;

/// Who vouches for servers.
#[derive(Clone, Debug)]
pub(crate) enum Trust {
    Authorities(Arc<ServerAuthorities>),
    /// Nobody needs to.
    DangerousAnybody,
}

/// Verifies the server of one connection, and keeps what it found.
pub(crate) struct ServerVerifier {
    trust: Trust,
    names: NameCheck,
    algorithms: WebPkiSupportedAlgorithms,
    verdict: Mutex<Option<ServerVerdict>>,
}

/// What the verifier found. rustls has no room for it: it picks the alert from the kind of error, and only one
/// kind can carry a reason.
pub(crate) type ServerVerdict = Result<PresentedNames, RejectServer>;

impl ServerVerifier {
    pub(crate) fn new(trust: Trust, names: NameCheck, provider: &CryptoProvider) -> Self {
        let algorithms = provider.signature_verification_algorithms;
        Self { trust, names, algorithms, verdict: Mutex::new(None) }
    }

    /// Whether more than the key of the presented certificate is checked.
    pub(crate) fn verifies(&self) -> bool {
        matches!(self.trust, Trust::Authorities(_))
    }

    /// The names of the server that was accepted.
    pub(crate) fn accepted(&self) -> Option<PresentedNames> {
        self.verdict().and_then(Result::ok)
    }

    /// `None`: no server was judged.
    pub(crate) fn verdict(&self) -> Option<ServerVerdict> {
        self.verdict
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn judge(&self, chain: &[CertificateDer<'_>], now: UnixTime) -> ServerVerdict {
        match &self.trust {
            Trust::Authorities(authorities) => {
                let rules =
                    ServerValidation::new(authorities, &self.names, self.algorithms.all, now);
                validate_server(chain, &rules).map(|valid| valid.presented().clone())
            }
            Trust::DangerousAnybody => {
                let leaf = chain.first().ok_or(RejectServer::NoCertificate)?;
                Ok(PresentedNames::claimed_by(leaf))
            }
        }
    }
}

impl ServerCertVerifier for ServerVerifier {
    /// The name is the SNI that was sent or a stand-in for none. Which names count is the connection's to say.
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        issuers: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let chain: Vec<_> = std::iter::once(leaf)
            .chain(issuers)
            .map(|certificate| CertificateDer::from_slice(certificate))
            .collect();
        let verdict = self.judge(&chain, now);
        let outcome = match &verdict {
            Ok(_) => Ok(ServerCertVerified::assertion()),
            Err(reject) => Err(Error::InvalidCertificate(server_certificate_error(reject))),
        };
        *self.verdict.lock().unwrap_or_else(PoisonError::into_inner) = Some(verdict);
        outcome
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl fmt::Debug for ServerVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerVerifier")
            .field("trust", &self.trust)
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}
