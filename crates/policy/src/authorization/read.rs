//! A document to an `AuthorizationPolicy`, validated as Istio does.

use super::attribute::Attribute;
use super::values::{self, at_most, invalid};
use super::{
    Action, AuthorizationPolicy, AuthorizationViolation, Condition, Operation, Rule, Source,
    TargetRef,
};
use crate::field::{Field, Object, shorten};
use crate::kind::Kind;
use crate::parse_error::ParseError;
use crate::resource::Resource;
use crate::violation::{Caution, Warning};
use crate::{Metadata, dry_run, selector};

impl Resource for AuthorizationPolicy {
    const KIND: Kind = Kind::AuthorizationPolicy;

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
) -> Result<AuthorizationPolicy, ParseError> {
    dry_run::check(object, AuthorizationPolicy::DRY_RUN)?;
    let mut policy = AuthorizationPolicy::with_metadata(metadata);
    let Some(spec_field) = object.get("spec") else { return Ok(policy) };
    let spec = spec_field.object(SPEC)?;
    let mut warn = |field: &Field<'_>, policy: &AuthorizationPolicy, caution| {
        let path = field.path().to_owned();
        warnings.push(Warning::new(field.key_at(), path, policy.name().clone(), caution));
    };
    if let Some(field) = spec.get("selector") {
        policy.selector = selector::read(&field, &["matchLabels"])?;
        if policy.selector.is_empty() {
            warn(&field, &policy, Caution::SelectorWithoutLabels);
        }
    }
    policy.target_refs = target_refs(&spec)?;
    if let Some(action) = spec.get("action") {
        policy.action = action.name_of(ACTIONS, |name| {
            Action::ALL
                .into_iter()
                .find(|action| action.as_str() == name)
        })?;
    }
    dry_run::check_action(object, policy.action)?;
    policy.provider = provider(&spec, policy.action)?;
    let Some(field) = spec.get("rules") else {
        return without_rules(policy, &spec_field);
    };
    let rules = field.list()?;
    at_most(&field, rules.len(), MAX_RULES)?;
    for field in &rules {
        let rule = rule(field)?;
        if policy.action == Action::Custom {
            check_custom(field, &rule)?;
        }
        if policy.action == Action::Deny && is_http_only(&rule) {
            warn(field, &policy, Caution::DenyHttpOnly);
        }
        policy.rules.push(rule);
    }
    if policy.rules.is_empty() { without_rules(policy, &field) } else { Ok(policy) }
}

/// ALLOW and AUDIT may be without rules; DENY and CUSTOM would then never have an effect.
fn without_rules(
    policy: AuthorizationPolicy,
    field: &Field<'_>,
) -> Result<AuthorizationPolicy, ParseError> {
    match policy.action {
        Action::Allow | Action::Audit => Ok(policy),
        Action::Deny => Err(invalid(field, AuthorizationViolation::DenyWithoutRules)),
        Action::Custom => Err(invalid(field, AuthorizationViolation::CustomWithoutRules)),
    }
}

/// Reads `targetRefs`, or `targetRef`, its older form for one.
fn target_refs(spec: &Object<'_>) -> Result<Vec<TargetRef>, ParseError> {
    let one = spec.get("targetRef");
    let many = spec.get("targetRefs");
    let mut targets: Vec<Field<'_>> = one.into_iter().collect();
    let mut there = spec.get("selector").iter().chain(&targets).count();
    if let Some(many) = &many {
        let items = many.list()?;
        at_most(many, items.len(), MAX_TARGET_REFS)?;
        there = there.saturating_add(usize::from(!items.is_empty()));
        targets.extend(items);
    }
    if there > 1
        && let Some(last) = many.or_else(|| spec.get("targetRef"))
    {
        return Err(invalid(&last, AuthorizationViolation::SelectorAndTargetRefs));
    }
    targets.iter().map(target_ref).collect()
}

fn target_ref(field: &Field<'_>) -> Result<TargetRef, ParseError> {
    let object = field.object(&["group", "kind", "name", "namespace"])?;
    let kind = object.require("kind")?;
    let name = object.require("name")?;
    let target =
        TargetRef::new(object.text("group")?.unwrap_or_default(), kind.text()?, name.text()?);
    if target.name.is_empty() {
        return Err(invalid(&name, AuthorizationViolation::TargetWithoutName));
    }
    if let Some(namespace) = object.get("namespace")
        && !namespace.text()?.is_empty()
    {
        return Err(invalid(&namespace, AuthorizationViolation::TargetNamespace));
    }
    if !TARGETS.contains(&(target.group.as_str(), target.kind.as_str())) {
        let slash = if target.group.is_empty() { "" } else { "/" };
        let found = shorten(&format!("{}{slash}{}", target.group, target.kind));
        return Err(invalid(&kind, AuthorizationViolation::TargetKind { found }));
    }
    Ok(target)
}

fn provider(spec: &Object<'_>, action: Action) -> Result<Option<String>, ParseError> {
    let name = match spec.get("provider") {
        None => None,
        Some(field) => {
            if action != Action::Custom {
                return Err(invalid(&field, AuthorizationViolation::ProviderWithoutCustom));
            }
            field.object(&["name"])?.text("name")?.map(str::to_owned)
        }
    };
    // An empty list is no rules: that is what is wrong first.
    let has_rules = match spec.get("rules") {
        Some(rules) => !rules.list()?.is_empty(),
        None => false,
    };
    if action == Action::Custom && has_rules && name.as_ref().is_none_or(String::is_empty) {
        let field = spec.require("action")?;
        return Err(invalid(&field, AuthorizationViolation::CustomWithoutProvider));
    }
    Ok(name)
}

