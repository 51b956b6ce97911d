//! A comparison as an operator reads it.

use std::fmt;

use super::{Blocked, Change, Comparison, Effect, Exception, ModeChange, Outcome, Remedy};
use crate::Resources;

/// What breaks, with the exceptions that would save it, then what else changes, and a last line with the verdict.
impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        changes(f, self, Effect::Breaks, "would break")?;
        section(f, "exceptions that would save them", &self.exceptions)?;
        changes(f, self, Effect::Mends, "would begin to work")?;
        changes(f, self, Effect::Differs, "would change")?;
        section(f, "modes", &self.modes)?;
        if !self.dead.is_empty() {
            writeln!(f, "without effect afterwards:")?;
            for policy in &self.dead {
                writeln!(f, "  {} {}", policy.kind, policy.name)?;
            }
            writeln!(f)?;
        }
        if !self.unjudged.is_empty() {
            writeln!(
                f,
                "not judged: {} observations of callers or servers that the inventory does not have\n",
                self.unjudged.len()
            )?;
        }
        let breaks = self.breaks().count();
        let skips = self
            .modes
            .iter()
            .filter(|change| change.skips_permissive())
            .count();
        match (breaks, skips) {
            (0, 0) => write!(f, "safe: nothing breaks")?,
            (0, _) => write!(
                f,
                "not safe: {skips} ports go from DISABLE to STRICT at once; make them PERMISSIVE first"
            )?,
            (1, _) => write!(f, "not safe: 1 connection breaks")?,
            (_, _) => write!(f, "not safe: {breaks} connections break")?,
        }
        writeln!(f, "; {} of {} stay as they are", self.unchanged, self.total())
    }
}

impl Comparison {
    /// How many connections were looked at.
    fn total(&self) -> usize {
        self.unchanged.saturating_add(self.changes.len())
    }
}

fn changes(
    f: &mut fmt::Formatter<'_>,
    comparison: &Comparison,
    effect: Effect,
    title: &str,
) -> fmt::Result {
    let changes: Vec<&Change> = comparison
        .changes
        .iter()
        .filter(|change| change.effect == effect)
        .collect();
    section(f, title, &changes)
}

fn section<T: fmt::Display>(f: &mut fmt::Formatter<'_>, title: &str, items: &[T]) -> fmt::Result {
    if items.is_empty() {
        return Ok(());
    }
    writeln!(f, "{title}:")?;
    items.iter().try_for_each(|item| writeln!(f, "  {item}"))?;
    writeln!(f)
}

/// Such as `curl.legacy to httpbin.foo port 8000: plaintext, then refused: ...`.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { caller, server, port, .. } = self;
        write!(f, "{} to {server} port {port}", caller.name)?;
        match self.observed {
            Some(1) => f.write_str(" (seen once)")?,
            Some(count) => write!(f, " (seen {count} times)")?,
            None => {}
        }
        write!(f, ": {}, then {}", self.before, self.after)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MutualTls => f.write_str("mutual TLS"),
            Self::Plaintext => f.write_str("plaintext"),
            Self::IngressTls => f.write_str("TLS ended by a Sidecar"),
            Self::PassedThrough => f.write_str("TLS up to the application"),
            Self::Blocked(blocked) => write!(f, "refused: {blocked}"),
        }
    }
}

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PlaintextUnderStrict { winner } => {
                write!(f, "plaintext to a STRICT port ({winner})")
            }
            Self::PlaintextOnIngressTls => {
                f.write_str("plaintext to a port that a Sidecar ends TLS on")
            }
            Self::MutualTlsToDisabledPort { winner } => {
                write!(f, "mesh mTLS to a DISABLE port ({winner})")
            }
            Self::ServerOutsideMesh => f.write_str("mesh mTLS to a server outside the mesh"),
            Self::NoMeshCertificate { winner } => {
                write!(f, "TLS without a mesh certificate to a STRICT port ({winner})")
            }
            Self::NoWay { refusal } => write!(f, "no way to connect: {refusal}"),
            Self::ServerIdentity { accepted } => {
                write!(f, "the client accepts {accepted}, not the server's identity")
            }
            Self::NoIngressCertificate => {
                f.write_str("no client certificate for a Sidecar's port that asks for one")
            }
            Self::Unauthorized { policy: Some(policy) } => {
                write!(f, "denied by AuthorizationPolicy {policy}")
            }
            Self::Unauthorized { policy: None } => f.write_str("no AuthorizationPolicy allows it"),
        }
    }
}

/// Such as `httpbin.foo port 8000: PERMISSIVE, then STRICT (mesh policy istio-system/default)`.
impl fmt::Display for ModeChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { workload, port, before, after, winner } = self;
        write!(f, "{workload} port {port}: {before}, then {after} ({winner})")?;
        if self.skips_permissive() {
            f.write_str(
                "; make it PERMISSIVE first, clients and servers do not learn of it at once",
            )?;
        }
        Ok(())
    }
}

/// What it saves, and the policy to write.
impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match &self.remedy {
            Remedy::Add(_) => "add",
            Remedy::Change(_) => "change to",
        };
        write!(f, "{}: saves {}; {what}", self.workloads.join(", "), self.saves.join(", "))?;
        let policy = Resources::default().with_peer_authentications([self.remedy.policy().clone()]);
        for line in policy.to_yaml().lines() {
            write!(f, "\n    {line}")?;
        }
        Ok(())
    }
}
