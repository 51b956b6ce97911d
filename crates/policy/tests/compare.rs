//! What a change of policies would do to a fleet.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use meshtls_policy::{
    Blocked, ClientTls, ClientTlsMode, Comparison, DestinationRule, Effect, Inventory,
    MeshSettings, Observations, OutboundRefusal, Outcome, Proposal, Remedy, Resources, compare,
};

/// The fleet of the migration task: httpbin and curl in `foo` and `bar`, and a curl in `legacy` that is not in the mesh.
const FLEET: &str = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: httpbin, namespace: foo }
spec:
  hosts: [httpbin.foo.svc.cluster.local]
  ports: [{ number: 8000, name: http, protocol: HTTP }]
  location: MESH_INTERNAL
  resolution: STATIC
  workloadSelector: { labels: { app: httpbin } }
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: httpbin, namespace: bar }
spec:
  hosts: [httpbin.bar.svc.cluster.local]
  ports: [{ number: 8000, name: http, protocol: HTTP }]
  location: MESH_INTERNAL
  resolution: STATIC
  workloadSelector: { labels: { app: httpbin } }
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: httpbin, namespace: foo }
spec: { address: 10.0.0.1, labels: { app: httpbin }, serviceAccount: httpbin }
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: httpbin, namespace: bar }
spec: { address: 10.0.0.2, labels: { app: httpbin }, serviceAccount: httpbin }
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: curl, namespace: foo }
spec: { address: 10.0.1.1, labels: { app: curl }, serviceAccount: curl }
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: curl, namespace: bar }
spec: { address: 10.0.1.2, labels: { app: curl }, serviceAccount: curl }
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: curl, namespace: legacy }
spec: { address: 10.0.1.3, labels: { app: curl } }
";

const STRICT_MESH: &str = "
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default, namespace: istio-system }
spec: { mtls: { mode: STRICT } }
";

fn between(before: &str, after: &str, observations: &str) -> Comparison {
    with_settings(&MeshSettings::default(), before, after, observations)
}

fn with_settings(
    settings: &MeshSettings,
    before: &str,
    after: &str,
    observations: &str,
) -> Comparison {
    let fleet = Resources::parse("fleet.yaml", FLEET).unwrap();
    let inventory = Inventory::from_resources(settings, &fleet);
    let before = Resources::parse("before.yaml", before).unwrap();
    let after = Resources::parse("after.yaml", after).unwrap();
    let observations = Observations::parse("seen.yaml", observations).unwrap();
    compare(
        Proposal::new(settings, &before),
        Proposal::new(settings, &after),
        &inventory,
        &observations,
    )
}

fn lines(comparison: &Comparison, effect: Effect) -> Vec<String> {
    let changes = comparison
        .changes
        .iter()
        .filter(|change| change.effect == effect);
    changes.map(ToString::to_string).collect()
}

#[test]
fn locking_the_mesh_breaks_the_legacy_caller_and_nobody_else() {
    let comparison = between("", STRICT_MESH, "");
    assert_eq!(
        lines(&comparison, Effect::Breaks),
        [
            "curl.legacy to httpbin.bar port 8000: plaintext, then refused: plaintext to a STRICT port \
             (mesh policy istio-system/default)",
            "curl.legacy to httpbin.foo port 8000: plaintext, then refused: plaintext to a STRICT port \
             (mesh policy istio-system/default)",
        ]
    );
    assert_eq!(comparison.changes.len(), 2);
    // curl.foo, curl.bar and the other httpbin, each to two servers, less each server to itself.
    assert_eq!(comparison.unchanged, 6);
    assert!(!comparison.is_safe());
    let modes: Vec<String> = comparison.modes.iter().map(ToString::to_string).collect();
    assert_eq!(
        modes,
        [
            "httpbin.bar port 8000: PERMISSIVE, then STRICT (mesh policy istio-system/default)",
            "httpbin.foo port 8000: PERMISSIVE, then STRICT (mesh policy istio-system/default)",
        ]
    );
}

#[test]
fn an_exception_that_is_proposed_saves_the_callers_it_names() {
    let comparison = between("", STRICT_MESH, "");
    let [bar, foo] = comparison.exceptions.as_slice() else {
        panic!("{:?}", comparison.exceptions)
    };
    assert_eq!(
        (bar.workloads.join(" "), foo.workloads.join(" ")),
        ("httpbin.bar".to_owned(), "httpbin.foo".to_owned())
    );
    assert_eq!((&*foo.ports, &*foo.saves), (&[8000][..], &["curl.legacy".to_owned()][..]));
    assert!(matches!(foo.remedy, Remedy::Add(_)), "{:?}", foo.remedy);

    let remedies = comparison
        .exceptions
        .iter()
        .map(|exception| exception.remedy.policy().clone());
    let excepted = Resources::default()
        .with_peer_authentications(remedies)
        .to_yaml();
    let after = format!("{STRICT_MESH}---\n{excepted}");
    let comparison = between("", &after, "");
    assert_eq!(lines(&comparison, Effect::Breaks), [""; 0]);
    assert!(comparison.is_safe(), "{comparison}");
}

