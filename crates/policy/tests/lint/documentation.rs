//! `docs/lint.md` has every code, its severity and its examples, and they are true.

use std::collections::BTreeMap;
use std::fs;

use meshtls_policy::{Code, MeshSettings, Resources};

use crate::lint_text;

#[test]
fn every_code_is_in_the_document_and_the_other_way_round() {
    let document = document();
    let rows: BTreeMap<&str, &str> = document
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| MT")?.split(" | ");
            let code = cells.next().map(|number| &line[2..number.len() + 4])?;
            Some((code, cells.next()?))
        })
        .collect();
    let codes: BTreeMap<&str, &str> = Code::ALL
        .iter()
        .map(|code| (code.as_str(), code.severity().as_str()))
        .collect();
    assert_eq!(codes.len(), Code::ALL.len(), "a name is used twice");
    assert_eq!(rows, codes);
    let sections: Vec<&str> = sections(&document)
        .iter()
        .map(|section| section.code)
        .collect();
    assert_eq!(
        sections,
        Code::ALL
            .iter()
            .map(|code| code.as_str())
            .collect::<Vec<_>>()
    );
}

#[test]
fn every_row_cites_a_rule_that_exists_or_code_of_istio() {
    let rules = read("spec-coverage.md");
    for line in document().lines().filter(|line| line.starts_with("| MT")) {
        let why = line.rsplit('(').next().unwrap();
        let cited: Vec<&str> = why
            .split([',', ';', ')', ' '])
            .filter(|word| word.contains('-') && word.ends_with(|c: char| c.is_ascii_digit()))
            .collect();
        assert!(!cited.is_empty() || why.starts_with("Istio: `"), "no rule: {line}");
        for rule in cited {
            assert!(rules.contains(&format!("| {rule} |")), "no rule {rule}: {line}");
        }
    }
}

#[test]
fn the_first_example_of_a_code_provokes_it_alone_and_the_second_is_clean() {
    let document = document();
    for Section { code, examples } in sections(&document) {
        let [bad, good] = examples.as_slice() else {
            panic!("{code} has {} examples", examples.len());
        };
        let (refused, bad) = match bad.strip_prefix(" refused") {
            Some(bad) => (true, bad),
            None => (false, *bad),
        };
        if refused {
            assert!(Resources::parse(code, bad).is_err(), "{code}: accepted");
        } else {
            let found = found(bad);
            assert!(
                !found.is_empty() && found.iter().all(|found| found.starts_with(code)),
                "{code}: {found:#?}"
            );
        }
        assert_eq!(found(good), Vec::<String>::new(), "{code}: the good example");
    }
}

#[expect(clippy::panic, reason = "an unknown setting must fail the test")]
/// The findings about an example. A comment in it sets what the mesh is like.
fn found(example: &str) -> Vec<String> {
    let mut settings = MeshSettings::default();
    for line in example.lines() {
        let Some((name, value)) = line
            .strip_prefix("# ")
            .and_then(|line| line.split_once(": "))
        else {
            continue;
        };
        settings = match name {
            "trustDomain" => settings.with_trust_domain(value.parse().unwrap()),
            "trustDomainAlias" => settings.with_trust_domain_aliases([value.parse().unwrap()]),
            "sidecarIngressTls" => settings.with_sidecar_ingress_tls(value.parse().unwrap()),
            _ => panic!("no setting {name}"),
        };
    }
    lint_text(&settings, example)
        .iter()
        .map(|finding| format!("{} {finding}", finding.code))
        .collect()
}

struct Section<'a> {
    code: &'a str,
    /// The YAML of each, after what stands behind `yaml`.
    examples: Vec<&'a str>,
}

fn sections(document: &str) -> Vec<Section<'_>> {
    document
        .split("\n### ")
        .skip(1)
        .map(|section| {
            let (code, text) = section.split_once('\n').unwrap();
            let examples = text
                .split("```yaml")
                .skip(1)
                .map(|rest| rest.split("```").next().unwrap())
                .collect();
            Section { code, examples }
        })
        .collect()
}

fn document() -> String {
    read("lint.md")
}

fn read(name: &str) -> String {
    fs::read_to_string(format!("{}/../../docs/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}
