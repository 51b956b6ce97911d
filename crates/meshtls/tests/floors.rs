//! No lock file and no manifest of ours names a dependency below its floor in `.ci/floors.txt`.
//!
//! The lock files say what we build; the manifests say what a user of the libraries may end up with.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper that cannot read a file has nothing to judge"
)]

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

#[test]
fn nothing_is_below_its_floor() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let floors = floors(&read(&root.join(".ci/floors.txt")));

    let mut found = locked(&read(&root.join("Cargo.lock")), "Cargo.lock");
    found.extend(locked(&read(&root.join("fuzz/Cargo.lock")), "fuzz/Cargo.lock"));
    let cargo = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml")])
        .output()
        .unwrap();
    assert!(cargo.status.success(), "{}", String::from_utf8_lossy(&cargo.stderr));
    found.extend(required(&serde_json::from_slice(&cargo.stdout).unwrap()));

    let faults = faults(&floors, &found);
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// The checker itself: each kind of fault, provoked alone, is the one that is reported.
#[test]
fn each_fault_is_seen() {
    let floors = floors("# comment\n\ntime 0.3.47 RUSTSEC-2026-0009 why it matters\n");
    let lock = |version: &str| {
        format!(
            "version = 4\n\n[[package]]\nname = \"time\"\nversion = \"{version}\"\ndependencies = [\n \"x\",\n]\n"
        )
    };
    let manifest = |req: &str| {
        let dependency = serde_json::json!({ "name": "time", "req": req });
        serde_json::json!({ "packages": [{ "name": "ours", "dependencies": [dependency] }] })
    };
    for (name, found, want) in [
        ("at the floor", locked(&lock("0.3.47"), "Cargo.lock"), ""),
        ("above it", locked(&lock("0.3.100"), "Cargo.lock"), ""),
        (
            "below it",
            locked(&lock("0.3.46"), "Cargo.lock"),
            "Cargo.lock: time 0.3.46 is below 0.3.47 (RUSTSEC-2026-0009)",
        ),
        (
            "one of two below it",
            locked(&(lock("0.3.50") + &lock("0.2.9")), "Cargo.lock"),
            "Cargo.lock: time 0.2.9 is below 0.3.47 (RUSTSEC-2026-0009)",
        ),
        ("not there at all", vec![], "time is used nowhere: take its line out of .ci/floors.txt"),
        ("manifest at the floor", required(&manifest("^0.3.47")), ""),
        (
            "manifest below it",
            required(&manifest("^0.3")),
            "manifest of ours: time 0.3 is below 0.3.47 (RUSTSEC-2026-0009)",
        ),
        (
            "exact requirement below it",
            required(&manifest("=0.3.9")),
            "manifest of ours: time 0.3.9 is below 0.3.47 (RUSTSEC-2026-0009)",
        ),
    ] {
        assert_eq!(faults(&floors, &found).concat(), want, "{name}");
    }
}

#[test]
fn versions_compare_as_numbers() {
    for (older, newer) in [
        ("0.3.9", "0.3.10"),
        ("0.9.0", "0.10.0"),
        ("9.9.9", "10.0.0"),
        ("0.23.46", "0.24.0-dev.2"),
        ("0.24.0-dev.2", "0.24.0"),
        ("1", "1.0.1"),
    ] {
        assert!(version(older) < version(newer), "{older} < {newer}");
    }
    for (a, b) in [("1", "1.0.0"), ("1.2", "1.2.0"), ("1.2.3", "1.2.3+build.7")] {
        assert_eq!(version(a), version(b), "{a} = {b}");
    }
}

struct Floor {
    package: String,
    floor: String,
    advisory: String,
}

/// A version of a package, and where it is named.
struct Found {
    package: String,
    version: String,
    place: String,
}

fn faults(floors: &[Floor], found: &[Found]) -> Vec<String> {
    let mut faults = Vec::new();
    for Floor { package, floor, advisory } in floors {
        let mut versions = found
            .iter()
            .filter(|found| found.package == *package)
            .peekable();
        if versions.peek().is_none() {
            faults.push(format!("{package} is used nowhere: take its line out of .ci/floors.txt"));
        }
        for Found { version: it, place, .. } in versions {
            if version(it) < version(floor) {
                faults.push(format!("{place}: {package} {it} is below {floor} ({advisory})"));
            }
        }
    }
    faults
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn floors(table: &str) -> Vec<Floor> {
    let lines = table
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let floor = |line: &str| match line.split_whitespace().collect::<Vec<_>>().as_slice() {
        [package, floor, advisory, _why, ..] => Floor {
            package: (*package).to_owned(),
            floor: (*floor).to_owned(),
            advisory: (*advisory).to_owned(),
        },
        _ => panic!("a line has four columns: {line:?}"),
    };
    lines.map(floor).collect()
}

/// All packages of a lock file: there, `version` is the line after `name`.
fn locked(lock: &str, place: &str) -> Vec<Found> {
    let value = |line: &str, key| Some(line.strip_prefix(key)?.strip_suffix('"')?.to_owned());
    let lines = lock.lines().zip(lock.lines().skip(1));
    lines
        .filter_map(|(name, version)| {
            let package = value(name, "name = \"")?;
            let version = value(version, "version = \"").unwrap();
            Some(Found { package, version, place: place.to_owned() })
        })
        .collect()
}

/// The oldest version that each of our manifests admits.
fn required(metadata: &Value) -> Vec<Found> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut found = Vec::new();
    for ours in metadata["packages"].as_array().unwrap() {
        for dependency in ours["dependencies"].as_array().unwrap() {
            let requirement = text(&dependency["req"]);
            found.push(Found {
                package: text(&dependency["name"]),
                version: requirement.trim_start_matches(['^', '=', '~']).to_owned(),
                place: format!("manifest of {}", text(&ours["name"])),
            });
        }
    }
    found
}

/// Numbers first; a pre-release comes before its release. Build metadata does not count.
fn version(text: &str) -> ([u64; 3], bool) {
    let text = text.split('+').next().unwrap();
    let (numbers, released) = match text.split_once('-') {
        Some((numbers, _)) => (numbers, false),
        None => (text, true),
    };
    let mut parts = [0; 3];
    for (part, number) in parts.iter_mut().zip(numbers.split('.')) {
        *part = number
            .parse()
            .unwrap_or_else(|_| panic!("{text:?} is no version"));
    }
    (parts, released)
}
