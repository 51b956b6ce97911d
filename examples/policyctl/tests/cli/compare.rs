//! `policyctl compare` over the migration that Istio's task shows.

use serde_json::Value;

use crate::policyctl;

const TO_STRICT: &str = "compare --after migration/strict.yaml --services migration/services.yaml";

/// Caller, server and port of each connection that breaks.
fn breaks(json: &Value) -> Vec<(String, String, u64)> {
    let changes = json["changes"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    changes
        .iter()
        .filter(|change| change["effect"] == "breaks")
        .map(|change| {
            (
                text(&change["caller"]["name"]),
                text(&change["server"]),
                change["port"].as_u64().unwrap(),
            )
        })
        .collect()
}

#[test]
fn from_no_policy_to_strict_the_legacy_client_breaks_and_nobody_else() {
    let ran = policyctl(TO_STRICT);
    ran.shows(
        1,
        &[
            "would break:",
            "curl.legacy to httpbin.bar port 8000: plaintext, then refused: plaintext to a STRICT port",
            "curl.legacy to httpbin.foo port 8000: plaintext, then refused: plaintext to a STRICT port",
            "exceptions that would save them:",
            "not safe: 2 connections break",
        ],
    );
    for safe in ["curl.foo to", "curl.bar to"] {
        assert!(!ran.stdout.contains(safe), "{ran:?}");
    }
    let json = policyctl(&format!("{TO_STRICT} --output json"));
    assert_eq!(json.code, 1);
    let json = json.json();
    assert_eq!(json["safe"], false);
    let legacy = |server: &str| ("curl.legacy".to_owned(), server.to_owned(), 8000);
    assert_eq!(breaks(&json), [legacy("httpbin.bar"), legacy("httpbin.foo")]);
}

#[test]
fn with_the_exceptions_proposed_it_is_safe() {
    let proposed = policyctl(&format!("{TO_STRICT} --output json")).json();
    let directory = tempfile::tempdir().unwrap();
    let exceptions = proposed["exceptions"].as_array().unwrap();
    assert_eq!(exceptions.len(), 2, "{proposed}");
    for (nth, exception) in exceptions.iter().enumerate() {
        assert_eq!(exception["remedy"]["remedy"], "add", "{exception}");
        // JSON is read like YAML.
        let policy = exception["remedy"]["policy"].to_string();
        std::fs::write(directory.path().join(format!("{nth}.json")), policy).unwrap();
    }
    let with_exceptions = format!("{TO_STRICT} --after {}", directory.path().display());
    policyctl(&with_exceptions).shows(0, &["safe: nothing breaks"]);
    let json = policyctl(&format!("{with_exceptions} --output json")).json();
    assert_eq!(json["safe"], true);
    assert!(breaks(&json).is_empty(), "{json}");
}

#[test]
fn the_exceptions_as_printed_can_be_pasted() {
    let text = policyctl(TO_STRICT).stdout;
    let yaml: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .collect();
    let documents = yaml
        .join("\n")
        .replace("\napiVersion:", "\n---\napiVersion:");
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("exceptions.yaml");
    std::fs::write(&file, documents).unwrap();
    policyctl(&format!("{TO_STRICT} --after {}", file.display()))
        .shows(0, &["safe: nothing breaks"]);
}

#[test]
fn one_namespace_first() {
    let ran = policyctl(
        "compare --after migration/strict-foo.yaml --services migration/services.yaml --output json",
    );
    assert_eq!(ran.code, 1);
    assert_eq!(breaks(&ran.json()), [("curl.legacy".to_owned(), "httpbin.foo".to_owned(), 8000)]);
    let onwards = "compare --before migration/strict-foo.yaml --after migration/strict.yaml --services migration/services.yaml --output json";
    let json = policyctl(onwards).json();
    assert_eq!(breaks(&json), [("curl.legacy".to_owned(), "httpbin.bar".to_owned(), 8000)]);
    policyctl("compare --before migration/strict.yaml --after migration/strict.yaml --services migration/services.yaml")
        .shows(0, &["safe: nothing breaks"]);
}

#[test]
fn what_was_seen_counts() {
    let ran = policyctl(&format!("{TO_STRICT} --observations migration/seen.yaml"));
    ran.shows(
        1,
        &[
            "curl.legacy to httpbin.foo port 8000 (seen 12 times)",
            "192.0.2.7 to httpbin.bar port 8000 (seen once)",
            "not safe: 3 connections break",
        ],
    );
    policyctl(&format!("{TO_STRICT} --observations migration/strict.yaml"))
        .shows(2, &["error[unknown_field]", "--> migration/strict.yaml:1:1"]);
}

#[test]
fn from_disable_to_strict_at_once_is_not_safe() {
    let directory = tempfile::tempdir().unwrap();
    let before = directory.path().join("disable.yaml");
    let strict = std::fs::read_to_string(format!("{}/migration/strict.yaml", crate::DATA)).unwrap();
    std::fs::write(&before, strict.replace("STRICT", "DISABLE")).unwrap();
    policyctl(&format!("{TO_STRICT} --before {}", before.display()))
        .shows(1, &["would break:", "PERMISSIVE first"]);
}
