//! An explanation as an operator reads it.

use std::fmt;

use super::{Explanation, Level, LevelReport, Loser, LossReason, Note};
use crate::ResourceName;

/// A first line with the answer, then the levels, the losers and the notes, each on a line of its own.
///
/// Policies of other namespaces are counted in one line; the data has each of them.
impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} on port {} of a workload in {}", self.mode, self.port, self.workload)?;
        writeln!(f, "because of {}", self.winner)?;
        writeln!(f)?;
        let width = self
            .levels
            .iter()
            .filter_map(|report| report.policy.as_ref())
            .map(|name| name.to_string().len())
            .max()
            .unwrap_or(0)
            .max("no policy".len());
        for report in &self.levels {
            level(f, report, self.port, width)?;
        }
        let (elsewhere, near): (Vec<&Loser>, Vec<&Loser>) = self
            .losers
            .iter()
            .partition(|loser| matches!(loser.reason, LossReason::OtherNamespace));
        if let Some(shadow) = &self.shadow {
            writeln!(f, "\nwithout dry-run:")?;
            let verb = if shadow.mode == self.mode { "would stay" } else { "would be" };
            writeln!(f, "  {verb} {}, because of {}", shadow.mode, shadow.winner)?;
        }
        if !self.losers.is_empty() {
            writeln!(f, "\nwithout effect here:")?;
        }
        for loser in near {
            writeln!(f, "  {}: {}", loser.policy, Loss(loser))?;
        }
        match elsewhere.as_slice() {
            [] => {}
            [one] => writeln!(f, "  {}: of another namespace", one.policy)?,
            many => writeln!(f, "  {} policies of other namespaces", many.len())?,
        }
        if !self.notes.is_empty() {
            writeln!(f, "\nnote:")?;
        }
        self.notes
            .iter()
            .try_for_each(|note| writeln!(f, "  {note}"))
    }
}

fn level(f: &mut fmt::Formatter<'_>, report: &LevelReport, port: u16, width: usize) -> fmt::Result {
    let name = match report.level {
        Level::Default => "default".to_owned(),
        Level::Mesh => "mesh".to_owned(),
        Level::Namespace => "namespace".to_owned(),
        Level::Workload => "workload".to_owned(),
        Level::Port => format!("port {port}"),
        Level::Tightened => "tightened".to_owned(),
    };
    let policy = match (&report.policy, report.level) {
        (Some(policy), _) => policy.to_string(),
        (None, Level::Default) => "Istio".to_owned(),
        (None, Level::Port) => "no entry".to_owned(),
        (None, Level::Tightened) => "all ports".to_owned(),
        (None, _) => "no policy".to_owned(),
    };
    let arrow = if report.decides { "  <- decides" } else { "" };
    match (report.sets, &report.policy) {
        (Some(mode), _) => writeln!(f, "  {name:<10} {policy:<width$}  {mode}{arrow}"),
        (None, Some(_)) => {
            writeln!(f, "  {name:<10} {policy:<width$}  UNSET, so still {}", report.mode)
        }
        (None, None) => writeln!(f, "  {name:<10} {policy}"),
    }
}

/// Why a loser lost, with what its port entries would have done.
struct Loss<'a>(&'a Loser);

impl fmt::Display for Loss<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.reason {
            LossReason::OlderPolicyWon { winner, same_age } => {
                let why =
                    if *same_age { "of the same second and before it by name" } else { "older" };
                write!(f, "{winner} is {why}; policies are not merged")?;
            }
            LossReason::SelectorMismatch { key, wanted, found: Some(found) } => {
                write!(f, "selects {key}={wanted}, the workload has {key}={found}")?;
            }
            LossReason::SelectorMismatch { key, wanted, found: None } => {
                write!(f, "selects {key}={wanted}, the workload has no label {key}")?;
            }
            LossReason::SelectorInRootNamespace => {
                f.write_str(
                    "a selector in the root namespace has no effect for PeerAuthentication",
                )?;
            }
            LossReason::OtherNamespace => f.write_str("of another namespace")?,
            LossReason::DryRun => {
                f.write_str("on trial (dry-run): it is watched and does not act")?
            }
        }
        if self.0.ports.is_empty() {
            return Ok(());
        }
        write!(f, " ({} for nothing)", Ports(&self.0.ports))
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RootNamespaceWorkload => {
                f.write_str("the workload is in the root namespace: only the mesh policy applies to it")
            }
            Self::PortsWithoutSelector { policy, ports } => {
                write!(f, "{policy} has no selector, so its portLevelMtls ({}) has no effect", Ports(ports))
            }
            Self::NoEntryForPort { policy, ports } => no_entry(f, policy, ports),
            Self::ClientsSendPlaintext => f.write_str(
                "the namespace as a whole is DISABLE and clients look at nothing else: they will send plaintext and be refused",
            ),
            Self::PortIsServicePort { service, workload_port } => write!(
                f,
                "this port number is the port of the Service {service}; the container port is {workload_port}, ask about that"
            ),
            Self::NobodyListens { ports } => {
                write!(f, "no workload like this is known to listen on this port, only on {}", Ports(ports))
            }
            Self::EntryIsServicePort { policy, entry, service, workload_port } => write!(
                f,
                "the entry of {policy} for port {entry} has no effect: that is the port of the Service {service}, the container port is {workload_port}"
            ),
        }
    }
}

fn no_entry(f: &mut fmt::Formatter<'_>, policy: &ResourceName, ports: &[u16]) -> fmt::Result {
    write!(
        f,
        "{policy} has entries for other ports only ({}); they are workload (container) ports, not service ports",
        Ports(ports)
    )
}

/// `port 80` or `ports 80, 443`.
struct Ports<'a>(&'a [u16]);

impl fmt::Display for Ports<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.len() == 1 { "port" } else { "ports" })?;
        for (nth, port) in self.0.iter().enumerate() {
            let comma = if nth == 0 { " " } else { ", " };
            write!(f, "{comma}{port}")?;
        }
        Ok(())
    }
}
