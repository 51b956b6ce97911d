//! What in a set of objects does not do what it seems to.

mod audience;
mod authorization_policy;
mod code;
mod context;
mod destination_rule;
mod finding;
mod peer_authentication;
mod selectors;
mod service_entry;
mod sidecar;
mod workload_entry;
mod world;

use self::context::Context;
use self::finding::Findings;
use crate::{Inventory, MeshSettings, Resources};

pub use self::code::{Code, Severity, UnknownCode};
pub use self::finding::Finding;

/// Finds what in `resources` has no effect, another effect than it seems, or cannot work; and says what to write instead.
///
/// Objects are judged together: read a whole mesh, or at least whole namespaces with the root namespace. With an
/// `inventory` of that mesh (such as [`Inventory::from_resources`] of the same objects) findings are exact about workloads
/// and their ports; without one, what depends on them is left out. For places of fields, read with
/// [`ParseOptions::with_field_places`](crate::ParseOptions::with_field_places).
///
/// The findings are sorted by place and always the same for the same objects. The time taken grows with the number of
/// objects and workloads: 10,000 policies take about a second.
///
/// `docs/lint.md` in the repository has every [`Code`] with its reason and examples.
///
/// ```
/// use meshtls_policy::{Code, MeshSettings, Resources, lint};
///
/// let resources = Resources::parse(
///     "policies.yaml",
///     "
/// apiVersion: security.istio.io/v1
/// kind: PeerAuthentication
/// metadata: { name: web, namespace: istio-system }
/// spec: { selector: { matchLabels: { app: web } }, mtls: { mode: STRICT } }
/// ",
/// )?;
/// let findings = lint(&MeshSettings::default(), &resources, None);
/// assert_eq!(findings[0].code, Code::SelectorInRootNamespace);
/// println!("{}", findings[0]);
/// # Ok::<(), meshtls_policy::ParseError>(())
/// ```
pub fn lint(
    settings: &MeshSettings,
    resources: &Resources,
    inventory: Option<&Inventory>,
) -> Vec<Finding> {
    let context = Context::new(settings, resources, inventory);
    let mut findings = Findings::new(resources);
    peer_authentication::check(&context, &mut findings);
    destination_rule::check(&context, &mut findings);
    authorization_policy::check(&context, &mut findings);
    sidecar::check(&context, &mut findings);
    service_entry::check(&context, &mut findings);
    workload_entry::check(&context, &mut findings);
    findings.sorted()
}
