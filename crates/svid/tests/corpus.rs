//! The seeds of the fuzz target `pem`, as an ordinary test.

#[path = "../../../fuzz/properties/pem.rs"]
mod property;
#[path = "../../../fuzz/properties/seeds.rs"]
mod seeds;

#[test]
fn every_seed_holds() -> std::io::Result<()> {
    seeds::run("pem", property::check)
}
