//! An explanation of ingress TLS as an operator reads it.

use std::fmt;

use super::explain::{IngressExplanation, SidecarLoser, SidecarLossReason};
use super::index::IngressEffect;

/// A first line with the answer, a second with the reason, then the losers, each on a line of its own.
impl fmt::Display for IngressExplanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { workload, port, mode, .. } = self;
        match (self.effect, self.tls) {
            (Some(IngressEffect::Applies), Some(tls)) => {
                writeln!(f, "{} TLS on port {port} of a workload in {workload}", tls.as_str())?;
            }
            _ => writeln!(f, "no ingress TLS on port {port} of a workload in {workload}")?,
        }
        match (&self.sidecar, self.effect) {
            (None, _) => writeln!(f, "no Sidecar is for it")?,
            (Some(sidecar), None) if !self.described => {
                writeln!(f, "Sidecar {sidecar} does not describe the port")?;
            }
            (Some(sidecar), None) => writeln!(f, "Sidecar {sidecar} has no tls for the port")?,
            (Some(sidecar), Some(effect)) => {
                write!(f, "because of Sidecar {sidecar}")?;
                match effect {
                    IngressEffect::Applies => writeln!(
                        f,
                        ": the port is {mode} for the mesh, so that its tls takes effect; plaintext is refused"
                    )?,
                    IngressEffect::MeshMtls { mode } => writeln!(
                        f,
                        ": its tls is ignored, because the port is {mode} for the mesh; it would need DISABLE"
                    )?,
                    IngressEffect::TurnedOff => writeln!(
                        f,
                        ": its tls is ignored, because the mesh settings turn ingress TLS off"
                    )?,
                }
            }
        }
        if let Some(endpoint) = &self.default_endpoint {
            writeln!(f, "its defaultEndpoint {endpoint} is not dialled here")?;
        }
        let (elsewhere, near): (Vec<&SidecarLoser>, Vec<&SidecarLoser>) = self
            .losers
            .iter()
            .partition(|loser| matches!(loser.reason, SidecarLossReason::OtherNamespace));
        if !self.losers.is_empty() {
            writeln!(f, "\nwithout effect here:")?;
        }
        for loser in near {
            writeln!(f, "  {}: {}", loser.sidecar, loser.reason)?;
        }
        match elsewhere.as_slice() {
            [] => Ok(()),
            [one] => writeln!(f, "  {}: of another namespace", one.sidecar),
            many => writeln!(f, "  {} Sidecars of other namespaces", many.len()),
        }
    }
}

impl fmt::Display for SidecarLossReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OlderSidecarWon { winner, same_age } => {
                let why =
                    if *same_age { "of the same second and before it by name" } else { "older" };
                write!(f, "{winner} is {why}; Sidecars are not merged")
            }
            Self::SelectorGoesFirst { winner } => {
                write!(f, "{winner} has a selector and goes first")
            }
            Self::SelectorMismatch { key, wanted, found: Some(found) } => {
                write!(f, "selects {key}={wanted}, the workload has {key}={found}")
            }
            Self::SelectorMismatch { key, wanted, found: None } => {
                write!(f, "selects {key}={wanted}, the workload has no label {key}")
            }
            Self::NamespaceHasOwn { winner } => {
                write!(f, "the default of the root namespace gives way to {winner}")
            }
            Self::SelectorInRootNamespace => f.write_str(
                "in the root namespace one with a selector is for workloads of that namespace only",
            ),
            Self::OtherNamespace => f.write_str("of another namespace"),
        }
    }
}
