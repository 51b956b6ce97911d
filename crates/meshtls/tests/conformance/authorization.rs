//! `authorization`: who may connect, from policies as text where they can be read, and as values.

use std::error::Error;

use meshtls::policy::{
    Action, AuthorizationPolicy, Condition, Connection, MeshSettings, Operation, PeerNames,
    PolicySet, Resources, Rule, Source,
};
use serde_json::{Value, json};

use crate::case::{Case, port, same, text, texts};
use crate::peer_authentication::{labels, workload};

pub(crate) fn check(case: &Case<'_>) -> Result<(), Box<dyn Error>> {
    let list = || case.field("policies").as_array().into_iter().flatten();
    let policies = list().map(policy).collect::<Result<Vec<_>, _>>()?;
    let values = Resources::default().with_authorization_policies(policies);
    ask(case, &values).map_err(|error| format!("as values: {error}"))?;

    let document = json!({ "apiVersion": "v1", "kind": "List", "items": list().map(object).collect::<Vec<_>>() });
    // Vectors may hold what validation refuses: such policies are values only.
    let Ok(read) = Resources::parse(case.id(), &document.to_string()) else { return Ok(()) };
    // Text has warnings and places, which values have not.
    if read.authorization_policies() != values.authorization_policies() {
        return Err("the policies as text are not the policies as values".into());
    }
    ask(case, &read).map_err(|error| format!("as text: {error}").into())
}

fn ask(case: &Case<'_>, resources: &Resources) -> Result<(), Box<dyn Error>> {
    let aliases = texts(case.field("trust_domain_aliases"))?
        .into_iter()
        .map(str::parse)
        .collect::<Result<Vec<_>, _>>()?;
    let settings = MeshSettings::new(text(case.field("trust_domain"))?.parse()?)
        .with_root_namespace(text(case.field("root_namespace"))?)
        .with_trust_domain_aliases(aliases);
    let set = PolicySet::compile(settings, resources);
    let workload = workload(case.field("workload"))?;

    let place = case.field("connection");
    let source = text(&place["source_ip"])?.parse()?;
    let mut connection = Connection::new(
        source,
        text(&place["destination_ip"])?.parse()?,
        port(&place["destination_port"])?,
    )
    .with_sni(place["sni"].as_str());
    if let Some(remote) = place["remote_ip"].as_str() {
        connection = connection.with_remote(remote.parse()?);
    }
    if let Some(principal) = place["peer_principal"].as_str() {
        connection = connection.with_peer(PeerNames::uri(principal));
    }

    let answer = set.authorize(&workload, &connection);
    if set
        .authorization_policies()
        .select(&workload)
        .authorize(&connection)
        != answer
    {
        return Err("the policies chosen in advance answer otherwise".into());
    }
    let seen = json!({
        "allow": answer.allow(),
        "reason": answer.reason().as_str(),
        "policy": answer.policy().map(ToString::to_string),
    });
    same(&seen, case.expected())
}

/// The object that Kubernetes would store.
fn object(value: &Value) -> Value {
    let mut metadata = json!({
        "namespace": value["namespace"],
        "name": value["name"],
        "creationTimestamp": value["creationTimestamp"],
    });
    if value["dry_run"] == true {
        metadata["annotations"] = json!({ AuthorizationPolicy::DRY_RUN: "true" });
    }
    json!({
        "apiVersion": "security.istio.io/v1",
        "kind": "AuthorizationPolicy",
        "metadata": metadata,
        "spec": {
            "selector": value["selector"],
            "targetRefs": value["targetRefs"],
            "action": value["action"],
            "provider": value["provider"],
            "rules": value["rules"],
        },
    })
}

fn policy(value: &Value) -> Result<AuthorizationPolicy, Box<dyn Error>> {
    let mut policy = AuthorizationPolicy::new(text(&value["namespace"])?, text(&value["name"])?)
        .with_selector(labels(&value["selector"]["matchLabels"])?);
    if let Some(name) = value["action"].as_str() {
        let action = Action::ALL
            .into_iter()
            .find(|action| action.as_str() == name);
        policy.action = action.ok_or_else(|| format!("`{name}` is no action"))?;
    }
    if let Some(name) = value["provider"]["name"].as_str() {
        policy = policy.with_provider(name);
    }
    if let Some(created) = value["creationTimestamp"].as_str() {
        policy = policy.with_created(created.parse()?);
    }
    if value["dry_run"] == true {
        policy = policy.with_dry_run(true);
    }
    if !value["targetRefs"].is_null() {
        return Err("vectors have no targetRefs".into());
    }
    for value in items(&value["rules"]) {
        policy = policy.with_rule(rule(value)?);
    }
    Ok(policy)
}

fn rule(value: &Value) -> Result<Rule, Box<dyn Error>> {
    let mut rule = Rule::new();
    for value in items(&value["from"]) {
        let of = |name: &str| texts(&value["source"][name]);
        let source = Source::default()
            .with_principals(of("principals")?)
            .with_not_principals(of("notPrincipals")?)
            .with_request_principals(of("requestPrincipals")?)
            .with_not_request_principals(of("notRequestPrincipals")?)
            .with_namespaces(of("namespaces")?)
            .with_not_namespaces(of("notNamespaces")?)
            .with_service_accounts(of("serviceAccounts")?)
            .with_not_service_accounts(of("notServiceAccounts")?)
            .with_ip_blocks(of("ipBlocks")?)
            .with_not_ip_blocks(of("notIpBlocks")?)
            .with_remote_ip_blocks(of("remoteIpBlocks")?)
            .with_not_remote_ip_blocks(of("notRemoteIpBlocks")?)
            .with_trust_domains(of("trustDomains")?)
            .with_not_trust_domains(of("notTrustDomains")?);
        rule = rule.with_from(source);
    }
    for value in items(&value["to"]) {
        let of = |name: &str| texts(&value["operation"][name]);
        let operation = Operation::default()
            .with_hosts(of("hosts")?)
            .with_not_hosts(of("notHosts")?)
            .with_ports(of("ports")?)
            .with_not_ports(of("notPorts")?)
            .with_methods(of("methods")?)
            .with_not_methods(of("notMethods")?)
            .with_paths(of("paths")?)
            .with_not_paths(of("notPaths")?);
        rule = rule.with_to(operation);
    }
    for value in items(&value["when"]) {
        let condition = Condition::new(text(&value["key"])?)
            .with_values(texts(&value["values"])?)
            .with_not_values(texts(&value["notValues"])?);
        rule = rule.with_when(condition);
    }
    Ok(rule)
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}
