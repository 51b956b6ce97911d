//! Findings about `WorkloadEntry`, and about the same description inside a `ServiceEntry`.

use super::code::Code;
use super::context::Context;
use super::finding::Findings;
use crate::resource::Resource;
use crate::{EndpointTls, WorkloadEntry, WorkloadSpec};

pub(super) fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for entry in context.resources.workload_entries() {
        contradiction(entry, "spec", &entry.workload, findings);
    }
}

/// A workload that serves a service of the mesh without identity: clients send it plaintext.
pub(super) fn without_account(entry: &WorkloadEntry, findings: &mut Findings<'_>) {
    let spec = &entry.workload;
    if spec.service_account.is_none() && EndpointTls::of_labels(&spec.labels).is_none() {
        findings.add(
            Code::EndpointWithoutAccount,
            entry,
            "spec",
            "serves a service of the mesh and is not in the mesh, so that clients send it plaintext",
            format!("a serviceAccount; or the label {}: disabled, if plaintext is meant", EndpointTls::LABEL),
        );
    }
}

/// The service account says that the workload is in the mesh, the label that it is not; or the other way round.
pub(super) fn contradiction<R: Resource>(
    object: &R,
    path: &str,
    spec: &WorkloadSpec,
    findings: &mut Findings<'_>,
) {
    let label = spec.labels.get(EndpointTls::LABEL).unwrap_or_default();
    let (message, instead) = match (&spec.service_account, EndpointTls::of_labels(&spec.labels)) {
        (Some(_), Some(EndpointTls::Disabled | EndpointTls::Other)) => (
            format!("the label says `{}`, so that clients send plaintext although there is a serviceAccount", crate::field::shorten(label)),
            "`istio`, or no serviceAccount",
        ),
        (None, Some(EndpointTls::Istio)) => (
            "the label says `istio`, but without a serviceAccount clients have no name to check: they accept every certificate of the mesh".to_owned(),
            "a serviceAccount beside it",
        ),
        (_, None) | (Some(_), Some(EndpointTls::Istio)) | (None, Some(EndpointTls::Disabled | EndpointTls::Other)) => return,
    };
    let field = format!("{path}.labels.{}", EndpointTls::LABEL);
    findings.add(Code::IdentityContradiction, object, field, message, instead);
}
