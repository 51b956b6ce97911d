//! Every file and test that `docs/spec-coverage.md` names exists, and every rule there names both, or says why it does not.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

#[test]
fn what_the_document_names_is_there() {
    let crates = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let document = fs::read_to_string(crates.join("../docs/spec-coverage.md")).unwrap();

    let rules = rules(&document);
    let groups: BTreeSet<&str> = rules.iter().map(|rule| rule.group).collect();
    let known = [
        "AZ", "AZV", "CA", "DR", "DRV", "DRY", "FED", "ID", "IN", "PA", "PAV", "SE", "SI", "SO",
        "TDB", "TLS", "TO", "X509",
    ];
    assert_eq!(groups, BTreeSet::from(known));
    let faults = faults(&rules, |file| fs::read_to_string(crates.join(file)).ok());
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// The checker itself: each kind of fault, provoked alone, is the one that is reported.
#[test]
fn each_fault_is_seen() {
    let files = |file: &str| match file {
        "a/src/a.rs" => Some("pub fn a() {}".to_owned()),
        "a/tests/a.rs" => Some("#[test]\nfn it_holds() {}".to_owned()),
        _ => None,
    };
    for (name, rows, want) in [
        ("good", "| A-1 | x | `a/src/a.rs` | `a/tests/a.rs::it_holds` |", ""),
        ("not applicable", "| A-1 | x | not applicable: why | – |", ""),
        ("not yet", "| A-1 | x | not yet: why | – |", ""),
        ("no such code", "| A-1 | x | `b.rs` | `a/tests/a.rs::it_holds` |", "A-1: no file b.rs"),
        (
            "no such test",
            "| A-1 | x | `a/src/a.rs` | `a/tests/a.rs::it_hold` |",
            "A-1: no fn it_hold in a/tests/a.rs",
        ),
        (
            "a file where a test belongs",
            "| A-1 | x | `a/src/a.rs` | `a/tests/a.rs` |",
            "A-1: a/tests/a.rs names no test",
        ),
        ("no test", "| A-1 | x | `a/src/a.rs` | – |", "A-1: no test"),
        ("no code", "| A-1 | x | – | `a/tests/a.rs::it_holds` |", "A-1: no code"),
        ("neither", "| A-1 | x | – | – |", "A-1: no code"),
        ("a number left out", "| A-2 | x | not yet: why | – |", "A-2: A-1 comes first"),
    ] {
        let document =
            format!("| rule | what | code | test |\n| --- | --- | --- | --- |\n{rows}\n");
        assert_eq!(faults(&rules(&document), files).concat(), want, "{name}");
    }
}

/// A row of a table whose last two columns are `code` and `test`.
struct Rule<'a> {
    /// `PA` of `PA-7`.
    group: &'a str,
    number: usize,
    code: &'a str,
    test: &'a str,
}

fn rules(document: &str) -> Vec<Rule<'_>> {
    let rows = document.lines().filter_map(|line| {
        let cells: Vec<&str> = line.strip_prefix('|')?.split('|').map(str::trim).collect();
        let [rule, .., code, test, ""] = cells[..] else { return None };
        let (group, number) = rule.rsplit_once('-')?;
        Some(Rule { group, number: number.parse().ok()?, code, test })
    });
    rows.collect()
}

fn faults(rules: &[Rule<'_>], read: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut faults = Vec::new();
    let mut last = BTreeMap::new();
    for Rule { group, number, code, test } in rules {
        let mut fault = |what: String| faults.push(format!("{group}-{number}: {what}"));
        let next = last.get(group).map_or(1, |last| last + 1);
        if *number != next {
            fault(format!("{group}-{next} comes first"));
        }
        last.insert(group, *number);
        if code.starts_with("not applicable: ") || code.starts_with("not yet: ") {
            continue;
        }
        if quoted(code).next().is_none() {
            fault("no code".to_owned());
        } else if quoted(test).next().is_none() {
            fault("no test".to_owned());
        } else {
            let missing = quoted(code).filter(|file| read(file).is_none());
            missing.for_each(|file| fault(format!("no file {file}")));
            for test in quoted(test) {
                match test.split_once("::") {
                    None => fault(format!("{test} names no test")),
                    Some((file, name)) => match read(file) {
                        None => fault(format!("no file {file}")),
                        Some(text) if text.contains(&format!("fn {name}(")) => {}
                        Some(_) => fault(format!("no fn {name} in {file}")),
                    },
                }
            }
        }
    }
    faults
}

/// What stands between backticks.
fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}
