//! The client's end: the configuration, and the handshake with secure naming.

use std::fmt;
use std::net::Ipv4Addr;
use std::sync::Arc;

use meshtls_identity::{AcceptedDomains, IdMatcher};
use meshtls_svid::{SvidSnapshot, TrustBundles, Usage};
use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::sign::SingleCertAndKey;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

use crate::error::{ConfigError, HandshakeError};
use crate::handshake_io::HandshakeIo;
use crate::key::certified_key;
use crate::peer::VerifiedPeer;
use crate::profile::TlsProfile;
use crate::slot::scoped;
use crate::stream::ClientStream;
use crate::verify::PeerVerifier;

/// Connects by mutual TLS with one generation of identity and trust. Cheap to clone.
///
/// Nothing is ever resumed, and there is no early data.
#[derive(Clone)]
pub struct MeshClient {
    config: Arc<ClientConfig>,
    generation: u64,
}

impl MeshClient {
    /// Makes the configuration: present the snapshot's identity, and verify servers by its bundles.
    ///
    /// # Errors
    ///
    /// * [`ConfigError::UnusableKey`], [`ConfigError::KeyMismatch`]: the X509-SVID's key.
    /// * [`ConfigError::Provider`]: the profile's provider does not know its versions.
    pub fn new(profile: &TlsProfile, snapshot: &SvidSnapshot) -> Result<Self, ConfigError> {
        let key = certified_key(profile.provider(), snapshot.svid())?;
        Self::with_key(profile, snapshot.bundles(), Some(key), snapshot.generation())
    }

    /// Makes the configuration of a client that presents no certificate, and verifies servers by `bundles` as any
    /// other: for servers that ask for none, as SPIFFE bundle endpoints. Its generation is 0.
    ///
    /// A server that insists on a certificate refuses it: see [`ClientStream`].
    ///
    /// # Errors
    ///
    /// [`ConfigError::Provider`]: the profile's provider does not know its versions.
    pub fn without_svid(
        profile: &TlsProfile,
        bundles: &Arc<TrustBundles>,
    ) -> Result<Self, ConfigError> {
        Self::with_key(profile, bundles, None, 0)
    }

    fn with_key(
        profile: &TlsProfile,
        bundles: &Arc<TrustBundles>,
        key: Option<Arc<SingleCertAndKey>>,
        generation: u64,
    ) -> Result<Self, ConfigError> {
        // The trust domain needs no list of its own: each connection says whom it accepts.
        let verifier = PeerVerifier::new(
            Arc::clone(bundles),
            AcceptedDomains::Any,
            profile.provider(),
            Usage::Server,
        );
        let builder = ClientConfig::builder_with_details(
            Arc::clone(profile.provider()),
            Arc::clone(profile.time()),
        );
        let builder = builder
            .with_protocol_versions(profile.versions())
            .map_err(ConfigError::Provider)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match key {
            Some(key) => builder.with_client_cert_resolver(key),
            None => builder.with_no_client_auth(),
        };
        config.resumption = Resumption::disabled();
        config.enable_early_data = false;
        Ok(Self { config: Arc::new(config), generation })
    }

    /// Gives the generation of the snapshot this was made from.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Does the client's part of the handshake with a server that must be one of `accepted`.
    ///
    /// `server_name` is sent as SNI if it is a DNS name; `None` and IP addresses send none. It has no part in
    /// judging the server, whose SPIFFE ID alone counts. `alpn` is offered in its order; if it is empty, so
    /// is the offer. There is no deadline here: it is the caller's, as one over the whole future.
    ///
    /// Success says that the server is who it should be, not yet that it accepted us: see [`ClientStream`].
    ///
    /// # Errors
    ///
    /// [`HandshakeError`] says who was at fault; [`HandshakeError::NameMismatch`] who was presented and who
    /// accepted.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the transport, without an alert.
    pub async fn connect<IO>(
        &self,
        io: IO,
        server_name: Option<ServerName<'static>>,
        accepted: &IdMatcher,
        alpn: &[&[u8]],
    ) -> Result<(ClientStream<IO>, VerifiedPeer), HandshakeError>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        // An IP address stands for "no SNI" (RFC 6066 section 3 has none for them).
        let server_name =
            server_name.unwrap_or_else(|| ServerName::IpAddress(Ipv4Addr::UNSPECIFIED.into()));
        let alpn = alpn.iter().map(|name| name.to_vec()).collect();
        // Boxed, so that the memory of the handshake is given back when it is over.
        Box::pin(handshake(Arc::clone(&self.config), io, server_name, accepted, alpn)).await
    }
}

async fn handshake<IO>(
    config: Arc<ClientConfig>,
    io: IO,
    server_name: ServerName<'static>,
    accepted: &IdMatcher,
    alpn: Vec<Vec<u8>>,
) -> Result<(ClientStream<IO>, VerifiedPeer), HandshakeError>
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let connect = TlsConnector::from(config)
        .with_alpn(alpn)
        .connect(server_name, HandshakeIo::new(io))
        .into_fallible();
    let (outcome, verdict) = scoped(accepted.clone(), connect).await;
    match outcome {
        Ok(stream) => {
            let (_, connection) = stream.get_ref();
            let peer = VerifiedPeer::of(connection, None, verdict)?;
            Ok((ClientStream::new(stream), peer))
        }
        Err((error, io)) => {
            io.end().await;
            Err(HandshakeError::new(error, verdict, accepted))
        }
    }
}

impl fmt::Debug for MeshClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MeshClient")
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}
