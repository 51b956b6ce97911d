//! Where a connection goes, and what the caller wants of it.

use meshtls_identity::IdMatcher;
use meshtls_policy::OutboundChoice;

use crate::Protocol;

/// A host and a service port, with what differs from the connector's defaults.
///
/// ```
/// use meshtls_connector::{Destination, Protocol};
///
/// let ledger = Destination::new("ledger.pay.svc.cluster.local", 8080).protocol(Protocol::Http2);
/// assert_eq!(ledger.port(), 8080);
/// ```
#[derive(Clone, Debug)]
pub struct Destination {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) subset: String,
    pub(crate) protocol: Option<Protocol>,
    pub(crate) tls: Option<OutboundChoice>,
    pub(crate) accept: Option<IdMatcher>,
}

impl Destination {
    /// The host (a name or an IP address) and the port that a client names: the service port.
    #[must_use]
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
            subset: String::new(),
            protocol: None,
            tls: None,
            accept: None,
        }
    }

    /// Sets the subset of the service, by its name in the `DestinationRule`: only endpoints with its labels are connected to,
    /// and its TLS counts. Default none: all endpoints. A subset that no rule has is refused.
    #[must_use]
    pub fn subset(self, name: impl Into<String>) -> Self {
        Self { subset: name.into(), ..self }
    }

    /// Sets what the caller speaks. Default: the connector's.
    #[must_use]
    pub fn protocol(self, protocol: Protocol) -> Self {
        Self { protocol: Some(protocol), ..self }
    }

    /// Sets which TLS to use, whatever policies say. Default: the connector's.
    #[must_use]
    pub fn tls(self, choice: OutboundChoice) -> Self {
        Self { tls: Some(choice), ..self }
    }

    /// Sets which identities may answer, in place of those that the inventory names. It takes effect where mesh mTLS
    /// is used; it does not ask for it.
    #[must_use]
    pub fn accept(self, accepted: IdMatcher) -> Self {
        Self { accept: Some(accepted), ..self }
    }

    /// The host.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The service port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}