fn rule(field: &Field<'_>) -> Result<Rule, ParseError> {
    let object = field.object(&["from", "to", "when"])?;
    let mut rule = Rule::new();
    if let Some(from) = object.get("from") {
        let items = from.list()?;
        at_most(&from, items.len(), MAX_FROM)?;
        if items.is_empty() {
            return Err(invalid(&from, AuthorizationViolation::EmptyFrom));
        }
        for item in &items {
            rule.from
                .push(source(&item.object(&["source"])?.require("source")?)?);
        }
    }
    if let Some(to) = object.get("to") {
        let items = to.list()?;
        if items.is_empty() {
            return Err(invalid(&to, AuthorizationViolation::EmptyTo));
        }
        for item in &items {
            rule.to
                .push(operation(&item.object(&["operation"])?.require("operation")?)?);
        }
    }
    if let Some(when) = object.get("when") {
        for item in when.list()? {
            rule.when.push(condition(&item)?);
        }
    }
    Ok(rule)
}

fn source(field: &Field<'_>) -> Result<Source, ParseError> {
    let object = field.object(Source::FIELDS)?;
    let mut source = Source::default();
    for (name, attribute, list) in source.lists_mut() {
        let Some(field) = object.get(name) else { continue };
        *list = match attribute {
            Attribute::SourceTrustDomain => values::read_trust_domains(&field)?,
            _ => values::read(&field, attribute)?,
        };
    }
    if source.is_empty() {
        return Err(invalid(field, AuthorizationViolation::EmptySource));
    }
    let has = |wanted: &[Attribute]| {
        source
            .lists()
            .any(|list| wanted.contains(&list.attribute) && !list.values.is_empty())
    };
    if has(&[Attribute::SourceServiceAccount])
        && has(&[Attribute::SourcePrincipal, Attribute::SourceNamespace])
    {
        return Err(invalid(field, AuthorizationViolation::ServiceAccountsCombined));
    }
    Ok(source)
}

fn operation(field: &Field<'_>) -> Result<Operation, ParseError> {
    let object = field.object(Operation::FIELDS)?;
    let mut operation = Operation::default();
    for (name, attribute, list) in operation.lists_mut() {
        let Some(field) = object.get(name) else { continue };
        *list = match name {
            "paths" | "notPaths" => values::read_paths(&field)?,
            _ => values::read(&field, attribute)?,
        };
    }
    if operation.is_empty() {
        return Err(invalid(field, AuthorizationViolation::EmptyOperation));
    }
    Ok(operation)
}

fn condition(field: &Field<'_>) -> Result<Condition, ParseError> {
    let object = field.object(&["key", "values", "notValues"])?;
    let key = object.require("key")?;
    let attribute = Attribute::of_key(key.text()?).map_err(|violation| invalid(&key, violation))?;
    let mut condition = Condition::new(key.text()?);
    for (name, list) in
        [("values", &mut condition.values), ("notValues", &mut condition.not_values)]
    {
        if let Some(field) = object.get(name) {
            *list = values::read(&field, attribute)?;
        }
    }
    if condition.values.is_empty() && condition.not_values.is_empty() {
        return Err(invalid(field, AuthorizationViolation::ConditionWithoutValues));
    }
    Ok(condition)
}

/// CUSTOM rules are asked before anything about the peer or a token is known, so they cannot look at it.
fn check_custom(field: &Field<'_>, rule: &Rule) -> Result<(), ParseError> {
    let of_source = rule.from.iter().flat_map(Source::lists).filter_map(|list| {
        let unknown = list.attribute.is_identity() || list.attribute == Attribute::Http;
        (unknown && !list.values.is_empty()).then_some(list.name)
    });
    let keys = rule.when.iter().filter_map(|condition| {
        let is_identity =
            Attribute::of_key(&condition.key).is_ok_and(|attribute| attribute.is_identity());
        let key = condition.key.as_str();
        (is_identity || key.starts_with("request.auth.")).then_some(key)
    });
    match of_source.chain(keys).next() {
        Some(found) => {
            let violation = AuthorizationViolation::CustomUnsupported { found: shorten(found) };
            Err(invalid(field, violation))
        }
        None => Ok(()),
    }
}

/// Whether a connection shows nothing of what the rule's sources, or its operations, ask for.
fn is_http_only(rule: &Rule) -> bool {
    let sees = |attribute: Attribute, values: &[String]| {
        attribute.is_known_on_a_connection() && !values.is_empty()
    };
    let from = rule
        .from
        .iter()
        .flat_map(Source::lists)
        .any(|list| sees(list.attribute, list.values));
    let to = rule
        .to
        .iter()
        .flat_map(Operation::lists)
        .any(|list| sees(list.attribute, list.values));
    (!rule.from.is_empty() && rule.to.is_empty() && !from) || (!rule.to.is_empty() && !to)
}

const SPEC: &[&str] = &["selector", "targetRef", "targetRefs", "action", "provider", "rules"];

const ACTIONS: &[&str] = &["ALLOW", "DENY", "AUDIT", "CUSTOM"];

/// Group and kind of what a policy can be for. `core` is another name of the group without name.
const TARGETS: &[(&str, &str)] = &[
    ("", "Service"),
    ("core", "Service"),
    ("networking.istio.io", "ServiceEntry"),
    ("gateway.networking.k8s.io", "Gateway"),
    ("gateway.networking.k8s.io", "GatewayClass"),
];

/// The bounds of Istio's schema.
const MAX_RULES: usize = 512;
const MAX_FROM: usize = 512;
const MAX_TARGET_REFS: usize = 16;
