//! The acceptor: the inbound road from the first byte to the application.

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use meshtls_rustls::{AlpnAnswer, HttpSpoken, TlsProfile};
use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};

use crate::{
    authorization::Ruling,
    builder::{AcceptorBuilder, WantsSvid},
    deadline::{DetectionTimeout, within},
    decide::{AppProtocol, Decision, ForeignTlsReason, PlaintextReason, Side, UnsniffedReason},
    detect::{End, Look, Port, read_more},
    effective::Policies,
    handshake::Plan,
    inbound::{ForeignTls, Inbound, Plaintext, Unsniffed},
    observer::Observer,
    refusal::{Refusal, Stage},
    replay::Replay,
    report::Report,
    servers::Servers,
    slots::{Handshakes, Slots},
    transport::Transport,
};

/// Accepts the connections of one workload port. Clones share its limits and what it has prepared.
#[derive(Clone)]
pub struct Acceptor {
    shared: Arc<Shared>,
}

/// What all connections of an acceptor share.
pub(crate) struct Shared {
    pub(crate) policies: Policies,
    pub(crate) servers: Servers,
    pub(crate) port: Port,
    pub(crate) spoken: HttpSpoken,
    pub(crate) detection_timeout: DetectionTimeout,
    pub(crate) handshake_timeout: Duration,
    pub(crate) pending: Arc<Slots>,
    pub(crate) handshakes: Handshakes,
    pub(crate) observer: Option<Arc<dyn Observer>>,
}

impl Acceptor {
    /// Begins to build an acceptor whose handshakes follow `profile`.
    pub const fn builder(profile: TlsProfile) -> AcceptorBuilder<WantsSvid> {
        AcceptorBuilder::new(profile)
    }

    pub(crate) fn new(shared: Shared) -> Self {
        Self { shared: Arc::new(shared) }
    }

    /// Takes a connection from its first byte to what the application may have of it.
    ///
    /// `peer_addr` is the address of the other end, which authorization policies look at (`ipBlocks`, `source.ip`).
    ///
    /// It takes at most the detection timeout, the handshake timeout, the detection timeout again, and two seconds to close a
    /// connection that policies do not let in; the future is small,
    /// and what it needed on the way is freed when it is done. Run several at once: a slow peer holds up only its own.
    ///
    /// The observer, if any, is told the outcome before this returns.
    ///
    /// # Errors
    ///
    /// A [`Refusal`]; `io` is closed by then, as its variant says.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection, and the observer is told [`Refusal::Cancelled`].
    pub async fn accept<IO: Transport>(
        &self,
        io: IO,
        peer_addr: impl Into<Option<SocketAddr>>,
    ) -> Result<Inbound<IO>, Refusal> {
        // The caller's own future should not be as large as a handshake for as long as the connection lives.
        Box::pin(self.accept_until(io, peer_addr.into(), &mut Stop::never())).await
    }

    /// As [`accept`](Self::accept), and gives up when `stop` is requested.
    pub(crate) async fn accept_until<IO: Transport>(
        &self,
        mut io: IO,
        peer_addr: Option<SocketAddr>,
        stop: &mut Stop,
    ) -> Result<Inbound<IO>, Refusal> {
        let shared = &*self.shared;
        let mut report = Report::new(
            shared.observer.as_deref(),
            peer_addr,
            shared.policies.port(),
            shared.policies.now(),
        );
        let mut prefix = Vec::new();
        match shared.open(&mut io, &mut prefix, &mut report, stop).await {
            Ok(Opened::Application(handover)) => match report.authorize_as_decided() {
                Ok(ruling) => {
                    let inbound = handover.with(Replay::new(prefix, io), &report, ruling);
                    report.accepted(&inbound);
                    Ok(inbound)
                }
                Err(refusal) => {
                    report.refused(&refusal);
                    drop(prefix);
                    shared.close(io, stop).await;
                    Err(refusal)
                }
            },
            Ok(Opened::Terminate(plan)) => {
                shared
                    .terminate(plan, Replay::new(prefix, io), report, stop)
                    .await
            }
            Err(refusal) => {
                report.refused(&refusal);
                io.abort();
                Err(refusal)
            }
        }
    }

    /// Refuses the oldest connection that waits for its first bytes or its handshake. Whether there was one.
    pub(crate) fn shed_oldest(&self) -> bool {
        self.shared
            .pending
            .shed_oldest(Duration::ZERO, Instant::now())
    }

    pub(crate) fn observer(&self) -> Option<&dyn Observer> {
        self.shared.observer.as_deref()
    }
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acceptor")
            .field("port", &self.shared.policies.port())
            .field("protocol", &self.shared.port.protocol)
            .finish_non_exhaustive()
    }
}

/// Where the first bytes lead, if they are not refused.
enum Opened {
    Application(Handover),
    Terminate(Plan),
}

