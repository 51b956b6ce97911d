//! What Istio's validation asks of the values of a list.

use super::AuthorizationViolation;
use super::attribute::Attribute;
use super::ip_block::IpBlock;
use super::matcher;
use crate::field::{Field, shorten};
use crate::parse_error::ParseError;
use crate::violation::Violation;

/// Reads a list and refuses the values that its attribute does not take (rules AZV-9 to AZV-15).
pub(super) fn read(field: &Field<'_>, attribute: Attribute) -> Result<Vec<String>, ParseError> {
    let items = field.list()?;
    if attribute == Attribute::SourceServiceAccount {
        at_most(field, items.len(), MAX_SERVICE_ACCOUNTS)?;
    }
    read_with(&items, |value| check(attribute, value))
}

/// As [`read`], for the field `trustDomains`, which takes no slash; the key `source.trustDomain` does.
pub(super) fn read_trust_domains(field: &Field<'_>) -> Result<Vec<String>, ParseError> {
    read_with(&field.list()?, |value| {
        check(Attribute::SourceTrustDomain, value)?;
        if value.contains('/') {
            return Err(AuthorizationViolation::TrustDomainWithSlash { found: shorten(value) });
        }
        Ok(())
    })
}

/// As [`read`], for paths, which may be templates.
pub(super) fn read_paths(field: &Field<'_>) -> Result<Vec<String>, ParseError> {
    read_with(&field.list()?, |value| {
        check(Attribute::Http, value)?;
        if is_path(value) {
            Ok(())
        } else {
            Err(AuthorizationViolation::BadPath { found: shorten(value) })
        }
    })
}

/// Refuses more than `max` entries of a list.
pub(super) fn at_most(field: &Field<'_>, found: usize, max: usize) -> Result<(), ParseError> {
    if found > max {
        return Err(invalid(field, AuthorizationViolation::TooMany { found, max }));
    }
    Ok(())
}

/// A refusal by Istio's validation that points at the value.
pub(super) fn invalid(field: &Field<'_>, violation: AuthorizationViolation) -> ParseError {
    field.invalid(Violation::Authorization(violation))
}

fn read_with(
    items: &[Field<'_>],
    check: impl Fn(&str) -> Result<(), AuthorizationViolation>,
) -> Result<Vec<String>, ParseError> {
    items
        .iter()
        .map(|item| {
            let value = item.text()?;
            check(value).map_err(|violation| invalid(item, violation))?;
            Ok(value.to_owned())
        })
        .collect()
}

fn check(attribute: Attribute, value: &str) -> Result<(), AuthorizationViolation> {
    use AuthorizationViolation::{BadAccount, BadIpBlock, BadPort, EmptyValue, MisplacedStar};
    let found = || shorten(value);
    match attribute {
        _ if value.is_empty() => Err(EmptyValue),
        Attribute::SourceServiceAccount if !is_account(value) => Err(BadAccount { found: found() }),
        Attribute::SourceTrustDomain if !has_star_at_an_end(value) => {
            Err(MisplacedStar { found: found() })
        }
        Attribute::SourceIp | Attribute::RemoteIp | Attribute::DestinationIp
            if IpBlock::parse(value).is_none() =>
        {
            Err(BadIpBlock { found: found() })
        }
        Attribute::DestinationPort if matcher::port(value).is_none() => {
            Err(BadPort { found: found() })
        }
        _ => Ok(()),
    }
}

/// `name` or `namespace/name`.
fn is_account(value: &str) -> bool {
    let parts = value.split('/');
    let count = parts.clone().count();
    value.len() <= MAX_ACCOUNT
        && !value.contains('*')
        && count <= 2
        && parts.into_iter().all(|part| !part.is_empty())
}

/// No star, or one that is the first or the last character.
fn has_star_at_an_end(value: &str) -> bool {
    let rest = value
        .strip_prefix('*')
        .or_else(|| value.strip_suffix('*'))
        .unwrap_or(value);
    !rest.contains('*')
}

/// A path whose parts are literal, `{*}`, or `{**}` with neither after it. In a template the literal parts have no other
/// characters than a URL's path.
fn is_path(value: &str) -> bool {
    let is_template = value.contains(ONE) || value.contains(ANY);
    let mut ended = false;
    value.trim_matches('/').split('/').all(|part| {
        if part == ONE || part == ANY {
            let allowed = !ended;
            ended = ended || part == ANY;
            return allowed;
        }
        let literal = !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._~%!$&'()+,;:@=".contains(&byte));
        !part.contains(['{', '}']) && (literal || !is_template)
    })
}

/// Stands for one part of a path.
const ONE: &str = "{*}";
/// Stands for any number of parts.
const ANY: &str = "{**}";

/// How many values `serviceAccounts` takes.
const MAX_SERVICE_ACCOUNTS: usize = 16;
/// The longest service account, in bytes.
const MAX_ACCOUNT: usize = 320;
