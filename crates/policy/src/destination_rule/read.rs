//! A document to a `DestinationRule`, validated as Istio does.

use std::collections::HashSet;

use super::{
    DestinationRule, DestinationRuleViolation as Broken, LoadBalancer, PortPolicy, Subset,
    TrafficPolicy, read_tls,
};
use crate::field::{Field, Object, shorten};
use crate::host_name::{is_label, is_wildcard_domain};
use crate::kind::Kind;
use crate::label_syntax::{is_label_key, is_label_value};
use crate::parse_error::ParseError;
use crate::resource::Resource;
use crate::violation::{Caution, Violation, Warning};
use crate::{Labels, Metadata, connection_pool, selector};

impl Resource for DestinationRule {
    const KIND: Kind = Kind::DestinationRule;

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn read(
        object: &Object<'_>,
        metadata: Metadata,
        warnings: &mut Vec<Warning>,
    ) -> Result<Self, ParseError> {
        read(object, metadata, warnings)
    }
}

fn read(
    object: &Object<'_>,
    metadata: Metadata,
    warnings: &mut Vec<Warning>,
) -> Result<DestinationRule, ParseError> {
    let spec = object.require("spec")?.object(FIELDS)?;
    let field = spec.require("host")?;
    let host = field.text()?;
    if !is_wildcard_domain(host) {
        return Err(field.invalid(Violation::BadHost { found: shorten(host) }));
    }
    let mut rule = DestinationRule::with_metadata(metadata, host);
    let namespace = rule.metadata.name.namespace().to_owned();
    if let Some(field) = spec.get("workloadSelector") {
        let labels = selector::read(&field, &["matchLabels"])?;
        if labels.is_empty() {
            let caution = Caution::RuleSelectorWithoutLabels;
            let path = field.path().to_owned();
            warnings.push(Warning::new(field.key_at(), path, rule.name().clone(), caution));
        }
        rule.workload_selector = Some(labels);
    }
    if let Some(policy) = spec.get("trafficPolicy") {
        rule.traffic_policy = Some(traffic_policy(&policy, &namespace)?);
    }
    if let Some(subsets) = spec.get("subsets") {
        rule.subsets = read_subsets(&subsets, &namespace)?;
    }
    if let Some(namespaces) = spec.get("exportTo") {
        rule.export_to = export_to(&namespaces, &namespace, rule.workload_selector.is_some())?;
    }
    Ok(rule)
}

fn traffic_policy(field: &Field<'_>, namespace: &str) -> Result<TrafficPolicy, ParseError> {
    let (object, rest) =
        field.object_keeping(&["tls", "loadBalancer", "portLevelSettings"], KEPT)?;
    check_kept(&object)?;
    let has = |name| rest.names().any(|kept| kept == name);
    if has("tunnel") && has("proxyProtocol") {
        return Err(invalid(field, Broken::TunnelAndProxyProtocol));
    }
    let ports = object.get("portLevelSettings").map(|ports| ports.list());
    let policy = TrafficPolicy {
        tls: tls(&object, namespace)?,
        load_balancer: load_balancer(&object)?,
        ports: ports
            .transpose()?
            .unwrap_or_default()
            .iter()
            .map(|entry| port_policy(entry, namespace))
            .collect::<Result<_, _>>()?,
        rest,
    };
    if policy == TrafficPolicy::default() {
        return Err(invalid(field, Broken::TrafficPolicyEmpty));
    }
    Ok(policy)
}

fn port_policy(field: &Field<'_>, namespace: &str) -> Result<PortPolicy, ParseError> {
    let (object, rest) = field.object_keeping(
        &["port", "tls", "loadBalancer"],
        &["connectionPool", "outlierDetection"],
    )?;
    check_kept(&object)?;
    let number = object
        .require("port")?
        .object(&["number"])?
        .require("number")?;
    let entry = PortPolicy {
        port: number.port()?,
        tls: tls(&object, namespace)?,
        load_balancer: load_balancer(&object)?,
        rest,
    };
    if entry == PortPolicy::new(entry.port, None) {
        return Err(invalid(field, Broken::PortPolicyEmpty));
    }
    Ok(entry)
}

