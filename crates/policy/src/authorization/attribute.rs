//! What conditions look at.

use serde::Serialize;

use super::AuthorizationViolation;
use crate::field::shorten;
use crate::nearest::nearest;

/// What a condition of an `AuthorizationPolicy` looks at.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Attribute {
    /// The names in the peer's certificate (`principals`, `source.principal`).
    SourcePrincipal,
    /// The namespace in those names (`namespaces`, `source.namespace`).
    SourceNamespace,
    /// Namespace and service account in those names (`serviceAccounts`, `source.serviceAccount`).
    SourceServiceAccount,
    /// The trust domain in those names (`trustDomains`, `source.trustDomain`).
    SourceTrustDomain,
    /// The address that the connection comes from (`ipBlocks`, `source.ip`).
    SourceIp,
    /// The address of the original client (`remoteIpBlocks`, `remote.ip`).
    RemoteIp,
    /// The address that the connection goes to (`destination.ip`).
    DestinationIp,
    /// The workload port (`ports`, `destination.port`).
    DestinationPort,
    /// The server name that the client asked for in its TLS handshake (`connection.sni`).
    Sni,
    /// Something that only HTTP requests have, such as a method or a token.
    Http,
    /// What filters of Envoy found out (`experimental.envoy.filters.`): there is no Envoy here, so nobody can tell.
    EnvoyMetadata,
}

impl Attribute {
    /// The attribute that the `key` of a [`Condition`](super::Condition) names.
    ///
    /// # Errors
    ///
    /// * [`AuthorizationViolation::EmptyKey`] and [`AuthorizationViolation::UnknownKey`].
    /// * [`AuthorizationViolation::RetiredKey`]: an attribute of Istio's first API.
    /// * [`AuthorizationViolation::BadKey`]: `request.headers`, `request.auth.claims` or an Envoy filter without `[name]`.
    pub fn of_key(key: &str) -> Result<Self, AuthorizationViolation> {
        let exact = KEYS.iter().find(|(known, _)| *known == key);
        if let Some((_, attribute)) = exact {
            return Ok(*attribute);
        }
        let family = FAMILIES.iter().find(|(prefix, _)| key.starts_with(prefix));
        let has_name = key.find('[').is_some_and(|open| {
            // At least one character stands between the brackets.
            open > 0 && key.ends_with(']') && key.len() > open.saturating_add(2)
        });
        match family {
            Some((_, attribute)) if has_name => Ok(*attribute),
            Some(_) => Err(AuthorizationViolation::BadKey { found: shorten(key) }),
            None if key.is_empty() => Err(AuthorizationViolation::EmptyKey),
            None if RETIRED.contains(&key) || key.starts_with("destination.labels") => {
                Err(AuthorizationViolation::RetiredKey { found: shorten(key) })
            }
            None => Err(AuthorizationViolation::UnknownKey {
                found: shorten(key),
                nearest: nearest(key, NAMES),
            }),
        }
    }

    /// Whether a connection shows it; if not, its conditions are not looked at (rules AZ-8 and AZ-9).
    pub fn is_known_on_a_connection(self) -> bool {
        !matches!(self, Self::Http | Self::EnvoyMetadata)
    }

    /// Whether it is part of the peer's identity, which plaintext peers do not have.
    pub fn is_identity(self) -> bool {
        matches!(
            self,
            Self::SourcePrincipal
                | Self::SourceNamespace
                | Self::SourceServiceAccount
                | Self::SourceTrustDomain
        )
    }
}

/// Whether one of a list's values has to fit, or none may.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "a list is the one or the other")]
pub enum Sense {
    /// As in `principals`.
    OneOf,
    /// As in `notPrincipals`.
    NoneOf,
}

const KEYS: &[(&str, Attribute)] = &[
    ("source.ip", Attribute::SourceIp),
    ("remote.ip", Attribute::RemoteIp),
    ("source.namespace", Attribute::SourceNamespace),
    ("source.principal", Attribute::SourcePrincipal),
    ("source.serviceAccount", Attribute::SourceServiceAccount),
    ("source.trustDomain", Attribute::SourceTrustDomain),
    ("request.auth.principal", Attribute::Http),
    ("request.auth.audiences", Attribute::Http),
    ("request.auth.presenter", Attribute::Http),
    ("destination.ip", Attribute::DestinationIp),
    ("destination.port", Attribute::DestinationPort),
    ("connection.sni", Attribute::Sni),
];

/// Keys that end in `[name]`.
const FAMILIES: &[(&str, Attribute)] = &[
    ("request.headers", Attribute::Http),
    ("request.auth.claims", Attribute::Http),
    ("experimental.envoy.filters.", Attribute::EnvoyMetadata),
];

/// Keys of Istio's first API, replaced by the policy's namespace, its selector and `ports`.
const RETIRED: &[&str] = &["destination.namespace", "destination.name", "destination.user"];

/// For suggestions.
const NAMES: &[&str] = &[
    "source.ip",
    "remote.ip",
    "source.namespace",
    "source.principal",
    "source.serviceAccount",
    "source.trustDomain",
    "request.auth.principal",
    "request.auth.audiences",
    "request.auth.presenter",
    "request.headers[name]",
    "request.auth.claims[name]",
    "destination.ip",
    "destination.port",
    "connection.sni",
];
