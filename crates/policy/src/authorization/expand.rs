//! Principals and trust domains of a policy under all names of the mesh (rule AZ-17).

use meshtls_identity::MeshDomains;

/// What `cluster.local` means in a principal: the mesh's own trust domain and its aliases, whatever they are called.
pub(crate) const POINTER: &str = "cluster.local";

/// The principals that stand for `value`: itself, unless it is in a trust domain of the mesh.
pub(crate) fn principals(value: &str, domains: &MeshDomains) -> Vec<String> {
    let Some((domain, path)) = domain_of(value) else { return vec![value.to_owned()] };
    let meant = domain == POINTER
        || names(domains)
            .any(|name| name == domain || has_prefix(name, domain) || has_suffix(name, domain));
    if !meant {
        return vec![value.to_owned()];
    }
    let mut expanded = Vec::new();
    for name in names(domains) {
        // A value with a leading star says already what it means for the domains that fit it.
        let principal =
            if has_suffix(name, domain) { value.to_owned() } else { format!("{name}/{path}") };
        if !expanded.contains(&principal) {
            expanded.push(principal);
        }
    }
    expanded
}

/// The trust domains that stand for `value`. Here `cluster.local` is a name like any other.
pub(crate) fn trust_domains(value: &str, domains: &MeshDomains) -> Vec<String> {
    if names(domains).any(|name| name == value) {
        names(domains).map(str::to_owned).collect()
    } else {
        vec![value.to_owned()]
    }
}

/// The trust domain of a principal in Istio's layout of five parts, and the path after it; `None` if it is not in that layout, or
/// leaves the trust domain open.
pub(crate) fn domain_of(value: &str) -> Option<(&str, &str)> {
    let (domain, path) = value.split_once('/')?;
    let is_layout = path.split('/').count() == 4;
    (is_layout && domain != "*").then_some((domain, path))
}

/// The own trust domain, then the aliases.
pub(crate) fn names(domains: &MeshDomains) -> impl Iterator<Item = &str> {
    [domains.own()]
        .into_iter()
        .chain(domains.aliases())
        .map(|domain| domain.as_str())
}

fn has_prefix(name: &str, pattern: &str) -> bool {
    pattern
        .strip_suffix('*')
        .is_some_and(|prefix| name.starts_with(prefix))
}

fn has_suffix(name: &str, pattern: &str) -> bool {
    pattern
        .strip_prefix('*')
        .is_some_and(|suffix| name.ends_with(suffix))
}
