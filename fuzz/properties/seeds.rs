//! Runs a property on the seeds of its fuzz target, as an ordinary test.

use std::path::Path;

/// Calls `check` with each file of `fuzz/corpus/<target>`; a panic is preceded by the file's name.
#[expect(clippy::print_stderr, reason = "a failing seed must be named")]
pub(crate) fn run(target: &str, check: impl Fn(&[u8])) -> std::io::Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(target);
    let mut seeds = 0;
    for entry in corpus.read_dir()? {
        let path = entry?.path();
        let bytes = std::fs::read(&path)?;
        eprintln!("seed {}", path.display());
        check(&bytes);
        seeds += 1;
    }
    assert!(seeds > 0, "no seeds in {}", corpus.display());
    Ok(())
}
