//! `AuthorizationPolicy`, from text to the decision over a connection.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test helper fails the test"
)]

mod decide;
mod explain;
mod pains;
mod parse;
mod restated;

use std::net::{IpAddr, Ipv4Addr};

use meshtls_policy::{
    AuthorizationPolicy, Connection, MeshSettings, PeerNames, PolicySet, Resources, Verdict,
    Workload,
};

/// Policies of namespace `foo`, called `p0`, `p1` and so on, with these `spec`s.
fn policies(specs: &[&str]) -> Resources {
    let objects: Vec<String> = specs
        .iter()
        .enumerate()
        .map(|(nth, spec)| object(&format!("{{ namespace: foo, name: p{nth} }}"), spec))
        .collect();
    read(&objects)
}

fn object(metadata: &str, spec: &str) -> String {
    format!(
        "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {metadata}\nspec: {spec}\n"
    )
}

fn read(objects: &[String]) -> Resources {
    Resources::parse("p.yaml", &objects.join("---\n")).unwrap()
}

/// As [`policies`], without a look at whether Istio would take them.
fn values(policies: impl IntoIterator<Item = AuthorizationPolicy>) -> Resources {
    Resources::default().with_authorization_policies(policies)
}

/// A mesh called `prod.example`, also known as `old.example`.
fn mesh() -> MeshSettings {
    MeshSettings::new("prod.example".parse().unwrap())
        .with_trust_domain_aliases(["old.example".parse().unwrap()])
}

fn web() -> Workload {
    Workload::new("foo", [("app", "web")])
}

/// From 10.1.2.3 to port 8080 of 10.9.9.9.
fn plaintext() -> Connection<'static> {
    Connection::new(ip("10.1.2.3"), Ipv4Addr::new(10, 9, 9, 9).into(), 8080)
}

fn peer(uri: &str) -> Connection<'_> {
    plaintext().with_peer(PeerNames::uri(uri))
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// What the mesh answers for the workload [`web`], such as `deny_policy_matched foo/p0 1`.
fn ask(resources: &Resources, connection: &Connection<'_>) -> String {
    ask_in(mesh(), resources, connection)
}

fn ask_in(settings: MeshSettings, resources: &Resources, connection: &Connection<'_>) -> String {
    let set = PolicySet::compile(settings, resources);
    let answer = set.authorize(&web(), connection);
    let explained = set.explain_authorization(&web(), connection);
    assert_eq!(explained.verdict.reason, answer.reason());
    assert_eq!(explained.verdict.policy.as_ref(), answer.policy());
    show(&answer.verdict())
}

fn show(verdict: &Verdict<'_>) -> String {
    match (verdict.policy(), verdict.rule()) {
        (Some(policy), Some(rule)) => format!("{} {policy} {rule}", verdict.reason().as_str()),
        _ => verdict.reason().as_str().to_owned(),
    }
}
