//! Exactly one event for each connection, however its road ends.

use std::{net::SocketAddr, sync::Arc};

use meshtls_identity::SpiffeId;
use meshtls_wire::{ClientHello, Opening};
use tokio::time::Instant;

use crate::{
    authorization::{Facts, Ruling, Unauthorized},
    decide::{AppProtocol, Decision},
    detect::{End, Port},
    effective::Effective,
    inbound::{Connection, Inbound},
    observer::{Accepted, Event, Observer, Outcome},
    refusal::Refusal,
    shadow::{Rehearsal, Shadow},
    transport::Transport,
};

/// The event in the making. Dropped unsent, it reports [`Refusal::Cancelled`].
pub(crate) struct Report<'a> {
    observer: Option<&'a dyn Observer>,
    peer_addr: Option<SocketAddr>,
    local_addr: Option<SocketAddr>,
    port: u16,
    hello: Option<ClientHello>,
    started: Instant,
    decided: Option<Instant>,
    handshaken: Option<Instant>,
    pub(crate) effective: Arc<Effective>,
    rehearsal: Option<Rehearsal>,
    /// What the authorization policies said, if they were asked.
    ruling: Option<Ruling>,
    /// What they would have said if none were on trial, if they would have been asked.
    trial: Option<Ruling>,
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
            local_addr: None,
            port,
            hello: None,
            started: Instant::now(),
            decided: None,
            handshaken: None,
            effective,
            rehearsal: None,
            ruling: None,
            trial: None,
        }
    }

    pub(crate) const fn started(&self) -> Instant {
        self.started
    }

    /// It was decided: `acted` on `prefix`, at `end` if no more of it came.
    pub(crate) fn decided(&mut self, port: Port, prefix: &[u8], end: Option<End>, acted: Decision) {
        if !self.effective.is_on_trial() {
            return;
        }
        let mode = self.effective.trial().mode;
        let ingress_tls = self.effective.trial_ingress_tls;
        let rehearsal = Rehearsal::new(port, mode, ingress_tls, prefix, end, acted);
        if rehearsal == Rehearsal::HandedOver {
            let mut facts = self.facts();
            if port.reads_nothing(mode) {
                facts.server_name = None;
            }
            self.trial = Some(self.effective.judge(&facts.with(None)).trial);
        }
        self.rehearsal = Some(rehearsal);
    }

    /// What policies may ask about, as far as the decision needs it.
    pub(crate) fn learned(
        &mut self,
        io: &impl Transport,
        opening: Option<Opening>,
        decision: Decision,
    ) {
        if let Some(Opening::ClientHello(hello)) = opening {
            self.hello = Some(hello);
        }
        // Policies may come into force during a handshake.
        if self.effective.authorizes() || matches!(decision, Decision::Terminate(_)) {
            self.local_addr = io.local_addr();
        }
    }

    /// The client's, if it sent a whole one and it was looked at.
    pub(crate) const fn hello(&self) -> Option<&ClientHello> {
        self.hello.as_ref()
    }

    /// Whether a client without identity may come in, by the policies that decided.
    pub(crate) fn authorize_as_decided(&mut self) -> Result<Ruling, Refusal> {
        let decided = Arc::clone(&self.effective);
        self.authorize(None, &decided)
    }

    /// Whether `peer` may come in: by the policies that decided, so that mode and authorization come from one set, and by
    /// those in force `now`, so that a refusal that came into force on the way acts.
    pub(crate) fn authorize(
        &mut self,
        peer: Option<&SpiffeId>,
        now: &Arc<Effective>,
    ) -> Result<Ruling, Refusal> {
        let connection = self.facts().with(peer);
        let mut judgement = self.effective.judge(&connection);
        if !Arc::ptr_eq(&self.effective, now) {
            judgement = judgement.and(now.judge(&connection));
        }
        if self.rehearsal == Some(Rehearsal::SameHandshake) {
            self.trial = Some(judgement.trial);
        }
        let ruling = judgement.acts;
        self.ruling = Some(ruling.clone());
        if ruling.allow() {
            Ok(ruling)
        } else {
            Err(Unauthorized { ruling, peer: peer.cloned() }.into())
        }
    }

    fn facts(&self) -> Facts<'_> {
        Facts {
            peer_addr: self.peer_addr,
            local_addr: self.local_addr,
            port: self.port,
            server_name: self.hello.as_ref().and_then(ClientHello::server_name),
        }
    }

    /// From now on it is the handshake that takes time.
    pub(crate) fn handshake_begins(&mut self) {
        self.decided = Some(Instant::now());
    }

    /// The handshake takes no more time.
    pub(crate) fn handshake_ends(&mut self) {
        self.handshaken = Some(Instant::now());
    }

    pub(crate) fn connection(&self, app_protocol: AppProtocol, ruling: Ruling) -> Connection {
        Connection {
            app_protocol,
            peer_addr: self.peer_addr,
            mode: self.effective.rule.mode,
            winner: self.effective.rule.winner.clone(),
            ruling,
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
        let trial = self.effective.trial();
        let shadow = self.rehearsal.map(|rehearsal| Shadow {
            outcome: rehearsal.settle(&outcome, self.trial.as_ref()),
            mode: trial.mode,
            winner: &trial.winner,
            authorization: self.trial.as_ref(),
        });
        observer.connection(&Event {
            outcome,
            peer_addr: self.peer_addr,
            port: self.port,
            mode: self.effective.rule.mode,
            winner: &self.effective.rule.winner,
            authorization: self.ruling.as_ref(),
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
