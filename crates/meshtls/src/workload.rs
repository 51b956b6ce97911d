//! A running workload: its identity, its policies, its acceptors and its connector.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use meshtls_acceptor::{Acceptor, AcceptorBuilder, Observer, Ready};
use meshtls_connector::{self as connector, Connector, ConnectorBuilder};
use meshtls_identity::ServiceAccountId;
use meshtls_policy::{Discovery, Explanation, PolicyHandle, Workload as Subject};
use meshtls_rustls::TlsProfile;
use meshtls_source::{
    FederationHealth, FederationStatus, IdentityHealth, IdentityStatus, LiveSvid, PolicyHealth,
    PolicyStatus, SvidChanges, Watch,
};
use meshtls_svid::{SvidSnapshot, SvidSource, SvidUnavailable};

use crate::listen::Listen;
use crate::{IdentityFrom, WorkloadBuilder};

/// A running workload of the mesh. Dropping it stops the renewal of its identity and the watching of its files; what it has handed
/// out goes on with what it has.
pub struct Workload {
    pub(crate) id: ServiceAccountId,
    pub(crate) subject: Subject,
    pub(crate) profile: TlsProfile,
    pub(crate) svid: Arc<dyn SvidSource>,
    pub(crate) renewed: Option<Renewed>,
    pub(crate) policies: PolicyHandle,
    pub(crate) policy_health: Option<PolicyHealth>,
    pub(crate) discovery: Arc<dyn Discovery>,
    pub(crate) observer: Option<Arc<dyn Observer>>,
    pub(crate) federation: Option<FederationHealth>,
    pub(crate) _watches: Vec<Watch>,
}

/// An identity that is renewed here.
pub(crate) struct Renewed {
    pub(crate) live: Arc<LiveSvid>,
    pub(crate) health: IdentityHealth,
}

impl Workload {
    /// Begins a workload that is `id` and gets its identity from `identity`.
    pub fn builder(id: ServiceAccountId, identity: IdentityFrom) -> WorkloadBuilder {
        WorkloadBuilder::new(id, identity)
    }

    /// Who it is.
    #[must_use]
    pub fn id(&self) -> &ServiceAccountId {
        &self.id
    }

    /// The identity and the trust bundles in use.
    ///
    /// # Errors
    ///
    /// [`SvidUnavailable`] while there are none.
    pub fn identity(&self) -> Result<Arc<SvidSnapshot>, SvidUnavailable> {
        self.svid.snapshot()
    }

    /// How the identity fares: what is in use, how long it lives, when it is renewed, why there is nothing newer, and whether new
    /// work should be sent here. `None` where it comes from an [`IdentityFrom::Source`], which keeps itself fresh.
    ///
    /// ```
    /// use meshtls::Workload;
    ///
    /// /// What a readiness probe answers.
    /// fn probe(workload: &Workload) -> Result<(), String> {
    ///     match workload.identity_status() {
    ///         Some(status) if !status.ready => Err(status.to_string()),
    ///         Some(_) | None => Ok(()),
    ///     }
    /// }
    /// ```
    #[must_use]
    pub fn identity_status(&self) -> Option<IdentityStatus> {
        self.renewed.as_ref().map(|renewed| renewed.health.status())
    }

    /// Tells of changes of the identity and the trust bundles from now on. `None` as for [`identity_status`](Self::identity_status).
    #[must_use]
    pub fn identity_changes(&self) -> Option<SvidChanges> {
        self.renewed.as_ref().map(|renewed| renewed.live.changes())
    }

