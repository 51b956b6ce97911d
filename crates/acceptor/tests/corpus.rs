//! The seeds of the fuzz target `accept_stream`, as an ordinary test.

#[path = "../../../fuzz/properties/accept_stream.rs"]
mod property;
#[path = "../../../fuzz/properties/seeds.rs"]
mod seeds;

#[test]
fn every_seed_holds() -> std::io::Result<()> {
    seeds::run("accept_stream", property::check)
}
