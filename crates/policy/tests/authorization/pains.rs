//! What users ran into, and the answer they needed.

use std::fmt::Write as _;

use meshtls_policy::{MeshSettings, PolicySet};

use super::{ask, ask_in, object, peer, plaintext, policies, read, web};

fn corp() -> MeshSettings {
    MeshSettings::new("corp.example".parse().unwrap())
}

fn explain(settings: MeshSettings, spec: &str, uri: &str) -> String {
    let set = PolicySet::compile(settings, &policies(&[spec]));
    let mut text = String::new();
    write!(text, "{}", set.explain_authorization(&web(), &peer(uri))).unwrap();
    text
}

/// istio/istio#47027: in a mesh with another trust domain, `cluster.local` in a principal means that mesh, and therefore no longer the
/// peers of a neighbouring mesh that really is called so.
#[test]
fn issue_47027_cluster_local_is_a_pointer() {
    let spec = "{ rules: [{ from: [{ source: { principals: ['cluster.local/ns/a/sa/b'] } }] }] }";
    let (own, neighbour) = ("spiffe://corp.example/ns/a/sa/b", "spiffe://cluster.local/ns/a/sa/b");
    assert_eq!(ask_in(corp(), &policies(&[spec]), &peer(own)), "allow_policy_matched foo/p0 0");
    assert_eq!(ask_in(corp(), &policies(&[spec]), &peer(neighbour)), "no_allow_policy_matched");
    let text = explain(corp(), spec, neighbour);
    assert!(text.contains("`cluster.local` in this principal means the mesh's own domain: `cluster.local/ns/a/sa/b` stands for corp.example/ns/a/sa/b"), "{text}");
    let text = explain(MeshSettings::default(), spec, neighbour);
    assert!(!text.contains("note:"), "it is the mesh's own name there:\n{text}");
}

/// istio/istio#47322: with a wildcard for the rest, `cluster.local` is no pointer any more, and the policy admits nobody.
#[test]
fn issue_47322_cluster_local_with_a_wildcard_is_a_name() {
    let spec = "{ rules: [{ from: [{ source: { principals: ['cluster.local/ns/a/*'] } }] }] }";
    let own = "spiffe://corp.example/ns/a/sa/b";
    assert_eq!(ask_in(corp(), &policies(&[spec]), &peer(own)), "no_allow_policy_matched");
    let text = explain(corp(), spec, own);
    assert!(text.contains("`cluster.local/ns/a/*` has not the five parts of `domain/ns/namespace/sa/account`, so its trust domain is taken literally"), "{text}");
}

/// istio/ztunnel#792: "mutual TLS, but for port 8080" as two rules refuses every other port to everybody, because one rule is enough.
/// As one rule it says what was meant.
#[test]
fn ztunnel_issue_792_rules_are_alternatives_and_conditions_are_not() {
    let no_identity = "from: [{ source: { notPrincipals: ['*'] } }]";
    let other_ports = "to: [{ operation: { notPorts: ['8080'] } }]";
    let two = format!("{{ action: DENY, rules: [{{ {no_identity} }}, {{ {other_ports} }}] }}");
    let one = format!("{{ action: DENY, rules: [{{ {no_identity}, {other_ports} }}] }}");
    let uri = "spiffe://prod.example/ns/a/sa/b";
    let at = |mut connection: meshtls_policy::Connection<'static>, port| {
        connection.port = port;
        connection
    };
    for (name, connection, with_two, with_one) in [
        (
            "plaintext to 8080",
            at(plaintext(), 8080),
            "deny_policy_matched foo/p0 0",
            "no_allow_policy",
        ),
        (
            "plaintext to 9090",
            at(plaintext(), 9090),
            "deny_policy_matched foo/p0 0",
            "deny_policy_matched foo/p0 0",
        ),
        ("mutual TLS to 8080", at(peer(uri), 8080), "no_allow_policy", "no_allow_policy"),
        (
            "mutual TLS to 9090",
            at(peer(uri), 9090),
            "deny_policy_matched foo/p0 1",
            "no_allow_policy",
        ),
    ] {
        assert_eq!(ask(&policies(&[&two]), &connection), with_two, "two rules, {name}");
        assert_eq!(ask(&policies(&[&one]), &connection), with_one, "one rule, {name}");
    }
}

/// "Require mutual TLS" by authorization: `notPrincipals: ["*"]` under DENY. Under ALLOW the same text admits plaintext only.
#[test]
fn requiring_mutual_tls_is_a_deny() {
    let rule = "rules: [{ from: [{ source: { notPrincipals: ['*'] } }] }]";
    let (deny, allow) = (format!("{{ action: DENY, {rule} }}"), format!("{{ {rule} }}"));
    let mutual = peer("spiffe://prod.example/ns/a/sa/b");
    assert_eq!(ask(&policies(&[&deny]), &plaintext()), "deny_policy_matched foo/p0 0");
    assert_eq!(ask(&policies(&[&deny]), &mutual), "no_allow_policy");
    assert_eq!(ask(&policies(&[&allow]), &plaintext()), "allow_policy_matched foo/p0 0");
    assert_eq!(ask(&policies(&[&allow]), &mutual), "no_allow_policy_matched");
}

/// A trial of ALLOW policies shows what would be refused before anything is (istio/ztunnel#1659 asks for the same there).
#[test]
fn an_allow_policy_can_be_tried() {
    let trial = "{ namespace: foo, name: trial, annotations: { istio.io/dry-run: 'true' } }";
    let spec = "{ rules: [{ from: [{ source: { namespaces: [a] } }] }] }";
    let set = PolicySet::compile(super::mesh(), &read(&[object(trial, spec)]));
    for (connection, would_pass) in
        [(plaintext(), false), (peer("spiffe://prod.example/ns/a/sa/b"), true)]
    {
        let answer = set.authorize(&web(), &connection);
        assert!(answer.allow(), "nothing is refused on trial");
        assert_eq!(answer.shadow().map(|shadow| shadow.allow()), Some(would_pass));
    }
}
