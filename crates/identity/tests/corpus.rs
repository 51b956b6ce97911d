//! The seeds of the fuzz target `spiffe_id`, as an ordinary test.

#[path = "../../../fuzz/properties/spiffe_id.rs"]
mod property;
#[path = "../../../fuzz/properties/seeds.rs"]
mod seeds;

#[test]
fn every_seed_holds() -> std::io::Result<()> {
    seeds::run("spiffe_id", property::check)
}
