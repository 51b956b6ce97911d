//! `policyctl lint`: findings, places and thresholds.

use crate::policyctl;

const STRICT_FOO: &str = "lint --policies migration/strict-foo.yaml";

#[test]
fn findings_warnings_and_skipped_objects_in_order_of_their_places() {
    let ran = policyctl("lint --policies lint");
    assert_eq!((ran.code, ran.stderr.as_str()), (1, ""));
    assert_eq!(
        ran.stdout,
        "error[MT004]: PeerAuthentication istio-system/web: spec.selector: a selector in the root namespace \
         istio-system has no effect for PeerAuthentication, on no workload anywhere
 --> lint/root-selector.yaml:6:3
  |
6 |   selector: { matchLabels: { app: web } }
  |   ^
  = instead: move the policy into each namespace that has such workloads, or remove the selector for the whole mesh

warning[selector_without_labels]: foo/default: spec.selector: a selector without labels selects the whole namespace, \
         as if it were not there
 --> lint/selector-and-skipped.yaml:5:3
  |
5 |   selector: {}
  |   ^

note[skipped_kind]: foo/web: Deployment of apps/v1 is not read here
 --> lint/selector-and-skipped.yaml:8
  |
8 | apiVersion: apps/v1

1 error, 1 warning, 1 note
"
        .replace("         as if", "as if")
    );
}

#[test]
fn the_threshold_decides_about_the_exit_code() {
    let odd = "lint --policies lint/selector-and-skipped.yaml";
    for (name, arguments, code) in [
        ("an error", "lint --policies lint/root-selector.yaml".to_owned(), 1),
        (
            "the same, allowed",
            "lint --policies lint/root-selector.yaml --allow MT004".to_owned(),
            0,
        ),
        ("a warning", odd.to_owned(), 0),
        ("a warning, denied", format!("{odd} --deny warnings"), 1),
        ("nothing", "lint --policies migration/strict.yaml --deny notes".to_owned(), 0),
        ("a note", format!("{STRICT_FOO} --services migration/services.yaml"), 0),
        (
            "a note, denied",
            format!("{STRICT_FOO} --services migration/services.yaml --deny notes"),
            1,
        ),
    ] {
        assert_eq!(policyctl(&arguments).code, code, "{name}");
    }
}

#[test]
fn the_same_as_json() {
    let json = policyctl("lint --policies lint --output json").json();
    assert_eq!(
        (&json["errors"], &json["warnings"], &json["notes"]),
        (&1.into(), &1.into(), &1.into())
    );
    let first = &json["findings"][0];
    assert_eq!(first["severity"], "error");
    assert_eq!(first["code"], "MT004");
    assert_eq!(first["file"], "lint/root-selector.yaml");
    assert_eq!((&first["line"], &first["column"]), (&6.into(), &3.into()));
    assert_eq!(first["object"], "PeerAuthentication istio-system/web");
    assert!(
        first["instead"]
            .as_str()
            .is_some_and(|instead| !instead.is_empty()),
        "{first}"
    );
}

#[test]
fn the_policies_of_the_documents_are_clean() {
    for file in ["s1-permissive.yaml", "s3-strict.yaml", "s3-rule.yaml", "s4-ingress.yaml"] {
        let ran = policyctl(&format!("lint --policies {file} --deny notes"));
        assert_eq!((ran.code, ran.stdout.as_str()), (0, "no findings\n"), "{file}");
    }
}

#[test]
fn services_may_be_among_the_policies_or_beside_them() {
    let services = "migration/services.yaml";
    let beside = policyctl(&format!("{STRICT_FOO} --services {services} --output json"));
    let among = policyctl(&format!("{STRICT_FOO} --policies {services} --output json"));
    let twice = policyctl(&format!(
        "{STRICT_FOO} --policies {services} --services ./{services} --output json"
    ));
    assert_eq!(beside.stdout, among.stdout);
    assert_eq!(beside.stdout, twice.stdout, "a file is read once");
    assert_eq!(beside.json()["findings"][0]["code"], "MT013", "known from the services only");
}
