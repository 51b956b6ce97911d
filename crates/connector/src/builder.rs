//! The builder of a connector: what is required is asked for in order, all else has a default.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use meshtls_policy::{Discovery, OutboundChoice, PolicyHandle, Workload};
use meshtls_rustls::TlsProfile;
use meshtls_svid::SvidSource;
use rustls_pki_types::CertificateDer;

use crate::clients::Clients;
use crate::connector::{Connector, Shared};
use crate::originators::{OriginationSettings, Originators};
use crate::system_roots::SystemRoots;
use crate::turns::Turns;
use crate::{CredentialResolver, Observer, Protocol, Unnamed};

/// Builds a [`Connector`]; [`Connector::builder`] begins it.
#[must_use]
pub struct ConnectorBuilder<State> {
    profile: TlsProfile,
    state: State,
}

/// The builder needs [`svid`](ConnectorBuilder::svid).
#[derive(Debug)]
#[non_exhaustive]
pub struct WantsSvid;

/// The builder needs [`policy`](ConnectorBuilder::policy).
#[derive(Debug)]
pub struct WantsPolicy {
    source: Arc<dyn SvidSource>,
}

/// The builder needs [`discovery`](ConnectorBuilder::discovery).
#[derive(Debug)]
pub struct WantsDiscovery {
    source: Arc<dyn SvidSource>,
    policies: PolicyHandle,
}

/// The builder needs [`client`](ConnectorBuilder::client).
#[derive(Debug)]
pub struct WantsClient {
    source: Arc<dyn SvidSource>,
    policies: PolicyHandle,
    discovery: Arc<dyn Discovery>,
}

/// The builder has what it needs.
pub struct Ready {
    source: Arc<dyn SvidSource>,
    policies: PolicyHandle,
    discovery: Arc<dyn Discovery>,
    client: Workload,
    settings: Settings,
    origination: OriginationSettings,
}

/// What has a default.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) tls: OutboundChoice,
    pub(crate) protocol: Protocol,
    pub(crate) unnamed: Unnamed,
    pub(crate) connect_timeout: Duration,
    pub(crate) handshake_timeout: Duration,
    pub(crate) max_attempts: usize,
    pub(crate) observer: Option<Arc<dyn Observer>>,
}

impl ConnectorBuilder<WantsSvid> {
    pub(crate) fn new(profile: TlsProfile) -> Self {
        Self { profile, state: WantsSvid }
    }

    /// Sets where the own X509-SVID and the trust bundles come from. They are read at every handshake, so they may rotate.
    pub fn svid(self, source: Arc<dyn SvidSource>) -> ConnectorBuilder<WantsPolicy> {
        ConnectorBuilder { profile: self.profile, state: WantsPolicy { source } }
    }
}

impl ConnectorBuilder<WantsPolicy> {
    /// Sets the policies. They are read for every connection, so they may change.
    pub fn policy(self, policies: PolicyHandle) -> ConnectorBuilder<WantsDiscovery> {
        let state = WantsDiscovery { source: self.state.source, policies };
        ConnectorBuilder { profile: self.profile, state }
    }
}

impl ConnectorBuilder<WantsDiscovery> {
    /// Sets where services and their endpoints are looked up.
    pub fn discovery(self, discovery: Arc<dyn Discovery>) -> ConnectorBuilder<WantsClient> {
        let WantsDiscovery { source, policies } = self.state;
        ConnectorBuilder {
            profile: self.profile,
            state: WantsClient { source, policies, discovery },
        }
    }
}

impl ConnectorBuilder<WantsClient> {
    /// Sets the workload that connects: its namespace decides which services it sees.
    pub fn client(self, client: Workload) -> ConnectorBuilder<Ready> {
        let WantsClient { source, policies, discovery } = self.state;
        let settings = Settings {
            tls: OutboundChoice::Auto,
            protocol: Protocol::Tcp,
            unnamed: Unnamed::Refuse,
            connect_timeout: Duration::from_secs(10),
            handshake_timeout: Duration::from_secs(10),
            max_attempts: 3,
            observer: None,
        };
        let origination = OriginationSettings::default();
        let state = Ready { source, policies, discovery, client, settings, origination };
        ConnectorBuilder { profile: self.profile, state }
    }
}

impl ConnectorBuilder<Ready> {
    /// Sets which TLS to use where the destination does not say. Default [`OutboundChoice::Auto`].
    pub fn tls(mut self, choice: OutboundChoice) -> Self {
        self.state.settings.tls = choice;
        self
    }

    /// Sets what callers speak where the destination does not say. Default [`Protocol::Tcp`].
    pub fn protocol(mut self, protocol: Protocol) -> Self {
        self.state.settings.protocol = protocol;
        self
    }

    /// Sets what to do where nothing says which identities may answer. Default [`Unnamed::Refuse`].
    pub fn unnamed(mut self, unnamed: Unnamed) -> Self {
        self.state.settings.unnamed = unnamed;
        self
    }

    /// Sets how long resolving and all TCP connections of one attempt may take together: 1 ms to 1 hour. Default 10
    /// seconds. Each endpoint but the last gets an equal share of what is left.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.state.settings.connect_timeout = timeout.clamp(SHORTEST, LONGEST);
        self
    }

    /// Sets how long the TLS handshake may take: 1 ms to 1 hour. Default 10 seconds.
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.state.settings.handshake_timeout = timeout.clamp(SHORTEST, LONGEST);
        self
    }

    /// Sets how many addresses are tried before giving up: at least 1. Default 3.
    ///
    /// Only a TCP connection that is not taken leads to the next one. What is expected of it is the same; a handshake is
    /// never tried again.
    pub fn max_attempts(mut self, attempts: usize) -> Self {
        self.state.settings.max_attempts = attempts.max(1);
        self
    }

    /// Sets who is told how each attempt to connect ended. Default nobody.
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.state.settings.observer = Some(observer);
        self
    }

    /// Sets who looks up what rules call `credentialName`. Default nobody: such a rule makes no connection.
    pub fn credentials(mut self, resolver: Arc<dyn CredentialResolver>) -> Self {
        self.state.origination.credentials = Some(resolver);
        self
    }

    /// Sets the authorities that count where a rule with mode SIMPLE or MUTUAL names none; those that cannot be read are left
    /// out. Default the system's, read when first needed and kept (on Unix the environment variables `SSL_CERT_FILE` and
    /// `SSL_CERT_DIR` may say where they are).
    pub fn system_roots(mut self, authorities: Vec<CertificateDer<'static>>) -> Self {
        self.state.origination.system_roots = SystemRoots::given(authorities);
        self
    }

    /// Lets rules with `insecureSkipVerify` have their way: any certificate of any server is accepted, so whoever sits between
    /// can read and write everything. Without this such a rule makes no connection.
    pub fn dangerous_allow_insecure_skip_verify(mut self) -> Self {
        self.state.origination.may_skip_verification = true;
        self
    }

    /// The connector.
    #[must_use]
    pub fn build(self) -> Connector {
        let Ready { source, policies, discovery, client, settings, origination } = self.state;
        Connector::new(Shared {
            originators: Originators::new(self.profile.clone(), origination),
            clients: Clients::new(self.profile, source),
            policies,
            discovery,
            client,
            settings,
            turns: Turns::default(),
        })
    }
}

impl<State> fmt::Debug for ConnectorBuilder<State> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectorBuilder")
            .field("profile", &self.profile)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ready")
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_secs(3600);
