//! Why a TLS block takes effect on a port, or why there is none.

use std::sync::Arc;

use serde::Serialize;

use super::index::{IndexedSidecar, IngressEffect, IngressProtocol};
use super::server_tls::ServerTlsMode;
use crate::{MtlsMode, PolicySet, ResourceName, Workload};

impl PolicySet {
    /// Says what a `Sidecar` does to `port` of a workload, from the same code as [`ingress_tls`](Self::ingress_tls).
    ///
    /// Every `Sidecar` of the set is in the answer: as the winner, or among the losers.
    pub fn explain_ingress(&self, workload: &Workload, port: u16) -> IngressExplanation {
        let winner = self.sidecars().of(self, workload);
        let listener = winner.and_then(|winner| winner.listener(port));
        let tls = self.ingress_tls(workload, port);
        let mut losers: Vec<SidecarLoser> = self
            .sidecars()
            .all()
            .filter(|sidecar| !winner.is_some_and(|winner| Arc::ptr_eq(winner, sidecar)))
            .map(|sidecar| {
                let reason = self.loss(sidecar, winner.map(Arc::as_ref), workload);
                SidecarLoser { sidecar: sidecar.name.clone(), reason }
            })
            .collect();
        losers.sort_by(|a, b| {
            let elsewhere =
                |loser: &SidecarLoser| matches!(loser.reason, SidecarLossReason::OtherNamespace);
            (elsewhere(a), &a.sidecar).cmp(&(elsewhere(b), &b.sidecar))
        });
        IngressExplanation {
            workload: workload.clone(),
            port,
            mode: self.resolve_as_written(workload, port).mode(),
            sidecar: winner.map(|winner| winner.name.clone()),
            described: listener.is_some(),
            default_endpoint: listener.and_then(|listener| listener.default_endpoint.clone()),
            tls: listener
                .and_then(|listener| listener.tls.as_ref())
                .map(|tls| tls.mode),
            effect: tls.map(|tls| tls.effect()),
            protocol: tls.and_then(|tls| tls.protocol()),
            losers,
        }
    }

    /// Why `sidecar` is not for the workload.
    fn loss(
        &self,
        sidecar: &IndexedSidecar,
        winner: Option<&IndexedSidecar>,
        workload: &Workload,
    ) -> SidecarLossReason {
        let namespace = sidecar.name.namespace();
        let root = namespace == self.settings().root_namespace;
        if namespace == workload.namespace {
            let mismatch = sidecar
                .selector
                .as_ref()
                .and_then(|selector| selector.first_mismatch(&workload.labels));
            if let Some(mismatch) = mismatch {
                return SidecarLossReason::SelectorMismatch {
                    key: mismatch.key.to_owned(),
                    wanted: mismatch.wanted.to_owned(),
                    found: mismatch.found.map(str::to_owned),
                };
            }
        } else if !root {
            return SidecarLossReason::OtherNamespace;
        } else if sidecar.selector.is_some() {
            return SidecarLossReason::SelectorInRootNamespace;
        }
        // It would be for the workload, so there is a winner before it.
        let Some(winner) = winner else { return SidecarLossReason::OtherNamespace };
        let name = winner.name.clone();
        if winner.name.namespace() != namespace {
            SidecarLossReason::NamespaceHasOwn { winner: name }
        } else if winner.selector.is_some() && sidecar.selector.is_none() {
            SidecarLossReason::SelectorGoesFirst { winner: name }
        } else {
            let same_age = winner.age == sidecar.age;
            SidecarLossReason::OlderSidecarWon { winner: name, same_age }
        }
    }
}

/// What a `Sidecar` does to a port. Its `Display` is for operators; the data is for programs.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct IngressExplanation {
    /// The workload asked about.
    pub workload: Workload,
    /// The workload port asked about.
    pub port: u16,
    /// The port's mode as the policies say, also where the set was [`tightened`](PolicySet::tightened).
    pub mode: MtlsMode,
    /// The `Sidecar` that is for the workload.
    pub sidecar: Option<ResourceName>,
    /// Whether it describes the port.
    pub described: bool,
    /// Its `defaultEndpoint` for the port, which is not dialled here.
    pub default_endpoint: Option<String>,
    /// The mode of its TLS block for the port.
    pub tls: Option<ServerTlsMode>,
    /// What the block does; `None` if there is none.
    pub effect: Option<IngressEffect>,
    /// What the port speaks under TLS, if there is a block that is not turned off.
    pub protocol: Option<IngressProtocol>,
    /// The other `Sidecar` objects: first those of the workload's namespace and the root namespace, by name.
    pub losers: Vec<SidecarLoser>,
}

/// A `Sidecar` that is not for the workload.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SidecarLoser {
    /// Its name.
    pub sidecar: ResourceName,
    /// Why it lost.
    pub reason: SidecarLossReason,
}

/// Why a `Sidecar` is not for a workload.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
#[non_exhaustive]
pub enum SidecarLossReason {
    /// Another one of the same rank is older: it counts alone, nothing is merged (rule SI-1).
    OlderSidecarWon {
        /// The older one.
        winner: ResourceName,
        /// Both are of the same second, so that the name decided.
        same_age: bool,
    },
    /// One with a selector goes before those without, whatever their age (rule SI-1).
    SelectorGoesFirst {
        /// The one with a selector.
        winner: ResourceName,
    },
    /// The selector asks for a label that the workload does not have.
    SelectorMismatch {
        /// The label's key.
        key: String,
        /// The value asked for.
        wanted: String,
        /// The value of the workload.
        found: Option<String>,
    },
    /// The default of the root namespace is for namespaces that have none of their own for the workload (rule SI-2).
    NamespaceHasOwn {
        /// The one of the workload's namespace.
        winner: ResourceName,
    },
    /// With a selector, one in the root namespace is for workloads of that namespace only (rule SI-2).
    SelectorInRootNamespace,
    /// It is of another namespace.
    OtherNamespace,
}
