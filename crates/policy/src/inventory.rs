//! Services known from files: `ServiceEntry` and `WorkloadEntry`.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use meshtls_identity::{ServiceAccountId, SpiffeId, TrustDomain};

use crate::discovery::{Discovery, Endpoint, EndpointTls, Registry, Resolution, ServiceView};
use crate::host_name::{normalize, short_names};
use crate::member::{Member, Members};
use crate::service_entry::{EntryResolution, ServiceEntry, ServicePort};
use crate::workload_entry::{Address, WorkloadEntry, WorkloadSpec};
use crate::{MeshSettings, PeerName, Resources, Workload};

/// Services, endpoints and workloads as values.
///
/// # Names
///
/// A host is looked up as it is, then under the short names of Kubernetes, then under `*.` entries, longest first:
///
/// * `httpbin.foo.svc.cluster.local` is also found as `httpbin.foo.svc` and `httpbin.foo`;
/// * `httpbin` alone is `httpbin.<namespace of the client>`.
///
/// Where several hosts share a short name, the oldest one that the client sees and that has the port is meant.
///
/// Where several entries have the host and the port, one of the client's namespace is taken before others, then the
/// oldest.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// By full host name, in order of precedence.
    hosts: HashMap<String, Vec<Exported>>,
    /// Short names to full ones, in order of precedence.
    short: HashMap<String, Vec<String>>,
    workloads: Vec<WorkloadEntry>,
    members: Members,
    /// The trust domain of the service accounts among the names of services; `None` if there are no services.
    trust_domain: Option<TrustDomain>,
}

/// A service port, and who sees it.
#[derive(Clone, Debug)]
struct Exported {
    view: Arc<ServiceView>,
    to: Arc<[String]>,
}

impl Inventory {
    /// Collects the services and workloads among `resources`.
    ///
    /// Of `settings`, the trust domain counts: service accounts become SPIFFE IDs in it.
    pub fn from_resources(settings: &MeshSettings, resources: &Resources) -> Self {
        let mut entries: Vec<&ServiceEntry> = resources.service_entries().iter().collect();
        entries.sort_by(|a, b| a.metadata.precedence(&b.metadata));
        let mut inventory = Self {
            workloads: resources.workload_entries().to_vec(),
            trust_domain: Some(settings.trust_domain.clone()),
            ..Self::default()
        };
        for entry in entries {
            let to: Arc<[String]> = entry.export_to.clone().into();
            for host in &entry.hosts {
                let host = normalize(host);
                for port in &entry.ports {
                    let view = Arc::new(view(settings, entry, &host, port, &inventory.workloads));
                    inventory
                        .hosts
                        .entry(host.clone().into_owned())
                        .or_default()
                        .push(Exported { view, to: Arc::clone(&to) });
                }
                for short in short_names(&host).into_iter().flatten() {
                    let full = inventory.short.entry(short.to_owned()).or_default();
                    if full.iter().all(|known| *known != *host) {
                        full.push(host.clone().into_owned());
                    }
                }
            }
        }
        inventory.members =
            Members::collect(&inventory.workloads, inventory.services().map(|service| &**service));
        inventory
    }

    /// The same inventory in a mesh of another trust domain: the service accounts of endpoints have their names there.
    pub(crate) fn in_trust_domain(&self, domain: &TrustDomain) -> Cow<'_, Self> {
        let Some(own) = self.trust_domain.as_ref().filter(|own| *own != domain) else {
            return Cow::Borrowed(self);
        };
        let mut moved = self.clone();
        for exported in moved.hosts.values_mut().flatten() {
            let view = Arc::make_mut(&mut exported.view);
            let accounts: Vec<PeerName> = view
                .endpoints
                .iter()
                .filter_map(|endpoint| endpoint.service_account.as_deref())
                .map(|account| account_name(own, &view.namespace, account))
                .collect();
            for name in view.names.iter_mut().filter(|name| accounts.contains(name)) {
                if let PeerName::Spiffe(id) = name
                    && let Some(renamed) = renamed(id, domain)
                {
                    *id = renamed;
                }
            }
        }
        moved.trust_domain = Some(domain.clone());
        Cow::Owned(moved)
    }

    /// Every port of every service, in no particular order.
    pub fn services(&self) -> impl Iterator<Item = &Arc<ServiceView>> {
        self.hosts.values().flatten().map(|exported| &exported.view)
    }

    /// The workloads that have an entry of their own.
    pub fn workloads(&self) -> &[WorkloadEntry] {
        &self.workloads
    }

    /// Every workload: those with an entry of their own, then those that only a `ServiceEntry` names.
    pub fn members(&self) -> &[Member] {
        self.members.as_slice()
    }

    /// The workload behind an endpoint of [`services`](Self::services).
    pub fn member(&self, endpoint: &Endpoint) -> Option<&Member> {
        self.members.of(endpoint)
    }

    /// The service under exactly this name.
    fn exact(&self, client_namespace: &str, host: &str, port: u16) -> Option<Arc<ServiceView>> {
        let mut visible =
            self.hosts.get(host)?.iter().filter(|exported| {
                exported.view.port == port && exported.reaches(client_namespace)
            });
        let oldest = visible.clone().next();
        visible
            .find(|exported| exported.view.namespace == client_namespace)
            .or(oldest)
            .map(|exported| Arc::clone(&exported.view))
    }

    fn short(&self, client_namespace: &str, host: &str, port: u16) -> Option<Arc<ServiceView>> {
        let candidates = match host.split_once('.') {
            Some(_) => self.short.get(host)?,
            None => self.short.get(&format!("{host}.{client_namespace}"))?,
        };
        candidates
            .iter()
            .find_map(|full| self.exact(client_namespace, full, port))
    }

    fn wildcard(&self, client_namespace: &str, host: &str, port: u16) -> Option<Arc<ServiceView>> {
        let mut rest = host;
        while let Some((_, parent)) = rest.split_once('.') {
            if let Some(found) = self.exact(client_namespace, &format!("*.{parent}"), port) {
                return Some(found);
            }
            rest = parent;
        }
        None
    }
}

