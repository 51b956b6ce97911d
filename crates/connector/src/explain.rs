//! What would be done for a destination, and why: for operators.

use std::fmt;

use meshtls_policy::{
    ClientCredential, Endpoint, MtlsMode, OutboundReason, OutboundRefusal, Roots, Winner,
};
use serde::Serialize;

use crate::origination::Originate;
use crate::originators::Originators;
use crate::plan::{Accepted, Plan, Way};
use crate::{Destination, OriginationMode, PlaintextReason, Sni, Unnamed};

/// What a connector would do for a destination now. `Display` gives the text, serde the data.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Explanation {
    /// The host asked for.
    pub host: String,
    /// The service port asked for.
    pub port: u16,
    /// The service found. `None`: no service has this host and port, so it is outside the mesh.
    pub service: Option<FoundService>,
    /// Each endpoint. They take turns.
    pub endpoints: Vec<ExplainedEndpoint>,
}

/// The service that a host and a port stand for.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct FoundService {
    /// Its full name.
    pub hostname: String,
    /// Its namespace.
    pub namespace: String,
}

/// How an endpoint would be connected to.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ExplainedEndpoint {
    /// Where it is: an address or a name, and the workload port.
    pub endpoint: String,
    /// How it would be connected to, and why.
    pub decision: Decision,
    /// What its own policies let in, as far as they are known here. `None` outside the mesh.
    pub server_mode: Option<ServerMode>,
}

/// How an endpoint would be connected to, and why.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(tag = "mode", rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum Decision {
    /// In plaintext.
    Disable {
        /// Why.
        why: PlaintextReason,
    },
    /// By TLS without a certificate of our own, to a server that need not be of the mesh.
    Simple(ExplainedOrigination),
    /// By TLS with the certificate that a rule names, to a server that need not be of the mesh.
    Mutual(ExplainedOrigination),
    /// Not at all: policies want what cannot be done.
    Refuse {
        /// What cannot be done.
        why: OutboundRefusal,
    },
    /// By mesh mTLS.
    IstioMutual {
        /// Why.
        why: OutboundReason,
        /// The server name.
        sni: Sni,
        /// Which identities may answer.
        accepted: String,
        /// Whether nothing says which identities may answer, and the connector is to refuse then.
        refused_unnamed: bool,
    },
}

/// How TLS would be begun towards a server that need not be of the mesh. No file was read for it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ExplainedOrigination {
    /// Why.
    pub why: OutboundReason,
    /// The server name.
    pub sni: Sni,
    /// Which names the server's certificate must carry.
    pub accepted: String,
    /// Who has to vouch for the server.
    pub roots: String,
    /// Where our own certificate comes from.
    pub certificate: Option<String>,
    /// Why there would be no connection, as far as that is known without reading anything.
    pub refused: Option<String>,
}

/// The mode that policies give an endpoint's port.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ServerMode {
    /// The mode.
    pub mode: MtlsMode,
    /// Where it comes from.
    pub winner: Winner,
}

impl Explanation {
    pub(crate) fn of(
        to: &Destination,
        plan: &Plan<'_>,
        unnamed: Unnamed,
        originators: &Originators,
    ) -> Self {
        let explain = |endpoint: &Endpoint| {
            let resolved = plan
                .service()
                .map(|_| plan.policies().resolve(&endpoint.workload, endpoint.port));
            ExplainedEndpoint {
                endpoint: endpoint.to_string(),
                decision: Decision::of(plan.way(endpoint), &to.host, unnamed, originators),
                server_mode: resolved.map(|resolved| ServerMode {
                    mode: resolved.mode(),
                    winner: resolved.winner(),
                }),
            }
        };
        Self {
            host: to.host.clone(),
            port: to.port,
            endpoints: plan.endpoints().into_iter().map(explain).collect(),
            service: plan.service().map(|service| FoundService {
                hostname: service.hostname.clone(),
                namespace: service.namespace.clone(),
            }),
        }
    }
}

