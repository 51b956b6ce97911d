//! The workloads of an inventory, whichever way they are known.

use std::collections::HashMap;

use serde::Serialize;

use crate::{
    Address, Endpoint, EndpointTls, Labels, ResourceName, ServiceView, Workload, WorkloadEntry,
};

/// A workload of an [`Inventory`](crate::Inventory), with the ports through which services reach it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Member {
    /// Its `WorkloadEntry`. An endpoint written inside a `ServiceEntry` has no name of its own: it is called by its label
    /// `app`, else by the first part of the service's host.
    pub name: ResourceName,
    /// What policies see of it.
    #[serde(flatten)]
    pub workload: Workload,
    /// Where it is.
    pub address: Address,
    /// The service account it runs as, if known.
    pub service_account: Option<String>,
    /// Whether it takes part in mesh mTLS.
    pub tls: EndpointTls,
    /// The ports it serves, without doubles, in the order of services' host names.
    pub ports: Vec<ServedPort>,
}

/// A workload port, and the service port that clients know it by.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[non_exhaustive]
pub struct ServedPort {
    /// The full host name of the service.
    pub service: String,
    /// The port that clients name.
    pub service_port: u16,
    /// The port that the workload listens on, and the one policies speak of.
    pub workload_port: u16,
}

impl Member {
    /// Whether it takes part in mesh mTLS: otherwise it can only send plaintext.
    pub fn is_in_mesh(&self) -> bool {
        self.tls == EndpointTls::Istio
    }

    /// Whether it listens on this workload port, as far as services tell.
    pub fn listens_on(&self, port: u16) -> bool {
        self.ports.iter().any(|served| served.workload_port == port)
    }

    fn of_entry(entry: &WorkloadEntry) -> Self {
        let spec = &entry.workload;
        Self {
            name: entry.metadata.name.clone(),
            workload: Workload::new(entry.metadata.name.namespace(), spec.labels.clone()),
            address: spec.address.clone(),
            service_account: spec.service_account.clone(),
            tls: EndpointTls::of_workload(spec),
            ports: Vec::new(),
        }
    }

    fn of_endpoint(endpoint: &Endpoint, service: &ServiceView) -> Self {
        let first_part = service.hostname.split('.').next().unwrap_or_default();
        let name = endpoint.workload.labels.get("app").unwrap_or(first_part);
        Self {
            name: ResourceName::new(&endpoint.workload.namespace, name),
            workload: endpoint.workload.clone(),
            address: endpoint.address.clone(),
            service_account: endpoint.service_account.clone(),
            tls: endpoint.tls,
            ports: Vec::new(),
        }
    }
}

/// Members by what tells two endpoints apart.
#[derive(Clone, Debug, Default)]
pub(crate) struct Members {
    all: Vec<Member>,
    places: HashMap<Key, usize>,
}

type Key = (String, Address, Labels, Option<String>);

impl Members {
    /// The workloads with an entry of their own, then those that only services name.
    pub(crate) fn collect<'a>(
        entries: &[WorkloadEntry],
        services: impl Iterator<Item = &'a ServiceView>,
    ) -> Self {
        let mut members = Self::default();
        for entry in entries {
            let member = Member::of_entry(entry);
            members.place(member);
        }
        let mut services: Vec<&ServiceView> = services.collect();
        services.sort_by(|a, b| (&a.hostname, a.port).cmp(&(&b.hostname, b.port)));
        for service in services {
            for endpoint in &service.endpoints {
                let at = members.place(Member::of_endpoint(endpoint, service));
                let served = ServedPort {
                    service: service.hostname.clone(),
                    service_port: service.port,
                    workload_port: endpoint.port,
                };
                if let Some(member) = members.all.get_mut(at)
                    && !member.ports.contains(&served)
                {
                    member.ports.push(served);
                }
            }
        }
        members
    }

    pub(crate) fn as_slice(&self) -> &[Member] {
        &self.all
    }

    pub(crate) fn of(&self, endpoint: &Endpoint) -> Option<&Member> {
        let key = (
            endpoint.workload.namespace.clone(),
            endpoint.address.clone(),
            endpoint.workload.labels.clone(),
            endpoint.service_account.clone(),
        );
        self.all.get(*self.places.get(&key)?)
    }

    /// The place of a member that may be there already.
    fn place(&mut self, member: Member) -> usize {
        let key = (
            member.workload.namespace.clone(),
            member.address.clone(),
            member.workload.labels.clone(),
            member.service_account.clone(),
        );
        let next = self.all.len();
        let at = *self.places.entry(key).or_insert(next);
        if at == next {
            self.all.push(member);
        }
        at
    }
}
