//! The handshake, and what follows it before the application has the stream.

use std::{pin::pin, sync::Arc, time::Duration};

use meshtls_rustls::AlpnAnswer;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, sleep_until, timeout_at},
};

use crate::{
    acceptor::{Shared, Stop},
    deadline::within,
    decide::{AppProtocol, Side},
    detect::{http_inside, read_more},
    inbound::{Inbound, Mesh},
    lent::lend,
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
                match found {
                    Ok(app_protocol) => {
                        let connection = report.connection(app_protocol);
                        Ok(Inbound::Mesh(Mesh {
                            peer,
                            connection,
                            stream: TlsStream::new(prefix, encrypted),
                        }))
                    }
                    // Dropping the stream brings the transport back to its lender.
                    Err(refusal) => Err((refusal, None)),
                }
            }
            Err(refusal) => Err((refusal, Some(turn))),
        };
        match ended {
            Ok(inbound) => {
                report.accepted(&inbound);
                Ok(inbound)
            }
            Err((refusal, turn)) => {
                report.refused(&refusal);
                match (lender.take(), &refusal, turn) {
                    // The turn is kept, so the number of connections that linger here is bounded.
                    (Some(io), Refusal::Handshake(_), Some(mut turn)) => {
                        tokio::select! {
                            () = close_in_order(io, deadline) => {},
                            () = turn.slot.shed() => {},
                            () = stop.requested() => {},
                        }
                    }
                    (Some(io), _, _) => io.abort(),
                    (None, _, _) => {}
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

/// Closes a connection so that the alert arrives: a socket closed with unread bytes in it sends RST, and an RST makes the
/// peer throw away what it has not read. So the peer's bytes are read and dropped until it has closed its end as well.
async fn close_in_order<IO: Transport>(mut io: IO, deadline: Instant) {
    let latest = Instant::now()
        .checked_add(LINGER)
        .map_or(deadline, |linger| linger.min(deadline));
    let close = async {
        // Done already if the handshake sent an alert.
        io.shutdown().await.ok();
        let mut sink = [0; 512];
        let mut left = MAX_DRAINED;
        while left > 0 {
            match io.read(&mut sink).await? {
                0 => break,
                n => left = left.saturating_sub(n),
            }
        }
        std::io::Result::Ok(())
    };
    // However it ends, the connection is closed now; the refusal has been reported.
    timeout_at(latest, close).await.ok();
}

const LINGER: Duration = Duration::from_secs(2);
/// In bytes: more than the largest chain of certificates that TLS can carry.
const MAX_DRAINED: usize = 256 * 1024;