    /// Waits until there is an identity that may be used, and gives it. At once for most sources; for an
    /// [`IdentityFrom::Issuer`] when it has answered, which may be never: give the wait a deadline, and show
    /// [`identity_status`](Self::identity_status) when that is over.
    ///
    /// # Errors
    ///
    /// [`SvidUnavailable`] from an [`IdentityFrom::Source`], which is asked once.
    ///
    /// # Cancel safety
    ///
    /// It changes nothing, so its future may be dropped at any time.
    pub async fn identity_ready(&self) -> Result<Arc<SvidSnapshot>, SvidUnavailable> {
        let Some(renewed) = &self.renewed else { return self.svid.snapshot() };
        let mut changes = renewed.live.changes();
        loop {
            if let Ok(snapshot) = renewed.live.snapshot() {
                return Ok(snapshot);
            }
            changes.next().await;
        }
    }

    /// How the trust bundles of other domains fare, one status for each domain. Empty without [`WorkloadBuilder::federation`].
    #[must_use]
    pub fn federation_status(&self) -> Vec<FederationStatus> {
        self.federation
            .as_ref()
            .map(FederationHealth::statuses)
            .unwrap_or_default()
    }

    /// The policies in force, which can also be replaced through it.
    #[must_use]
    pub fn policies(&self) -> &PolicyHandle {
        &self.policies
    }

    /// How the files fare that policies come from: what of them is in force, how old it is, why newer ones were refused. `None`
    /// where policies come from no [`PoliciesFrom::Path`](crate::PoliciesFrom::Path).
    #[must_use]
    pub fn policy_status(&self) -> Option<PolicyStatus> {
        self.policy_health.as_ref().map(PolicyHealth::status)
    }

    /// Which mode `port` (a workload port) has, which policy decided, and why each other did not.
    #[must_use]
    pub fn explain(&self, port: u16) -> Explanation {
        self.policies.load().explain(&self.subject, port)
    }

    /// Begins a listener on `address`; port 0 takes a free one.
    pub fn listen(&self, address: SocketAddr) -> Listen<'_> {
        Listen::new(self, address)
    }

    /// An acceptor for workload port `port`, for transports other than TCP.
    pub fn acceptor(&self, port: u16) -> AcceptorBuilder<Ready> {
        let acceptor = Acceptor::builder(self.profile.clone())
            .svid(Arc::clone(&self.svid))
            .policy(self.policies.clone(), self.subject.clone(), port);
        match &self.observer {
            Some(observer) => acceptor.observer(Arc::clone(observer)),
            None => acceptor,
        }
    }

    /// The connector to the services of the mesh.
    #[must_use]
    pub fn connector(&self) -> Connector {
        self.connector_with(|connector| connector)
    }

    /// The connector with further settings: timeouts, attempts, an observer, and what `DestinationRule`s with mode SIMPLE or MUTUAL
    /// need of the program.
    ///
    /// ```
    /// use meshtls::Workload;
    /// use meshtls::connector::{ConnectError, Outbound};
    /// use meshtls::rustls::rustls::pki_types::CertificateDer;
    ///
    /// /// Calls a service outside the mesh, which a rule with mode SIMPLE is for. Its authority is not one of the system's.
    /// async fn call(workload: &Workload, authority: CertificateDer<'static>) -> Result<(), ConnectError> {
    ///     let connector = workload.connector_with(|connector| connector.system_roots(vec![authority]));
    ///     match connector.connect("api.example.com", 443).await? {
    ///         Outbound::Originated(server) => println!("{} answered", server.peer.presented()),
    ///         other => println!("no rule is for it: {other:?}"),
    ///     }
    ///     Ok(())
    /// }
    /// ```
    #[must_use]
    pub fn connector_with(
        &self,
        settings: impl FnOnce(ConnectorBuilder<connector::Ready>) -> ConnectorBuilder<connector::Ready>,
    ) -> Connector {
        let connector = Connector::builder(self.profile.clone())
            .svid(Arc::clone(&self.svid))
            .policy(self.policies.clone())
            .discovery(Arc::clone(&self.discovery))
            .client(self.subject.clone());
        settings(connector).build()
    }
}

impl fmt::Debug for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workload")
            .field("id", &self.id)
            .field("subject", &self.subject)
            .finish_non_exhaustive()
    }
}
