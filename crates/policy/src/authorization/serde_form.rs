//! `AuthorizationPolicy` as the object that Kubernetes stores: printed, and read back under the same rules as text.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Action, AuthorizationPolicy, Condition, Operation, Rule, Source, TargetRef};
use crate::resource::{self, MatchLabels};

/// As the object that Kubernetes stores.
impl Serialize for AuthorizationPolicy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Spec<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            selector: Option<MatchLabels<'a>>,
            #[serde(skip_serializing_if = "<[_]>::is_empty")]
            target_refs: &'a [TargetRef],
            action: Action,
            #[serde(skip_serializing_if = "Option::is_none")]
            provider: Option<Provider<'a>>,
            #[serde(skip_serializing_if = "<[_]>::is_empty")]
            rules: &'a [Rule],
        }
        #[derive(Serialize)]
        struct Provider<'a> {
            name: &'a str,
        }
        let spec = Spec {
            selector: (!self.selector.is_empty())
                .then_some(MatchLabels { match_labels: &self.selector }),
            target_refs: &self.target_refs,
            action: self.action,
            provider: self.provider.as_deref().map(|name| Provider { name }),
            rules: &self.rules,
        };
        resource::serialize(self, spec, serializer)
    }
}

/// Reads the object as Kubernetes stores it, and validates it like [`Resources::parse`](crate::Resources::parse).
///
/// From self-describing formats such as JSON. Warnings are dropped: parse text to keep them.
impl<'de> Deserialize<'de> for AuthorizationPolicy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        resource::deserialize(deserializer)
    }
}

/// As in a policy.
impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct From<'a> {
            source: &'a Source,
        }
        #[derive(Serialize)]
        struct To<'a> {
            operation: &'a Operation,
        }
        #[derive(Serialize)]
        struct Form<'a> {
            #[serde(skip_serializing_if = "Vec::is_empty")]
            from: Vec<From<'a>>,
            #[serde(skip_serializing_if = "Vec::is_empty")]
            to: Vec<To<'a>>,
            #[serde(skip_serializing_if = "<[_]>::is_empty")]
            when: &'a [Condition],
        }
        let form = Form {
            from: self.from.iter().map(|source| From { source }).collect(),
            to: self.to.iter().map(|operation| To { operation }).collect(),
            when: &self.when,
        };
        form.serialize(serializer)
    }
}
