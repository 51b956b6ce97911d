//! `policyctl explain` over the policies that Istio's documents show.

use crate::policyctl;

const CUSTOMERS: &str =
    "explain --policies s3-strict.yaml --namespace my-namespace --label app=customers --port 8080";

#[test]
fn the_winner_is_shown_with_the_line_that_decides() {
    let ran = policyctl(CUSTOMERS);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    assert_eq!(
        ran.stdout,
        "STRICT on port 8080 of a workload in namespace my-namespace, labels app=customers
because of workload policy my-namespace/default

  default    Istio                 PERMISSIVE
  mesh       istio-system/default  STRICT
  namespace  no policy
  workload   my-namespace/default  STRICT  <- decides
  port 8080  no entry

  --> s3-strict.yaml:11:11
   |
11 |   mtls: { mode: STRICT }
   |           ^
"
    );
}

#[test]
fn the_same_as_json() {
    let ran = policyctl(&format!("{CUSTOMERS} --output json"));
    assert_eq!(ran.code, 0);
    let json = ran.json();
    assert_eq!(json["workload"]["namespace"], "my-namespace");
    let inbound = &json["inbound"][0];
    assert_eq!(inbound["mode"]["mode"], "STRICT");
    assert_eq!(inbound["mode"]["winner"]["policy"], "my-namespace/default");
    assert_eq!(inbound["decided_at"]["file"], "s3-strict.yaml");
    assert_eq!(inbound["decided_at"]["line"], 11);
    assert!(inbound.get("ingress").is_none() && json.get("outbound").is_none(), "{json}");
}

#[test]
fn the_encrypting_task_permissive_namespace() {
    policyctl("explain --policies s1-permissive.yaml --namespace test-istio-mtls --port 80").shows(
        0,
        &[
            "PERMISSIVE on port 80",
            "because of namespace policy test-istio-mtls/default",
            "--> s1-permissive.yaml:4:17",
        ],
    );
    let other = "explain --policies s1-permissive.yaml --namespace test-istio-mtls-without-injection --port 80";
    policyctl(other).shows(
        0,
        &[
            "because of default, no policy sets a mode",
            "test-istio-mtls/default: of another namespace",
        ],
    );
}

#[test]
fn the_ingress_task_tls_of_a_sidecar() {
    let httpbin = "explain --policies s4-ingress.yaml --namespace test --label app=httpbin --label version=v1 --port";
    policyctl(&format!("{httpbin} 9080")).shows(
        0,
        &[
            "DISABLE on port 9080",
            "13 |     9080: { mode: DISABLE }",
            "MUTUAL TLS on port 9080",
            "because of Sidecar test/ingress-sidecar: the port is DISABLE for the mesh, so that its tls takes effect",
        ],
    );
    policyctl(&format!("{httpbin} 9081"))
        .shows(0, &["STRICT on port 9081", "Sidecar test/ingress-sidecar has no tls for the port"]);
    let json = policyctl(&format!("{httpbin} 9080 --output json")).json();
    assert_eq!(json["inbound"][0]["ingress"]["sidecar"], "test/ingress-sidecar");
}

#[test]
fn a_workload_by_name_with_every_port_it_serves() {
    let ran = policyctl(
        "explain --policies s3-rule.yaml --policies s3-strict.yaml --workload my-namespace/customers",
    );
    ran.shows(
        0,
        &[
            "STRICT on port 8080",
            "STRICT on port 9090",
            "labels app=customers,security.istio.io/tlsMode=istio,version=v2",
        ],
    );
    assert!(!ran.stdout.contains("port 80 "), "workload ports, not service ports: {ran:?}");
}

#[test]
fn a_port_of_a_service_is_told_from_that_of_the_workload() {
    policyctl("explain --policies s3-rule.yaml --workload my-namespace/customers --port 80")
        .shows(0, &["note:", "customers.my-namespace.svc.cluster.local", "8080"]);
}

#[test]
fn the_client_side_with_rule_and_subset() {
    let client = "explain --policies s3-rule.yaml --namespace my-namespace";
    let whole = "because: DestinationRule my-namespace/customers\n";
    let port = "because: DestinationRule my-namespace/customers (port 9090)\n";
    let subset = "because: DestinationRule my-namespace/customers (subset v2)\n";
    for (arguments, want) in [
        (
            "--to customers:80",
            ["ISTIO_MUTUAL to customers.my-namespace.svc.cluster.local:80", whole],
        ),
        ("--to customers:9090", ["DISABLE to customers.my-namespace.svc.cluster.local:9090", port]),
        ("--to customers:80 --subset v2", ["SIMPLE to customers.my-namespace", subset]),
        ("--to customers:80 --subset v3", ["REFUSE to customers.my-namespace", "v3"]),
        (
            "--to customers:81",
            ["customers:81 is no service that the client sees", "outside the mesh"],
        ),
    ] {
        policyctl(&format!("{client} {arguments}")).shows(0, &want);
    }
    let json = policyctl(&format!("{client} --to customers:80 --output json")).json();
    assert_eq!(json["outbound"]["service"], "customers.my-namespace.svc.cluster.local");
    assert_eq!(json["outbound"]["endpoints"][0]["endpoint"], "10.0.0.1:8080");
    assert_eq!(json["inbound"], serde_json::json!([]), "nobody asked for a port");
    let both = policyctl(&format!("{client} --to customers:80 --port 8080"));
    both.shows(0, &["PERMISSIVE on port 8080", "ISTIO_MUTUAL to customers.my-namespace"]);
}

