//! The answer for one workload and port.

use std::fmt;

use serde::Serialize;

use crate::mode_policies::Ranked;
use crate::{MtlsMode, PeerAuthentication, ResourceName};

/// What is chosen at each level, one thing at most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Levels<T> {
    pub(crate) mesh: Option<T>,
    pub(crate) namespace: Option<T>,
    pub(crate) workload: Option<T>,
}

impl<T> Levels<T> {
    pub(crate) fn as_ref(&self) -> Levels<&T> {
        let Self { mesh, namespace, workload } = self;
        Levels { mesh: mesh.as_ref(), namespace: namespace.as_ref(), workload: workload.as_ref() }
    }

    pub(crate) fn map<U>(self, each: impl Fn(T) -> U) -> Levels<U> {
        let Self { mesh, namespace, workload } = self;
        Levels {
            mesh: mesh.map(&each),
            namespace: namespace.map(&each),
            workload: workload.map(&each),
        }
    }
}

/// The effective mode of a port, with the policy chosen at each level.
#[derive(Clone, Copy, Debug)]
pub struct Resolved<'a> {
    mesh: Option<&'a PeerAuthentication>,
    namespace: Option<&'a PeerAuthentication>,
    workload: Option<&'a PeerAuthentication>,
    merged: (MtlsMode, Decider),
    port: Option<MtlsMode>,
    tightened: bool,
}

/// Which level set the merged mode.
#[derive(Clone, Copy, Debug)]
enum Decider {
    Default,
    Mesh,
    Namespace,
    Workload,
}

impl<'a> Resolved<'a> {
    /// Rules PA-7 to PA-9, from the policies chosen at each level.
    pub(crate) fn merge(chosen: Levels<&'a Ranked>, port: u16) -> Self {
        let levels = [
            (chosen.mesh, Decider::Mesh),
            (chosen.namespace, Decider::Namespace),
            (chosen.workload, Decider::Workload),
        ];
        let merged = levels.into_iter().fold(
            (MtlsMode::DEFAULT, Decider::Default),
            |above, (policy, level)| match policy.and_then(Ranked::mode) {
                Some(mode) => (mode, level),
                None => above,
            },
        );
        let port = chosen.workload.and_then(|policy| policy.port_mode(port));
        let Levels { mesh, namespace, workload } = chosen.map(Ranked::policy);
        Self { mesh, namespace, workload, merged, port, tightened: false }
    }

    /// The same, at STRICT if `tightened`.
    pub(crate) fn tightened(self, tightened: bool) -> Self {
        Self { tightened, ..self }
    }

    /// The effective mode of the port.
    pub fn mode(&self) -> MtlsMode {
        if self.tightened { MtlsMode::Strict } else { self.mode_as_written() }
    }

    fn mode_as_written(&self) -> MtlsMode {
        self.port.unwrap_or(self.merged.0)
    }

    /// The mode of every port without an entry of its own.
    pub fn default_mode(&self) -> MtlsMode {
        if self.tightened { MtlsMode::Strict } else { self.merged.0 }
    }

    /// Where [`mode`](Self::mode) comes from.
    pub fn winner(&self) -> Winner {
        if self.mode() != self.mode_as_written() {
            return Winner::Tightened;
        }
        if let (Some(policy), Some(_)) = (self.workload, self.port) {
            return Winner::Port(policy.name().clone());
        }
        let (policy, winner): (_, fn(ResourceName) -> Winner) = match self.merged.1 {
            Decider::Default => return Winner::Default,
            Decider::Mesh => (self.mesh, Winner::Mesh),
            Decider::Namespace => (self.namespace, Winner::Namespace),
            Decider::Workload => (self.workload, Winner::Workload),
        };
        policy.map_or(Winner::Default, |policy| winner(policy.name().clone()))
    }

    /// The policy chosen at mesh level; it may be `UNSET`.
    pub fn mesh(&self) -> Option<&'a PeerAuthentication> {
        self.mesh
    }

    /// The policy chosen at namespace level; it may be `UNSET`.
    pub fn namespace(&self) -> Option<&'a PeerAuthentication> {
        self.namespace
    }

    /// The policy chosen at workload level; it may be `UNSET`.
    pub fn workload(&self) -> Option<&'a PeerAuthentication> {
        self.workload
    }
}

/// Where an effective mode comes from. Cloning allocates nothing.
#[derive(Clone, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(tag = "level", content = "policy", rename_all = "lowercase")]
#[non_exhaustive]
pub enum Winner {
    /// No policy sets a mode: PERMISSIVE, Istio's default.
    Default,
    /// The policy of the root namespace.
    Mesh(ResourceName),
    /// The policy of the workload's namespace.
    Namespace(ResourceName),
    /// A policy that selects the workload.
    Workload(ResourceName),
    /// The entry for this port in the policy that selects the workload.
    Port(ResourceName),
    /// No policy: whatever they say, the set was [tightened](crate::PolicySet::tightened).
    Tightened,
}

impl Winner {
    /// The policy that decided, `None` for the default and where the set was tightened.
    pub fn policy(&self) -> Option<&ResourceName> {
        match self {
            Self::Default | Self::Tightened => None,
            Self::Mesh(name) | Self::Namespace(name) | Self::Workload(name) | Self::Port(name) => {
                Some(name)
            }
        }
    }
}

/// Such as `mesh policy istio-system/default`.
impl fmt::Display for Winner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default, no policy sets a mode"),
            Self::Tightened => f.write_str("no policy: the policies are tightened to STRICT"),
            Self::Mesh(name) => write!(f, "mesh policy {name}"),
            Self::Namespace(name) => write!(f, "namespace policy {name}"),
            Self::Workload(name) => write!(f, "workload policy {name}"),
            Self::Port(name) => write!(f, "port entry of workload policy {name}"),
        }
    }
}
