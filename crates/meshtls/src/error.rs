//! Why a workload or a listener does not start.

use std::io;
use std::net::SocketAddr;

use meshtls_acceptor::BuildError;
use meshtls_identity::{SpiffeId, TrustDomain};
use meshtls_policy::ParseError;
use meshtls_source::{IdentityError, PolicyError};

/// Why a workload does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// No crypto provider: neither the feature `ring` nor `aws-lc-rs` is on, and none was given with
    /// [`WorkloadBuilder::tls`](crate::WorkloadBuilder::tls).
    #[error(
        "there is no crypto provider: turn on the feature `ring` or `aws-lc-rs`, or give one with `tls`"
    )]
    NoProvider,
    /// Files are to be watched and identities renewed, but there is no tokio runtime to do it on.
    #[error(
        "there is no tokio runtime to keep identity and policies fresh on: call `start` inside of one"
    )]
    NoRuntime,
    /// The CA directory cannot be used.
    #[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
    #[cfg_attr(docsrs, doc(cfg(any(feature = "ring", feature = "aws-lc-rs"))))]
    #[error("the CA directory cannot be used")]
    CaDir(#[from] meshtls_ca::store::StoreError),
    /// There is no usable identity.
    #[error("there is no usable identity")]
    Identity(#[from] IdentityError),
    /// The certificate names somebody else than the workload.
    #[error("the certificate is that of {presented}, but the workload is {expected}")]
    OtherIdentity {
        /// Whom the certificate names.
        presented: SpiffeId,
        /// Who the workload is.
        expected: SpiffeId,
    },
    /// The settings of the mesh are for another trust domain than the workload's.
    #[error("the mesh settings are for trust domain {settings}, but the workload is {expected}")]
    OtherTrustDomain {
        /// The trust domain of the settings.
        settings: TrustDomain,
        /// Who the workload is.
        expected: SpiffeId,
    },
    /// The settings of the mesh accept members of another trust domain, and the identity's source has no trust bundle for it.
    /// The mesh's own authority must not prove identities of others, nor theirs ours (`docs/adr/0003`).
    #[error(
        "trust domain {domain} is accepted, but there is no trust bundle of its own to check its members with: give one with `federation`, or make it an alias if the mesh's own authority speaks for it"
    )]
    NoBundleFor {
        /// The trust domain.
        domain: TrustDomain,
    },
    /// The federation has a source for the workload's own trust domain, for which its own authority vouches.
    #[error("trust domain {domain} is the workload's own: take its source out of the federation")]
    FederatedOwnDomain {
        /// The trust domain.
        domain: TrustDomain,
    },
    /// There is a federation beside an [`IdentityFrom::Source`](crate::IdentityFrom::Source), which gives all bundles itself.
    #[error(
        "an identity from IdentityFrom::Source brings all trust bundles along: give it those of other domains, not the workload"
    )]
    FederationOfSource,
    /// Policies or services cannot be loaded.
    #[error("the policies cannot be loaded")]
    Policies(#[from] PolicyError),
    /// A text of policies or services is not right.
    #[error("the policies are not right")]
    Text(#[from] ParseError),
}

/// Why a listener does not open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// The address cannot be bound.
    #[error("{address} cannot be bound")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The settings make no acceptor.
    #[error("the listener's settings are not right")]
    Setting(#[from] BuildError),
}
