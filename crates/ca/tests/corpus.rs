//! The seeds of the fuzz target `csr`, as an ordinary test.

#[path = "../../../fuzz/properties/csr.rs"]
mod property;
#[path = "../../../fuzz/properties/seeds.rs"]
mod seeds;

#[test]
fn every_seed_holds() -> std::io::Result<()> {
    seeds::run("csr", property::check)
}
