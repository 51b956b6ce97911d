//! The builder of an acceptor: what is required is asked for in order, all else has a default.

use std::{fmt, ops::RangeInclusive, sync::Arc, time::Duration};

use meshtls_identity::AcceptedDomains;
use meshtls_policy::{PolicyHandle, Workload};
use meshtls_rustls::{HttpSpoken, TlsProfile};
use meshtls_svid::SvidSource;

use crate::{
    acceptor::{Acceptor, Shared},
    deadline::DetectionTimeout,
    decide::PortProtocol,
    detect::{FirstSpeaker, Port},
    effective::Policies,
    observer::Observer,
    servers::Servers,
    slots::{Handshakes, Slots},
};

/// Builds an [`Acceptor`]; [`Acceptor::builder`] begins it.
#[must_use]
pub struct AcceptorBuilder<State> {
    profile: TlsProfile,
    state: State,
}

/// The builder needs [`svid`](AcceptorBuilder::svid).
#[derive(Debug)]
#[non_exhaustive]
pub struct WantsSvid;

/// The builder needs [`policy`](AcceptorBuilder::policy).
#[derive(Debug)]
pub struct WantsPolicy {
    source: Arc<dyn SvidSource>,
}

/// The builder has what it needs.
pub struct Ready {
    source: Arc<dyn SvidSource>,
    policies: PolicyHandle,
    workload: Workload,
    port: u16,
    protocol: PortProtocol,
    first_speaker: FirstSpeaker,
    spoken: HttpSpoken,
    domains: Option<AcceptedDomains>,
    detection_timeout: Option<DetectionTimeout>,
    handshake_timeout: Duration,
    max_pending: usize,
    max_handshakes: usize,
    observer: Option<Arc<dyn Observer>>,
}

impl AcceptorBuilder<WantsSvid> {
    pub(crate) const fn new(profile: TlsProfile) -> Self {
        Self { profile, state: WantsSvid }
    }

    /// Sets where the own X509-SVID and the trust bundles come from. They are read at every handshake, so they may rotate.
    pub fn svid(self, source: Arc<dyn SvidSource>) -> AcceptorBuilder<WantsPolicy> {
        AcceptorBuilder { profile: self.profile, state: WantsPolicy { source } }
    }
}

impl AcceptorBuilder<WantsPolicy> {
    /// Sets the policies, the workload they are resolved for, and its port.
    ///
    /// `port` is the one that policies name: the workload's (container's), never a Service's. It must not be 0. The policies
    /// are read for every connection, and once more when its first bytes have come, so they may change.
    pub fn policy(
        self,
        policies: PolicyHandle,
        workload: Workload,
        port: u16,
    ) -> AcceptorBuilder<Ready> {
        let state = Ready {
            source: self.state.source,
            policies,
            workload,
            port,
            protocol: PortProtocol::default(),
            first_speaker: FirstSpeaker::default(),
            spoken: HttpSpoken::Both,
            domains: None,
            detection_timeout: None,
            handshake_timeout: Duration::from_secs(10),
            max_pending: 4096,
            max_handshakes: 512,
            observer: None,
        };
        AcceptorBuilder { profile: self.profile, state }
    }
}

impl AcceptorBuilder<Ready> {
    /// Sets what the port speaks. Default [`PortProtocol::Auto`].
    pub fn protocol(mut self, protocol: PortProtocol) -> Self {
        self.state.protocol = protocol;
        self
    }

    /// Sets who speaks first in the application's protocol. Default [`FirstSpeaker::Client`], the only one for an `http` port.
    pub fn first_speaker(mut self, speaker: FirstSpeaker) -> Self {
        self.state.first_speaker = speaker;
        self
    }

    /// Sets which versions of HTTP the application speaks. Default both. ALPN is answered with the first of `h2` and
    /// `http/1.1` that is spoken and offered, else with none.
    pub fn http_spoken(mut self, spoken: HttpSpoken) -> Self {
        self.state.spoken = spoken;
        self
    }

    /// Sets the trust domains whose members are accepted. Default: the mesh's own, its aliases and the accepted ones, from the
    /// settings of the policies in force ([`MeshSettings`](meshtls_policy::MeshSettings)).
    pub fn accepted_domains(mut self, domains: AcceptedDomains) -> Self {
        self.state.domains = Some(domains);
        self
    }

    /// Sets how long the first bytes of a connection are waited for. Default: what the settings of the policies say when the
    /// acceptor is built ([`MeshSettings::protocol_detection_timeout`](meshtls_policy::MeshSettings::protocol_detection_timeout)),
    /// else 10 seconds.
    pub fn detection_timeout(mut self, timeout: DetectionTimeout) -> Self {
        self.state.detection_timeout = Some(timeout);
        self
    }

