//! STRICT where nobody can meet it.

use std::collections::BTreeMap;

use super::scope::Scope;
use crate::lint::code::Code;
use crate::lint::context::Context;
use crate::lint::finding::{Findings, some_of};
use crate::lint::world::Alike;
use crate::{EndpointTls, MtlsMode, PeerAuthentication, ResourceName, Winner};

/// Clients send plaintext to a namespace that is DISABLE as a whole, also to its STRICT workloads (rule PA-11).
pub(super) fn disabled_namespace(scope: &Scope<'_>, findings: &mut Findings<'_>) {
    if scope.context.enforced.namespace_mode(scope.namespace) != MtlsMode::Disable {
        return;
    }
    let strict = Some(MtlsMode::Strict);
    for policy in scope
        .groups
        .iter()
        .filter_map(|group| group.enforced().next())
    {
        let port = policy.ports.iter().find(|(_, mode)| **mode == strict);
        let field = match port {
            _ if policy.mode == strict => "spec.mtls.mode".to_owned(),
            Some((port, _)) => format!("spec.portLevelMtls.{port}"),
            None => continue,
        };
        findings.add(
            Code::StrictInDisabledNamespace,
            policy,
            field,
            format!(
                "STRICT, but clients take all of namespace {} for DISABLE: they send plaintext and are refused",
                scope.namespace
            ),
            "PERMISSIVE for the whole namespace, and DISABLE in policies that select the workloads which need it",
        );
    }
}

/// A workload outside the mesh cannot do mTLS, as server or as client.
pub(super) fn strict_without_identity(context: &Context<'_>, findings: &mut Findings<'_>) {
    let mut found: BTreeMap<(ResourceName, String), Vec<&Alike>> = BTreeMap::new();
    for member in outside(context) {
        let anywhere = [0];
        let ports = if member.ports.is_empty() { None } else { Some(member.ports.iter()) };
        for port in ports.into_iter().flatten().chain(&anywhere) {
            let resolved = context.enforced.resolve(&member.workload, *port);
            if resolved.mode() != MtlsMode::Strict || (*port == 0 && !member.ports.is_empty()) {
                continue;
            }
            let field = match resolved.winner() {
                Winner::Port(_) => format!("spec.portLevelMtls.{port}"),
                _ => "spec.mtls.mode".to_owned(),
            };
            if let Some(policy) = resolved.winner().policy() {
                let members = found.entry((policy.clone(), field)).or_default();
                if !members
                    .last()
                    .is_some_and(|last| std::ptr::eq(*last, member))
                {
                    members.push(member);
                }
            }
        }
    }
    let policies: BTreeMap<&ResourceName, &PeerAuthentication> = context
        .resources
        .peer_authentications()
        .iter()
        .map(|policy| (policy.name(), policy))
        .collect();
    for ((name, field), members) in found {
        let Some(policy) = policies.get(&name) else { continue };
        findings.add(
            Code::StrictWithoutIdentity,
            *policy,
            field,
            format!(
                "STRICT for workloads that are not in the mesh, which get plaintext from its clients and have no certificate as clients: {}",
                some_of(&members)
            ),
            format!("give each of them a serviceAccount or the label {}: istio, or exempt them with PERMISSIVE", EndpointTls::LABEL),
        );
    }
}

/// STRICT for a whole namespace refuses the workloads outside the mesh as clients. (Of those that are STRICT themselves, by the
/// same policy or as all of the mesh is, the rule above speaks.)
pub(super) fn clients_without_identity(scope: &Scope<'_>, findings: &mut Findings<'_>) {
    let Some(policy) = scope.enforced_level().next() else { return };
    if policy.mode != Some(MtlsMode::Strict) {
        return;
    }
    let clients: Vec<&Alike> = outside(scope.context)
        .filter(|member| member.workload.namespace != scope.namespace)
        .collect();
    if !clients.is_empty() {
        findings.add(
            Code::ClientsWithoutIdentity,
            policy,
            "spec.mtls.mode",
            format!("STRICT refuses workloads of other namespaces that are not in the mesh, should they connect: {}", some_of(clients)),
            "bring them into the mesh first, or PERMISSIVE as long as they connect here",
        );
    }
}

/// The workloads that are not in the mesh and could be.
fn outside<'a>(context: &'a Context<'_>) -> impl Iterator<Item = &'a Alike> {
    let members = context.world.iter().flat_map(|world| world.inside());
    members.filter(|member| !member.in_mesh)
}
