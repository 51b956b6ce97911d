//! rustls configurations without any of meshtls' care: for the other end of a test.

use std::sync::Arc;

use meshtls_svid::X509Svid;
use rustls::client::ResolvesClientCert;
use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::time_provider::{DefaultTimeProvider, TimeProvider};
use rustls::{ClientConfig, ServerConfig, SignatureScheme, SupportedProtocolVersion};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::any_peer::AnyPeer;

/// A client that offers what it is told to, and takes any server that holds its own key.
#[derive(Debug)]
pub struct RawClient(Raw);

impl RawClient {
    /// No certificate, no ALPN, TLS 1.2 and 1.3.
    #[must_use]
    pub fn new(provider: Arc<CryptoProvider>) -> Self {
        Self(Raw::new(provider))
    }

    /// Offers these names, in this order.
    #[must_use]
    pub fn with_alpn(mut self, names: &[&[u8]]) -> Self {
        self.0.alpn = names.iter().map(|name| name.to_vec()).collect();
        self
    }

    /// Speaks only these versions, such as `&[&rustls::version::TLS12]`.
    #[must_use]
    pub fn with_versions(mut self, versions: &'static [&'static SupportedProtocolVersion]) -> Self {
        self.0.versions = versions;
        self
    }

    /// Presents an X509-SVID.
    #[must_use]
    pub fn with_svid(self, svid: &X509Svid) -> Self {
        self.with_certificate(svid.chain(), &svid.private_key().clone_key())
    }

    /// Presents any chain whenever it is asked for one, and signs with any key, its own or not.
    ///
    /// # Panics
    ///
    /// If the provider cannot sign with `key`.
    #[must_use]
    pub fn with_certificate(
        mut self,
        chain: &[CertificateDer<'static>],
        key: &PrivateKeyDer<'static>,
    ) -> Self {
        self.0.certificate = Some(self.0.certified_key(chain, key));
        self
    }

    /// The configuration. Resumption is off.
    ///
    /// # Panics
    ///
    /// If the provider has no cipher suite for the versions.
    #[must_use]
    pub fn config(self) -> Arc<ClientConfig> {
        let Raw { provider, alpn, versions, certificate } = self.0;
        let builder = ClientConfig::builder_with_details(Arc::clone(&provider), system_time())
            .with_protocol_versions(versions)
            .expect("the provider speaks these versions")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyPeer::new(provider)));
        let mut config = match certificate {
            Some(certificate) => builder.with_client_cert_resolver(Arc::new(Always(certificate))),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = alpn;
        config.resumption = rustls::client::Resumption::disabled();
        Arc::new(config)
    }
}

/// A server that presents what it is told to, and takes any client.
#[derive(Debug)]
pub struct RawServer {
    raw: Raw,
    asks: Asks,
}

#[derive(Debug)]
enum Asks {
    Nothing,
    ForCertificate,
}

impl RawServer {
    /// Presents any chain, and signs with any key, its own or not. No ALPN, TLS 1.2 and 1.3; clients are
    /// asked for nothing.
    ///
    /// # Panics
    ///
    /// If the provider cannot sign with `key`.
    #[must_use]
    pub fn new(
        provider: Arc<CryptoProvider>,
        chain: &[CertificateDer<'static>],
        key: &PrivateKeyDer<'static>,
    ) -> Self {
        let mut raw = Raw::new(provider);
        raw.certificate = Some(raw.certified_key(chain, key));
        Self { raw, asks: Asks::Nothing }
    }

    /// Presents an X509-SVID.
    #[must_use]
    pub fn with_svid(provider: Arc<CryptoProvider>, svid: &X509Svid) -> Self {
        Self::new(provider, svid.chain(), svid.private_key())
    }

    /// Answers the first of these names that the client offers. If it offers others only, rustls aborts.
    #[must_use]
    pub fn with_alpn(mut self, names: &[&[u8]]) -> Self {
        self.raw.alpn = names.iter().map(|name| name.to_vec()).collect();
        self
    }

    /// Speaks only these versions.
    #[must_use]
    pub fn with_versions(mut self, versions: &'static [&'static SupportedProtocolVersion]) -> Self {
        self.raw.versions = versions;
        self
    }

    /// Demands a client certificate, whichever it is.
    #[must_use]
    pub fn asking_for_certificate(mut self) -> Self {
        self.asks = Asks::ForCertificate;
        self
    }

    /// The configuration. Resumption is off.
    ///
    /// # Panics
    ///
    /// If the provider has no cipher suite for the versions.
    #[must_use]
    pub fn config(self) -> Arc<ServerConfig> {
        let Raw { provider, alpn, versions, certificate } = self.raw;
        let builder = ServerConfig::builder_with_details(Arc::clone(&provider), system_time())
            .with_protocol_versions(versions)
            .expect("the provider speaks these versions");
        let builder = match self.asks {
            Asks::Nothing => builder.with_no_client_auth(),
            Asks::ForCertificate => {
                builder.with_client_cert_verifier(Arc::new(AnyPeer::new(provider)))
            }
        };
        let certificate = certificate.expect("a server is made with one");
        let mut config = builder.with_cert_resolver(Arc::new(Always(certificate)));
        config.alpn_protocols = alpn;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Arc::new(config)
    }
}

/// What both ends share.
#[derive(Debug)]
struct Raw {
    provider: Arc<CryptoProvider>,
    alpn: Vec<Vec<u8>>,
    versions: &'static [&'static SupportedProtocolVersion],
    certificate: Option<Arc<CertifiedKey>>,
}

impl Raw {
    fn new(provider: Arc<CryptoProvider>) -> Self {
        Self { provider, alpn: vec![], versions: rustls::ALL_VERSIONS, certificate: None }
    }

    /// Without the check that chain and key belong together.
    fn certified_key(
        &self,
        chain: &[CertificateDer<'static>],
        key: &PrivateKeyDer<'static>,
    ) -> Arc<CertifiedKey> {
        let key = self.provider.key_provider.load_private_key(key.clone_key());
        Arc::new(CertifiedKey::new(chain.to_vec(), key.expect("the provider signs with this key")))
    }
}

/// The system's clock. Nothing here depends on the time: no certificate is looked at.
fn system_time() -> Arc<dyn TimeProvider> {
    Arc::new(DefaultTimeProvider)
}

/// Presents the same certificate whatever the other end accepts.
#[derive(Debug)]
struct Always(Arc<CertifiedKey>);

impl ResolvesClientCert for Always {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl ResolvesServerCert for Always {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}
