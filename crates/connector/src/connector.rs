//! The outbound road: destination, decision, endpoint, connection, secure naming.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use meshtls_identity::IdMatcher;
use meshtls_policy::{Discovery, PolicyHandle, PolicySet, Workload};
use meshtls_rustls::{ClientStream, MeshClient, TlsProfile, VerifiedPeer};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::builder::{ConnectorBuilder, Settings, WantsSvid};
use crate::clients::Clients;
use crate::dial::{Tried, dial};
use crate::plan::{Candidate, Plan, Way};
use crate::turns::Turns;
use crate::{
    ConnectError, Destination, Event, Explanation, MeshOutbound, Outbound, OutboundStream, Outcome,
    PlaintextOutbound, Sni,
};

/// Connects to the services of the mesh. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Connector {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) clients: Clients,
    pub(crate) policies: PolicyHandle,
    pub(crate) discovery: Arc<dyn Discovery>,
    pub(crate) client: Workload,
    pub(crate) settings: Settings,
    pub(crate) turns: Turns,
}

impl Connector {
    /// Begins a connector that uses `profile` for TLS.
    pub fn builder(profile: TlsProfile) -> ConnectorBuilder<WantsSvid> {
        ConnectorBuilder::new(profile)
    }

    pub(crate) fn new(shared: Shared) -> Self {
        Self { shared: Arc::new(shared) }
    }

    /// Connects to `host`, a name or an IP address, at the service port `port`, with the connector's defaults.
    ///
    /// # Errors
    ///
    /// As [`connect_to`](Self::connect_to).
    ///
    /// # Cancel safety
    ///
    /// As [`connect_to`](Self::connect_to).
    pub async fn connect(&self, host: &str, port: u16) -> Result<Outbound, ConnectError> {
        self.connect_to(&Destination::new(host, port)).await
    }

    /// Connects to a destination: by mesh mTLS, or in plaintext where the decision says so.
    ///
    /// The endpoints of a service take turns. Where one does not take the TCP connection the next one is tried, but only
    /// one to which the same is to be done. What was to be mTLS never becomes plaintext.
    ///
    /// # Errors
    ///
    /// Every variant of [`ConnectError`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the connection, and no [`Event`] is emitted.
    pub async fn connect_to(&self, to: &Destination) -> Result<Outbound, ConnectError> {
        let mut attempt = Attempt::new();
        let result = self.attempt(to, &mut attempt).await;
        if let Some(observer) = &self.shared.settings.observer {
            observer.connection(&attempt.event(to, &result));
        }
        result
    }

    /// What [`connect`](Self::connect) would do now, for each endpoint, and why.
    #[must_use]
    pub fn explain(&self, host: &str, port: u16) -> Explanation {
        self.explain_to(&Destination::new(host, port))
    }

    /// What [`connect_to`](Self::connect_to) would do now, for each endpoint, and why.
    #[must_use]
    pub fn explain_to(&self, to: &Destination) -> Explanation {
        let policies = self.shared.policies.load();
        let plan = self.plan(to, &policies);
        Explanation::of(to, plan, &policies, self.shared.settings.unnamed)
    }

    fn plan(&self, to: &Destination, policies: &PolicySet) -> Plan {
        let Shared { discovery, client, settings, .. } = &*self.shared;
        Plan::new(policies, &**discovery, client, to.tls.unwrap_or(settings.tls), to)
    }

