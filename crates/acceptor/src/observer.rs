//! What an observer is told: one event for each connection.

use std::{io, net::SocketAddr, time::Duration};

use meshtls_policy::{MtlsMode, Winner};
use meshtls_rustls::VerifiedPeer;

use crate::{
    authorization::Ruling,
    decide::{AppProtocol, ForeignTlsReason, PlaintextReason, UnsniffedReason},
    inbound::{Inbound, IngressPeer},
    refusal::Refusal,
    shadow::Shadow,
};

/// Is told how each connection ended up. Called on the connection's own task, so it must not block.
pub trait Observer: Send + Sync {
    /// A connection was accepted or refused. Called exactly once for each.
    fn connection(&self, event: &Event<'_>);

    /// The listener could not accept (no file descriptors left, for example) and goes on trying.
    ///
    /// Called once for each episode: errors less than five seconds apart are one. Does nothing by default.
    fn accept_failed(&self, error: &io::Error) {
        let _ = error;
    }
}

/// How one connection ended up.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Event<'a> {
    /// What became of it.
    pub outcome: Outcome<'a>,
    /// The address of the other end, if the transport has one.
    pub peer_addr: Option<SocketAddr>,
    /// The workload port it came to.
    pub port: u16,
    /// The mode that was in force when it was decided what becomes of it.
    pub mode: MtlsMode,
    /// Where that mode came from.
    pub winner: &'a Winner,
    /// What the authorization policies said; `None` if the connection was refused before they were asked.
    pub authorization: Option<&'a Ruling>,
    /// From its arrival to the decision, or to its end if that came first. It includes waiting for a handshake's turn.
    pub detection: Duration,
    /// From the first byte of ours to the end of the handshake or its failure; `None` if there was no handshake.
    pub handshake: Option<Duration>,
    /// What would have become of it if no policy were on trial, neither for the mode nor for authorization. `None` if no
    /// policy on trial is for this port, and if the connection ended before its first bytes decided.
    pub shadow: Option<Shadow<'a>>,
}

/// What became of a connection.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_enums, reason = "a connection is accepted or refused")]
pub enum Outcome<'a> {
    /// It was handed to the application.
    Accepted(Accepted<'a>),
    /// It was not.
    Refused(&'a Refusal),
}

/// As what a connection was accepted: [`Inbound`] without the stream.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_enums, reason = "it mirrors Inbound")]
pub enum Accepted<'a> {
    /// [`Inbound::Mesh`].
    Mesh(&'a VerifiedPeer, AppProtocol),
    /// [`Inbound::Ingress`].
    Ingress(&'a IngressPeer, AppProtocol),
    /// [`Inbound::Plaintext`].
    Plaintext(PlaintextReason, AppProtocol),
    /// [`Inbound::ForeignTls`].
    ForeignTls(ForeignTlsReason),
    /// [`Inbound::Unsniffed`].
    Unsniffed(UnsniffedReason),
}

impl<'a> Accepted<'a> {
    pub(crate) const fn of<IO>(inbound: &'a Inbound<IO>) -> Self {
        let app_protocol = inbound.connection().app_protocol();
        match inbound {
            Inbound::Mesh(mesh) => Self::Mesh(&mesh.peer, app_protocol),
            Inbound::Ingress(ingress) => Self::Ingress(&ingress.peer, app_protocol),
            Inbound::Plaintext(plaintext) => Self::Plaintext(plaintext.reason, app_protocol),
            Inbound::ForeignTls(foreign) => Self::ForeignTls(foreign.reason),
            Inbound::Unsniffed(unsniffed) => Self::Unsniffed(unsniffed.reason),
        }
    }
}

impl Outcome<'_> {
    /// [`Inbound::kind`] or [`Refusal::reason`]: a short label that stays the same between releases.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::Accepted(Accepted::Mesh(..)) => "mesh",
            Self::Accepted(Accepted::Ingress(..)) => "ingress",
            Self::Accepted(Accepted::Plaintext(..)) => "plaintext",
            Self::Accepted(Accepted::ForeignTls(_)) => "foreign_tls",
            Self::Accepted(Accepted::Unsniffed(_)) => "unsniffed",
            Self::Refused(refusal) => refusal.reason(),
        }
    }
}
