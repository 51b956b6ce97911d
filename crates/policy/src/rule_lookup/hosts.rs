//! Rules by host: an exact one, else the longest `*` that fits.

use std::borrow::Cow;
use std::collections::HashMap;
use std::net::IpAddr;

use super::Merged;
use crate::DestinationRule;
use crate::host_name::normalize;

/// Rules by the host they are for, in order of precedence.
#[derive(Clone, Debug, Default)]
pub(super) struct Hosts {
    exact: HashMap<Box<str>, Vec<Merged>>,
    /// By what follows the `*`.
    wildcards: HashMap<Box<str>, Vec<Merged>>,
    /// The lengths of the keys of [`wildcards`](Self::wildcards), longest first.
    lengths: Vec<usize>,
}

/// What a step finds.
#[derive(Debug)]
pub(crate) enum Found<'a> {
    /// No rule for the host.
    Nothing,
    /// Rules for the host (those under the best pattern), none of them exported to the client.
    Hidden(&'a [Merged]),
    /// The rules for the host that the client sees, at least one.
    Rules(Vec<&'a Merged>),
}

impl<'a> Found<'a> {
    /// The rules that the client sees, at least one.
    pub(super) fn visible(self) -> Option<Vec<&'a Merged>> {
        match self {
            Self::Nothing | Self::Hidden(_) => None,
            Self::Rules(visible) => Some(visible),
        }
    }
}

impl Hosts {
    /// Takes the next rule in order of precedence: it is merged into those for the same host that are there, or stands beside
    /// them.
    pub(super) fn add(&mut self, rule: Merged) {
        let host = resolved_host(rule.origin());
        let list = match host.strip_prefix('*') {
            Some(suffix) => {
                if let Err(place) = self
                    .lengths
                    .binary_search_by(|length| suffix.len().cmp(length))
                {
                    self.lengths.insert(place, suffix.len());
                }
                self.wildcards.entry(suffix.into()).or_default()
            }
            None => self.exact.entry(host.as_ref().into()).or_default(),
        };
        if Merged::merge_into(list, &rule) {
            list.push(rule);
        }
    }

    /// The rules under the best pattern for `host`, which may itself begin with `*` (rule DR-5), as far as they are exported
    /// to the namespace `to`.
    pub(super) fn find(&self, host: &str, to: Option<&str>) -> Found<'_> {
        let host = normalize(host);
        let exact = if host.starts_with('*') { None } else { self.exact.get(&*host) };
        let Some(rules) = exact.or_else(|| self.wildcard(&host)) else { return Found::Nothing };
        let visible: Vec<&Merged> = rules
            .iter()
            .filter(|rule| to.is_none_or(|namespace| rule.is_exported_to(namespace)))
            .collect();
        if visible.is_empty() { Found::Hidden(rules) } else { Found::Rules(visible) }
    }

    fn wildcard(&self, host: &str) -> Option<&Vec<Merged>> {
        let host = host.strip_prefix('*').unwrap_or(host);
        self.lengths.iter().find_map(|length| {
            let start = host.len().checked_sub(*length)?;
            self.wildcards.get(host.get(start..)?)
        })
    }
}

/// The host that a rule is for, in full: a name without a dot is a Kubernetes service of the rule's namespace (rule DR-9).
pub(crate) fn resolved_host(rule: &DestinationRule) -> Cow<'_, str> {
    let host = normalize(&rule.host);
    let is_full = host.contains('.') || host == "*" || host.is_empty();
    if is_full || host.parse::<IpAddr>().is_ok() {
        return host;
    }
    Cow::Owned(format!("{host}.{}.svc.cluster.local", rule.name().namespace()))
}

/// Whether `pattern`, the host of a rule in full, is for `host`, which may itself begin with `*`.
pub(crate) fn covers(pattern: &str, host: &str) -> bool {
    let host = normalize(host);
    match pattern.strip_prefix('*') {
        Some(suffix) => host.strip_prefix('*').unwrap_or(&host).ends_with(suffix),
        None => pattern == host,
    }
}
