//! Exactly one event for each connection, however its road ends.

use std::{net::SocketAddr, sync::Arc};

use tokio::time::Instant;

use crate::{
    decide::{AppProtocol, Decision},
    detect::{End, Port},
    effective::Effective,
    inbound::{Connection, Inbound},
    observer::{Accepted, Event, Observer, Outcome},
    refusal::Refusal,
    shadow::{Rehearsal, Shadow},
};

/// The event in the making. Dropped unsent, it reports [`Refusal::Cancelled`].
pub(crate) struct Report<'a> {
    observer: Option<&'a dyn Observer>,
    peer_addr: Option<SocketAddr>,
    port: u16,
    started: Instant,
    decided: Option<Instant>,
    handshaken: Option<Instant>,
    pub(crate) effective: Arc<Effective>,
    rehearsal: Option<Rehearsal>,
}

impl<'a> Report<'a> {
    pub(crate) fn new(
        observer: Option<&'a dyn Observer>,
        peer_addr: Option<SocketAddr>,
        port: u16,
        effective: Arc<Effective>,
    ) -> Self {
        Self {
            observer,
            peer_addr,
            port,
            started: Instant::now(),
            decided: None,
            handshaken: None,
            effective,
            rehearsal: None,
        }
    }

    pub(crate) const fn started(&self) -> Instant {
        self.started
    }

    /// It was decided: `acted` on `prefix`, at `end` if no more of it came.
    pub(crate) fn decided(&mut self, port: Port, prefix: &[u8], end: Option<End>, acted: Decision) {
        let shadow = self.effective.shadow.as_ref();
        self.rehearsal = shadow.map(|shadow| Rehearsal::new(port, shadow.mode, prefix, end, acted));
    }

    /// From now on it is the handshake that takes time.
    pub(crate) fn handshake_begins(&mut self) {
        self.decided = Some(Instant::now());
    }

    /// The handshake takes no more time.
    pub(crate) fn handshake_ends(&mut self) {
        self.handshaken = Some(Instant::now());
    }

    pub(crate) fn connection(&self, app_protocol: AppProtocol) -> Connection {
        Connection {
            app_protocol,
            peer_addr: self.peer_addr,
            mode: self.effective.rule.mode,
            winner: self.effective.rule.winner.clone(),
        }
    }

    pub(crate) fn accepted<IO>(mut self, inbound: &Inbound<IO>) {
        self.send(Outcome::Accepted(Accepted::of(inbound)));
    }

    pub(crate) fn refused(mut self, refusal: &Refusal) {
        self.send(Outcome::Refused(refusal));
    }

    fn send(&mut self, outcome: Outcome<'_>) {
        let Some(observer) = self.observer.take() else { return };
        let now = Instant::now();
        let decided = self.decided.unwrap_or(now);
        let shadow = self
            .effective
            .shadow
            .as_ref()
            .zip(self.rehearsal)
            .map(|(rule, rehearsal)| Shadow {
                outcome: rehearsal.settle(&outcome),
                mode: rule.mode,
                winner: &rule.winner,
            });
        observer.connection(&Event {
            outcome,
            peer_addr: self.peer_addr,
            port: self.port,
            mode: self.effective.rule.mode,
            winner: &self.effective.rule.winner,
            detection: decided.saturating_duration_since(self.started),
            handshake: self.decided.map(|decided| {
                self.handshaken
                    .unwrap_or(now)
                    .saturating_duration_since(decided)
            }),
            shadow,
        });
    }
}

impl Drop for Report<'_> {
    fn drop(&mut self) {
        self.send(Outcome::Refused(&Refusal::Cancelled));
    }
}
