//! Labels of a workload, and the same shape as a selector over them.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

/// Label keys and values, in key order.
///
/// As a selector it asks for every one of its entries with exactly the same value; an empty one selects by scope alone.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Labels(BTreeMap<String, String>);

impl Labels {
    /// The value of `key`, if the label is there.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// Whether there is no label at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many labels there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Keys and values, in key order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Adds a label, replacing the value of one with the same key.
    pub fn insert(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.0.insert(key.into(), value.into());
    }

    /// Whether `self`, as a selector, selects a workload with these labels. Does not allocate.
    pub fn select(&self, workload: &Self) -> bool {
        self.first_mismatch(workload).is_none()
    }

    /// The first entry of the selector `self` (in key order) that the labels of `workload` do not satisfy.
    pub fn first_mismatch<'a>(&'a self, workload: &'a Self) -> Option<LabelMismatch<'a>> {
        self.iter().find_map(|(key, wanted)| {
            let found = workload.get(key);
            (found != Some(wanted)).then_some(LabelMismatch { key, wanted, found })
        })
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Labels {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(labels: I) -> Self {
        Self(
            labels
                .into_iter()
                .map(|(key, value)| (key.into(), value.into()))
                .collect(),
        )
    }
}

impl<K: Into<String>, V: Into<String>, const N: usize> From<[(K, V); N]> for Labels {
    fn from(labels: [(K, V); N]) -> Self {
        labels.into_iter().collect()
    }
}

/// `app=web,version=v1`; nothing for no labels.
impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, (key, value)) in self.iter().enumerate() {
            let comma = if nth == 0 { "" } else { "," };
            write!(f, "{comma}{key}={value}")?;
        }
        Ok(())
    }
}

/// A selector entry that a workload does not satisfy.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct LabelMismatch<'a> {
    /// The label's key.
    pub key: &'a str,
    /// The value that the selector asks for.
    pub wanted: &'a str,
    /// The value that the workload has, `None` without such a label.
    pub found: Option<&'a str>,
}