/// A decision that leaves the bytes alone.
enum Handover {
    Plaintext(AppProtocol, PlaintextReason),
    ForeignTls(ForeignTlsReason),
    Unsniffed(UnsniffedReason),
}

impl Handover {
    fn with<IO>(self, stream: Replay<IO>, report: &Report<'_>, ruling: Ruling) -> Inbound<IO> {
        match self {
            Self::Plaintext(app_protocol, reason) => Inbound::Plaintext(Plaintext {
                reason,
                connection: report.connection(app_protocol, ruling),
                stream,
            }),
            Self::ForeignTls(reason) => Inbound::ForeignTls(ForeignTls {
                reason,
                connection: report.connection(AppProtocol::Tcp, ruling),
                stream,
            }),
            Self::Unsniffed(reason) => Inbound::Unsniffed(Unsniffed {
                reason,
                connection: report.connection(AppProtocol::Tcp, ruling),
                stream,
            }),
        }
    }
}

impl Shared {
    /// Everything before the first byte of ours. Whatever fails here is a reset for the client.
    async fn open<IO: Transport>(
        &self,
        io: &mut IO,
        prefix: &mut Vec<u8>,
        report: &mut Report<'_>,
        stop: &mut Stop,
    ) -> Result<Opened, Refusal> {
        let mut slot = self.pending.enter(report.started());
        tokio::select! {
            biased;
            opened = async {
                match self.detect(io, prefix, report).await? {
                    Decision::Unsniffed(reason) => Ok(Opened::Application(Handover::Unsniffed(reason))),
                    Decision::Plaintext(app, reason) => Ok(Opened::Application(Handover::Plaintext(app, reason))),
                    Decision::ForeignTls(reason) => Ok(Opened::Application(Handover::ForeignTls(reason))),
                    Decision::Refuse(refusal) => Err(refusal.into()),
                    Decision::Terminate(side) => self.plan(side, report).await.map(Opened::Terminate),
                }
            } => opened,
            () = slot.shed() => Err(Refusal::Overloaded),
            () = stop.requested() => Err(Refusal::ShuttingDown),
        }
    }

    /// Reads until the first bytes decide, or until there will be no more. The policies in force then are the ones that count.
    async fn detect<IO: Transport>(
        &self,
        io: &mut IO,
        prefix: &mut Vec<u8>,
        report: &mut Report<'_>,
    ) -> Result<Decision, Refusal> {
        let deadline = self.detection_timeout.deadline(report.started());
        loop {
            match self.port.look(report.effective.rule.mode, prefix) {
                Look::Decided(decision, opening) => {
                    let decision = decision.unless_ingress_tls(report.effective.ingress_tls);
                    report.learned(io, opening, decision);
                    report.decided(self.port, prefix, None, decision);
                    return Ok(decision);
                }
                Look::NeedMore => {}
            }
            let read = within(deadline, read_more(io, prefix)).await;
            report.effective = self.policies.now();
            let end = match read {
                Some(Ok(0)) => End::Closed,
                Some(Ok(_)) => continue,
                Some(Err(source)) => return Err(Refusal::Lost { stage: Stage::Detection, source }),
                None => End::Deadline,
            };
            let decision = self.port.give_up(report.effective.rule.mode, prefix, end);
            let decision = decision.unless_ingress_tls(report.effective.ingress_tls);
            report.learned(io, None, decision);
            report.decided(self.port, prefix, Some(end), decision);
            return Ok(decision);
        }
    }

    /// Waits for the handshake's turn, and readies what it needs.
    async fn plan(&self, side: Side, report: &Report<'_>) -> Result<Plan, Refusal> {
        let answer = report
            .hello()
            .map_or(AlpnAnswer::None, |hello| AlpnAnswer::choose(hello.alpn(), self.spoken));
        let now = Instant::now();
        let deadline = now.checked_add(self.handshake_timeout).unwrap_or(now);
        let turn = timeout_at(deadline, self.handshakes.turn())
            .await
            .map_err(|_elapsed| Refusal::Overloaded)?;
        // Only now: what is no longer trusted after the wait must not verify the peer.
        let ready = self.servers.now(&report.effective.accepted)?;
        Ok(Plan { side, answer, ready, turn, deadline })
    }
}

/// A request to give up, which may never come.
#[derive(Clone, Debug)]
pub(crate) struct Stop(Option<watch::Receiver<bool>>);

impl Stop {
    pub(crate) const fn never() -> Self {
        Self(None)
    }

    pub(crate) const fn when(requested: watch::Receiver<bool>) -> Self {
        Self(Some(requested))
    }

    /// Waits for the request. Cancel safe.
    pub(crate) async fn requested(&mut self) {
        match &mut self.0 {
            // Without a sender the listener is gone, which is as good as a request.
            Some(requested) => drop(requested.wait_for(|requested| *requested).await.ok()),
            None => std::future::pending().await,
        }
    }
}
