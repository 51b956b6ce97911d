//! The seeds of the fuzz targets `bundle_document`, `pem` and `revocation_list`, as an ordinary test.

#[path = "../../../fuzz/properties/bundle_document.rs"]
mod bundle_document;
#[path = "../../../fuzz/properties/pem.rs"]
mod pem;
#[path = "../../../fuzz/properties/revocation_list.rs"]
mod revocation_list;
#[path = "../../../fuzz/properties/seeds.rs"]
mod seeds;

#[test]
fn every_seed_holds() -> std::io::Result<()> {
    seeds::run("bundle_document", bundle_document::check)?;
    seeds::run("pem", pem::check)?;
    seeds::run("revocation_list", revocation_list::check)
}