#[test]
fn a_policy_that_selects_the_workload_already_is_changed_instead() {
    let strict_web = "
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: web, namespace: foo }
spec: { selector: { matchLabels: { app: httpbin } }, mtls: { mode: STRICT } }
";
    let comparison = between("", strict_web, "");
    let [exception] = comparison.exceptions.as_slice() else {
        panic!("{:?}", comparison.exceptions)
    };
    let Remedy::Change(policy) = &exception.remedy else { panic!("{:?}", exception.remedy) };
    assert_eq!(policy.name().to_string(), "foo/web");
    assert!(
        between(
            "",
            &Resources::default()
                .with_peer_authentications([policy.clone()])
                .to_yaml(),
            ""
        )
        .is_safe()
    );
}

#[test]
fn observations_count_and_add_callers() {
    let seen = "
observations:
- { caller: { workload: legacy/curl }, workload: foo/httpbin, port: 8000, connectionSecurityPolicy: none, count: 12 }
- { caller: { address: 10.9.9.9 }, workload: foo/httpbin, port: 8000, connectionSecurityPolicy: none }
- { caller: { address: 10.0.1.1 }, workload: foo/httpbin, port: 8000, connectionSecurityPolicy: none }
- { caller: { workload: gone/curl }, workload: foo/httpbin, port: 8000, connectionSecurityPolicy: none }
- { caller: { workload: legacy/curl }, workload: foo/httpbin, port: 1, connectionSecurityPolicy: none }
";
    let comparison = between("", STRICT_MESH, seen);
    let why =
        "plaintext, then refused: plaintext to a STRICT port (mesh policy istio-system/default)";
    assert_eq!(
        lines(&comparison, Effect::Breaks),
        [
            format!("10.9.9.9 to httpbin.foo port 8000 (seen once): {why}"),
            // In the mesh by the inventory, and yet seen to send plaintext.
            format!("curl.foo to httpbin.foo port 8000 (seen once): {why}"),
            format!("curl.legacy to httpbin.foo port 8000 (seen 12 times): {why}"),
            format!("curl.legacy to httpbin.bar port 8000: {why}"),
        ]
    );
    assert_eq!(comparison.unjudged.len(), 2, "{:?}", comparison.unjudged);
}

#[test]
fn what_is_loosened_mends_and_leaves_exceptions_dead() {
    let exception = "
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: web, namespace: foo }
spec:
  selector: { matchLabels: { app: httpbin } }
  portLevelMtls: { 8000: { mode: PERMISSIVE } }
";
    let comparison = between(&format!("{STRICT_MESH}---{exception}"), exception, "");
    assert_eq!(
        lines(&comparison, Effect::Mends),
        ["curl.legacy to httpbin.bar port 8000: refused: plaintext to a STRICT port \
          (mesh policy istio-system/default), then plaintext"]
    );
    assert!(comparison.is_safe());
    assert_eq!(comparison.dead, [], "the exception still decides, the mesh policy is gone");

    let without_port =
        exception.replace("8000: { mode: PERMISSIVE }", "8001: { mode: PERMISSIVE }");
    let comparison = between(exception, &without_port, "");
    let dead: Vec<String> = comparison
        .dead
        .iter()
        .map(|policy| policy.name.to_string())
        .collect();
    assert_eq!(dead, ["foo/web"]);
}

#[test]
fn from_disable_to_strict_at_once_is_not_safe() {
    let mode = |mode: &str| STRICT_MESH.replace("STRICT", mode);
    for (before, after, safe) in
        [("DISABLE", "STRICT", false), ("DISABLE", "PERMISSIVE", true), ("STRICT", "DISABLE", true)]
    {
        let comparison = between(&mode(before), &mode(after), "");
        let skips = comparison
            .modes
            .iter()
            .any(|change| change.skips_permissive());
        assert_eq!(skips, !safe, "{before} to {after}");
        assert_eq!(comparison.is_safe(), safe, "{before} to {after}");
    }
}

#[test]
fn each_way_to_fail() {
    let rule = |tls: &str| {
        format!(
            "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{ name: httpbin, namespace: foo }}
spec: {{ host: httpbin.foo.svc.cluster.local, trafficPolicy: {{ tls: {tls} }} }}
"
        )
    };
    let disable = STRICT_MESH.replace("STRICT", "DISABLE");
    let deny = "
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: mtls-only, namespace: foo }
spec: { action: DENY, rules: [{ from: [{ source: { notPrincipals: ['*'] } }] }] }
";
    let sidecar = "
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: ingress, namespace: foo }
spec:
  workloadSelector: { labels: { app: httpbin } }
  ingress:
  - port: { number: 8000, protocol: HTTPS, name: https }
    defaultEndpoint: 127.0.0.1:80
    tls: { mode: MUTUAL, serverCertificate: /c, privateKey: /k, caCertificates: /a }
