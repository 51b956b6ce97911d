//! What every object carries: name, age, labels, annotations.

use std::cmp::Ordering;

use serde::{Serialize, Serializer};

use crate::{Labels, ResourceName, Timestamp};

/// The part of Kubernetes metadata that has a meaning here.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Metadata {
    /// Namespace and name.
    pub name: ResourceName,
    /// When the object was created; `None` counts as the oldest of all ([`Timestamp::ZERO`]).
    pub created: Option<Timestamp>,
    /// The object's own labels (not what it selects).
    pub labels: Labels,
    /// The object's annotations.
    pub annotations: Labels,
}

impl Metadata {
    /// Metadata with a name and nothing else.
    pub fn new(name: ResourceName) -> Self {
        Self { name, created: None, labels: Labels::default(), annotations: Labels::default() }
    }

    /// The creation time that counts.
    pub(crate) fn age(&self) -> Timestamp {
        self.created.unwrap_or(Timestamp::ZERO)
    }

    /// Istio's order of precedence: creation time, then name, then namespace, in byte order (rule PA-1).
    pub fn precedence(&self, other: &Self) -> Ordering {
        self.age()
            .cmp(&other.age())
            .then_with(|| self.name.name().cmp(other.name.name()))
            .then_with(|| self.name.namespace().cmp(other.name.namespace()))
    }
}

/// As in Kubernetes: `name` and `namespace` are fields of their own, and what is not there is left out.
impl Serialize for Metadata {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Form<'a> {
            name: &'a str,
            namespace: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            creation_timestamp: Option<Timestamp>,
            #[serde(skip_serializing_if = "Labels::is_empty")]
            labels: &'a Labels,
            #[serde(skip_serializing_if = "Labels::is_empty")]
            annotations: &'a Labels,
        }
        let Self { name, created, labels, annotations } = self;
        let (name, namespace) = (name.name(), name.namespace());
        Form { name, namespace, creation_timestamp: *created, labels, annotations }
            .serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use super::Metadata;
    use crate::{ResourceName, Timestamp};

    #[test]
    fn precedence_is_age_then_name_then_namespace() {
        let object = |created: Option<i64>, namespace: &str, name: &str| {
            let mut metadata = Metadata::new(ResourceName::new(namespace, name));
            metadata.created = created.map(Timestamp::from_unix_seconds);
            metadata
        };
        let zero = Some(Timestamp::ZERO.unix_seconds());
        for (case, first, second) in [
            ("age before name", object(Some(1), "n", "b"), object(Some(2), "n", "a")),
            ("no time is the oldest", object(None, "n", "b"), object(Some(-5), "n", "a")),
            ("no time is the zero time", object(None, "n", "a"), object(zero, "n", "b")),
            ("the zero time is no time", object(zero, "n", "a"), object(None, "n", "b")),
            ("name before namespace", object(None, "z", "a"), object(None, "a", "b")),
            ("byte order", object(None, "n", "B"), object(None, "n", "a")),
            ("namespace last", object(None, "a", "x"), object(None, "b", "x")),
        ] {
            assert_eq!(first.precedence(&second), Ordering::Less, "{case}");
            assert_eq!(second.precedence(&first), Ordering::Greater, "{case}");
        }
    }
}
