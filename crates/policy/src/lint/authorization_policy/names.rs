//! Names that nobody has, or that mean another than it seems.

use super::asked::Asked;
use crate::authorization::expand::{self, POINTER};
use crate::field::shorten;
use crate::lint::code::Code;
use crate::lint::context::Context;
use crate::lint::finding::{Findings, some_of};
use crate::{Attribute, AuthorizationPolicy};

/// The rules for each value of a list over names.
pub(super) fn check(
    context: &Context<'_>,
    policy: &AuthorizationPolicy,
    asked: &Asked<'_>,
    findings: &mut Findings<'_>,
) {
    for (nth, value) in asked.values.iter().enumerate() {
        let mut add = |code, message: String, instead: String| {
            findings.add(code, policy, asked.value_field(nth), message, instead);
        };
        match asked.attribute {
            Attribute::SourcePrincipal => principal(context, value, &mut add),
            Attribute::SourceTrustDomain => trust_domain(context, value, value, &mut add),
            Attribute::Sni => star(value, &mut add),
            _ => {}
        }
    }
}

type Add<'f> = dyn FnMut(Code, String, String) + 'f;

fn principal(context: &Context<'_>, value: &str, add: &mut Add<'_>) {
    if let Some(id) = value.strip_prefix("spiffe://") {
        add(
            Code::PrincipalWithScheme,
            "principals are compared without `spiffe://`: nobody has this one".to_owned(),
            shorten(id),
        );
        return;
    }
    star(value, add);
    match expand::domain_of(value) {
        Some((POINTER, path)) if !is_own(context, POINTER) => add(
            Code::PointerToTrustDomain,
            format!(
                "`{POINTER}` stands for the trust domain of the mesh here, which is {}",
                names(context)
            ),
            format!("{}/{}", context.settings.trust_domain, shorten(path)),
        ),
        Some((domain, _)) => trust_domain(context, domain, value, add),
        None => pattern(context, value, add),
    }
}

/// A star is one only at an end (rule AZ-10).
fn star(value: &str, add: &mut Add<'_>) {
    let rest = value
        .strip_prefix('*')
        .or_else(|| value.strip_suffix('*'))
        .unwrap_or(value);
    if rest.contains('*') {
        add(
            Code::LiteralStar,
            format!(
                "in `{}` a star that is not at an end, or the second of two, is an ordinary character: nobody has this name",
                shorten(value)
            ),
            "the names one by one; or one star, first or last".to_owned(),
        );
    }
}

/// A peer of a foreign trust domain is not accepted to begin with.
fn trust_domain(context: &Context<'_>, domain: &str, value: &str, add: &mut Add<'_>) {
    let mut accepted = context.settings.accepted_trust_domains.iter();
    let known = is_own(context, domain) || accepted.any(|known| known.as_str() == domain);
    if domain != POINTER && !domain.contains('*') && !known {
        add(
            Code::ForeignTrustDomain,
            format!(
                "{} is no trust domain of the mesh ({}): `{}` is nobody's name",
                shorten(domain),
                names(context),
                shorten(value)
            ),
            "a trust domain of the mesh; or make this one an alias, or accept it".to_owned(),
        );
    }
}

/// Only principals of five parts are taken to the other names of the mesh (rule AZ-17).
fn pattern(context: &Context<'_>, value: &str, add: &mut Add<'_>) {
    let Some((domain, path)) = value.split_once('/') else { return };
    let domains = context.settings.domains();
    let others: Vec<&str> = expand::names(&domains)
        .filter(|name| *name != domain)
        .collect();
    let meant = domain == POINTER || is_own(context, domain);
    if meant && value.ends_with('*') && !others.is_empty() {
        add(
            Code::PatternNotExpanded,
            format!(
                "`{}` holds for {domain} as it is, not for {}: only principals of five parts mean the whole mesh",
                shorten(value),
                some_of(&others)
            ),
            format!(
                "`namespaces`; or one value for each: {}",
                some_of(
                    others
                        .iter()
                        .map(|name| format!("{name}/{}", shorten(path)))
                )
            ),
        );
    }
}

fn is_own(context: &Context<'_>, domain: &str) -> bool {
    let domains = context.settings.domains();
    expand::names(&domains).any(|name| name == domain)
}

fn names(context: &Context<'_>) -> String {
    let domains = context.settings.domains();
    some_of(expand::names(&domains))
}
