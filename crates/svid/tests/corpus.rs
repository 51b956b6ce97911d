//! The seeds of the fuzz targets `bundle_document` and `pem`, as an ordinary test.

#[path = "../../../fuzz/properties/bundle_document.rs"]
mod bundle_document;
#[path = "../../../fuzz/properties/pem.rs"]
mod property;
#[path = "../../../fuzz/properties/seeds.rs"]
mod seeds;

#[test]
fn every_seed_holds() -> std::io::Result<()> {
    seeds::run("bundle_document", bundle_document::check)?;
    seeds::run("pem", property::check)
}
