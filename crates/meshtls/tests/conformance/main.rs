//! Runs the vector files of Istio's behaviour through the public API.
//!
//! Always the repository's own (`tests/vectors/istio.json`), and every `*.json` of the folder that `MESHTLS_VECTORS` names. Each failing
//! id is printed; at the end stand run, passed and skipped for each kind. A case is skipped only if `tests/vectors/skip.txt` lists it,
//! and one that is listed by its id must fail: when it passes, the line has to go.

#![expect(clippy::print_stdout, reason = "a test harness of its own, which prints its result")]
#![expect(clippy::indexing_slicing, reason = "a missing member of a JSON value is null")]

mod authorization;
mod case;
mod destination_rule;
mod dispatch;
mod outbound;
mod peer_authentication;
mod replay;
mod skip;
mod spiffe_id;
mod validation;

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

use serde_json::Value;

use crate::case::{Case, Check};
use crate::skip::SkipList;

fn main() -> ExitCode {
    match run() {
        Ok(0) => ExitCode::SUCCESS,
        Ok(failed) => {
            println!("{failed} vectors are not as they should be");
            ExitCode::FAILURE
        }
        Err(error) => {
            println!("the vectors could not be run: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Every kind of vector and what answers it; a kind without an answer can only be on the skip list.
const KINDS: [(&str, Check); 6] = [
    ("peer_authentication", peer_authentication::check),
    ("client_tls", |case| outbound::check(case).and_then(|()| replay::check(case))),
    ("inbound_dispatch", dispatch::check),
    ("spiffe_id", spiffe_id::check),
    ("validation", validation::check),
    ("authorization", authorization::check),
];

/// What a vector file holds beside its cases.
const KNOWN: [&str; 4] = ["schema_version", "set", "schema", "sources"];

fn run() -> Result<usize, Box<dyn Error>> {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let skip = SkipList::parse(&fs::read_to_string(vectors.join("skip.txt"))?)?;
    let mut files = vec![vectors.join("istio.json")];
    if let Some(folder) = env::var_os("MESHTLS_VECTORS") {
        files.extend(vector_files(&absolute(Path::new(&folder)))?);
    }

    let mut tally: BTreeMap<&str, Tally> = BTreeMap::new();
    for file in &files {
        let document =
            fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
        let document: Value = serde_json::from_str(&document)
            .map_err(|error| format!("{}: {error}", file.display()))?;
        if document["schema_version"] != 1 {
            return Err(format!("{}: schema_version is not 1", file.display()).into());
        }
        let known =
            |name: &str| KNOWN.contains(&name) || KINDS.iter().any(|(kind, _)| *kind == name);
        if let Some(name) = document
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, _)| name)
            .find(|name| !known(name))
        {
            return Err(format!("{}: `{name}` is no kind of vector", file.display()).into());
        }
        for (kind, check) in KINDS {
            for case in document[kind].as_array().into_iter().flatten() {
                let case = Case { kind, value: case };
                tally
                    .entry(kind)
                    .or_default()
                    .count(&case, check(&case), &skip);
            }
        }
    }
    Ok(summary(&tally))
}

/// What became of the cases of one kind.
#[derive(Default)]
struct Tally {
    run: usize,
    passed: usize,
    skipped: usize,
    failed: usize,
}

impl Tally {
    fn count(&mut self, case: &Case<'_>, outcome: Result<(), Box<dyn Error>>, skip: &SkipList) {
        match (outcome, skip.why(case)) {
            (Ok(()), None) => {
                self.run += 1;
                self.passed += 1;
            }
            (Ok(()), Some(entry)) if entry.names_an_id() => {
                self.run += 1;
                self.failed += 1;
                println!(
                    "FAILED {} {}: it passes, so its line in skip.txt has to go",
                    case.kind,
                    case.id()
                );
            }
            (Ok(()), Some(_)) => {
                self.run += 1;
                self.passed += 1;
            }
            (Err(_), Some(_)) => self.skipped += 1,
            (Err(why), None) => {
                self.run += 1;
                self.failed += 1;
                println!("FAILED {} {} ({}): {why}", case.kind, case.id(), case.why());
            }
        }
    }
}

fn summary(tally: &BTreeMap<&str, Tally>) -> usize {
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    println!("{:<20} {:>5} {:>7} {:>8} {:>7}", "kind", "run", "passed", "skipped", "failed");
    for (kind, of) in tally {
        println!("{kind:<20} {:>5} {:>7} {:>8} {:>7}", of.run, of.passed, of.skipped, of.failed);
        passed += of.passed;
        failed += of.failed;
        skipped += of.skipped;
    }
    println!("vectors: {passed} passed, {failed} failed, {skipped} skipped");
    if passed == 0 {
        println!("FAILED: no vector was run");
        return failed + 1;
    }
    failed
}

/// Cargo runs tests in the package's folder, while people name folders from the workspace's.
fn absolute(folder: &Path) -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    if folder.is_dir() { folder.to_owned() } else { workspace.join(folder) }
}

/// Every `*.json` of `folder`, but not the repository's own file, which runs anyway; a folder without any is an error.
fn vector_files(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let own =
        fs::canonicalize(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/istio.json"))?;
    let mut files = Vec::new();
    let entries = fs::read_dir(folder)
        .map_err(|error| format!("MESHTLS_VECTORS={}: {error}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(format!("MESHTLS_VECTORS={}: no *.json file in it", folder.display()).into());
    }
    files.retain(|path| fs::canonicalize(path).is_ok_and(|path| path != own));
    files.sort();
    Ok(files)
}
