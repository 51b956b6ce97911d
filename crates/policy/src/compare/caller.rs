//! Who may connect.

use std::net::IpAddr;

use meshtls_identity::{ServiceAccountId, SpiffeId, TrustDomain};
use serde::Serialize;

use crate::{Labels, Member, Workload};

/// Who connects, or may.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Caller {
    /// Such as `curl.legacy`, or an address of which nothing else is known.
    pub name: String,
    /// What policies see of it.
    pub workload: Workload,
    /// Where it connects from, if known.
    pub address: Option<IpAddr>,
    /// The identity it presents; `None`: it is outside the mesh and has none.
    #[serde(serialize_with = "as_text")]
    pub id: Option<SpiffeId>,
}

impl Caller {
    pub(super) fn member(member: &Member, trust_domain: &TrustDomain) -> Self {
        Self {
            name: super::dotted(&member.name),
            workload: member.workload.clone(),
            address: member.address.ip(),
            id: if member.is_in_mesh() { identity(member, trust_domain) } else { None },
        }
    }

    /// Somebody at an address that no workload of the inventory has: a plaintext client of no namespace.
    pub(super) fn stranger(address: IpAddr) -> Self {
        Self {
            name: address.to_string(),
            workload: Workload::new("", Labels::default()),
            address: Some(address),
            id: None,
        }
    }
}

/// The identity of a workload in the mesh; without a service account it runs as `default`, as in Kubernetes.
pub(super) fn identity(member: &Member, trust_domain: &TrustDomain) -> Option<SpiffeId> {
    let account = member.service_account.as_deref().unwrap_or("default");
    ServiceAccountId::new(trust_domain, &member.workload.namespace, account)
        .ok()
        .map(Into::into)
}

fn as_text<S: serde::Serializer>(id: &Option<SpiffeId>, serializer: S) -> Result<S::Ok, S::Error> {
    match id {
        Some(id) => serializer.serialize_some(id.as_str()),
        None => serializer.serialize_none(),
    }
}
