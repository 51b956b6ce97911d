//! TLS between an authority and workloads that may have no identity yet: the client's certificate is asked for, not required.

use std::fmt;
use std::sync::Arc;

use meshtls_identity::{AcceptedDomains, IdMatcher};
use meshtls_svid::{KeyedChain, SvidSnapshot, TrustBundles, Usage};
use rustls::ServerConfig;
use rustls::server::{NoServerSessionStorage, ResolvesServerCert};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;

use crate::alpn::AlpnAnswer;
use crate::error::{ConfigError, HandshakeError};
use crate::handshake_io::HandshakeIo;
use crate::key::{certified_key, keyed_chain};
use crate::origination_error::OriginationConfigError;
use crate::peer::VerifiedPeer;
use crate::profile::TlsProfile;
use crate::slot::scoped;
use crate::stream::ServerStream;
use crate::verify::PeerVerifier;

/// The server's end of an authority: workloads that have an X509-SVID show it, others come without. Cheap to clone.
///
/// A certificate that is shown is verified as [`MeshServer`](crate::MeshServer) does, and one that is rejected ends the
/// handshake: it is never taken for none. HTTP/2 is agreed on where the client offers protocols. Nothing is resumed, and
/// there is no early data. A client without an identity is [`MeshClient::without_svid`](crate::MeshClient::without_svid).
#[derive(Clone)]
pub struct EnrollmentServer {
    config: Arc<ServerConfig>,
}

impl EnrollmentServer {
    /// Presents the snapshot's identity, and verifies clients by its bundles.
    ///
    /// # Errors
    ///
    /// * [`ConfigError::UnusableKey`], [`ConfigError::KeyMismatch`]: the X509-SVID's key.
    /// * [`ConfigError::Provider`]: the profile's provider does not know its versions.
    pub fn new(
        profile: &TlsProfile,
        snapshot: &SvidSnapshot,
        accepted: &AcceptedDomains,
    ) -> Result<Self, ConfigError> {
        let key = certified_key(profile.provider(), snapshot.svid())?;
        Self::presenting(profile, key, snapshot.bundles(), accepted).map_err(ConfigError::Provider)
    }

    /// Presents `own`, a certificate with DNS names for clients that know the authority by one, and verifies clients by
    /// `bundles`.
    ///
    /// # Errors
    ///
    /// [`OriginationConfigError`]: the key of `own`, or the profile's provider.
    pub fn with_chain(
        profile: &TlsProfile,
        own: &KeyedChain,
        bundles: &Arc<TrustBundles>,
        accepted: &AcceptedDomains,
    ) -> Result<Self, OriginationConfigError> {
        let key = keyed_chain(profile.provider(), own)?;
        Self::presenting(profile, key, bundles, accepted).map_err(OriginationConfigError::Provider)
    }

    fn presenting(
        profile: &TlsProfile,
        key: Arc<dyn ResolvesServerCert>,
        bundles: &Arc<TrustBundles>,
        accepted: &AcceptedDomains,
    ) -> Result<Self, rustls::Error> {
        let verifier = PeerVerifier::new(
            Arc::clone(bundles),
            accepted.clone(),
            profile.provider(),
            Usage::Client,
        );
        let mut config = ServerConfig::builder_with_details(
            Arc::clone(profile.provider()),
            Arc::clone(profile.time()),
        )
        .with_protocol_versions(profile.versions())?
        .with_client_cert_verifier(Arc::new(verifier.certificate_optional()))
        .with_cert_resolver(key);
        config.alpn_protocols = AlpnAnswer::Http2.protocols();
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        config.max_tls13_tickets = 0;
        config.max_early_data_size = 0;
        Ok(Self { config: Arc::new(config) })
    }

    /// Does the server's part of the handshake. `None` beside the stream: the client has shown no certificate, and nothing is
    /// known of it. There is no deadline here: it is the caller's, as one over the whole future.
    ///
    /// # Errors
    ///
    /// [`HandshakeError`] says who was at fault.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the transport, without an alert.
    pub async fn accept<IO>(
        &self,
        io: IO,
    ) -> Result<(ServerStream<IO>, Option<VerifiedPeer>), HandshakeError>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        // Boxed, so that the memory of the handshake is given back when it is over.
        Box::pin(accept(Arc::clone(&self.config), io)).await
    }
}

async fn accept<IO>(
    config: Arc<ServerConfig>,
    io: IO,
) -> Result<(ServerStream<IO>, Option<VerifiedPeer>), HandshakeError>
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let accept = TlsAcceptor::from(config)
        .accept(HandshakeIo::new(io))
        .into_fallible();
    let (outcome, verdict) = scoped(IdMatcher::Any, accept).await;
    match outcome {
        Ok(stream) => {
            let (_, connection) = stream.get_ref();
            let nobody =
                verdict.is_none() && connection.peer_certificates().is_none_or(<[_]>::is_empty);
            let peer = if nobody {
                None
            } else {
                Some(VerifiedPeer::of(connection, connection.server_name(), verdict)?)
            };
            Ok((ServerStream::new(stream), peer))
        }
        Err((error, io)) => {
            io.end().await;
            Err(HandshakeError::new(error, verdict, &IdMatcher::Any))
        }
    }
}

impl fmt::Debug for EnrollmentServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnrollmentServer").finish_non_exhaustive()
    }
}
