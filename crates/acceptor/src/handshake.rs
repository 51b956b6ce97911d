//! The handshake, and what follows it before the application has the stream.

use std::{pin::pin, sync::Arc};

use meshtls_identity::{AcceptedDomains, SpiffeId};
use meshtls_rustls::{AlpnAnswer, HandshakeError};
use meshtls_svid::RejectSvid;
use tokio::time::{Instant, sleep_until};

use crate::{
    acceptor::{Shared, Stop},
    close::close_in_order,
    deadline::within,
    decide::{AppProtocol, Side},
    detect::{http_inside, read_more},
    effective::Effective,
    inbound::{Inbound, Mesh},
    lent::lend,
    opening::OpeningRefusal,
    refusal::{Refusal, Stage},
    replay::Replay,
    report::Report,
    servers::Ready,
    slots::Turn,
    stream::{Encrypted, TlsStream},
    transport::Transport,
};

/// A handshake that is about to begin.
pub(crate) struct Plan {
    pub(crate) side: Side,
    pub(crate) answer: AlpnAnswer,
    pub(crate) ready: Arc<Ready>,
    pub(crate) turn: Turn,
    pub(crate) deadline: Instant,
}

/// What a refused connection still holds.
enum Held<IO> {
    Turn(Turn),
    Stream(Encrypted<IO>),
    Nothing,
}

impl Shared {
    /// Ends the TLS of `io`. A handshake that fails never falls back to anything.
    pub(crate) async fn terminate<IO: Transport>(
        &self,
        plan: Plan,
        io: Replay<IO>,
        mut report: Report<'_>,
        stop: &mut Stop,
    ) -> Result<Inbound<IO>, Refusal> {
        let Plan { side, answer, ready, mut turn, deadline } = plan;
        report.handshake_begins();
        let (lent, lender) = lend(io);
        let ended = {
            let handshake = pin!(ready.server.accept(lent, answer));
            tokio::select! {
                biased;
                done = handshake => done.map_err(Refusal::Handshake),
                () = sleep_until(deadline) => Err(Refusal::HandshakeTimeout),
                () = turn.slot.shed() => Err(Refusal::Overloaded),
                () = stop.requested() => Err(Refusal::ShuttingDown),
            }
        };
        report.handshake_ends();

        let ended = match ended {
            Ok((mut encrypted, peer)) => {
                drop((turn, ready));
                let mut prefix = Vec::new();
                let found = match (side, answer) {
                    (Side::Tcp, _) => Ok(AppProtocol::Tcp),
                    (Side::Http, AlpnAnswer::Http11) => Ok(AppProtocol::Http1),
                    (Side::Http, AlpnAnswer::Http2) => Ok(AppProtocol::Http2),
                    (Side::Http, AlpnAnswer::None) => {
                        self.first_request(&mut encrypted, &mut prefix, stop).await
                    }
                };
                let authorized = found.and_then(|app_protocol| {
                    // The policies may have changed since the decision.
                    let now = self.policies.now();
                    still_admits(&now, peer.id())?;
                    let ruling = report.authorize(Some(peer.id()), &now)?;
                    Ok(report.connection(app_protocol, ruling))
                });
                match authorized {
                    Ok(connection) => Ok(Inbound::Mesh(Mesh {
                        peer,
                        connection,
                        stream: TlsStream::new(prefix, encrypted),
                    })),
                    Err(
                        refusal @ (Refusal::Unauthorized(_)
                        | Refusal::Opening(_)
                        | Refusal::Handshake(_)),
                    ) => Err((refusal, Held::Stream(encrypted))),
                    // Dropping the stream brings the transport back to its lender.
                    Err(refusal) => Err((refusal, Held::Nothing)),
                }
            }
            Err(refusal) => Err((refusal, Held::Turn(turn))),
        };
        match ended {
            Ok(inbound) => {
                report.accepted(&inbound);
                Ok(inbound)
            }
            Err((refusal, held)) => {
                report.refused(&refusal);
                match (held, &refusal) {
                    (Held::Stream(encrypted), _) => self.close_tls(encrypted, lender, stop).await,
                    // The turn is kept, so the number of connections that linger here is bounded.
                    (Held::Turn(mut turn), Refusal::Handshake(_)) => {
                        let Some(io) = lender.take() else { return Err(refusal) };
                        tokio::select! {
                            () = close_in_order(io, deadline) => {},
                            () = turn.slot.shed() => {},
                            () = stop.requested() => {},
                        }
                    }
                    (Held::Turn(_) | Held::Nothing, _) => {
                        if let Some(io) = lender.take() {
                            io.abort();
                        }
                    }
                }
                Err(refusal)
            }
        }
    }

    /// Which HTTP the client begins to speak inside TLS, where no ALPN answer said so.
    ///
    /// A verified client is not refused for being slow: at the deadline, or when others need its place, it is taken for
    /// HTTP/1.
    async fn first_request<IO: Transport>(
        &self,
        encrypted: &mut Encrypted<IO>,
        prefix: &mut Vec<u8>,
        stop: &mut Stop,
    ) -> Result<AppProtocol, Refusal> {
        let now = Instant::now();
        let deadline = self.detection_timeout.deadline(now);
        let mut slot = self.pending.enter(now);
        loop {
            if let Some(app_protocol) = http_inside(prefix) {
                return Ok(app_protocol);
            }
            tokio::select! {
                biased;
                read = within(deadline, read_more(encrypted, prefix)) => match read {
                    Some(Ok(0)) | None => return Ok(AppProtocol::Http1),
                    Some(Ok(_)) => {},
                    Some(Err(source)) => return Err(Refusal::Lost { stage: Stage::FirstRequest, source }),
                },
                () = slot.shed() => return Ok(AppProtocol::Http1),
                () = stop.requested() => return Err(Refusal::ShuttingDown),
            }
        }
    }
}

/// Whether the policies in force after the handshake would still have it done, and with `peer`.
fn still_admits(now: &Effective, peer: &SpiffeId) -> Result<(), Refusal> {
    if now.ingress_tls {
        return Err(OpeningRefusal::IngressTls.into());
    }
    if !now.accepted.accepts(peer.trust_domain()) {
        let rejected = RejectSvid::NotAccepted {
            presented: peer.clone(),
            accepted: AcceptedDomains::clone(&now.accepted),
        };
        return Err(HandshakeError::Rejected(rejected).into());
    }
    Ok(())
}
