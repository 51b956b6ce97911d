//! What a rule says for one port and one subset.

use crate::{ClientTls, LoadBalancer, ResourceName, RulePart, RuleRef, Subset, TrafficPolicy};

use super::Merged;

/// A `tls` block, and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Block<'a> {
    pub(crate) tls: &'a ClientTls,
    pub(crate) rule: &'a ResourceName,
    pub(crate) part: RulePart,
}

impl Block<'_> {
    /// Its name, to keep.
    pub(crate) fn reference(&self) -> RuleRef {
        RuleRef::new(self.rule.clone(), self.part.clone())
    }
}

/// What a rule says for one port and one subset (Istio: `GetPortLevelTrafficPolicy` and `MergeSubsetTrafficPolicy` in
/// `pilot/pkg/networking/util/util.go`).
#[derive(Clone, Debug, Default)]
pub(crate) struct Reduced<'a> {
    /// The block that counts for the whole service (rules DR-10 and DR-11).
    pub(crate) block: Option<Block<'a>>,
    /// The block that counts for single endpoints where auto mTLS decides (rule DR-12). Not always the same one.
    pub(crate) endpoint_view: Option<Block<'a>>,
    /// Whether the caller's address is used, so that there is no decision for single endpoints (rule DR-14).
    pub(crate) passthrough: bool,
    /// Whether endpoints are looked at as those of a headless service before auto mTLS decides (rule DR-14).
    pub(crate) checks_endpoints: bool,
}

impl<'a> Reduced<'a> {
    /// `None`: there is no subset of that name. An empty name asks for none.
    pub(crate) fn new(merged: &'a Merged, subset: &str, port: u16) -> Option<Self> {
        let top = merged
            .policy()
            .map(|(rule, policy)| Part::of(rule, policy, port, None));
        if subset.is_empty() {
            let policy = merged.policy().map(|(_, policy)| policy);
            return Some(Self {
                block: top.as_ref().and_then(|top| top.tls.clone()),
                endpoint_view: merged
                    .policy()
                    .and_then(|(rule, policy)| view(rule, policy, port, None)),
                passthrough: top.is_some_and(|top| is_passthrough(top.load_balancer)),
                checks_endpoints: is_passthrough(
                    policy.and_then(|policy| policy.load_balancer.as_ref()),
                ),
            });
        }
        let (rule, subset) = merged.subset(subset)?;
        let policy = subset.traffic_policy.as_ref();
        let own = policy.map(|policy| Part::of(rule, policy, port, Some(subset)));
        let own_passthrough =
            is_passthrough(policy.and_then(|policy| policy.load_balancer.as_ref()));
        let of_top = top
            .as_ref()
            .is_some_and(|top| is_passthrough(top.load_balancer));
        let laid = Part::laid_over(top, own);
        Some(Self {
            block: laid.tls,
            endpoint_view: policy
                .and_then(|policy| view(rule, policy, port, Some(subset)))
                .or_else(|| {
                    let (rule, policy) = merged.policy()?;
                    view(rule, policy, port, None)
                }),
            passthrough: own_passthrough || of_top || is_passthrough(laid.load_balancer),
            checks_endpoints: own_passthrough,
        })
    }
}

/// A traffic policy reduced to what it says for one port.
#[derive(Clone, Debug, Default)]
struct Part<'a> {
    /// Whether an entry for the port says it, so that what it leaves out is not inherited.
    by_port: bool,
    tls: Option<Block<'a>>,
    load_balancer: Option<&'a LoadBalancer>,
}

impl<'a> Part<'a> {
    fn of(
        rule: &'a ResourceName,
        policy: &'a TrafficPolicy,
        port: u16,
        subset: Option<&Subset>,
    ) -> Self {
        let entry = policy.ports.iter().find(|entry| entry.port == port);
        let (tls, load_balancer) = match entry {
            Some(entry) => (&entry.tls, &entry.load_balancer),
            None => (&policy.tls, &policy.load_balancer),
        };
        let part = RulePart::new(subset, entry.map(|_| port));
        Self {
            by_port: entry.is_some(),
            tls: tls.as_ref().map(|tls| Block { tls, rule, part }),
            load_balancer: load_balancer.as_ref(),
        }
    }

    /// A subset's policy laid over that for all.
    fn laid_over(top: Option<Self>, subset: Option<Self>) -> Self {
        match (top, subset) {
            (top, None) => top.unwrap_or_default(),
            (None, Some(subset)) => subset,
            (Some(_), Some(subset)) if subset.by_port => subset,
            (Some(top), Some(subset)) => Self {
                by_port: false,
                tls: subset.tls.or(top.tls),
                load_balancer: subset.load_balancer.or(top.load_balancer),
            },
        }
    }
}

/// The block of a policy as the view of single endpoints takes it: an entry for the port without `tls` leaves the top-level
/// one (Istio: `trafficPolicyTLSModeForPort` in `pilot/pkg/xds/endpoints/mtls_checker.go`).
fn view<'a>(
    rule: &'a ResourceName,
    policy: &'a TrafficPolicy,
    port: u16,
    subset: Option<&Subset>,
) -> Option<Block<'a>> {
    let entry = policy.ports.iter().find_map(|entry| {
        let tls = entry.tls.as_ref().filter(|_| entry.port == port)?;
        Some(Block { tls, rule, part: RulePart::new(subset, Some(port)) })
    });
    entry.or_else(|| {
        let tls = policy.tls.as_ref()?;
        Some(Block { tls, rule, part: RulePart::new(subset, None) })
    })
}

fn is_passthrough(load_balancer: Option<&LoadBalancer>) -> bool {
    load_balancer.is_some_and(|load_balancer| load_balancer.passthrough)
}
