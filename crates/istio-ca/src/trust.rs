//! How a client knows the right CA, and the handshake that finds out.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use meshtls_identity::{IdMatcher, SpiffeId};
use meshtls_rustls::{
    ClientStream, ConfigError, HandshakeError, MeshClient, OriginationClient,
    OriginationConfigError, OriginationError, TlsProfile,
};
use meshtls_svid::{
    KeyedChain, KeyedChainError, LoadError, NameCheck, ServerAuthorities, SvidSnapshot,
    TrustBundle, TrustBundles,
};
use rustls_pki_types::ServerName;

use crate::transport::Transport;

/// How a client knows that it speaks to its CA. The roots come from a PEM file, which is read at every connection.
///
/// The file must come by a way that nobody else can write to: whoever chooses it chooses the CA.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CaTrust {
    roots: PathBuf,
    server: CaName,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum CaName {
    Host(ServerName<'static>),
    Id(SpiffeId),
}

impl CaTrust {
    /// The CA has a certificate for this DNS name or IP address, under one of the roots: as istiod has, and whatever stands
    /// behind a public name.
    #[must_use]
    pub fn host(roots: impl Into<PathBuf>, name: ServerName<'static>) -> Self {
        Self { roots: roots.into(), server: CaName::Host(name) }
    }

    /// The CA has an X509-SVID of its own for this ID: as [`IstioCaServer`](crate::IstioCaServer) has by default.
    ///
    /// The roots of the file count until the client has an X509-SVID of its own to show; from then on those do that came with
    /// it, so that a rotation of the roots needs no new file.
    #[must_use]
    pub fn spiffe_id(roots: impl Into<PathBuf>, id: SpiffeId) -> Self {
        Self { roots: roots.into(), server: CaName::Id(id) }
    }

    /// Makes what does the handshake, showing `own` if there is one. Reads a file: call it where blocking is allowed.
    pub(crate) fn client(
        &self,
        profile: &TlsProfile,
        own: Option<&SvidSnapshot>,
    ) -> Result<CaTls, TrustError> {
        Ok(match (&self.server, own) {
            (CaName::Host(name), own) => {
                let authorities = Arc::new(ServerAuthorities::from_file(&self.roots)?);
                let own = own.map(presented).transpose()?;
                let client = OriginationClient::new(profile, authorities, own.as_ref())?;
                CaTls::Host(client, name.clone())
            }
            (CaName::Id(id), Some(own)) => {
                CaTls::Id(MeshClient::new(profile, own)?, IdMatcher::Exact(id.clone()))
            }
            (CaName::Id(id), None) => {
                let bundle = TrustBundle::from_file(id.trust_domain().clone(), &self.roots)?;
                let bundles = Arc::new(TrustBundles::new([bundle]));
                CaTls::Id(
                    MeshClient::without_svid(profile, &bundles)?,
                    IdMatcher::Exact(id.clone()),
                )
            }
        })
    }

    /// The file with the roots.
    #[must_use]
    pub fn roots(&self) -> &Path {
        &self.roots
    }
}

/// The own X509-SVID for a server that knows nothing of SPIFFE.
fn presented(own: &SvidSnapshot) -> Result<KeyedChain, KeyedChainError> {
    let svid = own.svid();
    KeyedChain::new(svid.chain().to_vec(), svid.private_key().clone_key())
}

/// One generation of trust and identity, ready for a handshake.
pub(crate) enum CaTls {
    Host(OriginationClient, ServerName<'static>),
    Id(MeshClient, IdMatcher),
}

impl CaTls {
    /// Does the handshake. It has no deadline of its own.
    pub(crate) async fn connect<T: Transport>(&self, io: T) -> Result<ClientStream<T>, TlsError> {
        const ALPN: &[&[u8]] = &[b"h2"];
        match self {
            Self::Host(client, name) => {
                let names = NameCheck::Host(name.clone());
                let (stream, _) = client.connect(io, Some(name.clone()), &names, ALPN).await?;
                Ok(stream)
            }
            Self::Id(client, id) => Ok(client.connect(io, None, id, ALPN).await?.0),
        }
    }
}

/// Why there is no TLS to speak to a CA.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TrustError {
    /// The roots cannot be read.
    #[error("the CA's roots cannot be used")]
    Roots(#[from] LoadError),
    /// The own X509-SVID cannot be shown to a server known by its name.
    #[error("the own certificate cannot be shown")]
    Own(#[from] KeyedChainError),
    /// The own key or the TLS profile.
    #[error("no TLS configuration can be made")]
    Config(#[from] ConfigError),
    /// The same, for a server known by its name.
    #[error("no TLS configuration can be made")]
    HostConfig(#[from] OriginationConfigError),
}

/// Why the handshake with a CA failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    /// With a CA known by its SPIFFE ID.
    #[error(transparent)]
    SpiffeId(#[from] HandshakeError),
    /// With a CA known by its name.
    #[error(transparent)]
    Host(#[from] OriginationError),
}

impl TlsError {
    /// Whether the transport failed, which says nothing of the server.
    pub(crate) fn is_transport(&self) -> bool {
        matches!(self, Self::SpiffeId(HandshakeError::Io(_)) | Self::Host(OriginationError::Io(_)))
    }
}
