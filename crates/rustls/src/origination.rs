//! TLS origination: the client's end towards servers outside the mesh, by the modes SIMPLE and MUTUAL.

use std::fmt;
use std::net::Ipv4Addr;
use std::sync::Arc;

use meshtls_svid::{KeyedChain, NameCheck, PresentedNames, ServerAuthorities};
use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ProtocolVersion};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

use crate::handshake_io::HandshakeIo;
use crate::key::keyed_chain;
use crate::origination_error::{OriginationConfigError, OriginationError};
use crate::peer::TlsVersion;
use crate::profile::TlsProfile;
use crate::stream::ClientStream;
use crate::verify_server::{ServerVerifier, Trust};

/// Connects by TLS to servers that know nothing of SPIFFE: by SIMPLE without a certificate of our own, by MUTUAL
/// with one. Cheap to clone.
///
/// Nothing is ever resumed, and there is no early data. What comes out is an [`OriginatedPeer`], never a
/// [`VerifiedPeer`](crate::VerifiedPeer): these servers prove names, no SPIFFE ID.
#[derive(Clone)]
pub struct OriginationClient {
    config: Arc<ClientConfig>,
    trust: Trust,
}

impl OriginationClient {
    /// Makes the configuration: verify servers by `authorities`, and present `own` to those that ask.
    ///
    /// # Errors
    ///
    /// [`OriginationConfigError`]: the key of `own`, or the profile's provider.
    pub fn new(
        profile: &TlsProfile,
        authorities: Arc<ServerAuthorities>,
        own: Option<&KeyedChain>,
    ) -> Result<Self, OriginationConfigError> {
        Self::with_trust(profile, Trust::Authorities(authorities), own)
    }

    /// Makes the configuration that accepts **any** certificate of any server, which is what Istio's
    /// `insecureSkipVerify` asks for: whoever sits between can read and write everything. The server still proves
    /// that it holds the key of whatever it presents.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn dangerous_without_verification(
        profile: &TlsProfile,
        own: Option<&KeyedChain>,
    ) -> Result<Self, OriginationConfigError> {
        Self::with_trust(profile, Trust::DangerousAnybody, own)
    }

    fn with_trust(
        profile: &TlsProfile,
        trust: Trust,
        own: Option<&KeyedChain>,
    ) -> Result<Self, OriginationConfigError> {
        // Each handshake puts its own verifier in place of this one, which accepts nobody.
        let nobody = NameCheck::OneOf(vec![]);
        let verifier = ServerVerifier::new(trust.clone(), nobody, profile.provider());
        let builder = ClientConfig::builder_with_details(
            Arc::clone(profile.provider()),
            Arc::clone(profile.time()),
        )
        .with_protocol_versions(profile.versions())
        .map_err(OriginationConfigError::Provider)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match own {
            Some(own) => builder.with_client_cert_resolver(keyed_chain(profile.provider(), own)?),
            None => builder.with_no_client_auth(),
        };
        config.resumption = Resumption::disabled();
        config.enable_early_data = false;
        Ok(Self { config: Arc::new(config), trust })
    }

    /// Does the client's part of the handshake with a server that must carry one of `names`.
    ///
    /// `sni` is sent if it is a DNS name; `None` and IP addresses send none. It has no part in judging the server:
    /// `names` alone do, after the chain. `alpn` is offered in its order; if it is empty, so is the offer. There is
    /// no deadline here: it is the caller's, as one over the whole future.
    ///
    /// Success says that the server is who it should be, not yet that it accepted us: see [`ClientStream`].
    ///
    /// # Errors
    ///
    /// [`OriginationError`] says who was at fault; [`RejectServer::WrongName`](meshtls_svid::RejectServer::WrongName)
    /// in it, which names were presented and which accepted.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the transport, without an alert.
    pub async fn connect<IO>(
        &self,
        io: IO,
        sni: Option<ServerName<'static>>,
        names: &NameCheck,
        alpn: &[&[u8]],
    ) -> Result<(ClientStream<IO>, OriginatedPeer), OriginationError>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        // An IP address stands for "no SNI" (RFC 6066 section 3 has none for them).
        let sni = sni.unwrap_or_else(|| ServerName::IpAddress(Ipv4Addr::UNSPECIFIED.into()));
        let provider = self.config.crypto_provider();
        let verifier = Arc::new(ServerVerifier::new(self.trust.clone(), names.clone(), provider));
        let mut config = ClientConfig::clone(&self.config);
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        config
            .dangerous()
            .set_certificate_verifier(Arc::<ServerVerifier>::clone(&verifier));
        // Boxed, so that the memory of the handshake is given back when it is over.
        Box::pin(handshake(Arc::new(config), io, sni, &verifier)).await
    }
}

async fn handshake<IO>(
    config: Arc<ClientConfig>,
    io: IO,
    sni: ServerName<'static>,
    verifier: &ServerVerifier,
) -> Result<(ClientStream<IO>, OriginatedPeer), OriginationError>
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let connect = TlsConnector::from(config)
        .connect(sni, HandshakeIo::new(io))
        .into_fallible();
    match connect.await {
        Ok(stream) => {
            let (_, connection) = stream.get_ref();
            // Neither can be missing, since nothing is resumed; but who was not judged here and now is nobody.
            let presented = verifier.accepted().ok_or(OriginationError::NoCertificate)?;
            let peer = OriginatedPeer {
                presented,
                verified: verifier.verifies(),
                tls_version: match connection.protocol_version() {
                    Some(ProtocolVersion::TLSv1_2) => TlsVersion::Tls12,
                    _ => TlsVersion::Tls13,
                },
                alpn: connection.alpn_protocol().map(Box::from),
            };
            Ok((ClientStream::new(stream), peer))
        }
        Err((error, io)) => {
            io.end().await;
            Err(OriginationError::new(error, verifier.verdict()))
        }
    }
}

impl fmt::Debug for OriginationClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OriginationClient")
            .field("trust", &self.trust)
            .finish_non_exhaustive()
    }
}

/// A server that was reached by TLS origination: what it presented. It has no SPIFFE identity, whatever its
/// certificate claims.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OriginatedPeer {
    presented: PresentedNames,
    verified: bool,
    tls_version: TlsVersion,
    alpn: Option<Box<[u8]>>,
}

impl OriginatedPeer {
    /// Gives the names in the server's certificate. They are proved if [`is_verified`](Self::is_verified) says so,
    /// else only claimed.
    #[must_use]
    pub fn presented(&self) -> &PresentedNames {
        &self.presented
    }

    /// Tells whether the server's chain was verified; not so only after
    /// [`dangerous_without_verification`](OriginationClient::dangerous_without_verification).
    #[must_use]
    pub fn is_verified(&self) -> bool {
        self.verified
    }

    /// Gives the TLS version in use.
    #[must_use]
    pub fn tls_version(&self) -> TlsVersion {
        self.tls_version
    }

    /// Gives the application protocol that was agreed on.
    #[must_use]
    pub fn alpn(&self) -> Option<&[u8]> {
        self.alpn.as_deref()
    }
}
