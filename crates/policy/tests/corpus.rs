//! The seeds of the fuzz targets for policies, as ordinary tests.

#[path = "../../../fuzz/properties/mesh_config.rs"]
mod mesh_config;
#[path = "../../../fuzz/properties/policy_yaml.rs"]
mod property;
#[path = "../../../fuzz/properties/seeds.rs"]
mod seeds;

#[test]
fn every_seed_holds() -> std::io::Result<()> {
    seeds::run("policy_yaml", property::check)
}

#[test]
fn every_seed_of_a_kind_holds() -> std::io::Result<()> {
    let (security, networking) = ("security.istio.io/v1", "networking.istio.io/v1");
    for (target, version, kind) in [
        ("authorization_policy", security, "AuthorizationPolicy"),
        ("destination_rule", networking, "DestinationRule"),
        ("service_entry", networking, "ServiceEntry"),
        ("sidecar", networking, "Sidecar"),
        ("workload_entry", networking, "WorkloadEntry"),
    ] {
        seeds::run(target, |bytes| property::resources::check_spec(version, kind, bytes))?;
    }
    Ok(())
}

#[test]
fn every_seed_of_the_mesh_settings_holds() -> std::io::Result<()> {
    seeds::run("mesh_config", mesh_config::check)
}
