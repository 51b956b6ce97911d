//! The end of a connection that is refused without a reset.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, timeout_at},
};

use crate::{
    acceptor::{Shared, Stop},
    lent::Lender,
    replay::Replay,
    stream::Encrypted,
    transport::Transport,
};

impl Shared {
    /// Closes a connection that the policies do not let in: the peer sees its end and nothing else.
    ///
    /// It takes a place among those who wait for their first bytes, so the number of connections that linger here is bounded.
    pub(crate) async fn close<IO: Transport>(&self, io: IO, stop: &mut Stop) {
        let now = Instant::now();
        let mut slot = self.pending.enter(now);
        tokio::select! {
            biased;
            () = close_in_order(io, latest(now)) => {},
            () = slot.shed() => {},
            () = stop.requested() => {},
        }
    }

    /// As [`close`](Self::close), after `close_notify`.
    pub(crate) async fn close_tls<IO: Transport>(
        &self,
        mut encrypted: Encrypted<IO>,
        lender: Lender<Replay<IO>>,
        stop: &mut Stop,
    ) {
        let now = Instant::now();
        let mut slot = self.pending.enter(now);
        let close = async {
            // A peer that takes no bytes misses it.
            timeout_at(latest(now), encrypted.shutdown()).await.ok();
            // Brings the transport back to its lender.
            drop(encrypted);
            if let Some(io) = lender.take() {
                close_in_order(io, latest(now)).await;
            }
        };
        tokio::select! {
            biased;
            () = close => {},
            () = slot.shed() => {},
            () = stop.requested() => {},
        }
    }
}

/// Closes a connection so that what was sent arrives: a socket closed with unread bytes in it sends RST, and an RST makes the
/// peer throw away what it has not read. So the peer's bytes are read and dropped until it has closed its end as well.
pub(crate) async fn close_in_order<IO: Transport>(mut io: IO, deadline: Instant) {
    let latest = latest(Instant::now()).min(deadline);
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

fn latest(now: Instant) -> Instant {
    now.checked_add(LINGER).unwrap_or(now)
}

const LINGER: Duration = Duration::from_secs(2);
/// In bytes: more than the largest chain of certificates that TLS can carry.
const MAX_DRAINED: usize = 256 * 1024;