";
    for (name, after, caller, want) in [
        (
            "rule DISABLE meets STRICT",
            format!("{STRICT_MESH}---{}", rule("{ mode: DISABLE }")),
            "curl.foo",
            "plaintext_under_strict",
        ),
        (
            "rule SIMPLE meets STRICT",
            format!("{STRICT_MESH}---{}", rule("{ mode: SIMPLE }")),
            "curl.foo",
            "no_mesh_certificate",
        ),
        (
            "rule ISTIO_MUTUAL meets DISABLE",
            format!("{disable}---{}", rule("{ mode: ISTIO_MUTUAL }")),
            "curl.foo",
            "mutual_tls_to_disabled_port",
        ),
        (
            "rule accepts another server",
            rule(
                "{ mode: ISTIO_MUTUAL, subjectAltNames: ['spiffe://cluster.local/ns/foo/sa/other'] }",
            ),
            "curl.foo",
            "server_identity",
        ),
        ("DENY of plaintext", deny.to_owned(), "curl.legacy", "unauthorized"),
        (
            "plaintext to ingress TLS",
            format!("{disable}---{sidecar}"),
            "curl.legacy",
            "plaintext_on_ingress_tls",
        ),
        (
            "SIMPLE to ingress MUTUAL",
            format!("{disable}---{sidecar}---{}", rule("{ mode: SIMPLE }")),
            "curl.foo",
            "no_ingress_certificate",
        ),
    ] {
        let comparison = between("", &after, "");
        let change = comparison
            .breaks()
            .find(|change| change.caller.name == caller && change.server == "httpbin.foo")
            .unwrap_or_else(|| panic!("{name}: {comparison}"));
        let Outcome::Blocked(blocked) = &change.after else { panic!("{name}: {:?}", change.after) };
        let json = serde_json::to_value(blocked).unwrap();
        assert_eq!(json["why"], want, "{name}");
        assert!(!blocked.to_string().is_empty());
    }
}

/// Ways to fail that take a server outside the mesh, or a rule that no text can hold.
#[test]
fn each_way_to_fail_without_a_policy_of_the_server() {
    let outside = FLEET
        .replace("labels: { app: httpbin }, serviceAccount: httpbin", "labels: { app: httpbin }");
    let fleet = Resources::parse("fleet.yaml", &outside).unwrap();
    let settings = MeshSettings::default();
    let inventory = Inventory::from_resources(&settings, &fleet);
    let after = |mode: ClientTlsMode| {
        let rule = DestinationRule::new("foo", "httpbin", "httpbin.foo.svc.cluster.local");
        Resources::default().with_destination_rules([rule.with_tls(ClientTls::new(mode))])
    };
    let in_mesh = Resources::parse("fleet.yaml", FLEET).unwrap();
    let in_mesh = Inventory::from_resources(&settings, &in_mesh);
    for (name, inventory, after, want) in [
        ("no identity", &inventory, after(ClientTlsMode::IstioMutual), Blocked::ServerOutsideMesh),
        (
            "MUTUAL without files",
            &in_mesh,
            after(ClientTlsMode::Mutual),
            Blocked::NoWay { refusal: OutboundRefusal::MissingClientCertificate },
        ),
    ] {
        let before = Resources::default();
        let comparison = compare(
            Proposal::new(&settings, &before),
            Proposal::new(&settings, &after),
            inventory,
            &Observations::default(),
        );
        let blocked = comparison
            .breaks()
            .map(|change| change.after.clone())
            .next();
        assert_eq!(blocked, Some(Outcome::Blocked(want)), "{name}");
    }
}

#[test]
fn an_exception_takes_a_free_name_and_is_for_all_replicas() {
    let replicas = format!(
        "{FLEET}---{}",
        "
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: httpbin-2, namespace: foo }
spec: { address: 10.0.0.3, labels: { app: httpbin }, serviceAccount: httpbin }
"
    );
    let taken = "
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: permissive-httpbin, namespace: foo }
spec: { selector: { matchLabels: { app: other } } }
";
    let settings = MeshSettings::default();
    let fleet = Resources::parse("fleet.yaml", &replicas).unwrap();
    let inventory = Inventory::from_resources(&settings, &fleet);
    let before = Resources::default();
    let after = Resources::parse("after.yaml", &format!("{STRICT_MESH}---{taken}")).unwrap();
    let comparison = compare(
        Proposal::new(&settings, &before),
        Proposal::new(&settings, &after),
        &inventory,
        &Observations::default(),
    );
    let foo = comparison
        .exceptions
        .iter()
        .find(|exception| exception.workloads.len() == 2)
        .unwrap();
    assert_eq!(foo.workloads, ["httpbin-2.foo", "httpbin.foo"]);
    assert_eq!(foo.remedy.policy().name().to_string(), "foo/permissive-httpbin-2");
    assert_eq!(comparison.exceptions.len(), 2, "foo and bar: {comparison}");
}

