//! Whether the authorization policies let a connection in.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use meshtls_identity::SpiffeId;
use meshtls_policy::{AuthorizationReason, Connection, PeerNames, ResourceName, Verdict};

/// What the authorization policies said about a connection.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ruling {
    reason: AuthorizationReason,
    decided: Option<(ResourceName, usize)>,
}

impl Ruling {
    /// Whether the connection may pass.
    #[must_use]
    pub fn allow(&self) -> bool {
        self.reason.allows()
    }

    /// Why.
    #[must_use]
    pub const fn reason(&self) -> AuthorizationReason {
        self.reason
    }

    /// The policy that decided; `None` where none did.
    #[must_use]
    pub fn policy(&self) -> Option<&ResourceName> {
        self.decided.as_ref().map(|(policy, _)| policy)
    }

    /// The number of the rule that decided, from 0 in the order of the policy.
    #[must_use]
    pub fn rule(&self) -> Option<usize> {
        self.decided.as_ref().map(|(_, rule)| *rule)
    }
}

impl From<Verdict<'_>> for Ruling {
    fn from(verdict: Verdict<'_>) -> Self {
        let decided = verdict.policy().cloned().zip(verdict.rule());
        Self { reason: verdict.reason(), decided }
    }
}

/// Such as `a DENY policy matches (foo/no-plaintext, rule 0)`.
impl fmt::Display for Ruling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)?;
        match &self.decided {
            Some((policy, rule)) => write!(f, " ({policy}, rule {rule})"),
            None => Ok(()),
        }
    }
}

/// The authorization policies do not let the connection in.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Unauthorized {
    /// What they said.
    pub ruling: Ruling,
    /// The verified member of the mesh that was refused; `None` without mutual TLS.
    pub peer: Option<SpiffeId>,
}

/// Such as `spiffe://prod.example/ns/pay/sa/ledger may not come in: no ALLOW policy matches`.
impl fmt::Display for Unauthorized {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.peer {
            Some(peer) => peer.fmt(f)?,
            None => f.write_str("a client without identity")?,
        }
        write!(f, " may not come in: {}", self.ruling)
    }
}

impl std::error::Error for Unauthorized {}

/// What policies may ask about, besides who the peer is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) peer_addr: Option<SocketAddr>,
    pub(crate) local_addr: Option<SocketAddr>,
    pub(crate) port: u16,
    pub(crate) server_name: Option<&'a str>,
}

impl<'a> Facts<'a> {
    /// As policies see it. Without `peer` it shows no identity.
    pub(crate) fn with(self, peer: Option<&'a SpiffeId>) -> Connection<'a> {
        let ip = |address: Option<SocketAddr>| address.map_or(UNKNOWN, |address| address.ip());
        let connection = Connection::new(ip(self.peer_addr), ip(self.local_addr), self.port)
            .with_sni(self.server_name);
        match peer {
            Some(id) => connection.with_peer(PeerNames::workload(id)),
            None => connection,
        }
    }
}

/// The address of a transport that has none. No block but one around it (`0.0.0.0/0`) contains it.
const UNKNOWN: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// What one policy set says about a connection.
#[derive(Clone, Debug)]
pub(crate) struct Judgement {
    /// What acts.
    pub(crate) acts: Ruling,
    /// What would act if no policy were on trial.
    pub(crate) trial: Ruling,
}

impl Judgement {
    /// Both have to let it in; the first that does not is named.
    pub(crate) fn and(self, later: Self) -> Self {
        let first = |one: Ruling, other| if one.allow() { other } else { one };
        Self { acts: first(self.acts, later.acts), trial: first(self.trial, later.trial) }
    }
}
