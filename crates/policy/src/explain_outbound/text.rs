//! An explanation as an operator reads it.

use std::fmt;

use super::{
    OutboundExplanation, OutboundNote, RuleLoser, RuleLossReason, StepOutcome, StepReport, TlsPart,
    TlsPartEffect,
};
use crate::{ResourceName, RuleStep};

/// A first line with the answer, then the search, what the rule says, the rules without effect, and the notes.
///
/// Rules of namespaces that are not looked at are counted in one line; the data has each of them.
impl fmt::Display for OutboundExplanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}:{}", self.outbound.tls.mode(), self.service, self.port)?;
        if !self.subset.is_empty() {
            write!(f, ", subset {}", self.subset)?;
        }
        writeln!(f, " at {}, for a client in {}", self.endpoint, self.client)?;
        writeln!(f, "because: {}", self.outbound.reason)?;
        if let Some(accepted) = self.outbound.tls.accepted() {
            writeln!(f, "accepted server: {accepted}")?;
        }
        section(f, "search for a DestinationRule:", &self.steps)?;
        section(f, "what it says of TLS:", &self.parts)?;
        let elsewhere = |loser: &&RuleLoser| loser.reason == RuleLossReason::OtherNamespace;
        let (far, near): (Vec<_>, Vec<_>) = self.losers.iter().partition(elsewhere);
        section(f, "without effect here:", &near)?;
        if !far.is_empty() {
            let heading = if near.is_empty() { "\nwithout effect here:\n" } else { "" };
            let plural = if far.len() == 1 { "rule" } else { "rules" };
            writeln!(f, "{heading}  {} {plural} of namespaces not looked at", far.len())?;
        }
        section(f, "note:", &self.notes)
    }
}

fn section<T: fmt::Display>(f: &mut fmt::Formatter<'_>, heading: &str, lines: &[T]) -> fmt::Result {
    if !lines.is_empty() {
        writeln!(f, "\n{heading}")?;
    }
    lines.iter().try_for_each(|line| writeln!(f, "  {line}"))
}

impl fmt::Display for RuleStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::ClientNamespace => "client namespace",
            Self::RootNamespacePrivate => "root namespace, private",
            Self::ServiceNamespace => "service namespace",
            Self::RootNamespace => "root namespace",
        })
    }
}

impl fmt::Display for StepReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |rules: &[ResourceName]| Names(rules.to_vec());
        write!(f, "{} {}: ", self.step, self.namespace)?;
        match &self.outcome {
            StepOutcome::NotReached => f.write_str("not reached"),
            StepOutcome::NoRule => f.write_str("no rule for the host"),
            StepOutcome::NotExported { host, rules } => {
                write!(f, "{} for {host}, not exported to the client", names(rules))
            }
            StepOutcome::NotSelected { host, rules } => {
                write!(f, "{} for {host}, for other clients; the search ends", names(rules))
            }
            StepOutcome::Won { host, rules } => write!(f, "{} for {host}  <- won", names(rules)),
        }
    }
}

/// Names joined by `+`, as merged rules are.
struct Names(Vec<ResourceName>);

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, name) in self.0.iter().enumerate() {
            write!(f, "{}{name}", if nth == 0 { "" } else { " + " })?;
        }
        Ok(())
    }
}

impl fmt::Display for TlsPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = self.mode.map_or("no tls", |mode| mode.as_str());
        write!(f, "{}: {mode}", self.part)?;
        f.write_str(match self.effect {
            TlsPartEffect::Decides => "  <- decides",
            TlsPartEffect::CountsForEndpoints => "  <- for endpoints only",
            TlsPartEffect::Inherits => "",
            TlsPartEffect::Clears => ", and none from above",
            TlsPartEffect::Overridden => ", overridden",
        })
    }
}

impl fmt::Display for RuleLoser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} for {}: ", self.rule, self.host)?;
        match &self.reason {
            RuleLossReason::OtherNamespace => f.write_str("of a namespace that is not looked at"),
            RuleLossReason::NotExported => f.write_str("not exported to the client"),
            RuleLossReason::EarlierStep { ended_by } => {
                write!(f, "the search ended before, at the {ended_by}")
            }
            RuleLossReason::LessSpecific { than } => write!(f, "{than} fits better"),
            RuleLossReason::SelectorMismatch { key, wanted, found } => {
                write!(f, "for clients with {key}={wanted}, this one has ")?;
                match found {
                    Some(found) => write!(f, "{key}={found}"),
                    None => f.write_str("no such label"),
                }
            }
            RuleLossReason::OtherRuleWon => {
                f.write_str("of the rules for this host, another is taken")
            }
            RuleLossReason::MergedAway => {
                f.write_str("merged into older rules for this host, which are not for this client")
            }
        }
    }
}

impl fmt::Display for OutboundNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PortEntryWithoutTls { wider, port } => write!(
                f,
                "an entry for port {port} has no tls, so the tls of {wider} is not inherited; but endpoints are still treated by it"
            ),
            Self::AnyName { sni } => write!(
                f,
                "sni {sni} without subjectAltNames: a server of any name is accepted, if its issuer is trusted"
            ),
            Self::NothingVerified => {
                f.write_str("insecureSkipVerify: nothing is verified, anybody can answer")
            }
            Self::AnybodyInTheMesh => f.write_str(
                "nothing says who serves the destination: anybody with a certificate of the mesh is accepted",
            ),
            Self::OnlyMeshNames { names } => write!(
                f,
                "accepted is only {names}, which no server outside the mesh has: the handshake will fail"
            ),
            Self::NotInTheMesh => f.write_str(
                "mesh mTLS to an endpoint that is not in the mesh: the handshake will fail",
            ),
            Self::MutualIntoDisable { winner } => write!(
                f,
                "mesh mTLS to a port that is DISABLE, by {winner}: the handshake will fail"
            ),
            Self::PlaintextIntoStrict { winner } => {
                write!(f, "plaintext to a port that is STRICT, by {winner}: it will be refused")
            }
            Self::NamespaceDisableHidesStrict { winner } => write!(
                f,
                "the namespace as a whole is DISABLE, and clients look at nothing else: they send plaintext to this port, which is STRICT, by {winner}, and are refused"
            ),
            Self::NoMeshCertificateIntoStrict { mode, winner } => write!(
                f,
                "{mode} shows no certificate of the mesh to a port that is STRICT, by {winner}: it will be refused"
            ),
            Self::CredentialWithoutSelector { name } => write!(
                f,
                "credentialName {name} in a rule without workloadSelector: Istio's sidecars leave out this TLS and send plaintext, here it counts"
            ),
            Self::RulesForOtherClients { rules } => write!(
                f,
                "{} would be for other clients, and yet no further namespace is looked at",
                Names(rules.clone())
            ),
            Self::BetterHostLater { rule, host, won } => write!(
                f,
                "{rule} is for {host}, which fits better than {won}: between namespaces that does not matter"
            ),
            Self::KnownSubsets { subsets } if subsets.is_empty() => {
                f.write_str("there are no subsets")
            }
            Self::KnownSubsets { subsets } => {
                write!(f, "the subsets are {}", subsets.join(", "))
            }
        }
    }
}