    async fn attempt(
        &self,
        to: &Destination,
        attempt: &mut Attempt,
    ) -> Result<Outbound, ConnectError> {
        let Shared { clients, policies, settings, turns, .. } = &*self.shared;
        let Plan { service, mut candidates } = self.plan(to, &policies.load());
        if let Some(service) = service {
            turns.rotate(&service.hostname, service.port, &mut candidates);
            attempt.service = Some(service.hostname.clone());
        }
        let none = ConnectError::NoEndpoints { host: to.host.clone(), port: to.port };
        let Some(Candidate { way, .. }) = candidates.first().cloned() else { return Err(none) };
        // Whoever can make one endpoint fail must not choose what is expected of the next one.
        candidates.retain(|other| other.way.is_mesh() == way.is_mesh());
        match way {
            Way::Plaintext(reason) => {
                let (tcp, endpoint) = attempt.dial(candidates, none, settings).await?;
                let stream = OutboundStream::plain(tcp);
                Ok(Outbound::Plaintext(PlaintextOutbound { stream, reason, endpoint }))
            }
            Way::Mesh { sni, accepted, .. } => {
                attempt.sni = sni;
                let accepted = accepted.matcher(&to.host, settings.unnamed)?;
                attempt.accepted = Some(accepted.clone());
                let client = clients.now()?;
                let (tcp, endpoint) = attempt.dial(candidates, none, settings).await?;
                let alpn = to.protocol.unwrap_or(settings.protocol).alpn();
                let (stream, peer) = attempt
                    .secure(&client, (tcp, endpoint), &accepted, alpn, settings)
                    .await?;
                let stream = OutboundStream::tls(stream);
                Ok(Outbound::Mesh(MeshOutbound { stream, peer, endpoint }))
            }
        }
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("client", &self.shared.client)
            .finish_non_exhaustive()
    }
}

/// What the event about one attempt will say.
struct Attempt {
    started: Instant,
    service: Option<String>,
    tried: Tried,
    sni: Sni,
    accepted: Option<IdMatcher>,
    connect: Option<Duration>,
    handshake: Option<Duration>,
}

impl Attempt {
    fn new() -> Self {
        Self {
            started: Instant::now(),
            service: None,
            tried: Tried::default(),
            sni: Sni::None,
            accepted: None,
            connect: None,
            handshake: None,
        }
    }

    async fn dial(
        &mut self,
        candidates: Vec<Candidate>,
        none: ConnectError,
        settings: &Settings,
    ) -> Result<(TcpStream, SocketAddr), ConnectError> {
        let endpoints = candidates
            .into_iter()
            .map(|candidate| candidate.endpoint)
            .collect();
        let (within, max_attempts) = (settings.connect_timeout, settings.max_attempts);
        let dialed = dial(endpoints, none, within, max_attempts, &mut self.tried).await;
        self.connect = Some(self.started.elapsed());
        dialed
    }

    async fn secure(
        &mut self,
        client: &MeshClient,
        (tcp, endpoint): (TcpStream, SocketAddr),
        accepted: &IdMatcher,
        alpn: &[&[u8]],
        settings: &Settings,
    ) -> Result<(ClientStream<TcpStream>, VerifiedPeer), ConnectError> {
        let started = Instant::now();
        let handshake = client.connect(tcp, self.sni.server_name(), accepted, alpn);
        let ended = timeout(settings.handshake_timeout, handshake).await;
        self.handshake = Some(started.elapsed());
        match ended {
            Ok(secured) => secured.map_err(|error| ConnectError::of_handshake(endpoint, error)),
            Err(_elapsed) => {
                Err(ConnectError::HandshakeTimeout { endpoint, within: settings.handshake_timeout })
            }
        }
    }

    fn event<'a>(
        &'a self,
        to: &'a Destination,
        result: &'a Result<Outbound, ConnectError>,
    ) -> Event<'a> {
        Event {
            outcome: match result {
                Ok(Outbound::Mesh(mesh)) => Outcome::Mesh(&mesh.peer),
                Ok(Outbound::Plaintext(plaintext)) => Outcome::Plaintext(&plaintext.reason),
                Err(error) => Outcome::Failed(error),
            },
            host: &to.host,
            port: to.port,
            service: self.service.as_deref(),
            endpoint: self.tried.last,
            attempts: self.tried.attempts,
            sni: &self.sni,
            accepted: self.accepted.as_ref(),
            connect: self.connect.unwrap_or_else(|| self.started.elapsed()),
            handshake: self.handshake,
        }
    }
}
