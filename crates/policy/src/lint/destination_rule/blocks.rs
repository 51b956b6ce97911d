//! The TLS blocks of a rule, and for what each is.

use crate::lint::code::Code;
use crate::lint::finding::Findings;
use crate::{ClientTls, ClientTlsMode, DestinationRule, Labels, PortPolicy, TrafficPolicy};

/// One `tls` of a rule.
pub(super) struct Block<'a> {
    /// Its path.
    pub(super) field: String,
    pub(super) tls: &'a ClientTls,
    /// The service port it is for.
    pub(super) port: Option<u16>,
    /// For a block without port: the ports that have an entry, and so another block or none.
    pub(super) entries: &'a [PortPolicy],
    /// The labels of the endpoints it is for.
    pub(super) subset: Option<&'a Labels>,
}

/// All of a rule's blocks.
pub(super) fn blocks(rule: &DestinationRule) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    for (field, policy, subset) in policies(rule) {
        if let Some(tls) = &policy.tls {
            let field = format!("{field}.tls");
            blocks.push(Block { field, tls, port: None, entries: &policy.ports, subset });
        }
        for (nth, entry) in policy.ports.iter().enumerate() {
            if let Some(tls) = &entry.tls {
                let field = format!("{field}.portLevelSettings[{nth}].tls");
                blocks.push(Block { field, tls, port: Some(entry.port), entries: &[], subset });
            }
        }
    }
    blocks
}

/// A port entry replaces everything that is said for all ports: without `tls` of its own it has none.
pub(super) fn port_drops_tls(rule: &DestinationRule, findings: &mut Findings<'_>) {
    let of_rule = rule
        .traffic_policy
        .as_ref()
        .and_then(|policy| policy.tls.as_ref());
    for (field, policy, subset) in policies(rule) {
        let above = policy
            .tls
            .as_ref()
            .or_else(|| of_rule.filter(|_| subset.is_some()));
        let Some(above) = above else { continue };
        // The mode above still counts for single endpoints: only ISTIO_MUTUAL leaves them mTLS.
        let comes_of_it = match above.mode {
            ClientTlsMode::IstioMutual => "leaves it to auto mTLS",
            ClientTlsMode::Disable | ClientTlsMode::Simple | ClientTlsMode::Mutual => {
                "sends plaintext (for a headless service of the mesh, auto mTLS decides)"
            }
        };
        for (nth, entry) in policy.ports.iter().enumerate() {
            if entry.tls.is_none() {
                findings.add(
                    Code::PortDropsTls,
                    rule,
                    format!("{field}.portLevelSettings[{nth}]"),
                    format!("port {} does not inherit the tls above ({}): an entry without tls {comes_of_it}", entry.port, above.mode),
                    "the same tls in the entry",
                );
            }
        }
    }
}

/// The traffic policies of a rule, with path and labels.
fn policies(
    rule: &DestinationRule,
) -> impl Iterator<Item = (String, &TrafficPolicy, Option<&Labels>)> {
    let top = rule.traffic_policy.iter();
    let top = top.map(|policy| ("spec.trafficPolicy".to_owned(), policy, None));
    let subsets = rule.subsets.iter().enumerate().filter_map(|(nth, subset)| {
        let policy = subset.traffic_policy.as_ref()?;
        Some((format!("spec.subsets[{nth}].trafficPolicy"), policy, Some(&subset.labels)))
    });
    top.chain(subsets)
}