#[test]
fn who_may_connect() {
    let httpbin = "explain --policies authorization.yaml --namespace foo --label app=httpbin --port 8000 --source-ip 10.1.0.2";
    let curl = format!("{httpbin} --peer spiffe://cluster.local/ns/foo/sa/curl");
    policyctl(&curl).shows(0, &["STRICT on port 8000", "foo/allow-curl", "<- decides"]);
    let json = policyctl(&format!("{curl} --output json")).json();
    assert_eq!(json["inbound"][0]["authorization"]["verdict"]["allow"], true, "{json}");

    let other =
        policyctl(&format!("{httpbin} --peer spiffe://cluster.local/ns/bar/sa/curl --output json"))
            .json();
    assert_eq!(other["inbound"][0]["authorization"]["verdict"]["allow"], false, "{other}");

    policyctl(&format!("{httpbin} --peer plaintext")).shows(
        0,
        &["the port is STRICT: plaintext is refused before anybody asks who may connect"],
    );
}

#[test]
fn settings_of_the_mesh() {
    let root = "explain --policies s3-strict.yaml --namespace foo --port 80";
    policyctl(root).shows(0, &["because of mesh policy istio-system/default"]);
    policyctl(&format!("{root} --root-namespace mesh")).shows(0, &["because of default"]);
    policyctl("explain --policies fmt/no-namespace.yaml --namespace foo --port 80")
        .shows(2, &["error[no_namespace]"]);
    policyctl("explain --policies fmt/no-namespace.yaml --namespace foo --port 80 --default-namespace foo")
        .shows(0, &["because of namespace policy foo/default"]);
    let client = "explain --policies s3-rule.yaml --namespace my-namespace --to customers:80";
    policyctl(&format!("{client} --trust-domain prod.example --trust-domain-alias old.example"))
        .shows(
            0,
            &[
                "spiffe://prod.example/ns/my-namespace/sa/customers",
                "spiffe://old.example/ns/my-namespace/sa/customers",
            ],
        );
}

#[test]
fn what_was_odd_while_reading_is_told_beside() {
    let ran = policyctl("explain --policies lint --namespace foo --port 80");
    ran.shows(
        0,
        &[
            "STRICT on port 80",
            "warning[selector_without_labels]",
            "note[skipped_kind]: foo/web: Deployment",
        ],
    );
    assert!(!ran.stdout.contains("warning"), "on the other stream: {ran:?}");
}

#[test]
fn settings_from_a_mesh_config() {
    let client = "explain --policies s3-rule.yaml --namespace my-namespace --to customers:80";
    for file in ["mesh.yaml", "mesh-config-map.yaml"] {
        policyctl(&format!("{client} --mesh-config {file}"))
            .shows(0, &["spiffe://prod.example/ns/my-namespace/sa/customers"]);
    }
    policyctl(&format!("{client} --mesh-config mesh.yaml --trust-domain other.example"))
        .shows(0, &["spiffe://other.example/ns/my-namespace/sa/customers"]);
    let unknown =
        "warning[unknown_setting]: fancyNewThing: no setting that Istio has\n --> mesh.yaml:3\n";
    policyctl(&format!("{client} --mesh-config mesh.yaml"))
        .shows(0, &[unknown, "3 | fancyNewThing: true"]);
    policyctl("lint --policies s3-rule.yaml --mesh-config mesh.yaml --deny warnings")
        .shows(1, &[unknown]);
    policyctl(&format!("{client} --mesh-config bad/mesh.yaml"))
        .shows(2, &["error[", " --> bad/mesh.yaml:1:14\n", "1 | trustDomain: Prod Example\n"]);
    policyctl(&format!("{client} --mesh-config bad/twice"))
        .shows(2, &["--mesh-config takes one file"]);
    let ingress = "explain --policies s4-ingress.yaml --namespace test --label app=httpbin --label version=v1 --port 9080";
    policyctl(&format!("{ingress} --sidecar-ingress-tls false"))
        .shows(0, &["its tls is ignored, because the mesh settings turn ingress TLS off"]);
}
