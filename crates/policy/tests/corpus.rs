//! The seeds of the fuzz target `policy_yaml`, as an ordinary test.

#[path = "../../../fuzz/properties/policy_yaml.rs"]
mod property;
#[path = "../../../fuzz/properties/seeds.rs"]
mod seeds;

#[test]
fn every_seed_holds() -> std::io::Result<()> {
    seeds::run("policy_yaml", property::check)
}
