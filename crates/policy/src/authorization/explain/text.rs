//! An explanation as an operator reads it.

use std::fmt;

use super::{
    AuthorizationExplanation, ConnectionReport, FailedCondition, NotSelected, PolicyOutcome,
    PolicyReport, RuleReport, VerdictReport,
};
use crate::authorization::attribute::Sense;

/// A first line with the answer, then the policies in force, those on trial, those without effect, and the notes.
///
/// Policies of other namespaces are counted in one line; the data has each of them.
impl fmt::Display for AuthorizationExplanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.verdict)?;
        writeln!(f, "for {} to a workload in {}", self.connection, self.workload)?;
        let is_other =
            |report: &&PolicyReport| matches!(report.outcome, PolicyOutcome::NotSelected { .. });
        let (others, selected): (Vec<_>, Vec<_>) = self.policies.iter().partition(is_other);
        let (on_trial, in_force): (Vec<_>, Vec<_>) =
            selected.into_iter().partition(|report| report.dry_run);
        section(f, "in force:", &in_force)?;
        section(f, "on trial:", &on_trial)?;
        if let Some(shadow) = &self.shadow {
            writeln!(f, "  with those in force too: {shadow}")?;
        }
        self.without_effect(f, &others)?;
        if !self.notes.is_empty() {
            writeln!(f, "\nnote:")?;
        }
        self.notes
            .iter()
            .try_for_each(|note| writeln!(f, "  {note}"))
    }
}

impl AuthorizationExplanation {
    fn without_effect(&self, f: &mut fmt::Formatter<'_>, others: &[&PolicyReport]) -> fmt::Result {
        if others.is_empty() {
            return Ok(());
        }
        writeln!(f, "\nwithout effect here:")?;
        let (elsewhere, near): (Vec<&PolicyReport>, Vec<&PolicyReport>) =
            others.iter().partition(|report| report.is_elsewhere());
        for report in near {
            if let PolicyOutcome::NotSelected { reason } = &report.outcome {
                writeln!(f, "  {}: {reason}", report.policy)?;
            }
        }
        match elsewhere.as_slice() {
            [] => Ok(()),
            [one] => writeln!(f, "  {}: of another namespace", one.policy),
            many => writeln!(f, "  {} policies of other namespaces", many.len()),
        }
    }
}

fn section(f: &mut fmt::Formatter<'_>, title: &str, reports: &[&PolicyReport]) -> fmt::Result {
    if reports.is_empty() {
        return Ok(());
    }
    writeln!(f, "\n{title}")?;
    for report in reports {
        write!(f, "  {:<6} {}  ", report.action.as_str(), report.policy)?;
        match &report.outcome {
            PolicyOutcome::Matches { rule } => {
                let arrow = if report.decides { "  <- decides" } else { "" };
                writeln!(f, "matches by rule {rule}{arrow}")?;
            }
            PolicyOutcome::NoMatch { rules } if rules.is_empty() => {
                writeln!(f, "has no rules, so it matches nothing")?;
            }
            PolicyOutcome::NoMatch { rules } => {
                writeln!(f, "does not match")?;
                rules.iter().try_for_each(|rule| write_rule(f, rule))?;
            }
            PolicyOutcome::NotSelected { reason } => writeln!(f, "{reason}")?,
        }
    }
    Ok(())
}

fn write_rule(f: &mut fmt::Formatter<'_>, report: &RuleReport) -> fmt::Result {
    let rule = report.rule;
    for unknown in &report.unknown {
        writeln!(f, "    rule {rule}: {} is not known on a connection", unknown.field)?;
    }
    report
        .failed
        .iter()
        .try_for_each(|failed| writeln!(f, "    rule {rule}: {failed}"))
}

/// Such as `refused: a DENY policy matches (foo/web, rule 0)`.
impl fmt::Display for VerdictReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let answer = if self.allow { "allowed" } else { "refused" };
        write!(f, "{answer}: {}", self.reason)?;
        if let (Some(policy), Some(rule)) = (&self.policy, self.rule) {
            write!(f, " ({policy}, rule {rule})")?;
        }
        Ok(())
    }
}

/// Such as `spiffe://prod.example/ns/a/sa/b at 10.1.2.3, port 8080 of 10.9.9.9`.
impl fmt::Display for ConnectionReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.peer {
            None => f.write_str("a plaintext peer")?,
            Some(names) if names.is_empty() => f.write_str("a peer without certificate")?,
            Some(names) => list(f, names, " also called ")?,
        }
        write!(f, " at {}", self.source)?;
        if self.remote != self.source {
            write!(f, " (first sent by {})", self.remote)?;
        }
        write!(f, ", port {} of {}", self.port, self.destination)?;
        match &self.sni {
            Some(name) => {
                f.write_str(" as ")?;
                list(f, std::slice::from_ref(name), "")
            }
            None => Ok(()),
        }
    }
}

impl fmt::Display for NotSelected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherNamespace => f.write_str("of another namespace"),
            Self::TargetRefs => {
                f.write_str("for gateways or services (targetRefs), not for workloads")
            }
            Self::SelectorMismatch { key, wanted, found: Some(found) } => {
                write!(f, "selects {key}={wanted}, the workload has {key}={found}")
            }
            Self::SelectorMismatch { key, wanted, found: None } => {
                write!(f, "selects {key}={wanted}, the workload has no label {key}")
            }
        }
    }
}

/// Such as `from[0].source.principals wants one of a, b; there is c`.
impl fmt::Display for FailedCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wants = match self.sense {
            Sense::OneOf => "wants one of",
            Sense::NoneOf => "wants none of",
        };
        write!(f, "{} {wants} ", self.field)?;
        list(f, &self.values, ", ")?;
        if self.found.is_empty() {
            let nothing = if self.attribute.is_identity() { "identity" } else { "server name" };
            return write!(f, "; there is no {nothing}");
        }
        f.write_str("; there is ")?;
        list(f, &self.found, ", ")
    }
}

/// The texts without control characters: peers choose some of them.
fn list(f: &mut fmt::Formatter<'_>, texts: &[String], comma: &str) -> fmt::Result {
    for (nth, text) in texts.iter().enumerate() {
        if nth > 0 {
            f.write_str(comma)?;
        }
        let safe = |c: char| if c.is_control() { '\u{fffd}' } else { c };
        f.write_str(&text.chars().map(safe).collect::<String>())?;
    }
    Ok(())
}