impl Discovery for Inventory {
    fn service(&self, client_namespace: &str, host: &str, port: u16) -> Option<Arc<ServiceView>> {
        let host = normalize(host);
        self.exact(client_namespace, &host, port)
            .or_else(|| self.short(client_namespace, &host, port))
            .or_else(|| self.wildcard(client_namespace, &host, port))
    }
}

impl Exported {
    fn reaches(&self, client_namespace: &str) -> bool {
        self.to.is_empty()
            || self.to.iter().any(|to| match to.as_str() {
                "*" => true,
                "." => client_namespace == self.view.namespace,
                // "~" (nobody) is no namespace's name.
                name => name == client_namespace,
            })
    }
}

/// One port of a service under one of its hosts.
fn view(
    settings: &MeshSettings,
    entry: &ServiceEntry,
    host: &str,
    port: &ServicePort,
    workloads: &[WorkloadEntry],
) -> ServiceView {
    let namespace = entry.metadata.name.namespace();
    let mut endpoints: Vec<Endpoint> = entry
        .endpoints
        .iter()
        .chain(entry.selected(workloads))
        .map(|workload| endpoint(namespace, workload, port))
        .collect();
    let resolution = match entry.resolution {
        EntryResolution::None | EntryResolution::DynamicDns => Resolution::Passthrough,
        EntryResolution::Static => Resolution::ClientSide,
        EntryResolution::Dns | EntryResolution::DnsRoundRobin => Resolution::Dns,
    };
    if resolution == Resolution::Dns && endpoints.is_empty() && !host.starts_with("*.") {
        endpoints.push(endpoint(
            namespace,
            &WorkloadSpec::new(Address::Host(host.to_owned())),
            port,
        ));
    }
    let accounts = endpoints
        .iter()
        .filter_map(|endpoint| endpoint.service_account.as_deref())
        .map(|account| account_name(&settings.trust_domain, namespace, account));
    let mut names: Vec<PeerName> = entry
        .subject_alt_names
        .iter()
        .map(|name| PeerName::from(name.as_str()))
        .chain(accounts)
        .collect();
    names.sort();
    names.dedup();
    ServiceView {
        registry: Registry::External,
        resolution,
        location: entry.location,
        names,
        endpoints,
        ..ServiceView::new(host, namespace, port.number)
    }
}

/// A workload as the endpoint of a port.
fn endpoint(namespace: &str, workload: &WorkloadSpec, port: &ServicePort) -> Endpoint {
    let number = workload
        .ports
        .get(&port.name)
        .copied()
        .or(port.target_port)
        .unwrap_or(port.number);
    Endpoint {
        tls: EndpointTls::of_workload(workload),
        service_account: workload.service_account.clone(),
        ..Endpoint::new(
            workload.address.clone(),
            number,
            Workload::new(namespace, workload.labels.clone()),
        )
    }
}

/// The SPIFFE ID of an account; a name that nobody can present where there is none (values are taken as they are).
fn account_name(trust_domain: &TrustDomain, namespace: &str, account: &str) -> PeerName {
    ServiceAccountId::new(trust_domain, namespace, account)
        .map_or_else(|_| PeerName::Other(account.to_owned()), |id| PeerName::Spiffe(id.into()))
}

/// The same service account in another trust domain.
fn renamed(id: &SpiffeId, domain: &TrustDomain) -> Option<SpiffeId> {
    let account = ServiceAccountId::try_from(id).ok()?;
    account.in_trust_domain(domain).ok().map(SpiffeId::from)
}
