//! The outbound road: destination, decision, endpoint, connection, secure naming.

use std::fmt;
use std::iter;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use meshtls_identity::IdMatcher;
use meshtls_policy::{Discovery, Endpoint, PolicyHandle, Workload};
use meshtls_rustls::TlsProfile;
use meshtls_svid::NameCheck;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::builder::{ConnectorBuilder, Settings, WantsSvid};
use crate::clients::Clients;
use crate::dial::{Tried, dial};
use crate::originators::Originators;
use crate::plan::{Plan, Way};
use crate::turns::Turns;
use crate::{
    ConnectError, Destination, Event, Explanation, MeshOutbound, OriginatedOutbound, Outbound,
    OutboundStream, Outcome, PlaintextOutbound, Sni,
};

/// Connects to the services of the mesh. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Connector {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) clients: Clients,
    pub(crate) originators: Originators,
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

    /// Connects to a destination: by mesh mTLS, by the TLS that a `DestinationRule` says, or in plaintext where the decision
    /// says so.
    ///
    /// The endpoints of a service take turns. Where one does not take the TCP connection the next one is tried, but only
    /// one to which the same is to be done. What was to be TLS never becomes plaintext.
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
        let Shared { settings, originators, .. } = &*self.shared;
        Explanation::of(to, &self.plan(to), settings.unnamed, originators)
    }

    fn plan<'a>(&'a self, to: &'a Destination) -> Plan<'a> {
        let Shared { policies, discovery, client, settings, .. } = &*self.shared;
        let choice = to.tls.unwrap_or(settings.tls);
        Plan::new(policies.load(), &**discovery, client, choice, to)
    }

    /// The endpoint whose turn it is, those that may take its place, and what is to be done. `None`: there is none.
    fn choose(&self, to: &Destination, attempt: &mut Attempt) -> Option<(Way, Vec<Endpoint>)> {
        let Shared { settings, turns, .. } = &*self.shared;
        let plan = self.plan(to);
        attempt.service = plan.service().map(|service| service.hostname.clone());
        let host = attempt.service.as_deref().unwrap_or_default();
        let endpoints = plan.endpoints();
        let mut endpoints = turns.take(host, to.port, &endpoints).copied();
        let first = endpoints.next()?;
        let way = plan.way(first);
        // Whoever can make one endpoint fail must not choose what is expected of the next one.
        let others = endpoints.filter(|other| plan.way(other) == way);
        let chosen = iter::once(first)
            .chain(others)
            .take(settings.max_attempts)
            .cloned()
            .collect();
        Some((way, chosen))
    }

    async fn attempt(
        &self,
        to: &Destination,
        attempt: &mut Attempt,
    ) -> Result<Outbound, ConnectError> {
        let Shared { clients, originators, settings, .. } = &*self.shared;
        let none = ConnectError::NoEndpoints { host: to.host.clone(), port: to.port };
        let Some((way, endpoints)) = self.choose(to, attempt) else { return Err(none) };
        match way {
            Way::Plaintext(reason) => {
                let (tcp, endpoint) = attempt.dial(endpoints, none, settings).await?;
                let stream = OutboundStream::plain(tcp);
                Ok(Outbound::Plaintext(PlaintextOutbound { stream, reason, endpoint }))
            }
            Way::Refuse(source) => Err(ConnectError::Refused { host: to.host.clone(), source }),
            Way::Originate(wanted) => {
                attempt.sni = wanted.sni(&to.host);
                attempt.server_names = wanted.names(&to.host)?;
                let client =
                    originators
                        .client(&wanted)
                        .map_err(|source| ConnectError::Origination {
                            host: to.host.clone(),
                            source,
                        })?;
                let (tcp, endpoint) = attempt.dial(endpoints, none, settings).await?;
                let names = attempt.server_names.clone().unwrap_or(NameCheck::ChainOnly);
                let alpn = to.protocol.unwrap_or(settings.protocol).origination_alpn();
                let handshake = client.connect(tcp, attempt.sni.server_name(), &names, alpn);
                let (stream, peer) = attempt
                    .secure(endpoint, handshake, ConnectError::of_origination, settings)
                    .await?;
                let stream = OutboundStream::tls(stream);
                let mode = wanted.mode();
                Ok(Outbound::Originated(OriginatedOutbound { stream, mode, peer, endpoint }))
            }
            Way::Mesh { sni, accepted, .. } => {
                attempt.sni = sni;
                let accepted = accepted.matcher(&to.host, settings.unnamed)?;
                attempt.accepted = Some(accepted.clone());
                let client = clients.now()?;
                let (tcp, endpoint) = attempt.dial(endpoints, none, settings).await?;
                let alpn = to.protocol.unwrap_or(settings.protocol).alpn();
                let handshake = client.connect(tcp, attempt.sni.server_name(), &accepted, alpn);
                let (stream, peer) = attempt
                    .secure(endpoint, handshake, ConnectError::of_handshake, settings)
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
    server_names: Option<NameCheck>,
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
            server_names: None,
            connect: None,
            handshake: None,
        }
    }

    async fn dial(
        &mut self,
        endpoints: Vec<Endpoint>,
        none: ConnectError,
        settings: &Settings,
    ) -> Result<(TcpStream, SocketAddr), ConnectError> {
        let (within, max_attempts) = (settings.connect_timeout, settings.max_attempts);
        let dialed = dial(endpoints, none, within, max_attempts, &mut self.tried).await;
        self.connect = Some(self.started.elapsed());
        dialed
    }

    /// Waits for a handshake with `endpoint`, within the time for it.
    async fn secure<T, E>(
        &mut self,
        endpoint: SocketAddr,
        handshake: impl Future<Output = Result<T, E>>,
        failed: fn(SocketAddr, E) -> ConnectError,
        settings: &Settings,
    ) -> Result<T, ConnectError> {
        let (started, within) = (Instant::now(), settings.handshake_timeout);
        let ended = timeout(within, handshake).await;
        self.handshake = Some(started.elapsed());
        match ended {
            Ok(secured) => secured.map_err(|error| failed(endpoint, error)),
            Err(_elapsed) => Err(ConnectError::HandshakeTimeout { endpoint, within }),
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
                Ok(Outbound::Originated(originated)) => {
                    Outcome::Originated(originated.mode, &originated.peer)
                }
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
            server_names: self.server_names.as_ref(),
            connect: self.connect.unwrap_or_else(|| self.started.elapsed()),
            handshake: self.handshake,
        }
    }
}
