//! `peer_authentication`: the effective mode of ports and the policy chosen at each level.

use std::collections::BTreeMap;
use std::error::Error;

use meshtls::policy::{
    Labels, MeshSettings, MtlsMode, PeerAuthentication, PolicySet, Resources, Workload,
};
use serde_json::{Value, json};

use crate::case::{Case, port, same, text};

pub(crate) fn check(case: &Case<'_>) -> Result<(), Box<dyn Error>> {
    let settings = MeshSettings::default().with_root_namespace(text(case.field("root_namespace"))?);
    let set = PolicySet::compile(settings, &policies(case.field("policies"))?);
    let workload = workload(case.field("workload"))?;

    let mut modes = BTreeMap::new();
    for number in case.field("ports").as_array().into_iter().flatten() {
        let number = port(number)?;
        let mode = set.resolve(&workload, number).mode();
        if set.explain(&workload, number).mode != mode {
            return Err(format!("resolve says {mode} for port {number}, explain does not").into());
        }
        modes.insert(number.to_string(), mode.to_string());
    }
    let any = set.resolve(&workload, 0);
    let name = |policy: Option<&PeerAuthentication>| policy.map(|policy| policy.name().to_string());
    let seen = json!({
        "default_mode": any.default_mode().to_string(),
        "port_modes": modes,
        "selected": { "mesh": name(any.mesh()), "namespace": name(any.namespace()), "workload": name(any.workload()) },
    });
    same(&seen, case.expected())
}

/// Policies as values: vectors may hold what validation refuses.
pub(crate) fn policies(list: &Value) -> Result<Resources, Box<dyn Error>> {
    let policies = list.as_array().into_iter().flatten().map(policy);
    Ok(policies
        .collect::<Result<Vec<_>, _>>()?
        .into_iter()
        .collect())
}

pub(crate) fn workload(value: &Value) -> Result<Workload, Box<dyn Error>> {
    Ok(Workload::new(text(&value["namespace"])?, labels(&value["labels"])?))
}

pub(crate) fn labels(value: &Value) -> Result<Labels, Box<dyn Error>> {
    let mut labels = Labels::default();
    for (key, value) in value.as_object().into_iter().flatten() {
        labels.insert(key, text(value)?);
    }
    Ok(labels)
}

fn policy(value: &Value) -> Result<PeerAuthentication, Box<dyn Error>> {
    let mut policy = PeerAuthentication::new(text(&value["namespace"])?, text(&value["name"])?)
        .with_selector(labels(&value["selector"]["matchLabels"])?);
    if let Some(created) = value["creationTimestamp"].as_str() {
        policy = policy.with_created(created.parse()?);
    }
    if let Some(mode) = mode(&value["mtls"])? {
        policy = policy.with_mode(mode);
    }
    for (number, entry) in value["portLevelMtls"].as_object().into_iter().flatten() {
        policy = policy.with_port(number.parse()?, mode(entry)?);
    }
    Ok(policy)
}

/// The mode of an `mtls` object: absent, empty and UNSET are the same.
fn mode(mtls: &Value) -> Result<Option<MtlsMode>, Box<dyn Error>> {
    match mtls["mode"].as_str() {
        None | Some("UNSET") => Ok(None),
        Some(name) => Ok(Some(name.parse()?)),
    }
}
