//! The `DestinationRule`s of a vector, as values: vectors may hold what validation refuses.

use std::error::Error;

use meshtls::policy::{
    ClientTls, ClientTlsMode, DestinationRule, LoadBalancer, PortPolicy, Subset, TrafficPolicy,
};
use serde_json::Value;

use crate::case::{port, text, texts};
use crate::peer_authentication::labels;

pub(crate) fn rules(list: &Value) -> Result<Vec<DestinationRule>, Box<dyn Error>> {
    list.as_array().into_iter().flatten().map(rule).collect()
}

fn rule(value: &Value) -> Result<DestinationRule, Box<dyn Error>> {
    let (namespace, name) = (text(&value["namespace"])?, text(&value["name"])?);
    let mut rule = DestinationRule::new(namespace, name, text(&value["host"])?)
        .with_export_to(texts(&value["exportTo"])?);
    if let Some(created) = value["creationTimestamp"].as_str() {
        rule = rule.with_created(created.parse()?);
    }
    if value["workloadSelector"].is_object() {
        rule = rule.with_workload_selector(labels(&value["workloadSelector"]["matchLabels"])?);
    }
    rule.traffic_policy = traffic_policy(&value["trafficPolicy"])?;
    for item in value["subsets"].as_array().into_iter().flatten() {
        let mut subset = Subset::new(text(&item["name"])?, labels(&item["labels"])?);
        subset.traffic_policy = traffic_policy(&item["trafficPolicy"])?;
        rule = rule.with_subset(subset);
    }
    Ok(rule)
}

fn traffic_policy(value: &Value) -> Result<Option<TrafficPolicy>, Box<dyn Error>> {
    if !value.is_object() {
        return Ok(None);
    }
    let mut policy = TrafficPolicy::new(tls(&value["tls"])?);
    policy.load_balancer = load_balancer(&value["loadBalancer"]);
    for item in value["portLevelSettings"].as_array().into_iter().flatten() {
        let mut entry = PortPolicy::new(port(&item["port"]["number"])?, tls(&item["tls"])?);
        entry.load_balancer = load_balancer(&item["loadBalancer"]);
        policy.ports.push(entry);
    }
    Ok(Some(policy))
}

/// All that a load balancer can change here is whether there is one, and PASSTHROUGH.
fn load_balancer(value: &Value) -> Option<LoadBalancer> {
    let mut balancer = LoadBalancer::default();
    balancer.passthrough = value["simple"] == "PASSTHROUGH";
    value.is_object().then_some(balancer)
}

fn tls(value: &Value) -> Result<Option<ClientTls>, Box<dyn Error>> {
    if !value.is_object() {
        return Ok(None);
    }
    let mode = match value["mode"].as_str() {
        None | Some("DISABLE") => ClientTlsMode::Disable,
        Some("SIMPLE") => ClientTlsMode::Simple,
        Some("MUTUAL") => ClientTlsMode::Mutual,
        Some("ISTIO_MUTUAL") => ClientTlsMode::IstioMutual,
        Some(other) => return Err(format!("mode `{other}` is unknown").into()),
    };
    let field = |name: &str| value[name].as_str().map(str::to_owned);
    let mut tls = ClientTls::new(mode).with_subject_alt_names(texts(&value["subjectAltNames"])?);
    tls.sni = field("sni");
    tls.ca_certificates = field("caCertificates");
    tls.ca_crl = field("caCrl");
    tls.client_certificate = field("clientCertificate");
    tls.private_key = field("privateKey");
    tls.credential_name = field("credentialName");
    tls.insecure_skip_verify = value["insecureSkipVerify"].as_bool();
    Ok(Some(tls))
}
