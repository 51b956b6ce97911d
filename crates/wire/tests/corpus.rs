//! The seeds of the fuzz target `first_bytes`, as an ordinary test.

#[path = "../../../fuzz/properties/first_bytes.rs"]
mod property;
#[path = "../../../fuzz/properties/seeds.rs"]
mod seeds;

#[test]
fn every_seed_holds() -> std::io::Result<()> {
    seeds::run("first_bytes", property::check)
}
