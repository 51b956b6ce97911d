//! Which `Sidecar` is for a workload, and what its TLS block does on a port.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;

use super::{IngressListener, ServerTls, Sidecar};
use crate::{Labels, MtlsMode, PolicySet, ResourceName, Workload};

impl PolicySet {
    /// The TLS block that a `Sidecar` has for a workload's `port`, and whether it takes effect. Does not allocate.
    ///
    /// `port` is the port the workload listens on. `None`: no `Sidecar` is for the workload, or the one that is has no TLS
    /// block for the port. [`explain_ingress`](Self::explain_ingress) tells these apart.
    ///
    /// It goes by the mode that the policies say, also where the set was [`tightened`](Self::tightened): a block that keeps
    /// members of the mesh out goes on doing so.
    pub fn ingress_tls(&self, workload: &Workload, port: u16) -> Option<IngressTls<'_>> {
        let sidecar = self.sidecars().of(self, workload)?;
        let mode = self.resolve_as_written(workload, port).mode();
        sidecar.tls(port, mode, self.settings().sidecar_ingress_tls)
    }
}

/// The TLS block of an ingress listener, and whether it takes effect.
#[derive(Clone, Copy, Debug)]
pub struct IngressTls<'a> {
    sidecar: &'a ResourceName,
    listener: &'a IngressListener,
    tls: &'a ServerTls,
    effect: IngressEffect,
}

impl<'a> IngressTls<'a> {
    /// The `Sidecar` it comes from.
    pub fn sidecar(&self) -> &'a ResourceName {
        self.sidecar
    }

    /// The listener it belongs to.
    pub fn listener(&self) -> &'a IngressListener {
        self.listener
    }

    /// Whether it takes effect, or why not.
    pub fn effect(&self) -> IngressEffect {
        self.effect
    }

    /// How to end TLS, if the block takes effect: then the port has no other way in, and plaintext is refused.
    pub fn tls(&self) -> Option<&'a ServerTls> {
        (self.effect == IngressEffect::Applies).then_some(self.tls)
    }

    /// What the port speaks under the TLS that ends here: that of the block, or the mesh's where the block is ignored for it
    /// (rule SI-4). `None`: the setting turned the block off, and the port speaks what it declares.
    pub fn protocol(&self) -> Option<IngressProtocol> {
        let https = self.listener.protocol.eq_ignore_ascii_case("HTTPS");
        let inner = if https { IngressProtocol::Http } else { IngressProtocol::Tcp };
        (self.effect != IngressEffect::TurnedOff).then_some(inner)
    }
}

/// What the TLS block of an ingress listener does.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(tag = "effect", rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "whoever accepts connections must handle each")]
pub enum IngressEffect {
    /// TLS of clients outside the mesh is ended as the block says; everything else is refused (rule SI-5).
    Applies,
    /// The port's mode is not DISABLE: the block is ignored, and mesh mTLS has the port (rule SI-4).
    MeshMtls {
        /// The mode.
        mode: MtlsMode,
    },
    /// [`MeshSettings::sidecar_ingress_tls`](crate::MeshSettings::sidecar_ingress_tls) is false: all such blocks are ignored
    /// (rule SI-3).
    TurnedOff,
}

/// What a port speaks once TLS is ended.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(clippy::exhaustive_enums, reason = "HTTPS and TLS have these two inside")]
pub enum IngressProtocol {
    /// HTTP: the port is declared `HTTPS`.
    Http,
    /// Anything: the port is declared `TLS`.
    Tcp,
}

/// The `Sidecar` objects of a mesh by namespace, each list in Istio's order.
#[derive(Clone, Debug, Default)]
pub(crate) struct SidecarIndex {
    namespaces: HashMap<Box<str>, Vec<Arc<IndexedSidecar>>>,
}

impl SidecarIndex {
    pub(crate) fn new(sidecars: &[Sidecar]) -> Self {
        let mut sorted: Vec<&Sidecar> = sidecars.iter().collect();
        // With a selector before without, then by age (rule SI-1).
        sorted.sort_by(|a, b| {
            let without = |sidecar: &Sidecar| sidecar.workload_selector.is_none();
            without(a)
                .cmp(&without(b))
                .then_with(|| a.metadata.precedence(&b.metadata))
        });
        let mut namespaces: HashMap<Box<str>, Vec<Arc<IndexedSidecar>>> = HashMap::new();
        for sidecar in sorted {
            namespaces
                .entry(sidecar.name().namespace().into())
                .or_default()
                .push(Arc::new(IndexedSidecar::new(sidecar)));
        }
        Self { namespaces }
    }

    /// The one `Sidecar` that is for a workload (rules SI-1 and SI-2).
    pub(crate) fn of(&self, set: &PolicySet, workload: &Workload) -> Option<&Arc<IndexedSidecar>> {
        self.in_namespace(&workload.namespace)
            .iter()
            .find(|sidecar| sidecar.selects(workload))
            .or_else(|| {
                self.in_namespace(&set.settings().root_namespace)
                    .iter()
                    .find(|sidecar| sidecar.selector.is_none())
            })
    }

    /// Those of a namespace, in Istio's order.
    fn in_namespace(&self, namespace: &str) -> &[Arc<IndexedSidecar>] {
        self.namespaces
            .get(namespace)
            .map_or(&[], |sidecars| sidecars.as_slice())
    }

    /// Every one, in no particular order.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<IndexedSidecar>> {
        self.namespaces.values().flatten()
    }
}

/// What counts of a `Sidecar`.
#[derive(Clone, Debug)]
pub(crate) struct IndexedSidecar {
    pub(crate) name: ResourceName,
    pub(crate) age: crate::Timestamp,
    pub(crate) selector: Option<Labels>,
    ingress: Vec<IngressListener>,
}

impl IndexedSidecar {
    fn new(sidecar: &Sidecar) -> Self {
        Self {
            name: sidecar.name().clone(),
            age: sidecar.metadata.age(),
            selector: sidecar.workload_selector.clone(),
            ingress: sidecar.ingress.clone(),
        }
    }

    /// Whether it selects a workload of its own namespace.
    fn selects(&self, workload: &Workload) -> bool {
        self.selector
            .as_ref()
            .is_none_or(|selector| selector.select(&workload.labels))
    }

    /// What it says of a port; of two listeners for one port, which validation refuses, the first.
    pub(crate) fn listener(&self, port: u16) -> Option<&IngressListener> {
        self.ingress.iter().find(|listener| listener.port == port)
    }

    /// Its TLS block for a port that has the mode given.
    pub(crate) fn tls(&self, port: u16, mode: MtlsMode, enabled: bool) -> Option<IngressTls<'_>> {
        let listener = self.listener(port)?;
        let tls = listener.tls.as_ref()?;
        let effect = match mode {
            _ if !enabled => IngressEffect::TurnedOff,
            MtlsMode::Disable => IngressEffect::Applies,
            MtlsMode::Permissive | MtlsMode::Strict => IngressEffect::MeshMtls { mode },
        };
        Some(IngressTls { sidecar: &self.name, listener, tls, effect })
    }
}
