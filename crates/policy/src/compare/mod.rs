//! What a change of policies would do to the connections of a fleet: the analyser behind "is it safe to go STRICT".

mod caller;
mod dead;
mod exception;
mod mode_change;
mod observation;
mod outcome;
mod text;

use serde::Serialize;

pub use caller::Caller;
pub use dead::DeadPolicy;
pub use exception::{Exception, Remedy};
pub use mode_change::ModeChange;
pub use observation::{Observation, Observations, ObservedCaller, Security};
pub use outcome::{Blocked, Outcome};

use self::outcome::Route;
use crate::{Inventory, MeshSettings, PolicySet, ResourceName, Resources};

/// Policies as they are or would be: the settings of the mesh and its resources.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Proposal<'a> {
    /// The settings of the mesh.
    pub settings: &'a MeshSettings,
    /// The policies.
    pub resources: &'a Resources,
}

impl<'a> Proposal<'a> {
    /// Policies under these settings.
    pub fn new(settings: &'a MeshSettings, resources: &'a Resources) -> Self {
        Self { settings, resources }
    }

    fn compile(&self) -> PolicySet {
        PolicySet::compile(self.settings.clone(), self.resources)
    }
}

/// Says what becomes of the connections of a fleet when `after` replaces `before`.
///
/// The fleet is the `inventory`: every workload in it is taken for a caller of every service port in it. A workload that is in
/// the mesh connects as the policies tell a client to; one that is not sends plaintext. `observations` add callers that the
/// inventory does not know, say what a caller was really seen to send, and mark which connections exist for sure.
///
/// The answer is about modes, secure naming and connection-level authorization. It does not know what applications do with
/// bytes that reach them, nor HTTP-level rules.
pub fn compare(
    before: Proposal<'_>,
    after: Proposal<'_>,
    inventory: &Inventory,
    observations: &Observations,
) -> Comparison {
    let (old, new) = (before.compile(), after.compile());
    let domain = &after.settings.trust_domain;
    let inventory = &*inventory.in_trust_domain(domain);
    let callers = outcome::callers(inventory, observations, domain);
    let routes = outcome::routes(inventory, &callers, observations);
    // In another trust domain everybody has another name. The ways are the same, in the same order.
    let old_domain = &before.settings.trust_domain;
    let old_inventory = inventory.in_trust_domain(old_domain);
    let old_callers = outcome::callers(&old_inventory, observations, old_domain);
    let old_routes =
        (old_domain != domain).then(|| outcome::routes(&old_inventory, &old_callers, observations));
    let (mut changes, mut locked_out) = (Vec::new(), Vec::new());
    let mut unchanged = 0_usize;
    for (was, route) in old_routes.as_ref().unwrap_or(&routes).iter().zip(&routes) {
        let (before, after) = (was.outcome(&old), route.outcome(&new));
        if before == after {
            unchanged = unchanged.saturating_add(1);
            continue;
        }
        let change = Change::new(route, before, after);
        if change.effect == Effect::Breaks && change.after.is_plaintext_refused() {
            locked_out.push(route);
        }
        changes.push(change);
    }
    changes.sort_by(|a, b| a.rank().cmp(&b.rank()));
    changes.dedup();
    Comparison {
        modes: mode_change::all(&old, &new, inventory),
        dead: dead::all(&old, &new, &after, inventory, &routes),
        exceptions: exception::propose(&after, &new, &locked_out),
        unjudged: outcome::unjudged(inventory, observations),
        changes,
        unchanged,
    }
}

/// What a change of policies would do. Its `Display` is for operators; the data is for programs.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Comparison {
    /// The workload ports whose mode changes, whoever connects to them.
    pub modes: Vec<ModeChange>,
    /// The connections whose outcome changes: first those that break.
    pub changes: Vec<Change>,
    /// How many connections come out as before.
    pub unchanged: usize,
    /// What would keep the connections that break, each tried on the policies proposed.
    pub exceptions: Vec<Exception>,
    /// Policies that decide something before and nothing after.
    pub dead: Vec<DeadPolicy>,
    /// Observations that say nothing here: their caller or their server is not in the inventory.
    pub unjudged: Vec<Observation>,
}

impl Comparison {
    /// The connections that work before and not after.
    pub fn breaks(&self) -> impl Iterator<Item = &Change> {
        self.changes
            .iter()
            .filter(|change| change.effect == Effect::Breaks)
    }

    /// Whether no connection breaks, and no port skips PERMISSIVE on its way to STRICT.
    pub fn is_safe(&self) -> bool {
        self.breaks().next().is_none() && !self.modes.iter().any(ModeChange::skips_permissive)
    }
}

/// A connection whose outcome changes.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Change {
    /// Who connects.
    pub caller: Caller,
    /// The workload connected to, such as `httpbin.foo`.
    pub server: String,
    /// The workload port.
    pub port: u16,
    /// The service through which the caller comes.
    pub service: String,
    /// The service port.
    pub service_port: u16,
    /// The outcome before.
    pub before: Outcome,
    /// The outcome after.
    pub after: Outcome,
    /// What that means.
    pub effect: Effect,
    /// How often the connection was observed; `None`: it is merely possible.
    pub observed: Option<u64>,
}

impl Change {
    fn new(route: &Route<'_>, before: Outcome, after: Outcome) -> Self {
        let effect = match (before.is_served(), after.is_served()) {
            (true, false) => Effect::Breaks,
            (false, true) => Effect::Mends,
            (true, true) | (false, false) => Effect::Differs,
        };
        Self {
            caller: route.caller.clone(),
            server: route.server_name(),
            port: route.endpoint.port,
            service: route.service.hostname.clone(),
            service_port: route.service.port,
            before,
            after,
            effect,
            observed: route.observed,
        }
    }

    /// What breaks comes first, what was observed before what is possible, then by name.
    fn rank(&self) -> impl Ord + '_ {
        (
            self.effect,
            self.observed.is_none(),
            &self.server,
            self.port,
            &self.caller.name,
            &self.service,
            self.service_port,
        )
    }
}

/// What a change of outcome means.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Effect {
    /// It works before and not after.
    Breaks,
    /// It works either way, or fails either way, but otherwise.
    Differs,
    /// It works after and not before.
    Mends,
}

/// The name under which people know a workload: `httpbin.foo`.
fn dotted(name: &ResourceName) -> String {
    format!("{}.{}", name.name(), name.namespace())
}