/// Checks what is kept as far as there is a check for it (rule DRV-14).
fn check_kept(object: &Object<'_>) -> Result<(), ParseError> {
    if let Some(pool) = object.get("connectionPool") {
        connection_pool::check(&pool)?;
    }
    Ok(())
}

fn tls(object: &Object<'_>, namespace: &str) -> Result<Option<super::ClientTls>, ParseError> {
    object
        .get("tls")
        .map(|tls| read_tls::read(&tls, namespace))
        .transpose()
}

fn load_balancer(object: &Object<'_>) -> Result<Option<LoadBalancer>, ParseError> {
    let Some(field) = object.get("loadBalancer") else { return Ok(None) };
    let mut read = LoadBalancer::default();
    for entry in field.open_object()?.fields() {
        let simple = entry.key() == "simple" && !entry.field.is_null();
        let named = |name: &str| SIMPLE.contains(&name).then(|| name == PASSTHROUGH);
        if simple && entry.field.name_of(SIMPLE, named)? {
            read.passthrough = true;
        } else {
            read.rest.keep(entry.key(), &entry.field)?;
        }
    }
    Ok(Some(read))
}

fn read_subsets(field: &Field<'_>, namespace: &str) -> Result<Vec<Subset>, ParseError> {
    let mut names = HashSet::new();
    field
        .list()?
        .iter()
        .map(|item| {
            let object = item.object(&["name", "labels", "trafficPolicy"])?;
            let field = object.require("name")?;
            let name = field.text()?;
            if !is_label(name) {
                return Err(invalid(&field, Broken::BadSubsetName { found: shorten(name) }));
            }
            if !names.insert(name) {
                return Err(invalid(&field, Broken::DuplicateSubset { found: shorten(name) }));
            }
            Ok(Subset {
                name: name.to_owned(),
                labels: object
                    .get("labels")
                    .map_or_else(|| Ok(Labels::default()), |labels| subset_labels(&labels))?,
                traffic_policy: object
                    .get("trafficPolicy")
                    .map(|policy| traffic_policy(&policy, namespace))
                    .transpose()?,
            })
        })
        .collect()
}

fn subset_labels(field: &Field<'_>) -> Result<Labels, ParseError> {
    for entry in field.open_object()?.fields() {
        let (key, value) = (entry.key(), entry.field.text()?);
        if !is_label_key(key) || !is_label_value(value) {
            let found = shorten(&format!("{key}={value}"));
            return Err(entry.field.invalid(Broken::BadLabel { found }.into()));
        }
    }
    field.labels()
}

/// Reads `exportTo`; `.` and the name of the rule's own namespace are the same.
fn export_to(
    field: &Field<'_>,
    namespace: &str,
    selective: bool,
) -> Result<Vec<String>, ParseError> {
    let own = |entry: &str| entry == "." || entry == namespace;
    let entries = field.texts()?;
    let mut seen = HashSet::new();
    for (item, entry) in field.list()?.iter().zip(&entries) {
        let found = || shorten(entry);
        if !matches!(entry.as_str(), "*" | ".") && !is_label(entry) {
            return Err(invalid(item, Broken::BadExportTo { found: found() }));
        }
        if !seen.insert(if own(entry) { namespace } else { entry }) {
            return Err(invalid(item, Broken::DuplicateExportTo { found: found() }));
        }
        if selective && !own(entry) {
            return Err(invalid(item, Broken::SelectorExported));
        }
        if entry == "*" && entries.len() > 1 {
            return Err(invalid(item, Broken::ExportToAllAndOthers));
        }
    }
    Ok(entries)
}

fn invalid(field: &Field<'_>, broken: Broken) -> ParseError {
    field.invalid(broken.into())
}

const FIELDS: &[&str] = &["host", "trafficPolicy", "subsets", "exportTo", "workloadSelector"];

const KEPT: &[&str] =
    &["connectionPool", "outlierDetection", "tunnel", "proxyProtocol", "retryBudget"];

pub(super) const PASSTHROUGH: &str = "PASSTHROUGH";

const SIMPLE: &[&str] =
    &["UNSPECIFIED", "LEAST_CONN", "RANDOM", PASSTHROUGH, "ROUND_ROBIN", "LEAST_REQUEST"];
