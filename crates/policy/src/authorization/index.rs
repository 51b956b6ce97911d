//! Which policies are for a workload.

use std::collections::HashMap;
use std::sync::Arc;

use super::AuthorizationPolicy;
use super::compile::CompiledPolicy;
use super::connection::Connection;
use super::decide::{self, Authorization};
use crate::{MeshSettings, Workload};

/// The `AuthorizationPolicy` objects of a mesh, ready to be asked.
#[derive(Clone, Debug)]
pub struct AuthorizationPolicies {
    root_namespace: Box<str>,
    /// Each list in order of precedence.
    namespaces: HashMap<Box<str>, Vec<Arc<CompiledPolicy>>>,
}

impl AuthorizationPolicies {
    /// Compiles `policies`, which are taken as they are, also those that reading would refuse.
    ///
    /// What such a policy asks for and nobody can tell counts as a condition that only HTTP requests have: it narrows ALLOW and
    /// widens the rest.
    pub(crate) fn compile(settings: &MeshSettings, policies: &[AuthorizationPolicy]) -> Self {
        let domains = settings.domains();
        let mut sorted: Vec<&AuthorizationPolicy> = policies.iter().collect();
        sorted.sort_by(|a, b| a.metadata.precedence(&b.metadata));
        let mut namespaces: HashMap<Box<str>, Vec<_>> = HashMap::new();
        for policy in sorted {
            namespaces
                .entry(policy.name().namespace().into())
                .or_default()
                .push(CompiledPolicy::new(policy.clone(), &domains));
        }
        Self { root_namespace: settings.root_namespace.as_str().into(), namespaces }
    }

    /// Decides whether a workload may take a connection (rule AZ-1). Does not allocate.
    pub fn authorize(&self, workload: &Workload, connection: &Connection<'_>) -> Authorization<'_> {
        decide::authorize(self.selected(workload), connection)
    }

    /// The policies for a workload, to be asked about many connections.
    pub fn select(&self, workload: &Workload) -> SelectedAuthorization {
        SelectedAuthorization {
            policies: self
                .in_reach(&workload.namespace)
                .filter(|policy| policy.selects(workload))
                .cloned()
                .collect(),
        }
    }

    /// The policies for a workload: of the root namespace, then of its own, each by precedence.
    pub(super) fn selected<'a, 'w>(
        &'a self,
        workload: &'w Workload,
    ) -> impl Iterator<Item = &'a CompiledPolicy> + Clone + use<'a, 'w> {
        self.in_reach(&workload.namespace)
            .map(|policy| &**policy)
            .filter(|policy| policy.selects(workload))
    }

    /// The policies that reach a namespace (rule AZ-2).
    fn in_reach<'a>(
        &'a self,
        namespace: &str,
    ) -> impl Iterator<Item = &'a Arc<CompiledPolicy>> + Clone + use<'a> {
        let root = self.namespaces.get(&*self.root_namespace);
        let own =
            if *namespace == *self.root_namespace { None } else { self.namespaces.get(namespace) };
        [root, own].into_iter().flatten().flatten()
    }

    /// Every policy, in no particular order.
    pub(super) fn all(&self) -> impl Iterator<Item = &CompiledPolicy> {
        self.namespaces.values().flatten().map(|policy| &**policy)
    }
}

/// The policies for one workload. Cloning copies no policy.
#[derive(Clone, Debug, Default)]
pub struct SelectedAuthorization {
    policies: Vec<Arc<CompiledPolicy>>,
}

impl SelectedAuthorization {
    /// Decides whether the workload may take a connection, as [`AuthorizationPolicies::authorize`] does. Does not allocate.
    pub fn authorize(&self, connection: &Connection<'_>) -> Authorization<'_> {
        decide::authorize(self.policies.iter().map(|policy| &**policy), connection)
    }

    /// Whether one of the policies is on trial, so that there is a shadow answer.
    pub fn is_on_trial(&self) -> bool {
        self.policies.iter().any(|policy| policy.dry_run)
    }

    /// Whether no policy is for the workload: every connection may pass, and there is no shadow answer.
    pub fn is_empty(&self) -> bool {
        self.policies.is_empty()
    }
}