    /// Sets how long a handshake may take, from the client's whole `ClientHello` on: 1 millisecond to 1 hour. Default 10
    /// seconds.
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.state.handshake_timeout = timeout;
        self
    }

    /// Sets how many connections may wait for their first bytes or for the turn of their handshake: 1 to 1,048,576. Default
    /// 4096. When they are more the oldest of them is refused as `overloaded`.
    pub fn max_pending(mut self, connections: usize) -> Self {
        self.state.max_pending = connections;
        self
    }

    /// Sets how many handshakes may be in flight: 1 to 65,536. Default 512. Further ones wait; where they wait for 250
    /// milliseconds, the oldest handshake that has lasted for a second is refused as `overloaded`.
    pub fn max_handshakes(mut self, handshakes: usize) -> Self {
        self.state.max_handshakes = handshakes;
        self
    }

    /// Sets who is told how each connection ended up. Default nobody.
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.state.observer = Some(observer);
        self
    }

    /// Checks the bounds and builds the acceptor.
    ///
    /// # Errors
    ///
    /// * [`BuildError::PortZero`]: the port is 0.
    /// * [`BuildError::ServerFirstHttp`]: an `http` port is declared server-first.
    /// * [`BuildError::Timeout`], [`BuildError::Limit`]: a timeout or a limit is out of its bounds.
    pub fn build(self) -> Result<Acceptor, BuildError> {
        let Self { profile, state } = self;
        if state.port == 0 {
            return Err(BuildError::PortZero);
        }
        if state.protocol == PortProtocol::Http && state.first_speaker == FirstSpeaker::Server {
            return Err(BuildError::ServerFirstHttp);
        }
        let detection_timeout = state.detection_timeout.unwrap_or_else(|| {
            let set = state.policies.load();
            set.settings()
                .protocol_detection_timeout
                .map_or(DetectionTimeout::DEFAULT, DetectionTimeout::from_mesh_config)
        });
        if let DetectionTimeout::After(timeout) = detection_timeout {
            check_timeout("detection", timeout)?;
        }
        check_timeout("handshake", state.handshake_timeout)?;
        check_limit("pending connections", state.max_pending, 1..=1 << 20)?;
        check_limit("handshakes", state.max_handshakes, 1..=1 << 16)?;

        Ok(Acceptor::new(Shared {
            policies: Policies::new(state.policies, state.workload, state.port, state.domains),
            servers: Servers::new(profile, state.source),
            port: Port { protocol: state.protocol, first_speaker: state.first_speaker },
            spoken: state.spoken,
            detection_timeout,
            handshake_timeout: state.handshake_timeout,
            pending: Slots::new(state.max_pending),
            handshakes: Handshakes::new(state.max_handshakes),
            observer: state.observer,
        }))
    }
}

impl<State> fmt::Debug for AcceptorBuilder<State> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AcceptorBuilder").finish_non_exhaustive()
    }
}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ready")
            .field("port", &self.port)
            .field("protocol", &self.protocol)
            .finish_non_exhaustive()
    }
}

/// A setting that no acceptor can be built with.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The workload port is 0.
    #[error("the workload port is 0")]
    PortZero,
    /// HTTP servers do not speak first.
    #[error("a port declared http cannot be declared server-first")]
    ServerFirstHttp,
    /// A timeout is out of its bounds.
    #[error("a {name} timeout of {value:?} is not between 1 ms and 1 h")]
    Timeout {
        /// Which one.
        name: &'static str,
        /// What was asked for.
        value: Duration,
    },
    /// A limit is out of its bounds.
    #[error("{value} {name} at most is not between {min} and {max}")]
    Limit {
        /// What it limits.
        name: &'static str,
        /// What was asked for.
        value: usize,
        /// The least that is allowed.
        min: usize,
        /// The most that is allowed.
        max: usize,
    },
}

fn check_timeout(name: &'static str, value: Duration) -> Result<(), BuildError> {
    if (Duration::from_millis(1)..=Duration::from_secs(3600)).contains(&value) {
        Ok(())
    } else {
        Err(BuildError::Timeout { name, value })
    }
}

fn check_limit(
    name: &'static str,
    value: usize,
    bounds: RangeInclusive<usize>,
) -> Result<(), BuildError> {
    if bounds.contains(&value) {
        Ok(())
    } else {
        Err(BuildError::Limit { name, value, min: *bounds.start(), max: *bounds.end() })
    }
}
