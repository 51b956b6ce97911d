//! The properties of the fuzz targets, on their seeds.

#[path = "../../../fuzz/properties/ca_answer.rs"]
mod ca_answer;
#[path = "../../../fuzz/properties/join_token.rs"]
mod join_token;
#[path = "../../../fuzz/properties/seeds.rs"]
mod seeds;

#[test]
fn ca_answer() {
    seeds::run("ca_answer", ca_answer::check).unwrap();
}

#[test]
fn join_token() {
    seeds::run("join_token", join_token::check).unwrap();
}
