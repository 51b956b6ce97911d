//! What lookups and compilation cost, with 10 to 100,000 policies: `cargo bench -p meshtls-policy`.
//!
//! What changed between two runs is best read from the fastest times: others on the machine only add to the rest.

#![expect(clippy::print_stdout, reason = "it reports to whoever runs it")]

mod mesh;

use std::sync::Arc;

use allocation_counter::measure;
use divan::{Bencher, black_box};
use meshtls_policy::{MtlsMode, PeerAuthentication, PolicySet, Workload};

use mesh::{compile, resources, workload, workloads};

fn main() {
    for policies in SIZES {
        report_memory(policies);
    }
    divan::main();
}

/// Prints what one policy takes, parsed and compiled.
fn report_memory(policies: usize) {
    let mut parsed = None;
    let read = measure(|| parsed = Some(resources(policies)));
    let mut compiled = None;
    let built = measure(|| compiled = parsed.as_ref().map(compile));
    let each = |bytes: i64| bytes / i64::try_from(policies).unwrap_or(i64::MAX);
    println!(
        "memory of {policies} policies: {} bytes each as resources, {} bytes each compiled",
        each(read.bytes_current),
        each(built.bytes_current)
    );
}

const SIZES: [usize; 4] = [10, 1_000, 10_000, 100_000];

/// The same workload again and again: all that is looked at is in the nearest cache.
#[divan::bench(args = SIZES, min_time = 0.2)]
fn resolve_one_workload(bencher: Bencher<'_, '_>, policies: usize) {
    let set = compile(&resources(policies));
    let workload = workload(policies, 7);
    let lookup = || black_box(&set).resolve(black_box(&workload), 8080).mode();
    warm(lookup);
    bencher.bench_local(lookup);
}

/// A thousand lookups, each for another workload, spread over all namespaces: read microseconds as nanoseconds each.
#[divan::bench(args = SIZES, min_time = 0.2)]
fn resolve_1000_workloads(bencher: Bencher<'_, '_>, policies: usize) {
    let set = compile(&resources(policies));
    let workloads = workloads(policies);
    let lookups = || resolve_all(black_box(&set), black_box(&workloads));
    warm(lookups);
    bencher.bench_local(lookups);
}

/// As the former, for workloads that no selector fits.
#[divan::bench(args = SIZES, min_time = 0.2)]
fn resolve_1000_unselected(bencher: Bencher<'_, '_>, policies: usize) {
    let set = compile(&resources(policies));
    let mut workloads = workloads(policies);
    for workload in &mut workloads {
        workload.labels.insert("app", "none-of-them");
    }
    let lookups = || resolve_all(black_box(&set), black_box(&workloads));
    warm(lookups);
    bencher.bench_local(lookups);
}

/// So that the first sample, by which the others are sized, is like them.
fn warm<T>(lookup: impl Fn() -> T) {
    for _ in 0..100 {
        black_box(lookup());
    }
}

/// How many of the workloads are STRICT.
fn resolve_all(set: &PolicySet, workloads: &[Workload]) -> usize {
    workloads
        .iter()
        .filter(|workload| set.resolve(workload, 8080).mode() == MtlsMode::Strict)
        .count()
}

#[divan::bench(args = SIZES, min_time = 0.2)]
fn shadow(bencher: Bencher<'_, '_>, policies: usize) {
    let mut resources = resources(policies);
    let mesh = PeerAuthentication::new("istio-system", "trial")
        .with_mode(MtlsMode::Strict)
        .with_dry_run(true);
    resources = resources.with_peer_authentications([mesh]);
    let set = compile(&resources);
    let workload = workload(policies, 7);
    bencher.bench_local(|| {
        black_box(&set)
            .shadow(black_box(&workload), 8080)
            .map(|shadow| shadow.mode())
    });
}

#[divan::bench(args = SIZES, min_time = 0.2)]
fn view_mode(bencher: Bencher<'_, '_>, policies: usize) {
    let set = Arc::new(compile(&resources(policies)));
    let view = set.for_workload(&workload(policies, 7));
    bencher.bench_local(|| black_box(&view).mode(black_box(8080)));
}

#[divan::bench(args = SIZES, min_time = 0.2)]
fn view_resolve(bencher: Bencher<'_, '_>, policies: usize) {
    let set = Arc::new(compile(&resources(policies)));
    let view = set.for_workload(&workload(policies, 7));
    bencher.bench_local(|| black_box(&view).resolve(black_box(8080)).mode());
}

#[divan::bench(args = SIZES, sample_count = 20)]
fn make_view(bencher: Bencher<'_, '_>, policies: usize) {
    let set = Arc::new(compile(&resources(policies)));
    let workload = workload(policies, 7);
    bencher.bench_local(|| black_box(&set).for_workload(black_box(&workload)));
}

#[divan::bench(args = SIZES, sample_count = 20)]
fn compile_parsed(bencher: Bencher<'_, '_>, policies: usize) {
    let resources = resources(policies);
    bencher.bench_local(|| compile(black_box(&resources)));
}
