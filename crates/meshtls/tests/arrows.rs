//! The arrows between our packages, and to the foreign ones that shape a layer: every edge in a manifest has its row here, and every
//! row its edge. `docs/architecture.md` draws the layers.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper that cannot read the manifests has nothing to judge"
)]

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use Layer::{L0, L1, L2, L3, L4, L5, Program, Shared, Testkit};

/// An arrow points to a lower layer, never sideways or up. The test kit stands on L2; nothing but tests stands on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Layer {
    L0,
    L1,
    L2,
    Testkit,
    L3,
    L4,
    L5,
    /// What the examples have in common.
    Shared,
    /// Examples and the interop tests: never published, may use all.
    Program,
}

struct Row {
    package: &'static str,
    layer: Layer,
    /// What its code and its build script name.
    uses: &'static str,
    /// What its tests name besides.
    tests_use: &'static str,
}

const fn row(
    package: &'static str,
    layer: Layer,
    uses: &'static str,
    tests_use: &'static str,
) -> Row {
    Row { package, layer, uses, tests_use }
}

#[rustfmt::skip]
const TABLE: &[Row] = &[
    row("meshtls-identity",  L0, "", ""),
    row("meshtls-wire",      L0, "", ""),
    row("meshtls-svid",      L1, "meshtls-identity rustls-webpki x509-parser", "meshtls-testkit rustls-pemfile"),
    row("meshtls-policy",    L1, "meshtls-identity serde-saphyr", ""),
    row("meshtls-ca",        L2, "meshtls-identity meshtls-svid rcgen x509-parser", "rustls-webpki"),
    row("meshtls-rustls",    L2, "meshtls-identity meshtls-svid rustls tokio tokio-rustls", "meshtls-testkit"),
    row("meshtls-testkit",   Testkit, "meshtls-ca meshtls-identity meshtls-svid rustls tokio", ""),
    row("meshtls-source",    L3, "meshtls-ca meshtls-identity meshtls-policy meshtls-rustls meshtls-svid tokio", "meshtls-testkit tokio-rustls"),
    row("meshtls-acceptor",  L3, "meshtls-identity meshtls-policy meshtls-rustls meshtls-svid meshtls-wire tokio", "meshtls-testkit"),
    row("meshtls-connector", L3, "meshtls-identity meshtls-policy meshtls-rustls meshtls-svid tokio", "meshtls-testkit tokio-rustls"),
    row("meshtls-istio-ca",  L4, "meshtls-ca meshtls-identity meshtls-rustls meshtls-source meshtls-svid tokio", "meshtls-testkit"),
    row("meshtls",           L5, "meshtls-acceptor meshtls-ca meshtls-connector meshtls-identity meshtls-istio-ca meshtls-policy meshtls-rustls meshtls-source meshtls-svid meshtls-wire tokio", "meshtls-testkit tokio-rustls"),
    row("flags",             Shared, "meshtls", ""),
    row("bench-server",      Program, "meshtls tokio", "meshtls-testkit"),
    row("ca-server",         Program, "meshtls tokio", ""),
    row("federation",        Program, "meshtls tokio tokio-rustls", ""),
    row("httpbin",           Program, "flags meshtls tokio", "meshtls-testkit"),
    row("interop",           Program, "", "meshtls-acceptor meshtls-ca meshtls-policy meshtls-rustls meshtls-svid meshtls-testkit meshtls-wire tokio"),
    row("meshcurl",          Program, "flags meshtls tokio", ""),
    row("migration",         Program, "", ""),
    row("rotate-svid",       Program, "meshtls tokio", ""),
    row("rotation",          Program, "flags meshtls tokio", ""),
    row("issue-from-csr",    Program, "meshtls-ca meshtls-identity meshtls-svid rustls-webpki", ""),
    row("policyctl",         Program, "meshtls-identity meshtls-policy meshtls-source", ""),
];

/// Foreign packages whose edges are watched as well.
const WATCHED: &[&str] = &[
    "rcgen",
    "rustls",
    "rustls-pemfile",
    "rustls-webpki",
    "serde-saphyr",
    "tokio",
    "tokio-rustls",
    "x509-parser",
];

