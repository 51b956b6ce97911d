//! The server's end: three ready configurations, and the handshake.

use std::fmt;
use std::sync::Arc;

use meshtls_identity::{AcceptedDomains, IdMatcher};
use meshtls_svid::{SvidSnapshot, Usage};
use rustls::ServerConfig;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, ResolvesServerCert};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;

use crate::alpn::AlpnAnswer;
use crate::error::{ConfigError, HandshakeError};
use crate::handshake_io::HandshakeIo;
use crate::key::certified_key;
use crate::peer::VerifiedPeer;
use crate::profile::TlsProfile;
use crate::slot::scoped;
use crate::stream::ServerStream;
use crate::verify::PeerVerifier;

/// Accepts mutual TLS with one generation of identity and trust. Cheap to clone.
///
/// A client certificate is required. Nothing is ever resumed: a resumed peer would not be verified again and
/// so outlive its authority and its certificate. There is no early data. The certificate request names no
/// authorities.
#[derive(Clone)]
pub struct MeshServer {
    // rustls aborts when it has names and the client offers none of them, so each answer has its own
    // configuration. None is ever made from another: a clone would share its session store.
    without: Arc<ServerConfig>,
    http11: Arc<ServerConfig>,
    http2: Arc<ServerConfig>,
    generation: u64,
}

impl MeshServer {
    /// Makes the configurations: present the snapshot's identity, and accept clients that its bundles
    /// verify and whose trust domain is accepted.
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
        let key: Arc<dyn ResolvesServerCert> = certified_key(profile.provider(), snapshot.svid())?;
        let verifier: Arc<dyn ClientCertVerifier> = Arc::new(PeerVerifier::new(
            Arc::clone(snapshot.bundles()),
            accepted.clone(),
            profile.provider(),
            Usage::Client,
        ));
        let config = |answer: AlpnAnswer| {
            let builder = ServerConfig::builder_with_details(
                Arc::clone(profile.provider()),
                Arc::clone(profile.time()),
            );
            let mut config = builder
                .with_protocol_versions(profile.versions())
                .map_err(ConfigError::Provider)?
                .with_client_cert_verifier(Arc::clone(&verifier))
                .with_cert_resolver(Arc::clone(&key));
            config.alpn_protocols = answer.protocols();
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
            config.max_tls13_tickets = 0;
            config.max_early_data_size = 0;
            Ok(Arc::new(config))
        };
        Ok(Self {
            without: config(AlpnAnswer::None)?,
            http11: config(AlpnAnswer::Http11)?,
            http2: config(AlpnAnswer::Http2)?,
            generation: snapshot.generation(),
        })
    }

    /// Gives the generation of the snapshot this was made from.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Does the server's part of the handshake.
    ///
    /// `answer` must be a protocol that the client offers ([`AlpnAnswer::choose`]) or [`AlpnAnswer::None`];
    /// else the handshake fails with no_application_protocol. There is no deadline here: it is the
    /// caller's, as one over the whole future.
    ///
    /// After a failure the alert is sent, the transport is shut down for writing, and dropped. If the peer goes
    /// on sending, the kernel may turn that drop into a reset: who wants an orderly end keeps the socket
    /// and reads it to its end.
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
        answer: AlpnAnswer,
    ) -> Result<(ServerStream<IO>, VerifiedPeer), HandshakeError>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let config = match answer {
            AlpnAnswer::None => &self.without,
            AlpnAnswer::Http11 => &self.http11,
            AlpnAnswer::Http2 => &self.http2,
        };
        // Boxed, so that the memory of the handshake is given back when it is over.
        Box::pin(handshake(Arc::clone(config), io)).await
    }
}

async fn handshake<IO>(
    config: Arc<ServerConfig>,
    io: IO,
) -> Result<(ServerStream<IO>, VerifiedPeer), HandshakeError>
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let accept = TlsAcceptor::from(config)
        .accept(HandshakeIo::new(io))
        .into_fallible();
    // Which clients may connect is the verifier's trust domains and later authorization.
    let (outcome, verdict) = scoped(IdMatcher::Any, accept).await;
    match outcome {
        Ok(stream) => {
            let (_, connection) = stream.get_ref();
            let peer = VerifiedPeer::of(connection, connection.server_name(), verdict)?;
            Ok((ServerStream::new(stream), peer))
        }
        Err((error, io)) => {
            io.end().await;
            Err(HandshakeError::new(error, verdict, &IdMatcher::Any))
        }
    }
}

impl fmt::Debug for MeshServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MeshServer")
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}