#[test]
fn observations_that_are_no_such_thing_are_refused_with_their_place() {
    let one = |text: &str| format!("observations:\n- {{ {text} }}\n");
    let good = "caller: { address: 10.0.0.1 }, workload: foo/web, port: 80, connectionSecurityPolicy: none";
    assert!(Observations::parse("seen.yaml", &one(good)).is_ok());
    for (name, text, field, reason) in [
        ("no observations", "{}".to_owned(), "", "missing_field"),
        (
            "both",
            one(&good.replace("10.0.0.1", "10.0.0.1, workload: a/b")),
            "observations[0].caller",
            "wrong_type",
        ),
        (
            "neither",
            one(&good.replace("address: 10.0.0.1", "")),
            "observations[0].caller",
            "wrong_type",
        ),
        (
            "no address",
            one(&good.replace("10.0.0.1", "web")),
            "observations[0].caller.address",
            "bad_address",
        ),
        ("no name", one(&good.replace("foo/web", "web")), "observations[0].workload", "wrong_type"),
        ("no port", one(&good.replace("80", "0")), "observations[0].port", "port_out_of_range"),
        (
            "other security",
            one(&good.replace("none", "tls")),
            "observations[0].connectionSecurityPolicy",
            "unknown_enum_value",
        ),
        ("a slip", one(&good.replace("port", "prot")), "observations[0].prot", "unknown_field"),
        (
            "a count that is none",
            one(&format!("{good}, count: many")),
            "observations[0].count",
            "wrong_type",
        ),
    ] {
        let error = Observations::parse("seen.yaml", &text).unwrap_err();
        assert_eq!((error.field(), error.reason()), (field, reason), "{name}: {error}");
        assert_eq!(error.source_name(), "seen.yaml");
    }
}

/// What `before` says of callers must be said of their names before, not of those that they get.
#[test]
fn in_a_new_trust_domain_everybody_has_a_new_name() {
    let mesh = |domain: &str| MeshSettings::new(domain.parse().unwrap());
    let allow = |principal: &str| {
        let text = format!(
            "
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {{ name: curl, namespace: foo }}
spec: {{ rules: [{{ from: [{{ source: {{ principals: ['{principal}'] }} }}] }}] }}
"
        );
        Resources::parse("allow.yaml", &text).unwrap()
    };
    let fleet = Resources::parse("fleet.yaml", FLEET).unwrap();
    let (old, new) = (mesh("old.example"), mesh("new.example"));
    let kept = mesh("new.example").with_trust_domain_aliases(["old.example".parse().unwrap()]);
    for (name, after, principal, breaks) in [
        ("the policy means the old one", &new, "old.example/ns/foo/sa/curl", 1),
        ("the old one is an alias", &kept, "old.example/ns/foo/sa/curl", 0),
        ("the policy means the mesh", &new, "cluster.local/ns/foo/sa/curl", 0),
        ("the policy means any", &new, "*/ns/foo/sa/curl", 0),
        ("nothing changes", &old, "old.example/ns/foo/sa/curl", 0),
    ] {
        let policies = allow(principal);
        // Whichever of the two the inventory was collected for.
        for collected_for in [&old, after] {
            let comparison = compare(
                Proposal::new(&old, &policies),
                Proposal::new(after, &policies),
                &Inventory::from_resources(collected_for, &fleet),
                &Observations::default(),
            );
            let changes: Vec<String> = comparison.changes.iter().map(ToString::to_string).collect();
            assert_eq!(comparison.breaks().count(), breaks, "{name}: {changes:?}");
            assert_eq!(changes.len(), breaks, "{name}: {changes:?}");
        }
    }
}

#[test]
fn a_mesh_client_asks_for_the_server_name_of_its_service() {
    let sni = |pattern: &str| {
        format!(
            "
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {{ name: sni, namespace: foo }}
spec: {{ rules: [{{ when: [{{ key: connection.sni, values: ['{pattern}'] }}] }}] }}
"
        )
    };
    // Five callers of httpbin.foo: the one outside the mesh sends no server name.
    for (pattern, breaks) in [("outbound_.8000_*", 1), ("outbound_.8001_*", 4)] {
        let comparison = between("", &sni(pattern), "");
        assert_eq!(comparison.breaks().count(), breaks, "{pattern}: {comparison}");
    }
}