impl Decision {
    fn of(way: Way, host: &str, unnamed: Unnamed, originators: &Originators) -> Self {
        match way {
            Way::Plaintext(why) => Self::Disable { why },
            Way::Refuse(why) => Self::Refuse { why },
            Way::Originate(wanted) => {
                let explained = ExplainedOrigination::of(&wanted, host, originators);
                match wanted.mode() {
                    OriginationMode::Simple => Self::Simple(explained),
                    OriginationMode::Mutual => Self::Mutual(explained),
                }
            }
            Way::Mesh { sni, accepted, reason } => Self::IstioMutual {
                why: reason,
                sni,
                refused_unnamed: accepted.matcher(host, unnamed).is_err(),
                accepted: match accepted {
                    Accepted::Caller(ids) => ids.to_string(),
                    Accepted::Inventory(names) => names.to_string(),
                },
            },
        }
    }
}

impl ExplainedOrigination {
    fn of(wanted: &Originate, host: &str, originators: &Originators) -> Self {
        let names = wanted.names(host);
        let objection = originators
            .objection(wanted)
            .map(|objection| objection.to_string());
        Self {
            why: wanted.reason.clone(),
            sni: wanted.sni(host),
            accepted: match &names {
                Ok(Some(names)) => names.to_string(),
                Ok(None) => "anybody, nothing is verified".to_owned(),
                Err(_) => "nobody".to_owned(),
            },
            roots: match &wanted.origination.roots {
                _ if wanted.skips_verification() => "nobody has to".to_owned(),
                Roots::System => "the system's authorities".to_owned(),
                Roots::File(path) => format!("the authorities in `{path}`"),
                Roots::Credential(name) => format!("the authorities of credential `{name}`"),
            },
            certificate: wanted
                .credential
                .as_ref()
                .map(|credential| match credential {
                    ClientCredential::Files { certificate, .. } => format!("`{certificate}`"),
                    ClientCredential::Credential(name) => format!("credential `{name}`"),
                }),
            refused: names.err().map(|error| error.to_string()).or(objection),
        }
    }
}

impl ExplainedEndpoint {
    /// Whether plaintext would be sent to a port that refuses it.
    #[must_use]
    pub fn is_plaintext_into_strict(&self) -> bool {
        let strict = self
            .server_mode
            .as_ref()
            .is_some_and(|server| server.mode == MtlsMode::Strict);
        strict && matches!(self.decision, Decision::Disable { .. })
    }
}

/// One line for the destination, then two to six for each endpoint.
impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{} is ", self.host, self.port)?;
        match &self.service {
            Some(service) => {
                write!(f, "service {} of namespace {}", service.hostname, service.namespace)?
            }
            None => f.write_str("outside the mesh: no service has this host and port")?,
        }
        if self.endpoints.is_empty() {
            f.write_str("\n  no endpoint is known")?;
        }
        self.endpoints
            .iter()
            .try_for_each(|endpoint| write!(f, "\n  {endpoint}"))
    }
}

impl fmt::Display for ExplainedEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.endpoint, self.decision)?;
        if let Some(server) = &self.server_mode {
            write!(f, "\n    its own mode is {}, by {}", server.mode, server.winner)?;
        }
        if self.is_plaintext_into_strict() {
            f.write_str(": it will reset this connection")?;
        }
        Ok(())
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disable { why } => write!(f, "plaintext, {why}"),
            Self::Refuse { why } => write!(f, "no connection, {why}"),
            Self::Simple(origination) => write!(f, "TLS, {origination}"),
            Self::Mutual(origination) => write!(f, "TLS with a client certificate, {origination}"),
            Self::IstioMutual { why, sni, accepted, refused_unnamed } => {
                write!(f, "mesh mTLS, {why}\n    accepted: {accepted}")?;
                if *refused_unnamed {
                    f.write_str(" (no connection: which identities may answer has to be said)")?;
                }
                write!(f, "\n    server name: {sni}")
            }
        }
    }
}

impl fmt::Display for ExplainedOrigination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n    accepted: {}", self.why, self.accepted)?;
        if let Some(refused) = &self.refused {
            write!(f, " (no connection: {refused})")?;
        }
        write!(f, "\n    vouched for by: {}", self.roots)?;
        if let Some(certificate) = &self.certificate {
            write!(f, "\n    our certificate: {certificate}")?;
        }
        write!(f, "\n    server name: {}", self.sni)
    }
}