#[test]
fn every_edge_of_the_manifests_is_in_the_table_and_keeps_the_layers() {
    let cargo = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml")])
        .output()
        .unwrap();
    assert!(cargo.status.success(), "{}", String::from_utf8_lossy(&cargo.stderr));
    let metadata: Value = serde_json::from_slice(&cargo.stdout).unwrap();

    let faults = faults(TABLE, &packages(&metadata));
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// The checker itself: each kind of fault, provoked alone, is the one that is reported.
#[test]
fn each_fault_is_seen() {
    let table = &[
        row("meshtls-identity", L0, "", ""),
        row("meshtls-svid", L1, "meshtls-identity x509-parser", "meshtls-testkit"),
        row("meshtls-testkit", Testkit, "meshtls-svid", ""),
    ];
    let identity = || package("meshtls-identity", &[]);
    let testkit = || package("meshtls-testkit", &[edge("meshtls-svid", false)]);
    let svid = [
        edge("meshtls-identity", false),
        edge("x509-parser", false),
        edge("thiserror", false),
        edge("meshtls-testkit", true),
    ];
    let whole = || package("meshtls-svid", &svid);
    let svid_and = |extra| package("meshtls-svid", &[&svid[..], &[extra]].concat());
    let svid_but = |at: usize| {
        let rest = svid.iter().enumerate().filter(|(i, _)| *i != at);
        package("meshtls-svid", &rest.map(|(_, edge)| edge.clone()).collect::<Vec<_>>())
    };
    let versioned = Edge { version: "=0.1.0".to_owned(), ..edge("meshtls-testkit", true) };

    for (name, packages, want) in [
        ("nothing wrong", vec![identity(), whole(), testkit()], ""),
        (
            "an edge without a row",
            vec![identity(), svid_and(edge("tokio-rustls", true)), testkit()],
            "the tests of meshtls-svid use tokio-rustls, which the table does not list",
        ),
        (
            "a row without its edge",
            vec![identity(), svid_but(1), testkit()],
            "meshtls-svid does not use x509-parser: take it out of the table",
        ),
        (
            "a row without its test edge",
            vec![identity(), svid_but(3), testkit()],
            "the tests of meshtls-svid do not use meshtls-testkit: take it out of the table",
        ),
        (
            "a package without a row",
            vec![identity(), whole(), testkit(), package("meshtls-new", &[])],
            "meshtls-new has no row in the table",
        ),
        (
            "a row without its package",
            vec![identity(), whole()],
            "meshtls-testkit is no package: take its row out of the table",
        ),
        (
            "the test kit with a version",
            vec![
                identity(),
                package("meshtls-svid", &[&svid[..3], &[versioned]].concat()),
                testkit(),
            ],
            "meshtls-svid names meshtls-testkit with a version: it must be a plain path",
        ),
    ] {
        let seen = faults(table, &packages);
        assert_eq!(seen.concat(), want, "{name}");
    }

    for (name, from, uses, tests_use, want) in [
        (
            "up",
            L0,
            "meshtls-svid",
            "",
            "meshtls-x (L0) may not use meshtls-svid (L1): not a lower layer",
        ),
        (
            "sideways",
            L1,
            "meshtls-svid",
            "",
            "meshtls-x (L1) may not use meshtls-svid (L1): not a lower layer",
        ),
        (
            "up in tests",
            L0,
            "",
            "meshtls-svid",
            "meshtls-x (L0) may not use meshtls-svid (L1): not a lower layer",
        ),
        (
            "test kit in code",
            L3,
            "meshtls-testkit",
            "",
            "meshtls-x (L3) may not use meshtls-testkit: only tests may",
        ),
        (
            "tokio in the core",
            L2,
            "tokio",
            "",
            "meshtls-x (L2) may not use tokio: the core is free of I/O",
        ),
        (
            "rustls in the core",
            L1,
            "rustls",
            "",
            "meshtls-x (L1) may not use rustls: the core is free of I/O",
        ),
        (
            "rcgen",
            L3,
            "",
            "rcgen",
            "meshtls-x (L3) may not use rcgen: only meshtls-ca and meshtls-testkit may",
        ),
        (
            "YAML",
            L3,
            "serde-saphyr",
            "",
            "meshtls-x (L3) may not use serde-saphyr: only meshtls-policy may",
        ),
        (
            "PEM",
            L1,
            "rustls-pemfile",
            "",
            "meshtls-x (L1) may not use rustls-pemfile: only the tests of meshtls-svid may",
        ),
        (
            "PEM in tests",
            L3,
            "",
            "rustls-pemfile",
            "meshtls-x (L3) may not use rustls-pemfile: only the tests of meshtls-svid may",
        ),
    ] {
        let table = [
            row("meshtls-svid", L1, "", ""),
            row("meshtls-testkit", Testkit, "", ""),
            row("meshtls-x", from, uses, tests_use),
        ];
        let edges: Vec<_> = uses
            .split_whitespace()
            .map(|to| edge(to, false))
            .chain(tests_use.split_whitespace().map(|to| edge(to, true)))
            .collect();
        let packages = [
            package("meshtls-svid", &[]),
            package("meshtls-testkit", &[]),
            package("meshtls-x", &edges),
        ];
        assert_eq!(faults(&table, &packages).concat(), want, "{name}");
    }
}

/// What differs between the table, the manifests and the rules of the layers: one sentence each.
fn faults(table: &[Row], packages: &[Package]) -> Vec<String> {
    let mut faults = Vec::new();
    for row in table {
        faults.extend(forbidden(table, row));
        if !packages.iter().any(|package| package.name == row.package) {
            faults.push(format!("{} is no package: take its row out of the table", row.package));
        }
    }
    for package in packages {
        let Some(row) = table.iter().find(|row| row.package == package.name) else {
            faults.push(format!("{} has no row in the table", package.name));
            continue;
        };
        let watched = |edge: &&Edge| {
            WATCHED.contains(&edge.to.as_str())
                || table.iter().any(|row| row.package == edge.to)
                || packages.iter().any(|package| package.name == edge.to)
        };
        let edges = || package.edges.iter().filter(watched);
        let names = |in_tests| -> BTreeSet<&str> {
            edges()
                .filter(|edge| edge.in_tests == in_tests)
                .map(|edge| edge.to.as_str())
                .collect()
        };
        let name = &package.name;

        let (found, listed) = (names(false), words(row.uses));
        for to in found.difference(&listed) {
            faults.push(format!("{name} uses {to}, which the table does not list"));
        }
        for to in listed.difference(&found) {
            faults.push(format!("{name} does not use {to}: take it out of the table"));
        }
        // What the code uses, its tests may name again, with other features.
        let (found, listed) = (&names(true) - &found, words(row.tests_use));
        for to in found.difference(&listed) {
            faults.push(format!("the tests of {name} use {to}, which the table does not list"));
        }
        for to in listed.difference(&found) {
            faults.push(format!("the tests of {name} do not use {to}: take it out of the table"));
        }
        if edges().any(|edge| edge.to == "meshtls-testkit" && edge.version != "*") {
            faults.push(format!(
                "{name} names meshtls-testkit with a version: it must be a plain path"
            ));
        }
    }
    faults
}

/// What no row may say, whatever the manifests do.
fn forbidden(table: &[Row], row: &Row) -> Vec<String> {
    let layer_of = |to: &str| {
        table
            .iter()
            .find(|row| row.package == to)
            .map(|row| row.layer)
    };
    let judge = |to: &str, in_tests: bool| -> Option<String> {
        let (from, layer) = (row.package, row.layer);
        let core = layer < Testkit && from != "meshtls-rustls";
        let why = match (to, layer_of(to)) {
            ("meshtls-testkit", _) if in_tests => return None,
            ("meshtls-testkit", _) => ": only tests may".to_owned(),
            (_, Some(below)) if below >= layer => format!(" ({below:?}): not a lower layer"),
            ("rustls" | "tokio" | "tokio-rustls", _) if core && !in_tests => {
                ": the core is free of I/O".to_owned()
            }
            ("rcgen", _) if !["meshtls-ca", "meshtls-testkit"].contains(&from) => {
                ": only meshtls-ca and meshtls-testkit may".to_owned()
            }
            ("serde-saphyr", _) if from != "meshtls-policy" => {
                ": only meshtls-policy may".to_owned()
            }
            ("rustls-pemfile", _) if !(in_tests && from == "meshtls-svid") => {
                ": only the tests of meshtls-svid may".to_owned()
            }
            _ => return None,
        };
        Some(format!("{from} ({layer:?}) may not use {to}{why}"))
    };
    let code = words(row.uses)
        .into_iter()
        .filter_map(|to| judge(to, false));
    let tests = words(row.tests_use)
        .into_iter()
        .filter_map(|to| judge(to, true));
    code.chain(tests).collect()
}

struct Package {
    name: String,
    edges: Vec<Edge>,
}

#[derive(Clone)]
struct Edge {
    to: String,
    /// A dev-dependency.
    in_tests: bool,
    /// The version asked for; `*` if the manifest gives none.
    version: String,
}

fn packages(metadata: &Value) -> Vec<Package> {
    let list = |value: &Value| value.as_array().unwrap().clone();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    list(&metadata["packages"])
        .iter()
        .map(|package| Package {
            name: text(&package["name"]),
            edges: list(&package["dependencies"])
                .iter()
                .map(|edge| Edge {
                    to: text(&edge["name"]),
                    in_tests: match edge["kind"].as_str() {
                        None | Some("build") => false,
                        Some("dev") => true,
                        Some(kind) => panic!("a kind of dependency nobody thought of: {kind}"),
                    },
                    version: text(&edge["req"]),
                })
                .collect(),
        })
        .collect()
}

fn package(name: &str, edges: &[Edge]) -> Package {
    Package { name: name.to_owned(), edges: edges.to_vec() }
}

fn edge(to: &str, in_tests: bool) -> Edge {
    Edge { to: to.to_owned(), in_tests, version: "*".to_owned() }
}

fn words(text: &'static str) -> BTreeSet<&'static str> {
    text.split_whitespace().collect()
}
